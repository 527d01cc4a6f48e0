# SPDX-License-Identifier: Apache-2.0
"""The register of instances and key pairs."""

import base64
import hashlib
import subprocess
import tempfile

from cryptography.hazmat.primitives import serialization

from api import allow, server

ADDRESSES = {"public_ipv4": "192.0.2.1", "private_ipv4": "10.0.0.1", "ipv6": "2001:db8::1", "port": 22}
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMrv2568vqY2LUmR1ANpT0u05VD80tZMWCJNsbvhqqsm"


def instances_are_put_got_and_deleted():
    with server() as api:
        body = {"name": "web", "host": "h1", "default_user": "debian", "addresses": ADDRESSES, "tunnel": True}
        made = api.put("/compute/instance/42", body)
        assert made.status == 201, made
        got = api.get("/compute/instance/42")
        assert got.json == made.json and got.headers["ETag"] == made.headers["ETag"]
        for name, value in {**body, "id": "42", "keypair": None, "state": None, "channel": None}.items():
            assert got.json[name] == value, (name, got)
        # What is absent is none.
        replaced = api.put("/compute/instance/42", {"host": "h2"}, headers={"If-Match": got.headers["ETag"]})
        assert replaced.status == 200 and replaced.json["name"] is None and replaced.json["tunnel"] is False
        assert replaced.json["addresses"] == dict.fromkeys(ADDRESSES)
        assert api.put("/compute/instance/42", {"host": "h"}, headers={"If-Match": got.headers["ETag"]}).status == 412
        assert api.put("/compute/instance/42", {"host": "h"}, headers={"If-None-Match": "*"}).status == 412
        assert api.delete("/compute/instance/42", headers={"If-Match": got.headers["ETag"]}).status == 412
        assert api.delete("/compute/instance/42").status == 204
        assert api.delete("/compute/instance/42").status == 404
        assert api.get("/compute/instance/42").status == 404
        # Its id names one machine for ever.
        assert api.put("/compute/instance/42", {"host": "h"}).error == "Conflict"


def one_vm_has_one_identity():
    with server() as api:
        assert api.put("/compute/instance/a1", {"host": "h", "name": "web"}).status == 201
        assert api.put("/compute/instance/a2", {"host": "h", "name": "web"}).error == "Conflict"
        assert api.put("/compute/instance/a2", {"host": "h", "name": "a1"}).error == "Conflict"
        assert api.put("/compute/instance/web", {"host": "h"}).error == "Conflict"
        assert api.get("/compute/instance/web").status == 404
        for id in "connect", "A1", "-a", "a_", "x" * 65, "%2e%2e", "a%20b", "*":
            answer = api.put("/compute/instance/" + id, {"host": "h"})
            assert answer.status in (400, 405) if id != "a_" else answer.status == 201, (id, answer)


def wrong_values_are_refused_at_put():
    with server() as api:
        for field, values in {
                "host": [None, "", "-h", "a b", 1, "h/1"],
                "name": ["", "a\nb", "\x7f", "n" * 257, 1],
                "default_user": ["", "-oProxyCommand=x", "a\0b", "u" * 257, None],
                "keypair": ["none", "a/b", 1],
                "addresses": [[], "192.0.2.1", None],
                "tunnel": [1, "yes", None]}.items():
            for value in values:
                answer = api.put("/compute/instance/42", {"host": "h", field: value})
                assert answer.status == 400, (field, value, answer)
        for name, values in {
                "public_ipv4": ["-oProxyCommand=x", "example.org", "::1", "192.0.2.1/24", "127.1", ""],
                "ipv6": ["-6", "192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0"],
                "port": [0, 65536, -1, "22", 22.0], "x": [1]}.items():
            for value in values:
                answer = api.put("/compute/instance/42", {"host": "h", "addresses": {name: value}})
                assert answer.status == 400 and answer.json["field"] == "addresses." + name, (name, value, answer)
        assert api.get("/compute/instance/42").status == 404


def put_needs_put_and_get_shows_less():
    with server() as api:
        reader = api.account("reader", allow("compute:instance:get"))
        api.put("/compute/instance/42", {"host": "h", "addresses": ADDRESSES})
        shown = api.get("/compute/instance/42", token=reader).json
        assert not {"addresses", "channel", "state"} & set(shown), shown
        assert api.put("/compute/instance/42", {"host": "h2"}, token=reader).status == 403
        assert api.delete("/compute/instance/42", token=reader).status == 403
        assert api.post("/compute/instance/42/accept-host-keys", token=reader).status == 403
        assert api.post("/compute/instance/43/accept-host-keys").status == 404
        answer = api.post("/compute/instance/42/accept-host-keys")
        assert answer.status == 404 and "none wait" in answer.json["message"], answer


def _assert_private_half(made):
    """ssh-keygen reads it, and it is the public half's."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(made["private_key"])
        file.flush()
        public = subprocess.run(["ssh-keygen", "-y", "-P", "", "-f", file.name], check=True, capture_output=True, text=True)
        shown = subprocess.run(["ssh-keygen", "-l", "-f", file.name], check=True, capture_output=True, text=True)
    assert public.stdout.split()[:2] == made["public_key"].split(), (public, made["public_key"])
    assert shown.stdout.split()[1] == made["fingerprint"]


def key_pairs_are_made_and_the_private_half_is_answered_once():
    with server() as api:
        made = api.post("/compute/keypair", {"name": "e", "type": "ed25519"})
        assert made.status == 201 and made.headers["Cache-Control"] == "no-store", made
        _assert_private_half(made.json)
        assert made.json["private_key"].endswith("-----END OPENSSH PRIVATE KEY-----\n")
        assert made.json["fingerprint_md5"] == made.json["fingerprint"].removeprefix("SHA256:") + "="
        rsa = api.post("/compute/keypair", {"name": "r", "type": "rsa"}).json
        _assert_private_half(rsa)
        key = serialization.load_ssh_private_key(rsa["private_key"].encode(), None)
        der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        assert rsa["fingerprint_md5"].replace(":", "") == hashlib.sha1(der).hexdigest()
        got = api.get("/compute/keypair/e")
        assert got.json == {n: v for n, v in made.json.items() if n != "private_key"}, got
        assert [item["name"] for item in api.get("/compute/keypair").json["items"]] == ["e", "r"]
        assert api.post("/compute/keypair", {"name": "e", "type": "rsa"}).error == "Conflict"
        secret = base64.b64decode("".join(made.json["private_key"].splitlines()[1:-1]))[-100:-40]
        for path in [api.database, *api.directory.glob("compute.db-*"), *api.audit_directory.iterdir(), api.log]:
            assert secret not in path.read_bytes() and b"PRIVATE KEY" not in path.read_bytes(), path


def key_pairs_are_imported():
    with server() as api:
        made = api.post("/compute/keypair", {"name": "k", "public_key": ED25519 + " alice@example\n"})
        assert made.status == 201 and "private_key" not in made.json and made.json["public_key"] == ED25519, made
        assert (made.json["type"], made.json["fingerprint"]) == ("ed25519",
                                                                 "SHA256:cSWuwB8EeQaN+me93uJw1gcPbxRtZJXDJ0/0+9KpfjE")
        for key in ("", "restrict " + ED25519, "command=\"x\" " + ED25519, "@cert-authority * " + ED25519,
                    ED25519 + "\n" + ED25519, "ssh-rsa AAAA", "ssh-dss AAAA", "x" * 9000, 1, None):
            answer = api.post("/compute/keypair", {"name": "x", "public_key": key})
            assert answer.status == 400 and answer.json["field"] == "public_key", (key, answer)
        for body in ({"name": "x"}, {"name": "x", "type": "dsa"}, {"name": "x", "type": "rsa", "public_key": ED25519},
                     {"type": "rsa"}, {"name": "a/b", "type": "rsa"}):
            assert api.post("/compute/keypair", body).status == 400, body


def key_pairs_are_an_accounts_own():
    with server() as api:
        bob = api.account("bob", allow("compute:*"))
        assert api.post("/compute/keypair", {"name": "k", "public_key": ED25519}).status == 201
        assert api.get("/compute/keypair/k", token=bob).status == 404
        assert api.delete("/compute/keypair/k", token=bob).status == 404
        assert api.post("/compute/keypair", {"name": "k", "type": "ed25519"}, token=bob).status == 201
        assert api.get("/compute/keypair/k").json["public_key"] == ED25519
        # An instance names a pair of the caller's.
        assert api.put("/compute/instance/42", {"host": "h", "keypair": "k"}).json["keypair"] == "k"
        deleted = api.delete("/compute/keypair/k")
        assert deleted.status == 200 and [i["id"] for i in deleted.json["instances"]] == ["42"], deleted
        assert api.get("/compute/instance/42").json["keypair"] is None
        assert api.delete("/compute/keypair/k").status == 404
        assert api.get("/compute/keypair/k", token=bob).status == 200


def making_key_pairs_is_limited():
    with server("KeyPairLimit=30") as api:
        statuses = [api.post("/compute/keypair", {"name": f"k{n}", "type": "ed25519"}).status for n in range(7)]
        assert statuses == [201] * 5 + [429] * 2, statuses
