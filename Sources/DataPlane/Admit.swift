import Bridge
import DCB
import DPDKShim
import Packet

/// Stage 2: parses the frames and drops what may not enter. Frames that follow one another with the same headers and length are one run:
/// they share a record, and what is decided for it is decided for all. Returns the runs that stay, in their order.
@inline(__always) @_noLocks
func admit(_ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let frames = lcore.pointee.received
    let protocols = snapshot.pointee.protocols
    var runs = 0, kept = 0, index = 0
    while index < count {
        let frame = frames[index].unsafelyUnwrapped
        let record = lcore.pointee.records + runs
        let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
        parse(bytes, contiguous: Int(sluice_frame_contiguous(frame)), length: sluice_frame_length(frame), into: record)
        var end = index &+ 1
        if record.pointee.isPlain {
            while end < count, isAlike(frames[end].unsafelyUnwrapped, frame, bytes) { end &+= 1 }
        }
        let run = index..<end
        index = end
        if let reason = refusal(record, port.pointee.maxFrame) {
            drop(run, reason, source, lcore)
            continue
        }
        let protocolID = protocols.identify(record)
        record.pointee.protocolID = protocolID
        let seen = lcore.pointee.protocolCounters + Int(protocolID)
        seen.pointee.frames &+= UInt64(truncatingIfNeeded: run.count)
        seen.pointee.bytes &+= UInt64(truncatingIfNeeded: run.count) &* UInt64(record.pointee.length)
        // A tagged frame is a run of its own.
        if port.pointee.isPhysical && TagEditing.isPriorityTagged(record) { stripPriorityTag(frame, record) }
        keep(run, &kept, lcore)
        lcore.pointee.runEnds[runs] = kept
        runs &+= 1
    }
    return runs
}

@inline(__always) @_noLocks
private func isAlike(_ frame: Frame, _ first: Frame, _ bytes: UnsafeRawPointer) -> Bool {
    sluice_frame_length(frame) == sluice_frame_length(first) && sluice_frame_contiguous(frame) == sluice_frame_contiguous(first)
        && parsesAlike(UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped), bytes)
}

/// Moves a run's frames up behind those kept so far.
@inline(__always) @_noLocks
func keep(_ run: Range<Int>, _ kept: inout Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    if kept == run.lowerBound {
        kept = run.upperBound
        return
    }
    let frames = lcore.pointee.received
    for index in run {
        frames[kept] = frames[index]
        kept &+= 1
    }
}

/// Frees a run of received frames and counts it at the port it came in by.
@inline(never) @_noLocks
func drop(_ run: Range<Int>, _ reason: DropReason, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.counters[Int(source)].count(drop: reason, run.count)
    sluice_frames_free(lcore.pointee.received + run.lowerBound, UInt32(truncatingIfNeeded: run.count))
}

/// Why a frame may not enter, nil if it may.
@inline(__always) @_noLocks
private func refusal(_ record: UnsafeMutablePointer<FrameRecord>, _ maxFrame: UInt32) -> DropReason? {
    if record.pointee.length > maxFrame &+ 4 &* UInt32(record.pointee.tagCount) { return .oversized }
    switch BridgeRules.verdict(record) {
    case .unicast, .flood: return nil
    case .multicastSource, .zeroSource: return .invalidSource
    case .pause: return .macControl
    case .lldp, .linkLocal: return .reservedAddress
    case .runt: return .runt
    }
}

/// Removes a priority tag (VID 0), which ends at this hop; its PCP has served to identify the protocol.
@inline(never) @_noLocks
private func stripPriorityTag(_ frame: Frame, _ record: UnsafeMutablePointer<FrameRecord>) {
    TagEditing.stripPriorityTag(sluice_frame_bytes(frame).unsafelyUnwrapped, record)
    sluice_frame_trim_front(frame, 4)
}
