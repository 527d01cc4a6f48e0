#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
A metadata service: EC2's, with OpenStack's and Eucalyptus' ways, CloudStack's and Exoscale's. It answers at port 80 of its
addresses, from a thread for each connection. Only modules that Debian's python3-minimal has.

As a program, service.py DIRECTORY ADDRESS...: what it answers is in files of DIRECTORY, which may change meanwhile:

  keys          lines, each the text of a public key; an empty one is a number that is not used
  instance-id   a line
  style         ec2 (the default), ec2-v1 (demands no token, but gives some), openstack (without tokens) or cloudstack (all
                keys at one path)

and in DIRECTORY/log it writes a line "METHOD PATH STATUS" for each request.
"""

import os
import re
import socket
import sys
import threading

VERSIONS = r"latest|1\.0|[0-9]{4}-[0-9]{2}-[0-9]{2}"
REASONS = {200: "OK", 301: "Moved", 302: "Found", 400: "Bad", 401: "Unauthorized", 404: "Not Found", 405: "Not Allowed"}


class Raw(bytes):
    """What is sent as it is, in place of a body."""


def response(body, status=200, headers=(), length=True):
    """A whole one."""
    body = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}", "Content-Type: text/plain", *headers]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return Raw("\r\n".join([*head, "", ""]).encode() + body)


class Request:
    def __init__(self, head):
        line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = line.split(" ", 2)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in
                        (one.partition(":") for one in lines if one)}


class Service:
    """
    `answers` has what is answered at some paths in place of what belongs there: a body; Raw, after which the connection is
    closed; or a function of the connection and the request, which returns Raw or None.
    """

    def __init__(self, addresses, style="ec2", keys=(), instance_id="i-0123456789abcdef0"):
        self.style = style
        self.keys = list(keys)  # None: a number that is not used
        self.instance_id = instance_id
        self.answers = {}
        self.tokens = {}  # of each: how many requests it is still good for
        self.token_uses = 1000
        self.requests = []
        self.listeners = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.socket(family)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, 80))
            listener.listen(64)
            self.listeners.append(listener)
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def stop(self):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        received = b""
        with connection:
            try:
                while True:
                    while b"\r\n\r\n" not in received:
                        data = connection.recv(65536)
                        if not data:
                            return
                        received += data
                    head, received = received.split(b"\r\n\r\n", 1)
                    request = Request(head)
                    received = received[int(request.headers.get("content-length", 0)):]
                    answer = self.answers.get(request.path)
                    if callable(answer):
                        answer = answer(connection, request)
                    elif answer is not None and not isinstance(answer, Raw):
                        answer = response(answer)
                    last = answer is not None
                    if answer is None:
                        answer = self.answer(request)
                    self.note(request, answer)
                    connection.sendall(answer)
                    if last:
                        return
            except OSError:
                return

    def note(self, request, answer):
        self.requests.append((request.method, request.path, answer[9:12].decode("latin-1")))

    def answer(self, request):
        if request.path == "/latest/api/token":
            return self.token(request)
        if request.method != "GET":
            return response("", 405)
        token = request.headers.get("x-aws-ec2-metadata-token")
        if (self.style == "ec2" or self.style == "ec2-v1" and token is not None) and not self.is_good(token):
            return response("", 401)
        found = re.fullmatch(f"/({VERSIONS})/(meta-data/.*|user-data|dynamic/.*)", request.path)
        body = self.content(found.group(2)) if found else None
        return response("<html>404</html>", 404) if body is None else response(body)

    def token(self, request):
        if self.style not in ("ec2", "ec2-v1"):
            return response("", 404)
        if request.method != "PUT" or not request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "").isdigit():
            return response("", 400)
        token = f"TOKEN{len(self.tokens)}=="
        self.tokens[token] = self.token_uses
        return response(token)

    def is_good(self, token):
        if self.tokens.get(token, 0) <= 0:
            return False
        self.tokens[token] -= 1
        return True

    def content(self, path):
        """Or None."""
        numbers = [i for i, text in enumerate(self.keys) if text]
        listed = ["ami-id", "instance-id", "local-hostname"]
        if numbers:
            listed.append("public-keys" if self.style == "cloudstack" else "public-keys/")
        contents = {"meta-data/": "\n".join(listed), "meta-data/ami-id": "ami-1", "meta-data/instance-id": self.instance_id,
                    "meta-data/local-hostname": "metadata-test"}
        if numbers and self.style == "cloudstack":
            contents["meta-data/public-keys"] = "\n".join(self.keys[i] for i in numbers) + "\n"
        elif numbers:
            contents["meta-data/public-keys/"] = "\n".join(f"{i}=key{i}" for i in numbers)
            for i in numbers:
                contents[f"meta-data/public-keys/{i}/"] = "openssh-key"
                contents[f"meta-data/public-keys/{i}/openssh-key"] = self.keys[i] + "\n"
        return contents.get(path)


class Directory(Service):
    """Reads its files before each answer."""

    def __init__(self, directory, addresses):
        self.directory = directory
        super().__init__(addresses)

    def read(self, name, otherwise):
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return otherwise

    def answer(self, request):
        self.keys = self.read("keys", "").splitlines()
        self.instance_id = self.read("instance-id", "i-0123456789abcdef0").strip()
        self.style = self.read("style", "ec2").strip()
        return super().answer(request)

    def note(self, request, answer):
        super().note(request, answer)
        with open(os.path.join(self.directory, "log"), "a", encoding="utf-8") as file:
            file.write(" ".join(self.requests[-1]) + "\n")


if __name__ == "__main__":
    Directory(sys.argv[1], sys.argv[2:])
    threading.Event().wait()
