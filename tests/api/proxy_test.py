# SPDX-License-Identifier: Apache-2.0
"""haproxy and nginx with TLS in front, with the configurations of docs/compute-api-proxy.md."""

import contextlib
import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess

from api import WAIT_S, Answer, allow, eventually, server

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs/compute-api-proxy.md"


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _document(name):
    return re.search(rf"<!-- {re.escape(name)} -->\n```\n(.*?)```", DOCUMENT.read_text(), re.DOTALL).group(1)


def _replace(text, *pairs):
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def _haproxy(api, port):
    """At other paths and without root's rights."""
    text = _document("haproxy.cfg")
    for line in r"    log /dev/log local0\n", r"    chroot .*\n", r"    user .*\n", r"    group .*\n", r"    log global\n":
        text, n = re.subn(line, "", text)
        assert n == 1, line
    config = api.directory / "haproxy.cfg"
    config.write_text(_replace(
        text, ("maxconn 12000", "maxconn 100"),
        (":443 ssl crt /etc/haproxy/compute.pem", f"127.0.0.1:{port} ssl crt {api.directory}/compute.pem"),
        ("unix@/exc-compute-api.sock", f"unix@{api.path}")))
    return ["haproxy", "-db", "-f", config]


def _nginx(api, port):
    """The site of the document, in a configuration that has nothing else."""
    directory = api.directory / "nginx"
    directory.mkdir()
    site = _replace(
        _document("nginx.conf"), ("listen 443 ssl http2", f"listen 127.0.0.1:{port} ssl http2"),
        ("compute.example.org", "localhost"), ("/etc/nginx/compute.crt", f"{api.directory}/compute.crt"),
        ("/etc/nginx/compute.key", f"{api.directory}/compute.pem"), ("/run/exc-compute-api/api.sock", str(api.path)))
    config = directory / "nginx.conf"
    temporary = "".join(f"{kind}_temp_path {directory}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    # Its workers would be nobody, who may not enter the test's directory.
    config.write_text(f"daemon off;\nuser root;\npid {directory}/pid;\nerror_log stderr;\n"
                      f"events {{ }}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n")
    return ["nginx", "-p", directory, "-c", config]


class Proxy:
    def __init__(self, api, command):
        self.api, self.log = api, api.directory / "proxy.log"
        self.port = _free_port()
        pem = api.directory / "compute.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", pem, "-out",
                        api.directory / "compute.crt"], check=True, capture_output=True)
        with open(pem, "a") as file:
            file.write((api.directory / "compute.crt").read_text())
        self.context = ssl.create_default_context(cafile=str(api.directory / "compute.crt"))
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command(api, self.port), stderr=log)
        eventually(self.listens, "the proxy")

    def listens(self):
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        return self.context.wrap_socket(plain, server_hostname="localhost")

    def call(self, method, path, body=None, token=None, headers=(), answer=Answer):
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=WAIT_S, context=self.context)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Authorization": "Bearer " + (token or self.api.token), **dict(headers)})
            return answer(connection.getresponse())
        finally:
            connection.close()

    def raw(self, data):
        with self.connect() as client:
            client.sendall(data)
            client.settimeout(1)  # the proxy may wait for more
            answer = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError, ssl.SSLError):
                while part := client.recv(65536):
                    answer += part
            return answer


@contextlib.contextmanager
def _proxied(command, *lines):
    with server(*lines) as api:
        proxy = Proxy(api, command)
        try:
            yield api, proxy
        finally:
            proxy.process.terminate()
            proxy.process.wait()


def _requests_go_through_tls(command):
    with _proxied(command) as (api, proxy):
        assert proxy.call("GET", "/healthz").json == {"status": "ok"}
        assert proxy.call("PUT", "/compute/instance/42", {"host": "h"}).status == 201
        # The API answers at the head and closes. Whether haproxy has the answer by then, or sees the end of the connection
        # while it sends the body, is not the API's. nginx has a limit of its own.
        with contextlib.suppress(ConnectionError, http.client.RemoteDisconnected, ssl.SSLEOFError):
            status = proxy.call("PUT", "/compute/instance/43", {"host": "h" * 70000}, answer=lambda response: response.status)
            assert status in (413, 502), status
        assert proxy.call("GET", "/compute/instance/43").status == 404
        http2 = subprocess.run(["curl", "--silent", "--http2", "--cacert", api.directory / "compute.crt", "--write-out",
                                " %{http_version}", f"https://localhost:{proxy.port}/healthz"], check=True, capture_output=True,
                               text=True, timeout=WAIT_S)
        assert http2.stdout == '{"status":"ok"} 2', http2


def _client_cannot_say_where_it_comes_from(command):
    with _proxied(command) as (api, proxy):
        token = api.account("bob", allow("compute:instance:get", Condition={"IpAddress": {"exc:SourceIp": "192.0.2.7"}}))
        local = api.account("eve", allow("compute:instance:get", Condition={"IpAddress": {"exc:SourceIp": "127.0.0.1"}}))
        for name in "X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR", "X-Forwarded-For ", "X_Forwarded_For", "Forwarded", \
                    "X-Real-IP":
            for value in "192.0.2.7", "192.0.2.7, 192.0.2.7", "192.0.2.7,", "for=192.0.2.7":
                data = proxy.raw((f"GET /compute/instance/1 HTTP/1.1\r\nHost: localhost\r\n{name}: {value}\r\n"
                                  f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n").encode())
                assert data.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 ")), (name, value, data)
        assert proxy.call("GET", "/compute/instance/1", token=local, headers={"X-Forwarded-For": "192.0.2.7"}).status == 404
        assert {line["source_ip"] for line in api.audit() if line.get("account") in ("bob", "eve")} == {"127.0.0.1"}
        # PROXY protocol of a client is no such either.
        assert b"404" not in proxy.raw(b"PROXY TCP4 192.0.2.7 192.0.2.7 1 1\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")


def _nothing_is_smuggled_through(command):
    """By the proxy's reading each attack is one request with a body; what is in that body must never be carried out."""
    with _proxied(command, "AuthFailureLimit=0") as (api, proxy):
        body = b'{"host": "h"}'
        inner = (b"PUT /compute/instance/smuggled HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + api.token.encode() +
                 b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        whole = b"0\r\n\r\n" + inner
        chunked = b"%x\r\n" % len(inner) + inner + b"\r\n0\r\n\r\n"
        length = b"Content-Length: %d\r\n" % len(whole)
        head = b"POST /compute/instance/x HTTP/1.1\r\nHost: localhost\r\n"
        attacks = [head + length + line + b"\r\n" + whole for line in (
            b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\tchunked\r\n",
            b"Transfer-Encoding:\x0bchunked\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: x, chunked\r\n",
            b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"X: y\nTransfer-Encoding: chunked\r\n",
            b"X: y\rTransfer-Encoding: chunked\r\n", b" Transfer-Encoding: chunked\r\n", b"Transfer_Encoding: chunked\r\n",
            b"Transfer-Encoding\x00: chunked\r\n", b"X\x00: y\r\nTransfer-Encoding: chunked\r\n", b"Foo: bar\r\n baz: chunked\r\n",
            b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-length : 0\r\n", b"Content-Length:\r\n 0\r\n",
            b"Content-Length: +0\r\n", b"Content-Length: 0, 0\r\n", b"Connection: Content-Length\r\n",
            b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n",
            b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")]
        attacks += [head + line + b"\r\n" + chunked for line in (
            b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n",
            b"Transfer-Encoding: CHUNKED\r\nContent-Length: 0\r\n")]
        attacks += [head + b"Transfer-Encoding: chunked\r\n\r\n" + part + b"\r\n0\r\n\r\n" for part in (
            b"%x;\n" % len(inner) + inner, b"%x;ext\r\r\n" % len(inner) + inner, b"0%x\r\n" % len(inner) + inner,
            b"0x%x\r\n" % len(inner) + inner, b"%x \r\n" % len(inner) + inner)]
        attacks += [method + b" /healthz HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n" + whole
                    for method in (b"GET", b"DELETE", b"HEAD", b"OPTIONS")]
        attacks += [b"GET /healthz%0d%0aX: HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n" + whole,
                    b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n" + whole,
                    b"GET /healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + length + b"\r\n" + whole]
        for attack in attacks:
            answer = proxy.raw(attack)
            assert b" 201 " not in answer, (attack, answer)
            # Nobody else's answer is shifted.
            assert proxy.call("GET", "/healthz").json == {"status": "ok"}
            assert api.get("/compute/instance/smuggled").status == 404, attack
        print(f"# {len(attacks)} attacks")


def haproxy_takes_requests_through_tls():
    _requests_go_through_tls(_haproxy)


def nginx_takes_requests_through_tls():
    _requests_go_through_tls(_nginx)


def haproxy_lets_no_client_say_where_it_comes_from():
    _client_cannot_say_where_it_comes_from(_haproxy)


def nginx_lets_no_client_say_where_it_comes_from():
    _client_cannot_say_where_it_comes_from(_nginx)


def nothing_is_smuggled_through_haproxy():
    _nothing_is_smuggled_through(_haproxy)


def nothing_is_smuggled_through_nginx():
    _nothing_is_smuggled_through(_nginx)


nothing_is_smuggled_through_haproxy.slow = True
nothing_is_smuggled_through_nginx.slow = True
