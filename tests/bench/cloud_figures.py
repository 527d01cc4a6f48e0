# SPDX-License-Identifier: Apache-2.0
"""
The figures of tests/bench/cloud. CPU time is that of all threads of a process (clock_getcpuclockid(3)) over a round of
requests, by the number of them; the load of the machine changes it less than it changes times, but not nothing. Two
figures that are compared come from rounds taken by turns. System calls are counted with strace, in a run of their own.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import time

import agent
import api
import cloud
from cloud import Cloud

CLIENT = agent.WORLD / "bin/http_client"
EMPTY = agent.WORLD / "bin/http_empty"
USERS = int(os.environ["BENCH_USERS"])
KEYS_PER_USER = 32
GUESTS = ("i-1", "i-2", "i-3", "i-4")
WORKERS = 256  # the default; tests use fewer
ROUNDS = 9
CONNECTS = 200  # a round
AT_ONCE = 8  # the API has no more under way to one guest (cloud/api/api.c)
NEW_FOR_S = 60  # so long a guest is asked for a challenge first (cloud/api/connect.c)
INSTANCES = 10, 10**6
IDLE = 10000
REACH_US = 350

pattern = re.compile(sys.argv[1] if len(sys.argv) > 1 else ".")
paths = cloud.itertools.count()


def say(text):
    print(f"{time.monotonic() - start:4.0f} s  {text}", file=sys.stderr, flush=True)


def row(name, value, unit, reach="", note=""):
    text = f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
    print(f"{name:<58} {text:>8} {unit:<7} {reach:<10} {note}".rstrip(), flush=True)


# What is measured


class Process:
    """CPU time of a process."""

    def __init__(self, pid):
        self.pid = pid

    def cpu_ns(self):
        # The clock of a process, as clock_getcpuclockid(3) makes it: the complement of its id, and 2 for all its time.
        return time.clock_gettime_ns(~self.pid << 3 | 2)

    def ticks(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]), int(fields[12])

    def threads(self):
        return [int(name) for name in os.listdir(f"/proc/{self.pid}/task")]

    def pin(self, cores):
        for thread in self.threads():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, cores)

    def anonymous_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s*(\d+) kB$", status, re.MULTILINE).group(1))


class Bench:
    """A control plane with guests, and with so many instances in its register."""

    def __init__(self, instances):
        self.cloud = Cloud(guests=GUESTS, lines=[f"Workers={WORKERS}", "MaxConnections=12000"])
        self.fill(instances)
        self.made = 0  # connects since the guests' stores were empty
        self.tokens = {"Admin": self.cloud.api.token}

    def fill(self, instances):
        """All in one statement: requests would take an hour."""
        self.cloud.api.stop()
        database = sqlite3.connect(self.cloud.api.database, isolation_level=None)
        database.execute(
            "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < ?) "
            "INSERT INTO instance (id, name, host, default_user, public_ipv4, private_ipv4, ipv6, port, tunnel, channel, "
            "state, first_seen, version, created) SELECT 'web-' || i, 'vm-' || i || '.example', 'host-' || (i % 1000), "
            "'debian', '192.0.2.1', '10.0.0.1', '2001:db8::1', 22, 0, 'vsock', 'reachable', 1, 1, 1 FROM c",
            [instances - len(GUESTS)])
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        self.cloud.api.start()

    @property
    def processes(self):
        return {"exc-compute-api": Process(self.cloud.api.process.pid), "exc-signer": Process(self.cloud.signer.process.pid),
                "exc-host": Process(self.cloud.host.process.pid)}

    @property
    def api(self):
        return Process(self.cloud.api.process.pid)

    def pin(self, cores):
        agents = [Process(guest.agent.process.pid) for guest in self.cloud.guests.values()]
        for process in [*self.processes.values(), *agents]:
            process.pin(cores)

    def requests(self, connects, key):
        """A file of connects to all guests in turn, for users in turn; with `key`, each has a public half of its own."""
        lines = []
        for i in range(connects):
            n = self.made + i
            body = {"vm_id": GUESTS[n % len(GUESTS)], "user": f"bench{n // len(GUESTS) % USERS}", "ttl": 300}
            if key:
                body |= {"public_key": agent.key(), "connections": 1}
            lines.append(f"POST /compute/instance/connect {json.dumps(body)}")
        self.made += connects
        return write_requests(lines)

    def make_room(self, connects):
        """Before a round, so that no guest has as many keys as it may."""
        if self.made + connects <= USERS * KEYS_PER_USER // 2:
            return
        for vm_id in GUESTS:
            answer = self.cloud.revoke(vm_id, all=True)
            assert answer.status == 200 and answer.json["outcome"] == "done", answer
        revoked = int(time.time())
        # A push of the same second may be older than the revocation: guests refuse it.
        agent.wait_until(lambda: time.time() >= revoked + 1, "the second after the revocation")
        self.made = 0

    def client(self, requests, connections=1, token=None, core=None):
        """A second, the median and the 99th percentile in nanoseconds."""
        return run_client(self.cloud.api.path, token or self.cloud.api.token, requests, connections, core)

    def connects(self, connects=CONNECTS, key=True, connections=1, token=None, core=None):
        """As client(), and the CPU time of each process for a connect, in microseconds."""
        self.make_room(connects)
        requests = self.requests(connects, key)
        processes = self.processes
        before = {name: process.cpu_ns() for name, process in processes.items()}
        times = self.client(requests, connections, token, core)
        return times, {name: (process.cpu_ns() - before[name]) / connects / 1000 for name, process in processes.items()}

    def wait_until_known(self):
        """Until the guests are no news to the API, and a push needs no challenge. The first push is how the host sees them."""
        def known():
            with contextlib.closing(sqlite3.connect(self.cloud.api.database)) as database:
                seen = database.execute("SELECT min(first_seen), max(first_seen) FROM instance WHERE host = 'hv1'").fetchone()
            return seen[0] > 0 and seen[1] < time.time() - NEW_FOR_S - 1

        self.connects(len(GUESTS))
        agent.wait_until(known, "the guests are known for a minute")

    def warm_up(self):
        """Every worker has its database open, and its statements prepared."""
        self.connects(2 * WORKERS, connections=AT_ONCE)
        self.connects(CONNECTS, key=False)


def write_requests(lines):
    path = agent.WORLD / "tests" / f"requests.{next(paths)}"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def run_client(path, token, requests, connections, core):
    pin = ["taskset", "-c", str(core)] if core is not None else []
    done = subprocess.run([*pin, CLIENT, path, token, requests, str(connections)], stdout=subprocess.PIPE, text=True,
                          check=True, timeout=600)
    return [float(word) for word in done.stdout.split()]


def medians(rounds):
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


# The parts


def cpu(bench):
    say("CPU time of connects, one at a time")
    seen = collections.defaultdict(list)
    before = bench.api.ticks()
    for _ in range(ROUNDS):
        for name, key in ("public_key", True), ("server-made key", False):
            seen[name].append(bench.connects(key=key))
    user, system = (after - was for after, was in zip(bench.api.ticks(), before))
    for name, rounds in seen.items():
        for process, us in medians([of for _, of in rounds]).items():
            reach = f"<= {REACH_US}" if process == "exc-compute-api" else ""
            row(f"CPU time a connect, {name}: {process}", us, "us", reach)
        row(f"time of a connect, {name}", statistics.median(times[1] for times, _ in rounds) / 1e6, "ms")
    row("of exc-compute-api's CPU time in the kernel", 100 * system / max(user + system, 1), "%")
    row("CPU time of a line that is written and synced", synced_line_us(bench), "us", note="the API has two, the signer one")


def synced_line_us(bench, lines=200):
    """Beside the audit log, as long as its lines, and without what makes them: the disk's part of a connect."""
    with open(bench.cloud.api.directory / "floor", "wb", buffering=0) as file:
        taken = []
        for _ in range(lines):
            before = time.thread_time_ns()
            file.write(b"x" * 800)
            os.fdatasync(file.fileno())
            taken.append((time.thread_time_ns() - before) / 1000)
    return statistics.median(taken)


def calls(bench):
    say("system calls of connects")
    for name, key in ("public_key", True), ("server-made key", False):
        for process in bench.processes:
            seen = count_calls(bench, process, key)
            row(f"system calls a connect, {name}: {process}", sum(seen.values()), "", note=", ".join(
                f"{call} {n:.1f}" for call, n in sorted(seen.items(), key=lambda item: -item[1]) if n >= 0.05))


def count_calls(bench, name, key, connects=100):
    """Of one process, one connect at a time, by name. A call that is interrupted by another thread's has two lines."""
    trace = agent.WORLD / "tests" / f"trace.{next(paths)}"
    pid = bench.processes[name].pid
    with subprocess.Popen(["strace", "-f", "-qq", "-o", trace, "-p", str(pid)]) as tracer:
        agent.wait_until(lambda: all(is_traced(pid, thread) for thread in os.listdir(f"/proc/{pid}/task")), "strace")
        bench.connects(10, key)
        before = len(trace.read_text().splitlines())
        bench.connects(connects, key)
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    seen = collections.Counter()
    for line in trace.read_text().splitlines()[before:]:
        found = re.match(r"\d+ +([a-z_0-9]+)\(", line)
        if found:
            seen[found.group(1)] += 1 / connects
    return seen


def is_traced(pid, thread):
    status = pathlib.Path(f"/proc/{pid}/task/{thread}/status").read_text()
    return not re.search(r"^TracerPid:\s*0$", status, re.MULTILINE)


def throughput(bench):
    """All programs of the control plane and the guests on one core, and the client on another one."""
    say("connects a second on one core, beside an empty server and openssl")
    cores = sorted(os.sched_getaffinity(0))
    server, client = cores[0], cores[-1]
    rounds = []
    answer_size = len(bench.cloud.connect(GUESTS[0], "bench0", public_key=agent.key()).text)
    with Empty(answer_size, server) as empty:
        bench.pin({server})
        for _ in range(ROUNDS):
            bench.make_room(CONNECTS)
            requests = bench.requests(CONNECTS, True)
            floor_before = empty.process.cpu_ns()
            floor = run_client(empty.path, "-", write_requests(requests.read_text().splitlines() * 20), AT_ONCE, client)[0]
            floor_cpu = (empty.process.cpu_ns() - floor_before) / CONNECTS / 20 / 1000
            signed = signatures(server)
            times, of = bench.connects(connections=AT_ONCE, core=client)
            rounds.append({"connects": times[0], "empty": floor, "signatures": signed, "ratio": times[0] / floor,
                           "to_signatures": times[0] / signed, "empty_us": floor_cpu, **of})
        bench.pin(set(cores))
    middle = medians(rounds)
    row(f"connects a second on one core, {AT_ONCE} at a time", middle["connects"], "1/s",
        note=f"{rounds_text([one['connects'] for one in rounds])}")
    row("empty libmicrohttpd server, requests a second", middle["empty"], "1/s")
    row("empty libmicrohttpd server, CPU time a request", middle["empty_us"], "us")
    row("openssl, Ed25519 signatures a second", middle["signatures"], "1/s")
    row("connects / requests of the empty server", middle["ratio"], "")
    row("connects / signatures of openssl", middle["to_signatures"], "")
    for name in bench.processes:
        row(f"CPU time a connect, {AT_ONCE} at a time on one core: {name}", middle[name], "us")


class Empty:
    def __init__(self, answer_size, core):
        self.path = agent.WORLD / "tests" / f"empty.{next(paths)}"
        # pylint: disable-next=consider-using-with
        self.server = subprocess.Popen(["taskset", "-c", str(core), EMPTY, self.path, str(answer_size)])
        self.process = Process(self.server.pid)

    def __enter__(self):
        agent.wait_until(lambda: self.path.exists() and cloud.listens(self.path), "the empty server listens")
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()


def signatures(core):
    done = subprocess.run(["taskset", "-c", str(core), "openssl", "speed", "-seconds", "1", "ed25519"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return float(done.stdout.split()[-2])


def rounds_text(values):
    return f"rounds: {min(values):.0f} to {max(values):.0f}"


def instances(bench):
    """The same connects, and reads of instances at random, with few and with many in the register."""
    say(f"{INSTANCES[1]} instances are put into a register")
    many = Bench(INSTANCES[1])
    many.wait_until_known()
    many.warm_up()
    say(f"{INSTANCES[0]} against {INSTANCES[1]} instances")
    rounds = []
    for _ in range(ROUNDS):
        for which in bench, many:
            times, of = which.connects()
            rounds.append((which is many, times[1] / 1000, of["exc-compute-api"]))
    compare(f"connect, {INSTANCES[0]} / {INSTANCES[1]} instances", rounds)
    rounds = []
    for n in range(ROUNDS):
        for which, count in zip((bench, many), INSTANCES):
            ids = [(n * CONNECTS + i) * 7919 % (count - len(GUESTS)) for i in range(CONNECTS)]
            requests = write_requests([f"GET /compute/instance/web-{i} " for i in ids])
            before = which.api.cpu_ns()
            times = which.client(requests)
            rounds.append((which is many, times[1] / 1000, (which.api.cpu_ns() - before) / CONNECTS / 1000))
    compare(f"GET of any instance, {INSTANCES[0]} / {INSTANCES[1]}", rounds)


def policies(bench):
    """In ten documents, where all statements are compared: the one that matches is the last."""
    server = bench.cloud.api
    few = server.account("few", *statements(9, 1))
    many = server.seed("many")
    for i in range(10):
        answer = server.post("/iam/policy", {"name": f"many-{i}", "document": api.document(*statements(i, 100))})
        assert answer.status == 201, answer
        answer = server.put(f"/iam/account/many/policy/many-{i}")
        assert answer.status == 201, answer
    say("1 against 1,000 statements")
    rounds = []
    for _ in range(ROUNDS):
        for token in few, many:
            times, of = bench.connects(token=token)
            rounds.append((token is many, times[1] / 1000, of["exc-compute-api"]))
    compare("connect, 1 / 1,000 statements", rounds)


def statements(document, n):
    some = [api.allow(cloud.CONNECT if i % 2 else "compute:instance:console",
                      f"exc:compute:instance/web-{document * 100 + i:04}",
                      Condition={"IpAddress": {"exc:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]},
                                 "StringEquals": {"exc:OsUser": "alice"}}) for i in range(n - 1)]
    last = [f"exc:compute:instance/{vm_id}" for vm_id in GUESTS] if document == 9 else "exc:compute:instance/none"
    return [*some, api.allow(cloud.CONNECT, last)]


def compare(name, rounds):
    """Medians of (whether it is the larger one, microseconds, CPU microseconds), and the medians of the differences."""
    few, many = ([one[1:] for one in rounds if one[0] is larger] for larger in (False, True))
    for i, what in enumerate(("time", "API's CPU time")):
        a, b = (statistics.median(one[i] for one in which) for which in (few, many))
        more = statistics.median(large[i] - small[i] for small, large in zip(few, many))
        row(f"{what} of a {name}: more", more, "us", "<= 50" if i else "", f"{a:.0f} and {b:.0f} us")


def idle(bench):
    say(f"{IDLE} idle connections")
    before = bench.api.anonymous_kib()
    with subprocess.Popen([CLIENT, bench.cloud.api.path, "-", "hold", str(IDLE)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as holder:
        opened = int(holder.stdout.readline() or 0)
        assert opened == IDLE, opened
        after = bench.api.anonymous_kib()
        descriptors = len(os.listdir(f"/proc/{bench.api.pid}/fd"))
        assert descriptors > IDLE, descriptors
        answer = bench.cloud.connect(GUESTS[0], "bench0", public_key=agent.key())
        assert answer.status == 200, answer
        holder.stdin.close()
    row(f"anonymous memory a connection, {IDLE} idle", (after - before) / IDLE, "KiB", note=f"{before} KiB without them")


def main():
    print(f"This machine may be shared (load {' '.join(pathlib.Path('/proc/loadavg').read_text().split()[:3])}, "
          f"{os.cpu_count()} cores): figures are medians of {ROUNDS} rounds of {CONNECTS} connects.", flush=True)
    bench = Bench(INSTANCES[0])
    say("CPU time of connects to guests that are new, with a challenge")
    bench.connects(2 * WORKERS, connections=AT_ONCE)
    new = medians([bench.connects()[1] for _ in range(3)])
    say("until the guests are known")
    bench.wait_until_known()
    bench.warm_up()
    if pattern.search("cpu"):
        for process, us in new.items():
            row(f"CPU time a connect, new guest: {process}", us, "us")
    for part in cpu, calls, throughput, instances, policies, idle:
        if pattern.search(part.__name__):
            part(bench)
    cloud.after_test()
    say(f"done, load {' '.join(pathlib.Path('/proc/loadavg').read_text().split()[:3])}")


start = time.monotonic()
try:
    main()
except BaseException:
    cloud.after_failure()
    raise
