# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: trixie
# What systemd makes of the units: when they run, what the agent may do, and what brings them down, which is nothing.

agent=exc-instance-connect.service
admin=exc-instance-connect.socket
host=exc-instance-connect-host.socket
vsock=exc-instance-connect-vsock.socket
directories=exc-instance-connect-store.service
plain=exc-instance-connect-plain-run.service
mount='run-exc\x2dinstance\x2dconnect.mount'
claims='run-exc\x2dinstance\x2dconnect-claims.mount'
store=/run/exc-instance-connect
program=/usr/libexec/exc-instance-connect/exc-instance-connect-agent

# What all tests begin with: a machine as it is after the installation.
_prepare() {
    machine_start base "$suite"
    install_debs base
    machine_stop base
}

# started [OPTION...]: m, a copy of it that was booted.
_started() {
    machine_start m "$(machine_root base)" "$@"
}

_systemctl() {
    in_machine m systemctl --quiet "$@"
}

_answers() {
    says '^Agent: ' in_machine m exc-instance-connect status
}

_pid() {
    property m "$agent" MainPID
}

# is STATE UNIT...
_is() {
    local unit
    for unit in "${@:2}"; do same "$unit $1" "$unit $(property m "$unit" ActiveState)"; done
}

# with_setting UNIT SECTION LINE...: a drop-in, until the next boot.
_with_setting() {
    in_machine m mkdir -p "/run/systemd/system/$1.d"
    printf '%s\n' "[$2]" "${@:3}" | in_machine m tee "/run/systemd/system/$1.d/test.conf" >/dev/null
    _systemctl daemon-reload
}

_restarts() {
    property m "$agent" NRestarts
}

# has_mode MODE PATH
_has_mode() {
    [[ $(in_machine m stat -c %a "$2") == "$1" ]]
}

# connections SOCKET N: so many, one after the other, each closed at once.
_connections() {
    in_machine m python3 - "$1" "$2" <<'END'
import socket, sys
for _ in range(int(sys.argv[2])):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
END
}

# --- the boot -------------------------------------------------------------------------------------------------------

systemd_finds_no_fault_in_the_units() {
    _started
    same '' "$(in_machine m systemd-analyze --man=no verify \
        "$agent" "$admin" "$host" "$vsock" "$directories" "$plain" "$mount" "$claims" 2>&1)"
    _answers
    # Such as a setting that this version does not know.
    same '' "$(in_machine m journalctl -q -b -p warning -o cat _PID=1 | grep -e exc- -e 'exc\\x2d' || true)"
}

after_a_boot_the_sockets_listen_and_nothing_runs() {
    _started
    no_failed_unit m
    _is active "$admin" "$host" "$mount" "$claims"
    _is inactive "$agent" "$directories" "$plain" "$vsock"
    fails in_machine m pgrep -u exc-instance-connect,exc-instance-connect-relay,exc-authorized-keys
    _answers
    _is active "$agent"
}

without_vsock_its_socket_is_absent_and_not_failed() {
    _started
    fails in_machine m test -e /dev/vsock
    _systemctl start "$vsock"
    _is inactive "$vsock"
    no_failed_unit m
    same static "$(property m "$vsock" UnitFileState)"
}

nothing_of_ours_is_ordered_before_anything_of_the_boot() {
    local before unit
    _started
    # shellcheck disable=SC2016 # for the machine's shell
    before=$(in_machine m bash -c '
        declare -A seen
        while (($# > 0)); do
            if [[ -z ${seen[$1]:-} ]]; then
                seen[$1]=1
                echo "$1"
                set -- "$@" $(systemctl show --value --property Before -- "$1" | sed "s/\"//g; s/\\\\\\\\/\\\\/g")
            fi
            shift
        done' _ "$agent" "$admin" "$host" "$vsock" "$directories" "$plain" "$mount" "$claims")
    grep -qx "$agent" <<<"$before"
    for unit in sysinit.target local-fs.target basic.target sockets.target network.target network-online.target \
        multi-user.target ssh.service ssh.socket systemd-tmpfiles-setup.service dbus.socket; do
        fails grep -qx "$unit" <<<"$before"
    done
    # And so the rest: only the end of the machine comes after.
    same '' "$(grep -v -e exc- -e 'exc\\x2d' -e '^\(shutdown\|umount\|final\|soft-reboot\)\.target$' \
        -e '^systemd-soft-reboot\.service$' <<<"$before" || true)"
}

# --- the store and the sockets --------------------------------------------------------------------------------------

the_store_is_a_small_tmpfs_whose_directories_have_their_owners_and_modes() {
    local options option
    _started
    options=$(in_machine m findmnt --noheadings --output FSTYPE,OPTIONS "$store")
    for option in 'tmpfs ' rw nosuid nodev noexec size=49152k nr_inodes=40960; do
        [[ $options == *"$option"* ]] || {
            echo "no $option: $options"
            return 1
        }
    done
    # Whatever was there before.
    _systemctl restart "$admin" "$host"
    same "755 root:root .
600 root:root admin.sock
2750 exc-instance-connect:exc-authorized-keys claims
660 root:exc-instance-connect-relay host.sock
2750 exc-instance-connect:exc-authorized-keys keys
700 exc-instance-connect:exc-instance-connect state" \
        "$(in_machine m sh -c "cd $store && stat --format '%a %U:%G %n' . *")"
    fails_with 'Permission denied' in_machine m setpriv --reuid=nobody --clear-groups python3 -c \
        "import socket; socket.socket(socket.AF_UNIX).connect('$store/admin.sock')"
}

# short: no
keys_outlive_restarts_of_the_sockets_while_the_agent_is_at_work() {
    local socket
    _started
    new_key k
    push m alice k --ttl 300
    for socket in "$host" "$admin" "$host $admin" "$admin"; do
        _is active "$agent"
        # shellcheck disable=SC2086 # words
        _systemctl restart $socket
        _is active "$admin" "$host" "$mount" "$claims"
        says "$(fingerprint k.pub | sed 's/[+]/[+]/g')" in_machine m exc-instance-connect list
    done
    # And one that is started late, as vsock's is.
    _systemctl stop "$host"
    says "$(fingerprint k.pub | sed 's/[+]/[+]/g')" in_machine m exc-instance-connect list
    _is active "$agent"
    _systemctl start "$host"
    _is active "$host"
    says "$(fingerprint k.pub | sed 's/[+]/[+]/g')" in_machine m exc-instance-connect list
    lets_in m alice k
    no_failed_unit m
}

# short: no
sockets_that_are_restarted_under_many_calls_listen_afterwards() {
    local i
    _started
    in_machine m sh -c 'while [ ! -e /run/enough ]; do exc-instance-connect status; done >/run/calls 2>&1' &
    for ((i = 0; i < 15; i++)); do
        _systemctl restart "$host"
        _systemctl restart "$admin"
        _is active "$admin" "$host"
    done
    in_machine m touch /run/enough
    wait_jobs
    _answers
    host m hello >/dev/null
    no_failed_unit m
}

# short: no
a_store_that_was_unmounted_comes_back_with_a_restart_of_the_sockets() {
    _started
    _answers
    in_machine m umount --recursive --lazy "$store"
    fails in_machine m exc-instance-connect status
    # systemd looks at mounts no more often than it likes.
    wait_for _is inactive "$mount"
    _systemctl restart "$admin" "$host"
    in_machine m mountpoint -q "$store"
    in_machine m mountpoint -q "$store/claims"
    new_key k
    push m alice k
    lets_in m alice k
    host m hello >/dev/null
    no_failed_unit m
}

# short: no
a_store_that_is_mounted_again_takes_the_sockets_with_it() {
    _started
    _answers
    _systemctl restart "$mount"
    # Which does not wait for them.
    wait_for _is active "$admin" "$host"
    in_machine m mountpoint -q "$store"
    in_machine m mountpoint -q "$store/claims"
    new_key k
    push m alice k
    lets_in m alice k
    host m hello >/dev/null
    no_failed_unit m
}

# short: no
where_nothing_can_be_mounted_the_store_is_a_part_of_run() {
    _started
    _systemctl stop "$admin" "$host" "$mount"
    # As in a container that lacks it.
    _with_setting "$mount" Unit 'ConditionCapability=!CAP_SYS_ADMIN'
    _with_setting "$claims" Unit 'ConditionCapability=!CAP_SYS_ADMIN'
    _systemctl start "$admin" "$host"
    fails in_machine m mountpoint -q "$store"
    new_key k
    push m alice k
    lets_in m alice k
    host m hello >/dev/null
    no_failed_unit m
}

# short: no
claims_that_are_mounted_again_end_the_agent_that_has_the_old_ones_open() {
    _started
    new_key k
    push m alice k
    _systemctl restart "$claims"
    _is inactive "$agent"
    wait_for _has_mode 2750 "$store/claims"
    refuses m alice k
    push m alice k
    lets_in m alice k
    no_failed_unit m
}

# short: no
where_the_mount_fails_the_store_is_a_part_of_run() {
    _started
    _systemctl stop "$admin" "$host" "$mount"
    _systemctl disable "$host"
    _with_setting "$mount" Mount 'Options=size=nonsense'
    fails _systemctl start "$admin"
    wait_for in_machine m systemctl --quiet is-active "$admin"
    fails in_machine m mountpoint -q "$store"
    new_key k
    push m alice k
    lets_in m alice k
    _is failed "$mount"
    # What is not to run is not started with it.
    _is inactive "$host"
    _systemctl restart "$admin"
    _answers
}

# short: no
without_the_relays_group_the_administrator_still_has_a_socket() {
    _started
    _systemctl stop "$admin" "$host"
    in_machine m sed -i '/^exc-instance-connect-relay:/d' /etc/group /etc/gshadow
    fails _systemctl start "$admin" "$host"
    _is failed "$host"
    _is active "$admin"
    _answers
}

# short: no
stopping_the_sockets_ends_the_agent_and_leaves_no_socket_behind() {
    _started
    _answers
    _systemctl stop "$host"
    _is inactive "$agent"
    _answers
    _systemctl stop "$admin"
    _is inactive "$agent" "$admin" "$host"
    _is active "$mount"
    same '' "$(in_machine m find "$store" -type s)"
    fails in_machine m pgrep -u exc-instance-connect
    no_failed_unit m
}

# --- what brings the sockets down -----------------------------------------------------------------------------------

# short: no
an_agent_that_is_killed_200_times_is_served_by_its_sockets_again() {
    _started
    # At its own pace this takes four minutes. It is systemd's limits that this asks about.
    _with_setting "$agent" Service RestartSec=0
    _answers
    # shellcheck disable=SC2016 # for the machine's shell
    in_machine m bash -c '
        for ((i = 0; i < 200; i++)); do
            until pid=$(pgrep -u exc-instance-connect); do sleep 0.02; done
            kill -KILL $pid
            while [[ -d /proc/$pid ]]; do sleep 0.005; done
        done'
    wait_for _killed_200_times
    _is active "$admin" "$host"
    _answers
    host m hello >/dev/null
}

_killed_200_times() {
    (($(_restarts) >= 200))
}

an_agent_that_is_killed_comes_back_with_the_keys_and_without_being_asked() {
    local pid
    _started
    new_key k
    push m alice k --ttl 300
    pid=$(_pid)
    in_machine m kill -KILL "$pid"
    wait_for _came_back "$pid"
    lets_in m alice k
}

_came_back() {
    [[ $(_pid) != 0 && $(_pid) != "$1" && $(property m "$agent" ActiveState) == active ]]
}

# short: no
a_flood_of_connections_takes_no_socket_away() {
    local socket
    _started
    # On host.sock root is a stranger, on admin.sock at home.
    for socket in host admin; do
        _connections "$store/$socket.sock" 3000 &
        _connections "$store/$socket.sock" 3000 &
    done
    wait_jobs
    _is active "$admin" "$host"
    _answers
    host m hello >/dev/null
}

# short: no
a_flood_that_ends_agents_takes_no_socket_away() {
    local i
    _started
    _with_setting "$agent" Service RestartSec=0
    _connections "$store/host.sock" 2000 &
    for ((i = 0; i < 40; i++)); do _systemctl kill --signal=KILL "$agent" 2>/dev/null || true; done
    wait_jobs
    _is active "$admin" "$host"
    _answers
    host m hello >/dev/null
}

# looped: an agent that cannot start is asked for, and what systemd does about that is counted for a while. Without a
# pace it is 60 times a second.
_looped() {
    local before tries start
    host m hello --timeout 60 >answer.txt 2>&1 &
    wait_for _tried_again
    before=$(_restarts) start=$SECONDS
    sleep 4
    tries=$(($(_restarts) - before))
    echo "# in 4 s it was started $tries times"
    ((tries > 0 && tries <= 2 * (SECONDS - start + 1)))
    _is active "$admin" "$host"
}

_tried_again() {
    (($(_restarts) > 0))
}

# short: no
an_agent_without_its_program_is_tried_slowly_and_serves_who_waited_when_it_is_back() {
    _started
    in_machine m mv "$program" /root/agent
    _looped
    in_machine m mv /root/agent "$program"
    wait_jobs
    grep -q '^Agent: ' answer.txt || {
        cat answer.txt
        return 1
    }
    _answers
    no_failed_unit m
}

# short: no
an_agent_without_its_user_is_tried_slowly_and_serves_who_waited_when_it_is_back() {
    _started
    in_machine m cp -p /etc/passwd /root/passwd
    in_machine m sed -i '/^exc-instance-connect:/d' /etc/passwd
    _looped
    in_machine m cp -p /root/passwd /etc/passwd
    wait_jobs
    grep -q '^Agent: ' answer.txt || {
        cat answer.txt
        return 1
    }
    _answers
    no_failed_unit m
}

# short: no
an_agent_that_is_started_by_hand_without_a_socket_says_so_and_is_not_tried_again() {
    _started
    _systemctl stop "$admin" "$host"
    # It begins well and then ends itself.
    _systemctl start "$agent" || true
    wait_for _is failed "$agent"
    sleep 2
    same 0 "$(_restarts)"
    _is failed "$agent"
    says 'sockets: none was passed' in_machine m journalctl -q -o cat -t exc-instance-connect-agent
    _systemctl start "$admin"
    _answers
    no_failed_unit m
}

# --- what the agent may do ------------------------------------------------------------------------------------------

# exposure UNIT: of 10, by this version of systemd.
_exposure() {
    in_machine m systemd-analyze --no-pager security "$1" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p'
}

# What is left is in SECURITY.md, with its reason.
units_are_exposed_to_little() {
    local unit limit found status=0
    _started
    # Those of other packages need no program for this.
    for unit in exc-compute-api exc-signer exc-host exc-instance-connect-metadata; do
        in_machine m tee "/run/systemd/system/$unit.service" <"$system_tree/systemd/$unit.service" >/dev/null
    done
    _systemctl daemon-reload
    while read -r unit limit; do
        found=$(_exposure "$unit")
        echo "# systemd-analyze security $unit: $found"
        awk -v found="$found" -v limit="$limit" 'BEGIN { exit !(found != "" && found <= limit) }' || status=1
    done <<END
$agent 0.7
exc-instance-connect-relay.service 0.7
exc-instance-connect-metadata.service 1.0
exc-signer.service 0.7
exc-host.service 1.0
exc-compute-api.service 1.0
$directories 1.0
$plain 1.0
END
    # It does tell more from less.
    fails in_machine m systemd-analyze --threshold=1 security "$agent" >/dev/null
    return "$status"
}

the_agent_runs_as_its_own_user_without_any_privilege() {
    local pid id line
    _started
    _answers
    pid=$(_pid) id=$(in_machine m id -u exc-instance-connect)
    in_machine m cat "/proc/$pid/status" >status.txt
    for line in "Uid: $id $id $id $id" 'CapInh: 0000000000000000' 'CapPrm: 0000000000000000' \
        'CapEff: 0000000000000000' 'CapBnd: 0000000000000000' 'CapAmb: 0000000000000000' \
        'NoNewPrivs: 1' 'Seccomp: 2'; do
        tr '\t' ' ' <status.txt | tr -s ' ' | grep -qx "$line" || {
            echo "not $line:"
            cat status.txt
            return 1
        }
    done
    same "$(in_machine m id -g exc-instance-connect)" "$(sed -n 's/^Groups:[[:space:]]*//p' status.txt | tr -d ' ')"
    in_machine m cat "/proc/$pid/limits" | grep -qE '^Max core file size +0 +0 '
    fails same "$(in_machine m readlink /proc/1/ns/net)" "$(in_machine m readlink "/proc/$pid/ns/net")"
    fails same "$(in_machine m readlink /proc/1/ns/ipc)" "$(in_machine m readlink "/proc/$pid/ns/ipc")"
    # Peers keep their ids.
    same "$(in_machine m readlink /proc/1/ns/user)" "$(in_machine m readlink "/proc/$pid/ns/user")"
}

# mmap(2)'s number.
_mmap() {
    case $(uname -m) in
    x86_64) echo 9 ;;
    aarch64) echo 222 ;;
    esac
}

# What a program can do in the agent's place, with the units' own restrictions.
a_program_in_the_agents_place_can_do_its_work_and_nothing_else() {
    _started
    in_machine m tee /usr/local/lib/place.py >/dev/null <<'END'
import errno, os, socket, time

def shown(name, call):
    try:
        call()
        print(name, 'done', flush=True)
    except OSError as e:
        print(name, errno.errorcode[e.errno], flush=True)

def created(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

def bound(path):
    socket.socket(socket.AF_UNIX).bind(path)

store = '/run/exc-instance-connect/'
state = store + 'state/'
shown('store', lambda: created(state + 'a'))
shown('boot-id', lambda: open('/proc/sys/kernel/random/boot_id').read())
shown('host-key', lambda: open('/etc/ssh/ssh_host_ed25519_key.pub').read())
shown('journal', lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect('/run/systemd/journal/socket'))
shown('root-of-store', lambda: created(store + 'a'))
shown('run', lambda: created('/run/lock/a'))
shown('etc', lambda: created('/etc/a'))
shown('var', lambda: created('/var/lib/a'))
shown('home', lambda: os.listdir('/home'))
shown('root-home', lambda: os.listdir('/root'))
shown('shared-tmp', lambda: os.stat('/tmp/of-others'))
shown('kernel-log', lambda: os.stat('/dev/kmsg'))
shown('processes', lambda: os.stat('/proc/1'))
shown('program', lambda: os.execv('/usr/bin/true', ['true']))
shown('internet', lambda: socket.socket(socket.AF_INET))
shown('internet6', lambda: socket.socket(socket.AF_INET6))
shown('netlink', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
shown('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
shown('listen', lambda: bound(state + 'b'))
shown('clock', lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()))
shown('setgid', lambda: os.chmod(state, 0o2700))
shown('fifo', lambda: os.mkfifo(state + 'c'))
shown('owner', lambda: os.chown(state + 'a', -1, os.getgid()))
shown('user', lambda: os.setuid(os.getuid()))
shown('nice', lambda: os.nice(1))
shown('memory-file', lambda: os.memfd_create('a'))
END
    # PROT_READ | PROT_WRITE and then PROT_EXEC too, MAP_PRIVATE | MAP_ANONYMOUS; by number, for python's mmap is in a
    # package of its own.
    in_machine m tee /usr/local/lib/place.pl >/dev/null <<END
for my \$prot (3, 7) {
    my \$r = syscall($(_mmap), 0, 4096, \$prot, 0x22, -1, 0);
    print "memory-\$prot ", \$r == -1 ? (\$!{EPERM} || \$!{EACCES} ? 'denied' : \$!) : 'done', "\n";
}
END
    in_machine m touch /tmp/of-others
    _with_setting "$agent" Service Type=oneshot Restart=no ExecStart= \
        'ExecStart=/usr/bin/python3 /usr/local/lib/place.py' 'ExecStart=/usr/bin/perl /usr/local/lib/place.pl' \
        "ExecPaths=$(in_machine m readlink -f /usr/bin/python3) /usr/bin/perl" StandardOutput=append:/var/place.txt
    _systemctl start "$agent" || in_machine m cat /var/place.txt
    same 'store done
boot-id done
host-key done
journal done
root-of-store EACCES
run EROFS
etc EROFS
var EROFS
home EACCES
root-home EACCES
shared-tmp ENOENT
kernel-log ENOENT
processes ENOENT
program EACCES
internet EAFNOSUPPORT
internet6 EAFNOSUPPORT
netlink EAFNOSUPPORT
packet EAFNOSUPPORT
listen EPERM
clock EPERM
setgid EPERM
fifo EPERM
owner EPERM
user EPERM
nice EPERM
memory-file EPERM
memory-3 done
memory-7 denied' "$(in_machine m cat /var/place.txt)"
}

a_push_and_its_answers_come_through_all_restrictions() {
    local key
    _started
    trusts_cloud m
    new_key k
    new_key l
    push_signed m alice k
    in_machine m tee /run/l.pub <l.pub >/dev/null
    in_machine m exc-instance-connect push --user bob --key /run/l.pub >answer.txt
    for key in "$(machine_root m)"/etc/ssh/ssh_host_*_key.pub; do
        grep -qF "Host key:      $(fingerprint "$key") " answer.txt
    done
    for key in k l; do
        in_machine m exc-instance-connect list | grep -qF "$(fingerprint $key.pub)"
    done
    lets_in m alice k
    lets_in m bob l
    says '^sshd: .*enabled' in_machine m exc-instance-connect status
    same '' "$(in_machine m journalctl -q -b -p warning -o cat -t exc-instance-connect-agent)"
}

# short: no
the_machines_id_comes_from_a_credential_where_the_administrator_set_none() {
    _started --set-credential=exc.instance_id:i-credential
    says '^Instance: +i-credential' in_machine m exc-instance-connect status
    in_machine m sh -c 'mkdir -p /etc/exc-instance-connect && echo i-file >/etc/exc-instance-connect/instance-id'
    says '^Instance: +i-file' in_machine m exc-instance-connect status
    in_machine m sh -c 'printf "[Agent]\nInstanceId=i-configured\n" >/etc/exc-instance-connect/agent.conf'
    says '^Instance: +i-configured' in_machine m exc-instance-connect status
    in_machine m rm -r /etc/exc-instance-connect
    says '^Instance: +i-credential' in_machine m exc-instance-connect status
    trusts_cloud m i-credential
    new_key k
    instance=i-credential push_signed m alice k
    lets_in m alice k
}

# short: no
users_of_a_name_service_behind_a_socket_are_found() {
    machine_start m "$suite"
    install_debs m
    # Known to systemd alone, which libnss-systemd asks.
    in_machine m systemd-run --quiet --unit=dynamic --property=DynamicUser=yes --property=User=dynamo sleep 100
    fails grep -q dynamo "$(machine_root m)/etc/passwd"
    new_key k
    push m dynamo k
    says '^dynamo ' in_machine m exc-instance-connect list
}

# --- a host that does its worst ---------------------------------------------------------------------------------------

# Sixteen connections that send Hello without end, as the user that brings what the host sends. Until /run/enough is there.
_host_floods() {
    as_relay m python3 - <<'END'
import os, selectors, socket
chunk = b'{"method":"in.excloud.InstanceConnect.Hello"}\0' * 300
with selectors.DefaultSelector() as selector:
    while not os.path.exists("/run/enough"):
        while len(selector.get_map()) < 16:
            s = socket.socket(socket.AF_UNIX)
            s.connect("/run/exc-instance-connect/host.sock")
            s.setblocking(False)
            selector.register(s, selectors.EVENT_READ | selectors.EVENT_WRITE, [0])
        for key, mask in selector.select(0.1):
            try:
                if mask & selectors.EVENT_READ and not key.fileobj.recv(1 << 20):
                    raise OSError
                if mask & selectors.EVENT_WRITE:
                    key.data[0] = (key.data[0] + key.fileobj.send(chunk[key.data[0]:])) % len(chunk)
            except BlockingIOError:
                pass
            except OSError:
                selector.unregister(key.fileobj)
                key.fileobj.close()
END
}

a_host_that_floods_does_not_lock_the_administrator_out() {
    local round
    _started
    _host_floods &
    wait_for in_machine m pgrep -f python3
    new_key k
    for ((round = 0; round < 3; round++)); do
        _answers
        push m alice k
        same '{"revoked":1}' "$(in_machine m exc-instance-connect revoke --all --json)"
    done
    push m alice k
    lets_in m alice k
    in_machine m touch /run/enough
    wait_jobs
    no_failed_unit m
}
