#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""
table.py TABLE RESULTS LAYER...: prints the table of acts and layers for SECURITY.md. The letters of these layers are as the
lines of RESULTS say, which try printed; those of other layers, which other machines try, are as in TABLE, that of SECURITY.md.
It fails where a cell with fewer than two layers has no reason here, or a reason is for a cell that has two.
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
LAYERS = {"DAC": "D", "seccomp": "S", "landlock": "L", "unit": "U", "rlimit": "R", "apparmor": "A", "selinux": "E"}
# Programs, acts, and why one layer is enough.
REASONS = [
    ("agent signer host api", "fork",
     "These have threads, which limits on processes count too. A process of their own could do no more than they can."),
    ("relay", "fork",
     "`TasksMax=1` of its unit stops it as well, where the machine has that control group; the containers of the tests have not."),
    ("helper", "namespace",
     "It gives capabilities over nothing that was there before; no_new_privs and the rules of Landlock stay in it."),
    ("metadata", "fork",
     "`TasksMax=2` of its unit allows one more, which systemd needs to begin it with PrivateUsers=. It could do no more than it can."),
]


def cells(lines, layers):
    """The letters that the lines of try have for each program and act."""
    found = {}
    for line in lines:
        program, act, *stopped = line.split()
        assert program in PROGRAMS and act in ACTS and (program, act) not in found and set(stopped) <= set(layers), line
        found[program, act] = {LAYERS[name] for name in stopped}
    return found


def cells_of_table(lines):
    """The same of the table of SECURITY.md."""
    found = {}
    acts = {text: act for act, text in ACTS.items()}
    for line in lines:
        text, *row = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if text in acts:
            assert len(row) == len(PROGRAMS), line
            for program, cell in zip(PROGRAMS, row):
                found[program, acts[text]] = set(cell.split("(")[0].split()) & set(LAYERS.values())
    return found


def merged(table, tried, layers):
    """In the order of LAYERS, where it was tried: now, or for the table."""
    now = {LAYERS[name] for name in layers}
    found = {cell: letters - now for cell, letters in table.items() if letters - now}
    for cell, letters in tried.items():
        found[cell] = found.get(cell, set()) | letters
    return {cell: "".join(letter for letter in LAYERS.values() if letter in letters) for cell, letters in found.items()}


def main():
    layers = sys.argv[3:]
    with open(sys.argv[1], encoding="utf-8") as table, open(sys.argv[2], encoding="utf-8") as results:
        found = merged(cells_of_table(table), cells(results, layers), layers)
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
