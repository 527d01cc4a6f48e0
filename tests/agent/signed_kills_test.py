# SPDX-License-Identifier: Apache-2.0
"""The agent is killed at each step of a signed push or revocation, which is then sent again to the next agent."""

import contextlib
import select
import signal
import subprocess

import agent
from agent import Agent, Closed, Signer, refusal

PENDING, DONE = 1, 2
RECORD_SIZE = 128


class Record:
    """The record of a push (agent/replay.h)."""

    def __init__(self, raw):
        self.state = raw[0]
        self.boot_end_ns = int.from_bytes(raw[81:89], "big")


class Seen:
    """The contents of the store while nothing changes it."""

    def __init__(self, a):
        path = a.store / "state/pushes"
        raw = path.read_bytes() if path.exists() else b""
        # The first one is the header of the file.
        records = [raw[at:at + RECORD_SIZE] for at in range(RECORD_SIZE, len(raw), RECORD_SIZE)]
        self.records = [Record(record) for record in records if record[0] != 0]
        self.keys = a.keys()
        self.claims = {claim: (a.store / "claims" / "/".join(claim)).read_bytes() for claim in a.claims()}
        # common/grant.h
        self.boot_ends_ns = {
            int.from_bytes((a.store / "keys" / "/".join(key)).read_bytes()[24:32], "big") for key in self.keys}

    def all(self):
        return [vars(record) for record in self.records], self.keys, self.claims, self.boot_ends_ns


def _agent():
    a = Agent(preload=f"{agent.KILL_AT}:{agent.CLOCK}", TEST_CLOCK="synchronised")
    signer = Signer()
    a.trust(signer)
    a.stop()
    return a, signer


def _is_killed(a, step, method, envelope):
    """Whether the agent is killed before that step rather than done. No agent runs afterwards."""
    with a.connect("host") as connection:
        connection.send_call(method, {"envelope": envelope})
        a.start(TEST_KILL_AT=str(step))
        # An agent that is killed before it accepts leaves the connection to the next one.
        agent.wait_until(lambda: not a.lives() or select.select([connection.socket], [], [], 0)[0], "it is done")
        connection.socket.settimeout(0 if not a.lives() else agent.WAIT_S)
        with contextlib.suppress(Closed, BlockingIOError):
            connection.reply()
            a.kill()
            return False
    assert a.process.wait(agent.WAIT_S) == -signal.SIGKILL
    a.process = None
    return True


def _forget_everything(a):
    for directory in "keys", "claims", "state":
        subprocess.run(["find", a.store / directory, "-mindepth", "1", "-delete"], check=True)
    a.remember_since(0)
    a.make_memory()


def _log_in(a, text):
    """How often the helper gives the key to one connection: for both its questions, or not at all."""
    return agent.given(agent.log_in(a.store, "alice", text), text)


def _pushed_again_at_each_step(log_in_between):
    a, signer = _agent()
    found = []
    killed = True
    while killed:
        _forget_everything(a)
        chosen = agent.keys(3)
        envelope = signer.push(chosen)
        killed = _is_killed(a, len(found) + 1, "Push", envelope)
        stored = bool(a.claims())
        taken = log_in_between and stored
        if taken:
            assert _log_in(a, chosen[1]) == 2
        before = Seen(a)
        a.start()
        answer = a.send("Push", envelope)
        after = Seen(a)
        found.append(before.records[0].state if before.records else None)
        # One grant, as it would have been.
        assert answer["fingerprints"] == [agent.fingerprint(text) for text in chosen]
        assert (answer["expiresIn"] > 0) == (not taken)
        assert answer["duplicate"] == (found[-1] == DONE)
        assert len(after.keys) == 3 and len({number for _, _, number in after.keys}) == len(after.claims) == 1
        # With the end that was recorded first, and with the slots that were taken.
        assert [record.state for record in after.records] == [DONE]
        assert after.boot_ends_ns == {after.records[0].boot_end_ns}
        if before.records:
            assert before.records[0].boot_end_ns == after.records[0].boot_end_ns
        if stored:
            assert (before.claims, before.boot_ends_ns) == (after.claims, after.boot_ends_ns)
        # From now on it is a repeat like any other.
        assert a.send("Push", envelope)["duplicate"] is True
        assert Seen(a).all() == after.all()
        assert [_log_in(a, text) for text in (chosen[0], chosen[2])] == [0 if taken else 2, 0]
        a.stop()
    # Nothing, the pending record, directory and name of each key, the user's directories, the claim, the done record.
    assert found == [None] + [PENDING] * (len(found) - 3) + [DONE] * 2 and len(found) >= 12, found


def repeat_after_a_kill_is_one_grant():
    _pushed_again_at_each_step(log_in_between=False)


def repeat_after_a_kill_frees_no_slot():
    _pushed_again_at_each_step(log_in_between=True)


def push_cut_off_and_revoked_is_not_finished():
    a, signer = _agent()
    step = 0
    killed = True
    pending = 0
    while killed:
        step += 1
        _forget_everything(a)
        chosen = agent.keys(2)
        envelope = signer.push(chosen)
        killed = _is_killed(a, step, "Push", envelope)
        states = [record.state for record in Seen(a).records]
        a.start()
        a.ask("RevokeLocal")
        answer = a.send("Push", envelope)
        if states:
            assert answer["duplicate"] is True and a.stored() == set(), (step, answer)
            assert answer["expiresIn"] == 0
        pending += states == [PENDING]
        a.stop()
    assert pending > 5


def push_cut_off_in_a_full_store_is_finished():
    a, signer = _agent()
    step = 0
    killed = True
    while killed:
        step += 1
        _forget_everything(a)
        a.start()
        for _ in range(3):
            a.push(agent.keys(8))
        a.stop()
        envelope = signer.push(agent.keys(8))
        killed = _is_killed(a, step, "Push", envelope)
        a.start()
        assert a.send("Push", envelope)["expiresIn"] > 0
        assert len(a.listed()) == 32
        a.stop()
    assert step > 10


def revocation_after_a_kill_is_finished():
    a, signer = _agent()
    step = 0
    killed = True
    while killed:
        step += 1
        _forget_everything(a)
        a.start()
        chosen = agent.keys(2)
        a.send("Push", signer.push(chosen[:1]))
        held_back = signer.push(chosen[1:])
        a.stop()
        envelope = signer.revoke(user="alice")
        killed = _is_killed(a, step, "Revoke", envelope)
        a.start()
        a.send("Revoke", envelope)
        assert a.stored() == set()
        assert refusal(a.send, "Push", held_back).error == "Expired"
        # A repeat drops nothing that came later.
        a.push(chosen)
        assert a.send("Revoke", envelope) == {"revoked": 0}
        assert len(a.keys()) == 2
        a.stop()
    assert step > 5
