# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# Which keys let in, and how they may be offered.

an_ed25519_key_lets_its_user_in() {
    new_key k ed25519
    push alice k
    lets_in alice k
}

an_ecdsa_key_lets_its_user_in() {
    local bits
    for bits in 256 384 521; do
        new_key "k$bits" ecdsa "$bits"
        push alice "k$bits"
        lets_in alice "k$bits"
    done
}

an_rsa_key_lets_its_user_in() {
    new_key k rsa 2048
    push alice k
    lets_in alice k
}

the_third_of_five_keys_of_an_ssh_agent_lets_in() {
    local name
    for name in k1 k2 k3 k4 k5; do new_key "$name"; done
    push alice k3
    ssh-agent -D -a "$PWD/agent" >/dev/null &
    wait_for test -S agent
    SSH_AUTH_SOCK=$PWD/agent ssh-add -q k1 k2 k3 k4 k5
    lets_in alice none -o IdentitiesOnly=no -o "IdentityAgent=$PWD/agent"
}

a_key_lets_in_after_its_certificate_was_refused() {
    new_key authority
    new_key k
    push alice k
    ssh-keygen -q -s authority -I test -n alice k.pub
    lets_in alice k -o "CertificateFile=$PWD/k-cert.pub"
    grep -q 'Failed publickey for alice.*ED25519-CERT' "$sshd_log"
}

scp_copies_a_file() {
    new_key k
    push alice k
    echo brought >file
    scp -F "$world/etc/ssh_config" -P "$port" -i k file "alice@127.0.0.1:scp_brings" </dev/null
    same brought "$(<"$world/home/alice/scp_brings")"
}

sftp_copies_a_file() {
    new_key k
    push alice k
    echo brought >file
    echo "put file sftp_brings" >commands
    sftp -q -F "$world/etc/ssh_config" -P "$port" -i k -b commands alice@127.0.0.1
    same brought "$(<"$world/home/alice/sftp_brings")"
}

each_of_eight_keys_of_one_push_lets_in() {
    local name options=()
    for name in k1 k2 k3 k4 k5 k6 k7 k8; do
        new_key "$name"
        options+=(--key "$name.pub")
    done
    admin push --user alice --connections 8 "${options[@]}"
    for name in k8 k7 k6 k5 k4 k3 k2 k1; do lets_in alice "$name"; done
}
