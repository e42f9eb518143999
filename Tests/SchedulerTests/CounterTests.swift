import Scheduler
import TestSupport
import Testing

/// Compares what classes sent, lent and borrowed with an account that is kept of the frames that came out.
@Suite struct CounterTests {
    @Test(arguments: 0..<20) func everyClassCountsWhatItsDescendantsSent(seed: UInt64) {
        var dice = Seeded(seed)
        let bench = Bench(root: .mbit(800, ceil: 1_000), classes: 64)
        bench.gapsAllowed = true
        var account = Account()
        // Each byte takes three cycles, so that classes must show three times as many cycles as bytes.
        func note(_ leaf: ClassID, _ bytes: UInt64) {
            account.note(leaf, bytes: bytes)
            bench.tree.pointee.addCycles(3 * bytes, to: leaf)
        }
        bench.onSend = { frame, _ in note(frame.leaf, UInt64(frame.charge.bytes)) }
        for turn in 0..<2_000 {
            Self.change(bench, &account, &dice)
            for leaf in account.leaves where dice.chance(50) {
                let length = UInt32(60 + dice.below(1_455))
                if dice.chance(60) {
                    for _ in 0..<dice.below(12) { bench.offer(leaf, length) }
                } else {
                    let passed = bench.tree.pointee.bypass(Array(repeating: Charge(bytes: length), count: 3), count: 3, to: leaf, at: bench.now)
                    for _ in 0..<passed { note(leaf, UInt64(length)) }
                }
            }
            bench.advance(to: bench.now + UInt64(dice.below(100_000)))
            bench.drain(limit: 1 + dice.below(200))
            if turn % 50 == 0 { account.check(bench.tree) }
        }
        account.check(bench.tree)
        #expect(bench.tree.pointee.counters(of: 1).sentFrames > 1_000)
    }

    /// Changes one class. What any other class shows must stay the same.
    private static func change(_ bench: Bench, _ account: inout Account, _ dice: inout Seeded) {
        let id = ClassID(2 + dice.below(40))
        let before = account.parents.keys.filter { $0 != id }.map { Shown(bench.tree.pointee.counters(of: $0), $0) }
        let parent = account.parents.keys.sorted()[dice.below(account.parents.count)]
        if account.parents[id] == nil {
            let p = ClassParameters.mbit(dice.chance(30) ? 0 : UInt64(dice.below(60)), ceil: dice.chance(40) ? 20 + UInt64(dice.below(400)) : nil)
            guard bench.add(id, under: parent, p) == .done else { return }
            account.add(id, under: parent)
        } else if dice.chance(15) {
            let heir = account.leaves[dice.below(account.leaves.count)]
            if bench.tree.pointee.remove(id, leavingTo: dice.chance(50) ? heir : account.parents[id]!, at: bench.now) == .done {
                let last = bench.tree.pointee.lastCounts(of: id)
                #expect(last.frames == account.frames[id] && last.bytes == account.bytes[id] && last.cycles == 3 * last.bytes)
                account.remove(id)
            }
        } else if dice.chance(50), bench.tree.pointee.move(id, under: parent, at: bench.now) == .done {
            account.move(id, under: parent)
        }
        bench.collectDropped()
        for shown in before {
            // If a queue is given up, its frames count as dropped for all classes above it.
            let now = Shown(bench.tree.pointee.counters(of: shown.id), shown.id)
            #expect(now.amounts == shown.amounts && now.drops >= shown.drops)
        }
    }

    private struct Shown: Equatable {
        let id: ClassID
        let amounts: [UInt64]
        let drops: UInt64
        init(_ counters: ClassCounters, _ id: ClassID) {
            self.id = id
            amounts = [
                counters.sentFrames, counters.sentBytes, counters.lentFrames, counters.lentBytes, counters.borrowedFrames, counters.borrowedBytes,
            ]
            drops = counters.droppedQueueLimit + counters.droppedBufferShare + counters.droppedCoDel + counters.droppedByRemoval
        }
    }

    /// What each class sent, including its removed descendants. 0 stands for the root's parent.
    private struct Account {
        var parents: [ClassID: ClassID] = [1: 0]
        var frames: [ClassID: UInt64] = [:]
        var bytes: [ClassID: UInt64] = [:]
        var seen: [ClassID: Shown] = [:]

        var leaves: [ClassID] { parents.keys.filter { !parents.values.contains($0) }.sorted() }

        mutating func add(_ id: ClassID, under parent: ClassID) {
            parents[id] = parent
            frames[id] = 0
            bytes[id] = 0
            seen[id] = nil
        }

        mutating func remove(_ id: ClassID) { parents[id] = nil }
        mutating func move(_ id: ClassID, under parent: ClassID) { parents[id] = parent }

        mutating func note(_ leaf: ClassID, bytes length: UInt64) {
            var id = leaf
            while id != 0 {
                frames[id, default: 0] += 1
                bytes[id, default: 0] += length
                id = parents[id] ?? 0
            }
        }

        mutating func check(_ tree: UnsafeMutablePointer<ClassTree>) {
            for id in parents.keys {
                let counters = tree.pointee.counters(of: id)
                #expect(counters.sentFrames == frames[id, default: 0])
                #expect(counters.sentBytes == bytes[id, default: 0] && counters.cycles == 3 * counters.sentBytes)
                // The bytes borrowed from each lender add up to the total. What a class and its descendants sent was on its own floor, borrowed, or both.
                #expect(tree.pointee.loans(of: id).reduce(0) { $0 + $1.bytes } == counters.borrowedBytes)
                #expect(counters.borrowedFrames <= counters.sentFrames && counters.lentFrames <= counters.sentFrames)
                #expect(counters.borrowedFrames + counters.lentFrames <= counters.sentFrames)
                let shown = Shown(counters, id)
                if let last = seen[id] { #expect(zip(last.amounts, shown.amounts).allSatisfy { $0 <= $1 } && last.drops <= shown.drops) }
                seen[id] = shown
            }
            #expect(tree.pointee.counters(of: 1).borrowedFrames == 0)
        }
    }
}
