# SPDX-License-Identifier: Apache-2.0
"""The policy engine of the product, through tests/policy/driver."""

import json
import os
import pathlib
import subprocess

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("EXC_BUILD", TREE / "build/plain"))


class Engine:
    def __init__(self):
        driver = BUILD / "tests/policy/driver"
        assert driver.exists(), f"{driver}: not built; run make check TESTS= in {BUILD}"
        self.process = subprocess.Popen([driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        encoding="utf-8")

    def ask(self, documents, requests):
        """A fault or None for each text, and a decision for each request."""
        line = json.dumps({"documents": documents, "requests": requests}, ensure_ascii=False)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the driver ended: {self.process.wait()}: {line}"
        answer = json.loads(answer)
        return answer["faults"], [tuple(decision) for decision in answer["decisions"]]

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
        self.process.stdout.close()
