# SPDX-License-Identifier: Apache-2.0
"""The page at /docs: its files, what they are sent with, and that no other file can be had."""

import pathlib
import shutil
import socket
import tempfile

from api import BUILD, PUBLIC_URL, WAIT_S, server

TREE = pathlib.Path(__file__).parents[2]
PAGE = BUILD / "docs-page"
OWN = {"index.html": "text/html; charset=utf-8", "init.js": "text/javascript; charset=utf-8",
       "page.css": "text/css; charset=utf-8"}
SWAGGER = {"swagger-ui-bundle.js": "text/javascript; charset=utf-8", "swagger-ui.css": "text/css; charset=utf-8",
           "favicon-32x32.png": "image/png", "LICENSE": "text/plain; charset=utf-8", "NOTICE": "text/plain; charset=utf-8",
           "swagger-ui-bundle.js.LICENSE.txt": "text/plain; charset=utf-8"}
POLICY = {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:",
          "connect-src": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'", "form-action": "'none'"}


def _get(api, path, method="GET", headers=None):
    """(status, headers, body), whatever the body is."""
    connection = api.connect()
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def files_are_served_as_they_are():
    with server() as api:
        for names, directory in (OWN, TREE / "cloud/api/docs"), (SWAGGER, TREE / "build/vendor/swagger-ui"):
            for name, kind in names.items():
                status, headers, body = _get(api, "/docs/" + name)
                assert (status, headers["Content-Type"]) == (200, kind), name
                assert body == (directory / name).read_bytes(), name
        assert _get(api, "/docs")[2] == (TREE / "cloud/api/docs/index.html").read_bytes()
        assert {path.name for path in PAGE.iterdir()} == {*OWN, *SWAGGER}


def headers_allow_nothing_else():
    with server() as api:
        for path in "/docs", *("/docs/" + name for name in (*OWN, *SWAGGER)):
            _, headers, _ = _get(api, path)
            policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
            assert policy == POLICY, path
            assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cache-Control"] == "max-age=3600" and "ETag" not in headers
            assert not {name for name in headers if name.lower().startswith("access-control") or name.lower() == "set-cookie"}
        for path in "/docs/nothing", "/healthz":
            assert "Content-Security-Policy" not in _get(api, path)[1]


def page_has_nothing_inline_and_nothing_from_elsewhere():
    text = (TREE / "cloud/api/docs/index.html").read_text()
    assert "://" not in text and "style=" not in text and "<style" not in text and "javascript:" not in text
    assert text.count("<script") == text.count('<script src="/docs/') == text.count("></script>") == 2


def no_other_file_can_be_had():
    with server() as api:
        for path in ("nothing", "index.htm", "INDEX.HTML", "index.html%20", "swagger-ui-bundle.js.map", "package-lock.json",
                     "api.conf", "compute.db", "%252e%252e", "..%252fapi.conf", "...", "*", "~", "C:"):
            status, headers, _ = _get(api, "/docs/" + path)
            assert (status, headers["Content-Type"]) == (404, "application/json"), path
        for path in ("", ".", "..", "../healthz", "%2e%2e", "%2e%2e/healthz", "..%2fapi.conf", "%2fetc%2fpasswd", "/etc/passwd",
                     "index.html/", "index.html/..", "./index.html", "index.html%00", "index.html%00.css", "%",
                     "index.html?x=1"):
            status, headers, _ = _get(api, "/docs/" + path)
            assert (status, headers["Content-Type"]) == (400, "application/json"), path
        for path in "etc/passwd", "index.html/x", "docs/index.html":
            assert _get(api, "/docs/" + path)[0] == 404, path
        assert _status(api.raw(b"GET /docs/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == 400
        assert _status(api.raw(b"GET /docs/..\\..\\etc\\passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) in (400, 404)


def _status(data):
    return int(data.split()[1])


def page_is_only_read():
    with server() as api:
        for path in "/docs", "/docs/init.js":
            for method in "HEAD", "POST", "PUT", "DELETE", "OPTIONS":
                status, headers, body = _get(api, path, method)
                assert (status, headers["Allow"]) == (405, "GET"), (path, method)
                assert (body == b"") == (method == "HEAD")
            assert _get(api, path, headers={"Origin": PUBLIC_URL})[0] == 200
            assert _get(api, path, headers={"Origin": "https://evil.example"})[0] == 403
            # It is there before anybody has a token.
            assert _get(api, path, headers={"Authorization": "Bearer x"})[0] == 200


def large_file_reaches_a_slow_client_whole():
    want = (TREE / "build/vendor/swagger-ui/swagger-ui-bundle.js").read_bytes()
    with server() as api, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(str(api.path))
        client.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")
        # Others are answered while it is sent.
        answer = client.recv(10)
        for _ in range(20):
            assert api.get("/healthz").status == 200
        while len(answer.partition(b"\r\n\r\n")[2]) < len(want):
            part = client.recv(65536)
            assert part, "the server ended the connection"
            answer += part
        assert answer.partition(b"\r\n\r\n")[2] == want


def _without(change, log):
    """A server whose directory of the page was changed before the start: /docs is 404 there, and the journal has `log`."""
    with tempfile.TemporaryDirectory() as directory:
        page = pathlib.Path(directory) / "page"
        shutil.copytree(PAGE, page)
        change(page)
        with server(start=False) as api:
            api.lines = [line for line in api.lines if not line.startswith("DocsDirectory=")] + [f"DocsDirectory={page}"]
            api.start()
            for path in "/docs", "/docs/init.js":
                answer = api.get(path, token=None)
                assert (answer.status, answer.error) == (404, "NotFound"), answer
                assert "DocsDirectory" in answer.json["message"]
            assert (log in api.log.read_text()) if log else "DocsDirectory" not in api.log.read_text()


def without_the_directory_there_is_no_page():
    _without(shutil.rmtree, None)


def with_a_file_missing_there_is_no_page():
    _without(lambda page: (page / "init.js").unlink(), "init.js: the file is missing; /docs is not served")


def files_that_are_none_are_not_followed():
    def link(page):
        (page / "init.js").unlink()
        (page / "init.js").symlink_to("/etc/passwd")

    _without(link, "init.js: Too many levels of symbolic links")

    def directory(page):
        (page / "page.css").unlink()
        (page / "page.css").mkdir()

    _without(directory, "page.css: Invalid argument")


def files_are_those_of_the_start():
    with tempfile.TemporaryDirectory() as directory:
        page = pathlib.Path(directory) / "page"
        shutil.copytree(PAGE, page)
        with server(start=False) as api:
            api.lines = [line for line in api.lines if not line.startswith("DocsDirectory=")] + [f"DocsDirectory={page}"]
            api.start()
            (page / "init.js").write_text("changed")
            shutil.rmtree(page)
            assert _get(api, "/docs/init.js")[2] == (TREE / "cloud/api/docs/init.js").read_bytes()


def answers_with_an_etag_are_not_kept():
    """A browser that kept one would send If-None-Match with it, which the API takes with * alone."""
    with server() as api:
        assert api.put("/compute/instance/42", {"host": "h"}).headers["Cache-Control"] == "no-store"
        answer = api.get("/compute/instance/42")
        assert answer.headers["ETag"] and answer.headers["Cache-Control"] == "no-store"
