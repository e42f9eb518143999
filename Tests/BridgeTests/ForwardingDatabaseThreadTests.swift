import Bridge
import Synchronization
import TestSupport
import Testing

@Suite("Forwarding database: several lcores")
struct ForwardingDatabaseThreadTests {
    /// Learners and readers on real threads use a table that is far too small, so that entries are moved, evicted and contended for all the time, while another
    /// thread sweeps, flushes and sets static entries. The guest of an entry tells which address it was made for, so a look-up that returned the value of
    /// another address would be noticed.
    @Test func nobodyEverReadsAnotherAddressesValue() {
        let fdb = ForwardingDatabase.create(lines: 32, capacity: 120, multiplier: 0x9e37_79b9_7f4a_7c15)
        defer { fdb.destroy() }
        let faults = Faults()
        let running = Atomic<Int>(4)
        let verdicts = Counts()
        onThreads(5) { thread in
            var random = Seeded(UInt64(thread))
            if thread == 4 {
                control(fdb, &random, faults, while: { running.load(ordering: .relaxed) > 0 })
                return
            }
            for turn in 0..<300_000 {
                let mac = random.next() % 200 + 1
                if turn & 1 == 0 {
                    let result = fdb.learn(mac: mac, port: UInt16(mac & 3) + UInt16(thread & 1), guest: UInt16(mac), now: UInt32(turn >> 8))
                    if result.value.guest != mac { faults.add("learn told of \(result) for \(mac)") }
                    verdicts.count(result.verdict)
                } else {
                    let value = fdb.lookup(mac: mac)
                    if !value.isNone, value.guest != mac { faults.add("lookup told of \(value) for \(mac)") }
                }
            }
            running.subtract(1, ordering: .relaxed)
        }
        #expect(faults.texts == [])
        for verdict in [LearnVerdict.known, .learned, .evicted, .moved] { #expect(verdicts[verdict] > 0, "\(verdict) never happened") }
        // When all threads have ended, no operation may have been left half done.
        var seen: Set<UInt64> = []
        fdb.forEach { mac, value in
            #expect(seen.insert(mac).inserted, "two entries of one address")
            #expect(value.guest == mac && fdb.lookup(mac: mac) == value)
        }
        #expect(seen.count == fdb.count)
        for mac in 1...200 as ClosedRange<UInt64> { fdb.remove(mac: mac) }
        #expect(fdb.count == 0)
        for mac in 1...100 as ClosedRange<UInt64> { #expect(fdb.learn(mac: mac, port: 1, guest: 1, now: 1).verdict == .learned) }
    }

    private func control(
        _ fdb: ForwardingDatabase, _ random: inout Seeded, _ faults: Faults, while condition: () -> Bool
    ) {
        var cursor = 0
        while condition() {
            let mac = random.next() % 200 + 1
            switch random.next() % 16 {
            case 0...7:
                if fdb.addStatic(mac: mac, port: 9, guest: UInt16(mac)) {
                    // The entry may be moving at this moment, but no learner may have replaced it.
                    for _ in 0..<20 {
                        let value = fdb.lookup(mac: mac)
                        if !value.isNone && !value.isStatic { faults.add("static \(mac) was learned: \(value)") }
                    }
                    if !fdb.removeStatic(mac: mac) { faults.add("static \(mac) was gone") }
                }
            case 8, 9: fdb.remove(mac: mac)
            case 10: fdb.flush(port: UInt16(mac & 3))
            case 11: fdb.forEach { if UInt64($1.guest) != $0 { faults.add("a list told of \($1) for \($0)") } }
            default: cursor = fdb.sweep(olderThan: UInt32(random.next() % 1200), from: cursor, count: 3).next
            }
        }
    }

    /// Threads that see the same new addresses at the same time leave exactly one entry for each address, and no entry is evicted while there is room.
    @Test(arguments: [32_768, 8_192]) func oneAddressLearnedByAllAtOnceHasOneEntry(lines: Int) {
        let fdb = ForwardingDatabase.create(lines: lines, capacity: 60_000, multiplier: .random(in: .min ... .max))
        defer { fdb.destroy() }
        onThreads(4) { thread in
            for mac in 1...20_000 as ClosedRange<UInt64> {
                // A thread that comes second finds the entry, or withdraws its own.
                while fdb.learn(mac: mac, port: UInt16(thread), guest: 0, now: 1).verdict == .contended {}
            }
        }
        #expect(fdb.count == 20_000)
        var listed: Set<UInt64> = []
        fdb.forEach { mac, _ in #expect(listed.insert(mac).inserted) }
        #expect(listed.count == 20_000)
    }

    @Test("Flooders on several threads leave their neighbours' addresses alone, and these go on learning")
    func threads() {
        let fdb = ForwardingDatabase.create(capacity: 3_000, multiplier: 0x9e37_79b9_7f4a_7c15)
        defer { fdb.destroy() }
        // There are two flooding ports and 28 neighbours with 80 addresses each; each port's share is 100 addresses.
        let neighbours = 28
        for number in 0..<40 {
            for port in 0..<neighbours {
                #expect(fdb.learn(mac: UInt64(number + port * 1_000 + 1), port: UInt16(port), guest: 0, now: 1).verdict == .learned)
            }
        }
        let learned = Atomic<Int>(0)
        onThreads(3) { thread in
            var random = Seeded(UInt64(thread))
            if thread == 2 {
                for number in 40..<80 {
                    for port in 0..<neighbours {
                        let mac = UInt64(number + port * 1_000 + 1)
                        for _ in 0..<100 {
                            let verdict = fdb.learn(mac: mac, port: UInt16(port), guest: 0, now: 1).verdict
                            if verdict == .full || verdict == .contended { continue }
                            learned.add(1, ordering: .relaxed)
                            break
                        }
                    }
                }
                return
            }
            for _ in 0..<300_000 { _ = fdb.learn(mac: random.next() & 0xfeff_ffff_ffff | 1 << 41, port: UInt16(100 + thread), guest: 0, now: 2) }
        }
        #expect(learned.load(ordering: .relaxed) == 40 * neighbours)
        for port in 0..<neighbours {
            for number in 0..<80 { #expect(fdb.lookup(mac: UInt64(number + port * 1_000 + 1)).port == UInt16(port)) }
            #expect(fdb.learnedCount(behind: UInt16(port)) == 80)
        }
    }
}

/// Collects observations, by any thread, that should never have been made.
private final class Faults: Sendable {
    private let list = Mutex<[String]>([])
    func add(_ text: String) { list.withLock { $0.append(text) } }
    var texts: [String] { list.withLock { $0 } }
}

/// Counts how often each verdict was given, over all threads.
private final class Counts: Sendable {
    private let known = Atomic<Int>(0)
    private let learned = Atomic<Int>(0)
    private let evicted = Atomic<Int>(0)
    private let moved = Atomic<Int>(0)

    func count(_ verdict: LearnVerdict) {
        switch verdict {
        case .known: known.add(1, ordering: .relaxed)
        case .learned: learned.add(1, ordering: .relaxed)
        case .evicted: evicted.add(1, ordering: .relaxed)
        case .moved: moved.add(1, ordering: .relaxed)
        default: break
        }
    }

    subscript(verdict: LearnVerdict) -> Int {
        switch verdict {
        case .known: known.load(ordering: .relaxed)
        case .learned: learned.load(ordering: .relaxed)
        case .evicted: evicted.load(ordering: .relaxed)
        case .moved: moved.load(ordering: .relaxed)
        default: 0
        }
    }
}
