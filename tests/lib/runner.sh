# shellcheck shell=bash disable=SC2034,SC2164
# SPDX-License-Identifier: Apache-2.0
#
# Runs tests in shell, for tests/login/run and tests/system/run.
#
# A test is a function in a file *_test.sh, named after the behaviour that it shows; functions whose names begin with _ are
# there for the tests of their file. Each test runs in a shell of its own, in an empty directory, and fails with the first
# command that fails. Of a test that passes, the lines of output that begin with "# " are shown.
#
# Marks are comment lines right before a function, or, for all tests of the file, in the comment at its head:
#
#   # suites: trixie     only on these releases
#   # short: by turns    in the short form each test runs on one of its releases, the tests of the file by turns
#   # short: both        in the short form it runs on each of them, as without a mark
#   # short: trixie      in the short form it runs on this release only
#   # short: no          in the short form it does not run
#   # needs: landlock    it does not run with EXC_WITHOUT=landlock (world.sh); there may be several
#
# The short form is that with EXC_SHORT set, as ./dev check does without --whole.

# select_tests PATTERN FILE SUITE...: prints "SUITE NAME" of each test that is to run. PATTERN is a regular expression that
# matches SUITE/NAME or SUITE/FILE. A directory without releases has one suite, named after itself.
select_tests() {
    local pattern=$1 file=${2##*/} suite name
    awk -v suites="${*:3}" -v short="${EXC_SHORT:-}" -v without="${EXC_WITHOUT:-}" '
        BEGIN { n_suites = split(suites, suite) }
        function value(mark) { return mark in of_test ? of_test[mark] : of_file[mark] }
        /^# (suites|short|needs): / {
            mark = substr($2, 1, length($2) - 1)
            of_test[mark] = substr($0, length(mark) + 5)
            next
        }
        /^[a-z0-9_]+\(\) \{$/ && !/^_/ {
            name = substr($0, 1, index($0, "(") - 1)
            on = " " (value("suites") ? value("suites") : suites) " "
            if (without && index(" " value("needs") " ", " " without " ")) on = ""
            mark = short ? value("short") : ""
            if (mark == "by turns" && on == " " suites " ") on = " " suite[1 + turns++ % n_suites] " "
            else if (mark == "no" || (on && index(" " suites " ", " " mark " "))) on = " " mark " "
            for (i = 1; i <= n_suites; i++) if (index(on, " " suite[i] " ")) print suite[i], name
        }
        /^[a-z0-9_]+\(\) \{$/ { in_body = 1 }
        /^#/ { next }
        !in_body { for (mark in of_test) of_file[mark] = of_test[mark] }
        { split("", of_test) }' "$2" |
        while read -r suite name; do
            [[ ! $suite/$name =~ $pattern && ! $suite/$file =~ $pattern ]] || echo "$suite $name"
        done
}

# results_begin DIRECTORY: where results are counted, also by workers in other namespaces, which get it in $results.
results_begin() {
    export results=$1
    mkdir -p "$results"
    : >"$results/list"
    echo 0 >"$results/next"
}

# results_next: prints another number for each caller, from 1 on.
results_next() {
    local number
    (
        flock 8
        number=$(($(<"$results/next") + 1))
        echo "$number" | tee "$results/next"
    ) 8>"$results/lock"
}

# report LABEL STATUS LOG START: prints the result of a test with its output, in one piece.
report() {
    local result=ok seconds
    seconds=$(awk -v from="$4" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }')
    (($2 == 0)) || result='not ok'
    if (($2 == 124 || $2 == 137)); then echo "timeout" >>"$3"; fi
    (
        flock 8
        echo "$result" >>"$results/list"
        echo "$result $(wc -l <"$results/list") - ${1//_/ } ($seconds s)"
        if (($2 == 0)); then sed -n 's/^# /    # /p' "$3"; else sed 's/^/    /' "$3"; fi
    ) 8>"$results/lock"
}

# summary [DIED]: how many passed and failed; DIED is the number of workers that ended early.
summary() {
    local passed failed
    passed=$(grep -cx ok "$results/list" || true)
    failed=$(($(grep -cx 'not ok' "$results/list" || true) + ${1:-0}))
    if ((${1:-0} > 0)); then echo "not ok - $1 workers ended early"; fi
    echo "$passed passed, $failed failed"
    ((failed == 0 && passed > 0))
}

# run_test SECONDS LOG COMMAND...: leaves $status.
run_test() {
    status=0
    timeout --kill-after=5 "$1" "${@:3}" >"$2" 2>&1 </dev/null || status=$?
}

# in_test_shell DIRECTORY FILE FUNCTION: the test itself, in the shell that run_test started.
in_test_shell() {
    mkdir -p "$1"
    cd "$1"
    # shellcheck source=/dev/null
    . "$2"
    set -E
    trap 'failed_command "$BASH_COMMAND" "$LINENO"' ERR
    "$3"
}

# failed_command COMMAND LINE: prints it, with the lines of the test that lead there.
failed_command() {
    local depth
    echo "failed: ${1%%$'\n'*}" >&2
    echo "    line $2 of ${BASH_SOURCE[1]##*/}" >&2
    for ((depth = 1; depth < ${#FUNCNAME[@]} - 1; depth++)); do
        [[ ${BASH_SOURCE[depth + 1]} != *_test.sh ]] ||
            echo "    line ${BASH_LINENO[depth]} of ${BASH_SOURCE[depth + 1]##*/}" >&2
    done
    trap - ERR
}

# at_most N COMMAND...: runs it in the background when fewer than N commands do. $died counts those that failed.
running=0 died=0
at_most() {
    if ((running >= $1)); then
        wait -n || died=$((died + 1))
        running=$((running - 1))
    fi
    "${@:2}" &
    running=$((running + 1))
}

wait_for_all() {
    while ((running > 0)); do
        wait -n || died=$((died + 1))
        running=$((running - 1))
    done
}
