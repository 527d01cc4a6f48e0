# shellcheck shell=bash disable=SC2154,SC2016,SC2034
# SPDX-License-Identifier: Apache-2.0
# short: bookworm
# Our programs in a virtual machine where SELinux enforces Debian's policy with our module: what they do is done, each in its
# domain, and nothing is denied.

instance=42
_conf=/etc/exc-instance-connect
_run=/run/exc-instance-connect
_programs=/usr/libexec/exc-instance-connect

# One machine for all tests of this file. The package with the module is in its image, where SELinux was off. Its id and its
# anchor come from the host.
_prepare() {
    need openssl python3 qemu-system-x86_64 socat
    openssl genpkey -algorithm ED25519 -out cloud.pem
    vm_options=(-smbios "type=11,value=io.systemd.credential:exc.instance_id=$instance"
        -smbios "type=11,value=io.systemd.credential.binary:exc.trust=$(openssl pkey -in cloud.pem -pubout | base64 -w 0)")
    vm_module=selinux
    dpkg -x "$(our_deb exc-push)" host
    vm_start "$suite" "$suite"
}

_vm_prepare() {
    install -m 0644 "$(our_deb exc-instance-connect-selinux)" "$1/root/selinux.deb"
    mount -t proc proc "$1/proc"
    chroot "$1" dpkg -i /root/selinux.deb
    umount "$1/proc"
    install -d -m 0755 "$1$_conf"
    printf '[Agent]\nRateLimit=0\nMaxTtl=3600\n' >"$1$_conf/agent.conf"
    acts_into "$1"
}

# _audited: what the kernel has recorded so far is in the log. Records come in order.
_audited() {
    local mark=audited-${EPOCHREALTIME//[!0-9]/}
    in_vm "$suite" "auditctl -m $mark && until grep -qaF $mark /var/log/audit/audit.log; do sleep 0.1; done"
}

# _denied: prints the records of accesses that were denied since boot, by the kernel or by systemd, and of labels and
# transitions that were refused. Debian's policy denies some of Debian's own services a few things; they run no part of ours.
_denied() {
    _audited
    in_vm "$suite" 'ausearch --input-logs -ts boot -m AVC,USER_AVC,SELINUX_ERR,USER_SELINUX_ERR --raw 2>&1' |
        grep -aE '^type=(AVC|USER_AVC|SELINUX_ERR|USER_SELINUX_ERR) ' |
        grep -avE 'scontext=[^:]*:[^:]*:(getty_t|systemd_generator_t|systemd_sysusers_t|udev_t|useradd_t):' |
        grep -avE 'comm="systemd-tmpfile" name="(root|\.ssh|mtab)" ' || true
}

_nothing_denied() {
    same Enforcing "$(in_vm "$suite" getenforce)"
    same '' "$(_denied)"
}

# _forget_denied: what was provoked does not count in later tests.
_forget_denied() {
    _audited
    _audited
    in_vm "$suite" ': >/var/log/audit/audit.log'
}

# _domain_of UNIT: the type of its process.
_domain_of() {
    in_vm "$suite" "cut -d : -f 3 /proc/\$(systemctl show --value -p MainPID $1)/attr/current"
}

# _label_of PATH: its type.
_label_of() {
    in_vm "$suite" "stat -L -c %C '$1'" | cut -d : -f 3
}

_no_failed_unit() {
    same '' "$(in_vm "$suite" systemctl --plain --no-legend --failed list-units | grep exc || true)"
}

a_module_that_was_installed_into_an_image_labels_what_it_has_to() {
    local path label
    in_vm "$suite" semodule -l | grep -x exc_instance_connect
    while read -r path label; do
        same "$path exc_${label}_t" "$path $(_label_of "$path" </dev/null)"
    done <<END
/usr/sbin/exc-instance-connect instance_connect_admin_exec
$_programs/exc-authorized-keys authorized_keys_exec
$_programs/exc-instance-connect-agent instance_connect_exec
$_programs/exc-instance-connect-metadata instance_connect_metadata_exec
$_programs/exc-instance-connect-relay instance_connect_relay_exec
/usr/lib/systemd/system/exc-instance-connect.socket instance_connect_unit
/usr/lib/systemd/system/run-exc\\x2dinstance\\x2dconnect.mount instance_connect_unit
$_conf/agent.conf instance_connect_conf
$_conf/trust.d instance_connect_conf
$_run instance_connect_runtime
$_run/keys instance_connect_keys
$_run/claims instance_connect_claims
$_run/state instance_connect_state
$_run/admin.sock instance_connect_admin_socket
$_run/host.sock instance_connect_host_socket
END
    # It runs in the domain of sshd, as the other command does.
    same bin_t "$(_label_of $_programs/exc-authorized-keys-chain)"
    same exc_instance_connect_relay_t "$(_domain_of exc-instance-connect-relay.service)"
    _no_failed_unit
    _nothing_denied
}

# In the domain of sshd, the helper could not read a key.
a_pushed_key_lets_in_once_over_each_channel_and_is_revoked() {
    vm_channels_let_in_once _agent_has_its_domain
    # The event of the helper came to the journal, with the connection.
    vm_wait 'exc-instance-connect log --all | grep -q "accepted *bob, key"'
    in_vm "$suite" exc-instance-connect revoke --all
    _nothing_denied
}

_agent_has_its_domain() {
    same exc_instance_connect_t "$(_domain_of exc-instance-connect.service)"
}

# short: no
stores_that_are_mounted_again_get_their_labels() {
    in_vm "$suite" 'systemctl restart run-exc\\x2dinstance\\x2dconnect.mount
        systemctl restart exc-instance-connect.socket exc-instance-connect-host.socket'
    same exc_instance_connect_runtime_t "$(_label_of $_run)"
    same exc_instance_connect_claims_t "$(_label_of $_run/claims)"
    same exc_instance_connect_admin_socket_t "$(_label_of $_run/admin.sock)"
    new_key k
    vm_pushes alice k
    vm_lets_in alice k
    _nothing_denied
}

# As after a mount that failed.
# short: no
store_without_a_mount_of_its_own_gets_its_labels() {
    local units='exc-instance-connect.socket exc-instance-connect-host.socket'
    in_vm "$suite" "systemctl stop exc-instance-connect-relay.service $units exc-instance-connect.service
        systemctl stop 'run-exc\\x2dinstance\\x2dconnect-claims.mount' 'run-exc\\x2dinstance\\x2dconnect.mount'
        systemctl start exc-instance-connect-plain-run.service && systemctl start $units exc-instance-connect-relay.service &&
        ! mountpoint -q $_run"
    same exc_instance_connect_runtime_t "$(_label_of $_run)"
    same exc_instance_connect_claims_t "$(_label_of $_run/claims)"
    same exc_instance_connect_host_socket_t "$(_label_of $_run/host.sock)"
    new_key k
    vm_pushes alice k
    vm_lets_in alice k
    in_vm "$suite" "systemctl stop exc-instance-connect-relay.service $units exc-instance-connect.service && rm -r $_run/.no-mount &&
        systemctl start $units exc-instance-connect-relay.service && mountpoint -q $_run"
    _nothing_denied
}

# sshd may take longer to print its configuration than that waits, since all of this is emulated.
_enables() {
    vm_wait 'exc-instance-connect enable'
}

# The chain program stays in the domain of sshd, and so does the other command.
# short: no
chained_command_runs_in_the_domain_of_sshd() {
    local drop_in=/etc/ssh/sshd_config.d/50-other.conf
    new_key k
    new_key other
    in_vm "$suite" 'install -m 0755 /dev/stdin /usr/local/bin/other' <<END
#!/bin/sh
echo '$(<other.pub)'
read -r context </proc/self/attr/current
echo "# \$context"
exec logger -t other "\$context"
END
    in_vm "$suite" "exc-instance-connect disable &&
        printf 'AuthorizedKeysCommand /usr/local/bin/other %%u\nAuthorizedKeysCommandUser root\n' >$drop_in &&
        systemctl reload ssh"
    _enables
    says exc-authorized-keys-chain in_vm "$suite" sshd -T -C user=alice
    vm_pushes alice k
    vm_lets_in alice k
    vm_refuses alice k
    vm_lets_in alice other
    vm_wait 'journalctl -q -o cat -t other | grep -q "^system_u:system_r:sshd_t:"'
    in_vm "$suite" "exc-instance-connect disable && rm $drop_in /usr/local/bin/other && systemctl reload ssh"
    _enables
    says '/exc-authorized-keys ' in_vm "$suite" sshd -T -C user=alice
    _nothing_denied
}

# short: no
launch_keys_are_fetched_and_dropped() {
    vm_launch_keys_let_in_until_dropped _metadata_socket_has_its_label
    _nothing_denied
}

_metadata_socket_has_its_label() {
    same exc_instance_connect_metadata_socket_t "$(_label_of $_run/metadata.sock)"
}

# _remedy NAME: what doctor says to do about it.
_remedy() {
    in_vm "$suite" exc-instance-connect doctor --json >said || true
    /usr/bin/python3 -c 'import json, sys
print(*[check["remedy"] for check in json.load(open("said"))["checks"]
        if check["name"] == sys.argv[1] and check["status"] != "pass"], sep="\n")' "$1"
}

doctor_finds_nothing_and_works_in_its_domain() {
    says '^alice can log in with a pushed key\.$' in_vm "$suite" exc-instance-connect doctor --user alice
    says '^pass +selinux +SELinux is enforcing' vm_finding selinux
    says '^pass +selinux-labels' vm_finding selinux-labels
    says '^pass +selinux-denials' vm_finding selinux-denials
    _nothing_denied
}

# As after a restore of files without their labels.
# short: no
labels_that_are_wrong_are_named_with_what_sets_them() {
    local path
    for path in $_programs/exc-authorized-keys $_programs/exc-instance-connect-agent $_conf/agent.conf; do
        in_vm "$suite" "chcon -t usr_t $path && systemctl stop exc-instance-connect.service"
        says "^(failure|warning) +selinux-labels +$path has the label .*:usr_t:" vm_finding selinux-labels
        _remedy selinux-labels >remedy
        same "restorecon -R $path" "$(<remedy)"
        in_vm "$suite" "$(<remedy)"
        says '^pass +selinux-labels' vm_finding selinux-labels
    done
    _forget_denied
}

# What the tests above find none of.
a_denial_is_recorded_and_doctor_names_it() {
    same '' "$(_denied)"
    in_vm "$suite" "chcon -t shadow_t $_conf/agent.conf && systemctl stop exc-instance-connect.service"
    in_vm "$suite" exc-instance-connect status || true
    says 'avc:  denied .*scontext=[^ ]*:exc_instance_connect_t:.*tcontext=[^ ]*:shadow_t:.*permissive=0' _denied
    says '^warning +selinux-denials +SELinux denied exc_instance_connect_t the access \{ [a-z ]* \} to a file of the type shadow_t' \
        vm_finding selinux-denials
    in_vm "$suite" "restorecon $_conf/agent.conf && systemctl stop exc-instance-connect.service"
    _forget_denied
    same '' "$(_denied)"
}

# Not signer, host and API, which have no domains. Newer kernels and policies stop user namespaces too.
# suites: bookworm
acts_are_stopped_by_selinux_alone() {
    new_key k
    vm_pushes bob k
    in_vm "$suite" '/usr/local/lib/acts/try "$(find /run/exc-instance-connect/keys/bob -type f | head -n 1)" selinux' >results
    acts_are_as_security_md_says results selinux
    in_vm "$suite" systemctl start exc-instance-connect-relay.service
    _forget_denied
}

# _policy_says: standard input has lines DOMAIN TARGET CLASS ACCESS yes|no: what the policy in the kernel allows. It is asked as
# libselinux does.
_policy_says() {
    cat >expected
    in_vm "$suite" 'cat >/usr/local/lib/policy.py' <<'END'
import os, sys
def number(name, path):
    with open(f"/sys/fs/selinux/class/{name}/{path}") as file:
        return int(file.read())
for line in sys.stdin:
    domain, target, name, access, _ = line.split()
    role = "system_r" if name == "process" or target in (domain, "sshd_t", "sshd_session_t") else "object_r"
    # One question for each time that it is opened.
    query = os.open("/sys/fs/selinux/access", os.O_RDWR)
    os.write(query, f"system_u:system_r:{domain}:s0 system_u:{role}:{target}:s0 {number(name, 'index')}".encode())
    allowed = int(os.read(query, 4096).split()[0], 16) >> (number(name, f"perms/{access}") - 1) & 1
    os.close(query)
    print(domain, target, name, access, "yes" if allowed else "no")
END
    in_vm "$suite" python3 /usr/local/lib/policy.py <expected >said
    diff -u expected said
}

# What other programs of this kind need, or were denied: EC2 Instance Connect has setpgid, name_connect and ssh-keygen in the
# way of a login, and Google's writes there. The tests above show that ours does without.
no_domain_may_do_what_others_need() {
    local domain
    for domain in exc_authorized_keys_t exc_instance_connect_t exc_instance_connect_relay_t exc_instance_connect_metadata_t; do
        printf "$domain %s no\n" "$domain process setpgid" 'ssh_keygen_exec_t file execute' 'bin_t file execute_no_trans' \
            'ssh_port_t tcp_socket name_connect' "$domain udp_socket write" 'shadow_t file read' 'etc_t file write'
    done >lines
    for domain in exc_authorized_keys_t exc_instance_connect_t exc_instance_connect_relay_t; do
        printf "$domain %s no\n" "$domain tcp_socket create" 'http_port_t tcp_socket name_connect'
    done >>lines
    _policy_says <<END
$(<lines)
exc_authorized_keys_t exc_instance_connect_keys_t file write no
exc_authorized_keys_t sshd_t file write no
exc_authorized_keys_t exc_instance_connect_keys_t file read yes
exc_authorized_keys_t sshd_t file read yes
exc_instance_connect_metadata_t http_port_t tcp_socket name_connect yes
END
}

# short: no
boolean_lets_modules_of_the_name_service_ask_ldap() {
    _policy_says <<<'exc_instance_connect_t ldap_port_t tcp_socket name_connect no'
    in_vm "$suite" setsebool exc_instance_connect_use_ldap on
    _policy_says <<END
exc_instance_connect_t ldap_port_t tcp_socket name_connect yes
exc_instance_connect_t exc_instance_connect_t tcp_socket create yes
END
    in_vm "$suite" setsebool exc_instance_connect_use_ldap off
}

# sshd's sessions may get a domain of their own, as in newer policies: this module has the type alone.
# short: no
helper_is_entered_from_a_domain_of_sshds_sessions() {
    in_vm "$suite" 'cat >/root/sessions.cil && semodule -i /root/sessions.cil' <<'END'
(type sshd_session_t)
(roletype system_r sshd_session_t)
(typeattributeset cil_gen_require domain)
(typeattributeset domain (sshd_session_t))
END
    _policy_says <<'END'
sshd_session_t exc_authorized_keys_exec_t file execute yes
sshd_session_t exc_authorized_keys_t process transition yes
exc_authorized_keys_t sshd_session_t file read yes
exc_authorized_keys_t sshd_session_t file write no
exc_authorized_keys_t sshd_session_t fifo_file write yes
END
    in_vm "$suite" 'semodule -r sessions'
}

# _newer DEB FILE: makes FILE, that package with a higher version.
_newer() {
    dpkg-deb -R "$1" newer
    sed -i 's/^Version: .*/Version: 99.0-1/' newer/DEBIAN/control
    dpkg-deb --root-owner-group -Znone -b newer "$2" >/dev/null
    rm -r newer
}

# short: no
an_upgrade_keeps_keys_domains_and_labels() {
    new_key k
    vm_pushes alice k
    _newer "$(our_deb exc-instance-connect)" newer.deb
    _newer "$(our_deb exc-instance-connect-selinux)" module.deb
    in_vm "$suite" 'cat >/run/newer.deb' <newer.deb
    in_vm "$suite" 'cat >/run/module.deb' <module.deb
    # The other package asks for this very version.
    in_vm "$suite" 'dpkg --force-depends -i /run/newer.deb /run/module.deb && rm /run/newer.deb /run/module.deb'
    same exc_authorized_keys_exec_t "$(_label_of $_programs/exc-authorized-keys)"
    same exc_instance_connect_exec_t "$(_label_of $_programs/exc-instance-connect-agent)"
    vm_lets_in alice k
    new_key k
    vm_signs push "serial:$(vm_serial "$suite")" --user alice --key k.pub
    vm_lets_in alice k
    _agent_has_its_domain
    same exc_instance_connect_relay_t "$(_domain_of exc-instance-connect-relay.service)"
    _no_failed_unit
    _nothing_denied
}

# The last ones.
# short: no
a_removed_module_leaves_none_of_its_labels_and_doctor_names_it() {
    in_vm "$suite" dpkg --remove exc-instance-connect-selinux
    fails in_vm "$suite" 'semodule -l | grep exc_'
    same '' "$(in_vm "$suite" "find $_conf $_programs /usr/sbin/exc-instance-connect $_run -context '*:unlabeled_t:*' -o -context '*:exc_*'")"
    same bin_t "$(_label_of $_programs/exc-authorized-keys)"
    same active "$(in_vm "$suite" systemctl is-active exc-instance-connect.socket)"
    says '^failure +selinux +SELinux is enforcing, and its policy has no module' vm_finding selinux
    _remedy selinux >remedy
    same 'apt-get install -y exc-instance-connect-selinux' "$(<remedy)"
    # It is installed into the running machine.
    in_vm "$suite" 'dpkg -i /root/selinux.deb'
    says '^pass +selinux ' vm_finding selinux
    _forget_denied
    new_key k
    vm_signs push "serial:$(vm_serial "$suite")" --user alice --key k.pub
    vm_lets_in alice k
    _agent_has_its_domain
    same exc_instance_connect_relay_t "$(_domain_of exc-instance-connect-relay.service)"
    _nothing_denied
}

# short: no
packages_are_removed_and_purged_in_enforcing_mode() {
    in_vm "$suite" 'dpkg --remove exc-instance-connect exc-instance-connect-metadata && sshd -t'
    _no_failed_unit
    in_vm "$suite" 'dpkg --purge exc-instance-connect exc-instance-connect-metadata'
    _nothing_denied
    in_vm "$suite" 'dpkg --purge exc-instance-connect-selinux'
    fails in_vm "$suite" 'semodule -l | grep exc_'
    same Enforcing "$(in_vm "$suite" getenforce)"
}
