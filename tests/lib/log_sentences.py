#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the texts that log's sources print with docs/log.md: each has a row there, and each row is of one.

There, what stands between backquotes in the first column is such a text; an ellipsis stands for its values, and blanks,
commas and colons at its ends do not matter."""

import pathlib
import re
import sys

STRING = r'"(?:[^"\\]|\\.)*"'
JOINED = rf"{STRING}(?:\s*{STRING})*"
# Each file, and what is printed there: all texts, or those that follow this.
SOURCES = {
    "admin/log/history_explain.c": "",
    "admin/log/history_events.c": r"history_say\(",
    "admin/log/story_print.c": "",
    "admin/log/sshd_line.c": r"(?:copy|snprintf)\(ret->detail,|static const char \*const by_\w+ = ",
    "admin/log/log.c": r"\(void\)printf\(",
}
# What lines and methods are compared with; and a complaint.
OTHERS = {"expired password for user", "Push", "fatal", "out of memory"}


def normal(text):
    return re.sub(r"(?:%[-.0-9]*(?:l*[duscX])|…)+", "…", text).replace("\\n", "").strip(" ,:;…")


def printed(path, after):
    source = pathlib.Path(path).read_text()
    source = re.sub(r"/\* --- for programs.*?int story_print_json", "", source, flags=re.DOTALL)
    source = re.sub(r"/\*.*?\*/|^#.*?$|__attribute__.*?$|'\"'", "", source, flags=re.DOTALL | re.MULTILINE)
    source = re.sub(r'static const char harmless.*?;|strftime\([^"]*"[^"]*"', "", source)
    source = re.sub(r'"\s*PRI(\w)\w+\s*"', r"\1", source)
    for place in re.findall("(?:" + after + ")" + "[^;]*(?:" + STRING + "[^;]*)*;", source) if after else [source]:
        for literals in re.findall(JOINED, place):
            text = normal("".join(literal[1:-1] for literal in re.findall(STRING, literals)))
            if len(re.findall("[A-Za-z]", text)) > 1 and text not in OTHERS:
                yield text


def main():
    page = pathlib.Path("docs/log.md").read_text()
    rows = {normal(row) for line in re.findall(r"^\| (.*?) \| ", page, re.MULTILINE) for row in re.findall("`(.+?)`", line)}
    texts = {text: path for path, after in SOURCES.items() for text in printed(path, after)}
    for text in sorted(texts.keys() - rows):
        print(f"docs/log.md: has no row for a text of {texts[text]}: {text}")
    for row in sorted(rows - texts.keys() - {""}):
        print(f"docs/log.md: nothing prints: {row}")
    return int(texts.keys() != rows - {""})


if __name__ == "__main__":
    sys.exit(main())
