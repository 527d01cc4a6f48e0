# SPDX-License-Identifier: Apache-2.0
"""Completion as people see it: Tab in a shell on a terminal."""

import cloud
from client import Exc
from vm import Terminal, User

SHELLS = {
    "bash": (("bash", "--norc", "-i"), 'eval "$(exc completion bash)"'),
    "zsh": (("zsh", "-f", "-i"), 'autoload -Uz compinit; compinit -u -D; eval "$(exc completion zsh)"'),
}


def _complete(name, lines):
    plane = cloud.Cloud(guests=())
    plane.register("42", name="web")
    plane.register("43", name="database", default_user="alice")
    plane.register("44", name="$(touch owned)")
    user = User(plane, PATH=f"{cloud.BUILD}/exc:/usr/sbin:/usr/bin:/sbin:/bin", TERM="dumb")
    (user.home / "script.sh").write_text("")
    shell, start = SHELLS[name]
    terminal = Terminal(user, *shell, size=(24, 200))
    # What the shell prints is told from what is typed by the quotes.
    terminal.type(f"PS1='ready''> '; {start}\n".encode())
    at = terminal.read_until(b"ready> ")
    for typed, seen in lines:
        terminal.type(typed.encode() + b"\t")
        at = terminal.read_until(seen.encode(), at)
        terminal.type(b"\x15\n")
        at = terminal.read_until(b"ready> ", at)
    terminal.type(b"exit\n")
    assert terminal.status() == 0
    assert not list(user.home.rglob("owned"))


LINES = [
    ("exc compute conn", "exc compute connect"), ("exc compute connect w", "connect web"),
    ("exc compute connect alice@d", "alice@database"), ("exc compute exec --vm-id d", "--vm-id database"),
    ("exc compute exec --vm_id w", "--vm_id web"), ("exc compute connect 4", "connect 44"),
    ("exc compute ssh-config --wr", "ssh-config --write"), ("exc compute connect web --address pr", "--address private"),
    ("exc compute exec web --script-file scr", "--script-file script.sh"),
]


def bash_on_a_terminal():
    _complete("bash", LINES)


def zsh_on_a_terminal():
    _complete("zsh", LINES)


def no_more_arguments_are_offered_than_a_command_takes():
    plane = cloud.Cloud(guests=())
    plane.register("42", name="web")
    exc = Exc(plane)
    for *words, offered in ("connect", "", "web"), ("connect", "web", "", ""), ("connect", "--user", "alice", "", "web"), (
            "instance", "show", "web", "", ""), ("scp", "--vm-id", "", "web"):
        assert exc.good("complete", "--", "compute", *words).out == offered + "\n" * bool(offered), words
