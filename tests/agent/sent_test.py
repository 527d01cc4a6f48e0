# SPDX-License-Identifier: Apache-2.0
"""What a peer sends becomes no anchor, no instance id, no option text and no path."""

import os

import agent
from agent import INSTANCE, Agent, Signer, given, key, keys, log_in, refusal

HOSTILE = "../../../etc/shadow", "/etc/passwd", "..", "a/../../b", "%2e%2e%2f", "x\\n../y"


def _guest(signer):
    a = Agent(preload=agent.CLOCK, TEST_CLOCK="synchronised")
    a.trust(signer)
    return a


def _configuration(a):
    found = {}
    for root, _, files in os.walk(a.config.parent):
        for name in files:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                found[path] = file.read()
    return found


def nothing_sent_becomes_an_anchor():
    trusted, other = Signer(), Signer()
    a = _guest(trusted)
    before = _configuration(a)
    pem = other.anchor().decode()
    # As a hint beside a good signature, and as members of a payload with one.
    hinted = trusted.push(keys(1))
    hinted["signatures"][0]["keyid"] = pem
    assert a.send("Push", hinted)["duplicate"] is False
    a.send("Push", trusted.push(keys(1), anchors=[pem], anchor=pem, trust="channel", principal=pem.split("\n")[1]))
    hinted = other.push(keys(1))
    hinted["signatures"][0]["keyid"] = pem
    assert refusal(a.send, "Push", hinted).error == "BadSignature"
    assert refusal(a.send, "Push", other.push(keys(1))).error == "BadSignature"
    assert a.ask("Status")["anchors"] == 1
    a.stop()
    a.start()
    assert refusal(a.send, "Push", other.push(keys(1))).error == "BadSignature"
    assert _configuration(a) == before


def nothing_sent_becomes_the_instance_id():
    signer = Signer()
    a = _guest(signer)
    before, other = a.ask("Hello")["instance"], "exc:compute:instance/i-other"
    a.send("Push", signer.push(keys(1), instance=other, instanceId=other, requestId=other))
    assert refusal(a.send, "Push", signer.push(keys(1), aud=other)).error == "WrongInstance"
    with a.connect("host") as connection:
        connection.call("Hello", {"sync": other})
    assert refusal(a.send, "Push", signer.push(keys(1), aud=other)).error == "WrongInstance"
    os.unlink(a.config.parent / "instance-id")
    # A guest that has lost its id takes none from a peer that knows it.
    for aud in f"exc:compute:instance/{INSTANCE}", other, "exc:compute:instance/", "":
        assert refusal(a.send, "Push", signer.push(keys(1), aud=aud)).error == "WrongInstance"
    assert before and a.ask("Hello")["instance"] is None


def nothing_sent_becomes_an_option():
    signer, text = Signer(), key()
    a = _guest(signer)
    option = 'command="touch /tmp/x",environment="A=b"'
    for wrong in f"{option} {text}", f"{text} {option}", f"{text}\n{option} {text}", f"restrict {text}":
        assert refusal(a.send, "Push", signer.push([wrong])).error == "KeyRejected", wrong
    for wrong in (
        f'192.0.2.1",{option}', '192.0.2.1"', "192.0.2.1,10.0.0.1", "*", "192.0.2.1 ", "example.org", "!192.0.2.1",
    ):
        assert refusal(a.send, "Push", signer.push([text], source=[wrong])).error == "InvalidPayload", wrong
    assert a.stored() == set()
    a.send("Push", signer.push([text], principal=option, requestId=option, options=option, command="sh", restrict=True,
                               source=["192.0.2.0/24", "2001:db8::1"], **{"from": "0.0.0.0/0"}))
    assert given(log_in(a.store, "alice", text), f'restrict,pty,from="192.0.2.0/24,2001:db8::1" {text}') == 2


def nothing_sent_becomes_a_path():
    signer = Signer()
    a = _guest(signer)
    before = _configuration(a)
    for hostile in HOSTILE:
        padded = hostile.ljust(16, ".")
        assert refusal(a.send, "Push", signer.push(keys(1), user=hostile)).error == "NoSuchUser", hostile
        a.send("Push", signer.push(keys(1), jti=padded, principal=hostile, requestId=hostile))
        assert refusal(a.send, "Revoke", signer.revoke(fingerprint=hostile)).error == "InvalidPayload", hostile
        assert a.send("Revoke", signer.revoke(user=hostile)) == {"revoked": 0}
    # The store has the directories and files of those grants, and nothing else was written.
    assert len(a.keys()) == len(a.claims()) == len(HOSTILE)
    assert {user for user, *_ in a.keys() | a.claims()} == {"alice"}
    assert len(a.stored()) == 2 + 3 * len(HOSTILE)
    assert _configuration(a) == before
