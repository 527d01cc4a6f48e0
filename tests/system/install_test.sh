# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
# short: by turns

_sockets=(exc-instance-connect.socket exc-instance-connect-host.socket)

# _idle M: the sockets listen, and nothing of ours runs.
_idle() {
    local socket
    for socket in "${_sockets[@]}"; do same active "$(property "$1" "$socket" ActiveState)"; done
    same inactive "$(property "$1" exc-instance-connect.service ActiveState)"
    same '' "$(_ours "$1")"
}

# _ours M: the processes that run a program of ours, or as a user of ours.
_ours() {
    in_machine "$1" bash -c '
        for process in /proc/[0-9]*; do
            if [[ $(readlink "$process/exe") == */usr/libexec/exc-* ||
                $(stat -c %U "$process" 2>/dev/null) == exc-* ]]; then
                ps -o pid=,user=,args= -p "${process#/proc/}"
            fi
        done'
}

# short: by turns
a_fresh_install_lets_a_signed_push_in_once_and_again_after_a_reboot() {
    local sshd
    machine_start m "$suite"
    sshd=$(property m ssh.service MainPID)
    install_debs m
    no_failed_unit m
    _idle m
    # sshd was told of it, and not started again.
    same "$sshd" "$(property m ssh.service MainPID)"

    trusts_cloud m
    new_key once
    refuses m alice once
    push_signed m alice once
    same active "$(property m exc-instance-connect.service ActiveState)"
    in_machine m cmp /usr/libexec/exc-instance-connect/exc-instance-connect-agent \
        "/proc/$(property m exc-instance-connect.service MainPID)/exe"
    lets_in m alice once
    refuses m alice once

    new_key lasting
    push_signed m alice lasting --connections 0 --ttl 300
    lets_in m alice lasting
    lets_in m alice lasting
    refuses m bob lasting
    machine_reboot m
    _idle m
    no_failed_unit m
    refuses m alice lasting
    says '^No key is stored' in_machine m exc-instance-connect list
    push_signed m alice once
    lets_in m alice once
    refuses m alice once
    no_failed_unit m
}

# _documented: prints the commands of docs/vm.md for signed pushes.
_documented() {
    awk '/^## / { inside = 0 } /^## Signed pushes$/ { inside = 1 } inside' "$system_tree/docs/vm.md" |
        awk '/^```$/ { inside = 0 } inside; /^```sh$/ { inside = 1; found = 1 } END { exit !found }'
}

# _as_documented USER UMASK: the same result whatever these are.
_as_documented() {
    local commands
    commands=$(_documented)
    grep -F 'exc-push push ' <<<"$commands"
    in_machine m runuser -l "$1" -c "umask $2"$'\nset -euxo pipefail\n'"$commands" >said.txt || { cat said.txt && return 1; }
    grep -E '^Instance: +i-0123' said.txt
    grep -E '^Anchors: +1' said.txt
    same alice "$(tail -n 1 said.txt)"
    says r-43 in_machine m journalctl -q EXC_REQUEST_ID=r-43 -o verbose
    cp "$(machine_root m)$(in_machine m runuser -l "$1" -c pwd)/signing.pem" cloud.pem
    in_machine m exc-instance-connect trust remove cloud
    new_key k
    guest_refuses Untrusted push_signed m alice k
}

documented_way_of_a_signed_push_works_to_the_letter() {
    machine_start m "$suite"
    install_debs m
    echo 'alice ALL=(ALL) NOPASSWD: ALL' >"$(machine_root m)/etc/sudoers.d/alice"
    _as_documented alice 022
    in_machine m rm /etc/exc-instance-connect/instance-id
    _as_documented root 077
}

# short: no
user_that_was_there_with_another_group_is_noted() {
    local note='^Note: the primary group of exc-authorized-keys is [0-9]+, and must be the group of that name, [0-9]+, .*'
    machine_start m "$suite"
    in_machine m useradd --system --gid nogroup exc-authorized-keys
    install_debs m >said.txt
    grep -E "$note Run usermod --gid exc-authorized-keys exc-authorized-keys\$" said.txt
    says "$note" in_machine m exc-instance-connect enable
    in_machine m usermod --gid exc-authorized-keys exc-authorized-keys
    in_machine m exc-instance-connect enable >said.txt
    fails grep -E "$note" said.txt
    new_key k
    push m alice k
    lets_in m alice k
}

# short: no
nothing_of_ours_is_waited_for_at_boot() {
    local unit units root before befores
    machine_start m "$suite"
    install_debs m
    # The whole of what they wait for, at any distance.
    for unit in ssh.service sockets.target basic.target multi-user.target systemd-user-sessions.service; do
        in_machine m systemctl list-dependencies --after --all --plain "$unit" >waited_for.txt
        grep -F sysinit.target waited_for.txt
        fails grep exc waited_for.txt
    done
    units=$(in_machine m systemctl list-unit-files --no-legend 'exc-instance-connect*' 'run-exc*' | cut -d ' ' -f 1)
    for unit in "${_sockets[@]}" exc-instance-connect.service 'run-exc\x2dinstance\x2dconnect.mount'; do
        grep -xF "$unit" <<<"$units"
    done
    for unit in $units; do
        # systemd 252 quotes names with backslashes.
        befores=$(property m "$unit" Before | tr -d '"')
        [[ -n $befores ]]
        for before in $befores; do
            [[ $before =~ ^(exc-instance-connect.*|run-exc.*\.mount|shutdown\.target|umount\.target)$ ]] || {
                echo "$unit is ordered before $before"
                return 1
            }
        done
    done
    # And with one that never gets ready.
    root=$(machine_root m)
    mkdir "$root/etc/systemd/system/exc-instance-connect-store.service.d"
    printf '[Service]\nExecStart=\nExecStart=sleep infinity\nTimeoutStartSec=infinity\n' \
        >"$root/etc/systemd/system/exc-instance-connect-store.service.d/hang.conf"
    new_key own
    install -d -m 0700 -o 1000 -g 1000 "$root/home/alice/.ssh"
    install -m 0600 -o 1000 -g 1000 own.pub "$root/home/alice/.ssh/authorized_keys"
    machine_stop m
    machine_states='starting|running' machine_boot m
    wait_for lets_in m alice own
    same activating "$(property m exc-instance-connect-store.service ActiveState)"
    same active "$(property m multi-user.target ActiveState)"
}

the_agent_leaves_by_itself_and_comes_again() {
    machine_start m "$suite"
    install_debs m
    trusts_cloud m
    new_key k
    push_signed m alice k
    lets_in m alice k
    push_signed m alice k --connections 0
    signed m revoke --all >/dev/null
    # Half a minute after the last message.
    wait_seconds=60 wait_for property_is m exc-instance-connect.service ActiveState inactive
    _idle m
    no_failed_unit m
    push_signed m alice k
    lets_in m alice k
}

# short: no
a_stopped_sshd_is_not_started() {
    machine_start m "$suite"
    in_machine m systemctl -q disable --now ssh.service
    install_debs m
    same inactive "$(property m ssh.service ActiveState)"
    same disabled "$(in_machine m systemctl is-enabled ssh.service)"
    no_failed_unit m
    in_machine m systemctl start ssh.service
    trusts_cloud m
    new_key k
    push_signed m alice k
    lets_in m alice k
    in_machine m systemctl stop ssh.service
    apt_get m purge exc-instance-connect
    same inactive "$(property m ssh.service ActiveState)"
}

# short: no
where_presets_say_no_nothing_is_enabled() {
    local root socket
    machine_start m "$suite"
    root=$(machine_root m)
    mkdir -p "$root/etc/systemd/system-preset"
    echo 'disable *' >"$root/etc/systemd/system-preset/00-none.preset"
    cp -a "$root/etc/ssh" before
    install_debs m
    for socket in "${_sockets[@]}"; do
        same disabled "$(in_machine m systemctl is-enabled "$socket")"
        same inactive "$(property m "$socket" ActiveState)"
    done
    diff -r --no-dereference before "$root/etc/ssh"
    machine_reboot m
    for socket in "${_sockets[@]}"; do same inactive "$(property m "$socket" ActiveState)"; done
    same '' "$(_ours m)"
}

# short: no
an_install_that_stopped_halfway_harms_nothing_and_can_be_finished() {
    local root
    machine_start m "$suite"
    root=$(machine_root m)
    new_key own
    install -d -m 0700 -o 1000 -g 1000 "$root/home/alice/.ssh"
    install -m 0600 -o 1000 -g 1000 own.pub "$root/home/alice/.ssh/authorized_keys"
    cp -a "$root/etc/ssh" before
    mkdir "$root/debs"
    cp "$(our_deb exc-instance-connect)" "$(our_deb exc-push)" "$root/debs"
    in_machine m sh -c 'dpkg --unpack /debs/*.deb'
    machine_reboot m
    lets_in m alice own
    diff -r --no-dereference before "$root/etc/ssh"
    in_machine m dpkg --configure --pending
    no_failed_unit m
    trusts_cloud m
    new_key k
    push_signed m alice k
    lets_in m alice k
    lets_in m alice own
}

# short: no
without_openssh_apt_refuses_and_changes_nothing() {
    machine_start m "$suite"
    # The directory goes with the package when nothing else is in it.
    in_machine m rm -f /etc/ssh/sshd_config.d/90-tests.conf
    apt_get m purge openssh-server
    fails_with 'Depends:? openssh-server' install_debs m
    fails in_machine m dpkg-query -W exc-instance-connect
    # And by force, as where sshd is not a package.
    fails in_machine m test -e /etc/ssh/sshd_config.d
    mkdir "$(machine_root m)/debs"
    cp "$(our_deb exc-instance-connect)" "$(machine_root m)/debs"
    in_machine m sh -c 'dpkg --force-depends -i /debs/*.deb'
    no_failed_unit m
    _idle m
    in_machine m dpkg --purge exc-instance-connect
    no_failed_unit m
}
