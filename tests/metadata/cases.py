# SPDX-License-Identifier: Apache-2.0
"""
What a service may answer, and what becomes of it: (name, answers by path, expected). `expected` is a list, the keys that are then
stored; or a text, which the program prints before it fails, and the keys of the answer before stay.

An answer is the body of a 200, or what service.Service takes.
"""

import gzip
import time

import agent
from service import Raw, response

BASE = "/latest/meta-data/"
INDEX = BASE + "public-keys/"
KEY = INDEX + "0/openssh-key"
TOKEN = "/latest/api/token"

A, B = agent.key(), agent.key()
RSA_1024 = ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDEX/dPu4PmtvgK3La9zioCEDrJ+yUr6xEIK7Pr+rLgydcqWTU/kt7w7gKjOw4vvzg"
            "fHKjKl09CWyvgb+y5dCiTk9MxI+erGNhs3pwaoS+EavAbawB7iEqYyTep3YaJK+4RJ4OX7ZlXMAIMrTL+UVrK89t56hCkFYaAgo3VY+z6rw==")
DSS = "ssh-dss " + "AAAAB3NzaC1kc3MAAACB" * 12
CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"
NEW_TYPE = "ssh-mldsa65 " + "AAAAC3NzaC1tbGRzYTY1" * 8
HTML = "<!DOCTYPE html>\n<html><head><title>Login</title></head><body><p>Please log in</p></body></html>\n"


def _index(*lines):
    return "\n".join(lines)


def _slowly(connection, _):
    """A byte at a time, for longer than a request may take."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(50):
        connection.sendall(b"s")
        time.sleep(0.1)
    return Raw()


def _silent(_connection, _request):
    time.sleep(3)
    return Raw()


def _endless(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"400\r\n" + b"a" * 1024 + b"\r\n")


def _endless_head(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Header: " + b"a" * 100 + b"\r\n")


def _endless_trailer(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    while True:
        connection.sendall(b"X-Trailer: " + b"a" * 100 + b"\r\n")


def _to(location, status=302):
    return response("", status, [f"Location: {location}"])


def _to_another_port(_, request):
    return _to(f"http://{request.headers['host']}:8080/latest/meta-data/", 301)


EXPECTED_KEY = "expected a public key"
EXPECTED_NUMBER = "expected NUMBER=NAME"
NOT_A_LIST = "no instance-id is in the list"

CASES = [
    # Keys
    ("a key with a comment", {KEY: A + " alice@example.org\n"}, [A]),
    ("a comment of several words", {KEY: A + " for the web server\n"}, [A]),
    ("a comment that is no ASCII", {KEY: A + " Zoë\n"}, [A]),
    ("without a newline", {KEY: A}, [A]),
    ("CRLF", {KEY: A + "\r\n"}, [A]),
    ("blanks around it", {KEY: f"  {A} \t\n\n"}, [A]),
    ("empty lines", {KEY: f"\n\n{A}\n\n"}, [A]),
    ("two keys at one number", {KEY: f"{A}\n{B}\n"}, [A, B]),
    ("the same key twice", {KEY: f"{A} one\n{A} two\n"}, [A]),
    ("an empty key", {KEY: ""}, []),
    ("a NUL", {KEY: A.encode() + b"\0\n"}, EXPECTED_KEY),
    ("a NUL behind it", {KEY: A.encode() + b"\n\0"}, EXPECTED_KEY),
    ("CR alone", {KEY: A + "\r" + B}, EXPECTED_KEY),
    ("an escape sequence", {KEY: "\x1b[31m" + A}, EXPECTED_KEY),
    ("a byte order mark", {KEY: b"\xef\xbb\xbf" + A.encode()}, EXPECTED_KEY),
    ("options before the key", {KEY: f'command="/bin/sh -i" {A}\n{B}\n'}, [B]),
    ("an option before the key", {KEY: f"no-pty {A}\n{B}\n"}, [B]),
    ("a certificate", {KEY: f"{CERTIFICATE}\n{B}\n"}, [B]),
    ("a certificate authority", {KEY: f"cert-authority {A}\n{B}\n"}, [B]),
    ("DSA", {KEY: f"{DSS}\n{B}\n"}, [B]),
    ("RSA of 1024 bits", {KEY: f"{RSA_1024}\n{B}\n"}, [B]),
    ("a type of tomorrow", {KEY: f"{NEW_TYPE} comment\n{B}\n"}, [B]),
    ("a key that is cut off", {KEY: f"{A[:50]}\n{B}\n"}, [B]),
    ("none but a bad one", {KEY: DSS}, []),
    ("10,000 keys", {KEY: "\n".join(agent.keys(10000))}, "longer than 64 KiB"),
    ("17 keys", {KEY: "\n".join(agent.keys(17))}, "more than 16 keys"),
    ("HTML", {KEY: HTML}, EXPECTED_KEY),
    ("a private key", {KEY: "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n"}, EXPECTED_KEY),
    ("gzip", {KEY: response(gzip.compress(A.encode()), headers=["Content-Encoding: gzip"])}, EXPECTED_KEY),
    ("64 KiB of one line", {KEY: "a" * 65536}, EXPECTED_KEY),
    ("one byte more", {KEY: "a" * 65537}, "longer than 64 KiB"),
    # The index
    ("an empty index", {INDEX: ""}, []),
    ("an index of letters", {INDEX: _index("a=key")}, EXPECTED_NUMBER),
    ("an index without a name", {INDEX: _index("0")}, EXPECTED_NUMBER),
    ("a number with a sign", {INDEX: _index("-1=key")}, EXPECTED_NUMBER),
    ("a number with a zero in front", {INDEX: _index("00=key")}, EXPECTED_NUMBER),
    ("a number of four digits", {INDEX: _index("1000=key")}, EXPECTED_NUMBER),
    ("a number that overflows", {INDEX: _index("18446744073709551616=key")}, EXPECTED_NUMBER),
    ("a path for a number", {INDEX: _index("../../user-data=key")}, EXPECTED_NUMBER),
    ("a second host name in the list", {INDEX: _index("0=key", "http://evil.example/0=key")}, EXPECTED_NUMBER),
    ("a host before the number", {INDEX: _index("//evil.example/0=key")}, EXPECTED_NUMBER),
    ("a request in the number", {INDEX: "0 HTTP/1.1\r\nHost: x=key"}, EXPECTED_NUMBER),
    ("the same number twice", {INDEX: _index("0=a", "0=b")}, "the same number as before"),
    ("17 numbers", {INDEX: _index(*(f"{i}=key" for i in range(17)))}, "more than 16 keys"),
    ("a number that is not there", {INDEX: _index("0=key", "7=key")}, "public-keys/7/openssh-key: status 404"),
    ("an index of HTML", {INDEX: HTML}, EXPECTED_NUMBER),
    # The list
    ("a list without keys", {BASE: "ami-id\ninstance-id\n"}, []),
    ("an empty list", {BASE: ""}, NOT_A_LIST),
    ("another list", {BASE: "public-keys/\nami-id\n"}, NOT_A_LIST),
    ("a list of HTML", {BASE: HTML}, "expected a name of the list"),
    ("a list of paths", {BASE: "instance-id\n../public-keys/\n"}, "expected a name of the list"),
    ("no list", {BASE: response("", 404)}, "meta-data/: status 404"),
    # HTTP
    ("a redirect to this machine", {KEY: _to("http://127.0.0.1/latest/meta-data/public-keys/0/openssh-key")}, "status 302"),
    ("a redirect to another port", {BASE: _to_another_port}, "status 301"),
    ("a redirect to another host", {KEY: _to("http://evil.example/")}, "status 302"),
    ("a redirect to a file", {KEY: _to("file:///etc/passwd")}, "status 302"),
    ("a redirect to a socket", {KEY: _to("gopher://127.0.0.1:80/_x")}, "status 302"),
    ("a redirected token", {TOKEN: _to("http://127.0.0.1/latest/api/token", 307)}, "token: status 307"),
    ("500", {KEY: response("", 500)}, "status 500"),
    ("204", {KEY: response("", 204, length=False)}, "status 204"),
    ("206", {KEY: response(A, 206)}, "status 206"),
    ("no HTTP", {KEY: Raw(b"ssh-ed25519 AAAA\r\n\r\n")}, "not HTTP/1.1"),
    ("HTTP/0.9", {KEY: Raw(A.encode() + b"\n")}, "not HTTP/1.1"),
    ("another server's protocol", {BASE: Raw(b"SSH-2.0-OpenSSH_9.2\r\n")}, "not HTTP/1.1"),
    ("nothing", {KEY: Raw()}, "the connection ended within the answer"),
    ("less than its length", {KEY: Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + A.encode())},
     "the connection ended within the answer"),
    ("a length that overflows", {KEY: Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n" + A.encode())}, [A]),
    ("chunks that are none", {KEY: Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")}, ""),
    ("a compressed transfer", {KEY: Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc")}, ""),
    ("chunked without end", {KEY: _endless}, "longer than 64 KiB"),
    ("headers without end", {KEY: _endless_head}, "longer than 64 KiB"),
    ("trailers without end", {KEY: _endless_trailer}, "longer than 64 KiB"),
    ("slow", {KEY: _slowly}, "no whole answer within a second"),
    ("silent", {BASE: _silent}, "no whole answer within a second"),
    ("an upgrade", {KEY: response("", 101, ["Upgrade: h2c", "Connection: Upgrade"], length=False)}, ""),
    # Tokens
    ("no token", {TOKEN: response("", 404)}, "gives no token (IMDSv2)"),
    ("a token of two lines", {TOKEN: "a\nb"}, "token: expected"),
    ("a token with a header", {TOKEN: "a\r\nX-Evil: 1\r\n"}, "token: expected"),
    ("a token with a blank", {TOKEN: "a b"}, "token: expected"),
    ("an empty token", {TOKEN: ""}, "token: expected"),
    ("a token of HTML", {TOKEN: HTML}, "token: expected"),
    ("a long token", {TOKEN: "a" * 513}, "token: expected"),
    ("a token that is not taken", {KEY: response("", 401)}, "status 401"),
]
