# SPDX-License-Identifier: Apache-2.0
"""Keys in the store until their end, and a store that is not as it should be."""

import os
import shutil
import subprocess
import time

import agent
from agent import Agent, fingerprint_name, refusal, wait_until


def expired_key_is_removed():
    a = Agent()
    a.push(agent.keys(3), ttl=1)
    a.push(user="bob", ttl=1, connections=0)
    a.push(user="carol", ttl=200)
    assert len(a.keys()) == 5
    wait_until(lambda: len(a.keys()) == 1, "the keys are gone")
    assert {user for user, _ in a.claims()} == {"carol"}
    assert {path.split("/")[1] for path in a.stored()} == {"carol"}


def list_omits_expired_keys():
    a = Agent()
    a.push(ttl=1)
    wait_until(lambda: a.listed() == [], "the key has expired")
    wait_until(lambda: a.ask("Status")["keys"] == 0, "it is no longer counted")


def keys_outlive_the_agent():
    a = Agent()
    chosen = agent.keys(4)
    a.push(chosen)
    a.push(user="bob", ttl=1)
    before = a.listed(user="alice")
    a.stop()
    time.sleep(1.1)
    a.start()
    rows = a.listed()
    assert {row["fingerprint"] for row in rows} == {agent.fingerprint(text) for text in chosen}
    assert len(rows) == len(before) == 4
    assert "bob" not in {user for user, *_ in a.keys()}


def store_has_the_modes_that_the_helper_checks():
    a = Agent()
    a.push(agent.keys(2), connections=3)
    for path in a.stored():
        status = os.stat(a.store / path)
        assert (status.st_uid, status.st_gid) == (agent.AGENT_USER.pw_uid, agent.HELPER_USER.pw_gid), path
        depth = path.count("/")
        if path.startswith("claims/") and depth == 2:
            assert status.st_mode & 0o7777 == 0o660 and status.st_size == 3 * 16
        elif path.startswith("keys/") and depth == 3:
            assert status.st_mode & 0o7777 == 0o640
        else:
            assert status.st_mode & 0o7777 == 0o2750, path


def _spoil(path, how):
    if how == "empty":
        path.write_bytes(b"")
    elif how == "short":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "long":
        path.write_bytes(path.read_bytes() + b"\0")
    elif how == "huge":
        path.write_bytes(b"x" * 1000000)
    elif how == "noise":
        path.write_bytes(os.urandom(300))
    elif how == "mode":
        path.chmod(0o660)
    elif how == "owner":
        os.chown(path, 0, 0)
    elif how == "hard link":
        os.link(path, path.parents[3] / "other-name")
    elif how == "symlink":
        path.unlink()
        path.symlink_to("/etc/passwd")
    elif how == "fifo":
        path.unlink()
        os.mkfifo(path, 0o640)
        os.chown(path, agent.AGENT_USER.pw_uid, agent.HELPER_USER.pw_gid)


SPOILT = ["empty", "short", "long", "huge", "noise", "mode", "owner", "hard link", "symlink", "fifo"]


def damaged_file_is_removed():
    a = Agent(journal=True)
    kept = agent.keys(2)
    a.push(kept)
    for how in SPOILT:
        text = agent.key()
        a.push([text])
        (path,) = (a.store / "keys/alice" / fingerprint_name(text)).iterdir()
        _spoil(path, how)
    assert {row["fingerprint"] for row in a.listed()} == {agent.fingerprint(text) for text in kept}
    a.push([kept[0]], user="bob")
    # The end of the next key sweeps all.
    a.push(user="carol", ttl=1)
    logged = a.events_of(_event("DAMAGED"), len(SPOILT))
    assert len(logged) == len(SPOILT)
    for fields in logged:
        assert fields["PRIORITY"] == "4" and "keys/alice/" in fields["MESSAGE"]
    wait_until(lambda: len(a.keys()) == 3, "they are gone")
    assert len(a.listed()) == a.ask("Status")["keys"] == 3
    assert len(a.claims()) == 2
    os.unlink(a.store / "other-name")
    assert open("/etc/passwd").read(5) == "root:"


def foreign_file_is_left_alone():
    a = Agent()
    a.push()
    for path in "keys/x y", "keys/.hidden", "keys/alice/short", "claims/%", "claims/alice/00", "keys/zed":
        (a.store / path).mkdir()
    (a.store / "keys/file").write_text("x")
    (a.store / "keys/alice" / ("A" * 43)).symlink_to("/")
    (a.store / "keys/bob").symlink_to("/etc")
    (a.store / "claims/bob").symlink_to("/etc")
    (a.store / "keys/loop").symlink_to("..")
    assert len(a.listed()) == 1
    assert refusal(a.push, user="bob").error == "StorageFailure"
    a.push(user="carol", ttl=1)
    wait_until(lambda: len(a.claims()) == 1, "the sweep is over")
    a.stop()
    a.start()
    assert len(a.listed()) == 1
    assert a.ask("RevokeLocal") == {"revoked": 1}
    assert (a.store / "keys/file").read_text() == "x"
    assert (a.store / "keys/bob").is_symlink()
    os.unlink(a.store / "keys/bob")
    os.unlink(a.store / "claims/bob")
    a.push(user="bob")


def key_under_another_user_name_does_not_count():
    a = Agent()
    text = agent.key()
    a.push([text], connections=0)
    for kind in "keys", "claims":
        shutil.copytree(a.store / kind / "alice", a.store / kind / "bob")
        for root, directories, files in os.walk(a.store / kind / "bob"):
            for name in ["."] + directories + files:
                path = os.path.join(root, name)
                os.chown(path, agent.AGENT_USER.pw_uid, agent.HELPER_USER.pw_gid)
                os.chmod(path, 0o2750 if os.path.isdir(path) else 0o640 if kind == "keys" else 0o660)
    assert [row["user"] for row in a.listed()] == ["alice"]
    assert a.listed(user="bob") == []
    a.stop()
    a.start()
    a.ask("Status")
    assert [user for user, *_ in a.keys()] == ["alice"]


def _recovers(a, damage, repair, *messages):
    """Pushes are refused between the two, and taken after, by the same process."""
    damage()
    a.start()
    process = a.process.pid
    for _ in range(2):
        refused = refusal(a.push)
        assert refused.error == "StorageFailure", refused
        for text in messages:
            assert text in refused.parameters["message"], refused
    assert refusal(a.ask, "List").error == "StorageFailure"
    assert refusal(a.ask, "RevokeLocal").error == "StorageFailure"
    assert a.ask("Status")["keys"] == 0
    a.ask("Hello")
    assert messages[0] in a.log()
    repair()
    a.push()
    assert len(a.listed()) == 1
    a.ask("RevokeLocal")
    assert a.process.pid == process
    a.stop()


def store_with_wrong_modes_or_owners_is_not_used():
    a = Agent()
    a.stop()
    for name, right in ("keys", 0o2750), ("claims", 0o2750), ("state", 0o700):
        path = a.store / name
        for mode in 0o755, 0o2770, 0o777:
            _recovers(a, lambda: path.chmod(mode), lambda: path.chmod(right), str(path), f"{mode:04o}")
        before = path.stat()

        def give_back():
            os.chown(path, before.st_uid, before.st_gid)
            path.chmod(right)  # which chown(2) takes the setgid bit of

        _recovers(a, lambda: (os.chown(path, 0, before.st_gid), path.chmod(right)), give_back, str(path))
        away = a.store / "away"
        _recovers(a, lambda: path.rename(away), lambda: away.rename(path), str(path), "No such file")
        _recovers(a, lambda: (path.rename(away), path.symlink_to(away)), lambda: (path.unlink(), away.rename(path)),
               str(path))
    for mode in 0o775, 0o1777:
        _recovers(a, lambda: a.store.chmod(mode), lambda: a.store.chmod(0o755), str(a.store), "root")
    _recovers(a, lambda: os.chown(a.store, 1001, 0), lambda: os.chown(a.store, 0, 0), str(a.store), "root")


def store_on_a_disk_is_not_used():
    a = Agent(ready=False)
    a.stop()
    _recovers(a, lambda: subprocess.run(["mount", "-t", "proc", "proc", a.store], check=True),
           lambda: (subprocess.run(["umount", a.store], check=True), a.make_store()), "tmpfs")


def _event(name):
    text = (agent.TREE / "common/events.h").read_text()
    return agent.re.search(rf'^#define EVENT_{name} "([0-9a-f]{{32}})"', text, agent.re.MULTILINE).group(1)


def push_is_logged():
    a = Agent(journal=True)
    chosen = agent.keys(2)
    a.push(chosen, principal="Ann Ä", requestId="r-1")
    a.push(user="bob")
    first, second, third = a.events_of(_event("RECEIVED"), 3)
    assert [first["EXC_FINGERPRINT"], second["EXC_FINGERPRINT"]] == [agent.fingerprint(text) for text in chosen]
    message = first.pop("MESSAGE")
    for text in agent.fingerprint(chosen[0]), "alice", "60 s", "Ann Ä", "r-1":
        assert text in message
    assert first == {
        "MESSAGE_ID": _event("RECEIVED"), "PRIORITY": "6", "SYSLOG_IDENTIFIER": "exc-instance-connect-agent",
        "EXC_USER": "alice", "EXC_FINGERPRINT": agent.fingerprint(chosen[0]), "EXC_PRINCIPAL": "Ann Ä",
        "EXC_REQUEST_ID": "r-1",
    }
    # A field without a value would match in a query.
    assert "EXC_PRINCIPAL" not in third and "EXC_REQUEST_ID" not in third
    assert a.log() == ""


def refusal_is_logged():
    a = Agent("MinUid=1000", journal=True)
    refusal(a.push, user="root", principal="p", requestId="r")
    refusal(a.push, ["x"], user="alice")
    with a.connect("host") as connection:
        refusal(connection.call, "List")
        refusal(connection.call, "Push")
    logged = a.events_of(_event("REFUSED"), 4)
    assert [fields["EXC_REASON"] for fields in logged] == ["UserDenied", "KeyRejected", "PermissionDenied", "Untrusted"]
    names = "EXC_USER", "EXC_PRINCIPAL", "EXC_REQUEST_ID", "PRIORITY"
    assert [logged[0][name] for name in names] == ["root", "p", "r", "5"]


def end_of_a_key_is_logged():
    a = Agent(journal=True)
    one, two = agent.keys(2)
    a.push([one], ttl=1, principal="p", requestId="r")
    (fields,) = a.events_of(_event("EXPIRED"))
    assert (fields["EXC_FINGERPRINT"], fields["EXC_USER"]) == (agent.fingerprint(one), "alice")
    assert (fields["EXC_PRINCIPAL"], fields["EXC_REQUEST_ID"]) == ("p", "r")
    a.push([two], user="bob")
    a.ask("RevokeLocal")
    (fields,) = a.events_of(_event("REVOKED"))
    assert (fields["EXC_FINGERPRINT"], fields["EXC_USER"]) == (agent.fingerprint(two), "bob")


def _uses(a, text):
    """Lets one connection have the key, and returns its pid."""
    connection = agent.log_in(a.store, "alice", text)
    assert agent.given(connection, text) == 2
    return str(connection.pid)


def key_end_names_connections():
    a = Agent(journal=True)
    texts = agent.keys(2)
    before = time.time()
    a.push(texts, connections=3)
    stored = time.time()
    pids = [_uses(a, texts[0]), _uses(a, texts[1])]
    a.ask("RevokeLocal", {"user": "alice"})
    # The slots are those of the push, and so of both keys.
    for fields in a.events_of(_event("REVOKED"), 2):
        assert (fields["EXC_CONNECTIONS"], fields["EXC_SSHD_PID"]) == ("2 of 3", " ".join(pids))
        assert before <= int(fields["EXC_STORED"]) / 1000000 <= stored
    a.push([texts[0]], ttl=6)
    pid = _uses(a, texts[0])
    (fields,) = a.events_of(_event("EXPIRED"))
    assert (fields["EXC_CONNECTIONS"], fields["EXC_SSHD_PID"]) == ("1 of 1", pid)


def key_end_proves_no_use():
    a = Agent(journal=True)
    a.push(ttl=1, connections=2)
    (fields,) = a.events_of(_event("EXPIRED"))
    assert fields["EXC_CONNECTIONS"] == "0 of 2" and "EXC_SSHD_PID" not in fields
    a.push()
    a.ask("RevokeLocal")
    (fields,) = a.events_of(_event("REVOKED"))
    assert fields["EXC_CONNECTIONS"] == "0 of 1" and "EXC_SSHD_PID" not in fields


def key_end_says_no_more_than_known():
    a = Agent(journal=True)
    # Without a limit no slot is taken.
    text = agent.key()
    a.push([text], connections=0)
    _uses(a, text)
    a.ask("RevokeLocal")
    (fields,) = a.events_of(_event("REVOKED"))
    assert fields["EXC_CONNECTIONS"] == "any" and "EXC_SSHD_PID" not in fields
    # Another key of the push can still be used.
    one, other = agent.keys(2)
    a.push([one, other], connections=2)
    pid = _uses(a, one)
    a.ask("RevokeLocal", {"fingerprint": agent.fingerprint(one)})
    fields = a.events_of(_event("REVOKED"), 2)[-1]
    assert "EXC_CONNECTIONS" not in fields and fields["EXC_SSHD_PID"] == pid
    a.ask("RevokeLocal")
    # A claim file that the agent did not write.
    a.push([text])
    (path,) = (a.store / "claims/alice").iterdir()
    os.truncate(path, 8)
    a.ask("RevokeLocal", {"user": "alice"})
    fields = a.events_of(_event("REVOKED"), 4)[-1]
    assert "EXC_CONNECTIONS" not in fields and "EXC_SSHD_PID" not in fields


def failure_is_logged():
    a = Agent("MaxTtl=x", journal=True)
    refusal(a.push)
    assert f"{a.config}:3:" in a.events_of(_event("FAILURE"))[0]["MESSAGE"]


def peer_cannot_add_a_field():
    a = Agent(journal=True)
    for n, user in enumerate(("x\nEXC_USER=alice\nMESSAGE_ID=0", "\n\1", "\x1b[31m", "x" * 256, "é" * 128)):
        refusal(a.push, user=user)
        fields = a.events_of(_event("REFUSED"), n + 1)[-1]
        assert fields["EXC_USER"] == user
        assert fields.keys() == {"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "EXC_USER", "EXC_REASON"}


def key_material_is_never_logged():
    chosen = agent.keys(2)
    spoilt = chosen[1][:-4]
    blobs = [text.split()[1][40:60] for text in chosen]
    for journal in True, False:
        a = Agent(journal=journal)
        a.push(chosen)
        for wrong in spoilt, f"no-pty {chosen[1]}", chosen[1] + " c":
            refused = refusal(a.push, [chosen[0], wrong])
            assert not any(blob in str(refused.parameters) for blob in blobs)
        rows = a.listed()
        a.ask("RevokeLocal")
        if journal:
            wait_until(lambda: len(a.events) >= 7, "all events arrive")
        else:
            assert a.log()
        for blob in blobs:
            assert blob not in a.log() and blob not in str(rows)
            assert not journal or blob not in str(a.events)


def events_without_a_journal_are_lines():
    a = Agent()
    text = agent.key()
    a.push([text], principal="Ann")
    refusal(a.push, user="x\n\x1b[31m")
    stored, refused = a.log().splitlines()
    assert stored.startswith(f"exc-instance-connect-agent: Key {agent.fingerprint(text)} stored for alice")
    assert refused.startswith("exc-instance-connect-agent: PushLocal for x") and "NoSuchUser" in refused
    assert refused.isprintable()


events_without_a_journal_are_lines.needs = "landlock seccomp"


def agent_exits_when_idle():
    a = Agent()
    a.ask("Status")
    with a.connect() as idle:
        # Neither wrong peers nor silent connections keep it running.
        end = time.monotonic() + 2 * agent.WAIT_S
        while a.lives():
            assert time.monotonic() < end
            with a.connect("admin", 1001):
                pass
            with agent.contextlib.suppress(OSError):
                idle.send(b"\0")
            time.sleep(0.2)
    assert a.wait() == 0
    a.start()
    a.ask("Status")


def agent_stays_while_a_key_lives():
    a = Agent()
    a.push(ttl=36)
    with a.connect() as idle:
        idle.socket.settimeout(2 * agent.WAIT_S)
        assert idle.is_closed()
    # A connection that is silent for so long is closed, and the agent may exit.
    time.sleep(1.5)
    assert a.lives() and len(a.keys()) == 1
    assert a.wait() == 0
    assert a.stored() == set()


agent_exits_when_idle.slow = True
agent_stays_while_a_key_lives.slow = True
