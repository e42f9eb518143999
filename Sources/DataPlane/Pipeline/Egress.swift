import DPDKShim
import Packet

/// Stage 7, first half: makes a frame ready for its port (tag, checksums, mirrors) and stages it there.
@inline(__always) @_noLocks
func stage(_ frame: Frame, _ tag: EgressTag, for port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
    guard let link = view.pointee.link else {
        lcore.pointee.counters[Int(port)].count(drop: .portRemoved)
        noteDrop(frame, .portRemoved, port, lcore, isNew: false)
        sluice_frame_free(frame)
        return
    }
    let output = touch(port, lcore)
    append(frame, tag, link.pointee.finishChecksums.load(ordering: .relaxed), port, output, lcore, snapshot)
}

/// Does the same for a frame that a device is to segment, which has prepared it, and finishes its checksums, too. There is room for it.
@inline(never) @_noLocks
func stageWhole(
    _ frame: Frame, _ tag: EgressTag, for port: PortIndex, _ link: UnsafeMutablePointer<LinkState>, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let output = touch(port, lcore)
    let place = output.pointee.count
    append(frame, tag, false, port, output, lcore, snapshot)
    // A device prepares frames as they leave. It has seen this one without its tag.
    if tag.writes, output.pointee.count != place, let staged = output.pointee.frames[unchecked: place], !prepareSegments(of: staged, link, lcore) {
        output.pointee.count = place
        _ = drop(staged, .badOffload, port, lcore)
    }
}

/// Does the same for frames of the burst that was just classified and that have the same tag. The caller has made sure that there is room for them.
@inline(__always) @_noLocks
func stage(
    _ burst: Burst, _ run: Range<Int>, _ tag: EgressTag, for port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
    let output = touch(port, lcore)
    let frames = burst.frames + run.lowerBound, lengths = burst.lengths + run.lowerBound
    var unfinished = false
    if _slowPath(lcore.pointee.receivedFlags & (sluice_flag_tx_offload_mask | sluice_flag_partial) != 0) {
        let link = view.pointee.link.unsafelyUnwrapped
        unfinished = lcore.pointee.receivedFlags & sluice_flag_tx_offload_mask != 0 && link.pointee.finishChecksums.load(ordering: .relaxed)
        if link.pointee.mechanism != .vhost || tag.isSpecial { complete(frames, run.count, lcore) }
    }
    if !tag.keeps || unfinished { return stageChanged(frames, run.count, tag, unfinished, port, output, lcore, snapshot) }
    let staged = output.pointee.count
    sluice_copy(Output.frames(output) + staged, frames, run.count &* MemoryLayout<Frame?>.stride)
    sluice_copy(Output.lengths(output) + staged, lengths, run.count &* MemoryLayout<UInt32>.stride)
    output.pointee.count = staged &+ run.count
}

/// Stages frames whose tag has to be changed, whose checksums may have to be finished, or for which their link or mirrors want something.
@inline(never) @_noLocks
private func stageChanged(
    _ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ tag: EgressTag, _ finishes: Bool, _ port: PortIndex,
    _ output: UnsafeMutablePointer<Output>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    var index = 0
    if tag.isSpecial {
        repeat {
            append(frames[index].unsafelyUnwrapped, tag, finishes, port, output, lcore, snapshot)
            index &+= 1
        } while index < count
        return
    }
    repeat {
        let frame = frames[index].unsafelyUnwrapped
        // This is the most frequent case of `append`, done without calling `prepare`.
        if tag.pushes, !finishes || sluice_frame_flags(frame) & sluice_flag_tx_offload_mask == 0, sluice_frame_is_writable(frame),
            let bytes = sluice_frame_grow_front(frame, 4) {
            TagEditing.pushTag(bytes, tci: tag.tci)
            let staged = output.pointee.count
            output.pointee.frames[unchecked: staged] = frame
            output.pointee.lengths[unchecked: staged] = sluice_frame_length(frame)
            output.pointee.count = staged &+ 1
        } else {
            append(frame, tag, finishes, port, output, lcore, snapshot)
        }
        index &+= 1
    } while index < count
}

/// Returns a port's output and notes that it has something to send.
@inline(__always) @_noLocks
func touch(_ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) -> UnsafeMutablePointer<Output> {
    let output = lcore.pointee.outputs + Int(port)
    if !output.pointee.isTouched {
        output.pointee.isTouched = true
        lcore.pointee.touched[lcore.pointee.touchedCount] = port
        lcore.pointee.touchedCount &+= 1
    }
    return output
}

@inline(__always) @_noLocks
private func append(
    _ frame: Frame, _ tag: EgressTag, _ finishes: Bool, _ port: PortIndex,
    _ output: UnsafeMutablePointer<Output>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    var ready = frame
    let unfinished = finishes && sluice_frame_flags(frame) & sluice_flag_tx_offload_mask != 0
    if !tag.keeps || unfinished {
        guard let prepared = prepare(frame, tag, unfinished, port, lcore, snapshot) else { return }
        ready = prepared
    }
    let count = output.pointee.count
    output.pointee.frames[unchecked: count] = ready
    output.pointee.lengths[unchecked: count] = sluice_frame_length(ready)
    output.pointee.count = count &+ 1
}

/// Does what the tag says: flattens the frame, changes its VLAN tag, finishes its checksums and has mirrors copy it. Returns nil if the frame was dropped.
@_noLocks
private func prepare(
    _ frame: Frame, _ tag: EgressTag, _ unfinished: Bool, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Frame? {
    var frame = frame
    if sluice_frame_complete(frame) != 0 { return drop(frame, .noBuffer, port, lcore) }
    if tag.flattens && !sluice_frame_is_flat(frame) {
        if sluice_frame_length(frame) > sluice_pool_room(lcore.pointee.pool) { return drop(frame, .exceedsMTU, port, lcore) }
        guard let copy = sluice_frame_copy(frame, lcore.pointee.pool) else { return drop(frame, .noBuffer, port, lcore) }
        sluice_frame_free(frame)
        frame = copy
    } else if (unfinished || tag.writes) && !sluice_frame_is_writable(frame) {
        // The copies of a flooded frame share their bytes, so this one needs its own before they are changed.
        guard let copy = sluice_frame_copy(frame, lcore.pointee.pool) else { return drop(frame, .noBuffer, port, lcore) }
        sluice_frame_free(frame)
        frame = copy
    }
    if tag.pushes || tag.pushesService {
        guard let bytes = sluice_frame_grow_front(frame, UInt16(HeaderSize.vlanTag)) else { return drop(frame, .noBuffer, port, lcore) }
        TagEditing.pushTag(bytes, tci: tag.tci, type: tag.pushes ? EtherType.vlan : EtherType.serviceVLAN)
    } else if tag.rewrites {
        TagEditing.rewriteTCI(sluice_frame_bytes(frame).unsafelyUnwrapped, tci: tag.tci)
    } else if tag.pops {
        TagEditing.removeTag(sluice_frame_bytes(frame).unsafelyUnwrapped)
        sluice_frame_trim_front(frame, UInt16(HeaderSize.vlanTag))
    }
    if tag.marksCongestion, let bytes = sluice_frame_bytes(frame) { CongestionNotification.mark(bytes, readable: Int(sluice_frame_contiguous(frame))) }
    if unfinished && sluice_frame_finish_checksums(frame) != 0 { return drop(frame, .badOffload, port, lcore) }
    if tag.isMirrored { mirrorLeaving(frame, tag, port, lcore, snapshot) }
    return frame
}

@_noLocks
private func drop(_ frame: Frame, _ reason: DropReason, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) -> Frame? {
    lcore.pointee.counters[Int(port)].count(drop: reason)
    noteDrop(frame, reason, port, lcore, isNew: false)
    sluice_frame_free(frame)
    return nil
}
