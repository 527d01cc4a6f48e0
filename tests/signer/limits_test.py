# SPDX-License-Identifier: Apache-2.0
"""Rates, the alarm, the log, commands, and ends of exc-signer."""

import base64
import os
import pathlib
import subprocess
import threading
import time

from signer import ALARM, WAIT_S, Closed, Signer, kill, push, refusal, revocation


def too_many_pushes_are_refused_and_raise_an_alarm():
    with Signer("PushRate=1\nPushBurst=3\nAlarmRate=1000") as signer:
        connection, refused = signer.connect(), None
        started, signed = time.monotonic(), 0
        while refused is None:
            try:
                connection.call("SignPush", push())
                signed += 1
            except Exception as error:
                refused = error
        assert signed <= 3 + time.monotonic() - started
        assert refused.error == "RateLimited" and 0 < refused.parameters["retryAfterMs"] <= 1001
        # The other budget is full.
        connection.call("SignRevoke", revocation(all=True))
        event = signer.event()
        assert (event["MESSAGE_ID"], event["PRIORITY"]) == (ALARM, "1"), event
        assert "pushes" in event["MESSAGE"] and str(signer.log) in event["MESSAGE"]
        assert [line["error"] for line in signer.lines() if line["outcome"] == "refused"] == ["RateLimited"]


def malformed_requests_use_the_budget_up_too():
    with Signer("PushRate=1\nPushBurst=2") as signer:
        connection, errors = signer.connect(), []
        while "RateLimited" not in errors:
            errors.append(refusal(connection.call, "SignPush", push(ttl=0)).error)
        assert errors[0] == "InvalidField"


def flood_of_refusals_does_not_fill_the_log():
    with Signer("PushRate=1\nPushBurst=1\nAlarmRate=1") as signer:
        connection, n, started = signer.connect(), 0, time.monotonic()
        while n < 400:
            connection.send("in.excloud.Signer.SignPush", push(ttl=0))
            try:
                connection.reply()
            except Exception as refused:
                n += refused.error == "RateLimited"
        assert signer.call("Status")["refused"] >= 400
        lines = signer.lines()
        assert len(lines) <= 100 + 2 * (time.monotonic() - started) + 2, len(lines)
        # One a minute.
        assert len(signer.events()) <= 1 + (time.monotonic() - started) / 60


def revocations_have_a_budget_of_their_own():
    with Signer("RevokeRate=1\nRevokeBurst=2") as signer:
        connection, errors = signer.connect(), []
        while not errors:
            try:
                connection.call("SignRevoke", revocation(all=True))
            except Exception as refused:
                errors.append(refused.error)
        assert errors == ["RateLimited"]
        connection.call("SignPush", push())


def more_than_the_alarm_rate_raises_an_alarm():
    with Signer("AlarmRate=5") as signer:
        connection = signer.connect()
        for _ in range(5):
            connection.call("SignPush", push())
        assert not signer.events()
        # More than a minute later these five are forgotten; a machine that is so slow needs more of them.
        for _ in range(20):
            connection.call("SignPush", push())
        event = signer.event()
        assert (event["MESSAGE_ID"], event["PRIORITY"]) == (ALARM, "1"), event
        assert "AlarmRate=5" in event["MESSAGE"]


def _mount(signer, options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", signer.log], check=True)
    os.chown(signer.log, 60010, 60010)


def nothing_is_signed_while_the_log_is_full():
    signer = Signer("PushRate=0")
    _mount(signer, "size=64k")
    ballast = signer.log / "ballast"
    ballast.write_bytes(b"x" * 16384)
    with signer:
        connection, answered, refused = signer.connect(), [], None
        while refused is None:
            try:
                answered.append(connection.call("SignPush", push())["jti"])
            except Exception as error:
                refused = error
        assert refused.error == "LogUnavailable", refused
        assert refusal(connection.call, "SignRevoke", revocation(all=True)).error == "LogUnavailable"
        assert connection.call("Status")["pushes"] == len(answered)
        assert [line["jti"] for line in signer.lines()] == answered
        ballast.unlink()
        answered.append(connection.call("SignPush", push())["jti"])
        assert [line["jti"] for line in signer.lines()] == answered


def nothing_is_signed_without_a_log():
    signer = Signer()
    signer.log.rmdir()
    with signer:
        assert refusal(signer.call, "SignPush", push()).error == "LogUnavailable"
        signer.log.mkdir()
        os.chown(signer.log, 60010, 60010)
        signer.call("SignPush", push())
        assert len(signer.lines()) == 1


def removed_log_stops_the_signing():
    with Signer() as signer:
        signer.call("SignPush", push())
        for file in signer.log.glob("signer-*.jsonl"):
            file.unlink()
        assert refusal(signer.call, "SignPush", push()).error == "LogUnavailable"


def chain_continues_after_a_restart():
    signer = Signer()
    with signer:
        signer.call("SignPush", push())
        assert signer.stop() == 0
    signer.path.unlink()
    with signer:
        signer.call("SignPush", push())
        assert [line["seq"] for line in signer.lines()] == [1, 2]


def every_answer_is_in_the_log_when_it_is_killed():
    signer = Signer("PushRate=0\nAlarmRate=0")
    answered, enough = [], threading.Event()

    def ask():
        try:
            connection = signer.connect()
            while True:
                answered.append(connection.call("SignPush", push())["jti"])
                if len(answered) > 40:
                    enough.set()
        except (Closed, OSError):
            pass

    with signer:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert enough.wait(WAIT_S)
        kill(signer)
        for thread in threads:
            thread.join()
    logged = {line["jti"] for line in signer.lines()}
    assert len(answered) > 40 and set(answered) <= logged, set(answered) - logged
    signer.path.unlink()
    with signer:
        jti = signer.call("SignPush", push())["jti"]
        assert signer.lines()[-1]["jti"] == jti


# --- commands ------------------------------------------------------------------------------------------------------------


def _command(signer_directory, text):
    path = pathlib.Path("/mnt/tests") / signer_directory
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return f"KeyCommand={path}"


def _runs(pid):
    """Whether a process is more than a zombie, which is its new parent's business."""
    try:
        return "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_signs():
    signer = Signer(key_lines="KeyCommand=openssl pkeyutl -sign -rawin -inkey $KEY -in /dev/stdin")
    os.environ["KEY"] = str(signer.key_file)
    with signer:
        signer.verify(signer.call("SignPush", push())["envelope"])


def command_that_fails_is_reported_and_logged():
    with Signer(key_lines=_command("fails", "echo nonsense; exit 7")) as signer:
        refused = refusal(signer.call, "SignPush", push())
        assert refused.error == "KeyUnavailable" and "exit status 7" in refused.parameters["message"]
        signed, failed = signer.lines()
        assert (signed["outcome"], failed["outcome"], failed["error"]) == ("signed", "failed", "KeyUnavailable")
        assert signed["jti"] == failed["jti"]
        assert signer.call("Status")["pushes"] == 0


def command_that_hangs_is_killed_and_delays_nobody():
    marker = pathlib.Path("/mnt/tests/hangs.pid")
    with Signer("KeyTimeout=2", key_lines=_command("hangs", f"echo $$ >{marker}; sleep 100000")) as signer:
        marker.touch()
        marker.chmod(0o666)
        slow = signer.connect()
        slow.send("in.excloud.Signer.SignPush", push())
        while not marker.read_text():
            time.sleep(0.01)
        signer.call("Status")
        try:
            slow.reply()
        except Exception as refused:
            assert refused.error == "KeyUnavailable", refused
            assert "did not end within 2 s" in refused.parameters["message"]
        while _runs(marker.read_text().strip()):
            time.sleep(0.01)
        assert [line["outcome"] for line in signer.lines()] == ["signed", "failed"]


def request_that_is_under_way_is_answered_before_the_end():
    started, go = pathlib.Path("/mnt/tests/started"), pathlib.Path("/mnt/tests/go")
    os.mkfifo(go)
    go.chmod(0o666)
    command = _command("waits", f"echo >{started}; read <{go}; head -c 64 /dev/zero")
    started.touch()
    started.chmod(0o666)
    with Signer("KeyTimeout=30", key_lines=command) as signer:
        connection = signer.connect()
        connection.send("in.excloud.Signer.SignPush", push())
        while not started.read_text():
            time.sleep(0.01)
        signer.process.terminate()
        # Nobody else is served.
        with open(go, "w", encoding="ascii") as to:
            to.write("\n")
        assert connection.reply()["envelope"]["signatures"][0]["sig"] == base64.b64encode(bytes(64)).decode()
        assert signer.process.wait(WAIT_S) == 0
