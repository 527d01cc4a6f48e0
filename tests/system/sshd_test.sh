# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
# short: by turns
# An sshd that is set up already, in all the ways there are: both commands answer, and sshd is as it was when ours goes.
# "Theirs" is a command that gives the keys in /etc/directory, which only its own user can read.

_drop_in=/etc/ssh/sshd_config.d/10-exc-instance-connect.conf
_aside=/etc/ssh/sshd_config.d/.10-exc-instance-connect.conf.disabled
_theirs=/usr/libexec/directory-keys

# Newer ones keep away who has failed too often (PerSourcePenalties), which is what some of these tests do.
_patient_sshd() {
    if [[ $suite != bookworm ]]; then _file /etc/ssh/sshd_config.d/90-patient.conf 'PerSourcePenalties no'; fi
}

# _machine [SUITE [NSPAWN-OPTION...]]: machine m with the user directory, its command, and a key for alice there.
_machine() {
    local root
    machine_start m "${1:-$suite}" "${@:2}"
    root=$(machine_root m)
    in_machine m useradd --system directory
    install -d -m 0700 "$root/etc/directory"
    new_key theirs
    new_key ours
    cp theirs.pub "$root/etc/directory/alice"
    in_machine m chown -R directory: /etc/directory
    _their_command 'exec cat "/etc/directory/$1"'
    _patient_sshd
    # A reload is done before sshd has read what a test may change at once.
    in_machine m sshd -t
    in_machine m systemctl restart ssh.service
}

# _their_command SCRIPT
_their_command() {
    in_machine m install -D -m 0755 /dev/stdin "$_theirs" < <(printf '#!/bin/sh\n%s\n' "$1")
}

# _file PATH LINE...: in the machine.
_file() {
    in_machine m install -D -m 0644 /dev/stdin "$1" < <(printf '%s\n' "${@:2}")
}

_prepend() {
    local root
    root=$(machine_root m)
    { printf '%s\n' "${@:2}" && cat "$root$1"; } >file
    cat file >"$root$1"
}

_append() {
    printf '%s\n' "${@:2}" >>"$(machine_root m)$1"
}

_reload() {
    in_machine m sshd -t
    in_machine m systemctl reload-or-restart ssh.service
}

# _both_log_in [SSH-OPTION...]
_both_log_in() {
    push m alice ours
    lets_in m alice ours "$@"
    refuses m alice ours "$@"
    lets_in m alice theirs "$@"
}

# _theirs_alone [SSH-OPTION...]
_theirs_alone() {
    lets_in m alice theirs "$@"
    refuses m alice ours "$@"
}

# _effective [OPTION...]: for all, and for users of whom a block may speak.
_effective() {
    local user
    in_machine m sshd -T "$@"
    for user in alice bob carol; do
        in_machine m sshd -T -C "user=$user,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22" "$@"
    done
}

# _effective_of_both: of the second one, too.
_effective_of_both() {
    _effective
    _effective -f /etc/ssh/sshd_config_second
}

# _story COMMAND...: with theirs set up, installs ours; both answer. Disabled, enabled, removed: it is as it was.
# COMMAND is what leads to both, where that is not the installation alone.
_story() {
    local before main
    _theirs_alone
    before=$(_effective)
    main=$(property m ssh.service MainPID)
    install_debs m >install.txt 2>&1
    cat install.txt
    (($# == 0)) || "$@"
    (($# > 0)) || same "$main" "$(property m ssh.service MainPID)"
    _both_log_in
    says '^Nothing to change' in_machine m exc-instance-connect enable
    _both_log_in

    in_machine m exc-instance-connect disable
    same "${expected:-$before}" "$(_effective)"
    _theirs_alone
    says '^Nothing to take away' in_machine m exc-instance-connect disable
    in_machine m exc-instance-connect enable
    _both_log_in

    apt_get m remove exc-instance-connect
    same "${expected:-$before}" "$(_effective)"
    _theirs_alone
    same '' "$(in_machine m find /etc/ssh -name '*exc-instance*')"
    no_failed_unit m
}

# _not_safe_then_as_told BEFORE: the installation changed nothing; what it says is done literally, as often as it says so.
_not_safe_then_as_told() {
    grep -q 'nothing is changed: it would not be safe here' install.txt
    same '' "$(in_machine m find /etc/ssh -name '*exc-instance*')"
    _theirs_alone
    enabled_as_told m install.txt
}

# short: no
a_command_in_the_main_file_is_asked_behind_ours() {
    _machine
    _append /etc/ssh/sshd_config "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    _reload
    _story
    grep -qF "Found: sshd runs \"$_theirs %u\" as directory (/etc/ssh/sshd_config line " install.txt
    grep -qF "Written: $_drop_in" install.txt
    grep -qF 'Reloaded: ssh.service' install.txt
    grep -qF 'To undo it: exc-instance-connect disable' install.txt
}

# short: no
a_command_in_a_drop_in_behind_ours_is_asked_behind_ours() {
    _machine
    # Without arguments it gets the user's name all the same.
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs" 'AuthorizedKeysCommandUser directory'
    _reload
    _story
}

# short: no
a_command_in_a_drop_in_before_ours_is_asked_behind_ours() {
    _machine
    _file /etc/ssh/sshd_config.d/05-directory.conf 'AuthorizedKeysCommandUser "directory"' \
        "AuthorizedKeysCommand=$_theirs \"%u\" 'two  words'"
    _reload
    _story
    grep -qF 'Written: /etc/ssh/sshd_config.d/00-exc-instance-connect.conf' install.txt
}

# short: no
a_command_before_the_include_is_asked_behind_ours_when_the_printed_line_is_added() {
    _machine
    _prepend /etc/ssh/sshd_config "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    _reload
    _story _not_safe_then_as_told
}

# short: no
without_an_include_the_printed_line_is_all_that_is_needed() {
    _machine
    in_machine m sed -i '/^Include/d' /etc/ssh/sshd_config
    _append /etc/ssh/sshd_config "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    _reload
    _story _not_safe_then_as_told
}

# short: no
a_command_in_a_match_block_is_asked_behind_ours_when_the_printed_line_is_added() {
    _machine
    _append /etc/ssh/sshd_config 'Match User bob' '    AuthorizedKeysCommand none' 'Match User alice' \
        '    PasswordAuthentication no' "    AuthorizedKeysCommand $_theirs %u" '    AuthorizedKeysCommandUser directory'
    _reload
    _story _not_safe_then_as_told
    # Those of whom the block does not speak.
    install_debs m
    in_machine m useradd --create-home --shell /bin/bash --password '*' carol
    push m carol ours
    lets_in m carol ours
    push m bob ours
    refuses m bob ours
}

# short: no
match_blocks_in_several_files_are_asked_for_one_after_the_other() {
    _machine
    _file /etc/ssh/sshd_config.d/20-first.conf 'Match User carol' '  AuthorizedKeysCommand /bin/false %u' \
        'AuthorizedKeysCommandUser nobody' 'Match all' '  X11Forwarding no'
    _file /etc/ssh/extra.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    _append /etc/ssh/sshd_config 'Match Address 127.0.0.0/8 User alice' 'Include extra.conf'
    _reload
    _story _not_safe_then_as_told
}

# short: no
match_lines_of_all_kinds_are_compared() {
    _machine
    _append /etc/ssh/sshd_config 'Match Group alice Address 192.0.2.0/24,2001:db8::/32' '    X11Forwarding no' \
        'Match Host *.example LocalAddress 10.0.0.0/8' '    X11Forwarding no' \
        'Match RDomain mgmt User "bob,al*,!root"' '    X11Forwarding no' 'Match User !bob' '    X11Forwarding no'
    _reload
    install_debs m >install.txt 2>&1
    cat install.txt
    same 1 "$(grep -c 'not compared: /etc/ssh/sshd_config' install.txt)"
    grep -q 'Note: not compared: /etc/ssh/sshd_config line [0-9]*: "Match User !bob": it has no name to try' install.txt
    push m alice ours
    lets_in m alice ours
}

# A setting that changes for some connections alone: the line that they match is told.
# suites: bookworm
# short: no
a_setting_that_would_change_for_a_match_line_is_told() {
    local before
    _machine
    _append /etc/ssh/sshd_config 'Match Address 192.0.2.0/24' \
        '    Include /etc/ssh/sshd_config.d/exc-instance-connect.chain-1' \
        '    AuthorizedPrincipalsCommand /bin/true %u' '    AuthorizedPrincipalsCommandUser nobody' \
        '    AuthorizedKeysCommand /bin/false %u' '    AuthorizedKeysCommandUser nobody'
    _reload
    before=$(_effective)
    install_debs m >install.txt 2>&1
    cat install.txt
    grep -q 'Match Address 192.0.2.0/24: authorizedprincipalscommand is "none" with exc-instance-connect' install.txt
    grep -q 'Move that line below AuthorizedPrincipalsCommand in "Match Address 192.0.2.0/24"' install.txt
    same "$before" "$(_effective)"
}

# _with_options LINE...: ssh.service's ExecStart, by a drop-in as another package has it. What is in effect by that is in
# $expected, as a plain sshd -T says it when it stands in a file.
_started_with_options() {
    in_machine m systemctl daemon-reload
    in_machine m systemctl restart ssh.service
    expected=$(_effective -o "AuthorizedKeysCommand $_theirs %u" -o 'AuthorizedKeysCommandUser directory')
}

# _moved_as_told FILE COMMAND...: what is printed has the lines for sshd_config, and FILE, out of which COMMAND takes the words.
_moved_as_told() {
    grep -qF "In $1, take out of the command line:" install.txt
    grep -qF "    -o AuthorizedKeysCommand $_theirs %u" install.txt
    grep -qF '    -o AuthorizedKeysCommandUser directory' install.txt
    "${@:2}"
    _not_safe_then_as_told
}

# short: no
a_command_on_the_units_command_line_is_asked_behind_ours_when_it_is_moved_as_told() {
    local expected
    _machine
    _file /usr/lib/systemd/system/ssh.service.d/directory.conf '[Service]' 'ExecStart=' \
        "ExecStart=/usr/sbin/sshd -D -o \"AuthorizedKeysCommand $_theirs %%u\" \\" \
        "    '-oAuthorizedKeysCommandUser directory' \$SSHD_OPTS"
    _started_with_options
    _story _moved_as_told /usr/lib/systemd/system/ssh.service.d/directory.conf \
        _file /usr/lib/systemd/system/ssh.service.d/directory.conf '[Service]' 'ExecStart=' \
        'ExecStart=/usr/sbin/sshd -D $SSHD_OPTS'
}

# short: no
a_command_in_the_units_environment_is_asked_behind_ours_when_it_is_moved_as_told() {
    local expected
    _machine
    _file /etc/default/ssh '# Options to pass to sshd' \
        "SSHD_OPTS=\"-o 'AuthorizedKeysCommand $_theirs %u' -4 -o 'AuthorizedKeysCommandUser directory'\""
    _started_with_options
    _story _moved_as_told /etc/default/ssh _file /etc/default/ssh 'SSHD_OPTS=-4'
}

# short: no
a_command_of_a_unit_that_is_not_restarted_yet_is_seen() {
    _machine
    _file /etc/default/ssh "SSHD_OPTS=\"-o 'AuthorizedKeysCommand $_theirs %u' -o 'AuthorizedKeysCommandUser directory'\""
    in_machine m systemctl restart ssh.service
    _file /etc/default/ssh 'SSHD_OPTS='
    install_debs m >install.txt 2>&1
    grep -qF 'ssh.service runs with an AuthorizedKeysCommand on its command line that its unit does not have' install.txt
    _theirs_alone
    in_machine m systemctl try-restart ssh.service
    in_machine m exc-instance-connect enable
    push m alice ours
    lets_in m alice ours
}

# suites: trixie
# short: no
systemd_s_user_records_are_asked_behind_ours() {
    local root
    _machine trixie+systemd-userdbd
    root=$(machine_root m)
    install -d "$root/etc/userdb"
    echo '{"userName":"dave","uid":4711,"gid":4711,"disposition":"regular","homeDirectory":"/home/dave",
        "shell":"/bin/bash"}' >"$root/etc/userdb/dave.user"
    echo '{"groupName":"dave","gid":4711}' >"$root/etc/userdb/dave.group"
    (
        umask 077
        printf '{"privileged":{"sshAuthorizedKeys":["%s"]}}' "$(<theirs.pub)" >"$root/etc/userdb/dave.user-privileged"
    )
    ln -s dave.user "$root/etc/userdb/4711.user"
    ln -s dave.user-privileged "$root/etc/userdb/4711.user-privileged"
    ln -s dave.group "$root/etc/userdb/4711.group"
    in_machine m install -d -o dave -g dave /home/dave
    lets_in m dave theirs
    says '^authorizedkeyscommand /usr/bin/userdbctl' _effective
    local before
    before=$(_effective)
    install_debs m
    push m dave ours
    lets_in m dave ours
    refuses m dave ours
    lets_in m dave theirs
    in_machine m exc-instance-connect disable
    same "$before" "$(_effective)"
    lets_in m dave theirs
    in_machine m exc-instance-connect enable
    apt_get m remove exc-instance-connect
    same "$before" "$(_effective)"
    lets_in m dave theirs
    refuses m dave ours
    # Theirs goes, and the next enable runs it no more.
    install_debs m
    in_machine m grep -q userdbctl "$_drop_in"
    apt_get m purge systemd-userdbd
    in_machine m exc-instance-connect enable
    fails in_machine m grep -q userdbctl "$_drop_in"
    push m alice ours
    lets_in m alice ours
}

# An LDAP server of the machine m's own, whose entry for alice has her key.
_sssd() {
    new_key theirs
    new_key ours
    in_machine m systemctl stop sssd.service || true
    ldap_server m <<END
dn: uid=alice,dc=example,dc=org
objectClass: account
objectClass: posixAccount
uid: alice
cn: Alice
uidNumber: 1000
gidNumber: 1000
homeDirectory: /home/alice
loginShell: /bin/bash
description: $(cut -d ' ' -f 1,2 theirs.pub)
END
    in_machine m install -m 0600 /dev/stdin /etc/sssd/sssd.conf <<END
[sssd]
domains = example
[domain/example]
id_provider = ldap
auth_provider = none
access_provider = permit
ldap_uri = ldap://127.0.0.1
ldap_id_use_start_tls = false
ldap_search_base = dc=example,dc=org
ldap_user_ssh_public_key = description
END
    in_machine m systemctl reset-failed
    in_machine m systemctl restart sssd.service sssd-ssh.socket
    no_failed_unit m
    _patient_sshd
    _file /etc/ssh/sshd_config.d/50-sssd.conf 'AuthorizedKeysCommand /usr/bin/sss_ssh_authorizedkeys %u' \
        'AuthorizedKeysCommandUser nobody'
    _reload
}

# short: no
a_real_sssd_is_asked_behind_ours() {
    machine_may_be_degraded=yes machine_start m "$suite+ldap-utils+slapd+sssd-common+sssd-ldap"
    _sssd
    wait_for says '^ssh-ed25519 ' in_machine m sss_ssh_authorizedkeys alice
    _story
}

# short: no
a_directory_that_fails_or_hangs_or_prints_rubbish_takes_no_key_of_ours_away() {
    local script
    _machine
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    _reload
    install_debs m
    for script in 'exit 1' 'kill -KILL $$' 'echo rubbish; head -c 100000 /dev/urandom; exit 3' 'sleep 600' \
        'exec /no/such/program'; do
        _their_command "$script"
        push m alice ours
        # Theirs is not run at all for our key: while it sleeps, sshd would end the connection (LoginGraceTime).
        lets_in m alice ours
        [[ $script == sleep* ]] || refuses m alice theirs
    done
    in_machine m rm "$_theirs"
    push m alice ours
    lets_in m alice ours
}

whatever_is_wrong_with_ours_theirs_logs_in() {
    _machine
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    _reload
    install_debs m
    in_machine m chmod 0700 /run/exc-instance-connect/keys
    _theirs_alone
    in_machine m systemctl stop exc-instance-connect.socket exc-instance-connect-host.socket
    in_machine m umount --lazy /run/exc-instance-connect
    in_machine m rm -rf /run/exc-instance-connect
    _theirs_alone
    in_machine m userdel exc-authorized-keys
    _theirs_alone
}

a_broken_configuration_is_left_alone_and_the_installation_succeeds() {
    local main
    _machine
    _append /etc/ssh/sshd_config 'NoSuchOption yes'
    main=$(property m ssh.service MainPID)
    install_debs m >install.txt 2>&1
    cat install.txt
    grep -q 'nothing is changed: .*NoSuchOption' install.txt
    grep -q 'fix this and run: exc-instance-connect enable' install.txt
    same '' "$(in_machine m find /etc/ssh -name '*exc-instance*')"
    same "$main" "$(property m ssh.service MainPID)"
    no_failed_unit m
    fails_with 'nothing is changed: .*NoSuchOption' in_machine m exc-instance-connect enable --dry-run
    in_machine m sed -i /NoSuchOption/d /etc/ssh/sshd_config
    in_machine m exc-instance-connect enable
    push m alice ours
    lets_in m alice ours
    # Broken later, ours goes all the same, and the sshd that runs is left alone.
    _append /etc/ssh/sshd_config 'NoSuchOption yes'
    apt_get m remove exc-instance-connect
    same '' "$(in_machine m find /etc/ssh -name '*exc-instance*')"
    same "$main" "$(property m ssh.service MainPID)"
}

# short: no
an_sshd_that_a_socket_starts_asks_us() {
    local before
    _machine
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    before=$(_effective)
    in_machine m systemctl disable --now ssh.service
    in_machine m systemctl enable --now ssh.socket
    install_debs m
    # Nobody has connected yet, and installing started nothing.
    same inactive "$(property m ssh.service ActiveState)"
    _both_log_in
    same active "$(property m ssh.service ActiveState)"
    # A session that is open stays.
    in_machine m mkfifo -m 0666 /run/open
    machine_ssh m -i theirs alice 'echo here; cat /run/open' >session.txt &
    wait_for grep -q here session.txt
    says '^Restarted: ssh.service' in_machine m exc-instance-connect disable
    same active "$(property m ssh.service ActiveState)"
    same "$before" "$(_effective)"
    _theirs_alone
    says '^Restarted: ssh.service' in_machine m exc-instance-connect enable
    _both_log_in
    in_machine m sh -c 'echo still here >/run/open'
    wait_for grep -q 'still here' session.txt
    no_failed_unit m
    in_machine m systemctl stop ssh.service
    apt_get m remove exc-instance-connect
    _theirs_alone
    same "$before" "$(_effective)"
}

_per_connection() {
    _file /etc/systemd/system/sshd-inetd.socket '[Socket]' 'ListenStream=2222' 'Accept=yes'
    _file '/etc/systemd/system/sshd-inetd@.service' '[Service]' 'ExecStart=-/usr/sbin/sshd -i' 'StandardInput=socket' \
        'RuntimeDirectory=sshd' 'RuntimeDirectoryPreserve=yes'
    in_machine m systemctl daemon-reload
    in_machine m systemctl start sshd-inetd.socket
}

# short: no
an_sshd_for_each_connection_asks_us() {
    local before
    _machine
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    before=$(_effective)
    in_machine m systemctl disable --now ssh.service
    _per_connection
    _theirs_alone -p 2222
    install_debs m
    _both_log_in -p 2222
    in_machine m exc-instance-connect disable
    same "$before" "$(_effective)"
    _theirs_alone -p 2222
    in_machine m exc-instance-connect enable
    _both_log_in -p 2222
    apt_get m remove exc-instance-connect
    same "$before" "$(_effective)"
    _theirs_alone -p 2222
}

# suites: trixie
# short: no
the_distribution_s_own_unit_for_each_connection_asks_us() {
    local before
    _machine
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    before=$(_effective)
    _file /etc/systemd/system/sshd.socket '[Socket]' 'ListenStream=2222' 'Accept=yes'
    in_machine m systemctl daemon-reload
    in_machine m systemctl start sshd.socket
    install_debs m
    _both_log_in -p 2222
    in_machine m exc-instance-connect disable
    same "$before" "$(_effective)"
    _theirs_alone -p 2222
    in_machine m exc-instance-connect enable
    _both_log_in -p 2222
    apt_get m remove exc-instance-connect
    same "$before" "$(_effective)"
    _theirs_alone -p 2222
}

# _second LINE...: another sshd on port 2222, with a configuration of its own.
_second() {
    _file /etc/ssh/sshd_config_second 'Port 2222' 'PidFile none' 'UsePAM yes' "$@"
    _file /etc/systemd/system/sshd-second.service '[Service]' 'Type=notify' \
        'ExecStart=/usr/sbin/sshd -D -f /etc/ssh/sshd_config_second' 'ExecReload=/bin/kill -HUP $MAINPID' \
        'KillMode=process' 'RuntimeDirectory=sshd' 'RuntimeDirectoryPreserve=yes'
    in_machine m systemctl daemon-reload
    in_machine m systemctl start sshd-second.service
}

# short: no
a_second_sshd_that_includes_the_directory_asks_us() {
    local before
    _machine
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    _second 'Include /etc/ssh/sshd_config.d/*.conf'
    _reload
    before=$(_effective_of_both)
    install_debs m >install.txt 2>&1
    grep -qF 'Reloaded: sshd-second.service' install.txt
    _both_log_in
    _both_log_in -p 2222
    in_machine m exc-instance-connect disable
    same "$before" "$(_effective_of_both)"
    _theirs_alone -p 2222
    in_machine m exc-instance-connect enable
    apt_get m remove exc-instance-connect
    same "$before" "$(_effective_of_both)"
    _theirs_alone -p 2222
}

# short: no
a_second_sshd_that_does_not_include_the_directory_is_left_alone() {
    local before second
    _machine
    _second "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    before=$(_effective_of_both)
    second=$(_effective -f /etc/ssh/sshd_config_second)
    install_debs m >install.txt 2>&1
    grep -q 'Note: sshd-second.service is left alone' install.txt
    fails grep -qF 'Reloaded: sshd-second.service' install.txt
    push m alice ours
    refuses m alice ours -p 2222
    lets_in m alice theirs -p 2222
    lets_in m alice ours
    same "$second" "$(_effective -f /etc/ssh/sshd_config_second)"
    in_machine m exc-instance-connect disable
    same "$before" "$(_effective_of_both)"
    in_machine m exc-instance-connect enable
    apt_get m remove exc-instance-connect
    same "$before" "$(_effective_of_both)"
    lets_in m alice theirs -p 2222
}

# short: no
a_second_sshd_with_another_command_gets_it_back_by_the_printed_line() {
    local before
    _machine
    _second 'Include /etc/ssh/sshd_config.d/*.conf' "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    before=$(_effective_of_both)
    install_debs m >install.txt 2>&1
    cat install.txt
    grep -q 'it would not be safe here' install.txt
    lets_in m alice theirs -p 2222
    _theirs_alone() { lets_in m alice theirs -p 2222; }
    _not_safe_then_as_told
    _both_log_in -p 2222
    push m alice ours
    lets_in m alice ours
    refuses m alice theirs
    in_machine m exc-instance-connect disable
    same "$before" "$(_effective_of_both)"
    _theirs_alone
    refuses m alice ours -p 2222
    in_machine m exc-instance-connect enable
    _both_log_in -p 2222
    apt_get m remove exc-instance-connect
    same "$before" "$(_effective_of_both)"
    lets_in m alice theirs -p 2222
    refuses m alice ours -p 2222
}

# short: no
an_edited_drop_in_is_kept_and_comes_back() {
    _machine
    install_debs m
    _append "$_drop_in" 'X11Forwarding no # by hand'
    says 'has been edited, and is kept' in_machine m exc-instance-connect enable
    apt_get m remove exc-instance-connect
    fails in_machine m test -e "$_drop_in"
    in_machine m grep -q 'by hand' "$_aside"
    says '^authorizedkeyscommand none$' _effective
    install_debs m
    in_machine m grep -q 'by hand' "$_drop_in"
    fails in_machine m test -e "$_aside"
    says '^x11forwarding no$' _effective
    push m alice ours
    lets_in m alice ours
}

# short: no
an_edited_drop_in_is_out_of_effect_when_every_file_is_included() {
    _machine
    in_machine m sed -i 's|^Include .*|Include /etc/ssh/sshd_config.d/*|' /etc/ssh/sshd_config
    install_debs m
    _append "$_drop_in" 'X11Forwarding no # by hand'
    in_machine m exc-instance-connect enable
    says '^x11forwarding no$' _effective
    in_machine m exc-instance-connect disable
    says '^authorizedkeyscommand none$' _effective
    says '^x11forwarding yes$' _effective
    in_machine m exc-instance-connect enable
    in_machine m grep -q 'by hand' "$_drop_in"
    push m alice ours
    lets_in m alice ours
    # A pattern that matches it all the same: nobody is told that it is disabled.
    _append /etc/ssh/sshd_config 'Include /etc/ssh/sshd_config.d/.1*'
    in_machine m systemctl reload ssh.service
    fails_with 'still in effect' in_machine m exc-instance-connect disable
    in_machine m sed -i '$d' /etc/ssh/sshd_config
    in_machine m exc-instance-connect enable
    in_machine m grep -q 'by hand' "$_drop_in"
    in_machine m exc-instance-connect disable
    apt_get m purge exc-instance-connect
    same '' "$(in_machine m find /etc/ssh -name '*exc-instance*')"
}

# short: no
a_changed_command_of_theirs_is_taken_over_by_the_next_enable() {
    _machine
    _file /etc/ssh/sshd_config.d/50-directory.conf 'AuthorizedKeysCommand /bin/false %u' 'AuthorizedKeysCommandUser nobody'
    _reload
    install_debs m
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    says "^\\+AuthorizedKeysCommand .* -- $_theirs %u\$" in_machine m exc-instance-connect enable --dry-run
    in_machine m grep -q -- '-- /bin/false' "$_drop_in"
    in_machine m exc-instance-connect enable
    _both_log_in
}

# short: no
an_image_that_is_being_built_is_set_up_without_systemd_or_host_keys() {
    local root
    _machine
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    root=$(machine_root m)
    install_debs m
    in_machine m exc-instance-connect disable
    machine_stop m
    mkdir keys
    mv "$root"/etc/ssh/ssh_host_* keys/
    [[ ! -e $root/run/sshd && ! -e $root/proc/self ]]
    says "^\\+AuthorizedKeysCommand .* -- $_theirs %u\$" chroot "$root" exc-instance-connect enable --dry-run
    [[ ! -e $root$_drop_in ]]
    chroot "$root" exc-instance-connect enable
    grep -q -- "-- $_theirs %u\$" "$root$_drop_in"
    same 'root root 644' "$(stat -c '%U %G %a' "$root$_drop_in")"
    chroot "$root" exc-instance-connect disable
    [[ ! -e $root$_drop_in ]]
    chroot "$root" exc-instance-connect enable
    [[ ! -e $root/run/sshd ]]
    same '' "$(find "$root/run" "$root/tmp" -name '*exc-host*')"
    mv keys/* "$root/etc/ssh/"
    machine_boot m
    _both_log_in
}

# short: no
whatever_sshd_has_not_read_is_read_with_the_next_enable() {
    _machine
    install_debs m
    # Somebody replaces the file; the line that enable prints is added.
    in_machine m sed -i '/^Include/d' /etc/ssh/sshd_config
    in_machine m systemctl restart ssh.service
    fails_with "Include $_drop_in" in_machine m exc-instance-connect enable
    _prepend /etc/ssh/sshd_config "Include $_drop_in"
    push m alice ours
    refuses m alice ours
    fails_with '^failure +sshd-reloaded +/etc/ssh/sshd_config was changed' in_machine m exc-instance-connect doctor
    says '^Reloaded: ssh.service' in_machine m exc-instance-connect enable
    push m alice ours
    lets_in m alice ours
    fails says '^Reloaded' in_machine m exc-instance-connect enable
}

# short: no
one_reload_behind_the_other_ends_no_sshd() {
    local main
    _machine
    install_debs m
    main=$(property m ssh.service MainPID)
    for _ in 1 2 3 4 5 6 7 8; do
        in_machine m exc-instance-connect disable
        in_machine m exc-instance-connect enable
    done
    same "$main" "$(property m ssh.service MainPID)"
    same 0 "$(property m ssh.service NRestarts)"
    push m alice ours
    lets_in m alice ours
}

# Any configuration is read as the sshd of that machine reads it: enable itself compares that, and says where it differs.
# short: no
a_configuration_is_read_as_sshd_reads_it() {
    local root found
    _machine
    root=$(machine_root m)
    install_debs m
    /usr/bin/python3 - "$root/root/configs" <<'END'
import os
import random
import sys

lines = r"""AuthorizedKeysCommand /bin/a %u
AuthorizedKeysCommand=/bin/b  'x y' # c
	authorizedkeyscommand  =  /bin/c	
AuthorizedKeysCommand none
AuthorizedKeysCommandUser u1
AuthorizedKeysCommandUser="u2"
AuthorizedKeysCommandUser 'u 3' # x
  "AuthorizedKeysCommandUser" u4
AuthorizedKeysCommandUser u\ 5
Match User alice
Match User bob
Match User alice,bob # x
Match all
match=all
Match "all"
# comment

X11Forwarding no
"unclosed
Include more/1
Include more/2 more/3
Include /etc/ssh/more/*
Include "more/1" 'more/3' # more/2""".split("\n")
chosen = random.Random(1)
for number in range(150):
    for name in ("main", "1", "2", "3"):
        # No file includes one that may include it.
        some = [line for line in lines if name == "main" or "Include" not in line]
        path = f"{sys.argv[1]}/{number}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(chosen.choice(some) + "\n" for _ in range(chosen.randrange(7))))
END
    in_machine m sh -euc 'mkdir /etc/ssh/more
        for directory in /root/configs/*; do
            cp $directory/main /etc/ssh/sshd_config
            cp $directory/[123] /etc/ssh/more/
            sshd -t 2>/dev/null || continue
            echo taken
            status=0
            exc-instance-connect enable --dry-run >/root/said 2>&1 || status=$?
            if [ $status -eq 0 ]; then continue; fi
            if [ $status -eq 1 ] && grep -q "it would not be safe here" /root/said; then continue; fi
            echo "status $status"
            head -n 50 /root/said /etc/ssh/sshd_config /etc/ssh/more/*
        done' >found.txt
    fails grep -v '^taken$' found.txt
    found=$(wc -l <found.txt)
    ((found > 60))
}

# Its steps take some tens of milliseconds each.
# short: no
killed_at_any_moment_it_leaves_nothing_half_done() {
    local number
    _machine
    install_debs m
    in_machine m exc-instance-connect disable
    # What a whole one looks like.
    in_machine m exc-instance-connect enable
    in_machine m cp "$_drop_in" /root/whole
    in_machine m exc-instance-connect disable
    for ((number = 1; number <= 30; number++)); do
        in_machine m timeout -s KILL "0.$(printf %02d "$number")" exc-instance-connect enable || true
        in_machine m sshd -t
        in_machine m sh -euc "! test -e $_drop_in || cmp $_drop_in /root/whole"
        in_machine m timeout -s KILL "0.$(printf %02d "$number")" exc-instance-connect disable || true
        in_machine m sshd -t
        in_machine m sh -euc "! test -e $_drop_in || cmp $_drop_in /root/whole"
    done
    in_machine m exc-instance-connect enable
    same "$_drop_in" "$(in_machine m find /etc/ssh/sshd_config.d -name '*exc-*')"
    same '' "$(in_machine m find /run -maxdepth 1 -name 'exc-*' -type f)"
    same active "$(property m ssh.service ActiveState)"
    push m alice ours
    lets_in m alice ours
}

# short: no
nothing_is_written_where_it_cannot_be_or_must_not_be() {
    _machine
    install_debs m
    in_machine m exc-instance-connect disable
    # Two at a time.
    in_machine m sh -c 'exc-instance-connect enable & exc-instance-connect enable & wait'
    in_machine m exc-instance-connect disable
    in_machine m ln -s /etc/passwd "$_drop_in"
    fails_with 'is not a regular file' in_machine m exc-instance-connect enable
    fails_with 'is not a regular file' in_machine m exc-instance-connect disable
    in_machine m rm "$_drop_in"
    in_machine m install -o alice -m 0644 /dev/null "$_drop_in"
    fails_with 'does not belong to root' in_machine m exc-instance-connect enable
    in_machine m rm "$_drop_in"
    in_machine m chmod 0777 /etc/ssh/sshd_config.d
    fails_with 'can be written by others' in_machine m exc-instance-connect enable
    in_machine m chmod 0755 /etc/ssh/sshd_config.d
    # A file system that is full, and one that is read-only.
    in_machine m sh -euc 'mount -t tmpfs -o size=4k,mode=0755 tmpfs /etc/ssh/sshd_config.d
        head -c 4096 /dev/zero >/etc/ssh/sshd_config.d/full'
    fails_with 'nothing is changed: .*No space left' in_machine m exc-instance-connect enable
    same /etc/ssh/sshd_config.d/full "$(in_machine m find /etc/ssh/sshd_config.d -type f)"
    in_machine m rm /etc/ssh/sshd_config.d/full
    in_machine m mount -o remount,ro /etc/ssh/sshd_config.d
    fails_with 'nothing is changed: .*Read-only' in_machine m exc-instance-connect enable
    in_machine m umount /etc/ssh/sshd_config.d
    in_machine m rm -r /etc/ssh/sshd_config.d
    in_machine m exc-instance-connect enable
    push m alice ours
    lets_in m alice ours
}

# short: no
who_is_not_root_changes_nothing() {
    _machine
    install_debs m
    fails_with 'only root can' in_machine m setpriv --reuid=alice --regid=alice --clear-groups exc-instance-connect disable
    in_machine m test -e "$_drop_in"
}

# short: no
an_edited_drop_in_is_put_over_no_other_command() {
    local before lines
    _machine
    install_debs m
    _append "$_drop_in" '# by hand'
    apt_get m remove exc-instance-connect
    _file /etc/ssh/sshd_config.d/50-directory.conf "AuthorizedKeysCommand $_theirs %u" 'AuthorizedKeysCommandUser directory'
    _reload
    before=$(_effective)
    install_debs m >install.txt 2>&1
    cat install.txt
    grep -qF "$_aside has been edited, and does not run \"$_theirs %u\"" install.txt
    same "$before" "$(_effective)"
    _theirs_alone
    # As told.
    lines=$(sed -n 's/^    \(AuthorizedKeysCommand\)/\1/p' install.txt)
    in_machine m sed -i '/^AuthorizedKeysCommand/d' "$_aside"
    _append "$_aside" "$lines"
    in_machine m exc-instance-connect enable
    in_machine m grep -q 'by hand' "$_drop_in"
    _both_log_in
    # One that comes before it later.
    _file /etc/ssh/sshd_config.d/05-other.conf 'AuthorizedKeysCommand /bin/false %u' 'AuthorizedKeysCommandUser nobody'
    before=$(_effective)
    fails_with 'has been edited, and does not run "/bin/false %u"' in_machine m exc-instance-connect enable
    same "$before" "$(_effective)"
}

# short: no
a_second_sshd_that_is_to_run_no_command_is_left_alone() {
    _machine
    _second 'AuthorizedKeysCommand none' 'Include /etc/ssh/sshd_config.d/*.conf'
    install_debs m >install.txt 2>&1
    cat install.txt
    grep -qF 'sshd_config_second line 4: sshd-second.service runs no command' install.txt
    push m alice ours
    refuses m alice ours -p 2222
    lets_in m alice ours
}
