# SPDX-License-Identifier: Apache-2.0
"""exc-instance-connect-relay(8) as a program, with a terminal in place of the port. EXC_BUILD is its directory."""

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import tty

PROGRAM = os.path.join(os.environ["EXC_BUILD"], "exc-instance-connect-relay")
NAME = "exc-instance-connect-relay: "
DEADLINE_S = 100  # far more than anything here takes


def _run(*arguments, **more):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False, **more)


def _read(fd, n):
    """That many bytes."""
    data = b""
    while len(data) < n:
        assert select.select([fd], [], [], DEADLINE_S)[0], f"timeout after {data}"
        data += os.read(fd, n - len(data))
    return data


@contextlib.contextmanager
def _started(*options, **environment):
    """The relay between a host's end of the port, a descriptor, and the agent's listening socket."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(DEADLINE_S)
        listener.bind(directory + "/host.sock")
        listener.listen()
        host, port = pty.openpty()
        tty.setraw(port)
        relay = subprocess.Popen(
            [PROGRAM, "--port", os.ttyname(port), "--socket", directory + "/host.sock", *options],
            stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        try:
            yield host, listener, relay
        finally:
            relay.kill()
            relay.wait()
            relay.stderr.close()
            os.close(host)
            os.close(port)


def _exchange(host, listener):
    """A call and its answer; then the agent closes."""
    os.write(host, b"SECRET CALL\0")
    with listener.accept()[0] as agent:
        assert _read(agent.fileno(), 12) == b"SECRET CALL\0"
        agent.sendall(b"SECRET ANSWER\0")
        assert _read(host, 14) == b"SECRET ANSWER\0"


def _stages(relay):
    """The lines on standard error up to the end of the connection."""
    lines = []
    while not lines or "connection closed" not in lines[-1]:
        line = relay.stderr.readline()
        assert line, lines
        lines.append(line)
    return lines


def _assert_stages(relay):
    lines = _stages(relay)
    expected = ["port: opened", "host: 12 bytes read", "agent: connected to ",
                "agent: connection closed, 12 bytes sent, 14 received"]
    assert len(lines) == len(expected), lines
    for line, text in zip(lines, expected):
        assert line.startswith(NAME + "debug: " + text), line
        assert "SECRET" not in line


def verbose_prints_each_stage_without_content():
    with _started("--verbose") as (host, listener, relay):
        _exchange(host, listener)
        _assert_stages(relay)


def exc_debug_is_the_same():
    with _started(EXC_DEBUG="1") as (host, listener, relay):
        _exchange(host, listener)
        _assert_stages(relay)


def without_it_nothing_is_printed():
    for value in "", "0", "yes":
        with _started(EXC_DEBUG=value) as (host, listener, relay):
            _exchange(host, listener)
            _exchange(host, listener)
            relay.send_signal(signal.SIGTERM)
            assert relay.stderr.read() == "", value


def _status(relay):
    with open(f"/proc/{relay.pid}/status", encoding="ascii") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status)


def it_confines_itself():
    for options, seccomp in ((), "2"), (("--seccomp", "off"), "0"):
        with _started(*options) as (host, listener, relay):
            _exchange(host, listener)
            status = _status(relay)
            assert (status["Seccomp"], status["NoNewPrivs"], status["CapPrm"]) == (seccomp, "1", "0" * 16), status


def filter_has_all_that_it_calls():
    with _started() as (host, listener, relay), tempfile.NamedTemporaryFile("r") as trace:
        with subprocess.Popen(["strace", "-qq", "-o", trace.name, "-p", str(relay.pid)]) as tracer:
            while _status(relay)["TracerPid"] == "0":
                assert tracer.poll() is None
            _exchange(host, listener)
            _exchange(host, listener)
            listener.close()
            os.write(host, b"ANOTHER\0")
            assert "agent not reachable" in relay.stderr.readline()
            relay.send_signal(signal.SIGTERM)
        text = trace.read()
        assert "sendto(" in text and not re.search(" EPERM | ENOSYS |SIGSYS", text), text


def missing_port_is_reported_with_the_next_step():
    result = _run("--port", "/nonexistent/port")
    assert (result.returncode, result.stdout) == (1, ""), result
    assert result.stderr == (NAME + "/nonexistent/port: cannot be opened: No such file or directory; configure this port on "
                             "the host, or check the udev rules of this package\n"), result.stderr


def unreachable_agent_is_reported_once():
    with _started() as (host, listener, relay):
        path = listener.getsockname()
        os.unlink(path)
        os.write(host, b"x")
        line = relay.stderr.readline()
        assert line.startswith(f"{NAME}{path}: agent not reachable, the host waits: No such file or directory; run "), line
        # It tries again, and reports nothing more.
        with socket.socket(socket.AF_UNIX) as again:
            again.settimeout(DEADLINE_S)
            again.bind(path)
            again.listen()
            with again.accept()[0] as agent:
                assert _read(agent.fileno(), 1) == b"x"
            relay.send_signal(signal.SIGTERM)
            assert relay.stderr.read() == ""


def wrong_options_are_refused():
    for arguments in ["--nonsense"], ["--port"], ["word"]:
        result = _run(*arguments)
        assert (result.returncode, result.stdout) == (2, ""), result
        assert "--help" in result.stderr
    result = _run("--socket", "x" * 200, "--port", "/dev/ptmx")
    assert result.returncode == 1 and "File name too long" in result.stderr, result


def help_and_version_are_printed():
    result = _run("--help")
    assert result.returncode == 0 and "--verbose" in result.stdout, result
    assert _run("--version").stdout.startswith("exc-instance-connect-relay "), result
