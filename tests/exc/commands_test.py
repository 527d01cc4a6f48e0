# SPDX-License-Identifier: Apache-2.0
"""Each command, against a real control plane."""

import json
import pathlib
import stat
import subprocess

import cloud
from api import allow
from client import Exc
from cloud import Cloud, fingerprint


def own_key_is_sent_and_revoked():
    plane = Cloud()
    plane.register("42", name="web", addresses={"private_ipv4": "10.1.2.3", "port": 2222})
    exc = Exc(plane)
    path, key = exc.key()
    done = exc.good("compute", "send-public-key", "--vm_id", "42", "--user", "alice", "--public-key", path)
    assert f"ssh -i {exc.home}/own -o IdentitiesOnly=yes -o HostKeyAlias=exc-vm-42 -p 2222 alice@10.1.2.3" in done.out, done
    assert plane.guest.fingerprints() == {fingerprint(key)}
    (row,) = plane.guest.listed()
    assert (row["user"], row["connections"]) == ("alice", 0), row
    assert exc.good("compute", "revoke", "alice@42").out == "1 key revoked\n"
    assert plane.guest.fingerprints() == set()
    for how in (["--vm-id=42", "--fingerprint", fingerprint(key)], ["42", "--all"], ["--vm_id", "web", "--user", "alice"]):
        exc.good("compute", "send-public-key", "alice@web", "--public_key", "-", "--ttl=30",
                 "--connections", "2", stdin=path.read_text())
        (row,) = plane.guest.listed()
        assert row["connections"] == 2, row
        answer = exc.good("compute", "revoke", *how, "-o", "json").json
        assert (answer["revoked"], answer["outcome"]) == (1, "done"), (how, answer)
    assert plane.guest.fingerprints() == set()


def vm_is_named_by_id_or_name():
    plane = Cloud(guests=("42", "43"))
    plane.register("42", name="web")
    plane.register("43", name="Büro 1")
    exc = Exc(plane)
    assert exc.good("compute", "instance", "show", "42", "-o", "json").json["name"] == "web"
    assert exc.good("compute", "instance", "show", "web", "-ojson").json["id"] == "42"
    assert exc.good("compute", "instance", "show", "--vm_id", "Büro 1", "-ojson").json["id"] == "43"
    listed = exc.good("compute", "instance", "list").out.splitlines()
    assert listed[0].split()[:3] == ["ID", "NAME", "HOST"] and len(listed) == 3, listed
    assert [row["id"] for row in exc.good("-o", "json", "compute", "instance", "list", "--name", "web").json] == ["42"]
    none = exc.good("compute", "instance", "list", "--name", "nobody")
    assert (none.out, none.err) == ("", "None that you may see\n"), none
    exc.fails(4, "compute", "instance", "show", "nobody", says=["VM nobody: there is none with this id or name",
                                                                "exc compute instance list"])
    exc.fails(4, "compute", "instance", "show", "No Body", says="there is none with this id or name")


def name_is_found_where_its_id_alone_is_allowed():
    plane = Cloud()
    plane.register("42", name="web")
    token = plane.api.account("dev", allow("compute:instance:*", "exc:compute:instance/42"))
    exc = Exc(plane, token=token)
    assert exc.good("compute", "instance", "show", "web", "-o", "json").json["id"] == "42"
    exc.fails(7, "compute", "instance", "show", "other", says="denied")


def host_keys_are_accepted():
    plane = Cloud()
    exc = Exc(plane)
    path, _ = exc.key()
    send = "compute", "send-public-key", "alice@42", "--public-key", path
    exc.good(*send)
    other = pathlib.Path(f"{exc.home}.host_key.pub")  # where the agent can read it
    other.write_text(exc.key("host_key")[0].read_text())
    plane.guest.show_host_key(other)
    exc.fails(12, *send, says=["host keys have changed", "exc compute instance accept-host-keys"])
    exc.good("compute", "instance", "accept-host-keys", "42")
    done = exc.good(*send)
    assert "exc-vm-42 " + " ".join(other.read_text().split()[:2]) in done.out, done


def key_pairs_are_made_imported_and_deleted():
    exc = Exc(Cloud(guests=()))
    create = "compute", "keypair", "create", "deploy"
    done = exc.good(*create)
    path = exc.home / "deploy"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    assert fingerprint(public) in done.out and "PRIVATE" not in done.out, done
    before = path.read_text()
    exc.fails(1, *create, says="is not overwritten")
    # What the API refuses leaves no file.
    exc.fails(5, *create, "--file", "other", says="key pair deploy")
    assert path.read_text() == before and not (exc.home / "other").exists()
    done = exc.good("compute", "keypair", "create", "big", "--type", "rsa", "--file", "big.pem", "-o", "json")
    assert done.json["type"] == "rsa" and "private_key" not in done.json and done.json["file"] == "big.pem", done
    own, key = exc.key()
    exc.good("compute", "keypair", "import", "mine", "--public-key", own)
    rows = {row["name"]: row for row in exc.good("compute", "keypair", "list", "-o", "json").json}
    assert set(rows) == {"deploy", "big", "mine"} and rows["mine"]["fingerprint"] == fingerprint(key), rows
    assert fingerprint(key) in exc.good("compute", "keypair", "show", "mine").out
    exc.good("compute", "keypair", "delete", "mine")
    exc.fails(4, "compute", "keypair", "show", "mine", says="key pair mine: there is none")
    exc.fails(2, "compute", "keypair", "create", "x", "--type", "dsa", says="expected ed25519 or rsa")


def accounts_tokens_and_policies_are_administered():
    plane = Cloud()
    exc = Exc(plane)
    exc.good("iam", "account", "create", "dev")
    exc.fails(5, "iam", "account", "create", "dev", says="account dev")
    done = exc.good("iam", "token", "create", "dev", "--expires-in", "600")
    token = done.out.strip()
    assert len(token) == 56 and token not in done.err, done
    dev = Exc(plane, token=token)
    dev.fails(7, "compute", "instance", "show", "42", says="compute:instance:get")
    document = {"Version": "2024-03-05", "Statements": [allow("compute:instance:*", "exc:compute:instance/42")]}
    (exc.home / "policy.json").write_text(json.dumps(document))
    first = exc.good("iam", "policy", "put", "dev", "policy.json", "-o", "json").json
    second = exc.good("iam", "policy", "put", "dev", "-", "-o", "json", stdin=json.dumps(document)).json
    assert second["version"] > first["version"] and second["created_at"] == first["created_at"], (first, second)
    exc.good("iam", "policy", "attach", "dev", "dev")
    dev.good("compute", "instance", "show", "42")
    assert json.loads(exc.good("iam", "policy", "show", "dev").out) == document
    assert exc.good("iam", "account", "show", "dev", "-o", "json").json["policies"] == ["dev"]
    assert {row["name"] for row in exc.good("iam", "policy", "list", "-o", "json").json} == {"Admin", "dev"}
    assert "dev" in exc.good("iam", "account", "list").out
    exc.good("iam", "policy", "detach", "dev", "dev")
    dev.fails(7, "compute", "instance", "show", "42")
    exc.good("iam", "policy", "delete", "dev")
    (row,) = exc.good("iam", "token", "list", "dev", "-o", "json").json
    assert "token" not in row and row["id"] == token.split("_")[1], row
    assert row["account"] in exc.good("iam", "token", "show", row["id"]).out
    exc.good("iam", "token", "delete", row["id"])
    dev.fails(6, "compute", "instance", "list", says="the token is unknown or has expired")
    exc.good("iam", "account", "delete", "dev")
    exc.fails(4, "iam", "account", "show", "dev", says="account dev: there is none")
    bad = {"Version": "2024-03-05", "Statements": []}
    exc.fails(2, "iam", "policy", "put", "bad", "-", stdin=json.dumps(bad), says="policy bad")
    exc.fails(2, "iam", "policy", "put", "bad", "-", stdin="{", says="it is not a JSON object")


def list_has_all_pages():
    plane = Cloud(guests=())
    for i in range(250):
        assert plane.api.put(f"/compute/instance/vm{i}", {"host": "hv1"}).status == 201
    exc = Exc(plane)
    assert len(exc.good("compute", "instance", "list", "-o", "json").json) == 250
    assert len(exc.good("compute", "instance", "list").out.splitlines()) == 251


def steps_are_said_without_secrets():
    plane = Cloud()
    exc = Exc(plane)
    path, _ = exc.key()
    done = exc.good("compute", "send-public-key", "alice@42", "--public-key", path, "--verbose")
    assert "POST /compute/instance/connect" in done.err and "request id" in done.err, done
    done = exc.good("iam", "token", "create", "admin", "-v")
    assert done.out.strip() not in done.err and plane.api.token not in done.err, done


def shells_are_told_what_may_stand_next():
    plane = Cloud(guests=())
    for vm_id, name in ("42", "web"), ("43", "a; b"):
        plane.register(vm_id, name=name)
    exc = Exc(plane)

    def next_of(*words):
        return exc.good("complete", "--", *words).out.split()

    assert next_of("") == ["login", "config", "compute", "iam", "completion", "help"]
    assert next_of("compute", "instance", "") == ["list", "show", "accept-host-keys"]
    assert "--public-key" in next_of("compute", "send-public-key", "-")
    assert next_of("compute", "send-public-key", "--public_key", "") == [":files"]
    assert next_of("-o", "") == ["json", "text"]
    assert next_of("compute", "revoke", "") == ["web", "43"]
    assert next_of("compute", "revoke", "alice@") == ["alice@web", "alice@43"]
    assert next_of("compute", "revoke", "--vm-id", "") == ["web", "43"]
    # What fails says nothing: somebody is typing.
    assert exc.good("complete", "--", "compute", "revoke", "", EXC_ENDPOINT="unix:/nowhere").err == ""
