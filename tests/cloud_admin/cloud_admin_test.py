#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""exc-compute-admin(8), run as root with a user exc-api of the test's own. EXC_BUILD is the directory with the program."""

import hashlib
import json
import os
import pathlib
import re
import socket
import sqlite3
import stat
import struct
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.path.join(os.environ["EXC_BUILD"], "exc-compute-admin")
DEADLINE_S = 300  # for each run of the program; far more than it takes
UID = 60021
OTHER_UID = 60022
ALLOW = {"Version": "2024-03-05", "Statements": [
    {"Sid": "one", "Effect": "Allow", "Action": "compute:instance:connect", "Resource": "exc:compute:instance/42"}]}
# Made with ssh-keygen for this test.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"
FINGERPRINT = "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk"
# In a mount namespace: $0/etc over /etc, and $0/journal for the journal's socket.
MOUNTS = """set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/upper /run/work /run/systemd/journal
cp -a "$0/etc/." /run/upper/
mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work etc /etc
mount --bind "$0/journal" /run/systemd/journal
exec "$@"
"""
TOKEN = re.compile(r"exc_([a-z0-9]{8})_([A-Za-z0-9_-]{43})\Z")


class CloudAdminTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        os.chmod(self.directory, 0o755)
        os.mkdir(self.path("etc"))
        self.passwd = self.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
                                               f"exc-api:x:{UID}:{UID}::/:/bin/false\n")
        os.mkdir(self.path("journal"))
        self.journal_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.journal_socket.close)
        self.journal_socket.bind(self.path("journal/socket"))
        os.chmod(self.path("journal/socket"), 0o666)
        self.database = self.path("state/compute.db")
        self.audit = self.path("log/audit")
        self.signer_log = self.path("signer")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(self.path(name), 0o644)
        return self.path(name)

    def run_as_is(self, *arguments, stdin="", prefix=()):
        return subprocess.run([*prefix, PROGRAM, *arguments], input=stdin, capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)

    def run_with_files(self, *arguments, stdin="", prefix=()):
        """As root, with /etc/passwd and other files of /etc from self.directory/etc, and with the journal of the test."""
        return self.run_as_is(*arguments, stdin=stdin,
                              prefix=("unshare", "-m", "sh", "-c", MOUNTS, self.directory, *prefix))

    def run_root(self, *arguments, stdin=""):
        return self.run_with_files("--database", self.database, *arguments, stdin=stdin)

    def journal(self):
        """What was recorded since the last call: the fields of each entry."""
        entries = []
        while True:
            try:
                message = self.journal_socket.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return entries
            entry = {}
            while message:
                name, _, message = message.partition(b"\n")
                (length,) = struct.unpack_from("<Q", message)
                entry[name.decode()] = message[8:8 + length].decode()
                message = message[9 + length:]
            entries.append(entry)

    def changes(self):
        return [(entry["EXC_ACTION"], entry["EXC_RESOURCE"]) for entry in self.journal()]

    def admin(self, *arguments, stdin=""):
        result = self.run_root(*arguments, stdin=stdin)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        return result.stdout

    def items(self, *arguments):
        return [json.loads(line) for line in self.admin(*arguments, "--json").splitlines()]

    def init(self, *arguments):
        result = self.run_root("init", "--audit", self.audit, *arguments)
        self.assertEqual(result.returncode, 0, result)
        return result

    def refused(self, status, phrase, *arguments, stdin=""):
        result = self.run_root(*arguments, stdin=stdin)
        self.assertEqual((result.returncode, result.stdout), (status, ""), result)
        self.assertIn(phrase, result.stderr)
        for line in result.stderr.splitlines():
            self.assertTrue(line.startswith("exc-compute-admin: "), line)
        return result.stderr

    def owner_and_mode(self, path):
        info = os.stat(path)
        return info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)

    def rows(self, sql):
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def change(self, sql):
        """As the API's user: files that root made would be in its way."""
        code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2])"
        subprocess.run(["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "/usr/bin/python3", "-c", code,
                        self.database, sql], check=True, timeout=DEADLINE_S)

    # --- init ---------------------------------------------------------------------------------------------------------

    def test_init_makes_all_that_there_must_be(self):
        result = self.init()
        match = TOKEN.match(result.stdout.strip())
        self.assertTrue(match, result.stdout)
        self.assertIn(f"token {match[1]} of the account admin", result.stderr)
        self.assertNotIn(match[2], result.stderr)
        self.assertEqual(self.owner_and_mode(self.path("state")), (UID, UID, 0o750))
        self.assertEqual(self.owner_and_mode(self.path("log")), (UID, UID, 0o750))
        self.assertEqual(self.owner_and_mode(self.audit)[:2], (UID, UID))
        self.assertEqual(self.owner_and_mode(self.database), (UID, UID, 0o600))
        self.assertEqual(self.items("account", "list"), [{
            "name": "admin", "created_at": self.items("account", "list")[0]["created_at"], "policies": ["Admin"]}])
        digest = hashlib.sha256(match[2].encode()).digest()
        self.assertEqual(self.rows("SELECT id, account, secret_hash FROM token"), [(match[1], "admin", digest)])

    def test_secret_is_nowhere_in_the_database(self):
        secret = TOKEN.match(self.init().stdout.strip())[2]
        for name in os.listdir(self.path("state")):
            with open(self.path(f"state/{name}"), "rb") as file:
                self.assertNotIn(secret.encode(), file.read())

    def test_init_again_changes_nothing(self):
        self.init()
        before = self.rows("SELECT * FROM token") + self.rows("SELECT * FROM account")
        result = self.init()
        self.assertEqual(result.stdout, "")
        self.assertIn("exists already: nothing was changed", result.stderr)
        self.assertIn("token create admin", result.stderr)
        self.assertNotIn("has not the policy", result.stderr)
        self.assertEqual(self.rows("SELECT * FROM token") + self.rows("SELECT * FROM account"), before)
        self.admin("policy", "detach", "Admin", "admin")
        self.assertIn("policy attach Admin admin", self.init().stderr)
        self.assertEqual(self.rows("SELECT * FROM attachment"), [])

    def test_init_as_json(self):
        token = json.loads(self.init("--json", "--expires-in", "2h").stdout)
        self.assertEqual(token["account"], "admin")
        self.assertTrue(TOKEN.match(token["token"]))
        created, expires = (time.strptime(token[name], "%Y-%m-%dT%H:%M:%SZ") for name in ("created_at", "expires_at"))
        self.assertEqual(time.mktime(expires) - time.mktime(created), 7200)

    def test_directories_that_exist_stay_as_they_are(self):
        os.mkdir(self.path("state"), 0o700)
        os.chown(self.path("state"), UID, UID)
        self.init()
        self.assertEqual(self.owner_and_mode(self.path("state")), (UID, UID, 0o700))

    def test_directory_of_somebody_else_is_refused(self):
        os.mkdir(self.path("state"), 0o755)
        os.chown(self.path("state"), OTHER_UID, OTHER_UID)
        os.mkdir(self.path("log"))
        os.chown(self.path("log"), UID, UID)
        self.refused(1, f"owned by user id {OTHER_UID}", "init", "--audit", self.audit)

    def test_audit_directory_that_the_user_cannot_make_is_an_error(self):
        os.mkdir(self.path("log"), 0o755)
        self.refused(1, f"install -d -m 0750 -o exc-api {self.audit}", "init", "--audit", self.audit)
        os.mkdir(self.audit)
        os.chown(self.audit, UID, UID)
        self.init()

    def test_without_the_user_nothing_is_made(self):
        self.refused(1, "there is no such user", "init", "--audit", self.audit, "--user", "exc-nobody-has-this-name")
        self.refused(1, "is root", "init", "--audit", self.audit, "--user", "root")
        self.assertFalse(os.path.exists(self.path("state")))

    def test_it_runs_as_the_api_user_too(self):
        self.init()
        as_user = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups")
        result = self.run_as_is("--database", self.database, "account", "list", "--json", prefix=as_user)
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(json.loads(result.stdout)["name"], "admin")
        as_other = ("setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_UID}", "--clear-groups")
        result = self.run_as_is("--database", self.database, "account", "list", prefix=as_other)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("exc-compute-admin: ", result.stderr)

    def test_before_init_each_command_names_it(self):
        os.mkdir(self.path("state"))
        os.chown(self.path("state"), UID, UID)
        self.refused(1, "make it with: exc-compute-admin init", "account", "list")

    def test_five_lines_on_a_fresh_machine(self):
        self.init()
        self.admin("policy", "put", "ops", self.write("ops.json", json.dumps(ALLOW)))
        self.admin("account", "add", "ada", "--policy", "ops")
        self.admin("instance", "put", "42", "--host", "local")
        token = self.run_root("token", "create", "ada")
        self.assertTrue(TOKEN.match(token.stdout.strip()))
        self.assertEqual([(account["name"], account["policies"]) for account in self.items("account", "list")],
                         [("ada", ["ops"]), ("admin", ["Admin"])])

    # --- the journal --------------------------------------------------------------------------------------------------

    def test_each_change_is_recorded_with_who_made_it(self):
        token = TOKEN.match(self.init().stdout.strip())
        entry, made = self.journal()
        self.assertEqual((entry["EXC_ACTION"], entry["EXC_RESOURCE"]),
                         ("iam:account:create", "exc:iam:account/admin with the policy Admin"))
        self.assertEqual((entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]), ("exc-compute-admin", "5"))
        self.assertEqual(made["EXC_RESOURCE"], f"exc:iam:token/{token[1]} of the account admin")
        self.assertNotIn(token[2], str(made))
        self.init()
        self.assertEqual(self.changes(), [])  # nothing was changed
        document = self.write("p.json", json.dumps(ALLOW))
        for arguments, changes in (
                (("account", "add", "ada"), [("iam:account:create", "exc:iam:account/ada")]),
                (("policy", "put", "ops", document), [("iam:policy:put", "exc:iam:policy/ops")]),
                (("account", "add", "bob", "--policy", "ops"),
                 [("iam:account:create", "exc:iam:account/bob"),
                  ("iam:account:attach", "exc:iam:account/bob the policy ops")]),
                (("policy", "attach", "ops", "ada"),
                 [("iam:account:attach", "exc:iam:account/ada the policy ops")]),
                (("policy", "detach", "ops", "ada"),
                 [("iam:account:detach", "exc:iam:account/ada the policy ops")]),
                (("policy", "delete", "ops"), [("iam:policy:delete", "exc:iam:policy/ops")]),
                (("instance", "put", "42", "--host", "local"),
                 [("compute:instance:put", "exc:compute:instance/42 of the host local")]),
                (("instance", "list"), []), (("host-keys", "42"), []), (("account", "list"), []),
                (("instance", "delete", "42"), [("compute:instance:delete", "exc:compute:instance/42")]),
                (("token", "delete", token[1]), [("iam:token:delete", f"exc:iam:token/{token[1]}")]),
                (("account", "delete", "ada"), [("iam:account:delete", "exc:iam:account/ada")])):
            self.admin(*arguments)
            self.assertEqual(self.changes(), changes, arguments)
        self.refused(4, "none of that name", "account", "delete", "ada")
        self.assertEqual(self.changes(), [])

    def test_who_is_the_user_of_the_login_or_of_sudo(self):
        self.init()
        self.journal()
        self.write("etc/passwd", pathlib.Path(self.passwd).read_text(encoding="utf-8") +
                   "dana:x:60023:60023::/:/bin/false\n")
        base = ("--database", self.database, "account")
        # A bind mount in place of a login, which a test cannot make.
        mount = 'echo %d >/run/login && mount --bind /run/login /proc/$$/loginuid && exec "$@"'
        none, own = (("sh", "-c", mount % uid, "-") for uid in (4294967295, 60023))
        for name, prefix, who in (("a", none, "root"), ("b", (*none, "env", "SUDO_USER=eve"), "eve"),
                                  ("c", (*own, "env", "SUDO_USER=eve"), "dana")):
            result = self.run_with_files(*base, "add", name, prefix=prefix)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            (entry,) = self.journal()
            self.assertEqual(entry["EXC_WHO"], who)
            self.assertEqual(entry["MESSAGE"], f"iam:account:create exc:iam:account/{name}: done by {who}")
        # The API's user cannot name another.
        as_user = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "SUDO_USER=eve")
        self.assertEqual(self.run_with_files(*base, "add", "d", prefix=(*none, *as_user)).returncode, 0)
        self.assertEqual(self.journal()[0]["EXC_WHO"], "exc-api")

    def test_without_a_journal_the_change_is_made_and_reported(self):
        self.init()
        os.unlink(self.path("journal/socket"))
        result = self.run_root("account", "add", "ada")
        self.assertEqual(result.returncode, 0)
        self.assertIn("the change was made, and is not recorded: iam:account:create exc:iam:account/ada", result.stderr)
        self.assertEqual(len(self.items("account", "list")), 2)

    # --- configuration ------------------------------------------------------------------------------------------------

    def configure(self, api, signer=None):
        for name, section, lines in (("exc-compute/api.conf", "Api", api), ("exc-signer/signer.conf", "Signer", signer)):
            if lines is not None:
                os.makedirs(os.path.dirname(self.path(f"etc/{name}")), exist_ok=True)
                self.write(f"etc/{name}", "\n".join([f"[{section}]", *lines, ""]))

    def test_paths_are_those_of_the_configuration(self):
        self.configure([f"Database={self.database}", f"Audit={self.audit}", "Node=n", "NotKnown=1"],
                       ["Key=/nonexistent", f"Log={self.signer_log}"])
        result = self.run_with_files("init")
        self.assertEqual(result.returncode, 0, result)
        self.assertEqual(self.owner_and_mode(self.database), (UID, UID, 0o600))
        self.assertTrue(os.path.isdir(self.audit))
        result = self.run_with_files("account", "list", "--json")
        self.assertEqual((result.returncode, result.stderr, json.loads(result.stdout)["name"]), (0, "", "admin"))
        result = self.run_with_files("audit", "verify")
        self.assertEqual(result.returncode, 1)
        self.assertIn(self.signer_log, result.stderr)  # which does not exist
        os.rmdir(self.audit)
        result = self.run_with_files("audit", "verify", "--no-signer-log")
        self.assertEqual(result.returncode, 1)
        self.assertIn(self.audit, result.stderr)

    def test_options_win_over_the_configuration(self):
        self.configure([f"Database={self.path('other/compute.db')}", "Node=n"])
        self.init()
        self.assertFalse(os.path.exists(self.path("other")))
        self.assertEqual(len(self.items("account", "list")), 1)

    def test_broken_configuration_is_an_error_where_it_is_needed(self):
        self.init()
        self.configure(["Workers=none"])
        result = self.run_with_files("account", "list")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"api.conf:2: Workers: .*; fix this, or give --database\n\Z")
        self.assertEqual(len(self.items("account", "list")), 1)

    # --- accounts and tokens ------------------------------------------------------------------------------------------

    def test_accounts(self):
        self.init()
        self.admin("account", "add", "ada@example.org")
        self.refused(5, "exists already", "account", "add", "ada@example.org")
        self.refused(4, "policy none: there is none of that name", "account", "add", "bob", "--policy", "none")
        self.assertEqual(len(self.items("account", "list")), 2)
        self.assertRegex(self.admin("account", "list"),
                         r"\AACCOUNT +CREATED +POLICIES\nada@example.org +\S+Z +-\nadmin +\S+Z +Admin\n\Z")
        self.admin("account", "delete", "ada@example.org")
        self.refused(4, "none of that name", "account", "delete", "ada@example.org")
        for name in ("", "-x", "a b", "a/b", "a'b", "ä", "a" * 65, "x\n"):
            self.refused(2, "a name has 1 to 64", "account", "add", "--", name)

    def test_tokens(self):
        self.init()
        self.admin("account", "add", "ada")
        made = json.loads(self.admin("token", "create", "ada", "--json", "--expires-in", "1s"))
        self.refused(4, "there is none of that name", "token", "create", "bob")
        self.refused(4, "there is none of that name", "token", "create", "x" * 200)
        listed = self.items("token", "list", "ada")
        self.assertEqual(listed, [{name: made[name] for name in ("id", "account", "created_at", "expires_at")}])
        self.assertEqual(len(self.items("token", "list")), 2)
        self.refused(4, "none of that name", "token", "list", "bob")
        self.change("UPDATE token SET expires = 5 WHERE account = 'ada'")
        self.assertRegex(self.admin("token", "list", "ada"), rf"{made['id']} +ada +\S+Z +expired\n")
        self.admin("token", "delete", made["id"])
        self.refused(4, "none of that name", "token", "delete", made["id"])
        for wrong in ("0", "-1", "1w", "", "d", "3651d", "99999999999999999999", "1 d", "0x10"):
            self.refused(2, "expected a time as in 90d", "token", "create", "ada", f"--expires-in={wrong}")

    # --- policies -----------------------------------------------------------------------------------------------------

    def test_policy_is_put_and_got_as_it_was(self):
        self.init()
        text = json.dumps(ALLOW, indent=4) + "\n"
        self.admin("policy", "put", "ops", "-", stdin=text)
        self.assertEqual(self.admin("policy", "get", "ops"), text)
        first, = self.items("policy", "get", "ops")
        self.assertEqual(first["document"], ALLOW)
        self.admin("policy", "put", "ops", "-", stdin=json.dumps(ALLOW))
        second, = self.items("policy", "get", "ops")
        self.assertGreater(second["version"], first["version"])
        self.assertEqual([policy["name"] for policy in self.items("policy", "list")], ["Admin", "ops"])
        self.assertRegex(self.admin("policy", "list"), r"\APOLICY +VERSION +CREATED +CHANGED\nAdmin +1 ")
        self.assertIn('"Resource":"*"', self.admin("policy", "get", "Admin"))

    def test_policy_that_is_none_is_refused(self):
        self.init()
        for text in ("", "{}", "[]", "{", json.dumps({**ALLOW, "Version": "1"}), json.dumps({**ALLOW, "More": 1}),
                     json.dumps({**ALLOW, "Statements": [{**ALLOW["Statements"][0], "Effect": "Maybe"}]}),
                     " " * 40000 + json.dumps(ALLOW)):
            self.refused(6, "-: ", "policy", "put", "ops", "-", stdin=text)
        self.refused(1, "cannot open", "policy", "put", "ops", self.path("absent"))
        self.refused(1, "cannot read", "policy", "put", "ops", self.directory)
        self.refused(2, "a name has 1 to 64", "policy", "put", "a/b", "-", stdin=json.dumps(ALLOW))
        self.refused(4, "none of that name", "policy", "get", "ops")

    def test_unknown_condition_is_a_warning(self):
        self.init()
        statement = {**ALLOW["Statements"][0], "Condition": {"IpAddres": {"exc:SourceIp": "10.0.0.0/8"}}}
        text = json.dumps({**ALLOW, "Statements": [*ALLOW["Statements"], statement]})
        result = self.run_root("policy", "put", "ops", "-", stdin=text)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("-: statement 2: has a condition that is not known here", result.stderr)
        self.assertEqual(self.admin("policy", "get", "ops"), text + "\n")

    def test_admin_policy_stays(self):
        self.init()
        self.refused(5, "it stays as it is", "policy", "put", "Admin", "-", stdin=json.dumps(ALLOW))
        self.refused(5, "cannot be deleted", "policy", "delete", "Admin")

    def test_policies_are_attached_and_detached(self):
        self.init()
        self.admin("account", "add", "ada")
        self.admin("policy", "put", "ops", "-", stdin=json.dumps(ALLOW))
        self.refused(4, "policy opsy", "policy", "attach", "opsy", "ada")
        self.refused(4, "account adam", "policy", "attach", "ops", "adam")
        self.refused(4, "not attached to the account ada", "policy", "detach", "ops", "ada")
        self.admin("policy", "attach", "ops", "ada")
        self.admin("policy", "attach", "ops", "ada")
        self.admin("policy", "detach", "ops", "ada")
        self.admin("policy", "attach", "ops", "ada")
        self.admin("policy", "delete", "ops")
        self.refused(4, "none of that name", "policy", "delete", "ops")
        self.assertEqual(self.items("account", "list")[0]["policies"], [])

    def test_policy_file_may_be_roots_alone(self):
        self.init()
        name = self.write("ops.json", json.dumps(ALLOW))
        os.chmod(name, 0o600)
        self.admin("policy", "put", "ops", name)

    # --- instances ----------------------------------------------------------------------------------------------------

    def test_instance_is_put_and_shown(self):
        self.init()
        self.admin("instance", "put", "42", "--host", "h1", "--name", "web é", "--default-user", "debian",
                   "--public-ipv4", "192.0.2.1", "--private-ipv4", "10.0.0.1", "--ipv6", "2001:DB8:0::1", "--port", "2222",
                   "--tunnel")
        shown, = self.items("instance", "get", "42")
        self.assertTrue(shown.pop("created_at"))
        self.assertEqual(shown, {
            "id": "42", "name": "web é", "host": "h1", "default_user": "debian", "addresses": {
                "public_ipv4": "192.0.2.1", "private_ipv4": "10.0.0.1", "ipv6": "2001:db8::1", "port": 2222},
            "keypair": None, "tunnel": True, "channel": None, "state": None, "version": 1})
        self.assertIn("Public IPv4:   192.0.2.1\n", self.admin("instance", "get", "42"))
        self.admin("instance", "put", "42", "--host", "h1")
        shown, = self.items("instance", "get", "42")
        self.assertEqual((shown["name"], shown["tunnel"], shown["addresses"]["port"], shown["version"]),
                         (None, False, None, 2))
        self.admin("instance", "put", "43", "--host", "h1", "--name", "db")
        self.assertEqual([instance["id"] for instance in self.items("instance", "list")], ["42", "43"])
        self.assertEqual([instance["id"] for instance in self.items("instance", "list", "--name", "db")], ["43"])
        self.assertRegex(self.admin("instance", "list"), r"\AINSTANCE +NAME +HOST +USER +ADDRESS +CHANNEL +STATE\n42 ")

    def test_deleted_id_is_never_used_again(self):
        self.init()
        self.admin("instance", "put", "42", "--host", "h1")
        self.admin("instance", "delete", "42")
        self.refused(4, "none of that name", "instance", "delete", "42")
        self.refused(4, "none of that name", "instance", "get", "42")
        self.refused(5, "never used again", "instance", "put", "42", "--host", "h1")

    def test_names_and_ids_do_not_meet(self):
        self.init()
        self.admin("instance", "put", "42", "--host", "h1", "--name", "web")
        self.refused(5, "its name is another's", "instance", "put", "43", "--host", "h1", "--name", "web")
        self.refused(5, "or an id", "instance", "put", "43", "--host", "h1", "--name", "42")
        self.refused(5, "its id is another's name", "instance", "put", "web", "--host", "h1")

    def test_keypair_of_an_instance(self):
        self.init()
        self.refused(4, "the key pair does not exist", "instance", "put", "42", "--host", "h1", "--keypair", "admin/k")
        self.change("INSERT INTO keypair VALUES ('admin', 'k', 'ssh-ed25519', 'ssh-ed25519 AAAA', 'f', 'm', 1)")
        self.admin("instance", "put", "42", "--host", "h1", "--keypair", "admin/k")
        self.assertEqual(self.items("instance", "get", "42")[0]["keypair"], {"account": "admin", "name": "k"})

    def test_wrong_values_are_refused(self):
        self.init()
        for wrong in ("", "connect", "A", "-x", "a/b", "é", "x" * 65, "'; DROP TABLE instance; --", "../x"):
            self.refused(2, "an id has 1 to 64", "instance", "put", "--host", "h1", "--", wrong)
        for option, value in (("--host", "a b"), ("--host", ""), ("--default-user", "-oProxyCommand=x"),
                              ("--default-user", "a\nb"), ("--public-ipv4", "1.2.3"), ("--public-ipv4", "-1.2.3.4"),
                              ("--public-ipv4", "host"), ("--private-ipv4", "::1"), ("--ipv6", "1.2.3.4"),
                              ("--ipv6", "::ffff:1.2.3.4"), ("--ipv6", "fe80::1%eth0"), ("--port", "0"),
                              ("--port", "65536"), ("--port", "22x"), ("--keypair", "k"), ("--keypair", "a/b/c"),
                              ("--keypair", "/k"), ("--name", ""), ("--name", "a\x1b[2J"), ("--name", "x" * 257)):
            options = [f"{option}={value}"] + ([] if option == "--host" else ["--host=h1"])
            self.refused(2, option, "instance", "put", "42", *options)
        self.assertEqual(self.items("instance", "list"), [])

    def test_lists_are_longer_than_a_page(self):
        self.init()
        self.change("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2500) "
                    "INSERT INTO instance SELECT 'i' || i, NULL, 'h', '', '', '', '', 0, NULL, NULL, 0, '', '', 0, 1, 1 FROM c")
        self.assertEqual({instance["id"] for instance in self.items("instance", "list")},
                         {f"i{number}" for number in range(1, 2501)})
        self.assertEqual(len(self.admin("instance", "list").splitlines()), 2501)

    # --- host keys ----------------------------------------------------------------------------------------------------

    def test_host_keys_are_shown_and_accepted(self):
        self.init()
        self.refused(4, "none of that name", "host-keys", "42")
        self.admin("instance", "put", "42", "--host", "h1")
        self.assertEqual(self.admin("host-keys", "42"), "Kept:          none\nWaiting:       none\n")
        self.refused(4, "no host keys wait", "host-keys", "42", "--accept")
        self.change("INSERT INTO host_key VALUES ('42', 0, 0, 'ssh-ed25519 AAAA');"
                    f"INSERT INTO host_key VALUES ('42', 1, 0, '{ED25519}')")
        self.assertIn(f"Waiting:       {FINGERPRINT} ssh-ed25519\n", self.admin("host-keys", "42"))
        accepted = {"kept": [{"type": "ssh-ed25519", "fingerprint": FINGERPRINT, "key": ED25519}], "waiting": []}
        self.assertEqual(self.items("host-keys", "42", "--accept"), [accepted])
        self.assertEqual(self.items("host-keys", "42"), [accepted])

    # --- audit --------------------------------------------------------------------------------------------------------

    def write_log(self, directory, name, events):
        """As line_log.h has it. Returns the hash of each line."""
        os.makedirs(directory, exist_ok=True)
        hashes, lines = ["0" * 64], []
        for number, event in enumerate(events, 1):
            line = json.dumps({"time": "2026-01-01T00:00:00.000000Z", "seq": number, "prev": hashes[-1], **event},
                              separators=(",", ":"))
            lines.append(line)
            hashes.append(hashlib.sha256(line.encode()).hexdigest())
        with open(f"{directory}/{name}-0000000000000001.jsonl", "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
        return hashes[1:]

    def write_logs(self, audited=2):
        events = []
        for request in ("r1", "r2"):
            common = {"node": "n", "request_id": request, "action": "compute:instance:connect", "vm_id": "42"}
            events += [{**common, "kind": "decision", "decision": {"effect": "Allow"}},
                       {**common, "kind": "outcome", "outcome": {"status": 200}}]
        heads = self.write_log(self.audit, "n", events)
        self.write_log(self.audit, "n", events[:2 * audited])
        self.write_log(self.signer_log, "signer", [
            {"kind": "push", "outcome": "signed", "request_id": request, "instance": "42", "audit_head": head}
            for request, head in (("r1", heads[0]), ("r2", heads[2]))])
        os.chmod(self.signer_log, 0o700)  # root's, as the signer's is the signer's
        return self.audit, self.signer_log

    def test_whole_audit_log_is_verified(self):
        audit, signer_log = self.write_logs()
        report, = self.items("audit", "verify", "--audit", audit, "--signer-log", signer_log)
        self.assertEqual(report, {"lines": 4, "decisions": 2, "outcomes": 2, "signed_requests": 2, "faults": 0})
        self.assertIn("Faults:        0\n", self.admin("audit", "verify", "--audit", audit, "--signer-log", signer_log))

    def test_audit_log_that_was_cut_off_is_found(self):
        audit, signer_log = self.write_logs(audited=1)
        result = self.run_root("audit", "verify", "--audit", audit, "--signer-log", signer_log)
        self.assertEqual(result.returncode, 7, result)
        self.assertIn("signer-0000000000000001.jsonl:2: removed or changed", result.stderr)
        self.assertIn("Faults:        1\n", result.stdout)
        result = self.run_root("audit", "verify", "--audit", audit, "--signer-log", signer_log, "--json")
        fault, report = map(json.loads, result.stdout.splitlines())
        self.assertEqual((fault["file"], fault["line"], report["faults"]), ("signer-0000000000000001.jsonl", 2, 1))
        self.assertIn("not compared", self.admin("audit", "verify", "--audit", audit, "--no-signer-log"))

    def test_audit_log_that_cannot_be_read_is_an_error(self):
        self.refused(1, "No such file", "audit", "verify", "--audit", self.path("absent"), "--no-signer-log")
        audit, _ = self.write_logs()
        self.refused(1, "No such file", "audit", "verify", "--audit", audit, "--signer-log", self.path("absent"))

    # --- the command line ---------------------------------------------------------------------------------------------

    def test_usage(self):
        for arguments, phrase in (([], "a command is missing"), (["frobnicate"], "no such command"),
                                  (["account"], "a command is missing"),
                                  (["account", "frob"], "account frob: no such command"),
                                  (["account", "add"], "expected: exc-compute-admin account add NAME"),
                                  (["account", "add", "a", "b"], "b: unexpected argument"),
                                  (["account", "list", "--host", "h"], "account list takes no such option"),
                                  (["instance", "put", "42"], "--host is missing"),
                                  (["init", "x"], "x: unexpected argument"),
                                  (["init", *"abcdefgh"], "h: one argument too many"),
                                  (["account", "list", "--nonsense"], "nonsense"),
                                  (["account", "add", b"\xff"], "it is not UTF-8"),
                                  (["instance", "put", "42", "--host", b"\xff"], "it is not UTF-8"),
                                  (["token", "create", "a", "--expires-in", "1d", "--expires-in", "2d"], "given twice")):
            result = self.run_root(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), result)
            self.assertIn(phrase, result.stderr)
            self.assertRegex(result.stderr, r"\nexc-compute-admin: see: exc-compute-admin [a-z ]*--help\n\Z")
        self.assertFalse(os.path.exists(self.path("state")))

    def test_help_and_version(self):
        result = self.run_as_is("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for command in ("init", "account add NAME", "token create ACCOUNT", "policy attach NAME ACCOUNT",
                        "instance put ID", "host-keys ID", "audit verify"):
            self.assertIn(f"  {command}", result.stdout)
        part = self.run_as_is("token", "--help").stdout
        self.assertIn("token delete ID", part)
        self.assertNotIn("account delete", part)
        for words, options in (("account add", ["policy"]), ("init", ["expires-in", "audit"]), ("host-keys", ["accept"]),
                               ("instance put", ["host", "name", "default-user", "public-ipv4", "private-ipv4", "ipv6",
                                                 "port", "keypair", "tunnel"]),
                               ("audit verify", ["audit", "signer-log", "no-signer-log"])):
            part = self.run_as_is(*words.split(), "--help").stdout
            self.assertEqual(re.findall(r"^  --([a-z0-9-]+)", part, re.M),
                             [*options, "json", "database", "user", "version"])
        self.assertRegex(self.run_as_is("--version").stdout, r"\Aexc-compute-admin \d")

    def test_answer_that_cannot_be_written_is_a_failure(self):
        self.init()
        mount = 'mount --bind "$0" /etc/passwd && exec "$@" >/dev/full'
        result = self.run_as_is("--database", self.database, "account", "list",
                                prefix=("unshare", "-m", "sh", "-c", mount, self.passwd))
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write the answer", result.stderr)


if __name__ == "__main__":
    unittest.main()
