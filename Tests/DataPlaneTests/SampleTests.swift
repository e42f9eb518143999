import DataPlane
import TestSupport
import Testing

@Suite("Sampling of frames") struct SampleTests {
    @Test("skips are evenly drawn, and one frame in the rate is sampled on average", arguments: [1, 2, 7, 1_000, 1 << 24])
    func skips(rate: Int) {
        var counter = SkipCounter(rate: rate, seed: 3), sum = 0.0, counts = [Int](repeating: 0, count: 13)
        let draws = 1_000_000
        for _ in 0..<draws {
            let skip = counter.draw()
            guard (1...2 * rate - 1).contains(skip) else {
                Issue.record("\(skip) is no skip for a rate of \(rate)")
                return
            }
            sum += Double(skip)
            counts[(skip - 1) * 13 / (2 * rate - 1)] += 1
        }
        // An even distribution from 1 to 2n - 1 has a standard deviation of about n / sqrt(3); six times that of the mean.
        #expect(abs(sum / Double(draws) - Double(rate)) <= 6 * Double(rate) / 1.7 / Double(draws).squareRoot())
        guard rate == 7 || rate > 100 else { return }
        for count in counts { #expect(abs(Double(count) - Double(draws) / 13) < Double(draws) / 13 * 0.03) }
    }

    @Test("whatever the bursts, all frames are counted, each is as likely to be sampled, and its place is told", arguments: [1, 3, 50, 400])
    func bursts(rate: Int) {
        var random = Seeded(5), counter = SkipCounter(rate: rate, seed: 11), source = SampleSource(skip: counter.draw())
        var reference = SkipCounter(rate: rate, seed: 11), expected: Set<Int> = [], next = reference.draw() - 1
        var frames = 0, byPlace = [Int](repeating: 0, count: 32), seen = [Int](repeating: 0, count: 32), sampled: [Int] = []
        for _ in 0..<100_000 {
            let count = Int.random(in: 1...32, using: &random)
            for place in 0..<count { seen[place] += 1 }
            while next < frames + count {
                expected.insert(next)
                next += reference.draw()
            }
            if source.hasSample(in: count) {
                while let place = source.next(in: count, &counter) {
                    sampled.append(frames + place)
                    byPlace[place] += 1
                }
            }
            frames += count
        }
        #expect(source.pool == UInt64(frames))
        #expect(Set(sampled) == expected && sampled == sampled.sorted())
        #expect(abs(Double(sampled.count) * Double(rate) / Double(frames) - 1) < 0.05)
        for place in 0..<32 where rate <= 50 {
            let share = Double(byPlace[place]) * Double(rate) / Double(seen[place])
            #expect(abs(share - 1) < 0.35, "place \(place): \(share)")
        }
    }

    @Test("samples are read in their order, and what finds no room is not written")
    func ring() {
        let ring = SampleRing(slots: 8, longest: 64)
        defer { ring.deallocate() }
        var random = Seeded(2), written = 0, read = 0, held = 0, refused = 0
        for _ in 0..<10_000 {
            var ahead = 0
            for _ in 0..<Int.random(in: 0...5, using: &random) {
                guard let bytes = ring.begin(ahead) else {
                    #expect(held + ahead == 8)
                    refused += 1
                    continue
                }
                let kept = Int.random(in: 0...64, using: &random)
                bytes.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: written + ahead), count: kept)
                ring.record(ahead).pointee = SampleRecord(length: UInt32(written + ahead), kept: UInt16(kept), input: 1)
                ahead += 1
            }
            ring.finish(ahead)
            (written, held) = (written + ahead, held + ahead)
            guard Bool.random(using: &random) else { continue }
            ring.take { record, bytes in
                #expect(record.length == UInt32(read) && bytes.count == Int(record.kept) && bytes.allSatisfy { $0 == UInt8(truncatingIfNeeded: read) })
                read += 1
            }
            held = 0
            #expect(read == written)
        }
        #expect(refused > 100 && read > 1_000)
    }
}
