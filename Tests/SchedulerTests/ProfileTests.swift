import Scheduler
import TestSupport
import Testing

/// Classes with the same parameters share what is derived from them. That must not be visible from outside.
@Suite struct ProfileTests {
    /// Parameters that differ for each number in two visible ways: the output of the frames, and the number of frames that a leaf holds.
    private func kind(_ number: Int) -> ClassParameters {
        var p = ClassParameters(output: UInt16(number % 4))
        p.limitPackets = UInt32(number / 4 + 1)
        return p
    }

    /// Whether a class without frames behaves as parameters of this number say.
    private func isOf(_ number: Int, _ id: ClassID, _ bench: Bench) -> Bool {
        var outputs: [UInt16] = []
        bench.onSend = { frame, _ in outputs.append(frame.output) }
        var queued = 0
        while bench.offer(id, 60) == .queued { queued += 1 }
        bench.drain()
        return queued == number / 4 + 1 && outputs == Array(repeating: UInt16(number % 4), count: queued)
    }

    @Test func classesAddedChangedAndRemovedKeepToTheirOwn() {
        let bench = Bench(classes: 42, outputs: 4)
        var random = Seeded(11)
        var kinds: [ClassID: Int] = [:]
        for _ in 0..<20_000 {
            let id = ClassID(2 + random.below(40)), number = random.below(12)
            if kinds[id] == nil {
                #expect(bench.add(id, under: 1, kind(number)) == .done)
                kinds[id] = number
            } else if random.chance(30) {
                #expect(bench.tree.pointee.remove(id, at: bench.now) == .done)
                kinds[id] = nil
            } else {
                #expect(bench.tree.pointee.change(id, kind(number), at: bench.now) == .done)
                kinds[id] = number
            }
            guard !kinds.isEmpty else { continue }
            let (other, its) = random.one(of: kinds.sorted { $0.key < $1.key })
            #expect(isOf(its, other, bench), "class \(other) of kind \(its)")
        }
        for (id, number) in kinds { #expect(isOf(number, id, bench), "class \(id) of kind \(number)") }
    }

    /// There may be as many kinds of parameters as classes, even while each class changes to another kind.
    @Test func everyClassMayBeOfAKindOfItsOwn() {
        let last: ClassID = 401
        let bench = Bench(classes: Int(last) + 1, frames: 1_000, outputs: 4)
        for id in 2...last { #expect(bench.add(id, under: 1, kind(Int(id))) == .done) }
        for id in 2...last { #expect(bench.tree.pointee.change(id, kind(Int(id) + 1_000), at: 0) == .done) }
        for id in 2...last { #expect(bench.tree.pointee.change(id, kind(Int(last) - Int(id)), at: 0) == .done) }
        for id in 2...last { #expect(isOf(Int(last) - Int(id), id, bench), "class \(id)") }
    }

    /// The tree stores queues of no, one and more frames in different ways; the counters of a queue must be right at each step.
    @Test func aQueueCountsWhatItHoldsAsItGrowsAndShrinks() {
        let bench = Bench(root: .mbit(8, ceil: 8))
        var p = ClassParameters.mbit(8, ceil: 8)
        p.limitBytes = 1_000
        bench.add(2, under: 1, p)
        func holds(_ frames: UInt32, _ bytes: UInt32) -> Bool {
            let counters = bench.tree.pointee.counters(of: 2)
            return counters.backlogFrames == frames && counters.backlogBytes == bytes
        }
        // This spends what the buckets hold, so that the remaining frames leave one by one, at 1 us for each byte.
        for length: UInt32 in [600, 600] { bench.offer(2, length); bench.drain() }
        var now = bench.now
        for lengths: [UInt32] in [[100], [100, 200], [300, 100, 200], [64]] {
            var frames: UInt32 = 0, bytes: UInt32 = 0
            #expect(holds(frames, bytes))
            now += 10_000_000
            bench.advance(to: now)
            bench.tree.pointee.park(output: 0)
            for length in lengths {
                #expect(bench.offer(2, length) == .queued)
                frames += 1
                bytes += length
                #expect(holds(frames, bytes))
            }
            #expect(bench.offer(2, 1_001 - bytes) == .queueLimit)
            bench.tree.pointee.unpark(output: 0)
            withUnsafeTemporaryAllocation(of: ScheduledFrame.self, capacity: 1) { into in
                for length in lengths {
                    #expect(bench.tree.pointee.dequeue(into: into.baseAddress!, limit: 1, at: now) == 1)
                    #expect(into[0].charge == Charge(bytes: length))
                    frames -= 1
                    bytes -= length
                    #expect(holds(frames, bytes))
                }
            }
        }
    }
}
