"""Attacks of guests on a switch, for `attacks`."""
import random
import struct

from frontends import HEADER, IN_TABLE, INDIRECT, NEXT, Control, Guest

ATTACKERS = 4
RING = 4096
# Bytes behind an attacker's rings: for the buffers of a dear frame and their table, and of random addresses.
TABLE, POOL = 65536, 1 << 20


def ethernet(destination, source, length, kind=b"\x88\xb5", payload=b""):
    return (destination + source + kind + payload).ljust(length, b"\0")


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def membership_report(source, group):
    """An IGMPv2 report (RFC 2236) of a group, with the router alert option."""
    group = struct.pack("!I", group)
    head = bytearray(struct.pack("!BBHHHBBH4s4sI", 0x46, 0xc0, 32, 0, 0, 1, 2, 0, b"\x0a\0\0\1", group, 0x94040000))
    struct.pack_into("!H", head, 10, checksum(head))
    report = bytearray(struct.pack("!BBH4s", 0x16, 0, 0, group))
    struct.pack_into("!H", report, 2, checksum(report))
    return ethernet(b"\1\0\x5e" + bytes([group[1] & 127]) + group[2:], source, 60, b"\x08\0", bytes(head + report))


class Attacker(Guest):
    FEATURES = Guest.FEATURES | INDIRECT

    def __init__(self, number, path):
        self.frames, self.versions, self.fired = RING, [], 0
        super().__init__("x%d" % number, path, number, size=RING)
        self.extra = 2 * self.extent

    def more(self):
        return TABLE + POOL

    def load(self, frames):
        """Fills all buffers with frames, in turn."""
        for slot in range(RING):
            frame = frames[slot % len(frames)]
            place = self.base(1) + self.buffers_at + self.slot * slot
            self.map[place:place + HEADER + len(frame)] = bytes(HEADER) + frame
            self.describe(1, slot, place, HEADER + len(frame))

    def load_pieces(self, frame):
        """Makes each frame one of as many buffers as it has bytes (virtio 1.2, 2.7.5.3)."""
        place = self.extra + TABLE // 2
        self.map[place:place + HEADER + len(frame)] = bytes(HEADER) + frame
        count = HEADER + len(frame)
        for index in range(count):
            struct.pack_into("<QIHH", self.map, self.extra + 16 * index, place + index, 1, NEXT if index + 1 < count else 0, index + 1)
        for slot in range(RING):
            self.describe(1, slot, self.extra, 16 * count, IN_TABLE)

    def load_random(self, chance, destination=b""):
        """Makes each frame one of two buffers, the second of which begins anywhere among random bytes: with the destination, or with the source."""
        pool, first = self.extra + TABLE, HEADER + len(destination)
        # No multicast addresses.
        self.map[pool:pool + POOL] = chance.randbytes(POOL).translate(bytes(byte & 0xfe for byte in range(256)))
        self.map[self.extra:self.extra + first] = bytes(HEADER) + destination
        self.frames = RING // 2
        for slot in range(RING):
            struct.pack_into("<H", self.map, self.base(1) + self.available_at + 4 + 2 * slot, slot * 2 % RING)
        for _ in range(64):
            table = bytearray()
            for slot in range(0, RING, 2):
                table += struct.pack("<QIHH", self.extra, first, NEXT, slot + 1)
                table += struct.pack("<QIHH", pool + chance.randrange(POOL - 64), 60 + HEADER - first, 0, 0)
            self.versions.append(bytes(table))

    def fire(self, most=RING):
        """Makes up to `most` more frames available, and gives back what came."""
        if self.versions:
            self.map[self.base(1):self.base(1) + 16 * RING] = self.versions[self.fired % len(self.versions)]
        used = self.used(1)
        room = self.frames - (self.sent[0] - used & 0xffff)
        self.sent[0] = self.sent[0] + min(most, room) & 0xffff
        self.fired += 1
        self.set(1, self.sent[0])


class Attack:
    """What the attackers do: `prepare` once, `act` every half millisecond."""
    receive = True

    # What `count` counts; None: frames are counted.
    deeds = None

    def __init__(self, bed):
        self.bed, self.chance, self.count = bed, random.Random(1), 0
        self.attackers = [bed.attacker(number) for number in range(1, ATTACKERS + 1)]
        self.prepare()

    def prepare(self):
        pass

    def next(self, attacker):
        """The address of the attacker after this one."""
        return self.attackers[(self.attackers.index(attacker) + 1) % ATTACKERS].address

    def act(self, elapsed):
        for attacker in self.attackers:
            attacker.fire()
            if self.receive:
                attacker.take()

    def end(self):
        for attacker in self.attackers:
            attacker.go()


class Small(Attack):
    """small: frames of 60 bytes at full rate, of each attacker to the next"""

    def prepare(self):
        for attacker in self.attackers:
            attacker.load([ethernet(self.next(attacker), attacker.address, 60)])


class Long(Attack):
    """long: frames of 1514 bytes at full rate, of each attacker to the next"""

    def prepare(self):
        for attacker in self.attackers:
            attacker.load([ethernet(self.next(attacker), attacker.address, 1514)])


class Dear(Attack):
    """dear: frames of 60 bytes in 72 buffers of a byte each, of each attacker to the next"""

    def prepare(self):
        for attacker in self.attackers:
            attacker.load_pieces(ethernet(self.next(attacker), attacker.address, 60))


class Storm(Attack):
    """storm: broadcasts of 1514 bytes of one attacker, 1.5 Gbit/s"""
    rate = 1.5e9

    def prepare(self):
        self.due = 0.0
        for attacker in self.attackers:
            attacker.load([ethernet(b"\xff" * 6, attacker.address, 1514)])

    def act(self, elapsed):
        self.due = min(self.due + elapsed * self.rate / 8 / 1514, RING)
        self.attackers[0].fire(int(self.due))
        self.due -= int(self.due)
        for attacker in self.attackers:
            attacker.take()


class Storms(Attack):
    """storms: broadcasts of 1514 bytes of all attackers at full rate"""

    def prepare(self):
        for attacker in self.attackers:
            attacker.load([ethernet(b"\xff" * 6, attacker.address, 1514)])


class SmallStorms(Attack):
    """small-storms: broadcasts of 60 bytes of all attackers at full rate"""

    def prepare(self):
        for attacker in self.attackers:
            attacker.load([ethernet(b"\xff" * 6, attacker.address, 60)])


class Addresses(Attack):
    """addresses: frames of 60 bytes at full rate, each from another address, to the next attacker"""

    def prepare(self):
        for attacker in self.attackers:
            attacker.load_random(self.chance, self.next(attacker))


class Unknown(Attack):
    """unknown: frames of 60 bytes at full rate, each from and to another address, which are flooded"""

    def prepare(self):
        for attacker in self.attackers:
            attacker.load_random(self.chance)


class Full(Attack):
    """full: frames of 1514 bytes at full rate, of each attacker to the next, none of which ever gives back a buffer that a frame came in"""
    receive = False

    def prepare(self):
        for attacker in self.attackers:
            attacker.load([ethernet(self.next(attacker), attacker.address, 1514)])


class Reports(Attack):
    """reports: IGMP reports at full rate, each attacker's of 4096 groups"""

    def prepare(self):
        for number, attacker in enumerate(self.attackers):
            attacker.load([membership_report(attacker.address, 0xef000000 + number * RING + group) for group in range(RING)])


class Connects(Attack):
    """connects: one attacker connects, negotiates, sends a broadcast and goes, again and again"""
    deeds = "connects"

    def prepare(self):
        self.attackers.pop().go()
        self.name = "x%d" % ATTACKERS

    def act(self, elapsed):
        try:
            guest = Guest(self.name, self.bed.socket(self.name), ATTACKERS)
            guest.emit(0, b"\xff" * 6, 1, 60)
            guest.go()
            self.count += 1
        except OSError:
            pass


class Faults(Connects):
    """faults: one attacker connects, negotiates and goes in the middle of a message, until it is in quarantine and nobody answers it any more"""
    deeds = "faults"

    def act(self, elapsed):
        try:
            guest = Guest(self.name, self.bed.socket(self.name), ATTACKERS, patience=0.01)
            guest.go(in_message=True)
            self.count += 1
        except OSError:
            pass

    def end(self):
        super().end()
        # Its port serves the next attack's guest again.
        self.bed.control.call("port.reset", name=self.name)


class Toggles(Attack):
    """toggles: attackers send, and disable and enable their rings or start their devices again with fewer features; meanwhile all statistics are asked for"""

    def prepare(self):
        for attacker in self.attackers:
            attacker.load([ethernet(self.next(attacker), attacker.address, 60)])

    def act(self, elapsed):
        self.count += 1
        attacker = self.attackers[self.count % ATTACKERS]
        for ring in 0, 1:
            attacker.enable(ring, False)
            attacker.enable(ring, True)
        super().act(elapsed)
        if self.count % 16 == 0:
            method = ["port.show", "guest.show", "class.show", "core.show", "fdb.show"][self.count // 16 % 5]
            self.bed.control.call(method)


class Questions(Attack):
    """questions: clients of the control socket ask for all classes, ports, guests and addresses, one after the other"""
    deeds = "questions"

    def prepare(self):
        self.clients = [Control(self.bed.lab.path("control")) for _ in range(4)]

    def act(self, elapsed):
        self.count += 1
        self.clients[self.count % 4].call(["port.show", "guest.show", "class.show", "fdb.show"][self.count // 4 % 4])


ATTACKS = [Small, Long, Dear, Storm, Storms, SmallStorms, Addresses, Unknown, Full, Reports, Connects, Faults, Toggles, Questions]
