import Bridge
import DCB
import DPDKShim
import Packet

/// Stage 2: parses each frame once and drops what may not enter. Returns how many stay, in their order.
@inline(__always) @_noLocks
func admit(_ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let counters = lcore.pointee.counters + Int(source)
    let frames = lcore.pointee.received
    let records = lcore.pointee.records
    let protocols = snapshot.pointee.protocols
    let maxFrame = port.pointee.maxFrame
    var kept = 0
    // Counted by runs: most bursts are of one protocol.
    var run = ProtocolRun(of: 0)
    for index in 0..<count {
        let frame = frames[index].unsafelyUnwrapped
        let record = records + kept
        parse(UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped), contiguous: Int(sluice_frame_contiguous(frame)),
              length: sluice_frame_length(frame), into: record)
        if let reason = refusal(record, maxFrame) {
            counters.pointee.count(drop: reason)
            sluice_frame_free(frame)
            continue
        }
        let protocolID = protocols.identify(record)
        record.pointee.protocolID = protocolID
        if protocolID != run.protocolID {
            run.count(lcore)
            run = ProtocolRun(of: protocolID)
        }
        run.frames &+= 1
        run.bytes &+= UInt64(record.pointee.length)
        if port.pointee.isPhysical && TagEditing.isPriorityTagged(record) { stripPriorityTag(frame, record) }
        frames[kept] = frame
        kept &+= 1
    }
    run.count(lcore)
    return kept
}

/// Frames of one protocol, one after the other.
private struct ProtocolRun {
    let protocolID: UInt8
    var frames: UInt64 = 0
    var bytes: UInt64 = 0

    @inline(__always) @_noLocks
    init(of protocolID: UInt8) { self.protocolID = protocolID }

    @inline(__always) @_noLocks
    func count(_ lcore: UnsafeMutablePointer<Lcore>) {
        let seen = lcore.pointee.protocolCounters + Int(protocolID)
        seen.pointee.frames &+= frames
        seen.pointee.bytes &+= bytes
    }
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
