# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
# short: by turns
#
# Certificate logins whose principals an AuthorizedPrincipalsCommand prints: enable keeps them, or changes nothing.
# OpenSSH before 9.4, as in Debian 12, ignores that command where an AuthorizedKeysCommand is set first.

_drop_in=/etc/ssh/sshd_config.d/10-exc-instance-connect.conf
_principals=/usr/libexec/principals

# Machine m, and the keys certified, with a certificate, and ours. The certificate's principal is no login name, so it
# lets alice in only where sshd runs the command.
_machine() {
    machine_start m "$suite"
    trusts_cloud m
    new_key authority
    new_key certified
    new_key ours
    ssh-keygen -q -s authority -I certified -n operators certified.pub
    cp authority.pub "$(machine_root m)/etc/ssh/authority.pub"
    _principals_command "$_principals"
}

# _principals_command PATH
_principals_command() {
    printf '%s\n' '#!/bin/sh' '[ "$1" != alice ] || echo operators' | in_machine m install -D -m 0755 /dev/stdin "$1"
}

# _configured LINE...: at the end of sshd_config, and read.
_configured() {
    printf '%s\n' "$@" >>"$(machine_root m)/etc/ssh/sshd_config"
    _restart
}

_restart() {
    in_machine m sshd -t
    in_machine m systemctl restart ssh.service
}

_with_certificates() {
    _configured 'TrustedUserCAKeys /etc/ssh/authority.pub' "AuthorizedPrincipalsCommand $_principals %u" \
        'AuthorizedPrincipalsCommandUser nobody'
}

_both_log_in() {
    lets_in m alice certified
    push m alice ours
    lets_in m alice ours
}

_effective() {
    in_machine m sshd -T
    in_machine m sshd -T -C user=alice,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22
}

_nothing_of_ours() {
    same '' "$(in_machine m find /etc/ssh /run -name '*exc-instance-connect.c*' -o -name 'exc-sshd*')"
}

# short: by turns
certificate_login_survives_enable() {
    local before
    _machine
    _with_certificates
    lets_in m alice certified
    before=$(_effective)
    install_debs m
    _both_log_in
    says '^Nothing to change' in_machine m exc-instance-connect enable
    says '^pass +sshd-settings' in_machine m exc-instance-connect doctor --all
    _both_log_in
    # Only an sshd that needs the lines has them twice.
    if [[ $suite == bookworm ]]; then
        in_machine m grep -q '^AuthorizedPrincipalsCommand ' "$_drop_in"
    else
        fails in_machine m grep -q '^AuthorizedPrincipals' "$_drop_in"
    fi
    in_machine m exc-instance-connect disable
    same "$before" "$(_effective)"
    _nothing_of_ours
    lets_in m alice certified
}

# short: no
upgrade_heals_a_drop_in_that_hides_the_principals_command() {
    _machine
    install_debs m
    _with_certificates
    if [[ $suite == bookworm ]]; then
        refuses m alice certified
        fails_with 'failure +sshd-settings .*authorizedprincipalscommand' in_machine m exc-instance-connect doctor
    fi
    install_debs m
    _both_log_in
    says '^pass +sshd-settings' in_machine m exc-instance-connect doctor --all
}

# short: no
changed_principals_command_is_followed() {
    _machine
    _with_certificates
    install_debs m
    lets_in m alice certified
    _principals_command "$_principals-new"
    in_machine m rm "$_principals"
    in_machine m sed -i "s|$_principals %u|$_principals-new %u|" /etc/ssh/sshd_config
    _restart
    if [[ $suite == bookworm ]]; then
        refuses m alice certified
        fails_with "failure +sshd-settings .*authorizedprincipalscommand .*$_principals %u.*$_principals-new %u" \
            in_machine m exc-instance-connect doctor
        says '^Written: ' in_machine m exc-instance-connect enable
    fi
    _both_log_in
    says '^pass +sshd-settings' in_machine m exc-instance-connect doctor --all
    # Without it, the copy goes as well.
    in_machine m sed -i '/^AuthorizedPrincipalsCommand/d' /etc/ssh/sshd_config
    _restart
    in_machine m exc-instance-connect enable
    fails in_machine m grep -q '^AuthorizedPrincipals' "$_drop_in"
    refuses m alice certified
}

# suites: bookworm
# short: no
principals_command_of_a_match_block_is_not_hidden() {
    local before
    _machine
    _configured 'TrustedUserCAKeys /etc/ssh/authority.pub' 'Match User alice' \
        '    Include /etc/ssh/sshd_config.d/exc-instance-connect.chain-1' \
        "    AuthorizedPrincipalsCommand $_principals %u" '    AuthorizedPrincipalsCommandUser nobody' \
        '    AuthorizedKeysCommand /bin/false %u' '    AuthorizedKeysCommandUser nobody'
    lets_in m alice certified
    before=$(_effective)
    install_debs m >install.txt 2>&1
    cat install.txt
    grep -q 'nothing is changed' install.txt
    grep -qF "Match User alice: authorizedprincipalscommand" install.txt
    _nothing_of_ours
    same "$before" "$(_effective)"
    lets_in m alice certified
    # As it says.
    in_machine m sed -i -e '/chain-1/d' -e '/PrincipalsCommandUser/a Include /etc/ssh/sshd_config.d/exc-instance-connect.chain-1' \
        /etc/ssh/sshd_config
    in_machine m exc-instance-connect enable
    _both_log_in
    in_machine m exc-instance-connect disable
    same "$before" "$(_effective)"
}

# An sshd that answers otherwise once our file is there.
# short: no
another_setting_that_changes_is_taken_back() {
    local before
    _machine
    _with_certificates
    before=$(_effective)
    in_machine m mv /usr/sbin/sshd /usr/sbin/sshd.real
    in_machine m install -m 0755 /dev/stdin /usr/sbin/sshd <<END
#!/bin/sh
if [ "\$1" != -T ] || [ ! -e $_drop_in ]; then exec /usr/sbin/sshd.real "\$@"; fi
/usr/sbin/sshd.real "\$@" | sed 's/^\(maxsessions\) .*/\1 1/i'
END
    install_debs m >install.txt 2>&1
    cat install.txt
    grep -qE 'nothing is changed, what was written is taken back: .*: maxsessions is "1" .*"10"' install.txt
    _nothing_of_ours
    same "$before" "$(_effective)"
    lets_in m alice certified
    push m alice ours
    refuses m alice ours
}
