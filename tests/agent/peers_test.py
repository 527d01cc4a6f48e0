# SPDX-License-Identifier: Apache-2.0
"""Which peers may connect to which socket, and what is answered there."""

import contextlib
import pwd
import re
import socket
import time

import agent
from agent import Agent, Closed, MESSAGE_MAX, RELAY_USER, message, refusal

WRONG_USERS = [pwd.getpwnam(name).pw_uid for name in ("alice", "nobody", "exc-instance-connect", "exc-authorized-keys")]


def _is_closed_at_once(a, name, user):
    """Whether the connection is closed before a byte is read and without a reply."""
    with a.connect(name, user) as connection:
        with contextlib.suppress(BrokenPipeError):
            connection.send(message("Hello"))
            connection.send(message("PushLocal", {"user": "alice", "keys": agent.keys(1)}))
        return connection.is_closed()


def admin_socket_is_for_root():
    a = Agent()
    for user in [*WRONG_USERS, RELAY_USER.pw_uid]:
        assert _is_closed_at_once(a, "admin", user), user
        assert f"administration socket: user id {user} is not allowed" in a.log()
    assert a.stored() == set()
    with a.connect("admin", 0) as connection:
        connection.call("Hello")


def host_socket_is_for_the_relay():
    a = Agent()
    for user in [*WRONG_USERS, 0]:
        assert _is_closed_at_once(a, "host", user), user
        assert f"host socket: user id {user} is not allowed" in a.log()
    with a.connect("host", RELAY_USER.pw_uid) as connection:
        connection.call("Hello")


def wrong_peers_take_no_slot():
    a = Agent()
    for name, wrong_user in ("admin", WRONG_USERS[0]), ("host", 0):
        kept = [a.connect(name) for _ in range(16)]
        for connection in kept:
            connection.call("Hello")
        # A silent connection is closed for another one, but only for an allowed peer.
        time.sleep(0.3)
        for _ in range(40):
            assert _is_closed_at_once(a, name, wrong_user)
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


def wrong_peers_do_not_flood_the_journal():
    a = Agent()
    for _ in range(500):
        with a.connect("admin", WRONG_USERS[0]):
            pass
    a.stop()
    noted = a.log().count("is not allowed here")
    assert 1 <= noted <= 60
    # What is not logged is counted.
    counts = re.findall(r"(\d+) more refusals or closed connections on this socket were not logged", a.log())
    assert len(counts) <= noted + 1
    assert noted + sum(map(int, counts)) == 500


def local_methods_are_refused_on_the_host_socket():
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


def untrusted_comes_before_any_parsing():
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


def unsigned_push_needs_a_trusted_channel():
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


def given_signature_must_be_good_everywhere():
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


def hello_returns_sync_unchanged():
    a = Agent()
    for name in "admin", "host":
        with a.connect(name) as connection:
            for sync in "", "s", "é😀\u2028\"\\\n\u0001", "x" * 15000, None:
                assert connection.call("Hello", {"sync": sync})["sync"] == sync
            assert connection.call("Hello").get("sync") is None


def each_hello_has_its_own_challenge():
    with Agent().connect("host") as connection:
        challenges = {connection.call("Hello")["challenge"] for _ in range(200)}
        assert len(challenges) == 200


def host_socket_survives_a_malformed_call():
    with Agent().connect("host") as connection:
        for n, text in enumerate((
            b"{", b"x", b"[" * 16000, b'{"method":1}', b"\xff\xfe\xfd", b"{}" * 5000, message("Hello")[:-2],
            b'{"a":1,"a":2}',
        )):
            connection.send(text + b"\0" + message("Hello", {"sync": str(n)}))
            assert connection.reply()["sync"] == str(n)


def host_socket_survives_a_long_message():
    with Agent().connect("host") as connection:
        for length in MESSAGE_MAX + 1, MESSAGE_MAX + 100, 5 * MESSAGE_MAX:
            connection.send(b"x" * (length - 1) + b"\0" + message("Hello", {"sync": str(length)}))
            assert refusal(connection.reply).error == "TooLarge"
            assert connection.reply()["sync"] == str(length)


def nul_ends_half_a_message():
    with Agent().connect("host") as connection:
        connection.send(message("PushLocal", {"user": "alice", "keys": agent.keys(1)})[:50])
        connection.send(b"\0" + message("Hello", {"sync": "new"}))
        assert connection.reply()["sync"] == "new"


def full_host_socket_does_not_affect_the_admin_socket():
    a = Agent("")  # with the default RateLimit
    flood = []
    for n in range(500):
        connection = a.connect("host")
        flood.append(connection)
        # Each is never silent long enough to be closed, and leaves its replies unread.
        connection.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            connection.send(message("Push", {"envelope": None}) * 50 + message("Hello")[:20])
        if n % 10 == 0:
            assert a.push(user=f"many{n // 10 + 1}")["duplicate"] is False
    with a.connect() as connection:
        assert len(agent.list_all(connection)) == 50
        assert connection.call("RevokeLocal") == {"revoked": 50}


NO_SOCKET = 6  # for the unit's RestartPreventExitStatus=


def _refuses_to_start(sockets, *logged, kind=socket.SOCK_STREAM, status=1):
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
    for text in logged:
        assert text in a.log(), a.log()
    assert len(a.log().splitlines()) <= 2, a.log()


def start_fails_without_a_socket():
    _refuses_to_start((), "none was passed", "exc-instance-connect.socket", status=NO_SOCKET)


def start_fails_with_an_unknown_socket_name():
    _refuses_to_start(("connection",), '"connection"', '"admin", "host" or "metadata"')
    _refuses_to_start(("admin", "Host"), '"Host"')
    _refuses_to_start(("",), '""')


def start_fails_with_another_kind_of_socket():
    _refuses_to_start(("admin",), '"admin"', "stream", kind=socket.SOCK_DGRAM)


def start_fails_with_too_many_sockets():
    _refuses_to_start(("admin",) * 9, "9 were passed", "at most 8")
