# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: trixie
# Which of the layers stop what a part of ours must not do (tests/confine).

acts_are_stopped_by_the_layers_of_security_md() {
    machine_start m "$suite"
    install_debs m "$(our_deb exc-instance-connect)" "$(our_deb exc-instance-connect-metadata)" "$(our_deb exc-compute-api)" \
        "$(our_deb exc-host)"
    keys_last m
    new_key k
    push m bob k --ttl 3600
    acts_into "$(machine_root m)"
    in_machine m /usr/local/lib/acts/try "$(in_machine m find /run/exc-instance-connect/keys/bob -type f)" >results
    acts_are_as_security_md_says results DAC seccomp landlock unit rlimit
}
