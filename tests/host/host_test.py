# SPDX-License-Identifier: Apache-2.0
"""exc-host with agents: what is delivered, to whom, and how often."""

import os
import pathlib
import random
import signal
import socket
import time

import agent
import host as base
from agent import INSTANCE, RELAY_USER, WAIT_S, refusal, wait_until
from host import Guest, Host, Pending, Slow, delivery, hang, push, real_agent, signer


def push_and_revocation_reach_the_guest():
    guest = real_agent()
    host = Host(_42=f"unix:{guest.path('host')}")
    key = agent.key()
    answer = host.deliver("42", signer.push([key], principal="alice", requestId="r-1"))
    assert answer["user"] == "alice" and answer["fingerprints"] == [agent.fingerprint(key)], answer
    assert answer["duplicate"] is False and 0 < answer["expiresIn"] <= 60 and answer["revoked"] is None, answer
    assert [row["type"] for row in answer["hostKeys"]] == ["ssh-ed25519"], answer
    row, = guest.listed()
    assert (row["user"], row["requestId"]) == ("alice", "r-1"), row
    answer = host.deliver("42", signer.revoke(all=True))
    assert answer == {"revoked": 1, "user": None, "fingerprints": None, "expiresIn": None, "duplicate": None,
                      "hostKeys": None}, answer
    assert guest.listed() == []


def challenge_is_used_on_the_connection_of_its_handle():
    guest = real_agent()
    host = Host(_42=f"unix:{guest.path('host')}", _43=Guest().channel)
    hello = host.hello("42")
    assert hello["guestInstance"] == INSTANCE and len(hello["challenge"]) == 22, hello
    envelope = push(challenge=hello["challenge"])
    assert refusal(host.deliver, "43", envelope, handle=hello["handle"]).error == "NoSuchHandle"
    # Without the connection it is worth nothing.
    refused = refusal(host.deliver, "42", envelope)
    assert (refused.error, refused.parameters["name"]) == ("GuestRefused", "StaleChallenge"), refused
    assert host.deliver("42", envelope, handle=hello["handle"])["duplicate"] is False
    assert refusal(host.deliver, "42", push(), handle=hello["handle"]).error == "NoSuchHandle"
    assert len(guest.listed()) == 1


def guest_without_id_says_so():
    host = Host(_42=f"unix:{agent.Agent().path('host')}")
    assert host.hello("42")["guestInstance"] is None


def handle_is_held_for_ten_seconds():
    guest = Guest()
    host = Host(_42=guest.channel)
    begun = time.monotonic()
    hello = host.hello("42")
    wait_until(lambda: guest.ended == 1, "its connection is closed")
    assert time.monotonic() - begun >= 9.9
    assert refusal(host.deliver, "42", push(), handle=hello["handle"]).error == "NoSuchHandle"
    assert guest.count("Push") == 0


def handle_of_a_caller_that_is_gone_is_closed():
    may = Slow()
    guest = Guest(may)
    host = Host(_42=guest.channel)
    with host.caller() as caller:
        caller.send("Hello", {"instance": "42", "timeoutMs": base.PATIENT_MS})
        wait_until(lambda: guest.count("Hello") == 1, "the guest is asked")
    may.may.set()
    wait_until(lambda: guest.ended == 1, "the connection is closed")


def same_call_is_carried_out_once():
    guest = Guest()
    host = Host(_42=guest.channel, _43=Guest().channel)
    call = delivery("42", push())
    answer = host.ask("Deliver", call)
    for _ in range(3):
        assert host.ask("Deliver", call) == answer
    assert guest.count("Push") == 1
    for other in {**call, "envelope": push()}, {**call, "instance": "43"}:
        refused = refusal(host.ask, "Deliver", other)
        assert (refused.error, refused.parameters["field"]) == ("InvalidField", "callId"), refused
    assert guest.count("Push") == 1


def refusal_is_remembered_too():
    guest = Guest(lambda guest, connection, call: base.refusal_of_guest("NoSuchUser"))
    host = Host(_42=guest.channel)
    call = delivery("42", push())
    for _ in range(2):
        assert refusal(host.ask, "Deliver", call).parameters["name"] == "NoSuchUser"
    assert guest.count("Push") == 1


def same_call_at_the_same_time_joins():
    may = Slow()
    guest = Guest(may)
    host = Host(_42=guest.channel)
    call = delivery("42", push())
    calls = [Pending(host.ask, "Deliver", call) for _ in range(8)]
    wait_until(lambda: guest.count("Push") == 1, "the guest is asked")
    # One that does not wait as long learns that it is not known.
    assert refusal(host.ask, "Deliver", {**call, "timeoutMs": 200}).error == "GuestTimeout"
    may.may.set()
    answers = [call.result() for call in calls]
    assert answers[0]["user"] == "alice" and all(answer == answers[0] for answer in answers), answers
    assert guest.count("Push") == 1


def connection_that_ends_undoes_nothing():
    may = Slow()
    guest = Guest(may)
    host = Host(_42=guest.channel)
    call = delivery("42", push())
    with host.caller() as caller:
        caller.send("Deliver", call)
        wait_until(lambda: guest.count("Push") == 1, "the guest is asked")
    may.may.set()
    assert host.ask("Deliver", call)["duplicate"] is False
    assert guest.count("Push") == 1


class _Forgetful(Guest):
    """Stands between exc-host and an agent, and drops the agent's first answers."""

    def __init__(self, to, drops):
        self.to = to
        self.drops = drops
        super().__init__(self.forward)

    def forward(self, guest, connection, call):
        with self.to.connect("host") as onward:
            onward.send(base.json.dumps(call).encode() + b"\0")
            answer = onward.message()
        if call["method"].endswith("Push") and self.drops > 0:
            self.drops -= 1
            return None
        return base.json.dumps(answer).encode() + b"\0"


def lost_answer_is_no_second_grant():
    guest = real_agent()
    host = Host(_42=_Forgetful(guest, 1).channel)
    assert host.deliver("42", push())["duplicate"] is True
    assert len(guest.listed()) == 1


def push_without_any_answer_may_have_arrived():
    guest = real_agent()
    host = Host(_42=_Forgetful(guest, 2).channel)
    call = delivery("42", push())
    assert refusal(host.ask, "Deliver", call).error == "GuestTimeout"
    assert len(guest.listed()) == 1
    # The same call is answered as before; the envelope under another one is a repeat.
    assert refusal(host.ask, "Deliver", call).error == "GuestTimeout"
    assert host.deliver("42", call["envelope"])["duplicate"] is True
    assert len(guest.listed()) == 1


def killed_host_gives_one_grant():
    guest = real_agent()
    host = Host(_42=f"unix:{guest.path('host')}")
    seed = random.randrange(2**32)
    print(f"# seed {seed}")
    chance = random.Random(seed)
    for number in range(1, 13):
        call = delivery("42", push(user="late" if number % 3 == 0 else "alice"))
        with host.caller() as caller:
            caller.send("Deliver", call)
            time.sleep(chance.uniform(0, 0.02))
            host.kill()
        host.start()
        answer = host.ask("Deliver", call)
        assert answer["fingerprints"], answer
        assert len({row["fingerprint"] for row in guest.listed()}) == number
        assert len(guest.keys()) == number, guest.keys()


def guest_killed_while_it_stores_gives_one_grant():
    guest = real_agent()
    host = Host(_42=f"unix:{guest.path('host')}")
    for number in range(1, 9):
        pending = Pending(host.deliver, "42", push(user="slow" if number % 2 else "alice"))
        time.sleep(0.005 * number)
        guest.kill()
        guest.start()
        assert pending.result()["fingerprints"]
        assert len(guest.keys()) == number, guest.keys()


def many_guests_at_once():
    agents = [real_agent() for _ in range(4)]
    fakes = [Guest() for _ in range(20)]
    channels = {f"a{n}": f"unix:{one.path('host')}" for n, one in enumerate(agents)}
    channels |= {f"f{n}": one.channel for n, one in enumerate(fakes)}
    host = Host(**channels)
    calls = [Pending(host.deliver, name, push()) for name in channels for _ in range(5)]
    assert all(call.result()["user"] == "alice" for call in calls)
    assert [len(one.listed()) for one in agents] == [5] * 4
    assert all(fake.count("Push") == 5 and fake.most_busy == 1 for fake in fakes)
    assert set(host.states().values()) == {"reachable"}


def calls_to_a_guest_go_one_at_a_time():
    guest = Guest(lambda guest, connection, call: time.sleep(0.02) or guest.usual(call))
    host = Host(_42=guest.channel)
    calls = [Pending(host.deliver, "42", push()) for _ in range(12)]
    calls += [Pending(host.hello, "42") for _ in range(4)]
    assert all(isinstance(call.result(), dict) for call in calls)
    assert guest.most_busy == 1 and guest.count("Push") == 12


def full_queue_is_busy_and_others_are_not():
    may = Slow()
    guest = Guest(may)
    host = Host("WaitingPerGuest=2", _42=guest.channel, _43=Guest().channel)
    call = delivery("42", push())
    calls = [Pending(host.deliver, "42", push())]
    wait_until(lambda: guest.count("Push") == 1, "the first one is carried out")
    calls += [Pending(host.deliver, "42", push()) for _ in range(2)]
    wait_until(lambda: host.ask("Status")["waiting"] == 2, "two wait")
    refused = refusal(host.ask, "Deliver", call)
    assert refused.error == "Busy" and refused.parameters["retryAfterMs"] > 0, refused
    assert refusal(host.hello, "42").error == "Busy"
    assert host.deliver("43", push())["user"] == "alice"
    may.may.set()
    assert all(call.result()["user"] == "alice" for call in calls)
    # What was refused as Busy was not carried out, and may come again.
    assert host.ask("Deliver", call)["user"] == "alice"
    assert guest.count("Push") == 4


def waiting_ends_at_the_deadline():
    may = Slow()
    guest = Guest(may)
    host = Host(_42=guest.channel)
    first = Pending(host.deliver, "42", push())
    wait_until(lambda: guest.count("Push") == 1, "the first one is carried out")
    refused = refusal(host.deliver, "42", push(), timeout_ms=300)
    assert refused.error == "GuestUnreachable", refused
    may.may.set()
    assert first.result()["user"] == "alice"
    assert guest.count("Push") == 1


def hanging_guests_delay_nobody():
    hanging = [Guest(hang) for _ in range(40)]
    channels = {f"h{n}": guest.channel for n, guest in enumerate(hanging)}
    host = Host(good=f"unix:{real_agent().path('host')}", **channels)
    calls = [Pending(host.deliver, name, push(), timeout_ms=60000) for name in channels for _ in range(2)]
    wait_until(lambda: all(guest.count("Push") for guest in hanging), "all hang")
    for _ in range(20):
        assert host.deliver("good", push())["user"] == "alice"
    assert all(call.runs() for call in calls)
    host.kill()


def guest_that_hangs_is_called_by_few():
    guest = Guest(hang)
    host = Host(_42=guest.channel)
    assert refusal(host.deliver, "42", push(), timeout_ms=500).error == "GuestTimeout"
    assert host.states() == {"42": "unreachable"}
    calls = [Pending(host.deliver, "42", push(), timeout_ms=20000) for _ in range(3)]
    wait_until(lambda: host.ask("Status")["waiting"] == 2, "two wait")
    assert refusal(host.deliver, "42", push()).error == "Busy"
    host.kill()
    del calls


def other_users_are_refused():
    host = Host(_42=Guest().channel)
    os.chmod(host.socket, 0o666)
    for user in RELAY_USER.pw_uid, agent.AGENT_USER.pw_uid:
        with host.caller(user) as caller:
            answer = caller.connection.message()
        assert answer["error"] == "in.excloud.Host.PermissionDenied", answer
    nobody = 65534
    with host.caller(nobody) as caller:
        assert caller.call("Status")["name"] == "h1"


def calls_are_checked():
    host = Host(_42=Guest().channel)
    good = delivery("42", push())
    wrong = {
        "callId": ["", "x" * 22 + "=", "short", 7, None],
        "timeoutMs": [99, 60001, "1000", None],
        "envelope": [{}, [], None, {**good["envelope"], "payloadType": "text/plain"},
                     {**good["envelope"], "signatures": "none"}, {**good["envelope"], "payload": "?"}],
        "instance": ["", "x" * 65, 42, None],
        "handle": ["", "x" * 23, 7],
        "colour": ["red"],
    }
    for field, values in wrong.items():
        for value in values:
            refused = refusal(host.ask, "Deliver", {**good, field: value})
            assert refused.error == "InvalidField" and refused.parameters["field"] == field, (field, value, refused)
    for name in "43", "42x", "4", "connect", "../42":
        assert refusal(host.deliver, name, push()).error == "NoSuchInstance"
    assert refusal(host.hello, "43").error == "NoSuchInstance"


def report_follows_the_changes():
    guest = Guest()
    host = Host(_42=guest.channel, _43="unix:/nonexistent")
    with host.caller() as caller:
        caller.send("Report", more=True)

        def next_rows():
            answer = caller.connection.message()
            assert answer.pop("continues") is True
            return {row["id"]: row for row in answer["parameters"]["instances"]}

        rows = next_rows()
        assert {name: row["state"] for name, row in rows.items()} == {"42": "unknown", "43": "unknown"}, rows
        assert rows["42"]["kind"] == "unix" and rows["42"]["firstSeen"] is None
        begun = int(time.time())
        host.deliver("42", push())
        rows = next_rows()
        assert rows.keys() == {"42"} and rows["42"]["state"] == "reachable", rows
        assert begun <= rows["42"]["firstSeen"] <= time.time()
        assert refusal(host.hello, "43").error == "GuestUnreachable"
        assert next_rows()["43"]["state"] == "unreachable"
        host.remove("43")
        host.add("44", "vsock:77")
        host.reload(2)
        rows = next_rows()
        assert {name: row["state"] for name, row in rows.items()} == {"43": "unknown", "44": "unknown"}, rows
        host.deliver("42", push())
        host.process.send_signal(signal.SIGTERM)
        assert caller.connection.reply() == {"instances": []}
    wait_until(lambda: host.process.poll() is not None, "it ends")


def long_reports_come_in_parts():
    host = Host(**{f"x{n:063}": f"vsock:{n + 3}" for n in range(300)})
    assert host.ask("Status")["instances"] == 300
    assert refusal(host.ask, "Report").error == "org.varlink.service.ExpectedMore"
    with host.caller() as caller:
        caller.send("Report", more=True)
        names = set()
        while len(names) < 300:
            names |= {row["id"] for row in caller.connection.message()["parameters"]["instances"]}


def reload_adds_removes_and_reports():
    guest = Guest()
    host = Host(_42=guest.channel, _43=Guest().channel)
    host.deliver("42", push())
    host.remove("43")
    host.add("44", "unix:relative")
    host.add("45", Guest().channel)
    host.reload(2)
    assert "vm.d/44.conf:3: Channel: invalid value 'unix:relative': write an absolute path" in host.log(), host.log()
    assert refusal(host.hello, "43").error == "NoSuchInstance"
    assert host.hello("45")
    assert host.states() == {"42": "reachable", "45": "reachable"}
    # One VM under two ids: neither is served.
    host.add("46", guest.channel)
    host.reload(1)
    assert "46.conf: its Channel is also in " in host.log() and "42.conf; both VMs are left out" in host.log()
    assert refusal(host.deliver, "42", push()).error == "NoSuchInstance"
    # A wrong main file changes nothing.
    host.configure("Waiting=many")
    host.reload(1)
    assert "host.conf:4: Waiting: invalid value 'many'" in host.log(), host.log()
    host.configure("")
    host.remove("46")
    host.reload(2)
    assert host.deliver("42", push())["user"] == "alice"


def vm_removed_meanwhile_gets_nothing():
    may = Slow()
    guest = Guest(may)
    host = Host(_42=guest.channel)
    first = Pending(host.deliver, "42", push())
    wait_until(lambda: guest.count("Push") == 1, "the first one is carried out")
    second = Pending(host.deliver, "42", push())
    wait_until(lambda: host.ask("Status")["waiting"] == 1, "the second one waits")
    host.remove("42")
    host.reload(0)
    may.may.set()
    assert first.result()["user"] == "alice"
    assert second.result() == "NoSuchInstance"
    assert guest.count("Push") == 1


def sigterm_lets_deliveries_end():
    may = Slow()
    guest = Guest(may)
    host = Host(_42=guest.channel)
    pending = Pending(host.deliver, "42", push())
    wait_until(lambda: guest.count("Push") == 1, "the guest is asked")
    host.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    may.may.set()
    assert pending.result()["user"] == "alice"
    assert host.process.wait(WAIT_S) == 0
    host.process = None


def service_manager_is_notified():
    host = Host()
    host.stop()
    path = pathlib.Path(host.dir / "run/notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        os.chmod(path, 0o666)
        manager.settimeout(WAIT_S)
        host.start(NOTIFY_SOCKET=str(path))
        assert manager.recv(4096) == b"READY=1"
        host.reload()
        assert manager.recv(4096) == b"RELOADING=1"
        assert manager.recv(4096) == b"READY=1"
        host.stop()
        assert manager.recv(4096) == b"STOPPING=1"


def without_users_or_sockets_it_does_not_start():
    host = Host()
    host.stop()
    (host.config / "host.conf").write_text("[Host]\nName=h1\nApiUser=missing\n")
    command = [agent.WORLD / "bin/exc-host", "--config-dir", host.config]
    for more, status, cause in (["--socket", host.dir / "s"], 1, "no such user"), ([], 6, "no socket was passed"):
        done = base.subprocess.run(command + more, capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == status and cause in done.stderr, done


def configuration_can_be_checked():
    host = Host(_42="vsock:5")

    def check():
        return base.subprocess.run([agent.WORLD / "bin/exc-host", "--config-dir", host.config, "--check"],
                                   capture_output=True, text=True, timeout=WAIT_S, check=False)

    done = check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "h1: 1 VMs\n", ""), done
    host.add("43", "vsock:5")
    done = check()
    assert done.returncode == 1 and done.stdout == "h1: 0 VMs\n" and "both VMs are left out" in done.stderr, done


handle_is_held_for_ten_seconds.slow = True
killed_host_gives_one_grant.slow = True
