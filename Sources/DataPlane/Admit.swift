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
        record.pointee.protocolID = protocols.identify(record)
        if port.pointee.isPhysical && PriorityTagger.isPriorityTag(record) { stripPriorityTag(frame, record) }
        frames[kept] = frame
        kept &+= 1
    }
    return kept
}

/// Why a frame may not enter, nil if it may.
@inline(__always) @_noLocks
private func refusal(_ record: UnsafeMutablePointer<FrameRecord>, _ maxFrame: UInt32) -> DropReason? {
    if record.pointee.flags.has(.runt) { return .runt }
    if record.pointee.length > maxFrame &+ 4 &* UInt32(record.pointee.tagCount) { return .oversized }
    if !BridgeRules.isValidSource(record.pointee.source) { return .invalidSource }
    switch BridgeRules.destination(record.pointee.destination) {
    case .macControl: return .macControl
    case .reserved: return .reservedAddress
    case .individual, .group: return nil
    }
}

/// Removes a priority tag (VID 0), which ends at this hop (IEEE 802.1Q, 6.9.1); its PCP has served to identify the protocol.
@inline(never) @_noLocks
private func stripPriorityTag(_ frame: Frame, _ record: UnsafeMutablePointer<FrameRecord>) {
    sluice_frame_pop_tag(frame)
    record.pointee.length &-= 4
    record.pointee.tagCount &-= 1
    record.pointee.l3Offset &-= 4
    if record.pointee.l4Offset != 0 { record.pointee.l4Offset &-= 4 }
    // A second tag behind the priority tag is now the outer one; the frame's bytes are in the cache.
    record.pointee.tci = record.pointee.tagCount == 0 ? 0 : outerTCI(UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped))
}

@inline(__always) @_noLocks
private func outerTCI(_ bytes: UnsafeRawPointer) -> UInt16 { bytes.loadUnaligned(fromByteOffset: 14, as: UInt16.self).bigEndian }
