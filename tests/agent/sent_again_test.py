# SPDX-License-Identifier: Apache-2.0
"""A push without an answer is sent again on a new connection: there is at most one grant."""

import os
import signal
import subprocess
import time

import agent
from agent import Agent, RELAY_USER, Signer, keys, refusal, wait_until

PUSH = agent.WORLD / "bin/exc-push"
LEFT = "closed by the sender"

# Reports that it is asked, and signs when it may; from then on at once.
SIGN = ("touch {0}/asked; until [ -e {0}/may ]; do sleep 0.02; done; "
        "openssl pkeyutl -sign -rawin -inkey {0}/signing.pem -in /dev/stdin")


class _Host:
    """exc-push, and a guest that trusts its key."""

    def __init__(self):
        self.agent = Agent(preload=f"{agent.NAME_SERVICE}:{agent.CLOCK}", TEST_CLOCK="synchronised")
        self.signer = Signer()
        self.agent.trust(self.signer)
        self.dir = self.agent.dir / "pushes"
        self.dir.mkdir(mode=0o700)
        (self.dir / "signing.pem").write_bytes(self.signer.private())
        (self.dir / "id.pub").write_text(agent.key() + "\n")
        for path in self.dir, self.dir / "signing.pem", self.dir / "id.pub":
            os.chown(path, RELAY_USER.pw_uid, RELAY_USER.pw_gid)

    def push(self, user, timeout_s, *signer):
        return subprocess.Popen(
            [PUSH, "push", "--to", f"unix:{self.agent.path('host')}", "--instance", agent.INSTANCE, "--user", user,
             "--key", self.dir / "id.pub", "--timeout", str(timeout_s),
             *(signer or ("--signing-key", self.dir / "signing.pem"))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            user=RELAY_USER.pw_uid, group=RELAY_USER.pw_gid, extra_groups=[])


def _challenged(signer, connection, **more):
    return {"envelope": signer.push(keys(1), challenge=connection.call("Hello")["challenge"], **more)}


def slow_lookup_stores_nothing_after_the_host_gave_up():
    host = _Host()
    pushing = host.push("late", 1)
    output = pushing.communicate(timeout=agent.WAIT_S)[0]
    # It was refused three times, and signed another push twice.
    assert pushing.returncode == 19, output
    wait_until(lambda: host.agent.log().count(LEFT) == 3, "all three lookups have ended")
    assert host.agent.stored() == set()
    # A host that waits long enough succeeds.
    pushing = host.push("late", 30)
    assert pushing.wait(agent.WAIT_S) == 0, pushing.communicate()[0]
    assert len(host.agent.claims()) == 1


def _pushed_to_an_agent_that_stands_still(user):
    host = _Host()
    pushing = host.push(user, 3, "--sign-command", SIGN.format(host.dir))
    wait_until((host.dir / "asked").exists, "it has the challenge")
    host.agent.process.send_signal(signal.SIGSTOP)
    (host.dir / "may").touch()
    time.sleep(5)  # longer than its first answer may take, and not as long as both
    host.agent.process.send_signal(signal.SIGCONT)
    output = pushing.communicate(timeout=agent.WAIT_S)[0]
    assert pushing.returncode == 0, output
    wait_until(lambda: LEFT in host.agent.log(), "the first lookup has ended")
    assert len(host.agent.claims()) == len(host.agent.keys()) == 1


def repeat_to_a_stopped_agent_is_one_grant():
    _pushed_to_an_agent_that_stands_still("alice")


def repeat_to_a_stopped_agent_with_a_slow_lookup_is_one_grant():
    _pushed_to_an_agent_that_stands_still("slow")


def repeat_of_a_stored_push_is_a_duplicate():
    host = _Host()
    with host.agent.connect("host") as connection:
        push = _challenged(host.signer, connection)
        connection.send_call("Push", push)
        wait_until(lambda: len(host.agent.claims()) == 1, "it is stored")
    assert host.agent.send("Push", push["envelope"])["duplicate"] is True
    assert len(host.agent.claims()) == 1


def push_with_a_stale_challenge_is_never_stored():
    host = _Host()
    with host.agent.connect("host") as connection:
        push = _challenged(host.signer, connection, user="slow")
        connection.send_call("Push", push)
    assert refusal(host.agent.send, "Push", push["envelope"]).error == "StaleChallenge"
    wait_until(lambda: LEFT in host.agent.log(), "the lookup has ended")
    assert refusal(host.agent.send, "Push", push["envelope"]).error == "StaleChallenge"
    assert host.agent.stored() == set()


def repeat_during_the_lookup_is_one_grant():
    host = _Host()
    push = host.signer.push(keys(1), user="slow")
    with host.agent.connect("host") as one, host.agent.connect("host") as other, host.agent.connect("host") as gone:
        for connection in gone, one, other:
            connection.send_call("Push", {"envelope": push})
        gone.close()
        assert [connection.reply()["duplicate"] for connection in (one, other)].count(False) <= 1
    assert len(host.agent.claims()) == 1
