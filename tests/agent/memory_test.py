# SPDX-License-Identifier: Apache-2.0
"""The memory of signed pushes and revocations: since when it remembers, and a full store."""

import os
import subprocess
import time

import agent
from agent import Agent, HELPER_USER, Signer, keys, refusal


def _agent(**more):
    a = Agent(preload=agent.CLOCK, TEST_CLOCK="synchronised", **more)
    signer = Signer()
    a.trust(signer)
    return a, signer


def _mount_again(a):
    """An empty store, as after a restart of the mount, a reinstallation, or a reboot of a container."""
    a.stop()
    subprocess.run(["umount", "--lazy", a.store], check=True)
    a.make_store()
    (a.store / "state/pushes").unlink()


def _challenged(signer, connection, kind, **payload):
    challenge = connection.call("Hello")["challenge"]
    return getattr(signer, kind)(challenge=challenge, **payload)


def captured_push_is_refused_by_a_new_store():
    a, signer = _agent()
    push = signer.push(keys(1), life_s=300)
    assert a.send("Push", push)["duplicate"] is False
    assert a.send("Revoke", signer.revoke(user="alice")) == {"revoked": 1}
    _mount_again(a)
    a.start()
    refused = refusal(a.send, "Push", push)
    assert refused.error == "Expired"
    assert "sign the challenge" in refused.parameters["message"]
    assert a.stored() - {"state/pushes"} == set()
    # A push that signs a challenge was made for this connection.
    with a.connect("host") as connection:
        challenged = _challenged(signer, connection, "push", chosen=keys(1))
        assert connection.call("Push", {"envelope": challenged})["duplicate"] is False


def push_held_back_is_refused_by_a_new_store():
    a, signer = _agent()
    held_back = signer.push(keys(1), life_s=300)
    a.send("Revoke", signer.revoke(all=True))
    _mount_again(a)
    a.start()
    assert refusal(a.send, "Push", held_back).error == "Expired"


def memory_is_made_before_the_first_connection():
    a, signer = _agent()
    _mount_again(a)
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    births = []
    for _ in range(2):
        a.make_memory()
        births.append(int.from_bytes((a.store / "state/pushes").read_bytes()[8:16], "big"))
    assert before <= births[0] == births[1] <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    a.start()
    assert refusal(a.send, "Push", signer.push(keys(1))).error == "Expired"
    # As made at the boot, and not by the first connection.
    a.stop()
    a.remember_since(0)
    a.start()
    assert a.send("Push", signer.push(keys(1)))["duplicate"] is False


def memory_of_an_old_version_is_replaced():
    a, signer = _agent()
    push = signer.push(keys(1))
    a.stop()
    (a.store / "state/pushes").write_bytes(b"\2".ljust(128 * 256, b"\0"))
    (a.store / "state/revocations").write_bytes(b"\0\0\0\0\5alice".ljust(30, b"\0"))
    a.start()
    assert refusal(a.send, "Push", push).error == "Expired"
    assert a.push()["duplicate"] is False
    assert a.ask("RevokeLocal") == {"revoked": 1}


def _fill_claim(a, claim):
    """Takes all room for claim files, as a process that runs as the helper's user can."""
    path = a.store / "claims" / "/".join(claim)
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", "count=100"], stderr=subprocess.DEVNULL, check=False,
                   user=HELPER_USER.pw_uid, group=HELPER_USER.pw_gid, extra_groups=[])
    assert os.statvfs(path).f_bavail == 0


def claim_files_take_no_room_of_the_store():
    a, _ = _agent(mounts_claims=True)
    a.push()
    (claim,) = a.claims()
    before = os.statvfs(a.store).f_bavail
    _fill_claim(a, claim)
    assert os.statvfs(a.store).f_bavail == before


def full_store_takes_a_revocation():
    for mounts_claims in True, False:
        _revokes_in_a_full_store(mounts_claims)


def _revokes_in_a_full_store(mounts_claims):
    a, signer = _agent(mounts_claims=mounts_claims)
    a.send("Push", signer.push(keys(1)))
    a.send("Push", signer.push(keys(1), user="bob"))
    held_back = signer.push(keys(1), user="bob")
    (claim,) = [claim for claim in a.claims() if claim[0] == "alice"]
    _fill_claim(a, claim)
    revocation = signer.revoke(user="bob")
    assert a.send("Revoke", revocation) == {"revoked": 1}
    assert {user for user, _, _ in a.keys()} == {"alice"}
    # It is remembered by the next agent too.
    a.stop()
    a.start()
    assert a.send("Revoke", revocation) == {"revoked": 0}
    assert refusal(a.send, "Push", held_back).error == "Expired"
    assert a.send("Revoke", signer.revoke(all=True)) == {"revoked": 1}
    assert a.stored() == set()


def grown_claim_file_ends_its_grant():
    for mounts_claims in True, False:
        a, signer = _agent(mounts_claims=mounts_claims)
        a.push()
        (claim,) = a.claims()
        _fill_claim(a, claim)
        assert a.send("Push", signer.push(keys(1), user="bob"))["duplicate"] is False
        assert {user for user, _, _ in a.keys()} == {"bob"}
        assert "claim files that had grown: 1;" in a.log()


def failed_revocation_ends_with_its_exp():
    a, signer = _agent()
    a.stop()
    # All records are taken, also those for revocations, and never forgotten.
    record = b"\2" + bytes(80) + b"\0\0\0\0\0\0\0\1".rjust(8) + bytes(9) + b"\x7f" + bytes(7) + b"\x7f" + bytes(7)
    path = a.store / "state/pushes"
    head = path.read_bytes()[:128]
    path.write_bytes(head + b"".join(record[:1] + n.to_bytes(4, "big") + record[5:].ljust(123, b"\0")
                                     for n in range(65536)))
    a.start()
    a.push()
    revocation = signer.revoke(life_s=5, all=True)
    refused = refusal(a.send, "Revoke", revocation)
    assert refused.error == "StoreFull" and "keys dropped: 1;" in refused.parameters["message"], refused
    assert a.stored() == set()
    a.stop()
    a.remember_since(0)
    a.start()
    time.sleep(6)
    a.push()
    assert refusal(a.send, "Revoke", revocation).error == "Expired"
    assert len(a.keys()) == 1
