# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

_exc_push() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i
    local send='--to --timeout --wait' options='--help --json --verbose'
    local signer='--signing-key --sign-command --unsigned --instance --valid-for --no-challenge'
    local push='--user --key --ttl --connections --source --restrict --principal --request-id'
    local revoke='--user --fingerprint --all'

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --)
            # A command of its own, with arguments of its own.
            compopt -o default
            if ((i == COMP_CWORD - 1)); then mapfile -t COMPREPLY < <(compgen -c -- "$word"); fi
            return
            ;;
        --to | --timeout | --wait | --known-hosts | --signing-key | --sign-command | --envelope | --instance | --valid-for | \
            --user | --key | --ttl | --connections | --source | --principal | --request-id | --fingerprint)
            i=$((i + 1))
            # bash parts unix:PATH at the colon.
            while [[ ${COMP_WORDS[i + 1]-} == : ]]; do i=$((i + 2)); done
            ;;
        -*) ;;
        *)
            if [[ $command == sign ]]; then command="sign ${COMP_WORDS[i]}"; else command=${command:-${COMP_WORDS[i]}}; fi
            ;;
        esac
    done
    case $before in
    --to)
        compopt -o nospace
        mapfile -t COMPREPLY < <(compgen -W 'vsock: hybrid: serial: unix:' -- "$word")
        return
        ;;
    --key | --signing-key | --envelope | :)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --timeout | --wait | --known-hosts | --sign-command | --instance | --valid-for | --user | --ttl | --connections | --source | \
        --principal | --request-id | --fingerprint)
        return
        ;;
    esac
    case $command in
    '') options+=' --version push revoke sign hello status' ;;
    push) options+=" $send $signer $push --envelope --generate --known-hosts --" ;;
    revoke) options+=" $send $signer $revoke --envelope" ;;
    sign) options+=" push revoke $signer $push" ;;
    'sign push') options+=" $signer $push" ;;
    'sign revoke') options+=" $signer $revoke" ;;
    hello) options+=" $send --known-hosts" ;;
    status) options+=" $send" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _exc_push exc-push
