# SPDX-License-Identifier: Apache-2.0
"""exc compute scp: files to a real sshd and from it."""

import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import stat
import subprocess

import agent
import client
from agent import WORLD, wait_until
from vm import Terminal, Vm

SCP = ("compute", "scp", "--vm-id", "42")
DOWNLOAD = (*SCP, "--download")
LARGE = 8 * 1024 * 1024
HELD = 2 * 1024 * 1024
SHORT = bool(os.environ.get("EXC_SHORT"))
MANY = 1_000 if SHORT else 10_000
# Files with such names, as Linux allows them all.
NAMES = [b"-rf", b"a  b", b"two\nlines", b"end\n", "übergröße-λ".encode(), b"co:lon", b"gl*b?[x]{y}", b"back\\slash\\", b"~",
         b"'single' \"double\"", b"$(touch hacked)`x`;&|", b"#hash!", b"\xff\xfe", b"%d%s", b".exc-scp-"]

# Between sshd and sftp-server: after so many bytes one way nothing passes, until the file is removed. It makes HELD then.
HOLD = """import os, select, subprocess, sys, time
server = subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
ways = {0: server.stdin.fileno(), server.stdout.fileno(): 1}
passed = dict.fromkeys(ways, 0)
while True:
    for source in select.select(list(ways), [], [])[0]:
        data = os.read(source, 65536)
        passed[source] += len(data)
        if passed[source] > LIMIT and os.path.exists(HOLD):
            open(HELD, "w").close()
        while passed[source] > LIMIT and os.path.exists(HOLD):
            time.sleep(0.05)
        if not data:
            server.kill()
            sys.exit()
        while data:
            data = data[os.write(ways[source], data):]
"""
numbers = itertools.count()


def _sftp_server():
    settings = (WORLD / "etc/sshd_config").read_text()
    return next(line.split()[2] for line in settings.splitlines() if line.startswith("Subsystem sftp "))


class Guest(Vm):
    """With a directory of alice's for a test, and with sftp-server that can be held in the middle of a copy."""

    def __init__(self, lines=(), held=False, **more):
        number = f"{os.getpid()}.{next(numbers)}"
        self.home = WORLD / "home/alice"
        self.hold = WORLD / "tests" / f"hold.{number}"
        self.held = self.home / f"held.{number}"
        if held:
            self.hold.touch()
            program = WORLD / "tests" / f"sftp.{number}"
            program.write_text(f"SERVER, LIMIT = {_sftp_server()!r}, {HELD}\n"
                               f"HOLD, HELD = {str(self.hold)!r}, {str(self.held)!r}\n{HOLD}")
            lines = [*lines, f"Subsystem sftp /usr/bin/python3 {program}"]
        super().__init__(lines, **more)
        self.files = self.home / f"scp.{number}"
        self.files.mkdir()
        shutil.chown(self.files, "alice", "alice")
        self.relative = self.files.name

    def make(self, name, content="content", mode=0o644, user="alice"):
        path = self.files / name
        path.write_text(content)
        path.chmod(mode)
        shutil.chown(path, user, user)
        return path

    def left_no_temporary(self):
        assert not _temporaries(self.files) and not _temporaries(self.exc.home)


def _temporaries(directory):
    return [path for path in directory.rglob(".exc-scp-?*")]


def _tree(directory):
    """All that is in it: types, modes and contents."""
    found = {}
    for path in sorted(pathlib.Path(directory).rglob("*")):
        mode = path.lstat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else None
        found[str(path.relative_to(directory))] = (stat.S_IFMT(mode), stat.S_IMODE(mode), content)
    return found


def _make_tree(directory):
    (directory / "sub/empty").mkdir(parents=True)
    (directory / "a").write_text("a\n")
    (directory / "sub/b").write_text("b\n")
    (directory / "sub/b").chmod(0o600)
    (directory / "link").symlink_to("a")
    return directory


def _plain_scp(*arguments):
    """The status of scp itself, to this machine."""
    program = WORLD / "tests" / f"ssh.{os.getpid()}"
    program.write_text(f"#!/bin/sh\nexec {_sftp_server()}\n")
    program.chmod(0o755)
    return subprocess.run(["scp", "-s", "-S", program, *arguments], stderr=subprocess.DEVNULL, check=False).returncode


def commands_of_the_guide():
    vm = Guest()
    archive = vm.exc.home / "deploy.tar.gz"
    archive.write_bytes(os.urandom(300000))
    target = vm.files / "deploy.tar.gz"
    done = vm.exc.good("compute", "scp", "--vm-id", "42", "--src", "./deploy.tar.gz", "--dst", target)
    assert (done.out, done.err) == ("", ""), done
    assert target.read_bytes() == archive.read_bytes() and target.owner() == "alice"
    vm.make("syslog", "a log\n", 0o640)
    done = vm.exc.good("compute", "scp", "--vm_id", "42", "--download", "--src", vm.files / "syslog", "--dst", "./syslog")
    assert (done.out, done.err) == ("", ""), done
    assert (vm.exc.home / "syslog").read_text() == "a log\n"
    assert stat.S_IMODE((vm.exc.home / "syslog").stat().st_mode) == 0o640
    vm.exc.good("compute", "scp", "alice@web", "--download", "--recursive", "--src", vm.files, "--dst", "tree", "--server-key")
    assert _tree(vm.exc.home / "tree") == _tree(vm.files)
    # One connection each, and its key opens no other.
    assert vm.sshd.logins() == vm.sshd.connections() == 3
    assert {row["connections"] for row in vm.guest.listed()} == {1}
    vm.left_no_temporary()


def destination_is_found_as_by_scp():
    vm = Guest()
    source = vm.exc.home / "new"
    source.write_text("new")
    (vm.files / "directory").mkdir(mode=0o755)
    shutil.chown(vm.files / "directory", "alice", "alice")
    (vm.files / "to_directory").symlink_to("directory")
    vm.make("old", "old")
    (vm.files / "to_old").symlink_to(vm.files / "old")
    (vm.files / "dangling").symlink_to("missing")
    up = (*SCP, "--src", "new", "--dst")
    vm.exc.good(*up, vm.files / "directory")
    vm.exc.good(*up, f"~//{vm.relative}/to_old")
    vm.exc.good(*up, f"{vm.relative}/dangling")
    assert (vm.files / "directory/new").read_text() == "new"
    assert (vm.files / "old").read_text() == "new" and (vm.files / "to_old").is_symlink()
    assert (vm.files / "missing").read_text() == "new" and (vm.files / "dangling").is_symlink()
    (vm.files / "directory/new").unlink()
    vm.exc.good(*up, f"{vm.relative}/to_directory/")
    assert (vm.files / "directory/new").read_text() == "new"
    vm.exc.good(*up, "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    for wrong in f"{vm.relative}/nowhere/new", f"{vm.relative}/nowhere/":
        vm.exc.fails(1, *up, wrong, says=["scp: dest open", f"VM 42: {wrong}: the copy is incomplete, or there is none"])
    # The same on this machine.
    home = vm.exc.home
    (home / "directory").mkdir()
    (home / "old").write_text("old")
    (home / "to_old").symlink_to("old")
    (home / "dangling").symlink_to("missing")
    down = (*DOWNLOAD, "--src", f"{vm.relative}/old", "--dst")
    for name in "directory", "to_old", "dangling", "/dev/null":
        vm.exc.good(*down, name)
    assert (home / "directory/old").read_text() == "new"
    assert (home / "old").read_text() == "new" and (home / "to_old").is_symlink()
    assert (home / "missing").read_text() == "new" and (home / "dangling").is_symlink()
    vm.exc.fails(1, *down, "nowhere/new", says=["No such file", "nowhere/new: the copy is incomplete, or there is none"])
    vm.exc.fails(1, *DOWNLOAD, "--src", f"{vm.relative}/no-such-file", "--dst", "x", says=["No such file", "x: not copied"])
    vm.left_no_temporary()


def replaced_file_is_another_and_keeps_its_mode():
    vm = Guest()
    source = vm.exc.home / "source"
    source.write_text("new")
    source.chmod(0o644)
    for mode in 0o600, 0o755, 0o640:
        old = vm.make("file", "old", mode)
        with old.open() as reader:
            vm.exc.good(*SCP, "--src", source, "--dst", old)
            assert reader.read() == "old" and old.read_text() == "new"
        assert stat.S_IMODE(old.stat().st_mode) == mode and old.owner() == "alice"
        old = vm.exc.home / "file"
        old.write_text("old")
        old.chmod(mode)
        os.chown(old, 1234, 1235)
        with old.open() as reader:
            vm.exc.good(*DOWNLOAD, "--src", vm.files / "file", "--dst", "file")
            assert reader.read() == "old" and old.read_text() == "new"
        assert stat.S_IMODE(old.stat().st_mode) == mode and (old.stat().st_uid, old.stat().st_gid) == (1234, 1235)
    vm.left_no_temporary()


def what_cannot_be_replaced_is_written_to():
    vm = Guest()
    source = vm.exc.home / "source"
    source.write_text("new")
    done = vm.exc.fails(1, *SCP, "--src", source, "--dst", vm.make("read-only", "old", 0o444), says="Permission denied")
    assert (vm.files / "read-only").read_text() == "old", done
    # Another user's file; one of a group that alice is not in; one in a directory where she can make none.
    others = vm.make("others", "old", 0o666, "bob")
    group = vm.make("group", "old", 0o664)
    os.chown(group, -1, 1234)
    (vm.files / "closed").mkdir(mode=0o755)
    closed = vm.make("closed/file", "old")
    for path in others, group, closed:
        before = path.stat()
        done = vm.exc.good(*SCP, "--verbose", "--src", source, "--dst", path)
        after = path.stat()
        assert "no temporary" in done.err and path.read_text() == "new", done
        assert (before.st_ino, before.st_mode, before.st_uid, before.st_gid) == (
            after.st_ino, after.st_mode, after.st_uid, after.st_gid)
    vm.left_no_temporary()


def _copy_by_names(names):
    vm = Guest()
    home, files = os.fsencode(vm.exc.home), os.fsencode(vm.files)
    # What patterns would find.
    vm.make("glob [x]", "wrong")
    vm.make("gl-b-x{y}", "wrong")
    for name in names:
        path = pathlib.Path(os.fsdecode(home + b"/" + name))
        given = b"./~" if name == b"~" else name
        path.write_bytes(name)
        vm.exc.good(*SCP, b"--src=" + given, f"--dst={vm.relative}")
        assert pathlib.Path(os.fsdecode(files + b"/" + name)).read_bytes() == name, name
        path.unlink()
        vm.exc.good(*DOWNLOAD, b"--src=" + os.fsencode(vm.relative) + b"/" + name, b"--dst=" + given)
        assert path.read_bytes() == name, name
    assert not list(vm.exc.home.rglob("hacked")) and not list(vm.home.glob("hacked"))


def names_are_taken_as_they_are():
    _copy_by_names(NAMES[::3] if SHORT else NAMES[::2])


def names_are_taken_as_they_are_too():
    _copy_by_names(NAMES[1::2])


names_are_taken_as_they_are_too.short = "no"


def names_in_trees_and_below_home():
    vm = Guest()
    home = os.fsencode(vm.exc.home)
    for directory in "tree", "back":
        (vm.exc.home / directory).mkdir()
    for name in NAMES:
        pathlib.Path(os.fsdecode(home + b"/tree/" + name)).write_bytes(name)
    vm.exc.good(*SCP, "--recursive", "--src", "tree/", "--dst", vm.relative)
    vm.exc.good(*DOWNLOAD, "--recursive", "--src", f"{vm.relative}/tree/", "--dst", "back")
    assert _tree(vm.files / "tree") == _tree(vm.exc.home / "tree") == _tree(vm.exc.home / "back/tree")
    assert len(_tree(vm.files / "tree")) == len(NAMES)
    # From the home directory itself, whatever the name begins with.
    for name in b"-rf.0", b"co:lon.0", b"~bob.0":
        pathlib.Path(os.fsdecode(home + b"/" + name)).write_bytes(name)
        vm.exc.good(*SCP, b"--src=" + name, b"--dst=" + name)
        vm.exc.good(*DOWNLOAD, b"--src=" + name, b"--dst=back/")
        assert pathlib.Path(os.fsdecode(home + b"/back/" + name)).read_bytes() == name, name
        os.unlink(os.fsencode(vm.home) + b"/" + name)


def trees_are_as_scp_copies_them():
    vm = Guest()
    tree = _make_tree(vm.exc.home / "tree")
    expected = {**_tree(tree), "link": _tree(tree)["a"]}
    vm.exc.good(*SCP, "--recursive", "--src", "tree", "--dst", f"{vm.relative}/new")
    assert _tree(vm.files / "new") == expected
    vm.exc.good(*DOWNLOAD, "--recursive", "--src", f"{vm.relative}/new", "--dst", "back")
    assert _tree(vm.exc.home / "back") == expected
    # Into a directory; then into the tree that is there, whose other files stay.
    vm.exc.good(*SCP, "--recursive", "--src", "tree", "--dst", vm.files)
    assert _tree(vm.files / "tree") == expected
    vm.make("tree/other", "other")
    (vm.files / "tree/a").write_text("changed")
    vm.exc.good(*SCP, "--recursive", "--src", "tree", "--dst", vm.files)
    assert {name: row for name, row in _tree(vm.files / "tree").items() if name != "other"} == expected
    assert (vm.files / "tree/other").read_text() == "other"
    # A file may be copied so too.
    vm.exc.good(*SCP, "--recursive", "--src", "tree/a", "--dst", f"{vm.relative}/a")
    assert (vm.files / "a").read_text() == "a\n"
    # Links to directories: not all versions of scp copy them.
    (tree / "linked").symlink_to("sub")
    os.mkfifo(tree / "fifo")
    for command, name in ((*SCP, "--src"), "up"), ((*DOWNLOAD, "--src"), "down"):
        for left_out in "fifo", "linked":
            plain = vm.exc.home / f"plain-{name}"
            status = _plain_scp("-r", *([tree, f"x:{plain}"] if name == "up" else [f"x:{tree}", plain]))
            target = f"{vm.relative}/{name}-{left_out}" if name == "up" else f"{name}-{left_out}"
            done = vm.exc.run(*command, tree, "--recursive", "--dst", target)
            assert done.status == status, (status, done)
            copied = (vm.files if name == "up" else vm.exc.home) / f"{name}-{left_out}"
            if status == 0:
                assert _tree(copied) == _tree(plain)
            else:
                assert not copied.exists() and "nothing there has changed" in done.err, done
            shutil.rmtree(plain)
            with contextlib.suppress(FileNotFoundError):
                (tree / left_out).rename(vm.exc.home / left_out)
        for left_out in "fifo", "linked":
            (vm.exc.home / left_out).rename(tree / left_out)
    vm.left_no_temporary()


def tree_that_fails_is_not_there_or_is_reported():
    vm = Guest()
    (vm.files / "tree").mkdir()
    shutil.chown(vm.files / "tree", "alice", "alice")
    vm.make("tree/a")
    vm.make("tree/secret", "x", 0o600, "bob")
    down = (*DOWNLOAD, "--recursive", "--src", f"{vm.relative}/tree", "--dst")
    vm.exc.fails(1, *down, "new", says=["Permission denied", "new: not copied; nothing there has changed"])
    assert not (vm.exc.home / "new").exists()
    (vm.exc.home / "old/tree").mkdir(parents=True)
    vm.exc.fails(1, *down, "old", says=["Permission denied", "old: the copy is incomplete"])
    assert (vm.exc.home / "old/tree/a").exists()
    # And there: the name of a file is taken by a directory.
    _make_tree(vm.exc.home / "up")
    (vm.files / "up/a").mkdir(parents=True)
    for path in vm.files / "up", vm.files / "up/a":
        shutil.chown(path, "alice", "alice")
    up = (*SCP, "--recursive", "--src", "up", "--dst")
    vm.exc.fails(1, *up, vm.relative, says=f"VM 42: {vm.relative}: the copy is incomplete")
    assert (vm.files / "up/sub/b").exists()
    vm.left_no_temporary()


def many_small_files():
    vm = Guest()
    tree = vm.exc.home / "many"
    tree.mkdir()
    for number in range(MANY):
        path = tree / str(number % 100)
        path.mkdir(exist_ok=True)
        (path / str(number)).write_text(str(number))
    vm.exc.good(*SCP, "--recursive", "--src", "many", "--dst", f"{vm.relative}/many")
    vm.exc.good(*DOWNLOAD, "--recursive", "--src", f"{vm.relative}/many", "--dst", "back")
    assert _tree(vm.files / "many") == _tree(tree) == _tree(vm.exc.home / "back")
    for path in tree, vm.files / "many", vm.exc.home / "back":
        shutil.rmtree(path)


many_small_files.slow = True


def _fill(path):
    path.write_bytes(os.urandom(LARGE))
    return path


def _is_in_the_middle(directory):
    def size():
        for path in _temporaries(directory):
            with contextlib.suppress(OSError):
                if path.stat().st_size > 0:
                    return True
        return False

    wait_until(size, "the copy has begun")


def _each_way(vm):
    """Command, directory of the destination, and what was there."""
    _fill(vm.exc.home / "large")
    shutil.copy(vm.exc.home / "large", vm.files / "large")
    vm.make("old", "old")
    (vm.exc.home / "old").write_text("old")
    yield (*SCP, "--src", "large", "--dst", f"{vm.relative}/old"), vm.files
    yield (*DOWNLOAD, "--src", f"{vm.relative}/large", "--dst", "old"), vm.exc.home


def signal_leaves_what_was_there():
    vm = Guest(held=True)
    for command, directory in _each_way(vm):
        for number, kill in (signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill), (signal.SIGHUP, os.kill):
            process = vm.exc.start(*command)
            _is_in_the_middle(directory)
            kill(process.pid, number)
            out, err = process.communicate(timeout=agent.WAIT_S)
            assert process.returncode == 128 + number, (process.returncode, err)
            assert b"old: not copied; nothing there has changed" in err and not out, err
            vm.exc.left_nothing()
            vm.left_no_temporary()
            assert (directory / "old").read_text() == "old"
    vm.hold.unlink()


def signal_does_not_wait_for_an_sftp_server_that_hangs():
    """Only then is it known that all is removed: ssh itself waits for the server's end."""
    vm = Guest(held=True)
    for command, directory in _each_way(vm):
        process = vm.exc.start(*command)
        wait_until(vm.held.exists, "the SFTP server hangs")
        _is_in_the_middle(directory)
        process.terminate()
        err = process.communicate(timeout=agent.WAIT_S)[1]
        assert process.returncode == 128 + signal.SIGTERM, (process.returncode, err)
        assert b"old: not copied; nothing there has changed" in err, err
        vm.exc.left_nothing()
        vm.left_no_temporary()
        vm.held.unlink()
    vm.hold.unlink()


def kill_of_exc_leaves_what_was_there():
    vm = Guest(held=True)
    for command, directory in _each_way(vm):
        process = vm.exc.start(*command)
        _is_in_the_middle(directory)
        process.kill()
        process.wait()
        wait_until(lambda: not _temporaries(directory), "the temporary is removed")  # pylint: disable=cell-var-from-loop
        vm.hold.unlink()
        for path in vm.exc.runtime.glob("exc-*"):
            wait_until(lambda: not (path / "mux").exists(), "ssh has ended")  # pylint: disable=cell-var-from-loop
            shutil.rmtree(path)
        assert (directory / "old").read_text() == "old"
        vm.left_no_temporary()
        vm.hold.touch()
    vm.hold.unlink()


def lost_connection_is_reported():
    vm = Guest(held=True)
    for command, directory in _each_way(vm):
        process = vm.exc.start(*command)
        _is_in_the_middle(directory)
        # With it the shell on the VM is killed, as when that is switched off.
        vm.sshd.kill_connections()
        err = process.communicate(timeout=agent.WAIT_S)[1].decode()
        assert process.returncode == 255, (process.returncode, err)
        vm.exc.left_nothing()
        left = _temporaries(directory)
        assert (directory / "old").read_text() == "old"
        if directory == vm.files:
            assert len(left) == 1 and f"{vm.relative}/{left[0].name} may be left there" in err, (left, err)
            assert stat.S_IMODE(left[0].stat().st_mode) == 0o600
            left[0].unlink()
        else:
            assert not left and "old: not copied; nothing there has changed" in err, (left, err)
    vm.hold.unlink()


def failure_in_the_middle_leaves_what_was_there():
    limited = WORLD / "tests" / f"limited.{os.getpid()}"
    limited.write_text(f"import os, resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                       f"resource.setrlimit(resource.RLIMIT_FSIZE, ({HELD}, {HELD}))\nos.execv({_sftp_server()!r}, ['sftp'])\n")
    vm = Guest([f"Subsystem sftp /usr/bin/python3 {limited}"])
    commands = _each_way(vm)
    command, directory = next(commands)
    vm.exc.fails(1, *command, says=["write remote", "old: not copied; nothing there has changed"])
    assert (directory / "old").read_text() == "old"
    command, directory = next(commands)
    done = vm.exc.run(*command, program=("sh", "-c", f'ulimit -f {HELD // 512}; exec "$@"', "-"))
    assert done.status != 0 and (directory / "old").read_text() == "old", done
    # A tree with a directory that its owner cannot write to is removed as well.
    source = _make_tree(vm.exc.home / "tree")
    (source / "sub").chmod(0o555)
    (vm.exc.home / "large").rename(source / "large")
    vm.exc.fails(1, *SCP, "--recursive", "--src", "tree", "--dst", f"{vm.relative}/tree",
                 says=["write remote", "tree: not copied; nothing there has changed"])
    assert not (vm.files / "tree").exists()
    vm.left_no_temporary()


def terminal_has_progress_and_keys():
    vm = Guest(held=True)
    for command, directory in _each_way(vm):
        vm.hold.touch()
        terminal = Terminal(vm.exc, "bash", "--norc", "-i")
        terminal.type(b"PS1='outer''> '\n")
        at = terminal.read_until(b"outer> ")
        terminal.type(f"{client.PROGRAM} {' '.join(map(str, command))}\n".encode())
        at = terminal.read_until(b"% ", at)
        _is_in_the_middle(directory)
        terminal.type(b"\x1a")
        at = terminal.read_until(b"outer> ", at)
        terminal.type(b"fg\n")
        vm.hold.unlink()
        at = terminal.read_until(b"100%", at)
        at = terminal.read_until(b"outer> ", at)
        assert (directory / "old").stat().st_size == LARGE
        vm.hold.touch()
        terminal.type(f"{client.PROGRAM} {' '.join(map(str, command))}\n".encode())
        _is_in_the_middle(directory)
        terminal.type(b"\x03")
        at = terminal.read_until(b"nothing there has changed", at)
        at = terminal.read_until(b"outer> ", at)
        terminal.type(b"echo status $?; exit\n")
        terminal.read_until(b"status 130", at)
        assert terminal.status() == 0
        vm.left_no_temporary()
    vm.hold.unlink()


def sshd_without_sftp_or_sessions_is_reported():
    for lines in ["MaxSessions 1"], ["Subsystem nothing /bin/false"]:
        vm = Guest(lines)
        (vm.exc.home / "x").write_text("x")
        done = vm.exc.fails(255, *SCP, "--src", "x", "--dst", vm.relative, says=["MaxSessions of 2", "not copied"])
        assert vm.sshd.connections() == 1, done
        vm.left_no_temporary()


def login_that_prints_or_runs_no_shell():
    noisy = 'if [ "$SSH_ORIGINAL_COMMAND" = sh ]; then echo noise; echo "temporary /tmp/x"; fi; exec $SSH_ORIGINAL_COMMAND'
    vm = Guest([f"ForceCommand {noisy}"])
    (vm.exc.home / "x").write_text("x")
    vm.exc.good(*SCP, "--src", "x", "--dst", vm.relative)
    assert (vm.files / "x").read_text() == "x"
    vm = Guest(["ForceCommand internal-sftp"])
    (vm.exc.home / "x").write_text("x")
    for command in SCP, DOWNLOAD:
        done = vm.exc.run(*command, "--src", "x", "--dst", vm.relative)
        assert done.status not in (0, 255) and "sh does not run there as user alice" in done.err, done


def old_openssh_is_reported():
    vm = Guest()
    programs = vm.exc.home / "bin"
    programs.mkdir()
    (programs / "scp").write_text("#!/bin/sh\necho 'unknown option -- s' >&2\nexit 1\n")
    (programs / "ssh").write_text('#!/bin/sh\n[ "$*" != -V ] || { echo OpenSSH_8.4p1 Debian-5, x >&2; exit 0; }\n'
                                  f'exec {shutil.which("ssh")} "$@"\n')
    for path in programs.iterdir():
        path.chmod(0o755)
    (vm.exc.home / "x").write_text("x")
    path = f"{programs}:{os.environ['PATH']}"
    vm.exc.fails(1, *SCP, "--src", "x", "--dst", vm.relative, says="OpenSSH 8.4 does not copy by SFTP; install 8.7", PATH=path)
    (programs / "scp").unlink()
    vm.exc.good(*SCP, "--src", "x", "--dst", vm.relative, PATH=path)
    vm.left_no_temporary()


def configuration_of_the_user_does_no_harm():
    vm = Guest()
    control = vm.exc.home / "control"
    vm.exc.ssh_config(f"Host *\nControlMaster auto\nControlPath {control}\nControlPersist 600\nRemoteCommand echo hijacked\n"
                      "RequestTTY force\nStdinNull yes\nSessionType none\nForkAfterAuthentication yes\nUser bob\nPort 1\n"
                      "IdentityAgent none\nProxyJump nowhere.invalid\nSendEnv *\nEscapeChar x\n")
    (vm.exc.home / "x").write_text("x")
    for _ in range(2):
        vm.exc.good(*SCP, "--src", "x", "--dst", vm.relative, ENV="/nowhere", CDPATH="/")
        vm.exc.good(*DOWNLOAD, "--src", f"{vm.relative}/x", "--dst", "y", ENV="/nowhere", CDPATH="/")
    assert (vm.exc.home / "y").read_text() == "x" and vm.sshd.logins() == 4 and not control.exists()


def cipher_suits_the_processor_unless_one_is_configured():
    vm = Guest()
    features = pathlib.Path("/proc/cpuinfo").read_text().split()
    first = "aes128-gcm@openssh.com" if "aes" in features and {"pclmulqdq", "pmull"} & set(features) else "chacha20-poly1305@openssh.com"
    (vm.exc.home / "x").write_text("x")
    for lines, cipher in ("", first), ("Host other\nCiphers aes256-ctr\n", first), ("Ciphers aes256-ctr\n", "aes256-ctr"):
        vm.exc.ssh_config(f"LogLevel DEBUG1\n{lines}")
        done = vm.exc.good(*SCP, "--src", "x", "--dst", vm.relative)
        assert f"kex: client->server cipher: {cipher} " in done.err, done
    (vm.exc.home / ".ssh/config").unlink()
    vm.exc.good(*SCP, "--src", "x", "--dst", vm.relative)


def system_configuration_that_cannot_be_included_is_read_as_by_ssh():
    """Of another owner, as in a user namespace that has no root; or with an Include of a file beside it."""
    vm = Guest()
    (vm.exc.home / "x").write_text("x")
    vm.exc.ssh_config("LogLevel DEBUG1\n")
    own = vm.exc.home / "ssh_config"
    own.write_text("Ciphers aes256-ctr\n")
    shutil.chown(own, "alice")
    beside = vm.exc.home / "with_include"
    beside.write_text("  Include /nowhere exc-test.conf\n")
    (vm.exc.home / "exc-test.conf").write_text("Ciphers aes192-ctr\n")
    for path, cipher in (own, "aes256-ctr"), (beside, "aes192-ctr"):
        script = f"mount -t tmpfs ssh /etc/ssh && cp -p {path} /etc/ssh/ssh_config && cp exc-test.conf /etc/ssh && exec \"$@\""
        done = vm.exc.good(*SCP, "--src", "x", "--dst", vm.relative, program=("unshare", "--mount", "sh", "-c", script, "-"))
        assert f"kex: client->server cipher: {cipher} " in done.err, done


def wrong_use_costs_no_connection():
    vm = Guest()
    (vm.exc.home / "directory").mkdir()
    vm.exc.fails(2, *SCP, "--src", "x", says="--dst")
    vm.exc.fails(2, *SCP, "--dst", "x", says="--src")
    vm.exc.fails(2, *SCP, "--src", "x", "--dst", "y", says="x: cannot copy it: No such file")
    vm.exc.fails(2, *SCP, "--src", "directory", "--dst", "y", says="directory: is a directory; add --recursive")
    vm.exc.fails(2, *SCP, "-o", "json", "--src", "directory", "--dst", "y", says="-o json")
    vm.exc.fails(2, *DOWNLOAD, "--src", "x" * 5000, "--dst", "y", says="--src or --dst")
    vm.exc.fails(4, "compute", "scp", "nowhere", "--recursive", "--src", "directory", "--dst", "y", says="nowhere")
    assert vm.sshd.connections() == 0 and vm.keys_left() == 0


def vm_that_cannot_be_reached_is_reported():
    vm = Guest(addresses={"private_ipv4": "127.9.9.9"})
    (vm.exc.home / "x").write_text("x")
    vm.exc.fails(255, *SCP, "--address", "private", "--src", "x", "--dst", "y", says=["Connection refused", "--address"])
    vm.exc.good(*SCP, "--address", "public", "--src", "x", "--dst", vm.relative)
    assert vm.sshd.connections() == 1


def large_file():
    """2 GB, on a file system with a disk."""
    vm = Guest()
    size = 2 * 1024**3 + 12345
    disk = client.PROGRAM.parent.parent / f"scp.{os.getpid()}"
    disk.mkdir()
    try:
        disk.chmod(0o755)
        subprocess.run(["mount", "--bind", disk, vm.files], check=True)
        shutil.chown(vm.files, "alice", "alice")
        source = vm.exc.home / "large"
        with source.open("wb") as file:
            file.write(b"begin")
            file.truncate(size - 3)
            file.seek(0, os.SEEK_END)
            file.write(b"end")
        done = subprocess.run([client.PROGRAM, *SCP, "--src", source, "--dst", vm.files], env=vm.exc.environment, check=False,
                              timeout=agent.WAIT_S + 600, cwd=vm.exc.home)
        assert done.returncode == 0
        assert (vm.files / "large").stat().st_size == size
        subprocess.run(["cmp", source, vm.files / "large"], check=True)
        vm.left_no_temporary()
    finally:
        subprocess.run(["umount", vm.files], check=False)
        shutil.rmtree(disk)


large_file.short = "no"
large_file.slow = True