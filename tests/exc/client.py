# SPDX-License-Identifier: Apache-2.0
"""exc as a user runs it, with a home of its own; and servers in place of the API."""

import http.server
import itertools
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading

import agent
import cloud
from agent import WORLD

PROGRAM = cloud.BUILD / "exc/exc"
TOKEN = "exc_abcdefgh_" + "A" * 43
COMMAND_S = 600  # far more than a command takes
numbers = itertools.count()

after_test = cloud.after_test
after_failure = cloud.after_failure


class Done:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"status {self.status}\n--- stdout\n{self.out}--- stderr\n{self.err}"

    @property
    def json(self):
        lines = self.out.splitlines()
        assert len(lines) == 1, self
        return json.loads(lines[0])


class Exc:
    """`to`: a cloud.Cloud, an endpoint, or None."""

    def __init__(self, to=None, token=None, **environment):
        self.home = WORLD / "tests" / f"home.{os.getpid()}.{next(numbers)}"
        self.home.mkdir(mode=0o700)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8", **environment}
        if isinstance(to, cloud.Cloud):
            to, token = f"unix:{to.api.path}", token or to.api.token
        if to:
            self.environment["EXC_ENDPOINT"] = to
        if token:
            self.environment["EXC_TOKEN"] = token

    @property
    def config(self):
        return self.home / ".config/exc/config.json"

    def write_config(self, mode=0o600, **members):
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(json.dumps(members))
        self.config.chmod(mode)

    def run(self, *arguments, stdin="", program=(), **environment):
        done = subprocess.run([*program, PROGRAM, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=COMMAND_S, check=False, cwd=self.home,
                              env={**self.environment, **environment})
        done = Done(done)
        assert "Sanitizer" not in done.err and "runtime error" not in done.err, done
        assert done.status >= 0, done
        return done

    def good(self, *arguments, **more):
        done = self.run(*arguments, **more)
        assert done.status == 0, done
        return done

    def fails(self, status, *arguments, says=(), **more):
        """All of the texts are on standard error."""
        done = self.run(*arguments, **more)
        assert done.status == status, done
        for text in [says] if isinstance(says, str) else says:
            assert text in done.err, (text, done)
        return done

    def key(self, name="own"):
        """The path of the public half of a new key pair, and its text."""
        path = self.home / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", path], check=True)
        public = pathlib.Path(f"{path}.pub")
        return public, " ".join(public.read_text().split()[:2])


class Web:
    """An HTTP server on loopback: answer(method, path, body) is (status, headers, body). `tls`: a certificate and its key."""

    def __init__(self, answer, tls=None):
        web = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                web.requests.append((self.command, self.path, dict(self.headers), body))
                got = answer(self.command, self.path, body)
                if got is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, headers, body = got
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = do_CONNECT = handle_one

            def log_message(self, *arguments):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def error(status, name, message="a sentence", headers=None, **members):
    body = json.dumps({"error": name, "message": message, "request_id": "r-1", **members}).encode()
    return status, {"Content-Type": "application/json", "X-Request-Id": "r-1", **(headers or {})}, body


def json_answer(value, status=200):
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def certificate(directory, name="127.0.0.1"):
    """A self-signed certificate and its key."""
    paths = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=test", "-addext", f"subjectAltName=IP:{name}", "-keyout", paths[1], "-out",
                    paths[0]], check=True, stderr=subprocess.DEVNULL)
    return paths
