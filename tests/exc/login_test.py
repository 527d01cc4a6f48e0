# SPDX-License-Identifier: Apache-2.0
"""Where endpoint and token come from, and what keeps the token."""

import json
import os
import pty
import select
import stat
import subprocess
import termios
import time

import agent
import client
from client import TOKEN, Exc
from cloud import Cloud


def token_is_tried_and_kept():
    plane = Cloud(guests=())
    endpoint, exc = f"unix:{plane.api.path}", Exc()
    exc.fails(6, "login", "--endpoint", endpoint, "--token-stdin", stdin=TOKEN + "\n", says="the token is unknown or has expired")
    assert not exc.config.exists()
    done = exc.good("login", "--endpoint", endpoint, "--token-stdin", stdin=plane.api.token + "\n")
    assert str(exc.config) in done.err and plane.api.token not in done.err + done.out
    assert stat.S_IMODE(exc.config.stat().st_mode) == 0o600 and stat.S_IMODE(exc.config.parent.stat().st_mode) == 0o700
    assert json.loads(exc.config.read_text()) == {"endpoint": endpoint, "token": plane.api.token}
    exc.good("compute", "instance", "list")
    # The environment comes first, then the file; the option before both.
    exc.fails(6, "compute", "instance", "list", EXC_TOKEN=TOKEN)
    exc.fails(3, "compute", "instance", "list", EXC_ENDPOINT="unix:/nowhere", EXC_TOKEN=TOKEN)
    exc.good("compute", "instance", "list", "--endpoint", endpoint, EXC_ENDPOINT="unix:/nowhere")
    # An account that may do nothing yet can log in.
    token = plane.api.seed("dev")
    exc.good("login", "--token-stdin", stdin=token)
    assert json.loads(exc.config.read_text())["token"] == token
    assert [path.name for path in exc.config.parent.iterdir()] == ["config.json"]
    exc.fails(2, "login", "--token-stdin", stdin="exc_short", says="token: expected exc_")
    exc.fails(2, "login", "--token-stdin", stdin="", says="token: expected exc_")
    exc.fails(2, "login", says=["there is no terminal", "--token-stdin"], program=("setsid",))


def kept_token_is_shown_to_its_own_api_alone():
    elsewhere = client.Web(lambda method, path, body: client.error(401, "Unauthenticated"))
    exc = Exc()
    exc.write_config(endpoint="unix:/nowhere", token=TOKEN)
    says = f"not logged in: there is no token for {elsewhere.url}"
    exc.fails(6, "compute", "instance", "list", "--endpoint", elsewhere.url, says=says)
    exc.fails(6, "compute", "instance", "list", says=says, EXC_ENDPOINT=elsewhere.url)
    assert not elsewhere.requests, elsewhere.requests
    exc.fails(6, "compute", "instance", "list", EXC_ENDPOINT=elsewhere.url, EXC_TOKEN=TOKEN)
    assert elsewhere.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"


def terminal_is_asked_and_does_not_show_the_token():
    plane = Cloud(guests=())
    exc = Exc()
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(exc.home)
        os.execve(client.PROGRAM, ["exc", "login"], exc.environment)
    seen = b""

    def read_until(text):
        nonlocal seen
        end = time.monotonic() + agent.WAIT_S
        while text not in seen and time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                try:
                    seen += os.read(terminal, 4096)
                except OSError:
                    break
        assert text in seen, seen

    read_until(b"Endpoint")
    os.write(terminal, f"unix:{plane.api.path}\n".encode())
    read_until(b"it is not shown")
    # Else what is pasted at once would be shown.
    assert not termios.tcgetattr(terminal)[3] & termios.ECHO
    os.write(terminal, plane.api.token.encode() + b"\n")
    read_until(b"logged in")
    assert os.waitpid(process, 0)[1] == 0 and plane.api.token.encode() not in seen, seen
    exc.good("compute", "instance", "list")


def file_that_others_can_read_is_refused():
    plane = Cloud(guests=())
    exc = Exc()
    exc.write_config(endpoint=f"unix:{plane.api.path}", token=plane.api.token)
    exc.good("compute", "instance", "list")
    for mode in 0o640, 0o604, 0o660:
        exc.config.chmod(mode)
        exc.fails(1, "compute", "instance", "list", says=["other users may read it", f"chmod 600 {exc.config}"])
    exc.config.chmod(0o600)
    os.chown(exc.config, 1, -1)
    exc.fails(1, "compute", "instance", "list", says=["it belongs to uid 1", "chown"])
    # Not asked where all is in the environment.
    exc.good("compute", "instance", "list", EXC_ENDPOINT=f"unix:{plane.api.path}", EXC_TOKEN=plane.api.token)


def broken_files_are_told():
    exc = Exc()
    for text, says in (("{", "not a JSON object"), ("[]", "not a JSON object"), ('{"colour": "x"}', "colour: unknown setting"),
                       ('{"token": 1}', "token: it is not a string"), ('{"token": "a", "token": "b"}', "not a JSON object"),
                       ('{"endpoint": "ftp://x"}', "endpoint: expected an endpoint"), ('{"token": "x"}', "token: expected a token")):
        exc.write_config()
        exc.config.write_text(text)
        done = exc.run("compute", "instance", "list", EXC_ENDPOINT="" if "endpoint" in text else "unix:/nowhere")
        assert done.status in (1, 2) and says in done.err and str(exc.config) in done.err, (text, done)
    exc.config.unlink()
    exc.config.mkdir()
    exc.fails(1, "compute", "instance", "list", says="not a regular file")


def settings_are_set_and_forgotten():
    exc = Exc()
    exc.fails(4, "config", "get", "endpoint", says="it is not set")
    exc.good("config", "set", "endpoint", "https://compute.example.org")
    exc.good("config", "set", "user", "ubuntu")
    assert exc.good("config", "get", "endpoint").out == "https://compute.example.org\n"
    assert exc.good("config", "get", "user").out == "ubuntu\n"
    assert exc.good("config", "get", "user", EXC_USER="root").out == "root\n"
    exc.good("config", "unset", "user")
    exc.fails(4, "config", "get", "user")
    assert exc.good("config", "path").out == f"{exc.config}\n"
    elsewhere = exc.home / "x"
    exc.good("config", "set", "user", "a", XDG_CONFIG_HOME=str(elsewhere))
    assert (elsewhere / "exc/config.json").exists()
    done = exc.good("config", "get", "token", EXC_TOKEN=TOKEN)
    assert done.out.startswith("exc_abcdefgh") and "AAAA" not in done.out
    exc.fails(2, "config", "set", "token", TOKEN, says="use exc login")
    exc.fails(2, "config", "set", "endpoint", "http://example.org", says="plain http")
    exc.fails(2, "config", "set", "colour", "x", says="unknown setting")
    # A link stays one.
    kept = exc.home / "kept.json"
    exc.config.rename(kept)
    exc.config.symlink_to(kept)
    exc.good("config", "set", "user", "b")
    assert exc.config.is_symlink() and json.loads(kept.read_text())["user"] == "b"


def default_user_is_sent():
    plane = Cloud()
    exc = Exc(plane, EXC_USER="alice")
    path, _ = exc.key()
    exc.good("compute", "send-public-key", "42", "--public-key", path)
    (row,) = plane.guest.listed()
    assert row["user"] == "alice"


def home_that_cannot_be_written():
    exc = Exc()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", exc.home], check=True)
    exc.fails(1, "config", "set", "user", "x", says=["cannot write it: Read-only file system", "XDG_CONFIG_HOME"])
    exc.fails(1, "config", "path", program=("env", "-u", "HOME"), says="set HOME")
