# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
# short: trixie
# What becomes of a machine by upgrades, downgrades, removal and purging.

_sockets=(exc-instance-connect.socket exc-instance-connect-host.socket)
_agent=/usr/libexec/exc-instance-connect/exc-instance-connect-agent

# What many tests begin with: a machine that has ours.
_prepare() {
    machine_start base "$suite"
    install_debs base
    machine_stop base
}

# _newer DEB VERSION: prints the name of the same package, in the current directory, of that version and with programs that
# are not the same bytes.
_newer() {
    local program
    rm -rf newer
    dpkg-deb -R "$1" newer
    sed -i "s/^Version: .*/Version: $2/" newer/DEBIAN/control
    for program in newer/usr/libexec/exc-instance-connect/*; do
        [[ ! -f $program ]] || echo "$2" >>"$program"
    done
    (cd newer && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
    dpkg-deb --root-owner-group -Znone -b newer "newer_$2.deb" >/dev/null
    rm -rf newer
    echo "newer_$2.deb"
}

# _lived_in M: a copy of it that trusts cloud.pem, with a live key k of alice's and the agent at work. Leaves $sshd.
_lived_in() {
    machine_start "$1" "$(machine_root base)"
    trusts_cloud "$1"
    keys_last "$1"
    sshd=$(property "$1" ssh.service MainPID)
    new_key k
    push_signed "$1" alice k --connections 0 --ttl 3600
    lets_in "$1" alice k
    same active "$(property "$1" exc-instance-connect.service ActiveState)"
}

# _still_well M: nothing was lost.
_still_well() {
    local socket agent
    no_failed_unit "$1"
    for socket in "${_sockets[@]}"; do same active "$(property "$1" "$socket" ActiveState)"; done
    same "$sshd" "$(property "$1" ssh.service MainPID)"
    lets_in "$1" alice k
    new_key after
    push_signed "$1" alice after
    lets_in "$1" alice after
    refuses "$1" alice after
    refuses "$1" bob k
    # The agent that answered is the one that is installed.
    agent=$(property "$1" exc-instance-connect.service MainPID)
    in_machine "$1" cmp "$_agent" "/proc/$agent/exe"
}

# _version M: prints the installed one.
_version() {
    in_machine "$1" dpkg-query -W -f '${Version}' exc-instance-connect
}

# _open_session M USER KEY: a session of that user, until _session_lives. It says what it is on descriptor 4.
_open_session() {
    mkfifo to from
    machine_ssh "$1" -i "$3" "$2" 'echo open; read -r line; echo "$line"' <to >from 2>session.txt &
    exec 3>to 4<from
    local line
    read -r -t 20 line <&4
    same open "$line"
}

# _session_lives: and ends.
_session_lives() {
    local line
    echo lives >&3
    read -r -t 20 line <&4
    same lives "$line"
    exec 3>&- 4<&-
}

# _pushes M: one after the other, until the file "stop" is there. One that fails is tried once more, when the socket is
# there. What failed twice is in the file "lost", how many there were in "pushed".
_pushes() {
    local number=0
    new_key stream
    while [[ ! -e stop ]]; do
        number=$((number + 1))
        if ! push_signed "$1" bob stream --connections 0 --ttl 2 2>>retried; then
            wait_for in_machine "$1" test -S "$host_socket"
            push_signed "$1" bob stream --connections 0 --ttl 2 2>>retried || echo "push $number was lost" >>lost
        fi
        echo "$number" >pushed
        # A user can have 32 live keys.
        sleep 0.1
    done
}

# _listing M: what there is on the machine's disk, with owners and modes; of what is below /etc, with what it says too.
# Left away are the records of what was done: logs, apt's and dpkg's own, the backups that useradd makes of its files,
# the index that systemd makes of all catalogs, and the private directories of services that run.
_listing() {
    (
        cd "$(machine_root "$1")" || exit
        find . -xdev \( -path ./var/log -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache \
            -o -path ./var/lib/systemd/catalog/database \
            -o -path './etc/passwd-' -o -path './etc/group-' -o -path './etc/shadow-' -o -path './etc/gshadow-' \
            -o -path ./etc/.pwd.lock -o -path './var/tmp/systemd-private-*' \) -prune -o -printf '%p %y %m %U:%G %l\n'
        find etc -xdev -type f ! -name '*-' -exec sha256sum {} +
    ) | sort
}

# _ssh_listing M: all that sshd is told, and what it understands of it.
_ssh_listing() {
    (
        cd "$(machine_root "$1")" || exit
        find etc/ssh -printf '%p %y %m %U:%G %l\n' | sort
        find etc/ssh -type f -exec sha256sum {} + | sort -k 2
    )
    in_machine "$1" sshd -T
    in_machine "$1" sshd -T -C user=alice,host=localhost,addr=127.0.0.1
}

# _nothing_runs M: no unit, process, mount, socket or directory of ours.
_nothing_runs() {
    same '' "$(in_machine "$1" systemctl list-units --all --plain --no-legend 'exc-*' 'run-exc*')"
    same '' "$(in_machine "$1" systemctl list-unit-files --no-legend 'exc-*' 'run-exc*')"
    same '' "$(in_machine "$1" sh -c 'grep exc- /proc/mounts || true')"
    same '' "$(in_machine "$1" sh -c 'ss --listening --no-header --unix | grep exc- || true')"
    same '' "$(in_machine "$1" find /run /tmp /var/tmp /dev/shm -name '*exc-*' -not -path '/run/systemd/propagate*')"
    same '' "$(in_machine "$1" sh -c 'readlink /proc/[0-9]*/exe | grep /usr/libexec/exc- || true')"
    no_failed_unit "$1"
}

an_upgrade_at_work_loses_no_key_and_no_push() {
    local newer pushes sshd
    _lived_in m
    new_key used
    push_signed m alice used
    lets_in m alice used
    newer=$(_newer "$(our_deb exc-instance-connect)" 99.0-1)
    _open_session m alice k
    _pushes m &
    pushes=$!
    wait_for test -s pushed
    install_debs m "$newer"
    same 99.0-1 "$(_version m)"
    sleep 1
    touch stop
    wait "$pushes"
    [[ ! -e lost ]] || {
        cat lost retried
        return 1
    }
    echo "$(<pushed) pushes, of which again: $(grep -c '^exc-push: ' retried || true)"
    (($(<pushed) > 3))
    _still_well m
    _session_lives
    # Nor is what was used up given away again.
    refuses m alice used
    # And the other way.
    install_debs m "$(our_deb exc-instance-connect)"
    fails same 99.0-1 "$(_version m)"
    _still_well m
    machine_reboot m
    no_failed_unit m
    refuses m alice k
}

# _older DEB: prints the name of the same package, in the current directory, as an earlier version had it: one program for
# our keys and for the other command. Its stand-in is a script, which runs copies of both programs that no upgrade removes:
# unlike a program, it would not survive that. It enables nothing: the test writes what sshd reads.
_older() {
    local programs=older/usr/libexec/exc-instance-connect
    rm -rf older
    dpkg-deb -R "$1" older
    sed -i 's/^Version: .*/Version: 0.0.1-1/' older/DEBIAN/control
    rm -f older/DEBIAN/preinst
    sed -i 's/^ *exc-instance-connect enable .*/true/' older/DEBIAN/postinst
    mkdir "$programs/both"
    mv "$programs"/exc-authorized-keys* "$programs/both/"
    cat >"$programs/exc-authorized-keys" <<'END'
#!/bin/sh
both=/usr/local/lib/both
for word; do if [ "$word" = -- ]; then exec $both/exc-authorized-keys-chain "$@"; fi; done
exec $both/exc-authorized-keys "$@"
END
    chmod 0755 "$programs/exc-authorized-keys"
    (cd older && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
    dpkg-deb --root-owner-group -Znone -b older older.deb >/dev/null
    rm -rf older
    echo older.deb
}

# _chained M: an earlier version, with a command after ours. Alice has the key `ours` in the store, `theirs` by that
# command. A second sshd on port 2200 belongs to no unit, so nothing reloads it: it keeps the line of the earlier version.
_chained() {
    local root
    machine_start "$1" "$suite"
    install_debs "$1" "$(_older "$(our_deb exc-instance-connect)")" "$(our_deb exc-push)"
    root=$(machine_root "$1")
    new_key theirs
    install -m 0644 theirs.pub "$root/usr/local/lib/theirs.pub"
    printf '#!/bin/sh\n[ "$1" = alice ] && cat /usr/local/lib/theirs.pub\n' >"$root/usr/local/bin/other"
    chmod 0755 "$root/usr/local/bin/other"
    printf '%s\n' 'AuthorizedKeysCommand /usr/local/bin/other %u' 'AuthorizedKeysCommandUser nobody' \
        >"$root/etc/ssh/sshd_config.d/50-other.conf"
    # What an earlier version wrote: the words are those of today, the program is the one that it had.
    in_machine "$1" sh -ec 'programs=/usr/libexec/exc-instance-connect
        cp -a $programs/both /usr/local/lib/
        cp $programs/both/exc-authorized-keys-chain $programs/
        exc-instance-connect enable && rm $programs/exc-authorized-keys-chain
        sed -i "s|/exc-authorized-keys-chain |/exc-authorized-keys |" /etc/ssh/sshd_config.d/10-exc-instance-connect.conf
        grep -q " -- /usr/local/bin/other %u$" /etc/ssh/sshd_config.d/10-exc-instance-connect.conf
        systemctl reload ssh && setsid -f /usr/sbin/sshd -D -p 2200 >/dev/null 2>&1'
    wait_for in_machine "$1" sh -c 'ss -ltn | grep -q ":2200 "'
    new_key ours
    keys_last "$1"
    push "$1" alice ours --connections 0 --ttl 3600
    _both_log_in "$1"
}

# _both_log_in M: by each sshd.
_both_log_in() {
    local key port
    for key in ours theirs; do
        for port in 22 2200; do same alice "$(machine_ssh "$1" -p "$port" -i "$key" alice id -un)"; done
    done
}

# Each of these steps is a moment of an upgrade.
# short: no
upgrade_keeps_both_commands_at_every_step() {
    local deb programs=/usr/libexec/exc-instance-connect root
    _chained m
    root=$(machine_root m)
    deb=$(our_deb exc-instance-connect)
    dpkg-deb -R "$deb" new
    cp -a new/DEBIAN "$root/root/"
    in_machine m /root/DEBIAN/preinst upgrade 0.0.1-1
    _both_log_in m
    # One program in place, the other not yet.
    install -m 0711 "new$programs/exc-authorized-keys" "$root$programs/new"
    in_machine m mv $programs/new $programs/exc-authorized-keys
    _both_log_in m
    install -m 0711 "new$programs/exc-authorized-keys-chain" "$root$programs/new"
    in_machine m mv $programs/new $programs/exc-authorized-keys-chain
    _both_log_in m
    install_debs m
    _both_log_in m
    in_machine m grep "^AuthorizedKeysCommand $programs/exc-authorized-keys-chain .* -- /usr/local/bin/other %u$" \
        /etc/ssh/sshd_config.d/10-exc-instance-connect.conf
    says "^authorizedkeyscommand $programs/exc-authorized-keys-chain " in_machine m sshd -T
    fails in_machine m test -e $programs/both
    no_failed_unit m
}

# short: no
upgrade_that_fails_leaves_no_copy() {
    local programs=/usr/libexec/exc-instance-connect root
    _chained m
    root=$(machine_root m)
    dpkg-deb -R "$(our_deb exc-instance-connect)" new
    # A file of another package is in it, so it cannot be unpacked.
    install -D -m 0644 /dev/null new/usr/share/doc/openssl/copyright
    sed -i 's/^Version: .*/Version: 99.0-1/' new/DEBIAN/control
    dpkg-deb --root-owner-group -Znone -b new new.deb >/dev/null
    cp new.deb "$root/root/"
    fails in_machine m dpkg --unpack /root/new.deb
    same 0.0.1-1 "$(_version m)"
    fails in_machine m test -e $programs/exc-authorized-keys-chain
    _both_log_in m
}

# _logs_in M: with each key by turns, until the file "stop" is there. What failed is in the file "lost".
_logs_in() {
    local number=0 key
    while [[ ! -e stop ]]; do
        number=$((number + 1))
        for key in ours theirs; do
            [[ $(machine_ssh "$1" -p 2200 -i $key alice id -un 2>>failed) == alice ]] || echo "$key $number" >>lost
        done
        echo "$number" >logins
    done
}

# None while the earlier version comes back: the chain program of the new one may then start the helper of the other.
# short: no
logins_during_an_upgrade_keep_both_commands() {
    local number
    _chained m
    for number in {1..3}; do
        rm -f stop logins
        _logs_in m &
        wait_for test -s logins
        install_debs m "$(our_deb exc-instance-connect)"
        touch stop
        wait_jobs
        [[ ! -e lost ]] || {
            cat lost failed
            return 1
        }
        echo "$(<logins) logins by each command during upgrade $number"
        _both_log_in m
        ((number < 3)) || break
        rm -rf older.deb
        install_debs m "$(_older "$(our_deb exc-instance-connect)")"
    done
}

# short: no
sockets_restarted_under_traffic_leave_no_failed_unit() {
    local number sshd
    _lived_in m
    _pushes m &
    wait_for test -s pushed
    # As an upgrade does; whether somebody connects in the middle of one is chance.
    for number in {1..10}; do
        in_machine m deb-systemd-invoke restart "${_sockets[@]}"
        no_failed_unit m
    done
    echo "restarted $number times"
    touch stop
    wait_jobs
    _still_well m
}

# short: no
reinstalling_loses_nothing() {
    _lived_in m
    install_debs m
    _still_well m
    install_debs m
    _still_well m
}

removal_leaves_sshd_as_it_was_and_nothing_behind() {
    local sshd root
    machine_start m "$suite"
    root=$(machine_root m)
    new_key own
    install -d -m 0700 -o 1000 -g 1000 "$root/home/alice/.ssh"
    install -m 0600 -o 1000 -g 1000 own.pub "$root/home/alice/.ssh/authorized_keys"
    _ssh_listing m >before
    sshd=$(property m ssh.service MainPID)
    install_debs m
    trusts_cloud m
    fails same "$(<before)" "$(_ssh_listing m)" >/dev/null
    new_key k
    push_signed m alice k --connections 0
    _open_session m alice k
    apt_get m remove exc-instance-connect
    _nothing_runs m
    diff before <(_ssh_listing m)
    same "$sshd" "$(property m ssh.service MainPID)"
    refuses m alice k
    lets_in m alice own
    _session_lives
    # The administrator's stay, until purged; and work again.
    test -s "$root/etc/exc-instance-connect/trust.d/cloud.pem"
    install_debs m
    new_key k
    push_signed m alice k
    lets_in m alice k
    same "$sshd" "$(property m ssh.service MainPID)"
    apt_get m purge exc-instance-connect
    diff before <(_ssh_listing m)
    _nothing_runs m
    machine_reboot m
    _nothing_runs m
    lets_in m alice own
    # Not even a word about it from sshd.
    same '' "$(in_machine m journalctl -q -b -u ssh.service --grep 'exc-|AuthorizedKeysCommand' || true)"
}

purging_leaves_no_file_and_no_user() {
    machine_start m "$suite"
    # What any installation brings, ours or not.
    in_machine m systemctl daemon-reload
    _listing m >before
    install_debs m
    trusts_cloud m
    new_key k
    push_signed m root k --connections 0
    in_machine m exc-instance-connect list >/dev/null
    fails diff before <(_listing m) >/dev/null
    apt_get m purge exc-instance-connect exc-push
    _nothing_runs m
    diff before <(_listing m)
    same '' "$(in_machine m sh -c 'cd /etc && grep exc- passwd group shadow gshadow subuid subgid || true')"
    same '' "$(in_machine m sh -c 'ls -d /var/lib/dpkg/info/exc-* /var/lib/systemd/deb-systemd-helper-*/*exc-* \
        /var/lib/systemd/deb-systemd-helper-*/*/*exc-* 2>/dev/null || true')"
    same '' "$(in_machine m journalctl --list-catalog | grep -i 'instance connect' || true)"
}

# short: no
a_second_purge_of_what_is_removed_leaves_nothing_either() {
    machine_start m "$suite"
    _listing m >before
    install_debs m
    trusts_cloud m
    apt_get m remove exc-instance-connect exc-push
    in_machine m dpkg --purge exc-instance-connect
    diff before <(_listing m)
    # And where systemd does not run, as in the tree that an image is made of.
    install_debs m
    machine_stop m
    chroot "$(machine_root m)" dpkg --purge exc-instance-connect exc-push
    machine_boot m
    diff before <(_listing m)
    _nothing_runs m
}

# short: no
removal_works_where_the_configuration_of_sshd_broke_meanwhile() {
    local sshd root
    _lived_in m
    root=$(machine_root m)
    echo 'NoSuchOption yes' >>"$root/etc/ssh/sshd_config"
    apt_get m remove exc-instance-connect
    same '' "$(find "$root/etc/ssh/sshd_config.d" -name '*exc-*')"
    same "$sshd" "$(property m ssh.service MainPID)"
    same active "$(property m ssh.service ActiveState)"
    _nothing_runs m
    sed -i '/^NoSuchOption/d' "$root/etc/ssh/sshd_config"
    in_machine m systemctl reload ssh.service
    refuses m alice k
}

# short: no
an_upgrade_works_where_the_configuration_of_sshd_is_broken() {
    local sshd root
    _lived_in m
    root=$(machine_root m)
    echo 'NoSuchOption yes' >>"$root/etc/ssh/sshd_config"
    cp -a "$root/etc/ssh" before
    install_debs m "$(_newer "$(our_deb exc-instance-connect)" 99.0-1)"
    diff -r --no-dereference before "$root/etc/ssh"
    # sshd goes on with what it read before.
    _still_well m
}

# short: no
a_disabled_or_masked_socket_stays_so() {
    local sshd newer
    _lived_in m
    in_machine m systemctl -q disable --now exc-instance-connect-host.socket
    in_machine m systemctl -q mask --now exc-instance-connect.socket
    newer=$(_newer "$(our_deb exc-instance-connect)" 99.0-1)
    for deb in "$newer" "$(our_deb exc-instance-connect)"; do
        install_debs m "$deb"
        same disabled "$(in_machine m systemctl is-enabled exc-instance-connect-host.socket)"
        same inactive "$(property m exc-instance-connect-host.socket ActiveState)"
        same masked "$(in_machine m systemctl is-enabled exc-instance-connect.socket)"
        same inactive "$(property m exc-instance-connect.socket ActiveState)"
        no_failed_unit m
    done
    machine_reboot m
    same inactive "$(property m exc-instance-connect-host.socket ActiveState)"
    same inactive "$(property m exc-instance-connect.socket ActiveState)"
    in_machine m systemctl -q unmask exc-instance-connect.socket
    in_machine m systemctl -q enable --now "${_sockets[@]}"
    push_signed m alice k
    lets_in m alice k
}

# short: no
what_an_administrator_turned_off_stays_off_over_upgrades() {
    local newer sshd root
    _lived_in m
    root=$(machine_root m)
    in_machine m exc-instance-connect disable
    refuses m alice k
    cp -a "$root/etc/ssh" before
    newer=$(_newer "$(our_deb exc-instance-connect)" 99.0-1)
    install_debs m "$newer"
    diff -r --no-dereference before "$root/etc/ssh"
    refuses m alice k
    in_machine m exc-instance-connect enable
    lets_in m alice k
}

# short: no
removing_openssh_takes_ours_along() {
    _lived_in m
    apt_get m remove openssh-server
    fails in_machine m test -e /usr/sbin/exc-instance-connect
    same '' "$(find "$(machine_root m)/etc/ssh/sshd_config.d" -name '*exc-*')"
    _nothing_runs m
}
