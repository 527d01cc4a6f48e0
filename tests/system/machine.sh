# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Whole machines for tests: Debian 12 and 13, booted in systemd-nspawn, in less than a second each.
#
#   . tests/system/machine.sh
#   machines_enter "$0" "$@"            runs the script again in new namespaces, as root; returns only there
#
#   tree SUITE                          prints where the tree of bookworm or trixie is; makes it when it is missing
#   machine_start NAME SUITE [OPTION...]
#                                       boots a copy of that tree, and waits until systemd reports "running"; OPTION is
#                                       for systemd-nspawn. SUITE may also be the path of a tree, which is booted as it is
#   in_machine NAME COMMAND...          runs it there as root, with the caller's standard input
#   machine_root NAME                   prints the path of its root directory, without its tmpfs
#   machine_ssh NAME [OPTION...] USER [COMMAND...]
#                                       a real ssh to the machine's sshd; OPTION is for ssh
#   machine_reboot NAME                 shuts it down and boots it, with the same disk and options
#   machine_stop NAME                   shuts it down; its root stays
#   machine_boot NAME                   boots it after machine_stop
#
# SUITE+PACKAGE+PACKAGE is that tree with a layer of more packages, made and kept likewise: machine_start m
# "$suite+sssd-common". Trees and layers are in build/system/trees. They have sshd, the users alice and bob, the dependencies of our packages, and no
# package sources: a machine has no network but its own lo. Each machine gets the host keys of this run, and a machine-id
# when it boots.
# What a machine writes is on a tmpfs and ends with it. Another state of systemd than "running", such as "degraded", is an
# error, unless the regular expression machine_states matches it.
#
# The new namespaces have their own mounts, /run, /mnt and processes; the network is that of the machine around them, for
# making trees. The processes and mounts end with the script, however it ends.

# shellcheck source=tests/lib/shell.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/shell.sh"
# shellcheck source=tests/lib/expect.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/expect.sh"

# shellcheck disable=SC2034 # expect.sh: its functions take a machine here
target_arguments=1

system_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# Directories with a link for each machine's name: those of this shell, and of the shell that prepared some for it.
machines_own=${machines_own:-/mnt/names} machines_shared=${machines_shared:-}
machines_cgroup=/sys/fs/cgroup/exc-system-${EXC_SYSTEM_NUMBER:-0}

# Machines have no network: what a test installs must be here.
tree_packages=(
    ca-certificates curl dbus gnupg iproute2 init-system-helpers libjansson4 libmicrohttpd12 libnss-systemd
    libpam-systemd libsqlite3-0 libsystemd0 openssh-client openssh-server openssl procps python3-minimal sudo systemd
    systemd-sysv
)
# Run by mmdebstrap at the end. $1 is the tree.
# shellcheck disable=SC2016 # for the shell that mmdebstrap starts
tree_finish='set -eu
    rm -f "$1"/etc/ssh/ssh_host_*_key "$1"/etc/ssh/ssh_host_*_key.pub "$1"/etc/apt/apt.conf.d/99mmdebstrap \
        "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
    rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/hostname "$1"/etc/resolv.conf
    : >"$1/etc/machine-id"
    for user in alice bob; do
        chroot "$1" useradd --create-home --shell /bin/bash --user-group --password "*" "$user"
    done'

# --- namespaces -----------------------------------------------------------------------------------------------------

# There are two layers. The outer one waits for the inner one, ends it, and removes the control groups, which would
# remain. In the inner one all processes end with the first.
machines_enter() {
    local script=$1
    shift
    export LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/sbin:$PATH
    umask 022
    # Set outside to the namespaces that must not be changed.
    if [[ -n ${EXC_SYSTEM_INNER:-} && $EXC_SYSTEM_INNER != "$(readlink /proc/self/ns/pid)" ]]; then return; fi
    if [[ -n ${EXC_SYSTEM_OUTER:-} && $EXC_SYSTEM_OUTER != "$(readlink /proc/self/ns/mnt)" ]]; then
        machines_guard "$script" "$@"
    fi
    ((EUID == 0)) || die 'run this as root: it makes namespaces, and changes nothing outside'
    [[ $system_tree != /mnt/* && $system_tree != /run/* ]] ||
        die "$system_tree: is hidden by the mounts on /mnt and /run; move it"
    need unshare nsenter setpriv mount flock ssh ssh-keygen systemd-nspawn mmdebstrap pgrep
    EXC_SYSTEM_NUMBER=$$ EXC_SYSTEM_OUTER=$(readlink /proc/self/ns/mnt)
    export EXC_SYSTEM_NUMBER EXC_SYSTEM_OUTER
    exec unshare --mount --propagation private bash "$(readlink -f "$script")" "$@"
}

machines_guard() {
    local status=0 resolver names child
    names=$(readlink -m /etc/resolv.conf)
    resolver=$(cat /etc/resolv.conf 2>/dev/null || true)
    mount -t tmpfs -o mode=0755 machines /run
    mount -t tmpfs -o mode=0755 machines /mnt
    # /etc/resolv.conf is often a link into /run.
    if [[ $names == /run/* ]]; then
        mkdir -p "${names%/*}"
        echo "$resolver" >"$names"
    fi
    # The machine on which this runs may have control groups of version 1, of version 2 or of both.
    mount -t cgroup2 machines /sys/fs/cgroup
    machines_cgroup_sweep
    mkdir "$machines_cgroup"
    EXC_SYSTEM_INNER=$(readlink /proc/self/ns/pid)
    export EXC_SYSTEM_INNER
    # shellcheck disable=SC2016 # for the inner shell
    setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount-proc \
        bash -c '"$@"; exit $?' machines bash "$(readlink -f "$1")" "${@:2}" <&0 &
    child=$!
    trap 'kill -KILL "$child" 2>/dev/null' INT TERM HUP
    wait "$child" || status=$?
    trap '' INT TERM HUP
    wait "$child" 2>/dev/null || true
    wait_for machines_cgroup_gone || true
    exit "$status"
}

machines_cgroup_gone() {
    [[ ! -d $machines_cgroup ]] || find "$machines_cgroup" -depth -type d -exec rmdir {} +
}

# Those of scripts that were killed.
machines_cgroup_sweep() {
    local directory
    for directory in /sys/fs/cgroup/exc-system-*; do
        [[ -d $directory && ! -d /proc/${directory##*-} ]] || continue
        find "$directory" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

# --- trees ----------------------------------------------------------------------------------------------------------

# tree_sources SUITE: prints lines for sources.list, with the mirrors of this machine's own configuration.
tree_sources() {
    local codename release uri archive='' security=''
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016 # apt's own variables
    while read -r release uri; do
        case $release in
        "$codename" | stable | oldstable) archive=${archive:-$uri} ;;
        "$codename-security" | stable-security | oldstable-security) security=${security:-$uri} ;;
        esac
    done < <(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 'Component: main')
    [[ -n $archive ]] || die "apt: this machine's configuration has no Debian mirror"
    echo "deb $archive $1 main"
    [[ -z $security ]] || echo "deb $security $1-security main"
}

# tree SUITE or tree SUITE+PACKAGE+PACKAGE: prints the lower directories of an overlay with it.
tree() {
    local suite=${1%%+*} trees=$system_tree/build/system/trees
    tree_locked "$suite" "$suite" "${tree_packages[*]} $tree_finish" \
        tree_make "$suite" "$trees/$suite" "${tree_packages[*]}"
    if [[ $1 == "$suite" ]]; then
        echo "$trees/$suite"
    else
        tree_layer "$suite" "$trees/$suite" "$1" "$(tr + ' ' <<<"${1#*+}")"
    fi
}

# tree_layer SUITE LOWER NAME PACKAGES [SETUP [FINISH]]: the tree LOWER with these packages and changes (tree_layer), which
# are kept under that name.
tree_layer() {
    local layer=$system_tree/build/system/trees/$3
    tree_locked "$1" "$3" "$(cat "${2%%:*}.stamp") ${*:4}" \
        "$system_tree/tests/system/tree_layer" "$1" "$2" "$layer" "${@:4}"
    echo "$layer:$2"
}

# tree_locked SUITE NAME STAMP COMMAND...: runs the command that makes a tree, unless it has this stamp. What uses a tree
# holds its lock shared, so that it is not removed.
tree_locked() {
    local trees=$system_tree/build/system/trees suite=$1 name=$2 stamp=$3
    shift 3
    # They have setuid programs that are never updated: only root may enter.
    install -d -m 0700 "$trees"
    [[ $(cat "$trees/$name.stamp" 2>/dev/null) != "$stamp" ]] || return 0
    (
        flock 9
        [[ $(cat "$trees/$name.stamp" 2>/dev/null) != "$stamp" ]] || return 0
        rm -f "$trees/$name.stamp"
        "$@" >"$trees/$name.log" 2>&1 9<&- || {
            tail -n 20 "$trees/$name.log" >&2
            echo "tree $name: could not be made, from: $(tree_sources "$suite" | tr '\n' ' ')" >&2
            return 1
        }
        echo "$stamp" >"$trees/$name.stamp"
    ) 9>>"$trees/$name.lock"
}

# tree_keys DIRECTORY: the keys that this machine trusts, and Debian's for the other suite.
tree_keys() {
    local keyring
    mkdir -p "$1"
    for keyring in /etc/apt/trusted.gpg.d/*.{gpg,asc} /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        [[ ! -e $keyring ]] || cp "$keyring" "$1/"
    done
}

# tree_apt_conf: prints what apt needs of this machine's configuration to reach its mirrors.
tree_apt_conf() {
    apt-config dump | grep -iE '^Acquire::(.*Proxy|Check-Valid-Until|Check-Date|Retries)' || true
    echo 'Acquire::Retries "3"; Acquire::Languages "none";'
}

# tree_make SUITE TREE PACKAGES [OPTION...]: OPTION is for mmdebstrap.
tree_make() {
    local scratch=$2.scratch sources
    need mmdebstrap
    mapfile -t sources < <(tree_sources "$1")
    rm -rf --one-file-system "$scratch"
    tree_keys "$scratch/keys"
    tree_apt_conf >"$scratch/apt.conf"
    # Nobody has a use for half a tree after a power failure: no fsync.
    mmdebstrap --mode=root --variant=apt --keyring="$scratch/keys" --aptopt="$scratch/apt.conf" \
        --dpkgopt=force-unsafe-io --include="${3// /,}" "${@:4}" --customize-hook="$tree_finish" "$1" "$scratch/tree" \
        "${sources[@]}" </dev/null || {
        rm -rf --one-file-system "$scratch"
        return 1
    }
    rm -rf --one-file-system "$2"
    mv "$scratch/tree" "$2"
    rm -rf --one-file-system "$scratch"
}

# --- machines -------------------------------------------------------------------------------------------------------

# machine_directory NAME [NAMES...]: prints the directory with its root and state.
machine_directory() {
    local names
    for names in "${@:2}" "$machines_own" "$machines_shared"; do
        [[ -z $names || ! -L $names/$1 ]] || {
            readlink "$names/$1"
            return
        }
    done
    echo "$1: no such machine" >&2
    return 1
}

machine_start() {
    local name=$1 lower=$2 directory
    shift 2
    mkdir -p "$machines_own" /mnt/machines
    [[ ! -L $machines_own/$name ]] || die "$name: machine exists already"
    directory=$(mktemp -d "/mnt/machines/$name-XXXXXX")
    mkdir "$directory"/{upper,work,root}
    chmod 0755 "$directory" "$directory"/{upper,root}
    if [[ $lower != /* ]]; then
        lower=$(tree "$lower")
        tr : '\n' <<<"$lower" | sed 's/$/.lock/' >"$directory/locks"
    fi
    # Owner and mode of an overlay's root are those of its upper layer.
    chmod --reference="${lower##*:}" "$directory/upper"
    mount -t overlay -o "lowerdir=$lower,upperdir=$directory/upper,workdir=$directory/work" machine "$directory/root"
    ln -s "$directory" "$machines_own/$name"
    printf '%s\n' "$@" >"$directory/options"
    [[ -s $directory/root/etc/hostname ]] || echo "$name" >"$directory/root/etc/hostname"
    [[ -e $directory/root/etc/hosts ]] || echo "127.0.0.1 localhost $name" >"$directory/root/etc/hosts"
    if [[ -e $directory/locks && -x $directory/root/usr/sbin/sshd && ! -e $directory/root/etc/ssh/ssh_host_ed25519_key ]]; then
        machine_host_keys "$directory/root"
        # Since 9.8 sshd penalizes an address with many failures, and here all clients have the same.
        [[ ! -x $directory/root/usr/lib/openssh/sshd-session ]] ||
            echo 'PerSourcePenalties no' >"$directory/root/etc/ssh/sshd_config.d/90-tests.conf"
    fi
    machine_boot "$name"
}

# machine_host_keys ROOT: the same for all machines of this run: an RSA key takes a second of a processor, and they have no
# network in which they would meet.
machine_host_keys() {
    (
        flock 9
        if [[ ! -d /mnt/host_keys ]]; then
            mkdir -p /mnt/host_keys.new/etc/ssh
            ssh-keygen -q -A -f /mnt/host_keys.new >/dev/null
            mv /mnt/host_keys.new /mnt/host_keys
        fi
    ) 9>>/mnt/host_keys.lock
    cp -p /mnt/host_keys/etc/ssh/ssh_host_* "$1/etc/ssh/"
}

machine_boot() {
    local directory options state lock locked=()
    directory=$(machine_directory "$1")
    mapfile -t options < <(grep -v '^$' "$directory/options" || true)
    rm -f "$directory"/{leader,nspawn}
    mkdir -p "$machines_cgroup/${directory##*/}"
    if [[ -e $directory/locks ]]; then
        while read -r lock; do locked+=(flock --close --shared "$lock"); done <"$directory/locks"
    fi
    # A session of its own: the machine outlives a test that is killed, so that its journal can be read. The filter
    # of systemd-nspawn 252 allows no Landlock by itself, and programs of the machine would do without.
    # shellcheck disable=SC2016 # for the inner shell
    setsid "${locked[@]}" bash -c '
        directory=$1 cgroup=$2
        shift 2
        (
            echo $BASHPID >"$cgroup/cgroup.procs" && echo $BASHPID >"$directory/nspawn" && exec systemd-nspawn "$@"
        ) &
        wait
        exit 0' machine "$directory" "$machines_cgroup/${directory##*/}" --quiet --boot --directory="$directory/root" \
        --machine="${directory##*/}" --hostname="$1" --register=no --keep-unit --private-network --console=pipe \
        --link-journal=no --resolv-conf=off --timezone=off --rlimit=NOFILE=1024:524288 \
        --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" "${options[@]}" \
        </dev/null >>"$directory/console" 2>&1 &
    disown
    if ! wait_for machine_has_leader "$directory" || ! wait_for machine_is_up "$1"; then
        machine_report "$1"
        return 1
    fi
    state=$(in_machine "$1" systemctl is-system-running || true)
    [[ $state =~ ^(${machine_states:-running})$ ]] || {
        echo "machine $1 is $state"
        in_machine "$1" systemctl --no-pager --plain --failed list-units
        machine_report "$1"
        return 1
    }
}

# systemd-nspawn's first child is not in the machine, and exits soon.
machine_has_leader() {
    local process own processes
    [[ -s $1/nspawn ]] || return 1
    own=$(readlink /proc/self/ns/pid)
    for process in $(pgrep -P "$(<"$1/nspawn")"); do
        processes=$(readlink "/proc/$process/ns/pid" || true)
        [[ -n $processes && $processes != "$own" ]] || continue
        echo "$process" >"$1/leader"
        return 0
    done
    return 1
}

# Where a test accepts "starting", the machine may never leave that state.
machine_is_up() {
    local wait=(--wait)
    if [[ starting =~ ^(${machine_states:-running})$ ]]; then wait=(); fi
    [[ $(in_machine "$1" systemctl is-system-running "${wait[@]}") =~ \
        ^(running|degraded|maintenance|${machine_states:-running})$ ]]
}

in_machine() {
    local directory leader cgroup
    directory=$(machine_directory "$1")
    [[ -s $directory/leader ]] || {
        echo "$1: machine is not running" >&2
        return 1
    }
    leader=$(<"$directory/leader") cgroup=$machines_cgroup/${directory##*/}/payload
    shift
    # In a control group of the machine, as if systemd there had started it.
    (
        if [[ -d $cgroup ]]; then
            mkdir -p "$cgroup/test"
            echo "$BASHPID" >"$cgroup/test/cgroup.procs" || true
        fi
        exec nsenter -t "$leader" -m -u -i -n -p -C -r -w -- env -i HOME=/root USER=root LOGNAME=root SHELL=/bin/bash \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb \
            DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER='' "$@"
    )
}

machine_root() {
    echo "$(machine_directory "$1")/root"
}

# machine_ssh_config DIRECTORY: nothing of this machine's configuration, no agent, no prompt.
# The default key exchange would take a third of the time of a login.
machine_ssh_config() {
    local key
    rm -f "$1/known_hosts"
    for key in "$1"/root/etc/ssh/ssh_host_*_key.pub; do
        [[ ! -e $key ]] || echo "machine $(<"$key")" >>"$1/known_hosts"
    done
    cat >"$1/ssh_config" <<END
HostKeyAlias machine
UserKnownHostsFile $1/known_hosts
GlobalKnownHostsFile none
StrictHostKeyChecking yes
BatchMode yes
ConnectTimeout 300
PreferredAuthentications publickey
IdentitiesOnly yes
IdentityAgent none
KexAlgorithms curve25519-sha256
LogLevel ERROR
END
}

machine_ssh() {
    local directory options=()
    directory=$(machine_directory "$1")
    shift
    while [[ ${1:-} == -* ]]; do
        options+=("$1")
        # Options of ssh with a value as the next word.
        if [[ $1 == -[BbcDEeFIiJLlmOopQRSWw] ]]; then
            options+=("$2")
            shift
        fi
        shift
    done
    machine_ssh_config "$directory"
    nsenter -t "$(<"$directory/leader")" -n -- \
        ssh -F "$directory/ssh_config" "${options[@]}" -l "$1" 127.0.0.1 "${@:2}"
}

machine_stop() {
    local directory
    directory=$(machine_directory "$1")
    [[ -s $directory/leader ]] || return 0
    kill -s RTMIN+4 "$(<"$directory/leader")" 2>/dev/null || true
    wait_for machine_is_down "$directory" || machine_kill "$directory"
    rm -f "$directory"/{leader,nspawn}
}

machine_reboot() {
    machine_stop "$1"
    machine_boot "$1"
}

# machine_is_down DIRECTORY
machine_is_down() {
    [[ ! -s $1/nspawn || ! -d /proc/$(<"$1/nspawn") ]]
}

# machine_kill DIRECTORY: without a shutdown.
machine_kill() {
    [[ ! -s $1/leader ]] || kill -KILL "$(<"$1/leader")" 2>/dev/null || true
    [[ ! -s $1/nspawn ]] || kill -TERM "$(<"$1/nspawn")" 2>/dev/null || true
    wait_for machine_is_down "$1" || kill -KILL "$(<"$1/nspawn")" 2>/dev/null || true
}

# machine_report NAME [NAMES...]: prints the end of its console and journal.
machine_report() {
    local directory
    directory=$(machine_directory "$@")
    echo "the end of the console of machine $1:"
    tail -n 12 "$directory/console" | tr -cd '[:print:]\n\t'
    [[ -s $directory/leader && -d /proc/$(<"$directory/leader") ]] || return 0
    echo "the warnings in the journal of machine $1:"
    timeout 10 nsenter -t "$(<"$directory/leader")" -m -p -r -- journalctl -q --no-pager -b -p warning -n 40 || true
}

# machines_in DIRECTORY: prints the names of the machines with a link there.
machines_in() {
    local name
    for name in "$1"/*; do
        [[ ! -L $name ]] || echo "${name##*/}"
    done
}

# machines_end DIRECTORY: kills these machines and removes what they wrote.
machines_end() {
    local name directory
    for name in $(machines_in "$1"); do
        directory=$(readlink "$1/$name")
        machine_kill "$directory"
        umount "$directory/root" || umount --lazy "$directory/root"
        rm -rf --one-file-system "$directory"
        wait_for rmdir_all "$machines_cgroup/${directory##*/}" || true
        rm "$1/$name"
    done
}

rmdir_all() {
    [[ ! -d $1 ]] || find "$1" -depth -type d -exec rmdir {} +
}
