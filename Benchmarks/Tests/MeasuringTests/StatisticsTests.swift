import Foundation
import Measuring
import Testing

@Suite struct StatisticsTests {
    @Test func givesMediansAndSpread() throws {
        #expect(Spread([]) == nil)
        let odd = try #require(Spread([3, 1, 2])), even = try #require(Spread([4, 1, 3, 2]))
        #expect(odd.median == 2 && odd.least == 1 && odd.most == 3)
        #expect(even.median == 2.5)
        #expect(Spread.quantile([0, 10], 0.99) == 9.9)
        #expect(Spread.quantile([7], 0.5) == 7)
    }

    /// A machine that is half as fast in one round does not change its ratio.
    @Test func pairsRounds() {
        var figure = Figure("b", "MRR", unit: "frames/s", targets: [.init(against: "them", 1.9)])
        for (ours, theirs) in [(10.0, 5.0), (5, 2.5), (8, 4)] {
            figure.add("us", ours)
            figure.add("them", theirs)
        }
        #expect(figure.ratio(to: "them") == Spread([2]))
        #expect(figure.ratio(to: "us") == nil)
        #expect(figure.reaches(figure.targets[0]) == true)
        #expect(figure.reaches(.init(against: "nobody", 1)) == nil)
        figure.add("us", 9)
        figure.add("them", nil)
        #expect(figure.ratio(to: "them") == Spread([2]))
        figure.higherIsBetter = false
        #expect(figure.reaches(.init(against: "them", 1.9)) == false)
    }

    /// The worst and the best of fifty rounds say little.
    @Test func showsQuartilesOfMany() throws {
        let few = try #require(Spread((1...11).map(Double.init))), many = try #require(Spread((1...13).map(Double.init)))
        #expect(few.low == 1 && few.high == 11)
        #expect(many.low == 4 && many.high == 10 && many.least == 1 && many.most == 13)
    }

    @Test func comparesWithTheMedianWhatWasNotInTurn() {
        var figure = Figure("b", "MRR", unit: "frames/s")
        for value in [8.0, 10, 30] { figure.add("us", value) }
        for value in [1.0, 2] { figure.add("kernel", value) }
        #expect(figure.ratio(to: "kernel") == Spread([10, 5]))
    }

    @Test func readsSlices() throws {
        let report = try CirculationReport(
            json: Data(
                """
                {"astray": 0, "complete": true, "repeated": 1, "sliceSeconds": 0.1, "ratios": [], "switches": [
                  {"name": "us", "framesPerSecond": {"median": 5000}, "slices": [
                    {"frames": 500, "bytes": 30000, "seconds": 0.1, "lost": 2, "busy": 0.5, "disturbed": 0.01},
                    {"frames": 600, "bytes": 36000, "seconds": 0.1, "lost": 1, "busy": 0.7, "disturbed": 0}]},
                  {"name": "them", "slices": []}]}
                """.utf8))
        #expect(report.switches[0].slices.map(\.rate) == [5_000, 6_000])
        #expect(report.lost("us") == 3 && report.lost("them") == 0)
        #expect(report.limit.hasSuffix("us 60 %"))
        #expect(report.rates("us") == [5_000, 6_000] && report.rates("nobody").isEmpty)
        #expect(report.disturbed("us") == 0.005 && report.disturbed("them") == 0)
    }

    @Test func slidesWindows() {
        // Windows of 1 ms with 1 000 bytes are 8 Mbit/s.
        var bytes = [UInt32](repeating: 1_000, count: 100)
        let steady = RateWindows(bytes: bytes, milliseconds: 1).errors(against: 8e6, spanMilliseconds: 10)
        #expect(steady.count == 91 && steady.allSatisfy { abs($0) < 1e-12 })
        bytes[50] = 2_000
        let peak = RateWindows(bytes: bytes, milliseconds: 1).errors(against: 8e6, spanMilliseconds: 10)
        #expect(peak.count { abs($0 - 0.1) < 1e-9 } == 10)
        #expect(RateWindows(bytes: [], milliseconds: 1).errors(against: 8e6, spanMilliseconds: 10).isEmpty)
    }

    @Test func findsWhenAFloorIsBack() {
        var bytes = [UInt32](repeating: 0, count: 100)
        for window in 23..<100 { bytes[window] = 1_000 }
        let windows = RateWindows(bytes: bytes, milliseconds: 1)
        // A window of the span may lack bytes if the others have more, but here none does.
        #expect(windows.recovery(from: 20, until: 60, floor: 8e6) == 3)
        #expect(windows.recovery(from: 40, until: 60, floor: 8e6) == 0)
        #expect(windows.recovery(from: 20, until: 60, floor: 16e6) == nil)
        #expect(windows.recovery(from: 95, until: 100, floor: 8e6) == nil)
    }

    @Test func countsWhatARingHeldBackAsLost() throws {
        func line(_ seconds: Double, _ sent: Int, _ received: Int, _ held: Double) throws -> StreamCounters {
            try StreamCounters(
                json: """
                    {"seconds": \(seconds), "flows": [{"name": "f", "sentFrames": \(sent), "sentBytes": 0, "receivedFrames": \(received), "receivedBytes": 0,
                    "missing": 0, "reordered": 0, "duplicated": 0, "corrupted": 0, "flooded": 0, "misdelivered": 0, "sentRate": 0, "receivedRate": 0,
                    "heldSeconds": \(held)}]}
                    """)
        }
        let start = try line(1, 100, 100, 0)
        #expect(try line(2, 1_100, 1_100, 0).loss(since: start, rate: 1_000) == 0)
        #expect(try line(2, 600, 600, 0.5).loss(since: start, rate: 1_000) == 0.5)
        #expect(try line(3, 1_100, 1_100, 0).rate(since: start) == 500)
        #expect(try start.loss(since: start, rate: 1_000) == 1)
    }
}
