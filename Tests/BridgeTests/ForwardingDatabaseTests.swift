import Bridge
import TestSupport
import Testing

@Suite("Forwarding database")
struct ForwardingDatabaseTests {
    @Test func learnsLooksUpAndMoves() {
        let fdb = ForwardingDatabase.create(capacity: 100)
        defer { fdb.destroy() }
        let mac: UInt64 = 0x5254_0000_0001
        #expect(fdb.lookup(mac: mac).isNone)
        #expect(fdb.lookup(mac: mac) == .none)
        #expect(fdb.lookup(mac: 0).isNone)

        var result = fdb.learn(mac: mac, port: 3, guest: 7, now: 1000)
        #expect(result.verdict == .learned && result.value == FDBValue(port: 3, guest: 7, seen: 1000))
        #expect(fdb.lookup(mac: mac) == FDBValue(port: 3, guest: 7, seen: 1000))
        #expect(fdb.count == 1)

        result = fdb.learn(mac: mac, port: 3, guest: 7, now: 1000)
        #expect(result.verdict == .known && result.value.guest == 7)
        result = fdb.learn(mac: mac, port: 3, guest: 7, now: 1001)
        #expect(result.verdict == .known && fdb.lookup(mac: mac).seen == 1001)
        // The port's guest may have become another one since.
        result = fdb.learn(mac: mac, port: 3, guest: 8, now: 1001)
        #expect(result.verdict == .known && fdb.lookup(mac: mac).guest == 8)

        result = fdb.learn(mac: mac, port: 4, guest: 9, now: 1002)
        #expect(result.verdict == .moved && fdb.lookup(mac: mac) == FDBValue(port: 4, guest: 9, seen: 1002))
        #expect(fdb.count == 1)
    }

    @Test func valuesOfAllExtremes() {
        let fdb = ForwardingDatabase.create(capacity: 100)
        defer { fdb.destroy() }
        // Port 0, guest 0 and second 0 make an entry like any other, although its value is 0.
        #expect(fdb.learn(mac: 1, port: 0, guest: 0, now: 0).verdict == .learned)
        #expect(!fdb.lookup(mac: 1).isNone && fdb.lookup(mac: 1).raw == 0)
        #expect(fdb.learn(mac: 0xfeff_ffff_ffff, port: 0xfffe, guest: 0xffff, now: 0x7fff_ffff).verdict == .learned)
        let value = fdb.lookup(mac: 0xfeff_ffff_ffff)
        #expect(value.port == 0xfffe && value.guest == 0xffff && value.seen == 0x7fff_ffff && !value.isStatic)
    }

    @Test func theSameAddressInTwoVLANsIsTwo() {
        let fdb = ForwardingDatabase.create(capacity: 100)
        defer { fdb.destroy() }
        let mac: UInt64 = 0x5254_0000_0001
        _ = fdb.learn(mac: mac | 5 << 48, port: 1, guest: 1, now: 1)
        _ = fdb.learn(mac: mac | 4095 << 48, port: 2, guest: 2, now: 1)
        #expect(fdb.lookup(mac: mac).isNone)
        #expect(fdb.lookup(mac: mac | 5 << 48).port == 1)
        #expect(fdb.lookup(mac: mac | 4095 << 48).port == 2)
    }

    @Test func staticEntriesNeitherMoveNorAge() {
        let fdb = ForwardingDatabase.create(capacity: 100)
        defer { fdb.destroy() }
        #expect(fdb.learn(mac: 9, port: 5, guest: 5, now: 10).verdict == .learned)
        #expect(fdb.addStatic(mac: 9, port: 1, guest: 2))
        #expect(fdb.count == 1)

        let own = fdb.learn(mac: 9, port: 1, guest: 99, now: 11)
        #expect(own.verdict == .known && own.value.guest == 2 && own.value.isStatic)
        let spoofed = fdb.learn(mac: 9, port: 5, guest: 5, now: 12)
        #expect(spoofed.verdict == .refusedStatic && spoofed.value == FDBValue(staticPort: 1, guest: 2))
        #expect(fdb.lookup(mac: 9) == FDBValue(staticPort: 1, guest: 2))

        #expect(fdb.sweep(olderThan: 0x7fff_ffff, from: 0, count: fdb.lines).removed == 0)
        #expect(fdb.flush(port: 1) == 0 && fdb.flushLearned() == 0)
        #expect(fdb.addStatic(mac: 9, port: 3, guest: 4))
        #expect(fdb.lookup(mac: 9) == FDBValue(staticPort: 3, guest: 4))
        #expect(fdb.removeStatic(mac: 9) && !fdb.removeStatic(mac: 9))
        #expect(fdb.lookup(mac: 9).isNone && fdb.count == 0)

        _ = fdb.learn(mac: 10, port: 1, guest: 1, now: 1)
        #expect(!fdb.removeStatic(mac: 10) && fdb.lookup(mac: 10).port == 1)
        #expect(fdb.remove(mac: 10) && !fdb.remove(mac: 10))
        #expect(fdb.addStatic(mac: 11, port: 6, guest: 0))
        #expect(fdb.flush(port: 6, statics: true) == 1)
    }

    @Test func agesInSlices() {
        let fdb = ForwardingDatabase.create(capacity: 10_000)
        defer { fdb.destroy() }
        for mac in 1...9_000 as ClosedRange<UInt64> { _ = fdb.learn(mac: mac, port: 1, guest: 0, now: UInt32(mac)) }
        #expect(fdb.count == 9_000)
        var cursor = 0
        var removed = 0
        var slices = 0
        repeat {
            let step = fdb.sweep(olderThan: 4_001, from: cursor, count: 100)
            removed += step.removed
            cursor = step.next
            slices += 1
        } while cursor != 0
        #expect(removed == 4_000 && fdb.count == 5_000)
        #expect(slices == (fdb.lines + 99) / 100)
        #expect(fdb.lookup(mac: 4_000).isNone && fdb.lookup(mac: 4_001).port == 1)
        #expect(fdb.sweep(olderThan: 9_999, from: -5, count: .max / 8).removed == 5_000)
        #expect(fdb.sweep(olderThan: 9_999, from: fdb.lines + 7, count: 1).next == 1)
    }

    @Test func aRefreshKeepsAnAddressYoung() {
        let fdb = ForwardingDatabase.create(capacity: 10)
        defer { fdb.destroy() }
        _ = fdb.learn(mac: 1, port: 1, guest: 0, now: 0)
        for now in stride(from: 100 as UInt32, through: 3_000, by: 100) {
            _ = fdb.learn(mac: 1, port: 1, guest: 0, now: now)
            #expect(fdb.sweep(olderThan: now >= 300 ? now - 300 : 0, from: 0, count: fdb.lines).removed == 0)
        }
        #expect(fdb.sweep(olderThan: 3_001, from: 0, count: fdb.lines).removed == 1)
    }

    /// Every operation, in random order, compared with a dictionary. Nothing is evicted, because the dictionary does not model that.
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func randomOperations(_ seed: UInt64) {
        var random = Seeded(seed)
        let fdb = ForwardingDatabase.create(capacity: 3_000, multiplier: random.next())
        defer { fdb.destroy() }
        var oracle: [UInt64: FDBValue] = [:]
        let macs = (0..<2_500).map { _ in random.next() & 0x0fff_feff_ffff_ffff | 1 }
        var now: UInt32 = 5
        for step in 0..<60_000 {
            let mac = macs.randomElement(using: &random)!
            let port = UInt16.random(in: 0..<6, using: &random)
            let guest = UInt16.random(in: 0..<3, using: &random)
            switch Int.random(in: 0..<1000, using: &random) {
            case 0..<600:
                let result = fdb.learn(mac: mac, port: port, guest: guest, now: now)
                let before = oracle[mac]
                let wanted = FDBValue(port: port, guest: guest, seen: now)
                let expected: LearnVerdict
                if let before, before.isStatic {
                    expected = before.port == port ? .known : .refusedStatic
                } else {
                    expected = before == nil ? .learned : before!.port == port ? .known : .moved
                    oracle[mac] = wanted
                }
                #expect(result.verdict == expected && result.value == oracle[mac], "step \(step)")
            case 600..<850: #expect(fdb.lookup(mac: mac) == oracle[mac] ?? .none, "step \(step)")
            case 850..<900:
                #expect(fdb.addStatic(mac: mac, port: port, guest: guest))
                oracle[mac] = FDBValue(staticPort: port, guest: guest)
            case 900..<940: 
                let isStatic = oracle[mac]?.isStatic == true
                #expect(fdb.removeStatic(mac: mac) == isStatic)
                if isStatic { oracle[mac] = nil }
            case 940..<980: #expect(fdb.remove(mac: mac) == (oracle.removeValue(forKey: mac) != nil))
            case 980..<995: now += 1
            case 995:
                let gone = oracle.filter { $0.value.port == port && !$0.value.isStatic }
                #expect(fdb.flush(port: port) == gone.count)
                for mac in gone.keys { oracle[mac] = nil }
            default:
                let cutoff = now - 4
                let gone = oracle.filter { !$0.value.isStatic && $0.value.seen < cutoff }
                #expect(fdb.sweep(olderThan: cutoff, from: 0, count: fdb.lines).removed == gone.count)
                for mac in gone.keys { oracle[mac] = nil }
            }
        }
        #expect(fdb.count == oracle.count)
        var seen: [UInt64: FDBValue] = [:]
        fdb.forEach { mac, value in
            #expect(seen.updateValue(value, forKey: mac) == nil, "listed twice")
        }
        #expect(seen == oracle)
    }
}
