# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Whole machines for tests: Debian 12 and 13, booted in systemd-nspawn, in less than a second each.
#
#   . tests/system/machine.sh
#   machines_enter "$0" "$@"            starts the script again in a private place, as root; goes on only there
#
#   tree SUITE                          prints the path of the machine tree of bookworm or trixie; makes it when missing
#   machine_start NAME SUITE [OPTION...]
#                                       boots a copy of that tree, and waits until systemd says "running"; OPTION is
#                                       systemd-nspawn's. For SUITE there may be a folder with another tree, which
#                                       is booted as it is
#   in_machine NAME COMMAND...          as root, in it; standard input is passed on
#   machine_root NAME                   prints where its file system lies, to copy files in and out; without its tmpfs
#   machine_ssh NAME [OPTION...] USER [COMMAND...]
#                                       a real ssh, through the machine's own sshd; OPTION is ssh's
#   machine_reboot NAME                 down in order and up again, with the same disk and the same options
#   machine_stop NAME                   down in order; its root stays
#   machine_boot NAME                   up again after machine_stop
#
# SUITE+PACKAGE+PACKAGE is a tree with more packages, made and kept as the others: machine_start m "$suite+sssd-common".
# Trees are in build/system/trees. They have sshd, users alice and bob, what our packages depend on, and no package
# sources: a machine has no network but its own lo. Each machine gets its own host keys, and a machine-id when it boots.
# What a machine writes is in memory and gone with it. That systemd says something else than "running", such as
# "degraded", is an error, unless machine_states, a regular expression, has that too.
#
# In the private place are own mounts, /run, /mnt and processes; the network is that of the outside, for trees that have
# to be made. When the script ends, in whatever way, the processes and mounts in it end too.

# shellcheck source=tests/shell.sh
. "$(dirname "${BASH_SOURCE[0]}")/../shell.sh"

system_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# Where the machines of this shell are known by their names; and of the shell that prepared something for it.
machines_own=${machines_own:-/mnt/names} machines_shared=${machines_shared:-}
machines_cgroup=/sys/fs/cgroup/exc-system-${EXC_SYSTEM_NUMBER:-0}

# What is in a machine. Mind that a package on the right can only be had from the network when the tree is made.
tree_packages=(
    ca-certificates curl dbus gnupg iproute2 init-system-helpers libjansson4 libnss-systemd libpam-systemd
    libsystemd0 openssh-client openssh-server openssl procps python3-minimal sudo systemd systemd-sysv
)
# What a tree is like when mmdebstrap is done with it. $1 is the tree.
# shellcheck disable=SC2016 # for the shell that mmdebstrap starts
tree_finish='set -eu
    rm -f "$1"/etc/ssh/ssh_host_*_key "$1"/etc/ssh/ssh_host_*_key.pub "$1"/etc/apt/apt.conf.d/99mmdebstrap
    rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/hostname "$1"/etc/resolv.conf
    : >"$1/etc/machine-id"
    for user in alice bob; do
        chroot "$1" useradd --create-home --shell /bin/bash --user-group --password "*" "$user"
    done'

# --- the private place ----------------------------------------------------------------------------------------------

# It has two layers. The outer one only waits for the inner one, ends it, and takes away the control groups, which are
# the one thing that would stay. In the inner one the first process takes all others with it.
machines_enter() {
    local script=$1
    shift
    export LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/sbin:$PATH
    umask 022
    # Outside, each holds the name of the mounts that must not be touched.
    if [[ -n ${EXC_SYSTEM_INNER:-} && $EXC_SYSTEM_INNER != "$(readlink /proc/self/ns/pid)" ]]; then return; fi
    if [[ -n ${EXC_SYSTEM_OUTER:-} && $EXC_SYSTEM_OUTER != "$(readlink /proc/self/ns/mnt)" ]]; then
        machines_guard "$script" "$@"
    fi
    ((EUID == 0)) || die 'run this as root: it makes a private place, and touches nothing of yours'
    [[ $system_tree != /mnt/* && $system_tree != /run/* ]] ||
        die "move $system_tree: in there, /mnt and /run are others"
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
    # Names are often asked for with what lies in /run.
    if [[ $names == /run/* ]]; then
        mkdir -p "${names%/*}"
        echo "$resolver" >"$names"
    fi
    # One way for all of them: the machine on which this runs may have the old control groups, the new ones or both.
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

# Those of scripts that were killed before they could.
machines_cgroup_sweep() {
    local folder
    for folder in /sys/fs/cgroup/exc-system-*; do
        [[ -d $folder && ! -d /proc/${folder##*-} ]] || continue
        find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

# --- trees ----------------------------------------------------------------------------------------------------------

# The lines of sources for a suite, from where this machine has its own packages.
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
    [[ -n $archive ]] || die "no Debian mirror in this machine's own configuration of apt"
    echo "deb $archive $1 main"
    [[ -z $security ]] || echo "deb $security $1-security main"
}

tree() {
    local suite=${1%%+*} trees=$system_tree/build/system/trees packages stamp
    packages="${tree_packages[*]}"
    [[ $1 == "$suite" ]] || packages+=" $(tr + ' ' <<<"${1#*+}")"
    stamp="$suite $packages $tree_finish"
    # They have programs that run as root and are never updated: they are for root alone.
    install -d -m 0700 "$trees"
    : >>"$trees/$1.lock"
    if [[ $(cat "$trees/$1.stamp" 2>/dev/null) != "$stamp" ]]; then
        # A machine that runs holds this lock too: the tree below it is not taken away.
        (
            flock 9
            if [[ $(cat "$trees/$1.stamp" 2>/dev/null) != "$stamp" ]]; then
                tree_make "$suite" "$trees/$1" "${packages// /,}"
                echo "$stamp" >"$trees/$1.stamp"
            fi
        ) 9>"$trees/$1.lock" >&2
    fi
    echo "$trees/$1"
}

# tree_make SUITE TREE PACKAGES [OPTION...]: OPTION is mmdebstrap's.
tree_make() {
    local scratch=$2.scratch sources keyring
    need mmdebstrap
    mapfile -t sources < <(tree_sources "$1")
    rm -rf --one-file-system "$scratch" "$2.stamp"
    mkdir -p "$scratch/keys"
    # What this machine trusts, and Debian's keys for the suite that it is not.
    for keyring in /etc/apt/trusted.gpg.d/*.{gpg,asc} /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        [[ ! -e $keyring ]] || cp "$keyring" "$scratch/keys/"
    done
    apt-config dump | grep -iE '^Acquire::(.*Proxy|Check-Valid-Until|Check-Date|Retries)' >"$scratch/apt.conf" || true
    echo 'Acquire::Retries "3";' >>"$scratch/apt.conf"
    mmdebstrap --mode=root --variant=apt --keyring="$scratch/keys" --aptopt="$scratch/apt.conf" \
        --include="$3" "${@:4}" --customize-hook="$tree_finish" "$1" "$scratch/tree" "${sources[@]}" \
        </dev/null >"$2.log" 2>&1 || {
        rm -rf --one-file-system "$scratch"
        tail -n 20 "$2.log" >&2
        echo "the tree of $1 could not be made from: ${sources[*]}" >&2
        return 1
    }
    rm -rf --one-file-system "$2"
    mv "$scratch/tree" "$2"
    rm -rf --one-file-system "$scratch"
}

# --- machines -------------------------------------------------------------------------------------------------------

# machine_folder NAME [NAMES...]: prints where what is known of it lies.
machine_folder() {
    local names
    for names in "${@:2}" "$machines_own" "$machines_shared"; do
        [[ -z $names || ! -L $names/$1 ]] || {
            readlink "$names/$1"
            return
        }
    done
    echo "there is no machine named $1" >&2
    return 1
}

machine_start() {
    local name=$1 lower=$2 folder
    shift 2
    mkdir -p "$machines_own" /mnt/machines
    [[ ! -L $machines_own/$name ]] || die "there is a machine named $name already"
    folder=$(mktemp -d "/mnt/machines/$name-XXXXXX")
    mkdir "$folder"/{upper,work,root}
    chmod 0755 "$folder" "$folder"/{upper,root}
    if [[ $lower != /* ]]; then
        lower=$(tree "$lower")
        ln -s "$lower.lock" "$folder/lock"
    fi
    # The root of a file system is whose its uppermost layer is, and what mode that has.
    chmod --reference="$lower" "$folder/upper"
    mount -t overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" machine "$folder/root"
    ln -s "$folder" "$machines_own/$name"
    printf '%s\n' "$@" >"$folder/options"
    [[ -s $folder/root/etc/hostname ]] || echo "$name" >"$folder/root/etc/hostname"
    [[ -e $folder/root/etc/hosts ]] || echo "127.0.0.1 localhost $name" >"$folder/root/etc/hosts"
    if [[ -e $folder/lock && -x $folder/root/usr/sbin/sshd && ! -e $folder/root/etc/ssh/ssh_host_ed25519_key ]]; then
        ssh-keygen -q -A -f "$folder/root" >/dev/null
        # Since 9.8 sshd shuts an address out after a few logins that failed, and here all come from one.
        [[ ! -x $folder/root/usr/lib/openssh/sshd-session ]] ||
            echo 'PerSourcePenalties no' >"$folder/root/etc/ssh/sshd_config.d/90-tests.conf"
    fi
    machine_boot "$name"
}

machine_boot() {
    local folder options state
    folder=$(machine_folder "$1")
    mapfile -t options < <(grep -v '^$' "$folder/options" || true)
    rm -f "$folder"/{leader,nspawn}
    mkdir -p "$machines_cgroup/${folder##*/}"
    # A session of its own: what ends a test must not end the machine, whose journal is still to be read.
    # shellcheck disable=SC2016 # for the inner shell
    setsid bash -c '
        folder=$1 cgroup=$2
        shift 2
        if [[ -e $folder/lock ]]; then exec 9<"$folder/lock" && flock -s 9; fi
        (
            echo $BASHPID >"$cgroup/cgroup.procs" && echo $BASHPID >"$folder/nspawn" && exec systemd-nspawn "$@" 9<&-
        ) &
        wait
        exit 0' machine "$folder" "$machines_cgroup/${folder##*/}" --quiet --boot --directory="$folder/root" \
        --machine="${folder##*/}" --hostname="$1" --register=no --keep-unit --private-network --console=pipe \
        --link-journal=no --resolv-conf=off --timezone=off --rlimit=NOFILE=1024:524288 "${options[@]}" \
        </dev/null >>"$folder/console" 2>&1 9>&- &
    disown
    if ! wait_for machine_has_leader "$folder" || ! wait_for machine_is_up "$1"; then
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

# systemd-nspawn's first child is not in the machine, and soon gone.
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

machine_is_up() {
    [[ $(in_machine "$1" systemctl is-system-running) =~ ^(running|degraded|maintenance|${machine_states:-running})$ ]]
}

in_machine() {
    local folder leader cgroup
    folder=$(machine_folder "$1")
    [[ -s $folder/leader ]] || {
        echo "machine $1 does not run" >&2
        return 1
    }
    leader=$(<"$folder/leader") cgroup=$machines_cgroup/${folder##*/}/payload
    shift
    # In a control group of the machine's, as if it had been started there.
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
    echo "$(machine_folder "$1")/root"
}

# machine_ssh_config FOLDER: nothing from this machine's configuration, no agent, no question to a person.
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
ConnectTimeout 20
PreferredAuthentications publickey
IdentitiesOnly yes
IdentityAgent none
LogLevel ERROR
END
}

machine_ssh() {
    local folder options=()
    folder=$(machine_folder "$1")
    shift
    while [[ ${1:-} == -* ]]; do
        options+=("$1")
        # ssh's options that have a value, where it is a word of its own.
        if [[ $1 == -[BbcDEeFIiJLlmOopQRSWw] ]]; then
            options+=("$2")
            shift
        fi
        shift
    done
    machine_ssh_config "$folder"
    nsenter -t "$(<"$folder/leader")" -n -- \
        ssh -F "$folder/ssh_config" "${options[@]}" -l "$1" 127.0.0.1 "${@:2}"
}

machine_stop() {
    local folder
    folder=$(machine_folder "$1")
    [[ -s $folder/leader ]] || return 0
    kill -s RTMIN+4 "$(<"$folder/leader")" 2>/dev/null || true
    wait_for machine_is_down "$folder" || machine_kill "$folder"
    rm -f "$folder"/{leader,nspawn}
}

machine_reboot() {
    machine_stop "$1"
    machine_boot "$1"
}

# machine_is_down FOLDER
machine_is_down() {
    [[ ! -s $1/nspawn || ! -d /proc/$(<"$1/nspawn") ]]
}

# machine_kill FOLDER: without waiting for anything in it.
machine_kill() {
    [[ ! -s $1/leader ]] || kill -KILL "$(<"$1/leader")" 2>/dev/null || true
    [[ ! -s $1/nspawn ]] || kill -TERM "$(<"$1/nspawn")" 2>/dev/null || true
    wait_for machine_is_down "$1" || kill -KILL "$(<"$1/nspawn")" 2>/dev/null || true
}

# machine_report NAME [NAMES...]: the last that was heard of it.
machine_report() {
    local folder
    folder=$(machine_folder "$@")
    echo "the end of the console of machine $1:"
    tail -n 12 "$folder/console" | tr -cd '[:print:]\n\t'
    [[ -s $folder/leader && -d /proc/$(<"$folder/leader") ]] || return 0
    echo "the warnings in the journal of machine $1:"
    timeout 10 nsenter -t "$(<"$folder/leader")" -m -p -r -- journalctl -q --no-pager -b -p warning -n 40 || true
}

# machines_in FOLDER: the names of the machines that belong there.
machines_in() {
    local name
    for name in "$1"/*; do
        [[ ! -L $name ]] || echo "${name##*/}"
    done
}

# machines_end FOLDER: all those, at once, with what they wrote.
machines_end() {
    local name folder
    for name in $(machines_in "$1"); do
        folder=$(readlink "$1/$name")
        machine_kill "$folder"
        umount "$folder/root" || umount --lazy "$folder/root"
        rm -rf --one-file-system "$folder"
        wait_for rmdir_all "$machines_cgroup/${folder##*/}" || true
        rm "$1/$name"
    done
}

rmdir_all() {
    [[ ! -d $1 ]] || find "$1" -depth -type d -exec rmdir {} +
}
