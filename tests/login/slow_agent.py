# SPDX-License-Identifier: Apache-2.0
"""slow_agent.py SOCKET KEY: an ssh-agent that signs once SOCKET.go exists, and makes SOCKET.asked before.

ssh asks for the signature when sshd has accepted the key. (RFC draft-ietf-sshm-ssh-agent.)
"""

import os
import socket
import struct
import sys
import time

import paramiko

FAILURE, REQUEST_IDENTITIES, IDENTITIES_ANSWER, SIGN_REQUEST, SIGN_RESPONSE = 5, 11, 12, 13, 14


def string(value):
    return struct.pack(">I", len(value)) + value


def take_string(message):
    (length,) = struct.unpack_from(">I", message)
    return message[4 : 4 + length], message[4 + length :]


def answer(message, path, key):
    if message[0] == REQUEST_IDENTITIES:
        return struct.pack(">BI", IDENTITIES_ANSWER, 1) + string(key.asbytes()) + string(b"")
    if message[0] != SIGN_REQUEST:
        return bytes([FAILURE])
    _, rest = take_string(message[1:])
    to_sign, _ = take_string(rest)
    open(path + ".asked", "w").close()
    while not os.path.exists(path + ".go"):
        time.sleep(0.02)
    return bytes([SIGN_RESPONSE]) + string(key.sign_ssh_data(to_sign).asbytes())


def main():
    path, key = sys.argv[1], paramiko.Ed25519Key.from_private_key_file(sys.argv[2])
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        stream = listener.accept()[0].makefile("rwb")
        while header := stream.read(4):
            (length,) = struct.unpack(">I", header)
            stream.write(string(answer(stream.read(length), path, key)))
            stream.flush()


main()
