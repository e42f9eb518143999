import DataPlane
import Testing

/// In these tests a cycle is one nanosecond.
@Suite struct BackOffTests {
    /// A back-off that began to be busy at 1 s and was busy for this long.
    private func busy(_ nanoseconds: UInt64) -> (BackOff, last: UInt64) {
        var backOff = BackOff { $0 }
        let began: UInt64 = 1_000_000_000
        backOff.noteWake(at: began, slept: 1_000_000, byTraffic: true)
        backOff.noteWork(at: began + nanoseconds)
        return (backOff, began + nanoseconds)
    }

    /// How many cycles the loop goes on without work before it rests, found by bisection.
    private func patience(_ backOff: BackOff) -> UInt64 {
        var (least, most): (UInt64, UInt64) = (0, 1_000_000_000)
        while least < most {
            let middle = (least + most) / 2
            if backOff.isPatient(after: middle) { least = middle + 1 } else { most = middle }
        }
        return least
    }

    @Test("It turns as long as it was busy, within limits")
    func asLongAsBusy() {
        #expect(patience(BackOff { $0 }) == BackOff.shortestSpin)
        for (worked, turns) in [(1_000, BackOff.shortestSpin), (500_000, 500_000), (1_900_000, 1_900_000), (60_000_000, BackOff.busySpin)] as [(UInt64, UInt64)] {
            #expect(patience(busy(worked).0) == turns)
        }
    }

    @Test("Time without work counts from the last work, or from the traffic that woke the loop")
    func idle() {
        var (backOff, last) = busy(500_000)
        #expect(backOff.idle(at: last + 70_000) == 70_000)
        backOff.noteWake(at: last + 900_000, slept: 300_000, byTraffic: false)
        #expect(backOff.idle(at: last + 900_000) == 900_000)
        backOff.noteWake(at: last + 2_000_000, slept: 300_000, byTraffic: true)
        #expect(backOff.idle(at: last + 2_000_000) == 0)
    }

    @Test("Woken for nothing it sleeps again soon, whatever it did before")
    func wokenForNothing() {
        var (backOff, last) = busy(60_000_000)
        backOff.noteWake(at: last + 100_000_000, slept: 98_000_000, byTraffic: false)
        #expect(patience(backOff) == BackOff.shortestSpin)
    }

    @Test("Short sleeps make it turn longer, long ones shorter again, and only if traffic ended them")
    func adapts() {
        var backOff = BackOff { $0 }
        func wake(_ slept: UInt64, byTraffic: Bool = true) -> UInt64 {
            backOff.noteWake(at: 1, slept: slept, byTraffic: byTraffic)
            return patience(backOff)
        }
        #expect((1...6).map { _ in wake(BackOff.shortSleep - 1) } == [100_000, 200_000, 400_000, 800_000, 800_000, 800_000])
        #expect(wake(BackOff.shortSleep) == 800_000)
        #expect(wake(BackOff.longSleep) == 800_000)
        #expect(wake(BackOff.longSleep + 1, byTraffic: false) == 800_000)
        #expect((1...5).map { _ in wake(BackOff.longSleep + 1) } == [400_000, 200_000, 100_000, 50_000, 50_000])
        #expect(wake(1, byTraffic: false) == 50_000)
    }

    @Test("The longer there was nothing, the longer it pauses, up to a limit")
    func pauses() {
        #expect([0, 8_191, 8_192, 100_000, 131_072, 10_000_000, .max].map { BackOff.pauses(after: $0) } == [1, 1, 2, 13, 17, 17, 17])
    }
}
