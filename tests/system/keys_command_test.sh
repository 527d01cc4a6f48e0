# shellcheck shell=bash disable=SC2154,SC2016
# SPDX-License-Identifier: Apache-2.0
# short: trixie
# sshd and its AuthorizedKeysCommand: what sshd gives the command and what ours relies on; what sshd takes from it; and
# what becomes of logins when the command is not as it should be.

_directory=/usr/libexec/exc-instance-connect
_helper=$_directory/exc-authorized-keys
_arguments='%u %f %t %k'

# Alice has a key in her file too, $prepared/own. A command that writes down what it was given lies beside ours.
_prepare() {
    local root
    machine_start m "$suite"
    install_debs m
    root=$(machine_root m)
    new_key own
    install -d -m 0700 "$root/home/alice/.ssh"
    cp own.pub "$root/home/alice/.ssh/authorized_keys"
    in_machine m chown -R alice:alice /home/alice/.ssh
    cat >"$root$_directory/probe" <<'END'
#!/bin/sh
# Before anything is opened here, and by another shell: this one would redirect itself.
(ls -l /proc/$$/fd >/run/descriptors)
exec 3>>/run/probe/"${PPID}"
{
    echo "=run"
    i=0
    for word; do i=$((i + 1)) && echo "argument $i $word"; done
    grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp_filters|Umask|SigBlk|SigIgn):' /proc/self/status
    tr '\0' '\n' </proc/$$/environ | sed 's/^/environment /'
    # Without the script that this is, which the shell reads.
    sed -n '/probe$/!s/.* \([0-9]*\) -> /descriptor \1 /p' /run/descriptors
    echo "directory $(readlink /proc/$$/cwd)"
    echo "parent $PPID $(cat "/proc/$PPID/comm") $(sed 's/.*) //' "/proc/$PPID/stat" | cut -d ' ' -f 20)"
    echo "session $(cut -d ' ' -f 5,6 /proc/$$/stat)"
} >&3 2>&3
exit 0
END
    chmod 0755 "$root$_directory/probe"
    # Since 9.8 sshd shuts out an address that fails too often, and here all come from one.
    echo 'PerSourcePenalties no' | in_machine m tee /etc/ssh/sshd_config.d/05-no-penalties.conf >/dev/null
    in_machine m sshd -t 2>/dev/null || in_machine m rm /etc/ssh/sshd_config.d/05-no-penalties.conf
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
}

# _sshd_runs COMMAND USER [LINE...]: from the next connection on.
_sshd_runs() {
    local drop_in
    drop_in=$(machine_root m)/etc/ssh/sshd_config.d/10-exc-instance-connect.conf
    printf '%s\n' "AuthorizedKeysCommand $1" "AuthorizedKeysCommandUser $2" "${@:3}" >"$drop_in"
    in_machine m sshd -t
    in_machine m systemctl reload ssh
    # The listener has read it when it listens again, as another image of the same process.
    wait_for _sshd_has_read "$drop_in"
}

_sshd_has_read() {
    in_machine m sh -c 'journalctl -q -u ssh.service -o cat --since "@$(stat -c %Y '"${1#"$(machine_root m)"}"')" | grep -q "^Server listening"'
}

# What every test begins with: things as the package has them, and an empty store.
_sound() {
    _sound_again
    in_machine m exc-instance-connect revoke --all >/dev/null
}

# _probed: a login with the probe in our place. Leaves what it wrote in the file `given`, one connection's runs.
_probed() {
    in_machine m sh -c 'rm -rf /run/probe && install -d -m 1777 /run/probe && : >/run/descriptors && chmod 0666 /run/descriptors'
    _sshd_runs "$_directory/probe $_arguments" "${1:-exc-authorized-keys}" "${@:2}"
    new_key k
    refuses m alice k
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
    in_machine m sh -c 'cat /run/probe/*' >given
    grep -q =run given
}

_given() {
    grep -E "^$1" given | sort -u
}

# _others_get_in: whatever becomes of ours, alice's own file is asked first, and still works.
_others_get_in() {
    lets_in m alice "$prepared/own"
}

# _useless REASON: a key was pushed as k, and sshd does not run the command for that reason. The key is not used up:
# when the fault is fixed, it opens its one connection.
_useless() {
    local since
    since=$(in_machine m date +@%s)
    refuses m alice k
    _others_get_in
    wait_for _journal_says "$since" "$1"
    _sound_again
    lets_in m alice k
}

_journal_says() {
    in_machine m journalctl -q -t sshd -t sshd-session --since "$1" -o cat | grep -qE -- "$2"
}

# As _sound, but the store is kept.
_sound_again() {
    in_machine m sh -e -c "[ ! -e $_directory/away ] || mv $_directory/away $_helper
        chown root:root $_directory $_helper
        chmod 0755 $_directory
        chmod 0711 $_helper"
}

_pushed() {
    _sound
    new_key k
    push m alice k
}

# --- what sshd gives ------------------------------------------------------------------------------------------------

it_is_given_the_user_the_fingerprint_the_type_and_the_key() {
    _probed
    same "$(printf 'argument %s\n' '1 alice' "2 $(fingerprint k.pub)" '3 ssh-ed25519' "4 $(cut -d ' ' -f 2 k.pub)")" \
        "$(_given argument)"
}

# short: no
a_fingerprint_by_md5_is_given_as_one_and_ours_finds_the_key_all_the_same() {
    _probed exc-authorized-keys 'FingerprintHash md5'
    same 1 "$(_given 'argument 2 MD5:' | wc -l)"
    _pushed
    _sshd_runs "$_helper $_arguments" exc-authorized-keys 'FingerprintHash md5'
    lets_in m alice k
    refuses m alice k
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
}

it_is_the_helper_s_user_in_every_way() {
    local uid gid
    uid=$(in_machine m id -u exc-authorized-keys) gid=$(in_machine m id -g exc-authorized-keys)
    _probed
    same "$(printf 'Uid:\t%s\t%s\t%s\t%s' "$uid" "$uid" "$uid" "$uid")" "$(_given Uid)"
    same "$(printf 'Gid:\t%s\t%s\t%s\t%s' "$gid" "$gid" "$gid" "$gid")" "$(_given Gid)"
    # And in no group of root's, nor of the user who logs in.
    same "Groups: $gid" "$(_given Groups | tr '\t' ' ' | sed 's/ *$//')"
}

its_environment_is_a_path_and_a_user_s_and_nothing_of_the_client_s() {
    in_machine m mkdir -p /run/systemd/system/ssh.service.d
    printf '%s\n' '[Service]' 'Environment=LD_PRELOAD=/nowhere.so LD_LIBRARY_PATH=/tmp EVIL=1 LANG=C.UTF-8' |
        in_machine m tee /run/systemd/system/ssh.service.d/odd.conf >/dev/null
    in_machine m systemctl daemon-reload
    in_machine m systemctl restart ssh
    _probed
    in_machine m rm -r /run/systemd/system/ssh.service.d
    in_machine m systemctl daemon-reload
    in_machine m systemctl restart ssh
    same "$(printf '%s\n' HOME LANG LOGNAME PATH USER)" "$(_given environment | sed 's/^environment //; s/=.*//')"
    _given 'environment USER=exc-authorized-keys$' | grep -q .
    _given 'environment LOGNAME=exc-authorized-keys$' | grep -q .
    _given 'environment PATH=/' | grep -q .
}

# What it writes to standard error is lost: the connection's own process has it on /dev/null too.
# short: no
its_descriptors_are_null_a_pipe_and_null() {
    _probed
    same 'descriptor 0 /dev/null' "$(_given 'descriptor 0')"
    _given 'descriptor 1 pipe:' | grep -q .
    same 'descriptor 2 /dev/null' "$(_given 'descriptor 2')"
    same '' "$(_given 'descriptor ([3-9]|[0-9]{2,})')"
}

# short: no
it_runs_in_the_root_directory_with_default_signals_and_a_plain_umask() {
    _probed
    same 'directory /' "$(_given directory)"
    same 'Umask: 0022' "$(_given Umask | tr '\t' ' ')"
    same 'SigBlk: 0000000000000000' "$(_given SigBlk | tr '\t' ' ')"
    same 'SigIgn: 0000000000000000' "$(_given SigIgn | tr '\t' ' ')"
}

# short: no
it_is_under_no_filter_of_sshd_s() {
    _probed
    same 'NoNewPrivs: 0' "$(_given NoNewPrivs | tr '\t' ' ')"
    # Those that the machine itself is under, and no more.
    same "$(in_machine m grep Seccomp_filters: /proc/1/status)" "$(_given Seccomp_filters)"
}

its_parent_is_the_connection_s_own_process_and_no_other_s() {
    local name=sshd
    [[ $suite == bookworm ]] || name=sshd-session
    _probed
    grep -qE "^parent [0-9]+ $name [0-9]+$" given
    # One client that asks about three keys is one connection, which is one parent.
    in_machine m sh -c 'rm -rf /run/probe && install -d -m 1777 /run/probe && : >/run/descriptors && chmod 0666 /run/descriptors'
    _sshd_runs "$_directory/probe $_arguments" exc-authorized-keys
    new_key a
    new_key b
    new_key c
    refuses m alice a -i b -i c
    same 1 "$(in_machine m sh -c 'ls /run/probe' | wc -l)"
    same 3 "$(in_machine m sh -c 'cat /run/probe/*' | grep -c '^=run')"
    same 1 "$(in_machine m sh -c 'cat /run/probe/*' | grep '^parent' | sort -u | wc -l)"
    # Another is another.
    refuses m alice a
    same 2 "$(in_machine m sh -c 'ls /run/probe' | wc -l)"
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
}

one_login_runs_it_twice_in_one_connection_and_has_one_place() {
    local runs
    _pushed
    # The same command, and a note of each time it is run.
    printf '%s\n' '#!/bin/sh' 'echo $PPID >>/run/runs' "exec $_helper \"\$@\"" >"$(machine_root m)$_directory/counted"
    chmod 0755 "$(machine_root m)$_directory/counted"
    in_machine m sh -c ': >/run/runs && chmod 0666 /run/runs'
    _sshd_runs "$_directory/counted $_arguments" exc-authorized-keys
    lets_in m alice k
    runs=$(in_machine m cat /run/runs)
    same 2 "$(wc -l <<<"$runs")"
    same 1 "$(sort -u <<<"$runs" | wc -l)"
    refuses m alice k
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
}

# short: no
it_is_not_run_for_who_may_not_log_in_anyway_nor_where_the_user_s_file_has_the_key() {
    in_machine m sh -c 'rm -rf /run/probe && install -d -m 1777 /run/probe && : >/run/descriptors && chmod 0666 /run/descriptors'
    _sshd_runs "$_directory/probe $_arguments" exc-authorized-keys 'DenyUsers bob'
    new_key k
    refuses m bob k
    refuses m nobody-at-all k
    _others_get_in
    same '' "$(in_machine m ls /run/probe)"
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
}

# --- what sshd asks of the program and its path -----------------------------------------------------------------------

a_helper_that_anybody_can_write_is_not_run_and_loses_no_key() {
    _pushed
    in_machine m chmod 0777 "$_helper"
    _useless "Unsafe AuthorizedKeysCommand.*: bad ownership or modes for file $_helper"
}

# short: no
a_helper_that_a_group_with_others_in_it_can_write_is_not_run() {
    _pushed
    in_machine m sh -c 'getent group writers >/dev/null || { groupadd writers && usermod -aG writers alice; }'
    in_machine m chgrp writers "$_helper"
    in_machine m chmod 0775 "$_helper"
    _useless "Unsafe AuthorizedKeysCommand.*: bad ownership or modes for file $_helper"
}

# short: no
a_helper_of_somebody_else_is_not_run() {
    _pushed
    in_machine m chown alice "$_helper"
    _useless "Unsafe AuthorizedKeysCommand.*: bad ownership or modes for file $_helper"
}

# short: no
a_helper_of_its_own_user_is_not_run_either() {
    _pushed
    in_machine m chown exc-authorized-keys "$_helper"
    _useless "Unsafe AuthorizedKeysCommand.*: bad ownership or modes for file $_helper"
}

# short: no
a_helper_in_a_directory_that_anybody_can_write_is_not_run() {
    _pushed
    in_machine m chmod 0777 "$_directory"
    _useless "Unsafe AuthorizedKeysCommand.*: bad ownership or modes for directory $_directory"
}

# short: no
a_helper_in_a_directory_of_somebody_else_is_not_run() {
    _pushed
    in_machine m chown alice "$_directory"
    _useless "Unsafe AuthorizedKeysCommand.*: bad ownership or modes for directory $_directory"
}

# short: no
a_helper_that_cannot_be_executed_takes_nobody_else_s_way_in() {
    _pushed
    in_machine m chmod 0700 "$_helper"
    _useless 'AuthorizedKeysCommand .* failed, status 127'
}

a_helper_that_is_not_there_takes_nobody_else_s_way_in() {
    _pushed
    in_machine m mv "$_helper" "$_directory/away"
    _useless "Could not stat AuthorizedKeysCommand .*$_helper.*: No such file or directory|Unsafe AuthorizedKeysCommand"
}

the_package_s_own_modes_are_such_that_sshd_runs_it_and_its_user_cannot_read_it() {
    _pushed
    same '711 root root' "$(in_machine m stat -c '%a %U %G' "$_helper")"
    lets_in m alice k
    fails in_machine m runuser -u exc-authorized-keys -- cat "$_helper" 2>/dev/null
}

# --- the user that sshd runs it as --------------------------------------------------------------------------------------

started_as_root_it_becomes_its_own_user_before_it_looks_at_the_store() {
    local uid
    _pushed
    uid=$(in_machine m id -u exc-authorized-keys)
    _sshd_runs "$_helper $_arguments" root
    lets_in m alice k
    refuses m alice k
    wait_for _claimed_by "$uid"
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
}

_claimed_by() {
    in_machine m journalctl -q "_UID=$1" MESSAGE_ID=1281102fdec785c67f97d2aedf0d9e34 \
        "EXC_FINGERPRINT=$(fingerprint k.pub)" | grep -q .
}

# short: no
as_a_stranger_it_gives_nothing_and_stands_in_nobody_s_way() {
    _pushed
    _sshd_runs "$_helper $_arguments" nobody
    refuses m alice k
    _others_get_in
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
    lets_in m alice k
}

a_user_that_does_not_exist_takes_nobody_else_s_way_in() {
    _pushed
    _sshd_runs "$_helper $_arguments" no-such-user
    refuses m alice k
    _others_get_in
    _sshd_runs "$_helper $_arguments" exc-authorized-keys
    lets_in m alice k
}

# short: no
without_a_user_sshd_does_not_even_take_the_configuration() {
    printf 'AuthorizedKeysCommand %s\n' "$_helper $_arguments" | in_machine m tee /run/sshd_config >/dev/null
    fails_with 'AuthorizedKeysCommandUser' in_machine m sshd -t -f /run/sshd_config
}

# --- what ours does when it is run in odd ways ----------------------------------------------------------------------------

# _ours COMMAND...: runs ours by these words, as its user, about the key k. Leaves what it printed in `printed`; its status
# must be 0.
_ours() {
    # The shell stays, as sshd does: a parent there must be.
    in_machine m sh -c 'setpriv --reuid=exc-authorized-keys --regid=exc-authorized-keys --init-groups -- "$@"; exit $?' ours \
        "$@" "$_helper" alice "$(fingerprint k.pub)" ssh-ed25519 "$(cut -d ' ' -f 2 k.pub)" >printed
}

# A key for any number of connections, so that each way can be tried with the same.
_pushed_for_all() {
    _sound
    new_key k
    push m alice k --connections 0 --ttl 300
}

_gives_the_key() {
    _ours "$@"
    grep -qF "$(cut -d ' ' -f 1,2 k.pub)" printed
}

_gives_nothing() {
    _ours "$@"
    same '' "$(<printed)"
}

# short: no
no_environment_at_all_changes_nothing() {
    _pushed_for_all
    _gives_the_key env -i
    _gives_the_key env -i TZ=Pacific/Kiritimati LC_ALL=tr_TR.UTF-8 LANG=xx USER=root HOME=/nowhere PATH=
}

# short: no
a_library_in_the_environment_is_only_for_a_program_that_the_user_could_run_anyway() {
    # sshd passes none on. Here its own user does, and gets no more than it has.
    _pushed_for_all
    _gives_the_key env LD_PRELOAD=/nowhere.so LD_LIBRARY_PATH=/tmp 2>/dev/null
    same '' "$(in_machine m find "$_helper" -perm /6000)"
}

# short: no
blocked_and_ignored_signals_change_nothing() {
    _pushed_for_all
    _gives_the_key env --block-signal --ignore-signal=ALRM --ignore-signal=PIPE --ignore-signal=CHLD
    _gives_the_key env --ignore-signal
}

# short: no
a_reader_that_has_gone_or_a_full_disk_is_no_failure() {
    _pushed_for_all
    _ours sh -c '"$@" >/dev/full' full
    _ours sh -c '"$@" >&-' closed
    _ours sh -c 'set -e; { sleep 1; "$@" || echo "status $?" >&2; } | true' gone 2>complaints
    same '' "$(grep status complaints || true)"
}

# short: no
closed_descriptors_are_no_failure() {
    _pushed_for_all
    _gives_the_key sh -c '"$@" <&-' closed
    _gives_the_key sh -c '"$@" 2>&-' closed
    _gives_the_key sh -c '"$@" <&- 2>&-' closed
    _ours sh -c '"$@" <&- >&- 2>&-' closed
}

limits_that_leave_it_no_room_are_no_failure() {
    _pushed_for_all
    _gives_nothing sh -c 'ulimit -n 4; exec "$@"' few
    _gives_the_key sh -c 'ulimit -n 16; exec "$@"' enough
    _gives_the_key sh -c 'ulimit -c 0; ulimit -s 256; exec "$@"' stack
}

# short: no
wrong_arguments_are_no_failure_and_give_nothing() {
    local arguments
    _pushed_for_all
    while read -r -a arguments; do
        in_machine m runuser -u exc-authorized-keys -- "$_helper" "${arguments[@]}" </dev/null >printed 2>/dev/null
        same '' "$(<printed)"
    done <<END

alice SHA256:x
alice $(fingerprint k.pub) ssh-ed25519 AAAA
alice $(fingerprint k.pub) ssh-rsa $(cut -d ' ' -f 2 k.pub)
bob $(fingerprint k.pub) ssh-ed25519 $(cut -d ' ' -f 2 k.pub)
../alice $(fingerprint k.pub) ssh-ed25519 $(cut -d ' ' -f 2 k.pub)
alice ../../alice ssh-ed25519 $(cut -d ' ' -f 2 k.pub)x
--no-such-option alice $(fingerprint k.pub)
alice $(fingerprint k.pub) ssh-ed25519 $(cut -d ' ' -f 2 k.pub) more
END
    in_machine m runuser -u exc-authorized-keys -- "$_helper" "$(printf '%0100000d' 7)" >printed 2>/dev/null
    same '' "$(<printed)"
}

its_store_gone_is_no_failure() {
    _pushed_for_all
    in_machine m chmod 0700 /run/exc-instance-connect
    _gives_nothing env
    _others_get_in
    in_machine m chmod 0755 /run/exc-instance-connect
    lets_in m alice k
}
