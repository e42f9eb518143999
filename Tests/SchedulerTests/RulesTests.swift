import Scheduler
import Testing

@Suite struct RulesTests {
    @Test func floorsAreMetExactlyWhenAllWantMore() {
        let bench = Bench(root: .mbit(200, ceil: 200))
        for (id, floor) in [(ClassID(2), UInt64(120)), (3, 60), (4, 20)] {
            bench.add(id, under: 1, .mbit(floor, ceil: 200))
            bench.greedy[id] = 1_514
        }
        bench.run(until: 10 * second)
        #expect(near(bench.rate(2, over: 10 * second), 120e6, within: 0.0005))
        #expect(near(bench.rate(3, over: 10 * second), 60e6, within: 0.0005))
        #expect(near(bench.rate(4, over: 10 * second), 20e6, within: 0.0005))
        #expect(bench.outOfOrder == 0)
        #expect(bench.accepted == bench.delivered + bench.tree.pointee.backlogFrames)
    }

    @Test func unusedRateIsLentInProportionToQuantum() {
        let bench = Bench(root: .mbit(100, ceil: 100))
        bench.add(2, under: 1, .mbit(10, quantum: 1_514))
        bench.add(3, under: 1, .mbit(10, quantum: 4_542))
        bench.add(4, under: 1, .mbit(40))
        bench.greedy = [2: 1_514, 3: 1_514]
        bench.run(until: 10 * second)
        // The two floors leave 80 Mbit/s, which are shared as 20 and 60.
        #expect(near(bench.rate(2, over: 10 * second), 30e6, within: 0.001))
        #expect(near(bench.rate(3, over: 10 * second), 70e6, within: 0.001))
        #expect(bench.tree.pointee.counters(of: 3).borrowedBytes > bench.tree.pointee.counters(of: 2).borrowedBytes)
    }

    @Test func lowQuantaAndLargeFramesStayProportional() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000))
        bench.add(2, under: 1, .mbit(0, quantum: 1_000))
        bench.add(3, under: 1, .mbit(0, quantum: 3_000))
        bench.greedy = [2: 65_550, 3: 300]
        bench.run(until: 10 * second)
        #expect(near(bench.rate(2, over: 10 * second), 250e6, within: 0.001))
        #expect(near(bench.rate(3, over: 10 * second), 750e6, within: 0.001))
    }

    @Test func anInnerClassTakesTurnsByItsOwnQuantum() {
        let bench = Bench(root: .mbit(100, ceil: 100))
        bench.add(2, under: 1, .mbit(0))
        for id in ClassID(10)..<20 { bench.add(id, under: 2, .mbit(0)); bench.greedy[id] = 1_000 }
        bench.add(3, under: 1, .mbit(0))
        bench.greedy[3] = 1_000
        bench.run(until: 10 * second)
        #expect(near(bench.rate(3, over: 10 * second), 50e6, within: 0.001))
        for id in ClassID(10)..<20 { #expect(near(bench.rate(id, over: 10 * second), 5e6, within: 0.005)) }
    }

    @Test func aLowerPriorityBorrowsOnlyWhatIsLeft() {
        let bench = Bench(root: .mbit(100, ceil: 100))
        bench.add(2, under: 1, .mbit(10, priority: 0))
        bench.add(3, under: 1, .mbit(10, priority: 1))
        bench.add(4, under: 1, .mbit(10, ceil: 60, priority: 0))
        bench.greedy = [2: 1_514, 3: 1_514]
        bench.run(until: 2 * second)
        #expect(near(bench.rate(2, over: 2 * second), 90e6, within: 0.001))
        #expect(near(bench.rate(3, over: 2 * second), 10e6, within: 0.002))
    }

    @Test(arguments: [UInt32(60), 1_514, 65_550], [UInt64(0), 3_028, 200_000])
    func aCeilingIsNeverExceededByMoreThanBurstAndOneFrame(length: UInt32, burst: UInt64) {
        let bench = Bench()
        bench.add(2, under: 1, .mbit(5, ceil: 50, ceilingBurst: burst))
        bench.greedy[2] = length
        let excess = Excess(above: 50e6 / 8)
        bench.onSend = { frame, now in excess.note(UInt64(frame.charge.bytes), at: now) }
        bench.run(until: 3 * second)
        bench.greedy = [:]
        bench.run(until: 5 * second)
        bench.greedy[2] = length
        bench.run(until: 6 * second)
        #expect(excess.worst <= Double(max(burst, 1)) + Double(length) + 0.001)
        #expect(excess.total > 3.9 * 50e6 / 8)
    }

    @Test func workIsConservedUnderAnUnlimitedRoot() {
        let bench = Bench()
        bench.add(2, under: 1, .mbit(1))
        bench.add(3, under: 1, .mbit(0))
        for _ in 0..<1_000 { bench.offer(2, 1_514); bench.offer(3, 60) }
        #expect(bench.drain() == 2_000)
        #expect(bench.tree.pointee.nextEvent(at: bench.now) == .max || bench.tree.pointee.nextEvent(at: bench.now) > bench.now)
        #expect(bench.tree.pointee.backlogFrames == 0)
    }

    @Test func floorsNestedUnderTenants() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000))
        bench.add(2, under: 1, .mbit(600))
        bench.add(3, under: 1, .mbit(400, ceil: 500))
        bench.add(20, under: 2, .mbit(500)); bench.add(21, under: 2, .mbit(100))
        bench.add(30, under: 3, .mbit(100)); bench.add(31, under: 3, .mbit(300))
        bench.greedy = [20: 1_514, 21: 1_514, 30: 1_514, 31: 1_514]
        bench.run(until: 5 * second)
        #expect(near(bench.rate(20, over: 5 * second), 500e6, within: 0.001))
        #expect(near(bench.rate(21, over: 5 * second), 100e6, within: 0.001))
        #expect(near(bench.rate(30, over: 5 * second), 100e6, within: 0.001))
        #expect(near(bench.rate(31, over: 5 * second), 300e6, within: 0.001))
        bench.greedy[20] = nil
        bench.run(until: 6 * second)
        bench.forget()
        bench.run(until: 11 * second)
        // 500 Mbit/s are free. Leaf 21 takes those of class 2 first, which is its nearest lender; class 3 borrows from the root nothing that class 2 can use.
        #expect(near(bench.rate(21, over: 5 * second), 600e6, within: 0.002))
        #expect(near(bench.rate(30, over: 5 * second) + bench.rate(31, over: 5 * second), 400e6, within: 0.002))
    }

    @Test func aParkedOutputHoldsUpNobody() {
        let bench = Bench(root: .mbit(100, ceil: 100), outputs: 2)
        bench.add(2, under: 1, .mbit(50, output: 0))
        bench.add(3, under: 1, .mbit(50, output: 1))
        bench.greedy = [2: 1_514, 3: 1_514]
        bench.run(until: second)
        bench.tree.pointee.park(output: 0)
        bench.forget()
        bench.run(until: 2 * second)
        #expect(bench.sentBytes[2] == nil)
        #expect(near(bench.rate(3, over: second), 100e6, within: 0.001))
        bench.greedy[3] = nil
        bench.run(until: 3 * second)
        #expect(bench.tree.pointee.nextEvent(at: bench.now) > bench.now)
        bench.tree.pointee.unpark(output: 0)
        bench.greedy[3] = 1_514
        bench.forget()
        bench.run(until: 5 * second)
        #expect(near(bench.rate(2, over: 2 * second), 50e6, within: 0.002))
        #expect(bench.outOfOrder == 0)
        #expect(bench.tree.pointee.counters(of: 2).waitsOutput > 0)
    }

    /// Buckets without a rate are large but not endless: a class that empties one can still send.
    @Test func whatHasNoLimitNeverRunsDry() {
        let bench = Bench(root: .mbit(0))
        bench.add(2, under: 1, .mbit(0))
        bench.add(3, under: 2, ClassParameters(floor: 1 << 42))
        bench.greedy[3] = 65_550
        // All of this is sent within one nanosecond, and it is more than the bucket's size of 576 460 752 bytes.
        bench.drain(limit: 20_000)
        #expect(bench.sentBytes[3] == 20_000 * 65_550)
        #expect(bench.tree.pointee.counters(of: 3).waitsCeiling == 0)
        #expect(bench.tree.pointee.counters(of: 3).borrowedFrames == 0)
        bench.greedy = [:]
        #expect(bench.drain() == bench.accepted - 20_000)
    }

    @Test func verdictsSayWhatWasWrong() {
        let bench = Bench(outputs: 2)
        #expect(bench.add(0, under: 1, .mbit(1)) == .reservedID)
        #expect(bench.add(1, under: 1, .mbit(1)) == .reservedID)
        #expect(bench.add(2, under: 9, .mbit(1)) == .unknownParent)
        #expect(bench.add(2, under: 1, .mbit(1, ceil: 0)) == .badParameters)
        #expect(bench.add(2, under: 1, .mbit(1, output: 2)) == .badParameters)
        #expect(bench.add(2, under: 1, .mbit(1)) == .done)
        #expect(bench.add(2, under: 1, .mbit(1)) == .alreadyExists)
        for id in ClassID(3)...8 { #expect(bench.add(id, under: id - 1, .mbit(1)) == .done) }
        #expect(bench.add(9, under: 8, .mbit(1)) == .tooDeep)
        #expect(bench.tree.pointee.remove(3, at: 0) == .hasChildren)
        #expect(bench.tree.pointee.remove(1, at: 0) == .reservedID)
        #expect(bench.tree.pointee.remove(77, at: 0) == .unknownClass)
        #expect(bench.tree.pointee.change(77, .mbit(1), at: 0) == .unknownClass)
        #expect(bench.offer(3, 60) == .notALeaf)
        #expect(bench.offer(77, 60) == .notALeaf)
        #expect(bench.offer(8, 60) == .queued)
    }
}
