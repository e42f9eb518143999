import Scheduler
import TestSupport
import Testing

/// Classes change their places, and leaves come and go above and below each other, with all their frames.
@Suite struct MoveTests {
    /// Tenants, guests and protocols are added and removed in every order under load: no frame is lost, and the frames of each leaf keep their order.
    @Test(arguments: [0, 1, 2, 3] as [UInt64], [1, 3]) func classesMoveUnderLoad(seed: UInt64, outputs: Int) {
        var dice = Seeded(seed)
        let bench = Bench(root: .mbit(500, ceil: 500), classes: 64, outputs: outputs)
        let inner: [ClassID] = [2, 3, 4]
        let leaves = Array(5..<30 as Range<ClassID>)
        bench.add(2, under: 1, .mbit(100)); bench.add(3, under: 1, .mbit(50, ceil: 200)); bench.add(4, under: 3, .mbit(0))
        for id in leaves { bench.add(id, under: [1, 2, 3, 4][dice.below(4)], parameters(&dice, output: UInt16(dice.below(outputs)))) }
        // Because of these leaves, none of the inner classes becomes a leaf, whatever happens to the other leaves.
        for (parent, id) in [(2, 40), (3, 41), (4, 42)] as [(ClassID, ClassID)] { bench.add(id, under: parent, .mbit(1)) }
        for _ in 0..<4_000 {
            let id = leaves[dice.below(leaves.count)]
            for _ in 0..<dice.below(10) { bench.offer(id, UInt32(60 + dice.below(1_455))) }
            if dice.chance(30) {
                let mover = leaves[dice.below(leaves.count)], parent = ([1] + inner)[dice.below(4)]
                #expect(bench.tree.pointee.move(mover, under: parent, at: bench.now) == .done)
            }
            if dice.chance(5) { bench.tree.pointee.park(output: UInt16(dice.below(outputs))) }
            if dice.chance(20) { bench.tree.pointee.unpark(output: UInt16(dice.below(outputs))) }
            bench.advance(to: bench.now + UInt64(dice.below(100_000)))
            bench.drain(limit: dice.below(100))
        }
        for output in 0..<outputs { bench.tree.pointee.unpark(output: UInt16(output)) }
        bench.run(until: bench.now + 100 * second)
        #expect(bench.accepted == bench.delivered && bench.dropped == 0 && bench.outOfOrder == 0)
        #expect(bench.tree.pointee.backlogFrames == 0 && bench.tree.pointee.backlogBytes == 0)
    }

    private func parameters(_ dice: inout Seeded, output: UInt16) -> ClassParameters {
        .mbit(dice.chance(50) ? 0 : UInt64(dice.below(10)), ceil: dice.chance(50) ? nil : 50, priority: UInt8(dice.below(8)), output: output)
    }

    @Test func whatCannotBeMovedStays() {
        let bench = Bench()
        bench.add(2, under: 1, .mbit(0)); bench.add(3, under: 2, .mbit(0)); bench.add(9, under: 1, .mbit(0))
        for id in 4...8 as ClosedRange<ClassID> { bench.add(id, under: id - 1, .mbit(0)) }
        func move(_ id: ClassID, _ parent: ClassID) -> ChangeVerdict { bench.tree.pointee.move(id, under: parent, at: 0) }
        #expect(move(1, 2) == .reservedID && move(77, 1) == .unknownClass && move(2, 1) == .hasChildren)
        #expect(move(9, 77) == .unknownParent && move(9, 9) == .unknownParent)
        #expect(move(9, 8) == .tooDeep)
        #expect(move(9, 7) == .done && move(9, 7) == .done)
    }

    /// When a floor is set or removed, the class moves between two parents and keeps its tokens, its backlog and its counters.
    @Test func aMovedLeafKeepsWhatItHas() {
        let bench = Bench(root: .mbit(100, ceil: 100))
        bench.add(2, under: 1, .mbit(20)); bench.add(3, under: 2, .mbit(0)); bench.add(4, under: 2, .mbit(0)); bench.add(5, under: 1, .mbit(80))
        for _ in 0..<500 { bench.offer(3, 1_000) }
        bench.run(until: 10 * millisecond)
        var before = bench.tree.pointee.counters(of: 3)
        let parent = bench.tree.pointee.counters(of: 2), root = bench.tree.pointee.counters(of: 1)
        #expect(before.backlogFrames > 0 && before.borrowedFrames > 0 && parent.lentFrames > 0)
        #expect(bench.tree.pointee.move(3, under: 1, at: bench.now) == .done)
        // Only the number of waits has changed: it waits once more at its new place.
        before.waitsAncestor += 1
        #expect(bench.tree.pointee.counters(of: 3) == before)
        #expect(bench.tree.pointee.counters(of: 2).sentFrames == parent.sentFrames && bench.tree.pointee.counters(of: 2).lentFrames == parent.lentFrames)
        #expect(bench.tree.pointee.counters(of: 1).sentFrames == root.sentFrames && bench.tree.pointee.counters(of: 1).lentFrames == root.lentFrames)
        #expect(bench.tree.pointee.loans(of: 3).map(\.lender) == [1])
        bench.run(until: second)
        #expect(bench.delivered == 500 && bench.outOfOrder == 0)
    }

    /// When the last protocol of a guest is removed, its parent takes over the waiting frames in order, and frames that are still sent to the old leaves reach
    /// it.
    @Test func aLeafThatGoesLeavesItsQueue() {
        let bench = Bench(root: .mbit(8, ceil: 8))
        // This class was made together with its protocols, so it has never been a leaf.
        bench.add(2, under: 1, .mbit(4)); bench.add(3, under: 2, .mbit(2)); bench.add(4, under: 2, .mbit(1)); bench.add(5, under: 1, .mbit(4))
        var order: [UInt32] = []
        bench.onSend = { frame, _ in if frame.leaf != 5 { order.append(frame.charge.bytes) } }
        for length in 0..<20 as Range<UInt32> { bench.offer(4, 1_000 + length); bench.offer(3, 2_000 + length); bench.offer(5, 1_000) }
        #expect(bench.tree.pointee.remove(4, leavingTo: 3, at: bench.now) == .done)
        #expect(bench.tree.pointee.heir(of: 4) == 3)
        #expect(bench.tree.pointee.remove(3, leavingTo: 2, at: bench.now) == .done)
        #expect(bench.tree.pointee.heir(of: 4) == 2 && bench.tree.pointee.heir(of: 3) == 2 && bench.tree.pointee.heir(of: 2) == 2)
        #expect(bench.offer(4, 100) == .notALeaf && bench.offer(2, 1_900) == .queued)
        #expect(bench.tree.pointee.counters(of: 2).backlogFrames == 41)
        #expect(bench.tree.pointee.counters(of: 2).backlogBytes == UInt32(20 * 3_000 + 2 * 190 + 1_900))
        bench.gapsAllowed = true
        bench.run(until: 2 * second)
        #expect(order == Array(2_000..<2_020) + Array(1_000..<1_020) + [1_900])
        #expect(bench.tree.pointee.droppedByRemoval == 0 && bench.tree.pointee.backlogFrames == 0)
        // A class that delivers to another output takes nothing over.
        let other = Bench(outputs: 2)
        other.add(2, under: 1, .mbit(0)); other.add(3, under: 1, .mbit(0, output: 1))
        other.offer(2, 100)
        #expect(other.tree.pointee.remove(2, leavingTo: 3, at: 0) == .done)
        #expect(other.tree.pointee.droppedByRemoval == 1 && other.tree.pointee.heir(of: 2) == 0)
    }

    /// The counters of a guest and of a tree never go backwards.
    @Test func dropsOutliveTheirClass() {
        let bench = Bench(root: .mbit(8, ceil: 8))
        var limited = ClassParameters.mbit(1, ceil: 2)
        limited.limitPackets = 10
        limited.codelTarget = millisecond
        bench.add(2, under: 1, .mbit(4)); bench.add(3, under: 2, limited); bench.add(4, under: 2, .mbit(1))
        for _ in 0..<200 {
            for _ in 0..<20 { bench.offer(3, 1_000) }
            bench.advance(to: bench.now + 5 * millisecond)
            bench.drain()
        }
        func drops(_ id: ClassID) -> [UInt64] {
            let counters = bench.tree.pointee.counters(of: id)
            return [counters.droppedQueueLimit, counters.droppedCoDel, counters.droppedByRemoval]
        }
        let before = drops(3)
        #expect(before[0] > 0 && before[1] > 0 && before[2] == 0)
        #expect(drops(2) == before && drops(1) == before)
        limited.codelTarget = 0
        #expect(bench.tree.pointee.change(3, limited, at: bench.now) == .done)
        #expect(drops(3) == before)
        let held = UInt64(bench.tree.pointee.counters(of: 3).backlogFrames)
        #expect(held > 0)
        #expect(bench.tree.pointee.remove(3, at: bench.now) == .done)
        #expect(drops(2) == [before[0], before[1], held] && drops(1) == drops(2))
        #expect(bench.tree.pointee.remove(4, leavingTo: 2, at: bench.now) == .done)
        #expect(drops(2) == [before[0], before[1], held] && drops(1) == drops(2))
        #expect(bench.tree.pointee.remove(2, at: bench.now) == .done)
        #expect(drops(1) == [before[0], before[1], held])
        bench.collectDropped()
    }

    @Test func waitsOfAPeakOutliveIt() {
        let bench = Bench()
        var p = ClassParameters.mbit(0)
        p.peak = 8_000_000
        bench.add(2, under: 1, p)
        for _ in 0..<50 { bench.offer(2, 1_500) }
        bench.run(until: 100 * millisecond)
        let waits = bench.tree.pointee.counters(of: 2).waitsPeak
        #expect(waits > 0)
        _ = bench.tree.pointee.change(2, .mbit(0), at: bench.now)
        #expect(bench.tree.pointee.counters(of: 2).waitsPeak == waits)
        _ = bench.tree.pointee.change(2, p, at: bench.now)
        #expect(bench.tree.pointee.counters(of: 2).waitsPeak == waits)
    }
}
