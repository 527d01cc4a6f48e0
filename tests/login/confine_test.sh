# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# The helper's own layers, Landlock and a filter of system calls. What each refuses is in tests/unit/confine_test.c.

# _run WORD...: the helper as sshd runs it, under strace. What it does goes to the file `trace`.
_run() {
    setpriv --reuid=exc-authorized-keys --regid=exc-authorized-keys --clear-groups -- \
        strace -o trace -- "$helper" "$@" >printed
    cat trace >>traces
}

_confined_by() {
    says "^exc-authorized-keys: confined: files $1, system calls $2$" "${@:3}" "$helper" --verbose alice
}

# The C library of another release may use other calls for the same.
# needs: landlock
filter_has_all_that_the_c_library_calls() {
    local words other
    # The emulator confines nothing.
    [[ -z ${EXC_EMULATED:-} ]] || return 0
    new_key k
    new_key used
    chmod 0777 .
    push alice k --connections 2 --source 127.0.0.1 --request-id r-1
    push alice used --connections 1
    read -r type blob _ <k.pub
    words=("$(fingerprint k)" "$type" "$blob")
    _run --connection 4711:5 alice "${words[@]}"
    grep -F "$blob" printed
    _run --connection 4711:5 --expiry-time alice "${words[@]}"
    _run --connection 4711:6 alice "${words[@]}"
    _run --connection 4711:7 alice "${words[@]}"
    same '' "$(<printed)"
    other=$(fingerprint used)
    _run --verbose alice "$other"
    _run --expiry-time alice
    _run bob "${words[@]}"
    _run nobody-here "${words[@]}"
    _run --runtime-dir /nonexistent alice "${words[@]}"
    _run --runtime-dir /proc alice
    grep -c ' SECCOMP_SET_MODE_FILTER\|^seccomp(' traces
    fails grep ENOSYS traces
}

# needs: landlock seccomp
each_layer_is_in_effect_and_neither_is_needed() {
    [[ -z ${EXC_EMULATED:-} ]] || return 0
    "${cc[@]}" -O1 -o without "$here/without.c"
    _confined_by 'by Landlock' 'by seccomp' env
    _confined_by not 'by seccomp' ./without landlock
    _confined_by 'by Landlock' not ./without seccomp
}

_lets_in_without() {
    "${cc[@]}" -O1 -o without "$here/without.c"
    new_key k
    start_sshd "AuthorizedKeysCommand $PWD/without $1 $helper %u %f %t %k"
    push alice k
    lets_in alice k
    refuses alice k
}

# needs: seccomp
seccomp_alone_lets_in_once() {
    _lets_in_without landlock
}

# What takes a layer away (without.c) is a filter too.
# needs: seccomp
landlock_alone_lets_in_once() {
    _lets_in_without seccomp
}
