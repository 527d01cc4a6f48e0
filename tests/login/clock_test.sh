# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# Keys when a clock changes.

# A store of its own, by an agent that finds the wall clock synchronised or unsynchronised, with alice's key k in it for
# any number of connections.
_key_stored_by_a_clock() {
    own_agent "LD_PRELOAD=$preload" "TEST_CLOCK=$1"
    new_key k
    push alice k --connections 0
}

# An sshd whose helper sees the wall clock that many seconds ahead of all other programs.
_wall_clock_stepped_by() {
    start_sshd "AuthorizedKeysCommand $preloaded TEST_WALL_STEP=$1 $helper --runtime-dir $runtime %u %f %t %k"
}

# The same with the boot clock, moved by a time namespace, which leaves the wall clock alone.
_boot_clock_moved_by() {
    sshd_under=(unshare --time --boottime "$1" --fork --kill-child)
    start_sshd "AuthorizedKeysCommand $helper --runtime-dir $runtime %u %f %t %k"
}

a_key_stored_by_a_synchronised_clock_lets_in() {
    _key_stored_by_a_clock synchronised
    _wall_clock_stepped_by 0
    lets_in alice k
}

a_key_stored_by_a_synchronised_clock_ends_when_the_wall_clock_is_set_forward() {
    _key_stored_by_a_clock synchronised
    _wall_clock_stepped_by 3600
    refuses alice k
}

a_key_stored_by_a_synchronised_clock_ends_when_the_wall_clock_is_set_back() {
    _key_stored_by_a_clock synchronised
    _wall_clock_stepped_by -3600
    refuses alice k
}

a_key_stored_by_a_synchronised_clock_ends_with_another_boot_clock() {
    _key_stored_by_a_clock synchronised
    _boot_clock_moved_by 5
    refuses alice k
}

a_key_stored_by_an_unsynchronised_clock_lives_when_the_wall_clock_is_set() {
    _key_stored_by_a_clock unsynchronised
    _wall_clock_stepped_by 3600
    lets_in alice k
    _wall_clock_stepped_by -86400
    lets_in alice k
}

a_key_stored_by_an_unsynchronised_clock_lives_until_its_end_on_the_boot_clock() {
    _key_stored_by_a_clock unsynchronised
    _boot_clock_moved_by 5
    lets_in alice k
    _boot_clock_moved_by 100
    refuses alice k
}

a_key_has_ended_on_a_boot_clock_before_its_receipt() {
    _key_stored_by_a_clock unsynchronised
    _boot_clock_moved_by -20
    refuses alice k
}
