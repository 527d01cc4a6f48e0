#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""
table.py RESULTS: prints the table of acts and layers for SECURITY.md, from the lines that try printed. It fails where a cell
with fewer than two layers has no reason here, or a reason is for a cell that has two.
"""

import sys

PROGRAMS = ["agent", "helper", "relay", "metadata", "signer", "host", "api"]
ACTS = {
    "shadow": "open `/etc/shadow`",
    "etc": "write below `/etc`",
    "home": "read a home",
    "key": "write another user's key",
    "port": "open the virtio port",
    "inet": "connect over IP",
    "execute": "execute a program",
    "fork": "make a process",
    "trace": "trace another process",
    "signal": "signal another process",
    "mount": "mount",
    "namespace": "make a user namespace",
}
LAYERS = {"DAC": "D", "seccomp": "S", "landlock": "L", "unit": "U", "rlimit": "R"}
# Programs, acts, and why one layer is enough.
REASONS = [
    ("agent signer host api", "fork",
     "These have threads, which limits on processes count too. A process of their own could do no more than they can."),
    ("relay", "fork",
     "`TasksMax=1` of its unit stops it as well, where the machine has that control group; the containers of the tests have not."),
    ("helper", "namespace",
     "It gives capabilities over nothing that was there before; no_new_privs and the rules of Landlock stay in it."),
    ("metadata", "inet",
     "HTTP to two addresses is its work, and it compares each address with these before it connects. `IPAddressDeny=` of its unit "
     "drops other packets, where systemd may load BPF programs; in the containers of the tests it may not."),
    ("metadata", "fork",
     "`TasksMax=2` of its unit allows one more, which systemd needs to begin it with PrivateUsers=. It could do no more than it can."),
]


def cells(lines):
    found = {}
    for line in lines:
        program, act, *layers = line.split()
        assert program in PROGRAMS and act in ACTS and (program, act) not in found, line
        found[program, act] = "".join(letter for name, letter in LAYERS.items() if name in layers)
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as results:
        found = cells(results)
    faults = []
    notes = {}
    for number, (programs, acts, _) in enumerate(REASONS, 1):
        for program in programs.split():
            for act in acts.split():
                notes[program, act] = number
                if len(found.get((program, act), "")) != 1:
                    faults.append(f"{program}, {act}: a reason for a cell without exactly one layer")
    print("| act | " + " | ".join(PROGRAMS) + " |")
    print("|---" * (len(PROGRAMS) + 1) + "|")
    for act, text in ACTS.items():
        row = []
        for program in PROGRAMS:
            layers = found.get((program, act))
            note = notes.get((program, act))
            if layers is not None and len(layers) < 2 and note is None:
                faults.append(f"{program}, {act}: stopped by {layers or 'nothing'} alone, without a reason")
            row.append("–" if layers is None else " ".join(layers) + (f" ({note})" if note else ""))
        print(f"| {text} | " + " | ".join(row) + " |")
    print()
    for number, (_, _, reason) in enumerate(REASONS, 1):
        print(f"{number}. {reason}")
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(bool(faults))


main()
