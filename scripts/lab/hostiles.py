"""Guests, and processes of guests, that break the rules of vhost-user and of virtio's rings, for `hostile`."""
import contextlib
import os
import socket
import struct
import time

from frontends import IN_TABLE, INDIRECT, SET_VRING_CALL, SET_VRING_NUM, WRITE, Guest

BROADCAST = b"\xff" * 6
SET_INFLIGHT_FD = 32
PACKED = 1 << 34
# How long a guest waits for an answer of the switch.
PATIENCE = 5
# The greatest length of a table of descriptors that is a whole number of them.
MOST_LENGTH = 0xfffffff0


class Frontend(Guest):
    """A guest of which one may replace the call descriptor, the features and how its rings begin."""
    FEATURES = Guest.FEATURES | INDIRECT

    def __init__(self, path, number=1, size=256, slot=2048, spare=0, features=0, call=None, prepare=None):
        self.spare, self.call, self.prepare = spare, call, prepare
        self.FEATURES |= features
        super().__init__("evil", path, number, size=size, slot=slot, patience=PATIENCE)

    def more(self):
        return self.spare

    @property
    def behind(self):
        """Where the memory behind the rings begins."""
        return 2 * self.extent

    def begin(self, ring, index):
        if self.prepare:
            self.prepare(self, ring)
        if self.FEATURES & PACKED:
            # Both positions are 0, in the ring's first round.
            index = 0x80008000
        super().begin(ring, index)
        if self.call is not None:
            self.send(SET_VRING_CALL, struct.pack("<Q", ring), [self.call])

    def wants_calls(self):
        for ring in 0, 1:
            struct.pack_into("<H", self.map, self.base(ring) + self.available_at, 0)

    def go(self):
        with contextlib.suppress(OSError):
            super().go()


class Attack:
    """What the attacker does: `start` once, `act` every millisecond. Whatever the switch does to its connection is no error."""
    by = "driver"

    def __init__(self, bed):
        self.bed, self.guest, self.kept = bed, None, []
        try:
            self.start()
        except OSError:
            pass

    def start(self):
        pass

    def act(self):
        pass

    def connect(self, **options):
        self.guest = Frontend(self.bed.switch.socket("evil"), **options)
        return self.guest

    def running(self, **options):
        """Connects, and waits until frames come, so that both rings are being served."""
        guest = self.connect(**options)
        end = time.monotonic() + PATIENCE
        while guest.used(0) == 0 and time.monotonic() < end:
            self.bed.broadcast()
            time.sleep(0.001)
        return guest

    def end(self):
        if self.guest:
            self.guest.go()
        for item in self.kept:
            item.close() if hasattr(item, "close") else os.close(item)


class Nothing(Attack):
    """nothing: the attacker connects, sends and receives as it should"""

    def start(self):
        self.connect()

    def act(self):
        self.guest.take()
        self.guest.emit(0, BROADCAST, 1, 60)


class Ahead(Attack):
    """ahead: a receive ring of 256 buffers of 60 bytes says that 40 000 are available"""

    def start(self):
        self.connect(slot=60).set(0, 40_000)


class AheadFromGuest(Attack):
    """ahead-tx: a transmit ring of 16 buffers says again and again that 1000 more are available"""

    def start(self):
        self.sent = 1000
        self.connect(size=16, slot=128).set(1, self.sent)

    def act(self):
        self.sent += 1000
        self.guest.set(1, self.sent)


class Megabytes(Attack):
    """megabytes: a transmit ring of 256 descriptors of 63 MB each, made available again and again"""

    def start(self):
        guest = self.connect(spare=63 << 20)
        for slot in range(guest.size):
            guest.describe(1, slot, 16, guest.bytes - 64)
        guest.set(1, guest.size)

    def act(self):
        self.guest.set(1, self.guest.used(1) + self.guest.size)


class Table(Attack):
    """table: a transmit ring, split, with one table of descriptors of 4 GiB"""

    def start(self):
        guest = self.connect()
        guest.describe(1, 0, guest.behind - 4096, MOST_LENGTH, IN_TABLE)
        guest.set(1, 1)


class PackedTable(Attack):
    """table-packed: the same with a packed ring"""

    def start(self):
        def prepare(guest, ring):
            base = guest.base(ring)
            guest.map[base:base + guest.buffers_at] = bytes(guest.buffers_at)
            for slot in range(guest.size if ring == 0 else 1):
                # Available in the first round (virtio 1.2, 2.8.1).
                address, length, flags = guest.behind - 4096, MOST_LENGTH, IN_TABLE
                if ring == 0:
                    address, length, flags = base + guest.buffers_at + slot * guest.slot, guest.slot, WRITE
                struct.pack_into("<QIHH", guest.map, base + 16 * slot, address, length, slot, flags | 1 << 7)
        self.connect(features=PACKED, prepare=prepare)


class FullPipe(Attack):
    """full-pipe: the descriptor by which it is told of frames is a pipe that nobody reads"""
    by = "process"

    def start(self):
        self.kept = list(os.pipe())
        guest = self.connect(call=self.kept[1], prepare=lambda guest, _: guest.wants_calls())
        os.set_blocking(self.kept[1], False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.kept[1], bytes(4096))
        os.set_blocking(self.kept[1], True)
        guest.take()

    def act(self):
        self.guest.take()


class FullEvent(Attack):
    """full-event: the eventfd by which it is told of frames is full, and writing to it waits"""
    by = "process"

    def start(self):
        self.kept = [os.eventfd(0, 0)]
        self.connect(call=self.kept[0], prepare=lambda guest, _: guest.wants_calls())
        os.set_blocking(self.kept[0], False)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self.kept[0], 0xfffffffffffffffe)
        os.set_blocking(self.kept[0], True)

    def act(self):
        self.guest.take()


class Truncated(Attack):
    """truncated: the file that its memory is in is cut to nothing while it is being served"""
    by = "process"

    def start(self):
        os.ftruncate(self.running().memory, 0)


class Inflight(Attack):
    """inflight: the region for frames in flight (SET_INFLIGHT_FD), said to be for two queues of 1024, is a byte"""
    by = "process"

    def start(self):
        guest = self.running()
        file = os.memfd_create("inflight", 0)
        self.kept = [file]
        os.ftruncate(file, 1)
        guest.send(SET_INFLIGHT_FD, struct.pack("<QQHHI", 1, 0, 2, 1024, 0), [file])


class InflightQueues(Attack):
    """inflight-queues: the same, said to be for 65 535 queues"""
    by = "process"

    def start(self):
        guest = self.running()
        file = os.memfd_create("inflight", 0)
        self.kept = [file]
        os.ftruncate(file, 1 << 20)
        guest.send(SET_INFLIGHT_FD, struct.pack("<QQHHI", 1 << 20, 0, 65535, 1024, 0), [file])


class InflightSizes(Attack):
    """inflight-sizes: SET_INFLIGHT_FD of a wrong size, with eight descriptors, again and again, on new connections if it is sent away"""
    by = "process"

    def start(self):
        self.kept = [os.memfd_create("inflight", 0)]

    def act(self):
        try:
            if not self.guest:
                self.connect()
            for size in 8, 24:
                self.guest.send(SET_INFLIGHT_FD, bytes(size), self.kept * 8)
            # It is answered if it is still there.
            self.guest.ask(1)
        except OSError:
            if self.guest:
                self.guest.go()
            self.guest = None


class Size(Attack):
    """size: a running ring of 256 buffers is said to have 32 768 (SET_VRING_NUM), the rest of which are outside of the guest's memory"""
    by = "process"

    def start(self):
        guest = self.running(slot=256)
        # Whatever is read behind the 256 entries names the last of 32 768 descriptors.
        start = guest.base(1) + guest.available_at + 4 + 2 * guest.size
        guest.map[start:guest.bytes] = b"\xff\x7f" * ((guest.bytes - start) // 2)
        guest.send(SET_VRING_NUM, struct.pack("<II", 1, 32768))
        guest.set(1, 20_000)

    def act(self):
        self.guest.set(1, self.guest.used(1) + 20_000)


class Half(Attack):
    """half: half a message, and then silence"""
    by = "process"

    def start(self):
        guest = self.running()
        guest.socket.send(struct.pack("<III", SET_VRING_NUM, 1, 8) + b"\0\0")


class Silent(Attack):
    """second: a second connection to the socket of a victim, which stays silent"""
    by = "process"

    def start(self):
        second = socket.socket(socket.AF_UNIX)
        self.kept = [second]
        second.settimeout(PATIENCE)
        second.connect(self.bed.switch.socket("b"))


class Eager(Attack):
    """second-eager: a second connection to the socket of a victim, which negotiates as a guest does"""
    by = "process"

    def start(self):
        self.guest = Frontend(self.bed.switch.socket("b"))


ATTACKS = [Nothing, Ahead, AheadFromGuest, Megabytes, Table, PackedTable, FullPipe, FullEvent, Truncated, Inflight, InflightQueues, InflightSizes, Size, Half,
           Silent, Eager]
