# SPDX-License-Identifier: Apache-2.0
"""What is said when something is wrong, and the exit status: each brought about, most of it for real."""

import json
import os
import re
import socket
import threading
import time

import agent
import client
import cloud
from api import allow, deny
from client import TOKEN, Exc, Web, error, json_answer
from cloud import CONNECT, Cloud, Liar

APT = ["curl -fsSL https://repo.excloud.in/RepoKey.gpg", "sources.list.d/excloud.list",
       "sudo chmod 0644 /usr/share/keyrings/excloud-apt.gpg", "sudo apt update && sudo apt install exc-instance-connect"]


def _send(exc, user="alice", vm="42"):
    path, _ = exc.key(f"key{next(client.numbers)}")
    return "compute", "send-public-key", f"{user}@{vm}", "--public-key", path


def not_logged_in():
    exc = Exc()
    exc.fails(6, "compute", "instance", "list", says=["no endpoint", "exc login", "EXC_ENDPOINT"])
    exc.fails(6, "compute", "instance", "list", EXC_ENDPOINT="unix:/run/x.sock", says=["not logged in", "exc login", "EXC_TOKEN"])
    plane = Cloud(guests=())
    exc = Exc(plane, token=TOKEN)
    exc.fails(6, "compute", "instance", "list", says=["the token is unknown or has expired", "exc login",
                                                      "EXC_TOKEN comes before"])


def denied_names_the_statement_that_would_allow_it():
    plane = Cloud()
    exc = Exc(plane, token=plane.api.account("dev", allow("compute:instance:get")))
    done = exc.fails(7, *_send(exc), says=["VM 42: denied", CONNECT, "exc:compute:instance/42"])
    statement = json.loads(next(line for line in done.err.splitlines() if line.startswith("  {")))
    assert statement == {"Effect": "Allow", "Action": CONNECT, "Resource": "exc:compute:instance/42"}
    # And it does allow it.
    plane.api.put("/iam/policy/more", {"document": {"Version": "2024-03-05", "Statements": [statement]}})
    assert plane.api.put("/iam/account/dev/policy/more").status == 201
    exc.good(*_send(exc))
    none = Exc(plane, token=plane.api.account("none", deny("*")))
    got = none.fails(7, *_send(none), "-o", "json").json
    assert (got["error"], got["action"], got["exit_status"]) == ("AccessDenied", CONNECT, 7) and got["next"], got


def statement_for_a_name_that_is_not_seen_needs_the_id():
    plane = Cloud(guests=())
    plane.register("42", name="web")
    none = Exc(plane, token=plane.api.account("none", deny("*")))
    none.fails(7, *_send(none, vm="web"), says=["exc:compute:instance/web", "If web is a VM's name, the statement needs"])
    none.fails(7, "compute", "instance", "show", "web", says=["If web is a VM's name"])
    assert "VM's name" not in none.fails(7, *_send(none), says=["exc:compute:instance/42"]).err
    # Seen, it is denied by its id.
    seen = Exc(plane, token=plane.api.account("seen", allow("compute:instance:get")))
    assert "VM's name" not in seen.fails(7, *_send(seen, vm="web"), says=["exc:compute:instance/42"]).err


def signer_refuses_root():
    exc = Exc(Cloud())
    exc.fails(7, *_send(exc, "root"), says=["the signer does not sign this", "exc-signer.conf(5)"])


def unknown_user_is_named():
    exc = Exc(Cloud())
    exc.fails(8, *_send(exc, "nobody-here"), says=["VM 42: it has no user 'nobody-here'", "NoSuchUser", "getent passwd"])


def user_that_the_guest_lets_nobody_be():
    exc = Exc(Cloud(settings="RateLimit=0\nDenyUsers=alice"))
    exc.fails(8, *_send(exc), says=["lets no key in for the user 'alice'", "DenyUsers"])


def guest_without_an_anchor():
    plane = Cloud()
    (anchor,) = (plane.guest.agent.config.parent / "trust.d").iterdir()
    anchor.unlink()
    exc = Exc(plane)
    exc.fails(8, *_send(exc), says=["it trusts no signing key", "trust add", "doctor"])


def guest_with_another_anchor():
    plane, other = Cloud(), Cloud(guests=())
    (anchor,) = (plane.guest.agent.config.parent / "trust.d").iterdir()
    anchor.write_bytes(other.anchor)
    exc = Exc(plane)
    exc.fails(8, *_send(exc), says=["it trusts another signing key", "trust add"])


def guest_with_another_id():
    plane = Cloud()
    (plane.guest.agent.config.parent / "instance-id").write_text("43\n")
    exc = Exc(plane)
    exc.fails(8, *_send(exc), says=["another instance id", "instance-id"])


def guest_that_is_stopped():
    plane = Cloud()
    os.unlink(plane.guest.agent.path("host"))
    exc = Exc(plane)
    exc.fails(9, *_send(exc), says=["VM 42: it seems to be stopped", "Start the VM"])


def host_that_does_not_have_the_vm():
    plane = Cloud()
    plane.register("44")
    exc = Exc(plane)
    done = exc.fails(9, *_send(exc, vm="44"), says=["VM 44: its host does not have it", "exc-host.conf(5)"])
    assert "apt" not in done.err, done


def guest_without_an_agent():
    plane = Cloud()
    path = plane.guest.agent.path("host")
    os.unlink(path)
    # A VMM that takes the connection, and closes it: nothing listens on that port in the guest.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        os.chmod(path, 0o777)
        listener.listen()

        def close_all():
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=close_all, daemon=True).start()
        exc = Exc(plane)
        exc.fails(9, *_send(exc), says=["VM 42: its agent does not answer", *APT])


def guests_clock_is_wrong():
    liar = Liar()

    def push(payload, parameters):
        raise cloud.Varlink.Error(f"{cloud.HOST}.GuestRefused", name="ClockUnsynchronized", field=None, index=None,
                                  retryAfterMs=None, message="the clock is not synchronized")

    liar.push = push
    exc = Exc(Cloud(guests=(), liar=liar))
    exc.fails(8, *_send(exc), says=["its clock is not synchronized", "timedatectl"])


def host_does_not_answer():
    plane = Cloud()
    plane.host.stop()
    os.unlink(plane.host_path)
    exc = Exc(plane)
    exc.fails(9, *_send(exc), says=["its host does not answer", "exc-host.service"])


def signer_does_not_answer():
    plane = Cloud()
    plane.signer.stop()
    exc = Exc(plane)
    exc.fails(10, *_send(exc), says=["nothing can be signed now", "exc-signer.service"])


def too_many_requests():
    plane = Cloud(lines=["CallerLimit=2"])
    exc = Exc(plane)
    sends = [exc.run(*_send(exc)) for _ in range(6)]
    limited = [done for done in sends if done.status]
    assert limited and all(done.status == 11 for done in limited), sends
    assert "too many requests" in limited[0].err and "run the command again" in limited[0].err, limited[0]


def errors_of_the_api_have_a_status_each():
    cases = {
        (409, "Revoked"): (5, "it was revoked while"),
        (409, "Conflict"): (5, "a sentence"),
        (412, "PreconditionFailed"): (5, "a sentence"),
        (429, "TooManyRequests"): (11, "Wait 7 s"),
        (500, "Internal"): (10, "a fault of the control plane"),
        (503, "StoreUnavailable"): (10, "cannot use its database"),
        (503, "AuditUnavailable"): (10, "cannot write its audit log"),
        (504, "GuestTimeout"): (9, "did not answer in time"),
        (400, "InvalidRequest"): (2, "a sentence"),
        (418, "SomethingNew"): (1, "SomethingNew: a sentence"),
    }
    now = []
    web = Web(lambda *_: error(*now[0], headers={"Retry-After": "7"}))
    exc = Exc(web.url, TOKEN)
    for case, (status, text) in cases.items():
        now[:] = [case]
        done = exc.fails(status, *_send(exc), says=[text, "request r-1"])
        assert done.out == "", done
    assert all(request[2]["Authorization"] == f"Bearer {TOKEN}" for request in web.requests)
    assert all(request[2]["User-Agent"].startswith("exc/") for request in web.requests)
    assert len(web.requests) == len(cases), "a POST is not sent again"


def guests_refusals_have_a_message_each():
    names = ("PermissionDenied TooLarge RateLimited Untrusted BadSignature WrongInstance NotYetValid Expired "
             "ClockUnsynchronized StaleChallenge Replayed InvalidPayload KeyRejected NoSuchUser UserDenied StoreFull "
             "StorageFailure").split()
    now = []
    web = Web(lambda *_: error(422, "GuestRefused", guest_error=now[0], guest_message="its reason"))
    exc = Exc(web.url, TOKEN)
    seen = set()
    for name in names:
        now[:] = [name]
        done = exc.fails(11 if name == "RateLimited" else 8, *_send(exc), says=[f"({name}: its reason)"])
        lines = done.err.splitlines()
        assert len(lines) >= 3 and lines[0].startswith("exc: VM 42: "), done
        seen.add(lines[0])
    assert len(seen) == len(names), seen
    now[:] = ["OfANewerGuest"]
    exc.fails(8, *_send(exc), says="its agent refused: OfANewerGuest")


def name_of_two_vms_lists_them():
    def answer(_method, path, _body):
        if "name=web" in path:
            return json_answer({"items": [{"id": "42", "name": "web"}, {"id": "43", "name": "web"}], "next": None})
        return error(404, "NotFound")

    exc = Exc(Web(answer).url, TOKEN)
    exc.fails(4, "compute", "instance", "show", "web", says=["2 VMs have the name 'web'", "42 43"])


def proxys_own_error_is_told_from_the_apis():
    for status in 502, 503, 504:
        web = Web(lambda *_, status=status: (status, {"Content-Type": "text/html"}, b"<h1>Bad</h1>"))
        exc = Exc(web.url, TOKEN)
        exc.fails(3, "compute", "instance", "list", says=[f"a proxy before the API answered {status}", "exc-compute-api.service"])


def answers_that_are_not_the_apis():
    redirect = Web(lambda *_: (302, {"Location": "http://127.0.0.1:1/"}, b""))
    exc = Exc(redirect.url, TOKEN)
    exc.fails(3, "compute", "instance", "list", says=["redirect (302), which is not followed", "exc config set endpoint"])
    assert len(redirect.requests) == 1
    page = Web(lambda *_: (200, {}, b"<html>welcome"))
    exc = Exc(page.url, TOKEN)
    exc.fails(3, "compute", "instance", "list", says="is not that of the compute API")
    shape = Web(lambda *_: json_answer({"items": 1}))
    exc = Exc(shape.url, TOKEN)
    exc.fails(3, "compute", "instance", "list", says="the answer is not a list")
    deep = Web(lambda *_: (200, {}, b'{"items":' + b"[" * 20 + b"]" * 20 + b"}"))
    exc = Exc(deep.url, TOKEN)
    exc.fails(3, "compute", "instance", "list", says="is not that of the compute API")


def large_answer_is_cut_off():
    web = Web(lambda *_: (200, {}, b'{"items": [' + b" " * (2 * 1024 * 1024) + b"]}"))
    exc = Exc(web.url, TOKEN)
    exc.fails(3, "compute", "instance", "list", says="more than 1048576 bytes")


def list_without_an_end_is_cut_off():
    web = Web(lambda *_: json_answer({"items": [{"id": "42"}], "next": "again"}))
    exc = Exc(web.url, TOKEN)
    exc.fails(3, "compute", "instance", "list", says="the list has no end")
    assert len(web.requests) <= 1000
    start = time.monotonic()
    exc.run("complete", "--", "compute", "connect", "")
    assert time.monotonic() - start < 40


list_without_an_end_is_cut_off.slow = True


def connection_that_ends():
    web = Web(lambda *_: None)
    exc = Exc(web.url, TOKEN)
    exc.fails(3, *_send(exc), says=["the connection ended before the answer", "is not known"])
    assert len(web.requests) == 1, "a POST is not sent again"


def nothing_there():
    exc = Exc("unix:/nowhere/api.sock", TOKEN)
    exc.fails(3, "compute", "instance", "list", says=["unix:/nowhere/api.sock: cannot connect", "API running?"])
    exc = Exc("http://127.0.0.1:1", TOKEN)
    exc.fails(3, "compute", "instance", "list", says="cannot connect")
    exc = Exc("https://compute.invalid", TOKEN)
    exc.fails(3, "compute", "instance", "list", says=["its name has no address", "exc config get endpoint"])


def certificate_must_be_trusted():
    exc = Exc(token=TOKEN)
    cert, key = client.certificate(exc.home)
    web = Web(lambda *_: json_answer({"items": [], "next": None}), tls=(cert, key))
    exc.environment["EXC_ENDPOINT"] = web.url
    exc.fails(3, "compute", "instance", "list", says=["its certificate is not trusted", "--ca-file"])
    assert not web.requests
    exc.good("compute", "instance", "list", "--ca-file", cert)
    exc.good("compute", "instance", "list", EXC_CA_FILE=str(cert))
    exc.fails(2, "compute", "instance", "list", "--ca-file", "nowhere", says="cannot read the certificates")
    other = exc.home / "other"
    other.mkdir()
    # Trusted, but of another machine.
    pair = client.certificate(other, name="192.0.2.1")
    web = Web(lambda *_: json_answer({"items": [], "next": None}), tls=pair)
    exc.fails(3, "--endpoint", web.url, "--ca-file", pair[0], "compute", "instance", "list", says="its certificate is not trusted")


def proxy_of_the_environment():
    exc = Exc(token=TOKEN)
    tls = client.certificate(exc.home)
    web = Web(lambda *_: json_answer({"items": [], "next": None}), tls=tls)
    proxy = Web(lambda *_: (403, {}, b"no"))
    exc.environment |= {"EXC_ENDPOINT": web.url, "EXC_CA_FILE": str(tls[0]), "HTTPS_PROXY": proxy.url}
    exc.fails(3, "compute", "instance", "list", says=["the proxy of HTTPS_PROXY", "403", "--no-proxy"])
    assert [request[:2] for request in proxy.requests] == [("CONNECT", f"127.0.0.1:{web.port}")]
    assert TOKEN not in str(proxy.requests)
    exc.good("compute", "instance", "list", "--no-proxy")
    exc.good("compute", "instance", "list", NO_PROXY="127.0.0.1")
    exc.fails(3, "compute", "instance", "list", HTTPS_PROXY="http://proxy.invalid:3128", says="the proxy of HTTPS_PROXY")
    # Plain text stays on this machine: no proxy gets it.
    plain = Web(lambda *_: json_answer({"items": [], "next": None}))
    exc.good("compute", "instance", "list", EXC_ENDPOINT=plain.url, http_proxy=proxy.url, ALL_PROXY=proxy.url)
    assert len(proxy.requests) == 1


def proxy_that_hangs_ends_in_time():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        exc = Exc("https://127.0.0.1:1", TOKEN, HTTPS_PROXY=f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        exc.fails(3, "compute", "instance", "list", says=["no answer in time", "--no-proxy"])
        assert time.monotonic() - start < 60


def plain_http_leaves_no_machine():
    for endpoint in "http://192.0.2.1", "http://compute.example.org", "http://127.0.0.1.example.org", "http://localhost.example.org":
        exc = Exc(endpoint, TOKEN)
        exc.fails(2, "compute", "instance", "list", says=["plain http to another machine", "https://"])
    for endpoint in ("ftp://x", "compute.example.org", "https://user:secret@x", "https://x?a", "unix:x", "https://", "http://127.0.0.1@x"):
        Exc(endpoint, TOKEN).fails(2, "compute", "instance", "list", says="expected an endpoint")


def texts_of_the_server_do_not_reach_the_terminal():
    evil = "a\x1b]0;x\x07\x9b31m\u202e\n\r\x7fb"
    web = Web(lambda *_: error(409, "Conflict", message=evil))
    exc = Exc(web.url, TOKEN)
    done = exc.fails(5, *_send(exc))
    listed = Web(lambda *_: json_answer({"items": [{"id": evil, "name": evil, "host": evil}], "next": None}))
    exc = Exc(listed.url, TOKEN)
    shown = Exc(Web(lambda *_: json_answer({"name": evil, "document": {evil: evil}})).url, TOKEN).good("iam", "policy", "show", "dev")
    denied = Web(lambda *_: error(403, "AccessDenied", action=evil, resource=evil))
    denied = Exc(denied.url, TOKEN).fails(7, "compute", "instance", "show", "42")
    for text in (done.err, exc.good("compute", "instance", "list").out, exc.good("compute", "instance", "list", "-o", "json").out,
                 shown.out, shown.err, denied.err):
        assert not set(text) & set("\x1b\x07\x9b\u202e\r\x7f"), repr(text)
    assert len(done.err.splitlines()) <= 3, done


def terminal_is_told_what_it_waits_for():
    gate = threading.Event()

    def answer(*_):
        gate.wait(agent.WAIT_S)
        return json_answer({"id": "42"})

    web = Web(answer)
    exc = Exc(web.url, TOKEN)
    typescript = exc.home / "typescript"
    # stderr is a terminal; the answer comes when it has been told.
    pid = os.spawnve(os.P_NOWAIT, "/usr/bin/script",
                     ["script", "-q", "-f", "-c", f"{client.PROGRAM} compute instance show 42", str(typescript)], exc.environment)
    try:
        agent.wait_until(lambda: typescript.exists() and "waiting for VM 42" in typescript.read_text(), "it is told")
    finally:
        gate.set()
        _, status = os.waitpid(pid, 0)
    assert status == 0
    # Without a terminal nothing is.
    slow = Web(lambda *_: (time.sleep(2.5), json_answer({"id": "42"}))[1])
    assert Exc(slow.url, TOKEN).good("compute", "instance", "show", "42").err == ""


def full_disk_is_a_failure():
    exc = Exc()
    done = exc.run("help", program=("sh", "-c", '"$@" >/dev/full', "sh"))
    assert done.status == 1 and "cannot write the answer" in done.err, done


def wrong_command_lines():
    exc = Exc("https://x", TOKEN)
    for arguments, text in (
            ([], "a command is missing"), (["compute"], "a command is missing"), (["compute", "fly"], "compute fly: no such command"),
            (["compute", "revoke"], "the VM is missing"), (["compute", "revoke", "42"], "exactly one of"),
            (["compute", "revoke", "42", "--all", "--user", "a"], "exactly one of"),
            (["compute", "revoke", "a@42", "--user", "b"], "name two users"),
            (["compute", "revoke", "a@42", "--vm_id", "43"], "name two VMs"),
            (["compute", "revoke", "42", "43"], "43: unexpected argument"),
            (["compute", "revoke", "42", "--colour"], "--colour: unknown option"),
            (["compute", "revoke", "42", "--type", "rsa"], "takes no such option"),
            (["compute", "revoke", "42", "--fingerprint", "SHA256:x"], "expected SHA256: and 43 characters"),
            (["compute", "revoke", "42", "--user", "-x"], "expected a login name"),
            (["compute", "revoke", "42", "--user", "a", "--user=a"], "--user is given twice"),
            (["compute", "revoke", "42", "--all=yes"], "it takes no value"),
            (["compute", "revoke", "42", "--user"], "the value is missing"),
            (["compute", "revoke", "42", "--all", "--", "x"], "x: unexpected argument"),
            (["compute", "send-public-key", "42"], "--public-key is missing"),
            (["-o", "yaml", "compute", "instance", "list"], "expected text or json"),
            (["compute", "send-public-key", "42", "--public-key", "nowhere"], "nowhere: cannot open it"),
            (["compute", "send-public-key", "42", "--public-key", "/dev/null"], "no key in it")):
        exc.fails(2, *arguments, says=text)
    done = exc.fails(2, "compute", "revoke", "42", says="see: exc compute revoke --help")
    assert done.out == ""


def help_is_there_for_each_command():
    exc = Exc()
    whole = exc.good("help").out
    assert whole == exc.good("--help").out
    for words in ("compute connect", "compute exec", "compute ssh-config", "compute revoke", "iam policy put", "login", "completion"):
        assert words in whole
        text = exc.good(*words.split(), "--help").out
        assert text.startswith(f"exc {words}") and text == exc.good("help", *words.split()).out
    assert "compute revoke" not in exc.good("iam", "-h").out
    commands = [line.split("  ")[0] for line in re.findall(r"^  ((?:compute|iam|config|login).*)", whole, re.M)]
    assert len(commands) > 25
    for text in whole, *(exc.good("help", *command.split()).out for command in commands):
        assert max(map(len, text.splitlines())) <= 80, text
    # ssh runs these, nobody else.
    assert "dial" not in whole and "proxy-command" not in whole
    assert exc.good("--version").out.startswith("exc 0")
    exc.fails(2, "help", "fly", says="fly: no such command")
