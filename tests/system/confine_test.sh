# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: trixie
# Which of the layers stop what a part of ours must not do (tests/confine).

# _table FILE: what SECURITY.md has.
_table() {
    sed -n '/^<!-- made by .\/dev test confine -->$/,/^<!-- end -->$/{/^<!--/d;p}' "$system_tree/SECURITY.md" >"$1"
}

acts_are_stopped_by_the_layers_of_security_md() {
    local directory=/usr/local/lib/acts program key
    machine_start m "$suite"
    install_debs m "$(our_deb exc-instance-connect)" "$(our_deb exc-instance-connect-metadata)" "$(our_deb exc-compute-api)" \
        "$(our_deb exc-host)"
    install -d -m 0755 "$(machine_root m)$directory"
    install -m 0755 "$system_tree/tests/confine/try" "$(machine_root m)$directory/"
    for program in agent helper relay metadata signer host api; do
        install -m 0755 "${EXC_BUILD:-$system_tree/build/plain}/tests/confine/acts_$program" "$(machine_root m)$directory/"
    done
    keys_last m
    new_key k
    push m bob k --ttl 3600
    key=$(in_machine m find /run/exc-instance-connect/keys/bob -type f)
    in_machine m "$directory/try" "$key" >results
    /usr/bin/python3 "$system_tree/tests/confine/table.py" results >table
    sed 's/^/# /' table
    _table expected
    diff -u --label SECURITY.md expected --label "what is so" table
}
