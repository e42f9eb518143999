import Bridge
import DPDKShim
import Packet
import Scheduler

/// Stages 4 and 5: finds the leaf of the frames from their output, guest and protocol; lets them pass the tree, or puts them into the
/// leaf's queue.
@inline(__always) @_noLocks
func classifyAndEnqueue(_ runs: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    gather(runs, lcore)
    let records = lcore.pointee.records, order = lcore.pointee.order, ends = lcore.pointee.runEnds
    let frames = lcore.pointee.classified, lengths = lcore.pointee.lengths
    var place = 0, next = 0
    while place < runs {
        let record = records + Int(order[place])
        let start = next
        var longest: UInt32 = 0
        repeat {
            let run = Int(order[place])
            let length = records[run].length
            longest = max(longest, length)
            for index in (run == 0 ? 0 : ends[run &- 1])..<ends[run] {
                frames[next] = lcore.pointee.received[index]
                lengths[next] = length
                next &+= 1
            }
            place &+= 1
        } while place < runs && records[Int(order[place])].fares(as: record)
        if record.pointee.output == flooded {
            flood(start..<next, record, source, lcore, snapshot)
        } else {
            enqueue(start..<next, record, longest, lcore, snapshot)
        }
    }
    giveOffered(lcore)
}

/// Gives frames of one leaf to the tree of their output. Those that may leave at once are staged.
@inline(__always) @_noLocks
private func enqueue(
    _ run: Range<Int>, _ record: UnsafeMutablePointer<FrameRecord>, _ longest: UInt32, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let frames = lcore.pointee.classified, lengths = lcore.pointee.lengths
    let index = record.pointee.output
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(index)
    guard let state = port.pointee.state, state.pointee.connection.load(ordering: .relaxed) >= 0 else { return refuse(run, .portDown, index, lcore) }
    var tag = EgressTag(rawValue: 0)
    if port.pointee.tags {
        tag = EgressTag(snapshot.pointee.tagger.egress(record))
        for place in run { lengths[place] &+= tag.growth }
    }
    let most = port.pointee.maxFrame &+ 4 &* UInt32(record.pointee.tagCount)
    let view = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(port.pointee.tree)
    let guest = view.pointee.bySource ? record.pointee.sourceGuest : record.pointee.destinationGuest
    let leaf = view.pointee.leaf(guest: guest, protocolID: record.pointee.protocolID)
    let output = lcore.pointee.outputs + Int(index)
    if output.pointee.count &+ burstSize > Output.capacity { sendTouched(lcore, snapshot) }
    var next = run.lowerBound
    if !output.pointee.isParked, longest <= most, view.pointee.tree.pointee.mayBypass {
        giveOffered(lcore)
        next &+= view.pointee.tree.pointee.bypass(lengths + next, count: run.count, to: leaf, at: lcore.pointee.now)
        stage(run.lowerBound..<next, tag, for: index, state, lcore, snapshot)
    }
    while next < run.upperBound {
        let frame = frames[next].unsafelyUnwrapped
        // What the tag adds is not the receiver's to take.
        let reason = lengths[next] &- tag.growth > most
            ? DropReason.exceedsMTU : offer(frame, lengths[next], tag, leaf, for: index, view.pointee.tree, lcore)
        if let reason { refuse(next..<(next &+ 1), reason, index, lcore) }
        next &+= 1
    }
}

/// Frees frames and counts them at the port they would have left by.
@inline(never) @_noLocks
private func refuse(_ run: Range<Int>, _ reason: DropReason, _ output: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.counters[Int(output)].count(drop: reason, run.count)
    sluice_frames_free(lcore.pointee.classified + run.lowerBound, UInt32(truncatingIfNeeded: run.count))
}

/// Enqueues frames for every other port of their bridge. The copies share the frames' bytes; who must write them copies first.
@inline(never) @_noLocks
private func flood(
    _ run: Range<Int>, _ record: UnsafeMutablePointer<FrameRecord>, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let members = snapshot.pointee.bridges[unchecked: Int(snapshot.pointee.ports[unchecked: Int(source)].bridge)].members
    lcore.pointee.counters[Int(source)].floodedFrames &+= UInt64(truncatingIfNeeded: run.count)
    lcore.pointee.stalls.excuse(turn: lcore.pointee.turns.load(ordering: .relaxed), frames: run.count &* members.count)
    for place in run {
        let frame = lcore.pointee.classified[place].unsafelyUnwrapped
        let length = lcore.pointee.lengths[place]
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
                counters.pointee.copiedBytes &+= UInt64(length)
                if let copy = sluice_frame_clone(frame, lcore.pointee.pool) {
                    deliver(copy, length, to: waiting, record, lcore, snapshot)
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
            deliver(frame, length, to: waiting, record, lcore, snapshot)
        }
    }
}

/// Queues one frame for a port, or frees and counts it.
@_noLocks
private func deliver(
    _ frame: Frame, _ length: UInt32, to output: PortIndex, _ record: UnsafeMutablePointer<FrameRecord>, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(output)
    var reason: DropReason?
    if length > port.pointee.maxFrame &+ 4 &* UInt32(record.pointee.tagCount) {
        reason = .exceedsMTU
    } else {
        let view = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(port.pointee.tree)
        let guest = view.pointee.bySource ? record.pointee.sourceGuest : port.pointee.defaultGuest
        let leaf = view.pointee.leaf(guest: guest, protocolID: record.pointee.protocolID)
        let tag = port.pointee.tags ? EgressTag(snapshot.pointee.tagger.egress(record)) : EgressTag(rawValue: 0)
        reason = offer(frame, length &+ tag.growth, tag, leaf, for: output, view.pointee.tree, lcore)
    }
    guard let reason else { return }
    lcore.pointee.counters[Int(output)].count(drop: reason)
    sluice_frame_free(frame)
}
