# SPDX-License-Identifier: Apache-2.0
"""What is logged of a key's end, and a busy journal: events wait in the background, and lost ones are reported."""

import os
import pathlib
import signal
import socket
import stat
import tempfile
import time

import agent
from agent import Agent, Signer, fingerprint, keys, wait_until

RECEIVED = "4d98dd3b9620683e69dcd86ee36d8165"
REVOKED = "7e857319e0894775b0986464c3a3ebd5"
EXPIRED = "bc723d69e57c5476daf16a3efb8dea15"
LOST = "8d2ca3efa9af464c9a4827421e548b30"


def _deaf_agent():
    """With a journal whose queue is full."""
    a = Agent(journal="deaf")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as noise:
        noise.setblocking(False)
        try:
            while True:
                noise.sendto(b"MESSAGE=noise\n", str(a.dir / "journal/socket"))
        except BlockingIOError:
            pass
    return a


def _logged(a):
    return [fields for fields in a.events if fields["MESSAGE"] != "noise"]


def push_does_not_wait_for_journal():
    a = _deaf_agent()
    chosen = agent.keys(400)
    with a.connect() as connection:
        for n, text in enumerate(chosen):
            connection.call("PushLocal", {"user": f"many{n % 100 + 1}", "keys": [text], "connections": 0, "ttl": 300})
    a.hear()
    (lost,) = a.events_of(LOST)
    stored = a.events_of(RECEIVED)
    # In order, each with its own time; then the number of lost ones.
    assert [fields["EXC_FINGERPRINT"] for fields in stored] == [fingerprint(text) for text in chosen[:len(stored)]]
    times = [int(fields["EXC_TIME"]) for fields in stored]
    assert times == sorted(times)
    assert len(stored) >= 256 and len(stored) + int(lost["EXC_LOST"]) == 400
    assert times[-1] <= int(lost["EXC_LOST_SINCE"]) <= time.time() * 1000000
    assert lost["MESSAGE"].startswith(f"{lost['EXC_LOST']} events before this one were lost, the first at 20")
    assert (lost["PRIORITY"], lost["SYSLOG_IDENTIFIER"]) == ("4", "exc-instance-connect-agent")
    assert _logged(a)[-1] == lost
    a.push()
    assert "EXC_TIME" not in a.events_of(RECEIVED, len(stored) + 1)[-1]
    assert a.log() == ""


push_does_not_wait_for_journal.needs = "landlock seccomp"


def waiting_events_arrive():
    a = _deaf_agent()
    text = agent.key()
    a.push([text])
    a.ask("RevokeLocal")
    assert _logged(a) == []
    a.hear()
    wait_until(lambda: len(_logged(a)) == 2, "both events arrive")
    assert [fields["MESSAGE_ID"] for fields in _logged(a)] == [RECEIVED, REVOKED]
    assert {fields["EXC_FINGERPRINT"] for fields in _logged(a)} == {fingerprint(text)}


waiting_events_arrive.needs = "landlock seccomp"


def next_agent_reports_loss():
    a = _deaf_agent()
    before = time.time()
    a.push(agent.keys(3))
    a.stop()
    status = (a.store / "state/lost").lstat()
    assert stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600
    assert a.log().count(" stored for alice") == 3
    a.start()
    a.ask("Status")
    a.hear()
    (lost,) = a.events_of(LOST)
    assert lost["EXC_LOST"] == "3"
    assert before <= int(lost["EXC_LOST_SINCE"]) / 1000000 <= time.time()
    wait_until(lambda: not (a.store / "state/lost").exists(), "the loss is reported")
    a.stop()
    assert not (a.store / "state/lost").exists()


next_agent_reports_loss.needs = "landlock seccomp"


def agent_stays_while_event_waits():
    a = _deaf_agent()
    a.push()
    a.ask("RevokeLocal")
    time.sleep(36)
    assert a.lives()
    a.hear()
    assert a.wait() == 0
    wait_until(lambda: len(_logged(a)) == 2, "both events arrive")
    assert [fields["MESSAGE_ID"] for fields in _logged(a)] == [RECEIVED, REVOKED]


agent_stays_while_event_waits.needs = "landlock seccomp"


agent_stays_while_event_waits.slow = True


class _Clock:
    """The wall clock of an agent."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(dir="/tmp")) / "clock"
        os.mkfifo(self.path)
        self.path.chmod(0o666)
        self.path.parent.chmod(0o755)

    def agent(self, state):
        return Agent(journal=True, preload=agent.CLOCK, TEST_CLOCK=state, TEST_CLOCK_SET=str(self.path), EXC_DEBUG="1")

    def set(self, a, seconds):
        n = a.log().count("clock: set")
        self.path.write_text(f"{seconds}")
        wait_until(lambda: a.log().count("clock: set") > n, "the agent knows")


def keys_end_when_the_clock_is_set():
    for seconds in 3600, -3600:
        clock = _Clock()
        a = clock.agent("synchronised")
        chosen = keys(2)
        a.push(chosen, ttl=300)
        clock.set(a, 1)
        assert len(a.listed()) == 2
        clock.set(a, seconds)
        ended = a.events_of(EXPIRED, 2)
        assert {fields["EXC_FINGERPRINT"] for fields in ended} == {fingerprint(text) for text in chosen}
        for fields in ended:
            assert fields["EXC_REASON"] == "ClockSet", fields
            assert fields["MESSAGE"].endswith(": expired early: the clock was set, or the machine was restored from a snapshot")
        assert a.stored() == set()


def keys_of_an_unsynchronised_clock_do_not_end_when_it_is_set():
    clock = _Clock()
    a = clock.agent("unsynchronised")
    a.push(keys(1), ttl=300)
    swept = a.log().count("swept")
    clock.set(a, 3600)
    wait_until(lambda: a.log().count("swept") > swept, "the store is swept")
    assert len(a.listed()) == 1


def key_that_had_ended_when_it_was_revoked_is_logged_as_expired():
    a = Agent(journal=True, preload=agent.CLOCK, TEST_CLOCK="synchronised")
    a.push(keys(1), ttl=1)
    # The agent would sweep when the second is over: it stands still until then.
    a.process.send_signal(signal.SIGSTOP)
    time.sleep(1.1)
    with a.connect() as connection:
        connection.send_call("RevokeLocal", {})
        a.process.send_signal(signal.SIGCONT)
        assert connection.message()["parameters"] == {"revoked": 0}
    (ended,) = a.events_of(EXPIRED)
    assert "EXC_REASON" not in ended and ended["MESSAGE"].endswith(": expired"), ended


def key_ends_with_its_push_and_is_logged_then():
    signer, now = Signer(), int(time.time())
    a = Agent(journal=True, preload=agent.CLOCK, TEST_CLOCK="synchronised")
    a.trust(signer)
    a.send("Push", signer.push(keys(1), iat=now - 290, exp=now + 5))
    (stored,) = a.events_of(RECEIVED)
    assert int(stored["MESSAGE"].split(" for ")[-1].removesuffix(" s")) <= 5, stored
    a.events_of(EXPIRED)
    assert time.time() < now + 150
