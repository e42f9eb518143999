import Scheduler
import Testing

/// What classes take of frames that a sender floods in excess of its share. Runs in virtual time.
@Suite struct FloodTests {
    private static let frame: UInt32 = 1_538

    /// What became of frames that are meant for a leaf, which are sent at a constant rate, and of those that are flooded to it at full rate.
    private struct Outcome {
        /// The longest wait of a frame that is meant for the leaf.
        var worst: Nanoseconds = 0
        var lost = 0
        /// The rate of flooded frames that the leaf took, in Mbit/s.
        var flooded = 0.0
    }

    /// Sends `mbit` to leaf 2 and floods as much as it takes, for a second.
    private static func flood(_ bench: Bench, mbit: UInt64) -> Outcome {
        var outcome = Outcome(), number: UInt32 = 0, meant: [UInt32: Nanoseconds] = [:], taken = 0
        bench.onSend = { frame, now in
            guard frame.leaf == 2 else { return }
            if let since = meant.removeValue(forKey: frame.tag) { outcome.worst = max(outcome.worst, now - since) } else { taken += 1 }
        }
        let interval = UInt64(frame) * 8_000 / mbit, turn: Nanoseconds = 10_000
        var next: Nanoseconds = 0
        while bench.now < second {
            while next <= bench.now {
                if bench.offer(2, frame) == .queued { number += 1; meant[number] = bench.now } else { outcome.lost += 1 }
                next += interval
            }
            for _ in 0..<32 where bench.tree.pointee.takesExcessFlood(2, at: bench.now) {
                if bench.offer(2, frame) == .queued { number += 1 }
            }
            bench.drain()
            bench.advance(to: bench.now + turn)
        }
        outcome.flooded = Double(taken) * Double(frame) * 8 / 1e6
        return outcome
    }

    /// A link of 1 Gbit/s, and a leaf with a floor, beside which another wants all that there is.
    private static func link(floor: UInt64, ceiling: UInt64? = nil, contended: Bool) -> Bench {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000))
        var leaf = ClassParameters.mbit(floor, ceil: ceiling, burst: floor * 1_250)
        (leaf.limitPackets, leaf.limitBytes) = (1_000, 1_875_000)
        bench.add(2, under: 1, leaf)
        bench.add(3, under: 1, .mbit(1_000 - floor))
        if contended { bench.greedy[3] = Self.frame }
        return bench
    }

    @Test func whoIsWithinItsFloorDoesNotWaitForWhatIsFlooded() {
        let outcome = Self.flood(Self.link(floor: 300, contended: true), mbit: 290)
        // At most one frame is ahead, which takes 41 us at the floor's rate, and the loop turns every 10 us.
        #expect(outcome.lost == 0 && outcome.worst <= 60_000)
        // What the floor leaves is not wasted.
        #expect(outcome.flooded > 8 && outcome.flooded < 14)
    }

    @Test func whatNobodyUsesIsLentToWhatIsFlooded() {
        let outcome = Self.flood(Self.link(floor: 300, contended: false), mbit: 290)
        #expect(outcome.lost == 0 && outcome.worst <= 60_000)
        #expect(outcome.flooded > 600)
    }

    @Test func whoIsAboveItsFloorTakesFloodedFramesWhileOthersLend() {
        let outcome = Self.flood(Self.link(floor: 100, contended: false), mbit: 500)
        #expect(outcome.lost == 0 && outcome.flooded > 400)
    }

    @Test func aCeilingLeavesOneFloodedFrameAhead() {
        let outcome = Self.flood(Self.link(floor: 100, ceiling: 300, contended: false), mbit: 250)
        #expect(outcome.lost == 0 && outcome.worst <= 100_000)
        #expect(outcome.flooded > 30 && outcome.flooded < 60)
    }

    @Test func aLeafWithoutAFloorFillsAQuarterOfItsQueue() {
        let bench = Bench()
        var leaf = ClassParameters.mbit(0, ceil: 1)
        leaf.limitPackets = 200
        bench.add(2, under: 1, leaf)
        while bench.tree.pointee.takesExcessFlood(2, at: 0) { bench.offer(2, Self.frame) }
        #expect(bench.tree.pointee.backlogFrames == 50)
        bench.add(3, under: 1, .mbit(0))
        let inner = bench.tree.pointee.takesExcessFlood(1, at: 0)
        #expect(inner)
    }
}
