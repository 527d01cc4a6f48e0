# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What tests in shell expect: of any command, and of logins, in the world (world.sh) or on a machine (tests/system). There
# the machine's name is the first argument, [M]; in the world there is none, and $target_arguments is 0.

# same EXPECTED FOUND
same() {
    [[ $1 == "$2" ]] || {
        echo "expected: $1"
        echo "found:    $2"
        return 1
    }
}

# fails COMMAND...
fails() {
    if "$@"; then
        echo "did not fail: $*"
        return 1
    fi
}

# says PATTERN COMMAND...: it succeeds, and a line of its output matches the regular expression.
says() {
    local found status=0
    found=$("${@:2}" 2>&1) || status=$?
    if ((status == 0)) && grep -qE -- "$1" <<<"$found"; then return; fi
    echo "does not say '$1': ${*:2}: status $status, $found"
    return 1
}

# fails_with PATTERN COMMAND...: it fails, and a line of its output matches.
fails_with() {
    local found status=0
    found=$("${@:2}" 2>&1) || status=$?
    if ((status != 0)) && grep -qE -- "$1" <<<"$found"; then return; fi
    echo "does not fail with '$1': ${*:2}: status $status, $found"
    return 1
}

# guest_refuses REFUSAL COMMAND...: the guest's agent, for that reason.
guest_refuses() {
    local found status=0
    found=$("${@:2}" 2>&1) || status=$?
    # exc-push(1): refusals of a guest begin at 10.
    if ((status >= 10)) && grep -q "the guest refused: $1: " <<<"$found"; then return; fi
    echo "not refused with $1: ${*:2}: status $status, $found"
    return 1
}

# lets_in [M] USER KEY [SSH-OPTION...]: sshd accepts it, KEY being the file that new_key made, or "none".
lets_in() {
    same "${*:target_arguments+1:1}" "$(ssh_in "$@" -- id -un)"
}

# refuses [M] USER KEY [SSH-OPTION...]: sshd refuses it, for no other reason than the key.
refuses() {
    local status=0
    ssh_in "$@" -- true 2>refused.txt || status=$?
    if ((status == 255)) && grep -q 'Permission denied (publickey' refused.txt; then return; fi
    echo "not refused: $*: status $status, $(<refused.txt)"
    return 1
}
