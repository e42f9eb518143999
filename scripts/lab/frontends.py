"""Guests without a virtual machine: vhost-user frontends with real rings in shared memory, and a client of the daemon's control socket."""
import array
import ctypes
import json
import mmap
import os
import socket
import struct

# Requests of vhost-user (QEMU, docs/interop/vhost-user.rst).
(GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL,
 SET_PROTOCOL_FEATURES, SET_VRING_ENABLE) = (1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 16, 18)
VERSION_1, MERGEABLE, PROTOCOL_FEATURES, MULTIQUEUE, INDIRECT = 1 << 32, 1 << 15, 1 << 30, 1 << 22, 1 << 28
# Flags of a descriptor (virtio 1.2, 2.7.5).
NEXT, WRITE, IN_TABLE = 1, 2, 4
# The length of the header before each frame (virtio 1.2, 5.1.6).
HEADER = 12


def mac(number):
    return "52:54:01:%02x:%02x:%02x" % (number >> 16, number >> 8 & 255, number & 255)


class Control:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def call(self, method, **params):
        self.socket.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        answer = json.loads(self.file.readline())
        if "error" in answer:
            raise SystemExit("%s %s: %s" % (method, params, answer["error"]))
        return answer["result"]


class Guest:
    """A guest with split rings of `size` buffers of `slot` bytes: ring 2q carries frames to it, ring 2q + 1 frames from it (virtio 1.2, 2.7).

    Each buffer has the descriptor of its number, and they are made available in this order again and again. Whoever is
    not answered for `patience` seconds gets a TimeoutError.
    """
    FEATURES = VERSION_1 | MERGEABLE | PROTOCOL_FEATURES | MULTIQUEUE

    def __init__(self, name, path, number, pairs=1, size=64, slot=2048, patience=20):
        self.name, self.address, self.pairs, self.size, self.slot = name, bytes.fromhex(mac(number).replace(":", "")), pairs, size, slot
        # Where in a ring's memory its parts begin: the descriptors at 0, what is available, what is used, the buffers.
        self.available_at = 16 * size
        self.used_at = self.available_at + (6 + 2 * size + 63 & ~63)
        self.buffers_at = self.used_at + (6 + 8 * size + 4095 & ~4095)
        self.extent = self.buffers_at + size * slot + 4095 & ~4095
        self.sent = [0] * pairs
        self.memory = os.memfd_create("guest", 0)
        self.bytes = pairs * 2 * self.extent + self.more()
        os.ftruncate(self.memory, self.bytes)
        self.map = mmap.mmap(self.memory, self.bytes)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.socket.connect(path)
        self.start()

    def more(self):
        """How many bytes of memory the guest has behind its rings."""
        return 0

    def send(self, request, payload=b"", descriptors=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self.socket.sendmsg([struct.pack("<III", request, 1, len(payload)) + payload], rights)

    def ask(self, request, payload=b""):
        self.send(request, payload)
        header = self.socket.recv(12, socket.MSG_WAITALL)
        if len(header) < 12:
            raise ConnectionError
        return self.socket.recv(struct.unpack("<III", header)[2], socket.MSG_WAITALL)

    def start(self, features=None):
        self.send(SET_OWNER)
        offered = struct.unpack("<Q", self.ask(GET_FEATURES))[0]
        self.send(SET_FEATURES, struct.pack("<Q", (features or self.FEATURES) & offered))
        self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", 1))
        self.send(SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, self.bytes, 0, 0), [self.memory])
        for ring in range(self.pairs * 2):
            base = self.base(ring)
            for slot in range(self.size):
                self.describe(ring, slot, base + self.buffers_at + self.slot * slot, self.slot, 0 if ring & 1 else WRITE)
                struct.pack_into("<H", self.map, base + self.available_at + 4 + 2 * slot, slot)
            struct.pack_into("<HH", self.map, base + self.available_at, 1, 0 if ring & 1 else self.size)
            struct.pack_into("<HH", self.map, base + self.used_at, 0, 0)
            self.begin(ring, 0)
        self.sent = [0] * self.pairs

    def begin(self, ring, index):
        base = self.base(ring)
        self.send(SET_VRING_NUM, struct.pack("<II", ring, self.size))
        self.send(SET_VRING_BASE, struct.pack("<II", ring, index))
        self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", ring, 0, base, base + self.used_at, base + self.available_at, 0))
        for request in SET_VRING_CALL, SET_VRING_KICK:
            event = os.eventfd(0, os.EFD_NONBLOCK)
            self.send(request, struct.pack("<Q", ring), [event])
            os.close(event)
        self.enable(ring, True)

    def base(self, ring):
        return ring * self.extent

    def describe(self, ring, slot, address, length, flags=0, following=0):
        struct.pack_into("<QIHH", self.map, self.base(ring) + 16 * slot, address, length, flags, following)

    def enable(self, ring, on):
        self.send(SET_VRING_ENABLE, struct.pack("<II", ring, on))

    def used(self, ring):
        return struct.unpack_from("@H", self.map, self.base(ring) + self.used_at + 2)[0]

    def set(self, ring, available):
        """Says how many buffers are available, in one write; struct writes zeros first."""
        ctypes.c_uint16.from_buffer(self.map, self.base(ring) + self.available_at + 2).value = available & 0xffff

    def emit(self, pair, destination, count, length=1000):
        """Makes frames available; as many as there is room for."""
        ring, done = pair * 2 + 1, self.used(pair * 2 + 1)
        for _ in range(min(count, self.size - (self.sent[pair] - done & 0xffff))):
            slot = self.sent[pair] % self.size
            place = self.base(ring) + self.buffers_at + self.slot * slot
            self.map[place:place + HEADER + 14] = bytes(HEADER) + destination + self.address + b"\x88\xb5"
            struct.pack_into("<I", self.map, self.base(ring) + 16 * slot + 8, HEADER + length)
            self.sent[pair] = self.sent[pair] + 1 & 0xffff
        self.set(ring, self.sent[pair])

    def take(self):
        """Gives back all buffers that frames have come in. Returns how many there were."""
        taken = 0
        for ring in range(0, self.pairs * 2, 2):
            used, available = self.used(ring), struct.unpack_from("@H", self.map, self.base(ring) + self.available_at + 2)[0]
            taken += used - (available - self.size) & 0xffff
            self.set(ring, used + self.size)
        return taken

    def stop_and_start(self, features=None):
        """Stops the device, as a driver that resets it does, and starts it again."""
        for ring in range(self.pairs * 2):
            self.ask(GET_VRING_BASE, struct.pack("<II", ring, 0))
        self.start(features)

    def break_ring(self):
        """Says that more buffers are available than the ring holds."""
        self.set(1, self.used(1) + self.size + 1000)

    def go(self, in_message=False):
        if in_message:
            try:
                self.socket.send(struct.pack("<III", SET_VRING_NUM, 1, 8) + b"\0\0")
            except OSError:
                pass
        self.socket.close()
        self.map.close()
        os.close(self.memory)
