import Testing
import TrafficGenerator

/// Holds a `Disturbance`, so that it can be asked in expressions that may not change the variables they use.
private final class Judge {
    private(set) var disturbance = Disturbance()
    func stall(from start: UInt64, to end: UInt64) { disturbance.stall(from: start, to: end) }
    func late(at now: UInt64) { disturbance.late(at: now) }
    func touches(sent: UInt64, arrived: UInt64) -> Bool { disturbance.touches(sent: sent, arrived: arrived) }
}

@Suite struct DisturbanceTests {
    @Test func framesInFlightInAStallAreDisturbed() {
        let judge = Judge()
        #expect(!judge.touches(sent: 0, arrived: 5))
        judge.stall(from: 100_000, to: 150_000)
        #expect(judge.disturbance.stalls == 1 && judge.disturbance.stalled == 50_000 && judge.disturbance.longest == 50_000)
        #expect(judge.touches(sent: 99_000, arrived: 150_010))
        #expect(judge.touches(sent: 149_999, arrived: 152_000))
        // This frame was sent after the stall, but behind frames that were in flight during it. A later frame was not.
        #expect(judge.touches(sent: 150_500, arrived: 153_000))
        #expect(!judge.touches(sent: 152_500, arrived: 154_000))
    }

    @Test func whatIsSentToCatchUpIsDisturbed() {
        let judge = Judge()
        judge.late(at: 90_000)
        #expect(!judge.touches(sent: 90_000, arrived: 95_000), "late without a stall: the switch did not take it")
        judge.stall(from: 100_000, to: 150_000)
        judge.late(at: 160_000)
        #expect(judge.touches(sent: 160_000, arrived: 165_000))
        judge.late(at: 350_001)
        #expect(!judge.touches(sent: 350_001, arrived: 360_000), "too long after to be due to it")
    }

    @Test func stallsOfTheSwitchAreToldAfterwards() {
        let frames = [(50, 100), (90, 110), (290, 300), (310, 320), (390, 410), (395, 415), (405, 430), (412, 440)].map { sent, arrived in
            SlowFrame(sent: sent, latency: arrived - sent)
        }
        // Two of the stalls adjoin each other, and the backlog after the last one lasts longer than the stall itself.
        let stalls: [Range<UInt64>] = [300..<310, 95..<100, 400..<411, 100..<105]
        let touched = frames.withUnsafeBufferPointer { SlowFrame.touched($0, by: stalls) }
        #expect(touched == [true, true, false, false, true, true, true, true])
        #expect(frames.withUnsafeBufferPointer { SlowFrame.touched($0, by: []) } == [Bool](repeating: false, count: 8))
    }

    @Test func theBareMachineIsMeasured() throws {
        let cpu = try #require(Self.allowedCPU)
        let result = try Hiccups.measure(cpus: [cpu], seconds: 0.1, bound: 1)
        #expect(result.count == 1 && result[0].cpu == cpu)
        #expect(result[0].gaps.count > 0 && result[0].gaps.share > 0.5, "every reading of the clock is a gap of 1 ns and more")
        #expect(throws: RunError.self) { try Hiccups.measure(cpus: [1_000], seconds: 0.1, bound: 1) }
        #expect(throws: RunError.self) { try Wakes.measure(from: cpu, cpu: cpu, count: 1, pause: 1) }
    }

    private static var allowedCPU: Int? {
        (try? Hiccups.measure(cpus: [0], seconds: 0.1, bound: 1_000_000)) == nil ? nil : 0
    }
}
