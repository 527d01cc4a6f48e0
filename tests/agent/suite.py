# SPDX-License-Identifier: Apache-2.0
"""suite.py [PATTERN]: runs the tests of the files *_test.py beside it, each in a process, several at a time."""

import importlib
import inspect
import os
import pathlib
import re
import resource
import signal
import sys
import time
import traceback

import agent

AT_A_TIME = 4
LIMIT_S = 900  # far more than any of them takes, also on a machine that does much else
HERE = pathlib.Path(__file__).parent
LOGS = pathlib.Path("/mnt/world/log/tests")


def tests_of(module):
    """In the order of the file. The slow ones of all files come first, so that nobody waits for them alone."""
    for name, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
            yield value


def find(pattern):
    files = sorted(path.stem for path in HERE.glob("*_test.py"))
    tests = [test for name in files for test in tests_of(importlib.import_module(name))]
    chosen = [test for test in tests if re.search(pattern, test.__name__)]
    return sorted(chosen, key=lambda test: not getattr(test, "slow", False))


def run_here(test, log):
    """In a child: the test's own processes are its process group."""
    os.setpgid(0, 0)
    signal.alarm(LIMIT_S)
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    status = 1
    try:
        test()
        agent.stop_all()
        status = 0
    except BaseException:  # also sys.exit() is no success
        traceback.print_exc()
        agent.print_logs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main():
    tests = find(sys.argv[1] if len(sys.argv) > 1 else ".")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    LOGS.mkdir(parents=True)
    running = {}
    number = failed = 0
    waiting = list(enumerate(tests))
    while waiting or running:
        while waiting and len(running) < AT_A_TIME:
            index, test = waiting.pop(0)
            log = LOGS / str(index)
            pid = os.fork()
            if pid == 0:
                run_here(test, log)
            running[pid] = (test, log, time.monotonic())
        pid, status = os.wait()
        if pid not in running:
            continue
        test, log, start = running.pop(pid)
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        number += 1
        print("ok" if status == 0 else "not ok", number, "-", test.__name__.replace("_", " "), flush=True)
        text = log.read_text(errors="replace")
        if status != 0:
            failed += 1
            if os.WIFSIGNALED(status):
                text += f"ended by signal {os.WTERMSIG(status)} after {time.monotonic() - start:.0f} s\n"
            print(re.sub("^", "    ", text.rstrip("\n"), flags=re.MULTILINE), flush=True)
        else:
            # What a test says of itself, such as the seed that its choices came from.
            for line in text.splitlines():
                print("#", line, flush=True)
    print(f"{number - failed} passed, {failed} failed")
    sys.exit(failed > 0 or number == 0)


main()
