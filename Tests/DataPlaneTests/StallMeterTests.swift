import DataPlane
import Testing

/// A loop that has spent `perFrame` cycles on each frame so far, with a bound of 20 000 cycles.
private struct Loop: ~Copyable {
    var meter = StallMeter(bound: 20_000, leastPerFrame: 250)
    var busyCycles: UInt64 = 0
    var frames: UInt64 = 0
    var turns: UInt64 = 0
    var now: UInt64 = 1_000

    /// Does what the poll loop does in a turn.
    mutating func turn(took: UInt64, frames work: Int = 0, excused: UInt64 = 0, copies: Int = 0) {
        turns += 1
        if excused + UInt64(copies) > 0 { meter.excuse(turn: turns, cycles: excused, frames: copies) }
        frames += UInt64(work)
        if took > meter.bound { meter.judge(turn: turns, began: now, took: took, work: work, busyCycles: busyCycles, handledFrames: frames) }
        if work > 0 { busyCycles += took }
        now += took
    }
}

@Suite struct StallMeterTests {
    @Test func emptyTurnsAreLostAboveTheBound() {
        var loop = Loop()
        for took in [50, 20_000, 20_001, 500_000, 90_000] as [UInt64] { loop.turn(took: took) }
        #expect(loop.meter.count == 3)
        #expect(loop.meter.total == 610_001)
        #expect(loop.meter.longest == 500_000)
        #expect(loop.meter.latest == [Stall(began: 21_050, took: 20_001), Stall(began: 41_051, took: 500_000), Stall(began: 541_051, took: 90_000)])
    }

    @Test func framesTakeTheirTime() {
        var loop = Loop()
        // 8 ports with 32 frames of 9000 bytes each take 500 us in every turn.
        for _ in 0..<1_000 { loop.turn(took: 1_250_000, frames: 256) }
        #expect(loop.meter.count <= 5, "once the loop knows what its frames take, none of it is lost")
        let before = loop.meter.total
        loop.turn(took: 5_000_000, frames: 256)
        let lost = loop.meter.total - before
        #expect((3_700_000...3_800_000).contains(lost), "only what they do not take is")
    }

    @Test func changesAndFloodsAreNoStalls() {
        var loop = Loop()
        loop.turn(took: 2_000_000, excused: 1_990_000)
        loop.turn(took: 500_000, frames: 32, copies: 2_000)
        #expect(loop.meter.count == 0)
        loop.turn(took: 400_000)
        #expect(loop.meter.total == 400_000, "what excused one turn does not excuse the next")
    }

    @Test func theLatestAreKept() {
        var loop = Loop()
        for length in 0..<UInt64(StallMeter.logSize + 100) { loop.turn(took: 30_000 + length) }
        let latest = loop.meter.latest
        #expect(latest.count == StallMeter.logSize)
        #expect(latest.first?.took == 30_100)
        #expect(latest.map(\.began) == latest.map(\.began).sorted())
    }

    @Test func theKernelsCounts() {
        #expect(CPUTime.waited(schedstat: "784724 212607 2\n") == 212_607)
        #expect(CPUTime.waited(schedstat: "0\n") == nil)
        let stat = """
            cpu  3045803 1443 198463 1415755 8706 0 7955 2341 0 0
            cpu1 1428123 818 119956 785016 2323 0 1958 1103 0 0
            cpu11 1617680 624 78506 630738 6382 0 5996 1238 0 0
            """
        #expect(CPUTime.stolenTicks(cpu: 1, stat: stat) == 1_103)
        #expect(CPUTime.stolenTicks(cpu: 11, stat: stat) == 1_238)
        #expect(CPUTime.stolenTicks(cpu: 2, stat: stat) == nil)
        #expect(CPUTime.stolenTicks(cpu: 0, stat: "cpu0 1 2 3\n") == nil)
    }
}
