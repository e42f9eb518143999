import Bridge
import DCB
import DPDKShim
import Packet

// Sampling copies the first bytes of a few frames to a ring that another thread reads. It neither holds nor changes nor drops a frame. What comes in is looked
// at in `enter`, so ports cost nothing while nothing is sampled; where a sampled frame goes is noted when the bridge has decided about it.

/// The sampling of one lcore.
struct SampleState: ~Copyable {
    let ring: SampleRing
    /// By `PortIndex`.
    let sources: UnsafeMutablePointer<SampleSource>
    /// The most bytes of a frame that are kept.
    let longest: UInt32
    var counter: SkipCounter
    /// The sampled frames of the burst that came in last, in the order of their slots.
    var frames = InlineArray<32, Frame?>(repeating: nil)
    var count = 0

    init(rate: Int, longest: Int, slots: Int, seed: UInt64) {
        ring = SampleRing(slots: slots, longest: longest)
        self.longest = UInt32(longest)
        counter = SkipCounter(rate: rate, seed: seed)
        sources = .onOwnLines(maxPorts)
        for port in 0..<maxPorts { (sources + port).initialize(to: SampleSource(skip: counter.draw())) }
    }

    deinit {
        ring.deallocate()
        sources.deallocate()
    }
}

/// Takes samples of what a port received, before anything is decided about it. `settleSamples` must follow before the next burst.
@inline(__always) @_noLocks
func sample(_ state: UnsafeMutablePointer<SampleState>, _ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    if (state.pointee.sources + Int(source)).pointee.hasSample(in: count) { takeSamples(state, count, source, lcore) }
}

@inline(never) @_noLocks
private func takeSamples(_ state: UnsafeMutablePointer<SampleState>, _ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    let point = state.pointee.sources + Int(source)
    var taken: UInt64 = 0, lost: UInt64 = 0
    while let place = point.pointee.next(in: count, &state.pointee.counter) {
        let known = state.pointee.count, frame = lcore.pointee.received[place].unsafelyUnwrapped
        // The frame may still refer to its guest's buffers.
        guard let bytes = state.pointee.ring.begin(known), sluice_frame_complete(frame) == 0 else {
            lost &+= 1
            continue
        }
        let length = sluice_frame_length(frame), kept = min(length, state.pointee.longest)
        sluice_frame_read_front(frame, kept, bytes)
        state.pointee.ring.record(known).pointee = SampleRecord(length: length, kept: UInt16(truncatingIfNeeded: kept), input: source)
        state.pointee.frames[unchecked: known] = frame
        state.pointee.count = known &+ 1
        taken &+= 1
    }
    point.pointee.taken &+= taken
    point.pointee.lost &+= lost
    if taken != 0 { lcore.pointee.unsettled = state }
}

/// Notes where the sampled frames of the burst go, and hands the samples over. Those that are in none of the runs have been dropped.
/// - Parameter runs: how many runs stay after the bridge's decision.
@inline(never) @_noLocks
func settleSamples(_ state: UnsafeMutablePointer<SampleState>, _ runs: Int, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    var run = 0, place = 0
    // Both are in the order in which frames came.
    for index in 0..<state.pointee.count {
        let frame = state.pointee.frames[unchecked: index]
        var (laterRun, later) = (run, place)
        while laterRun < runs {
            if later == Int(lcore.pointee.records[laterRun].end) {
                laterRun &+= 1
                continue
            }
            if lcore.pointee.received[later] == frame {
                note(lcore.pointee.records + laterRun, in: state.pointee.ring.record(index), snapshot)
                (run, place) = (laterRun, later &+ 1)
                break
            }
            later &+= 1
        }
    }
    state.pointee.ring.finish(state.pointee.count)
    state.pointee.count = 0
    lcore.pointee.unsettled = nil
}

@inline(__always) @_noLocks
private func note(_ run: UnsafeMutablePointer<FrameRecord>, in sample: UnsafeMutablePointer<SampleRecord>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let output = run.pointee.output
    sample.pointee.output = output
    sample.pointee.vlan = PortVLANs.vlan(of: run.pointee.destination)
    if output != flooded, let tagger = snapshot.pointee.ports[unchecked: Int(output)].tagger {
        sample.pointee.priority = tagger.pcp(row: run.pointee.protocolID)
    }
}
