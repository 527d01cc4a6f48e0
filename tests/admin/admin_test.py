#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""exc-instance-connect(8) against a server in place of the agent. EXC_BUILD is the directory with the program."""

import fcntl
import json
import os
import pty
import re
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import unittest

PROGRAM = os.path.join(os.environ["EXC_BUILD"], "exc-instance-connect")
DEADLINE_S = 300  # for each run of the program; far more than it takes
INTERFACE = "in.excloud.InstanceConnect"
REFUSALS = [
    "PermissionDenied", "TooLarge", "RateLimited", "Untrusted", "BadSignature", "WrongInstance", "NotYetValid",
    "Expired", "ClockUnsynchronized", "StaleChallenge", "Replayed", "InvalidPayload", "KeyRejected", "NoSuchUser",
    "UserDenied", "StoreFull", "StorageFailure",
]

COMMANDS = ["push", "list", "revoke", "status", "enable", "disable", "doctor", "log"]

# Made with ssh-keygen for this test.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"
FINGERPRINT = "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk"

PUSHED = {
    "user": "alice", "fingerprints": [FINGERPRINT], "expiresIn": 59, "duplicate": False,
    "hostKeys": [{"type": "ssh-ed25519", "key": "AAAA", "fingerprint": "SHA256:host"}],
}
STATUS = {
    "version": "0.9", "instance": "i-1", "trust": "signed", "anchors": 2, "keys": 3,
    "clock": {"unix": 1700000000, "synchronized": True}, "sshd": "enabled",
}


def stored(user="alice", **changes):
    return {"user": user, "fingerprint": FINGERPRINT, "type": "ssh-ed25519", "expiresIn": 250, "connections": 1,
            "claimed": 0, "principal": None, "requestId": None, **changes}


def reply(parameters, **members):
    return json.dumps({"parameters": parameters, **members}).encode() + b"\0"


def refusal(name, **parameters):
    return reply(parameters, error=f"{INTERFACE}.{name}")


class Agent:
    """Takes one call and answers with `answer`, bytes; `call` is what was asked."""

    def __init__(self, path, answer):
        self.call = None
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:  # nobody came
            return
        with connection:
            received = b""
            while not received.endswith(b"\0"):
                part = connection.recv(65536)
                if not part:
                    return
                received += part
            self.call = json.loads(received[:-1])
            connection.sendall(self.answer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class AdminTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.socket = self.path("socket")
        self.key = self.write("id.pub", ED25519 + " alice@laptop\n")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(content)
        return self.path(name)

    def run_alone(self, *arguments, stdin="", environment=None):
        return subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=DEADLINE_S,
                              check=False, env={**os.environ, **(environment or {})})

    def run_with(self, answer, *arguments, **more):
        """Runs the program against an agent that answers so. Returns its result and the call."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        with Agent(self.socket, answer) as agent:
            result = self.run_alone("--socket", self.socket, *arguments, **more)
        return result, agent.call

    def push(self, answer, *arguments, **more):
        return self.run_with(answer, "push", "--user", "alice", "--key", self.key, *arguments, **more)

    def assert_usage(self, *arguments):
        """Exit status 2, nothing on standard output, and no connection. Returns what is said."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        result = self.run_alone("--socket", self.socket, *arguments)
        self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)
        self.assertIn("--help", result.stderr)
        return result.stderr


class Push(AdminTest):
    def test_the_call_holds_what_was_given_and_nothing_else(self):
        result, call = self.push(reply(PUSHED))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(call, {"method": INTERFACE + ".PushLocal", "parameters": {"user": "alice", "keys": [ED25519]}})

    def test_every_option_arrives(self):
        _, call = self.push(
            reply(PUSHED), "--ttl", "30", "--connections", "0", "--source", "192.0.2.0/24", "--source", "2001:db8::1",
            "--restrict", "--principal", "DOMAIN\\bob", "--request-id", "R-1")
        self.assertEqual(call["parameters"], {
            "user": "alice", "keys": [ED25519], "ttl": 30, "connections": 0, "source": ["192.0.2.0/24", "2001:db8::1"],
            "restrict": True, "principal": "DOMAIN\\bob", "requestId": "R-1"})

    def test_people_read_who_what_how_long_and_what_to_do_next(self):
        result, _ = self.push(reply(PUSHED))
        self.assertEqual(result.stdout, (
            "User:          alice\n"
            f"Fingerprint:   {FINGERPRINT}\n"
            "Lives for:     59 s\n"
            "Connections:   1, the first that offers the key; --connections N, or 0, for clients that open several\n"
            "Host key:      SHA256:host (ssh-ed25519)\n"
            f"Connect with:  ssh -o IdentitiesOnly=yes -i {self.key[:-4]} alice@HOST\n"))
        self.assertEqual(result.stderr, "")

    def test_the_next_step_is_quoted_for_a_shell(self):
        result, _ = self.push(reply({**PUSHED, "user": "EXAMPLE\\o'dana"}))
        line = [line for line in result.stdout.splitlines() if line.startswith("Connect with:")][0]
        self.assertTrue(line.endswith(" 'EXAMPLE\\o'\\''dana@HOST'"), line)
        words = subprocess.run(["sh", "-c", f"printf '%s\n' {line.split(':', 1)[1]}"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.splitlines()
        self.assertEqual(words, ["ssh", "-o", "IdentitiesOnly=yes", "-i", self.key[:-4], "EXAMPLE\\o'dana@HOST"])

    def test_the_number_of_connections_is_said(self):
        for number, said in ("0", "any number until then"), ("3", "3, the first that offer the key"):
            result, _ = self.push(reply(PUSHED), "--connections", number)
            self.assertIn(f"Connections:   {said}\n", result.stdout)

    def test_json_is_the_answer_on_one_line(self):
        result, _ = self.push(reply(PUSHED), "--json")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout.count("\n"), 1)
        self.assertEqual(json.loads(result.stdout), PUSHED)

    def test_keys_come_from_several_files_and_standard_input(self):
        other = self.write("other.pub", f"# two\n{ED25519}\n\n{ED25519} again\n")
        result, call = self.push(reply(PUSHED), "--key", "-", "--key", other, stdin=ED25519 + " from a pipe\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(call["parameters"]["keys"], [ED25519] * 4)

    def assert_not_sent(self, *said, stdin=""):
        result, call = self.push(reply(PUSHED), "--key", "-", stdin=stdin)
        self.assertEqual((result.returncode, result.stdout, call), (1, "", None))
        for text in said:
            self.assertIn(text, result.stderr)

    def test_options_before_the_type_are_refused_and_not_sent(self):
        self.assert_not_sent("standard input:2: ", "options", "--source", stdin=f'\nfrom="192.0.2.1" {ED25519}\n')

    def test_a_damaged_key_is_refused_and_not_sent(self):
        self.assert_not_sent("standard input:1: ", stdin=ED25519[:-4] + "\n")

    def test_an_empty_file_is_refused_and_not_sent(self):
        self.assert_not_sent("standard input: no key in it")

    def test_more_than_eight_keys_are_refused_and_not_sent(self):
        self.assert_not_sent("standard input:8: one key too many", stdin=(ED25519 + "\n") * 8)

    def test_a_file_that_is_missing_is_named_with_the_reason(self):
        result = self.run_alone("push", "--user", "alice", "--key", self.path("none.pub"))
        self.assertEqual(result.returncode, 1)
        self.assertIn(self.path("none.pub") + ": cannot open it: No such file or directory", result.stderr)

    def test_a_key_that_the_agent_rejects_is_named_by_file_and_line(self):
        other = self.write("other.pub", f"\n{ED25519}\n")
        result, _ = self.push(refusal("KeyRejected", message="not on its curve", index=1), "--key", other)
        self.assertEqual(result.returncode, 22)
        self.assertIn("KeyRejected: not on its curve\n", result.stderr)
        self.assertIn(f"{other}:2\n", result.stderr)

    def test_an_index_that_no_key_has_is_left_alone(self):
        for index in -1, 1, 2**62, "0", None:
            result, _ = self.push(refusal("KeyRejected", message="no", index=index))
            self.assertEqual(result.returncode, 22)
            self.assertNotIn("id.pub", result.stderr)

    def test_a_request_beyond_what_one_message_holds_is_an_own_failure(self):
        result, call = self.push(reply(PUSHED), "--principal", "x" * 17000)
        self.assertEqual((result.returncode, call), (1, None))
        self.assertIn("at most 16384", result.stderr)


class List(AdminTest):
    def test_all_keys_are_asked_for_with_more(self):
        _, call = self.run_with(reply({"keys": []}), "list")
        self.assertEqual(call, {"method": INTERFACE + ".List", "parameters": {}, "more": True})

    def test_one_user_is_asked_for(self):
        _, call = self.run_with(reply({"keys": []}), "list", "--user", "alice")
        self.assertEqual(call["parameters"], {"user": "alice"})

    def test_keys_are_a_table(self):
        keys = [stored(), stored("bartholomew", expiresIn=59, connections=0, principal="bob", requestId="R-1"),
                stored(expiresIn=3660, connections=3, claimed=2, type="sk-ssh-ed25519@openssh.com")]
        result, _ = self.run_with(reply({"keys": keys}), "list")
        self.assertEqual(result.returncode, 0, result.stderr)
        blank = " " * (len(FINGERPRINT) - len("FINGERPRINT"))
        self.assertEqual(result.stdout, (
            f"USER         FINGERPRINT{blank}  TYPE                        LEFT        CONNECTIONS  "
            "PRINCIPAL  REQUEST\n"
            f"alice        {FINGERPRINT}  ssh-ed25519                 4 min 10 s  0 of 1       -          -\n"
            f"bartholomew  {FINGERPRINT}  ssh-ed25519                 59 s        any          bob        R-1\n"
            f"alice        {FINGERPRINT}  sk-ssh-ed25519@openssh.com  1 h 1 min   2 of 3       -          -\n"))

    def test_replies_are_joined(self):
        parts = [reply({"keys": [stored("a"), stored("b")]}, continues=True), reply({"keys": []}, continues=True),
                 reply({"keys": [stored("c")]})]
        result, _ = self.run_with(b"".join(parts), "list", "--json")
        self.assertEqual(result.stdout.count("\n"), 1)
        self.assertEqual(json.loads(result.stdout), {"keys": [stored("a"), stored("b"), stored("c")]})
        result, _ = self.run_with(b"".join(parts), "list")
        self.assertEqual(re.findall(r"^\w+", result.stdout, re.M), ["USER", "a", "b", "c"])

    def test_a_full_store_is_listed(self):
        parts = [reply({"keys": [stored(f"user{i}-{j}") for j in range(32)]}, continues=i < 127) for i in range(128)]
        result, _ = self.run_with(b"".join(parts), "list")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.count("\n"), 4097)

    def test_an_empty_list_says_so(self):
        result, _ = self.run_with(reply({"keys": []}), "list")
        self.assertEqual((result.returncode, result.stdout), (0, "No key is stored.\n"))
        result, _ = self.run_with(reply({"keys": []}), "list", "--user", "alice")
        self.assertEqual(result.stdout, "No key is stored for alice.\n")
        result, _ = self.run_with(reply({"keys": []}), "list", "--json")
        self.assertEqual(result.stdout, '{"keys":[]}\n')

    def test_a_list_that_breaks_off_is_not_shown(self):
        for arguments in ["list"], ["list", "--json"]:
            result, _ = self.run_with(reply({"keys": [stored()]}, continues=True), *arguments)
            self.assertEqual((result.returncode, result.stdout), (3, ""))

    def test_nothing_steers_the_terminal(self):
        keys = [stored(principal="\x1b[2J\u202eevil\u009b", requestId="a\nb\x7f")]
        result, _ = self.run_with(reply({"keys": keys}), "list")
        self.assertIn("\\x1B[2J\\u{202E}evil\\u{009B}  a\\x0Ab\\x7F\n", result.stdout)
        result, _ = self.run_with(reply({"keys": keys}), "list", "--json")
        self.assertRegex(result.stdout, r"\A[ -~]+\n\Z")
        self.assertEqual(json.loads(result.stdout), {"keys": keys})


class Revoke(AdminTest):
    def test_each_way_to_choose_arrives(self):
        for arguments, parameters in (
                (["--fingerprint", FINGERPRINT], {"fingerprint": FINGERPRINT}),
                (["--user", "alice"], {"user": "alice"}),
                (["--user", "alice", "--fingerprint", FINGERPRINT], {"fingerprint": FINGERPRINT, "user": "alice"}),
                (["--all"], {})):
            result, call = self.run_with(reply({"revoked": 2}), "revoke", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(call, {"method": INTERFACE + ".RevokeLocal", "parameters": parameters})

    def test_people_read_how_many_went(self):
        for number, said in (0, "No stored key matched."), (1, "1 key was dropped."), (2, "2 keys were dropped."):
            result, _ = self.run_with(reply({"revoked": number}), "revoke", "--all")
            self.assertTrue(result.stdout.startswith(said), result.stdout)
            self.assertEqual(result.returncode, 0)

    def test_where_no_key_matched_the_status_is_4_and_what_was_looked_for_is_named(self):
        for arguments, said in (
                (["--user", "nobody-of-that-name"], "No stored key matched: user nobody-of-that-name.\n"),
                (["--fingerprint", FINGERPRINT], f"No stored key matched: fingerprint {FINGERPRINT}.\n"),
                (["--fingerprint", FINGERPRINT, "--user", "root"],
                 f"No stored key matched: fingerprint {FINGERPRINT}, user root.\n")):
            result, _ = self.run_with(reply({"revoked": 0}), "revoke", *arguments)
            self.assertEqual((result.returncode, result.stdout), (4, said))
            result, _ = self.run_with(reply({"revoked": 0}), "revoke", *arguments, "--json")
            self.assertEqual((result.returncode, result.stdout), (4, '{"revoked":0}\n'))

    def test_json_is_the_answer(self):
        result, _ = self.run_with(reply({"revoked": 2}), "revoke", "--all", "--json")
        self.assertEqual((result.returncode, result.stdout), (0, '{"revoked":2}\n'))

    def test_nothing_chosen_does_not_mean_all(self):
        self.assertIn("expected --fingerprint, --user, or both, or --all alone", self.assert_usage("revoke"))
        self.assert_usage("revoke", "--user", "")
        self.assert_usage("revoke", "--fingerprint", "")

    def test_all_goes_with_nothing_else(self):
        self.assert_usage("revoke", "--all", "--user", "alice")
        self.assert_usage("revoke", "--all", "--fingerprint", FINGERPRINT)

    def test_a_fingerprint_must_be_one(self):
        for text in "MD5:00:11", FINGERPRINT[7:], FINGERPRINT + "=", FINGERPRINT[:-1], FINGERPRINT[:-1] + "-":
            self.assertIn("ssh-keygen -l", self.assert_usage("revoke", "--fingerprint", text))


class Status(AdminTest):
    def test_people_read_it_in_a_column(self):
        result, call = self.run_with(reply(STATUS), "status")
        self.assertEqual(call, {"method": INTERFACE + ".Status", "parameters": {}})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, (
            "Agent:         0.9\n"
            "Instance:      i-1\n"
            "Trust:         signed\n"
            "Anchors:       2\n"
            "Keys:          3\n"
            "Clock:         2023-11-14 22:13:20 UTC, synchronized\n"
            "sshd:          enabled\n"))

    def test_what_keeps_pushes_out_is_said(self):
        bad = {**STATUS, "instance": None, "anchors": 0, "clock": {"unix": 0, "synchronized": False}}
        result, _ = self.run_with(reply(bad), "status")
        self.assertIn("Instance:      none: signed pushes are refused\n", result.stdout)
        self.assertIn("Anchors:       0: signed pushes are refused\n", result.stdout)
        self.assertIn("not synchronized: pushes that are timed by it are refused\n", result.stdout)

    def test_json_is_the_answer(self):
        result, _ = self.run_with(reply(STATUS), "status", "--json")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(json.loads(result.stdout), STATUS)


class Terminal(AdminTest):
    """A list and the status on a terminal. No colour and no line is added elsewhere: the tests before this show it."""

    def show(self, columns, answer, *arguments, **environment):
        """What arrives at a terminal of that width."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        control, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        with Agent(self.socket, answer), open(control, "rb", buffering=0) as shown:
            result = subprocess.run([PROGRAM, "--socket", self.socket, *arguments], stdin=subprocess.DEVNULL,
                                    stdout=terminal, stderr=terminal, timeout=DEADLINE_S, check=False,
                                    env={**inherited, "TERM": "xterm", **environment})
            os.close(terminal)
            self.assertEqual(result.returncode, 0)
            text = b""
            try:
                while part := shown.read(4096):
                    text += part
            except OSError:  # nobody has it open any more
                pass
        return text.decode().replace("\r\n", "\n")

    KEYS = reply({"keys": [stored(), stored("bob", type="ssh-rsa", principal="carol", requestId="R-1")]})

    def test_a_row_is_folded_at_the_same_column(self):
        self.assertEqual(self.show(80, self.KEYS, "list", NO_COLOR="1"), (
            "USER   FINGERPRINT                                         TYPE\n"
            "    LEFT        CONNECTIONS  PRINCIPAL  REQUEST\n"
            f"alice  {FINGERPRINT}  ssh-ed25519\n"
            "    4 min 10 s  0 of 1       -          -\n"
            f"bob    {FINGERPRINT}  ssh-rsa\n"
            "    4 min 10 s  0 of 1       carol      R-1\n"))

    def test_a_row_that_fits_is_on_a_line(self):
        result, _ = self.run_with(self.KEYS, "list")
        width = max(map(len, result.stdout.splitlines()))
        self.assertEqual(self.show(width, self.KEYS, "list", NO_COLOR="1"), result.stdout)
        self.assertIn("\n    REQUEST\n", self.show(width - 1, self.KEYS, "list", NO_COLOR="1"))
        self.assertEqual(self.show(40, self.KEYS, "list", TERM="dumb"), result.stdout)

    def test_headings_and_states_have_colours(self):
        self.assertIn("\033[1mUSER\033[0m   \033[1mFINGERPRINT\033[0m  ", self.show(200, self.KEYS, "list"))
        shown = self.show(80, reply(STATUS), "status")
        self.assertIn("Instance:      i-1\n", shown)
        self.assertIn("sshd:\033[32m          enabled\033[0m\n", shown)
        shown = self.show(40, reply({**STATUS, "instance": None, "anchors": 0, "sshd": "disabled"}), "status")
        self.assertIn("Instance:\033[33m\n    none: signed pushes are refused\033[0m\n", shown)
        self.assertIn("Anchors:\033[33m\n    0: signed pushes are refused\033[0m\n", shown)
        self.assertIn("sshd:\033[31m          disabled\033[0m\n", shown)
        self.assertIn("Keys:          3\n", shown)

    def test_the_answer_to_a_push_is_folded(self):
        result, _ = self.push(reply(PUSHED))
        shown = self.show(80, reply(PUSHED), "push", "--user", "alice", "--key", self.key)
        folded = "\n               clients that open several\n"
        self.assertIn(folded, shown)
        self.assertEqual(shown.replace(folded, " clients that open several\n"), result.stdout)

    def test_without_colour_there_is_no_control_sequence(self):
        for environment in {"NO_COLOR": "1"}, {"TERM": "dumb"}:
            for answer, command in (self.KEYS, "list"), (reply(STATUS), "status"):
                self.assertNotIn("\033", self.show(80, answer, command, **environment))


class Refusals(AdminTest):
    def test_each_has_its_exit_status(self):
        for number, name in enumerate(REFUSALS):
            with self.subTest(name):
                result, _ = self.push(refusal(name, message="because"))
                self.assertEqual((result.returncode, result.stdout), (10 + number, ""))
                self.assertIn(f"{name}: because\n", result.stderr)

    def test_json_has_each_on_standard_output(self):
        for number, name in enumerate(REFUSALS):
            with self.subTest(name):
                result, _ = self.push(refusal(name, message="because", index=0), "--json")
                self.assertEqual((result.returncode, result.stderr), (10 + number, ""))
                self.assertEqual(json.loads(result.stdout),
                                 {"error": name, "parameters": {"message": "because", "index": 0}})

    def test_an_error_of_varlink_itself_is_an_own_failure(self):
        answer = reply({"method": "x"}, error="org.varlink.service.MethodNotFound")
        result, _ = self.run_with(answer, "status")
        self.assertEqual(result.returncode, 1)
        self.assertIn("org.varlink.service.MethodNotFound", result.stderr)
        result, _ = self.run_with(answer, "status", "--json")
        self.assertEqual(json.loads(result.stdout)["error"], "org.varlink.service.MethodNotFound")

    def test_a_message_does_not_steer_the_terminal(self):
        result, _ = self.run_with(refusal("Expired", message="\x1b]0;x\x07\nall is well"), "status")
        self.assertIn("\\x1B]0;x\\x07\\x0Aall is well\n", result.stderr)

    def test_a_message_of_another_type_is_left_out(self):
        result, _ = self.run_with(refusal("Expired", message=7), "status")
        self.assertEqual((result.returncode, result.stderr),
                         (17, "exc-instance-connect: the agent refused: Expired\n"))


class NotReached(AdminTest):
    def assert_not_reached(self, result, *said):
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        for text in (self.socket, *said):
            self.assertIn(text, result.stderr)

    def test_a_missing_socket_is_named_with_the_unit_to_start(self):
        for json_too in [], ["--json"]:
            self.assert_not_reached(self.run_alone("status", "--socket", self.socket, *json_too),
                                    "No such file or directory", "systemctl restart exc-instance-connect.socket")

    def test_so_is_one_that_nobody_listens_on(self):
        with socket.socket(socket.AF_UNIX) as unused:
            unused.bind(self.socket)
            self.assert_not_reached(self.run_alone("status", "--socket", self.socket),
                                    "Connection refused", "systemctl restart exc-instance-connect.socket")

    def test_a_closed_connection_points_to_the_journal(self):
        result, _ = self.run_with(b"", "status")
        self.assert_not_reached(result, "closed without an answer", "journalctl -t exc-instance-connect-agent")

    def test_half_an_answer_is_none(self):
        for json_too in [], ["--json"]:
            result, _ = self.run_with(reply(STATUS)[:-1], "status", *json_too)
            self.assert_not_reached(result, "closed within an answer")

    def test_who_is_not_root_is_told_to_be(self):
        os.chmod(self.directory, 0o755)
        with socket.socket(socket.AF_UNIX) as closed:
            closed.bind(self.socket)
            os.chmod(self.socket, 0o000)
            closed.listen()
            # Root is let in whatever the mode is. The program may lie where nobody else gets, so it is opened first.
            program = os.open(PROGRAM, os.O_RDONLY)
            self.addCleanup(os.close, program)
            other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
            result = subprocess.run([f"/proc/self/fd/{program}", "status", "--socket", self.socket], pass_fds=[program],
                                    capture_output=True, text=True, timeout=DEADLINE_S, check=False, **other)
        self.assert_not_reached(result, "Permission denied", "as root", "sudo")


class Answers(AdminTest):
    """What is no answer of the agent is an own failure, and none of it is printed."""

    def assert_failure(self, answer, *arguments):
        for json_too in [], ["--json"]:
            result, _ = self.run_with(answer, *arguments, *json_too)
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            self.assertNotIn("SURPRISE", result.stderr)

    def test_of_another_protocol(self):
        self.assert_failure(b"SURPRISE\0", "status")
        self.assert_failure(b'{"parameters":{},"SURPRISE":1}\0', "status")
        self.assert_failure(b'{"error":"SURPRISE\\u001b"}\0', "status")
        self.assert_failure(b"[" * 16000 + b"\0", "status")
        self.assert_failure(b"x" * 17000, "status")

    def test_of_another_shape(self):
        for name in STATUS:
            if name != "instance":
                self.assert_failure(reply({**STATUS, name: ["SURPRISE"]}), "status")
        for name in PUSHED:
            self.assert_failure(reply({**PUSHED, name: "SURPRISE" if name != "user" else 1}),
                                "push", "--user", "alice", "--key", self.key)
        for name in stored():
            if name not in ("principal", "requestId"):
                self.assert_failure(reply({"keys": [stored(**{name: ["SURPRISE"]})]}), "list")
        self.assert_failure(reply({"keys": {"SURPRISE": 1}}), "list")
        self.assert_failure(reply({"keys": ["SURPRISE"]}), "list")
        self.assert_failure(reply({"revoked": "SURPRISE"}), "revoke", "--all")
        self.assert_failure(reply({}), "revoke", "--all")

    def test_members_that_a_newer_agent_adds_are_passed_on(self):
        result, _ = self.run_with(reply({**STATUS, "new": 1}), "status", "--json")
        self.assertEqual(json.loads(result.stdout)["new"], 1)

    def test_one_that_continues_is_no_answer_to_a_call_for_one(self):
        self.assert_failure(reply(STATUS, continues=True), "status")


class Usage(AdminTest):
    def test_a_command_is_needed(self):
        self.assertIn("a command is missing", self.assert_usage())
        self.assertIn("nonsense: no such command", self.assert_usage("nonsense"))

    def test_words_behind_the_command_are_refused(self):
        self.assertIn("id.pub: unexpected argument", self.assert_usage("status", "id.pub"))
        self.assertIn("id.pub: unexpected argument", self.assert_usage("status", "--", "id.pub"))

    def test_what_a_command_needs_is_named(self):
        self.assertIn("--user is missing", self.assert_usage("push", "--key", self.key))
        self.assertIn("--key is missing", self.assert_usage("push", "--user", "alice"))
        self.assertIn("--pam: PAM is asked about one user; name it with --user", self.assert_usage("doctor", "--pam"))

    def test_an_option_of_another_command_is_refused(self):
        self.assertIn("--ttl: exc-instance-connect list takes no such option", self.assert_usage("list", "--ttl", "5"))
        self.assertIn("--user: exc-instance-connect status takes no such option", self.assert_usage("--user", "alice", "status"))
        self.assertIn("--all: exc-instance-connect push takes no such option",
                      self.assert_usage("push", "--user", "a", "--key", self.key, "--all"))
        for command in "enable", "disable":
            self.assertIn(f"--json: exc-instance-connect {command} takes no such option",
                          self.run_alone(command, "--json").stderr)
            self.assertIn(f"--socket: exc-instance-connect {command} takes no such option", self.assert_usage(command))

    def test_unknown_options_and_missing_values_are_refused(self):
        self.assert_usage("status", "--nonsense")
        self.assert_usage("status", "-x")
        self.assert_usage("status", "--json=yes")
        self.assert_usage("list", "--user")

    def test_numbers_are_digits_within_their_range(self):
        for text in "", "0", "-1", "+5", " 5", "5 ", "5s", "0x10", "1e3", "86401", "99999999999999999999":
            self.assertIn("expected 1..86400 seconds", self.assert_usage("push", "--user", "a", "--key", self.key, "--ttl", text))
        for text in "", "-1", "101", "one", "4294967296":
            self.assertIn("expected 0..100",
                          self.assert_usage("push", "--user", "a", "--key", self.key, "--connections", text))

    def test_a_source_is_an_address_or_a_range_without_host_bits(self):
        for text in "", "example.org", "192.0.2.1/24", "192.0.2.0/33", "192.0.2", "::ffff:192.0.2.1", "*":
            self.assertIn("--source", self.assert_usage("push", "--user", "a", "--key", self.key, "--source", text))

    def test_a_link_local_source_is_refused_with_the_reason(self):
        for text in "fe80::1", "fe80::/64", "fe80::1%eth0":
            self.assertIn(f"--source: invalid value '{text}': a client with a link-local address matches no source",
                          self.assert_usage("push", "--user", "a", "--key", self.key, "--source", text))

    def test_an_option_with_one_value_is_given_once(self):
        self.assertIn("--user is given twice", self.assert_usage("list", "--user", "a", "--user", "b"))

    def test_lists_have_their_limits(self):
        self.assertIn("at most 8", self.assert_usage("push", "--user", "a", *["--key", self.key] * 9))
        self.assertIn("at most 16", self.assert_usage("push", "--user", "a", "--key", self.key,
                                                      *["--source", "192.0.2.1"] * 17))

    def test_values_are_utf8(self):
        result = subprocess.run([PROGRAM, "list", "--user", b"\xff\x1b"], capture_output=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"--user: invalid value '\\xFF\\x1B': it is not UTF-8\n", result.stderr)

    def test_a_login_name_has_1_to_256_bytes(self):
        self.assert_usage("list", "--user", "")
        self.assert_usage("list", "--user", "x" * 257)

    def test_a_path_that_no_socket_can_have_is_refused_clearly(self):
        result = self.run_alone("status", "--socket", "/" + "x" * 200)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("at most 107 bytes", result.stderr)

    def test_options_stand_before_and_after_the_command(self):
        for environment in {}, {"POSIXLY_CORRECT": "1"}:
            for arguments in (["list", "--user", "alice", "--json"], ["--json", "--user=alice", "list"],
                              ["--user", "alice", "list", "--json"], ["--json", "--user", "alice", "--", "list"]):
                result, call = self.run_with(reply({"keys": []}), *arguments, environment=environment)
                self.assertEqual((result.returncode, result.stdout), (0, '{"keys":[]}\n'), arguments)
                self.assertEqual(call["parameters"], {"user": "alice"})

    def assert_stages(self, stderr):
        lines = [line for line in stderr.splitlines() if line.startswith("exc-instance-connect: ")]
        self.assertEqual([line.split(": ")[1] for line in lines], ["connected", "call", "reply"], stderr)
        self.assertIn(f"call: {INTERFACE}.PushLocal, ", lines[1])
        self.assertIn("reply: success, ", lines[2])
        self.assertNotIn(ED25519.split()[1], stderr)

    def test_stages_are_printed_when_asked_for(self):
        quiet, _ = self.push(reply(PUSHED))
        self.assertEqual(quiet.stderr, "")
        for more in (["--verbose"], {}), (["-v"], {}), ([], {"environment": {"EXC_DEBUG": "1"}}):
            result, _ = self.push(reply(PUSHED), *more[0], **more[1])
            self.assertEqual((result.returncode, result.stdout), (0, quiet.stdout))
            self.assert_stages(result.stderr)

    def test_a_stage_without_an_answer_is_printed(self):
        result = self.run_alone("--socket", self.path("none"), "status", "--verbose")
        self.assertEqual(result.returncode, 3)
        self.assertNotIn("connected", result.stderr)

    def test_help_is_there_for_all_and_for_each(self):
        for arguments in ["--help"], ["-h"]:
            result = self.run_alone(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            for name in COMMANDS:
                self.assertIn(f"\n  {name}", result.stdout)
        for name in COMMANDS:
            for arguments in [name, "--help"], ["--help", name], [name, "-h"]:
                result = self.run_alone(*arguments)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertTrue(result.stdout.startswith(f"exc-instance-connect {name}"), result.stdout)
                self.assertEqual("--json" in result.stdout, name not in ("enable", "disable"), result.stdout)
                self.assertEqual("--socket" in result.stdout, name not in ("enable", "disable", "log"), result.stdout)
                self.assertLessEqual(max(map(len, result.stdout.splitlines())), 120)

    def test_the_version_is_one_line(self):
        self.assertRegex(self.run_alone("--version").stdout, r"\Aexc-instance-connect [0-9][^\n]*\n\Z")

    def test_an_answer_that_cannot_be_written_is_an_own_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([PROGRAM, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S,
                                    check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left on device", result.stderr)
