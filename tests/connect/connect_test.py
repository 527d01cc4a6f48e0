# SPDX-License-Identifier: Apache-2.0
"""Connect and revoke, from the caller to a real guest and back."""

import base64
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import time

import agent
from agent import wait_until
from api import allow, deny
from cloud import CONNECT, Cloud, assert_error, fingerprint

MEMBERS = {"id", "vm_id", "user", "private_key", "public_key", "fingerprint", "expires_at", "connections", "known_hosts",
           "host_keys_changed", "addresses", "tunnel", "request_id"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"


def _public_half(private_key):
    path = agent.WORLD / "tests" / f"key.{os.getpid()}.{time.monotonic_ns()}"
    path.touch(mode=0o600)
    path.write_text(private_key)
    done = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _logs_in(guest, user, public_key):
    return agent.given(agent.log_in(guest.agent.store, user, public_key), public_key)


def server_key_opens_one_login():
    cloud = Cloud()
    answer = cloud.connect()
    assert answer.status == 200, answer
    got = answer.json
    assert set(got) == MEMBERS, got
    assert re.fullmatch("cs_[A-Za-z0-9_-]{43}", got["id"])
    assert (got["vm_id"], got["user"], got["connections"], got["host_keys_changed"]) == ("42", "alice", 1, False)
    assert got["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n") and got["private_key"].endswith("-----\n")
    assert _public_half(got["private_key"]) == got["public_key"]
    assert got["fingerprint"] == fingerprint(got["public_key"])
    host_key = " ".join((agent.WORLD / "ssh/host_key.pub").read_text().split()[:2])
    assert got["known_hosts"] == [f"exc-vm-42 {host_key}"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", got["expires_at"])
    assert got["addresses"] == {"public_ipv4": None, "private_ipv4": None, "ipv6": None, "port": None}
    assert got["tunnel"] is False
    assert answer.headers["Cache-Control"] == "no-store"
    (row,) = cloud.guest.listed()
    assert (row["user"], row["fingerprint"], row["connections"]) == ("alice", got["fingerprint"], 1)
    assert (row["principal"], row["requestId"]) == ("admin", got["request_id"])
    # Both times that one sshd asks, and no other sshd.
    assert _logs_in(cloud.guest, "alice", got["public_key"]) == 2
    assert _logs_in(cloud.guest, "alice", got["public_key"]) == 0
    # The first has no key yet when the second is asked for, so nobody else can have it.
    assert cloud.connect().json["private_key"] != got["private_key"]


def own_key_is_used_as_often_as_it_lives():
    cloud = Cloud()
    got = cloud.connect(public_key=KEY + " ann@laptop").json
    assert (got["private_key"], got["public_key"], got["connections"]) == (None, KEY, 0)
    assert got["fingerprint"] == fingerprint(KEY)
    for _ in range(2):
        assert _logs_in(cloud.guest, "alice", KEY) == 2
    assert cloud.connect(public_key=KEY, connections=1).json["connections"] == 1


def options_of_the_grant_reach_the_guest():
    cloud = Cloud(lines=["MaxTtl=100"])
    got = cloud.connect(public_key=KEY, ttl=1000000, restrict=True, source=["192.0.2.1", "10.0.0.0/8"]).json
    assert got, cloud
    (row,) = cloud.guest.listed()
    assert 60 < row["expiresIn"] <= 100, row
    (push,) = [line for line in cloud.signed() if line["kind"] == "push"]
    assert push["ttl"] == 100, push
    assert push["sources"] == ["192.0.2.1", "10.0.0.0/8"], push
    # The helper prints the options before the key.
    login = agent.log_in(cloud.guest.agent.store, "alice", KEY).communicate()[0].decode()
    assert 'from="192.0.2.1,10.0.0.0/8"' in login and "restrict" in login, login


def user_has_a_default():
    cloud = Cloud()
    assert_error(cloud.connect(user=None), 400, "InvalidRequest", field="user")
    cloud.register("42", default_user="bob")
    assert cloud.connect(user=None).json["user"] == "bob"
    assert {row["user"] for row in cloud.guest.listed()} == {"bob"}
    cloud.register("42", tunnel=True)
    assert_error(cloud.connect(source=["192.0.2.1"]), 400, "InvalidRequest", field="source")
    assert cloud.connect().json["tunnel"] is True


def session_alone_pushes_nothing():
    cloud = Cloud()
    got = cloud.connect(return_private_key=False).json
    assert set(got) == MEMBERS
    assert re.fullmatch("cs_[A-Za-z0-9_-]{43}", got["id"])
    for name in "private_key", "public_key", "fingerprint", "expires_at", "connections", "known_hosts", "host_keys_changed":
        assert got[name] is None, name
    assert cloud.guest.listed() == [] and cloud.signed() == []


def secrets_are_nowhere_on_disk():
    cloud = Cloud()
    secrets = []
    for more in {}, {"return_private_key": False}:
        got = cloud.connect(**more).json
        secrets.append(got["id"].encode())
        if got["private_key"]:
            # The middle of the base64, which no framing changes.
            body = "".join(got["private_key"].splitlines()[1:-1])
            secrets.append(body[200:260].encode())
            secrets.append(base64.b64decode(body)[150:190])
    secrets.append(cloud.api.token.split("_", 2)[2].encode())
    assert cloud.api.stop() == 0
    for root, _, names in os.walk(cloud.directory):
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
                for secret in secrets:
                    assert secret not in data, (path, secret)


def bodies_are_checked_before_anything_is_signed():
    cloud = Cloud()
    certificate = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"
    for field, body in (
            ("vm_id", {}), ("vm_id", {"vm_id": "../42"}), ("vm_id", {"vm_id": "connect"}), ("vm_id", {"vm_id": 1.5}),
            ("vm_id", {"vm_id": -1}), ("vm_id", {"vm_id": 2 ** 53}), ("vm_id", {"vm_id": None}),
            ("user", {"vm_id": 42, "user": "-oProxyCommand=id"}), ("user", {"vm_id": 42, "user": "a\nb"}),
            ("user", {"vm_id": 42, "user": ""}), ("user", {"vm_id": 42, "user": "x" * 257}),
            ("public_key", {"vm_id": 42, "user": "alice", "public_key": 'command="id" ' + KEY}),
            ("public_key", {"vm_id": 42, "user": "alice", "public_key": "cert-authority " + KEY}),
            ("public_key", {"vm_id": 42, "user": "alice", "public_key": KEY + "\n" + KEY}),
            ("public_key", {"vm_id": 42, "user": "alice", "public_key": certificate}),
            ("return_private_key", {"vm_id": 42, "user": "alice", "public_key": KEY, "return_private_key": True}),
            ("connections", {"vm_id": 42, "connections": 101}), ("ttl", {"vm_id": 42, "ttl": 0}),
            ("source", {"vm_id": 42, "source": ["10.0.0.1/8"]}), ("Vm_id", {"Vm_id": 42})):
        assert_error(cloud.api.post("/compute/instance/connect", body), 400, "InvalidRequest", field=field)
    assert cloud.signed() == [] and cloud.guest.listed() == []
    assert cloud.connect(vm_id=42).json["vm_id"] == "42"


def who_is_not_allowed_learns_nothing():
    cloud = Cloud()
    token = cloud.api.account("ann", allow(CONNECT, "exc:compute:instance/42", Condition={
        "StringEquals": {"exc:OsUser": "alice"}}))
    for vm_id in "43", "4", "420":
        assert_error(cloud.connect(vm_id, token=token), 403, "AccessDenied", action=CONNECT,
                     resource=f"exc:compute:instance/{vm_id}")
        assert_error(cloud.connect(vm_id), 404, "NotFound")
    assert_error(cloud.connect(user="bob", token=token), 403, "AccessDenied")
    # Without a user there is none to allow, until there is a default.
    assert_error(cloud.connect(user=None, token=token), 403, "AccessDenied")
    cloud.register("42", default_user="alice")
    assert cloud.connect(user=None, token=token).status == 200
    cloud.register("42", default_user="bob")
    assert_error(cloud.connect(user=None, token=token), 403, "AccessDenied")
    assert cloud.connect(token=token).status == 200
    assert_error(cloud.connect(token="exc_abcdefgh_" + "A" * 43), 401, "Unauthenticated")
    assert len(cloud.guest.listed()) == 2


def audit_has_each_decision_before_its_outcome():
    cloud = Cloud()
    got = cloud.connect().json
    refused = cloud.connect(user="nobody-here").json
    absent = cloud.connect("43").json
    for request_id, status in (got["request_id"], 200), (refused["request_id"], 422), (absent["request_id"], 404):
        decision, outcome = cloud.lines(request_id)
        assert (decision["kind"], outcome["kind"]) == ("decision", "outcome"), cloud.lines(request_id)
        assert decision["decision"]["effect"] == "Allow" and decision["action"] == CONNECT
        assert outcome["outcome"]["status"] == status, outcome
    decision, outcome = cloud.lines(got["request_id"])
    assert (outcome["vm_id"], outcome["host"], outcome["os_user"]) == ("42", "hv1", "alice")
    assert outcome["fingerprint"] == got["fingerprint"]
    assert outcome["session"] not in ("", got["id"])
    # The signer has the decision's hash, which the next line continues.
    (signed,) = [line for line in cloud.signed() if line["request_id"] == got["request_id"]]
    assert signed["audit_head"] == outcome["prev"], (signed, outcome)
    assert (signed["principal"], signed["user"]) == ("admin", "alice")


def signers_own_rules_win():
    cloud = Cloud(guests=("42", "43"), signer_lines=["DenyInstances=43", "DenyUsers=root bob"])
    for vm_id, user in ("42", "root"), ("42", "bob"), ("43", "alice"):
        assert_error(cloud.connect(vm_id, user), 403, "SignerRefused")
    assert cloud.connect().status == 200
    assert cloud.guests["43"].listed() == []


def signers_rate_is_too_many_requests():
    cloud = Cloud(signer_lines=["PushRate=1", "PushBurst=1"])
    answers = [cloud.connect() for _ in range(20)]
    refused = [answer for answer in answers if answer.status != 200]
    assert answers[0].status == 200 and refused
    for answer in refused:
        assert_error(answer, 429, "TooManyRequests")
        assert int(answer.headers["Retry-After"]) >= 1


def guests_refusals_are_its_own():
    cloud = Cloud(settings="RateLimit=0\nDenyUsers=carol")
    for user, error in ("nobody-here", "NoSuchUser"), ("carol", "UserDenied"):
        answer = assert_error(cloud.connect(user=user), 422, "GuestRefused", guest_error=error)
        assert answer.json["guest_message"]
        assert cloud.lines(answer.json["request_id"])[-1]["outcome"]["guest_error"] == error
    (cloud.guest.agent.config.parent / "instance-id").write_text("41\n")
    answer = cloud.connect()
    assert_error(answer, 422, "GuestRefused", guest_error="WrongInstance")


def guests_rate_is_too_many_requests():
    cloud = Cloud(settings="RateLimit=1")
    for _ in range(40):
        answer = cloud.connect()
        if answer.status != 200:
            break
    assert_error(answer, 429, "TooManyRequests", guest_error="RateLimited")
    assert int(answer.headers["Retry-After"]) >= 1


def _ways(cloud):
    """Whether each push of the signer's log had a challenge."""
    return [bool(line.get("challenge")) for line in cloud.signed() if line["kind"] == "push"]


def new_guest_is_asked_for_a_challenge_first():
    cloud = Cloud()
    for _ in range(2):
        assert cloud.connect().status == 200
    assert _ways(cloud) == [True, True]


def _age(cloud):
    """The guest was first seen long ago, by what the database has of it."""
    wait_until(lambda: cloud.api.get("/compute/instance/42").json["state"] == "reachable", "the host reports the guest")
    subprocess.run(["/usr/bin/python3", "-c", "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=60);"
                    "db.execute('UPDATE instance SET first_seen = 1700000000'); db.commit()", cloud.api.database],
                   check=True)


def known_guest_is_timed_by_the_clock():
    cloud = Cloud()
    assert cloud.connect().status == 200
    _age(cloud)
    assert cloud.connect().status == 200
    assert _ways(cloud) == [True, False]


def revocation_keeps_out_nothing_that_comes_after_it():
    """By the clock, a push of the same second as a revocation would be from before it."""
    cloud = Cloud()
    assert cloud.connect().status == 200
    _age(cloud)
    for _ in range(20):
        assert cloud.revoke(all=True).json["outcome"] == "done"
        answer = cloud.connect()
        assert answer.status == 200, answer
    assert _ways(cloud) == [True] * 21


def guest_without_the_time_gets_a_challenge():
    for clock, more in ("unsynchronised", {}), ("synchronised", {"TEST_WALL_STEP": "-86400"}), (
            "synchronised", {"TEST_WALL_STEP": "86400"}):
        cloud = Cloud(clock=clock, **more)
        assert cloud.connect().status == 200
        _age(cloud)
        answer = cloud.connect()
        assert answer.status == 200, answer
        assert _ways(cloud) == [True, False, True]
        # Each signature has a decision of its own.
        kinds = [line["kind"] for line in cloud.lines(answer.json["request_id"])]
        assert kinds == ["decision", "decision", "outcome"], kinds
        cloud.stop()


def revocation_by_fingerprint_user_and_all():
    cloud = Cloud()
    first, second = cloud.connect().json, cloud.connect().json
    other = cloud.connect(user="bob").json
    assert len(cloud.guest.listed()) == 3
    assert cloud.revoke(fingerprint=first["fingerprint"]).json == {
        "revoked": 1, "outcome": "done", "keys_end_at": None, "request_id": cloud.lines()[-1]["request_id"]}
    assert cloud.guest.fingerprints() == {second["fingerprint"], other["fingerprint"]}
    assert cloud.revoke(user="alice").json["revoked"] == 1
    assert cloud.guest.fingerprints() == {other["fingerprint"]}
    assert cloud.revoke(all=True).json["revoked"] == 1
    assert cloud.guest.listed() == []
    assert cloud.revoke(all=True).json["revoked"] == 0
    for what in {}, {"all": False}, {"user": "a", "all": True}, {"fingerprint": "SHA256:x"}, {"user": "-x"}, {"x": 1}:
        assert cloud.revoke(**what).error == "InvalidRequest", what
    assert_error(cloud.revoke("43", all=True), 404, "NotFound")
    token = cloud.api.account("ann", allow("compute:instance:revoke", "exc:compute:instance/43"))
    assert_error(cloud.revoke(all=True, token=token), 403, "AccessDenied")


def unreachable_guest_is_revoked_when_it_is_back():
    cloud = Cloud()
    got = cloud.connect().json
    cloud.host.kill()
    answer = cloud.revoke(fingerprint=got["fingerprint"])
    assert (answer.status, answer.json["outcome"], answer.json["revoked"]) == (200, "unreachable", None), answer
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer.json["keys_end_at"])
    assert_error(cloud.connect(), 503, "HostUnreachable")
    assert cloud.guest.fingerprints() == {got["fingerprint"]}
    cloud.host.start()
    wait_until(lambda: cloud.guest.listed() == [], "the revocation is delivered")
    wait_until(lambda: any("delivered" in note["message"] for note in cloud.notes()), "the audit log has it")


def signer_that_is_away_is_503():
    cloud = Cloud()
    cloud.signer.kill()
    assert_error(cloud.connect(), 503, "SignerUnavailable")
    cloud.signer.start()
    wait_until(lambda: cloud.connect().status == 200, "the signer is back")


def host_keys_that_change_are_told_until_they_are_accepted():
    cloud = Cloud()
    assert cloud.connect().json["host_keys_changed"] is False
    path = agent.WORLD / "tests" / f"host_key.{os.getpid()}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    cloud.guest.show_host_key(f"{path}.pub")
    new = "exc-vm-42 " + " ".join(open(f"{path}.pub", encoding="utf-8").read().split()[:2])
    requests = []
    for _ in range(2):
        got = cloud.connect().json
        assert got["host_keys_changed"] is True and got["known_hosts"] == [new], got
        requests.append(got["request_id"])
    notes = [(line["vm_id"], line["request_id"]) for line in cloud.notes() if "host keys" in line["message"]]
    assert notes == [("42", request_id) for request_id in requests], notes
    assert cloud.api.post("/compute/instance/42/accept-host-keys").status in (200, 204)
    assert cloud.connect().json["host_keys_changed"] is False


def name_services_other_name_evades_no_deny():
    cloud = Cloud()
    token = cloud.api.account("ann", allow(CONNECT), deny(CONNECT, Condition={
        "StringEquals": {"exc:OsUser": "dana@corp.example"}}))
    assert cloud.connect(user="alice", token=token).status == 200
    for name in "dana", "DANA":
        answer = assert_error(cloud.connect(user=name, token=token), 403, "AccessDenied")
        assert {row["user"] for row in cloud.guest.listed()} == {"alice"}
        kinds = [(line["kind"], line.get("os_user")) for line in cloud.lines(answer.json["request_id"])]
        assert kinds[0] == ("decision", name) and ("decision", "dana@corp.example") in kinds, kinds
        assert kinds[-1][0] == "outcome"
        assert "private_key" not in answer.json
    assert_error(cloud.connect(user="dana@corp.example", token=token), 403, "AccessDenied")
    # Who may is told the account's name.
    assert cloud.connect(user="dana").json["user"] == "dana@corp.example"


def allow_for_one_name_is_none_for_the_other():
    cloud = Cloud()
    token = cloud.api.account("ann", allow(CONNECT, Condition={"StringEquals": {"exc:OsUser": "dana"}}))
    assert_error(cloud.connect(user="dana", token=token), 403, "AccessDenied")
    assert cloud.guest.listed() == []


def deleted_key_pair_ends_at_its_instances():
    cloud = Cloud()
    made = cloud.api.post("/compute/keypair", {"name": "k", "type": "ed25519"})
    assert made.status == 201, made
    cloud.register("42", keypair="k")
    assert cloud.connect(public_key=made.json["public_key"]).status == 200
    answer = cloud.api.delete("/compute/keypair/k")
    assert (answer.status, answer.json["instances"]) == (200, [{"id": "42", "outcome": "done"}]), answer
    assert cloud.guest.listed() == []


def stop_of_the_api_is_no_failure_of_a_host():
    cloud = Cloud()
    wait_until(lambda: cloud.api.get("/compute/instance/42").json["channel"] == "unix", "the host has reported")
    assert cloud.api.stop() == 0
    assert "no reports" not in cloud.api.log.read_text()


def instance_that_is_registered_after_the_hosts_report_has_what_it_said():
    cloud = Cloud()
    cloud.add_guest("41")
    cloud.host.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "2 VMs" in (cloud.directory / "host/output").read_text(), "the host knows both guests")
    assert cloud.api.stop() == 0
    with contextlib.closing(sqlite3.connect(cloud.api.database, timeout=60, isolation_level=None)) as database:
        database.execute("UPDATE instance SET channel = '', state = ''")
    cloud.api.start()

    def channel(vm_id):
        return cloud.api.get(f"/compute/instance/{vm_id}").json["channel"]

    # One message has both, 41 first.
    wait_until(lambda: channel("42") == "unix", "the report is kept")
    cloud.register("41")
    wait_until(lambda: channel("41") == "unix", "the host has reported again")
    assert "no reports" not in cloud.api.log.read_text()
