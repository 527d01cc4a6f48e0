#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""exc-push(1) against a server in place of a guest. EXC_BUILD is the directory with the program."""

import base64
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

PROGRAM = os.path.join(os.environ["EXC_BUILD"], "exc-push")
DEADLINE_S = 300  # for each run of the program; far more than it takes
INTERFACE = "in.excloud.InstanceConnect"
PUSH_TYPE = "application/vnd.excloud.instance-connect.push.v1+json"
REVOKE_TYPE = "application/vnd.excloud.instance-connect.revoke.v1+json"
REFUSALS = [
    "PermissionDenied", "TooLarge", "RateLimited", "Untrusted", "BadSignature", "WrongInstance", "NotYetValid",
    "Expired", "ClockUnsynchronized", "StaleChallenge", "Replayed", "InvalidPayload", "KeyRejected", "NoSuchUser",
    "UserDenied", "StoreFull", "StorageFailure",
]
EXTRAS = {"KeyRejected": {"index": 0}, "InvalidPayload": {"field": "ttl"}, "RateLimited": {"retryAfterMs": 5}}

# Made with ssh-keygen for this test.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"
FINGERPRINT = "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk"
ECDSA = ("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLJQmvYRWeoYiGD7q9S2wXzyCqqa"
         "J1EX/DXC+tojQWup927yAe5KCqusxaEMpI/1q+YakQylfiFlRdchTwCxYWw=")

CLOCK = {"unix": 1700000000, "synchronized": True}
LIMITS = {"messageBytes": 16384, "maxTtl": 300, "keysPerPush": 8, "keysPerUser": 32, "keys": 4096}
CHALLENGE = "abcdefghijklmnopqrst-_"
BOOT = "0123abcd-0123-0123-0123-0123456789ab"
HELLO = {"version": "0.9", "instance": "i-1", "bootId": BOOT, "challenge": CHALLENGE, "clock": CLOCK, "limits": LIMITS}
STATUS = {"version": "0.9", "instance": "i-1", "trust": "signed", "anchors": 2, "keys": 3, "clock": CLOCK,
          "sshd": "enabled"}


def fingerprint(key):
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def host_key(key):
    kind, blob = key.split()
    return {"type": kind, "key": blob, "fingerprint": fingerprint(key)}


def reply(parameters, **members):
    return json.dumps({"parameters": parameters, **members}).encode() + b"\0"


def refusal(name, **parameters):
    return reply(parameters, error=f"{INTERFACE}.{name}")


EXPIRED = refusal("Expired", message="iat: before the memory of pushes")


def pae(envelope):
    kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"], validate=True)
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def payload(envelope):
    return json.loads(base64.b64decode(envelope["payload"], validate=True))


class Guest:
    """Answers calls as an agent does. `answers` has other ones by method: bytes, a function of the call's parameters,
    or None to close the connection. `calls` is what was asked, `connections` on how many connections."""

    def __init__(self, path, **answers):
        self.calls = []
        self.connections = 0
        self.answers = answers
        self.host_keys = [host_key(ED25519)]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.serve)

    def default(self, method, parameters):
        if method == "Hello":
            return reply({"sync": parameters["sync"], **HELLO})
        if method == "Push":
            pushed = payload(parameters["envelope"])
            return reply({"user": pushed["user"], "fingerprints": [fingerprint(key) for key in pushed["keys"]],
                          "expiresIn": 59, "duplicate": False, "hostKeys": self.host_keys})
        return reply({"Revoke": {"revoked": 2}, "Status": STATUS, "HostKeys": {"hostKeys": self.host_keys}}[method])

    def answer(self, connection, call):
        self.calls.append(call)
        method = call["method"].removeprefix(INTERFACE + ".")
        answer = self.answers.get(method, lambda parameters: self.default(method, parameters))
        if callable(answer):
            answer = answer(call["parameters"])
        if answer is not None:
            connection.sendall(answer)
        return answer is not None

    def converse(self, connection):
        received = b""
        while True:
            part = connection.recv(65536)
            if not part:
                return
            received += part
            while b"\0" in received:
                message, received = received.split(b"\0", 1)
                if not self.answer(connection, json.loads(message)):
                    return

    def serve(self):
        while not self.ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                try:
                    self.converse(connection)
                except OSError:  # it did not want to hear the rest
                    pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def methods(self):
        return [call["method"].removeprefix(INTERFACE + ".") for call in self.calls]

    def envelope(self):
        return self.calls[-1]["parameters"]["envelope"]

    def payload(self):
        return payload(self.envelope())


class PushTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.socket = self.path("socket")
        self.to = ["--to", "unix:" + self.socket]
        self.key = self.write("id.pub", ED25519 + " alice@laptop\n")
        self.private = ed25519.Ed25519PrivateKey.generate()
        self.signing_key = self.write_key("signing.pem", self.private)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(content)
        return self.path(name)

    def write_key(self, name, key):
        return self.write(name, key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode())

    def run_alone(self, *arguments, stdin="", environment=None):
        return subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=DEADLINE_S,
                              check=False, env={**os.environ, "XDG_RUNTIME_DIR": self.directory, **(environment or {})})

    def run_with(self, answers, *arguments, **more):
        """Runs the program against a guest. Returns its result and the guest."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        with Guest(self.socket, **answers) as guest:
            guest.host_keys = more.pop("host_keys", guest.host_keys)
            result = self.run_alone(*arguments, **more)
        return result, guest

    def who(self, *signer):
        return [*self.to, *(signer or ("--signing-key", self.signing_key)), "--instance", "i-1"]

    def push(self, *arguments, answers=None, signer=(), **more):
        return self.run_with(answers or {}, "push", *self.who(*signer), "--user", "alice", "--key", self.key,
                             *arguments, **more)

    def revoke(self, *arguments, answers=None):
        return self.run_with(answers or {}, "revoke", *self.who(), *arguments)

    def sign(self, *arguments, subject=(), **more):
        result = self.run_alone("sign", *subject, "--signing-key", self.signing_key, "--instance", "i-1", *arguments,
                                **more)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout.count("\n"), 1)
        return result.stdout

    def assert_done(self, result):
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def assert_signed(self, envelope, public=None, forms=1):
        self.assertEqual(set(envelope), {"payloadType", "payload", "signatures"})
        self.assertEqual(len(envelope["signatures"]), forms)
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        (public or self.private.public_key()).verify(signature, pae(envelope))

    def assert_usage(self, *arguments):
        """Exit status 2, nothing on standard output, and no connection. Returns what is said."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        with Guest(self.socket) as guest:
            result = self.run_alone(*arguments)
        self.assertEqual((result.returncode, result.stdout, guest.connections), (2, "", 0), result.stderr)
        self.assertIn("--help", result.stderr)
        return result.stderr


class Push(PushTest):
    def test_the_payload_holds_what_was_given_and_nothing_else(self):
        before = int(time.time())
        result, guest = self.push()
        after = int(time.time())
        self.assert_done(result)
        self.assertEqual(guest.methods(), ["Hello", "Push"])
        self.assertEqual(guest.connections, 1)
        self.assertEqual(guest.envelope()["payloadType"], PUSH_TYPE)
        self.assert_signed(guest.envelope())
        pushed = guest.payload()
        self.assertRegex(pushed.pop("jti"), r"\A[A-Za-z0-9_-]{22}\Z")
        self.assertIn(pushed["iat"], range(before, after + 1))
        self.assertEqual(pushed.pop("exp") - pushed.pop("iat"), 60)
        self.assertEqual(pushed, {"aud": "exc:compute:instance/i-1", "challenge": CHALLENGE, "user": "alice",
                                  "keys": [ED25519]})

    def test_every_option_arrives(self):
        other = self.write("other.pub", ECDSA + "\n")
        _, guest = self.push("--key", other, "--ttl", "30", "--connections", "0", "--source", "192.0.2.0/24",
                             "--source", "2001:db8::1", "--restrict", "--principal", "DOMAIN\\bob",
                             "--request-id", "R-1", "--valid-for", "90")
        pushed = guest.payload()
        self.assertEqual(pushed["exp"] - pushed["iat"], 90)
        self.assertEqual({name: pushed[name] for name in pushed if name not in ("aud", "iat", "exp", "jti")}, {
            "challenge": CHALLENGE, "user": "alice", "keys": [ED25519, ECDSA], "ttl": 30, "connections": 0,
            "source": ["192.0.2.0/24", "2001:db8::1"], "restrict": True, "principal": "DOMAIN\\bob",
            "requestId": "R-1"})

    def test_each_push_is_another(self):
        _, one = self.push()
        _, other = self.push()
        self.assertNotEqual(one.payload()["jti"], other.payload()["jti"])
        self.assertNotEqual(one.calls[0]["parameters"]["sync"], other.calls[0]["parameters"]["sync"])

    def test_without_a_challenge_no_hello_is_said(self):
        result, guest = self.push("--no-challenge")
        self.assert_done(result)
        self.assertEqual(guest.methods(), ["Push"])
        self.assertNotIn("challenge", guest.payload())

    def test_where_the_guest_s_memory_is_younger_than_the_push_a_challenge_is_signed(self):
        stored = reply({"user": "alice", "fingerprints": [FINGERPRINT], "expiresIn": 59, "duplicate": False,
                        "hostKeys": []})
        result, guest = self.push("--no-challenge", answers={"Push": lambda parameters: stored if "challenge" in payload(
            parameters["envelope"]) else EXPIRED})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("iat: before the memory of pushes; signing with its challenge instead", result.stderr)
        self.assertEqual(guest.methods(), ["Push", "Hello", "Hello", "Push"])
        first, second = (payload(call["parameters"]["envelope"]) for call in guest.calls if "envelope" in
                         call["parameters"])
        self.assertNotIn("challenge", first)
        self.assertEqual(second["challenge"], CHALLENGE)
        self.assertNotEqual(first["jti"], second["jti"])

    def test_where_a_push_is_over_by_the_guest_s_clock_no_challenge_is_signed(self):
        late = {**HELLO, "clock": {"unix": int(time.time()) + 3600, "synchronized": True}}
        result, guest = self.push("--no-challenge", answers={
            "Push": EXPIRED, "Hello": lambda parameters: reply({"sync": parameters["sync"], **late})})
        self.assertEqual(result.returncode, 17)
        self.assertIn("Expired: iat: before the memory of pushes", result.stderr)
        self.assertEqual(guest.methods(), ["Push", "Hello"])

    def test_a_guest_that_takes_neither_clock_nor_challenge_is_asked_once(self):
        result, guest = self.push("--no-challenge", answers={"Push": lambda _: EXPIRED})
        self.assertEqual(result.returncode, 17)
        self.assertEqual(guest.methods(), ["Push", "Hello", "Hello", "Push"])

    def test_an_envelope_that_is_over_is_not_signed_again(self):
        envelope = self.write("envelope.json", self.sign("--user", "alice", "--key", self.key))
        result, guest = self.run_with({"Push": EXPIRED}, "push", *self.to, "--envelope", envelope)
        self.assertEqual(result.returncode, 17)
        self.assertIn("sign again", result.stderr)
        self.assertEqual(guest.methods(), ["Push"])

    def test_it_is_valid_for_as_long_as_the_keys_live(self):
        _, guest = self.push("--ttl", "200")
        self.assertEqual(guest.payload()["exp"] - guest.payload()["iat"], 200)

    def test_an_instance_may_be_named_in_full(self):
        _, guest = self.run_with({}, "push", *self.to, "--signing-key", self.signing_key, "--instance",
                                 "exc:compute:instance/i-1", "--user", "alice", "--key", self.key)
        self.assertEqual(guest.payload()["aud"], "exc:compute:instance/i-1")

    def test_people_read_who_what_and_how_long(self):
        result, _ = self.push()
        self.assertEqual(result.stdout, (
            "User:          alice\n"
            f"Fingerprint:   {FINGERPRINT}\n"
            "Lives for:     59 s\n"
            "Connections:   1, the first that offers the key; --connections N, or 0, for clients that open several\n"
            f"Host key:      {FINGERPRINT} (ssh-ed25519)\n"))

    def test_json_is_the_answer_on_one_line(self):
        result, _ = self.push("--json")
        self.assert_done(result)
        self.assertEqual(result.stdout.count("\n"), 1)
        self.assertEqual(json.loads(result.stdout), {
            "user": "alice", "fingerprints": [FINGERPRINT], "expiresIn": 59, "duplicate": False,
            "hostKeys": [host_key(ED25519)]})

    def test_keys_come_from_standard_input_too(self):
        result, guest = self.push("--key", "-", stdin=ECDSA + " from a pipe\n")
        self.assert_done(result)
        self.assertEqual(guest.payload()["keys"], [ED25519, ECDSA])

    def test_a_key_that_is_no_good_is_not_sent(self):
        result, guest = self.push("--key", "-", stdin=ED25519[:-4] + "\n")
        self.assertEqual((result.returncode, result.stdout, guest.connections), (1, "", 0))
        self.assertIn("standard input:1: ", result.stderr)

    def test_a_key_that_is_given_twice_is_not_sent(self):
        result, guest = self.push("--key", self.key)
        self.assertEqual((result.returncode, guest.connections), (2, 0))
        self.assertIn("key 2 is the same as key 1", result.stderr)

    def test_a_key_that_the_guest_rejects_is_named_by_file_and_line(self):
        other = self.write("other.pub", f"\n{ECDSA}\n")
        result, _ = self.push("--key", other, answers={"Push": refusal("KeyRejected", message="no", index=1)})
        self.assertEqual(result.returncode, 22)
        self.assertIn(f"that is the key in {other}:2\n", result.stderr)

    def test_more_than_fits_into_a_message_is_not_sent(self):
        keys = []
        for number in range(8):
            # Not made at random: 8192 bits, the first and the last of them set.
            blob = b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\x04\x01\0\x80" + bytes([number] * 1022) + b"\x01"
            keys += ["--key", self.write(f"rsa{number}", "ssh-rsa " + base64.b64encode(blob).decode() + "\n")]
        everything = ["push", *self.who(), "--user", "alice", *keys]
        result, guest = self.run_with({}, *everything)
        self.assert_done(result)
        self.assertEqual(len(guest.payload()["keys"]), 8)
        label = "\U0001f511" * 256
        result, guest = self.run_with({}, *everything, "--principal", label, "--request-id", label)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertNotIn("Push", guest.methods())
        self.assertIn("give fewer or smaller keys", result.stderr)


class Signers(PushTest):
    def test_an_ecdsa_key_signs(self):
        key = ec.generate_private_key(ec.SECP256R1())
        result, guest = self.push(signer=("--signing-key", self.write_key("ec.pem", key)))
        self.assert_done(result)
        signature = base64.b64decode(guest.envelope()["signatures"][0]["sig"])
        key.public_key().verify(signature, pae(guest.envelope()), ec.ECDSA(hashes.SHA256()))

    def test_a_signature_is_over_these_very_bytes(self):
        _, guest = self.push()
        envelope = guest.envelope()
        changed = {**envelope, "payload": base64.b64encode(base64.b64decode(envelope["payload"]) + b" ").decode()}
        with self.assertRaises(InvalidSignature):
            self.assert_signed(changed)

    def test_a_command_signs_in_bytes_or_base64(self):
        sign = f"openssl pkeyutl -sign -rawin -inkey {shlex.quote(self.signing_key)} -in /dev/stdin"
        for command in sign, sign + " | base64":
            with self.subTest(command):
                result, guest = self.push(signer=("--sign-command", command))
                self.assert_done(result)
                # 64 bytes can be r and s of ECDSA as well.
                self.assert_signed(guest.envelope(), forms=2)

    def test_r_and_s_of_a_command_are_sent_in_der(self):
        key = ec.generate_private_key(ec.SECP256R1())
        path = os.path.join(self.directory, "p256.pem")
        with open(path, "wb") as file:
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
        der = ("import sys; from cryptography.hazmat.primitives.asymmetric import utils; "
               "r, s = utils.decode_dss_signature(sys.stdin.buffer.read()); "
               "sys.stdout.buffer.write(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))")
        command = f"openssl dgst -sha256 -sign {shlex.quote(path)} /dev/stdin | /usr/bin/python3 -c {shlex.quote(der)}"
        result, guest = self.push(signer=("--sign-command", command))
        self.assert_done(result)
        envelope = guest.envelope()
        signature = base64.b64decode(envelope["signatures"][-1]["sig"], validate=True)
        key.public_key().verify(signature, pae(envelope), ec.ECDSA(hashes.SHA256()))

    def test_a_command_that_fails_is_told_and_nothing_is_pushed(self):
        result, guest = self.push(signer=("--sign-command", "echo no such key >&2; exit 4"))
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(guest.methods(), ["Hello"])
        self.assertIn("no such key\n", result.stderr)
        self.assertIn("--sign-command: the command failed with exit status 4\n", result.stderr)

    def test_without_a_challenge_nobody_waits_for_the_signer(self):
        _, guest = self.push("--no-challenge", signer=("--sign-command", "exit 4"))
        self.assertEqual(guest.connections, 0)

    def test_unsigned_has_no_signature(self):
        result, guest = self.push(signer=("--unsigned",))
        self.assert_done(result)
        self.assertEqual(guest.envelope()["signatures"], [])

    def test_a_key_file_that_is_no_good_is_told_before_anybody_is_asked(self):
        for path, what in (self.path("none.pem"), "No such file"), (self.key, "no private key in PEM"):
            result, guest = self.push(signer=("--signing-key", path))
            self.assertEqual((result.returncode, result.stdout, guest.connections), (1, "", 0))
            self.assertIn(path, result.stderr)
            self.assertIn(what, result.stderr)

    def test_openssl_verifies_it_too(self):
        _, guest = self.push()
        with open(self.path("pae"), "wb") as file:
            file.write(pae(guest.envelope()))
        with open(self.path("signature"), "wb") as file:
            file.write(base64.b64decode(guest.envelope()["signatures"][0]["sig"]))
        subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-inkey", self.signing_key, "-in", self.path("pae"),
                        "-sigfile", self.path("signature")], check=True, capture_output=True)


class Revoke(PushTest):
    def test_each_way_to_choose_arrives(self):
        for arguments, chosen in ((["--fingerprint", FINGERPRINT], {"fingerprint": FINGERPRINT}),
                                  (["--user", "alice"], {"user": "alice"}), (["--all"], {"all": True})):
            result, guest = self.revoke(*arguments)
            self.assert_done(result)
            self.assertEqual(guest.methods(), ["Hello", "Revoke"])
            self.assertEqual(guest.envelope()["payloadType"], REVOKE_TYPE)
            self.assert_signed(guest.envelope())
            said = guest.payload()
            self.assertEqual(said.pop("exp") - said.pop("iat"), 60)
            self.assertRegex(said.pop("jti"), r"\A[A-Za-z0-9_-]{22}\Z")
            self.assertEqual(said, {"aud": "exc:compute:instance/i-1", "challenge": CHALLENGE, **chosen})

    def test_people_read_how_many_went(self):
        for number, said in (0, "No stored key matched."), (1, "1 key was dropped."), (2, "2 keys were dropped."):
            result, _ = self.revoke("--all", answers={"Revoke": reply({"revoked": number})})
            self.assertTrue(result.stdout.startswith(said), result.stdout)
            self.assertEqual(result.returncode, 0)

    def test_where_no_key_matched_the_status_is_4_and_what_was_looked_for_is_named(self):
        none = {"Revoke": reply({"revoked": 0})}
        for arguments, said in (["--user", "dana"], ": user dana, under each name"), \
                (["--fingerprint", FINGERPRINT], f": fingerprint {FINGERPRINT}."):
            result, _ = self.revoke(*arguments, answers=none)
            self.assertEqual(result.returncode, 4)
            self.assertTrue(result.stdout.startswith("No stored key matched" + said), result.stdout)
            result, _ = self.revoke(*arguments, "--json", answers=none)
            self.assertEqual((result.returncode, result.stdout), (4, '{"revoked":0}\n'))

    def test_json_is_the_answer(self):
        result, _ = self.revoke("--all", "--json")
        self.assertEqual((result.returncode, result.stdout), (0, '{"revoked":2}\n'))

    def test_without_a_challenge_no_hello_is_said(self):
        _, guest = self.revoke("--all", "--no-challenge")
        self.assertEqual(guest.methods(), ["Revoke"])
        self.assertNotIn("challenge", guest.payload())

    def test_where_the_guest_s_memory_is_younger_than_the_revocation_a_challenge_is_signed(self):
        answers = iter([EXPIRED, reply({"revoked": 2})])
        result, guest = self.revoke("--all", "--no-challenge", answers={"Revoke": lambda _: next(answers)})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(guest.methods(), ["Revoke", "Hello", "Hello", "Revoke"])

    def test_exactly_one_choice_is_needed(self):
        for arguments in [], ["--all", "--user", "alice"], ["--user", "alice", "--fingerprint", FINGERPRINT]:
            self.assertIn("exactly one of", self.assert_usage("revoke", *self.who(), *arguments))
        self.assert_usage("revoke", *self.who(), "--user", "")
        self.assertIn("ssh-keygen -l", self.assert_usage("revoke", *self.who(), "--fingerprint", "SHA256:x"))


class Sign(PushTest):
    def test_it_prints_an_envelope_without_a_challenge(self):
        envelope = json.loads(self.sign("--user", "alice", "--key", self.key))
        self.assert_signed(envelope)
        self.assertEqual(envelope["payloadType"], PUSH_TYPE)
        self.assertEqual(set(payload(envelope)), {"aud", "iat", "exp", "jti", "user", "keys"})

    def test_a_revocation_can_be_signed(self):
        envelope = json.loads(self.sign("--all", subject=["revoke"]))
        self.assert_signed(envelope)
        self.assertEqual(envelope["payloadType"], REVOKE_TYPE)
        self.assertTrue(payload(envelope)["all"])

    def test_what_was_signed_is_sent_unchanged(self):
        text = self.sign("--user", "alice", "--key", self.key, subject=["push"])
        path = self.write("envelope.json", text)
        for source, stdin in (path, ""), ("-", text):
            result, guest = self.run_with({}, "push", *self.to, "--envelope", source, stdin=stdin)
            self.assert_done(result)
            self.assertEqual(guest.methods(), ["Push"])
            self.assertEqual(guest.envelope(), json.loads(text))
            self.assertIn(f"Fingerprint:   {FINGERPRINT}\n", result.stdout)

    def test_an_envelope_keeps_its_keyid_and_order_of_signatures(self):
        envelope = json.loads(self.sign("--user", "alice", "--key", self.key))
        envelope["signatures"] = [{"keyid": "a", "sig": "AAAA"}, {"sig": "BBBB"}]
        _, guest = self.run_with({}, "push", *self.to, "--envelope", "-", stdin=json.dumps(envelope))
        self.assertEqual(guest.envelope(), envelope)

    def test_a_signed_revocation_is_sent(self):
        text = self.sign("--user", "alice", subject=["revoke"])
        result, guest = self.run_with({}, "revoke", *self.to, "--envelope", "-", stdin=text)
        self.assert_done(result)
        self.assertEqual(guest.envelope(), json.loads(text))

    def assert_not_sent(self, command, text, *said):
        result, guest = self.run_with({}, command, *self.to, "--envelope", "-", stdin=text)
        self.assertEqual((result.returncode, result.stdout, guest.connections), (1, "", 0), result.stderr)
        for part in said:
            self.assertIn(part, result.stderr)

    def test_an_envelope_of_the_other_type_is_not_sent(self):
        self.assert_not_sent("revoke", self.sign("--user", "alice", "--key", self.key), PUSH_TYPE, REVOKE_TYPE)

    def test_an_envelope_with_a_challenge_is_not_sent(self):
        _, guest = self.push()
        self.assert_not_sent("push", json.dumps(guest.envelope()), "challenge", "only on the connection")

    def test_what_is_no_envelope_is_not_sent(self):
        good = json.loads(self.sign("--user", "alice", "--key", self.key))
        for text in "", "rubbish", "[]", "{}", json.dumps({**good, "payload": "%"}), \
                json.dumps({**good, "signatures": [{"sig": "x"}] * 9}), " " * 20000:
            self.assert_not_sent("push", text, "--envelope")

    def test_times_beyond_what_a_clock_allows_are_refused(self):
        more = ["--signing-key", self.signing_key, "--instance", "i-1", "--user", "alice", "--key", self.key]
        self.assertIn("at most 300 s", self.assert_usage("sign", *more, "--valid-for", "301"))
        self.assertIn("at most 300 s", self.assert_usage("sign", *more, "--ttl", "301"))

    def test_it_takes_what_belongs_to_its_subject(self):
        signer = ["--signing-key", self.signing_key, "--instance", "i-1"]
        self.assertIn("other: sign takes push", self.assert_usage("sign", "other", *signer))
        self.assertIn("--key: exc-push sign revoke takes no", self.assert_usage("sign", "revoke", *signer, "--all", "--key", self.key))
        self.assertIn("--all: exc-push sign takes no", self.assert_usage("sign", "push", *signer, "--all"))
        self.assertIn("--to: exc-push sign takes no", self.assert_usage("sign", *self.who(), "--user", "a", "--key", self.key))
        self.assertIn("needs --user and --key", self.assert_usage("sign", *signer, "--user", "a"))


class Hello(PushTest):
    def test_people_read_it_in_a_column(self):
        result, guest = self.run_with({}, "hello", *self.to)
        self.assert_done(result)
        self.assertEqual(guest.methods(), ["Hello"])
        self.assertEqual(result.stdout, (
            "Agent:         0.9\n"
            "Instance:      i-1\n"
            f"Boot:          {BOOT}\n"
            "Clock:         2023-11-14 22:13:20 UTC, synchronized\n"
            "Longest life:  5 min\n"
            "Keys:          at most 8 in a push, 32 of a user, 4096 in all\n"))

    def test_json_is_the_answer(self):
        result, _ = self.run_with({}, "hello", *self.to, "--json")
        self.assert_done(result)
        self.assertEqual(json.loads(result.stdout), HELLO)

    def test_members_that_are_not_known_are_not_handed_on(self):
        answers = {"Hello": lambda p: reply({**HELLO, "sync": p["sync"], "later": "SURPRISE"})}
        result, _ = self.run_with(answers, "hello", *self.to, "--json")
        self.assertEqual(json.loads(result.stdout), HELLO)

    def test_stale_replies_are_skipped(self):
        stale = reply({"revoked": 1}) + reply({**HELLO, "sync": "x" * 22, "version": "stale"})
        result, _ = self.run_with({"Hello": lambda p: stale + reply({**HELLO, "sync": p["sync"]})}, "hello", *self.to)
        self.assert_done(result)
        self.assertIn("Agent:         0.9\n", result.stdout)

    def test_status_shows_how_the_guest_is_set_up(self):
        result, guest = self.run_with({}, "status", *self.to)
        self.assert_done(result)
        self.assertEqual(guest.methods(), ["Status"])
        self.assertEqual(result.stdout, (
            "Agent:         0.9\n"
            "Instance:      i-1\n"
            "Trust:         signed\n"
            "Anchors:       2\n"
            "Keys:          3\n"
            "Clock:         2023-11-14 22:13:20 UTC, synchronized\n"
            "sshd:          enabled\n"))

    def test_status_tells_what_keeps_pushes_out(self):
        bad = {**STATUS, "instance": None, "anchors": 0, "clock": {"unix": 0, "synchronized": False}}
        result, _ = self.run_with({"Status": reply(bad)}, "status", *self.to)
        self.assertIn("Instance:      none: signed pushes are refused\n", result.stdout)
        self.assertIn("Anchors:       0: signed pushes are refused\n", result.stdout)
        self.assertIn("not synchronized: pushes that are timed by it are refused\n", result.stdout)
        result, _ = self.run_with({"Status": reply(bad)}, "status", *self.to, "--json")
        self.assertEqual(json.loads(result.stdout), bad)


class KnownHosts(PushTest):
    LINES = f"[vm7]:2222 {ED25519}\n[vm7]:2222 {ECDSA}\n"
    KEYS = [host_key(ED25519), host_key(ECDSA)]

    def test_a_push_prints_these_lines_alone(self):
        result, _ = self.push("--known-hosts", "[vm7]:2222", host_keys=self.KEYS)
        self.assertEqual((result.returncode, result.stdout), (0, self.LINES))
        self.assertTrue(result.stderr.startswith("User:          alice\n"))

    def test_so_does_hello(self):
        result, guest = self.run_with({}, "hello", *self.to, "--known-hosts", "[vm7]:2222", host_keys=self.KEYS)
        self.assertEqual((result.returncode, result.stdout), (0, self.LINES))
        self.assertEqual(guest.methods(), ["Hello", "HostKeys"])

    def test_ssh_finds_them(self):
        for name, asked in ("vm7", "vm7"), ("[vm7]:22", "vm7"), ("[vm7]:2222", "[vm7]:2222"), \
                ("2001:db8::1", "2001:db8::1"):
            result, _ = self.push("--known-hosts", name)
            path = self.write("known_hosts", result.stdout)
            found = subprocess.run(["ssh-keygen", "-F", asked, "-f", path], capture_output=True, text=True, check=True)
            self.assertIn(ED25519, found.stdout)

    def test_a_command_has_them_in_a_file(self):
        result, _ = self.push("--known-hosts", "[vm7]:2222", "--", "sh", "-c",
                              'cat "$EXC_KNOWN_HOSTS"; stat -c %a "$EXC_KNOWN_HOSTS" "${EXC_KNOWN_HOSTS%/*}"; '
                              'echo "$EXC_KNOWN_HOSTS" >&2', host_keys=self.KEYS)
        self.assertEqual((result.returncode, result.stdout), (0, self.LINES + "600\n700\n"))
        path = result.stderr.strip()
        self.assertTrue(path.startswith(self.directory + "/exc-push-"), path)
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_none_is_a_failure(self):
        for more in [], ["--", "echo", "ran"]:
            result, _ = self.push("--known-hosts", "vm7", *more, host_keys=[])
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertIn("names no host key", result.stderr)

    def test_only_the_name_of_one_host_is_taken(self):
        for name in "", "*", "a,b", "a b", "!a", "@revoked", "|1|a", "[a]", "[a]:0", "a\nb":
            self.assertIn("--known-hosts", self.assert_usage("push", *self.who(), "--user", "a", "--key", self.key,
                                                             "--known-hosts", name))


class Generate(PushTest):
    def run_generated(self, *command, answers=None, **more):
        return self.run_with(answers or {}, "push", *self.who(), "--user", "alice", "--generate", "--", *command,
                             **more)

    def test_a_command_has_the_pushed_key_in_its_agent(self):
        result, guest = self.run_generated("ssh-add", "-L")
        self.assert_done(result)
        self.assertEqual(result.stdout, guest.payload()["keys"][0] + " exc-push\n")
        self.assertTrue(result.stdout.startswith("ssh-ed25519 "))

    def test_ssh_add_lists_its_fingerprint(self):
        result, guest = self.run_generated("ssh-add", "-l")
        self.assertEqual(result.stdout, f"256 {fingerprint(guest.payload()['keys'][0])} exc-push (ED25519)\n")

    def test_it_signs_for_ssh_keygen(self):
        message = self.write("message", "text\n")
        script = f"ssh-add -L >{self.directory}/pub && ssh-keygen -q -Y sign -n test -f {self.directory}/pub {message} && " \
                 f"echo \"alice $(cat {self.directory}/pub)\" >{self.directory}/allowed && " \
                 f"ssh-keygen -Y verify -n test -I alice -f {self.directory}/allowed -s {message}.sig <{message}"
        result, _ = self.run_generated("sh", "-c", script)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('Good "test" signature for alice', result.stdout)

    def test_a_command_that_fails_without_the_key_is_explained(self):
        for script in "exit 255", "ssh-add -l; exit 1":
            result, _ = self.run_generated("sh", "-c", script)
            self.assertIn("sh: failed without the pushed key", result.stderr)
            self.assertIn("give its ssh $EXC_SSH_OPTIONS: -o IdentitiesOnly=no -o IdentityAgent=SSH_AUTH_SOCK", result.stderr)
        message = self.write("message", "text\n")
        for script in "true", f"ssh-add -L >{self.directory}/pub && ssh-keygen -q -Y sign -n test -f {self.directory}/pub {message}; " \
                "exit 3":
            result, _ = self.run_generated("sh", "-c", script)
            self.assertNotIn("without the pushed key", result.stderr)

    def test_ssh_has_the_options_that_it_needs(self):
        """Of ssh -G, that a configuration which closes ssh to other agents does not count; other commands have them in a variable."""
        config = self.write("config", "Host *\n    IdentitiesOnly yes\n    IdentityAgent none\n")
        expected = ["identitiesonly no", "identityagent SSH_AUTH_SOCK"]
        for command in (["ssh", "-T", "-F", config, "-G", "vm7"], [shutil.which("ssh"), "-T", "-F", config, "-G", "vm7"],
                        ["sh", "-c", f"ssh -T $EXC_SSH_OPTIONS -F {config} -G vm7"]):
            result, _ = self.run_generated(*command)
            self.assert_done(result)
            self.assertEqual([line for line in result.stdout.splitlines() if line.startswith("identit") and "file" not in line],
                             expected)
        result, _ = self.run_generated("sh", "-c", f"ssh -T -F {config} -G vm7")
        self.assertIn("identitiesonly yes", result.stdout)

    def test_ssh_that_fails_before_it_uses_the_key_is_explained(self):
        result, _ = self.run_generated("ssh", "-F", "none", "-o", "ProxyCommand=false", "vm7")
        self.assertEqual(result.returncode, 255)
        self.assertIn("exc-push: ssh: failed before it used the pushed key", result.stderr)

    def test_a_command_that_fails_after_its_connections_is_explained(self):
        message = self.write("message", "text\n")
        sign = f"ssh-keygen -q -Y sign -n test -f {self.directory}/pub <{message} >{self.directory}/signature"
        for options, signatures, end, connections in (
                ([], 1, 4, "1 connection"), (["--connections", "2"], 2, 4, "2 connections"), ([], 1, 0, None),
                (["--connections", "2"], 1, 4, None), (["--connections", "0"], 2, 4, None)):
            script = f"ssh-add -L >{self.directory}/pub; " + f"{sign}; " * signatures + f"exit {end}"
            result, _ = self.run_with({}, "push", *self.who(), "--user", "alice", "--generate", *options, "--", "sh", "-c", script)
            self.assertEqual((result.returncode, result.stderr), (end, "" if connections is None else (
                f"exc-push: sh: failed, and used the agent {signatures + 1} times for a key that was pushed for {connections}; "
                "if it opens several, push with --connections N, or 0\n")))

    def test_nothing_is_left_when_the_command_ends(self):
        result, _ = self.run_generated("sh", "-c", 'test -S "$SSH_AUTH_SOCK" && stat -c %a "${SSH_AUTH_SOCK%/*}" && '
                                       'echo "$SSH_AUTH_SOCK" && test -z "$SSH_AGENT_PID"',
                                       environment={"SSH_AGENT_PID": "7"})
        self.assert_done(result)
        mode, path = result.stdout.split()
        self.assertEqual(mode, "700")
        self.assertTrue(path.startswith(self.directory + "/exc-push-"))
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_a_runtime_directory_that_others_can_write_is_not_used(self):
        open_to_all = self.path("open")
        os.mkdir(open_to_all)
        os.chmod(open_to_all, 0o777)
        for place in open_to_all, "relative", self.path("none"), "/" + "x" * 200, "":
            result, _ = self.run_generated("sh", "-c", 'echo "$SSH_AUTH_SOCK"', environment={"XDG_RUNTIME_DIR": place})
            self.assertRegex(result.stdout, r"\A/tmp/exc-push-\w{6}/agent\.sock\n\Z")
        os.chmod(open_to_all, 0o1777)
        result, _ = self.run_generated("sh", "-c", 'echo "$SSH_AUTH_SOCK"',
                                       environment={"XDG_RUNTIME_DIR": open_to_all})
        self.assertTrue(result.stdout.startswith(open_to_all))

    def test_the_agent_does_nothing_else(self):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path("mine")], check=True)
        for command in (["ssh-add", self.path("mine")], ["ssh-add", "-D"], ["ssh-add", "-x"]):
            result, _ = self.run_generated(*command, stdin="")
            self.assertNotEqual(result.returncode, 0, command)

    def test_several_at_once_are_served(self):
        result, _ = self.run_generated("sh", "-c", "for i in 1 2 3 4 5; do ssh-add -L & done; wait")
        self.assertEqual(result.stdout.count(" exc-push\n"), 5)

    def test_the_exit_status_is_the_commands(self):
        for command, status in ("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143):
            result, _ = self.run_generated("sh", "-c", command)
            self.assertEqual((result.returncode, result.stdout), (status, ""))
            self.assertEqual(result.stderr != "", status == 7)

    def test_a_command_that_cannot_be_run_is_told(self):
        result, _ = self.run_generated(self.path("none"))
        self.assertEqual(result.returncode, 127)
        self.assertIn("No such file or directory", result.stderr)
        result, _ = self.run_generated(self.key)
        self.assertEqual(result.returncode, 126)
        self.assertEqual([name for name in os.listdir(self.directory) if name.startswith("exc-push")], [])

    def test_standard_input_and_output_are_the_commands(self):
        result, _ = self.run_generated("cat", stdin="text")
        self.assertEqual((result.stdout, result.stderr), ("text", ""))

    def test_a_refused_push_runs_nothing(self):
        result, _ = self.run_generated("echo", "ran", answers={"Push": refusal("NoSuchUser", message="no")})
        self.assertEqual((result.returncode, result.stdout), (23, ""))

    def test_an_answer_about_another_key_runs_nothing(self):
        result, _ = self.run_generated("echo", "ran", answers={"Push": reply({
            "user": "alice", "fingerprints": [FINGERPRINT], "expiresIn": 59, "duplicate": False, "hostKeys": []})})
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("other keys", result.stderr)

    def test_a_key_from_a_file_can_go_with_a_command(self):
        result, _ = self.push("--", "sh", "-c", "echo \"ran $SSH_AUTH_SOCK\"", environment={"SSH_AUTH_SOCK": "mine"})
        self.assertEqual((result.returncode, result.stdout), (0, "ran mine\n"))

    def start(self, script, program=PROGRAM, **more):
        """Starts the program with a command, and waits for that to say it is there. It is ended at the end."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        guest = Guest(self.socket)
        os.chmod(self.socket, 0o777)
        guest.__enter__()
        self.addCleanup(guest.__exit__)
        process = subprocess.Popen(
            [program, "push", *self.who(), "--user", "alice", "--generate", "--", "sh", "-c", script],
            stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "XDG_RUNTIME_DIR": self.directory}, **more)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)  # which ends the command too
        return process, process.stdout.readline().strip()

    def test_signals_are_passed_on_and_the_directory_still_goes(self):
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT:
            process, path = self.start('echo "$SSH_AUTH_SOCK"; exec sleep 1000')
            self.assertTrue(os.path.exists(path))
            process.send_signal(number)
            self.assertEqual(process.wait(60), 128 + number)
            self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_a_command_may_answer_a_signal_itself(self):
        process, _ = self.start('trap "exit 5" TERM; echo ready; while :; do sleep 0.01; done')
        process.terminate()
        self.assertEqual(process.wait(60), 5)

    def test_its_memory_is_closed_to_this_users_other_programs(self):
        os.chmod(self.directory, 0o755)
        # It may lie where nobody else gets, so it is opened first.
        program = os.open(PROGRAM, os.O_RDONLY)
        self.addCleanup(os.close, program)
        process, path = self.start('echo "$SSH_AUTH_SOCK"; exec sleep 1000', f"/proc/self/fd/{program}",
                                   pass_fds=[program], user=65534, group=65534, extra_groups=[])
        self.assertTrue(path.startswith("/tmp/exc-push-"), path)  # the variable names a directory of another user's
        self.assertEqual(os.stat(f"/proc/{process.pid}/mem").st_uid, 0)

    def test_its_private_key_stays_out_of_the_swap(self):
        process, _ = self.start("echo ready; exec sleep 1000")
        with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
            locked = re.search(r"VmLck:\s*(\d+) kB", file.read())
        self.assertGreater(int(locked[1]), 0)

    def test_another_user_gets_nothing_from_the_socket(self):
        process, path = self.start('echo "$SSH_AUTH_SOCK"; exec sleep 1000')
        # As if the directories let everybody in.
        for opened in self.directory, os.path.dirname(path):
            os.chmod(opened, 0o755)
        os.chmod(path, 0o777)
        ask = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
               "s.sendall(b'\\0\\0\\0\\1\\x0b'); print(s.recv(100))")
        result = subprocess.run(["/usr/bin/python3", "-c", ask, path], capture_output=True, text=True, check=False,
                                user=65534, group=65534, extra_groups=[])
        self.assertNotIn("ssh-ed25519", result.stdout)
        self.assertTrue(result.stdout == "b''\n" or "Error" in result.stderr, result)
        result = subprocess.run(["/usr/bin/python3", "-c", ask, path], capture_output=True, text=True, check=True)
        self.assertIn("ssh-ed25519", result.stdout)


class Refusals(PushTest):
    def test_each_has_its_exit_status(self):
        for number, name in enumerate(REFUSALS):
            with self.subTest(name):
                result, _ = self.push(answers={"Push": refusal(name, message="because", **EXTRAS.get(name, {}))})
                self.assertEqual((result.returncode, result.stdout), (10 + number, ""))
                self.assertIn(f"exc-push: the guest refused: {name}: because\n", result.stderr)

    def test_hints_fit_the_reason(self):
        for message, hint in (
                ("exp is in the past", "compare the clocks"),
                ("expired: revoked in the second in which it was signed, or later; sign it again, a second later", None),
                ("expired: its record ended before it was finished; sign it again", None)):
            result, _ = self.push(answers={"Push": refusal("Expired", message=message)})
            said = result.stderr.splitlines()
            self.assertEqual(said[0], f"exc-push: the guest refused: Expired: {message}")
            self.assertEqual(len(said), 2 if hint else 1, said)
            self.assertIn(hint or "", said[-1])
        bad = {"Push": refusal("BadSignature", message="no signature matches a trusted key")}
        sign = f"openssl pkeyutl -sign -rawin -inkey {shlex.quote(self.signing_key)} -in /dev/stdin"
        self.assertNotIn("hash once", self.push(answers=bad)[0].stderr)
        self.assertIn("hash once", self.push(answers=bad, signer=("--sign-command", sign))[0].stderr)

    def test_json_has_each_on_standard_output(self):
        for number, name in enumerate(REFUSALS):
            with self.subTest(name):
                parameters = {"message": "because", **EXTRAS.get(name, {})}
                result, _ = self.push("--json", answers={"Push": refusal(name, **parameters)})
                self.assertEqual((result.returncode, result.stderr), (10 + number, ""))
                self.assertEqual(json.loads(result.stdout), {"error": name, "parameters": parameters})

    def test_a_refused_hello_is_told(self):
        result, guest = self.push(answers={"Hello": refusal("RateLimited", message="slow down", retryAfterMs=9)})
        self.assertEqual(result.returncode, 12)
        self.assertEqual(guest.methods(), ["Hello"])

    def test_an_error_of_varlink_itself_is_an_own_failure(self):
        answers = {"Status": reply({"method": "x"}, error="org.varlink.service.MethodNotFound")}
        result, _ = self.run_with(answers, "status", *self.to)
        self.assertEqual(result.returncode, 1)
        self.assertIn("org.varlink.service.MethodNotFound", result.stderr)
        result, _ = self.run_with(answers, "status", *self.to, "--json")
        self.assertEqual(json.loads(result.stdout), {"error": "org.varlink.service.MethodNotFound", "parameters": {}})


class Repeats(PushTest):
    def test_a_push_without_an_answer_is_sent_again_unchanged(self):
        for end in None, b"":  # closed, and silent
            seen = []

            def answer(parameters, end=end, seen=seen):
                seen.append(parameters)
                if len(seen) == 1:
                    return end
                return reply({"user": "alice", "fingerprints": [FINGERPRINT], "expiresIn": 58, "duplicate": True,
                              "hostKeys": []})

            # Long enough for the answers to Hello and to the repeat, also on a busy machine.
            result, guest = self.push("--timeout", "5", answers={"Push": answer})
            self.assert_done(result)
            self.assertEqual(guest.connections, 2)
            self.assertEqual(guest.methods(), ["Hello", "Push", "Push"])
            self.assertEqual(seen[0], seen[1])
            self.assertIn("it was stored before", result.stdout)

    def test_repeat_of_a_used_up_push_is_said_to_be_useless(self):
        result, _ = self.push(answers={"Push": reply({
            "user": "alice", "fingerprints": [FINGERPRINT], "expiresIn": 0, "duplicate": True, "hostKeys": []})})
        self.assert_done(result)
        self.assertIn("0 s; it was stored before, and can no longer be used", result.stdout)

    def test_a_repeat_whose_challenge_was_lost_is_signed_anew(self):
        seen = []

        def answer(parameters):
            seen.append(parameters["envelope"])
            if len(seen) < 3:
                return None if len(seen) == 1 else refusal("StaleChallenge", message="stale")
            return reply({"user": "alice", "fingerprints": [FINGERPRINT], "expiresIn": 60, "duplicate": False,
                          "hostKeys": []})

        result, guest = self.push(answers={"Push": answer})
        self.assert_done(result)
        self.assertEqual(guest.methods(), ["Hello", "Push", "Push", "Hello", "Push"])
        self.assertEqual(seen[0], seen[1])
        self.assertNotEqual(payload(seen[1])["jti"], payload(seen[2])["jti"])

    def test_a_challenge_that_was_not_lost_is_not_asked_for_again(self):
        result, guest = self.push(answers={"Push": refusal("StaleChallenge", message="stale")})
        self.assertEqual(result.returncode, 19)
        self.assertEqual(guest.methods(), ["Hello", "Push"])
        self.assertIn("run this again", result.stderr)

    def test_a_guest_that_loses_every_challenge_is_not_asked_for_ever(self):
        seen = []

        def answer(parameters):
            seen.append(parameters)
            return None if len(seen) % 2 else refusal("StaleChallenge", message="stale")

        result, guest = self.push(answers={"Push": answer})
        self.assertEqual(result.returncode, 19)
        self.assertEqual(guest.methods(), ["Hello", "Push", "Push"] * 3)

    def test_two_silences_are_a_guest_that_was_not_reached(self):
        result, guest = self.push(answers={"Push": None})
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertEqual(guest.methods(), ["Hello", "Push", "Push"])
        self.assertIn("is not known", result.stderr)

    def test_a_hello_is_not_repeated(self):
        result, guest = self.push(answers={"Hello": None})
        self.assertEqual(result.returncode, 3)
        self.assertEqual(guest.methods(), ["Hello"])


class Hostile(PushTest):
    def assert_failure(self, answers, status, *said, command="push"):
        # Status 3 is a timeout; other failures must not wait for one.
        timeout = ["--timeout", "1" if status == 3 else "60"]
        for json_too in [], ["--json"]:
            if command == "push":
                result, _ = self.push(*timeout, *json_too, answers=answers)
            else:
                result, _ = self.run_with(answers, command, *self.to, *timeout, *json_too)
            self.assertEqual((result.returncode, result.stdout), (status, ""), result.stderr)
            self.assertNotIn("SURPRISE", result.stderr)
            for text in said:
                self.assertIn(text, result.stderr)

    def test_what_is_no_reply_is_not_believed(self):
        for answer in b"SURPRISE\0", b'{"parameters":{},"SURPRISE":1}\0', b'{"error":"SURPRISE\\u001b"}\0', \
                b"[" * 16000 + b"\0":
            self.assert_failure({"Hello": answer}, 1, "is not that of a guest's agent")
            self.assert_failure({"Status": answer}, 1, command="status")

    def test_a_huge_reply_is_refused(self):
        answers = {"Hello": lambda p: reply({**HELLO, "sync": p["sync"], "x": "SURPRISE" * 3000})}
        self.assert_failure(answers, 1, "too long")

    def test_half_an_answer_is_none(self):
        self.assert_failure({"Hello": lambda p: reply({**HELLO, "sync": p["sync"]})[:-1]}, 3, "no answer within 1 s")

    def test_a_wrong_sync_is_no_answer(self):
        self.assert_failure({"Hello": reply({**HELLO, "sync": "x" * 22})}, 3, "no answer within 1 s")

    def test_one_byte_after_another_does_not_outrun_the_deadline(self):
        class Slow(Guest):
            def answer(self, connection, call):
                for byte in reply({**HELLO, "sync": call["parameters"]["sync"]}):
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
                return True

        with Slow(self.socket):
            result = self.run_alone("hello", *self.to, "--timeout", "1")
        self.assertEqual((result.returncode, result.stdout), (3, ""))

    def test_a_misshapen_answer_is_not_believed(self):
        good = {"user": "alice", "fingerprints": [FINGERPRINT], "expiresIn": 59, "duplicate": False, "hostKeys": []}
        for change in ({"user": 7}, {"fingerprints": ["SURPRISE"]}, {"expiresIn": -1}, {"expiresIn": "59"},
                       {"duplicate": None}, {"hostKeys": [{**host_key(ED25519), "fingerprint": "SHA256:SURPRISE"}]},
                       {"hostKeys": [{**host_key(ED25519), "key": "AAAA\n* SURPRISE"}]},
                       {"hostKeys": [host_key(ED25519)] * 17}):
            self.assert_failure({"Push": reply({**good, **change})}, 1, f"`{list(change)[0]}`")

    def test_nothing_steers_the_terminal(self):
        evil = "\x1b]0;x\x07\x1b[2J\u202eevil\u009b"
        result, _ = self.push(answers={"Push": refusal("Expired", message=evil)})
        self.assertIn("Expired: \\x1B]0;x\\x07\\x1B[2J\\u{202E}evil\\u{009B}\n", result.stderr)
        result, _ = self.run_with({"Status": reply({**STATUS, "version": evil, "instance": evil})}, "status", *self.to)
        self.assertNotRegex(result.stdout, "[^ -~\n]")
        result, _ = self.push("--json", answers={"Push": refusal("Expired", message=evil)})
        self.assertRegex(result.stdout, r"\A[ -~]+\n\Z")
        self.assertEqual(json.loads(result.stdout)["parameters"]["message"], evil)
        result, _ = self.run_with({"Status": reply({**STATUS, "version": evil + "\x7f"})}, "status", *self.to, "--json")
        self.assertRegex(result.stdout, r"\A[ -~]+\n\Z")
        self.assertEqual(json.loads(result.stdout)["version"], evil + "\x7f")


class NotReached(PushTest):
    def test_a_missing_socket_is_named(self):
        for command in ["hello", *self.to], ["hello", "--json", *self.to]:
            result = self.run_alone(*command)
            self.assertEqual((result.returncode, result.stdout), (3, ""))
            self.assertIn(f"unix:{self.socket}: the guest was not reached: No such file or directory; ", result.stderr)

    def test_so_is_one_that_nobody_listens_on(self):
        with socket.socket(socket.AF_UNIX) as unused:
            unused.bind(self.socket)
            result = self.run_alone("hello", *self.to)
        self.assertEqual(result.returncode, 3)
        self.assertIn("Connection refused", result.stderr)


class Usage(PushTest):
    def test_the_fault_of_an_address_is_named(self):
        for address, fault in {
                "": "the value is empty",
                "tcp:1": "it begins with none of unix:, vsock:, hybrid: and serial:",
                "/run/vm.sock": "it begins with none of unix:, vsock:, hybrid: and serial:",
                "vsock:": "a CID is a number from 1 to 4294967294, as in vsock:42",
                "vsock:web": "a CID is a number from 1 to 4294967294, as in vsock:42",
                "vsock:42:ssh": "a port is a number from 1 to 4294967294, as in vsock:42:842",
                "hybrid:/x:0": "a port is a number from 1 to 4294967294, as in hybrid:/run/vm.vsock:842",
                "hybrid:": "a path is missing behind hybrid:",
                "serial:": "a path is missing behind serial:",
                "unix:": "a path is missing behind unix:",
                "unix:" + 108 * "x": "the path of a socket has at most 107 bytes"}.items():
            with self.subTest(address):
                said = self.assert_usage("hello", "--to", address)
                value = f"invalid value '{address}': " if address else ""
                self.assertEqual(said.splitlines()[0], f"exc-push: --to: {value}{fault}")

    def push_usage(self, *arguments, leave_out=()):
        everything = {"--to": "unix:" + self.socket, "--signing-key": self.signing_key, "--instance": "i-1",
                      "--user": "alice", "--key": self.key}
        given = [word for name, value in everything.items() if name not in leave_out for word in (name, value)]
        return self.assert_usage("push", *given, *arguments)

    def test_what_is_missing_is_named(self):
        for name in "--to", "--instance", "--user", "--key":
            self.assertIn(name, self.push_usage(leave_out=[name]))
        said = self.push_usage(leave_out=["--signing-key"])
        for name in "--signing-key", "--sign-command", "--envelope", "--unsigned":
            self.assertIn(name, said)

    def test_one_signer_is_enough(self):
        for more in ["--unsigned"], ["--sign-command", "x"], ["--envelope", "-"]:
            self.assertIn("do not go together", self.push_usage(*more))

    def test_an_envelope_is_not_mixed_with_anything(self):
        for more in ["--user", "a"], ["--key", self.key], ["--ttl", "5"], ["--instance", "i"], ["--no-challenge"], \
                ["--generate", "--", "true"]:
            self.assertIn("sent as it is", self.assert_usage("push", *self.to, "--envelope", "-", *more))

    def test_a_generated_key_needs_a_command(self):
        self.assertIn("needs a command", self.push_usage("--generate", leave_out=["--key"]))
        self.assertIn("needs a command", self.push_usage("--generate", "--", leave_out=["--key"]))
        self.assertIn("do not go together", self.push_usage("--generate", "--", "true"))

    def test_standard_output_has_one_use(self):
        self.assertIn("--known-hosts", self.push_usage("--json", "--known-hosts", "vm7"))
        self.assertIn("--json", self.push_usage("--json", "--", "true"))
        self.assertIn("--json", self.assert_usage("hello", *self.to, "--json", "--known-hosts", "vm7"))

    def test_values_are_checked(self):
        for name, values in {
                "--ttl": ["0", "3601", "x", "1s", ""], "--valid-for": ["0", "3601", "-1"],
                "--connections": ["101", "-1", ""],
                "--source": ["192.0.2.1/24", "host", ""], "--timeout": ["0", "61", "1.5"],
                "--principal": ["a\x1bb", "x" * 257, ""], "--request-id": ["a\nb"],
        }.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.push_usage(name, value)
        for name, values in {"--user": ["x" * 257, ""], "--instance": ["a b", "", "x" * 257],
                             "--to": ["", "vsock:0", "tcp:1", "unix:"]}.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.push_usage(name, value, leave_out=[name])

    def test_times_that_do_not_fit_are_refused(self):
        self.assertIn("at most 300 s", self.push_usage("--no-challenge", "--valid-for", "301"))
        self.assertIn("at most 300 s", self.push_usage("--no-challenge", "--ttl", "301"))
        self.assertIn("no longer than its push", self.push_usage("--ttl", "61", "--valid-for", "60"))

    def test_a_link_local_source_is_refused_with_the_reason(self):
        for text in "fe80::1", "fe80::/64", "fe80::1%eth0":
            self.assertIn(f"--source: invalid value '{text}': a client with a link-local address matches no source",
                          self.push_usage("--source", text))

    def test_lists_have_a_limit(self):
        self.assertIn("at most 16", self.push_usage(*["--source", "192.0.2.1"] * 17))
        self.assertIn("at most 8", self.push_usage(*["--key", self.key] * 8))

    def test_a_value_is_given_once(self):
        self.assertIn("given twice", self.push_usage("--user", "bob"))

    def test_text_must_be_utf8(self):
        self.assertIn("not UTF-8", self.push_usage("--principal", b"a\xff"))

    def test_options_of_other_commands_are_refused(self):
        self.assertIn("--user: exc-push hello takes no", self.assert_usage("hello", *self.to, "--user", "a"))
        self.assertIn("--known-hosts: exc-push status takes no", self.assert_usage("status", *self.to, "--known-hosts", "a"))
        self.assertIn("--key: exc-push revoke takes no", self.assert_usage("revoke", *self.who(), "--all", "--key", self.key))
        self.assertIn("true: unexpected argument", self.assert_usage("hello", *self.to, "--", "true"))

    def test_unknown_words_are_refused(self):
        self.assertIn("no such command", self.assert_usage("pull"))
        self.assertIn("a command is missing", self.assert_usage())
        self.assertIn("unexpected argument", self.assert_usage("push", "alice"))
        self.assert_usage("push", "--nonsense")

    def test_options_may_stand_before_the_command(self):
        result, _ = self.run_with({}, *self.to, "hello")
        self.assert_done(result)

    def test_stages_are_printed_when_asked_for(self):
        quiet, _ = self.push()
        self.assertEqual(quiet.stderr, "")
        for arguments, more in (["--verbose"], {}), (["-v"], {}), ([], {"environment": {"EXC_DEBUG": "1"}}):
            result, guest = self.push(*arguments, **more)
            self.assertEqual((result.returncode, result.stdout), (0, quiet.stdout))
            lines = result.stderr.splitlines()
            self.assertEqual([line.split(": ")[1] for line in lines],
                             ["key", "connected", "call", "reply", "payload", "signature", "call", "reply"], lines)
            self.assertEqual(lines[1], "exc-push: connected: " + self.socket)
            self.assertEqual(lines[5], "exc-push: signature: by --signing-key")
            for secret in guest.envelope()["payload"], guest.envelope()["signatures"][0]["sig"]:
                self.assertNotIn(secret, result.stderr)

    def test_everything_has_help(self):
        result = self.run_alone("--help")
        self.assert_done(result)
        commands = re.findall(r"^  (\w+(?: revoke)?)(?: \[push\])?  ", result.stdout, re.M)
        self.assertEqual(commands, ["push", "revoke", "sign", "sign revoke", "hello", "status"])
        for command in commands:
            for option in "--help", "-h":
                result = self.run_alone(*command.split(), option)
                self.assert_done(result)
                needed = "" if command.startswith("sign") else " --to ADDRESS"
                self.assertTrue(result.stdout.startswith(f"exc-push {command}{needed} [OPTION…]"), result.stdout)
        self.assertTrue(self.run_alone("--version").stdout.startswith("exc-push "))

    def test_an_answer_that_cannot_be_written_is_an_own_failure(self):
        with Guest(self.socket), open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([PROGRAM, "hello", *self.to], stdout=full, stderr=subprocess.PIPE, text=True,
                                    timeout=DEADLINE_S, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write the answer", result.stderr)

    def test_closed_standard_streams_do_no_harm(self):
        with Guest(self.socket) as guest:
            result = subprocess.run(
                ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", PROGRAM, "push", *self.who(), "--user", "alice", "--key",
                 self.key, "--sign-command", "x"], timeout=DEADLINE_S, check=False)
            self.assertEqual(result.returncode, 2)
            result = subprocess.run(
                ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", PROGRAM, "push", *self.who(), "--user", "alice", "--key",
                 self.key], timeout=DEADLINE_S, check=False)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(guest.methods(), ["Hello", "Push"])
