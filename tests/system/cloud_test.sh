# shellcheck shell=bash disable=SC2154,SC2016
# SPDX-License-Identifier: Apache-2.0
# short: bookworm
# The control plane from its packages, on a machine that is a guest too: as docs/control-plane.md has it. In the virtual machine of
# vm_test.sh it is the guest alone.

_prepare() {
    install -d -m 0755 shared
    machine_start m "$suite" "--bind=$PWD/shared:/srv/shared"
    install_debs m "$(our_deb exc-instance-connect)" "$(our_deb exc-compute-api)" "$(our_deb exc-host)"
    _guest_trusts_signer
    # exc-host stands for the relay, whose socket is this guest's channel.
    in_machine m install -d /etc/systemd/system/exc-host.service.d
    printf '%s\n' '[Service]' User=exc-instance-connect-relay Group=exc-instance-connect-relay |
        in_machine m tee /etc/systemd/system/exc-host.service.d/user.conf >/dev/null
    printf '[Instance]\nId=42\nChannel=unix:%s\n' "$host_socket" | in_machine m tee /etc/exc-host/vm.d/42.conf >/dev/null
    # For a client on another machine.
    in_machine m install -d /etc/systemd/system/exc-compute-api.socket.d
    printf '%s\n' '[Socket]' ListenStream=/srv/shared/api.sock SocketMode=0666 |
        in_machine m tee /etc/systemd/system/exc-compute-api.socket.d/shared.conf >/dev/null
    in_machine m systemctl daemon-reload
    in_machine m systemctl restart exc-host.socket exc-compute-api.socket
    in_machine m useradd --create-home --shell /bin/bash --user-group --groups adm ubuntu
    in_machine m exc-compute-admin init >token-of-admin
    in_machine m exc-compute-admin account add operator
    in_machine m exc-compute-admin token create operator >operators
    _document 'exc:compute:instance/42' | in_machine m exc-compute-admin policy put operate-42 -
    in_machine m exc-compute-admin policy attach operate-42 operator
    in_machine m exc-compute-admin instance put 42 --host local --default-user ubuntu --private-ipv4 10.0.42.1
    in_machine m exc-compute-admin instance put 43 --host local
}

# _document RESOURCE
_document() {
    printf '{"Version": "2024-03-05", "Statements": [{"Effect": "Allow", "Action": "compute:instance:*", "Resource": "%s"}]}' "$1"
}

_guest_trusts_signer() {
    local root
    root=$(machine_root m)
    in_machine m sh -c 'umask 022; openssl pkey -in /etc/exc-signer/key.pem -pubout >/etc/exc-instance-connect/trust.d/cloud.pem'
    echo 42 >"$root/etc/exc-instance-connect/instance-id"
}

# _api METHOD PATH [BODY]: prints the answer, also where it is seen when the test fails, with the operator's token.
_api() {
    in_machine m curl -s -X "$1" --unix-socket /run/exc-compute-api/api.sock \
        -H "Authorization: Bearer $(<"$prepared/operators")" ${3:+-d "$3"} "http://localhost$2" | tee /dev/stderr
}

# _member NAME: of the JSON object on standard input.
_member() {
    /usr/bin/python3 -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."): value = value[name]
print(value if isinstance(value, str) else json.dumps(value))' "$1"
}

_ssh_with() {
    chmod 0600 "$2"
    ssh_in m "$1" "$2" -o "UserKnownHostsFile=$PWD/known_hosts" -o HostKeyAlias=exc-vm-42 -- id -un
}

a_made_key_lets_in_once() {
    _api POST /compute/instance/connect '{"vm_id": 42}' >answer
    same ubuntu "$(_member user <answer)"
    _member private_key <answer >k
    /usr/bin/python3 -c 'import json; print("\n".join(json.load(open("answer"))["known_hosts"]))' >known_hosts
    same ubuntu "$(_ssh_with ubuntu k)"
    fails _ssh_with ubuntu k
}

a_key_of_ones_own_is_revoked() {
    new_key k
    same null "$(_api POST /compute/instance/connect "{\"vm_id\": 42, \"public_key\": \"$(<k.pub)\"}" | _member private_key)"
    lets_in m ubuntu k
    same 'done' "$(_api POST /compute/instance/42/revoke '{"user": "ubuntu"}' | _member outcome)"
    refuses m ubuntu k
}

# short: no
key_command_signs_with_the_documented_drop_in() {
    in_machine m install -m 0755 /dev/stdin /usr/local/bin/sign <<'END'
#!/bin/sh
cat >/var/log/exc-signer/bytes && cat /var/log/exc-signer/bytes | wc -c >/dev/null &&
    openssl pkeyutl -sign -rawin -inkey /etc/exc-signer/key.pem -in /var/log/exc-signer/bytes
END
    in_machine m cp /etc/exc-signer/signer.conf /root/signer.conf
    printf '%s\n' '[Signer]' KeyCommand=/usr/local/bin/sign | in_machine m tee /etc/exc-signer/signer.conf >/dev/null
    in_machine m install -d /etc/systemd/system/exc-signer.service.d
    { echo '[Service]' && sed -n '/^ExecPaths=/,/^\.Ed/{/^\.Ed/!p}' "$system_tree/man/exc-signer.conf.5"; } | tee /dev/stderr |
        in_machine m tee /etc/systemd/system/exc-signer.service.d/command.conf >/dev/null
    in_machine m systemctl daemon-reload
    in_machine m systemctl stop exc-signer
    _api POST /compute/instance/connect '{"vm_id": 42}' | _member private_key >k
    chmod 0600 k
    lets_in m ubuntu k
    in_machine m sh -c 'cp /root/signer.conf /etc/exc-signer/signer.conf
        rm -r /etc/systemd/system/exc-signer.service.d /var/log/exc-signer/bytes /usr/local/bin/sign
        systemctl daemon-reload && systemctl stop exc-signer'
}

# _leader M: the process by which its namespaces are entered.
_leader() {
    cat "$(machine_directory "$1")/leader"
}

commands_of_the_guide() {
    local root
    in_machine m systemd-run -q --unit=nginx sleep infinity
    in_machine m sh -c 'echo "a line of the log" >/var/log/syslog && chgrp adm /var/log/syslog && chmod 0640 /var/log/syslog'
    machine_start c "$suite" "--bind=$prepared/shared:/srv/shared"
    install_debs c "$(our_deb exc)"
    nsenter -t "$(_leader m)" -n ip link add guest type veth peer name client netns "$(_leader c)"
    nsenter -t "$(_leader m)" -n sh -ec 'ip address add 10.0.42.1/24 dev guest; ip link set guest up'
    nsenter -t "$(_leader c)" -n sh -ec 'ip address add 10.0.42.2/24 dev client; ip link set client up'
    root=$(machine_root c)
    install -m 0755 "$here/guide" "$root/srv/guide"
    in_machine c setpriv --reuid=alice --regid=alice --init-groups env HOME=/home/alice \
        EXC_ENDPOINT=unix:/srv/shared/api.sock "EXC_TOKEN=$(<"$prepared/token-of-admin")" /srv/guide
    in_machine m systemctl stop nginx
}

what_policy_or_signer_deny_is_not_pushed() {
    same AccessDenied "$(_api POST /compute/instance/connect '{"vm_id": 43}' | _member error)"
    same AccessDenied "$(_api POST /compute/instance/connect '{"vm_id": 4}' | _member error)"
    same SignerRefused "$(_api POST /compute/instance/connect '{"vm_id": 42, "user": "root"}' | _member error)"
    same Unauthenticated "$(in_machine m curl -s --unix-socket /run/exc-compute-api/api.sock http://localhost/compute/instance |
        _member error)"
}

audit_log_and_journal_have_the_same_request() {
    local id
    new_key k
    id=$(_api POST /compute/instance/connect "{\"vm_id\": 42, \"user\": \"bob\", \"public_key\": \"$(<k.pub)\"}" |
        _member request_id)
    in_machine m journalctl --sync
    same operator "$(in_machine m journalctl -q -o cat --output-fields=EXC_PRINCIPAL "EXC_REQUEST_ID=$id" | sort -u)"
    # Where the machine's clock is not synchronised, a second signature has a decision of its own.
    same 'decision outcome ' "$(in_machine m sh -c "cat /var/log/exc-compute-api/audit/* | grep $id" |
        sed 's/.*"kind":"\([a-z]*\)".*/\1/' | sort -u | tr '\n' ' ')"
    says '^Faults: +0$' in_machine m exc-compute-admin audit verify
}

# status_of UNIT FIELD: of /proc/PID/status.
_status_of() {
    in_machine m sh -c "sed -n 's/^$2:[[:blank:]]*//p' /proc/\$(systemctl show --value -p MainPID $1)/status"
}

each_program_runs_as_its_own_user_and_is_confined() {
    local unit
    _api GET /healthz >/dev/null
    _api POST /compute/instance/connect '{"vm_id": 42}' >/dev/null
    for unit in exc-compute-api exc-signer; do
        same "${unit/compute-/}" "$(in_machine m sh -c "stat -c %U /proc/\$(systemctl show --value -p MainPID $unit)")"
    done
    for unit in exc-compute-api exc-signer exc-host; do
        # That of systemd, and its own.
        same 2 "$(_status_of "$unit" Seccomp)"
        same 0000000000000000 "$(_status_of "$unit" CapEff)"
        same '' "$(in_machine m journalctl -q -b -o cat -u "$unit" | grep -F confinement || true)"
        same '' "$(in_machine m systemd-analyze verify --man=no "$unit.service" 2>&1 | grep -F "$unit" || true)"
    done
    no_failed_unit m
}

# _starts UNIT: how often systemd has begun to start it: also for a connection, which NRestarts does not count.
_starts() {
    in_machine m journalctl -q -o cat --output-fields=UNIT MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5 "UNIT=$1.service" |
        wc -l
}

_started_more_than() {
    (($(_starts "$1") > $2))
}

# _paced UNIT FILE LINE SOCKET: with this line its configuration is wrong, and a connection waits. Leaves the answer in
# UNIT.
_paced() {
    local before start starts
    in_machine m cp -a "$2" "$2.right"
    in_machine m systemctl stop "$1.service"
    echo "$3" | in_machine m tee -a "$2" >/dev/null
    in_machine m curl -s -m 300 --unix-socket "$4" http://localhost/healthz >"$1" </dev/null 2>&1 &
    before=$(_starts "$1")
    wait_for _started_more_than "$1" $((before + 1))
    before=$(_starts "$1") start=$SECONDS
    sleep 4
    starts=$(($(_starts "$1") - before))
    echo "# $1: started $starts times in 4 s"
    ((starts > 0 && starts <= 2 * (SECONDS - start + 1)))
    property_is m "$1.socket" ActiveState active
    in_machine m mv "$2.right" "$2"
    wait_for property_is m "$1.service" ActiveState active
    wait_jobs
}

# short: no
what_is_configured_wrongly_is_started_once_a_second() {
    _paced exc-signer /etc/exc-signer/signer.conf Key=/nonexistent /run/exc-signer/signer.sock
    _paced exc-host /etc/exc-host/host.conf Name=/ /run/exc-host/host.sock
    _paced exc-compute-api /etc/exc-compute/api.conf Workers=none /run/exc-compute-api/api.sock
    # The connection that waited is answered.
    same ok "$(_member status <exc-compute-api)"
    no_failed_unit m
}

# short: no
everything_works_after_a_reboot() {
    machine_reboot m
    new_key k
    _api POST /compute/instance/connect "{\"vm_id\": 42, \"public_key\": \"$(<k.pub)\"}" >/dev/null
    lets_in m ubuntu k
    no_failed_unit m
}

purging_leaves_no_file_and_no_user() {
    local name
    machine_start p "$suite"
    install_debs p "$(our_deb exc-compute-api)" "$(our_deb exc-host)"
    in_machine p exc-compute-admin init >/dev/null
    in_machine p test -s /var/lib/exc-compute-api/compute.db
    apt_get p purge exc-compute-api exc-host
    for name in /etc/exc-compute /etc/exc-signer /etc/exc-host /var/lib/exc-compute-api /var/log/exc-compute-api \
        /var/log/exc-signer /run/exc-compute-api /run/exc-signer /run/exc-host; do
        fails in_machine p test -e "$name"
    done
    same '' "$(in_machine p sh -c 'getent passwd; getent group' | grep -E '^exc-' || true)"
}
