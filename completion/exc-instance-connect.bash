# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

_exc_instance_connect() {
    local commands='push list revoke status enable disable doctor log trust instance-id' word=${COMP_WORDS[COMP_CWORD]}
    local before=${COMP_WORDS[COMP_CWORD - 1]} command='' options='--help --verbose' ask='--json --socket' i

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket | --user | --key | --ttl | --connections | --source | --principal | --request-id | --fingerprint | --since | --name | --from)
            i=$((i + 1))
            ;;
        -*) ;;
        *)
            if [[ $command == trust || $command == instance-id ]]; then
                command="$command ${COMP_WORDS[i]}"
            else
                command=${command:-${COMP_WORDS[i]}}
            fi
            ;;
        esac
    done
    case $before in
    --user)
        mapfile -t COMPREPLY < <(compgen -u -- "$word")
        return
        ;;
    --key | --socket)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --ttl | --connections | --source | --principal | --request-id | --fingerprint | --since | --name | --from)
        return
        ;;
    esac
    case $command in
    '') options+=" --version $commands" ;;
    push) options+=" $ask --user --key --ttl --connections --source --restrict --principal --request-id" ;;
    list) options+=" $ask --user" ;;
    revoke) options+=" $ask --user --fingerprint --all" ;;
    status) options+=" $ask" ;;
    enable | disable) options+=' --dry-run' ;;
    doctor) options+=" $ask --user --from --pam --all" ;;
    trust) options+=' add list remove' ;;
    'trust add')
        options+=' --name'
        if [[ $word != -* ]]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
        fi
        ;;
    'trust list') options+=' --json' ;;
    'trust remove')
        options+=" $(exc-instance-connect trust list --json 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d '"' -f 4)"
        ;;
    instance-id) options+=' set show' ;;
    'instance-id show') options+=" $ask" ;;
    log) options+=' --json --user --since --follow --all' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _exc_instance_connect exc-instance-connect
