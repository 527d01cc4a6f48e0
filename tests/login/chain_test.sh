# shellcheck shell=bash disable=SC2154,SC2016
# SPDX-License-Identifier: Apache-2.0
# Another AuthorizedKeysCommand after ours.

# _other BODY: a shell script of that body. Alice has the key `ours` in the store and `theirs` by the script, which writes
# to `ran_as` which user it ran as.
_other() {
    new_key ours
    new_key theirs
    push alice ours --connections 0
    install -m 0666 /dev/null ran_as
    printf '#!/bin/sh\nran_as=%s/ran_as key=%s/theirs.pub\nid -un >>$ran_as\n%s\n' "$PWD" "$PWD" "$1" >other
    chmod 0755 other
}

# _chain USER BODY: an sshd that runs the chain program as root, and after it such a script as USER.
_chain() {
    _other "$2"
    start_sshd "AuthorizedKeysCommand $chain --chain-user $1 %u %f %t %k -- $PWD/other %u" \
        'AuthorizedKeysCommandUser root'
}

_both_keys_work_as() {
    lets_in alice ours
    fails test -s ran_as
    lets_in alice theirs
    same "$1" "$(sort -u ran_as)"
}

both_keys_work_with_the_other_command_as_root() {
    _chain root '[ "$1" = alice ] && cat $key'
    _both_keys_work_as root
}

both_keys_work_with_the_other_command_as_nobody() {
    _chain nobody '[ "$1" = alice ] && cat $key'
    _both_keys_work_as nobody
}

both_keys_work_with_the_other_command_as_the_helper_s_user() {
    _chain exc-authorized-keys '[ "$1" = alice ] && cat $key'
    _both_keys_work_as exc-authorized-keys
}

both_keys_work_when_sshd_runs_the_chain_as_the_helper_s_user() {
    _other 'cat $key'
    start_sshd "AuthorizedKeysCommand $chain %u %f %t %k -- $PWD/other %u"
    _both_keys_work_as exc-authorized-keys
}

# An sshd may have read such a line before an upgrade, or an administrator may have written it.
both_keys_work_with_a_line_of_an_earlier_version() {
    _other 'cat $key'
    start_sshd "AuthorizedKeysCommand $helper --chain-user nobody %u %f %t %k -- $PWD/other %u" \
        'AuthorizedKeysCommandUser root'
    _both_keys_work_as nobody
    : >ran_as
    start_sshd "AuthorizedKeysCommand $helper %u %f %t %k -- $PWD/other %u"
    _both_keys_work_as exc-authorized-keys
}

a_line_of_an_earlier_version_opens_one_connection() {
    _other 'exit 0'
    start_sshd "AuthorizedKeysCommand $helper --chain-user nobody %u %f %t %k -- $PWD/other %u" \
        'AuthorizedKeysCommandUser root'
    new_key k
    push alice k
    lets_in alice k
    refuses alice k
}

our_key_works_with_a_line_of_an_earlier_version_and_no_chain_program() {
    _other 'cat $key'
    mkdir -m 0755 bin
    install -m 0711 "$helper" bin/
    start_sshd "AuthorizedKeysCommand $PWD/bin/exc-authorized-keys %u %f %t %k -- $PWD/other %u"
    lets_in alice ours
    refuses alice theirs
}

a_key_of_ours_still_opens_one_connection() {
    _chain nobody 'cat $key'
    new_key k
    push alice k
    lets_in alice k
    refuses alice k
}

ours_works_when_the_other_command_fails() {
    _chain nobody 'cat $key; exit 1'
    lets_in alice ours
    refuses alice theirs
}

ours_works_when_the_other_command_is_killed() {
    _chain nobody 'kill -9 $$'
    lets_in alice ours
    refuses alice theirs
}

ours_works_when_the_other_command_hangs_up_early() {
    _chain nobody 'exec >&-'
    lets_in alice ours
    refuses alice theirs
}

ours_works_when_the_other_command_is_missing() {
    _chain nobody ''
    rm other
    lets_in alice ours
    refuses alice theirs
}

a_command_that_others_can_write_is_not_run() {
    _chain nobody 'cat $key'
    chmod 0757 other
    lets_in alice ours
    refuses alice theirs
    fails test -s ran_as
}

# As sshd of Debian runs it.
a_command_that_the_group_root_can_write_is_run() {
    _chain nobody 'cat $key'
    chmod 0775 other
    lets_in alice theirs
    same nobody "$(sort -u ran_as)"
}

a_command_in_a_directory_of_somebody_else_is_not_run() {
    _chain nobody 'cat $key'
    chown bob .
    lets_in alice ours
    refuses alice theirs
    chown root .
    lets_in alice theirs
}

the_other_command_has_no_deadline() {
    _chain nobody 'sleep 3; cat $key'
    lets_in alice ours
    lets_in alice theirs
}

the_other_command_may_print_a_megabyte() {
    _chain nobody 'yes "# not a key" | head -c 1048576; echo; cat $key'
    lets_in alice ours
    lets_in alice theirs
}

the_other_command_gets_what_sshd_passes() {
    _chain nobody '{ grep ^Sig[BI] /proc/self/status; ls /proc/self/fd; id; pwd; umask; env; } >>$ran_as; cat $key'
    lets_in alice theirs
    cp ran_as through_us
    : >ran_as
    start_sshd "AuthorizedKeysCommand $PWD/other %u" 'AuthorizedKeysCommandUser nobody'
    lets_in alice theirs
    grep SigIgn ran_as
    same "$(sort ran_as)" "$(sort through_us)"
}

the_other_command_works_without_our_store() {
    _chain nobody 'cat $key'
    start_sshd 'AuthorizedKeysCommandUser root' \
        "AuthorizedKeysCommand $chain --runtime-dir $PWD/none --chain-user nobody %u %f %t %k -- $PWD/other %u"
    refuses alice ours
    lets_in alice theirs
}

the_other_command_works_without_the_helper() {
    _other 'cat $key'
    mkdir -m 0755 bin
    install -m 0711 "$chain" bin/
    start_sshd "AuthorizedKeysCommand $PWD/bin/exc-authorized-keys-chain --chain-user nobody %u %f %t %k -- $PWD/other %u" \
        'AuthorizedKeysCommandUser root'
    refuses alice ours
    lets_in alice theirs
}

the_other_command_works_with_wrong_options_of_ours() {
    _chain nobody 'cat $key'
    start_sshd "AuthorizedKeysCommand $chain --not-an-option %u %f %t %k -- $PWD/other %u" \
        'AuthorizedKeysCommandUser nobody'
    refuses alice ours
    lets_in alice theirs
}

the_other_command_is_not_run_as_root_when_its_user_is_unknown() {
    _chain nobody 'cat $key'
    start_sshd "AuthorizedKeysCommand $chain --chain-user nobody-of-that-name %u %f %t %k -- $PWD/other %u" \
        'AuthorizedKeysCommandUser root'
    lets_in alice ours
    refuses alice theirs
    fails test -s ran_as
}
