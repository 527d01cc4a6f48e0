#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""
run_tests.py DIRECTORY [PATTERN]: runs the tests of the files DIRECTORY/*_test.py, each in a process of its own, several
at a time.

A test is a function of such a file, named after the behaviour that it shows; those whose names begin with _ are there
for others. In a file with classes of unittest.TestCase, it is a method test_NAME of one of these. PATTERN, a regular expression, selects by NAME or FILE.
A test whose attribute `slow` is set starts before the others. One with `short = "no"` does not run in the short form,
which is that with EXC_SHORT set, as ./dev check does without --whole. One with `needs`, words as in "landlock seccomp",
does not run with EXC_WITHOUT being one of them (world.sh).

A module in DIRECTORY may have after_test(), which is called when a test has passed and fails it by an exception, and
after_failure(), which prints what helps to understand it.
"""

import importlib
import inspect
import os
import pathlib
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import unittest

AT_A_TIME = 4
LIMIT_S = 900  # far more than any test takes, also on a busy machine


class Test:
    def __init__(self, path, name, function):
        self.name = name.removeprefix("test_")
        self.label = f"{path.stem}/{self.name}"
        self.function = function
        self.slow = getattr(function, "slow", False)
        short, without = os.environ.get("EXC_SHORT"), os.environ.get("EXC_WITHOUT")
        self.left_out = bool(short and getattr(function, "short", None) == "no") or (
            without in getattr(function, "needs", "").split())


def run_case(case):
    result = unittest.TestResult()
    case.run(result)
    problems = [*result.errors, *result.failures, *result.skipped]
    for where, text in problems:
        print(f"{where}\n{text}")
    assert not problems


def tests_of(path):
    """In the order of the file."""
    module = importlib.import_module(path.stem)
    own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    cases = [value for value in own if inspect.isclass(value) and issubclass(value, unittest.TestCase)]
    for case in cases:
        for method in unittest.defaultTestLoader.getTestCaseNames(case):
            if method in vars(case):
                yield Test(path, method, lambda test=case(method): run_case(test))
    for value in own:
        if not cases and inspect.isfunction(value) and not value.__name__.startswith("_"):
            yield Test(path, value.__name__, value)


def find(directory, pattern):
    tests = [test for path in sorted(directory.glob("*_test.py")) for test in tests_of(path)]
    chosen = [test for test in tests if re.search(pattern, test.label) and not test.left_out]
    return sorted(chosen, key=lambda test: not test.slow)


def call_hooks(directory, name):
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and pathlib.Path(file).parent == directory and hasattr(module, name):
            getattr(module, name)()


def run_here(directory, test, log):
    """In the child. Its process group has all processes of the test."""
    os.setpgid(0, 0)
    signal.alarm(LIMIT_S)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    status = 1
    try:
        test.function()
        call_hooks(directory, "after_test")
        status = 0
    except BaseException:  # sys.exit() is a failure too
        traceback.print_exc()
        call_hooks(directory, "after_failure")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def report(number, test, status, log, start):
    seconds = time.monotonic() - start
    print("ok" if status == 0 else "not ok", number, "-", test.name.replace("_", " "), f"({seconds:.1f} s)")
    log.seek(0)
    text = log.read()
    if status != 0:
        if os.WIFSIGNALED(status):
            text += f"ended by signal {os.WTERMSIG(status)}\n"
        print(re.sub("^", "    ", text.rstrip("\n"), flags=re.MULTILINE))
    else:
        # Such as the seed of its random choices.
        for line in re.findall("^# .*", text, re.MULTILINE):
            print("   ", line)
    sys.stdout.flush()


def main():
    directory = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(directory))
    waiting = find(directory, sys.argv[2] if len(sys.argv) > 2 else ".")
    # A test that needs more may raise it up to what this process got.
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    # A shell starts background jobs with these ignored, and every program that a test starts would inherit that.
    for ignored in signal.SIGINT, signal.SIGQUIT, signal.SIGHUP:
        signal.signal(ignored, signal.SIG_DFL)
    running = {}
    number = failed = 0
    while waiting or running:
        while waiting and len(running) < AT_A_TIME:
            test = waiting.pop(0)
            log = tempfile.TemporaryFile("w+", errors="replace")
            pid = os.fork()
            if pid == 0:
                run_here(directory, test, log)
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
        failed += status != 0
        report(number, test, status, log, start)
        log.close()
    print(f"{number - failed} passed, {failed} failed")
    sys.exit(failed > 0 or number == 0)


main()
