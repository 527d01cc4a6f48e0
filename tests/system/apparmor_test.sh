# shellcheck shell=bash disable=SC2154,SC2016,SC2034
# SPDX-License-Identifier: Apache-2.0
# short: trixie
# Our programs under their AppArmor profiles, in a virtual machine that is guest, host and control plane at once: what they do is
# done, what they must not do is denied, and nothing else is denied.

instance=42
_profiles=(exc-authorized-keys exc-compute-api exc-host exc-instance-connect-agent exc-instance-connect-metadata
    exc-instance-connect-relay exc-signer)
_conf=/etc/exc-instance-connect

# One machine for all tests of this file, in which denials are logged.
_prepare() {
    need openssl python3 qemu-system-x86_64 socat
    openssl genpkey -algorithm ED25519 -out cloud.pem
    vm_options=(-smbios "type=11,value=io.systemd.credential:exc.instance_id=$instance")
    # All of them: by default the kernel's log leaves records out when there are many.
    vm_kernel=sysctl.kernel.printk_ratelimit=0
    dpkg -x "$(our_deb exc-push)" host
    vm_start "$suite" "$suite"
}

# The control plane's signer is trusted beside cloud.pem.
_vm_prepare() {
    local root=$1
    install -d "$root/debs"
    cp "$(our_deb exc-compute-api)" "$(our_deb exc-host)" "$root/debs/"
    chroot "$root" sh -c 'dpkg -i /debs/*.deb'
    rm -r "$root/debs"
    # Installed into an image: nothing is loaded yet, and what is the machine's own has its place.
    (cd "$root/etc/apparmor.d/local" && ls -- "${_profiles[@]}")
    install -d -m 0755 "$root$_conf" "$root$_conf/trust.d"
    printf '[Agent]\nRateLimit=0\nMaxTtl=3600\n' >"$root$_conf/agent.conf"
    openssl pkey -in cloud.pem -pubout >"$root$_conf/trust.d/cloud.pem"
    openssl pkey -in "$root/etc/exc-signer/key.pem" -pubout >"$root$_conf/trust.d/signer.pem"
    # exc-host stands for the relay, whose socket is this guest's channel.
    install -d "$root/etc/systemd/system/exc-host.service.d"
    printf '%s\n' '[Service]' User=exc-instance-connect-relay Group=exc-instance-connect-relay \
        >"$root/etc/systemd/system/exc-host.service.d/user.conf"
    printf '[Instance]\nId=%s\nChannel=unix:%s\n' "$instance" /run/exc-instance-connect/host.sock \
        >"$root/etc/exc-host/vm.d/guest.conf"
    acts_into "$root"
}

# _profile_of UNIT: the profile that its process runs under, and the mode.
_profile_of() {
    in_vm "$suite" "cat /proc/\$(systemctl show --value -p MainPID $1)/attr/current"
}

# _audited: what the kernel has recorded so far is in the journal. Records come in order, and a profile that is loaded makes one.
_audited() {
    local mark=audited-${EPOCHREALTIME//[!0-9]/}
    in_vm "$suite" "echo 'profile $mark {}' >/run/audited && apparmor_parser -a /run/audited && apparmor_parser -R /run/audited &&
        until journalctl --sync && journalctl -q -b -o cat _TRANSPORT=audit + _TRANSPORT=kernel | grep -qaF $mark; do
            sleep 0.1
        done"
}

# _denials_of PROFILE...: what was denied in this boot, from the records of the kernel.
_denials_of() {
    _audited
    in_vm "$suite" 'journalctl -q -b -o cat _TRANSPORT=audit + _TRANSPORT=kernel' |
        grep -a 'apparmor="DENIED"' | grep -aE "profile=\"($(tr ' ' '|' <<<"$*"))\"" || true
}

profiles_are_loaded_and_enforced_from_boot_on() {
    local profile
    in_vm "$suite" cat /sys/kernel/security/apparmor/profiles >loaded
    for profile in "${_profiles[@]}"; do grep -xF "$profile (enforce)" loaded; done
    same '' "$(in_vm "$suite" systemctl --plain --no-legend --failed list-units)"
    same 'exc-instance-connect-relay (enforce)' "$(_profile_of exc-instance-connect-relay.service)"
}

a_pushed_key_lets_in_once_over_each_channel_and_is_revoked() {
    vm_channels_let_in_once _agent_has_its_profile
}

_agent_has_its_profile() {
    same 'exc-instance-connect-agent (enforce)' "$(_profile_of exc-instance-connect.service)"
}

# With "audit" before a rule the kernel logs what that allows.
helper_that_sshd_runs_has_its_profile() {
    local local=/etc/apparmor.d/local/exc-authorized-keys
    in_vm "$suite" "echo 'audit /run/exc-instance-connect/keys/** r,' >$local && apparmor_parser -r /etc/apparmor.d/exc-authorized-keys"
    new_key k
    vm_pushes alice k
    vm_lets_in alice k
    vm_wait 'journalctl -q -b -o cat _TRANSPORT=audit + _TRANSPORT=kernel | grep -q "AUDIT.*profile=\"exc-authorized-keys\".*exc-instance-connect/keys/alice/.*comm=\"exc-authorized-\""'
    in_vm "$suite" ": >$local; apparmor_parser -r /etc/apparmor.d/exc-authorized-keys"
}

chained_command_is_confined_as_little_as_sshd_s() {
    local drop_in=/etc/ssh/sshd_config.d/50-other.conf
    new_key k
    new_key other
    in_vm "$suite" 'install -m 0755 /dev/stdin /usr/local/bin/other' <<END
#!/bin/sh
cat /proc/self/attr/current >>/run/other/profile
echo '$(<other.pub)'
END
    in_vm "$suite" "install -d -o nobody /run/other && exc-instance-connect disable &&
        printf 'AuthorizedKeysCommand /usr/local/bin/other %%u\nAuthorizedKeysCommandUser nobody\n' >$drop_in &&
        systemctl reload ssh && exc-instance-connect enable"
    says exc-authorized-keys-chain in_vm "$suite" sshd -T -C user=alice
    vm_pushes alice k
    vm_lets_in alice k
    vm_refuses alice k
    vm_lets_in alice other
    # As a line of an earlier version has it.
    in_vm "$suite" "runuser -u nobody -- /usr/libexec/exc-instance-connect/exc-authorized-keys alice -- /usr/local/bin/other" |
        grep -F "$(<other.pub)"
    same unconfined "$(in_vm "$suite" sort -u /run/other/profile)"
    in_vm "$suite" "exc-instance-connect disable; rm -r $drop_in /run/other /usr/local/bin/other; systemctl reload ssh
        exc-instance-connect enable"
    says '/exc-authorized-keys ' in_vm "$suite" sshd -T -C user=alice
}

launch_keys_are_fetched_and_dropped() {
    vm_launch_keys_let_in_until_dropped
}

_api() {
    in_vm "$suite" "curl -s --unix-socket /run/exc-compute-api/api.sock -H 'Authorization: Bearer $(<"$prepared/token")' -d '$1' http://localhost/compute/instance/connect"
}

# The guest may take longer than the API waits; the API has revoked that key then.
_grant() {
    _api "{\"vm_id\": \"$instance\", \"user\": \"alice\", \"ttl\": 300}" >answer
    cat answer
    grep -q '"private_key"' answer || return 1
    /usr/bin/python3 -c 'import json; print(json.load(open("answer"))["private_key"], end="")' >granted
    chmod 0600 granted
}

a_connect_of_the_control_plane_lets_in_once() {
    local program
    in_vm "$suite" exc-compute-admin init >"$prepared/token"
    in_vm "$suite" exc-compute-admin instance put "$instance" --host local
    wait_seconds=600 wait_for _grant
    vm_lets_in alice granted
    vm_refuses alice granted
    for program in exc-compute-api exc-signer exc-host; do
        same "$program (enforce)" "$(_profile_of "$program.service")"
    done
    says '^Faults: +0$' in_vm "$suite" exc-compute-admin audit verify
    in_vm "$suite" systemctl reload exc-host
    in_vm "$suite" systemctl stop exc-compute-api exc-signer exc-host
}

# _newer: makes newer.deb, our package with a higher version and a rule more in the agent's profile.
_newer() {
    dpkg-deb -R "$(our_deb exc-instance-connect)" newer
    sed -i 's/^Version: .*/Version: 99.0-1/' newer/DEBIAN/control
    sed -i 's|^  include if exists|  /srv/newer r,\n&|' newer/etc/apparmor.d/exc-instance-connect-agent
    dpkg-deb --root-owner-group -Znone -b newer newer.deb >/dev/null
}

an_upgrade_enforces_the_new_profiles() {
    local hash='cat /sys/kernel/security/apparmor/policy/profiles/exc-instance-connect-agent.*/sha*' before
    new_key k
    vm_signs push "serial:$(vm_serial "$suite")" --user alice --key k.pub --connections 0
    before=$(in_vm "$suite" "$hash")
    _newer
    in_vm "$suite" 'cat >/run/newer.deb' <newer.deb
    # The other package asks for this very version.
    in_vm "$suite" 'dpkg --force-depends -i /run/newer.deb && rm /run/newer.deb'
    fails same "$before" "$(in_vm "$suite" "$hash")"
    in_vm "$suite" cat /sys/kernel/security/apparmor/profiles >loaded
    grep -xF 'exc-instance-connect-agent (enforce)' loaded
    vm_lets_in alice k
    new_key k
    vm_signs push "serial:$(vm_serial "$suite")" --user alice --key k.pub
    vm_lets_in alice k
    _agent_has_its_profile
    same 'exc-instance-connect-relay (enforce)' "$(_profile_of exc-instance-connect-relay.service)"
}

doctor_finds_nothing_denied_and_nothing_was() {
    says '^alice can log in with a pushed key\.$' in_vm "$suite" exc-instance-connect doctor --user alice
    says '^pass +apparmor-profiles .*enforces' vm_finding apparmor-profiles
    says '^pass +apparmor-denials .*nothing' vm_finding apparmor-denials
    same '' "$(_denials_of "${_profiles[@]}")"
    same '' "$(in_vm "$suite" journalctl -q -b -o cat |
        grep -aE '^Missed [0-9]+ kernel messages|callbacks suppressed|audit: .*(audit_lost|backlog limit|rate limit)' || true)"
}

# Host keys where the profile does not let the agent read.
a_denial_is_logged_and_doctor_names_it_until_it_is_allowed() {
    local conf=$_conf/agent.conf.d/host-keys.conf local=/etc/apparmor.d/local/exc-instance-connect-agent
    in_vm "$suite" "install -d -m 0755 $_conf/agent.conf.d && printf '[Agent]\nHostKeyFiles=/srv/host.pub\n' >$conf &&
        cp /etc/ssh/ssh_host_ed25519_key.pub /srv/host.pub && systemctl stop exc-instance-connect.service"
    new_key k
    vm_signs push "hybrid:$(vm_hybrid "$suite")" --user bob --key k.pub
    says 'operation="open".*name="/srv/host.pub"' _denials_of exc-instance-connect-agent
    vm_finding apparmor-denials >said
    cat said
    grep -E '^warning +apparmor-denials .*the agent was denied "open" \(r\) by AppArmor: /srv/host\.pub' said
    # From another second on.
    in_vm "$suite" "sleep 1.1; echo '/srv/host.pub r,' >$local && apparmor_parser -r /etc/apparmor.d/exc-instance-connect-agent &&
        systemctl stop exc-instance-connect.service"
    new_key k
    vm_signs push "hybrid:$(vm_hybrid "$suite")" --user bob --key k.pub |
        grep -F "$(fingerprint "$vms/$suite/host_keys/ssh_host_ed25519_key.pub")"
    says '^pass +apparmor-denials' vm_finding apparmor-denials
    in_vm "$suite" "rm $conf /srv/host.pub && : >$local && apparmor_parser -r /etc/apparmor.d/exc-instance-connect-agent &&
        systemctl stop exc-instance-connect.service"
}

doctor_names_profiles_that_are_not_enforced() {
    local file=/etc/apparmor.d/exc-authorized-keys
    in_vm "$suite" "apparmor_parser -R $file"
    in_vm "$suite" exc-instance-connect doctor --json >said || true
    /usr/bin/python3 -c 'import json
print(*[check["remedy"] for check in json.load(open("said"))["checks"] if check["name"] == "apparmor-profiles"], sep="\n")' >remedy
    same "apparmor_parser -r $file" "$(<remedy)"
    in_vm "$suite" "apparmor_parser -r -C $file"
    says '^warning +apparmor-profiles .*exc-authorized-keys is in the mode "complain"' vm_finding apparmor-profiles
    in_vm "$suite" "$(<remedy)"
    says '^pass +apparmor-profiles' vm_finding apparmor-profiles
}

# As exc-signer.conf(5) has it.
# short: no
key_command_signs_with_the_documented_lines() {
    local conf=/etc/exc-signer/signer.conf local=/etc/apparmor.d/local/exc-signer
    { echo '[Service]' && sed -n '/^ExecPaths=/,/^\.Ed/{/^\.Ed/!p}' "$system_tree/man/exc-signer.conf.5"; } | in_vm "$suite" \
        'install -D -m 0644 /dev/stdin /etc/systemd/system/exc-signer.service.d/command.conf && systemctl daemon-reload'
    in_vm "$suite" "cp $conf /root/signer.conf && printf '[Signer]\nKeyCommand=/usr/local/bin/sign\n' >$conf &&
        install -m 0755 /dev/stdin /usr/local/bin/sign" <<'END'
#!/bin/sh
cat >/var/log/exc-signer/bytes && cat /var/log/exc-signer/bytes | wc -c >/dev/null &&
    openssl pkeyutl -sign -rawin -inkey /etc/exc-signer/key.pem -in /var/log/exc-signer/bytes
END
    fails _grant
    says 'profile="exc-signer".*name="/usr/bin/(da)?sh"' _denials_of exc-signer
    sed -n '/^\.Pa .*local.exc-signer/,/^\.Ed/p' "$system_tree/man/exc-signer.conf.5" | grep '^[/n].*,$' | tee /dev/stderr |
        in_vm "$suite" "cat >$local && apparmor_parser -r /etc/apparmor.d/exc-signer"
    wait_seconds=600 wait_for _grant
    vm_lets_in alice granted
    in_vm "$suite" "cp /root/signer.conf $conf; rm -r /etc/systemd/system/exc-signer.service.d /var/log/exc-signer/bytes
        : >$local; apparmor_parser -r /etc/apparmor.d/exc-signer; systemctl daemon-reload
        systemctl stop exc-compute-api exc-signer exc-host"
}

acts_are_stopped_by_apparmor_alone() {
    new_key k
    vm_pushes bob k
    in_vm "$suite" '/usr/local/lib/acts/try "$(find /run/exc-instance-connect/keys/bob -type f | head -n 1)" apparmor' >results
    acts_are_as_security_md_says results apparmor
    in_vm "$suite" systemctl start exc-instance-connect-relay.service
}

# The last one.
removed_and_purged_packages_leave_sshd_and_no_profile() {
    in_vm "$suite" 'dpkg --remove exc-instance-connect exc-instance-connect-metadata && sshd -t'
    same '' "$(in_vm "$suite" systemctl --plain --no-legend --failed list-units)"
    in_vm "$suite" 'dpkg --purge exc-instance-connect exc-instance-connect-metadata exc-compute-api exc-host'
    same '' "$(in_vm "$suite" 'find /etc/apparmor.d /var/cache/apparmor -name "*exc-*"')"
    same '' "$(in_vm "$suite" 'ls /etc/exc* -d 2>/dev/null' || true)"
    vm_up "$suite" 300
}
