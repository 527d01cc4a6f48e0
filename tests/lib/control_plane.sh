# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# The control plane in the world (tests/lib/world.sh): its programs, each as its own user. exc-host runs as the relay's,
# which alone may use the guest's socket: that stands for a channel into a virtual machine.
#
#   control_plane_make INSTANCE       once, after world_trust; the guest must have this instance id
#   control_plane_start               leaves the API at http://127.0.0.1:$api_port
#   exc-compute-admin ARGUMENT...     on its database

compute=$world/compute
api_port=8842

control_plane_make() {
    local user id=920
    for user in exc-api exc-signer; do
        id=$((id + 1))
        echo "$user:x:$id:$id::/nonexistent:/bin/false" >>"$world/etc/passwd"
        echo "$user:x:$id:" >>"$world/etc/group"
    done
    for user in exc-api exc-signer; do
        install -d -m 0755 -o "$user" -g exc-api "$compute/$user"
    done
    install -d -m 0755 -o exc-instance-connect-relay -g exc-api "$compute/exc-host"
    install -d -m 0755 "$compute/etc" "$compute/etc/vm.d"
    install -m 0755 "$EXC_BUILD"/exc-{compute-api,compute-admin,signer,host} "$world/bin/"
    # The signing key that the guest trusts already.
    install -m 0400 -o exc-signer "$cloud/cloud.pem" "$compute/exc-signer/key.pem"
    printf '%s\n' '[Signer]' "Key=$compute/exc-signer/key.pem" "Log=$compute/exc-signer" >"$compute/etc/signer.conf"
    printf '%s\n' '[Host]' Name=local "VmDirectory=$compute/etc/vm.d" >"$compute/etc/host.conf"
    printf '%s\n' '[Instance]' "Id=$1" "Channel=unix:$runtime/host.sock" >"$compute/etc/vm.d/guest.conf"
    printf '%s\n' '[Api]' "Listen=127.0.0.1:$api_port" "Database=$compute/exc-api/compute.db" \
        "Audit=$compute/exc-api/audit" Node=local "Signer=unix:$compute/exc-signer/socket" \
        "Host=local unix:$compute/exc-host/socket" >"$compute/etc/api.conf"
}

# control_plane_program USER PROGRAM ARGUMENT...: in the background.
control_plane_program() {
    setpriv --reuid="$1" --regid=exc-api --clear-groups --no-new-privs -- "$world/bin/$2" "${@:3}" \
        >>"$world/log/$2" 2>&1 </dev/null &
}

control_plane_start() {
    control_plane_program exc-signer exc-signer --config "$compute/etc/signer.conf" --socket "$compute/exc-signer/socket"
    control_plane_program exc-instance-connect-relay exc-host --config "$compute/etc" --socket "$compute/exc-host/socket"
    wait_for test -S "$compute/exc-signer/socket"
    wait_for test -S "$compute/exc-host/socket"
    control_plane_program exc-api exc-compute-api --config "$compute/etc/api.conf"
    wait_for curl -sf "http://127.0.0.1:$api_port/healthz" -o /dev/null
}

exc-compute-admin() {
    local options=(--database "$compute/exc-api/compute.db")
    case $1 in
    init) options+=(--audit "$compute/exc-api/audit") ;;
    audit) options=(--audit "$compute/exc-api/audit" --signer-log "$compute/exc-signer") ;;
    esac
    "$world/bin/exc-compute-admin" "$@" "${options[@]}"
}
