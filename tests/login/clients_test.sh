# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# Clients other than OpenSSH's.

_dbclient() {
    HOME=$PWD dbclient -y -T -p "$port" -i dropbear_key alice@127.0.0.1 id -un </dev/null
}

dropbear_gets_in_once() {
    new_key k
    dropbearconvert openssh dropbear k dropbear_key
    mkdir .ssh
    push alice k
    same alice "$(_dbclient)"
    fails _dbclient
}

# _paramiko TYPE: with the key in the file of that name.
_paramiko() {
    /usr/bin/python3 "$here/paramiko_client.py" "$port" alice "$1" "$1"
}

_paramiko_gets_in_once() {
    new_key "$1" "$1"
    push alice "$1"
    same alice "$(_paramiko "$1")"
    same 'authentication failed' "$(_paramiko "$1")"
}

paramiko_gets_in_once_with_ed25519() {
    _paramiko_gets_in_once ed25519
}

paramiko_gets_in_once_with_rsa() {
    _paramiko_gets_in_once rsa
}
