import Testing
import VhostSessions

@Suite struct Parts {
    @Test func linesAreLimited() {
        var limiter = LineLimiter()
        let second: UInt64 = 1_000_000_000
        var written = 0
        let start = 1000 * second
        #expect((0..<50).filter { _ in limiter.admits(start) }.count == 10)
        #expect(limiter.suppressed == 40 && limiter.again == start + second)
        #expect(limiter.summary(start + second / 2) == nil && limiter.suppressed == 40)
        #expect(limiter.summary(start + second) == "40 lines about this port were not written, as there were too many")
        #expect(limiter.summary(start + second) == nil)
        for tick in 0..<600 as Range<UInt64> where limiter.admits(start + second + tick * second / 10) { written += 1 }
        #expect(written == 89 + 10)
    }

    @Test func deadlinesComeInTheirOrder() {
        var deadlines = Deadlines()
        let times: [UInt64] = [5, 3, 9, 1, 1, 7, 2, 8, 6, 4]
        for (port, time) in times.enumerated() { deadlines.add(time, port: port) }
        #expect(deadlines.first == 1 && deadlines.take(0) == nil)
        var taken: [UInt64] = []
        while let next = deadlines.take(6) { taken.append(next.time) }
        #expect(taken == [1, 1, 2, 3, 4, 5, 6] && deadlines.first == 7)
    }
}
