# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# Keys that let nobody in.

an_unknown_key_is_refused() {
    new_key k
    refuses alice k
}

another_user_is_refused_and_takes_no_slot() {
    new_key k
    push alice k
    refuses bob k
    lets_in alice k
}

an_expired_key_is_refused() {
    new_key k
    push alice k --ttl 1 --connections 0
    sleep 1
    refuses alice k
}

an_expired_key_that_was_not_removed_is_refused() {
    own_store
    new_key k
    # Long enough to end the agent before, also on a busy machine.
    push alice k --ttl 10 --connections 0
    kill "$agent_pid"
    sleep 10
    refuses alice k
    test -n "$(find store/keys -type f)"
}

a_key_revoked_by_its_fingerprint_is_refused() {
    new_key k
    new_key other
    push alice k
    push alice other
    admin revoke --fingerprint "$(fingerprint k)"
    refuses alice k
    lets_in alice other
}

a_key_revoked_by_its_user_is_refused() {
    own_store
    new_key k
    push alice k
    push bob k
    admin revoke --user alice
    refuses alice k
    lets_in bob k
}

every_key_is_refused_when_all_are_revoked() {
    own_store
    new_key k
    push alice k
    push bob k
    admin revoke --all
    refuses alice k
    refuses bob k
}

a_second_grant_of_a_key_is_not_revoked_by_the_end_of_the_first() {
    new_key k
    push alice k --ttl 1
    push alice k
    sleep 1
    lets_in alice k
    refuses alice k
}
