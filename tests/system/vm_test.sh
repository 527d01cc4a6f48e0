# shellcheck shell=bash disable=SC2154,SC2016
# SPDX-License-Identifier: Apache-2.0
# short: trixie
# From a host into a virtual machine that has no network: virtio-serial and vsock, the relay, limits that the kernel
# enforces. Emulation is slow, and slower beside other work: what a test waits for is an event, with a deadline of minutes.

instance=42

# One machine for all tests of this file. Its id and its anchor come from the host.
_prepare() {
    local name
    need openssl python3 qemu-system-x86_64 socat
    openssl genpkey -algorithm ED25519 -out cloud.pem
    vm_options=(-smbios "type=11,value=io.systemd.credential:exc.instance_id=$instance"
        -smbios "type=11,value=io.systemd.credential.binary:exc.trust=$(openssl pkey -in cloud.pem -pubout | base64 -w 0)")
    for name in exc-push exc-compute-api exc-host exc; do dpkg -x "$(our_deb "$name")" host; done
    vm_start "$suite" "$suite"
}

_vm_prepare() {
    install -d -m 0755 "$1/etc/exc-instance-connect"
    # Keys must live until the store is full, and events of the relay are in its debug output.
    printf '[Agent]\nRateLimit=0\nMaxTtl=3600\n' >"$1/etc/exc-instance-connect/agent.conf"
    install -d -m 0755 "$1/etc/systemd/system/exc-instance-connect-relay.service.d"
    printf '[Service]\nEnvironment=EXC_DEBUG=1\n' \
        >"$1/etc/systemd/system/exc-instance-connect-relay.service.d/debug.conf"
    cp "$here/guest.py" "$1/usr/local/bin/guest.py"
    # Of the guide.
    chroot "$1" useradd --create-home --shell /bin/bash --user-group --groups adm ubuntu
    echo 'a line of the log' >"$1/var/log/syslog"
    chroot "$1" chown root:adm /var/log/syslog
    chmod 0640 "$1/var/log/syslog"
    printf '%s\n' '[Service]' 'ExecStart=sleep infinity' '[Install]' WantedBy=multi-user.target \
        >"$1/etc/systemd/system/nginx.service"
    systemctl --root="$1" -q enable nginx
}

_serial() {
    echo "serial:$(vm_serial "$suite")"
}

_hybrid() {
    echo "hybrid:$(vm_hybrid "$suite")"
}

# _attach MODE [ARGUMENT...]: a process of the host at the serial port (host_at_port.py).
_attach() {
    timeout 600 /usr/bin/python3 "$here/host_at_port.py" "$(vm_serial "$suite")" "$@"
}

_relay_pid() {
    in_vm "$suite" systemctl show --value --property MainPID exc-instance-connect-relay.service
}

# _now: the time of the machine, for journalctl --since.
_now() {
    in_vm "$suite" date +@%s.%6N
}

# _relay_logs SINCE TEXT: waits until it does.
_relay_logs() {
    vm_wait "journalctl -q -o cat -u exc-instance-connect-relay.service --since=$1 | grep -q \"$2\""
}

a_machine_without_a_file_of_its_own_has_id_and_anchor_from_its_host() {
    fails in_vm "$suite" 'ls /etc/exc-instance-connect/instance-id /etc/exc-instance-connect/trust.d/*.pem' 2>/dev/null
    says '/run/credentials/.*/exc\.trust' in_vm "$suite" exc-instance-connect trust list
    says "^Instance: +$instance\$" in_vm "$suite" exc-instance-connect status
    says '^Anchors: +1$' in_vm "$suite" exc-instance-connect status
}

# short: no
a_key_that_comes_over_virtio_serial_lets_in_once() {
    local since
    same '' "$(in_vm "$suite" 'ip -o link | grep -v " lo:"' || true)"
    new_key k
    vm_refuses alice k
    since=$(_now)
    vm_signs push "$(_serial)" --user alice --key k.pub
    vm_lets_in alice k
    vm_refuses alice k
    _relay_logs "$since" 'debug: agent: connected to /run/exc-instance-connect/host.sock'
    _relay_logs "$since" 'debug: host: detached'
    _relay_logs "$since" 'debug: agent: connection closed, [0-9]* bytes sent, [0-9]* received'
}

# short: no
a_key_that_comes_over_vsock_lets_in_once() {
    new_key k
    vm_signs push "$(_hybrid)" --user alice --key k.pub
    vm_lets_in alice k
    vm_refuses alice k
}

# _control_plane: on the host; what it starts ends with the test. Two hosts, one for each channel to the guest. The API may
# not be root; here it is nobody, whose group is that of the sockets.
_control_plane() {
    local programs=$prepared/host/usr/libexec/exc-instance-connect kind group=(setpriv --regid=nogroup --clear-groups)
    trap 'jobs -p | xargs -r kill' EXIT
    install -m 0600 "$prepared/cloud.pem" key.pem
    mkdir signer
    install -d -m 0700 -o nobody state
    printf '[Signer]\nKey=%s\nLog=%s\nApiUser=nobody\n' "$PWD/key.pem" "$PWD/signer" >signer.conf
    printf '%s\n' '[Api]' Node=local "Database=$PWD/state/compute.db" "Audit=$PWD/state/audit" "Signer=unix:$PWD/signer.sock" \
        "Host=hybrid unix:$PWD/hybrid.sock" "Host=serial unix:$PWD/serial.sock" >api.conf
    "${group[@]}" "$programs/exc-signer" --config "$PWD/signer.conf" --socket "$PWD/signer.sock" &
    for kind in hybrid serial; do
        mkdir -p $kind/vm.d
        printf '[Host]\nName=%s\nApiUser=nobody\n' $kind >$kind/host.conf
        printf '[Instance]\nId=%s\nChannel=%s\n' "$instance" "$(_$kind)" >$kind/vm.d/guest.conf
        "${group[@]}" "$programs/exc-host" --config-dir "$PWD/$kind" --socket "$PWD/$kind.sock" &
    done
    _compute_admin init --audit "$PWD/state/audit" >token
    for kind in signer hybrid serial; do wait_for test -S $kind.sock; done
    systemd-socket-activate -l "$PWD/api.sock" "${group[@]}" --reuid=nobody "$programs/exc-compute-api" \
        --config "$PWD/api.conf" &
    wait_for test -S api.sock
}

_compute_admin() {
    "$prepared/host/usr/sbin/exc-compute-admin" "$@" --database "$PWD/state/compute.db" --user nobody
}

# _connect BODY
_connect() {
    curl -s --unix-socket api.sock -H "Authorization: Bearer $(<token)" http://localhost/compute/instance/connect -d "$1"
}

# _grant KIND: leaves the private key of a connect. The emulated guest may take longer than the API waits; the API has
# revoked that key then.
_grant() {
    _connect "{\"vm_id\": \"$instance\", \"user\": \"alice\", \"ttl\": 300}" >answer
    cat answer
    ! grep -qE '"error":"Guest(Timeout|Unreachable)"' answer || return 1
    /usr/bin/python3 -c 'import json; print(json.load(open("answer"))["private_key"], end="")' >"$1.key" || exit 1
    chmod 0600 "$1.key"
}

a_connect_of_the_compute_api_lets_in_once_over_each_channel() {
    local kind
    _control_plane
    for kind in hybrid serial; do
        _compute_admin instance put "$instance" --host $kind
        wait_seconds=600 wait_for _grant $kind
        vm_lets_in alice $kind.key
        vm_refuses alice $kind.key
    done
    says '^Faults: +0$' "$prepared/host/usr/sbin/exc-compute-admin" audit verify --audit "$PWD/state/audit" \
        --signer-log "$PWD/signer" --user nobody
}

# _for_people: the control plane, and the guest's sshd at $address, which it sets.
_for_people() {
    address=127.0.42.12
    [[ $suite == bookworm ]] || address=127.0.42.13
    _control_plane
    _compute_admin instance put "$instance" --host hybrid --default-user ubuntu --private-ipv4 "$address"
    vm_plug "$suite" "$address"
    mkdir -m 0700 home run
}

# _as_person COMMAND...: with a home, and exc logged in.
_as_person() {
    HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/run EXC_ENDPOINT=unix:$PWD/api.sock EXC_TOKEN=$(<token) \
        PATH=$prepared/host/usr/bin:$PATH unshare --mount sh -c 'mount --bind "$HOME" /root && exec "$@"' - "$@"
}

# short: no
commands_of_the_guide() {
    local address
    _for_people
    _as_person "$here/guide" 10
    vm_unplug "$suite"
}

every_call_goes_both_ways() {
    local address
    new_key k
    for address in "$(_serial)" "$(_hybrid)"; do
        says "$instance" vm_exc_push hello "$address"
        says 'Anchors: +1$' vm_exc_push status "$address"
        vm_signs push "$address" --user bob --key k.pub --json | grep '"duplicate":false'
        says '^1 key was dropped' vm_signs revoke "$address" --user bob
        fails_with 'WrongInstance' vm_exc_push push "$address" --signing-key "$prepared/cloud.pem" --instance i-9 \
            --user bob --key k.pub
    done
}

_user_of() {
    in_vm "$suite" "stat -c %U /proc/\$(systemctl show --value -p MainPID $1)"
}

# short: no
users_and_modes_are_those_of_the_design() {
    in_vm "$suite" exc-instance-connect status >/dev/null
    same exc-instance-connect-relay "$(_user_of exc-instance-connect-relay.service)"
    same exc-instance-connect "$(_user_of exc-instance-connect.service)"
    same "$(printf '%s\n' 'root:root 755 /run/exc-instance-connect' 'root:root 600 /run/exc-instance-connect/admin.sock' \
        'root:exc-instance-connect-relay 660 /run/exc-instance-connect/host.sock' \
        'exc-instance-connect:exc-authorized-keys 2750 /run/exc-instance-connect/keys' \
        'exc-instance-connect:exc-authorized-keys 2750 /run/exc-instance-connect/claims' \
        'exc-instance-connect:exc-instance-connect 700 /run/exc-instance-connect/state')" \
        "$(in_vm "$suite" 'cd /run/exc-instance-connect && stat -c "%U:%G %a %n" $PWD $PWD/{admin,host}.sock \
            $PWD/{keys,claims,state}')"
    same 'exc-instance-connect-relay:root 600' \
        "$(in_vm "$suite" stat -L -c '%U:%G %a' /dev/virtio-ports/in.excloud.InstanceConnect)"
    same '' "$(in_vm "$suite" systemctl --plain --no-legend --failed list-units)"
}

a_user_of_the_guest_gets_nowhere() {
    in_vm "$suite" modprobe vsock_loopback
    in_vm "$suite" runuser -u alice -- python3 /usr/local/bin/guest.py tries_everything
}

# Through CID 1 every process of the guest can stand at the vsock port.
# short: no
a_flood_of_the_guests_own_neither_keeps_the_host_out_nor_the_agent_up() {
    local before
    in_vm "$suite" modprobe vsock_loopback
    in_vm "$suite" exc-instance-connect revoke --all >/dev/null
    in_vm "$suite" systemctl stop exc-instance-connect.service
    in_vm "$suite" 'setsid runuser -u alice -- python3 /usr/local/bin/guest.py floods 1000 >/tmp/flood 2>&1 </dev/null &'
    new_key k
    vm_signs push "$(_hybrid)" --user alice --key k.pub
    vm_lets_in alice k
    in_vm "$suite" exc-instance-connect revoke --all >/dev/null
    before=$(in_vm "$suite" systemctl show --value -p InvocationID exc-instance-connect.service)
    # It exits 30 s after the last call. The flood starts it again, and so another one runs, or none.
    vm_wait "[ \"\$(systemctl show --value -p InvocationID exc-instance-connect.service)\" != '$before' ]"
    in_vm "$suite" 'pkill -f "guest.py floods"' || true
    vm_wait 'grep -q "[1-9][0-9]* were closed, 0 answered" /tmp/flood'
}

# short: no
without_a_host_the_relay_uses_no_time() {
    local pid since before after
    pid=$(_relay_pid)
    # Until it has noticed that a host detached, it has work.
    since=$(_now)
    _attach half
    _relay_logs "$since" 'debug: agent: connection closed'
    # Nanoseconds.
    before=$(in_vm "$suite" "cut -d ' ' -f 1 /proc/$pid/schedstat")
    sleep 60
    after=$(in_vm "$suite" "cut -d ' ' -f 1 /proc/$pid/schedstat")
    echo "# the relay's CPU time over a minute with no host attached, emulated: $(((after - before) / 1000)) us"
    ((after - before < 10000000))
}

# short: no
half_a_message_never_becomes_part_of_the_next_hosts() {
    local since
    since=$(_now)
    _attach half
    _relay_logs "$since" 'debug: host: detached'
    _attach rest
    new_key k
    _attach half
    vm_signs push "$(_serial)" --user alice --key k.pub
    vm_lets_in alice k
}

# short: no
a_host_that_writes_and_leaves_at_once_is_heard() {
    local before
    before=$(_now)
    _attach leaves_at_once
    vm_wait "journalctl -q --since=$before MESSAGE_ID=5b94c1d6ae75ad5f9c483b3cd790d333 | grep -q Push"
}

# short: no
a_host_that_does_not_read_stops_nobody() {
    local pid since
    pid=$(_relay_pid)
    new_key k
    since=$(_now)
    _attach never_reads
    # Another host before that would read the answers.
    _relay_logs "$since" 'debug: host: detached'
    in_vm "$suite" exc-instance-connect status >/dev/null
    same "$pid" "$(_relay_pid)"
    in_vm "$suite" "awk '/^VmHWM/ { exit !(\$2 < 8192) }' /proc/$pid/status"
    vm_signs push "$(_serial)" --user alice --key k.pub
    vm_lets_in alice k
}

# short: no
the_agent_restarts_while_a_host_is_attached() {
    coproc HOST { _attach hello_before_and_after; }
    local line out=${HOST[0]} in=${HOST[1]}
    read -r -t 600 line <&"$out"
    same 'first hello answered' "$line"
    in_vm "$suite" systemctl stop exc-instance-connect.service
    echo go >&"$in"
    read -r -t 600 line <&"$out"
    same 'second hello answered' "$line"
}

# short: no
while_the_hosts_socket_is_down_the_host_waits() {
    local answer since
    in_vm "$suite" systemctl stop exc-instance-connect-host.socket
    since=$(_now)
    _attach hello >answer &
    answer=$!
    _relay_logs "$since" 'agent not reachable, the host waits'
    same '' "$(<answer)"
    in_vm "$suite" systemctl start exc-instance-connect-host.socket
    wait "$answer"
    same 'hello answered' "$(<answer)"
}

# short: no
another_host_process_waits_for_its_turn() {
    coproc HOST { _attach holds; }
    local line out=${HOST[0]} in=${HOST[1]} first=$HOST_PID
    read -r -t 600 line <&"$out"
    same 'hello answered' "$line"
    fails_with 'one at a time' "$prepared/host/usr/bin/exc-push" hello --to "$(_serial)" --timeout 2
    echo go >&"$in"
    wait "$first"
    says "$instance" vm_exc_push hello "$(_serial)"
}

# short: no
a_message_that_is_too_long_does_not_end_the_stream() {
    _attach too_long
}

# short: no
a_full_store_says_so_and_run_has_room() {
    in_vm "$suite" python3 /usr/local/bin/guest.py fills
    new_key k
    in_vm "$suite" 'head -c 100M /dev/zero >/run/exc-instance-connect/filler' || true
    in_vm "$suite" 'df -h /run /run/exc-instance-connect'
    fails_with 'StoreFull' vm_signs push "$(_serial)" --user alice --key k.pub
    in_vm "$suite" 'head -c 1M /dev/zero >/run/room && rm /run/room /run/exc-instance-connect/filler'
    in_vm "$suite" 'mkdir /run/exc-instance-connect/many; cd /run/exc-instance-connect/many; seq 50000 | xargs touch' || true
    fails_with 'StoreFull' vm_signs push "$(_serial)" --user alice --key k.pub
    in_vm "$suite" 'touch /run/room && rm -r /run/room /run/exc-instance-connect/many'
    vm_signs push "$(_serial)" --user alice --key k.pub
    vm_lets_in alice k
}

# As on a host that is short of processors, or migrates the machine. Both pushes are there when it continues.
# short: no
a_guest_that_stands_still_before_it_takes_a_push_has_one_grant() {
    local address qemu
    qemu=$(<"$vms/$suite/pid")
    new_key k
    # When it has to sign, so after the guest's challenge, the signer stops the machine, until a second connection waits.
    cat >sign <<END
[ -e stopped ] || { touch stopped; kill -STOP $qemu; (sleep 13; kill -CONT $qemu) >/dev/null 2>&1 & }
cat >bytes; openssl pkeyutl -sign -rawin -inkey $prepared/cloud.pem -in bytes
END
    for address in "$(_hybrid)" "$(_serial)"; do
        in_vm "$suite" exc-instance-connect revoke --all
        rm -f stopped
        "$prepared/host/usr/bin/exc-push" push --to "$address" --timeout 10 --wait 100 --sign-command 'sh ./sign' \
            --instance "$instance" --ttl 1200 --user alice --key k.pub
        same 1 "$(in_vm "$suite" exc-instance-connect list | tee /dev/stderr | grep -c "$(fingerprint k.pub)")"
    done
}

# short: no
the_kernel_holds_the_agent_to_its_limits() {
    in_vm "$suite" python3 /usr/local/bin/guest.py limits
    new_key k
    vm_signs push "$(_serial)" --user alice --key k.pub
    vm_lets_in alice k
}

# short: no
without_the_port_nothing_of_the_relay_is_there() {
    vm_monitor "$suite" 'device_del p0'
    vm_wait '[ ! -e /dev/virtio-ports/in.excloud.InstanceConnect ]'
    vm_wait '! systemctl is-active -q exc-instance-connect-relay.service'
    same '' "$(in_vm "$suite" systemctl --plain --no-legend --failed list-units)"
    vm_monitor "$suite" 'device_add virtserialport,chardev=c0,name=in.excloud.InstanceConnect,id=p0'
    says "$instance" vm_exc_push hello "$(_serial)" --wait 300
}

# short: no
what_a_host_wrote_before_the_guest_booted_is_answered() {
    local answer
    vm_cycle "$suite"
    _attach hello >answer &
    answer=$!
    vm_await "$suite"
    wait "$answer"
    same 'hello answered' "$(<answer)"
}

# The last one: vhost-device-vsock does not survive a reset.
# short: no
a_reboot_in_the_middle_of_a_push_leaves_one_grant() {
    new_key k
    # When it has to sign, so after the guest's challenge, the signer resets the machine.
    cat >sign <<END
[ -e reset ] || { touch reset; echo system_reset | socat -t 1 - UNIX-CONNECT:$vms/$suite/monitor >/dev/null; }
cat >bytes; openssl pkeyutl -sign -rawin -inkey $prepared/cloud.pem -in bytes
END
    "$prepared/host/usr/bin/exc-push" push --to "$(_serial)" --timeout 3 --wait 900 --sign-command 'sh ./sign' \
        --instance "$instance" --ttl 1200 --user alice --key k.pub 2>said.txt
    cat said.txt
    grep -q 'the guest was not reached.*trying again' said.txt
    says '^Keys: +1$' vm_exc_push status "$(_serial)"
}

_execs() {
    same ubuntu "$(_as_person exc compute exec --vm-id 42 --command 'id -un')"
}

# _is_in_session: starts one, leaving $session, unless the last one still runs.
_is_in_session() {
    if [[ -z $session || ! -d /proc/$session ]]; then
        _as_person exc compute exec --vm-id 42 --command 'echo in; sleep 10000' >out 2>&1 &
        session=$!
    fi
    grep -qx in out
}

# short: no
a_reboot_ends_a_session_of_exc_and_the_next_one_works() {
    local address session='' status=0
    _for_people
    wait_seconds=600 wait_for _is_in_session
    vm_cycle "$suite"
    wait "$session" || status=$?
    same 255 $status
    vm_await "$suite"
    vm_plug "$suite" "$address"
    wait_seconds=600 wait_for _execs
}

# With a packet filter, which the containers have not.
# short: no
launch_keys_are_fetched_from_the_addresses_of_the_unit_alone() {
    local unit=exc-instance-connect-metadata conf=/etc/exc-instance-connect/metadata.conf
    vm_metadata_service 169.254.169.254 192.0.2.1
    vm_fetches
    says 'metadata service' in_vm "$suite" exc-instance-connect list
    vm_lets_in alice launch
    # Configured, and without the drop-in of exc-instance-connect-metadata.conf(5).
    in_vm "$suite" "printf 'Address=192.0.2.1\n' >>$conf; rm /var/cloud/log"
    fails in_vm "$suite" systemctl start $unit.service 2>/dev/null
    in_vm "$suite" "systemctl stop $unit.service; ! test -e /var/cloud/log"
    says '192\.0\.2\.1: ' in_vm "$suite" journalctl -q -o cat -u $unit.service
    in_vm "$suite" "mkdir -p /etc/systemd/system/$unit.service.d
        printf '[Service]\nIPAddressAllow=192.0.2.1\n' >/etc/systemd/system/$unit.service.d/address.conf; systemctl daemon-reload
        : >/var/cloud/keys"
    vm_fetches
    fails says 'metadata service' in_vm "$suite" exc-instance-connect list
    vm_refuses alice launch
    in_vm "$suite" "rm -r /etc/systemd/system/$unit.service.d; systemctl daemon-reload"
    vm_metadata_service_stops
}

# _sets_clock TIME: as a person does.
_sets_clock() {
    in_vm "$suite" "date --set='$1'"
}

# Before, the clock is synchronized: the agent goes by its maximum error.
# short: no
a_clock_that_is_set_ends_a_key_and_is_the_reason() {
    new_key k
    in_vm "$suite" "python3 - <<'END'
import ctypes
class Timex(ctypes.Structure):
    _fields_ = [('modes', ctypes.c_uint), ('offset', ctypes.c_long), ('freq', ctypes.c_long), ('maxerror', ctypes.c_long),
                ('esterror', ctypes.c_long), ('status', ctypes.c_int), ('rest', ctypes.c_char * 256)]
assert ctypes.CDLL(None).adjtimex(ctypes.byref(Timex(modes=0x1c))) >= 0
END"
    vm_signs push "$(_serial)" --user alice --key k.pub --request-id r-clock
    _sets_clock '+1 hour'
    vm_wait "journalctl -q EXC_REQUEST_ID=r-clock EXC_REASON=ClockSet | grep -q ."
    vm_refuses alice k
    vm_wait 'exc-instance-connect log --all | grep -q "r-clock.*expired (the clock was set, or the machine restored)"'
    _sets_clock "@$(date +%s)"
}
