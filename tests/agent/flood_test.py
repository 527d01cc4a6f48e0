# SPDX-License-Identifier: Apache-2.0
"""Floods: the administrator is answered whatever the peers of a socket send, and calls have a rate."""

import contextlib
import os
import pwd
import selectors
import signal
import socket
import time

import agent
from agent import Agent, RELAY_USER, Signer, message

CONNECTIONS = 16
METHODS = ("Hello", "HostKeys", "Status", "List", "PushLocal", "RevokeLocal", "Push", "Revoke", "Nothing",
           "org.varlink.service.GetInfo")


class _Flood:
    """
    A process with that many connections that sends `chunk` again and again on each, and reads all answers. Where it is
    disconnected, it connects again. With no chunk it does nothing but connect.
    """

    def __init__(self, a, name, chunk, user=None, connections=CONNECTIONS):
        self.path = str(a.path(name))
        self.chunk = chunk
        self.connections = connections
        self.user = user if user is not None else RELAY_USER.pw_uid if name == "host" else 0
        ready, self.ready = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(KeyboardInterrupt):
                os.seteuid(self.user)
                self.run()
            os._exit(0)
        os.close(self.ready)
        # Until it has sent for a number of rounds: some of it has reached the agent.
        assert os.read(ready, 1) == b"x"
        os.close(ready)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def connect(self, selector):
        with contextlib.suppress(BlockingIOError):
            connection = socket.socket(socket.AF_UNIX)
            connection.setblocking(False)
            connection.connect(self.path)
            selector.register(connection, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.chunk else 0), [0])

    def serve(self, key, mask):
        """Whether the connection stays."""
        if mask & selectors.EVENT_READ and not key.fileobj.recv(1 << 20):
            return False
        if mask & selectors.EVENT_WRITE:
            key.data[0] += key.fileobj.send(self.chunk[key.data[0]:])
            key.data[0] %= len(self.chunk)
        return True

    def run(self):
        rounds = 0
        with selectors.DefaultSelector() as selector:
            while True:
                while len(selector.get_map()) < self.connections:
                    self.connect(selector)
                if not self.chunk:
                    time.sleep(0)
                    for key in list(selector.get_map().values()):
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
                for key, mask in selector.select(0.01):
                    try:
                        stays = self.serve(key, mask)
                    except BlockingIOError:
                        continue
                    except OSError:
                        stays = False
                    if not stays:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
                rounds += 1
                if rounds == 50:
                    os.write(self.ready, b"x")


def _administrator_is_answered(a):
    for _ in range(3):
        assert a.ask("Status")["keys"] == 0
        chosen = agent.key()
        a.push([chosen])
        assert a.ask("RevokeLocal", {"fingerprint": agent.fingerprint(chosen)}) == {"revoked": 1}


def _call(method):
    parameters = {"envelope": None} if method in ("Push", "Revoke") else {}
    return message(method, parameters)


def admin_is_answered_while_the_host_floods_a_method():
    for settings in "", "RateLimit=0":
        a = Agent(settings)
        for method in METHODS:
            with _Flood(a, "host", _call(method) * 500):
                _administrator_is_answered(a)


def admin_is_answered_while_the_host_floods_malformed_calls():
    a = Agent("")
    for chunk in b"{\0" * 5000, b"x" * 40000 + b"\0", b"\0" * 30000, message("Hello")[:-1] + b" " * 10000, b"[" * 9999:
        with _Flood(a, "host", chunk):
            _administrator_is_answered(a)


def admin_is_answered_while_the_host_reconnects():
    a = Agent("")
    with _Flood(a, "host", b""):
        _administrator_is_answered(a)


def admin_is_answered_while_wrong_peers_connect():
    a = Agent("")
    wrong_user = pwd.getpwnam("alice").pw_uid
    for name in "host", "admin":
        for chunk in b"", _call("Hello") * 100:
            with _Flood(a, name, chunk, user=wrong_user):
                _administrator_is_answered(a)


def admin_is_answered_while_another_admin_floods():
    a = Agent("")
    with _Flood(a, "admin", _call("Status") * 500, connections=8):
        _administrator_is_answered(a)


def signed_push_succeeds_while_the_host_floods():
    a = Agent("", preload=agent.CLOCK, TEST_CLOCK="synchronised")
    signer = Signer()
    a.trust(signer)
    with _Flood(a, "host", _call("Hello") * 500, connections=8):
        assert a.send("Push", signer.push(agent.keys(1)))["duplicate"] is False


def sigterm_is_obeyed_while_the_host_floods():
    a = Agent("")
    with _Flood(a, "host", _call("Hello") * 500):
        a.stop()


CALLS_PER_S, CALLS_BURST = 200, 400  # agent/ratelimit.h


def _hellos(connection, n):
    """Sends that many, not waiting for answers while they fit into the socket, and says how long all of it took."""
    start = time.monotonic()
    for first in range(0, n, CALLS_PER_S):
        connection.send(message("Hello") * min(CALLS_PER_S, n - first))
        for _ in range(min(CALLS_PER_S, n - first)):
            connection.reply()
    return time.monotonic() - start


def calls_over_the_rate_wait():
    for settings, name in ("", "host"), ("RateLimit=7", "host"), ("RateLimit=0", "admin"):
        with Agent(settings).connect(name) as connection:
            n = CALLS_BURST + 5 * CALLS_PER_S
            assert _hellos(connection, n) >= (n - CALLS_BURST - 10) / CALLS_PER_S


def calls_without_a_rate_do_not_wait():
    with Agent("RateLimit=0").connect("host") as connection:
        batches = 100
        took = sum(_hellos(connection, CALLS_PER_S) for _ in range(batches))
        assert took < batches - CALLS_BURST / CALLS_PER_S, took


def waiting_call_of_a_client_that_left_is_carried_out():
    a = Agent("")
    with a.connect() as connection:
        push = message("PushLocal", {"user": "alice", "keys": agent.keys(1)})
        connection.send(message("Hello") * (CALLS_BURST + 50) + push)
        connection.socket.shutdown(socket.SHUT_WR)
        for _ in range(CALLS_BURST + 50):
            connection.reply()
        assert connection.reply()["user"] == "alice"
        assert connection.is_closed()
    assert len(a.keys()) == 1


def pushes_do_not_wait_for_other_calls():
    a = Agent("")
    with a.connect("host") as one, a.connect("host") as other:
        one.send(message("Hello") * (CALLS_BURST + 10 * CALLS_PER_S))
        other.send(_call("Push"))
        assert agent.refusal(other.reply).error == "Untrusted"
        one.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError, agent.Closed):
            for n in range(CALLS_BURST + 10 * CALLS_PER_S):
                one.reply()
            raise AssertionError("all of them came before")


def verifications_count_against_the_rate():
    signers = [Signer() for _ in range(64)]
    a = Agent("RateLimit=1", preload=agent.CLOCK, TEST_CLOCK="synchronised", EXC_DEBUG="1")
    for i, signer in enumerate(signers):
        a.trust(signer, f"key-{i:02}")
    hinted = signers[40].push(agent.keys(1))
    hinted["signatures"] = [*Signer().push([])["signatures"] * 7, {**hinted["signatures"][0], "keyid": "key-40"}]
    assert a.send("Push", hinted)["duplicate"] is False
    assert "signature: good; verifications: 1\n" in a.log()
    forged = Signer().push(agent.keys(1))
    forged["signatures"] *= 8
    assert agent.refusal(a.send, "Push", forged).error == "BadSignature"
    # Of 4 at once, two were pushes, and 7 more are what the verifications cost.
    limited = agent.refusal(a.send, "Push", forged)
    assert limited.error == "RateLimited" and 4000 < limited.parameters["retryAfterMs"] <= 6000, limited.parameters
