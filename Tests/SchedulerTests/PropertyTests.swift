import Scheduler
import TestSupport
import Testing

@Suite struct PropertyTests {
    static let sizes: [UInt32] = [200, 600, 1_514, 4_000]

    /// Every leaf that wants more gets what the rules give it, to 0.5 %: its floor, whatever others want; no more than its ceiling; and its part of what is
    /// left, so that the link is full while any class may send. No frame is lost or reordered.
    @Test(arguments: 0..<40) func sharesAreThoseOfTheRules(seed: UInt64) {
        var dice = Seeded(seed)
        let tree = AdmittedTree(dice: &dice)
        for leaf in tree.leaves where dice.chance(70) { tree.bench.greedy[leaf] = dice.one(of: Self.sizes) }
        if tree.bench.greedy.isEmpty { tree.bench.greedy[tree.leaves[0]] = 1_514 }
        let shares = tree.shares(of: Set(tree.bench.greedy.keys))
        tree.bench.run(until: 300 * millisecond)
        tree.bench.forget()
        tree.bench.run(until: 2_300 * millisecond)
        for (leaf, share) in shares {
            let rate = tree.bench.rate(leaf, over: 2 * second) / 1e6
            // The measurement may be off by a frame or two.
            #expect(abs(rate - share) <= 0.005 * share + 0.04, "\(leaf) got \(rate) instead of \(share)")
        }
        #expect(tree.bench.outOfOrder == 0)
        #expect(tree.bench.accepted == tree.bench.delivered + tree.bench.tree.pointee.backlogFrames)
    }

    /// No class, leaf or inner, exceeds its ceiling by more than bursts and frames in any window, while demand comes and goes.
    @Test(arguments: 200..<230) func ceilingsHoldOverAnyWindow(seed: UInt64) {
        var dice = Seeded(seed)
        let tree = AdmittedTree(dice: &dice)
        let excess = tree.classes.mapValues { Excess(above: Double($0.ceiling) * 1e6 / 8) }
        let ways = Dictionary(uniqueKeysWithValues: tree.leaves.map { ($0, tree.way(from: $0)) })
        tree.bench.onSend = { frame, now in for id in ways[frame.leaf]! { excess[id]!.note(UInt64(frame.charge.bytes), at: now) } }
        for _ in 0..<100 {
            tree.bench.greedy = [:]
            for leaf in tree.leaves where dice.chance(50) { tree.bench.greedy[leaf] = dice.one(of: Self.sizes) }
            tree.bench.run(until: tree.bench.now + Nanoseconds(dice.below(10_000_000)))
        }
        for (id, seen) in excess { #expect(seen.worst <= Double(tree.excess(id, frame: 4_000)) + 0.001, "class \(id)") }
        #expect(excess[1]!.total > 0)
    }

    /// A higher floor never lowers what its class gets. The floor of a random leaf is raised within what its parent has not promised.
    @Test(arguments: 100..<120) func raisingAFloorNeverLowersTheShare(seed: UInt64) throws {
        var dice = Seeded(seed)
        let plain = AdmittedTree(dice: &dice)
        let most = { (leaf: ClassID) in plain.unpromised[plain.classes[leaf]!.parent]! }
        let candidate = plain.leaves.filter { most($0) >= 3 }.randomElement(using: &dice)
        let leaf = try #require(candidate)
        func share(raise: UInt64) -> Double {
            var dice = Seeded(seed)
            let tree = AdmittedTree(dice: &dice, raise: leaf, by: raise)
            for other in tree.leaves where other == leaf || dice.chance(70) { tree.bench.greedy[other] = dice.one(of: Self.sizes) }
            tree.bench.run(until: 300 * millisecond)
            tree.bench.forget()
            tree.bench.run(until: 800 * millisecond)
            let rate = tree.bench.rate(leaf, over: 500 * millisecond)
            #expect(rate >= Double(tree.classes[leaf]!.floor) * 1e6 * 0.999 - 100_000)
            return rate
        }
        let rates = [0, most(leaf) / 3, most(leaf) * 2 / 3, most(leaf)].map { share(raise: $0) }
        for (lower, higher) in zip(rates, rates.dropFirst()) { #expect(higher >= lower * 0.999 - 100_000) }
        #expect(rates[3] >= Double(plain.classes[leaf]!.floor + most(leaf)) * 1e6 * 0.999 - 100_000)
    }

    /// For two greedy borrowers, the amounts they got, each divided by its quantum, differ by no more than one turn and a frame.
    @Test(arguments: 0..<20) func turnsAreFairWithinOneQuantum(seed: UInt64) {
        var dice = Seeded(seed)
        let bench = Bench(root: .mbit(1_000, ceil: 1_000))
        var quanta: [ClassID: Double] = [:], sizes: [ClassID: Double] = [:]
        for id in ClassID(2)..<ClassID(2 + 2 + dice.below(6)) {
            let quantum = UInt32(300 + dice.below(20_000)), size = dice.one(of: Self.sizes)
            bench.add(id, under: 1, .mbit(0, quantum: quantum))
            quanta[id] = Double(quantum)
            sizes[id] = Double(size)
            bench.greedy[id] = size
        }
        var got: [ClassID: Double] = [:], worst = 0.0
        bench.onSend = { frame, _ in
            got[frame.leaf, default: 0] += Double(frame.charge.bytes)
            guard let mine = got[frame.leaf] else { return }
            for (other, quantum) in quanta where other != frame.leaf {
                // The number of rounds by which this one is ahead of the other, less what a frame on each side may add.
                let ahead = mine / quanta[frame.leaf]! - got[other, default: 0] / quantum
                worst = max(worst, ahead - sizes[frame.leaf]! / quanta[frame.leaf]! - sizes[other]! / quantum)
            }
        }
        bench.run(until: 200 * millisecond)
        #expect(worst <= 1.0001)
    }

    enum Crowd: CaseIterable { case idle, atItsCeilings }

    /// The same classes on a crowded tree: a class that borrows is served as often as if it were alone with its rivals, whether the others have nothing to send
    /// or wait at their ceilings.
    @Test(arguments: Crowd.allCases) func aCrowdThatCannotSendChangesNothing(crowd: Crowd) {
        func order(_ others: Int) -> [ClassID] {
            let bench = Bench(root: .mbit(100, ceil: 100), frames: 200_000)
            for index in 0..<others {
                let id = ClassID(1_000 + index)
                // It takes a minute to pay for the first frame of 60 bytes.
                bench.add(id, under: 1, crowd == .idle ? .mbit(0) : ClassParameters(ceiling: 8, ceilingBurst: 0))
                if crowd == .atItsCeilings { for _ in 0..<2 { bench.offer(id, 60) } }
            }
            for id in ClassID(2)..<10 { bench.add(id, under: 1, .mbit(UInt64(id), quantum: 1_000 * UInt32(id))) }
            bench.run(until: second)
            #expect(bench.tree.pointee.backlogFrames == (crowd == .idle ? 0 : others))
            var order: [ClassID] = []
            bench.onSend = { frame, _ in order.append(frame.leaf) }
            for id in ClassID(2)..<10 { bench.greedy[id] = 1_000 }
            bench.run(until: second + 50 * millisecond)
            return order
        }
        let alone = order(0)
        #expect(alone.count > 500)
        #expect(alone == order(60_000))
    }
}
