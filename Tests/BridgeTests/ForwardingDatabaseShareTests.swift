import Bridge
import TestSupport
import Testing

@Suite("Forwarding database: each port's part")
struct ForwardingDatabaseShareTests {
    /// A random station address, in one of a few VLANs or without a VLAN.
    private static func station(_ random: inout Seeded) -> UInt64 { random.next() & 0xfeff_ffff_ffff | [0, 10, 20, 4_094].randomElement(using: &random)! << 48 | 1 }

    @Test(
        "One port floods a million addresses in several VLANs: the others' stay as long as they fit in their part, and new ones of theirs are learned",
        arguments: [1, 2, 3] as [UInt64])
    func flood(seed: UInt64) {
        var random = Seeded(seed)
        let capacity = [1_000, 4_096, 20_000][Int(seed - 1)], ports = [200, 30, 3][Int(seed - 1)]
        let fdb = ForwardingDatabase.create(capacity: capacity, multiplier: random.next())
        defer { fdb.destroy() }
        let part = capacity / (ports + 1)
        var known: [UInt64: UInt16] = [:]
        var stations: [(mac: UInt64, port: UInt16)] = []
        for port in 1...ports {
            for _ in 0..<Int.random(in: max(part / 2, 1)...part, using: &random) { stations.append((Self.station(&random), UInt16(port))) }
        }
        stations.shuffle(using: &random)
        // A third of the stations speak before the flood, the others during it.
        var later = Array(stations[(stations.count / 3)...])
        for station in stations[..<(stations.count / 3)] {
            #expect(fdb.learn(mac: station.mac, port: station.port, guest: 1, now: 1).verdict == .learned)
            known[station.mac] = station.port
        }
        var evicted = 0, tries = 0
        let each = 1_000_000 / later.count
        for turn in 0..<1_000_000 {
            let result = fdb.learn(mac: Self.station(&random) | 1 << 41, port: 0, guest: 0, now: UInt32(2 + turn / 10_000))
            if result.verdict == .evicted { evicted += 1 }
            if turn % each == 0, let station = later.popLast() {
                let verdict = fdb.learn(mac: station.mac, port: station.port, guest: 1, now: UInt32(2 + turn / 10_000)).verdict
                // A station whose address displaced no other is not learned yet; it tries again with its next frame.
                if verdict == .full { later.append(station) } else { known[station.mac] = station.port }
                tries += 1
            }
        }
        #expect(later.count < 3 && tries < known.count * 101 / 100)
        #expect(evicted > 900_000)
        #expect(fdb.count == capacity)
        let lost = known.filter { fdb.lookup(mac: $0.key).port != $0.value }
        #expect(lost.isEmpty, "\(lost.count) of \(known.count)")
    }

    /// Ports learn addresses at random. No port that has its share or less loses an address to another port, and no port loses one to a port that has as many.
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func nobodyTakesFromOnesPart(seed: UInt64) {
        var random = Seeded(seed)
        let capacity = Int.random(in: 16...300, using: &random), ports = Int.random(in: 2...12, using: &random)
        let fdb = ForwardingDatabase.create(capacity: capacity, multiplier: random.next())
        defer { fdb.destroy() }
        for number in 0..<(capacity / 8) { #expect(fdb.addStatic(mac: UInt64(number + 1), port: UInt16(number % ports), guest: 0)) }
        let places = capacity - capacity / 8
        var model: [UInt64: UInt16] = [:], counts = [Int](repeating: 0, count: ports)
        var refused = 0
        for turn in 0..<20_000 {
            // Some ports speak much more than others. Now and then all are silent and their entries age.
            let port = min(Int.random(in: 0..<ports, using: &random), Int.random(in: 0..<ports, using: &random))
            let mac = Self.station(&random)
            let verdict = fdb.learn(mac: mac, port: UInt16(port), guest: 0, now: UInt32(turn)).verdict
            var now: [UInt64: UInt16] = [:]
            fdb.forEach { mac, value in if !value.isStatic { now[mac] = value.port } }
            let part = places / counts.indices.count { counts[$0] > 0 || $0 == port }
            for (mac, owner) in model where now[mac] != owner {
                let had = counts[Int(owner)]
                let isExchanged = Int(owner) == port && (had + 1 > part || model.count < places), isTooMany = had > part && had > counts[port] + 1
                #expect(isExchanged || isTooMany, "turn \(turn): port \(owner) had \(had) of its \(part), port \(port) had \(counts[port])")
            }
            #expect(now.count >= model.count && now.count <= places)
            if verdict == .full {
                refused += 1
                #expect(now == model)
            } else {
                #expect(now[mac] == UInt16(port))
            }
            model = now
            counts = counts.indices.map { port in now.values.count { Int($0) == port } }
            if turn % 6_000 == 5_999 {
                _ = fdb.sweep(olderThan: UInt32(turn - capacity / 2), from: 0, count: fdb.lines)
                model = model.filter { !fdb.lookup(mac: $0.key).isNone }
                counts = counts.indices.map { port in model.values.count { Int($0) == port } }
            }
        }
        #expect(refused < 2_000, "a search of 32 lines finds somebody nearly always")
        // All ports that speak much have about the same number of addresses. A port that has fewer can have another address learned.
        let quiet = UInt16(ports)
        for number in 0..<(places / (ports + 1)) {
            let mac = 0x0a00_0000_0000 + UInt64(number)
            #expect((0..<fdb.lines).contains { _ in fdb.learn(mac: mac, port: quiet, guest: 0, now: 30_000).verdict != .full })
        }
        #expect(fdb.learnedCount(behind: quiet) == places / (ports + 1))
    }
}
