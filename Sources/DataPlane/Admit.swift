import Bridge
import DCB
import DPDKShim
import Packet

/// Stage 2: parses the frames and drops what may not enter. A frame that looks like the one parsed last needs no parse. Frames that follow one
/// another with the same addresses and one protocol are one run: they share a record, and what is decided for it is decided for all. Returns the
/// runs that stay, in their order.
@inline(__always) @_noLocks
func admit(
    _ count: Int, _ queue: UnsafeMutablePointer<ReceiveQueue>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Int {
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(queue.pointee.port)
    let frames = lcore.pointee.received, lengths = lcore.pointee.lengths
    let protocols = snapshot.pointee.protocols
    let free = snapshot.pointee.bridges[unchecked: Int(port.pointee.bridge)].fitsAll
    let pattern = ReceiveQueue.pattern(of: queue)
    // That of the run which begins next, and of the last one if its frames look like the pattern; in front of all is one that no frame has.
    var record = lcore.pointee.records, last = record - 1
    var end = lcore.pointee.runEnds - 1
    var index = 0, count = count
    repeat {
        let frame = frames[index].unsafelyUnwrapped
        let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
        let length = lengths[index]
        if pattern.pointee.admits(bytes, length: length, contiguous: sluice_frame_contiguous(frame)) {
            let ports = pattern.pointee.parse.ports(bytes)
            pattern.pointee.identify(ports, protocols)
            let addresses = FrameAddresses(of: bytes), rest = length &- pattern.pointee.shortening
            let begin = index
            var isTaken = false
            if addresses.areThose(of: last), last.pointee.protocolID == pattern.pointee.row,
                rest == last.pointee.length || max(rest, last.pointee.length) <= free {
                index = skip(from: index, to: count, pattern, protocols, lcore)
                isTaken = true
            } else if addresses.areIndividual {
                pattern.pointee.parse.fill(record, addresses, length: rest, ports: ports)
                record.pointee.protocolID = pattern.pointee.row
                last = record
                record += 1
                end += 1
                index &+= 1
                isTaken = true
            }
            if isTaken {
                end.pointee = index
                tally(index &- begin, length, pattern.pointee.row, lcore)
                if pattern.pointee.shortening != 0 { stripPriorityTags(begin, index, lcore) }
                continue
            }
        }
        switch admitParsed(index, record, queue, lcore, snapshot) {
        case .refused:
            count &-= 1
            close(index, count, lcore)
            continue
        case .pattern: last = record
        // What has no pattern is followed by nothing that is sure to be like it.
        case .other: last = lcore.pointee.records - 1
        }
        tally(1, length, record.pointee.protocolID, lcore)
        record += 1
        end += 1
        index &+= 1
        end.pointee = index
    } while index < count
    return record - lcore.pointee.records
}

/// Counts received frames by their protocol.
@inline(__always) @_noLocks
private func tally(_ frames: Int, _ length: UInt32, _ row: UInt8, _ lcore: UnsafeMutablePointer<Lcore>) {
    let seen = lcore.pointee.protocolCounters + Int(row)
    seen.pointee.frames &+= UInt64(truncatingIfNeeded: frames)
    seen.pointee.bytes &+= UInt64(truncatingIfNeeded: frames) &* UInt64(length)
}

/// Skips the frame at `index`, which is of the row that the pattern says, and those that follow and are like it in all that counts, but for ports
/// without another row, as they are in long runs. Returns where they end.
@inline(never) @_noLocks
private func skip(
    from index: Int, to count: Int, _ pattern: UnsafeMutablePointer<AdmissionPattern>, _ protocols: ProtocolTable, _ lcore: UnsafeMutablePointer<Lcore>
) -> Int {
    let frames = lcore.pointee.received, lengths = lcore.pointee.lengths
    let first = frames[index].unsafelyUnwrapped
    let length = lengths[index], contiguous = sluice_frame_contiguous(first)
    let likeness = ParsePattern.Likeness(sluice_frame_bytes(first).unsafelyUnwrapped, pattern.pointee.parse)
    let ports = likeness.ports(sluice_frame_bytes(first).unsafelyUnwrapped)
    let row = pattern.pointee.row
    var index = index &+ 1
    while index < count {
        let frame = frames[index].unsafelyUnwrapped
        let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
        guard lengths[index] == length, sluice_frame_contiguous(frame) == contiguous, likeness.isShared(bytes) else { break }
        let own = likeness.ports(bytes)
        guard own == ports || pattern.pointee.identified(own, protocols) == row else { break }
        index &+= 1
    }
    return index
}

/// Moves the frames from behind `index` on up, where one was dropped; `count` are left.
@inline(never) @_noLocks
private func close(_ index: Int, _ count: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    for place in index..<count {
        lcore.pointee.received[place] = lcore.pointee.received[place &+ 1]
        lcore.pointee.lengths[place] = lcore.pointee.lengths[place &+ 1]
    }
}

private enum Parsed {
    case refused
    /// Stays, and is the queue's pattern now.
    case pattern
    /// Stays, and has no pattern.
    case other
}

/// Admits the frame at `index` by parsing it into `record`.
@inline(never) @_noLocks
private func admitParsed(
    _ index: Int, _ record: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Parsed {
    let source = queue.pointee.port
    let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(source)
    let frame = lcore.pointee.received[index].unsafelyUnwrapped
    let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
    parse(bytes, contiguous: Int(sluice_frame_contiguous(frame)), length: lcore.pointee.lengths[index], into: record)
    let longest = port.pointee.maxFrame &+ UInt32(HeaderSize.vlanTag) &* UInt32(record.pointee.tagCount)
    if isRefused(record, longest) {
        drop(index, index &+ 1, refusal(record, longest), source, lcore)
        return .refused
    }
    let portlessRow = snapshot.pointee.protocols.identifyWithoutPorts(record)
    record.pointee.protocolID = snapshot.pointee.protocols.identify(record)
    var pattern = ParsePattern(of: bytes, record)
    let strips = port.pointee.isPhysical && TagEditing.isPriorityTagged(record)
    if strips {
        TagEditing.stripPriorityTag(sluice_frame_bytes(frame).unsafelyUnwrapped, record)
        sluice_frame_trim_front(frame, UInt16(HeaderSize.vlanTag))
        lcore.pointee.lengths[index] = record.pointee.length
    }
    if pattern.isNone { return .other }
    pattern.keep(record)
    queue.pointee.pattern = AdmissionPattern(
        pattern, portlessRow: portlessRow, ipProtocol: record.pointee.ipProtocol, longest: longest, shortening: strips ? UInt32(HeaderSize.vlanTag) : 0)
    return .pattern
}

/// Moves the frames of a run, which begins at `begin`, and their lengths up behind those kept so far.
@inline(never) @_noLocks
func keep(_ begin: Int, _ end: Int, _ kept: inout Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    for index in begin..<end {
        lcore.pointee.received[kept] = lcore.pointee.received[index]
        lcore.pointee.lengths[kept] = lcore.pointee.lengths[index]
        kept &+= 1
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
private func isRefused(_ record: UnsafeMutablePointer<FrameRecord>, _ longest: UInt32) -> Bool {
    if record.pointee.length > longest { return true }
    if !BridgeRules.isIndividual(record.pointee.source) { return true }
    return record.pointee.flags.has(.multicast) && BridgeRules.verdict(record) != .flood
}

/// Why a frame may not enter.
@inline(never) @_noLocks
private func refusal(_ record: UnsafeMutablePointer<FrameRecord>, _ longest: UInt32) -> DropReason {
    if record.pointee.length > longest { return .oversized }
    switch BridgeRules.verdict(record) {
    case .unicast, .flood, .multicastSource, .zeroSource: return .invalidSource
    case .pause: return .macControl
    case .lldp, .linkLocal: return .reservedAddress
    case .runt: return .runt
    }
}

/// Removes the priority tags (VID 0) of received frames, which end at this hop; their PCP has served to identify the protocol.
@inline(__always) @_noLocks
private func stripPriorityTags(_ begin: Int, _ end: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    for index in begin..<end {
        let frame = lcore.pointee.received[index].unsafelyUnwrapped
        TagEditing.removeTag(sluice_frame_bytes(frame).unsafelyUnwrapped)
        sluice_frame_trim_front(frame, UInt16(HeaderSize.vlanTag))
        lcore.pointee.lengths[index] &-= UInt32(HeaderSize.vlanTag)
    }
}
