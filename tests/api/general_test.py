# SPDX-License-Identifier: Apache-2.0
"""What holds for all requests: framing, targets, bodies, errors and hostile clients."""

import contextlib
import json
import os
import re
import socket

from api import PUBLIC_URL, WAIT_S, read_all, server


def _status(data):
    """The statuses of all answers in some bytes."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", data)]


def _assert_error(answer, status, error, field=None):
    assert (answer.status, answer.error) == (status, error), answer
    assert set(answer.json) >= {"error", "message", "request_id"}, answer
    assert answer.json["request_id"] == answer.headers["X-Request-Id"], answer
    assert answer.headers["Content-Type"] == "application/json"
    if field:
        assert answer.json["field"] == field, answer


def health_and_openapi_are_public():
    with server() as api:
        assert api.get("/healthz", token=None).json == {"status": "ok"}
        assert api.get("/openapi.json", token=None).json["openapi"].startswith("3.1.")
        _assert_error(api.get("/compute/instance", token=None), 401, "Unauthenticated")


def request_id_is_the_servers_own():
    with server() as api:
        seen = set()
        for _ in range(20):
            answer = api.get("/healthz", headers={"X-Request-Id": "mine"})
            assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
            seen.add(answer.headers["X-Request-Id"])
        assert len(seen) == 20


def unknown_paths_methods_and_parameters_are_refused():
    with server() as api:
        _assert_error(api.get("/nothing"), 404, "NotFound")
        _assert_error(api.get("/"), 404, "NotFound")
        for method in "POST", "PATCH", "OPTIONS", "TRACE", "get", "GETX":
            answer = api.call(method, "/healthz")
            _assert_error(answer, 405, "MethodNotAllowed")
            assert answer.headers["Allow"] == "GET"
        assert api.call("HEAD", "/healthz").status == 405
        assert api.post("/compute/instance/42").headers["Allow"] == "GET, PUT, DELETE"
        _assert_error(api.get("/compute/instance?x=1"), 400, "InvalidRequest", "x")
        _assert_error(api.get("/compute/instance?limit=1&limit=2"), 400, "InvalidRequest", "path")
        for limit in "0", "1001", "-1", "1x", "", "99999999999999999999":
            _assert_error(api.get("/compute/instance?limit=" + limit), 400, "InvalidRequest", "limit")


def paths_are_decoded_once_and_never_normalised():
    with server() as api:
        assert api.get("/%68ealthz").status == 200
        for path in ("/healthz/", "//healthz", "/./healthz", "/x/../healthz", "/%2e/healthz", "/%2fhealthz", "/healthz%00",
                     "/healthz%", "/healthz%zz", "/compute%2finstance", "/compute/instance/%c3%a9", "/healthz#x",
                     "/" + "a" * 3000):
            _assert_error(api.get(path), 400, "InvalidRequest", "path")
        # %2541 is %41, and not A.
        _assert_error(api.get("/compute/instance/%2541"), 404, "NotFound")
        assert api.audit()[-1]["resource"] == "exc:compute:instance/%41"
        assert _status(api.raw(b"GET http://localhost/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == [400]


def bodies_are_checked():
    with server() as api:
        path = "/iam/account"
        for body in (b"{", b"[]", b'"x"', b"null", b"1", b"{} {}", b'{"name": "a", "name": "b"}', b"{\"name\": \"a\"}\0",
                     b'{"name": "a\\u0000b"}', b'{"name": "\xff"}', b"\xef\xbb\xbf{}", b'{"name": NaN}',
                     b'{"name":' * 9 + b"1" + b"}" * 9, b"[" * 60000):
            answer = api.post(path, body)
            assert (answer.status, answer.error) == (400, "InvalidRequest"), (body, answer)
        _assert_error(api.post(path, b""), 400, "InvalidRequest", "name")
        _assert_error(api.post(path, {}), 400, "InvalidRequest", "name")
        _assert_error(api.post(path, {"name": "a", "x": 1}), 400, "InvalidRequest", "x")
        _assert_error(api.post(path, {"name": None}), 400, "InvalidRequest", "name")
        _assert_error(api.post(path, {"name": 1}), 400, "InvalidRequest", "name")
        # Whatever its type says.
        for number, kind in enumerate(("application/x-www-form-urlencoded", "text/plain", "")):
            assert api.post(path, {"name": f"a{number}"}, headers={"Content-Type": kind}).status == 201
        _assert_error(api.call("GET", path, b"{}"), 400, "InvalidRequest", "body")
        _assert_error(api.call("DELETE", path + "/a0", b"x"), 400, "InvalidRequest", "body")


def large_bodies_are_refused_at_the_headers():
    with server() as api:
        head = b"POST /iam/account HTTP/1.1\r\nHost: x\r\n"
        # Nothing of the body is sent, and the answer comes.
        data = api.raw(head + b"Content-Length: 65537\r\n\r\n", end=False)
        assert _status(data) == [413] and b"ContentTooLarge" in data and b"Connection: close" in data, data
        data = api.raw(head + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n", end=False)
        assert _status(data) == [413], data
        # One of 64 KiB is read.
        answer = api.post("/iam/account", b'{"name": "' + b"a" * (65536 - 12) + b'"}')
        _assert_error(answer, 400, "InvalidRequest", "name")
        # The length of chunks is not known before.
        chunk = b"8000\r\n" + b"a" * 0x8000 + b"\r\n"
        data = api.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3 + b"0\r\n\r\n", end=False)
        assert _status(data) == [413], data
        # One that goes on is cut off.
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_S)
            client.connect(str(api.path))
            client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(10000):
                    client.sendall(chunk)
                raise AssertionError("327 MB were read")
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert api.get("/healthz").status == 200


def chunked_bodies_are_read():
    with server() as api:
        data = api.raw(b"POST /iam/account HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + api.token.encode() +
                       b"\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"name\r\n8;x=y\r\n\": \"bob\"\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n")
        assert _status(data) == [201], data


def encoded_bodies_are_refused():
    with server() as api:
        data = api.raw(b"POST /iam/account HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", end=False)
        assert _status(data) == [415] and b"UnsupportedMediaType" in data, data


def ambiguous_requests_are_refused_and_close():
    """Nothing behind such a head is taken for a request."""
    with server() as api:
        smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        post = b"POST /iam/account HTTP/1.1\r\nHost: x\r\n"
        for fields in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 4\r\nContent-Length: 0\r\n",
                       b"Content-Length: 0\r\nContent-Length: 0\r\n", b"Content-Length: +4\r\n", b"Content-Length: 4,4\r\n",
                       b"Content-Length: -1\r\n", b"Content-Length: 0x4\r\n", b"Content-Length: \r\n",
                       b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: chunked, identity\r\n",
                       b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                       b"Transfer-Encoding:\x0bchunked\r\n", b"Content-Length : 4\r\n", b"Transfer-Encoding : chunked\r\n",
                       b"Content-Length\t: 4\r\n", b"X\x00Y: 1\r\nContent-Length: 4\r\n", b"no colon\r\n",
                       b"Host: y\r\n", b"Authorization: a\r\nAuthorization: b\r\n",
                       b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAAA\r\n",
                       b"Upgrade: TLS/1.0\r\n"):
            data = api.raw(post + fields + b"\r\n" + b"0\r\n\r\n" + smuggled)
            # libmicrohttpd 0.9.75 writes the head of its own answers twice.
            assert set(_status(data)) == {400} and b'"ok"' not in data, (fields, data)
        for line in (b"GET /healthz\r\n", b"GET  /healthz  HTTP/1.1\r\n", b"GET /a b HTTP/1.1\r\n", b"GET /healthz HTTP/2.0\r\n",
                     b"GET /healthz HTTP/0.9\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", b"\0\r\n",
                     b"PRI * HTTP/2.0\r\n"):
            data = api.raw(line + b"Host: x\r\n\r\n" + smuggled)
            # What has a way to be understood is one request.
            assert data.count(b'"ok"') <= 1 and 500 not in _status(data), (line, data)
        assert set(_status(api.raw(b"GET /healthz HTTP/1.1\r\n\r\n"))) == {400}
        assert api.get("/healthz").status == 200


def pipelined_requests_are_answered_in_order():
    with server() as api:
        one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        two = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
        assert _status(api.raw((one + two) * 10 + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                               end=False)) == [200, 404] * 10 + [200]


def huge_heads_are_refused():
    with server() as api:
        assert _status(api.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", end=False)) == [431]
        assert _status(api.raw(b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", end=False)) == [414]
        many = b"".join(b"X-%d: y\r\n" % number for number in range(5000))
        assert _status(api.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n", end=False)) == [431]


def origin_must_be_the_public_url():
    with server() as api:
        assert api.get("/healthz", headers={"Origin": PUBLIC_URL}).status == 200
        for origin in ("https://evil.example", "null", "", PUBLIC_URL + ".evil.example", PUBLIC_URL.upper()):
            answer = api.get("/healthz", headers={"Origin": origin, "Host": origin.removeprefix("https://")})
            assert (answer.status, answer.error) == (403, "AccessDenied"), answer
            assert "Access-Control-Allow-Origin" not in answer.headers


def answers_have_no_cors_and_no_cookies():
    with server() as api:
        for answer in api.get("/healthz"), api.get("/compute/instance"), api.get("/nothing"):
            names = {name.lower() for name in answer.headers}
            assert not {name for name in names if name.startswith("access-control") or name == "set-cookie"}, names
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def limits_by_caller_answer_429_with_retry_after():
    with server("CallerLimit=60") as api:
        answers = [api.get("/compute/keypair") for _ in range(10)]
        assert [a.status for a in answers] == [200] * 10, answers
        # One comes back each second.
        refused = next(a for a in iter(lambda: api.get("/compute/keypair"), None) if a.status != 200)
        _assert_error(refused, 429, "TooManyRequests")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        # Others are not concerned.
        assert api.get("/compute/keypair", token=api.seed("other")).status == 200
        lines = [line for line in api.audit() if line.get("error", line.get("outcome", {}).get("error")) == "TooManyRequests"]
        assert lines, api.audit()


def limits_by_address_answer_429():
    with server("AddressLimit=60") as api:
        from_ = {"X-Forwarded-For": "192.0.2.1"}
        assert [api.get("/healthz", headers=from_).status for _ in range(11)] == [200] * 10 + [429]
        assert api.get("/healthz", headers={"X-Forwarded-For": "192.0.2.2"}).status == 200
        assert api.get("/healthz", headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.3"}).status == 200
        # One /64 is one client.
        statuses = [api.get("/healthz", headers={"X-Forwarded-For": f"2001:db8::{n:x}"}).status for n in range(1, 12)]
        assert statuses == [200] * 10 + [429]


def requests_under_way_are_answered_at_the_end():
    """SIGTERM: connections without a request end, a request that is being received too; the program exits with 0."""
    with server() as api:
        idle = api.connect()
        assert api.get("/healthz", connection=idle).status == 200
        assert api.stop() == 0
        assert idle.sock.recv(1) == b""


def damaged_requests_never_end_the_server():
    """Random changes to valid requests, many on one connection."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"# seed {seed}")
    import random
    chance = random.Random(seed)
    with server() as api:
        valid = [b"GET /compute/instance?limit=5&cursor=a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + api.token.encode() +
                 b"\r\nIf-Match: \"4\"\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
                 b"PUT /compute/instance/42 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + api.token.encode() +
                 b"\r\nContent-Length: 15\r\n\r\n{\"host\": \"h1\" }",
                 b"POST /iam/account HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"nam\r\n0\r\n\r\n"]
        for _ in range(300):
            data = bytearray(b"".join(chance.choice(valid) for _ in range(chance.randint(1, 3))))
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(data))
                change = chance.randrange(3)
                if change == 0:
                    data[at] = chance.choice(b"\0\r\n\t :,;%/\"{}[]\xff" + bytes([chance.randrange(256)]))
                elif change == 1:
                    del data[at:at + chance.randint(1, 8)]
                else:
                    data[at:at] = data[at:at + chance.randint(1, 40)]
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(api.path))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
                    client.sendall(data)
                    # What is not complete is not answered.
                    client.settimeout(0.1)
                    assert 500 not in _status(read_all(client)), bytes(data)
        assert api.get("/healthz").status == 200


def secrets_are_not_logged():
    with server() as api:
        made = api.post("/iam/token", {"account": "admin"})
        assert made.status == 201 and made.headers["Cache-Control"] == "no-store", made
        api.get("/compute/instance", token=made.json["token"])
        api.get("/compute/instance", token=made.json["token"][:-1] + ("A" if made.json["token"][-1] != "A" else "B"))
        everything = json.dumps(api.audit()) + api.log.read_text()
        assert made.json["token"] not in everything and made.json["token"][13:40] not in everything
        assert api.token not in everything
