import Bridge
import DCB
import DPDKShim
import Packet

/// Stage 2: parses the frames and drops what may not enter. Frames that follow one another with the same length, and with headers that differ
/// in no more than ports of one protocol, are one run: they share a record, and what is decided for it is decided for all. Returns the runs that
/// stay, in their order.
@inline(__always) @_noLocks
func admit(_ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let frames = lcore.pointee.received, ends = lcore.pointee.runEnds, records = lcore.pointee.records
    let counters = lcore.pointee.protocolCounters
    let protocols = snapshot.pointee.protocols
    let maxFrame = port.pointee.maxFrame, isPhysical = port.pointee.isPhysical
    var record = records, end = ends
    var kept = 0, index = 0
    while index < count {
        let frame = frames[index].unsafelyUnwrapped
        let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
        let length = sluice_frame_length(frame), contiguous = sluice_frame_contiguous(frame)
        let isPlain = parse(bytes, contiguous: Int(contiguous), length: length, into: record)
        let portRows = protocols.portRows(record)
        let begin = index
        index &+= 1
        if isPlain, index < count {
            let first = Headers(bytes: bytes, length: length, contiguous: contiguous, portRows: portRows)
            while isAlike(frames[index].unsafelyUnwrapped, first, record, protocols) {
                index &+= 1
                if index == count { break }
            }
        }
        if isRefused(record, maxFrame) {
            drop(begin, index, refusal(record, maxFrame), source, lcore)
            continue
        }
        let protocolID = protocols.identify(record, portRows)
        record.pointee.protocolID = protocolID
        let seen = counters + Int(protocolID)
        seen.pointee.frames &+= UInt64(truncatingIfNeeded: index &- begin)
        seen.pointee.bytes &+= UInt64(truncatingIfNeeded: index &- begin) &* UInt64(length)
        if isPhysical && TagEditing.isPriorityTagged(record) { stripPriorityTags(frames + begin, index &- begin, record) }
        keep(begin, index, &kept, frames)
        end.pointee = kept
        end += 1
        record += 1
    }
    return end - ends
}

/// The first frame of a run.
private struct Headers {
    let bytes: UnsafeRawPointer
    let length: UInt32
    let contiguous: UInt16
    let portRows: ProtocolTable.PortRows

    @inline(__always) @_noLocks
    init(bytes: UnsafeRawPointer, length: UInt32, contiguous: UInt16, portRows: ProtocolTable.PortRows) {
        self.bytes = bytes
        self.length = length
        self.contiguous = contiguous
        self.portRows = portRows
    }
}

@inline(__always) @_noLocks
private func isAlike(_ frame: Frame, _ first: Headers, _ record: UnsafeMutablePointer<FrameRecord>, _ protocols: ProtocolTable) -> Bool {
    guard sluice_frame_length(frame) == first.length, sluice_frame_contiguous(frame) == first.contiguous else { return false }
    let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
    let start = Int(record.pointee.l3Offset)
    guard parsesAlike(bytes, first.bytes, from: start) else { return false }
    let own = ports(bytes, from: start)
    return own == ports(first.bytes, from: start) || protocols.portRows(own, ipProtocol: record.pointee.ipProtocol) == first.portRows
}

/// Moves the frames of a run, which begins at `begin`, up behind those kept so far.
@inline(__always) @_noLocks
func keep(_ begin: Int, _ end: Int, _ kept: inout Int, _ frames: UnsafeMutablePointer<Frame?>) {
    if kept == begin {
        kept = end
        return
    }
    var index = begin
    while index < end {
        frames[kept] = frames[index]
        kept &+= 1
        index &+= 1
    }
}

/// Frees a run of received frames and counts it at the port it came in by.
@inline(never) @_noLocks
func drop(_ begin: Int, _ end: Int, _ reason: DropReason, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.counters[Int(source)].count(drop: reason, end &- begin)
    sluice_frames_free(lcore.pointee.received + begin, UInt32(truncatingIfNeeded: end &- begin))
}

/// Whether a frame may not enter.
@inline(__always) @_noLocks
private func isRefused(_ record: UnsafeMutablePointer<FrameRecord>, _ maxFrame: UInt32) -> Bool {
    if record.pointee.length > maxFrame &+ 4 &* UInt32(record.pointee.tagCount) { return true }
    if !BridgeRules.isIndividual(record.pointee.source) { return true }
    return record.pointee.flags.has(.multicast) && BridgeRules.verdict(record) != .flood
}

/// Why a frame may not enter.
@inline(never) @_noLocks
private func refusal(_ record: UnsafeMutablePointer<FrameRecord>, _ maxFrame: UInt32) -> DropReason {
    if record.pointee.length > maxFrame &+ 4 &* UInt32(record.pointee.tagCount) { return .oversized }
    switch BridgeRules.verdict(record) {
    case .unicast, .flood, .multicastSource, .zeroSource: return .invalidSource
    case .pause: return .macControl
    case .lldp, .linkLocal: return .reservedAddress
    case .runt: return .runt
    }
}

/// Removes the priority tags (VID 0) of a run, which end at this hop; their PCP has served to identify the protocol.
@inline(__always) @_noLocks
private func stripPriorityTags(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ record: UnsafeMutablePointer<FrameRecord>) {
    TagEditing.stripPriorityTag(sluice_frame_bytes(frames[0].unsafelyUnwrapped).unsafelyUnwrapped, record)
    sluice_frame_trim_front(frames[0].unsafelyUnwrapped, 4)
    var index = 1
    while index < count {
        let frame = frames[index].unsafelyUnwrapped
        TagEditing.removeTag(sluice_frame_bytes(frame).unsafelyUnwrapped)
        sluice_frame_trim_front(frame, 4)
        index &+= 1
    }
}
