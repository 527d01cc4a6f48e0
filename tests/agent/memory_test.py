# SPDX-License-Identifier: Apache-2.0
"""What is remembered of signed pushes and revocations: since when, and where there is no room."""

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
    """What a restart of the mount, a removal and installation, or a reboot of a container leave: a store without anything."""
    a.stop()
    subprocess.run(["umount", "--lazy", a.store], check=True)
    a.make_store()
    (a.store / "state/pushes").unlink()


def _challenged(signer, connection, kind, **payload):
    challenge = connection.call("Hello")["challenge"]
    return getattr(signer, kind)(challenge=challenge, **payload)


def a_captured_push_is_not_accepted_by_a_store_that_was_made_again():
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
    # One that signs a challenge was made for this connection.
    with a.connect("host") as connection:
        challenged = _challenged(signer, connection, "push", chosen=keys(1))
        assert connection.call("Push", {"envelope": challenged})["duplicate"] is False


def a_held_back_push_does_not_undo_a_revocation_after_the_store_was_made_again():
    a, signer = _agent()
    held_back = signer.push(keys(1), life_s=300)
    a.send("Revoke", signer.revoke(all=True))
    _mount_again(a)
    a.start()
    assert refusal(a.send, "Push", held_back).error == "Expired"


def the_memory_is_made_before_anybody_connects():
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
    # As one that the boot made, and not the first connection.
    a.stop()
    a.remember_since(0)
    a.start()
    assert a.send("Push", signer.push(keys(1)))["duplicate"] is False


def a_memory_of_a_version_without_births_is_made_new():
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
    """As somebody who has become the helper's user: takes all room there is for claim files."""
    path = a.store / "claims" / "/".join(claim)
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", "count=100"], stderr=subprocess.DEVNULL, check=False,
                   user=HELPER_USER.pw_uid, group=HELPER_USER.pw_gid, extra_groups=[])
    assert os.statvfs(path).f_bavail == 0


def claim_files_take_no_room_from_the_rest_of_the_store():
    a, _ = _agent(mounts_claims=True)
    a.push()
    (claim,) = a.claims()
    before = os.statvfs(a.store).f_bavail
    _fill_claim(a, claim)
    assert os.statvfs(a.store).f_bavail == before


def a_full_store_keeps_no_revocation_out():
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
    # It was remembered, and outlives the agent.
    a.stop()
    a.start()
    assert a.send("Revoke", revocation) == {"revoked": 0}
    assert refusal(a.send, "Push", held_back).error == "Expired"
    assert a.send("Revoke", signer.revoke(all=True)) == {"revoked": 1}
    assert a.stored() == set()


def a_claim_file_that_has_grown_ends_its_grant_and_makes_room():
    for mounts_claims in True, False:
        a, signer = _agent(mounts_claims=mounts_claims)
        a.push()
        (claim,) = a.claims()
        _fill_claim(a, claim)
        assert a.send("Push", signer.push(keys(1), user="bob"))["duplicate"] is False
        assert {user for user, _, _ in a.keys()} == {"bob"}
        assert "claim files that had grown: 1;" in a.log()


def a_revocation_that_is_sent_again_after_it_failed_ends_with_its_exp():
    a, signer = _agent()
    a.stop()
    # Nothing more can be remembered: all records are taken, also those for revocations, and never forgotten.
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
