# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# How many connections a key opens.

a_second_connection_is_refused() {
    new_key k
    push alice k
    lets_in alice k
    refuses alice k
}

one_connection_has_several_sessions() {
    new_key k
    push alice k
    ssh_in alice k -M -S "$PWD/master" -f -N
    lets_in alice none -S "$PWD/master"
    lets_in alice none -S "$PWD/master"
    refuses alice k
    ssh_in alice none -S "$PWD/master" -O exit
}

_tries() {
    if ssh_in alice k true 2>>refusals; then echo in >>in; fi
}

# Six clients at once, of which exactly one gets in.
_race() {
    local number clients=()
    rm -f in refusals
    for number in 1 2 3 4 5 6; do
        _tries &
        clients[number]=$!
    done
    wait "${clients[@]}"
    same in "$(<in)"
    same 5 "$(grep -c 'Permission denied (publickey)' refusals)"
}

one_of_six_racing_connections_gets_in() {
    local round rounds=50
    if [[ -n ${EXC_SHORT:-} ]]; then rounds=8; fi
    for ((round = 0; round < rounds; round++)); do
        admin revoke --all
        new_key k
        push alice k
        _race
    done
}

# 200 ms pass between seeing a free slot and taking it. ssh signs at once where it has no public key: so sshd asks once for
# each connection, and nothing would show afterwards which one was second.
one_of_six_connections_that_see_a_free_slot_gets_in() {
    start_sshd "AuthorizedKeysCommand $preloaded TEST_WRITE_DELAY=200000 $helper %u %f %t %k"
    ssh-keygen -q -t rsa -m PEM -N '' -C '' -f k
    push alice k
    rm k.pub
    _race
}

a_key_for_three_connections_opens_three() {
    new_key k
    push alice k --connections 3
    lets_in alice k
    lets_in alice k
    lets_in alice k
    refuses alice k
}

a_key_for_any_number_of_connections_opens_each() {
    local number
    new_key k
    push alice k --connections 0
    for number in 1 2 3 4 5 6; do lets_in alice k; done
}

the_same_key_pushed_twice_opens_two_connections() {
    new_key k
    push alice k
    push alice k
    lets_in alice k
    lets_in alice k
    refuses alice k
}

# _slow_agent NAME: an ssh-agent with the key k, which signs when NAME.go exists.
_slow_agent() {
    /usr/bin/python3 "$here/slow_agent.py" "$PWD/$1" k &
    wait_for test -S "$1"
}

# _asks NAME: a client that has asked about the key k and signs when NAME.go exists. Its output is in NAME.out.
_asks() {
    [[ -S $1 ]] || _slow_agent "$1"
    ssh_in alice none -o IdentitiesOnly=no -o "IdentityAgent=$PWD/$1" id -un >"$1.out" 2>&1 &
    client=$!
    wait_for test -e "$1.asked"
}

each_connection_keeps_its_slot_until_the_signature() {
    local first second
    new_key k
    push alice k
    push alice k
    _asks first
    first=$client
    _asks second
    second=$client
    refuses alice k
    touch second.go
    wait "$second"
    same alice "$(<second.out)"
    touch first.go
    wait "$first"
    same alice "$(<first.out)"
    refuses alice k
}

a_slot_without_a_signature_stays_taken() {
    new_key k
    push alice k
    _asks first
    kill "$client"
    refuses alice k
}

a_key_revoked_before_the_signature_is_refused() {
    new_key k
    push alice k
    _asks first
    admin revoke --fingerprint "$(fingerprint k)"
    touch first.go
    fails wait "$client"
    grep -q 'Permission denied (publickey)' first.out
}

_no_key_is_left() {
    [[ -z $(find "$runtime/keys" -type f) ]]
}

a_key_that_expires_before_the_signature_is_refused() {
    new_key k
    # Only the client has to be fast.
    _slow_agent first
    push alice k --ttl 10
    _asks first
    wait_for _no_key_is_left
    touch first.go
    fails wait "$client"
    grep -q 'Permission denied (publickey)' first.out
}
