# SPDX-License-Identifier: Apache-2.0
"""Each method answers what the interface promises, and its limits hold."""

import re
import time

import agent
from agent import Agent, INTERFACE, TREE, message, refusal

TEXT = (TREE / "interface" / f"{INTERFACE}.varlink").read_text()


def _fields(text):
    """{name: type} of a list "a: b, c: d" in parentheses."""
    return dict(re.findall(r"(\w+):\s*([\w\[\]?]+)", text))


def _definitions():
    text = re.sub(r"#.*", "", TEXT)
    types = {name: _fields(fields) for name, fields in re.findall(r"\btype (\w+) \(([^)]*)\)", text)}
    methods = {name: (_fields(takes), _fields(gives))
               for name, takes, gives in re.findall(r"\bmethod (\w+)\(([^)]*)\) -> \(([^)]*)\)", text)}
    errors = {name: _fields(fields) for name, fields in re.findall(r"\berror (\w+) \(([^)]*)\)", text)}
    return types, methods, errors


TYPES, METHODS, ERRORS = _definitions()


def _check(value, kind):
    """Whether the value is of the interface's type; no member may be missing but a nullable one, and none too many."""
    if kind.startswith("?"):
        if value is not None:
            _check(value, kind[1:])
    elif kind.startswith("[]"):
        assert isinstance(value, list), (value, kind)
        for item in value:
            _check(item, kind[2:])
    elif kind in TYPES:
        _check_members(value, TYPES[kind])
    else:
        assert type(value) is {"string": str, "int": int, "bool": bool}[kind], (value, kind)


def _check_members(value, members):
    assert isinstance(value, dict) and value.keys() <= members.keys(), (value, members)
    for name, kind in members.items():
        _check(value.get(name), kind)


def _calls(signer):
    """One call of each method that succeeds."""
    one = agent.key()
    return [
        ("Hello", {"sync": "s"}), ("Hello", {}), ("HostKeys", {}),
        ("PushLocal", {"user": "alice", "keys": [one, agent.key()], "ttl": 60, "connections": 2,
                       "source": ["10.0.0.0/8"], "restrict": True, "principal": "p", "requestId": "r"}),
        ("PushLocal", {"user": "bob", "keys": [agent.key()]}),
        ("Status", {}), ("List", {}), ("List", {"user": "bob"}),
        ("RevokeLocal", {"fingerprint": agent.fingerprint(one)}), ("RevokeLocal", {"user": "bob"}), ("RevokeLocal", {}),
        ("Push", {"envelope": signer.push(agent.keys(2))}), ("Revoke", {"envelope": signer.revoke(all=True)}),
    ]


def answers_have_the_types_of_the_interface():
    assert len(METHODS) == 10 and len(ERRORS) == 17
    of_metadata = {"SetLaunchKeys": {"keys": [agent.key()]}, "SetInstanceId": {"id": "i-0000002a"}}
    signer = agent.Signer()
    for settings in "RateLimit=0", f"RateLimit=0\nInstanceId=exc:compute:instance/{agent.INSTANCE}\nTrust=channel":
        a = Agent(settings, ("admin", "host", "metadata"), preload=agent.CLOCK, TEST_CLOCK="synchronised")
        a.trust(signer)
        a.configure_metadata("User=alice", "InstanceId=yes")
        with a.connect("metadata") as connection:
            for method, parameters in of_metadata.items():
                _check_members(connection.call(method, parameters), METHODS[method][1])
        with a.connect() as connection:
            called = set(of_metadata)
            for method, parameters in _calls(signer):
                answer = connection.call(method, parameters)
                _check_members(answer, METHODS[method][1])
                assert None not in parameters.values()
                called.add(method)
            assert called == METHODS.keys()


def refusals_have_the_types_of_the_interface():
    refused = [
        ("Push", {}), ("Revoke", {}), ("PushLocal", {}), ("PushLocal", {"user": "alice", "keys": ["x"]}),
        ("PushLocal", {"user": "x", "keys": agent.keys(1)}), ("List", {}),
        ("PushLocal", {"user": "root", "keys": agent.keys(1)}), *[("PushLocal", {"": 1})] * 20,
    ]
    a = Agent("RateLimit=2\nMinUid=1")
    seen = set()
    for name in "admin", "host":
        with a.connect(name) as connection:
            for method, parameters in refused:
                if (name, method) == ("admin", "List"):
                    continue
                why = refusal(connection.call, method, parameters)
                _check_members(why.parameters, ERRORS[why.error])
                assert why.parameters["message"]
                seen.add(why.error)
    assert seen == {
        "Untrusted", "InvalidPayload", "KeyRejected", "NoSuchUser", "UserDenied", "RateLimited", "PermissionDenied"}


def signed_refusals_have_the_types_of_the_interface():
    signer = agent.Signer()
    now = int(time.time())
    used = signer.push(agent.keys(1), jti="j" * 16)
    refused = {
        "BadSignature": agent.Signer().push(agent.keys(1)),
        "WrongInstance": signer.push(agent.keys(1), aud="exc:compute:instance/i-1"),
        "NotYetValid": signer.push(agent.keys(1), iat=now + 100, exp=now + 160),
        "Expired": signer.push(agent.keys(1), iat=now - 160, exp=now - 100),
        "StaleChallenge": signer.push(agent.keys(1), challenge="x" * 22),
        "Replayed": signer.push(agent.keys(1), jti="j" * 16),
        "InvalidPayload": signer.push(agent.keys(1), crit=["nothing-known"]),
        "KeyRejected": signer.push([agent.key(), "x"]),
        "NoSuchUser": signer.push(agent.keys(1), user="nobody-of-that-name"),
        "UserDenied": signer.push(agent.keys(1), user="root"),
        "ClockUnsynchronized": signer.push(agent.keys(1)),
    }
    a = Agent("RateLimit=0\nMinUid=1", preload=agent.CLOCK, TEST_CLOCK="synchronised")
    a.trust(signer)
    assert a.send("Push", used)["duplicate"] is False
    before = a.stored()
    for error, envelope in refused.items():
        if error == "ClockUnsynchronized":
            a.stop()
            a.start(TEST_CLOCK="unsynchronised")
        why = refusal(a.send, "Push", envelope)
        assert why.error == error, (why, error)
        _check_members(why.parameters, ERRORS[error])
        assert why.parameters["message"]
    assert a.stored() == before
    # A repeat needs no clock.
    assert a.send("Push", used)["duplicate"] is True


def service_describes_itself():
    with Agent().connect() as connection:
        known = connection.call("org.varlink.service.GetInfo")
        assert known.keys() == {"vendor", "product", "version", "url", "interfaces"}
        assert known["product"] == "exc-instance-connect"
        assert known["interfaces"] == [INTERFACE, "org.varlink.service"]
        for name in known["interfaces"]:
            text = connection.call("org.varlink.service.GetInterfaceDescription", {"interface": name})["description"]
            assert re.search(rf"^interface {re.escape(name)}$", text, re.MULTILINE)
            if name == INTERFACE:
                assert text == TEXT
        refused = refusal(connection.call, "org.varlink.service.GetInterfaceDescription", {"interface": "x.y"})
        assert (refused.error, refused.parameters) == ("org.varlink.service.InterfaceNotFound", {"interface": "x.y"})


def hello_has_the_limits():
    a = Agent("MaxTtl=120")
    answer = a.ask("Hello")
    assert answer["limits"] == {"messageBytes": 16384, "maxTtl": 120, "keysPerPush": 8, "keysPerUser": 32, "keys": 4096}
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", answer["challenge"])
    assert answer["bootId"] == open("/proc/sys/kernel/random/boot_id").read().strip()
    assert abs(answer["clock"]["unix"] - time.time()) < agent.WAIT_S


def push_is_answered_and_listed():
    a = Agent()
    chosen = agent.keys(3)
    answer = a.push(chosen, user="alice", ttl=200, connections=7, principal="Ann Ä", requestId="r-1")
    fingerprints = [agent.fingerprint(text) for text in chosen]
    host_key = (agent.WORLD / "ssh/host_key.pub").read_text()
    assert answer == {
        "user": "alice", "fingerprints": fingerprints, "expiresIn": 200, "duplicate": False,
        "hostKeys": [{"type": "ssh-ed25519", "key": host_key.split()[1], "fingerprint": agent.fingerprint(host_key)}],
    }
    rows = a.listed()
    assert sorted(row.pop("fingerprint") for row in rows) == sorted(fingerprints)
    for row in rows:
        assert 100 < row.pop("expiresIn") <= 200
        assert row == {"user": "alice", "type": "ssh-ed25519", "connections": 7, "claimed": 0, "principal": "Ann Ä",
                       "requestId": "r-1", "origin": "push"}
    assert a.ask("Status")["keys"] == 3
    assert a.ask("HostKeys")["hostKeys"] == answer["hostKeys"]


def same_key_again_is_another_grant():
    a = Agent()
    one = agent.key()
    for ttl in 100, 200:
        assert a.push([one], ttl=ttl)["duplicate"] is False
    assert len(a.listed()) == 2
    assert a.ask("RevokeLocal", {"fingerprint": agent.fingerprint(one)}) == {"revoked": 2}
    assert a.stored() == set()


def revocation_drops_only_what_it_names():
    a = Agent()
    one, two, three = agent.keys(3)
    a.push([one, two])
    a.push([three])
    a.push([one], user="bob")
    assert a.ask("RevokeLocal", {"user": "carol"}) == {"revoked": 0}
    assert a.ask("RevokeLocal", {"fingerprint": agent.fingerprint(agent.key())}) == {"revoked": 0}
    assert a.ask("RevokeLocal", {"fingerprint": agent.fingerprint(one), "user": "alice"}) == {"revoked": 1}
    assert {(row["user"], row["fingerprint"]) for row in a.listed()} == {
        ("alice", agent.fingerprint(two)), ("alice", agent.fingerprint(three)), ("bob", agent.fingerprint(one))}
    assert a.ask("RevokeLocal", {"user": "alice"}) == {"revoked": 2}
    assert [row["user"] for row in a.listed()] == ["bob"]
    for wrong in "", "SHA256:", "SHA256:x", "MD5:00", "SHA256:" + "A" * 42 + "=", "SHA256:../" + "A" * 40:
        assert refusal(a.ask, "RevokeLocal", {"fingerprint": wrong}).error in (
            "InvalidPayload", "org.varlink.service.InvalidParameter")
    assert a.ask("RevokeLocal") == {"revoked": 1}
    assert a.stored() == set()


def every_key_of_a_revoked_grant_is_counted_and_logged():
    a = Agent()
    chosen = agent.keys(8)
    a.push(chosen)
    assert a.ask("RevokeLocal", {"user": "alice"}) == {"revoked": 8}
    for text in chosen:
        assert f"Key {agent.fingerprint(text)} of alice: revoked" in a.log()
    assert a.stored() == set()


def user_has_at_most_32_keys():
    a = Agent()
    agent.fill(a, ["alice"])
    for n in 1, 8:
        assert refusal(a.push, agent.keys(n)).error == "StoreFull"
    assert len(a.keys()) == 32
    a.push(user="bob")
    a.ask("RevokeLocal", {"fingerprint": a.listed(user="alice")[0]["fingerprint"]})
    assert refusal(a.push, agent.keys(2)).error == "StoreFull"
    a.push()


def push_that_does_not_fit_stores_nothing():
    a = Agent()
    for _ in range(4):
        a.push(agent.keys(7))
    before = a.stored()
    assert refusal(a.push, agent.keys(5)).error == "StoreFull"
    assert a.stored() == before


def expired_keys_take_no_room():
    a = Agent()
    for _ in range(4):
        a.push(agent.keys(8), ttl=1)
    assert refusal(a.push).error == "StoreFull"
    pushed = []

    def all_fit():
        try:
            pushed.append(a.push(agent.keys(8), ttl=300))
        except agent.Refused as refused:
            assert refused.error == "StoreFull"
        return len(pushed) == 4

    agent.wait_until(all_fit, "as many fit")


def store_has_at_most_4096_keys():
    a = Agent()
    agent.fill(a, [f"many{n}" for n in range(1, 128)])
    for _ in range(3):
        a.push(agent.keys(8), user="many128", ttl=300)
    # This user has room for more, but all users together for only seven.
    a.push(agent.keys(1), user="alice", ttl=300)
    assert refusal(a.push, agent.keys(8), user="bob").error == "StoreFull"
    a.push(agent.keys(7), user="bob", ttl=300)
    assert refusal(a.push, user="carol").error == "StoreFull"
    assert a.ask("Status")["keys"] == 4096
    assert len(a.keys()) == 4096
    # The next agent counts the keys again.
    a.stop()
    a.start()
    assert refusal(a.push, user="carol").error == "StoreFull"
    assert a.ask("RevokeLocal", {"user": "many5"}) == {"revoked": 32}
    a.push(user="carol")
    assert a.ask("RevokeLocal") == {"revoked": 4096 - 32 + 1}
    assert a.stored() == set()


store_has_at_most_4096_keys.slow = True


def full_file_system_is_a_full_store():
    a = Agent()
    # With its memory of pushes and revocations, which takes 168 KiB, and room for some keys.
    a.ask("Status")
    agent.subprocess.run(["mount", "-o", "remount,size=256k", a.store], check=True)
    stored = 0
    while stored < 100:
        before = a.stored()
        try:
            a.push(user=f"many{stored // 4 + 1}")
        except agent.Refused as refused:
            assert refused.error == "StoreFull"
            break
        stored += 1
    assert 0 < stored < 100
    assert a.stored() == before
    agent.subprocess.run(["mount", "-o", "remount,size=1M", a.store], check=True)
    a.push(agent.keys(8), user="bob")
    assert len(a.listed()) == stored + 8


def pushes_over_the_rate_are_refused():
    a = Agent("")
    with a.connect() as connection:
        errors = []
        for _ in range(8):
            connection.send(message("PushLocal", {}) * 100)
            refused = [refusal(connection.reply) for _ in range(100)]
            errors += [one.error for one in refused]
            for one in refused:
                assert one.error == "InvalidPayload" or 1 <= one.parameters["retryAfterMs"] <= 21
        # Pushes within the rate are refused for their content, and count.
        assert errors[:200] == ["InvalidPayload"] * 200
        assert "RateLimited" in errors
        # Other calls are not counted.
        connection.call("Status")
        agent.wait_until(
            lambda: refusal(connection.call, "PushLocal", {}).error == "InvalidPayload", "the rate allows one again")


def rate_limit_0_is_off():
    with Agent("RateLimit=0").connect() as connection:
        for _ in range(1000):
            assert refusal(connection.call, "PushLocal", {}).error == "InvalidPayload"


def ttl_is_cut_to_max_ttl():
    a = Agent("MaxTtl=100")
    assert a.push(ttl=101)["expiresIn"] == 100
    assert a.push(ttl=2**63 - 1)["expiresIn"] == 100
    assert a.push(ttl=99)["expiresIn"] == 99
    assert a.push()["expiresIn"] == 60
    assert max(row["expiresIn"] for row in a.listed()) <= 100


def default_ttl_applies():
    assert Agent("DefaultTtl=17").push()["expiresIn"] == 17
    assert Agent("MaxTtl=20").push()["expiresIn"] == 20
    assert Agent().push(ttl=None)["expiresIn"] == 60
