# SPDX-License-Identifier: Apache-2.0
"""What exc-signer signs, and what it refuses."""

import os
import pathlib
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signer import (FOREIGN_UID, HEAD, PUSH_TYPE, REVOKE_TYPE, Closed, Refused, Signer, public_line, push, refusal,
                    revocation)


def push_is_signed_and_logged():
    with Signer() as signer:
        asked = push(ttl=45, connections=3, sources=["192.0.2.0/24"], restrict=True)
        before = int(time.time())
        answer = signer.call("SignPush", asked)
        assert answer["envelope"]["payloadType"] == PUSH_TYPE
        payload, pae_hash = signer.verify(answer["envelope"])
        assert payload == {
            "aud": "exc:compute:instance/42", "user": "alice", "keys": asked["publicKeys"], "iat": answer["iat"],
            "exp": answer["exp"], "jti": answer["jti"], "ttl": 45, "connections": 3, "source": ["192.0.2.0/24"],
            "restrict": True, "principal": "operator", "requestId": "req-1",
        }, payload
        assert before <= payload["iat"] <= time.time()
        assert payload["exp"] - payload["iat"] == answer["ttl"] == 45
        (line,) = signer.lines()
        assert line["outcome"] == "signed" and line["kind"] == "push"
        assert (line["jti"], line["iat"], line["exp"], line["ttl"]) == (payload["jti"], payload["iat"], payload["exp"], 45)
        assert (line["principal"], line["request_id"], line["audit_head"]) == ("operator", "req-1", HEAD)
        assert (line["instance"], line["user"], line["fingerprints"]) == ("42", "alice", answer["fingerprints"])
        assert line["pae_sha256"] == pae_hash
        assert line["uid"] == 65534 and line["pid"] == os.getpid()


def every_push_has_an_id_of_its_own():
    with Signer() as signer:
        connection, asked = signer.connect(), push()
        assert len({connection.call("SignPush", asked)["jti"] for _ in range(20)}) == 20


def revocations_are_signed_for_all_users():
    with Signer() as signer:
        fingerprint = signer.call("SignPush", push())["fingerprints"][0]
        for choice in {"user": "root"}, {"all": True}, {"fingerprint": fingerprint}:
            answer = signer.call("SignRevoke", revocation(**choice))
            assert answer["envelope"]["payloadType"] == REVOKE_TYPE
            payload, _ = signer.verify(answer["envelope"])
            assert payload == choice | {"aud": "exc:compute:instance/42", "iat": answer["iat"], "exp": answer["exp"],
                                        "jti": answer["jti"]}
            assert 0 < payload["exp"] - payload["iat"] <= 300
        assert [line["outcome"] for line in signer.lines()] == ["signed"] * 4


def ecdsa_key_signs():
    with Signer(key=ec.generate_private_key(ec.SECP256R1())) as signer:
        signer.verify(signer.call("SignPush", push())["envelope"])
        assert signer.call("Status")["key"]["type"] == "ecdsa-p256"


def status_has_the_public_half():
    with Signer() as signer:
        status = signer.call("Status")
        public = signer.key.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)
        assert status["key"]["publicKey"] == public.decode()
        envelope = signer.call("SignPush", push())["envelope"]
        assert envelope["signatures"][0]["keyid"] == status["key"]["id"]
        refusal(signer.call, "SignPush", push(user="root"))
        signer.call("SignRevoke", revocation(all=True))
        status = signer.call("Status")
        assert (status["pushes"], status["revocations"], status["refused"]) == (1, 1, 1), status


def root_is_denied():
    with Signer() as signer:
        for user in "root", "Root", "ROOT":
            refused = refusal(signer.call, "SignPush", push(user=user))
            assert (refused.error, refused.parameters["field"]) == ("Denied", "user")
        assert [(line["outcome"], line["error"], line["user"]) for line in signer.lines()] == [
            ("refused", "Denied", user) for user in ("root", "Root", "ROOT")]


def instances_are_limited():
    with Signer("Instances=42 web-*\nDenyInstances=web-1\nAllowUsers=alice") as signer:
        signer.call("SignPush", push())
        signer.call("SignPush", push(instance="web-2"))
        for asked in push(instance="4"), push(instance="web-1"), push(user="bob"):
            assert refusal(signer.call, "SignPush", asked).error == "Denied"
        assert refusal(signer.call, "SignRevoke", revocation(instance="4", all=True)).error == "Denied"
        signer.call("SignRevoke", revocation(user="bob"))


def next_year_is_cut():
    year = 365 * 86400
    with Signer() as signer:
        payload, _ = signer.verify(signer.call("SignPush", push(ttl=year))["envelope"])
        assert payload["exp"] - payload["iat"] == payload["ttl"] == 300
        assert payload["iat"] <= time.time()
    with Signer("MaxTtl=3600") as signer:
        payload, _ = signer.verify(signer.call("SignPush", push(ttl=year))["envelope"])
        assert payload["exp"] - payload["iat"] == 300
        payload, _ = signer.verify(signer.call("SignPush", push(ttl=year, challenge="abc"))["envelope"])
        assert payload["exp"] - payload["iat"] == 3600
        assert payload["challenge"] == "abc"
    with Signer("MaxTtl=7") as signer:
        assert signer.call("SignPush", push())["ttl"] == 7
        for field in {"iat": int(time.time()) + year}, {"exp": int(time.time()) + year}, {"jti": "0" * 22}:
            refused = refusal(signer.call, "SignPush", push(**field))
            assert (refused.error, refused.parameters["field"]) == ("InvalidField", *field)


def given_bytes_are_not_signed():
    with Signer() as signer:
        for field in {"payload": "e30="}, {"envelope": {}}, {"aud": "exc:compute:instance/43"}, {"keys": []}:
            refused = refusal(signer.call, "SignPush", push(**field))
            assert (refused.error, refused.parameters["field"]) == ("InvalidField", *field)
        for name in "Sign", "SignBytes":
            assert refusal(signer.call, name, {}).error == "org.varlink.service.MethodNotFound"


def malformed_fields_are_logged_with_who_asked():
    with Signer() as signer:
        refused = refusal(signer.call, "SignPush", push(instance="exc:compute:instance/42"))
        assert (refused.error, refused.parameters["field"]) == ("InvalidField", "instance")
        refused = refusal(signer.call, "SignPush", push(publicKeys=['command="id" ' + push()["publicKeys"][0]]))
        assert (refused.error, refused.parameters["field"]) == ("InvalidField", "publicKeys")
        for line in signer.lines():
            assert (line["outcome"], line["error"], line["request_id"]) == ("refused", "InvalidField", "req-1")


def keys_that_fill_an_envelope_are_refused():
    keys = [public_line(rsa.generate_private_key(65537, 2048))]
    with Signer() as signer:
        connection = signer.connect()
        refused = refusal(connection.call, "SignPush", push(publicKeys=keys * 2))
        assert (refused.error, refused.parameters["field"]) == ("InvalidField", "publicKeys")
        connection.call("SignPush", push(publicKeys=keys))


def foreign_uid_is_denied_and_not_read():
    with Signer() as signer:
        connection = signer.connect(FOREIGN_UID)
        try:
            connection.reply()  # without a call
        except Refused as refused:
            assert refused.error == "PermissionDenied"
        try:
            connection.reply()
        except Closed:
            pass
        else:
            raise AssertionError("not closed")
        assert refusal(signer.connect(FOREIGN_UID).call, "SignPush", push()).error == "PermissionDenied"
        assert not signer.lines()
        signer.connect(0).call("Status")


def memory_is_protected():
    with Signer() as signer:
        signer.call("Status")
        process = pathlib.Path(f"/proc/{signer.process.pid}")
        # The kernel gives the files of a process that is not dumpable to root.
        assert (process / "environ").stat().st_uid == 0
        assert "Uid:\t60010\t" in (process / "status").read_text()
        limits = (process / "limits").read_text()
        assert "Max core file size        0                    0" in limits, limits


def readable_key_is_not_used():
    signer = Signer()
    signer.key_file.chmod(0o444)
    try:
        signer.start()
    except AssertionError:
        assert signer.process.wait() == 1
    else:
        raise AssertionError("started")


def socket_of_systemd_is_served():
    with Signer(socket_activated=True) as signer:
        signer.verify(signer.call("SignPush", push())["envelope"])
        assert signer.stop() == 0
