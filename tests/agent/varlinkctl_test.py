# SPDX-License-Identifier: Apache-2.0
"""The agent asked by another client: varlinkctl(1) of systemd 257."""

import json
import os
import pathlib
import re
import subprocess

import agent
from agent import Agent, INTERFACE

ROOT = pathlib.Path(os.environ["EXC_VARLINKCTL_TREE"])


def _varlinkctl(*arguments):
    """What it prints. It runs on the libraries of its own system."""
    command = [ROOT / "usr/bin/varlinkctl"]
    if ROOT != pathlib.Path("/"):
        # As /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
        (loader,) = ROOT.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*")
        command = [loader, "--library-path", f"{loader.parent}:{loader.parent}/systemd", *command]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=agent.WAIT_S,
                          env={"LC_ALL": "C", "SYSTEMD_COLORS": "0", "PATH": os.environ["PATH"]})
    if done.returncode != 0:
        raise ChildProcessError(done.stderr)
    return done.stdout


def _call(a, method, parameters=None, *options):
    """The parameters of each reply."""
    text = _varlinkctl(*options, "--json=short", "call", a.path(), method, json.dumps(parameters or {}))
    # Several come as a sequence (RFC 7464).
    return [json.loads(part) for part in text.replace("\x1e", "").splitlines() if part]


def _is_refused(a, method, parameters, error):
    """varlinkctl says which error it got, or the errno that it takes one of org.varlink.service for."""
    try:
        answers = _call(a, method, parameters)
    except ChildProcessError as failed:
        assert re.search(error, str(failed)), failed
        return
    raise AssertionError(f"not refused: {answers}")


def varlinkctl_reads_the_service_info():
    a = Agent()
    text = _varlinkctl("info", a.path())
    for word in "Excloud", "exc-instance-connect", INTERFACE, "org.varlink.service":
        assert word in text, text
    assert _varlinkctl("list-interfaces", a.path()).split() == [INTERFACE, "org.varlink.service"]


def varlinkctl_parses_the_interface():
    a = Agent()
    text = _varlinkctl("introspect", a.path(), INTERFACE)
    interface = (agent.TREE / "interface" / f"{INTERFACE}.varlink").read_text()
    for kind in "method", "error", "type":
        names = re.findall(rf"^{kind} (\w+)", interface, re.MULTILINE)
        assert names and re.findall(rf"^{kind} (\w+)", text, re.MULTILINE) == names
    # It reports an interface that it cannot parse.
    _varlinkctl("introspect", a.path(), "org.varlink.service")
    methods = _varlinkctl("list-methods", a.path()).split()
    assert {f"{INTERFACE}.Hello", f"{INTERFACE}.PushLocal", "org.varlink.service.GetInfo"} <= set(methods)


def varlinkctl_calls_each_method():
    a = Agent()
    text = agent.key()
    (hello,) = _call(a, f"{INTERFACE}.Hello", {"sync": "s"})
    assert hello["sync"] == "s" and hello["limits"]["messageBytes"] == 16384
    assert len(_call(a, f"{INTERFACE}.HostKeys")[0]["hostKeys"]) == 1
    pushed = {"user": "alice", "keys": [text], "ttl": 100, "connections": 2, "source": ["10.0.0.0/8"], "restrict": True,
              "principal": "Ann", "requestId": "r"}
    (answer,) = _call(a, f"{INTERFACE}.PushLocal", pushed)
    assert answer["fingerprints"] == [agent.fingerprint(text)] and answer["expiresIn"] == 100
    assert _call(a, f"{INTERFACE}.Status")[0]["keys"] == 1
    (listed,) = _call(a, f"{INTERFACE}.List", {"user": "alice"})
    assert [row["requestId"] for row in listed["keys"]] == ["r"]
    assert _call(a, f"{INTERFACE}.RevokeLocal", {"fingerprint": agent.fingerprint(text)}) == [{"revoked": 1}]
    envelope = {"payloadType": "x", "payload": "e30=", "signatures": [{"keyid": None, "sig": "AA=="}]}
    for method in "Push", "Revoke":
        _is_refused(a, f"{INTERFACE}.{method}", {"envelope": envelope}, f"{re.escape(INTERFACE)}.Untrusted")
    assert _call(a, "org.varlink.service.GetInfo")[0]["product"] == "exc-instance-connect"
    (answer,) = _call(a, "org.varlink.service.GetInterfaceDescription", {"interface": INTERFACE})
    assert answer["description"].startswith("# The control channel")


def varlinkctl_reads_a_list_in_parts():
    a = Agent()
    agent.fill(a, [f"many{n}" for n in range(1, 9)])
    parts = _call(a, f"{INTERFACE}.List", {}, "--more")
    assert len(parts) > 1
    assert len({row["fingerprint"] for part in parts for row in part["keys"]}) == 256
    _is_refused(a, f"{INTERFACE}.List", {}, "TooLarge")


def varlinkctl_reads_refusals():
    a = Agent()
    _is_refused(a, f"{INTERFACE}.PushLocal", {"user": "nobody-here", "keys": agent.keys(1)}, f"{INTERFACE}.NoSuchUser")
    _is_refused(a, f"{INTERFACE}.Nothing", {}, "MethodNotFound|not (found|supported|implemented)")
    _is_refused(a, f"{INTERFACE}.List", {"user": 1}, "InvalidParameter|Invalid argument")
