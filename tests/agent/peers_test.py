# SPDX-License-Identifier: Apache-2.0
"""Who may connect to which socket, and what is answered there."""

import contextlib
import pwd
import re
import socket
import time

import agent
from agent import Agent, Closed, MESSAGE_MAX, RELAY_USER, message, refusal

STRANGERS = [pwd.getpwnam(name).pw_uid for name in ("alice", "nobody", "exc-instance-connect", "exc-authorized-keys")]


def _is_shut_out(a, name, user):
    """Closed before a byte is read: the agent does not know what is sent, and says nothing."""
    with a.connect(name, user) as connection:
        with contextlib.suppress(BrokenPipeError):
            connection.send(message("Hello"))
            connection.send(message("PushLocal", {"user": "alice", "keys": agent.keys(1)}))
        return connection.is_closed()


def only_root_may_use_the_administration_socket():
    a = Agent()
    for user in [*STRANGERS, RELAY_USER.pw_uid]:
        assert _is_shut_out(a, "admin", user), user
        assert f"administration socket: user id {user} is not allowed" in a.log()
    assert a.stored() == set()
    with a.connect("admin", 0) as connection:
        connection.call("Hello")


def only_the_relay_may_use_the_host_socket():
    a = Agent()
    for user in [*STRANGERS, 0]:
        assert _is_shut_out(a, "host", user), user
        assert f"host socket: user id {user} is not allowed" in a.log()
    with a.connect("host", RELAY_USER.pw_uid) as connection:
        connection.call("Hello")


def strangers_take_no_place_from_anybody():
    a = Agent()
    for name, stranger in ("admin", STRANGERS[0]), ("host", 0):
        kept = [a.connect(name) for _ in range(16)]
        for connection in kept:
            connection.call("Hello")
        # One that is silent gives way, but only to somebody who may come in.
        time.sleep(0.3)
        for _ in range(40):
            assert _is_shut_out(a, name, stranger)
        assert all(_is_open(connection) for connection in kept)
        time.sleep(0.3)
        with a.connect(name) as connection:
            connection.call("Hello")
        assert sum(_is_open(connection) for connection in kept) == 15


def _is_open(connection):
    with contextlib.suppress(Closed, BrokenPipeError):
        connection.call("Hello")
        return True
    return False


def a_flood_of_strangers_is_no_flood_in_the_journal():
    a = Agent()
    for _ in range(500):
        with a.connect("admin", STRANGERS[0]):
            pass
    a.stop()
    noted = a.log().count("is not allowed here")
    assert 1 <= noted <= 60
    # What is left out is at least counted.
    counts = re.findall(r"(\d+) more refusals or closed connections on this socket were not logged", a.log())
    assert len(counts) <= noted + 1
    assert noted + sum(map(int, counts)) == 500


def pushing_and_listing_are_not_for_the_host_socket():
    a = Agent()
    a.push()
    before = a.stored()
    with a.connect("host") as connection:
        for method, parameters in (
            ("PushLocal", {"user": "alice", "keys": agent.keys(1)}), ("PushLocal", {}), ("PushLocal", {"user": 1}),
            ("RevokeLocal", {}), ("RevokeLocal", {"user": "alice"}), ("RevokeLocal", {"x": 1}), ("List", {}),
            ("List", {"user": 1}),
        ):
            assert refusal(connection.call, method, parameters).error == "PermissionDenied", method
    assert a.stored() == before
    assert a.log().count("PermissionDenied") == 8


def without_a_trusted_key_the_host_is_told_nothing_but_that():
    a = Agent()
    signer = agent.Signer()
    a.push()
    before = a.stored()
    with a.connect("host") as connection:
        for method, right in ("Push", signer.push(agent.keys(1))), ("Revoke", signer.revoke(all=True)):
            for parameters in (
                {"envelope": right}, {"envelope": agent.unsigned(right)}, {"envelope": {"payloadType": "x"}},
                {"envelope": None}, {}, {"x": 1}, None,
            ):
                assert refusal(connection.call, method, parameters).error == "Untrusted"
    assert a.stored() == before


def an_unsigned_push_is_taken_only_where_no_signature_is_needed():
    signer = agent.Signer()
    for settings, names in ("", {"admin"}), ("Trust=channel", {"admin", "host"}):
        a = Agent(f"RateLimit=0\n{settings}", preload=agent.CLOCK, TEST_CLOCK="synchronised")
        a.trust(signer)
        for name, user in ("admin", "bob"), ("host", "carol"):
            push = agent.unsigned(signer.push(agent.keys(1), user=user))
            revocation = agent.unsigned(signer.revoke(user=user))
            with a.connect(name) as connection:
                if name in names:
                    assert connection.call("Push", {"envelope": push})["user"] == user
                    assert connection.call("Revoke", {"envelope": revocation}) == {"revoked": 1}
                else:
                    for method, envelope in ("Push", push), ("Revoke", revocation):
                        assert refusal(connection.call, method, {"envelope": envelope}).error == "Untrusted"
        assert a.stored() == set()


def a_signature_that_is_there_must_be_good_wherever_it_comes_from():
    a = Agent("RateLimit=0\nTrust=channel", preload=agent.CLOCK, TEST_CLOCK="synchronised")
    signer = agent.Signer()
    forged = agent.Signer().push(agent.keys(1))
    for name in "admin", "host":
        with a.connect(name) as connection:
            # Nothing to verify it with.
            assert refusal(connection.call, "Push", {"envelope": forged}).error == "Untrusted"
    a.trust(signer)
    for name in "admin", "host":
        with a.connect(name) as connection:
            assert refusal(connection.call, "Push", {"envelope": forged}).error == "BadSignature"
            assert connection.call("Push", {"envelope": signer.push(agent.keys(1), user="bob")})["duplicate"] is False
    assert {user for user, _, _ in a.keys()} == {"bob"}


def hello_brings_its_sync_back_unchanged():
    a = Agent()
    for name in "admin", "host":
        with a.connect(name) as connection:
            for sync in "", "s", "é😀\u2028\"\\\n\u0001", "x" * 15000, None:
                assert connection.call("Hello", {"sync": sync})["sync"] == sync
            assert connection.call("Hello").get("sync") is None


def each_hello_has_a_challenge_of_its_own():
    with Agent().connect("host") as connection:
        challenges = {connection.call("Hello")["challenge"] for _ in range(200)}
        assert len(challenges) == 200


def on_the_host_socket_what_is_no_call_is_dropped_and_the_connection_stays():
    with Agent().connect("host") as connection:
        for n, text in enumerate((
            b"{", b"x", b"[" * 16000, b'{"method":1}', b"\xff\xfe\xfd", b"{}" * 5000, message("Hello")[:-2],
            b'{"a":1,"a":2}',
        )):
            connection.send(text + b"\0" + message("Hello", {"sync": str(n)}))
            assert connection.reply()["sync"] == str(n)


def on_the_host_socket_what_is_too_long_is_dropped_and_the_connection_stays():
    with Agent().connect("host") as connection:
        for length in MESSAGE_MAX + 1, MESSAGE_MAX + 100, 5 * MESSAGE_MAX:
            connection.send(b"x" * (length - 1) + b"\0" + message("Hello", {"sync": str(length)}))
            assert refusal(connection.reply).error == "TooLarge"
            assert connection.reply()["sync"] == str(length)


def a_nul_ends_what_a_predecessor_left_half_written():
    with Agent().connect("host") as connection:
        connection.send(message("PushLocal", {"user": "alice", "keys": agent.keys(1)})[:50])
        connection.send(b"\0" + message("Hello", {"sync": "new"}))
        assert connection.reply()["sync"] == "new"


def a_flood_on_the_host_socket_leaves_the_administrator_s_alone():
    a = Agent("")  # with the default RateLimit
    flood = []
    for n in range(500):
        connection = a.connect("host")
        flood.append(connection)
        # Each as busy as can be: never silent long enough to have to give way, and its replies unread.
        connection.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            connection.send(message("Push", {"envelope": None}) * 50 + message("Hello")[:20])
        if n % 10 == 0:
            assert a.push(user=f"many{n // 10 + 1}")["duplicate"] is False
    with a.connect() as connection:
        assert len(agent.list_all(connection)) == 50
        assert connection.call("RevokeLocal") == {"revoked": 50}


NO_SOCKET = 6  # for the unit's RestartPreventExitStatus=


def _refuses_to_start(sockets, *said, kind=socket.SOCK_STREAM, status=1):
    a = Agent(sockets=())
    assert a.wait() == NO_SOCKET
    a.names = sockets
    a.listeners = []
    for n in range(len(sockets)):
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(str(a.dir / f"{n}.sock"))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        a.listeners.append(listener)
    a.log_path.write_text("")
    a.start()
    assert a.wait() == status
    for text in said:
        assert text in a.log(), a.log()
    assert len(a.log().splitlines()) <= 2, a.log()


def without_a_socket_it_does_not_start():
    _refuses_to_start((), "none was passed", "exc-instance-connect.socket", status=NO_SOCKET)


def with_a_socket_of_an_unknown_name_it_does_not_start():
    _refuses_to_start(("connection",), '"connection"', '"admin" or "host"')
    _refuses_to_start(("admin", "Host"), '"Host"')
    _refuses_to_start(("",), '""')


def with_a_socket_of_another_kind_it_does_not_start():
    _refuses_to_start(("admin",), '"admin"', "stream", kind=socket.SOCK_DGRAM)


def with_too_many_sockets_it_does_not_start():
    _refuses_to_start(("admin",) * 9, "9 were passed", "at most 8")
