# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Used by all tests in shell, and by their runners.

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# The compiler, which may be several words: CC="ccache gcc".
# shellcheck disable=SC2034 # for tests and runners
read -ra cc <<<"${CC:-cc}"

# need PROGRAM...: a missing program is a failure, never a skipped test.
need() {
    local program missing=()
    for program; do command -v "$program" >/dev/null || missing+=("$program"); done
    ((${#missing[@]} == 0)) || die "not installed: ${missing[*]}"
}

# wait_for COMMAND...: repeats it until it succeeds, for 100 or $wait_seconds seconds at most; less and less often, because
# other tests need the processors.
wait_for() {
    local end=$((SECONDS + ${wait_seconds:-100})) never pause=20 seconds
    if "$@" 2>/dev/null; then return 0; fi
    # Reading from a pipe that nothing writes to is a sleep without a process.
    exec {never}<> <(:)
    while ((SECONDS <= end)); do
        printf -v seconds 0.%03d "$pause"
        read -rt "$seconds" -u "$never" || true
        if "$@" 2>/dev/null {never}<&-; then
            exec {never}<&-
            return 0
        fi
        pause=$((pause < 250 ? pause * 3 / 2 : pause))
    done
    exec {never}<&-
    echo "timeout waiting for: $*" >&2
    return 1
}

# wait_jobs: waits until the jobs in the background have ended. wait(1) without their numbers also waits for the last process
# substitution, and where that is gone already, at times for ever.
wait_jobs() {
    local job
    for job in $(jobs -p); do wait "$job" || true; done
}

# new_key FILE [TYPE [BITS]]
new_key() {
    rm -f "$1" "$1.pub"
    ssh-keygen -q -t "${2:-ed25519}" ${3:+-b "$3"} -N '' -C '' -f "$1"
}

# fingerprint FILE: prints it.
fingerprint() {
    ssh-keygen -l -f "$1" | cut -d ' ' -f 2
}
