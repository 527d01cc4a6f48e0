# SPDX-License-Identifier: Apache-2.0
"""journal.py FILE SOCKET...: writes each datagram that arrives to FILE, on one line.

The journal's own form (https://systemd.io/JOURNAL_NATIVE_PROTOCOL) becomes |NAME=VALUE|NAME=VALUE|.
"""

import os
import selectors
import socket
import struct
import sys


def line(message):
    fields = []
    while message:
        name, _, message = message.partition(b"\n")
        if b"=" not in name and len(message) >= 8:
            (length,) = struct.unpack_from("<Q", message)
            name += b"=" + message[8 : 8 + length]
            message = message[9 + length :]
        fields.append(name.decode(errors="backslashreplace"))
    return "|" + "|".join(fields) + "|"


sockets = selectors.DefaultSelector()
for path in sys.argv[2:]:
    if os.path.lexists(path):
        os.unlink(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bound.bind(path)
    os.chmod(path, 0o666)
    sockets.register(bound, selectors.EVENT_READ, path)

with open(sys.argv[1], "w", buffering=1) as out:
    while True:
        for key, _ in sockets.select():
            message = key.fileobj.recv(65536)
            native = key.data == "/run/systemd/journal/socket"
            print(line(message) if native else message.decode(errors="backslashreplace").strip(), file=out)
