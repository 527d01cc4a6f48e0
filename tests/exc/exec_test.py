# SPDX-License-Identifier: Apache-2.0
"""exc compute exec: commands and scripts."""

import hashlib
import os
import subprocess

import agent
import client
from vm import OWN_HOME, Terminal, Vm

EXEC = ("compute", "exec")


def command_goes_to_the_shell_as_it_is():
    vm = Vm()
    done = vm.exc.good(*EXEC, "--vm-id", "42", "--command", "printf '%s|' \"a  b\" '$HOME' \\*; echo err >&2; pwd")
    assert done.out.startswith("a  b|$HOME|*|") and done.err == "err\n", done
    assert vm.exc.good(*EXEC, "42", "--", "echo", "a", "b").out == "a b\n"


def streams_are_bytes():
    vm = Vm()
    data = os.urandom(3 * 1024 * 1024)
    done = subprocess.run([*OWN_HOME, client.PROGRAM, *EXEC, "42", "--command", "cat"], input=data, stdout=subprocess.PIPE,
                          env=vm.exc.environment, timeout=agent.WAIT_S, check=True, cwd=vm.exc.home)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def script_is_run_by_bash():
    vm = Vm()
    script = vm.exc.home / "script"
    script.write_text('echo "$0 $BASH_VERSION" | cut -c1-6\nx=(1 2 3); echo ${#x[@]}\ncat </dev/null\nexit 9\n')
    done = vm.exc.fails(9, *EXEC, "42", "--script-file", script)
    assert done.out == "bash 5\n3\n", done
    done = vm.exc.fails(9, *EXEC, "42", "--script-file", "-", stdin=script.read_text())
    assert done.out == "bash 5\n3\n", done
    vm.exc.fails(2, *EXEC, "42", "--script-file", "/nonexistent", says="/nonexistent: cannot read the script")
    vm.exc.fails(2, *EXEC, "42", says="the command is missing")
    vm.exc.fails(2, *EXEC, "42", "--command", "id", "--script-file", script, says="do not go together")
    vm.exc.fails(2, *EXEC, "42", "--command", "id", "-o", "json", says="standard output")


def time_out_is_124():
    vm = Vm()
    # The time counts from the start of ssh, and how long a login takes depends on the machine.
    for seconds in 2, 10, 50, 250:
        done = vm.exc.fails(124, *EXEC, "42", "--timeout", f"{seconds}", "--command", "echo started; sleep 1000",
                            says=f"within {seconds} s")
        if done.out != "":
            break
    assert done.out == "started\n", done
    assert vm.exc.good(*EXEC, "42", "--timeout", "90", "--command", "echo in time").out == "in time\n"
    vm.exc.fails(3, *EXEC, "42", "--timeout", "90", "--command", "exit 3")


def no_terminal_unless_asked():
    vm = Vm()
    terminal = Terminal(vm.exc, client.PROGRAM, *EXEC, "42", "--command", "tty; echo end")
    terminal.read_until(b"not a tty")
    assert terminal.status() == 0
    terminal = Terminal(vm.exc, client.PROGRAM, *EXEC, "42", "--tty", "--command", "tty; stty size")
    terminal.read_until(b"/dev/pts/")
    terminal.read_until(b"33 77")
    assert terminal.status() == 0
    assert "/dev/pts/" in vm.exc.good(*EXEC, "42", "--tty", "--command", "tty").out
