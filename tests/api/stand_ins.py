# SPDX-License-Identifier: Apache-2.0
"""
exc-signer and exc-host as their caller sees them, in this process: each answers as its interface has it, until a test has it
answer otherwise.
"""

import base64
import hashlib
import json
import secrets
import socket
import threading
import time


class Fault(Exception):
    """Answered as an error of the interface."""

    def __init__(self, error, /, **parameters):
        super().__init__(error)
        self.error, self.parameters = error, {"message": f"a stand-in says {error}", **parameters}


class Server:
    interface = None

    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.faults = {}  # method: what it raises, until it is removed
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        with connection:
            while True:
                while b"\0" not in data:
                    try:
                        received = connection.recv(65536)
                    except ConnectionResetError:
                        return
                    if not received:
                        return
                    data += received
                message, data = data.split(b"\0", 1)
                call = json.loads(message)
                try:
                    self._answer(connection, call)
                except OSError:
                    return

    def _answer(self, connection, call):
        method = call["method"].removeprefix(self.interface + ".")
        parameters = call.get("parameters", {})
        try:
            if method in self.faults:
                raise self.faults[method]
            reply = {"parameters": getattr(self, method)(parameters)}
        except Fault as fault:
            reply = {"error": f"{self.interface}.{fault.error}", "parameters": fault.parameters}
        if call.get("more"):
            reply["continues"] = True
        connection.sendall(json.dumps(reply).encode() + b"\0")


def fingerprint(key):
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _envelope(kind):
    payload = json.dumps({"jti": secrets.token_urlsafe(16)}).encode()
    return {"payloadType": f"application/vnd.excloud.instance-connect.{kind}.v1+json",
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": "SHA256:x", "sig": base64.b64encode(bytes(64)).decode()}]}


class Signer(Server):
    interface = "in.excloud.Signer"

    def SignPush(self, parameters):
        self.keys = parameters["publicKeys"]
        now, self.ttl = int(time.time()), parameters.get("ttl", 60)
        return {"envelope": _envelope("push"), "fingerprints": [fingerprint(key) for key in self.keys],
                "jti": secrets.token_urlsafe(16), "iat": now, "exp": now + self.ttl, "ttl": self.ttl}

    def SignRevoke(self, parameters):
        now = int(time.time())
        return {"envelope": _envelope("revoke"), "jti": secrets.token_urlsafe(16), "iat": now, "exp": now + 60}


class Host(Server):
    """Its guests have any name; the key that the signer has signed last is the one that they get."""

    interface = "in.excloud.Host"

    def __init__(self, path, signer, instances, host_key):
        self.signer, self.instances, self.host_key = signer, instances, host_key
        super().__init__(path)

    def Hello(self, parameters):
        return {"handle": "h1", "guestInstance": parameters["instance"], "bootId": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
                "challenge": base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("="),
                "clock": {"unix": int(time.time()), "synchronized": True}, "version": "0"}

    def Deliver(self, parameters):
        if ".revoke." in parameters["envelope"]["payloadType"]:
            return {"revoked": 1}
        kind, key = self.host_key.split()
        return {"user": "alice", "fingerprints": [fingerprint(one) for one in self.signer.keys], "expiresIn": self.signer.ttl,
                "duplicate": False,
                "hostKeys": [{"type": kind, "key": key, "fingerprint": fingerprint(self.host_key)}]}

    def Report(self, _):
        return {"instances": [{"id": name, "kind": "vsock", "state": "reachable", "firstSeen": 1700000000}
                              for name in self.instances]}
