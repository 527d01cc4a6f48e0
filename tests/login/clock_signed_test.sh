# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# Signed pushes when a clock of the guest is wrong. The host's clock is right.

year=31556952

# An agent that finds the wall clock synchronised or unsynchronised, and that many seconds ahead of the host's. Called
# again, it starts another one with the same store.
_guest_clock() {
    if [[ $runtime != "$PWD/store" ]]; then
        [[ -e k ]] || new_key k
        own_agent "LD_PRELOAD=$preload" "TEST_CLOCK=$1" "TEST_WALL_STEP=$2"
        return
    fi
    kill "$agent_pid"
    wait "$agent_pid" || true
    start_agent "$runtime" "LD_PRELOAD=$preload" "TEST_CLOCK=$1" "TEST_WALL_STEP=$2"
}

# An sshd whose helper sees the wall clock that many seconds ahead of the host's, and the boot clock ahead of the
# agent's.
_login_clocks() {
    sshd_under=()
    (($2 == 0)) || sshd_under=(unshare --time --boottime "$2" --fork --kill-child)
    start_sshd "AuthorizedKeysCommand $preloaded TEST_WALL_STEP=$1 $helper --runtime-dir $runtime %u %f %t %k"
}

_push() {
    signed push --user alice --key k.pub --connections 0 "$@"
}

_lives_by_the_challenge_of_a_guest() {
    local off=$1
    _guest_clock unsynchronised "$off"
    # What is left of it: less than all on a slow machine.
    _push --ttl 300 --json | grep -E '"expiresIn":(300|2[5-9][0-9]),'
    _login_clocks "$off" 0
    lets_in alice k
    _login_clocks "$off" 140
    lets_in alice k
    _login_clocks "$off" 300
    refuses alice k
}

a_challenge_needs_no_clock_in_a_guest_that_is_years_behind() {
    _lives_by_the_challenge_of_a_guest $((-40 * year))
}

a_challenge_needs_no_clock_in_a_guest_that_is_years_ahead() {
    _lives_by_the_challenge_of_a_guest $((20 * year))
}

without_a_challenge_an_unsynchronised_clock_is_not_used() {
    local off
    for off in 0 $((-40 * year)) $((20 * year)); do
        _guest_clock unsynchronised "$off"
        guest_refuses ClockUnsynchronized _push --no-challenge
        guest_refuses ClockUnsynchronized signed revoke --no-challenge --all
    done
    same '' "$(ls -A "$runtime/keys")"
}

without_a_challenge_a_wrong_clock_refuses_the_push() {
    _guest_clock synchronised -60
    guest_refuses NotYetValid _push --no-challenge
    _guest_clock synchronised 61
    guest_refuses Expired _push --no-challenge
    # A few seconds are nothing.
    _guest_clock synchronised -20
    _push --no-challenge
    _login_clocks -20 0
    lets_in alice k
}

without_a_challenge_the_key_ends_at_the_signed_time() {
    # By the boot clock, from when it came, it would have 100 seconds.
    _guest_clock synchronised 50
    _push --no-challenge --valid-for 100
    _login_clocks 70 20
    lets_in alice k
    _login_clocks 100 50
    refuses alice k
}

_ends_with_a_step_of_the_wall_clock() {
    local step
    _guest_clock synchronised 0
    _push --ttl 200 "$@"
    _login_clocks 0 0
    lets_in alice k
    for step in 3600 -3600; do
        _login_clocks "$step" 0
        refuses alice k
    done
}

a_key_pushed_with_a_challenge_ends_when_the_clock_is_set() {
    _ends_with_a_step_of_the_wall_clock
}

a_key_pushed_without_a_challenge_ends_when_the_clock_is_set() {
    _ends_with_a_step_of_the_wall_clock --no-challenge
}

the_first_synchronisation_after_boot_ends_no_key() {
    _guest_clock unsynchronised $((-40 * year))
    _push --ttl 200
    _guest_clock synchronised 0
    same 1 "$(host status --json | sed 's/.*"keys":\([0-9]*\),.*/\1/')"
    _login_clocks 0 0
    lets_in alice k
    _login_clocks 0 200
    refuses alice k
}

_drops_nothing_signed() {
    drops_nothing signed "$@"
}

# _delayed_until_after REVOKE OPTION...: a push that was signed before that revocation arrives after it; then one that
# was signed after it.
_delayed_until_after() {
    _guest_clock synchronised 0
    signed_ahead --user alice --key k.pub >held
    "$1" revoke "${@:2}"
    guest_refuses Expired host push --envelope held
    # The memory of it is not the agent's alone.
    _guest_clock synchronised 0
    guest_refuses Expired host push --envelope held
    _login_clocks 0 0
    refuses alice k
    # Times are signed in seconds.
    sleep 1
    signed_ahead --user alice --key k.pub >later
    host push --envelope later
    lets_in alice k
}

a_push_delayed_until_its_fingerprint_was_revoked_is_refused() {
    new_key k
    _delayed_until_after _drops_nothing_signed --fingerprint "$(fingerprint k)"
}

a_push_delayed_until_its_user_was_revoked_is_refused() {
    _delayed_until_after _drops_nothing_signed --user alice
}

a_push_delayed_until_all_was_revoked_is_refused() {
    _delayed_until_after signed --all
}

a_push_delayed_until_another_key_was_revoked_is_stored() {
    _guest_clock synchronised 0
    new_key other
    signed_ahead --user alice --key k.pub >held
    drops_nothing signed revoke --user bob
    drops_nothing signed revoke --fingerprint "$(fingerprint other)"
    host push --envelope held
    _login_clocks 0 0
    lets_in alice k
}

a_revocation_of_delayed_pushes_needs_no_clock() {
    _guest_clock synchronised 0
    signed_ahead --user alice --key k.pub >held
    _guest_clock unsynchronised $((-40 * year))
    signed revoke --all
    _guest_clock synchronised 0
    guest_refuses Expired host push --envelope held
}
