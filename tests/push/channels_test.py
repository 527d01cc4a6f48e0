#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The addresses of exc-push(1), hybrid: and serial:, and --wait, with servers in place of hypervisor and guest."""

import json
import os
import socket
import threading
import time

import push_test as base


class Hypervisor(base.Guest):
    """The unix socket by which a guest's vsock ports are reached. `line` is what CONNECT is answered with."""

    def __init__(self, path, line=b"OK 1073741824\n", port=842, **answers):
        self.line = line
        self.port = port
        self.asked = []
        super().__init__(path, **answers)

    def converse(self, connection):
        asked = b""
        while not asked.endswith(b"\n"):
            part = connection.recv(1)
            if not part:
                return
            asked += part
        self.asked.append(asked)
        if self.line is None or asked != b"CONNECT %d\n" % self.port:
            return
        connection.sendall(self.line)
        super().converse(connection)


class Serial(base.Guest):
    """A chardev's socket: `stale` is what a predecessor left in the stream."""

    def __init__(self, path, stale=b"", **answers):
        self.stale = stale
        self.received = b""
        super().__init__(path, **answers)

    def converse(self, connection):
        connection.sendall(self.stale)
        received = b""
        while True:
            part = connection.recv(65536)
            if not part:
                return
            self.received += part
            received += part
            while b"\0" in received:
                message, received = received.split(b"\0", 1)
                if message and not self.answer(connection, json.loads(message)):
                    return


class ChannelTest(base.PushTest):
    def with_server(self, server, *arguments):
        with server:
            return self.run_alone(*arguments)

    def push_to(self, address, *arguments):
        return ["push", "--to", address, "--signing-key", self.signing_key, "--instance", "i-1", "--user", "alice",
                "--key", self.key, *arguments]

    def assert_not_reached(self, result, *said):
        self.assertEqual((result.returncode, result.stdout), (3, ""), result.stderr)
        for text in said:
            self.assertIn(text, result.stderr)


class Hybrid(ChannelTest):
    def test_a_push_goes_through_the_port_of_the_guest(self):
        server = Hypervisor(self.socket)
        self.assert_done(self.with_server(server, *self.push_to("hybrid:" + self.socket)))
        self.assertEqual(server.asked, [b"CONNECT 842\n"])
        self.assertEqual(server.methods(), ["Hello", "Push"])

    def test_another_port_can_be_given(self):
        server = Hypervisor(self.socket, port=52)
        self.assert_done(self.with_server(server, "status", "--to", f"hybrid:{self.socket}:52"))

    def test_a_path_may_have_colons(self):
        path = self.path("a:b")
        self.assert_done(self.with_server(Hypervisor(path), "status", "--to", "hybrid:" + path))

    def test_a_port_that_nobody_listens_on_is_told(self):
        result = self.with_server(Hypervisor(self.socket, line=None), "hello", "--to", "hybrid:" + self.socket)
        self.assert_not_reached(result, "nothing in the guest listens on vsock port 842",
                                "exc-instance-connect-vsock.socket")

    def test_a_hypervisor_that_does_not_answer_is_told(self):
        result = self.with_server(Hypervisor(self.socket, line=b""), "hello", "--timeout", "1", "--to",
                                  "hybrid:" + self.socket)
        self.assert_not_reached(result, "CONNECT is not answered within 1 s")

    def test_what_is_no_hypervisor_is_told(self):
        for line in b"NO\n", b"OK\n", b"OK x\n", b"OK 1", b"x" * 4096, b"\n", b"OK -1\n":
            server = Hypervisor(self.socket, line=line)
            half = line == b"OK 1"
            result = self.with_server(server, "hello", "--timeout", "1" if half else "60", "--to",
                                      "hybrid:" + self.socket)
            os.unlink(self.socket)
            self.assertEqual(result.stdout, "")
            self.assertEqual(result.returncode, 3 if half else 1, line)
            self.assertIn("CONNECT is not answered", result.stderr)

    def test_a_hypervisor_that_is_not_there_is_told(self):
        self.assert_not_reached(self.run_alone("hello", "--to", "hybrid:" + self.socket), "No such file")


class SerialPort(ChannelTest):
    def test_every_call_begins_with_a_nul_and_a_hello(self):
        for arguments in self.push_to("serial:" + self.socket), ["status", "--to", "serial:" + self.socket], \
                ["hello", "--to", "serial:" + self.socket]:
            server = Serial(self.socket)
            self.assert_done(self.with_server(server, *arguments))
            os.unlink(self.socket)
            self.assertEqual(server.methods()[0], "Hello")
            self.assertEqual(server.methods().count("Hello"), 1)
            self.assertEqual(server.received[0:2], b"\0{")

    def test_what_a_predecessor_left_is_skipped(self):
        stale = b'half a mess' + b"\0" + base.reply({"sync": "x" * 22, **base.HELLO}) + \
            base.refusal("Expired", message="somebody else's") + b"\0\0" + base.reply(base.STATUS)
        server = Serial(self.socket, stale=stale)
        self.assert_done(self.with_server(server, *self.push_to("serial:" + self.socket)))
        self.assertEqual(server.methods(), ["Hello", "Push"])

    def test_an_answer_to_somebody_else_is_never_ours(self):
        server = Serial(self.socket, stale=base.reply(base.STATUS), Hello=b"")
        result = self.with_server(server, "status", "--timeout", "1", "--to", "serial:" + self.socket)
        self.assert_not_reached(result, "no answer within 1 s")

    def test_a_guest_that_never_answers_is_told(self):
        server = Serial(self.socket, Hello=b"")
        result = self.with_server(server, "hello", "--timeout", "1", "--to", "serial:" + self.socket)
        self.assert_not_reached(result, "no answer within 1 s", "one at a time", "exc-instance-connect-relay")

    def test_a_repeat_greets_again(self):
        seen = []

        def answer(parameters):
            seen.append(parameters)
            if len(seen) == 1:
                return None
            return base.reply({"user": "alice", "fingerprints": [base.FINGERPRINT], "expiresIn": 58, "duplicate": True,
                               "hostKeys": []})

        server = Serial(self.socket, Push=answer)
        self.assert_done(self.with_server(server, *self.push_to("serial:" + self.socket)))
        self.assertEqual(server.methods(), ["Hello", "Push", "Hello", "Push"])
        self.assertEqual(seen[0], seen[1])

    def test_a_path_is_needed(self):
        for address in "serial:", "hybrid:", "hybrid::842", "hybrid:/x:0", "hybrid:/x:4294967295", "serial:" + "x" * 108, \
                "hybrid:" + "x" * 108:
            self.assert_usage("hello", "--to", address)


class Wait(ChannelTest):
    def later(self, what):
        def wait():
            time.sleep(1)
            what()

        thread = threading.Thread(target=wait)
        self.addCleanup(thread.join)
        thread.start()

    def test_a_guest_that_comes_up_is_reached(self):
        servers = []

        def start():
            servers.append(base.Guest(self.socket))
            servers[0].__enter__()

        self.later(start)
        result = self.run_alone(*self.push_to("unix:" + self.socket, "--wait", "30"))
        servers[0].__exit__()
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr.count("trying again for 30 s"), 1)
        self.assertEqual(servers[0].methods(), ["Hello", "Push"])

    def test_a_reboot_in_the_middle_leaves_one_grant(self):
        class Rebooting(base.Guest):
            """Stores the first push and never answers it; then it forgets all, as a reboot does."""
            boots = 0
            pushes = []

            def answer(self, connection, call):
                method = call["method"].removeprefix(base.INTERFACE + ".")
                if method == "Hello":
                    self.calls.append(call)
                    connection.sendall(base.reply({"sync": call["parameters"]["sync"],
                                                   **base.HELLO, "challenge": f"abcdefghijklmnopqrst-{self.boots}"}))
                    return True
                if method != "Push":
                    return False
                envelope = call["parameters"]["envelope"]
                self.pushes.append(envelope)
                if self.boots < 2:  # the first time, and its repeat
                    self.boots += 1
                    return False
                if base.payload(envelope)["challenge"] != f"abcdefghijklmnopqrst-{self.boots}":
                    connection.sendall(base.refusal("StaleChallenge", message="of another connection"))
                    return True
                return super().answer(connection, call)

        server = Rebooting(self.socket)
        result = self.with_server(server, *self.push_to("unix:" + self.socket, "--wait", "30"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("trying again", result.stderr)
        self.assertEqual(len(server.pushes), 4)
        self.assertEqual(server.pushes[0], server.pushes[1])
        self.assertEqual(server.pushes[0], server.pushes[2])
        self.assertNotEqual(server.pushes[2], server.pushes[3])

    def test_what_may_have_arrived_before_the_guest_was_gone_is_told(self):
        seen = []

        def answer(parameters):
            seen.append(parameters["envelope"])
            if len(seen) == 2:  # it goes down
                os.unlink(self.socket)

        server = base.Guest(self.socket, Push=answer)
        result = self.with_server(server, *self.push_to("unix:" + self.socket, "--wait", "1"))
        self.assert_not_reached(result, "trying again for 1 s", "No such file or directory",
                                "it was sent twice, and may have arrived")
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(len(seen), 2)

    def test_what_never_arrived_is_not_said_to_have(self):
        seen = []

        def answer(parameters):
            seen.append(parameters["envelope"])
            if len(seen) == 1:
                return None
            os.unlink(self.socket)
            return base.refusal("StaleChallenge", message="of another connection")

        server = base.Guest(self.socket, Push=answer)
        result = self.with_server(server, *self.push_to("unix:" + self.socket, "--wait", "1"))
        self.assert_not_reached(result, "No such file or directory")
        self.assertNotIn("may have arrived", result.stderr)
        self.assertEqual(server.methods(), ["Hello", "Push", "Push"])

    def test_it_ends_when_the_time_is_up(self):
        result = self.run_alone("status", "--to", "unix:" + self.socket, "--wait", "1")
        self.assert_not_reached(result, "trying again for 1 s", "No such file or directory; is the path right")

    def test_a_refusal_is_not_waited_over(self):
        server = base.Guest(self.socket, Push=base.refusal("Untrusted", message="no anchor"))
        result = self.with_server(server, *self.push_to("unix:" + self.socket, "--wait", "30"))
        self.assertEqual(result.returncode, 13)
        self.assertEqual(server.methods(), ["Hello", "Push"])

    def test_a_channel_of_somebody_else_is_not_waited_for(self):
        with socket.socket(socket.AF_UNIX) as unused:
            unused.bind(self.socket)
            os.chmod(self.socket, 0)
            os.chmod(self.directory, 0o711)
            self.assertEqual(os.getuid(), 0)
            result = base.subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", base.PROGRAM, "status", "--to",
                 "unix:" + self.socket, "--wait", "60"], capture_output=True, text=True, timeout=base.DEADLINE_S, check=False)
        self.assert_not_reached(result, "Permission denied")
        self.assertNotIn("trying again", result.stderr)

    def test_only_seconds_are_taken(self):
        for value in "0", "3601", "1s", "":
            self.assert_usage("status", "--to", "unix:" + self.socket, "--wait", value)
