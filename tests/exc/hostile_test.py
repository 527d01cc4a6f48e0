# SPDX-License-Identifier: Apache-2.0
"""exc against an API that answers whatever it likes: EXC_SEED and EXC_RUNS repeat or lengthen a run."""

import base64
import concurrent.futures
import ipaddress
import json
import os
import random
import re
import socket
import subprocess
import threading
import time
import unicodedata

import agent
import client
from agent import WORLD
from client import TOKEN, Exc
from cloud import fingerprint

RUNS = int(os.environ.get("EXC_RUNS", "100" if os.environ.get("EXC_SHORT") else "400"))
AT_A_TIME = 4
# exc ends a request after 40 s, and a list after twice that; the rest is for a busy machine.
LIMIT_S = 3 * 40 + agent.WAIT_S
# Far beyond what exc takes, and an answer that this program makes at once: others wait for it.
REPEATED_MAX = 8 * 2**20
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAWzR4F0I2NQhnP/bZcixwskk+h2bh5uHuKUoZfIOieN"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape"

# In place of ssh: notes its words, and the file of known hosts.
RECORDER = """#!/bin/sh
printf '%s\\0' "$@" >"$HOME/words"
for word; do
    case $word in UserKnownHostsFile=*) cat "$(echo "${word#*=}" | tr -d \\")" >"$HOME/known_hosts" ;; esac
done
"""

TEXTS = [
    "", "-oProxyCommand=touch owned", "-F/etc/passwd", "--", "a b", "a\nb", "a\r\nb", "a\0b", "\x1b]0;x\x07", "\x1b[2J", "\x7f",
    "\x9b31m", "\u202e", "\u2028", "\ufeff", "\U000e0041", "$(touch owned)", "`touch owned`", "; touch owned", "'; touch owned; '",
    '"; touch owned; "', "%h%p%r%d%%", "${HOME}", "..", "../../../etc/passwd", "/etc/passwd", "~", "*", "exc-vm-42", "exc-vm-43",
    "A" * 300, "A" * 70000, "\u00e4" * 255, "192.0.2.1 -oX=1", "192.0.2.1,192.0.2.2", "::ffff:1.2.3.4%eth0", "localhost", "0x7f.1",
    "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-1", "22", "root", "alice", "null",
]
LINES = [
    f"* {OTHER_KEY}", f"exc-vm-42,* {OTHER_KEY}", f"exc-vm-42 {OTHER_KEY}\n* {OTHER_KEY}", f"@cert-authority exc-vm-42 {OTHER_KEY}",
    f"exc-vm-42 {OTHER_KEY} comment\n", f"|1|AAAA|AAAA {OTHER_KEY}", f"github.com {OTHER_KEY}", f"exc-vm-42\t{OTHER_KEY}",
    f"exc-vm-43 {OTHER_KEY}", f" exc-vm-42 {OTHER_KEY}", f"exc-vm-42  {OTHER_KEY}", "exc-vm-42 ssh-ed25519 AAAA", OTHER_KEY,
    f"exc-vm-42 {OTHER_KEY}\r", f"exc-vm-42 {OTHER_KEY}\0", f"exc-vm-42 command=\"x\" {OTHER_KEY}",
]
# What becomes words of ssh, lines of known_hosts and parts of paths gets what would harm there.
SHARP = {
    "user": lambda dice: dice.choice([text for text in TEXTS if text[:1] == "-" or not text.isprintable()]),
    "known_hosts": lambda dice: [f"exc-vm-42 {HOST_KEY}", dice.choice(LINES)][dice.randrange(2):],
    "addresses": lambda dice: {"port": dice.choice([22, "22", 0, 65536]), "public_ipv4": dice.choice(TEXTS),
                               "private_ipv4": dice.choice(["192.0.2.1", "192.0.2.1 -v", "192.0.2.1'", "192.0.2.01", "1.2"])},
    "vm_id": lambda dice: dice.choice(["43", "42 ", "42\n", 42, "../42", "*"]),
}
VALUES = [None, True, False, 0, -1, 1, 65536, 2**31, 2**53, -2**63, 1.5, 1e308, [], {}, [[]], [None], {"a": {"b": {}}}]


def _private_key(directory):
    path = directory / "server_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


def _honest(pair, path, body):
    """What an honest API answers, status and body, for a VM with the id 42 and the name web."""
    asked = json.loads(body) if body else {}
    if asked.get("vm_id", "42") != "42" or "/instance/web" in path:
        return 404, {"error": "NotFound", "message": "there is no such VM", "request_id": "r-1"}
    return 200, _good(pair, path, asked)


def _good(pair, path, asked):
    if path.endswith("/connect"):
        sent = asked.get("public_key")
        key = sent or pair[1]
        return {"id": None, "vm_id": "42", "user": "alice", "private_key": None if sent else pair[0], "public_key": key,
                "fingerprint": fingerprint(key), "expires_at": "2030-01-01T00:00:00Z", "connections": 1,
                "known_hosts": [f"exc-vm-42 {HOST_KEY}"], "host_keys_changed": False, "tunnel": False, "request_id": "r-1",
                "addresses": {"public_ipv4": "192.0.2.7", "private_ipv4": None, "ipv6": None, "port": 2222}}
    if path.endswith("/revoke"):
        return {"revoked": 1, "outcome": "done", "keys_end_at": None}
    row = {"id": "42", "name": "web", "host": "hv1", "default_user": "alice", "state": "running", "tunnel": False,
           "addresses": {"public_ipv4": "192.0.2.7", "port": 22}, "type": "ed25519", "fingerprint": fingerprint(HOST_KEY),
           "public_key": HOST_KEY, "created_at": "2026-01-01T00:00:00Z", "changed_at": "2026-01-01T00:00:00Z",
           "expires_at": "2030-01-01T00:00:00Z", "account": "admin", "version": 1, "policies": ["Admin"],
           "document": {"Version": "2024-03-05", "Statements": []}}
    # Lists end with their name, and one object with its own.
    is_list = path.partition("?")[0].rpartition("/")[2] in ("instance", "keypair", "account", "token", "policy")
    others = [] if "name=" in path else [{**row, "id": "43", "name": "db"}]
    return {"items": [row, *others], "next": None} if is_list else row


def _replace(dice, value):
    """One member, at any depth, is another, is missing, or is there twice as a list."""
    if isinstance(value, (dict, list)) and value and dice.random() < 0.9:
        copy = value.copy()
        at = dice.choice(list(copy)) if isinstance(copy, dict) else dice.randrange(len(copy))
        if isinstance(copy, dict) and SHARP.keys() & copy.keys() and dice.random() < 0.5:
            at = dice.choice(sorted(SHARP.keys() & copy.keys()))
            copy[at] = SHARP[at](dice)
        elif isinstance(copy, dict) and dice.random() < 0.1:
            del copy[at]
        elif isinstance(copy, list) and dice.random() < 0.2:
            copy = copy * min(dice.choice([2, 20, 2000]), REPEATED_MAX // len(json.dumps(copy)) + 1)
        else:
            copy[at] = _replace(dice, copy[at])
        return copy
    if isinstance(value, str) and dice.random() < 0.3:
        at = dice.randrange(len(value) + 1)
        return value[:at] + dice.choice(TEXTS) + value[at + dice.randrange(2):]
    return dice.choice(dice.choice([TEXTS, TEXTS, LINES, VALUES]))


def _damage(dice, data):
    """The same at the level of bytes."""
    kind = dice.randrange(7)
    at = dice.randrange(len(data) + 1)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + dice.randbytes(dice.randrange(1, 9)) + data[at:]
    if kind == 2:
        return b"[" * dice.choice([7, 9, 100000]) + data
    if kind == 3:
        return data[:1] + b'"vm_id": "43", "error": "\\u0000\\ud800", ' + data[1:]
    if kind == 4:
        return dice.randbytes(dice.choice([0, 1, 100, 100000]))
    if kind == 5:
        return data + b" " * 2**21
    return data[:at] + dice.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\0", b"\x1b[2J"]) + data[at + 1:]


ERRORS = ["InvalidRequest", "Unauthenticated", "AccessDenied", "SignerRefused", "NotFound", "Conflict", "Revoked", "GuestRefused",
          "TooManyRequests", "Internal", "GuestUnreachable", "HostUnreachable", "StoreUnavailable", "GuestTimeout", "\x1b[2J"]


def _head(dice, status, length):
    lines = [f"HTTP/1.1 {status} {dice.choice(['OK', '', chr(27) + '[2J'])}", f"Content-Length: {length}"]
    for name in ("Content-Type", "X-Request-Id", "Retry-After", "Location", "Content-Encoding", "Transfer-Encoding", "Set-Cookie",
                 "WWW-Authenticate", "Content-Length"):
        if dice.random() < 0.02:
            value = dice.choice([*TEXTS, "http://127.0.0.1:1/", "chunked", "gzip", "99999999999999999999"])
            lines.append(f"{name}: " + value.replace("\n", "").replace("\r", ""))
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n"


def _answer(dice, pair, path, body):
    """The bytes of a whole HTTP answer."""
    usual, honest = _honest(pair, path, body)
    status = dice.choice([usual] * 100 + [201, 204, 206, 100, 301, 308, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504, 999, 0])
    if status >= 400 and status != usual:
        honest = {"error": dice.choice(ERRORS), "message": dice.choice(TEXTS), "request_id": dice.choice(TEXTS),
                  "action": "compute:instance:connect", "resource": "exc:compute:instance/42", "guest_error": "NoSuchUser",
                  "guest_message": dice.choice(TEXTS), "field": "user"}
    for _ in range(dice.choice([0, 0, 1, 1, 1, 2, 5])):
        honest = _replace(dice, honest)
    data = json.dumps(honest, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    if dice.random() < 0.1:
        data = _damage(dice, data)
    length = len(data) if dice.random() < 0.95 else dice.choice([0, len(data) // 2, "x", -1, 2**63])
    if dice.random() < 0.02:
        return dice.randbytes(dice.randrange(2000))
    return _head(dice, status, length) + data


class Api:
    """Closes each connection after its answer; the first part of a path is the number of the run."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=self.listener.accept()[:1], daemon=True).start()

    def serve(self, peer):
        with peer:
            try:
                received = b""
                while b"\r\n\r\n" not in received:
                    part = peer.recv(65536)
                    if not part:
                        return
                    received += part
                head, _, body = received.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
                while length and len(body) < int(length[1]):
                    part = peer.recv(65536)
                    if not part:
                        return
                    body += part
                _, run, path = head.split(b" ", 2)[1].decode().split("/", 2)
                peer.sendall(self.answer(int(run), "/" + path, body))
            except OSError:
                pass


CONNECT = ("compute", "connect", "42", "--", "-T", "true")
RUNS_SSH = [CONNECT, ("compute", "connect", "alice@42", "--server-key"), ("compute", "exec", "web", "--command", "true"),
            ("compute", "exec", "42", "--server-key", "--command", "true")]
PRINT = ("compute", "connect", "42", "--print-command", "--public-key", "own.pub", "-o", "json")
PROXY = ("compute", "proxy-command", "--directory", "DIRECTORY", "exc-42", "alice")
OTHERS = [
    PRINT, PROXY, PROXY, ("compute", "send-public-key", "42", "--user", "alice", "--public-key", "own.pub"),
    ("compute", "send-public-key", "42", "--public-key", "own.pub", "-o", "json"), ("compute", "revoke", "alice@web"),
    ("compute", "instance", "list"), ("compute", "instance", "list", "-o", "json"), ("compute", "instance", "show", "42"),
    ("compute", "instance", "show", "web"), ("compute", "instance", "accept-host-keys", "42"), ("compute", "keypair", "list"),
    ("compute", "keypair", "show", "deploy"), ("compute", "keypair", "create", "deploy"), ("iam", "account", "list"),
    ("iam", "token", "list"), ("iam", "token", "create", "admin"), ("iam", "policy", "show", "dev"), ("iam", "policy", "list"),
    ("complete", "--", "compute", "connect", ""), ("complete", "--", "compute", "connect", "alice@"),
]


def _user(url, bin_directory):
    exc = Exc(url, TOKEN, PATH=f"{bin_directory}:{os.environ['PATH']}")
    runtime = exc.home / "run"
    runtime.mkdir(mode=0o700)
    exc.environment["XDG_RUNTIME_DIR"] = str(runtime)
    (exc.home / "own.pub").write_text(OTHER_KEY + "\n")
    return exc


def _start(exc, command):
    words = [word.replace("DIRECTORY", f"{exc.home}/run/exc") for word in command]
    mine, theirs = socket.socketpair() if command == PROXY else (None, subprocess.PIPE)
    began = time.monotonic()
    with subprocess.Popen([client.PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
                          cwd=exc.home, env=exc.environment) as process:
        if mine:
            theirs.close()
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
            if mine:
                mine.close()
    if time.monotonic() - began > 5:
        print('SLOW', command, time.monotonic() - began, err[:300], flush=True)
    return process.returncode, out or b"", err, time.monotonic() - began


def _check_text(data):
    text = data.decode()  # it is UTF-8
    for c in text:
        assert c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Cs"), (hex(ord(c)), text)
    assert "Sanitizer" not in text and "runtime error" not in text, text


def _check_words(exc, words, honest):
    """They are those of an honest answer, but for user, port and addresses."""
    directory = re.compile(re.escape(str(exc.home)) + r"/run/exc-\w{6}/")
    words = [directory.sub("DIRECTORY/", word) for word in words]
    user, port, address = (words[words.index(option) + 1] for option in ("-l", "-p", "--"))
    words = ["HostName=ADDRESS" if word == f"HostName={address}" else word for word in words]
    assert user and user[0] != "-" and 1 <= int(port) <= 65535, words
    ipaddress.ip_address(address)
    plain = []
    for word in words:
        if word.startswith("ProxyCommand=") or word == "ProxyUseFdpass=yes":
            assert re.fullmatch(rf"ProxyUseFdpass=yes|ProxyCommand=(none|'{client.PROGRAM}' compute dial 42 \d+ [0-9a-f.: ]+)", word)
            assert plain.pop() == "-o"
        else:
            plain.append(word)
    plain[plain.index("-l") + 1], plain[plain.index("-p") + 1], plain[plain.index("--") + 1] = "USER", "PORT", "ADDRESS"
    if honest is not None:
        assert plain == honest, (plain, honest)
    return plain


def _check_known_hosts(text, name):
    lines = text.split("\n")
    assert lines.pop() == "" and lines, text
    for line in lines:
        alias, kind, blob = line.split(" ")
        assert alias == name and re.fullmatch(r"[a-z0-9@.-]+", kind) and base64.b64decode(blob, validate=True), line


def _check(exc, command, done, honest):
    """The words of ssh, where it was started."""
    status, out, err, seconds = done
    assert 0 <= status < 126 and seconds < LIMIT_S, done
    _check_text(out)
    _check_text(err)
    assert status == 0 or err or command[0] == "complete", done
    assert not list(exc.home.rglob("owned*")) and not list((exc.home / "run").glob("exc-*")), done
    words = exc.home / "words"
    seen = None
    if command == PROXY:
        path = exc.home / "run/exc/known_hosts/exc-42"
        if path.exists():
            _check_known_hosts(path.read_text(), "exc-vm")
    if command == PRINT and status == 0:
        printed = json.loads(out)
        _check_known_hosts("".join(line + "\n" for line in printed["known_hosts"]), "exc-vm-42")
        assert printed["command"][0] == "ssh"
        seen = _check_words(exc, printed["command"], honest)
    if command in RUNS_SSH and words.exists():
        _check_known_hosts((exc.home / "known_hosts").read_text(), "exc-vm-42")
        seen = _check_words(exc, words.read_text().split("\0")[:-1], honest)
    if command[0] == "complete":
        assert all(re.fullmatch(r"(alice@)?[A-Za-z0-9][A-Za-z0-9._-]*", word) for word in out.decode().split("\n")[:-1]), out
    return seen


def hostile_answers_do_no_harm():
    seed = int(os.environ.get("EXC_SEED", random.SystemRandom().randrange(2**32)))
    print(f"EXC_SEED={seed} EXC_RUNS={RUNS}")
    pair = _private_key(WORLD / "tests")
    bin_directory = WORLD / "tests/recorder"
    bin_directory.mkdir()
    (bin_directory / "ssh").write_text(RECORDER)
    (bin_directory / "ssh").chmod(0o755)
    dices = {}

    def answer(run, path, body):
        if run not in dices:
            status, good = _honest(pair, path, body)
            data = json.dumps(good).encode()
            return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(data)) + data
        return _answer(dices[run], pair, path, body)

    api = Api(answer)
    # First honest answers, so that the rest is compared with what works.
    honest = {}
    for number, command in enumerate([*RUNS_SSH, *OTHERS]):
        exc = _user(f"{api.url}/{RUNS + number}", bin_directory)
        done = _start(exc, command)
        assert done[0] == 0 or command == PROXY or command[2] in ("create", "accept-host-keys"), (command, done)
        honest[command] = _check(exc, command, done, None)
    assert all(honest[command] for command in (PRINT, *RUNS_SSH)), honest

    def run(number):
        dice = random.Random(f"{seed}.{number}")
        command = dice.choice(RUNS_SSH if dice.random() < 0.5 else OTHERS)
        dices[number] = dice
        exc = _user(f"{api.url}/{number}", bin_directory)
        try:
            done = _start(exc, command)
            started = _check(exc, command, done, honest.get(command))
        except Exception as error:
            raise AssertionError(f"run {number}: {' '.join(command)}") from error
        return done[0], started is not None

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        results = list(pool.map(run, range(RUNS)))
    statuses = sorted({status for status, _ in results})
    started = sum(was for _, was in results)
    print(f"{RUNS} runs: statuses {statuses}, ssh started {started} times")
    # Some get through, most do not: else this shows nothing.
    assert RUNS < 100 or (RUNS / 40 < started < RUNS / 2 and len(statuses) > 4), (started, statuses)


hostile_answers_do_no_harm.slow = True
