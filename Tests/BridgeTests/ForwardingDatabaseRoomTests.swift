import Bridge
import TestSupport
import Testing

@Suite("Forwarding database: room")
struct ForwardingDatabaseRoomTests {
    enum Addresses: CaseIterable { case random, consecutive, sameVendorStrided }

    private func address(_ kind: Addresses, _ index: Int, _ random: inout Seeded) -> UInt64 {
        switch kind {
        case .random: random.next() & 0xfeff_ffff_ffff
        case .consecutive: 0x5254_0000_0000 + UInt64(index)
        case .sameVendorStrided: 0x0200_0000_0001 + UInt64(index) << 12
        }
    }

    @Test(arguments: Addresses.allCases, [64, 1024, 16_384])
    func fillsToNineTenthsBeforeRefusing(_ kind: Addresses, _ lines: Int) {
        var random = Seeded(UInt64(lines))
        for _ in 0..<5 {
            let fdb = ForwardingDatabase.create(lines: lines, capacity: lines * 4, multiplier: random.next())
            defer { fdb.destroy() }
            var index = 0
            while fdb.learn(mac: address(kind, index, &random), port: UInt16(index % 50_000), guest: 0, now: 1).verdict == .learned { index += 1 }
            let fill = Double(fdb.count) / Double(lines * 4)
            #expect(fill >= 0.9, "\(kind), \(lines) lines: full at \(fill)")
        }
    }

    @Test(arguments: Addresses.allCases, [1, 7, 192, 1000, 49_152, 65_536])
    func holdsItsCapacity(_ kind: Addresses, _ capacity: Int) {
        var random = Seeded(99)
        let fdb = ForwardingDatabase.create(capacity: capacity, multiplier: random.next())
        defer { fdb.destroy() }
        var macs: [UInt64] = []
        for index in 0..<capacity {
            let mac = address(kind, index, &random)
            macs.append(mac)
            #expect(fdb.learn(mac: mac, port: UInt16(index & 0x3fff), guest: 1, now: 1).verdict == .learned, "\(index) of \(capacity)")
        }
        #expect(fdb.count == capacity)
        for (index, mac) in macs.enumerated() { #expect(fdb.lookup(mac: mac).port == UInt16(index & 0x3fff)) }
        // One more address must not make the database exceed its capacity.
        _ = fdb.learn(mac: 0x0e00_0000_0000, port: 77, guest: 1, now: 2)
        #expect(fdb.count <= capacity)
    }

    @Test func aFloodOfInventedAddressesDisplacesItself() {
        var random = Seeded(7)
        for capacity in [1000, 3000] {
            let fdb = ForwardingDatabase.create(capacity: capacity, multiplier: random.next())
            defer { fdb.destroy() }
            let neighbours = (0..<50).map { 0x5254_0000_0000 + UInt64($0) }
            for (index, mac) in neighbours.enumerated() { #expect(fdb.learn(mac: mac, port: UInt16(index), guest: 0, now: 0).verdict == .learned) }
            var verdicts: [LearnVerdict: Int] = [:]
            for _ in 0..<200_000 { verdicts[fdb.learn(mac: random.next() & 0xfeff_ffff_ffff, port: 99, guest: 0, now: 10).verdict, default: 0] += 1 }
            for (index, mac) in neighbours.enumerated() { #expect(fdb.lookup(mac: mac).port == UInt16(index)) }
            #expect(fdb.count <= capacity)
            #expect(verdicts[.evicted, default: 0] > 190_000)
            // A port that has few addresses can still have a new one learned.
            #expect(fdb.learn(mac: 0x5254_0000_1000, port: 3, guest: 0, now: 11).verdict == .evicted)
        }
    }

    @Test func theLongestUnseenGoesFirst() {
        let fdb = ForwardingDatabase.create(lines: 2, capacity: 4, multiplier: 0x1234_5678_9abc_def1)
        defer { fdb.destroy() }
        for mac in 1...4 as ClosedRange<UInt64> { #expect(fdb.learn(mac: mac, port: 1, guest: 0, now: UInt32(10 - mac)).verdict == .learned) }
        #expect(fdb.learn(mac: 5, port: 1, guest: 0, now: 20).verdict == .evicted)
        var listed: Set<UInt64> = []
        fdb.forEach { mac, _ in listed.insert(mac) }
        #expect(listed == [1, 2, 3, 5])
        // Another port may displace one of a port's many addresses, but not the only address of a port.
        #expect(fdb.learn(mac: 6, port: 2, guest: 0, now: 21).verdict == .evicted)
        #expect(fdb.lookup(mac: 3).isNone && fdb.lookup(mac: 6).port == 2)
        for mac in [1, 2, 5] as [UInt64] { #expect(fdb.remove(mac: mac)) }
        for port in 3...5 as ClosedRange<UInt16> { #expect(fdb.learn(mac: UInt64(port) + 100, port: port, guest: 0, now: 30).verdict == .learned) }
        #expect(fdb.learn(mac: 7, port: 9, guest: 0, now: 31).verdict == .full)
        #expect(fdb.learn(mac: 8, port: 2, guest: 0, now: 32).verdict == .evicted)
        #expect(fdb.lookup(mac: 6).isNone && fdb.lookup(mac: 8).port == 2)
    }

    @Test func aTableOfStaticEntriesRefuses() {
        let fdb = ForwardingDatabase.create(lines: 2, capacity: 8, multiplier: 0x1234_5678_9abc_def1)
        defer { fdb.destroy() }
        var mac: UInt64 = 1
        while fdb.addStatic(mac: mac, port: 1, guest: 1) { mac += 1 }
        #expect(mac > 4, "a line has four places")
        #expect(fdb.learn(mac: mac, port: 1, guest: 1, now: 1).verdict == .full)
        #expect(fdb.lookup(mac: mac).isNone)
        for known in 1..<mac { #expect(fdb.lookup(mac: known).isStatic) }
    }

    @Test func staticEntriesDisplaceLearnedOnes() {
        let fdb = ForwardingDatabase.create(lines: 2, capacity: 8, multiplier: 0x1234_5678_9abc_def1)
        defer { fdb.destroy() }
        for mac in 100..<200 as Range<UInt64> { _ = fdb.learn(mac: mac, port: UInt16(mac), guest: 1, now: 1) }
        for mac in 1...4 as ClosedRange<UInt64> { #expect(fdb.addStatic(mac: mac, port: 9, guest: 9)) }
        for mac in 1...4 as ClosedRange<UInt64> { #expect(fdb.lookup(mac: mac) == FDBValue(staticPort: 9, guest: 9)) }
    }
}
