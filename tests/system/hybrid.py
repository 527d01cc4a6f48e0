# SPDX-License-Identifier: Apache-2.0
"""hybrid.py SOCKET PORT: standard input and output, connected to a vsock port of the guest behind that socket.

For ssh's ProxyCommand. The protocol is Firecracker's (docs/vsock.md): CONNECT PORT, answered by OK and a number."""

import os
import select
import socket
import sys


def main():
    path, port = sys.argv[1], int(sys.argv[2])
    with socket.socket(socket.AF_UNIX) as guest:
        guest.connect(path)
        guest.sendall(b"CONNECT %d\n" % port)
        line = b""
        while not line.endswith(b"\n"):
            byte = guest.recv(1)
            if not byte:
                sys.exit(f"hybrid.py: nothing in the guest listens on port {port}")
            line += byte
        if not line.startswith(b"OK "):
            sys.exit(f"hybrid.py: {line!r}")
        inputs = [0, guest]
        while guest in inputs:
            for ready in select.select(inputs, [], [])[0]:
                data = os.read(0, 65536) if ready == 0 else guest.recv(65536)
                if ready == 0:
                    guest.sendall(data)
                    if not data:
                        inputs.remove(0)
                        guest.shutdown(socket.SHUT_WR)
                else:
                    if not data:
                        return
                    while data:
                        data = data[os.write(1, data):]


main()
