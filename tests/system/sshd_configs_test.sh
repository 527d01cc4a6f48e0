# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
# short: bookworm
# Configurations of sshd as distributions ship them and as others publish them: enable, doctor, push, login and disable keep
# each of them. Each is a table in a directory of sshd_configs/, whose lines are:
#
#   title, version, source   what it is, and where its directives were read
#   short                    it is one of those for the short form
#   file PATH                a file, with the lines that follow it, set in by four spaces
#   omit DIRECTIVE -- WHY    a line of those files that is not written
#   user NAME, group NAME [MEMBER...]
#   directory PATH, text PATH [LINE]
#   keys PATH WORDS          a program that prints a key, the way "command", when these words are among its arguments
#   principals PATH          a program that prints the principal "operators"
#   program PATH             a program that runs what the client asks for
#   authority PATH           the public key of those who sign certificates, the ways "certificate" (it names the user) and
#                            "principal" (it names operators)
#   host_key PATH, host_certificate PATH
#   chroot PATH              it belongs to root
#   client OPTION...         for ssh
#   connection SPEC          one more for sshd -T -C
#   enable refuses           it names a line of a file or a unit, and changes nothing; "enable as_told": so it does, and
#                            works when its lines are added
#   login USER WAY RESULT    WAY is pushed, command, certificate, principal or file (authorized_keys); RESULT is shell, sftp,
#                            refused, or partial: the key is accepted, and more is asked for
#   doctor USER STATUS CHECK [depends]
#                            what doctor finds, for each user with a line "login USER pushed"; "depends": whether a pushed
#                            key is enough depends on where the client is
#
# EXC_SSHD_CONFIG=NAME runs one of them.

_own_ways='command|certificate|principal|file'
_tables=$system_tree/tests/system/sshd_configs
_ssh=(-o 'KexAlgorithms=curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256')

_prepare() {
    local root
    machine_start m "$suite"
    root=$(machine_root m)
    install_debs m >/dev/null
    trusts_cloud m
    in_machine m exc-instance-connect disable >/dev/null
    # Newer ones keep away who has failed too often, which is what some of these logins do. The files are the table's.
    rm -f "$root/etc/ssh/sshd_config.d/90-tests.conf"
    if [[ $suite != bookworm ]]; then echo 'SSHD_OPTS=-o PerSourcePenalties=no' >"$root/etc/default/ssh"; fi
    # A session of systemd's for each login would take as long as the rest.
    in_machine m sed -i /pam_systemd/d /etc/pam.d/common-session
    new_key authority
    for key in theirs filed certified titled; do new_key "$key"; done
    ssh-keygen -q -s authority -I titled -n operators titled.pub
    in_machine m cp -a /etc/ssh /root/ssh
    in_machine m systemctl restart ssh.service
    in_machine m exc-instance-connect enable >/dev/null
    # What this machine lacks, whatever sshd's files say: a clock that is set, say.
    _doctor alice >doctor.txt
    in_machine m exc-instance-connect disable >/dev/null
}

# --- tables ---------------------------------------------------------------------------------------------------------

# _undo COMMAND: for a shell in the machine, when this configuration is done.
_undo() {
    echo "$*" >>undo
}

# _to PATH MODE: a file in the machine, from standard input.
_to() {
    # What is undone last is written first.
    if [[ $1 == *.service.d/* ]]; then _undo systemctl daemon-reload; fi
    [[ $1 == /etc/ssh/* ]] || _undo "rm -f $1"
    install -D -m "$2" /dev/stdin "$root$1"
}

# _line KEYWORD VALUE: does what this line of the table says.
_line() {
    local value=$2 words
    read -ra words <<<"$value"
    case $1 in
    title | version | source) described+="$1 " ;;
    short) ;;
    file)
        paths+=("$value")
        : >"file-${#paths[@]}"
        ;;
    omit) omitted+=("${value%% -- *}") ;;
    user)
        in_machine m useradd --system --create-home --user-group --shell /bin/bash --password '*' "$value"
        _undo "userdel --force --remove $value 2>/dev/null"
        ;;
    group)
        in_machine m groupadd "${words[0]}"
        _undo "groupdel ${words[0]}"
        for member in "${words[@]:1}"; do in_machine m usermod --append --groups "${words[0]}" "$member"; done
        ;;
    directory) mkdir -p "$root$value" ;;
    text) printf '%s\n' "${words[*]:1}" | _to "${words[0]}" 0644 ;;
    keys)
        printf '%s\n' '#!/bin/sh' "case \" \$* \" in *' ${value#* } '*) echo '$(<"$prepared/theirs.pub")' ;; esac" |
            _to "${words[0]}" 0755
        ;;
    principals) printf '%s\n' '#!/bin/sh' 'echo operators' | _to "$value" 0755 ;;
    program) printf '%s\n' '#!/bin/sh' 'exec sh -c "$SSH_ORIGINAL_COMMAND"' | _to "$value" 0755 ;;
    authority) _to "$value" 0644 <"$prepared/authority.pub" ;;
    host_key)
        new_key host_key
        _to "$value" 0600 <host_key
        _to "$value.pub" 0644 <host_key.pub
        echo "machine $(<host_key.pub)" >known_hosts
        client+=(-o "UserKnownHostsFile=$PWD/known_hosts")
        ;;
    host_certificate)
        cp "$root${value%-cert.pub}.pub" host.pub
        ssh-keygen -q -s "$prepared/authority" -I host -h -n localhost host.pub
        _to "$value" 0644 <host-cert.pub
        ;;
    chroot)
        chown root: "$root$value"
        _undo "chown --reference=$value/.profile $value"
        ;;
    client) client+=("${words[@]}") ;;
    connection) _connection "$value" ;;
    enable) enables=$value ;;
    login)
        logins+=("$value")
        _connection "user=${words[0]}"
        ;;
    doctor) findings+=("$value") ;;
    *)
        echo "unknown line: $1 $2"
        return 1
        ;;
    esac
}

# _connection SPEC: one more for sshd -T, with all that -C takes.
_connection() {
    local spec=$1 pair
    for pair in user=alice host=localhost addr=127.0.0.1 laddr=127.0.0.1 lport=22; do
        [[ ,$spec == *",${pair%%=*}="* ]] || spec+=,$pair
    done
    [[ " ${connections[*]} " == *" $spec "* ]] || connections+=("$spec")
}

# _set_up TABLE: writes its files, which sshd accepts and reads.
_set_up() {
    local line keyword i
    while IFS= read -ru 3 line; do
        case $line in
        '' | '#'*) ;;
        '    '*) echo "${line:4}" >>"file-${#paths[@]}" ;;
        *)
            read -r keyword line <<<"$line"
            _line "$keyword" "$line"
            ;;
        esac
    done 3<"$1"
    [[ $described == *title* && $described == *version* && $described == *source* ]]
    rm -rf "$root/etc/ssh/sshd_config" "$root/etc/ssh/sshd_config.d"
    mkdir "$root/etc/ssh/sshd_config.d"
    for ((i = 0; i < ${#paths[@]}; i++)); do
        for line in "${omitted[@]}"; do
            if grep -qxF -- "$line" "file-$((i + 1))"; then echo "$line" >>omitted.txt; fi
        done
        printf '%s\n' "${omitted[@]}" >omit.txt
        grep -vxFf omit.txt "file-$((i + 1))" | _to "${paths[i]}" 0644
    done
    for line in "${omitted[@]}"; do
        [[ -z $line ]] || grep -qxF -- "$line" omitted.txt || {
            echo "is omitted, and is in no file: $line"
            return 1
        }
    done
    if grep -q daemon-reload undo; then in_machine m systemctl daemon-reload; fi
    in_machine m sh -euc 'sshd -t; systemctl reset-failed ssh.service; systemctl restart ssh.service' 2>sshd.txt || {
        cat sshd.txt
        return 1
    }
}

# _restore: the machine as it was before the configuration.
_restore() {
    {
        echo 'rm -rf /etc/ssh && cp -a /root/ssh /etc/ssh'
        cat undo
    } | tac | in_machine m sh
    : >undo
}

# --- what is kept ---------------------------------------------------------------------------------------------------

# _effective: all that sshd says, for all and for each connection.
_effective() {
    in_machine m sh -euc 'sshd -T 2>/dev/null
        for spec; do echo "-C $spec"; sshd -T -C "$spec" 2>/dev/null; done' - "${connections[@]}"
}

_but_our_settings() {
    grep -vE '^authorizedkeyscommand(user)? '
}

# _files: the name, mode and sum of each but ours.
_files() {
    find "$root/etc/ssh" -type f ! -name '*exc-instance-connect*' -printf '%p %m %u\n' -exec sha256sum {} + | sort
}

_nothing_of_ours() {
    same '' "$(in_machine m find /etc/ssh /run -name '*exc-instance-connect.c*' -o -name 'exc-sshd*')"
}

# _key WAY USER: prints the file of the key; what is pushed is pushed.
_key() {
    local home
    case $1 in
    pushed)
        new_key ours
        push m "$2" ours
        echo ours
        ;;
    command) echo "$prepared/theirs" ;;
    certificate)
        cp "$prepared/certified" "$prepared/certified.pub" .
        ssh-keygen -q -s "$prepared/authority" -I certified -n "$2" certified.pub
        echo certified
        ;;
    principal) echo "$prepared/titled" ;;
    file)
        home=$(sed -n "s|^$2:.*:\\(/[^:]*\\):.*|\\1|p" "$root/etc/passwd")
        _to "$home/.ssh/authorized_keys" 0644 <"$prepared/filed.pub"
        echo "$prepared/filed"
        ;;
    esac
}

# _logs_in USER WAY RESULT
_logs_in() {
    local key status=0
    key=$(_key "$2" "$1")
    case $3 in
    shell) lets_in m "$1" "$key" "${_ssh[@]}" "${client[@]}" ;;
    sftp) ssh_in m "$1" "$key" "${_ssh[@]}" "${client[@]}" -s -- sftp ;;
    refused) refuses m "$1" "$key" "${_ssh[@]}" "${client[@]}" ;;
    partial)
        ssh_in m "$1" "$key" "${_ssh[@]}" "${client[@]}" -- true 2>partial.txt || status=$?
        ((status == 255)) && grep -q 'Permission denied (keyboard-interactive)' partial.txt
        ;;
    esac || {
        echo "login $*: not so"
        return 1
    }
}

# _log_in_with WAYS [RESULT]: those of these ways (a regular expression) as their lines say, or all with this result.
_log_in_with() {
    local login words
    for login in "${logins[@]}"; do
        read -ra words <<<"$login"
        [[ ! ${words[1]} =~ ^($1)$ ]] || _logs_in "${words[0]}" "${words[1]}" "${2:-${words[2]}}"
    done
}

# _doctor USER: prints "STATUS CHECK TEXT" of what is not well, and the verdict.
_doctor() {
    in_machine m exc-instance-connect doctor --user "$1" --json >doctor.json || true
    /usr/bin/python3 -c '
import json
answer = json.load(open("doctor.json"))
for check in answer["checks"]:
    if check["status"] != "pass":
        print(check["status"], check["name"], check["text"])
print("verdict", answer["verdict"])'
}

# _doctor_knows: for each user to whom a key is pushed, it finds what the table says and nothing else, and is right.
_doctor_knows() {
    local login words verdict
    for login in "${logins[@]}"; do
        read -ra words <<<"$login"
        [[ ${words[1]} == pushed ]] || continue
        _doctor "${words[0]}" >doctor.txt
        printf '%s\n' "${findings[@]}" | sed -n "s/^${words[0]} //p" >findings.txt
        cut -d ' ' -f 1,2 findings.txt | sort >expected.txt
        grep -v '^verdict' doctor.txt | cut -d ' ' -f 1,2 |
            grep -vxFf <(grep -v '^verdict' "$prepared/doctor.txt" | cut -d ' ' -f 1,2) | sort >found.txt || true
        case ${words[2]} in
        shell | sftp) verdict="${words[0]} can log in" ;;
        partial) verdict="${words[0]} can log in with a pushed key, and needs also keyboard-interactive" ;;
        *) verdict="${words[0]} cannot log in" ;;
        esac
        # The logins are those of one client.
        if grep -q ' depends$' findings.txt; then
            verdict="Whether a pushed key is enough for ${words[0]} depends on where"
        fi
        if ! cmp -s expected.txt found.txt || ! grep -q "^verdict $verdict" doctor.txt; then
            echo "doctor --user ${words[0]}: expected: $(tr '\n' ';' <expected.txt) and \"$verdict\""
            cat doctor.txt
            return 1
        fi
    done
}

# _keeps TABLE: the whole way.
_keeps() {
    local described='' paths=() omitted=('') client=() connections=() enables='' logins=() findings=('')
    local root effective files
    root=$(machine_root m)
    : >omitted.txt
    _set_up "$1"
    effective=$(_effective) files=$(_files)
    _log_in_with "$_own_ways"

    if [[ -n $enables ]]; then
        fails in_machine m exc-instance-connect enable >refusal.txt 2>&1
        cat refusal.txt
        sed '1,/nothing is changed: it would not be safe here/d' refusal.txt | sed '/./!d' >faults.txt
        grep -qE '^/etc/ssh/\S+ (line [0-9]+ sets |does not include )|^\S+\.service starts sshd with -o ' faults.txt
        grep -qE '^    (Include|Authorized)' faults.txt
        _nothing_of_ours
        same "$effective" "$(_effective)"
        same "$files" "$(_files)"
        echo "refused: $(head -n 1 faults.txt)" >how.txt
        [[ $enables == as_told ]] || return 0
        enabled_as_told m refusal.txt
        files=$(_files)
    else
        in_machine m exc-instance-connect enable >enable.txt 2>&1 || {
            cat enable.txt
            return 1
        }
        same "$files" "$(_files)"
        { echo enabled && sed -n 's/^Note: /note: /p' enable.txt; } | paste -s -d ';' >how.txt
    fi
    same "$(_but_our_settings <<<"$effective")" "$(_effective | _but_our_settings)"
    [[ -n ${EXC_SHORT:-} ]] || says '^Nothing to change' in_machine m exc-instance-connect enable
    _doctor_knows
    _log_in_with "pushed|$_own_ways"

    in_machine m exc-instance-connect disable >/dev/null
    _nothing_of_ours
    same "$effective" "$(_effective)"
    same "$files" "$(_files)"
    _log_in_with pushed refused
    no_failed_unit m
}

# _kept DIRECTORY: all in it; in the short form those with a line "short".
_kept() {
    local table name status failed='' number=0
    : >undo
    trap - ERR
    for table in "$_tables/$1"/*; do
        name=${table##*/}
        [[ $name =~ ^(${EXC_SSHD_CONFIG:-.*})$ ]] || continue
        [[ -z ${EXC_SHORT:-} ]] || grep -qx short "$table" || continue
        number=$((number + 1))
        # No condition: else it would go on after a command that fails.
        set +e
        (
            set -eE
            trap 'failed_command "$BASH_COMMAND" "$LINENO"' ERR
            _keeps "$table"
        ) >log.txt 2>&1
        status=$?
        set -e
        if ((status == 0)); then
            echo "# $name: $(<how.txt)"
        else
            echo "$name: failed:"
            sed 's/^/    /' log.txt
            failed+=" $name"
        fi
        _restore
    done
    same '' "$failed"
    # Or there is none with that name here.
    [[ $number != 0 || -n ${EXC_SSHD_CONFIG:-} ]]
}

distributions_are_kept() {
    _kept distributions
}

hardened_configurations_are_kept() {
    _kept hardening
}

keys_commands_and_certificates_are_kept() {
    _kept keys
}

services_on_sshd_are_kept() {
    _kept services
}
