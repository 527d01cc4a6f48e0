# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# What the helper sends to the journal.

# Stands in for the journal and for syslog: what they would get is in the file `journal`, a line each. The sshd logs there
# as well, which makes it name its process.
_journal() {
    mkdir -p /run/systemd/journal
    /usr/bin/python3 "$here/journal.py" journal /run/systemd/journal/socket /dev/log &
    wait_for test -S /dev/log
    sshd_logs_to='' start_sshd
    new_key k
}

# _event WORD...: waits for a message with all of them, and prints the last.
_event() {
    wait_for _event_now "$@"
}

_event_now() {
    local lines word
    # Without a line that is being written.
    lines=$(cat journal && echo .)
    lines=${lines%$'\n'*}
    for word; do lines=$(grep -F -- "$word" <<<"$lines") || return 1; done
    tail -n 1 <<<"$lines"
}

_field() {
    sed -n "s/.*[|]$1=\([^|]*\)[|].*/\1/p" <<<"$2"
}

claimed=1281102fdec785c67f97d2aedf0d9e34
no_place=9efc753be9e68f245e0bb5794c2e22a4
failure=eac16b8bffdfbe8db6e10b6f640940d5

the_event_of_a_login_joins_to_what_sshd_logs() {
    local event accepted='sshd[a-z-]*\[([0-9]+)\].*Accepted publickey for alice .* (SHA256:[^ ]*)$'
    _journal
    push alice k --principal dana@example.org --request-id r-42
    lets_in alice k
    event=$(_event $claimed "$(fingerprint k)")
    same alice "$(_field EXC_USER "$event")"
    same dana@example.org "$(_field EXC_PRINCIPAL "$event")"
    same r-42 "$(_field EXC_REQUEST_ID "$event")"
    [[ $(_event 'Accepted publickey for alice') =~ $accepted ]]
    same "${BASH_REMATCH[1]}" "$(_field EXC_SSHD_PID "$event")"
    same "${BASH_REMATCH[2]}" "$(_field EXC_FINGERPRINT "$event")"
}

a_login_and_a_refused_connection_are_events() {
    local event
    _journal
    push alice k
    lets_in alice k
    refuses alice k
    event=$(_event $no_place "$(fingerprint k)")
    same alice "$(_field EXC_USER "$event")"
    same 1 "$(grep -cF $claimed journal)"
}

no_event_holds_key_material() {
    local blob
    _journal
    push alice k
    lets_in alice k
    refuses alice k
    _event $no_place "$(fingerprint k)"
    read -r _ blob _ <k.pub
    fails grep -F "$blob" journal
}

# _run_helper USER KEY: as sshd runs it, with this shell as the connection's process.
_run_helper() {
    local type blob
    read -r type blob _ <"$2.pub"
    setpriv --reuid=exc-authorized-keys --regid=exc-authorized-keys --clear-groups -- \
        "$helper" "$1" "$(fingerprint "$2.pub")" "$type" "$blob"
}

# Descriptor 7 is a full pipe that nobody reads.
_full_pipe() {
    mkfifo full
    exec 7<>full
    dd if=/dev/zero of=full bs=4096 oflag=nonblock 2>/dev/null || true
}

key_precedes_event() {
    _journal
    _full_pipe
    push alice k
    # It takes the slot, waits for the pipe, and ends by its deadline, which is an event too.
    _run_helper alice k >&7
    same alice "$(_field EXC_USER "$(_event $failure 'took too long')")"
    admin list --user alice | grep -E ' 1 of 1( |$)'
    new_key l
    push alice l
    _run_helper alice l >given
    grep -F "$(cut -d ' ' -f 2 l.pub)" given
    _event $claimed "$(fingerprint l.pub)"
    same 1 "$(grep -cF $claimed journal)"
}

a_helper_that_hangs_is_an_event_of_the_chain() {
    local type blob
    _journal
    mkdir -m 0755 bin
    install -m 0711 "$chain" bin/
    printf '#!/bin/sh\nexec sleep 1000\n' >bin/exc-authorized-keys
    chmod 0755 bin/exc-authorized-keys
    read -r type blob _ <k.pub
    # This shell stands for the connection's process.
    same other "$("$PWD/bin/exc-authorized-keys-chain" alice "$(fingerprint k)" "$type" "$blob" -- /bin/echo other)"
    same alice "$(_field EXC_USER "$(_event $failure 'took too long')")"
}

# sshd gives its command /dev/null as standard error.
why_the_other_command_is_not_run_is_an_event() {
    local event
    _journal
    printf '#!/bin/sh\ntrue\n' >other
    chmod 0757 other
    start_sshd "AuthorizedKeysCommand $chain --chain-user nobody %u %f %t %k -- $PWD/other %u" \
        'AuthorizedKeysCommandUser root'
    refuses alice k
    event=$(_event $failure "$PWD/other: not run: ")
    same alice "$(_field EXC_USER "$event")"
    [[ $(_field EXC_SSHD_PID "$event") =~ ^[0-9]+$ ]]
}

wrong_arguments_are_an_event() {
    _journal
    start_sshd "AuthorizedKeysCommand $helper --no-such-option %u %f %t %k"
    refuses alice k
    _event $failure 'an option is not known; see exc-authorized-keys --help'
}

chain_s_wrong_arguments_are_an_event() {
    local event
    _journal
    start_sshd "AuthorizedKeysCommand $chain %u %f %t %k"
    refuses alice k
    event=$(_event $failure 'a command after -- is expected; see exc-authorized-keys-chain --help')
    same alice "$(_field EXC_USER "$event")"
    # The other command is still run.
    printf '#!/bin/sh\ncat %s\n' "$PWD/k.pub" >other
    chmod 0755 other
    start_sshd "AuthorizedKeysCommand $chain --no-such-option %u %f %t %k -- $PWD/other"
    lets_in alice k
    _event $failure 'an option is not known; see exc-authorized-keys-chain --help'
}

other_command_that_cannot_be_executed_is_an_event() {
    local event
    _journal
    printf '#!/no/such/shell\n' >other
    chmod 0755 other
    start_sshd "AuthorizedKeysCommand $chain --chain-user nobody %u %f %t %k -- $PWD/other %u" \
        'AuthorizedKeysCommandUser root'
    refuses alice k
    event=$(_event $failure "$PWD/other: cannot be executed: No such file or directory")
    same alice "$(_field EXC_USER "$event")"
    [[ $(_field EXC_SSHD_PID "$event") =~ ^[0-9]+$ ]]
}

unknown_chain_user_is_an_event() {
    local event
    _journal
    start_sshd "AuthorizedKeysCommand $chain --chain-user no-such-user %u %f %t %k -- /bin/echo %u" \
        'AuthorizedKeysCommandUser root'
    refuses alice k
    event=$(_event $failure '/bin/echo: not run: cannot become no-such-user: ')
    same alice "$(_field EXC_USER "$event")"
    grep -F 'set AuthorizedKeysCommandUser to root or that user' <<<"$event"
}

chain_program_that_is_missing_is_an_event() {
    _journal
    mkdir -m 0755 bin
    install -m 0711 "$helper" bin/
    same '' "$("$PWD/bin/exc-authorized-keys" alice "$(fingerprint k)" -- /bin/echo other 2>shown)"
    grep 'exc-authorized-keys: exc-authorized-keys-chain: No such file or directory; ' shown
    same alice "$(_field EXC_USER "$(_event $failure 'the command after -- is not run, install the package again')")"
}

# Stands in for the journal: a full queue that nobody reads.
_deaf_journal() {
    mkdir -p /run/systemd/journal
    rm -f /run/systemd/journal/socket
    /usr/bin/python3 -c '
import os, socket, time
deaf, noise = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
deaf.bind("/run/systemd/journal/socket")
os.chmod("/run/systemd/journal/socket", 0o666)
noise.setblocking(False)
try:
    while True:
        noise.sendto(b"MESSAGE=noise\n", "/run/systemd/journal/socket")
except BlockingIOError:
    print("full", flush=True)
time.sleep(600)' >deaf &
    wait_for grep -q full deaf
}

deaf_journal_keeps_nobody_out() {
    _deaf_journal
    start_sshd
    new_key k
    push alice k
    lets_in alice k
    refuses alice k
}

deaf_journal_keeps_nobody_out_of_a_chain() {
    _deaf_journal
    start_sshd "AuthorizedKeysCommand $chain --chain-user nobody %u %f %t %k -- /bin/false" \
        'AuthorizedKeysCommandUser root'
    new_key k
    push alice k
    lets_in alice k
    refuses alice k
}
