# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What all tests in shell use.

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# need PROGRAM...: a missing one is a failure, never a skipped test.
need() {
    local program missing=()
    for program; do command -v "$program" >/dev/null || missing+=("$program"); done
    ((${#missing[@]} == 0)) || die "not installed: ${missing[*]}"
}

# wait_for COMMAND...: until it succeeds, 100 seconds or $wait_seconds at most.
wait_for() {
    local end=$((SECONDS + ${wait_seconds:-100}))
    while ((SECONDS <= end)); do
        if "$@" 2>/dev/null; then return 0; fi
        sleep 0.02
    done
    echo "in vain waited for: $*" >&2
    return 1
}

# new_key FILE [TYPE [BITS]]
new_key() {
    rm -f "$1" "$1.pub"
    ssh-keygen -q -t "${2:-ed25519}" ${3:+-b "$3"} -N '' -C '' -f "$1"
}

fingerprint() {
    ssh-keygen -l -f "$1" | cut -d ' ' -f 2
}

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
