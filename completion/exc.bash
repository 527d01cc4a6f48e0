# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

# exc itself knows what may stand next: commands, options, and the VMs that its user may see.
_exc() {
    # COMP_WORDS is parted at : and = and @; this is parted at blanks alone.
    local line=${COMP_LINE:0:COMP_POINT} word answer
    local -a words=()
    read -ra words <<<"$line"
    if [[ $line == *[[:blank:]] ]]; then words+=(''); fi
    word=${words[${#words[@]} - 1]}
    answer=$(command exc complete -- "${words[@]:1}" 2>/dev/null)
    COMPREPLY=()
    if [[ $answer == :files ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$answer" -- "$word")
    # bash replaces $2, which begins with the last @; what stands before it is there already.
    COMPREPLY=("${COMPREPLY[@]#"${word%"$2"}"}")
}
complete -F _exc exc
