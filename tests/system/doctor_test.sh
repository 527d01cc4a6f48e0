# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
# short: bookworm
#
# One machine for all of these: each breaks it, sees that doctor recognises it by name and that its verdict is true, does
# what the remedy says, to the letter, and sees that it is healthy again.

_prepare() {
    local root file
    need gcc dpkg-deb python3
    machine_start m "$suite"
    root=$(machine_root m)
    install_debs m
    trusts_cloud m
    install -m 0644 "$root/etc/exc-instance-connect/trust.d/cloud.pem" "$root/root/anchor.pem"

    # Where apt finds the package again.
    install -d "$root/srv/repository"
    file=$(our_deb exc-instance-connect)
    install -m 0644 "$file" "$root/srv/repository/exc-instance-connect.deb"
    (
        dpkg-deb --field "$file"
        echo 'Filename: ./exc-instance-connect.deb'
        echo "Size: $(stat -c %s "$file")"
        echo "SHA256: $(sha256sum "$file" | cut -d ' ' -f 1)"
    ) >"$root/srv/repository/Packages"
    echo 'deb [trusted=yes] file:/srv/repository ./' >"$root/etc/apt/sources.list.d/repository.list"
    in_machine m apt-get -qq update

    # A clock that a test can break, and a service that sets it.
    gcc -shared -fPIC -O2 -o "$root/usr/local/lib/preload.so" "$system_tree/tests/login/preload.c"
    in_machine m mkdir -p /usr/lib/systemd/ntp-units.d
    in_machine m tee /usr/lib/systemd/ntp-units.d/50-test.list <<<test-ntp.service >/dev/null
    in_machine m tee /etc/systemd/system/test-ntp.service >/dev/null <<'END'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo synchronised >/run/test-clock'
[Install]
WantedBy=multi-user.target
END
    in_machine m systemctl daemon-reload
    in_machine m tee /run/test-clock <<<synchronised >/dev/null

    # What a person would do with an editor: the line goes.
    in_machine m tee /usr/local/bin/delete-line >/dev/null <<'END'
#!/bin/sh
exec sed -i "${1#+}d" "$2"
END
    in_machine m chmod 0755 /usr/local/bin/delete-line
    _healthy
}

# All of it is about alice, unless $user is another.

# _runs_doctor OPTION...: with its exit status.
_runs_doctor() {
    in_machine m sh -c 'TEST_CLOCK=$(cat /run/test-clock) LD_PRELOAD=/usr/local/lib/preload.so \
        exec exc-instance-connect doctor --user "$0" "$@"' "${user:-alice}" "$@"
}

# _doctor: its answer, in doctor.json. Its exit status is its own.
_doctor() {
    _runs_doctor --json >doctor.json
}

# _of FIELD CHECK STATUS: prints that field of the first such check, or nothing.
_of() {
    /usr/bin/python3 -c '
import json, sys
for check in json.load(open("doctor.json"))["checks"]:
    if (check["name"], check["status"]) == (sys.argv[2], sys.argv[3]):
        print(check[sys.argv[1]] or "")
        break' "$@"
}

# _member NAME: of the answer.
_member() {
    /usr/bin/python3 -c 'import json, sys; print(json.load(open("doctor.json"))[sys.argv[1]])' "$1"
}

# All that is not well.
_complaints() {
    /usr/bin/python3 -c '
import json
for check in json.load(open("doctor.json"))["checks"]:
    if check["status"] != "pass":
        print(check["name"], check["status"], check["text"], check["remedy"], sep=" | ")'
}

# _gets_in: with a key that is pushed on the machine. One that nobody answers in time is no way in.
_gets_in() {
    new_key k
    in_machine m timeout 4 exc-instance-connect push --user "${user:-alice}" --key - <k.pub >/dev/null &&
        lets_in m "${user:-alice}" k
}

# _healthy: doctor finds nothing, leaves nothing behind, and is right.
_healthy() {
    _finds_nothing
    _gets_in
}

_finds_nothing() {
    local status=0
    # A push that nobody answered may still be stored by the first agent that comes up.
    in_machine m exc-instance-connect revoke --all >/dev/null
    in_machine m exc-instance-connect revoke --all >/dev/null
    _doctor || status=$?
    same '' "$(_complaints)"
    same 0 "$status"
    same "${user:-alice} can log in with a pushed key." "$(_member verdict)"
    same '' "$(in_machine m find /run/exc-instance-connect/keys /run/exc-instance-connect/claims -type f)"
}

# Where a test before did not heal the machine, this one starts with its own.
_whole_machine() {
    if [[ -e $prepared/broken && ! -e $machines_own/m ]]; then _prepare; fi
}

# _heals STATUS CHECK COMMAND: COMMAND, for a shell of root's, breaks the machine, which is told as CHECK with STATUS.
# host-failure is a failure that only keys from the host meet with, lax-failure one that keeps nobody out, and of an
# open-failure nobody knows.
_heals() {
    local status=0 expected=1 found=${1#*-} remedy verdict
    _whole_machine
    touch "$prepared/broken"
    # On a fast machine sshd would be started too often for systemd.
    in_machine m systemctl reset-failed ssh.service || true
    in_machine m bash -ec "$3"
    # One that was started before may have what it needs open, and would hide the fault for half a minute.
    [[ -n ${agent_goes_on:-} ]] || in_machine m systemctl stop exc-instance-connect.service
    _doctor || status=$?
    [[ -n $(_of name "$2" "$found") ]] || {
        echo "no $1 of $2 in:"
        _complaints
        return 1
    }
    [[ $found == failure ]] || expected=0
    same "$expected" "$status"

    # What it says of the login is so.
    verdict=$(_member verdict)
    case $1 in
    failure)
        [[ $verdict == "${user:-alice} cannot log in with a pushed key: "* ]] &&
            fails _gets_in
        ;;
    open-failure)
        [[ $verdict == "It is not known whether ${user:-alice} can log in with a pushed key: "* ]]
        ;;
    host-failure)
        [[ $verdict == "${user:-alice} can log in with a key that is pushed on this machine, but not with one from the host: "* ]] &&
            _gets_in
        ;;
    lax-failure)
        [[ $verdict == "${user:-alice} can log in with a pushed key, but not as it should be: "* ]] &&
            _gets_in
        ;;
    warning)
        [[ $verdict == "${user:-alice} can log in with a pushed key." ]] &&
            _gets_in
        ;;
    esac >verdict.txt 2>&1 || {
        echo "the verdict is not true: $verdict"
        cat verdict.txt
        return 1
    }

    remedy=$(_of remedy "$2" "$found")
    echo "remedy: $remedy"
    [[ -n $remedy ]]
    # What only a person knows.
    remedy=${remedy/%trust add FILE/trust add /root/anchor.pem}
    remedy=${remedy/%instance-id set ID/instance-id set $instance}
    in_machine m env EDITOR=/usr/local/bin/delete-line bash -c "$remedy"
    _finds_nothing
    [[ $1 != failure && $1 != open-failure ]] || _gets_in
    [[ -e $machines_own/m ]] || rm "$prepared/broken"
}

# --- programs and users ---------------------------------------------------------------------------------------------

# short: no
a_helper_that_nobody_can_execute_is_healed() {
    _heals failure helper-file 'chmod 0700 /usr/libexec/exc-instance-connect/exc-authorized-keys'
}

# short: no
a_helper_that_its_own_user_can_read_is_healed() {
    _heals warning helper-file 'chmod 0755 /usr/libexec/exc-instance-connect/exc-authorized-keys'
}

a_helper_that_is_missing_is_healed() {
    _heals failure helper-file 'rm /usr/libexec/exc-instance-connect/exc-authorized-keys'
}

# short: no
a_helper_that_is_a_fifo_is_healed() {
    _heals failure helper-file 'cd /usr/libexec/exc-instance-connect && rm exc-authorized-keys && mkfifo exc-authorized-keys'
}

# short: no
a_helper_that_is_not_roots_is_healed() {
    _heals failure helper-file 'chown alice /usr/libexec/exc-instance-connect/exc-authorized-keys'
}

# short: no
missing_chain_program_is_healed() {
    _heals warning chain-file 'rm /usr/libexec/exc-instance-connect/exc-authorized-keys-chain'
}

# short: no
readable_chain_program_is_healed() {
    _heals warning chain-file 'chmod 0755 /usr/libexec/exc-instance-connect/exc-authorized-keys-chain'
}

# short: no
a_directory_above_the_helper_that_others_can_write_is_healed() {
    _heals failure helper-path 'chmod 0777 /usr/libexec/exc-instance-connect'
}

# short: no
an_agent_that_is_missing_is_healed() {
    _heals failure agent-file 'rm /usr/libexec/exc-instance-connect/exc-instance-connect-agent'
}

# short: no
an_agent_that_nobody_can_execute_is_healed() {
    _heals failure agent-file 'chmod 0700 /usr/libexec/exc-instance-connect/exc-instance-connect-agent'
}

# short: no
a_missing_user_of_the_helper_is_healed() {
    _heals failure user-helper 'userdel exc-authorized-keys'
}

# short: no
a_missing_user_of_the_agent_is_healed() {
    _heals failure user-agent 'systemctl stop exc-instance-connect.service && userdel exc-instance-connect'
}

# short: no
a_relay_user_with_another_primary_group_is_healed() {
    _heals host-failure user-relay 'usermod --gid nogroup exc-instance-connect-relay'
}

# --- sshd -----------------------------------------------------------------------------------------------------------

_drop_in=/etc/ssh/sshd_config.d/10-exc-instance-connect.conf

# short: no
an_sshd_that_was_not_reloaded_is_healed() {
    _heals open-failure sshd-reloaded "mv $_drop_in /root/ && systemctl reload ssh && sleep 0.5 && mv /root/${_drop_in##*/} $_drop_in"
}

# short: no
an_sshd_that_a_socket_started_and_that_did_not_read_it_again_is_healed() {
    in_machine m sh -ec 'systemctl stop ssh.service && systemctl start ssh.socket'
    _healthy
    _heals open-failure sshd-reloaded "mv $_drop_in /root/ && systemctl restart ssh.service && sleep 0.5
        mv /root/${_drop_in##*/} $_drop_in"
    in_machine m sh -ec 'systemctl stop ssh.socket ssh.service && systemctl start ssh.service'
}

# short: no
an_sshd_that_did_not_read_another_file_again_is_healed() {
    local more=/etc/ssh/sshd_config.d/50-more.conf
    _heals open-failure sshd-reloaded 'echo AllowUsers bob >>/etc/ssh/sshd_config && systemctl restart ssh
        sed -i /^AllowUsers/d /etc/ssh/sshd_config'
    # One that is gone, of those that an included file includes.
    _heals open-failure sshd-reloaded "mkdir /etc/ssh/more.d && echo AllowUsers bob >/etc/ssh/more.d/deep
        echo 'Include more.d/*' >$more && systemctl restart ssh && rm /etc/ssh/more.d/deep"
    _heals open-failure sshd-reloaded "echo AllowUsers bob >/etc/ssh/more.d/deep
        echo 'Include more.d/deep' >$more && systemctl restart ssh && rm -r /etc/ssh/more.d"
    in_machine m bash -ec "rm $more && systemctl reload ssh"
    # What sshd reads for each connection, or does not read, is no fault.
    in_machine m bash -ec 'echo AllowUsers bob >/etc/ssh/sshd_config.other && systemctl stop ssh.service &&
        systemctl start ssh.socket && touch /etc/ssh/sshd_config'
    _healthy
    in_machine m bash -ec 'rm /etc/ssh/sshd_config.other && systemctl stop ssh.socket ssh.service &&
        systemctl start ssh.service'
}

# short: no
an_sshd_that_asks_nobody_is_healed() {
    _heals failure sshd-keys-command "rm $_drop_in && systemctl reload ssh"
}

# short: no
another_command_that_wins_is_healed() {
    in_machine m install -m 0755 /bin/true /usr/local/bin/other
    _heals failure sshd-keys-command 'cat >/etc/ssh/sshd_config.d/00-other.conf <<END && systemctl reload ssh
AuthorizedKeysCommand /usr/local/bin/other %u
AuthorizedKeysCommandUser nobody
END'
    in_machine m bash -ec 'rm /etc/ssh/sshd_config.d/00-other.conf && exc-instance-connect disable && exc-instance-connect enable'
    _healthy
}

# short: no
a_chained_command_that_is_missing_is_healed() {
    in_machine m install -m 0755 /bin/true /usr/local/bin/other
    in_machine m bash -ec 'exc-instance-connect disable
        printf "AuthorizedKeysCommand /usr/local/bin/other %%u\nAuthorizedKeysCommandUser nobody\n" \
            >/etc/ssh/sshd_config.d/50-other.conf
        exc-instance-connect enable'
    _healthy
    _heals warning sshd-chain 'rm /usr/local/bin/other /etc/ssh/sshd_config.d/50-other.conf && systemctl reload ssh'
}

# short: no
a_command_that_came_behind_ours_is_healed() {
    local other=/etc/ssh/sshd_config.d/50-other.conf
    _whole_machine
    in_machine m install -m 0755 /bin/true /usr/local/bin/other
    _heals warning sshd-chain "printf 'AuthorizedKeysCommand /usr/local/bin/other %%u\nAuthorizedKeysCommandUser nobody\n' \
        >$other && systemctl reload ssh"
    says ' -- /usr/local/bin/other %u$' in_machine m cat "$_drop_in"
    # A second one, which would not run without ours either.
    _heals warning sshd-chain "echo AuthorizedKeysCommand /usr/local/bin/second %u >>/etc/ssh/sshd_config
        systemctl reload ssh"
    # In a block.
    _heals warning sshd-chain "printf 'Match User bob\nInclude %s\nAuthorizedKeysCommand %s\nAuthorizedKeysCommandUser %s\n' \
        /etc/ssh/sshd_config.d/exc-instance-connect.chain-1 '/usr/local/bin/other %u' nobody >>/etc/ssh/sshd_config
        exc-instance-connect enable && sed -i 's|other %u|other -v %u|' /etc/ssh/sshd_config && systemctl reload ssh"
    in_machine m bash -ec "sed -i '/^Match User bob/,\$d' /etc/ssh/sshd_config
        rm $other && exc-instance-connect enable"
    _healthy
    # A file that somebody has edited is not written again.
    in_machine m bash -ec "echo '# by hand' >>$_drop_in
        printf 'AuthorizedKeysCommand /usr/local/bin/other %%u\nAuthorizedKeysCommandUser nobody\n' >$other
        systemctl reload ssh"
    _doctor
    says "^\\\$\{EDITOR:-editor\} \+[0-9]+ $_drop_in && " _of remedy sshd-chain warning
    in_machine m bash -ec "rm $other $_drop_in /usr/local/bin/other && exc-instance-connect enable"
    _healthy
}

# A line of an earlier version, in which exc-authorized-keys has the other command after it.
# short: no
line_of_an_earlier_version_is_healed() {
    in_machine m install -m 0755 /bin/true /usr/local/bin/other
    in_machine m bash -ec 'exc-instance-connect disable
        printf "AuthorizedKeysCommand /usr/local/bin/other %%u\nAuthorizedKeysCommandUser nobody\n" \
            >/etc/ssh/sshd_config.d/50-other.conf
        exc-instance-connect enable'
    _healthy
    _heals warning sshd-keys-form "sed -i 's|exc-authorized-keys-chain |exc-authorized-keys |' $_drop_in &&
        systemctl reload ssh"
    # Where sshd runs it, keys are kept out without it.
    in_machine m mv /usr/libexec/exc-instance-connect/exc-authorized-keys-chain /root/
    fails_with '^failure +self-test .*exc-authorized-keys-chain' in_machine m exc-instance-connect doctor --user alice
    fails _gets_in
    in_machine m mv /root/exc-authorized-keys-chain /usr/libexec/exc-instance-connect/
    in_machine m bash -ec 'rm /etc/ssh/sshd_config.d/50-other.conf /usr/local/bin/other
        exc-instance-connect disable && exc-instance-connect enable'
    _healthy
}

# sshd of Debian runs what the group root can write, so exc-authorized-keys and doctor say the same of it.
# short: no
chained_command_that_the_group_root_can_write_is_run() {
    in_machine m install -m 0755 /bin/true /usr/local/bin/other
    in_machine m bash -ec 'exc-instance-connect disable
        printf "#!/bin/sh\ntouch /run/other-ran\n" >/usr/local/bin/other
        chmod 0775 /usr/local/bin/other
        printf "AuthorizedKeysCommand /usr/local/bin/other %%u\nAuthorizedKeysCommandUser root\n" \
            >/etc/ssh/sshd_config.d/50-other.conf
        exc-instance-connect enable'
    _healthy
    in_machine m rm -f /run/other-ran
    new_key stranger
    refuses m alice stranger
    in_machine m rm /run/other-ran
    in_machine m chgrp daemon /usr/local/bin/other
    says '^warning +sshd-chain .*can change /usr/local/bin/other' in_machine m exc-instance-connect doctor
    refuses m alice stranger
    fails in_machine m test -e /run/other-ran
    in_machine m bash -ec 'rm /etc/ssh/sshd_config.d/50-other.conf /usr/local/bin/other
        exc-instance-connect disable && exc-instance-connect enable'
    _healthy
}

# short: no
a_command_with_the_user_alone_is_healed() {
    _whole_machine
    # Such a command gives all live keys of the user.
    new_key other
    push m alice other
    _heals lax-failure sshd-keys-form "sed -i 's/ %u %f %t %k/ %u/' $_drop_in && systemctl reload ssh"
}

# short: no
a_command_that_is_run_as_somebody_else_is_healed() {
    _heals failure sshd-keys-user "sed -i 's/^\(AuthorizedKeysCommandUser\) .*/\1 nobody/' $_drop_in && systemctl reload ssh"
}

# short: no
an_sshd_that_takes_no_keys_is_healed() {
    _heals failure sshd-pubkey 'echo PubkeyAuthentication no >/etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
    in_machine m bash -c 'rm /etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
}

# _needs_also MORE LISTS: with these AuthenticationMethods alice can log in with a pushed key and MORE.
_needs_also() {
    _sshd_has "AuthenticationMethods $2" 'PasswordAuthentication yes' 'KbdInteractiveAuthentication yes'
    _says "alice can log in with a pushed key, and needs also $1 (AuthenticationMethods)." 0
    same True "$(_member healthy)"
    same "sshd accepts keys, and needs also $1 (AuthenticationMethods)" "$(_of text sshd-pubkey warning)"
    same None "$(_member remedy)"
}

# _gets_in_with_password USER: with a pushed key and the password that _has_password set.
_gets_in_with_password() {
    new_key k
    push m "$1" k
    SSH_ASKPASS=$PWD/askpass SSH_ASKPASS_REQUIRE=force lets_in m "$1" k -o BatchMode=no \
        -o PreferredAuthentications=publickey,password,keyboard-interactive -o NumberOfPasswordPrompts=1
}

# _has_password USER: one that ssh is told by itself.
_has_password() {
    in_machine m chpasswd <<<"$1:secret"
    printf '%s\n' '#!/bin/sh' 'echo secret' >askpass
    chmod 755 askpass
}

# short: no
what_sshd_asks_for_beside_a_key_is_a_warning() {
    local lists
    _whole_machine
    touch "$prepared/broken"
    _has_password alice
    for lists in publickey,password publickey,keyboard-interactive password,publickey; do
        _needs_also "$(sed -E 's/,?publickey,?//' <<<"$lists")" "$lists"
        fails _gets_in
        _gets_in_with_password alice
    done
    _needs_also 'password, or keyboard-interactive:pam' 'publickey,password publickey,keyboard-interactive:pam'
    _gets_in_with_password alice
    # One that needs nothing besides is a way in.
    _sshd_has 'AuthenticationMethods publickey,password publickey'
    _healthy
    _sshd_has 'AuthenticationMethods any'
    _healthy
    in_machine m usermod --password '*' alice
    _sshd_has
    _healthy
    [[ -e $machines_own/m ]] || rm "$prepared/broken"
}

# short: no
an_sshd_that_asks_for_two_keys_takes_those_of_one_push() {
    _whole_machine
    _needs_also 'another key' publickey,publickey
    fails _gets_in
    new_key one
    new_key two
    cat one.pub two.pub >both.pub
    push m alice both
    # Not the same one twice.
    cp one again
    fails ssh_in m alice one -i again -- true
    push m alice both
    lets_in m alice one -i two
    _sshd_has
    _healthy
}

# short: no
what_sshd_asks_for_besides_depends_on_the_client() {
    local needs='needs also password (AuthenticationMethods)'
    _whole_machine
    touch "$prepared/broken"
    _has_password alice
    _sshd_has 'PasswordAuthentication yes' 'AuthenticationMethods publickey,password' \
        'Match Address 127.0.0.2' 'AuthenticationMethods publickey'
    _says "Whether a pushed key is enough for alice depends on where the client is: sshd accepts keys, and $needs (any other client); sshd accepts keys (address 127.0.0.2)" 0
    same warning "$(_of status sshd-pubkey warning)"
    _gets_in_from 127.0.0.2
    fails _gets_in_from 127.0.0.1
    _gets_in_with_password alice
    _says 'alice can log in from 127.0.0.2 with a pushed key.' 0 --from 127.0.0.2
    _says "alice can log in from 127.0.0.1 with a pushed key, and $needs." 0 --from 127.0.0.1
    # A failure that keeps nobody out, PAM and another check leave it as it is.
    # Such a command is given each live key of the user.
    in_machine m exc-instance-connect revoke --all
    in_machine m sed -i 's/ %u %f %t %k/ %u/' "$_drop_in"
    _sshd_has 'AuthenticationMethods publickey,password' 'PasswordAuthentication yes'
    fails _doctor
    says "^alice can log in with a pushed key, and needs also password \\(AuthenticationMethods\\), but not as it should be: " \
        _member verdict
    in_machine m sed -i '/^AuthorizedKeysCommand /s/ %u/ %u %f %t %k/' "$_drop_in"
    in_machine m bash -ec "cp -p $_pam_account /root/ && echo 'account required pam_faillock.so' >>$_pam_account"
    _sshd_has 'AuthenticationMethods publickey,password' 'PasswordAuthentication yes'
    _says "Nothing was found that keeps alice out, but whether PAM does is not known; alice $needs." 0
    in_machine m cp -p /root/common-account "$_pam_account"
    _sshd_has 'AuthenticationMethods publickey,password' 'PasswordAuthentication yes' 'AllowUsers alice@127.0.0.2'
    _says "Whether alice can log in with a pushed key depends on where the client is: sshd lets alice in (address 127.0.0.2); sshd's AllowUsers does not name alice (any other client); alice $needs" 0
    in_machine m usermod --password '*' alice
    _sshd_has
    _healthy
    [[ -e $machines_own/m ]] || rm "$prepared/broken"
}

# _no_way_in USER WHY: neither with a pushed key nor with the password as well.
_no_way_in() {
    local user=$1 status=0
    _doctor || status=$?
    same 1 "$status"
    same "$user cannot log in with a pushed key: AuthenticationMethods is publickey,password, and $2: a key and what it lists besides are not enough" \
        "$(_member verdict)"
    fails _gets_in_with_password "$user"
}

# sshd starts with such lists where they are those of some users alone.
# short: no
lists_with_a_method_that_is_off_are_no_way_in() {
    local match=('Match User alice,root' 'AuthenticationMethods publickey,password')
    _whole_machine
    touch "$prepared/broken"
    _has_password alice
    _has_password root
    _sshd_has "${match[@]}" 'PasswordAuthentication no'
    _no_way_in alice 'PasswordAuthentication is no'
    same '${EDITOR:-editor} +2 /etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh.service' "$(_member remedy)"
    _sshd_has "${match[@]}" 'PasswordAuthentication yes' 'PermitRootLogin prohibit-password'
    _gets_in_with_password alice
    _no_way_in root 'PermitRootLogin is prohibit-password'
    _sshd_has "${match[@]}" 'PasswordAuthentication yes' 'PermitRootLogin yes'
    _gets_in_with_password root
    in_machine m usermod --password '*' alice
    in_machine m usermod --password '*' root
    _sshd_has
    _healthy
    [[ -e $machines_own/m ]] || rm "$prepared/broken"
}

# short: no
an_sshd_that_asks_for_a_password_instead_is_healed() {
    _heals failure sshd-pubkey \
        'echo AuthenticationMethods password >/etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
    in_machine m bash -c 'rm /etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
}

# short: no
sshd_that_takes_no_ed25519_keys_is_reported() {
    _whole_machine
    _sshd_has 'PubkeyAcceptedAlgorithms rsa-sha2-512,ecdsa-sha2-nistp256'
    _doctor
    says '^PubkeyAcceptedAlgorithms does not have ssh-ed25519: ' _of text sshd-key-types warning
    same '${EDITOR:-editor} +1 /etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh.service' "$(_of remedy sshd-key-types warning)"
    fails _gets_in
    _sshd_has 'RequiredRSASize 3072'
    _doctor
    same 'sshd takes Ed25519 keys, and RSA keys of at least 3072 bits' "$(_of text sshd-key-types pass)"
    _sshd_has
    _healthy
}

# short: no
a_list_of_revoked_keys_that_cannot_be_read_is_healed() {
    _heals failure sshd-pubkey \
        'echo RevokedKeys /etc/ssh/revoked >/etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
    in_machine m bash -c 'rm /etc/ssh/sshd_config.d/50-test.conf /etc/ssh/revoked && systemctl reload ssh'
}

# short: no
an_sshd_that_does_not_run_is_healed() {
    _heals failure sshd-running 'systemctl stop ssh'
}

# short: no
a_user_that_sshd_does_not_let_in_is_healed() {
    _heals failure sshd-user 'echo DenyUsers b?b al* >/etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
    _heals failure sshd-user 'echo AllowUsers bob >/etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
    _heals failure sshd-user 'echo AllowGroups root >/etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
    in_machine m bash -c 'rm /etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
}

# Until its first connection a socket's sshd has no directory in /run, and then tells nothing of its configuration.
# short: no
a_socket_that_nobody_has_come_to_yet_hides_nothing() {
    local unused='systemctl stop ssh.service && systemctl start ssh.socket && test ! -e /run/sshd'
    _whole_machine
    in_machine m sh -ec "$unused"
    _finds_nothing
    same pass,pass "$(_of status sshd-pubkey pass),$(_of status sshd-user pass)"
    _gets_in
    _heals failure sshd-user "echo DenyUsers alice >/etc/ssh/sshd_config.d/50-test.conf && $unused"
    in_machine m sh -ec "echo PubkeyAuthentication no >/etc/ssh/sshd_config.d/50-test.conf && $unused"
    fails _doctor
    same failure "$(_of status sshd-pubkey failure)"
    in_machine m sh -ec 'rm /etc/ssh/sshd_config.d/50-test.conf && systemctl stop ssh.socket ssh.service &&
        systemctl start ssh.service'
}

# _sshd_has LINE...: in a file of its own; without one, that file goes.
_sshd_has() {
    local file=/etc/ssh/sshd_config.d/50-test.conf
    if (($# > 0)); then
        printf '%s\n' "$@" | in_machine m tee "$file" >/dev/null
    else
        in_machine m rm -f "$file"
    fi
    in_machine m systemctl reload ssh
}

# _gets_in_from ADDRESS [OPTION...]: of ssh's.
_gets_in_from() {
    new_key k
    push m "${user:-alice}" k
    lets_in m "${user:-alice}" k -o "BindAddress=$1" "${@:2}"
}

# _says VERDICT STATUS OPTION...: doctor with these options, and no remedy for what sshd decides.
_says() {
    local status=0
    _runs_doctor --json "${@:3}" >doctor.json || status=$?
    same "$1" "$(_member verdict)"
    same "$2" "$status"
    same '' "$(_complaints | grep '^sshd-' | grep -v '| None$' || true)"
}

# short: no
sshd_that_takes_keys_from_some_addresses_depends_on_the_client() {
    local no='PubkeyAuthentication is no: sshd accepts no keys' depends='can log in with a pushed key depends on where the client is:'
    _whole_machine
    _sshd_has 'PubkeyAuthentication no' 'Match Address 127.0.0.2,192.0.2.0/24' 'PubkeyAuthentication yes'
    _says "Whether alice $depends sshd accepts keys (address 127.0.0.2 or address 192.0.2.0/24); $no (any other client)" 0
    same warning "$(_of status sshd-pubkey warning)"
    _gets_in_from 127.0.0.2
    fails _gets_in_from 127.0.0.1
    _says 'alice can log in from 127.0.0.2 with a pushed key.' 0 --from 127.0.0.2
    _says 'alice can log in from 192.0.2.7 with a pushed key.' 0 --from ::ffff:192.0.2.7
    _says "alice cannot log in from 127.0.0.1 with a pushed key: $no" 1 --from 127.0.0.1
    # The other way round: this machine alone is let in.
    _sshd_has 'Match Address *,!127.0.0.0/8' 'AuthorizedKeysCommand none'
    _doctor
    says "^Whether alice $depends ssh.service runs exc-authorized-keys for alice \(address 127.0.0.0/8\); ssh.service runs no AuthorizedKeysCommand .*\(any other client\)" \
        _member verdict
    same '' "$(_of remedy sshd-keys-command warning)"
    _says 'alice can log in from 127.0.0.1 with a pushed key.' 0 --from 127.0.0.1
    _gets_in_from 127.0.0.1
    # What concerns no key makes no difference.
    _sshd_has 'Match Address 192.0.2.0/24' 'X11Forwarding no'
    _healthy
    _sshd_has
    fails_with "invalid value 'example.org'" in_machine m exc-instance-connect doctor --from example.org
}

# short: no
sshd_that_decides_by_its_own_port_depends_on_the_client() {
    _whole_machine
    _sshd_has 'Port 22' 'Port 2222' 'Match LocalPort 2222' 'AllowUsers bob'
    _says "Whether alice can log in with a pushed key depends on where the client is: sshd lets alice in (any other client); sshd's AllowUsers does not name alice (local port 2222)" 0
    _gets_in_from 127.0.0.1
    fails _gets_in_from 127.0.0.1 -p 2222
    _sshd_has
    _healthy
}

# short: no
sshd_that_lets_no_client_in_for_different_reasons_is_a_failure() {
    _whole_machine
    _sshd_has 'PubkeyAuthentication no' 'Match Address 127.0.0.2' 'PubkeyAuthentication yes' 'DenyUsers alice'
    _says 'alice cannot log in with a pushed key: sshd lets no client in: where one check passes, another fails' 1
    fails _gets_in_from 127.0.0.1
    fails _gets_in_from 127.0.0.2
    _sshd_has
    _healthy
}

# short: no
entries_of_user_and_host_are_read_as_sshd_reads_them() {
    local user=dana@example.com no="sshd's AllowUsers does not name dana@example.com" yes='sshd lets dana@example.com in'
    local depends='Whether dana@example.com can log in with a pushed key depends on where the client is:'
    _whole_machine
    in_machine m useradd --badname --create-home --shell /bin/bash --password '*' "$user"
    _sshd_has "AllowUsers $user"
    fails _doctor
    same "$no, since sshd reads that as USER@HOST; write dana?example.com" "$(_of text sshd-user failure)"
    fails _gets_in
    _sshd_has "AllowUsers dana?example.com"
    _healthy
    _sshd_has "AllowUsers dana?example.com@127.0.0.2,192.0.2.0/24"
    _says "$depends $yes (address 127.0.0.2 or address 192.0.2.0/24); $no (any other client)" 0
    _gets_in_from 127.0.0.2
    fails _gets_in_from 127.0.0.3
    _says "dana@example.com cannot log in from 192.0.3.1 with a pushed key: $no" 1 --from 192.0.3.1
    # Which @ is the one differs.
    _sshd_has "AllowUsers $user@127.0.0.0/8"
    if [[ $suite == bookworm ]]; then
        fails _doctor
        fails _gets_in
    else
        _says "$depends $yes (address 127.0.0.0/8); $no (any other client)" 0
        _gets_in
    fi
    # It keeps nobody of that name out.
    _sshd_has "DenyUsers $user"
    _doctor
    says ' does not keep dana@example.com out, ' _of text sshd-user warning
    _gets_in
    _sshd_has
    in_machine m userdel --force --remove "$user"
    user=alice _healthy
}

# _answer_fits: a client that knows the machine by the answer to its push is not warned.
_answer_fits() {
    new_key k
    [[ -e cloud.pem ]] || cp "$prepared/cloud.pem" .
    in_machine m tee /run/k.pub <k.pub >/dev/null
    signed m push --user alice --key /run/k.pub --known-hosts machine >known
    lets_in m alice k -o "UserKnownHostsFile=$PWD/known"
}

# _host_keys COMMAND: what it does is told, and the remedies, one after the other, heal it.
_host_keys() {
    local tries
    _whole_machine
    touch "$prepared/broken"
    in_machine m bash -ec "$1"
    in_machine m systemctl stop exc-instance-connect.service
    fails _answer_fits
    says 'Host key verification failed' cat ssh.txt
    for ((tries = 0; tries < 3; tries++)); do
        _doctor
        [[ -n $(_of name host-keys warning) ]] || break
        in_machine m bash -c "$(_of remedy host-keys warning)"
    done
    ((tries > 0))
    _finds_nothing
    _answer_fits
    [[ -e $machines_own/m ]] || rm "$prepared/broken"
}

# short: no
host_keys_elsewhere_are_healed() {
    local drop_in=/etc/ssh/sshd_config.d/50-test.conf own=/etc/exc-instance-connect/agent.conf.d
    _host_keys "install -d -m 0755 /srv/keys && ssh-keygen -q -t ed25519 -N '' -f /srv/keys/host
        echo HostKey /srv/keys/host >$drop_in && systemctl restart ssh"
    says '^Note: .*HostKeyFiles=/srv/keys/host.pub' in_machine m \
        sh -c "rm -r $own && exc-instance-connect enable"
    # Without its public half, which the agent must be able to read.
    in_machine m rm /srv/keys/host.pub
    _doctor
    in_machine m bash -c "umask 077; $(_of remedy host-keys warning)"
    same 644 "$(in_machine m stat -c %a /srv/keys/host.pub)"
    # And where only root comes in.
    _host_keys "rm /srv/keys/host.pub && chmod 0700 /srv/keys"
    in_machine m bash -ec "rm -r $drop_in $own /srv/keys && systemctl restart ssh"
    _healthy
}

# --- the account ----------------------------------------------------------------------------------------------------

# short: no
a_user_that_is_missing_is_healed() {
    user=carol _heals failure user-exists true
}

# short: no
a_user_without_a_shell_is_healed() {
    _heals failure user-shell 'usermod --shell /usr/sbin/nologin alice'
    _heals failure user-shell 'usermod --shell /bin/none alice'
}

# _gets_sftp: and no shell.
_gets_sftp() {
    new_key k
    push m alice k --connections 0
    ssh_in m alice k -s -- sftp && fails lets_in m alice k
}

# _sftp_alone: the verdict, which proposes no shell, is so.
_sftp_alone() {
    _says 'alice can log in with a pushed key, for sftp alone.' 0
    same '' "$(_complaints)"
    _gets_sftp
}

# short: no
user_for_whom_sshd_serves_sftp_alone_needs_no_shell() {
    _whole_machine
    in_machine m usermod --shell /bin/false alice
    _sshd_has 'Match User alice' 'ForceCommand internal-sftp -l INFO'
    _sftp_alone
    in_machine m sed -i 's|^Subsystem.*|Subsystem sftp internal-sftp|' /etc/ssh/sshd_config
    _sshd_has
    _sftp_alone
    # In a root directory of its own, where there is neither a shell nor our helper.
    in_machine m install -d -m 0755 /srv/jail/alice
    _sshd_has 'Match User alice' 'ForceCommand internal-sftp' 'ChrootDirectory /srv/jail/%u'
    _sftp_alone
    for step in 'chown alice /srv/jail/alice' 'chmod 0777 /srv/jail' 'rmdir /srv/jail/alice'; do
        in_machine m sh -c "$step"
        fails _doctor
        says '^alice cannot log in with a pushed key: ChrootDirectory: /srv/jail' _member verdict
        fails _gets_sftp
        in_machine m bash -c "$(_of remedy sshd-chroot failure)"
        _sftp_alone
    done
    # A shell would have to be there.
    in_machine m sed -i 's|^Subsystem.*|Subsystem sftp /usr/lib/openssh/sftp-server|' /etc/ssh/sshd_config
    in_machine m usermod --shell /bin/bash alice
    _sshd_has 'Match User alice' 'ChrootDirectory /srv/jail/%u'
    _says 'alice cannot log in with a pushed key: the shell of alice is /bin/bash, which sshd looks for in /srv/jail/alice: No such file or directory' 1
    same '' "$(_of remedy user-shell failure)"
    fails _gets_in
    _sshd_has
    in_machine m rm -r /srv/jail
    _healthy
}

# short: no
an_account_that_has_expired_is_healed() {
    _heals failure user-account 'chage --expiredate 2001-01-01 alice'
}

# short: no
an_account_that_is_locked_where_sshd_looks_for_it_is_healed() {
    _heals failure user-account \
        'usermod --lock alice && echo UsePAM no >/etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
    in_machine m bash -c 'rm /etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh'
}

# short: no
a_machine_that_is_closed_to_logins_is_healed() {
    _heals failure nologin 'echo closed >/etc/nologin'
}

# --- PAM's account stage --------------------------------------------------------------------------------------------

# _verdict_is PATTERN COMMAND: COMMAND breaks the machine, and what doctor then says of the login is that.
_verdict_is() {
    _whole_machine
    in_machine m bash -ec "$2"
    fails _doctor
    says "$1" _member verdict
}

# short: no
a_password_that_is_inactive_is_healed() {
    _heals failure user-account 'chage -M 60 -I 30 -d 2001-01-01 alice'
    # sshd alone does not look at it.
    in_machine m bash -ec 'chage -d 2001-01-01 alice && echo UsePAM no >/etc/ssh/sshd_config.d/50-test.conf &&
        systemctl reload ssh'
    _healthy
    in_machine m bash -ec 'rm /etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh
        chage -M 99999 -I -1 -d 2020-01-01 alice'
    _healthy
}

# short: no
a_password_that_must_be_changed_is_healed() {
    local terminal
    # The password of alice is locked.
    _verdict_is '^alice cannot log in .*, and is locked, so that passwd cannot change it: nobody can log in ' \
        'chage -d 0 alice'
    # On a terminal sshd asks for it, and then ends.
    new_key k
    push m alice k
    ssh_in m alice k -tt -- id -un >terminal.txt 2>&1 &
    terminal=$!
    wait_for grep -q 'You must change your password now' terminal.txt
    wait_for in_machine m pkill -KILL -x passwd
    fails wait "$terminal"
    _heals failure user-account 'chage -d 0 alice'
    # shellcheck disable=SC2016 # for the shell in the machine
    in_machine m bash -ec 'usermod --password "$(openssl passwd -6 secret)" alice'
    _healthy
    _verdict_is '^alice cannot log in .* must be changed first: sshd runs no command until then, and only passwd ' \
        'chage -d 0 alice'
    _heals failure user-account 'chage -d 0 alice'
    _heals failure user-account 'chage -M 60 -d 2001-01-01 alice'
    in_machine m bash -ec "usermod --password '*' alice && chage -M 99999 -d 2020-01-01 alice"
    _healthy
}

# short: no
a_user_that_pam_access_refuses_is_reported() {
    local conf=/etc/security/access.conf
    _verdict_is '^It is not known whether alice can log in with a pushed key: PAM refuses alice by pam_access.so ' \
        "cp -p /etc/pam.d/sshd $conf /root/
        sed -i '/^# account .* pam_access.so/s/^# //' /etc/pam.d/sshd && echo '-:alice:ALL' >>$conf"
    fails _gets_in
    says ' \(/etc/pam.d/sshd line [0-9]+\): Permission denied; pam_access.so may let in other clients than 127.0.0.1$' \
        _of text pam-account failure
    in_machine m env EDITOR='sed -i /^-:alice:/d' bash -c "$(_of remedy pam-account failure)"
    _doctor
    says '^PAM lets alice in from 127.0.0.1; pam_access.so \(/etc/pam.d/sshd line [0-9]+\) may refuse other clients$' \
        _of text pam-account warning
    _gets_in
    in_machine m bash -ec "cp -p /root/sshd /etc/pam.d/ && cp -p /root/access.conf $conf"
    _healthy
}

_pam_account=/etc/pam.d/common-account

# _has_failures COUNT: of alice's, that pam_faillock has counted.
_has_failures() {
    same $(($1 * 64)) "$(in_machine m stat -c %s /run/faillock/alice)"
}

# short: no
modules_that_change_something_are_not_asked() {
    local unknown='Nothing was found that keeps alice out, but whether PAM does is not known.'
    _whole_machine
    in_machine m bash -ec "cp -p $_pam_account /root/ && echo 'account required pam_faillock.so' >>$_pam_account
        mkdir -p /run/faillock && head -c 64 /dev/zero >/run/faillock/alice && chown alice /run/faillock/alice"
    _doctor
    same "$unknown" "$(_member verdict)"
    says "^PAM was not asked .*: pam_faillock.so \($_pam_account line [0-9]+\) sets its count of failures to 0 when it is " \
        _of text pam-account warning
    _has_failures 1
    # What PAM makes of this needs no question.
    _verdict_is '^alice cannot log in with a pushed key: the password .* is inactive by now, and PAM refuses ' \
        'chage -M 60 -I 30 -d 2001-01-01 alice'
    fails _gets_in
    in_machine m bash -ec "$(_of remedy user-account failure)"
    _has_failures 1
    # With another module that may let in, it does.
    _verdict_is '^It is not known whether alice can log in .*; whether PAM lets alice in depends on ' \
        "chage -d 2001-01-01 alice && sed -i '1i account sufficient pam_exec.so /bin/true' $_pam_account"
    _gets_in
    in_machine m bash -ec "sed -i 1d $_pam_account && chage -M 99999 -I -1 -d 2020-01-01 alice
        head -c 64 /dev/zero >/run/faillock/alice"
    _runs_doctor --pam --json >doctor.json
    same 'alice can log in with a pushed key.' "$(_member verdict)"
    says 'PAM lets alice in, asked as for a client from 127.0.0.1' _of text pam-account pass
    _has_failures 0
    # One that nobody knows.
    in_machine m bash -ec "cp -p /root/common-account $_pam_account
        echo 'account required pam_exec.so /usr/bin/touch /run/asked' >>$_pam_account"
    _doctor
    same "$unknown" "$(_member verdict)"
    says "pam_exec.so .* may change something when it is asked" _of text pam-account warning
    fails in_machine m test -e /run/asked
    in_machine m bash -ec "$(_of remedy pam-account warning)"
    in_machine m rm /run/asked
    in_machine m bash -ec "sed -i '\$s|/usr/bin/touch.*|/bin/false|' $_pam_account"
    fails _runs_doctor --pam --json >doctor.json
    says "^alice cannot log in with a pushed key: PAM refuses alice by pam_exec.so \($_pam_account line [0-9]+\): " \
        _member verdict
    fails _gets_in
    in_machine m cp -p /root/common-account "$_pam_account"
    _healthy
}

# short: no
a_module_of_pam_that_hangs_does_not_hang_doctor() {
    local start
    _whole_machine
    in_machine m bash -ec "cp -p $_pam_account /root/ && echo 'account required pam_exec.so /bin/sleep 1000' >>$_pam_account"
    start=$SECONDS
    fails _runs_doctor --pam --json >doctor.json
    ((SECONDS - start < 60))
    says '^alice cannot log in .*: PAM does not answer within 15 s whether it lets alice in: a module hangs$' _member verdict
    fails in_machine m pgrep -x sleep
    in_machine m cp -p /root/common-account "$_pam_account"
    _healthy
}

# OpenSSH since 9.8.
# suites: trixie
# short: no
pam_is_asked_about_the_service_that_sshd_names() {
    _verdict_is '^alice cannot log in with a pushed key: PAM refuses alice: Authentication failure$' \
        'echo PAMServiceName closed >/etc/ssh/sshd_config.d/50-test.conf && systemctl reload ssh
        echo account required pam_deny.so >/etc/pam.d/closed'
    fails _gets_in
    in_machine m bash -ec 'rm /etc/ssh/sshd_config.d/50-test.conf /etc/pam.d/closed && systemctl reload ssh'
    _healthy
}

# --- sockets and agent ----------------------------------------------------------------------------------------------

# short: no
an_administration_socket_that_was_stopped_is_healed() {
    _heals failure socket-admin 'systemctl stop exc-instance-connect.socket'
}

# short: no
an_administration_socket_that_is_masked_is_healed() {
    _heals failure socket-admin 'systemctl mask --now exc-instance-connect.socket'
    _heals failure socket-admin 'systemctl mask --runtime --now exc-instance-connect.socket'
}

# short: no
an_administration_socket_whose_file_is_gone_is_healed() {
    _heals failure socket-admin 'rm /run/exc-instance-connect/admin.sock'
}

# short: no
an_administration_socket_with_another_mode_is_healed() {
    _heals lax-failure socket-admin 'chmod 0666 /run/exc-instance-connect/admin.sock'
}

# short: no
a_host_socket_that_was_stopped_is_healed() {
    _heals host-failure socket-host 'systemctl stop exc-instance-connect-host.socket'
}

# short: no
a_host_socket_that_others_can_use_is_healed() {
    _heals lax-failure socket-host 'chmod 0666 /run/exc-instance-connect/host.sock'
}

# short: no
a_host_socket_that_the_relay_cannot_use_is_healed() {
    _heals host-failure socket-host 'chgrp root /run/exc-instance-connect/host.sock'
}

# short: no
an_agent_that_does_not_answer_is_healed() {
    agent_goes_on=yes _heals failure agent-answers 'exc-instance-connect status
        kill -STOP "$(systemctl show --value --property MainPID exc-instance-connect.service)"'
}

# short: no
an_agent_whose_service_is_masked_is_healed() {
    _heals failure agent-service 'systemctl mask --now exc-instance-connect.service'
}

# --- the store ------------------------------------------------------------------------------------------------------

_sockets='exc-instance-connect.socket exc-instance-connect-host.socket'

# short: no
a_store_on_a_disk_is_healed() {
    _heals failure store-mount "systemctl stop $_sockets
        umount --recursive /run/exc-instance-connect
        mkdir -p /var/store && mount --bind /var/store /run/exc-instance-connect
        systemctl start $_sockets"
}

# short: no
a_store_without_a_mount_of_its_own_is_healed() {
    _heals warning store-mount "systemctl stop $_sockets
        umount --recursive /run/exc-instance-connect
        directory='/run/systemd/system/run-exc\x2dinstance\x2dconnect.mount.d'
        mkdir -p \"\$directory\" && printf '[Unit]\nConditionPathExists=/none\n' >\"\$directory/test.conf\"
        systemctl daemon-reload && systemctl start $_sockets
        rm -r \"\$directory\" && systemctl daemon-reload"
}

# short: no
a_store_whose_mount_is_masked_is_healed() {
    _heals failure socket-admin "systemctl stop $_sockets
        systemctl mask --now 'run-exc\x2dinstance\x2dconnect.mount'
        ! systemctl start $_sockets"
}

# short: no
claims_without_a_mount_of_their_own_are_healed() {
    _heals warning store-mount "systemctl stop $_sockets
        systemctl mask --now 'run-exc\x2dinstance\x2dconnect-claims.mount'
        systemctl start $_sockets"
}

# short: no
a_store_that_programs_can_be_executed_in_is_healed() {
    _heals warning store-mount 'mount -o remount,exec /run/exc-instance-connect'
}

# short: no
a_store_that_others_can_write_is_healed() {
    _heals failure store-root 'chmod 0777 /run/exc-instance-connect'
    _heals failure store-root 'chown alice /run/exc-instance-connect'
}

# short: no
a_directory_of_keys_that_lost_its_group_bit_is_healed() {
    _heals failure store-keys 'chmod g-s /run/exc-instance-connect/keys'
}

# short: no
a_directory_of_keys_that_is_missing_is_healed() {
    _heals failure store-keys 'rm -r /run/exc-instance-connect/keys'
}

# short: no
a_directory_of_keys_that_is_a_link_is_healed() {
    _heals failure store-keys 'rm -r /run/exc-instance-connect/keys && ln -s /tmp /run/exc-instance-connect/keys'
}

# short: no
a_directory_of_claims_of_another_user_is_healed() {
    _heals failure store-claims 'chown alice /run/exc-instance-connect/claims'
}

# short: no
a_directory_of_claims_of_another_group_is_healed() {
    _heals failure store-claims 'chgrp root /run/exc-instance-connect/claims'
}

# short: no
a_directory_of_state_that_others_can_read_is_healed() {
    _heals failure store-state 'chmod 2755 /run/exc-instance-connect/state'
}

# short: no
a_key_that_the_helper_cannot_read_is_healed() {
    _whole_machine
    new_key bobs
    push m bob bobs --ttl 300 --connections 0
    lets_in m bob bobs
    in_machine m chgrp root /run/exc-instance-connect/keys/bob
    refuses m bob bobs
    _doctor
    same 'rm -rf /run/exc-instance-connect/keys/bob' "$(_of remedy store-entries warning)"
    in_machine m bash -c "$(_of remedy store-entries warning)"
    push m bob bobs --ttl 300 --connections 0
    lets_in m bob bobs
    _healthy
}

# The remedy for a full store makes it larger.
_empties_store() {
    in_machine m sh -ec 'rm -r /run/exc-instance-connect/filler
        mount -o remount,size=48M,nr_inodes=40k /run/exc-instance-connect'
}

# short: no
a_store_that_is_full_is_healed() {
    _heals failure store-room 'head -c 100M /dev/zero >/run/exc-instance-connect/filler || true'
    _empties_store
}

# short: no
a_store_without_a_file_left_is_healed() {
    _heals failure store-room 'mkdir /run/exc-instance-connect/filler
        cd /run/exc-instance-connect/filler && seq 60000 | xargs touch || true'
    _empties_store
}

# --- configuration and trust ----------------------------------------------------------------------------------------

# short: no
a_fault_in_the_configuration_is_healed() {
    _heals failure config 'printf "[Agent]\nMaxTtl=soon\n" >/etc/exc-instance-connect/agent.conf'
    in_machine m rm /etc/exc-instance-connect/agent.conf
}

# short: no
a_configuration_that_others_can_write_is_healed() {
    _heals failure config 'echo "[Agent]" >/etc/exc-instance-connect/agent.conf
        chmod 0666 /etc/exc-instance-connect/agent.conf'
    in_machine m rm /etc/exc-instance-connect/agent.conf
}

# short: no
a_configuration_that_the_agent_cannot_read_is_healed() {
    _heals failure config 'echo "[Agent]" >/etc/exc-instance-connect/agent.conf
        chmod 0600 /etc/exc-instance-connect/agent.conf'
    _heals failure config 'chmod 0700 /etc/exc-instance-connect'
    in_machine m rm /etc/exc-instance-connect/agent.conf
}

# short: no
an_unknown_key_in_the_configuration_is_healed() {
    _heals warning config-unknown 'mkdir -p /etc/exc-instance-connect/agent.conf.d
        printf "[Agent]\nMaxColour=60\n" >/etc/exc-instance-connect/agent.conf.d/50-test.conf'
    in_machine m rm /etc/exc-instance-connect/agent.conf.d/50-test.conf
}

# short: no
names_that_nobody_has_are_healed() {
    local key
    for key in AllowUsers DenyUsers AllowGroups DenyGroups; do
        _heals warning config-names "printf '[Agent]\\nAllowUsers=alice\\nAllowGroups=alice\\n%s=nosuch admins\\n' $key \
            >/etc/exc-instance-connect/agent.conf"
    done
    in_machine m sh -c 'printf "[Agent]\nAllowUsers=alice\nDenyGroups=domain admins \"domain users\"\n" >/etc/exc-instance-connect/agent.conf'
    _doctor
    same 3 "$(_complaints | grep -c '^config-names | warning | agent.conf: DenyGroups: .*: no such group, so this denies nobody; ')"
    in_machine m rm /etc/exc-instance-connect/agent.conf
    _healthy
}

# short: no
a_host_that_needs_no_signature_is_told_and_healed() {
    _heals warning config 'printf "[Agent]\nTrust=channel\n" >/etc/exc-instance-connect/agent.conf'
    in_machine m rm /etc/exc-instance-connect/agent.conf
}

# short: no
a_user_that_policy_denies_is_healed() {
    _heals failure policy 'printf "[Agent]\nDenyUsers=alice\n" >/etc/exc-instance-connect/agent.conf'
    _heals failure policy 'printf "[Agent]\nMinUid=5000\n" >/etc/exc-instance-connect/agent.conf'
    in_machine m rm /etc/exc-instance-connect/agent.conf
}

# short: no
a_machine_without_an_anchor_is_healed() {
    _heals host-failure anchors 'rm /etc/exc-instance-connect/trust.d/*'
    in_machine m mv /etc/exc-instance-connect/trust.d/anchor.pem /etc/exc-instance-connect/trust.d/cloud.pem
}

# short: no
an_anchor_that_the_agent_cannot_read_is_healed() {
    _whole_machine
    in_machine m chmod 0600 /etc/exc-instance-connect/trust.d/cloud.pem
    fails _doctor
    same failure "$(_of status anchors failure)"
    in_machine m bash -c "$(_of remedy anchor-file warning)"
    _healthy
    in_machine m chmod 0700 /etc/exc-instance-connect/trust.d
    fails _doctor
    in_machine m bash -c "$(_of remedy anchor-file warning)"
    _healthy
}

# short: no
an_anchor_that_others_may_have_written_is_not_made_one() {
    _heals warning anchor-file 'cp /root/anchor.pem /etc/exc-instance-connect/trust.d/second.pem
        chown alice /etc/exc-instance-connect/trust.d/second.pem'
    same 0 "$(in_machine m stat -c %s /etc/exc-instance-connect/trust.d/second.pem)"
    in_machine m sh -c 'rm /etc/exc-instance-connect/trust.d/second.pem*'
}

# short: no
a_malformed_anchor_is_healed_and_masks_as_before() {
    _heals warning anchor-file 'echo nonsense >/etc/exc-instance-connect/trust.d/second.pem'
    same 0 "$(in_machine m stat -c %s /etc/exc-instance-connect/trust.d/second.pem)"
    in_machine m sh -c 'rm /etc/exc-instance-connect/trust.d/second.pem*'
}

# short: no
a_machine_without_an_id_is_healed() {
    _heals host-failure instance-id 'rm /etc/exc-instance-connect/instance-id'
}

# short: no
an_id_that_does_not_count_is_healed() {
    _heals host-failure instance-id 'chmod 0666 /etc/exc-instance-connect/instance-id'
    _heals host-failure instance-id 'echo two words >/etc/exc-instance-connect/instance-id'
}

# short: no
sources_of_the_id_that_disagree_are_reported() {
    _whole_machine
    in_machine m sh -c 'printf "[Agent]\nInstanceId=i-other\n" >/etc/exc-instance-connect/agent.conf'
    _doctor
    says "says i-other, which counts, and the file instance-id says $instance;" _of text instance-id warning
    in_machine m rm /etc/exc-instance-connect/agent.conf
    _healthy
}

# short: no
an_id_that_the_agent_cannot_read_keeps_its_value() {
    _heals host-failure instance-id 'chmod 0600 /etc/exc-instance-connect/instance-id'
    same 644 "$(in_machine m stat -c %a /etc/exc-instance-connect/instance-id)"
    says 'chmod 0644 /etc/exc-instance-connect/instance-id' in_machine m sh -c \
        'chmod 0600 /etc/exc-instance-connect/instance-id; exc-instance-connect doctor --user alice; true'
    says '^Instance: +none: signed pushes are refused, since /etc/exc-instance-connect/instance-id does not count: cannot be read$' \
        in_machine m exc-instance-connect status
    in_machine m chmod 0644 /etc/exc-instance-connect/instance-id
}

# short: no
a_clone_is_healed() {
    _heals warning instance-id 'touch -d 2001-01-01 /etc/exc-instance-connect/instance-id'
}

# --- the machine ----------------------------------------------------------------------------------------------------

# short: no
a_clock_that_nobody_sets_is_healed() {
    _heals warning clock 'echo unsynchronised >/run/test-clock'
    in_machine m timedatectl set-ntp false
}

# The kernel's flag says otherwise, and the error that it knows of is small.
# short: no
a_clock_that_chronyd_keeps_without_rtcsync_is_no_fault() {
    in_machine m tee /run/test-clock <<<chronyd >/dev/null
    _doctor
    same 'it is synchronized' "$(_of text clock pass)"
    in_machine m tee /run/test-clock <<<synchronised >/dev/null
}

# Another program would have to be removed for the one that is installed otherwise.
# short: no
a_time_service_that_has_not_reached_a_server_is_not_replaced() {
    in_machine m tee /etc/systemd/system/ntpsec.service >/dev/null <<<$'[Service]\nExecStart=/bin/sleep infinity'
    in_machine m systemctl daemon-reload
    in_machine m systemctl start ntpsec.service
    in_machine m tee /run/test-clock <<<unsynchronised >/dev/null
    _doctor
    same '' "$(_of remedy clock warning)"
    [[ $(_of text clock warning) == *'although ntpsec.service runs'* ]]
    in_machine m systemctl stop ntpsec.service
    in_machine m rm /etc/systemd/system/ntpsec.service
    in_machine m systemctl daemon-reload
    in_machine m tee /run/test-clock <<<synchronised >/dev/null
}

# short: no
processes_that_are_hidden_from_the_helper_are_healed() {
    _heals failure hidepid 'mount -o remount,hidepid=invisible /proc'
    _heals failure hidepid 'mount -o remount,hidepid=noaccess,gid=0 /proc'
    _heals failure hidepid 'mount -o remount,hidepid=ptraceable /proc'
    in_machine m mount -o remount,hidepid=off,gid=0 /proc
}

# short: no
group_that_an_administrator_chose_for_proc_stays() {
    local gid step
    _whole_machine
    in_machine m groupadd --system seers
    gid=$(in_machine m getent group seers | cut -d : -f 3)
    for step in hidepid=2 hidepid=ptraceable; do
        _heals failure hidepid "mount -o remount,$step,gid=$gid /proc"
        says "gid=$gid" in_machine m grep '^proc /proc ' /proc/mounts
        in_machine m gpasswd --delete exc-authorized-keys seers
    done
    # Nobody is in a group without a name.
    in_machine m groupdel seers
    _heals failure hidepid "mount -o remount,hidepid=2,gid=$gid /proc"
    in_machine m mount -o remount,hidepid=off,gid=0 /proc
    _healthy
}

# short: no
an_sshd_with_a_proc_of_its_own_is_healed() {
    _heals failure hidepid 'mkdir -p /etc/systemd/system/ssh.service.d
        printf "[Service]\nProtectProc=invisible\n" >/etc/systemd/system/ssh.service.d/hardening.conf
        systemctl daemon-reload && systemctl restart ssh'
    in_machine m bash -c 'rm -r /etc/systemd/system/ssh.service.d && systemctl daemon-reload && systemctl restart ssh'
}

# _sandboxes LINE: a command that gives sshd's service that setting. It must be able to write its PID file, by which doctor
# knows when it read its configuration: systemd lets each service write its RuntimeDirectory=. On a fast machine sshd would be
# started too often for systemd, which forgets that with reset-failed.
_sandboxes() {
    cat <<END
mkdir -p /etc/systemd/system/ssh.service.d
printf '[Service]\\n%s\\n' '$1' >/etc/systemd/system/ssh.service.d/hardening.conf
systemctl daemon-reload && systemctl reset-failed ssh && systemctl restart ssh
END
}

_no_sandbox() {
    in_machine m bash -c 'rm -r /etc/systemd/system/ssh.service.d && systemctl daemon-reload &&
        systemctl reset-failed ssh && systemctl restart ssh'
}

sshd_that_may_not_write_the_store_is_healed() {
    _whole_machine
    _sshd_has 'PidFile /run/sshd/sshd.pid'
    _heals failure sshd-mounts "$(_sandboxes ProtectSystem=strict)"
    same 'ReadWritePaths=-/run/exc-instance-connect' "$(in_machine m tail -n 1 /etc/systemd/system/ssh.service.d/zz-exc-instance-connect-mounts.conf)"
    _no_sandbox
    _sshd_has
}

# short: no
sshd_that_sees_too_little_of_the_file_system_is_healed() {
    local line
    _whole_machine
    _sshd_has 'PidFile /run/sshd/sshd.pid'
    for line in ReadOnlyPaths=/run TemporaryFileSystem=/run/exc-instance-connect \
        TemporaryFileSystem=/usr/libexec/exc-instance-connect:ro NoExecPaths=/usr/libexec; do
        _heals failure sshd-mounts "$(_sandboxes "$line")"
        _no_sandbox
    done
    _heals warning sshd-mounts "$(_sandboxes TemporaryFileSystem=/run/systemd/journal)"
    _no_sandbox
    # Nothing can be added below what is inaccessible.
    in_machine m bash -ec "$(_sandboxes InaccessiblePaths=/run/exc-instance-connect)"
    fails _doctor
    says '^alice cannot log in with a pushed key: ssh.service cannot see .*InaccessiblePaths= of the service' _member verdict
    same '' "$(_of remedy sshd-mounts failure)"
    fails _gets_in
    _no_sandbox
    # With mounts of its own that leave all in its place, it is tried with those.
    in_machine m bash -ec "$(_sandboxes ProtectHome=tmpfs)"
    _doctor
    says '^ssh.service has mounts of its own, with all that the helper needs$' _of text sshd-mounts pass
    same pass "$(_of status self-test pass)"
    _no_sandbox
    _sshd_has
    _healthy
}

# short: no
a_pid_file_that_sshd_cannot_write_is_healed() {
    _whole_machine
    _heals warning sshd-reloaded "$(_sandboxes $'ReadOnlyPaths=/run\nReadWritePaths=/run/exc-instance-connect')"
    same 'PidFile /run/sshd/sshd.pid' "$(in_machine m head -n 1 /etc/ssh/sshd_config)"
    # In a line that sets it, too.
    in_machine m sed -i 1d /etc/ssh/sshd_config
    _sshd_has 'PidFile /run/own.pid'
    _heals warning sshd-reloaded 'systemctl restart ssh'
    same 'PidFile /run/sshd/sshd.pid' "$(in_machine m cat /etc/ssh/sshd_config.d/50-test.conf)"
    _no_sandbox
    _sshd_has 'PidFile none'
    _doctor
    says 'has read its configuration since the last change: its PidFile, which it writes then, is none$' _of text sshd-reloaded warning
    _heals warning sshd-reloaded 'systemctl restart ssh'
    _sshd_has
    _healthy
}

# short: no
a_journal_that_nobody_reaches_is_healed() {
    _heals warning journal 'rm /run/systemd/journal/socket'
}

# short: no
connections_that_sshd_drops_are_reported() {
    _whole_machine
    echo 'sshd: 127.0.0.2' | in_machine m tee -a /etc/hosts.deny >/dev/null
    fails _gets_in_from 127.0.0.2
    in_machine m sed -i '$d' /etc/hosts.deny
    in_machine m journalctl --sync
    _doctor
    says '^within the last hour sshd dropped [0-9]+ connections? before authentication, the last from 127.0.0.2: the address may not connect \(hosts.deny\)$' \
        _of text sshd-drops warning
    _says 'alice can log in from 127.0.0.3 with a pushed key.' 0 --from 127.0.0.3
    same pass "$(_of status sshd-drops pass)"
    in_machine m journalctl --quiet --rotate --vacuum-time=1s
    _healthy
}

# short: no
connections_that_lack_a_slot_are_reported() {
    _whole_machine
    new_key k
    push m alice k
    lets_in m alice k
    refuses m alice k
    in_machine m journalctl --sync
    _doctor
    same "within the last hour a connection of alice was refused the key $(fingerprint k.pub), because other connections held all slots of it: for a client that opens several, push with --connections N, or 0" \
        "$(_of text key-slots warning)"
    same 'alice can log in with a pushed key.' "$(_member verdict)"
    user=bob _doctor
    same '' "$(_of text key-slots warning)"
    in_machine m journalctl --quiet --rotate --vacuum-time=1s
    _healthy
}

# --- doctor itself --------------------------------------------------------------------------------------------------

# short: no
an_sshd_that_hangs_does_not_hang_doctor() {
    local start
    _whole_machine
    start=$SECONDS
    in_machine m bash -ec 'mv /usr/sbin/sshd /usr/sbin/sshd.real
        printf "#!/bin/sh\nexec sleep 1000\n" >/usr/sbin/sshd && chmod 0755 /usr/sbin/sshd'
    fails _doctor
    in_machine m mv /usr/sbin/sshd.real /usr/sbin/sshd
    ((SECONDS - start < 120))
    same failure "$(_of status sshd-program failure)"
    fails in_machine m pgrep -x sleep
    _healthy
}

# One that takes the place of the helper, and never answers. The keys of tests before are gone.
_helper_hangs() {
    in_machine m exc-instance-connect revoke --all >/dev/null
    in_machine m bash -ec 'cd /usr/libexec/exc-instance-connect && mv exc-authorized-keys /root/
        printf "#!/bin/sh\nexec sleep 1000\n" >exc-authorized-keys && chmod 0755 exc-authorized-keys'
}

_helper_is_back() {
    in_machine m mv /root/exc-authorized-keys /usr/libexec/exc-instance-connect/
}

_has_a_key() {
    [[ -n $(in_machine m find /run/exc-instance-connect/keys -type f) ]]
}

_has_no_key() {
    ! _has_a_key
}

_runs_no_more() {
    ! in_machine m pgrep -f '^exc-instance-connect doctor|^sleep 1000' >/dev/null
}

# short: no
a_helper_that_hangs_does_not_hang_doctor_and_leaves_no_key() {
    local start
    _whole_machine
    _helper_hangs
    start=$SECONDS
    fails _doctor
    _helper_is_back
    ((SECONDS - start < 60))
    [[ $(_of text self-test failure) == *' cannot be run as exc-authorized-keys: '* ]]
    _has_no_key
    _runs_no_more
    _healthy
}

# short: no
when_doctor_is_killed_all_ends_with_it_and_its_key_soon() {
    local doctor
    _whole_machine
    _helper_hangs
    in_machine m exc-instance-connect doctor --user alice >/dev/null 2>&1 &
    doctor=$!
    wait_seconds=60 wait_for _has_a_key
    in_machine m pkill -KILL -o -f '^exc-instance-connect doctor'
    wait "$doctor" || true
    _helper_is_back
    wait_seconds=2 wait_for _runs_no_more
    wait_seconds=12 wait_for _has_no_key
    _healthy
}

# _forges USER LINE...: writes as the helper would, again and again, so that its line is the last one whenever one looks.
_forges() {
    in_machine m setpriv --reuid="$1" --regid="$1" --clear-groups sh -c 'while sleep 0.01; do
        printf "%s\n" SYSLOG_IDENTIFIER=exc-authorized-keys EXC_USER=alice "$@" | logger --journald; done' sh "${@:2}" &
}

# short: no
what_others_write_to_the_journal_is_no_reason() {
    local status=0
    _whole_machine
    in_machine m mount -o remount,hidepid=invisible /proc
    # Who writes it is the one thing that alice cannot forge; and the helper's own may be about another connection.
    _forges alice MESSAGE_ID=eac16b8bffdfbe8db6e10b6f640940d5 'MESSAGE=run this as root: rm'
    _forges exc-authorized-keys MESSAGE_ID=9efc753be9e68f245e0bb5794c2e22a4 'MESSAGE=used up' EXC_SSHD_PID=1
    _doctor || status=$?
    in_machine m pkill -f 'while sleep 0.01'
    wait_jobs
    in_machine m mount -o remount,hidepid=off,gid=0 /proc
    same 1 "$status"
    says '^run this as root: rm$' in_machine m journalctl -q -t exc-authorized-keys -o cat -n 50
    says '^the helper does not give the key that was pushed: /proc hides ' _of text self-test failure
    _healthy
}

# _has_text EXPECTED: doctor.txt is that, and ends there.
_has_text() {
    diff -u - doctor.txt <<<"$1"
}

people_read_what_is_wrong_and_what_to_do() {
    local passed fault='/etc/nologin lets nobody but root log in' status=0
    _whole_machine
    _doctor
    same None "$(_member remedy)"
    passed=$(grep -o '"status":"pass"' doctor.json | wc -l)
    ((passed > 30))
    _runs_doctor >doctor.txt
    _has_text "$passed checks passed"$'\n\n''alice can log in with a pushed key.'

    in_machine m touch /etc/nologin
    _runs_doctor >doctor.txt || status=$?
    same 1 "$status"
    # That PAM refuses then is no fault of its own.
    _has_text "failure  nologin              $fault
         remedy: rm -f /etc/nologin
$((passed - 2)) checks passed

alice cannot log in with a pushed key: $fault
  rm -f /etc/nologin"
    fails _runs_doctor --all >all.txt
    grep -v '^pass  ' all.txt | diff -u doctor.txt -
    same $((passed - 2)) "$(grep -c '^pass  ' all.txt)"
    fails _doctor
    same "alice cannot log in with a pushed key: $fault" "$(_member verdict)"
    same 'rm -f /etc/nologin' "$(_member remedy)"
    in_machine m rm /etc/nologin
    _healthy
}

only_root_is_told_anything() {
    fails_with 'run it as root' in_machine m setpriv --reuid=alice --regid=alice --clear-groups \
        exc-instance-connect doctor
}

# short: no
without_a_user_it_tries_one_that_policy_allows() {
    _whole_machine
    in_machine m sh -c 'printf "[Agent]\nMinUid=1000\n" >/etc/exc-instance-connect/agent.conf'
    says '^pass +self-test +a key was pushed for alice' in_machine m exc-instance-connect doctor --all
    in_machine m rm /etc/exc-instance-connect/agent.conf
    says '^pass +self-test +a key was pushed for root' in_machine m exc-instance-connect doctor --all
    says '^pass +self-test +a key was pushed for bob' in_machine m env SUDO_USER=bob exc-instance-connect doctor --all
    says '^Users can log in with a pushed key\.$' in_machine m exc-instance-connect doctor
}

# There may be others: a name service need not list all its users.
# short: no
without_a_user_that_policy_allows_it_does_not_say_that_nobody_can() {
    _whole_machine
    in_machine m sh -c 'printf "[Agent]\nAllowUsers=erin\n" >/etc/exc-instance-connect/agent.conf'
    says '^warning +self-test +not tried: none of the users that were tried \([0-9]\) .* name one with --user$' \
        in_machine m exc-instance-connect doctor
    says '^Nothing was found that keeps users out, but no key was tried: ' in_machine m exc-instance-connect doctor
    fails_with '^alice cannot log in' in_machine m exc-instance-connect doctor --user alice
    in_machine m rm /etc/exc-instance-connect/agent.conf
    _healthy
}
