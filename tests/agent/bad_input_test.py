# SPDX-License-Identifier: Apache-2.0
"""Bad input: nothing is stored, other peers do not wait, and memory does not grow."""

import contextlib
import json
import random
import socket
import time

import agent
from agent import Agent, Closed, INTERFACE, MESSAGE_MAX, message, refusal, wait_until

# Sanitizers have bookkeeping of their own, which grows with each address that was ever used.
SANITIZED = b"__asan_init" in (agent.WORLD / "bin/exc-instance-connect-agent").read_bytes()
MEMORY_GROWTH_KIB = (24 if SANITIZED else 6) * 1024

HELLO = message("Hello", {"sync": "s"})

# Messages that are not a call.
NO_CALLS = [
    b"{",
    b"x",
    b"null",
    b"17",
    b'"text"',
    b"[]",
    b"{}",
    b" ",
    b"\xef\xbb\xbf" + HELLO[:-1],
    HELLO[:-2],
    HELLO[1:-1],
    HELLO[:-1] + b"x",
    HELLO[:-1] + HELLO[:-1],
    b'{"method":null}',
    b'{"method":17}',
    b'{"method":""}',
    b'{"method":["in.excloud.InstanceConnect.Hello"]}',
    b'{"method":"in.excloud.InstanceConnect.Hello\\u0000"}',
    b'{"method":"in.excloud.InstanceConnect.Hello","method":"in.excloud.InstanceConnect.Status"}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":"a","sync":"b"}}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":"\xff\xfe"}}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":"\xc0\xaf"}}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":"\xed\xa0\x80"}}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":"\\ud800"}}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":"\\u0000"}}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"a\\u0000b":1}}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":[]}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":"x"}',
    b'{"method":"in.excloud.InstanceConnect.Hello","more":1}',
    b'{"method":"in.excloud.InstanceConnect.Hello","oneway":"true"}',
    b'{"method":"in.excloud.InstanceConnect.Hello","more":true,"oneway":true}',
    b'{"method":"in.excloud.InstanceConnect.Hello","upgrade":1}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":1e999}}',
    b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":123456789012345678901234567890}}',
    b"[" * (MESSAGE_MAX - 1),
    b'{"a":' * 3000,
    b"[" * 8000 + b"]" * 8000,
]


def _padded(call, length):
    """The same call, padded to that length with its NUL."""
    return call[:-1] + b" " * (length - len(call)) + b"\0"


def _nested(depth):
    """A call with `depth` levels of brackets."""
    value = "x"
    for _ in range(depth - 2):
        value = [value]
    return message("Hello", {"sync": value})


def _memory_stays(a, before):
    grown = a.memory_kib() - before
    assert grown < MEMORY_GROWTH_KIB, f"{grown} KiB more than before"


def longest_message_is_taken():
    with Agent().connect() as connection:
        for length in len(HELLO), MESSAGE_MAX - 1, MESSAGE_MAX:
            connection.send(_padded(HELLO, length))
            assert connection.reply()["sync"] == "s"


def longer_message_is_too_large():
    a = Agent()
    for length in MESSAGE_MAX + 1, MESSAGE_MAX + 2, 3 * MESSAGE_MAX:
        with a.connect() as connection:
            connection.send(_padded(HELLO, length) + HELLO)
            assert refusal(connection.reply).error == "TooLarge"
            assert connection.is_closed()


def unknown_member_is_answered_and_nothing_is_carried_out():
    a = Agent()
    for name, value in ("upgrade", True), ("later", None), ("Method", "x"), ("", {}), ("n" * 9000, [1.5]):
        with a.connect() as connection:
            call = {"method": f"{agent.INTERFACE}.PushLocal", "parameters": {"user": "alice", "keys": agent.keys(1)}}
            connection.send(json.dumps({**call, name: value}).encode() + b"\0")
            refused = refusal(connection.reply)
            assert refused.error == "org.varlink.service.InvalidParameter", refused.error
            assert refused.parameters == {"parameter": name}
            # The connection stays.
            assert connection.call("Status")["keys"] == 0
            connection.send(json.dumps({**call, "upgrade": False}).encode() + b"\0")
            assert connection.reply()["user"] == "alice"
            assert connection.call("RevokeLocal", {"user": "alice"}) == {"revoked": 1}


def malformed_call_ends_the_connection():
    a = Agent()
    for text in NO_CALLS:
        with a.connect() as connection:
            push = message("PushLocal", {"user": "alice", "keys": agent.keys(1)})
            connection.send(text + b"\0" + push)
            assert connection.is_closed(), text[:100]
    assert a.stored() == set()


def calls_before_a_malformed_one_are_answered():
    with Agent().connect() as connection:
        connection.send(HELLO + b"{\0" + HELLO)
        assert connection.reply()["sync"] == "s"
        assert connection.is_closed()


def nesting_has_a_limit():
    a = Agent()
    with a.connect() as connection:
        connection.send(_nested(10))
        assert refusal(connection.reply).parameters == {"parameter": "sync"}
        connection.send(_nested(11))
        assert connection.is_closed()


def nuls_between_messages_are_skipped():
    with Agent().connect() as connection:
        connection.send(b"\0" * 50000 + HELLO + b"\0\0" + HELLO + b"\0")
        assert [connection.reply()["sync"] for _ in range(2)] == ["s", "s"]
        connection.send(b"\0" * 50000)
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.is_closed()


def nul_in_a_call_makes_it_malformed():
    a = Agent()
    push = message("PushLocal", {"user": "alice", "keys": agent.keys(1)})
    for at in range(1, len(push) - 1, 7):
        with a.connect() as connection:
            connection.send(push[:at] + b"\0" + push[at:])
            assert connection.is_closed()
    assert a.stored() == set()


def unknown_method_is_named():
    with Agent().connect() as connection:
        for method in (
            f"{INTERFACE}.Shutdown", f"{INTERFACE}.", f"{INTERFACE}.hello", f"{INTERFACE}.Hello.", INTERFACE, ".",
            "org.x.Y", "org.varlink.service.Nothing", f"{INTERFACE}.Hello ",
            'a."b\\\u2028\u0001', "x." + "y" * 15000, "é.😀",
        ):
            refused = refusal(connection.call, method)
            assert refused.error == "org.varlink.service.MethodNotFound"
            assert refused.parameters == {"method": method}
        # Without a dot, as message() would not send it.
        connection.send(json.dumps({"method": "Hello"}).encode() + b"\0")
        assert refusal(connection.reply).error == "org.varlink.service.MethodNotFound"


def parameter_of_a_wrong_type_is_named():
    anything = [
        None, True, False, 0, -1, 1, 3.5, 1e300, 2**63 - 1, -2**63, "", "x", [], [1], [None], {}, {"a": 1}, [[]],
    ]
    right = {"user": "alice", "keys": ["KEY"]}
    takes = {
        "user": lambda value: value == "x",
        "keys": lambda value: False,
        "ttl": lambda value: value is None or _is_number(value) and value >= 1,
        "connections": lambda value: value is None or _is_number(value) and 0 <= value <= 100,
        "source": lambda value: value is None,
        "restrict": lambda value: value is None or isinstance(value, bool),
        "principal": lambda value: value is None or isinstance(value, str),
        "requestId": lambda value: value is None or isinstance(value, str),
    }
    a = Agent()
    wrong = 0
    with a.connect() as connection:
        for name, takes_it in takes.items():
            for value in filter(lambda value: not takes_it(value), anything):
                call = {**right, "keys": agent.keys(1), name: value}
                refused = refusal(connection.call, "PushLocal", call)
                # Any text is parsed as a key, and this is none.
                if name == "keys" and value == ["x"]:
                    assert refused.error == "KeyRejected"
                else:
                    assert (refused.error, refused.parameters["field"]) == ("InvalidPayload", name), (name, value)
                wrong += 1
        for method, name in (
            ("Hello", "sync"), ("List", "user"), ("RevokeLocal", "user"), ("RevokeLocal", "fingerprint"),
            ("org.varlink.service.GetInterfaceDescription", "interface"),
        ):
            for value in anything[1:]:
                if not isinstance(value, str):
                    refused = refusal(connection.call, method, {name: value})
                    assert refused.error == "org.varlink.service.InvalidParameter", (method, value)
                    assert refused.parameters == {"parameter": name}
                    wrong += 1
        for method in "Push", "Revoke":
            for value in anything:
                assert refusal(connection.call, method, {"envelope": value}).error == "InvalidPayload", (method, value)
                wrong += 1
    assert wrong > 150
    assert a.stored() == set()


def malformed_envelope_is_refused():
    a = Agent("RateLimit=0\nTrust=channel")
    signer = agent.Signer()
    a.trust(signer)
    right = agent.unsigned(signer.push(agent.keys(1)))
    wrong = [
        {}, {"payload": right["payload"]}, {**right, "payload": ""}, {**right, "payload": "e30"},
        {**right, "payload": "=" + right["payload"]}, {**right, "payload": right["payload"] + "\n"},
        {**right, "payload": right["payload"].rstrip("=") + "!"}, {**right, "payload": "AAAA"}, {**right, "payload": 1},
        {**right, "payloadType": ""}, {**right, "payloadType": "x"}, {**right, "payloadType": None},
        {**right, "payloadType": right["payloadType"] + " "}, {**right, "payloadType": right["payloadType"].upper()},
        {**right, "signatures": {}}, {**right, "signatures": None}, {**right, "signatures": [1]},
        {**right, "signatures": [{}]}, {**right, "signatures": [{"sig": "x"}]}, {**right, "signatures": [{"sig": 1}]},
        {**right, "signatures": [{"sig": "AAAA"}] * 9}, agent.unsigned(signer.revoke(all=True)), [right], "x",
    ]
    for name in "admin", "host":
        with a.connect(name) as connection:
            for envelope in wrong:
                assert refusal(connection.call, "Push", {"envelope": envelope}).error == "InvalidPayload", envelope
            assert refusal(connection.call, "Revoke", {"envelope": right}).error == "InvalidPayload"
    assert a.stored() == set()


def _is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def missing_parameter_is_named():
    with Agent().connect() as connection:
        for parameters, name in (
            (None, "user"), ({}, "user"), ({"user": "alice"}, "keys"), ({"keys": agent.keys(1)}, "user"),
        ):
            assert refusal(connection.call, "PushLocal", parameters).parameters["field"] == name
        for parameters in None, {}, {"interface": None}:
            refused = refusal(connection.call, "org.varlink.service.GetInterfaceDescription", parameters)
            assert refused.parameters == {"parameter": "interface"}


def unknown_parameter_is_refused():
    a = Agent()
    a.push()
    before = a.stored()
    with a.connect() as connection:
        for name in "User", "users", "ttl ", "usér", "x" * 10000, "":
            refused = refusal(connection.call, "PushLocal", {"user": "bob", "keys": agent.keys(1), name: 1})
            assert refused.error == "InvalidPayload" and refused.parameters.get("field", "") == name[:63]
            refused = refusal(connection.call, "RevokeLocal", {name: "bob"})
            assert (refused.error, refused.parameters) == ("org.varlink.service.InvalidParameter", {"parameter": name})
        connection.call("Hello", {"sync": "s", "later": 1})
        connection.call("Status", {"later": [1]})
    assert a.stored() == before


def bad_value_is_refused():
    wrong = {
        "user": ["x" * 257, "x" * 15000],
        "keys": [agent.keys(9), agent.keys(100)],
        "ttl": [0, -1, -2**63],
        "connections": [101, -1, 256, 2**32, 2**63 - 1],
        "source": [
            ["10.0.0.1/8"], ["x"], [""], ["10.0.0.0/33"], ["10.0.0.1", 7], ["10.0.0.1"] * 17, ["10.0.0.1\""],
            ["::/0/0"],
        ],
        "principal": ["x" * 257, "a\nb", "a\x1b[31m", "\u202e", "\u0085"],
        "requestId": ["é" * 257, "\t", "\x7f"],
    }
    a = Agent()
    with a.connect() as connection:
        for name, values in wrong.items():
            for value in values:
                refused = refusal(connection.call, "PushLocal", {"user": "alice", "keys": agent.keys(1), name: value})
                assert (refused.error, refused.parameters["field"]) == ("InvalidPayload", name), (name, value)
    assert a.stored() == set()


def bad_key_is_rejected_by_its_index():
    one = agent.key()
    kind, blob = one.split()
    wrong = [
        "", " ", "x", kind, blob, f"{kind}  {blob}", f" {one}", f"{one} ", f"{one} comment", f"{one}\n",
        f"no-pty {one}", f"ssh-rsa {blob}", f"{kind} {blob[:-4]}", f"{kind} {blob}AAAA", f"{kind} {blob[:-1]}=",
        one + "\n" + one, "A" * 14000, f'command="id" {one}', f"{kind}-cert-v01@openssh.com {blob}",
        one.replace(" ", "\t"), "é", kind + " " + "A" * 14000,
    ]
    a = Agent()
    with a.connect() as connection:
        for text in wrong:
            refused = refusal(connection.call, "PushLocal", {"user": "alice", "keys": [agent.key(), text]})
            assert (refused.error, refused.parameters["index"]) == ("KeyRejected", 1), text
            assert text[:100] not in refused.parameters["message"] or len(text) < 3
        refused = refusal(connection.call, "PushLocal", {"user": "alice", "keys": [one, agent.key(), one]})
        assert (refused.error, refused.parameters["index"]) == ("KeyRejected", 2)
    assert a.stored() == set()


def calls_are_answered_in_order():
    a = Agent(preload=agent.NAME_SERVICE)
    with a.connect() as connection:
        calls = [message("Hello", {"sync": str(n)}) for n in range(300)]
        calls[100] += message("PushLocal", {"user": "slow", "keys": agent.keys(1)})
        connection.send(b"".join(calls))
        for n in range(300):
            assert connection.reply()["sync"] == str(n)
            if n == 100:
                assert connection.reply()["user"] == "slow"


def oneway_call_has_no_reply():
    a = Agent()
    with a.connect() as connection:
        connection.send_call("PushLocal", {"user": "alice", "keys": agent.keys(1)}, oneway=True)
        connection.send_call("PushLocal", {"user": "nobody-of-that-name", "keys": agent.keys(1)}, oneway=True)
        connection.send_call("Nothing", oneway=True)
        connection.send_call("List", oneway=True)
        connection.send(HELLO)
        assert connection.reply()["sync"] == "s"
    assert [row["user"] for row in a.listed()] == ["alice"]


def more_gets_one_reply_where_there_is_one():
    with Agent().connect() as connection:
        for method in "Hello", "Status", "List", "HostKeys", "org.varlink.service.GetInfo":
            connection.send_call(method, more=True)
            connection.reply()


def half_closed_client_is_answered():
    a = Agent(preload=agent.NAME_SERVICE)
    with a.connect() as connection:
        connection.send(HELLO)
        connection.send_call("PushLocal", {"user": "slow", "keys": agent.keys(1)})
        connection.send(HELLO)
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.reply()["sync"] == "s"
        assert connection.reply()["user"] == "slow"
        assert connection.reply()["sync"] == "s"
        assert connection.is_closed()


def half_a_message_is_dropped():
    a = Agent()
    push = message("PushLocal", {"user": "alice", "keys": agent.keys(1)})
    for length in range(0, len(push), 5):
        with a.connect() as connection:
            connection.send(push[:length])
    a.ask("Status")
    with a.connect() as connection:
        connection.send(push[:-1])
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.is_closed()
    assert a.stored() == set()


def slow_sender_is_disconnected():
    a = Agent()
    with a.connect() as slow, a.connect() as other:
        text = message("PushLocal", {"user": "alice", "keys": agent.keys(1)})
        with contextlib.suppress(BrokenPipeError):
            for at in range(len(text) - 1):
                slow.send(text[at:at + 1])
                other.call("Status")
                time.sleep(0.1)
            raise AssertionError("not disconnected")
        assert slow.is_closed()
        other.call("Status")
    assert a.stored() == set()


def sender_of_halves_that_become_whole_stays():
    middle = len(HELLO) // 2
    with Agent().connect() as connection:
        connection.send(HELLO[:middle])
        # Longer than half a message may wait for its rest.
        end = time.monotonic() + 7
        while time.monotonic() < end:
            connection.send(HELLO[middle:] + HELLO[:middle])
            connection.reply()
            time.sleep(0.1)


def endless_message_is_disconnected():
    a = Agent()
    a.ask("Status")
    before = a.memory_kib()
    with a.connect() as flood, a.connect() as other:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            end = time.monotonic() + agent.WAIT_S
            while time.monotonic() < end:
                flood.send(b"x" * 65536)
                other.call("Status")
            raise AssertionError("not disconnected")
        _memory_stays(a, before)


def client_that_does_not_read_is_disconnected():
    a = Agent()
    a.ask("Status")
    before = a.memory_kib()
    with a.connect() as deaf, a.connect() as other:
        deaf.socket.settimeout(0.2)
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            end = time.monotonic() + agent.WAIT_S
            while time.monotonic() < end:
                with contextlib.suppress(TimeoutError):
                    deaf.socket.send(HELLO * 100)
                    sent += 1
                other.call("Status")
                _memory_stays(a, before)
            raise AssertionError("not disconnected")
        assert sent > 0


def unread_lists_keep_no_memory():
    a = Agent()
    agent.fill(a, [f"many{n}" for n in range(1, 65)], principal="p" * 256, requestId="r" * 256)
    assert len(a.listed()) == 2048
    before = a.memory_kib()
    deaf = [a.connect() for _ in range(12)]
    for connection in deaf:
        connection.send_call("List", more=True)
    with a.connect() as other:
        other.call("Status")
        for connection in deaf[:6]:
            connection.close()
        other.call("Status")
    # The other connections stay, and are closed because they do not read.
    wait_until(lambda: a.memory_kib() - before < MEMORY_GROWTH_KIB, "the memory is freed")


def long_list_comes_in_parts():
    a = Agent()
    agent.fill(a, [f"many{n}" for n in range(1, 65)])
    rows = a.listed()
    assert len({(row["user"], row["fingerprint"]) for row in rows}) == len(rows) == 2048
    assert refusal(a.ask, "List").error == "TooLarge"
    assert len(a.ask("List", {"user": "many7"})["keys"]) == 32


def call_of_a_client_that_left_is_carried_out():
    a = Agent(preload=agent.NAME_SERVICE)
    with a.connect() as connection:
        connection.send_call("PushLocal", {"user": "slow", "keys": agent.keys(3)})
    wait_until(lambda: len(a.claims()) == 1, "the key is stored")
    assert len(a.keys()) == 3
    a.ask("Status")


def clients_that_leave_during_a_lookup_block_nobody():
    a = Agent(preload=agent.NAME_SERVICE)
    a.push()
    before = a.memory_kib()
    for _ in range(10):
        with a.connect() as connection:
            connection.send_call("PushLocal", {"user": "hang", "keys": agent.keys(1)})
            a.push(user="bob")
    a.ask("Status")
    _memory_stays(a, before)
    # Each lookup ends after five seconds, and none of the keys is stored when the name service answers again.
    wait_until(lambda: a.log().count("StorageFailure") == 10, "all lookups have timed out")
    assert {row["user"] for row in a.listed()} == {"alice", "bob"}


def hung_lookups_have_a_limit():
    a = Agent(preload=agent.NAME_SERVICE)
    waiting = [a.connect() for _ in range(16)]
    for connection in waiting[:15]:
        connection.send_call("PushLocal", {"user": "hang", "keys": agent.keys(1)})
    for connection in waiting[:15]:
        assert refusal(connection.reply).error == "StorageFailure"
    waiting[0].send_call("PushLocal", {"user": "hang", "keys": agent.keys(1)})
    refused = refusal(waiting[1].call, "PushLocal", {"user": "alice", "keys": agent.keys(1)})
    assert refused.error == "StorageFailure" and "16" in refused.parameters["message"], refused
    assert a.stored() == set()

    def is_back():
        with contextlib.suppress(agent.Refused):
            return a.push()

    wait_until(is_back, "the name service is asked again")


hung_lookups_have_a_limit.slow = True


def idle_connections_keep_nobody_out():
    a = Agent()
    with a.connect("host") as other:
        other.call("Status")
        before = a.memory_kib()
        idle = [a.connect() for _ in range(1000)]
        # Behind all of them in the queue.
        with a.connect() as last:
            last.send_call("PushLocal", {"user": "alice", "keys": agent.keys(1)})
            last.socket.settimeout(0.05)
            end = time.monotonic() + 2 * agent.WAIT_S
            while a.claims() == set():
                assert time.monotonic() < end
                other.call("Status")
                with contextlib.suppress(TimeoutError):
                    assert last.reply()["user"] == "alice"
        _memory_stays(a, before)
        for connection in idle:
            connection.close()
        other.call("Status")


idle_connections_keep_nobody_out.slow = True


def connections_leave_nothing_behind():
    a = Agent()
    for _ in range(50):
        a.ask("Status")
    before = a.memory_kib()
    for n in range(3000):
        with a.connect() as connection:
            if n % 3:
                connection.send(HELLO[:n % len(HELLO)])
            else:
                connection.call("Hello")
    a.ask("Status")
    _memory_stays(a, before)
    open_files = len(list(agent.pathlib.Path(f"/proc/{a.process.pid}/fd").iterdir()))
    assert open_files < 40, open_files


def randomly_changed_calls_store_only_what_is_answered():
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    a = Agent()
    a.ask("Status")
    before = a.memory_kib()
    stored = 0
    for _ in range(2500):
        one = agent.keys(chance.randrange(1, 4))
        call = bytearray(chance.choice([
            message("PushLocal", {"user": "alice", "keys": one, "ttl": 60, "source": ["10.0.0.0/8"], "principal": "p"}),
            message("PushLocal", {"user": "bob", "keys": one, "connections": 3, "restrict": True, "requestId": "r"}),
            message("List", {"user": "alice"}, more=True), message("Hello", {"sync": "s"}), HELLO + HELLO,
            message("org.varlink.service.GetInterfaceDescription", {"interface": INTERFACE}),
        ]))
        for _ in range(chance.choice([1, 1, 2, 8])):
            at = chance.randrange(len(call))
            kind = chance.randrange(4)
            if kind == 0:
                call[at] ^= 1 << chance.randrange(8)
            elif kind == 1:
                del call[at:at + chance.randrange(1, 20)]
            elif kind == 2:
                call[at:at] = call[chance.randrange(len(call)):][:30]
            else:
                call[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(6)))
            call = call or bytearray(b"\0")
        with a.connect() as connection:
            connection.send(bytes(call))
            connection.socket.shutdown(socket.SHUT_WR)
            with contextlib.suppress(Closed):
                while True:
                    answer = connection.message()
                    stored += len(answer["parameters"].get("fingerprints", []))
        if stored > 20:
            assert len(a.keys()) == stored
            a.ask("RevokeLocal")
            stored = 0
    assert len(a.keys()) == stored
    _memory_stays(a, before)
