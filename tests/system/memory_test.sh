# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: trixie
#
# A push that somebody captured is accepted once in the life of a machine, whatever becomes of the store; and neither it nor the
# user of sshd's command takes room from a revocation.

store=/run/exc-instance-connect
preload=/usr/lib/exc-test-clock.so

_prepare() {
    need "${cc[0]}"
    machine_start base "$suite"
    # A container has the clock of the machine around it, which need not be synchronized.
    "${cc[@]}" -std=gnu17 -D_GNU_SOURCE -shared -fPIC -DLIBRARY="\"$preload\"" -o clock.so \
        "$system_tree/tests/login/preload.c"
    in_machine base tee "$preload" <clock.so >/dev/null
    in_machine base mkdir -p /etc/systemd/system/exc-instance-connect.service.d
    printf '[Service]\nEnvironment="LD_PRELOAD=%s" TEST_CLOCK=synchronised\n' "$preload" |
        in_machine base tee /etc/systemd/system/exc-instance-connect.service.d/clock.conf >/dev/null
    install_debs base
    trusts_cloud base
    machine_stop base
}

_started() {
    machine_start m "$(machine_root base)"
    cp "$prepared/cloud.pem" .
    new_key k
    _remembers_since_the_boot
}

# As if the machine had been up for a while: what is timed in the first half minute is refused.
_remembers_since_the_boot() {
    in_machine m systemctl stop exc-instance-connect.service
    in_machine m test -s "$store"/state/pushes
    printf '\0\0\0\0\0\0\0\0' | in_machine m dd of="$store"/state/pushes bs=1 seek=8 conv=notrunc status=none
    in_machine m rm -f "$store"/state/revocations
}

# Somebody on the way sees this push; it lets alice in, and is revoked.
_captured() {
    in_machine m tee /run/k.pub <k.pub >/dev/null
    in_machine m install -m 0400 -o exc-instance-connect-relay /dev/stdin /run/cloud.pem <cloud.pem
    as_relay m exc-push sign --signing-key /run/cloud.pem --instance "$instance" --user alice --key /run/k.pub \
        --valid-for 300 --connections 0 >seen.json
    _sends_again
    lets_in m alice k
    same '{"revoked":1}' "$(signed m revoke --user alice --json)"
    _is_not_moved
}

_sends_again() {
    in_machine m tee /run/seen.json <seen.json >/dev/null
    host m push --envelope /run/seen.json
}

# A repeat is told apart, and changes nothing.
_is_not_moved() {
    says 'it was stored before' _sends_again
    refuses m alice k
}

# What was captured opens nothing, and a new push does, also one that is timed by the clock.
_is_refused_for_good() {
    guest_refuses Expired _sends_again
    refuses m alice k
    push_signed m alice k --no-challenge
    lets_in m alice k
}

# short: no
a_captured_push_is_refused_after_the_store_was_mounted_again() {
    _started
    _captured
    in_machine m systemctl restart 'run-exc\x2dinstance\x2dconnect.mount'
    wait_for in_machine m test -S "$host_socket"
    _is_refused_for_good
}

# short: no
a_captured_push_is_refused_after_the_package_was_removed_and_installed() {
    _started
    _captured
    apt_get m remove exc-instance-connect
    install_debs m "$(our_deb exc-instance-connect)"
    _is_refused_for_good
}

a_captured_push_is_refused_after_a_reboot_of_the_container() {
    _started
    _captured
    machine_reboot m
    _is_refused_for_good
}

# suites: trixie
# short: no
a_captured_push_is_refused_after_a_soft_reboot() {
    local before
    _started
    _captured
    before=$(in_machine m systemctl show --value --property UserspaceTimestampMonotonic)
    in_machine m systemctl --no-block soft-reboot
    wait_for _is_up_since_another_time "$before"
    _is_refused_for_good
}

_is_up_since_another_time() {
    [[ $(in_machine m systemctl show --value --property UserspaceTimestampMonotonic 2>/dev/null) != "$1" ]] &&
        [[ $(in_machine m systemctl is-system-running 2>/dev/null) == running ]] &&
        in_machine m test -S "$host_socket"
}

what_remembers_pushes_is_as_old_as_the_boot_and_not_as_the_first_connection() {
    local before
    machine_start m "$(machine_root base)"
    before=$(in_machine m od --endian=big -An -j 8 -N 8 -t u8 "$store"/state/pushes)
    in_machine m exc-instance-connect status >/dev/null
    same "$before" "$(in_machine m od --endian=big -An -j 8 -N 8 -t u8 "$store"/state/pushes)"
    same 'exc-instance-connect:exc-instance-connect 600' "$(in_machine m stat -c '%U:%G %a' "$store"/state/pushes)"
}

# --- room -----------------------------------------------------------------------------------------------------------

# As somebody who has become the user of sshd's command.
_fills_a_claim_file() {
    local claim
    claim=$(in_machine m find "$store/claims/alice" -type f)
    fails in_machine m setpriv --reuid=exc-authorized-keys --regid=exc-authorized-keys --clear-groups -- \
        dd if=/dev/zero of="$claim" bs=1M count=100 status=none
}

# short: no
a_claim_file_that_is_filled_takes_no_room_from_keys_and_revocations() {
    local before
    _started
    push_signed m alice k
    before=$(in_machine m stat -f -c %a "$store")
    _fills_a_claim_file
    same 0 "$(in_machine m stat -f -c %a "$store"/claims)"
    same "$before" "$(in_machine m stat -f -c %a "$store")"
    refuses m alice k
    same '{"revoked":1}' "$(signed m revoke --user alice --json)"
    push_signed m alice k
    lets_in m alice k
}

# short: no
where_claims_have_no_mount_of_their_own_a_full_store_keeps_no_key_alive() {
    _started
    in_machine m systemctl stop exc-instance-connect.socket exc-instance-connect-host.socket \
        'run-exc\x2dinstance\x2dconnect-claims.mount'
    in_machine m systemctl mask --runtime 'run-exc\x2dinstance\x2dconnect-claims.mount'
    in_machine m systemctl start exc-instance-connect.socket exc-instance-connect-host.socket
    fails in_machine m mountpoint -q "$store"/claims
    new_key other
    push_signed m bob other --connections 0
    push_signed m alice k
    _fills_a_claim_file
    same 0 "$(in_machine m stat -f -c %a "$store")"
    lets_in m bob other
    same '{"revoked":1}' "$(signed m revoke --user bob --json)"
    refuses m bob other
    # It is seen, and makes room.
    push_signed m bob other
    lets_in m bob other
    says 'claim files that had grown: 1;' in_machine m journalctl -q -t exc-instance-connect-agent
}
