import Scheduler
import Testing

@Suite struct QueueTests {
    @Test func aLeafKeepsItsOwnLimits() {
        let bench = Bench()
        var p = ClassParameters()
        p.limitPackets = 10
        bench.add(2, under: 1, p)
        p.limitPackets = 0
        p.limitBytes = 3_000
        bench.add(3, under: 1, p)
        for _ in 0..<12 { bench.offer(2, 60); bench.offer(3, 1_000) }
        #expect(bench.tree.pointee.counters(of: 2).backlogFrames == 10)
        #expect(bench.tree.pointee.counters(of: 2).droppedQueueLimit == 2)
        #expect(bench.tree.pointee.counters(of: 3).backlogBytes == 3_000)
        #expect(bench.tree.pointee.counters(of: 3).droppedQueueLimit == 9)
    }

    @Test func aBurstIsQueuedInOrderAndEachRefusalIsNamed() {
        let bench = Bench()
        var p = ClassParameters.mbit(1, burst: 10_000)
        p.limitPackets = 2
        bench.add(2, under: 1, p)
        bench.add(3, under: 1, .mbit(0))
        let leaves: [ClassID] = [3, 2, 2, 77, 2, 1, 3]
        var burst = leaves.indices.map {
            OfferedFrame(handle: UnsafeMutableRawPointer(bitPattern: 64)!, charge: Charge(bytes: 60), tag: UInt32($0), leaf: leaves[$0])
        }
        #expect(bench.tree.pointee.enqueue(&burst, count: burst.count, at: 0) == 4)
        #expect(burst.map(\.verdict) == [.queued, .queued, .queued, .notALeaf, .queueLimit, .notALeaf, .queued])
        #expect(bench.tree.pointee.backlogFrames == 4)
        #expect(bench.tree.pointee.counters(of: 2).droppedQueueLimit == 1)
        let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 8)
        defer { into.deallocate() }
        // Leaf 2 is within its floor, leaf 3 has no floor.
        #expect(bench.tree.pointee.dequeue(into: into, limit: 8, at: 0) == 4)
        #expect((0..<4).map { into[$0].tag } == [1, 2, 0, 6])
    }

    /// One guest floods and 99 are quiet: none of their frames is dropped, and their floors hold.
    @Test func aFloodCannotTakeTheBufferOthersNeed() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000), frames: 4_096)
        for id in ClassID(2)...101 {
            var p = ClassParameters.mbit(10, burst: 10_000)
            p.limitPackets = 0
            bench.add(id, under: 1, p)
        }
        var refused = 0
        for turn in 0..<20_000 {
            bench.advance(to: UInt64(turn) * 50_000)
            for _ in 0..<100 { bench.offer(2, 1_514) }
            // Each quiet guest offers four frames at once every 10 ms, half of its floor.
            if turn % 2 == 0 { for _ in 0..<4 where bench.offer(3 + ClassID(turn / 2 % 99), 1_514) != .queued { refused += 1 } }
            bench.drain()
        }
        #expect(refused == 0)
        #expect(bench.tree.pointee.counters(of: 2).droppedBufferShare > 0)
        let quiet = (ClassID(3)...101).map { bench.tree.pointee.counters(of: $0) }
        #expect(quiet.allSatisfy { $0.droppedBufferShare == 0 && $0.droppedBufferFull == 0 && $0.backlogFrames < 20 })
        #expect(bench.accepted == bench.delivered + bench.tree.pointee.backlogFrames)
    }

    /// Two trees share one buffer. What the flooded tree holds is not available to the other, and the flood is stopped while there is still room for both.
    @Test func aFloodInOneTreeLeavesRoomInAnother() {
        let trees = [Bench(root: .mbit(1, ceil: 1)), Bench(root: .mbit(1, ceil: 1))]
        for bench in trees {
            var p = ClassParameters()
            p.limitPackets = 0
            for id in ClassID(2)...4 { bench.add(id, under: 1, p) }
        }
        let buffer = 1_000
        func offer(_ tree: Int, _ leaf: ClassID) -> EnqueueVerdict {
            let held = trees.reduce(0) { $0 + $1.tree.pointee.backlogFrames }
            var frame = OfferedFrame(handle: UnsafeMutableRawPointer(bitPattern: 64)!, charge: Charge(bytes: 60), tag: 0, leaf: leaf)
            _ = trees[tree].tree.pointee.enqueue(&frame, count: 1, room: UInt32(buffer - held), at: 0)
            return frame.verdict
        }
        var last = EnqueueVerdict.queued
        for _ in 0..<2_000 { for leaf in ClassID(2)...3 { last = offer(0, leaf) } }
        #expect(last == .bufferShare)
        #expect(trees[0].tree.pointee.backlogFrames == 667)
        #expect((0..<110).allSatisfy { _ in offer(1, 2) == .queued && offer(0, 4) == .queued })
        // The room that was withheld is available to the tree again.
        #expect(trees[0].offer(2, 60) == .queued)
    }

    @Test func manyFloodsStillLeaveRoom() {
        let bench = Bench(root: .mbit(1, ceil: 1), frames: 1_000)
        for id in ClassID(2)...51 {
            var p = ClassParameters()
            p.limitPackets = 0
            bench.add(id, under: 1, p)
        }
        for _ in 0..<1_000 { for id in ClassID(2)...50 { bench.offer(id, 60) } }
        #expect(bench.tree.pointee.backlogFrames < 1_000)
        #expect(bench.offer(51, 60) == .queued)
        #expect(bench.tree.pointee.counters(of: 2).backlogFrames <= 25)
    }

    @Test func whatIsGivenUpTellsItsOutputAndWhy() {
        let bench = Bench(outputs: 8)
        var p = ClassParameters.mbit(0, ceil: 1, output: 5)
        p.codelTarget = 5 * millisecond
        bench.add(2, under: 1, p)
        bench.add(3, under: 1, .mbit(0, ceil: 1, output: 7))
        bench.gapsAllowed = true
        var seen: [UInt16: [DroppedFrame.Reason]] = [:]
        bench.onDrop = { seen[$0.output, default: []].append($0.reason) }
        for _ in 0..<100 { bench.offer(2, 1_250) }
        for _ in 0..<10 { bench.offer(3, 1_250) }
        bench.run(until: 500 * millisecond)
        bench.collectDropped()
        let stale = bench.tree.pointee.counters(of: 2).droppedCoDel
        #expect(stale > 0 && seen == [5: Array(repeating: .codel, count: Int(stale))])
        seen = [:]
        for _ in 0..<4 { bench.offer(3, 1_250) }
        let waiting = bench.tree.pointee.counters(of: 3).backlogFrames
        #expect(waiting > 1 && bench.tree.pointee.remove(3, at: bench.now) == .done)
        bench.collectDropped()
        #expect(seen == [7: Array(repeating: .classRemoved, count: Int(waiting))])
    }

    /// With a standing queue, CoDel keeps the delay near its target; with tail drop, the delay is as long as the queue.
    @Test func coDelKeepsTheDelayNearItsTarget() {
        func delay(codel: Bool) -> (mean: Double, bench: Bench) {
            let bench = Bench()
            bench.gapsAllowed = true
            var p = ClassParameters.mbit(0, ceil: 10)
            if codel { p.codelTarget = 5 * millisecond }
            bench.add(2, under: 1, p)
            var queued: [UInt32: Nanoseconds] = [:], number: UInt32 = 0
            var total: Nanoseconds = 0, count = 0
            bench.onSend = { frame, now in
                if now > 20 * second { total += now - queued[frame.tag]!; count += 1 }
                queued[frame.tag] = nil
            }
            // The source slows down when frames are lost, as TCP does; otherwise it sends 10 % above the link's rate.
            var gap = 1_000_000.0, lost: UInt64 = 0
            while bench.now < 40 * second {
                number += 1
                if bench.offer(2, 1_250) == .queued { queued[number] = bench.now } else { number -= 1 }
                bench.drain()
                bench.collectDropped()
                let c = bench.tree.pointee.counters(of: 2)
                if c.droppedCoDel + c.droppedQueueLimit > lost { gap *= 1.3; lost = c.droppedCoDel + c.droppedQueueLimit } else { gap *= 0.9995 }
                bench.advance(to: bench.now + Nanoseconds(gap))
            }
            return (Double(total) / Double(count), bench)
        }
        let with = delay(codel: true), without = delay(codel: false)
        #expect(with.mean < 20e6)
        #expect(without.mean > 200e6)
        #expect(with.bench.tree.pointee.counters(of: 2).droppedCoDel > 0)
        #expect(with.bench.rate(2, over: 40 * second) > 8.5e6)
        #expect(with.bench.accepted == with.bench.delivered + with.bench.dropped + with.bench.tree.pointee.backlogFrames)
    }

    /// RFC 8289: the n-th drop follows the previous one after interval / sqrt(n).
    @Test func coDelDropsFollowTheControlLaw() {
        let bench = Bench()
        bench.gapsAllowed = true
        var p = ClassParameters.mbit(0, ceil: 100)
        p.codelTarget = 5 * millisecond
        p.codelInterval = 100 * millisecond
        p.limitPackets = 0
        bench.add(2, under: 1, p)
        for _ in 0..<60_000 { bench.offer(2, 1_250) }
        var times: [Nanoseconds] = []
        while times.count < 40 {
            bench.drain()
            bench.collectDropped()
            while times.count < bench.dropped { times.append(bench.now) }
            bench.advance(to: bench.now + 100_000)
        }
        for n in 1..<40 {
            let law = 100e6 / Double(n).squareRoot()
            #expect(abs(Double(times[n] - times[n - 1]) - law) < 250_000, "drop \(n)")
        }
    }

    @Test func everyHoldHasACause() {
        let bench = Bench(root: .mbit(100, ceil: 100))
        bench.add(2, under: 1, .mbit(20, ceil: 30))
        bench.add(20, under: 2, .mbit(10)); bench.add(21, under: 2, .mbit(10))
        bench.add(3, under: 1, .mbit(80, ceil: 80))
        bench.greedy = [20: 1_514, 21: 1_514]
        bench.run(until: second)
        // The tenant's ceiling of 30 holds back both leaves; no other class is at a limit.
        let held = bench.tree.pointee.ceilingWaits(of: 20)
        #expect(held.count == 1 && held[0].ancestor == 2 && held[0].waits > 500)
        #expect(bench.tree.pointee.counters(of: 2).waitsCeiling > 1_000)
        #expect(bench.tree.pointee.counters(of: 20).waitsCeiling == 0)
        #expect(bench.tree.pointee.counters(of: 20).waitsNothingToLend == 0)
        #expect(bench.tree.pointee.loans(of: 20).map(\.lender) == [2, 1] || bench.tree.pointee.loans(of: 20).map(\.lender) == [1])
        // This leaf is held back by its own ceiling.
        bench.greedy = [3: 1_514]
        bench.run(until: 2 * second)
        #expect(bench.tree.pointee.counters(of: 3).waitsCeiling > 1_000)
        #expect(bench.tree.pointee.counters(of: 3).waitsAncestor < 10)
        // All leaves send, so the root's ceiling holds them back.
        bench.greedy = [3: 1_514, 20: 1_514, 21: 1_514]
        _ = bench.tree.pointee.change(3, .mbit(80), at: bench.now)
        bench.run(until: 3 * second)
        #expect(bench.tree.pointee.ceilingWaits(of: 3).map(\.ancestor) == [1])
    }

    @Test func aRootThatMayNotLendIsNamed() {
        let bench = Bench(root: .mbit(50, ceil: 100))
        bench.add(2, under: 1, .mbit(10)); bench.add(3, under: 1, .mbit(10))
        bench.greedy = [2: 1_514, 3: 1_514]
        bench.run(until: second)
        let counters = bench.tree.pointee.counters(of: 2)
        #expect(counters.waitsNothingToLend > 500)
        #expect(counters.waitsAncestor < 10)
        #expect(near(bench.rate(2, over: second), 25e6, within: 0.002))
        #expect(near(Double(counters.borrowedBytes), 15e6 / 8, within: 0.01))
        #expect(bench.tree.pointee.counters(of: 1).lentBytes == counters.borrowedBytes + bench.tree.pointee.counters(of: 3).borrowedBytes)
    }
}
