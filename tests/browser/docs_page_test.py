# SPDX-License-Identifier: Apache-2.0
"""The page at /docs: Swagger UI under its Content-Security-Policy, and calls from it with a token."""

import contextlib
import json
import pathlib
import socket
import urllib.parse

from api import server
from chromium import Browser

DOCUMENT = json.loads((pathlib.Path(__file__).parents[2] / "cloud/api/openapi.json").read_text())


@contextlib.contextmanager
def _page(public_url=True):
    """A server on loopback, and a browser at its page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    with server(f"Listen=127.0.0.1:{port}", public_url=origin if public_url else None) as api, Browser() as browser:
        browser.open(origin + "/docs")
        browser.until("document.querySelectorAll('.opblock').length > 0")
        yield api, browser, origin


def _check(browser, origin):
    """Nothing but this server was asked, and nothing was blocked or went wrong."""
    assert not browser.complaints, json.dumps(browser.complaints, indent=1)[:5000]
    elsewhere = [url for url in browser.requests if not url.startswith((origin + "/", "data:"))]
    assert not elsewhere, elsewhere


def _authorize(browser, token):
    browser.click(".auth-wrapper .authorize")
    browser.enter(".auth-container input", token)
    browser.screenshot("authorize")
    browser.click(".auth-container .authorize")
    browser.until("document.querySelector('.auth-container').innerText.includes('Logout')")
    browser.click(".auth-container .btn-done")


def _block(operation, tag):
    return f"#operations-{tag}-{operation}"


def _try(browser, operation, tag, body=None):
    """Tries an operation out. The status that the page shows."""
    block = _block(operation, tag)
    browser.click(block + " .opblock-control-arrow")
    browser.click(block + " .try-out__btn")
    if body is not None:
        browser.enter(block + " textarea.body-param__text", json.dumps(body))
    browser.click(block + " .execute")
    shown = block + " .live-responses-table tbody .response-col_status"
    return browser.until(f"document.querySelector({json.dumps(shown)})?.innerText").split()[0]


def _assert_blocked(browser):
    """Chromium obeys the policy, and Browser.complaints would show what breaks it."""
    for attempt in ("(one => { one.textContent = 'window.ran = 1'; document.body.append(one); })(document.createElement('script'))",
                    "(one => { one.textContent = 'body { margin: 9px; }'; document.body.append(one); })(document.createElement('style'))",
                    "fetch('http://127.0.0.2:9/').catch(() => {})",
                    "(one => { one.src = 'http://127.0.0.2:9/'; document.body.append(one); })(new Image())"):
        browser.complaints.clear()
        browser.evaluate(attempt + ", undefined")
        browser.until_noted(lambda: any("Content Security Policy" in json.dumps(one) for one in browser.complaints))
    assert browser.evaluate("[window.ran, getComputedStyle(document.body).margin]") == [None, "0px"]


def operations_of_the_document_are_listed():
    with _page() as (_, browser, origin):
        listed = browser.evaluate("[...document.querySelectorAll('.opblock')].map(one => "
                                  "[one.querySelector('.opblock-summary-method').innerText.toLowerCase(),"
                                  " one.querySelector('.opblock-summary-path').dataset.path])")
        wanted = [[method, path] for path, item in DOCUMENT["paths"].items() for method in ("get", "put", "post", "delete")
                  if method in item]
        assert sorted(listed) == sorted(wanted)
        assert browser.evaluate("document.querySelector('.info .title').innerText").startswith(DOCUMENT["info"]["title"])
        browser.screenshot("page")
        # One with all kinds of content: parameters, bodies, examples, schemas, headers.
        browser.click(_block("instance_put", "register") + " .opblock-control-arrow")
        browser.until("document.querySelector('.opblock.is-open .responses-table') !== null")
        browser.evaluate("document.querySelectorAll('.opblock.is-open .tablinks[data-name=model]').forEach(one => one.click())")
        browser.until("document.querySelector('.opblock.is-open .json-schema-2020-12') !== null")
        browser.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        browser.evaluate("document.querySelector('.opblock.is-open').scrollIntoView()")
        browser.screenshot("operation")
        _check(browser, origin)
        own = {urllib.parse.urlsplit(url).path for url in browser.requests if url.startswith(origin)}
        assert own == {"/docs", "/docs/init.js", "/docs/page.css", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js",
                       "/docs/favicon-32x32.png", "/openapi.json"}, own
        _assert_blocked(browser)


operations_of_the_document_are_listed.short = "no"


def calls_are_made_with_a_token():
    with _page() as (api, browser, origin):
        _authorize(browser, api.token)
        assert _try(browser, "instances", "register") == "200"
        assert _try(browser, "account_post", "iam", {"name": "from-the-page"}) == "201"
        assert api.get("/iam/account/from-the-page").status == 200
        assert api.put("/compute/instance/42", {"host": "h"}).status == 201
        # The answer has an ETag: a browser that keeps it asks with If-None-Match the next time.
        for _ in range(2):
            assert browser.evaluate("fetch('/compute/instance/42', {headers: {Authorization: 'Bearer %s'}})"
                                    ".then(answer => answer.status)" % api.token) == 200
        browser.evaluate(f"document.querySelector('{_block('instances', 'register')}').scrollIntoView()")
        browser.screenshot("try-it-out")
        _check(browser, origin)
        assert browser.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") == '[{},{},""]'


def without_public_url_the_page_only_reads():
    """Browsers send Origin with whatever may change something, and no Origin is right then."""
    with _page(public_url=False) as (api, browser, origin):
        _authorize(browser, api.token)
        assert _try(browser, "instances", "register") == "200"
        assert not browser.complaints, browser.complaints
        assert _try(browser, "account_post", "iam", {"name": "from-the-page"}) == "403"
        browser.until("document.body.innerText.includes('PublicUrl')")
        assert api.get("/iam/account/from-the-page").status == 404


without_public_url_the_page_only_reads.short = "no"
