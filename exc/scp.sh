#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What exc compute scp has a shell run on the machine that it copies to. exc/scp_shell.c sends it to the standard input of sh,
# so that the login shell has nothing to read, behind lines that set
#
#   mark         a random word
#   destination  a path, absolute or with ./ in front; empty: there is nothing to do but to wait
#   name         what the copy is called in a directory
#
# It prints the mark, where the copy is to be made, and a NUL: "temporary PATH", or "direct" where only scp's own way will do.
# Then it waits. At the line "keep" the temporary takes the place of what was there; at anything else, and at the end of the
# input, as when the connection is lost, it is removed. At last it prints the mark, what became of it, and a NUL: "kept",
# "removed" or "left".

# shellcheck disable=SC2154 # set in front of this
# The shell must have read all of it before it waits.
{
    LC_ALL=C
    export LC_ALL
    mode=

    # Leaves what the copy becomes in $target. Fails where scp must write to that itself: what is no file; what this user may
    # not write to, as scp says best; where a new file would have another owner; where none can be made.
    plan() {
        [ -n "$destination" ] || return
        target=$destination
        if [ -d "$target" ]; then target=${target%/}/$name; fi
        # A link stays, and what it leads to is replaced. What $() leaves out are ends of lines.
        if [ -L "$target" ]; then
            target=$(readlink -f -- "$target" && echo /) || return
            target=${target%??}
        fi
        case $target in */) return 1 ;; esac
        temporary=${target%/*}/.exc-scp-$mark
        if [ -e "$target" ]; then
            [ -f "$target" ] && [ -w "$target" ] || return
            mode=$(stat -c '%a %u:%g' -- "$target") || return
            owner=${mode#* } mode=${mode% *}
            case $(id -u) in 0 | "${owner%:*}") ;; *) return 1 ;; esac
        fi
        # Readable for this user alone until it is whole; but a new file has the mode that scp gives it.
        (umask 077 && set -C && : >"$temporary") || return
        if [ -z "$mode" ]; then
            rm -f -- "$temporary"
        elif ! chown -- "$owner" "$temporary"; then
            rm -f -- "$temporary"
            return 1
        fi
    }

    if plan 2>/dev/null; then
        printf '%stemporary %s\0' "$mark" "$temporary"
    else
        temporary=
        printf '%sdirect\0' "$mark"
    fi

    keep() {
        if [ -z "$temporary" ]; then return; fi
        if [ -n "$mode" ]; then chmod "$(printf %o $((0$mode & 0777)))" "$temporary"; fi &&
            mv -fT -- "$temporary" "$target"
    }

    remove() {
        if [ -z "$temporary" ]; then return; fi
        chmod -R u+rwx -- "$temporary"
        rm -rf -- "$temporary"
        [ ! -e "$temporary" ]
    } 2>/dev/null

    read -r answer || answer=
    if [ "$answer" = keep ] && keep; then
        became=kept
    elif remove; then
        became=removed
    else
        became=left
    fi
    printf '%s%s\0' "$mark" "$became"
    exit
}
