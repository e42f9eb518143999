import DCB
import DPDKShim

/// Stage 7, first half: makes a frame ready for its port (DCB tag, checksums) and stages it.
@inline(__always) @_noLocks
func stage(_ frame: Frame, _ tag: EgressTag, for port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
    guard let state = view.pointee.state else {
        lcore.pointee.counters[Int(port)].count(drop: .portRemoved)
        sluice_frame_free(frame)
        return
    }
    var ready = frame
    let unfinished = state.pointee.finishChecksums.load(ordering: .relaxed)
        && sluice_frame_flags(frame) & sluice_flag_tx_offload_mask != 0
    if !tag.keeps || unfinished {
        guard let prepared = prepare(frame, tag, view, unfinished, port, lcore) else { return }
        ready = prepared
    }
    let output = lcore.pointee.outputs + Int(port)
    let count = output.pointee.count
    output.pointee.frames[unchecked: count] = ready
    output.pointee.lengths[unchecked: count] = sluice_frame_length(ready)
    output.pointee.count = count &+ 1
    if !output.pointee.isTouched {
        output.pointee.isTouched = true
        lcore.pointee.touched[lcore.pointee.touchedCount] = port
        lcore.pointee.touchedCount &+= 1
    }
}

/// Tags a frame and finishes its checksums. nil: it was dropped.
@_noLocks
private func prepare(
    _ frame: Frame, _ tag: EgressTag, _ view: UnsafeMutablePointer<PortView>, _ unfinished: Bool, _ port: PortIndex,
    _ lcore: UnsafeMutablePointer<Lcore>
) -> Frame? {
    var frame = frame
    let inHardware = tag.pushes && view.pointee.hardwareTags
    if (unfinished || !tag.keeps) && !sluice_frame_is_writable(frame) {
        // A flooded frame shares its bytes with the other ports' copies; drivers that insert tags in software refuse it.
        guard let copy = sluice_frame_copy(frame, lcore.pointee.pool) else { return drop(frame, .noBuffer, port, lcore) }
        sluice_frame_free(frame)
        frame = copy
    }
    if inHardware {
        sluice_frame_set_tci(frame, tag.tci)
        sluice_frame_set_flags(frame, sluice_frame_flags(frame) | sluice_flag_tx_vlan)
    } else if tag.pushes {
        guard let bytes = sluice_frame_grow_front(frame, 4) else { return drop(frame, .noBuffer, port, lcore) }
        TagEditing.pushTag(bytes, tci: tag.tci)
    } else if !tag.keeps {
        TagEditing.rewriteTCI(sluice_frame_bytes(frame).unsafelyUnwrapped, tci: tag.tci)
    }
    if unfinished && sluice_frame_finish_checksums(frame) != 0 { return drop(frame, .badOffload, port, lcore) }
    return frame
}

@_noLocks
private func drop(_ frame: Frame, _ reason: DropReason, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) -> Frame? {
    lcore.pointee.counters[Int(port)].count(drop: reason)
    sluice_frame_free(frame)
    return nil
}
