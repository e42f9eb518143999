import Scheduler
import TestSupport
import Testing

@Suite struct FlowQueueTests {
    private static func parameters(_ mbit: UInt64 = 10, limit: UInt32 = 10_000, flows: Bool = true, codel: Bool = true) -> ClassParameters {
        var p = ClassParameters.mbit(0, ceil: mbit)
        p.limitPackets = limit
        p.codelTarget = codel ? 5 * millisecond : 0
        p.queuesFlows = flows
        return p
    }

    /// Random flows and lengths: the frames that leave, and those that are dropped, must be those of the model.
    @Test(arguments: 0..<40) func framesLeaveAsTheModelSays(seed: UInt64) {
        var dice = Seeded(seed)
        let bench = Bench(now: second)
        bench.gapsAllowed = true
        bench.add(2, under: 1, Self.parameters(dice.one(of: [1, 10, 100]), limit: 40_000))
        let model = FlowModel(target: 5 * millisecond, interval: 100 * millisecond)
        let flows = dice.one(of: [1, 3, 20, 400])
        var left: [UInt32] = [], expected: [UInt32] = [], number: UInt32 = 0
        bench.onSend = { frame, now in
            left.append(frame.tag)
            expected.append(model.dequeue(at: now) ?? 0)
        }
        var dropped = 0
        bench.onDrop = { _ in dropped += 1 }
        for _ in 0..<2_000 {
            for _ in 0..<dice.below(dice.one(of: [2, 20])) {
                number += 1
                // A few flows send most of the frames.
                let flow = UInt32(dice.chance(70) ? dice.below(1 + flows / 10) : dice.below(flows))
                let length = dice.one(of: [60, 600, 1_514, 1_514, 9_014] as [UInt32])
                #expect(bench.offer(2, length, flow: flow) == .queued)
                model.enqueue(.init(tag: number, length: Int(length), since: bench.now), flow: flow)
            }
            bench.drain(limit: dice.one(of: [1, 8, 64]), burst: dice.one(of: [1, 8, 32]))
            bench.collectDropped()
            // In more than a thousand consecutive drops, the tree's fixed-point law and the model's floating point come to differ by some nanoseconds. Which of
            // them drops first then is no fault.
            if model.isTied, left != expected || dropped != model.dropped.count { return }
            #expect(left == expected && dropped == model.dropped.count)
            let counters = bench.tree.pointee.counters(of: 2)
            #expect(counters.backlogFrames == model.frames && counters.droppedCoDel == dropped && bench.tree.pointee.backlogFrames == model.frames)
            if left != expected { return }
            (left, expected) = ([], [])
            model.isTied = false
            bench.advance(to: bench.now + UInt64(dice.below(20)) * 500_000 + 777)
        }
        #expect(bench.accepted == bench.delivered + dropped + model.frames)
    }

    /// A hundred flows that always have frames, of all lengths: all must send the same number of bytes.
    @Test func noFlowStarves() {
        let bench = Bench()
        bench.gapsAllowed = true
        bench.add(2, under: 1, Self.parameters(100))
        var owner: [UInt32: UInt32] = [:], held = [Int](repeating: 0, count: 100), sent = [UInt64](repeating: 0, count: 100), number: UInt32 = 0
        bench.onSend = { frame, _ in
            let flow = Int(owner.removeValue(forKey: frame.tag)!)
            held[flow] -= 1
            sent[flow] += UInt64(frame.charge.bytes)
        }
        while bench.now < 2 * second {
            for flow in 0..<100 {
                // Each flow is given what is sent in a turn or two, so that none is ever empty.
                let length: UInt32 = [60, 600, 1_514, 9_014][flow % 4]
                while held[flow] < 3 || UInt32(held[flow]) * length < 3 * 1_514 {
                    number += 1
                    owner[number] = UInt32(flow)
                    held[flow] += 1
                    #expect(bench.offer(2, length, flow: UInt32(flow) * 7) == .queued)
                }
            }
            bench.drain()
            bench.collectDropped()
            for tag in bench.droppedNumbers { held[Int(owner.removeValue(forKey: tag)!)] -= 1 }
            bench.droppedNumbers = []
            bench.advance(to: bench.now + 100_000)
        }
        let mean = Double(sent.reduce(0, +)) / 100
        #expect(sent.allSatisfy { near(Double($0), mean, within: 0.1) }, "\(sent)")
    }

    /// A flow that sends little is served first, however much the others hold; but no flow may gain by sending one frame at a time.
    @Test func sparseFlowsGoFirst() {
        let bench = Bench()
        bench.gapsAllowed = true
        bench.add(2, under: 1, Self.parameters(10))
        for _ in 0..<200 { for flow in 1...4 as ClosedRange<UInt32> { bench.offer(2, 1_514, flow: flow) } }
        var sparse = 0, worst: Nanoseconds = 0, begun: Nanoseconds = 0
        bench.onSend = { frame, now in
            if frame.charge.bytes == 98 {
                worst = max(worst, now - begun)
                sparse += 1
            }
        }
        for turn in 0..<40 {
            begun = bench.now
            bench.offer(2, 98, flow: 900)
            bench.run(until: Nanoseconds(turn + 1) * 10 * millisecond)
        }
        // The frame that is being sent is finished first, and one turn of each of the four flows may come before.
        #expect(sparse == 40 && worst < 5 * 1_514 * 800 + millisecond)
        let counters = bench.tree.pointee.counters(of: 2)
        #expect(counters.oldFlows == 4 && counters.newFlows <= 1)
    }

    /// A full leaf makes room by dropping frames of the flow that holds most.
    @Test func aFloodDropsItsOwnFrames() {
        let bench = Bench()
        bench.gapsAllowed = true
        bench.add(2, under: 1, Self.parameters(1, limit: 100))
        bench.offer(2, 100, flow: 1)
        bench.offer(2, 100, flow: 2)
        var reasons: [DroppedFrame.Reason] = []
        bench.onDrop = { reasons.append($0.reason) }
        for _ in 0..<500 { #expect(bench.offer(2, 1_514, flow: 3) == .queued) }
        bench.collectDropped()
        let counters = bench.tree.pointee.counters(of: 2)
        #expect(counters.backlogFrames == 100 && counters.droppedQueueLimit == 402 && reasons == Array(repeating: .queueLimit, count: 402))
        #expect(counters.backlogBytes == 200 + 98 * 1_514 && bench.tree.pointee.backlogBytes == 200 + 98 * 1_514)
        var small = 0
        bench.onSend = { frame, _ in if frame.charge.bytes == 100 { small += 1 } }
        bench.run(until: 50 * millisecond)
        #expect(small == 2)
    }

    /// Disciplines, limits and trees change while frames come and go: every accepted frame leaves, waits or is dropped, and none overtakes another of its flow.
    @Test(arguments: 0..<60) func nothingIsLostOrOvertakenByChanges(seed: UInt64) {
        var dice = Seeded(1_000 + seed)
        let bench = Bench(frames: 3_000, outputs: 2)
        bench.gapsAllowed = true
        for id in 2...4 as ClosedRange<ClassID> { bench.add(id, under: 1, Self.parameters(10)) }
        var flowOf: [ClassID: [UInt32: UInt32]] = [:], last: [UInt64: UInt32] = [:], numbers: [ClassID: UInt32] = [:]
        var overtaken = 0
        bench.onSend = { frame, _ in
            let key = UInt64(frame.leaf) << 32 | UInt64(flowOf[frame.leaf]?[frame.tag] ?? .max)
            if frame.tag <= last[key] ?? 0 { overtaken += 1 }
            last[key] = frame.tag
        }
        for _ in 0..<3_000 {
            let leaf = ClassID(2 + dice.below(3))
            switch dice.below(20) {
            case 0..<12:
                let flow = UInt32(dice.below(30))
                let number = (numbers[leaf] ?? 0) + 1
                if bench.offer(leaf, dice.one(of: [60, 1_514]), flow: flow) == .queued {
                    numbers[leaf] = number
                    flowOf[leaf, default: [:]][number] = flow
                }
            case 12..<17:
                bench.drain(limit: 1 + dice.below(20))
                bench.advance(to: bench.now + UInt64(dice.below(4_000_000)))
            case 17:
                if dice.chance(50) { bench.tree.pointee.park(output: 0) } else { bench.tree.pointee.unpark(output: 0) }
            default:
                let p = Self.parameters(dice.one(of: [1, 10, 100]), limit: dice.one(of: [20, 500]), flows: dice.chance(50), codel: dice.chance(50))
                if p.queuesFlows { bench.tree.pointee.grantFlows(to: leaf) }
                #expect(bench.tree.pointee.change(leaf, p, at: bench.now) == .done)
                if !p.queuesFlows { bench.tree.pointee.reclaimFlows(of: leaf) }
            }
            bench.collectDropped()
            #expect(bench.accepted == bench.delivered + bench.dropped + bench.tree.pointee.backlogFrames)
            let held = (2...4 as ClosedRange<ClassID>).map { bench.tree.pointee.counters(of: $0) }
            #expect(held.reduce(0) { $0 + Int($1.backlogFrames) } == bench.tree.pointee.backlogFrames)
            #expect(held.reduce(0) { $0 + Int($1.backlogBytes) } == bench.tree.pointee.backlogBytes)
        }
        #expect(overtaken == 0)
        for id in 2...4 as ClosedRange<ClassID> {
            #expect(bench.tree.pointee.remove(id, at: bench.now) == .done)
            bench.tree.pointee.reclaimFlows(of: id)
        }
        bench.collectDropped()
        #expect(bench.accepted == bench.delivered + bench.dropped && bench.tree.pointee.backlogFrames == 0 && bench.tree.pointee.backlogBytes == 0)
        #expect(!bench.tree.pointee.mayQueueFlows)
    }

    /// A leaf with flows becomes a parent: its first child takes over its frames, whatever that child's discipline is.
    @Test(arguments: [true, false]) func aChildTakesFlowsOver(flows: Bool) {
        let bench = Bench()
        bench.gapsAllowed = true
        bench.add(2, under: 1, Self.parameters(10))
        for index in 0..<60 { bench.offer(2, 1_000, flow: UInt32(index % 5)) }
        bench.add(3, under: 2, Self.parameters(10, flows: flows, codel: flows))
        #expect(bench.tree.pointee.counters(of: 3).backlogFrames == 60 && bench.tree.pointee.counters(of: 3).backlogBytes == 60_000)
        var left = 0
        bench.onSend = { _, _ in left += 1 }
        bench.run(until: second)
        bench.collectDropped()
        #expect(left + bench.dropped == 60 && bench.tree.pointee.backlogFrames == 0)
        // The class becomes a leaf again.
        #expect(bench.tree.pointee.remove(3, at: bench.now) == .done)
        for index in 0..<10 { #expect(bench.offer(2, 1_000, flow: UInt32(index)) == .queued) }
        bench.run(until: 2 * second)
        #expect(left + bench.dropped == 70)
    }

    /// A removed class leaves its frames to another. Whether or not either of them queues flows apart, all frames leave, none before an earlier one of its
    /// class and flow.
    @Test(arguments: [true, false], [true, false]) func anHeirTakesFlowsOver(from: Bool, to: Bool) {
        for heirHolds in [0, 1, 40] {
            let bench = Bench()
            bench.gapsAllowed = true
            bench.add(2, under: 1, Self.parameters(10, flows: from, codel: from))
            bench.add(3, under: 1, Self.parameters(10, flows: to, codel: false))
            for index in 0..<60 { bench.offer(2, 1_000, flow: UInt32(index % 5)) }
            for index in 0..<heirHolds { bench.offer(3, 500, flow: UInt32(index % 7)) }
            #expect(bench.tree.pointee.remove(2, leavingTo: 3, at: bench.now) == .done && bench.tree.pointee.heir(of: 2) == 3)
            bench.tree.pointee.reclaimFlows(of: 2)
            // These are later frames of the flows that were taken over.
            for index in 0..<20 { #expect(bench.offer(3, 700, flow: UInt32(index % 5)) == .queued) }
            let all = 80 + heirHolds, bytes = 60_000 + 14_000 + 500 * heirHolds
            let counters = bench.tree.pointee.counters(of: 3)
            #expect(Int(counters.backlogFrames) == all && Int(counters.backlogBytes) == bytes)
            #expect(bench.tree.pointee.backlogFrames == all && bench.tree.pointee.backlogBytes == bytes)
            var lengths: [UInt32] = []
            bench.onSend = { frame, _ in
                #expect(frame.leaf == 3)
                lengths.append(frame.charge.bytes)
            }
            bench.run(until: second)
            bench.collectDropped()
            #expect(lengths.count + bench.dropped == all && bench.tree.pointee.backlogFrames == 0 && bench.tree.pointee.backlogBytes == 0)
            // The frames that were taken over are ahead of all that came later.
            let taken = lengths.lastIndex(of: 1_000) ?? .max, later = lengths.firstIndex(of: 700) ?? -1
            #expect(taken < later)
        }
    }

    /// Flows need memory that must be granted first. Without it, such a class is refused and nothing changes.
    @Test func flowsNeedAGrant() {
        let bench = Bench()
        #expect(bench.tree.pointee.add(2, under: 1, Self.parameters(), at: 0) == .badParameters)
        bench.add(2, under: 1, Self.parameters(flows: false))
        #expect(bench.tree.pointee.change(2, Self.parameters(), at: 0) == .badParameters)
        #expect(!bench.tree.pointee.queuesFlows(2))
        bench.tree.pointee.grantFlows(to: 2)
        #expect(bench.tree.pointee.change(2, Self.parameters(), at: 0) == .done)
        #expect(bench.tree.pointee.queuesFlows(2) && ClassTree.bytesPerClassWithFlows < 64 << 10)
    }

    /// If several lcores lease the rate of a class, each has flows of its own, and the rate is kept.
    @Test func instancesHaveFlowsOfTheirOwn() {
        let shared = SharedTree.create()
        let benches = (0..<2).map { _ in Bench(root: .mbit(100, ceil: 100), shared: shared) }
        for bench in benches {
            bench.gapsAllowed = true
            bench.add(2, under: 1, Self.parameters(10))
        }
        while benches[0].now < second {
            for bench in benches {
                for flow in 0..<4 as Range<UInt32> where bench.tree.pointee.counters(of: 2).backlogFrames < 40 { bench.offer(2, 1_250, flow: flow) }
                bench.drain()
                bench.collectDropped()
                bench.advance(to: bench.now + 50_000)
            }
        }
        let sent = benches.map { $0.sentBytes[2, default: 0] }
        #expect(near(Double(sent[0] + sent[1]) * 8, 10e6, within: 0.05) && sent.allSatisfy { $0 > 300_000 }, "\(sent)")
        #expect(benches.allSatisfy { $0.accepted == $0.delivered + $0.dropped + $0.tree.pointee.backlogFrames })
        for bench in benches { bench.dispose() }
        SharedTree.destroy(shared)
    }

    /// If nothing waits, frames pass without a turn, and CoDel drops nothing.
    @Test(arguments: [true, false]) func framesPassAnEmptyLeaf(flows: Bool) {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000))
        bench.add(2, under: 1, Self.parameters(100, flows: flows))
        var charge = Charge(bytes: 1_000)
        #expect(bench.tree.pointee.bypass(&charge, count: 1, to: 2, at: 0) == 1)
        #expect(bench.tree.pointee.counters(of: 2).sentBytes == 1_000)
        while bench.offer(2, 1_000, flow: 1) == .queued, bench.tree.pointee.backlogFrames < 3 {}
        #expect(bench.tree.pointee.bypass(&charge, count: 1, to: 2, at: 0) == 0)
    }
}
