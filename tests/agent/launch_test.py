# SPDX-License-Identifier: Apache-2.0
"""Launch keys: the metadata socket, and what the agent does with what comes by it."""

import contextlib
import os
import pwd
import signal

import agent
from agent import Agent, fingerprint, given, key, keys, log_in, refusal, wait_until

RECEIVED = "4d98dd3b9620683e69dcd86ee36d8165"
REVOKED = "7e857319e0894775b0986464c3a3ebd5"
MAX_AGE_S = 600


def _agent(*settings, **more):
    a = Agent(sockets=("admin", "host", "metadata"), **more)
    a.configure_metadata("User=alice", f"MaxAge={MAX_AGE_S}", *settings)
    return a


def socket_is_for_its_user_alone():
    a = _agent()
    for name in "root", "alice", "exc-instance-connect", "exc-authorized-keys", "exc-instance-connect-relay":
        uid = pwd.getpwnam(name).pw_uid
        with a.connect("metadata", uid) as connection:
            assert connection.is_closed(), name
        assert f"metadata socket: user id {uid} is not allowed" in a.log()
    for name in "admin", "host":
        with a.connect(name, agent.METADATA_USER.pw_uid) as connection:
            assert connection.is_closed(), name
    assert a.launch(keys(1))["user"] == "alice"


def launch_key_lets_in_until_it_is_gone():
    a, chosen = _agent(), keys(3)
    answer = a.launch(chosen)
    assert answer == {"user": "alice", "fingerprints": [fingerprint(text) for text in chosen], "expiresIn": MAX_AGE_S}
    # Any number of connections.
    for text in chosen * 2:
        assert given(log_in(a.store, "alice", text), text) == 2
    assert given(log_in(a.store, "bob", chosen[0]), chosen[0]) == 0
    a.launch(chosen[1:])
    assert given(log_in(a.store, "alice", chosen[0]), chosen[0]) == 0
    for text in chosen[1:]:
        assert given(log_in(a.store, "alice", text), text) == 2
    a.launch([])
    assert given(log_in(a.store, "alice", chosen[1]), chosen[1]) == 0
    assert a.stored() == set()


def connection_that_has_the_key_gets_it_across_a_refresh():
    """sshd asks twice, and refreshes come in between."""
    a, text = _agent(), key()
    a.launch([text])
    with a.connect("metadata") as refresh:
        for _ in range(20):
            connections = [log_in(a.store, "alice", text) for _ in range(5)]
            while any(connection.poll() is None for connection in connections):
                refresh.call("SetLaunchKeys", {"keys": [text]})
            assert [given(connection, text) for connection in connections] == [2] * 5


def list_and_status_say_where_a_key_is_from():
    a, launched, pushed = _agent(), key(), key()
    a.launch([launched])
    a.push([pushed], user="bob")
    rows = {row["fingerprint"]: row for row in a.listed()}
    row = rows[fingerprint(launched)]
    assert (row["user"], row["origin"], row["principal"]) == ("alice", "metadata", "metadata service"), row
    assert row["connections"] == 0 and MAX_AGE_S - 60 < row["expiresIn"] <= MAX_AGE_S, row
    row = rows[fingerprint(pushed)]
    assert (row["origin"], row["principal"]) == ("push", None), row
    status = a.ask("Status")
    assert (status["keys"], status["launchKeys"]) == (2, 1), status


def events_are_of_changes_alone():
    a, chosen = _agent(journal=True), keys(2)
    for _ in range(5):
        a.launch(chosen)
    a.launch(chosen[:1])
    gone = a.events_of(REVOKED)
    assert len(gone) == 1 and gone[0]["EXC_FINGERPRINT"] == fingerprint(chosen[1]), gone
    assert "the metadata service no longer has it" in gone[0]["MESSAGE"], gone
    stored = a.events_of(RECEIVED, 2)
    assert [one["EXC_FINGERPRINT"] for one in stored] == [fingerprint(text) for text in chosen], stored
    assert all(one["EXC_PRINCIPAL"] == "metadata service" for one in stored + gone)


def revocation_drops_launch_keys_until_the_next_set():
    a, text = _agent(), key()
    a.launch([text])
    assert a.ask("RevokeLocal", {"user": "alice"}) == {"revoked": 1}
    assert given(log_in(a.store, "alice", text), text) == 0
    a.launch([text])
    assert given(log_in(a.store, "alice", text), text) == 2


def full_store_of_pushes_has_room_for_launch_keys():
    a, text = _agent(), key()
    agent.fill(a, ["alice"], ttl=300)
    assert refusal(a.push).error == "StoreFull"
    a.launch([text, *keys(15)])
    assert given(log_in(a.store, "alice", text), text) == 2
    assert a.ask("RevokeLocal", {"fingerprint": fingerprint(text)}) == {"revoked": 1}


def without_configuration_the_socket_takes_nothing():
    a = Agent(sockets=("admin", "metadata"))
    assert refusal(a.launch, keys(1)).error == "PermissionDenied"
    (a.config.parent / "metadata.conf").write_text("[Metadata]\nUser=alice\n")
    os.chmod(a.config.parent / "metadata.conf", 0o666)
    assert refusal(a.launch, keys(1)).error == "StorageFailure"
    assert a.stored() == set()


def agent_leaves_while_a_launch_key_lives():
    a, text = _agent(), key()
    a.launch([text])
    assert a.wait() == 0
    assert given(log_in(a.store, "alice", text), text) == 2
    # As systemd starts it for the next connection.
    a.start()
    assert [row["fingerprint"] for row in a.listed()] == [fingerprint(text)]


agent_leaves_while_a_launch_key_lives.slow = True


def keys_survive_an_agent_that_is_killed_and_are_one_set():
    a, chosen = _agent(), keys(4)
    a.launch(chosen)
    a.kill()
    a.start()
    a.launch(chosen[2:])
    assert {name for _, name, _ in a.keys()} == {agent.fingerprint_name(text) for text in chosen[2:]}
    assert len(a.claims()) == 2


def agent_that_is_killed_within_a_set_leaves_no_key_that_the_next_one_does_not_have():
    a = Agent(sockets=("admin", "metadata"), preload=agent.KILL_AT, TEST_KILL_AT="20")
    a.configure_metadata("User=alice")
    chosen = keys(12)
    with contextlib.suppress(agent.Closed, OSError):
        a.launch(chosen)
    assert a.process.wait() == -signal.SIGKILL
    assert 0 < len(a.keys()) < 12
    a.start(TEST_KILL_AT="0")
    a.launch(chosen[:3])
    wait_until(lambda: len(a.keys()) == 3, "only those of the last set are stored")
    assert {name for _, name, _ in a.keys()} == {agent.fingerprint_name(text) for text in chosen[:3]}
    assert len(a.claims()) == 3


def instance_id_is_learnt_where_it_is_configured():
    a = _agent()
    with a.connect("metadata") as connection:
        assert refusal(connection.call, "SetInstanceId", {"id": "i-0000002a"}).error == "PermissionDenied"
        assert connection.call("SetLaunchKeys", {"keys": []})["fingerprints"] == []
    assert a.ask("Status")["instance"] is None
    a.configure_metadata("InstanceId=yes")
    with a.connect("metadata") as connection:
        assert connection.call("SetInstanceId", {"id": "i-0000002a"}) == {}
    assert a.ask("Status")["instance"] == "i-0000002a"
    a.kill()
    a.start()
    assert a.ask("Status")["instance"] == "i-0000002a"
    (a.config.parent / "instance-id").write_text("i-configured\n")
    assert a.ask("Status")["instance"] == "i-configured"
