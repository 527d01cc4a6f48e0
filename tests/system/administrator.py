#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what `exc-instance-connect enable` prints where it is not safe, and does the first thing that it says, to the
letter: administrator.py ROOT. Prints the commands that are to be run then, a line each."""
import re
import sys

root = sys.argv[1]
text = sys.stdin.read().split("\n")


def path(name):
    return root + "/" + name.lstrip("/")


def lines_of(name):
    with open(path(name), encoding="utf-8") as file:
        return file.read().split("\n")


def write(name, lines):
    with open(path(name), "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def block(at):
    """The lines that are set in, as they are to be written."""
    found = []
    while at < len(text) and not text[at]:
        at += 1
    while at < len(text) and text[at].startswith("    "):
        found.append(text[at][4:])
        at += 1
    return found


done = 0
for number, line in enumerate(text):
    if match := re.search(r"Put (?:this line|these lines) at the top of (\S+):$", line):
        write(match[1], block(number + 1) + lines_of(match[1]))
    elif match := re.search(r"Put this line into (\S+), right below line (\d+), which is", line):
        lines = lines_of(match[1])
        lines[int(match[2]):int(match[2])] = block(number + 1)
        write(match[1], lines)
    elif match := re.search(r"Put this line into (\S+), right above line (\d+), which is", line):
        lines = lines_of(match[1])
        lines[int(match[2]) - 1:int(match[2]) - 1] = block(number + 1)
        write(match[1], lines)
    elif match := re.search(r"^Then run: (.*)$", line):
        print(match[1])
        if match[1] == "exc-instance-connect enable":
            break
        continue
    else:
        continue
    done += 1
sys.exit(0 if done else 1)
