# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""A daemon and a victim in a folder of their own, for tests of whole processes.

Everything is awaited, nothing slept for: readiness by a pipe, progress by the victim's own count,
return of descriptors by looking until they are back or a limit long past any honest delay.
"""
import contextlib
import faulthandler
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# A process that forks waits, without end, for gRPC's threads to be idle, unless it is told that the
# child has no use for gRPC; which is so in tests. Read when the first channel is made.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

PATIENCE_S = 60  # what has not happened by then will not
NOBODY = 65534
LAST_LINES = 20  # of a log
LEFT_OUT = 77  # what meson takes for a skipped test
EAGER = "--eager"  # an argument of the victim's: see there

# The scheduling mode of the daemons, SADDLE_TEST_MODE. Dedicated threads of several daemons that
# spin for ever on a machine with few processors would leave none to the tests.
MODE = {"spreading": "spreading", "compacting": "compacting",
        "dedicated": "dedicated, idle: 50us"}[os.environ.get("SADDLE_TEST_MODE", "spreading")]

CONFIG = """\
socket: {{path: {socket}, mode: "0666"}}
memory: 128MiB
hugepages: {hugepages}
ports:
  - {{name: wire-a, driver: net_ring, peer: wire-b, mtu: 5000}}
  - {{name: wire-b, driver: net_ring, peer: wire-a, mtu: 5000}}
engines:
  - {{name: alpha, port: wire-a, addresses: [10.77.0.1, 'fd77::1']}}
  - {{name: beta, port: wire-b, addresses: [10.77.0.2, 'fd77::2']}}
groups:
  - {{name: main, mode: spreading, engines: [alpha, beta]}}
limits: {{handshake_timeout: {handshake}}}
{extra}
""".replace("spreading", MODE)


class Failure(Exception):
    """A test's finding."""


def leave_out(reason):
    """Ends the test here, as one that this machine or user cannot run; tools/check fails then."""
    print(f"left out: {reason}", flush=True)
    sys.exit(LEFT_OUT)


def expect(condition, message):
    if not condition:
        raise Failure(message)


def expect_equal(got, wanted, what):
    expect(got == wanted, f"{what}: {got!r}, not {wanted!r}")


def await_true(condition, what):
    """Looks until it holds; what it is may be a function, asked if it never does."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() >= end:
            raise Failure(f"never happened: {what() if callable(what) else what}")
        time.sleep(0.01)


def has_shadow(program):
    """Whether it was built with a sanitizer, which takes memory beside the program's own."""
    return b"__asan_init" in pathlib.Path(program).read_bytes()


class Folder:
    """Where one test keeps its socket, configuration and logs; has to be empty of sockets at the
    end."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="saddle-system-"))
        self.path.chmod(0o711)
        self.socket = self.path / "run" / "attach.sock"
        self.socket.parent.mkdir()
        self.socket.parent.chmod(0o777)

    def config(self, name="saddled.yaml", hugepages="off", handshake="5s", extra=""):
        path = self.path / name
        path.write_text(CONFIG.format(socket=self.socket, hugepages=hugepages,
                                      handshake=handshake, extra=extra))
        path.chmod(0o644)
        return path

    def check_clean(self):
        left = sorted(entry.name for entry in self.socket.parent.iterdir())
        expect_equal(left, [], "left beside the socket")

    def remove(self):
        shutil.rmtree(self.path)


class Daemon:
    """A running saddled."""

    running = []

    def __init__(self, saddled, config, folder, arguments=(), user=None, space=None,
                 log="daemon.log"):
        """In a network namespace `space` of netns.py, if one is given."""
        self.folder = folder
        self.log = folder.path / log
        ready, told = os.pipe()
        command = [saddled, "--config", config, "--verbose", "--ready-fd", str(told), *arguments]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stderr=log,
                stdout=log, pass_fds=[told], user=user, group=user,
                extra_groups=[] if user is not None else None,
                preexec_fn=space.enter if space else None)
        os.close(told)
        with os.fdopen(ready, "rb") as pipe:
            byte = pipe.read()  # to its end: the daemon has closed it
        if byte != b"\0":
            self.process.wait(PATIENCE_S)
            raise Failure(f"saddled did not start:\n{self.text()}")
        self.quiet_descriptors = self.descriptors()
        self.running.append(self)

    def text(self):
        return self.log.read_text(errors="replace")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kib(self, kind="VmRSS"):
        """`kind` is a line of /proc/PID/status, proc(5)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(f"{kind}:"):
                    return int(line.split()[1])
        raise Failure(f"saddled has no {kind}")

    def check_alive(self):
        expect(self.process.poll() is None, f"saddled died:\n{self.text()}")

    def check_descriptors(self, wanted, what):
        await_true(lambda: self.descriptors() == wanted or self.process.poll() is not None,
                   f"saddled back at {wanted} descriptors after {what}, "
                   f"it has {self.descriptors()}")
        self.check_alive()

    def stop(self):
        """In order; nothing is left, and a sanitizer has nothing to say."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        expect_equal(code, 0, f"saddled's exit status, with the log:\n{self.text()}\n")
        for word in ("ERROR:", "runtime error", "LeakSanitizer"):
            expect(word not in self.text(), f"saddled complained:\n{self.text()}")
        self.folder.check_clean()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def kill(process):
    """With what it has started, if it is a group of its own: a program that runs another one in
    somebody's place would leave that behind, and with it the pipes that are read here."""
    if process.poll() is not None:
        return
    if os.getpgid(process.pid) == process.pid:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()


class Application:
    """A program that works, round and round: says "ready" when it begins, and for each line that it
    is given how many rounds there were."""

    def __init__(self, command, name="the application", **options):
        self.name = name
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **options)
        self.count = -1
        expect_equal(self.line(), "ready", f"what {name} says")

    def line(self):
        line = self.process.stdout.readline().strip()
        if not line:
            raise Failure(f"{self.name} was harmed: {self.process.stderr.read().strip()}")
        return line

    def give_line(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()

    def ask(self):
        self.give_line()
        return int(self.line())

    def check_progress(self, rounds=1):
        """There were rounds since it was last asked, and it goes on."""
        before = max(self.count, self.ask())
        await_true(lambda: self.ask() >= before + rounds, f"{self.name} goes on")
        self.count = before + 1

    def stop(self):
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        expect_equal((self.process.returncode, errors), (0, ""), f"the end of {self.name}")

    def end(self):
        """What it says when somebody has harmed it, as he has or will: asked to end before, it
        might end in order."""
        self.process.wait(PATIENCE_S)
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        expect(self.process.returncode != 0, f"{self.name} was not harmed")
        return errors

    def kill(self):
        kill(self.process)


class Victim(Application):
    """Two honest applications, exchanging messages all along, hundreds a second: without a pause
    (EAGER) they take the processors from what is tested beside them."""

    def __init__(self, victim, socket, user=None, arguments=()):
        super().__init__([victim, "--socket", socket, *arguments], "the victim", user=user,
                         group=user, extra_groups=[] if user is not None else None)


@contextlib.contextmanager
def running(saddled, victim=None, **config):
    """A daemon, with a victim if one is given; checks the end of both."""
    folder = Folder()
    daemon = honest = None
    try:
        daemon = Daemon(saddled, folder.config(**config), folder)
        if victim:
            honest = Victim(victim, folder.socket)
        yield daemon, honest
        daemon.check_alive()
        if honest:
            honest.check_progress()
            honest.stop()
        daemon.check_descriptors(daemon.quiet_descriptors, "the last session")
        daemon.stop()
    finally:
        for process in (honest, daemon):
            if process:
                process.kill()
        folder.remove()


def run(command, patience=PATIENCE_S, **options):
    """Runs a program to its end; returns its status, standard output and standard error."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            timeout=patience, check=False, **options)
    return result.returncode, result.stdout, result.stderr


def ended_from_outside(number, _):
    """Whoever runs the tests has lost patience: says what was waited for, and leaves nothing."""
    faulthandler.dump_traceback(all_threads=True)
    for daemon in Daemon.running:
        if daemon.log.exists():
            print(f"{daemon.log}:", *daemon.text().splitlines()[-LAST_LINES:], sep="\n",
                  file=sys.stderr)
    sys.exit(128 + number)


def main(tests):
    """Runs every test, says which failed and why."""
    signal.signal(signal.SIGTERM, ended_from_outside)
    failed = 0
    for test in tests:
        try:
            test()
            print(f"ok      {test.__name__}", flush=True)
        except (Failure, subprocess.TimeoutExpired) as failure:
            failed += 1
            print(f"FAILED  {test.__name__}: {failure}", flush=True)
    sys.exit(1 if failed else 0)
