import TestSupport
import Testing
import TrafficGenerator

@Suite struct CountingTests {
    @Test func bucketsHoldTheirValuesWithinAHundredTwentyEighth() {
        var previous = -1
        for exponent in 0..<40 {
            for step in 0..<256 as Range<UInt64> {
                let value = (1 << UInt64(exponent)) + (step << UInt64(exponent)) / 256
                let index = LatencyBuckets.index(value)
                #expect(index >= previous && index < LatencyBuckets.count)
                previous = index
                let middle = LatencyBuckets.value(index)
                let error = middle > value ? middle - value : value - middle
                #expect(error * 128 <= value && LatencyBuckets.upperBound(index) >= value, "\(value) became \(middle)")
            }
        }
        #expect(LatencyBuckets.index(.max) == LatencyBuckets.count - 1)
        #expect(LatencyBuckets.index(1 << 40) == LatencyBuckets.count - 1)
    }

    @Test func percentilesRank() {
        var counts = [UInt64](repeating: 0, count: LatencyBuckets.count)
        #expect(LatencyBuckets.percentile(counts, 0.5) == nil)
        for value in 1...100 as ClosedRange<UInt64> { counts[LatencyBuckets.index(value * 1_000)] += 1 }
        for (fraction, wanted) in [(0.5, 50_000.0), (0.9, 90_000), (0.99, 99_000), (1, 100_000)] {
            let found = Double(LatencyBuckets.percentile(counts, fraction) ?? 0)
            #expect(abs(found - wanted) <= wanted / 128)
        }
    }

    /// The format that HdrHistogram's plotter reads: values and percentiles rise, and the last line is at 100 %.
    @Test func writesPercentileDistributions() throws {
        var counts = [UInt64](repeating: 0, count: LatencyBuckets.count)
        for value in 1...100_000 as ClosedRange<UInt64> { counts[LatencyBuckets.index(value)] += 1 }
        let lines = Histogram(counts: counts).percentileDistribution().split(separator: "\n").map(String.init)
        #expect(lines[0].split(separator: " ") == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"])
        let rows = lines.dropFirst().filter { !$0.hasPrefix("#") }.map { $0.split(separator: " ").map(String.init) }
        try #require(rows.count > 25 && rows.allSatisfy { $0.count == 4 })
        let values = rows.compactMap { Double($0[0]) }, percentiles = rows.compactMap { Double($0[1]) }
        #expect(values == values.sorted() && percentiles == percentiles.sorted())
        #expect(rows.last.map { [$0[1], $0[2], $0[3]] } == ["1.000000000000", "100000", "inf"])
        for (value, percentile) in zip(values, percentiles) { #expect(abs(value - percentile * 100) <= percentile * 100 / 100 + 0.001) }
        #expect(lines.contains { $0.hasPrefix("#[Mean    =") && $0.contains("50.0") })
        #expect(Histogram(counts: [UInt64](repeating: 0, count: LatencyBuckets.count)).percentileDistribution().contains("Total count    =            0"))
    }

    @Test func followsOrder() {
        func judge(_ arrivals: [UInt32], startingAt first: UInt32 = 0) -> [UInt64] {
            var stream = StreamState(flow: 0, firstTemplate: 0)
            stream.expected = first
            var counters = FlowCounters()
            for arrival in arrivals { stream.follow(arrival, &counters) }
            return [counters.missing, counters.reordered, counters.duplicated]
        }
        #expect(judge([0, 1, 2, 3]) == [0, 0, 0])
        #expect(judge([0, 2, 3]) == [1, 0, 0])
        #expect(judge([0, 2, 1, 3]) == [0, 1, 0])
        #expect(judge([0, 1, 1, 2]) == [0, 0, 1])
        #expect(judge([0, 3, 1, 1, 2]) == [0, 2, 1])
        #expect(judge([0, 200, 0]) == [198, 1, 0])
        #expect(judge([.max - 1, .max, 0, 1], startingAt: .max - 1) == [0, 0, 0])
        #expect(judge([0, 63, 1, 0]) == [61, 1, 1])
    }

    /// Compares the result with that of a set that remembers everything.
    @Test func agreesWithAnOracleOnShuffledArrivals() {
        var random = Seeded(7)
        for _ in 0..<500 {
            let sent: UInt32 = 60
            var arrivals = (0..<sent).filter { _ in random.next() % 8 != 0 }
            for _ in 0..<(random.next() % 6) where arrivals.count > 1 {
                arrivals.swapAt(Int(random.next() % UInt64(arrivals.count)), Int(random.next() % UInt64(arrivals.count)))
            }
            for _ in 0..<(random.next() % 4) { arrivals.append(arrivals[Int(random.next() % UInt64(arrivals.count))]) }
            var stream = StreamState(flow: 0, firstTemplate: 0)
            var counters = FlowCounters()
            var seen: Set<UInt32> = []
            var greatest: Int64 = -1
            var late: UInt64 = 0, twice: UInt64 = 0
            for arrival in arrivals {
                stream.follow(arrival, &counters)
                if !seen.insert(arrival).inserted { twice += 1 } else if Int64(arrival) < greatest { late += 1 }
                greatest = max(greatest, Int64(arrival))
            }
            #expect(counters.duplicated == twice)
            #expect(counters.reordered == late)
            #expect(counters.missing == UInt64(greatest + 1) - UInt64(seen.count))
        }
    }

    @Test func signatureReadsBackAndShowsDamage() {
        var random = Seeded(3)
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 16)
        defer { bytes.deallocate() }
        for _ in 0..<1_000 {
            let place = bytes + Int(random.next() % 8)
            let written = Signature(
                time: random.next() & 0xffff_ffff_ffff, stream: UInt32(truncatingIfNeeded: random.next()),
                sequence: UInt32(truncatingIfNeeded: random.next()))
            written.write(to: place)
            var read = Signature(time: 0, stream: 0, sequence: 0)
            #expect(Signature.read(place, &read) == .present)
            #expect(read == written)
            let bit = Int(random.next() % UInt64(Signature.size * 8))
            let damaged = place.load(fromByteOffset: bit / 8, as: UInt8.self) ^ (1 << UInt8(bit % 8))
            place.storeBytes(of: damaged, toByteOffset: bit / 8, as: UInt8.self)
            #expect(Signature.read(place, &read) == (bit < 16 ? .absent : .damaged))
        }
    }
}
