import DataPlane
import TestSupport
import Testing

/// What a loop has dequeued and a NIC has not taken must not leave during a pause, either.
@Suite("Nothing of a paused priority is given to the NIC", .serialized)
struct PauseTests {
    private typealias Sent = PauseTrial.Sent

    private static func numbers(_ sent: [Sent], _ priority: Int) -> [Int] { sent.filter { $0.priority == priority }.map(\.number) }

    /// A NIC that is full, in front of which frames of all priorities are staged.
    private func blocked(_ trial: PauseTrial) {
        trial.nics[0].room = 0
        for _ in 0..<4 {
            for priority in PauseTrial.priorities { trial.offer(8, of: priority) }
            trial.turn()
        }
        #expect(trial.sent.isEmpty)
    }

    @Test("frames that wait in front of a full NIC when the pause begins leave when it ends, in their order, and others leave meanwhile")
    func staged() {
        let trial = PauseTrial()
        blocked(trial)
        trial.pause(0b1000)
        trial.turn()
        trial.nics[0].room = .max
        trial.turn()
        // A turn sends what was staged, the next what waits in the tree.
        for _ in 0..<4 { trial.turn() }
        #expect(Self.numbers(trial.sent, 3).isEmpty && Self.numbers(trial.sent, 0) == Array(0..<32) && Self.numbers(trial.sent, 4) == Array(0..<32))
        trial.offer(20, of: 3)
        trial.offer(20, of: 0)
        trial.turn()
        trial.turn()
        #expect(Self.numbers(trial.sent, 3).isEmpty && Self.numbers(trial.sent, 0) == Array(0..<52))
        // 65 535 quanta last 3.36 ms at 10 Gbit/s, from the turn in which the frame came.
        trial.turn(after: 3_280_000)
        #expect(trial.paused == 0b1000 && Self.numbers(trial.sent, 3).isEmpty)
        trial.turn(after: 100_000)
        #expect(trial.paused == 0 && Self.numbers(trial.sent, 3) == Array(0..<52))
    }

    @Test("nothing leaves in the very turn in which the frame comes, although the NIC has room by then")
    func sameTurn() {
        let trial = PauseTrial()
        blocked(trial)
        trial.pause(0b1_1000)
        trial.nics[0].room = .max
        trial.turn()
        trial.turn()
        #expect(Self.numbers(trial.sent, 3).isEmpty && Self.numbers(trial.sent, 4).isEmpty && Self.numbers(trial.sent, 0) == Array(0..<32))
        trial.pause(0b1_1000, quanta: 0)
        trial.turn()
        trial.turn()
        #expect(Self.numbers(trial.sent, 3) == Array(0..<32) && Self.numbers(trial.sent, 4) == Array(0..<32))
    }

    @Test("when all that is staged is paused, others need not wait for the NIC to take it")
    func allPaused() {
        let trial = PauseTrial()
        trial.nics[0].room = 0
        trial.offer(32, of: 3)
        trial.turn()
        trial.pause(0b1000)
        trial.turn()
        trial.nics[0].room = .max
        trial.offer(5, of: 0)
        trial.turn()
        trial.turn()
        #expect(trial.sent == (0..<5).map { Sent(priority: 0, number: $0, loop: 0) })
        trial.pause(0b1000, quanta: 0)
        trial.nics[0].room = 7
        trial.turn()
        #expect(Self.numbers(trial.sent, 3) == Array(0..<7))
        trial.nics[0].room = .max
        trial.turn()
        #expect(Self.numbers(trial.sent, 3) == Array(0..<32))
    }

    @Test("a loop that is sending ends a batch of 64 frames when another loop receives a pause")
    func otherLoop() {
        let trial = PauseTrial(loops: 2)
        trial.pause(0b1000, at: 0)
        trial.turn(0)
        for _ in 0..<16 {
            trial.offer(32, of: 3, to: 1)
            trial.turn(1)
        }
        #expect(trial.sent.isEmpty)
        trial.pause(0b1000, quanta: 0, at: 0)
        trial.turn(0)
        // In the middle of this turn the first loop receives a pause.
        var bursts = 0
        trial.nics[1].afterBurst = {
            bursts += 1
            guard bursts == 2 else { return }
            trial.pause(0b1000, at: 0)
            trial.turn(0, after: 0)
        }
        trial.turn(1)
        #expect(Self.numbers(trial.sent, 3) == Array(0..<128))
        trial.nics[1].afterBurst = {}
        trial.turn(1)
        #expect(trial.sent.count == 128)
        trial.turn(1, after: 4_000_000)
        #expect(Self.numbers(trial.sent, 3) == Array(0..<512))
    }

    @Test("frames are sent if the port's priorities can no longer be paused")
    func forgotten() {
        let trial = PauseTrial()
        blocked(trial)
        trial.pause(0b1000)
        trial.turn()
        trial.nics[0].room = .max
        trial.forgetPauses()
        for _ in 0..<3 { trial.turn() }
        #expect(Self.numbers(trial.sent, 3) == Array(0..<32))
    }

    /// Whatever the NIC takes and whenever pauses come and end, in one loop or two.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func anything(_ seed: UInt64) {
        var random = Seeded(seed)
        let loops = Int(seed % 2) + 1, trial = PauseTrial(loops: loops)
        var delivered: [[Int]: [Int]] = [:], count = 0
        func check(_ paused: UInt8) {
            for (place, frame) in trial.sent.enumerated() {
                // A pause that has ended when the turn begins may be asked for again in the same turn.
                #expect(place < trial.sentBeforePause || paused >> UInt8(frame.priority) & 1 == 0, "\(frame) has left at \(trial.now) during a pause")
                delivered[[frame.loop, frame.priority], default: []].append(frame.number)
            }
            count += trial.sent.count
            (trial.sent, trial.sentBeforePause) = ([], 0)
        }
        for _ in 0..<300 {
            let loop = Int.random(in: 0..<loops, using: &random)
            let priority = PauseTrial.priorities[Int.random(in: 0..<3, using: &random)]
            trial.offer(Int.random(in: 0...12, using: &random), of: priority, to: loop)
            let rooms = [0, 3, 40, Int.max]
            trial.nics[loop].room = rooms[Int.random(in: 0..<4, using: &random)]
            if Int.random(in: 0..<6, using: &random) == 0 {
                let quanta: [UInt16] = [0, 200, 20_000, 65_535]
                trial.pause(UInt8.random(in: 0..<32, using: &random) & 0b1_1001, quanta: quanta[Int.random(in: 0..<4, using: &random)], at: loop)
            }
            trial.turn(loop, after: UInt64.random(in: 1_000...300_000, using: &random))
            check(trial.paused)
        }
        for nic in trial.nics { nic.room = .max }
        for _ in 0..<10 {
            for loop in 0..<loops { trial.turn(loop, after: 4_000_000) }
        }
        check(0)
        #expect(count == PauseTrial.priorities.reduce(0) { $0 + trial.offered($1) })
        for numbers in delivered.values { #expect(numbers == numbers.sorted()) }
    }
}
