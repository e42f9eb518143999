import Measuring
import Testing

@Suite struct ConformanceTests {
    /// Windows of 10 ms at a rate from which the windows in `short` differ by a tenth.
    private func windows(_ rate: Double, short: Range<Int>) -> RateWindows {
        RateWindows(bytes: (0..<300).map { UInt32(rate / 8 / 100 * (short.contains($0) ? 0.9 : 1)) }, milliseconds: 10)
    }

    @Test func judgesWindows() throws {
        let errors = try #require(RateErrors(windows(1e9, short: 290..<300), against: 1e9, frameBytes: 1_514))
        #expect(errors.second.median == 0)
        #expect((errors.second.worst - 1).magnitude < 1e-9)
        #expect(errors.short?.median == 0 && ((errors.short?.p99 ?? 0) - 10).magnitude < 1e-3)
        // 12 112 bits are 1.2 % of what 10 ms hold at 100 Mbit/s.
        let coarse = try #require(RateErrors(windows(1e8, short: 0..<0), against: 1e8, frameBytes: 1_514))
        #expect(coarse.short == nil)
        #expect(RateErrors(RateWindows(bytes: [1, 2], milliseconds: 10), against: 1e8, frameBytes: 60) == nil)
    }

    /// A repeated measurement keeps the worst values that were seen.
    @Test func hidesNoWindow() throws {
        let bad = try #require(RateErrors(windows(1e9, short: 100..<200), against: 1e9, frameBytes: 1_514))
        var good = try #require(RateErrors(windows(1e9, short: 0..<0), against: 1e9, frameBytes: 1_514))
        good.keepWorst(of: bad)
        #expect(good.second.median == 0 && good.second.worst == bad.second.worst && good.short?.p99 == bad.short?.p99)
        #expect(good.short?.median == 0)
    }

    /// The link's rate is below the worst moment of the round, in whole Mbit/s.
    @Test func linkIsWhatTheSwitchSurelyPasses() {
        var link = LinkRate()
        #expect(link.rate == nil)
        for slice in [9e9, 8.0009e9, 12e9] { link.add(slice) }
        #expect(link.rate == 6_000e6)
    }

    @Test(arguments: [
        ([0.5], 0.5, 0), ([0.01, 9], 0.01, 0), ([0.5, 0.01, 9], 0.01, 1), ([0.5, 0.2, 0.3, 9], 0.2, 2), ([0.2, 0.5, 0.3, 9], 0.2, 2),
    ])
    func measuresAgain(_ shares: [Double], _ least: Double, _ repeats: Int) throws {
        var turn = 0
        let most = shares.count == 1 ? 0.5 : 0.02
        let result = LeastDisturbed(most: most) {
            defer { turn += 1 }
            return (turn, shares[turn])
        }
        #expect(result.disturbed == least && result.repeats == repeats && shares[result.value] == least)
        #expect(turn == repeats + 1)
    }
}
