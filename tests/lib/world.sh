# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The world: a private environment with the real programs, for tests and the demo. Nothing of the machine is changed.
#
#   . tests/lib/world.sh
#   world_enter "$0" "$@"      runs the script again in new namespaces, as root; returns only there
#   world_make                 once, by the first script inside
#   start_agent; start_sshd    leave $agent_log, $port and $sshd_log
#   new_key k; admin push --user alice --key k.pub; ssh_in alice k id -un
#   world_trust; host push --signing-key $cloud/cloud.pem --instance $instance --user alice --key k.pub
#
# The world has its own mounts, processes, network (only lo), users and groups. /run, /dev and /mnt are empty but for what
# is made below. sshd refuses a command, and a home, below a directory that others than root can write: so everything is
# below /mnt, a tmpfs of root. The mounts end with the last process, and all processes end with the first.
#
# With EXC_WITHOUT=landlock or seccomp all of it runs as on a kernel that lacks that (tests/login/without.c). Tests that show
# this layer are left out then; and of the agent's those that count its events, for it says what is missing.

# shellcheck source=tests/lib/shell.sh
. "$(dirname "${BASH_SOURCE[0]}")/shell.sh"
# shellcheck source=tests/lib/expect.sh
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

# shellcheck disable=SC2034 # expect.sh: its functions take no machine here
target_arguments=0
world=/mnt/world
runtime=/run/exc-instance-connect
helper=$world/bin/exc-authorized-keys
chain=$world/bin/exc-authorized-keys-chain
preload=$world/bin/preload.so
preloaded=$world/bin/preloaded
cloud=$world/cloud
instance=i-0123
config=$world/etc/agent
login_users=(alice bob carol)

world_enter() {
    local tree directory without=()
    tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
    EXC_BUILD=$(readlink -m "${EXC_BUILD:-$tree/build/plain}")
    export EXC_BUILD LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/sbin:$PATH
    umask 022
    unset SSH_AUTH_SOCK
    # Set outside to the mount namespace that must not be changed.
    if [[ -n ${EXC_WORLD:-} && $EXC_WORLD != "$(readlink /proc/self/ns/mnt)" ]]; then return; fi
    ((EUID == 0)) || die 'run this as root: it makes namespaces with own users, and changes nothing outside'
    for directory in "$tree" "$EXC_BUILD"; do
        [[ $directory != /mnt/* && $directory != /run/* ]] ||
            die "$directory: is hidden by the mounts on /mnt and /run; move it"
    done
    [[ -x $EXC_BUILD/exc-authorized-keys ]] || die "$EXC_BUILD: has no build; run ./dev build"
    need unshare mount ip setpriv sshd ssh ssh-keygen systemd-socket-activate
    if [[ -n ${EXC_WITHOUT:-} ]]; then
        # Several worlds may begin at once.
        "${cc[@]}" -O1 -o "$EXC_BUILD/without.$$" "$tree/tests/login/without.c"
        mv "$EXC_BUILD/without.$$" "$EXC_BUILD/without"
        without=("$EXC_BUILD/without" "$EXC_WITHOUT")
    fi
    # The first process of the world only waits: the kernel gives PID 1 no signal that it does not handle, and the
    # helper's behaviour under a parent with PID 1 is not what is tested here.
    EXC_WORLD=$(readlink /proc/self/ns/mnt)
    export EXC_WORLD
    # shellcheck disable=SC2016 # for the inner shell
    exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc --net --ipc \
        bash -c '"$@"; exit $?' world "${without[@]}" "$BASH" "$(readlink -f "$1")" "${@:2}"
}

world_make() {
    ip link set lo up
    mount -t tmpfs -o mode=0755,size=256M world /mnt
    mount -t tmpfs -o mode=0755,size=64M world /run
    mkdir -p $world/{bin,dev,etc,home,log,ssh,tests} /run/sshd
    make_devices
    make_users
    make_store $runtime
    install -m 0755 "$EXC_BUILD/exc-instance-connect-agent" "$EXC_BUILD/exc-instance-connect" $world/bin/
    install -m 0711 "$EXC_BUILD"/exc-authorized-keys{,-chain} $world/bin/
    ssh-keygen -q -t ed25519 -N '' -C '' -f $world/ssh/host_key
    echo "world $(<$world/ssh/host_key.pub)" >$world/ssh/known_hosts
    make_ssh_config
    make_sshd_config
    mkdir "$config"
    printf '[Agent]\nHostKeyFiles=%s\nRateLimit=0\n' $world/ssh/host_key.pub >"$config/agent.conf"
}

# world_trust: what signed pushes need: the signing key $cloud/cloud.pem, the guest's anchor for it, and the guest's id,
# $instance. $cloud belongs to the relay's user, which stands for a host.
world_trust() {
    need openssl
    install -m 0755 "$EXC_BUILD/exc-push" $world/bin/
    install -d -m 0700 -o exc-instance-connect-relay $cloud
    new_signer cloud
    mkdir "$config/trust.d"
    trusted cloud >"$config/trust.d/cloud.pem"
    echo $instance >"$config/instance-id"
}

# new_signer NAME [ED25519 | P-256]: $cloud/NAME.pem, which the guest does not trust.
new_signer() {
    if [[ ${2:-ED25519} == P-256 ]]; then
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$cloud/$1.pem"
    else
        openssl genpkey -algorithm ED25519 -out "$cloud/$1.pem"
    fi
    chown exc-instance-connect-relay "$cloud/$1.pem"
}

# trusted NAME: prints the anchor for it.
trusted() {
    openssl pkey -in "$cloud/$1.pem" -pubout
}

# Makes $preload, which changes the clocks and more that a program sees (login/preload.c), and $preloaded, which runs
# sshd's command with it.
build_preload() {
    local from flags=(-std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror "-DLIBRARY=\"$preload\"")
    need "${cc[0]}"
    from=$(dirname "${BASH_SOURCE[0]}")/../login
    TMPDIR=$world/tests "${cc[@]}" "${flags[@]}" -shared -fPIC -o "$preload" "$from/preload.c"
    TMPDIR=$world/tests "${cc[@]}" "${flags[@]}" -o "$preloaded" "$from/preloaded.c"
}

# So that log messages to /dev/log stay here, and terminals are the world's.
make_devices() {
    local name
    for name in null zero full random urandom tty; do
        : >$world/dev/$name
        mount --bind /dev/$name $world/dev/$name
    done
    mkdir $world/dev/{pts,shm}
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts $world/dev/pts
    mount -t tmpfs -o mode=1777 world $world/dev/shm
    ln -s pts/ptmx $world/dev/ptmx
    ln -s /proc/self/fd $world/dev/fd
    ln -s fd/0 $world/dev/stdin
    mount --rbind $world/dev /dev
}

make_users() {
    local id=900 name home etc=$world/etc
    printf '%s\n' root:x:0:0::$world/home/root:/bin/bash nobody:x:65534:65534::/nonexistent:/bin/false >$etc/passwd
    printf '%s\n' root:x:0: tty:x:5: nogroup:x:65534: >$etc/group
    for name in exc-instance-connect exc-authorized-keys exc-instance-connect-relay sshd exc-instance-connect-metadata; do
        id=$((id + 1))
        echo "$name:x:$id:$id::/nonexistent:/bin/false" >>$etc/passwd
        echo "$name:x:$id:" >>$etc/group
    done
    id=1000
    for name in "${login_users[@]}"; do
        id=$((id + 1))
        echo "$name:x:$id:$id::$world/home/$name:/bin/bash" >>$etc/passwd
        echo "$name:x:$id:" >>$etc/group
    done
    sed 's/^\([^:]*\):.*/\1:*:19000::::::/' $etc/passwd >$etc/shadow
    chmod 0640 $etc/shadow
    printf '%s: files\n' passwd group shadow hosts >$etc/nsswitch.conf
    for name in passwd group shadow nsswitch.conf; do
        [[ ! -e /etc/$name ]] || mount --bind $etc/$name /etc/$name
    done
    for name in root "${login_users[@]}"; do
        home=$world/home/$name
        install -d -m 0755 -o "$name" -g "$name" "$home"
        install -d -m 0700 -o "$name" -g "$name" "$home/.ssh"
    done
}

# make_store DIR: as tmpfiles and the mount unit would. The memory of signed calls begins at the boot, or the agent would
# refuse those with timestamps for its first half minute.
make_store() {
    mkdir -p "$1"
    mount -t tmpfs -o mode=0755,size=8M,nr_inodes=20000,nosuid,nodev,noexec store "$1"
    mkdir "$1"/{keys,claims,state}
    chown exc-instance-connect:exc-authorized-keys "$1"/{keys,claims}
    chown exc-instance-connect:exc-instance-connect "$1/state"
    chmod 2750 "$1"/{keys,claims}
    chmod 0700 "$1/state"
    printf 'EXCPUSH2\0\0\0\0\0\0\0\0' >"$1/state/pushes"
    truncate --size=$((257 * 128)) "$1/state/pushes"
    chown exc-instance-connect:exc-instance-connect "$1/state/pushes"
    chmod 0600 "$1/state/pushes"
}

# Nothing of the machine's configuration, no agent, no prompt. The default key
# exchange would take a third of the time of a login.
make_ssh_config() {
    cat >$world/etc/ssh_config <<EOF
HostKeyAlias world
UserKnownHostsFile $world/ssh/known_hosts
GlobalKnownHostsFile none
StrictHostKeyChecking yes
BatchMode yes
ConnectTimeout 300
PreferredAuthentications publickey
IdentitiesOnly yes
IdentityAgent none
KexAlgorithms curve25519-sha256
LogLevel ERROR
EOF
}

make_sshd_config() {
    local sftp
    cat >$world/etc/sshd_config <<EOF
ListenAddress 127.0.0.1
HostKey $world/ssh/host_key
PidFile none
UsePAM no
UseDNS no
LogLevel VERBOSE
LoginGraceTime 30
MaxStartups 200
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile .ssh/authorized_keys
AuthorizedKeysCommand $helper %u %f %t %k
AuthorizedKeysCommandUser exc-authorized-keys
EOF
    for sftp in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/libexec/sftp-server; do
        [[ ! -x $sftp ]] || echo "Subsystem sftp $sftp" >>$world/etc/sshd_config
    done
    # Since 9.8 sshd penalizes an address with many failures, and here all clients have the same.
    if sshd -t -f $world/etc/sshd_config -o PerSourcePenalties=no 2>/dev/null; then
        echo PerSourcePenalties no >>$world/etc/sshd_config
    fi
}

# start_agent [DIR [NAME=VALUE...]]: listens on the sockets in DIR; a call starts the agent, also after it has exited. Its
# configuration is in $config. Leaves $agent_log, and in $agent_pid the process whose end ends it.
start_agent() {
    local dir=${1:-$runtime} variable options=()
    agent_log=$world/log/agent${dir//\//_}
    for variable in "${@:2}"; do options+=(-E "$variable"); done
    rm -f "$dir"/{admin,host}.sock
    (
        # Not $!: wait_for starts processes of its own.
        holder=
        trap '[[ -z $holder ]] || kill "$holder"; exit' TERM
        while :; do
            rm -f "$dir"/{admin,host}.sock
            # As with systemd, the agent has the one group of its user.
            systemd-socket-activate --fdname=admin:host -l "$dir/admin.sock" -l "$dir/host.sock" "${options[@]}" \
                setpriv --reuid=exc-instance-connect --regid=exc-instance-connect --clear-groups -- \
                "$world/bin/exc-instance-connect-agent" --runtime-dir "$dir" --config-dir "$config" &
            holder=$!
            # As with systemd, the relay and root may connect.
            ! wait_for test -S "$dir/host.sock" || chown exc-instance-connect-relay "$dir/host.sock"
            wait "$holder" || true
        done
    ) >>"$agent_log" 2>&1 &
    # shellcheck disable=SC2034 # for tests
    agent_pid=$!
    wait_for relays "$dir/host.sock"
}

# relays SOCKET: whether the relay can connect to it.
relays() {
    [[ -S $1 && $(stat -c %U "$1") == exc-instance-connect-relay ]]
}

# as_relay COMMAND...
as_relay() {
    setpriv --reuid=exc-instance-connect-relay --regid=exc-instance-connect-relay --clear-groups -- "$@"
}

# start_sshd [LINE...]: an sshd with these lines before the rest of its configuration: the first value of a setting
# counts. Leaves $port and $sshd_log. The words in the array sshd_under go before its command. With an empty sshd_logs_to
# it logs to /dev/log, which must exist.
sshd_under=() sshd_logs_to=-E port_next=2200
start_sshd() {
    local config
    port=$((port_next++))
    config=$world/etc/sshd_config.$port
    sshd_log=$world/log/sshd.$port
    { printf '%s\n' "$@" "Port $port" && cat $world/etc/sshd_config; } >"$config"
    "${sshd_under[@]}" "$(command -v sshd)" -D -f "$config" ${sshd_logs_to:+"$sshd_logs_to" "$sshd_log"} \
        2>>"$sshd_log" &
    wait_for listening "$port"
}

# listening PORT: whether a process listens on it, without a connection that sshd would have to serve.
listening() {
    grep -q "^ *[0-9]*: 0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}

# admin ARGUMENT...: the administrator's command, with the agent in $runtime.
admin() {
    wait_for test -S "$runtime/admin.sock"
    $world/bin/exc-instance-connect --socket "$runtime/admin.sock" "$@"
}

# host COMMAND ARGUMENT...: the host's command, exc-push, with the agent in $runtime.
host() {
    wait_for relays "$runtime/host.sock"
    as_relay $world/bin/exc-push "$1" --to "unix:$runtime/host.sock" "${@:2}"
}

# ssh_in USER KEY [OPTION...] [[--] COMMAND...]: KEY "none" is none. The options go before ssh_config's.
ssh_in() {
    local user=$1 key=$2
    shift 2
    ssh -F $world/etc/ssh_config -p "$port" -o "IdentityFile=$key" -l "$user" 127.0.0.1 "$@" </dev/null
}

# push USER KEY [OPTION...]: by the administrator; KEY is the file that new_key made.
push() {
    admin push --user "$1" --key "$2.pub" "${@:3}" >/dev/null
}

# signed COMMAND [OPTION...]: by the host, with the signature that the guest trusts.
signed() {
    host "$1" --signing-key "$cloud/cloud.pem" --instance "$instance" "${@:2}"
}

# signed_ahead [push|revoke] [OPTION...]: prints an envelope for host push --envelope.
signed_ahead() {
    as_relay "$world/bin/exc-push" sign "$@" --signing-key "$cloud/cloud.pem" --instance "$instance"
}

# drops_nothing COMMAND...: a revocation that matches no stored key.
drops_nothing() {
    local status=0
    "$@" || status=$?
    same 4 "$status"
}

# own_store [LINE...]: a store, an agent and an sshd for this test only, which it may break.
own_store() {
    # shellcheck disable=SC2119 # the agent gets no environment
    own_agent
    start_sshd "$@" "AuthorizedKeysCommand $helper --runtime-dir $runtime %u %f %t %k"
}

# own_agent [NAME=VALUE...]: a store and an agent for this test only, with this environment.
# shellcheck disable=SC2120
own_agent() {
    runtime=$PWD/store
    make_store "$runtime"
    start_agent "$runtime" "$@"
}

# own_config [LINE...]: the configuration of the agent that is started next: these lines, and no anchor.
own_config() {
    mkdir etc etc/trust.d
    { cat "$config/agent.conf" && printf '%s\n' "$@"; } >etc/agent.conf
    cp "$config/instance-id" etc/
    config=$PWD/etc
}
