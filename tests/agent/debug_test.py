# SPDX-License-Identifier: Apache-2.0
"""What the agent prints of each stage, with EXC_DEBUG=1 or --verbose."""

import base64
import json
import subprocess

import agent
from agent import Agent, Signer, refusal, wait_until

NAME = "exc-instance-connect-agent: "


def _guest(**environment):
    a = Agent(preload=agent.CLOCK, TEST_CLOCK="synchronised", journal=True, **environment)
    signer = Signer()
    a.trust(signer)
    return a, signer


def _stages(a, since):
    """The names of the stages that were printed after so many lines."""
    lines = a.log().splitlines()[since:]
    assert all(line.startswith(NAME) for line in lines), lines
    return [line.removeprefix(NAME).split(":")[0].split(";")[0] for line in lines]


def _printed(a, call):
    """The stages of one call, without those of files and of a sweep that are there once."""
    since = len(a.log().splitlines())
    call()
    wait_until(lambda: "replied" in _stages(a, since), "the reply is printed")
    return [stage for stage in _stages(a, since) if stage not in ("configuration", "confined", "swept", "store")]


def each_stage_of_a_push_is_printed():
    a, signer = _guest(EXC_DEBUG="1")
    envelope = signer.push(agent.keys(2))
    before = ["accepted", "call", "envelope", "signature", "payload", "record"]
    after = ["user", "policy", "keys"]
    assert _printed(a, lambda: a.send("Push", envelope)) == [*before, "fresh", *after, "stored", "replied"]
    assert _printed(a, lambda: a.send("Push", envelope)) == [*before, *after, "replied"]
    assert _printed(a, a.push) == ["accepted", "call", "parameters", *after, "stored", "replied"]
    assert _printed(a, lambda: a.send("Revoke", signer.revoke(all=True))) == [
        "accepted", "call", "envelope", "signature", "payload", "fresh", "dropped", "replied"]


def refusing_stage_is_the_last_one():
    a, signer = _guest(EXC_DEBUG="1")
    call = ["accepted", "call"]
    for envelope, stages in (
        (Signer().push(agent.keys(1)), ["envelope"]),
        (signer.push(agent.keys(1), aud="other"), ["envelope", "signature", "payload"]),
        (signer.push(agent.keys(1), iat=1, exp=2), ["envelope", "signature", "payload", "record"]),
        (signer.push(agent.keys(1), user="nobody-of-that-name"),
         ["envelope", "signature", "payload", "record", "fresh"]),
        (signer.push(["x"]), ["envelope", "signature", "payload", "record", "fresh", "user", "policy"]),
    ):
        assert _printed(a, lambda: refusal(a.send, "Push", envelope)) == [*call, *stages, "replied"], stages
    with a.connect("host", user=1001) as connection:
        assert connection.is_closed()
    assert "closed: a peer that is not allowed on the host socket" in a.log()


def end_of_a_key_is_printed():
    a, _ = _guest(EXC_DEBUG="1")
    a.push(ttl=1)
    wait_until(lambda: NAME + "expired: a key of grant " in a.log(), "the key has expired")


def no_line_holds_what_was_sent():
    a, signer = _guest(EXC_DEBUG="1")
    one = agent.key()
    with a.connect("host") as connection:
        challenge = connection.call("Hello")["challenge"]
        envelope = signer.push([one], challenge=challenge, principal="carol", requestId="r-1")
        connection.call("Push", {"envelope": envelope})
        refused = refusal(connection.call, "Push", {"envelope": signer.push([one], user="x\nforged: line")})
    assert refused.error == "NoSuchUser"
    log = a.log()
    assert "stored" in log
    payload = json.loads(base64.b64decode(envelope["payload"]))
    for text in (one.split()[1], challenge, payload["jti"], envelope["payload"], envelope["signatures"][0]["sig"],
                 "carol", "r-1", "forged"):
        assert text not in log, text


def nothing_is_printed_without_being_asked_for():
    for environment in {}, {"EXC_DEBUG": "0"}, {"EXC_DEBUG": ""}:
        a, _ = _guest(**environment)
        a.push()
        assert a.log() == ""


def verbose_prints_the_same_stages():
    a = Agent()
    a.stop()
    command = [
        "setpriv", "--reuid=exc-instance-connect", "--regid=exc-instance-connect", "--clear-groups", "--",
        agent.WORLD / "bin/exc-instance-connect-agent", "--runtime-dir", a.store, "--config-dir", a.config.parent]
    for option, printed in ([], False), (["--verbose"], True):
        done = subprocess.run([*command, *option], stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 6
        assert (f"{NAME}configuration: loaded from {a.config.parent}\n" in done.stderr) == printed
