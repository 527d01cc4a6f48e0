# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# What a login test says.

# push USER KEY [OPTION...]: KEY is the file that new_key made.
push() {
    admin push --user "$1" --key "$2.pub" "${@:3}" >/dev/null
}

# signed COMMAND [OPTION...]: what the host's command does with the signature that the guest trusts.
signed() {
    host "$1" --signing-key "$cloud/cloud.pem" --instance "$instance" "${@:2}"
}

# signed_ahead [push|revoke] [OPTION...]: prints an envelope, which host push --envelope sends.
signed_ahead() {
    as_relay "$world/bin/exc-push" sign "$@" --signing-key "$cloud/cloud.pem" --instance "$instance"
}

# guest_refuses REFUSAL COMMAND...: the guest, for that reason.
guest_refuses() {
    local status=0
    "${@:2}" >guest.txt 2>&1 || status=$?
    if ((status >= 10)) && grep -q "the guest refused: $1: " guest.txt; then return; fi
    echo "not refused with $1: ${*:2}: status $status, $(<guest.txt)"
    return 1
}

# drops_nothing COMMAND...: a revocation that matches no key that is stored.
drops_nothing() {
    local status=0
    "$@" || status=$?
    same 4 "$status"
}

# lets_in USER KEY [SSH-OPTION...]
lets_in() {
    same "$1" "$(ssh_in "$@" id -un)"
}

# refuses USER KEY [SSH-OPTION...]: sshd, and for no other reason than the key.
refuses() {
    local status=0
    ssh_in "$@" true 2>refused.txt || status=$?
    if ((status == 255)) && grep -q 'Permission denied (publickey)\.' refused.txt; then return; fi
    echo "$1 is not refused with $2: status $status, $(<refused.txt)"
    return 1
}

# own_store [LINE...]: a store, an agent and an sshd for this test alone, which may then break them.
own_store() {
    # shellcheck disable=SC2119 # nothing of the test's
    own_agent
    start_sshd "$@" "AuthorizedKeysCommand $helper --runtime-dir $runtime %u %f %t %k"
}

# own_agent [NAME=VALUE...]: a store and an agent for this test alone, with this environment.
# shellcheck disable=SC2120
own_agent() {
    runtime=$PWD/store
    make_store "$runtime"
    start_agent "$runtime" "$@"
}

# own_config [LINE...]: a configuration for the agent that is started next: these lines, and no anchor.
own_config() {
    mkdir etc etc/trust.d
    { cat "$config/agent.conf" && printf '%s\n' "$@"; } >etc/agent.conf
    cp "$config/instance-id" etc/
    config=$PWD/etc
}
