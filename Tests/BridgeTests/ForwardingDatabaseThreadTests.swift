import Bridge
import Dispatch
import Synchronization
import Testing

/// The ports an address is learned behind: eight of its own.
private func port(_ mac: UInt64, _ variant: UInt64) -> UInt16 { UInt16(mac * 8 + variant) }

@Suite("Forwarding database: several lcores")
struct ForwardingDatabaseThreadTests {
    /// Learners and readers on real threads over a table far too small, so that entries are moved, evicted and contended all the
    /// time, while another thread sweeps, flushes and sets static entries. A port tells which address it was learned for, so that
    /// no look-up can mistake another address's value for its own.
    @Test func nobodyEverReadsAnotherAddressesValue() {
        let fdb = ForwardingDatabase.create(lines: 32, capacity: 110, multiplier: 0x9e37_79b9_7f4a_7c15)
        defer { fdb.destroy() }
        let wrong = Atomic<Int>(0)
        let running = Atomic<Int>(4)
        DispatchQueue.concurrentPerform(iterations: 5) { thread in
            var random = Seeded(UInt64(thread))
            if thread == 4 {
                control(fdb, &random, wrong: wrong, while: { running.load(ordering: .relaxed) > 0 })
                return
            }
            for turn in 0..<300_000 {
                let mac = random.next() % 200 + 1
                if turn & 1 == 0 {
                    let result = fdb.learn(mac: mac, port: port(mac, UInt64(thread & 1)), guest: UInt16(mac), now: UInt32(turn >> 8))
                    if result.value.port >> 3 != mac { wrong.add(1, ordering: .relaxed) }
                } else {
                    let value = fdb.lookup(mac: mac)
                    if !value.isNone, value.port >> 3 != mac || value.guest != mac { wrong.add(1, ordering: .relaxed) }
                }
            }
            running.subtract(1, ordering: .relaxed)
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        // At rest nothing is left half done.
        var seen: Set<UInt64> = []
        fdb.forEach { mac, value in
            #expect(seen.insert(mac).inserted, "two entries of one address")
            #expect(value.port >> 3 == mac && fdb.lookup(mac: mac) == value)
        }
        #expect(seen.count == fdb.count)
        for mac in 1...200 as ClosedRange<UInt64> { fdb.remove(mac: mac) }
        #expect(fdb.count == 0)
        for mac in 1...100 as ClosedRange<UInt64> { #expect(fdb.learn(mac: mac, port: 1, guest: 1, now: 1).verdict == .learned) }
    }

    private func control(
        _ fdb: ForwardingDatabase, _ random: inout Seeded, wrong: borrowing Atomic<Int>, while condition: () -> Bool
    ) {
        var cursor = 0
        while condition() {
            let mac = random.next() % 200 + 1
            switch random.next() % 8 {
            case 0...2:
                if fdb.addStatic(mac: mac, port: port(mac, 7), guest: UInt16(mac)) {
                    // It may be on the move at this moment, but no learner may have taken it.
                    for _ in 0..<20 {
                        let value = fdb.lookup(mac: mac)
                        if !value.isNone && !value.isStatic { wrong.add(1, ordering: .relaxed) }
                    }
                    if !fdb.removeStatic(mac: mac) { wrong.add(1, ordering: .relaxed) }
                }
            case 3: fdb.remove(mac: mac)
            case 4: fdb.flush(port: UInt16(mac * 8))
            case 5: fdb.forEach { if $1.port >> 3 != $0 { wrong.add(1, ordering: .relaxed) } }
            default: cursor = fdb.sweep(olderThan: UInt32(random.next() % 1200), from: cursor, count: 3).next
            }
        }
    }

    /// Threads that all see the same new addresses at once leave one entry for each.
    @Test func oneAddressLearnedByAllAtOnceHasOneEntry() {
        let fdb = ForwardingDatabase.create(capacity: 60_000)
        defer { fdb.destroy() }
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for mac in 1...20_000 as ClosedRange<UInt64> {
                // Whoever comes second finds the entry, or withdraws.
                while fdb.learn(mac: mac, port: UInt16(thread), guest: 0, now: 1).verdict == .contended {}
            }
        }
        #expect(fdb.count == 20_000)
        var listed: Set<UInt64> = []
        fdb.forEach { mac, _ in #expect(listed.insert(mac).inserted) }
        #expect(listed.count == 20_000)
    }
}
