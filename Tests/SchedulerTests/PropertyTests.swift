import Scheduler
import Testing

/// A random tree whose floors are admitted: children's floors never sum above their parent's.
struct AdmittedTree {
    var leaves: [(id: ClassID, floor: UInt64, ceiling: UInt64)] = []
    var inner: [ClassID: UInt64] = [:]
    let bench: Bench
    let link: UInt64

    /// Link and floors in Mbit/s.
    init(dice: inout Dice, raise: ClassID = 0, by extra: UInt64 = 0) {
        link = UInt64(100 + dice.below(400))
        bench = Bench(root: .mbit(link, ceil: link, burst: 6_000, ceilingBurst: 6_000))
        var next: ClassID = 2
        var open: [(id: ClassID, floor: UInt64, depth: Int)] = [(1, link, 0)]
        while let parent = open.popLast() {
            var left = parent.floor - (parent.depth == 0 ? 10 : 0)
            for _ in 0..<(1 + dice.below(4)) {
                let id = next
                next += 1
                var floor = UInt64(dice.below(Int(left / 2 + 1)))
                left -= floor
                let isInner = parent.depth < 3 && floor > 8 && dice.chance(40)
                let ceiling = dice.chance(30) ? max(floor, 5) + UInt64(dice.below(100)) : link
                let quantum = UInt32(1_000 + dice.below(9_000))
                if id == raise { floor += extra }
                bench.add(id, under: parent.id, .mbit(floor, ceil: max(ceiling, floor), quantum: quantum, burst: 12_000, ceilingBurst: 12_000))
                if isInner { open.append((id, floor, parent.depth + 1)); inner[id] = floor } else { leaves.append((id, floor, max(ceiling, floor))) }
            }
        }
    }
}

@Suite struct PropertyTests {
    static let sizes: [UInt32] = [200, 600, 1_514, 4_000]

    /// Every leaf that wants its floor gets it, whoever else wants what; nobody exceeds a ceiling; the link is full while anyone may
    /// still send; nothing is lost or reordered.
    @Test(arguments: 0..<40) func floorsCeilingsAndWorkConservation(seed: UInt64) {
        var dice = Dice(state: seed)
        let tree = AdmittedTree(dice: &dice)
        for leaf in tree.leaves where dice.chance(70) { tree.bench.greedy[leaf.id] = dice.one(of: Self.sizes) }
        if tree.bench.greedy.isEmpty { tree.bench.greedy[tree.leaves[0].id] = 1_514 }
        tree.bench.run(until: 300 * millisecond)
        tree.bench.forget()
        tree.bench.run(until: 800 * millisecond)
        var total = 0.0
        for leaf in tree.leaves where tree.bench.greedy[leaf.id] != nil {
            let rate = tree.bench.rate(leaf.id, over: 500 * millisecond)
            total += rate
            #expect(rate >= Double(leaf.floor) * 1e6 * 0.999 - 400_000, "floor of \(leaf.id)")
            #expect(rate <= Double(leaf.ceiling) * 1e6 * 1.0005 + 400_000, "ceiling of \(leaf.id)")
        }
        #expect(total <= Double(tree.link) * 1e6 * 1.001 + 400_000)
        if tree.leaves.contains(where: { tree.bench.greedy[$0.id] != nil && $0.ceiling == tree.link && tree.inner.isEmpty }) {
            #expect(total >= Double(tree.link) * 1e6 * 0.999 - 400_000)
        }
        #expect(tree.bench.outOfOrder == 0)
        #expect(tree.bench.accepted == tree.bench.delivered + tree.bench.tree.pointee.backlogFrames)
    }

    /// A higher floor never lowers what its class gets.
    @Test(arguments: 100..<120) func raisingAFloorNeverLowersTheShare(seed: UInt64) {
        func share(raise: UInt64) -> (rate: Double, floor: UInt64) {
            var dice = Dice(state: seed)
            let tree = AdmittedTree(dice: &dice, raise: 2, by: raise)
            guard !tree.inner.keys.contains(2) else { return (0, 0) }
            for leaf in tree.leaves where leaf.id == 2 || dice.chance(70) { tree.bench.greedy[leaf.id] = dice.one(of: Self.sizes) }
            tree.bench.run(until: 300 * millisecond)
            tree.bench.forget()
            tree.bench.run(until: 800 * millisecond)
            return (tree.bench.rate(2, over: 500 * millisecond), tree.leaves.first { $0.id == 2 }!.floor)
        }
        let rates = [0, 3, 6, 10].map { share(raise: $0).rate }
        for (lower, higher) in zip(rates, rates.dropFirst()) { #expect(higher >= lower * 0.999 - 200_000) }
    }

    /// Between two greedy borrowers the difference of what they got, each divided by its quantum, stays within one turn and a frame.
    @Test(arguments: 0..<20) func turnsAreFairWithinOneQuantum(seed: UInt64) {
        var dice = Dice(state: seed)
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
            got[frame.leaf, default: 0] += Double(frame.length)
            guard let mine = got[frame.leaf] else { return }
            for (other, quantum) in quanta where other != frame.leaf {
                // Rounds ahead of the other, less what a frame on each side may add.
                let ahead = mine / quanta[frame.leaf]! - got[other, default: 0] / quantum
                worst = max(worst, ahead - sizes[frame.leaf]! / quanta[frame.leaf]! - sizes[other]! / quantum)
            }
        }
        bench.run(until: 200 * millisecond)
        #expect(worst <= 1.0001)
    }

    /// The same classes on a crowded tree: a class that borrows is served as often as when it is alone with its rivals.
    @Test func sleepingClassesChangeNothing() {
        func order(crowd: Int) -> [ClassID] {
            let bench = Bench(root: .mbit(100, ceil: 100))
            for id in 0..<crowd { bench.add(ClassID(1_000 + id), under: 1, .mbit(0)) }
            for id in ClassID(2)..<10 { bench.add(id, under: 1, .mbit(UInt64(id), quantum: 1_000 * UInt32(id))); bench.greedy[id] = 1_000 }
            var order: [ClassID] = []
            bench.onSend = { frame, _ in order.append(frame.leaf) }
            for id in ClassID(2)..<10 { for _ in 0..<60 { bench.offer(id, 1_000) } }
            bench.run(until: 20 * millisecond)
            return order
        }
        #expect(order(crowd: 0) == order(crowd: 60_000))
    }

    @Test func anyCoreCountOfClassesFitsTheMemoryBound() {
        #expect(ClassTree.bytesPerClass <= 256)
    }
}
