# SPDX-License-Identifier: Apache-2.0
"""A server (api.py) with stand-ins for signer and host, that keeps each request with its answer."""

import base64
import contextlib
import secrets
import tempfile

import api
from stand_ins import Host, Signer


def new_key():
    """A public key as in authorized_keys. Nobody has its private half."""
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", secrets.token_bytes(32)))
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


class _Patient(api.Unix):
    """Reads the answer also where it came before the body was sent."""

    def send(self, data):
        with contextlib.suppress(BrokenPipeError):
            super().send(data)


class Recorded(api.Server):
    def __init__(self, directory, *lines):
        super().__init__(directory, [f"Host=hv1 unix:{directory}/host.sock", *lines])
        self.exchanges = []
        self.signer = Signer(self.directory / "signer.sock")
        self.host = Host(self.directory / "host.sock", self.signer, ["42"], new_key())
        self.nobody = self.seed("nobody")

    def connect(self):
        return _Patient(self.path)

    def call(self, method, path, body=None, token="", headers=None, connection=None):
        answer = super().call(method, path, body, token, headers, connection)
        self.exchanges.append({
            "method": method, "path": path, "headers": {**(headers or {}), "Authorization": "Bearer x"},
            "body": body if not isinstance(body, bytes) else None, "status": answer.status,
            "data": answer.text.decode(), "answer_headers": dict(answer.headers.items())})
        return answer


@contextlib.contextmanager
def recorded(*lines):
    """No limits but those of `lines`."""
    unlimited = [f"{name}Limit=0" for name in ("Address", "Caller", "Instance", "AuthFailure", "KeyPair")
                 if not any(line.startswith(name) for line in lines)]
    with tempfile.TemporaryDirectory() as directory:
        own = Recorded(directory, *unlimited, *lines)
        try:
            yield own.start()
            status = own.stop()
            assert status == 0, f"{status}\n{own.log.read_text()}"
        finally:
            if own.process:
                own.kill()
            own.signer.close()
            own.host.close()
            own.listener.close()
