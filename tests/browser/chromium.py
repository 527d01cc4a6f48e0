# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window, driven over its DevTools protocol, which it speaks on descriptors 3 and 4."""

import base64
import contextlib
import json
import os
import select
import subprocess
import tempfile
import time

WAIT_S = 300  # for what must happen; far more than it takes
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
           "--remote-debugging-pipe", "--window-size=1280,1000"]

# Chromium's messages are JSON, each with a NUL at its end.
START = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'


class Browser:
    """One page of one browser with a profile of its own. `requests` and `complaints` are what the page has done."""

    def __init__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.log = open(os.path.join(self.profile.name, "log"), "w+", errors="replace")
        their_in, self.out = os.pipe()
        self.answers, their_out = os.pipe()
        home = {**os.environ, "HOME": self.profile.name}
        self.process = subprocess.Popen(
            ["bash", "-c", START, "bash", str(their_in), str(their_out), "chromium", *OPTIONS,
             f"--user-data-dir={self.profile.name}/profile", "about:blank"],
            pass_fds=[their_in, their_out], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=home)
        os.close(their_in)
        os.close(their_out)
        self.waiting = b""
        self.number = 0
        self.session = None
        self.requests = []    # URLs
        self.responses = {}   # URL: its latest status
        self.complaints = []  # the console's warnings and errors, exceptions, and what the policy blocked
        pages = [one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        self.session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Log", "Network", "Audits":
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # By its own way, so that it waits for its processes.
        with contextlib.suppress(AssertionError, OSError, subprocess.TimeoutExpired):
            self.session = None
            self.call("Browser.close")
            self.process.wait(timeout=WAIT_S)
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.answers)
        self.log.close()
        self.profile.cleanup()

    def _read(self, end):
        """The next message, or None at the time `end`."""
        while b"\0" not in self.waiting:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                return None
            part = os.read(self.answers, 1 << 20)
            if not part:
                self.log.seek(0)
                raise AssertionError(f"chromium has ended:\n{self.log.read()[-5000:]}")
            self.waiting += part
        message, _, self.waiting = self.waiting.partition(b"\0")
        message = json.loads(message)
        if "method" in message:
            self._note(message["method"], message["params"])
        return message

    def _note(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.responseReceived":
            self.responses[params["response"]["url"]] = params["response"]["status"]
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(params)
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"])
        elif method == "Audits.issueAdded" and params["issue"]["code"] == "ContentSecurityPolicyIssue":
            self.complaints.append(params["issue"])

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + WAIT_S
        while (answer := self._read(end)) is not None:
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
        raise AssertionError(f"{method}: no answer in {WAIT_S} s")

    def open(self, url):
        result = self.call("Page.navigate", url=url)
        assert "errorText" not in result, result

    def evaluate(self, expression):
        """The value of an expression in the page, which may be a promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, (expression, result)
        return result["result"].get("value")

    def until(self, expression):
        """The value of an expression once it is true."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if value := self.evaluate(expression):
                return value
            self._read(time.monotonic() + 0.1)
        raise AssertionError(f"not in {WAIT_S} s: {expression}\n{self.evaluate('document.body.innerText')[-3000:]}")

    def until_noted(self, condition):
        """Reads what the browser reports until the condition is true."""
        end = time.monotonic() + WAIT_S
        while not condition():
            assert self._read(end) is not None, f"not reported in {WAIT_S} s"

    def click(self, selector):
        """On an element, once it is there."""
        self.until(f"document.querySelector({json.dumps(selector)}) !== null")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def enter(self, selector, text):
        """Types a text, in place of what the field has."""
        self.until(f"document.querySelector({json.dumps(selector)}) !== null")
        self.evaluate(f"(field => {{ field.focus(); field.select(); }})(document.querySelector({json.dumps(selector)}))")
        self.call("Input.insertText", text=text)

    def screenshot(self, name):
        """Keeps a picture, where somebody asks for them."""
        if directory := os.environ.get("EXC_SCREENSHOTS"):
            picture = self.call("Page.captureScreenshot", format="png")
            with open(os.path.join(directory, name + ".png"), "wb") as file:
                file.write(base64.b64decode(picture["data"]))
