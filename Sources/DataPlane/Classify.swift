import Bridge
import DPDKShim
import Packet
import Scheduler

/// Stages 4 and 5: finds each frame's leaf from its output, guest and protocol, and puts it into the leaf's queue.
@inline(__always) @_noLocks
func classifyAndEnqueue(_ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let frames = lcore.pointee.received
    let records = lcore.pointee.records
    for index in 0..<count {
        let frame = frames[index].unsafelyUnwrapped
        if records[index].output == flooded {
            flood(frame, records + index, source, lcore, snapshot)
        } else {
            enqueue(frame, records + index, lcore, snapshot)
        }
    }
}

/// Gives one frame to the tree of its output; frees and counts it where that refuses.
@inline(__always) @_noLocks
func enqueue(_ frame: Frame, _ record: UnsafeMutablePointer<FrameRecord>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let output = Int(record.pointee.output)
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + output
    let segments = Int(sluice_frame_segments(frame))
    var reason: DropReason
    if let state = port.pointee.state, state.pointee.connection.load(ordering: .relaxed) >= 0 {
        if record.pointee.length > port.pointee.maxFrame &+ 4 &* UInt32(record.pointee.tagCount) {
            reason = .exceedsMTU
        } else if lcore.pointee.backlog &+ segments > lcore.pointee.backlogLimit {
            reason = .bufferFull
        } else {
            let tree = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(port.pointee.tree)
            let guest = tree.pointee.bySource ? record.pointee.sourceGuest : record.pointee.destinationGuest
            let leaf = tree.pointee.leaf(guest: guest, protocolID: record.pointee.protocolID)
            let tag = port.pointee.tags ? EgressTag(snapshot.pointee.tagger.egress(record)) : EgressTag(rawValue: 0)
            let verdict = tree.pointee.tree.pointee.enqueue(
                UnsafeMutableRawPointer(frame), length: record.pointee.length &+ tag.growth, tag: tag.rawValue, to: leaf, at: lcore.pointee.now)
            switch verdict {
            case .queued:
                lcore.pointee.backlog &+= segments
                return
            case .notALeaf: reason = .noClass
            case .queueLimit: reason = .queueLimit
            case .bufferShare: reason = .bufferShare
            case .bufferFull: reason = .bufferFull
            }
        }
    } else {
        reason = .portDown
    }
    lcore.pointee.counters[output].count(drop: reason)
    sluice_frame_free(frame)
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
