import Scheduler
import Testing

/// Frames that leave as several: rates and counters count what they put on the wire, and queues count each as one.
@Suite struct ChargeTests {
    /// A frame with 64 000 bytes of payload, which leaves in segments of at most 1 448 bytes with 66 bytes of headers each.
    static let segmented = Charge(bytes: 64_000 + 45 * 66, frames: 45)!

    @Test func aChargeSaysWhatItWasMadeOf() {
        #expect(MemoryLayout<Charge>.size == MemoryLayout<UInt32>.size)
        for frames: UInt32 in [1, 2, 45, 1_023, 1_024] {
            for bytes: UInt32 in [0, 1, 1_514, 1_048_575] {
                let charge = Charge(bytes: bytes, frames: frames)
                #expect(charge?.bytes == bytes && charge?.frames == frames)
            }
        }
        #expect(Charge(bytes: 1_514) == Charge(bytes: 1_514, frames: 1))
        #expect(Charge(bytes: 1_514, frames: 0) == nil && Charge(bytes: 1_514, frames: 1_025) == nil && Charge(bytes: 1_048_576, frames: 45) == nil)
        ([60, 1_514] as [UInt32]).withUnsafeBufferPointer { lengths in
            let charges = Charge.ofOrdinary(lengths.baseAddress!)
            #expect(charges[0] == Charge(bytes: 60) && charges[1] == Charge(bytes: 1_514))
        }
    }

    /// A ceiling in bits lets the same number of bytes through, overhead included, whether the frames are segmented or not.
    @Test(arguments: [1, 45] as [UInt32]) func bitsAreThoseOnTheWire(frames: UInt32) {
        let bench = Bench(overhead: 24)
        bench.add(2, under: 1, .mbit(0, ceil: 100))
        while bench.now < second {
            bench.offer(2, frames == 1 ? 1_514 : Self.segmented.bytes, frames: frames)
            bench.drain()
            bench.advance(to: max(bench.now + 1, min(bench.tree.pointee.nextEvent(at: bench.now), bench.now + 100_000)))
        }
        let counters = bench.tree.pointee.counters(of: 2)
        let wire = counters.sentBytes + 24 * counters.sentFrames
        #expect(near(Double(wire) * 8, 100e6, within: 0.01), "\(counters)")
        #expect(bench.sentFrames[2] == counters.sentFrames && counters.sentFrames % UInt64(frames) == 0)
    }

    /// Rates in packets count frames on the wire, in a tree with one instance and in one whose instances lease from a shared bucket.
    @Test(arguments: [1, 4]) func packetsAreThoseOnTheWire(count: Int) {
        let cluster = Cluster(count, root: ClassParameters())
        var p = ClassParameters()
        p.ceilingPackets = 100_000
        cluster.add(2, under: 1, p)
        var frames: UInt64 = 0
        cluster.watch { frame, _ in frames += UInt64(frame.charge.frames) }
        func run(for time: Nanoseconds) {
            let end = cluster.now + time
            while cluster.now < end {
                for instance in cluster.instances {
                    if instance.tree.pointee.backlogFrames < 8 { instance.offer(2, Self.segmented.bytes, frames: 45) }
                    instance.drain()
                    instance.advance(to: instance.now + 5_000)
                }
            }
        }
        run(for: 200 * millisecond)
        frames = 0
        run(for: second)
        #expect(near(Double(frames), 100_000, within: 0.005), "\(frames)")
    }

    /// Instances of a tree that lease from a shared bucket pay for all segments, also when most frames bypass their queues.
    @Test func leasesPayForAllSegments() {
        let cluster = Cluster(3, root: .mbit(1_000, ceil: 1_000, burst: 80_000, ceilingBurst: 80_000))
        cluster.add(2, under: 1, .mbit(400, ceil: 500, burst: 80_000, ceilingBurst: 80_000))
        var bytes = 0
        let charges = [Charge(bytes: 1_514), Self.segmented]
        func run(for time: Nanoseconds) {
            let end = cluster.now + time
            while cluster.now < end {
                for instance in cluster.instances {
                    let passed = instance.tree.pointee.bypass(charges, count: 2, to: 2, at: instance.now)
                    bytes += charges.prefix(passed).reduce(0) { $0 + Int($1.bytes) }
                    instance.advance(to: instance.now + 5_000)
                }
            }
        }
        run(for: 200 * millisecond)
        bytes = 0
        run(for: second)
        #expect(near(Double(bytes) * 8, 500e6, within: 0.005), "\(bytes)")
    }

    @Test func queuesCountWhatIsOfferedAndBytesOnTheWire() {
        let bench = Bench(root: .mbit(1, ceil: 1))
        var p = ClassParameters()
        p.limitPackets = 10
        bench.add(2, under: 1, p)
        p.limitPackets = 0
        p.limitBytes = 3 * Self.segmented.bytes + 100
        bench.add(3, under: 1, p)
        for _ in 0..<12 { for leaf in ClassID(2)...3 { bench.offer(leaf, Self.segmented.bytes, frames: 45) } }
        let packets = bench.tree.pointee.counters(of: 2), bytes = bench.tree.pointee.counters(of: 3)
        #expect(packets.backlogFrames == 10 && packets.backlogBytes == 10 * Self.segmented.bytes && packets.droppedQueueLimit == 2)
        #expect(bytes.backlogFrames == 3 && bytes.backlogBytes == 3 * Self.segmented.bytes && bytes.droppedQueueLimit == 9)
        #expect(bench.offer(3, 101) == .queueLimit && bench.offer(3, 100) == .queued && bench.offer(3, 1) == .queueLimit)
        #expect(bench.tree.pointee.backlogFrames == 14 && bench.tree.pointee.backlogBytes == 13 * Int(Self.segmented.bytes) + 100)
    }

    /// A burst mixes ordinary frames with frames that leave as several, in the same leaf and in different ones.
    @Test func burstsMixBoth() {
        let bench = Bench()
        for leaf in ClassID(2)...4 { bench.add(leaf, under: 1, .mbit(10, burst: 1_000_000)) }
        let leaves: [ClassID] = [2, 3, 2, 2, 4, 3, 77, 4], segmented = [false, true, true, false, true, false, true, false]
        var burst = leaves.indices.map {
            OfferedFrame(
                handle: UnsafeMutableRawPointer(bitPattern: 64)!, charge: segmented[$0] ? Self.segmented : Charge(bytes: 60), tag: UInt32($0), leaf: leaves[$0])
        }
        #expect(bench.tree.pointee.enqueue(&burst, count: burst.count, at: 0) == 7)
        #expect(burst.map(\.verdict) == leaves.map { $0 == 77 ? .notALeaf : .queued })
        #expect(bench.tree.pointee.backlogBytes == 4 * 60 + 3 * Int(Self.segmented.bytes) && bench.tree.pointee.brokenInvariants().isEmpty)
        let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 8)
        defer { into.deallocate() }
        let count = bench.tree.pointee.dequeue(into: into, limit: 8, at: 0)
        #expect(count == 7)
        for leaf in ClassID(2)...4 {
            let mine = (0..<count).filter { into[$0].leaf == leaf }.map { Int(into[$0].tag) }
            #expect(mine == leaves.indices.filter { leaves[$0] == leaf })
        }
        #expect((0..<count).allSatisfy { into[$0].charge == (segmented[Int(into[$0].tag)] ? Self.segmented : Charge(bytes: 60)) })
        #expect(bench.tree.pointee.counters(of: 1).sentFrames == 4 + 3 * 45 && bench.tree.pointee.brokenInvariants().isEmpty)
    }

    /// When CoDel drops a frame that would leave as several, it counts one drop.
    @Test(arguments: [false, true]) func aDropIsOneWhateverItWouldHaveLeftAs(queuesFlows: Bool) {
        let bench = Bench()
        bench.gapsAllowed = true
        var p = ClassParameters.mbit(0, ceil: 10)
        p.codelTarget = 5 * millisecond
        p.queuesFlows = queuesFlows
        bench.add(2, under: 1, p)
        for _ in 0..<100 { bench.offer(2, Self.segmented.bytes, frames: 45, flow: 1) }
        bench.run(until: 20 * second)
        bench.collectDropped()
        let counters = bench.tree.pointee.counters(of: 2)
        #expect(counters.droppedCoDel == UInt64(bench.dropped) && bench.dropped > 3)
        #expect(counters.sentFrames == 45 * UInt64(100 - bench.dropped) && counters.backlogFrames == 0 && bench.tree.pointee.backlogBytes == 0)
        #expect(bench.tree.pointee.brokenInvariants().isEmpty)
    }

    /// A flow whose frames leave as several gets its share of the bytes on the wire and no more.
    @Test func flowsTakeTurnsByBytesOnTheWire() {
        let bench = Bench()
        bench.gapsAllowed = true
        var p = ClassParameters.mbit(0, ceil: 100)
        p.codelTarget = 500 * millisecond
        p.queuesFlows = true
        p.limitPackets = 0
        bench.add(2, under: 1, p)
        var bytes: [Bool: UInt64] = [:]
        bench.onSend = { frame, _ in bytes[frame.charge.frames > 1, default: 0] += UInt64(frame.charge.bytes) }
        for _ in 0..<40 { bench.offer(2, Self.segmented.bytes, frames: 45, flow: 1) }
        for _ in 0..<2_000 { bench.offer(2, 1_514, flow: 2) }
        bench.run(until: 200 * millisecond)
        #expect(abs(Double(bytes[true]!) - Double(bytes[false]!)) <= 2 * Double(Self.segmented.bytes), "\(bytes)")
    }
}
