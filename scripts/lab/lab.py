"""What scripts of this folder share: programs that end with the script, guests under QEMU with a console, and pings that tell how long nothing answered."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.path.join(ROOT, ".build/release")
KERNEL = ("console=ttyS0 quiet panic=-1 reboot=t tsc=reliable tsc_early_khz=2300000 lpj=4000000 no_timer_check cryptomgr.notests mitigations=off "
          "net.ifnames=0 harness")


class Failure(Exception):
    pass


def run(*words, check=True, seconds=60, **options):
    """Runs a program to its end and returns what it printed."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, **options)
    if check and done.returncode != 0:
        raise Failure("%s ended with %d:\n%s" % (" ".join(words), done.returncode, done.stdout))
    return done.stdout


def eventually(what, question, seconds=60):
    """Asks again and again until the answer is true, and returns it. For states that nothing announces."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure("not within %d s: %s" % (seconds, what))
        time.sleep(0.02)


def image(kind="", **contents):
    """The folder with the guests' kernel and initramfs. Guests of another kind have contents of their own: GUEST_KERNEL and so on of guest-image."""
    folder = (os.environ.get("SLUICE_LAB") or os.path.join(ROOT, ".build-lab")) + kind
    run(os.path.join(ROOT, "scripts/lab/guest-image"), folder, seconds=600, env=dict(os.environ, **contents))
    return folder


class Lab(contextlib.ExitStack):
    """A folder, and everything that has to be undone at the end, in reverse order."""

    def __init__(self, needs=()):
        super().__init__()
        if os.geteuid() != 0:
            sys.exit("run it as root: namespaces, taps and hugepages need it")
        missing = [name for name in needs if shutil.which(name) is None]
        if missing:
            sys.exit("not installed: " + ", ".join(missing))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        self.folder = tempfile.mkdtemp(prefix="sl", dir="/tmp")
        self.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.tag = os.path.basename(self.folder)[:6]

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def namespace(self, name):
        """Makes a network namespace and returns the words with which a program runs in it."""
        full = "%s-%s" % (self.tag, name)
        run("ip", "netns", "add", full)
        self.callback(run, "ip", "netns", "del", full, check=False)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return ["ip", "netns", "exec", full]

    def start(self, *words, **options):
        process = Process(words, **options)
        self.callback(process.end)
        return process


class Process:
    """A program that runs beside the script, and what it has printed so far."""

    def __init__(self, words, **options):
        self.words = words
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0, **options)
        self.text = ""
        self.ended = False
        self.lock = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            piece = os.read(self.process.stdout.fileno(), 65536)
            with self.lock:
                self.text += piece.decode(errors="replace").replace("\r", "")
                self.ended = not piece
                self.lock.notify_all()
            if not piece:
                return

    @property
    def pid(self):
        return self.process.pid

    def wait(self, pattern, start=0, seconds=120):
        """Waits until it has printed what matches the pattern, from a place in its text on."""
        with self.lock:
            end = time.monotonic() + seconds
            while True:
                found = re.compile(pattern, re.M).search(self.text, start)
                if found:
                    return found
                if self.ended or not self.lock.wait(max(0, end - time.monotonic())):
                    raise Failure("%s did not say %r; it said:\n%s" % (" ".join(self.words[:8]), pattern, self.text[start:][-3000:]))

    def write(self, text):
        self.process.stdin.write(text.encode())

    def end(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Console:
    """The console of a guest of `guest-image`, which takes one command a line."""

    def __init__(self, process):
        self.process = process
        self.commands = 0

    def booted(self):
        self.process.wait(r"^READY$")
        return self

    def begin(self, command):
        """Returns the command's number, and where its output begins."""
        self.commands += 1
        start = len(self.process.text)
        self.process.write("%d %s\n" % (self.commands, command))
        return self.commands, start

    def end(self, running, check=True, seconds=120):
        number, start = running
        found = self.process.wait(r"^@@%d (\d+)$" % number, start, seconds)
        text = self.process.text[start:found.start()]
        if check and found.group(1) != "0":
            raise Failure("in a guest, a command ended with %s:\n%s" % (found.group(1), text))
        return text

    def __call__(self, command, check=True, seconds=120):
        return self.end(self.begin(command), check, seconds)


class Guest:
    """A guest under QEMU. `network`: QEMU's words for its network card and, for vhost-user, for shared memory."""

    def __init__(self, lab, name, network, prefix=(), cpus="0", folder=None, kernel=""):
        folder = folder or image()
        memory = () if "-m" in network else ("-m", "192")
        self.process = lab.start(
            *prefix, "qemu-system-x86_64", "-name", name, "-accel", "tcg", "-cpu", "max", "-smp", "1", "-nodefaults", "-display", "none", "-no-reboot",
            "-serial", "stdio", "-global", "virtio-net-pci.vectors=0", "-kernel", folder + "/vmlinuz", "-initrd", folder + "/initramfs",
            "-append", KERNEL + kernel,
            *memory, *network)
        self.cpus = cpus
        self.console = Console(self.process)

    def booted(self):
        self.console.booted()
        run("taskset", "-a", "-p", "-c", self.cpus, str(self.process.pid))
        return self


class Pings:
    """Pings every 10 ms, from here or from a guest, until `end` tells which were not answered.

    A line of busybox's ping is an answer. Where there are none for a while, the numbers of those that came tell how many pings stayed without.
    """
    INTERVAL = 0.01

    def __init__(self, name, address, prefix=(), console=None, datagrams=False):
        self.name = name
        self.console = console
        words = "busybox ping -i %s -W 1 %s" % (self.INTERVAL, address)
        if console:
            # The console answers one command after the other, so the pings go to a file.
            self.file = "/tmp/ping-%s" % address
            console("(%s >%s 2>&1 & echo $! >%s.pid)" % (words, self.file, self.file))
        else:
            words = [sys.executable, "-c", ASK, address] if datagrams else words.split()
            self.process = subprocess.Popen([*prefix, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def end(self):
        if self.console:
            self.console("kill -INT $(cat %s.pid); sleep 0.2" % self.file)
            text = self.console("cat %s; rm %s" % (self.file, self.file))
        else:
            self.process.send_signal(signal.SIGINT)
            text = self.process.communicate()[0]
        seen = [int(number) for number in re.findall(r"seq=(\d+) ttl", text)]
        sent = int(re.search(r"(\d+) packets transmitted", text).group(1))
        return Answers(self.name, sent, seen)


# Answers to every datagram, for hosts that are namespaces here. The kernel answers pings of all of its namespaces through one socket for each CPU, and leaves
# some out when that has sent much.
ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7))
print("ready", flush=True)
while True:
    data, sender = s.recvfrom(100)
    try: s.sendto(data, sender)
    except OSError: pass
"""

# Sends a datagram every 10 ms until it is interrupted, and says which were answered in the words of ping.
ASK = """
import signal, socket, sys, threading, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 0))
def listen():
    while True: print("seq=%s ttl" % s.recv(100).decode(), flush=True)
threading.Thread(target=listen, daemon=True).start()
sent, start, ends = 0, time.monotonic(), []
signal.signal(signal.SIGINT, lambda *_: ends.append(1))
while not ends:
    try: s.sendto(b"%d" % sent, (sys.argv[1], 7))
    except OSError: pass
    sent += 1
    time.sleep(max(0, start + sent * 0.01 - time.monotonic()))
time.sleep(0.2)
print("%d packets transmitted" % sent)
"""


def echo(lab, prefix):
    """Answers to `Pings` with `datagrams` in a namespace."""
    lab.start(*prefix, sys.executable, "-c", ECHO).wait("^ready")


class Answers:
    """Which pings were answered."""

    def __init__(self, name, sent, seen):
        self.name, self.sent, self.lost = name, sent, sent - len(set(seen))
        # The pings at the end may still have been under way.
        marks = sorted(set(seen))
        self.gap = max([later - sooner - 1 for sooner, later in zip(marks, marks[1:])], default=sent)

    def __str__(self):
        return "%-22s %5d pings, %4d without answer, longest time without: %4d ms" % (self.name, self.sent, self.lost, self.gap * 10)
