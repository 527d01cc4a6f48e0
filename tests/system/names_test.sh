# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: no
#
# An account that has several names, by a real name service module: a user is the account, whichever of them is used.

account=dana@corp.example
names=(dana DANA "$account")

_prepare() {
    local library
    need "${cc[0]}"
    machine_start m "$suite"
    library=$(in_machine m sh -c 'dirname /lib/*/libnss_files.so.2 /lib/*/libc.so.6 | tail -n 1')
    "${cc[@]}" -std=gnu17 -Wall -Wextra -Werror -shared -fPIC -o nss_alias.so "$system_tree/tests/system/nss_alias.c"
    in_machine m tee "$library/libnss_alias.so.2" <nss_alias.so >/dev/null
    in_machine m sed -i 's/^passwd:.*/passwd: files alias/' /etc/nsswitch.conf
    in_machine m install -d -m 0700 -o 1500 -g 1500 /home/dana
    same "$account" "$(in_machine m getent passwd dana | cut -d : -f 1)"
    install_debs m
    trusts_cloud m
    new_key k
}

# _admin COMMAND...
_admin() {
    in_machine m exc-instance-connect "$@"
}

# _dead: nothing is stored, and the key opens nothing.
_dead() {
    same '{"keys":[]}' "$(_admin list --json)"
    refuses m dana "$prepared/k"
}

# _pushed NAME: and nothing else is stored.
_pushed() {
    _admin revoke --all >/dev/null
    cp "$prepared"/{k,k.pub,cloud.pem} .
    push_signed m "$1" k
}

a_key_that_was_pushed_for_any_name_lets_in_under_each() {
    local pushed login
    for pushed in "${names[@]}"; do
        for login in "${names[@]}"; do
            _pushed "$pushed"
            same "$account" "$(ssh_in m "$login" k -- id -un)"
        done
    done
}

a_revocation_under_each_name_ends_a_key_that_was_pushed_for_any() {
    local pushed revoked
    for pushed in "${names[@]}"; do
        for revoked in "${names[@]}"; do
            _pushed "$pushed"
            same '{"revoked":1}' "$(_admin revoke --user "$revoked" --json)"
            _dead
            _pushed "$pushed"
            same '{"revoked":1}' "$(signed m revoke --user "$revoked" --json)"
            _dead
        done
    done
}

a_revocation_that_matches_nothing_says_which_names_it_looked_for() {
    local status=0
    _admin revoke --all >/dev/null
    _admin revoke --user dana >said 2>&1 || status=$?
    same "4 No stored key matched: user dana or $account." "$status $(<said)"
    status=0
    _admin revoke --user "$account" >said 2>&1 || status=$?
    same "4 No stored key matched: user $account." "$status $(<said)"
}

a_list_and_the_log_have_the_account_under_each_name() {
    local name
    _pushed dana
    for name in "${names[@]}"; do
        says "^$account " _admin list --user "$name"
    done
    same "$account" "$(ssh_in m DANA k -- id -un)"
    for name in "${names[@]}"; do
        says "accepted +$account from" _admin log --user "$name"
    done
}

doctor_says_of_each_name_that_it_can_log_in() {
    local name
    for name in "${names[@]}"; do
        says "^$name can log in with a pushed key\.$" _admin doctor --user "$name"
    done
}

# _check STATUS: prints the remedy of doctor's finding about refused system calls, where it has that status.
_check() {
    { _admin doctor --json || true; } | /usr/bin/python3 -c '
import json, sys
for check in json.load(sys.stdin)["checks"]:
    if (check["name"], check["status"]) == ("agent-calls", sys.argv[1]):
        print(check["remedy"] or "none")' "$1"
}

a_module_that_uses_the_network_needs_a_drop_in() {
    local remedy status=0
    same none "$(_check pass)"
    _admin push --user inet --key - <"$prepared/k.pub" >said 2>&1 || status=$?
    fails same 0 "$status"
    grep 'StorageFailure.*system call socket (' said || { cat said; false; }
    # Others are not affected.
    _admin push --user dana --key - <"$prepared/k.pub" >/dev/null
    remedy=$(_check warning)
    echo "$remedy"
    in_machine m sh -c "$remedy"
    _admin push --user inet --key - <"$prepared/k.pub"
    same none "$(_check pass)"
    _admin revoke --all >/dev/null
    in_machine m rm -r /etc/systemd/system/exc-instance-connect.service.d
    in_machine m systemctl daemon-reload
}
