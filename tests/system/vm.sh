# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Virtual machines for tests, emulated by QEMU, without a network device until one is plugged in: Debian 12 and 13. They
# have what the containers of machine.sh lack: virtio-serial, vsock, limits that the kernel enforces, and a kernel of their
# own.
#
#   vm_start NAME SUITE       boots one with our packages in it, and waits until ssh answers; 20 to 60 s
#   in_vm NAME COMMAND...     runs it there as root, over vsock, with the caller's standard input; one word is a script
#   vm_ssh NAME [OPTION...] USER [COMMAND...]
#                             a real ssh to its sshd, over vsock
#   vm_serial NAME            prints the path of the socket of its virtio-serial port
#   vm_hybrid NAME            prints the path of the socket for its vsock ports (CONNECT, OK)
#   vm_cycle NAME             switches it off and on again, with the same disk; vm_await NAME waits until it is up
#   vm_plug NAME ADDRESS      gives it a network device, by which the host reaches its sshd at ADDRESS; it reaches nothing
#   vm_unplug NAME            takes that away
#   vm_monitor NAME COMMAND   sends it to QEMU's monitor
#   vm_stop NAME
#   vm_exc_push, vm_signs, vm_pushes, vm_lets_in, vm_refuses, vm_addresses, vm_wait, vm_finding, vm_channels_let_in_once,
#   vm_launch_keys_let_in_until_dropped, vm_metadata_service, vm_fetches, vm_metadata_service_stops
#                             with the one machine of a test file; below
#
# The array vm_options has more options of QEMU, for vm_start, and vm_kernel has the kernel's about security modules and audit. By
# default AppArmor is on, as Debian has it, and the profiles of our packages are enforced; what they deny is not logged, since
# the kernel's log of such things costs time. With vm_module=selinux the machine has SELinux instead, enforcing, with Debian's
# policy.
#
# The host's side of vsock is vhost-device-vsock, from Debian's unstable suite, which needs no kernel module. AF_VSOCK of
# this machine is never used.

vms=/mnt/vms
vm_ssh_port=2222
vm_options=()
vm_kernel=audit=0
vm_module=''
# -cpu max alone crashes QEMU 7.2 when it emulates the kernel of Debian 13.
vm_cpu=max,-cx16

# vm_vhost: prints the root of vhost-device-vsock, with the libraries of its own suite.
vm_vhost() {
    tree_locked sid vhost 1 vm_vhost_make "$system_tree/build/system/trees/vhost"
    echo "$system_tree/build/system/trees/vhost"
}

vm_vhost_make() {
    local sources
    mapfile -t sources < <(tree_sources sid | head -n 1)
    rm -rf "$1"
    mmdebstrap --mode=root --variant=extract --include=vhost-device-vsock \
        --aptopt='Acquire::Check-Valid-Until "false"' sid "$1" "${sources[@]}" </dev/null
}

# What the tree of a suite needs to be the disk of a virtual machine, as a layer (tree_layer). The kernel comes last: its
# initial RAM file system is made once, with the modules below. A small one, because unpacking it is slow when emulated.
# No start of a service or wait for a device runs out of time because the machine is busy with other tests.
vm_packages='apparmor initramfs-tools kmod python3 socat udev zstd'
# shellcheck disable=SC2016 # for the shell in the tree
vm_setup='
    echo "/dev/vda / ext4 defaults 0 1" >/etc/fstab
    echo vm >/etc/hostname
    echo "127.0.0.1 localhost vm" >/etc/hosts
    for unit in apt-daily.timer apt-daily-upgrade.timer fstrim.timer e2scrub_all.timer dpkg-db-backup.timer \
        systemd-networkd-wait-online.service systemd-networkd.service; do
        ln -sf /dev/null "/etc/systemd/system/$unit"
    done
    printf "%s\n" "[Socket]" "ListenStream=vsock::'$vm_ssh_port'" "Accept=yes" >/etc/systemd/system/test-ssh.socket
    printf "%s\n" "[Service]" "ExecStart=-/usr/sbin/sshd -i" "StandardInput=socket" "RuntimeDirectory=sshd" \
        "RuntimeDirectoryPreserve=yes" >/etc/systemd/system/test-ssh@.service
    mkdir -p /etc/systemd/system/multi-user.target.wants /root/.ssh
    ln -s ../test-ssh.socket /etc/systemd/system/multi-user.target.wants/
    chmod 0700 /root/.ssh
    mkdir -p /etc/initramfs-tools/conf.d /usr/share/initramfs-tools/modules.d /etc/modules-load.d
    printf "MODULES=list\nCOMPRESS=zstd\n" >/etc/initramfs-tools/conf.d/vm
    printf "virtio_pci\nvirtio_blk\next4\n" >/usr/share/initramfs-tools/modules.d/vm
    printf "vmw_vsock_virtio_transport\nvirtio_console\n" >/etc/modules-load.d/vm.conf
    mkdir -p /etc/systemd/system.conf.d
    printf "%s\n" "[Manager]" DefaultTimeoutStartSec=30min DefaultDeviceTimeoutSec=30min \
        >/etc/systemd/system.conf.d/emulated.conf'
# shellcheck disable=SC2016 # for the shell in the tree
vm_finish='$INSTALL linux-image-cloud-amd64'

# What SELinux needs besides. Debian's policy knows no sshd on vsock, which is how a test gets into the machine.
vm_kernel_selinux='security=selinux selinux=1 enforcing=1 audit=1'
vm_selinux_packages='auditd policycoreutils selinux-policy-default'
# shellcheck disable=SC2016 # for the shell in the tree
vm_selinux_finish='
    mkdir -p /etc/selinux
    printf "SELINUX=enforcing\nSELINUXTYPE=default\n" >/etc/selinux/config
    echo "(allow sshd_t self (vsock_socket (read write getattr getopt setopt shutdown)))
        (allow init_t sshd_t (vsock_socket (create bind listen accept read write getattr getopt setopt shutdown)))" >/test_sshd.cil
    semodule -n -i /test_sshd.cil
    rm /test_sshd.cil'

# vm_base SUITE [MODULE]: prints the lower directories of an overlay with its tree, and that security module; boot/ in one has
# its kernel.
vm_base() {
    local plain
    plain=$(tree_layer "$1" "$(tree "$1")" "vm-$1" "$vm_packages" "$vm_setup" "$vm_finish")
    if [[ ${2:-} == selinux ]]; then
        tree_layer "$1" "$plain" "vm-$1-selinux" "$vm_selinux_packages" '' "$vm_selinux_finish"
    else
        echo "$plain"
    fi
}

# vm_disk DIRECTORY LOWER: makes a file system with that tree, our packages, and a key for root.
vm_disk() {
    local root=$1/root labels=''
    # setfiles takes files with different device numbers for other file systems, and a label is no reason to copy a file.
    if [[ $vm_module == selinux ]]; then labels=,xino=on,metacopy=on; fi
    mkdir -p "$1"/{upper,work,root}
    chmod 0755 "$1/upper"
    mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work$labels" vm "$root"
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$1/key"
    install -m 0600 "$1/key.pub" "$root/root/.ssh/authorized_keys"
    machine_host_keys "$root"
    install -d "$root/debs"
    cp "$(our_deb exc-instance-connect)" "$(our_deb exc-instance-connect-metadata)" "$(our_deb exc-push)" "$root/debs/"
    mount -t proc proc "$root/proc"
    chroot "$root" sh -c 'dpkg -i /debs/*.deb' || return 1
    umount "$root/proc"
    rm -rf "$root/debs"
    # After the packages, as an administrator would.
    if declare -F _vm_prepare >/dev/null; then _vm_prepare "$root"; fi
    if [[ $vm_module == selinux ]]; then vm_label "$root" || return 1; fi
    truncate -s 1500M "$1/disk"
    mkfs.ext4 -q -F -L root -O ^metadata_csum,^64bit -E lazy_itable_init=1 -d "$root" "$1/disk"
    mkdir -p "$1/host_keys"
    cp "$root"/etc/ssh/ssh_host_*_key.pub "$1/host_keys/"
    umount "$root"
    rm -rf "$1"/{upper,work,root}
}

# vm_label ROOT: gives each file its label, which in the machine would take minutes.
vm_label() {
    mount -t proc proc "$1/proc"
    chroot "$1" setfiles -F -m /etc/selinux/default/contexts/files/file_contexts /
    umount "$1/proc"
}

vm_start() {
    local directory=$vms/$1 base cid
    base=$(vm_base "$2" "$vm_module")
    mkdir -p "$directory"
    vm_disk "$directory" "$base" >"$directory/disk.log" 2>&1 || {
        tail -n 20 "$directory/disk.log"
        return 1
    }
    vm_take_kernel "$base" "$directory"
    # Two machines at the same time must not have the same CID, even with separate vhost devices.
    cid=$((3 + BASHPID))
    echo "$cid" >"$directory/cid"
    printf '%s\n' "${vm_options[@]}" >"$directory/options"
    if [[ $vm_module == selinux ]]; then
        # Two policies have room while one is loaded in place of another.
        echo 2048 >"$directory/memory"
        echo "$vm_kernel_selinux" >"$directory/kernel"
    else
        echo 1024 >"$directory/memory"
        echo "$vm_kernel" >"$directory/kernel"
    fi
    vm_boot "$1"
    vm_await "$1"
}

# vm_take_kernel LOWER DIRECTORY: copies the kernel and its initial RAM file system, which one of the layers has.
vm_take_kernel() {
    local layer
    while read -r layer; do
        compgen -G "$layer/boot/vmlinuz-*" >/dev/null || continue
        cp "$layer"/boot/vmlinuz-* "$2/vmlinuz"
        cp "$layer"/boot/initrd.img-* "$2/initrd"
    done < <(tr : '\n' <<<"$1")
}

vm_boot() {
    local directory=$vms/$1 vhost library options memory
    memory=$(<"$directory/memory")
    mapfile -t options < <(grep -v '^$' "$directory/options" || true)
    vhost=$(vm_vhost)
    library=$vhost/usr/lib/x86_64-linux-gnu
    setsid "$library/ld-linux-x86-64.so.2" --library-path "$library" "$vhost/usr/bin/vhost-device-vsock" \
        --vm "guest-cid=$(<"$directory/cid"),socket=$directory/vhost,uds-path=$directory/vsock" </dev/null >"$directory/vhost.log" 2>&1 &
    echo $! >"$directory/vhost.pid"
    disown
    wait_for test -S "$directory/vhost"
    # Time in the guest goes on while other tests have the processors.
    nice -n -10 qemu-system-x86_64 -accel tcg,thread=multi,tb-size=1024 -smp 2 -cpu "$vm_cpu" -m "$memory" \
        -M q35,memory-backend=mem -object memory-backend-memfd,id=mem,size=${memory}M,share=on \
        -nodefaults -no-user-config -display none -kernel "$directory/vmlinuz" -initrd "$directory/initrd" \
        -append "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off panic=-1 systemd.service_watchdogs=no $(<"$directory/kernel")" \
        -drive "file=$directory/disk,format=raw,if=none,id=d0,cache=unsafe" -device virtio-blk-pci,drive=d0 \
        -device virtio-rng-pci -device virtio-serial-pci -device pcie-root-port,id=plug,chassis=1 \
        -chardev "socket,path=$directory/serial,server=on,wait=off,id=c0" \
        -device virtserialport,chardev=c0,name=in.excloud.InstanceConnect,id=p0 \
        -chardev "socket,id=vv,reconnect=0,path=$directory/vhost" -device vhost-user-vsock-pci,chardev=vv \
        -serial "file:$directory/console" -monitor "unix:$directory/monitor,server=on,wait=off" \
        -pidfile "$directory/pid" -daemonize "${options[@]}"
    echo -10 2>/dev/null >"/proc/$(<"$directory/pid")/autogroup" || true
}

# vm_up NAME SECONDS: whether its sshd answers in that time. Not by in_vm, whose shared connection would outlive a reset of
# the machine.
vm_up() {
    vm_ssh_config "$vms/$1"
    timeout "$2" ssh -F "$vms/$1/ssh_config" -i "$vms/$1/key" -l root vm true
}

# A connection that was made before the guest was there may never be answered, and a login on a busy machine takes long:
# each attempt has more time than the last.
vm_await() {
    local end=$((SECONDS + 1800)) seconds=20
    while ((SECONDS < end)); do
        if vm_up "$1" "$seconds" 2>/dev/null; then return 0; fi
        ((seconds += 20))
        sleep 1
    done
    echo "$1: virtual machine does not boot; the end of its console:"
    tail -n 30 "$vms/$1/console" | tr -cd '[:print:]\n\t'
    return 1
}

# The default key exchange would take a third of the time of a login.
vm_ssh_config() {
    local key
    rm -f "$1/known_hosts"
    for key in "$1"/host_keys/*.pub; do echo "vm $(<"$key")" >>"$1/known_hosts"; done
    cat >"$1/ssh_config" <<END
HostKeyAlias vm
ProxyCommand /usr/bin/python3 $here/hybrid.py $1/vsock $vm_ssh_port
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

vm_ssh() {
    local directory=$vms/$1 options=()
    shift
    while [[ ${1:-} == -* ]]; do
        options+=("$1")
        if [[ $1 == -[BbcDEeFIiJLlmOopQRSWw] ]]; then
            options+=("$2")
            shift
        fi
        shift
    done
    vm_ssh_config "$directory"
    ssh -F "$directory/ssh_config" "${options[@]}" -l "$1" vm "${@:2}"
}

in_vm() {
    local name=$1
    shift
    if (($# > 1)); then set -- "$(printf '%q ' "$@")"; fi
    vm_ssh "$name" -o ControlMaster=auto -o ControlPath="$vms/$name/mux" -o ControlPersist=60 \
        -i "$vms/$name/key" root "$1"
}

vm_serial() {
    echo "$vms/$1/serial"
}

vm_hybrid() {
    echo "$vms/$1/vsock"
}

vm_monitor() {
    echo "$2" | socat -t 1 - "UNIX-CONNECT:$vms/$1/monitor" >/dev/null
}

vm_plug() {
    vm_monitor "$1" "netdev_add user,id=net,restrict=on,hostfwd=tcp:$2:22-10.0.2.15:22"
    vm_monitor "$1" 'device_add virtio-net-pci,bus=plug,netdev=net,id=nic'
    in_vm "$1" 'modprobe virtio_net && until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done &&
        ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up'
}

vm_unplug() {
    vm_monitor "$1" 'device_del nic'
    in_vm "$1" 'while [ -e /sys/class/net/eth0 ]; do sleep 0.1; done'
    vm_monitor "$1" 'netdev_del net'
}

# vm_off NAME: without a shutdown.
vm_off() {
    local directory=$vms/$1 file process
    for file in pid vhost.pid; do
        [[ -s $directory/$file ]] || continue
        # QEMU removes its own file.
        process=$(<"$directory/$file")
        kill "$process" 2>/dev/null || true
        wait_for vm_is_off "$process" || kill -KILL "$process" 2>/dev/null || true
    done
    rm -f "$directory"/{mux,serial,vsock,vhost,monitor,pid,vhost.pid}
}

# vm_is_off PROCESS
vm_is_off() {
    [[ ! -d /proc/$1 ]]
}

vm_cycle() {
    vm_off "$1"
    vm_boot "$1"
}

vm_stop() {
    vm_off "$1"
    rm -rf "${vms:?}/$1"
}

# --- the one machine of a test file, $suite; its exc-push is in $prepared/host, its anchor's key is $prepared/cloud.pem --------------

# vm_exc_push COMMAND ADDRESS [OPTION...]: on the host.
vm_exc_push() {
    "$prepared/host/usr/bin/exc-push" "$1" --to "$2" --timeout 60 "${@:3}"
}

# vm_signs COMMAND ADDRESS [OPTION...]: a key outlives the slowest login here.
vm_signs() {
    local life=()
    [[ $1 != push ]] || life=(--ttl 1200)
    vm_exc_push "$1" "$2" --signing-key "$prepared/cloud.pem" --instance "$instance" "${life[@]}" "${@:3}"
}

# vm_pushes USER KEY: by the administrator of the machine.
vm_pushes() {
    in_vm "$suite" 'cat >/run/k.pub' <"$2.pub"
    in_vm "$suite" exc-instance-connect push --user "$1" --key /run/k.pub --ttl 1200 >/dev/null
}

# vm_lets_in USER KEY, vm_refuses USER KEY
vm_lets_in() {
    same "$1" "$(vm_ssh "$suite" -i "$2" "$1" id -un)"
}

vm_refuses() {
    fails_with 'Permission denied \(publickey' vm_ssh "$suite" -i "$2" "$1" true
}

# vm_addresses: of both its channels.
vm_addresses() {
    echo "serial:$(vm_serial "$suite")" "hybrid:$(vm_hybrid "$suite")"
}

# vm_wait SCRIPT: until it succeeds there.
vm_wait() {
    in_vm "$suite" "for i in \$(seq 1500); do { $1; } && exit 0; sleep 0.2; done; echo 'timeout waiting for: $1'; exit 1"
}

# vm_finding NAME: what doctor says of it.
vm_finding() {
    in_vm "$suite" exc-instance-connect doctor --all | grep -E "^(pass|warning|failure) +$1 " || true
}

# vm_channels_let_in_once [COMMAND...]: and so does a push by the machine itself; what is left over is revoked. COMMAND runs while
# the agent does.
vm_channels_let_in_once() {
    local address
    for address in $(vm_addresses); do
        says "$instance" vm_exc_push hello "$address"
        new_key k
        vm_signs push "$address" --user alice --key k.pub
        "$@"
        vm_lets_in alice k
        vm_refuses alice k
        new_key k
        vm_signs push "$address" --user alice --key k.pub --connections 0
        vm_lets_in alice k
        says '^2 keys were dropped' vm_signs revoke "$address" --user alice
        vm_refuses alice k
    done
    new_key k
    vm_pushes bob k
    vm_lets_in bob k
}

# vm_launch_keys_let_in_until_dropped [COMMAND...]: COMMAND runs while their socket is there.
vm_launch_keys_let_in_until_dropped() {
    vm_metadata_service 169.254.169.254 fd00:ec2::254
    vm_fetches
    "$@"
    vm_lets_in alice launch
    in_vm "$suite" ': >/var/cloud/keys'
    vm_fetches
    vm_refuses alice launch
    vm_metadata_service_stops
}

# vm_metadata_service ADDRESS...: one in the machine, with the key "launch" for alice: it serves /var/cloud/keys and makes
# /var/cloud/log.
vm_metadata_service() {
    new_key launch
    in_vm "$suite" 'mkdir /var/cloud && cat >/var/cloud/keys' <launch.pub
    in_vm "$suite" 'cat >/usr/local/lib/service.py' <"$system_tree/tests/metadata/service.py"
    in_vm "$suite" "for address in $*; do ip addr add \$address dev lo; done
        systemd-run -q --unit=cloud /usr/bin/python3 /usr/local/lib/service.py /var/cloud $*"
    vm_wait "ss -ltn | grep -qF -- ${*: -1}"
    in_vm "$suite" "printf '[Metadata]\nUser=alice\n' >/etc/exc-instance-connect/metadata.conf"
}

vm_metadata_service_stops() {
    in_vm "$suite" 'systemctl stop exc-instance-connect-metadata.socket cloud
        rm -r /etc/exc-instance-connect/metadata.conf /var/cloud; ip addr flush dev lo scope global'
}

# It may take longer than the program waits, since all of this is emulated.
vm_fetches() {
    vm_wait 'systemctl reset-failed exc-instance-connect-metadata.service; systemctl start exc-instance-connect-metadata.service'
}
