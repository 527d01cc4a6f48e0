#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A web server on 127.0.0.1:443: web_server.py DIRECTORY CERTIFICATE KEY LOG

It serves DIRECTORY, which may be a link that is moved meanwhile, and writes a line "STATUS PATH" for each request.
"""
import functools
import http.server
import ssl
import sys

directory, certificate, key, log_path = sys.argv[1:]
log = open(log_path, "a", buffering=1, encoding="utf-8")


class Answer(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_request(self, code="-", size="-"):
        log.write(f"{int(code)} {self.path}\n")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    # In the connection's own thread: a slow handshake keeps nobody waiting.
    def finish_request(self, request, client_address):
        try:
            with context.wrap_socket(request, server_side=True) as connection:
                super().finish_request(connection, client_address)
        except OSError as error:
            log.write(f"--- {error}\n")


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
Server(("127.0.0.1", 443), functools.partial(Answer, directory=directory)).serve_forever()
