# SPDX-License-Identifier: Apache-2.0
"""What the agent and the modules of the name service in it cannot do, by Landlock and by its filter of system calls."""

import pathlib
import re
import signal
import subprocess

import agent
from agent import Agent, Signer, refusal, wait_until

REFUSED_CALL = re.search(r'EVENT_CALL_REFUSED "([0-9a-f]{32})"', (agent.TREE / "common/events.h").read_text()).group(1)
WITHOUT = agent.WORLD / "bin/without"
PROGRAM = agent.WORLD / "bin/exc-instance-connect-agent"


def _status(path, field):
    return re.search(rf"^{field}:\s*(\S+)$", pathlib.Path(path).read_text(), re.MULTILINE).group(1)


def _other_file():
    """One that the agent's user can read, and the agent cannot."""
    path = agent.WORLD / "home/file-of-others"
    path.write_text("")
    path.chmod(0o644)
    return path


def _actor(**more):
    """An agent whose name service does for "acts" what it has no business to do."""
    return Agent(preload=agent.NAME_SERVICE, refuses=True, NAME_SERVICE_OPENS=str(_other_file()), **more)


def _works(a, signer):
    """All that the agent does with its store."""
    a.push(user="carol", ttl=1)
    a.push(agent.keys(3), user="bob")
    a.push(user="alice")
    a.send("Push", signer.push(agent.keys(2)))
    assert len(a.listed()) >= 6
    assert a.ask("HostKeys")["hostKeys"]
    assert a.ask("RevokeLocal", {"user": "bob"}) == {"revoked": 3}
    assert a.send("Revoke", signer.revoke(user="alice")) == {"revoked": 3}
    wait_until(lambda: a.stored() == set(), "the key has expired")


def _confined(**more):
    a = Agent(preload=f"{agent.CONFINED}:{agent.CLOCK}", TEST_CLOCK="synchronised", **more)
    signer = Signer()
    a.trust(signer)
    return a, signer


def all_layers_are_in_effect():
    a = Agent()
    a.push()
    path = f"/proc/{a.process.pid}/status"
    assert _status(path, "NoNewPrivs") == "1"
    assert _status(path, "Seccomp") == "2"
    assert int(_status(path, "Seccomp_filters")) == int(_status("/proc/self/status", "Seccomp_filters")) + 1
    assert {int(_status(path, f"Cap{name}"), 16) for name in ("Inh", "Prm", "Eff", "Amb")} == {0}


all_layers_are_in_effect.needs = "seccomp"


def threads_are_confined_too():
    a = Agent("RateLimit=0\nDenyUsers=nobody-of-that-name", journal=True)
    # Its names are looked up at the start, in the first thread.
    wait_until(lambda: any("nobody-of-that-name" in fields["MESSAGE"] for fields in a.events), "they were looked up")
    tasks = list(pathlib.Path(f"/proc/{a.process.pid}/task").iterdir())
    assert len(tasks) == 2
    assert {_status(task / "status", "Seccomp") for task in tasks} == {"2"}


def module_is_refused_files_and_processes():
    a = _actor(journal=True)
    for _ in range(2):
        refused = refusal(a.push, user="acts")
        assert refused.error == "StorageFailure"
        assert "the system call clone (" in refused.parameters["message"], refused.parameters
    assert a.log().count("acts: open EACCES, fork EPERM\n") == 2
    a.push(user="alice")
    # Reported once; the refusals themselves are in the journal too.
    a.push(user="bob")
    (event,) = a.events_of(REFUSED_CALL)
    assert event["MESSAGE"].startswith("system call clone (") and "--seccomp" in event["MESSAGE"]
    assert (event["PRIORITY"], event["SYSLOG_IDENTIFIER"]) == ("4", "exc-instance-connect-agent")
    assert event["EXC_SYSCALL"].isdigit() and re.fullmatch("[0-9a-f]{8}", event["EXC_ARCHITECTURE"])


module_is_refused_files_and_processes.needs = "landlock seccomp"


def module_has_no_internet_unless_it_needs_one():
    a = _actor()
    assert "the system call socket (" in refusal(a.push, user="inet").parameters["message"]
    assert "inet: EPERM\n" in a.log()
    b = Agent(preload=agent.NAME_SERVICE, options=["--name-service-network"])
    b.push(user="inet")
    assert "inet: done\n" in b.log()


module_has_no_internet_unless_it_needs_one.needs = "seccomp"


def refused_call_of_the_agent_ends_it_with_an_event():
    marker = agent.WORLD / "tests/agent-traces"
    a = Agent(preload=agent.CONFINED, journal=True, refuses=True, AGENT_TRACES=str(marker))
    a.push()
    marker.touch()
    try:
        a.push()
        raise AssertionError("it was stored")
    except agent.Closed:
        pass
    assert a.wait() == -signal.SIGSYS
    (event,) = a.events_of(REFUSED_CALL)
    assert event["MESSAGE"].startswith("system call ptrace (") and "ends the program" in event["MESSAGE"]
    assert event["PRIORITY"] == "3"
    marker.unlink()
    # The next one continues.
    a.start()
    assert len(a.listed()) == 1


refused_call_of_the_agent_ends_it_with_an_event.needs = "seccomp"


def landlock_alone_refuses_files():
    a = _actor(wrapper=[WITHOUT, "seccomp"], journal=True)
    a.push(user="acts")
    assert "acts: open EACCES, fork done\n" in a.log()
    wait_until(lambda: any("confinement: system calls, by seccomp: not in effect" in fields["MESSAGE"]
                           for fields in a.events), "it says what is missing")


landlock_alone_refuses_files.needs = "landlock seccomp"


def seccomp_alone_refuses_processes():
    a = _actor(wrapper=[WITHOUT, "landlock"], journal=True)
    assert refusal(a.push, user="acts").error == "StorageFailure"
    assert "acts: open done, fork EPERM\n" in a.log()
    wait_until(lambda: any("confinement: files, by Landlock: not in effect" in fields["MESSAGE"]
                           for fields in a.events), "it says what is missing")


seccomp_alone_refuses_processes.needs = "seccomp"


def agent_works_with_each_layer_alone():
    for layer in "seccomp", "landlock":
        _works(*_confined(wrapper=[WITHOUT, layer], refuses=True))


agent_works_with_each_layer_alone.needs = "seccomp"


def agent_works_with_each_version_of_landlock():
    for version in range(1, 8):
        a, signer = _confined(LANDLOCK_VERSION=str(version))
        _works(a, signer)
        a.stop()


def filter_is_off_or_logs_on_request():
    for mode in "off", "log":
        a = _actor(options=[f"--seccomp={mode}"])
        a.push(user="acts")
        assert "acts: open EACCES, fork done\n" in a.log(), mode
    result = subprocess.run([PROGRAM, "--seccomp", "maybe"], capture_output=True, text=True, check=False)
    assert result.returncode == 2 and "expected on, log or off" in result.stderr


filter_is_off_or_logs_on_request.needs = "landlock"


def configuration_elsewhere_is_read():
    elsewhere = agent.WORLD / "tests/confine-elsewhere"
    elsewhere.mkdir()
    a = Agent()
    a.stop()
    a.config.unlink()
    (elsewhere / "agent.conf").write_text("[Agent]\nRateLimit=0\nDenyUsers=bob\n")
    a.config.symlink_to(elsewhere / "agent.conf")
    signer = Signer()
    (elsewhere / "anchor").write_bytes(signer.anchor())
    (a.config.parent / "trust.d").mkdir()
    (a.config.parent / "trust.d/cloud.pem").symlink_to(elsewhere / "anchor")
    a.start()
    assert refusal(a.push, user="bob").error == "UserDenied"
    # Not before the signature is verified.
    assert refusal(a.send, "Push", signer.push(agent.keys(1))).error == "WrongInstance"
    # Another file in its place.
    new = elsewhere / "new"
    new.write_text("[Agent]\nRateLimit=0\nDenyUsers=carol\n")
    new.rename(elsewhere / "agent.conf")
    wait_until(lambda: not a.listed() and a.push(user="bob"), "it is read")
    assert refusal(a.push, user="carol").error == "UserDenied"


def host_keys_in_a_directory_that_came_later_need_a_restart():
    elsewhere = agent.WORLD / "ssh-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "key.pub").write_text((agent.WORLD / "ssh/host_key.pub").read_text())
    a = Agent(journal=True)
    assert a.ask("HostKeys")["hostKeys"]
    a.config.write_text(f"[Agent]\nRateLimit=0\nHostKeyFiles={elsewhere}/key.pub\n")
    # A push reads the configuration.
    assert not a.push()["hostKeys"]
    wait_until(lambda: any(f"HostKeyFiles: {elsewhere}/key.pub: not in a directory" in fields["MESSAGE"]
                           for fields in a.events), "it says so")
    a.stop()
    # What is closed to the agent when it starts, and not later, needs none.
    elsewhere.chmod(0o700)
    a.start()
    assert not a.ask("HostKeys")["hostKeys"]
    elsewhere.chmod(0o755)
    assert a.ask("HostKeys")["hostKeys"]


host_keys_in_a_directory_that_came_later_need_a_restart.needs = "landlock"


def no_call_is_refused_in_its_work():
    """Neither with an event nor quietly: not even those calls that libraries try and can do without."""
    trace = agent.WORLD / "tests/confine-trace"
    trace.write_text("")
    trace.chmod(0o666)
    a, signer = _confined(wrapper=["strace", "-D", "-f", "-qq", "-o", trace])
    _works(a, signer)
    for name in "nobody-of-that-name", "late", "many7":
        a.ask("List", {"user": name})
    a.stop()
    text = trace.read_text()
    before, _, after = text.partition("seccomp(SECCOMP_SET_MODE_FILTER, 0, {")
    assert "landlock_restrict_self" in before and "linkat(" in after and "unlinkat(" in after
    assert "--- SIGSYS" not in text
    odd = [line for line in after.splitlines() if re.search("= -1 (ENOSYS|EPERM|EAFNOSUPPORT)", line)]
    assert odd and all("clone3(" in line for line in odd), odd


no_call_is_refused_in_its_work.needs = "landlock seccomp"
