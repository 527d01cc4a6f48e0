# SPDX-License-Identifier: Apache-2.0
"""paramiko_client.py PORT USER ed25519|rsa KEY: prints the user of the session, or that authentication failed."""

import sys

import paramiko

port, user, kind, path = sys.argv[1:]
key = {"ed25519": paramiko.Ed25519Key, "rsa": paramiko.RSAKey}[kind].from_private_key_file(path)
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
try:
    client.connect("127.0.0.1", port=int(port), username=user, pkey=key, allow_agent=False, look_for_keys=False)
except paramiko.AuthenticationException:
    print("authentication failed")
    sys.exit()
print(client.exec_command("id -un")[1].read().decode(), end="")
client.close()
