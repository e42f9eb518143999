import Scheduler
import TestSupport
import Testing

/// Frames that leave as several and pass whole: `ClassTree.passWhole`.
@Suite struct WholeFrameTests {
    private static let charge = Charge(bytes: 45 * 1_514, frames: 45)!

    private static func tree(_ leaf: ClassParameters, below root: ClassParameters = ClassParameters(), group: ClassParameters? = nil) -> UnsafeMutablePointer<ClassTree> {
        let tree = ClassTree.create(root: root, classes: 64, frames: 1_024, outputs: 2, overhead: 0, now: 0, shared: nil)
        if let group { _ = tree.pointee.add(3, under: 1, group, at: 0) }
        _ = tree.pointee.add(2, under: group == nil ? 1 : 3, leaf, at: 0)
        return tree
    }

    @Test("such a frame passes where nothing limits it, and is counted as the frames that leave")
    func unlimited() {
        let tree = Self.tree(.mbit(0))
        defer { ClassTree.destroy(tree) }
        for number in 1...100 as ClosedRange<UInt64> {
            let passes = tree.pointee.passWhole(Self.charge, to: 2, at: number)
            #expect(passes)
            let counters = tree.pointee.counters(of: 2)
            #expect(counters.sentFrames == 45 * number && counters.sentBytes == 45 * 1_514 * number)
        }
    }

    @Test("it never passes beyond the burst of its class, of a group above or of the root", arguments: 0..<4)
    func neverBeyondTheBurst(_ which: Int) {
        let limit = ClassParameters.mbit(100, ceil: 100, burst: 100_000, ceilingBurst: 100_000)
        let open = ClassParameters.mbit(which == 3 ? 500 : 0)
        let tree = Self.tree(which == 0 ? limit : open, below: which >= 2 ? limit : ClassParameters(), group: which == 1 ? limit : nil)
        defer { ClassTree.destroy(tree) }
        var random = Seeded(UInt64(which))
        var now: Nanoseconds = 1_000_000_000, sent: UInt64 = 0
        let begin = now
        for _ in 0..<5_000 {
            now += UInt64.random(in: 1_000...3_000_000, using: &random)
            // That it would pass is known before, and costs nothing.
            let (isCovered, isStillCovered) = (tree.pointee.coversWhole(Self.charge, to: 2, at: now), tree.pointee.coversWhole(Self.charge, to: 2, at: now))
            let passes = tree.pointee.passWhole(Self.charge, to: 2, at: now)
            #expect(isCovered == passes && isStillCovered == passes)
            if passes { sent += 45 * 1_514 }
            let most = 100_000 + (now - begin) / 80 + 1
            #expect(sent <= most, "\(sent) bytes at \(now)")
            if sent > most { return }
        }
        // Nothing else is sent, so a good part of the rate is used.
        #expect(sent > (now - begin) / 80 / 2)
    }

    @Test("where the burst is shorter than the frame it does not pass, and nothing is charged")
    func tooLong() {
        let tree = Self.tree(.mbit(100, ceil: 100, burst: 15_140, ceilingBurst: 15_140))
        defer { ClassTree.destroy(tree) }
        let passes = tree.pointee.passWhole(Self.charge, to: 2, at: 1_000_000_000)
        #expect(!passes)
        var ordinary = Charge(bytes: 1_514), passed = 0
        while tree.pointee.bypass(&ordinary, count: 1, to: 2, at: 1_000_000_000) == 1 { passed += 1 }
        #expect(passed == 11)
    }

    @Test("it overtakes nothing that waits, and does not pass to an output that is full")
    func order() {
        let tree = Self.tree(.mbit(0))
        defer { ClassTree.destroy(tree) }
        tree.pointee.park(output: 0)
        var passes = tree.pointee.passWhole(Self.charge, to: 2, at: 1)
        #expect(!passes)
        tree.pointee.unpark(output: 0)
        var waiting = OfferedFrame(handle: UnsafeMutableRawPointer(bitPattern: 64)!, charge: Charge(bytes: 60), tag: 0, leaf: 2)
        let queued = tree.pointee.enqueue(&waiting, count: 1, room: 1_000, at: 2)
        passes = tree.pointee.passWhole(Self.charge, to: 2, at: 3)
        #expect(queued == 1 && !passes)
    }
}
