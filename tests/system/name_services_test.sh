# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: no
#
# Users and groups of real name services behind the agent's own confinement: sssd, nslcd, nscd and systemd. In a directory are
# dana, of the group staff, and erin, who is not.

_prepare() {
    # systemd-nspawn's own filter refuses Landlock.
    machine_may_be_degraded=yes machine_start m \
        "$suite+ldap-utils+libnss-ldapd+libnss-sss+nscd+nslcd+slapd+sssd-common+sssd-ldap" \
        '--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self'
    in_machine m systemctl stop sssd.service nslcd.service nscd.service || true
    ldap_server m <<'END'
dn: uid=dana,dc=example,dc=org
objectClass: account
objectClass: posixAccount
uid: dana
cn: Dana
uidNumber: 2001
gidNumber: 2001
homeDirectory: /home/dana
loginShell: /bin/bash

dn: uid=erin,dc=example,dc=org
objectClass: account
objectClass: posixAccount
uid: erin
cn: Erin
uidNumber: 2002
gidNumber: 2002
homeDirectory: /home/erin
loginShell: /bin/bash

dn: cn=staffers,dc=example,dc=org
objectClass: posixGroup
cn: staffers
gidNumber: 2100
memberUid: dana
END
    in_machine m install -m 0600 /dev/stdin /etc/sssd/sssd.conf <<'END'
[sssd]
domains = example
services = nss
[domain/example]
id_provider = ldap
auth_provider = none
access_provider = permit
ldap_uri = ldap://127.0.0.1
ldap_id_use_start_tls = false
ldap_search_base = dc=example,dc=org
END
    in_machine m install -m 0600 -o nslcd -g nslcd /dev/stdin /etc/nslcd.conf <<'END'
uid nslcd
gid nslcd
uri ldap://127.0.0.1/
base dc=example,dc=org
END
    install_debs m
    in_machine m install -d -m 0755 /etc/exc-instance-connect
    new_key k
}

# _asks MODULE...: the name service has these sources, and the agent lets in the group staffers and alice's.
_asks() {
    in_machine m sed -i -E "s/^(passwd|group):.*/\\1: $*/" /etc/nsswitch.conf
    printf '[Agent]\nAllowGroups=staffers alice dynamo\n' | in_machine m tee /etc/exc-instance-connect/agent.conf >/dev/null
    in_machine m systemctl stop exc-instance-connect.service
}

# _push USER
_push() {
    in_machine m exc-instance-connect push --user "$1" --key - <"$prepared/k.pub"
}

_agent_is_confined() {
    local pid
    pid=$(property m exc-instance-connect.service MainPID)
    in_machine m grep -qx 'NoNewPrivs:.1' "/proc/$pid/status"
    in_machine m journalctl -q -b -o cat -t exc-instance-connect-agent >journal.txt
    grep -q . journal.txt
    same '' "$(grep -E 'confinement: |system call ' journal.txt || true)"
}

# _members_alone: dana and alice are given a key, and erin is not, as a group of the directory says.
_members_alone() {
    wait_for in_machine m getent passwd dana
    _push dana
    _push alice
    fails_with 'AllowGroups' _push erin
    fails_with 'frank' _push frank
    _agent_is_confined
    in_machine m exc-instance-connect revoke --all
}

users_and_groups_of_sssd_are_found() {
    _asks files sss
    in_machine m systemctl restart sssd.service
    _members_alone
    in_machine m systemctl stop sssd.service
}

users_and_groups_of_nslcd_are_found() {
    _asks files ldap
    in_machine m systemctl restart nslcd.service
    _members_alone
    in_machine m systemctl restart nscd.service
    _members_alone
    in_machine m systemctl stop nscd.service nslcd.service
}

users_of_systemd_are_found() {
    _asks files systemd
    in_machine m systemd-run --quiet --unit=dynamic --property=DynamicUser=yes --property=User=dynamo sleep infinity
    _push dynamo
    _agent_is_confined
    in_machine m systemctl stop dynamic.service
}
