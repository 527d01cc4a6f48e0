# SPDX-License-Identifier: Apache-2.0
"""
API, signer and host killed at any moment under load; a full disk; a locked database. Every call that is answered is in the
audit log, and no grant is without its decision.
"""

import contextlib
import http.client
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time

import agent
from agent import wait_until
from cloud import CONNECT, Cloud, assert_error, in_threads, listens

LOAD_S = 12
CALLERS = 4


class Load:
    """Callers that connect until they are stopped, and what was answered to each."""

    def __init__(self, cloud):
        self.cloud, self.answers, self.cut = cloud, [], 0
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(CALLERS)]

    def run(self, i):
        vm_id = list(self.cloud.guests)[i % len(self.cloud.guests)]
        while not self.stopped.is_set():
            try:
                answer = self.cloud.connect(vm_id, ttl=1)
                with self.lock:
                    self.answers.append(answer)
                time.sleep(0.1)  # a guest has 32 keys of one user at most
            except (OSError, http.client.HTTPException, ValueError):
                with self.lock:
                    self.cut += 1
                time.sleep(0.05)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def granted(self):
        with self.lock:
            return [answer for answer in self.answers if answer.status == 200]


def _check_chain(cloud):
    """Each line continues the one before; a log that was cut by a kill has no half line."""
    lines = cloud.lines()
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))


def _check(cloud, load):
    _check_chain(cloud)
    lines = cloud.lines()
    allowed = {line["request_id"] for line in lines if line["kind"] == "decision" and line["action"] == CONNECT and
               line["decision"]["effect"] == "Allow"}
    outcomes = {line["request_id"]: line["outcome"]["status"] for line in lines if line["kind"] == "outcome"}
    for answer in load.answers:
        # What failed before there was a decision has no outcome either.
        if answer.status == 200 or answer.json["request_id"] in allowed:
            assert outcomes.get(answer.json["request_id"]) == answer.status, answer
    for line in cloud.signed():
        assert line["request_id"] in allowed, line
    for guest in cloud.guests.values():
        for row in guest.listed():
            assert row["requestId"] in allowed, row
    # What the guest's journal has was decided on too.
    for guest in cloud.guests.values():
        for event in guest.agent.events:
            if event.get("EXC_REQUEST_ID"):
                assert event["EXC_REQUEST_ID"] in allowed, event
    assert load.granted(), (load.cut, load.answers[-3:])


def _kill_while_under_load(*names):
    cloud = Cloud(guests=("42", "43"), settings="RateLimit=0")
    sockets = {"signer": cloud.directory / "signer.sock", "host": cloud.host_path}
    with Load(cloud) as load:
        end = time.monotonic() + LOAD_S
        while time.monotonic() < end or not load.granted():
            time.sleep(random.uniform(0.1, 1))
            name = random.choice(names)
            if name == "api":
                cloud.api.kill()
                cloud.api.start()
            else:
                program = getattr(cloud, name)
                program.kill()
                program.start()
                wait_until(lambda s=sockets[name]: listens(s), f"the {name} listens")
        n = len(load.granted())
        wait_until(lambda: len(load.granted()) > n, "connects succeed again")
    _check(cloud, load)


def killed_signer_leaves_no_grant_without_its_decision():
    _kill_while_under_load("signer")


def killed_host_leaves_no_grant_without_its_decision():
    _kill_while_under_load("host")


def killed_api_leaves_no_grant_without_its_decision():
    _kill_while_under_load("api")


def all_killed_leave_no_grant_without_its_decision():
    _kill_while_under_load("api", "signer", "host")


killed_signer_leaves_no_grant_without_its_decision.short = "no"
killed_host_leaves_no_grant_without_its_decision.short = "no"
killed_api_leaves_no_grant_without_its_decision.short = "no"


def nothing_is_signed_when_the_audit_log_is_full():
    cloud = Cloud(audit_size="2M")
    first = cloud.connect().json
    filler = cloud.api.audit_directory / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)

    def pushes():
        return len([line for line in cloud.signed() if line["kind"] == "push"])

    # The database, on the same disk, fails first; then an outcome; and then each decision.
    for _ in range(200):
        before = pushes()
        if cloud.connect().error == "AuditUnavailable" and pushes() == before:
            break
    for _ in range(3):
        assert_error(cloud.connect(), 503, "AuditUnavailable")
    assert pushes() == before
    # What had reached the guest and was not answered with success is taken back.
    wait_until(lambda: cloud.guest.fingerprints() <= {first["fingerprint"]}, "the keys that nobody got are revoked")
    filler.unlink()
    assert cloud.connect().status == 200
    _check_chain(cloud)


def locked_database_is_503_and_leaves_no_key():
    """Of a connect that has to write: here, host keys that nobody knows yet."""
    cloud = Cloud()
    assert cloud.connect().status == 200
    path = agent.WORLD / "tests" / f"host_key.{os.getpid()}.{time.monotonic_ns()}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    cloud.guest.show_host_key(f"{path}.pub")
    with contextlib.closing(sqlite3.connect(cloud.api.database, timeout=60, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        before = cloud.guest.fingerprints()
        answers = in_threads(cloud.connect, cloud.connect)
        for answer in answers:
            assert_error(answer, 503, "StoreUnavailable")
        assert_error(cloud.connect(return_private_key=False), 503, "StoreUnavailable")
        assert cloud.api.get("/healthz", token=None).status == 200
        database.execute("ROLLBACK")
    wait_until(lambda: cloud.guest.fingerprints() <= before, "the keys that nobody got are revoked")
    assert cloud.connect().status == 200


def connect_that_changes_nothing_needs_no_turn_to_write():
    cloud = Cloud()
    assert cloud.connect().status == 200
    with contextlib.closing(sqlite3.connect(cloud.api.database, timeout=60, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert cloud.connect().status == 200
        database.execute("ROLLBACK")


def key_pair_that_is_gone_has_its_revocations_recorded():
    cloud = Cloud(guests=("42", "43"))
    fingerprint = cloud.api.post("/compute/keypair", {"name": "k", "type": "ed25519"}).json["fingerprint"]
    for vm_id in cloud.guests:
        cloud.register(vm_id, keypair="k")
    cloud.host.process.send_signal(signal.SIGSTOP)  # so that nothing is sent, and the call goes on

    def delete():
        with contextlib.suppress(OSError, http.client.HTTPException):
            cloud.api.delete("/compute/keypair/k")

    with contextlib.closing(sqlite3.connect(cloud.api.database, timeout=60, isolation_level=None)) as database:
        caller = threading.Thread(target=delete)
        caller.start()
        wait_until(lambda: database.execute("SELECT count(*) FROM keypair").fetchone() == (0,), "the pair is gone")
        cloud.api.kill()
        caller.join()
        recorded = database.execute("SELECT instance, fingerprint FROM revocation ORDER BY instance").fetchall()
    cloud.host.process.send_signal(signal.SIGCONT)
    assert recorded == [("42", fingerprint), ("43", fingerprint)], recorded
    cloud.api.start()
    assert cloud.connect().status == 200
