# SPDX-License-Identifier: Apache-2.0
"""Guests that lie, hang, flood or do not read, and channels with properties of their own."""

import json
import threading
import time

import agent
import host as base
from agent import WAIT_S, refusal, wait_until
from host import Guest, Host, Pending, Slow, hang, push, real_agent, reply, refusal_of_guest


def _lies(guest, connection, call):
    return reply({"user": "alice", "fingerprints": "all of them", "expiresIn": 59, "duplicate": False, "hostKeys": []})


def _flood(guest, connection, call):
    connection.settimeout(WAIT_S)
    while True:  # until the host closes
        connection.sendall(b"x" * 65536)


def _drip(guest, connection, call):
    """A byte at a time, without an end."""
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def _deep(guest, connection, call):
    return b"[" * 16000 + b"\0"


def _cut(guest, connection, call):
    connection.sendall(b'{"parameters":{"us')


def _many_host_keys(guest, connection, call):
    answer = json.loads(guest.usual(call)[:-1])["parameters"]
    kind, blob = agent.key().split()
    row = {"type": kind, "key": blob, "fingerprint": agent.fingerprint(f"{kind} {blob}")}
    return reply({**answer, "hostKeys": [row] * 17})


def _wrong_host_key(guest, connection, call):
    answer = json.loads(guest.usual(call)[:-1])["parameters"]
    return reply({**answer, "hostKeys": [{"type": "@cert-authority ssh-ed25519", "key": "AAAA", "fingerprint": "x"}]})


LIARS = {
    "GuestProtocol": [_lies, _flood, _deep, _many_host_keys, _wrong_host_key,
                      lambda *_: b"not JSON\0", lambda *_: b"[]\0", lambda *_: b"{}\0",
                      lambda *_: b'{"parameters":{},"parameters":{}}\0', lambda *_: b'{"parameters":{},"continues":true}\0',
                      lambda *_: reply({"message": "x"}, error="org.varlink.service.MethodNotFound"),
                      lambda *_: refusal_of_guest("KeyRejected", index=99)],
    "GuestTimeout": [hang, _drip, _cut, lambda *_: None, lambda *_: b"\0"],
}


def lies_are_told_from_silence():
    kinds = [(error, behave) for error, behaviours in LIARS.items() for behave in behaviours]
    guests = [Guest(behave) for _, behave in kinds]
    host = Host(**{f"g{n}": guest.channel for n, guest in enumerate(guests)})
    # Those that say something have the time for it on a slow machine.
    calls = [Pending(host.deliver, f"g{n}", push(), timeout_ms=2000 if error == "GuestTimeout" else base.PATIENT_MS)
             for n, (error, _) in enumerate(kinds)]
    for n, (error, _) in enumerate(kinds):
        assert calls[n].result() == error, (n, error, calls[n].result())


def liars_affect_nobody_else():
    behaviours = [behave for behaviours in LIARS.values() for behave in behaviours]
    host = Host(good=f"unix:{real_agent().path('host')}",
                **{f"g{n}": Guest(behave).channel for n, behave in enumerate(behaviours)})
    ended = threading.Event()

    def ask(name):
        while not ended.is_set():
            for call in (host.hello, name, 1000), (lambda one, ms: host.deliver(one, push(), timeout_ms=ms), name, 1000):
                try:
                    call[0](*call[1:])
                except agent.Refused:
                    pass

    calls = [Pending(ask, f"g{n}") for n in range(len(behaviours))]
    for _ in range(30):
        assert host.deliver("good", push())["user"] == "alice"
    ended.set()
    for call in calls:
        call.result()
    assert host.process.poll() is None
    assert host.states()["good"] == "reachable"


def nothing_listens_is_unreachable():
    guest = Guest()
    guest.close()
    host = Host(gone=guest.channel, never="unix:/nonexistent/socket", far="vsock:4000000000")
    for name in "gone", "never", "far":
        refused = refusal(host.deliver, name, push(), timeout_ms=2000)
        assert refused.error == "GuestUnreachable", (name, refused)
        assert refusal(host.hello, name, 2000).error == "GuestUnreachable"


def refusals_pass_with_their_parameters():
    refusals = [
        (refusal_of_guest("InvalidPayload", field="ttl"), {"name": "InvalidPayload", "field": "ttl"}),
        (refusal_of_guest("KeyRejected", index=3), {"name": "KeyRejected", "index": 3}),
        (refusal_of_guest("RateLimited", retryAfterMs=20), {"name": "RateLimited", "retryAfterMs": 20}),
        (refusal_of_guest("UserDenied"), {"name": "UserDenied"}),
        (refusal_of_guest("OfALaterVersion"), {"name": "OfALaterVersion"}),
    ]
    host = Host(**{f"g{n}": Guest(lambda *_, answer=answer: answer).channel for n, (answer, _) in enumerate(refusals)})
    for n, (_, expected) in enumerate(refusals):
        refused = refusal(host.deliver, f"g{n}", push())
        assert refused.error == "GuestRefused", refused
        assert refused.parameters == {"field": None, "index": None, "retryAfterMs": None,
                                      "message": refused.parameters["message"], **expected}, refused
    assert host.states() == {f"g{n}": "reachable" for n in range(len(refusals))}


def texts_of_a_guest_do_not_reach_the_log():
    text = "\x1b[2J\nexc-host: h1: 0 VMs\n<0>"
    guest = Guest(lambda *_: refusal_of_guest("UserDenied", message=text))
    host = Host(_42=guest.channel)
    assert refusal(host.deliver, "42", push()).parameters["message"] == text
    assert "\x1b" not in host.log() and host.log().count("0 VMs") == 0, host.log()


class _Hypervisor(Guest):
    """The unix socket by which a guest's vsock ports are reached."""

    def __init__(self, line, **more):
        self.line = line
        super().__init__(**more)

    @property
    def channel(self):
        return f"hybrid:{self.path}"

    def converse(self, connection):
        asked = b""
        while not asked.endswith(b"\n"):
            part = connection.recv(1)
            if not part:
                return
            asked += part
        if self.line is None or asked != b"CONNECT 842\n":
            connection.close()
            return
        connection.sendall(self.line)
        super().converse(connection)


def hybrid_channels_are_asked_for_the_port():
    host = Host(up=_Hypervisor(b"OK 1073741824\n").channel, down=_Hypervisor(None).channel,
                lies=_Hypervisor(b"OK whatever\n").channel)
    hello = host.hello("up")
    assert host.deliver("up", push(), handle=hello["handle"])["user"] == "alice"
    assert host.deliver("up", push())["user"] == "alice"
    # Nothing of the envelope was sent.
    for name in "down", "lies":
        assert refusal(host.deliver, name, push()).error == "GuestUnreachable"
    assert refusal(host.hello, "lies").error == "GuestProtocol"


class _Serial(Guest):
    """A chardev's socket: one client at a time. What a predecessor left comes first."""

    @property
    def channel(self):
        return f"serial:{self.path}"

    def accept(self, connection):
        self.converse(connection)


def serial_streams_begin_with_hello():
    stale = b'rest of an answer"}}\0' + reply({"sync": "of another", "version": "1"}) + refusal_of_guest("Expired")
    guest = _Serial(greet=stale)
    host = Host(_42=guest.channel)
    assert host.deliver("42", push())["user"] == "alice"
    hello = host.hello("42")
    assert host.deliver("42", push(), handle=hello["handle"])["user"] == "alice"
    assert [call["method"].rpartition(".")[2] for call in guest.calls] == ["Hello", "Push", "Hello", "Push"]


def handle_keeps_a_serial_channel():
    guest = _Serial()
    host = Host(_42=guest.channel)
    hello = host.hello("42")
    other = Pending(host.deliver, "42", push(user="bob"))
    wait_until(lambda: host.ask("Status")["waiting"] == 1, "it waits for the handle's call")
    assert host.deliver("42", push(), handle=hello["handle"])["user"] == "alice"
    assert other.result()["user"] == "bob"
    assert guest.connections == 2
    # A handle that nobody uses blocks the channel for no longer than it is held.
    host.hello("42")
    assert host.deliver("42", push())["user"] == "alice"


def silent_serial_port_is_unreachable():
    host = Host(_42=_Serial(hang).channel)
    # Its Hello has no answer, so nothing of the envelope was sent.
    assert refusal(host.deliver, "42", push(), timeout_ms=1000).error == "GuestUnreachable"


def callers_that_do_not_read_affect_nobody():
    may = Slow()
    guest = Guest(may)
    host = Host(_42=guest.channel, _43=Guest().channel)
    callers = [host.caller() for _ in range(20)]
    for caller in callers:
        caller.send("Report", more=True)
        caller.connection.send(b"half a message")
    may.may.set()
    for _ in range(20):
        assert host.deliver("43", push())["user"] == "alice"
        assert host.deliver("42", push())["user"] == "alice"
    for caller in callers:
        caller.connection.close()
