import DCB
import DataPlane
import Testing

@Suite("Senders of lossless frames stop while their receiver is slow")
struct BacklogTests {
    /// Senders stop at 64 KiB, and go on at 32 KiB.
    private static let buffer = LosslessBuffer(size: 128 << 10, speed: 10_000, longestFrame: 1_522, most: 1 << 30)
    private static let millisecond: UInt64 = 1_000_000

    @Test("the peer is asked to pause when a queue is long, again before the pause ends, and to go on when the queue is short")
    func peer() {
        let trial = BacklogTrial(Self.buffer)
        #expect(trial.receive(32, from: 0) && trial.receive(32, from: 0))
        trial.endTurn()
        #expect(trial.sent.frames == 0 && trial.nextAsk == .max)
        _ = trial.receive(32, from: 0)
        trial.endTurn()
        #expect(trial.sent.asked == 0b1000 && trial.sent.frames == 1 && trial.sent.pauses[3] == 1 && trial.nextAsk == trial.sent.due)
        // Further frames change nothing, and the physical port is read on.
        #expect(trial.receive(32, from: 0))
        trial.endTurn(after: 2 * Self.millisecond)
        #expect(trial.sent.frames == 1)
        trial.endTurn(taking: 64)
        // 64 frames are left; half a pause has passed.
        #expect(trial.sent.frames == 2 && trial.sent.asked == 0b1000 && trial.sent.pauses[3] == 1)
        trial.endTurn(taking: 31)
        #expect(trial.sent.asked == 0b1000)
        trial.endTurn(taking: 1)
        #expect(trial.sent.asked == 0 && trial.sent.frames == 3 && trial.nextAsk == .max && trial.givenUp == 0)
        trial.endTurn()
        #expect(trial.sent.frames == 3)
    }

    @Test("a guest's ring is not read while the queue is long, and no pause is asked for")
    func ring() {
        let trial = BacklogTrial(Self.buffer)
        #expect(trial.receive(66, from: 2) && trial.held(2) == 1)
        trial.endTurn()
        #expect(!trial.receive(1, from: 2) && trial.receive(1, from: 1, row: 1))
        trial.endTurn(taking: 33)
        #expect(!trial.receive(1, from: 2))
        trial.endTurn(taking: 2)
        #expect(trial.receive(1, from: 2) && trial.sent.frames == 0 && trial.held(2) == 1)
    }

    @Test("frames of other protocols stop nobody, however long the queue")
    func others() {
        let trial = BacklogTrial(Self.buffer)
        #expect(trial.receive(500, from: 2, row: 1) && trial.receive(500, from: 0, row: 0))
        trial.endTurn()
        #expect(trial.receive(1, from: 2, row: 1) && trial.sent.frames == 0)
    }

    @Test("a queue that moves is not given up, even if it first grows; one that stands still is, until it moves again")
    func standstill() {
        let trial = BacklogTrial(Self.buffer)
        // The peer stops late, so that much more arrives than the headroom. A frame leaves every 5 ms, and it takes seconds until the queue is as short as it
        // was when the peer was asked.
        for _ in 0..<20 {
            _ = trial.receive(32, from: 0)
            trial.endTurn()
        }
        for _ in 0..<500 { trial.endTurn(taking: 1, after: 5 * Self.millisecond) }
        #expect(trial.sent.asked == 0b1000 && trial.givenUp == 0)
        // The guest of another ring is held up by the same queue.
        _ = trial.receive(1, from: 2)
        trial.endTurn(taking: 1)
        for _ in 0..<19 { trial.endTurn(after: 10 * Self.millisecond) }
        #expect(trial.sent.asked == 0b1000 && !trial.receive(1, from: 2))
        for _ in 0..<3 { trial.endTurn(after: 10 * Self.millisecond) }
        #expect(trial.sent.asked == 0 && trial.givenUp == 1 && trial.receive(1, from: 2))
        _ = trial.receive(8, from: 0)
        trial.endTurn()
        #expect(trial.sent.asked == 0 && trial.givenUp == 1)
        trial.endTurn(taking: 1)
        #expect(trial.sent.asked == 0b1000 && trial.receive(1, from: 2) && !trial.receive(1, from: 2))
    }

    @Test("a link without such priorities is paused as a whole")
    func wholeLink() {
        let trial = BacklogTrial(Self.buffer, isByPriority: false)
        _ = trial.receive(66, from: 0)
        trial.endTurn()
        trial.endTurn(taking: 64)
        trial.endTurn()
        #expect(trial.sent.frames == 2 && trial.sent.asked == 0)
    }

    @Test("when a port's priorities may be lost for a while, what this loop wanted does not count twice or for ever")
    func withoutPriorities() {
        let trial = BacklogTrial(Self.buffer)
        _ = trial.receive(66, from: 0)
        trial.endTurn()
        trial.without { trial.endTurn(taking: 60) }
        trial.endTurn()
        #expect(trial.sent.asked == 0 && trial.sent.frames == 2)
        _ = trial.receive(66, from: 0)
        trial.endTurn()
        #expect(trial.sent.asked == 0b1000)
    }
}
