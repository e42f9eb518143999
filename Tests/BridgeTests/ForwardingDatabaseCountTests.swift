import Bridge
import TestSupport
import Testing

@Suite("Forwarding database: addresses behind each port")
struct ForwardingDatabaseCountTests {
    @Test("the count of each port is that of its learned entries, whatever comes, moves, ages, is bound or has to yield", arguments: [1, 2, 3] as [UInt64])
    func counts(seed: UInt64) {
        var random = Seeded(seed)
        let fdb = ForwardingDatabase.create(lines: 16, capacity: 60, multiplier: random.next())
        defer { fdb.destroy() }
        for round in 0..<20_000 {
            let mac = 0x5254_0000_0000 | UInt64.random(in: 1...120, using: &random), port = UInt16.random(in: 0...4, using: &random)
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<80: _ = fdb.learn(mac: mac, port: port, guest: 1, now: UInt32(round))
            case 80..<85: _ = fdb.addStatic(mac: mac, port: port, guest: 2)
            case 85..<90: fdb.removeStatic(mac: mac)
            case 90..<94: fdb.remove(mac: mac)
            case 94: _ = fdb.overrule(mac: mac, FDBValue(port: port, guest: 3, seen: UInt32(round)))
            case 95: fdb.flush(port: port, statics: Bool.random(using: &random))
            case 96: fdb.relabel { _, old in old.port == port ? FDBValue(port: old.port, guest: 9, seen: old.seen) : old }
            default: _ = fdb.sweep(olderThan: UInt32(max(round - 300, 0)), from: 0, count: fdb.lines)
            }
            var counts = [Int](repeating: 0, count: 5)
            fdb.forEach { _, value in if !value.isStatic { counts[Int(value.port)] += 1 } }
            guard counts == (0..<5).map({ fdb.learnedCount(behind: UInt16($0)) }) else {
                Issue.record("seed \(seed), round \(round): \(counts)")
                return
            }
        }
    }
}
