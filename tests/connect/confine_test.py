# SPDX-License-Identifier: Apache-2.0
"""The layers by which exc-compute-api, exc-signer and exc-host confine themselves (confine/process.h)."""

import os
import re
import signal
import subprocess

import agent
from agent import wait_until
from cloud import Cloud

# Refused quietly by a filter, or trapped by it. clone3 is refused so that the C library takes clone.
REFUSED = re.compile(r"^\d+ +(?!clone3\()\w+\(.*= -1 (?:EPERM|ENOSYS) .*|--- SIGSYS .*", re.MULTILINE)


def _status(pid, thread=None):
    with open(f"/proc/{pid}/task/{thread or pid}/status", encoding="ascii") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status)


def _programs(cloud):
    return {"exc-compute-api": cloud.api.process, "exc-signer": cloud.signer.process, "exc-host": cloud.host.process}


def each_program_and_its_threads_are_confined():
    cloud = Cloud()
    assert cloud.connect().status == 200
    for name, process in _programs(cloud).items():
        for thread in os.listdir(f"/proc/{process.pid}/task"):
            status = _status(process.pid, thread)
            assert (status["Seccomp"], status["NoNewPrivs"], status["CapPrm"]) == ("2", "1", "0" * 16), (name, status)


def seccomp_can_be_left_out():
    cloud = Cloud()
    cloud.stop()
    for program in cloud.signer, cloud.host:
        program.command += ("--seccomp", "off")
    cloud.start()
    assert cloud.connect().status == 200
    for program in cloud.signer, cloud.host:
        status = _status(program.process.pid)
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("0", "1"), (program.name, status)


def _use(cloud):
    assert cloud.connect().status == 200
    assert cloud.connect(public_key=agent.key()).status == 200
    assert cloud.connect(user="root").status == 403
    assert cloud.revoke(all=True).status == 200
    for path in "/openapi.json", "/compute/instance", "/iam/account":
        assert cloud.api.get(path).status < 500, path
    before = (cloud.directory / "host/output").read_text().count(" VMs\n")
    cloud.host.process.send_signal(signal.SIGHUP)
    wait_until(lambda: (cloud.directory / "host/output").read_text().count(" VMs\n") > before, "exc-host read it again")


def _is_traced(pid):
    return all(_status(pid, thread)["TracerPid"] != "0" for thread in os.listdir(f"/proc/{pid}/task"))


def filters_have_all_that_the_programs_call():
    cloud = Cloud()
    tracers, traces = [], []
    for name, process in _programs(cloud).items():
        traces.append(cloud.directory / f"{name}.trace")
        # pylint: disable-next=consider-using-with
        tracers.append(subprocess.Popen(["strace", "-f", "-qq", "-o", traces[-1], "-p", str(process.pid)]))
        wait_until(lambda pid=process.pid: _is_traced(pid), "strace")
    _use(cloud)
    cloud.stop()
    for tracer, trace in zip(tracers, traces):
        tracer.wait(agent.WAIT_S)
        text = trace.read_text(errors="replace")
        assert "accept4(" in text or "epoll_wait(" in text, trace
        assert not REFUSED.findall(text), (trace.name, REFUSED.findall(text))
