# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# The limits of a key.

a_source_address_is_honoured() {
    new_key k
    push alice k --source 127.0.0.2 --connections 0
    refuses alice k
    lets_in alice k -b 127.0.0.2
}

one_of_several_source_ranges_is_enough() {
    new_key k
    push alice k --source 2001:db8::/32 --source 127.7.0.0/16 --connections 0
    lets_in alice k -b 127.7.8.9
    refuses alice k -b 127.8.8.9
}

# Prints what a forwarded connection to the same sshd yields: its first bytes.
_forwarded() {
    ssh_in alice k -W "127.0.0.1:$port" | head -c 7
}

_forwards_remotely() {
    ssh_in alice k -o ExitOnForwardFailure=yes -R "$PWD/remote:127.0.0.1:$port" true
}

# sshd makes the agent's socket in /tmp, which is the machine's.
_sshd_with_own_tmp() {
    # shellcheck disable=SC2034,SC2016
    sshd_under=(unshare --mount sh -c 'mount -t tmpfs tmp /tmp && exec "$@"' sh)
    start_sshd
}

_forwards_an_agent() {
    ssh-agent -a "$PWD/agent" -D >/dev/null &
    wait_for test -S agent
    # shellcheck disable=SC2016
    ssh_in alice k -A -o "IdentityAgent=$PWD/agent" 'test -S "$SSH_AUTH_SOCK"'
}

a_restricted_key_gives_a_shell_and_a_terminal() {
    new_key k
    push alice k --restrict --connections 0
    lets_in alice k
    same /dev/pts/ "$(ssh_in alice k -tt tty | head -c 9)"
}

a_restricted_key_forwards_nothing() {
    _sshd_with_own_tmp
    new_key k
    push alice k --restrict --connections 0
    same '' "$(_forwarded)"
    fails _forwards_remotely
    fails _forwards_an_agent
}

a_key_without_restriction_forwards() {
    _sshd_with_own_tmp
    install -d -o alice remote_of_alice
    new_key k
    push alice k --connections 0
    same SSH-2.0 "$(_forwarded)"
    ssh_in alice k -o ExitOnForwardFailure=yes -R "$PWD/remote_of_alice/socket:127.0.0.1:$port" true
    _forwards_an_agent
}

sshd_reads_the_helper_s_expiry_time() {
    start_sshd "AuthorizedKeysCommand $helper --expiry-time %u %f %t %k"
    new_key k
    push alice k
    "$helper" --expiry-time alice | grep 'expiry-time="[0-9]*Z" ssh-ed25519'
    lets_in alice k
}

sshd_reads_all_options_of_one_line() {
    start_sshd "AuthorizedKeysCommand $helper --expiry-time %u %f %t %k"
    new_key k
    push alice k --restrict --source 127.0.0.2 --source 2001:db8::/32
    lets_in alice k -b 127.0.0.2
}
