import DataPlane
import Testing

/// The bytes taken within `duration` from a ring that always has frames and is polled every `turn` nanoseconds.
private func taken(_ pacer: inout Pacer, frame: UInt64, turn: UInt64, from start: UInt64, duration: UInt64) -> UInt64 {
    var bytes: UInt64 = 0
    var now = start
    while now < start + duration {
        let frames = UInt64(pacer.allowance(at: now))
        pacer.charge(bytes: frames * frame)
        bytes += frames * frame
        now += turn
    }
    return bytes
}

@Suite struct PacerTests {
    @Test("A guest's average is exact over a second, whatever the rate, the frame and the turn", arguments: [
        (1_000_000, 60, 2_000), (10_000_000, 1_514, 5_000), (1_000_000_000, 1_514, 2_000), (1_000_000_000, 9_014, 20_000), (40_000_000_000, 1_514, 2_000),
    ] as [(UInt64, UInt64, UInt64)])
    func average(rate: UInt64, frame: UInt64, turn: UInt64) {
        var pacer = Pacer()
        pacer.set(.init(average: rate, peak: 0, burst: 65_536), now: 0)
        _ = taken(&pacer, frame: frame, turn: turn, from: 0, duration: 1_000_000_000)
        let bytes = taken(&pacer, frame: frame, turn: turn, from: 1_000_000_000, duration: 1_000_000_000)
        let expected = Double(rate) / 8
        // A poll may exceed the credit by up to one burst of frames, which is carried over as debt.
        #expect(abs(Double(bytes) - expected) <= expected * 0.001 + Double(33 * frame))
    }

    @Test("A burst leaves at once, and at the peak where there is one")
    func burst() {
        var free = Pacer()
        free.set(.init(average: 8_000_000, peak: 0, burst: 1_000_000), now: 0)
        #expect(taken(&free, frame: 1_000, turn: 1_000, from: 0, duration: 10_000_000) >= 1_000_000)
        var limited = Pacer()
        limited.set(.init(average: 8_000_000, peak: 80_000_000, burst: 1_000_000), now: 0)
        let bytes = taken(&limited, frame: 1_000, turn: 1_000, from: 0, duration: 10_000_000)
        #expect(bytes <= 100_000 + 18_200 + 33_000)
        #expect(bytes >= 100_000)
    }

    @Test("Who sleeps until the next allowance finds it, and no more than a turn early")
    func nextAllowance() {
        var pacer = Pacer()
        #expect(pacer.nextAllowance == .max)
        pacer.set(.init(average: 7_000_000, peak: 50_000_000, burst: 65_536), now: 0)
        #expect(pacer.nextAllowance == .max)
        var now: UInt64 = 0
        for _ in 0..<1_000 {
            while pacer.allowance(at: now) != 0 { pacer.charge(bytes: 1_514) }
            let next = pacer.nextAllowance
            #expect(next > now && next != .max)
            var early = pacer
            #expect(early.allowance(at: next - 1) == 0)
            now = next
            #expect(pacer.allowance(at: now) != 0)
            pacer.charge(bytes: 1_514)
        }
    }

    @Test("A stalled loop gives no more than the burst afterwards")
    func stall() {
        var pacer = Pacer()
        pacer.set(.init(average: 1_000_000_000, peak: 0, burst: 65_536), now: 0)
        _ = taken(&pacer, frame: 1_500, turn: 2_000, from: 0, duration: 10_000_000)
        let bytes = taken(&pacer, frame: 1_500, turn: 100, from: 10_000_000_000, duration: 1_000)
        #expect(bytes <= 65_536 + 33 * 1_500)
    }

    @Test("Without a pace every poll takes a full burst")
    func unpaced() {
        var pacer = Pacer()
        #expect(pacer.allowance(at: 5) == 32)
    }
}
