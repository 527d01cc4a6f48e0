# SPDX-License-Identifier: Apache-2.0
"""The agent and the helper are killed, at each step of a call and at random moments under load."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import agent
from agent import Agent, Closed, fingerprint_name

KILLS = 40 if os.environ.get("EXC_SHORT") else 200
PUSHERS = 3
LOGINS = 2
USERS = 18
USER_KEYS_MAX = 24


class Push:
    """One grant, and what its client knows of it."""

    def __init__(self, user, chance):
        self.user = user
        self.keys = agent.keys(chance.choice([1, 1, 2, 8]))
        self.names = [fingerprint_name(text) for text in self.keys]
        self.connections = chance.choice([1, 1, 1, 2])
        self.short = chance.random() < 0.1
        self.ttl = 1 if self.short else 300
        self.answered = False
        self.revoked = False  # a revocation was sent
        self.gone = False  # and the revocation was answered
        self.served = 0  # connections that were given one of its keys


class Store:
    """The contents of the store, by the names of the keys' fingerprints."""

    def __init__(self, a):
        self.ids = {}
        for user, name, number in a.keys():
            self.ids.setdefault(name, set()).add((user, number))
        self.claims = a.claims()

    def grants(self, push):
        """The ids of each of its keys in the store."""
        return [self.ids.get(name, set()) for name in push.names]

    def is_whole(self, push):
        first, *others = self.grants(push)
        return len(first) == 1 and all(other == first for other in others) and first <= self.claims

    def has_nothing(self, push):
        return not any(self.grants(push))


def _claim_is_last(a):
    """Each grant with a claim file has all its keys."""
    store = Store(a)
    counts = {}
    for grants in store.ids.values():
        for grant in grants & store.claims:
            counts[grant] = counts.get(grant, 0) + 1
    assert store.claims == counts.keys(), "a claim file without a key"
    return set(counts.values())


def _at_each_step(a, act):
    """
    Kills the agent before each of the steps that it takes from its start to the end of `act`, each time with the store
    as it is now. What counts is whole then, and the next agent leaves nothing half done. Returns for each step how many
    keys it left, and whether `act` was answered.
    """
    a.stop()
    before = a.dir / "before"
    before.mkdir()
    subprocess.run(["cp", "-a", a.store / "keys", a.store / "claims", before], check=True)
    found = []
    while True:
        subprocess.run(["rm", "-rf", a.store / "keys", a.store / "claims"], check=True)
        subprocess.run(["cp", "-a", before / "keys", before / "claims", a.store], check=True)
        a.start(TEST_KILL_AT=str(len(found) + 1))
        answers = []
        # Its call waits in the socket's queue when the agent is killed before it comes to that.
        client = threading.Thread(target=lambda: answers.append(_answer(a, act)))
        client.start()
        agent.wait_until(lambda: not a.lives() or answers, "it is done")
        if answers and answers[0] and a.lives():
            a.kill()
            return found
        assert a.process.wait(agent.WAIT_S) == -signal.SIGKILL
        assert _claim_is_last(a) <= {8}
        answered = bool(answers and answers[0])
        a.start()
        client.join()
        a.ask("Status")
        store = Store(a)
        assert set().union(*store.ids.values()) == store.claims
        # No empty directory is left.
        assert store.claims or a.stored() == set()
        found.append((len(a.keys()), answered))
        a.stop()


def _answer(a, act):
    try:
        return act()
    except (Closed, ConnectionError):
        return None


def killed_push_is_stored_whole_or_not_at_all():
    a = Agent(preload=agent.KILL_AT)
    found = _at_each_step(a, lambda: a.push(agent.keys(8)))
    # The directory and name of each key, those of the user and of the claim file; then the answer.
    assert len(found) >= 19 and set(found[:-1]) == {(0, False)} and found[-1] == (8, False), found


def killed_revocation_ends_a_grant_whole_or_not_at_all():
    a = Agent(preload=agent.KILL_AT)
    a.push(agent.keys(8))
    found = _at_each_step(a, lambda: a.ask("RevokeLocal"))
    assert len(found) > 18 and {left for left, _ in found} == {0, 8}, found
    assert (8, True) not in found


def killed_sweep_is_finished_by_the_next_agent():
    a = Agent(preload=agent.KILL_AT)
    a.push(agent.keys(8), ttl=1)
    a.kill()
    time.sleep(1.1)
    found = _at_each_step(a, lambda: a.ask("Status"))
    assert len(found) > 18 and {left for left, _ in found} == {0}, found


def killed_helper_took_at_most_its_own_slot():
    a = Agent()
    # A program that cannot be read cannot read its own environment in /proc, where sanitizers look for their options.
    readable = a.dir / "helper"
    shutil.copyfile(agent.HELPER, readable)
    readable.chmod(0o755)
    preload = ["env", f"LD_PRELOAD={agent.KILL_AT}", "ASAN_OPTIONS=verify_asan_link_order=0"]
    # Before it writes into the slot, in both runs; and when it has, before it prints the key, in the first.
    for step, expected in (1, [0, 2, 0]), (2, [1, 0, 0]):
        text = agent.key()
        a.push([text])
        found = [agent.given(agent.log_in(a.store, "alice", text, *under, readable), text)
                 for under in ([*preload, f"TEST_KILL_AT={step}"], [], [])]
        assert found == expected, (step, found)


class Scene:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.a = Agent("RateLimit=0\nMaxTtl=1000")
        self.pushes = []
        self.calls = 0
        self.answers = 0
        self.logins = 0
        self.killed_helpers = 0
        self.failures = []
        self.over = False
        self.paused = False
        self.busy = set()
        self.lock = threading.Lock()

    # Clients that push and revoke

    def call(self, method, parameters):
        """The answer, or None when the agent was killed before it could give one."""
        self.calls += 1
        try:
            answer = self.a.ask(method, parameters)
        except (Closed, ConnectionError):
            return None
        self.answers += 1
        return answer

    def push(self, user, chance):
        push = Push(user, chance)
        self.pushes.append(push)
        if self.call("PushLocal", {"user": user, "keys": push.keys, "ttl": push.ttl, "connections": push.connections}):
            push.answered = True
        return push

    def revoke(self, user):
        mine = [push for push in self.pushes if push.user == user and not push.gone]
        for push in mine:
            push.revoked = True
        if self.call("RevokeLocal", {"user": user}):
            for push in mine:
                push.gone = True

    def pusher(self, number, chance):
        users = [f"many{n}" for n in range(1, USERS + 1) if n % PUSHERS == number]
        stored = dict.fromkeys(users, 0)
        while not self.over:
            if not self.wait_for_the_others(number):
                continue
            user = chance.choice(users)
            if stored[user] > USER_KEYS_MAX - 8:
                self.revoke(user)
                # Only what was answered is known to be gone.
                stored[user] = sum(len(push.keys) for push in self.pushes if push.user == user and not push.gone)
            else:
                stored[user] += len(self.push(user, chance).keys)

    def wait_for_the_others(self, number):
        """Whether to go on. While it pauses, no call of this client is running."""
        with self.lock:
            if not self.paused:
                self.busy.add(number)
                return True
            self.busy.discard(number)
        time.sleep(0.005)
        return False

    def pause(self, paused):
        with self.lock:
            self.paused = paused

    # Clients that log in

    def log_in(self, push, text, chance):
        """Two at once, and for some of them the helper is killed."""
        connections = [agent.log_in(self.a.store, push.user, text) for _ in range(2)]
        for connection in connections:
            if chance.random() < 0.3:
                time.sleep(chance.random() * 0.003)
                self.kill_child(connection.pid)
        for connection in connections:
            given = agent.given(connection, text)
            with self.lock:
                self.logins += 1
                push.served += given > 0

    def kill_child(self, pid):
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), signal.SIGKILL)
                self.killed_helpers += 1
        except (FileNotFoundError, ProcessLookupError):
            pass

    def login(self, number, chance):
        while not self.over:
            if not self.wait_for_the_others(number):
                continue
            recent = [push for push in self.pushes[-40:] if push.answered]
            if recent:
                push = chance.choice(recent)
                self.log_in(push, chance.choice(push.keys), chance)
            else:
                time.sleep(0.005)

    # The killer

    def guarded(self, what, number, chance):
        try:
            what(number, chance)
        except Exception as failure:  # of a thread; reported by the main one
            self.failures.append(failure)

    def run(self):
        threads = []
        sys.setswitchinterval(0.0005)  # otherwise the killer waits for the other threads, and kills at their moments
        for number in range(PUSHERS + LOGINS):
            what = self.pusher if number < PUSHERS else self.login
            chance = random.Random(self.chance.random())
            threads.append(threading.Thread(target=self.guarded, args=(what, number, chance)))
        for thread in threads:
            thread.start()
        try:
            for number in range(1, KILLS + 1):
                self.wait_for_a_moment()
                self.a.kill()
                self.look_at_what_counts()
                if number % 5 == 0:
                    self.look_at_rest()
                else:
                    self.a.start()
            self.look_at_rest()
        finally:
            self.over = True
            for thread in threads:
                thread.join()
        assert not self.failures, self.failures

    def wait_for_a_moment(self):
        """Of the start, of any time after it, or of carrying out a call."""
        kind = self.chance.randrange(5)
        end = time.monotonic() + agent.WAIT_S
        answers = self.answers
        while kind > 0 and self.answers == answers and not self.failures:
            assert time.monotonic() < end, "the agent does not answer"
            time.sleep(0.001)
        if kind < 2:
            time.sleep(self.chance.random() * 0.03)
            return
        calls = self.calls
        while self.calls == calls and not self.failures and time.monotonic() < end:
            time.sleep(0.0001)
        time.sleep(self.chance.random() * 0.004)

    def look_at_what_counts(self):
        """Without an agent: a grant with a claim file has all its keys."""
        pushes = list(self.pushes)
        store = Store(self.a)
        for push in pushes:
            counting = [grants & store.claims for grants in store.grants(push)]
            # Helpers write into claim files, but no file is made or removed now.
            assert all(grants == counting[0] for grants in counting), (push.user, counting)

    def steady_store(self):
        """What is stored while the agent removes nothing: it answers between two sweeps, and short keys end at any time."""
        store = Store(self.a)
        while True:
            self.a.ask("Status")
            again = Store(self.a)
            if (store.ids, store.claims) == (again.ids, again.claims):
                return store
            store = again

    def look_at_rest(self):
        """With an agent that has just started and has no other call."""
        self.pause(True)
        self.a.start()
        agent.wait_until(lambda: not self.busy or self.failures, "all are done")
        # A client that waited for the killed agent has no answer; one whose call was still queued has.
        self.a.ask("Status")
        store = self.steady_store()
        for push in self.pushes:
            if push.gone:
                assert store.has_nothing(push), "revoked, and still stored"
            elif push.answered and not push.revoked and not push.short:
                assert store.is_whole(push), f"answered, and not stored: {store.grants(push)}"
            else:
                assert store.is_whole(push) or store.has_nothing(push), f"half stored: {store.grants(push)}"
        # Nothing else is left: each claim file has its keys, and each key its claim file.
        grants = set().union(*store.ids.values()) if store.ids else set()
        assert grants == store.claims
        self.pause(False)

    def look_at_logins(self):
        for push in self.pushes:
            assert push.served <= push.connections, (push.served, push.connections)
        # A new connection gets none of the slots that are taken.
        taken = [push for push in self.pushes if push.served == push.connections and not push.revoked]
        for push in self.chance.sample(taken, min(len(taken), 25)):
            before = push.served
            self.log_in(push, push.keys[-1], self.chance)
            assert push.served == before


def random_kills_lose_nothing_that_was_answered():
    seed = int(os.environ.get("EXC_SEED") or random.SystemRandom().randrange(2**32))
    print("seed", seed)
    scene = Scene(seed)
    scene.run()
    scene.look_at_logins()
    answered = sum(push.answered for push in scene.pushes)
    print(f"{KILLS} agents and {scene.killed_helpers} helpers killed; {scene.calls} calls, {scene.answers} answered; "
          f"{answered} of {len(scene.pushes)} pushes answered; {scene.logins} logins, "
          f"{sum(push.served for push in scene.pushes)} let in")
    # Otherwise it proves nothing.
    assert scene.calls - scene.answers > KILLS / 4 and scene.killed_helpers > 20 and answered > KILLS
    assert any(push.served for push in scene.pushes)


random_kills_lose_nothing_that_was_answered.slow = True
