# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# What a login test says.

# push USER KEY [OPTION...]: KEY is the file that new_key made.
push() {
    admin push --user "$1" --key "$2.pub" "${@:3}" >/dev/null
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

# own_store [LINE...]: a store, an agent and an sshd for this test alone, which may then break them.
own_store() {
    runtime=$PWD/store
    make_store "$runtime"
    start_agent "$runtime"
    start_sshd "$@" "AuthorizedKeysCommand $helper --runtime-dir $runtime %u %f %t %k"
}

# Makes $preload, which changes what a program sees (preload.c), and $preloaded, which runs a command of sshd's with it.
preload=$world/bin/preload.so preloaded=$world/bin/preloaded
build_preload() {
    local flags=(-std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror "-DLIBRARY=\"$preload\"")
    TMPDIR=$world/tests cc "${flags[@]}" -shared -fPIC -o "$preload" "$here/preload.c"
    TMPDIR=$world/tests cc "${flags[@]}" -o "$preloaded" "$here/preloaded.c"
}
