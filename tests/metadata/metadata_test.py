# SPDX-License-Identifier: Apache-2.0
"""exc-instance-connect-metadata with the agent and services that answer well, badly, or not at all."""

import base64
import contextlib
import os
import re
import socket
import struct
import subprocess
import threading
import time

import agent
from agent import METADATA_USER, WORLD, Agent, fingerprint, given, key, keys, log_in
from cases import CASES
from service import Service, response

PROGRAM = WORLD / "bin/exc-instance-connect-metadata"
ID = "i-0123456789abcdef0"
UUID = "5f3c1d6e-0000-4000-8000-0123456789ab"

services = []


def _address():
    """Of this test alone."""
    return f"127.{64 + os.getpid() // 65536 % 64}.{os.getpid() // 256 % 256}.{os.getpid() % 256}"


def _service(address=None, **more):
    services.append(Service([address or _address()], **more))
    return services[-1]


def _agent(*settings, address=None, **more):
    a = Agent(sockets=("admin", "host", "metadata"), **more)
    a.configure_metadata("User=alice", f"Address={address or _address()}", *settings)
    return a


def _run(a, *options, late=False, **environment):
    """`late`: the service is. Otherwise it runs again where a busy machine does not let the service answer within a second."""
    for _ in range(1 if late else 10):
        result = subprocess.run(
            [PROGRAM, "--config-dir", a.config.parent, "--socket", a.path("metadata"), *options],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, env={"LC_ALL": "C", **environment},
            timeout=agent.WAIT_S, user=METADATA_USER.pw_uid, group=METADATA_USER.pw_gid, extra_groups=[])
        if not re.search(b"answer(ed)? within", result.stderr):
            break
    return result


def _checked(result, status):
    said = result.stderr.decode()
    assert result.returncode == status and result.stdout == b"", (result.returncode, said)
    assert not re.search("Sanitizer|runtime error|confinement: |[^\\x20-\\x7e\\n]", said), said
    return said


def _refresh(a, *options, **environment):
    assert _checked(_run(a, *options, **environment), 0) == ""


def _fails(a, says, *options, status=1, **environment):
    said = _checked(_run(a, *options, **environment), status)
    assert said and says in said, said
    return said


def _stored(a):
    return {row["fingerprint"] for row in a.listed()}


def _are_stored(a, chosen):
    assert _stored(a) == {fingerprint(text) for text in chosen}, _stored(a)


def launch_keys_are_fetched_and_let_in():
    chosen = keys(3)
    a, service = _agent(), _service(keys=chosen)
    _refresh(a)
    _are_stored(a, chosen)
    for text in chosen:
        assert given(log_in(a.store, "alice", text), text) == 2
    assert [path for _, path, _ in service.requests] == [
        "/latest/api/token", "/latest/meta-data/", "/latest/meta-data/public-keys/",
        *(f"/latest/meta-data/public-keys/{i}/openssh-key" for i in range(3))]
    service.keys[1] = None
    _refresh(a)
    _are_stored(a, [chosen[0], chosen[2]])
    service.keys = []
    _refresh(a)
    _are_stored(a, [])


def every_answer_that_a_service_may_give():
    assert len(CASES) >= 40
    before = [key()]
    a, service = _agent(), _service()
    others = _others()
    for name, answers, expected in CASES:
        if _stored(a) != {fingerprint(before[0])}:
            service.keys, service.answers = before, {}
            _refresh(a)
            _are_stored(a, before)
        service.answers = answers
        result = _run(a, late="within a second" in expected)
        try:
            if isinstance(expected, list):
                _checked(result, 0)
                _are_stored(a, expected)
            else:
                said = _checked(result, 1)
                assert said.startswith("exc-instance-connect-metadata: ") and expected in said, said
                _are_stored(a, before)
        except AssertionError:
            print("case:", name)
            raise
        print("#", name, ":", result.stderr.decode().strip().removeprefix("exc-instance-connect-metadata: "))
    assert others == [], others


def _others():
    """Where redirects lead: another port of the service's address, and port 80 of this machine's. Who connects there."""
    connected = []

    def accept(listener):
        while True:
            connection, peer = listener.accept()
            connected.append((listener.getsockname(), peer))
            connection.close()

    for address in (_address(), 8080), ("127.0.0.1", 80):
        listener = socket.socket()
        listener.bind(address)
        listener.listen()
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
    return connected


def keys_end_when_the_service_is_down_for_max_age():
    text = key()
    a, service = _agent("MaxAge=60"), _service(keys=[text])
    _refresh(a)
    service.stop()
    start = time.monotonic()
    _fails(a, "Connection refused")
    _are_stored(a, [text])
    assert given(log_in(a.store, "alice", text), text) == 2 or time.monotonic() - start > 60
    agent.wait_until(lambda: not _stored(a), "they have ended")
    assert given(log_in(a.store, "alice", text), text) == 0
    assert time.monotonic() - start > 55


keys_end_when_the_service_is_down_for_max_age.slow = True
keys_end_when_the_service_is_down_for_max_age.short = "no"


def service_that_is_down_is_no_service_without_keys():
    text = key()
    a, service = _agent(), _service(keys=[text])
    _refresh(a)
    service.stop()
    for _ in range(3):
        _fails(a, "Connection refused")
    _are_stored(a, [text])


def expired_token_is_renewed_once():
    a, service = _agent(), _service(keys=keys(3))
    service.token_uses = 2
    # Six requests: two for each token.
    _fails(a, "status 401")
    service.token_uses = 3
    _refresh(a)
    _are_stored(a, service.keys)
    assert len([one for one in service.requests if one[1].endswith("token")]) == 4


def service_without_tokens_is_asked_only_where_that_is_configured():
    text = key()
    a, service = _agent(), _service(style="openstack", keys=[text])
    _fails(a, "set TokenRequired=no")
    assert [path for _, path, _ in service.requests] == ["/latest/api/token"]
    a.configure_metadata("User=alice", f"Address={_address()}", "TokenRequired=no")
    _refresh(a)
    _are_stored(a, [text])
    # One with tokens gets them all the same.
    service.style = "ec2"
    _refresh(a)


def cloudstack_has_all_keys_at_one_path():
    chosen = keys(2)
    a, service = _agent("Format=cloudstack", "TokenRequired=no"), _service(style="cloudstack", keys=chosen)
    _refresh(a)
    _are_stored(a, chosen)
    assert service.requests[-1][1] == "/latest/meta-data/public-keys"
    a.configure_metadata("User=alice", f"Address={_address()}", "TokenRequired=no", "Format=exoscale")
    service.keys = chosen[1:]
    _refresh(a)
    _are_stored(a, chosen[1:])
    assert service.requests[-1][1] == "/1.0/meta-data/public-keys"


def addresses_are_tried_in_order():
    text = key()
    a, service = _agent(address=f"127.0.0.77 {_address()}"), _service(keys=[text])
    _refresh(a)
    _are_stored(a, [text])
    service.stop()
    said = _fails(a, "Connection refused")
    assert "127.0.0.77: " in said and f"{_address()}: " in said, said


def one_that_answers_badly_is_not_passed_over():
    a = _agent(address=f"{_address()} 127.0.0.78")
    bad, good = _service(), _service(address="127.0.0.78", keys=keys(1))
    bad.answers["/latest/meta-data/"] = response("", 500)
    _fails(a, "status 500")
    assert good.requests == [] and _stored(a) == set()


def default_addresses_are_link_local():
    """Those of EC2; first IPv4 and IPv6, then IPv6 alone."""
    text = key()
    subprocess.run(["ip", "addr", "add", "169.254.169.254/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "addr", "add", "fd00:ec2::254/128", "dev", "lo", "nodad"], check=True)
    a = Agent(sockets=("admin", "metadata"))
    a.configure_metadata("User=alice")
    four, six = _service(address="169.254.169.254", keys=[text]), _service(address="fd00:ec2::254", keys=[text])
    _refresh(a)
    assert four.requests and not six.requests
    four.stop()
    subprocess.run(["ip", "addr", "del", "169.254.169.254/32", "dev", "lo"], check=True)
    _refresh(a)
    assert six.requests
    _are_stored(a, [text])


def without_a_route_it_waits_and_says_so():
    a = _agent(address="192.0.2.1")
    start = time.monotonic()
    _fails(a, "no route to it", "--wait", "1")
    assert time.monotonic() - start >= 1
    text = key()
    a.configure_metadata("User=alice", "Address=192.0.2.80")
    timer = threading.Timer(1, lambda: (
        subprocess.run(["ip", "addr", "add", "192.0.2.80/32", "dev", "lo"], check=True),
        _service(address="192.0.2.80", keys=[text])))
    timer.start()
    result = _run(a, "--wait", "60")
    timer.join()
    # The route may be there a moment before the service is.
    if result.returncode != 0:
        _refresh(a)
    _are_stored(a, [text])


def slow_service_takes_five_seconds_at_most():
    a, service = _agent(), _service(keys=keys(12))

    def late(_connection, _request):
        time.sleep(0.8)

    for i in range(12):
        service.answers[f"/latest/meta-data/public-keys/{i}/openssh-key"] = late
    start = time.monotonic()
    _fails(a, "within", late=True)
    assert time.monotonic() - start < 15  # on a busy machine; by itself 5
    assert len(service.requests) < 12
    assert _stored(a) == set()


def proxies_and_home_are_not_looked_at():
    text, trap = key(), socket.socket()
    trap.bind((_address(), 3128))
    trap.listen()
    trap.settimeout(0.2)
    a = _agent()
    _service(keys=[text])
    proxy = f"http://{_address()}:3128"
    _refresh(a, http_proxy=proxy, ALL_PROXY=proxy, HTTP_PROXY=proxy, all_proxy=proxy, HOME="/nowhere", CURL_HOME="/nowhere")
    _are_stored(a, [text])
    with contextlib.suppress(socket.timeout):
        raise AssertionError(trap.accept())


def key_that_the_agent_rejects_does_not_keep_the_others_out():
    # Its point is not on the curve, which the agent alone checks.
    parts = b"ecdsa-sha2-nistp256", b"nistp256", b"\4" + b"\1" * 64
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    off_curve = "ecdsa-sha2-nistp256 " + base64.b64encode(blob).decode()
    text = key()
    a = _agent()
    _service(keys=[off_curve, text])
    said = _checked(_run(a), 0)
    assert "1 rejected by the agent" in said, said
    _are_stored(a, [text])


def instance_id_is_taken_in_its_form_alone():
    a, service = _agent("InstanceId=yes"), _service(keys=keys(1))
    _refresh(a)
    assert a.ask("Status")["instance"] == ID
    for wrong in "web1", ID.upper(), f"{ID}\n{ID}", f" {ID}", f"{ID}\0", "i-" + "0" * 33, UUID, "", "<html>":
        service.instance_id = wrong
        service.keys = keys(1)
        _fails(a, "instance-id: expected i- and 8 to 32 hexadecimal digits")
        # Neither depends on the other.
        _are_stored(a, service.keys)
        assert a.ask("Status")["instance"] == ID
    service.answers["/latest/meta-data/public-keys/"] = "x"
    service.instance_id = "i-0000002a"
    _fails(a, "expected NUMBER=NAME")
    assert a.ask("Status")["instance"] == "i-0000002a"


def instance_id_alone_is_asked_without_a_user():
    a, service = _agent(), _service(keys=keys(1))
    a.configure_metadata(f"Address={_address()}", "InstanceId=yes")
    _refresh(a)
    assert a.ask("Status")["instance"] == ID and _stored(a) == set()
    assert not any("public-keys" in path for _, path, _ in service.requests)


def without_configuration_nothing_is_asked():
    a, service = _agent(), _service(keys=keys(1))
    for text, says in ("", "set User= or InstanceId=yes"), ("[Metadata]\nUser=a b\n", "write the name of one user"):
        (a.config.parent / "metadata.conf").write_text(text)
        _fails(a, says, status=6)
    os.unlink(a.config.parent / "metadata.conf")
    _fails(a, "there is none, so nothing is asked", status=6)
    assert service.requests == [] and _stored(a) == set()


def agent_that_is_not_there_or_refuses_is_reported():
    a, service = _agent(), _service(keys=keys(1))
    a.configure("DenyUsers=alice")
    assert "UserDenied" in _fails(a, "agent: ")
    a.configure("")
    result = subprocess.run(
        [PROGRAM, "--config-dir", a.config.parent, "--socket", "/nowhere/metadata.sock"], capture_output=True, check=False,
        env={}, user=METADATA_USER.pw_uid, group=METADATA_USER.pw_gid, extra_groups=[])
    assert "agent not reached" in _checked(result, 3) and service.requests
    # As another user, the agent closes the connection.
    result = subprocess.run([PROGRAM, "--config-dir", a.config.parent, "--socket", a.path("metadata")], capture_output=True,
                            check=False, env={})
    assert "agent not reached" in _checked(result, 3)


def wrong_options_are_refused():
    a = _agent()
    for options in ["--wait", "x"], ["--wait", "-1"], ["--wait", "601"], ["--seccomp", "maybe"], ["--nonsense"], ["word"]:
        assert _run(a, *options).returncode == 2, options
    for option in "--help", "--version":
        result = _run(a, option)
        assert result.returncode == 0 and b"exc-instance-connect-metadata" in result.stdout


def stages_are_printed_where_that_is_asked_for():
    a = _agent()
    _service(keys=keys(2))
    assert "debug: keys: 2" in _checked(_run(a, "--verbose"), 0)
    assert "debug: keys: 2" in _checked(_run(a, EXC_DEBUG="1"), 0)


def no_system_call_is_missing_in_its_filter():
    """Without Landlock's and seccomp's help it makes no other calls: the kernel's log of them stays empty of ours."""
    text = key()
    a, service = _agent("InstanceId=yes"), _service(keys=[text])
    _refresh(a, "--seccomp", "on")
    _refresh(a, "--seccomp", "off")
    service.stop()
    _fails(a, "Connection refused", "--seccomp", "on")
