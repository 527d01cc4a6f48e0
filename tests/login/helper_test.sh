# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# The helper without sshd: no output and exit status 0 on any failure.

_as() {
    setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"
}

# _answers EXPECTED ARGUMENT...: run as sshd runs it, with success.
_answers() {
    local found
    found=$(_as exc-authorized-keys "$helper" "${@:2}")
    same "$1" "$found"
}

_silent() {
    _answers '' "$@"
}

# The four arguments that sshd passes for alice's key k, after it was pushed.
_asked() {
    new_key k
    push alice k "$@"
    read -r type blob _ <k.pub
    asked=(alice "$(fingerprint k)" "$type" "$blob")
}

it_gives_the_key_that_is_asked_for() {
    _asked
    _answers "$type $blob" "${asked[@]}"
}

it_finds_the_key_without_a_sha256_fingerprint() {
    _asked
    _answers "$type $blob" alice MD5:00 "$type" "$blob"
}

it_is_silent_about_other_keys_and_users() {
    _asked --connections 0
    _silent bob "${asked[@]:1}"
    _silent nobody-of-that-name "${asked[@]:1}"
    _silent '' "${asked[@]:1}"
    _silent ../keys/alice "${asked[@]:1}"
    _silent $'alice\n' "${asked[@]:1}"
    _silent alice "${asked[1]}" ssh-rsa "$blob"
    _silent alice "${asked[1]}" "$type" "${blob:0:-4}AAAA"
    _silent alice "${asked[1]}" "$type" 'not base64'
    _silent alice "${asked[1]}" "$type" ''
    _silent alice "${asked[1]}" '' "$(head -c 100000 /dev/zero | tr '\0' A)"
    _silent alice SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA "$type" "$blob"
}

it_is_silent_about_wrong_arguments() {
    _asked --connections 0
    _silent
    _silent "${asked[@]}" more
    _silent "${asked[@]:0:3}"
    _silent --no-such-option "${asked[@]}"
    _silent --runtime-dir
    _silent --chain-user nobody "${asked[@]}"
    _silent "${asked[@]}" --
    _silent --connection 4711 "${asked[@]}"
}

it_takes_a_slot_for_the_connection_that_it_is_passed() {
    _asked
    _answers "$type $blob" --connection 4711:5 "${asked[@]}"
    _silent --connection 4711:6 "${asked[@]}"
    _silent --connection errno:13 "${asked[@]}"
    _answers "$type $blob" --connection 4711:5 "${asked[@]}"
}

# _lines COMMAND...: what it prints on standard error, without numbers.
_lines() {
    "$@" 2>&1 >/dev/null | sed 's/[0-9][0-9]*/N/g'
}

it_prints_a_line_per_stage_and_no_key_material() {
    local run=(_as exc-authorized-keys env EXC_DEBUG=1 "$helper")
    _asked
    _lines "${run[@]}" "${asked[@]}" >lines
    for stage in connection store lookup claim output; do grep "^exc-authorized-keys: $stage: " lines; done
    fails grep -F "$blob" lines
    _lines _as exc-authorized-keys "$helper" --verbose "${asked[@]}" >verbose
    grep '^exc-authorized-keys: lookup: no free slot$' verbose
    same '' "$(_lines _as exc-authorized-keys env EXC_DEBUG=0 "$helper" bob "${asked[@]:1}")"
    _lines "$chain" --verbose "${asked[@]}" -- /bin/true >chained
    grep '^exc-authorized-keys: lookup: no free slot$' chained
    grep '^exc-authorized-keys-chain: exc-authorized-keys: no line for the key$' chained
    grep '^exc-authorized-keys-chain: other command: .*/true, executed as user id N$' chained
}

it_is_silent_without_a_store() {
    _asked --connections 0
    mkdir -m 0755 empty
    _silent --runtime-dir /nonexistent "${asked[@]}"
    _silent --runtime-dir "$PWD/empty" "${asked[@]}"
    _silent --runtime-dir /proc "${asked[@]}"
    _silent --runtime-dir "$PWD/k" "${asked[@]}"
}

it_is_silent_as_another_user() {
    _asked --connections 0
    _as bob "$helper" "${asked[@]}" >found
    fails test -s found
}

it_succeeds_when_nobody_reads() {
    _asked --connections 0
    _as exc-authorized-keys "$helper" "${asked[@]}" >&-
    _as exc-authorized-keys "$helper" "${asked[@]}" >/dev/full
    _as exc-authorized-keys "$helper" alice >/dev/full
}

it_becomes_its_own_user_when_it_is_run_as_root() {
    _asked
    "$helper" "${asked[@]}" >found
    same "$type $blob" "$(<found)"
}

it_lists_a_user_s_keys_and_takes_no_slot() {
    _asked
    _as exc-authorized-keys "$helper" alice | grep -F "$type $blob"
    _as exc-authorized-keys "$helper" alice | grep -F "$type $blob"
    lets_in alice k
}

its_own_user_cannot_read_the_programs() {
    fails _as exc-authorized-keys cat "$helper"
    fails _as exc-authorized-keys cat "$chain"
}
