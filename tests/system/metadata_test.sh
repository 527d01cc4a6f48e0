# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# short: trixie
# Launch keys of a metadata service, which is at the link-local address of the machine's own lo (tests/metadata/service.py).

timer=exc-instance-connect-metadata.timer
service=exc-instance-connect-metadata.service
socket=exc-instance-connect-metadata.socket
program=/usr/libexec/exc-instance-connect/exc-instance-connect-metadata
cloud=/var/cloud

_install() {
    install_debs "$1" "$(our_deb exc-instance-connect)" "$(our_deb exc-instance-connect-metadata)" "$(our_deb exc-push)"
}

_prepare() {
    machine_start base "$suite"
    _install base
    install -d -m 0755 "$(machine_root base)$cloud"
    install -m 0644 "$system_tree/tests/metadata/service.py" "$(machine_root base)/usr/local/lib/"
    machine_stop base
}

_systemctl() {
    in_machine m systemctl --quiet "$@"
}

# cloud_starts [M]: the service, at both addresses of EC2.
_cloud_starts() {
    in_machine "${1:-m}" sh -c 'ip addr replace 169.254.169.254/32 dev lo && ip addr replace fd00:ec2::254/128 dev lo nodad'
    in_machine "${1:-m}" systemd-run --quiet --collect --unit=cloud \
        python3 /usr/local/lib/service.py "$cloud" 169.254.169.254 fd00:ec2::254
    wait_for in_machine "${1:-m}" sh -c 'ss -ltn | grep -q 169.254.169.254:80'
}

# cloud_has [KEY...]: these keys, being files that new_key made.
_cloud_has() {
    local key
    for key; do cat "$key.pub"; done | in_machine m tee "$cloud/keys" >/dev/null
}

_asked() {
    in_machine m cat "$cloud/log" 2>/dev/null || true
}

# started [LINE...]: m, whose cloud serves a key k, configured by these lines, or else for alice.
_started() {
    machine_start m "$(machine_root base)"
    new_key k
    _cloud_has k
    _cloud_starts
    (($# > 0)) || set -- User=alice
    in_machine m install -d -m 0755 /etc/exc-instance-connect
    printf '%s\n' '[Metadata]' "$@" | in_machine m tee /etc/exc-instance-connect/metadata.conf >/dev/null
}

_enabled() {
    _started "$@"
    _systemctl enable --now "$timer"
    wait_for _fetched
}

# fetched [N]: the program has run and succeeded, and the agent lists that many launch keys.
_fetched() {
    [[ $(in_machine m exc-instance-connect list --json | grep -o '"origin":"metadata"' | wc -l) == "${1:-1}" ]]
}

# By hand what the timer does every five minutes.
_refresh() {
    _systemctl reset-failed "$service" || true
    _systemctl start "$service"
}

# From now on /var/packets has a line for each packet to the service.
_packets_are_noted() {
    in_machine m tee /usr/local/lib/packets.py >/dev/null <<'END'
import socket
with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as every, \
        open("/var/packets", "w", buffering=1) as noted:
    while True:
        packet = every.recv(65535)
        if socket.inet_aton("169.254.169.254") == packet[16:20] or \
                socket.inet_pton(socket.AF_INET6, "fd00:ec2::254") == packet[24:40]:
            noted.write(packet[:40].hex() + "\n")
END
    in_machine m systemd-run --quiet --collect --unit=packets python3 /usr/local/lib/packets.py
    wait_for in_machine m test -e /var/packets
}

# short: no
off_by_default_nothing_runs_and_nothing_is_asked() {
    local unit
    machine_start m "$(machine_root base)"
    _cloud_starts
    _packets_are_noted
    for unit in "$timer" "$socket"; do
        same disabled "$(property m "$unit" UnitFileState)"
        same inactive "$(property m "$unit" ActiveState)"
    done
    same inactive "$(property m "$service" ActiveState)"
    fails in_machine m test -e /run/exc-instance-connect/metadata.sock
    # Enabled, and still not configured.
    _systemctl enable --now "$timer"
    _systemctl start "$service" "$socket"
    for unit in "$timer" "$socket" "$service"; do same inactive "$(property m "$unit" ActiveState)"; done
    no_failed_unit m
    same '' "$(_asked)"
    same '' "$(in_machine m cat /var/packets)"
    # They would have been noted.
    printf '[Metadata]\nUser=alice\n' | in_machine m install -m 0644 /dev/stdin /etc/exc-instance-connect/metadata.conf
    _systemctl start "$socket"
    in_machine m systemctl start "$service" || true
    wait_for in_machine m test -s /var/packets
}

# short: no
documented_lines_turn_it_on_whatever_the_umask() {
    local commands
    commands=$(awk '/^```$/ { inside = 0 } inside && !/^apt-get / { print } /^```sh$/ && !found { inside = found = 1 }' \
        "$system_tree/docs/metadata.md" | sed 's/User=debian/User=alice/')
    grep -F 'systemctl enable --now' <<<"$commands"
    machine_start m "$(machine_root base)"
    new_key k
    _cloud_has k
    _cloud_starts
    in_machine m bash -euxc "umask 077; $commands"
    wait_for _fetched
    lets_in m alice k
    # Without the mode.
    in_machine m chmod 0600 /etc/exc-instance-connect/metadata.conf
    in_machine m exc-instance-connect doctor --user alice >said.txt || true
    grep -F 'metadata.conf has the mode 0600' said.txt
    in_machine m chmod 0644 /etc/exc-instance-connect/metadata.conf
    in_machine m exc-instance-connect doctor --user alice >said.txt || true
    grep -F 'alice can log in' said.txt
    fails grep -F 'has the mode' said.txt
}

# short: no
it_can_be_turned_on_while_the_agent_runs() {
    _started
    new_key other
    push m bob other
    same active "$(property m exc-instance-connect.service ActiveState)"
    _systemctl enable --now "$timer"
    wait_for _fetched
    lets_in m alice k
    lets_in m bob other
    no_failed_unit m
}

# short: no
units_have_no_fault() {
    _started
    same '' "$(in_machine m systemd-analyze --man=no verify "$timer" "$service" "$socket" 2>&1)"
}

a_launch_key_comes_at_boot_and_goes_with_the_cloud() {
    local session
    _enabled
    lets_in m alice k
    refuses m bob k
    same "660 root:exc-instance-connect-metadata" \
        "$(in_machine m stat --format '%a %U:%G' /run/exc-instance-connect/metadata.sock)"
    says 'metadata service' in_machine m exc-instance-connect list
    says 'of which 1 from the metadata service' in_machine m exc-instance-connect status
    says 'alice .*metadata service' in_machine m exc-instance-connect log
    # A session that is open stays open.
    ssh_in m alice k -- 'touch here; while [ -e here ]; do sleep 0.2; done; echo stayed' >session.txt &
    session=$!
    wait_for in_machine m test -e /home/alice/here
    new_key l
    _cloud_has l
    _refresh
    refuses m alice k
    lets_in m alice l
    in_machine m rm /home/alice/here
    wait "$session"
    same stayed "$(<session.txt)"
    says 'no longer has it' in_machine m journalctl -q -o cat -t exc-instance-connect-agent
    _cloud_has
    _refresh
    refuses m alice l
    no_failed_unit m
}

# short: no
the_timer_fetches_at_each_boot_and_again() {
    _enabled
    # The service of the cloud is there when the machine is.
    in_machine m tee /etc/systemd/system/cloud-test.service >/dev/null <<END
[Service]
ExecStartPre=sh -c 'sleep 3; ip addr replace 169.254.169.254/32 dev lo'
ExecStart=python3 /usr/local/lib/service.py $cloud 169.254.169.254
[Install]
WantedBy=multi-user.target
END
    _systemctl enable cloud-test.service
    in_machine m rm -f "$cloud/log"
    machine_reboot m
    wait_for _fetched
    lets_in m alice k
    same active "$(property m "$timer" ActiveState)"
    # Five minutes after the last, at most.
    says 'd|min|s' in_machine m systemctl list-timers --no-pager "$timer"
    fails same 0 "$(property m "$timer" NextElapseUSecMonotonic)"
    no_failed_unit m
}

# short: no
keys_outlive_a_cloud_that_is_down_for_less_than_max_age_and_no_longer() {
    _enabled User=alice MaxAge=60
    in_machine m systemctl stop cloud
    fails _refresh 2>/dev/null
    says 'Connection refused' in_machine m journalctl -q -o cat -u "$service"
    wait_for refuses m alice k
    in_machine m systemctl stop "$timer"
    # The agent left before; what has ended is swept when it starts again.
    same '{"keys":[]}' "$(in_machine m exc-instance-connect list --json)"
    _cloud_starts
    _refresh
    lets_in m alice k
}

# short: no
it_is_confined_as_the_others_are() {
    local status line id
    _started
    id=$(in_machine m id -u exc-instance-connect-metadata)
    # One that waits, for an address without a route.
    printf '[Metadata]\nUser=alice\nAddress=192.0.2.1\n' |
        in_machine m tee /etc/exc-instance-connect/metadata.conf >/dev/null
    _systemctl start --no-block "$service"
    wait_for in_machine m pgrep -x -u exc-instance-connect-metadata exc-instance-co
    status=$(in_machine m sh -c 'cat /proc/$(pgrep -o -u exc-instance-connect-metadata)/status' | tr '\t' ' ' | tr -s ' ')
    for line in "Uid: $id $id $id $id" 'CapEff: 0000000000000000' 'CapBnd: 0000000000000000' 'NoNewPrivs: 1' 'Seccomp: 2'; do
        grep -qx "$line" <<<"$status" || {
            echo "not $line: $status"
            return 1
        }
    done
    # The filter of the unit, and its own.
    (($(sed -n 's/^Seccomp_filters: //p' <<<"$status") >= 2))
    _systemctl stop "$service"
    same '' "$(in_machine m journalctl -q -o cat MESSAGE_ID=15d89118b6a4bb8d70cacfa0118d1244)"
    same '' "$(in_machine m journalctl -q -o cat -u "$service" | grep confinement || true)"
}

# What it asks for must be at the two addresses of the unit, whatever the configuration and the answers say.
# short: no
another_address_or_a_redirect_gets_nowhere() {
    _enabled
    in_machine m systemctl stop cloud
    in_machine m tee /usr/local/lib/redirect.py >/dev/null <<'END'
import sys
sys.path.insert(0, "/usr/local/lib")
import service, threading
open("/var/cloud/reached", "w").close()
class Trap(service.Service):
    def answer(self, request):
        with open("/var/cloud/reached", "a") as file:
            file.write(request.path + "\n")
        return super().answer(request)
Trap(["127.0.0.1"])
cloud = service.Service(["169.254.169.254"])
cloud.answers["/latest/meta-data/"] = service.response("", 302, ["Location: http://127.0.0.1/latest/meta-data/"])
threading.Event().wait()
END
    in_machine m systemd-run --quiet --collect --unit=redirect python3 /usr/local/lib/redirect.py
    wait_for in_machine m sh -c 'ss -ltn | grep -q 127.0.0.1:80'
    fails _refresh 2>/dev/null
    says 'status 302' in_machine m journalctl -q -o cat -u "$service"
    same '' "$(in_machine m cat $cloud/reached)"
    # The keys of the last answer stay.
    lets_in m alice k
}

# short: no
its_package_goes_without_the_agents() {
    _enabled
    in_machine m apt-get -qq purge -y exc-instance-connect-metadata
    same '' "$(in_machine m find /etc /run /usr -xdev -name '*exc-instance-connect-metadata*' -o -name 'metadata.*' -path '*exc-*')"
    fails in_machine m getent passwd exc-instance-connect-metadata
    no_failed_unit m
    new_key p
    push m alice p
    lets_in m alice p
    # Configured without it, doctor says so.
    printf '[Metadata]\nUser=alice\n' | in_machine m tee /etc/exc-instance-connect/metadata.conf >/dev/null
    in_machine m exc-instance-connect doctor --json >findings.json || true
    grep -q '"name":"metadata-package","status":"warning"' findings.json
    _install m
    same disabled "$(property m "$timer" UnitFileState)"
    _systemctl enable --now "$timer"
    wait_for _fetched
    # Removed, and installed again, it goes on as the administrator left it.
    in_machine m apt-get -qq remove -y exc-instance-connect-metadata
    _cloud_has
    _install m
    wait_for _fetched 0
    same active "$(property m "$timer" ActiveState)"
    no_failed_unit m
}

# short: no
doctor_sees_keys_that_cloud_init_copied_and_how_to_hand_over() {
    _enabled
    in_machine m install -d -m 0755 /etc/cloud /etc/cloud/cloud.cfg.d
    echo 'users: [default]' | in_machine m tee /etc/cloud/cloud.cfg >/dev/null
    in_machine m install -d -m 0700 -o alice -g alice /home/alice/.ssh
    { echo '# cloud-init' && echo "no-pty $(<k.pub) of the cloud"; } |
        in_machine m install -m 0600 -o alice -g alice /dev/stdin /home/alice/.ssh/authorized_keys
    in_machine m exc-instance-connect doctor --json >findings.json || true
    grep -q '"name":"launch-key-copied"' findings.json
    grep -qF '/home/alice/.ssh/authorized_keys, line 2, is the launch key' findings.json
    grep -q '"name":"cloud-init-keys","status":"warning"' findings.json
    # To the letter.
    in_machine m sh -c "echo 'allow_public_ssh_keys: false' >/etc/cloud/cloud.cfg.d/90_exc-instance-connect.cfg"
    in_machine m sed -i 2d /home/alice/.ssh/authorized_keys
    in_machine m exc-instance-connect doctor --json >findings.json || true
    grep -q '"name":"cloud-init-keys","status":"pass"' findings.json
    fails grep -q launch-key-copied findings.json
    grep -q '"name":"metadata-timer","status":"pass"' findings.json
    _systemctl disable --now "$timer"
    in_machine m exc-instance-connect doctor --json >findings.json || true
    grep -q '"name":"metadata-timer","status":"warning"' findings.json
}

# cloud-init, which others wrote, reads the same service, and gets the same keys and the same id. It takes a token on AWS alone.
# short: no
cloud_init_reads_the_same_keys_and_id() {
    local id=i-0123456789abcdef0 ours
    machine_states='running|degraded' machine_start m "$suite+cloud-init"
    _install m
    install -d -m 0755 "$(machine_root m)$cloud"
    install -m 0644 "$system_tree/tests/metadata/service.py" "$(machine_root m)/usr/local/lib/"
    new_key k
    new_key l
    _cloud_has k l
    echo ec2-v1 | in_machine m tee "$cloud/style" >/dev/null
    _cloud_starts
    in_machine m tee /etc/cloud/cloud.cfg.d/99_test.cfg >/dev/null <<'END'
ssh_deletekeys: false
datasource_list: [Ec2]
datasource: {Ec2: {strict_id: false, metadata_urls: ["http://169.254.169.254:80"], max_wait: 60, timeout: 20}}
END
    in_machine m cloud-init clean --logs
    in_machine m rm -f "$cloud/log"
    in_machine m cloud-init init >cloud-init.txt 2>&1 || {
        cat cloud-init.txt
        return 1
    }
    in_machine m cloud-init query --format '{{v1.instance_id}}' >id.txt
    same "$id" "$(<id.txt)"
    _asked | tee asked.txt
    grep -qE '^GET /[0-9-]+/meta-data/public-keys/0/openssh-key 200$' asked.txt
    in_machine m cloud-init query v1.public_ssh_keys >keys.txt
    for ours in k l; do grep -qF "$(cut -d ' ' -f 2 $ours.pub)" keys.txt; done
    same 2 "$(grep -o 'ssh-ed25519 ' keys.txt | wc -l)"
    printf '[Metadata]\nUser=alice\nInstanceId=yes\n' |
        in_machine m sh -c 'mkdir -p /etc/exc-instance-connect && cat >/etc/exc-instance-connect/metadata.conf'
    _systemctl enable --now "$timer"
    wait_for _fetched 2
    says "^Instance: +$id\$" in_machine m exc-instance-connect status
    for ours in k l; do lets_in m alice "$ours"; done
}
