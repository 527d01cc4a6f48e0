# SPDX-License-Identifier: Apache-2.0
"""A user is the account that the name service has, under each of its names."""

import os
import pathlib

import agent
from agent import Agent, Signer, keys, refusal

NAMES = ("dana", "DANA", "dana@corp.example")
ACCOUNT = NAMES[-1]


def _agent(**more):
    a = Agent(preload=f"{agent.NAME_SERVICE}:{agent.CLOCK}", TEST_CLOCK="synchronised", **more)
    signer = Signer()
    a.trust(signer)
    return a, signer


def push_is_stored_under_the_account_name():
    a, signer = _agent()
    for name in NAMES:
        assert a.push(user=name)["user"] == ACCOUNT
        assert a.send("Push", signer.push(keys(1), user=name))["user"] == ACCOUNT
    assert {user for user, _, _ in a.keys()} == {"dana%40corp.example"}


def local_revocation_means_the_account():
    a, _ = _agent()
    for pushed in NAMES:
        for revoked in NAMES:
            chosen = agent.key()
            a.push([chosen], user=pushed)
            a.push(user="alice")
            assert a.ask("RevokeLocal", {"user": "alice", "fingerprint": agent.fingerprint(chosen)}) == {"revoked": 0}
            assert a.ask("RevokeLocal", {"user": revoked, "fingerprint": agent.fingerprint(chosen)}) == {"revoked": 1}
            a.push(user=pushed)
            assert a.ask("RevokeLocal", {"user": revoked}) == {"revoked": 1}
            assert a.ask("RevokeLocal", {"user": "alice"}) == {"revoked": 1}
    assert a.stored() == set()


def signed_revocation_means_the_account():
    a, signer = _agent()
    for pushed in NAMES:
        for revoked in NAMES:
            a.push(user=pushed)
            held_back = signer.push(keys(1), user=pushed)
            assert a.send("Revoke", signer.revoke(user=revoked)) == {"revoked": 1}
            assert a.stored() == set()
            for _ in range(2):
                assert refusal(a.send, "Push", held_back).error == "Expired"
                a.stop()
                a.start()


def list_means_the_account():
    a, _ = _agent()
    a.push(user="alice")
    a.push(user="dana")
    for name in NAMES:
        assert [row["user"] for row in a.listed(user=name)] == [ACCOUNT]
    assert [row["user"] for row in a.listed(user="alice")] == ["alice"]
    assert a.listed(user="nobody-of-that-name") == []


def deleted_user_can_be_revoked_and_listed():
    a, signer = _agent()
    passwd = pathlib.Path("/etc/passwd")
    for revoke in (lambda: a.ask("RevokeLocal", {"user": "gone"}),
                   lambda: a.send("Revoke", signer.revoke(user="gone"))):
        before = passwd.stat().st_size
        with passwd.open("a") as file:
            file.write("gone:x:1902:1902::/nonexistent:/bin/false\n")
        a.push(user="gone")
        # Not written again: other tests look their users up in it at the same time.
        os.truncate(passwd, before)
        assert refusal(a.push, user="gone").error == "NoSuchUser"
        assert len(a.listed(user="gone")) == 1
        assert revoke() == {"revoked": 1}
        assert a.stored() == set()


def revocation_without_a_name_service_drops_keys():
    marker = agent.WORLD / "tests/name-service-fails"
    a, signer = _agent(NAME_SERVICE_FAILS=str(marker))
    a.push(user="dana")
    marker.touch()
    for refused in (refusal(a.ask, "RevokeLocal", {"user": "dana"}),
                    refusal(a.send, "Revoke", signer.revoke(user="dana")), refusal(a.ask, "List", {"user": "dana"})):
        assert refused.error == "StorageFailure"
        assert "dana" in refused.parameters["message"]
    # The name itself needs no lookup.
    assert len(a.listed(user=ACCOUNT)) == 1
    assert a.ask("RevokeLocal", {"user": ACCOUNT}) == {"revoked": 1}
    marker.unlink()
    assert a.ask("RevokeLocal", {"user": "dana"}) == {"revoked": 0}


def keys_are_dropped_before_the_lookup():
    a, signer = _agent()
    a.push(user="late")
    with a.connect("host") as host:
        host.send_call("Revoke", {"envelope": signer.revoke(user="late")})
        agent.wait_until(lambda: a.stored() == set(), "the key is gone")
        assert host.reply() == {"revoked": 1}


def lookup_timeout_is_a_failure():
    a, signer = _agent()
    with a.connect("host") as host:
        host.send_call("Revoke", {"envelope": signer.revoke(user="hang")})
        assert "timed out" in refusal(host.reply).parameters["message"]
