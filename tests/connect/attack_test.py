# SPDX-License-Identifier: Apache-2.0
"""Hosts that lie, hang or answer for others; revocations and decisions that come while a connect is under way."""

import threading
import time

from agent import wait_until
from api import allow
from cloud import CONNECT, HOST, HOST_KEY, Cloud, Liar, Varlink, assert_error, in_threads

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"
OTHER = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def _cloud(liar, *others, **more):
    cloud = Cloud(guests=(), liar=liar, **more)
    for vm_id in others:
        cloud.register(vm_id)
    return cloud


def _known(cloud, kind="vsock"):
    """The host has seen the guest long ago, so that a push is timed by the clock first."""
    cloud.liar.reports = [{"id": "42", "kind": kind, "state": "reachable", "firstSeen": 1700000000}]
    cloud.ask_host_again()
    wait_until(lambda: cloud.api.get("/compute/instance/42").json["channel"] == kind, "the host has reported")


def _revoked(cloud):
    """The fingerprints whose revocation was delivered."""
    return [payload.get("fingerprint") for payload in cloud.host.payloads() if "keys" not in payload]


def _taken_back(cloud, answer):
    """The connect ended without its outcome being known, and its key is revoked."""
    assert_error(answer, 504, "GuestTimeout")
    assert answer.json["keys_end_at"]
    lines = cloud.lines(answer.json["request_id"])
    (outcome,) = [line for line in lines if line["kind"] == "outcome"]
    wait_until(lambda: outcome["fingerprint"] in _revoked(cloud), "the key is revoked")
    return lines


def lies_about_a_push_are_no_grant():
    class Lies(Liar):
        what = {}

        def push(self, payload, parameters):
            return {**super().push(payload, parameters), **self.what}

    kind, key = HOST_KEY.split()
    host_key = {"type": kind, "key": key, "fingerprint": "SHA256:" + "A" * 43}
    liar = Lies()
    cloud = _cloud(liar)
    for what in (
            {"fingerprints": [OTHER]}, {"fingerprints": []}, {"fingerprints": None}, {"user": "-oProxyCommand=id"},
            {"user": "a\nb"}, {"user": ""}, {"user": "x" * 300}, {"user": None}, {"expiresIn": 100000},
            {"expiresIn": -1}, {"expiresIn": "60"}, {"duplicate": None}, {"hostKeys": None}, {"hostKeys": [host_key]},
            {"hostKeys": [{"type": "@cert-authority * " + kind, "key": key, "fingerprint": "x"}]},
            {"hostKeys": [{"type": kind, "key": key + "\n* " + HOST_KEY, "fingerprint": "x"}]},
            {"hostKeys": [{"type": kind + "-cert-v01@openssh.com", "key": key, "fingerprint": "x"}]},
            {"hostKeys": [host_key] * 17}):
        liar.what = what
        lines = _taken_back(cloud, cloud.connect())
        assert "note" in {line["kind"] for line in lines}, (what, lines)
    liar.what = {}
    assert cloud.connect().json["known_hosts"] == ["exc-vm-42 " + HOST_KEY]


def another_guests_answer_is_no_answer():
    liar = Liar()
    cloud = _cloud(liar)
    for instance in "43", "4", "421", "exc:compute:instance/42":
        liar.instance = instance
        answer = assert_error(cloud.connect(), 422, "GuestRefused", guest_error="WrongInstance")
        assert any(line["kind"] == "note" and line["vm_id"] == "42" for line in cloud.lines(answer.json["request_id"]))
    assert cloud.host.payloads() == [] and cloud.signed() == []


def errors_of_the_host_are_mapped():
    class Fails(Liar):
        error, parameters = "", {}

        def push(self, payload, parameters):
            raise Varlink.Error(f"{HOST}.{self.error}", **self.parameters)

    liar = Fails()
    cloud = _cloud(liar)
    for error, parameters, status, name in (
            ("GuestUnreachable", {}, 502, "GuestUnreachable"), ("NoSuchInstance", {}, 502, "GuestUnreachable"),
            ("PermissionDenied", {}, 503, "HostUnreachable"), ("InvalidField", {"field": "x"}, 503, "HostUnreachable"),
            ("Busy", {"retryAfterMs": 2500}, 429, "TooManyRequests"),
            ("GuestRefused", {"name": "StoreFull"}, 422, "GuestRefused"),
            ("GuestRefused", {"name": "StorageFailure"}, 422, "GuestRefused"),
            ("GuestRefused", {"name": "RateLimited", "retryAfterMs": 9000}, 429, "TooManyRequests")):
        liar.error, liar.parameters = error, parameters
        answer = assert_error(cloud.connect(), status, name)
        if status == 429:
            assert int(answer.headers["Retry-After"]) == -(-parameters["retryAfterMs"] // 1000), answer.headers
    liar.parameters = {}
    for liar.error in "GuestTimeout", "GuestProtocol", "SomethingNew", "GuestRefused":
        _taken_back(cloud, cloud.connect())


def host_that_hangs_is_answered_for_in_time():
    class Hangs(Liar):
        def __init__(self):
            super().__init__()
            self.go_on = threading.Event()

        def push(self, payload, parameters):
            self.go_on.wait(300)
            return super().push(payload, parameters)

        def revoke(self, payload):
            self.go_on.wait(300)
            return super().revoke(payload)

    liar = Hangs()
    cloud = _cloud(liar, "43", "44", lines=["Workers=32"])
    begun = time.monotonic()
    answers = in_threads(*[cloud.connect] * 12, lambda: cloud.api.get("/compute/instance/42"))
    assert time.monotonic() - begun < 60
    assert answers.pop().status == 200
    statuses = sorted(answer.status for answer in answers)
    # Eight are under way at most, and the others know it at once.
    assert statuses == [429] * 4 + [504] * 8, statuses
    for answer in answers:
        if answer.status == 504:
            assert_error(answer, 504, "GuestTimeout")
            assert answer.json["keys_end_at"]
    fingerprints = {line["fingerprint"] for line in cloud.lines() if line["kind"] == "outcome" and
                    line["outcome"]["status"] == 504}
    assert len(fingerprints) == 8
    liar.go_on.set()
    wait_until(lambda: fingerprints <= set(_revoked(cloud)), "all are revoked when the host goes on")
    assert cloud.connect("43").status == 200


def call_is_sent_again_with_its_id_and_never_signed_twice():
    class Cuts(Liar):
        times = 2

        def push(self, payload, parameters):
            if self.times > 0:
                self.times -= 1
                return None
            return super().push(payload, parameters)

    cloud = _cloud(Cuts())
    assert cloud.connect().status == 200
    delivered = [parameters for method, parameters in cloud.host.calls if method == "Deliver"]
    assert len(delivered) == 3
    assert len({parameters["callId"] for parameters in delivered}) == 1
    assert len({parameters["envelope"]["payload"] for parameters in delivered}) == 1
    assert len(cloud.signed()) == 1


class Holds(Liar):
    """Takes a push, and answers when the test lets it."""

    def __init__(self):
        super().__init__()
        self.taken, self.go_on = threading.Event(), threading.Event()
        self.refusal = None
        self.user = None

    def push(self, payload, parameters):
        answer = super().push(payload, parameters)
        if not self.taken.is_set():
            self.taken.set()
            self.go_on.wait(100)
            if self.refusal:
                raise Varlink.Error(f"{HOST}.GuestRefused", name=self.refusal)
        return {**answer, **({"user": self.user} if self.user else {})}


def _during(cloud, liar, act, **members):
    """The answer to a connect, while whose delivery `act` is done."""
    results = []
    thread = threading.Thread(target=lambda: results.append(cloud.connect(**members)))
    thread.start()
    assert liar.taken.wait(100)
    act()
    liar.go_on.set()
    thread.join()
    return results[0]


def connect_that_a_revocation_overtakes_is_409():
    for what, members in (
            ({"all": True}, {}), ({"user": "alice"}, {}), ({"user": "alice@corp"}, {}),
            ({"fingerprint": "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk"}, {"public_key": KEY})):
        liar = Holds()
        liar.user = "alice@corp"
        cloud = _cloud(liar)
        answer = _during(cloud, liar, lambda w=what: cloud.revoke(**w), **members)
        assert_error(answer, 409, "Revoked")
        assert "private_key" not in answer.json
        # Its own key too, which may have come after the revocation.
        (outcome,) = [line for line in cloud.lines(answer.json["request_id"]) if line["kind"] == "outcome"]
        assert outcome["outcome"]["status"] == 409
        wait_until(lambda: outcome["fingerprint"] in _revoked(cloud), "the key is revoked")
        cloud.stop()


def connect_for_what_is_deleted_meanwhile_gives_no_key():
    for path, status, error in ("/iam/account/ann", 401, "Unauthenticated"), ("/compute/instance/42", 404, "NotFound"):
        liar = Holds()
        cloud = _cloud(liar)
        token = cloud.api.account("ann", allow(CONNECT))
        deleted = []
        answer = _during(cloud, liar, lambda c=cloud, p=path, d=deleted: d.append(c.api.delete(p).status), token=token)
        assert deleted == [204], deleted
        assert_error(answer, status, error)
        assert "private_key" not in answer.json
        (outcome,) = [line for line in cloud.lines(answer.json["request_id"]) if line["kind"] == "outcome"]
        wait_until(lambda c=cloud, o=outcome: o["fingerprint"] in _revoked(c), "the key is revoked")
        cloud.stop()


def connect_that_no_revocation_matches_goes_on():
    for vm_id, what in ("43", {"all": True}), ("42", {"user": "bob"}), ("42", {"fingerprint": OTHER}):
        liar = Holds()
        cloud = _cloud(liar, "43")
        answer = _during(cloud, liar, lambda v=vm_id, w=what: cloud.revoke(v, **w))
        assert answer.status == 200, answer
        cloud.stop()


def revocation_before_is_no_obstacle():
    cloud = _cloud(Liar())
    assert cloud.revoke(all=True).status == 200
    assert cloud.connect().status == 200


def expired_after_a_revocation_is_never_signed_again():
    """Also where the host lies about the guest's clock."""
    for known, ahead in (False, 0), (True, 0), (True, 86400):
        liar = Holds()
        liar.refusal, liar.clock = "Expired", ahead
        cloud = _cloud(liar)
        if known:
            _known(cloud)
        answer = _during(cloud, liar, lambda: cloud.revoke(user="alice"))
        assert_error(answer, 409, "Revoked")
        assert len([line for line in cloud.signed() if line["kind"] == "push"]) == 1
        cloud.stop()


def second_signature_needs_a_second_yes():
    def detach(cloud):
        assert cloud.api.delete("/iam/account/ann/policy/ann").status == 204

    def delete_token(cloud, token):
        assert cloud.api.delete("/iam/token/" + token.split("_")[1]).status == 204

    for change, status, error in (lambda cloud, token: detach(cloud), 403, "AccessDenied"), (
            delete_token, 401, "Unauthenticated"):
        liar = Holds()
        liar.refusal = "StaleChallenge"
        cloud = _cloud(liar)
        token = cloud.api.account("ann", allow(CONNECT))
        answer = _during(cloud, liar, lambda: change(cloud, token), token=token)
        assert_error(answer, status, error)
        assert len(cloud.signed()) == 1
        outcomes = [line for line in cloud.lines(answer.json["request_id"]) if line["kind"] == "outcome"]
        assert [line["outcome"]["status"] for line in outcomes] == [status]
        cloud.stop()


def report_about_another_hosts_instance_changes_nothing():
    liar = Liar()
    liar.reports = [{"id": "42", "kind": "serial", "state": "reachable", "firstSeen": 1700000000},
                    {"id": "77", "kind": "serial", "state": "reachable", "firstSeen": 1700000000},
                    {"id": "nobody", "kind": "unix", "state": "reachable", "firstSeen": None}]
    cloud = _cloud(liar)
    cloud.register("77", host="elsewhere")

    def shown(vm_id):
        got = cloud.api.get(f"/compute/instance/{vm_id}").json
        return got["channel"], got["state"]

    cloud.ask_host_again()
    wait_until(lambda: shown("42") == ("serial", "reachable"), "its own instance is reported")
    wait_until(lambda: any(note["vm_id"] == "77" and note["host"] == "hv1" for note in cloud.notes()), "it is noted")
    assert shown("77") == (None, None)
    assert not [note for note in cloud.notes() if note["vm_id"] == "nobody"]
    # Another host's guest is not delivered to.
    assert_error(cloud.connect("77"), 503, "HostUnreachable")


def serial_channel_is_asked_for_a_challenge_first():
    liar = Liar()
    cloud = _cloud(liar)
    for kind, challenged in ("serial", True), ("vsock", False):
        _known(cloud, kind)
        assert cloud.connect().status == 200
        assert ("challenge" in cloud.host.payloads()[-1]) == challenged
