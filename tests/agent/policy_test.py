# SPDX-License-Identifier: Apache-2.0
"""Which users the configuration allows, and what a bad one does."""

import os

import agent
from agent import INSTANCE, Agent, Signer, refusal


def _decided(settings, **expected):
    """The result of a push for each of these users."""
    a = Agent(settings)
    for user, error in expected.items():
        if error:
            assert refusal(a.push, user=user).error == error, (settings, user)
        else:
            a.push(user=user)
    assert {user for user, _ in a.claims()} == {user for user, error in expected.items() if not error}


DENIED = "UserDenied"


def every_user_is_allowed_by_default():
    _decided("", alice=None, root=None, many1=None, nobody_here="NoSuchUser")


def allow_users_excludes_others():
    _decided("AllowUsers=alice bob\nAllowUsers=many1", alice=None, bob=None, many1=None, carol=DENIED, root=DENIED,
             nobody_here="NoSuchUser")


def deny_users_wins():
    _decided("AllowUsers=alice bob\nDenyUsers=bob", alice=None, bob=DENIED)


def primary_and_supplementary_groups_count():
    _decided("AllowGroups=admins bob", alice=None, bob=None, carol=DENIED)
    _decided("DenyGroups=admins bob", alice=DENIED, bob=DENIED, carol=None)
    _decided("AllowGroups=admins bob\nDenyGroups=bob", alice=None, bob=DENIED)
    _decided("AllowGroups=nothing-of-that-name", alice=DENIED)


def name_with_a_blank_is_written_in_quotes():
    _decided('DenyGroups=nobody-here "domain admins" bob', alice=DENIED, bob=DENIED, carol=None)
    _decided('AllowGroups="domain admins"', alice=None, bob=DENIED)
    # Each word is a name of its own.
    _decided("DenyGroups=domain nothing", alice=None)


def names_of_nobody_are_logged_when_they_are_loaded():
    lists = ('AllowUsers=alice carl\nDenyUsers=mallory dana root\nAllowGroups=admins staff-of-nowhere\n'
             'DenyGroups=domain "domain admins" bob')
    a = Agent(lists, preload=agent.NAME_SERVICE)
    expected = [
        "AllowGroups: staff-of-nowhere: no such group, so this allows nobody;",
        "DenyGroups: domain: no such group, so this denies nobody;",
        "AllowUsers: carl: no such user, so this allows nobody;",
        "DenyUsers: mallory: no such user, so this denies nobody;",
        "DenyUsers: dana: the name service calls this user dana@corp.example, so this denies nobody;",
    ]
    agent.wait_until(lambda: "DenyUsers: dana" in a.log(), "the last is logged")
    assert refusal(a.push).error == DENIED
    a.stop()
    lines = [line for line in a.log().splitlines() if ": agent.conf: " in line]
    assert len(lines) == len(expected), lines
    for line, words in zip(lines, expected):
        assert f"agent.conf: {words}" in line, line
    a.start()
    a.configure("DenyUsers=trent")
    a.push()
    agent.wait_until(lambda: "DenyUsers: trent: no such user" in a.log(), "a change is looked at")
    # Of a name that the name service cannot look up, nothing is known.
    a.configure("DenyUsers=hang mallory2")
    agent.wait_until(lambda: a.ask("Status") and "mallory2: no such user" in a.log(), "the next is looked up")
    assert "hang" not in a.log()


def min_uid_excludes_system_users():
    _decided("MinUid=1000", alice=None, root=DENIED, sshd=DENIED)
    _decided("MinUid=1001", alice=None)
    _decided("MinUid=1002", alice=DENIED, bob=None)


def user_name_is_no_path():
    a = Agent()
    for name in "../alice", "alice/", "/", ".", "..", "alice ", "%61lice", "alice\n", "ALICE", "0":
        assert refusal(a.push, user=name).error == "NoSuchUser", name
    assert a.stored() == set()


def bad_configuration_is_answered_and_fixed_without_a_restart():
    a = Agent("AllowUsers=alice")
    a.push()
    for settings, line, word in (
        ("MaxTtl=forever", 3, "MaxTtl"), ("AllowUsers=*", 3, "*"), ("MinUid=1\nDenyUsers", 4, "="),
    ):
        a.configure(settings)
        refused = refusal(a.push)
        assert refused.error == "StorageFailure"
        assert f"{a.config}:{line}:" in refused.parameters["message"]
        assert word in refused.parameters["message"]
        # Calls that need no policy are answered.
        assert len(a.listed()) > 0
        assert a.ask("Status")["keys"] > 0
    a.configure("AllowUsers=bob")
    assert refusal(a.push).error == "UserDenied"
    a.push(user="bob")
    process = a.process.pid
    a.configure("x")
    assert refusal(a.push, user="bob").error == "StorageFailure"
    assert a.ask("RevokeLocal") == {"revoked": 2}
    a.configure("")
    a.push()
    assert a.process.pid == process and a.lives()


def bad_configuration_takes_a_signed_revocation():
    signer = Signer()
    a = Agent(preload=agent.CLOCK, TEST_CLOCK="synchronised")
    a.trust(signer)
    a.push()
    a.configure("MaxTtl=forever")
    assert refusal(a.send, "Push", signer.push(agent.keys(1))).error == "StorageFailure"
    assert a.send("Revoke", signer.revoke(all=True)) == {"revoked": 1}
    assert a.listed() == []


def status_and_hello_show_the_current_configuration():
    a = Agent()
    for trust, instance in ("channel", "i-1"), ("signed", "i-2"):
        a.configure(f"Trust={trust}\nInstanceId={instance}")
        assert (a.ask("Status")["trust"], a.ask("Hello")["instance"]) == (trust, instance)


def instance_ids_that_disagree_are_logged_once():
    a = Agent()
    a.trust(Signer())
    for _ in range(3):
        assert a.ask("Hello")["instance"] == INSTANCE
    assert "instance id" not in a.log()
    a.configure("InstanceId=i-copied")
    for _ in range(3):
        assert a.ask("Hello")["instance"] == "i-copied"
    said = "instance id: InstanceId in the configuration says i-copied, which counts, and the file instance-id says "
    assert a.log().count(f"{said}{INSTANCE}; if this disk is a copy") == 1, a.log()
    # At the start, without a call.
    a.stop()
    a.start()
    a.push()
    assert a.log().count(said) == 2, a.log()


def configuration_warning_is_logged_once():
    a = Agent()
    a.trust(Signer())
    (a.config.parent / "trust.d" / "broken.pem").write_text("no key")
    a.configure("Strange=1")
    for _ in range(5):
        a.push()
        a.ask("Status")
    assert a.log().count("broken.pem: not trusted") == 1, a.log()
    assert a.log().count("Strange") == 1, a.log()


def bad_configuration_does_not_stop_the_start():
    a = Agent("Trust=everybody")
    assert "Trust: invalid value 'everybody'" in refusal(a.push).parameters["message"]
    assert str(a.config) in a.log()
    a.configure("Trust=signed")
    a.push()


def configuration_writable_by_others_is_not_used():
    a = Agent()
    for path, mode in (a.config, 0o666), (a.config, 0o664), (a.config.parent, 0o777):
        before = path.stat().st_mode & 0o7777
        os.chmod(path, mode)
        assert "chmod" in refusal(a.push).parameters["message"]
        os.chmod(path, before)
        a.push()
    os.chown(a.config, agent.AGENT_USER.pw_uid, 0)
    assert "root" in refusal(a.push).parameters["message"]
    os.chown(a.config, 0, 0)
    a.push()


def drop_in_is_read_after_the_main_file():
    a = Agent("MaxTtl=100")
    directory = a.config.parent / "agent.conf.d"
    directory.mkdir()
    (directory / "50-x.conf").write_text("[Agent]\nMaxTtl=70\n")
    assert a.push(ttl=300)["expiresIn"] == 70
    (directory / "60-y.conf").write_text("[Agent]\nMaxTtl=x\n")
    assert f"{directory}/60-y.conf:2:" in refusal(a.push).parameters["message"]
    (directory / "60-y.conf").unlink()
    a.push()


def unknown_key_is_a_warning():
    a = Agent("AllowUser=bob\n[Other]\nX=1")
    a.push()
    assert f"{a.config}:3: unknown key AllowUser in section [Agent] is ignored" in a.log()
    assert "[Other]" in a.log()


def missing_configuration_has_defaults():
    a = Agent()
    a.config.unlink()
    assert a.push(ttl=1000)["expiresIn"] == 300
    os.rmdir(a.config.parent)
    assert a.push()["expiresIn"] == 60


def trust_channel_is_logged_at_each_start():
    a = Agent("Trust=channel")
    assert a.ask("Status")["trust"] == "channel"
    assert "Trust=channel" in a.log()
    assert Agent().ask("Status")["trust"] == "signed"


def hung_lookup_fails_only_its_own_push():
    a = Agent(preload=agent.NAME_SERVICE)
    with a.connect() as waiting:
        waiting.send_call("PushLocal", {"user": "hang", "keys": agent.keys(1)})
        waiting.socket.setblocking(False)
        others = 0
        answered = None
        while answered is None:
            a.push(user=f"many{others // 32 + 1}")
            others += 1
            agent.time.sleep(0.05)
            try:
                answered = refusal(waiting.reply)
            except BlockingIOError:
                pass
        assert answered.error == "StorageFailure"
        assert "hang" in answered.parameters["message"]
        # The refusal came while the name service still hung.
        assert others > 5
    assert not any(key["user"] == "hang" for key in a.listed())
