# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# From the host to a login: signed with exc-push, over the host's socket.

# A new store, an agent with these lines of configuration, and a new sshd. The agent trusts cloud.pem.
_own_guest() {
    own_config "$@"
    _trust cloud
    own_store
}

# _trust NAME: as NAME.pem. The file appears whole.
_trust() {
    trusted "$1" >anchor
    mv anchor "$config/trust.d/$1.pem"
}

# _pushes_signed_with NAME USER KEY [OPTION...]
_pushes_signed_with() {
    host push --signing-key "$cloud/$1.pem" --instance "$instance" --user "$2" --key "$3.pub" "${@:4}"
}

# The process that start_agent has started last, which becomes the agent.
_agent_process() {
    pgrep -P "$agent_pid" -f exc-instance-connect-agent
}

a_signed_push_lets_in_once() {
    new_key k
    signed push --user alice --key k.pub
    lets_in alice k
    refuses alice k
}

a_signed_push_has_its_limits() {
    new_key k
    signed push --user alice --key k.pub --source 127.0.0.2 --restrict --connections 2
    refuses alice k
    lets_in alice k -b 127.0.0.2
    same '' "$(ssh_in alice k -b 127.0.0.2 -W "127.0.0.1:$port")"
    refuses alice k -b 127.0.0.2
}

a_push_without_a_challenge_needs_a_synchronised_clock() {
    own_agent "LD_PRELOAD=$preload" TEST_CLOCK=synchronised
    start_sshd "AuthorizedKeysCommand $helper --runtime-dir $runtime %u %f %t %k"
    new_key k
    signed push --no-challenge --user alice --key k.pub
    lets_in alice k
}

a_replayed_envelope_frees_no_slot() {
    own_agent "LD_PRELOAD=$preload" TEST_CLOCK=synchronised
    start_sshd "AuthorizedKeysCommand $helper --runtime-dir $runtime %u %f %t %k"
    new_key k
    signed_ahead --user alice --key k.pub >envelope
    host push --envelope envelope --json | grep '"duplicate":false'
    lets_in alice k
    host push --envelope envelope --json | grep '"duplicate":true'
    refuses alice k
}

an_envelope_for_another_guest_is_refused() {
    new_key k
    instance=i-9876 guest_refuses WrongInstance signed push --user alice --key k.pub
    refuses alice k
}

# With no known_hosts but this one, and nobody to ask.
_ssh_that_knows() {
    ssh -F none -p "$port" -i k -o "UserKnownHostsFile=$1" -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes \
        -o IdentityAgent=none -o BatchMode=yes alice@127.0.0.1 id -un </dev/null
}

the_first_login_knows_the_guest_s_host_keys_from_the_push() {
    new_key k
    signed push --user alice --key k.pub --known-hosts "[127.0.0.1]:$port" >known_hosts
    : >empty
    fails _ssh_that_knows "$PWD/empty" 2>said
    grep 'Host key verification failed' said
    same alice "$(_ssh_that_knows "$PWD/known_hosts")"
}

# _with_a_key_of_its_own COMMAND: runs it in alice's session, with a key that is made for this. Prints the socket of the
# ssh-agent first.
_with_a_key_of_its_own() {
    install -d -m 0700 -o exc-instance-connect-relay xdg
    # shellcheck disable=SC2016 # for the inner shell
    XDG_RUNTIME_DIR=$PWD/xdg signed push --user alice --generate --known-hosts vm42 -- sh -c '
        test -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK" &&
            exec ssh -F "$1" -p "$2" -o IdentityAgent=SSH_AUTH_SOCK -o IdentitiesOnly=no -o HostKeyAlias=vm42 \
                -o "UserKnownHostsFile=$EXC_KNOWN_HOSTS" alice@127.0.0.1 "$3"' \
        sh "$world/etc/ssh_config" "$port" "$1" </dev/null
}

a_key_made_for_one_command_ends_with_it() {
    local status=0 socket
    _with_a_key_of_its_own 'id -un; exit 42' >said 2>errors || status=$?
    same "42 " "$status $(grep 'exc-push: ' errors || true)"
    same alice "$(sed -n 2p said)"
    socket=$(sed -n 1p said)
    same "$PWD/xdg" "$(dirname "$(dirname "$socket")")"
    same '' "$(ls -A xdg)"
    # No slot is left, though the key has not expired.
    admin list --json | grep '"connections":1,"claimed":1'
}

a_user_s_keys_are_revoked_from_the_host() {
    new_key k
    for user in alice bob; do signed push --user "$user" --key k.pub; done
    same '{"revoked":1}' "$(signed revoke --user alice --json)"
    refuses alice k
    lets_in bob k
}

a_fingerprint_is_revoked_from_the_host() {
    new_key k
    new_key other
    for user in alice bob; do signed push --user "$user" --key k.pub --key other.pub; done
    same '{"revoked":2}' "$(signed revoke --fingerprint "$(fingerprint k)" --json)"
    for user in alice bob; do
        refuses "$user" k
        lets_in "$user" other
    done
}

all_keys_are_revoked_from_the_host() {
    new_key k
    for user in alice bob; do signed push --user "$user" --key k.pub; done
    push alice k
    same '{"revoked":3}' "$(signed revoke --all --json)"
    for user in alice bob; do refuses "$user" k; done
}

a_forged_revocation_revokes_nothing() {
    new_key k
    new_signer forged
    signed push --user alice --key k.pub
    guest_refuses BadSignature host revoke --signing-key "$cloud/forged.pem" --instance "$instance" --all
    lets_in alice k
}

a_command_signs_in_place_of_a_key() {
    _own_guest
    new_signer kms P-256
    _trust kms
    new_key k
    host push --sign-command "openssl dgst -sha256 -sign $cloud/kms.pem /dev/stdin" --instance "$instance" \
        --user alice --key k.pub
    lets_in alice k
}

anchors_can_be_exchanged_while_the_agent_runs() {
    local process
    _own_guest
    new_signer next
    new_key k
    new_key l
    _pushes_signed_with cloud alice k
    process=$(_agent_process)
    guest_refuses BadSignature _pushes_signed_with next alice l
    _trust next
    _pushes_signed_with next alice l
    _pushes_signed_with cloud bob k
    ln -sf /dev/null "$config/trust.d/cloud.pem"
    guest_refuses BadSignature _pushes_signed_with cloud carol k
    _pushes_signed_with next carol l
    same "$process" "$(_agent_process)"
    # What was trusted when it came stays.
    lets_in alice k
    lets_in alice l
    lets_in carol l
    refuses carol k
}

a_damaged_anchor_affects_no_other() {
    _own_guest
    new_signer writable
    new_key k
    new_key l
    echo 'no key' >"$config/trust.d/broken.pem"
    trusted writable >"$config/trust.d/writable.pem"
    chmod 0666 "$config/trust.d/writable.pem"
    _pushes_signed_with cloud alice k
    guest_refuses BadSignature _pushes_signed_with writable alice l
    lets_in alice k
    refuses alice l
    grep 'broken\.pem' "$agent_log"
    grep 'writable\.pem' "$agent_log"
}

without_an_anchor_every_signature_is_untrusted() {
    _own_guest
    rm "$config/trust.d/cloud.pem"
    new_key k
    guest_refuses Untrusted signed push --user alice --key k.pub
    guest_refuses Untrusted signed revoke --all
    refuses alice k
}

the_guest_s_policy_applies_to_signed_pushes() {
    _own_guest DenyUsers=bob
    new_key k
    guest_refuses UserDenied signed push --user bob --key k.pub
    guest_refuses NoSuchUser signed push --user nobody-of-that-name --key k.pub
    refuses bob k
    signed push --user alice --key k.pub
    lets_in alice k
}

a_trusted_channel_needs_no_signature() {
    _own_guest Trust=channel
    new_signer forged
    new_key k
    new_key l
    guest_refuses BadSignature _pushes_signed_with forged alice l
    guest_refuses WrongInstance host push --unsigned --instance i-9876 --user alice --key l.pub
    host push --unsigned --instance "$instance" --user alice --key k.pub
    lets_in alice k
    refuses alice l
    same '{"revoked":1}' "$(host revoke --unsigned --instance "$instance" --all --json)"
}

an_untrusted_channel_needs_a_signature() {
    new_key k
    guest_refuses Untrusted host push --unsigned --instance "$instance" --user alice --key k.pub
    guest_refuses Untrusted host revoke --unsigned --instance "$instance" --all
    refuses alice k
}
