import ControlAPI
import TestSupport
import Testing

/// What a histogram says about delays, against the delays themselves.
@Suite struct DelayStatusTests {
    /// The bucket of a delay, as `DelayStatus.buckets` names it: the end of an eighth of a power of two.
    private func highest(_ delay: UInt64) -> UInt64 {
        let power = UInt64(63 - delay.leadingZeroBitCount)
        guard power >= 3 else { return delay }
        return ((delay >> (power - 3)) + 1) << (power - 3) - 1
    }

    private func status(_ delays: [UInt64], passed: UInt64) -> DelayStatus {
        let counts = Dictionary(grouping: delays, by: highest).mapValues { UInt64($0.count) }
        return DelayStatus(passed: passed, buckets: counts.sorted { $0.key < $1.key }.map { [$0.key, $0.value] })
    }

    @Test func quantilesAreNeverTooLowAndAtMostAnEighthTooHigh() {
        var dice = Seeded(11)
        for _ in 0..<200 {
            let passed = dice.next() % 300, spread = dice.next() % 30
            let delays = (0..<(dice.next() % 500)).map { _ in 1 + dice.next() % (1 << (1 + dice.next() % (spread + 1))) }
            let status = status(delays, passed: passed), all = Array(repeating: 0, count: Int(passed)) + delays.sorted()
            #expect(status.frames == UInt64(all.count) && status.waited == UInt64(delays.count))
            guard !all.isEmpty else { continue }
            for (part, told) in [(0.5, status.p50Nanoseconds), (0.99, status.p99Nanoseconds), (1, status.maxNanoseconds), (0.25, status.delay(of: 0.25))] {
                let exact = all[max(0, Int((Double(all.count) * part).rounded(.up)) - 1)]
                #expect(told >= exact && told <= exact + exact / 8, "\(part): \(told), not \(exact)")
            }
        }
    }

    @Test func whatWasCountedInBetween() {
        let before = status([100, 1_000, 1_000], passed: 10), now = status([100, 1_000, 1_000, 1_000, 50_000], passed: 11)
        #expect(now.since(before) == status([1_000, 50_000], passed: 1))
        #expect(now.since(now) == DelayStatus(passed: 0, buckets: []))
        // Counting has begun again.
        #expect(before.since(now) == before)
        #expect(status([7, 7, 7, 7, 7, 7], passed: 0).since(before) == status([7, 7, 7, 7, 7, 7], passed: 0))
    }

    @Test func framesUpToADelay() {
        let status = status([100, 20_000, 3_000_000], passed: 4)
        #expect([50, 16_383, 65_535, 1 << 32 - 1].map(status.frames(upTo:)) == [4, 5, 6, 7])
    }
}
