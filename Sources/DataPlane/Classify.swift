import Bridge
import DPDKShim
import Packet
import Scheduler

/// Stages 4 and 5: finds the leaf of each run of frames from their output, guest and protocol; lets them pass the tree, or puts them into the
/// leaf's queue.
@inline(__always) @_noLocks
func classifyAndEnqueue(_ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let records = lcore.pointee.records
    var first = 0
    while first < count {
        if records[first].output == flooded {
            flood(lcore.pointee.received[first].unsafelyUnwrapped, records + first, source, lcore, snapshot)
            first &+= 1
            continue
        }
        var end = first &+ 1
        while end < count, records[end].fares(as: records[first]) { end &+= 1 }
        enqueue(run: first, end, lcore, snapshot)
        first = end
    }
}

extension FrameRecord {
    /// The same output, guests and protocol, and so the same leaf.
    @inline(__always) @_noLocks
    fileprivate func fares(as other: FrameRecord) -> Bool {
        output == other.output && destinationGuest == other.destinationGuest && sourceGuest == other.sourceGuest && protocolID == other.protocolID
    }
}

/// Gives frames of one leaf, from `first` to before `end` in the burst, to the tree of their output. Those that may leave at once are staged.
@inline(__always) @_noLocks
private func enqueue(run first: Int, _ end: Int, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let records = lcore.pointee.records, frames = lcore.pointee.received
    let lengths = lcore.pointee.lengths, tags = lcore.pointee.tags
    let index = records[first].output
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(index)
    var longest: UInt32 = 0
    for place in first..<end {
        let length = records[place].length
        longest = max(longest, length)
        lengths[place] = length
    }
    guard longest <= port.pointee.maxFrame, let state = port.pointee.state, state.pointee.connection.load(ordering: .relaxed) >= 0 else {
        return enqueueSingly(first, end, lcore, snapshot)
    }
    if port.pointee.tags {
        for place in first..<end {
            let tag = EgressTag(snapshot.pointee.tagger.egress(records + place))
            tags[place] = tag
            lengths[place] &+= tag.growth
        }
    } else {
        for place in first..<end { tags[place] = EgressTag(rawValue: 0) }
    }
    let view = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(port.pointee.tree)
    let guest = view.pointee.bySource ? records[first].sourceGuest : records[first].destinationGuest
    let leaf = view.pointee.leaf(guest: guest, protocolID: records[first].protocolID)
    let output = lcore.pointee.outputs + Int(index)
    if output.pointee.count &+ burstSize > Output.capacity { sendTouched(lcore, snapshot) }
    var next = first
    if !output.pointee.isParked {
        next &+= view.pointee.tree.pointee.bypass(lengths + first, count: end &- first, to: leaf, at: lcore.pointee.now)
        for place in first..<next { stage(frames[place].unsafelyUnwrapped, tags[place], for: index, lcore, snapshot) }
    }
    while next < end {
        let frame = frames[next].unsafelyUnwrapped
        let reason = put(frame, lengths[next], tags[next], leaf, view.pointee.tree, lcore)
        if let reason { drop(frame, reason, index, lcore) }
        next &+= 1
    }
}

/// Queues a frame in a leaf; nil, or why not.
@inline(__always) @_noLocks
private func put(
    _ frame: Frame, _ length: UInt32, _ tag: EgressTag, _ leaf: ClassID, _ tree: UnsafeMutablePointer<ClassTree>, _ lcore: UnsafeMutablePointer<Lcore>
) -> DropReason? {
    let segments = Int(sluice_frame_segments(frame))
    if lcore.pointee.backlog &+ segments > lcore.pointee.backlogLimit { return .bufferFull }
    switch tree.pointee.enqueue(UnsafeMutableRawPointer(frame), length: length, tag: tag.rawValue, to: leaf, at: lcore.pointee.now) {
    case .queued:
        lcore.pointee.backlog &+= segments
        return nil
    case .notALeaf: return .noClass
    case .queueLimit: return .queueLimit
    case .bufferShare: return .bufferShare
    case .bufferFull: return .bufferFull
    }
}

@inline(never) @_noLocks
private func drop(_ frame: Frame, _ reason: DropReason, _ output: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.counters[Int(output)].count(drop: reason)
    sluice_frame_free(frame)
}

/// A run that not all may leave by its output.
@inline(never) @_noLocks
private func enqueueSingly(_ first: Int, _ end: Int, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    for place in first..<end { enqueue(lcore.pointee.received[place].unsafelyUnwrapped, lcore.pointee.records + place, lcore, snapshot) }
}

/// Queues one frame for its output, or frees and counts it.
@inline(__always) @_noLocks
func enqueue(_ frame: Frame, _ record: UnsafeMutablePointer<FrameRecord>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let output = record.pointee.output
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(output)
    guard let state = port.pointee.state, state.pointee.connection.load(ordering: .relaxed) >= 0 else { return drop(frame, .portDown, output, lcore) }
    if record.pointee.length > port.pointee.maxFrame &+ 4 &* UInt32(record.pointee.tagCount) { return drop(frame, .exceedsMTU, output, lcore) }
    let view = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(port.pointee.tree)
    let guest = view.pointee.bySource ? record.pointee.sourceGuest : record.pointee.destinationGuest
    let leaf = view.pointee.leaf(guest: guest, protocolID: record.pointee.protocolID)
    let tag = port.pointee.tags ? EgressTag(snapshot.pointee.tagger.egress(record)) : EgressTag(rawValue: 0)
    if let reason = put(frame, record.pointee.length &+ tag.growth, tag, leaf, view.pointee.tree, lcore) { drop(frame, reason, output, lcore) }
}

/// Enqueues a frame for every other port of its bridge. The copies share the frame's bytes; who must write them copies first.
@inline(never) @_noLocks
func flood(_ frame: Frame, _ record: UnsafeMutablePointer<FrameRecord>, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let members = snapshot.pointee.bridges[unchecked: Int(snapshot.pointee.ports[unchecked: Int(source)].bridge)].members
    lcore.pointee.counters[Int(source)].floodedFrames &+= 1
    // The last receiver gets the frame itself, so that a frame with one receiver is never copied.
    var waiting: PortIndex = flooded
    for index in 0..<members.count {
        let member = members[unchecked: index]
        if member == source { continue }
        let state = snapshot.pointee.ports[unchecked: Int(member)].state.unsafelyUnwrapped
        if state.pointee.connection.load(ordering: .relaxed) < 0 { continue }
        if waiting != flooded {
            let counters = lcore.pointee.counters + Int(waiting)
            counters.pointee.copiedFrames &+= 1
            counters.pointee.copiedBytes &+= UInt64(record.pointee.length)
            if let copy = sluice_frame_clone(frame, lcore.pointee.pool) {
                deliver(copy, to: waiting, record, lcore, snapshot)
            } else {
                counters.pointee.count(drop: .noBuffer)
            }
        }
        waiting = member
    }
    if waiting == flooded {
        lcore.pointee.counters[Int(source)].count(drop: .noDestination)
        sluice_frame_free(frame)
    } else {
        deliver(frame, to: waiting, record, lcore, snapshot)
    }
}

@inline(__always) @_noLocks
private func deliver(_ frame: Frame, to port: PortIndex, _ record: UnsafeMutablePointer<FrameRecord>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    record.pointee.output = port
    record.pointee.destinationGuest = snapshot.pointee.ports[unchecked: Int(port)].defaultGuest
    enqueue(frame, record, lcore, snapshot)
}
