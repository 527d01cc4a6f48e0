# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# Machines (machine.sh) with our packages. M is the name of a machine.

instance=i-0123
host_socket=/run/exc-instance-connect/host.sock

# our_deb PACKAGE: prints the newest file of it that was built for this architecture.
our_deb() {
    local debs=${EXC_DEBS:-$system_tree/build/deb} found
    found=$(find "$debs" -maxdepth 1 \( -name "$1_*_$(dpkg --print-architecture).deb" -o -name "$1_*_all.deb" \) |
        sort --version-sort | tail -n 1)
    [[ -n $found ]] || die "$debs: has no package $1; run ./dev deb"
    echo "$found"
}

# install_debs M [FILE...]: installs these packages with apt, offline; without any, exc-instance-connect and exc-push.
install_debs() {
    local root machine=$1
    shift
    (($# > 0)) || set -- "$(our_deb exc-instance-connect)" "$(our_deb exc-push)"
    root=$(machine_root "$machine")
    rm -rf "$root/debs"
    install -d -m 0755 "$root/debs"
    install -m 0644 "$@" "$root/debs/"
    # shellcheck disable=SC2016 # for the shell in the machine
    in_machine "$machine" sh -c 'apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends --allow-downgrades \
        --reinstall /debs/*.deb || status=$?; rm -r /debs; exit ${status:-0}'
}

# apt_get M ARGUMENT...
apt_get() {
    in_machine "$1" apt-get -qq -o Dpkg::Use-Pty=0 -y "${@:2}"
}

# trusts_cloud M [INSTANCE]: what signed pushes need: an anchor for cloud.pem, which is made here, and the instance id.
trusts_cloud() {
    local root
    root=$(machine_root "$1")
    [[ -e cloud.pem ]] || openssl genpkey -algorithm ED25519 -out cloud.pem
    install -d -m 0755 "$root/etc/exc-instance-connect" "$root/etc/exc-instance-connect/trust.d"
    openssl pkey -in cloud.pem -pubout >"$root/etc/exc-instance-connect/trust.d/cloud.pem"
    echo "${2:-$instance}" >"$root/etc/exc-instance-connect/instance-id"
}

# keys_last M: keys may live for an hour there, which is enough for a test of many steps on a busy machine.
keys_last() {
    local directory
    directory=$(machine_root "$1")/etc/exc-instance-connect
    install -d -m 0755 "$directory" "$directory/agent.conf.d"
    printf '[Agent]\nMaxTtl=3600\n' >"$directory/agent.conf.d/50-test.conf"
}

# ldap_server M: an LDAP server of the machine's own, at 127.0.0.1, with the entries below dc=example,dc=org that standard input
# has (LDIF). The machine's tree has slapd.
ldap_server() {
    in_machine "$1" systemctl stop slapd.service || true
    in_machine "$1" install -d -o openldap -g openldap /run/slapd /var/lib/directory
    in_machine "$1" tee /etc/ldap/directory.conf >/dev/null <<'END'
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile /run/slapd/slapd.pid
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
directory /var/lib/directory
END
    { printf '%s\n' 'dn: dc=example,dc=org' 'objectClass: domain' 'dc: example' '' && cat; } |
        in_machine "$1" setpriv --reuid=openldap --regid=openldap --clear-groups \
            slapadd -f /etc/ldap/directory.conf
    in_machine "$1" systemd-run --quiet --unit=directory --property=Type=forking \
        slapd -u openldap -g openldap -f /etc/ldap/directory.conf -h ldap://127.0.0.1
}

# as_relay M COMMAND...: as the relay's user, which stands for a host.
as_relay() {
    in_machine "$1" setpriv --reuid=exc-instance-connect-relay --regid=exc-instance-connect-relay --clear-groups \
        -- "${@:2}"
}

# host M COMMAND ARGUMENT...: exc-push, on the machine's host socket.
host() {
    as_relay "$1" exc-push "$2" --to "unix:$host_socket" "${@:3}"
}

# signed M COMMAND [OPTION...]: the same, signed with cloud.pem.
signed() {
    in_machine "$1" install -m 0400 -o exc-instance-connect-relay /dev/stdin /run/cloud.pem <cloud.pem
    host "$1" "$2" --signing-key /run/cloud.pem --instance "$instance" "${@:3}"
}

# push_signed M USER KEY [OPTION...]: on the host socket; KEY is the file that new_key made.
push_signed() {
    in_machine "$1" tee "/run/$3.pub" <"$3.pub" >/dev/null
    signed "$1" push --user "$2" --key "/run/$3.pub" "${@:4}" >/dev/null
}

# push M USER KEY [OPTION...]: by the machine's administrator, unsigned.
push() {
    in_machine "$1" tee "/run/$3.pub" <"$3.pub" >/dev/null
    in_machine "$1" exc-instance-connect push --user "$2" --key "/run/$3.pub" "${@:4}" >/dev/null
}

# ssh_in M USER KEY [OPTION...] [-- COMMAND...]: KEY "none" is none. It tries again after a reset, since sshd resets
# connections while it reads its configuration again.
ssh_in() {
    local machine=$1 user=$2 key=$3 options=() status tries
    shift 3
    while (($# > 0)) && [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    for ((tries = 0; tries < 5; tries++)); do
        status=0
        machine_ssh "$machine" -i "$key" "${options[@]}" "$user" "${@:2}" 2>ssh.txt </dev/null || status=$?
        ((status == 255)) && grep -qE 'kex_exchange_identification|Connection (refused|reset)' ssh.txt || break
        sleep 0.2
    done
    cat ssh.txt >&2
    return "$status"
}

# enabled_as_told M TOLD: does what enable printed into the file TOLD, to the letter, as often as it prints something, until
# it succeeds.
enabled_as_told() {
    local tries commands command
    cp "$2" told.txt
    for ((tries = 0; tries < 4; tries++)); do
        commands=$(/usr/bin/python3 "$system_tree/tests/system/administrator.py" "$(machine_root "$1")" <told.txt)
        # The last is enable itself.
        while read -r command; do
            if [[ $command == 'exc-instance-connect enable' ]]; then break; fi
            # shellcheck disable=SC2086 # words
            in_machine "$1" $command </dev/null
        done <<<"$commands"
        if in_machine "$1" exc-instance-connect enable >told.txt 2>&1; then
            cat told.txt
            return
        fi
        cat told.txt
    done
    return 1
}

# no_failed_unit M
no_failed_unit() {
    same '' "$(in_machine "$1" systemctl --plain --no-legend --failed list-units)"
}

# property M UNIT PROPERTY: prints it.
property() {
    in_machine "$1" systemctl show --value --property "$3" "$2"
}

# property_is M UNIT PROPERTY VALUE
property_is() {
    [[ $(property "$1" "$2" "$3") == "$4" ]]
}

# acts_into ROOT: the programs of tests/confine, for the tree of a machine.
acts_into() {
    local directory=$1/usr/local/lib/acts program
    install -d -m 0755 "$directory"
    install -m 0755 "$system_tree/tests/confine/try" "$directory/"
    for program in agent helper relay metadata signer host api; do
        install -m 0755 "${EXC_BUILD:-$system_tree/build/plain}/tests/confine/acts_$program" "$directory/"
    done
}

# acts_are_as_security_md_says RESULTS LAYER...: what tests/confine/try printed is what the table there has for these layers.
# The table as it should be is printed.
acts_are_as_security_md_says() {
    sed -n '/^<!-- made by .\/dev test confine -->$/,/^<!-- end -->$/{/^<!--/d;p}' "$system_tree/SECURITY.md" >expected
    /usr/bin/python3 "$system_tree/tests/confine/table.py" expected "$@" >table
    sed 's/^/# /' table
    diff -u --label SECURITY.md expected --label 'what is so' table
}
