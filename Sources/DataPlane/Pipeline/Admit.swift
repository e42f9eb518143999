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
    var count = count
    var place = Place(index: 0, record: lcore.pointee.records)
    // The record of the last run, if frames that look like the pattern may be more of it; in front of all is one that no frame has.
    var last = place.record - 1
    repeat {
        let begin = place.index
        switch ReceiveQueue.pattern(of: queue).pointee.vlans {
        case .none: place = admitAlike(place, count, after: last, queue, lcore, snapshot)
        case .port: place = admitAlikeInVLAN(place, count, after: last, queue, lcore, snapshot)
        case .tag: place = admitAlikeWithTag(place, count, after: last, queue, lcore, snapshot)
        }
        if place.index == count { break }
        if place.index != begin { last = place.record - 1 }
        let length = lcore.pointee.lengths[place.index], record = place.record
        var end = place.index &+ 1
        switch admitParsed(place.index, record, queue, lcore, snapshot) {
        case .refused:
            count &-= 1
            close(place.index, count, lcore)
            continue
        case .pattern:
            last = record
            // Frames to a group look like no pattern. One whose tag has come off is no longer what its pattern says.
            let pattern = ReceiveQueue.pattern(of: queue)
            if record.pointee.flags.has(.multicast), pattern.pointee.shortening == 0 {
                end = skip(from: end, to: count, pattern, record.pointee.protocolID, snapshot.pointee.protocols, lcore)
            }
        // What has no pattern is followed by nothing that is sure to be like it.
        case .other: last = lcore.pointee.records - 1
        }
        let frames = end &- place.index
        tally(frames, UInt64(length) &* UInt64(truncatingIfNeeded: frames), record.pointee.protocolID, lcore)
        record.pointee.end = UInt16(truncatingIfNeeded: end)
        fetchPath(record.pointee.destination, record.pointee.source, record, lcore.pointee.paths)
        place.index = end
        place.record += 1
    } while place.index < count
    return place.record - lcore.pointee.records
}

/// Where admission is in a burst.
private struct Place {
    /// The next frame.
    var index: Int
    /// The next run's.
    var record: UnsafeMutablePointer<FrameRecord>

    @inline(__always) @_noLocks
    init(index: Int, record: UnsafeMutablePointer<FrameRecord>) {
        self.index = index
        self.record = record
    }
}

/// Admits frames from `place` on that look like the pattern of their queue, up to the first that does not. They need no parse. A loop of its own, so
/// that what it works with stays in registers.
@inline(never) @_noLocks
private func admitAlike(
    _ place: Place, _ count: Int, after last: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Place { admitAlike(place, count, after: last, .none, queue, lcore, snapshot) }

/// The same on bridges with VLANs, where frames have no tag.
@inline(never) @_noLocks
private func admitAlikeInVLAN(
    _ place: Place, _ count: Int, after last: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Place { admitAlike(place, count, after: last, .port, queue, lcore, snapshot) }

/// The same where frames have tags.
@inline(never) @_noLocks
private func admitAlikeWithTag(
    _ place: Place, _ count: Int, after last: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Place { admitAlike(place, count, after: last, .tag, queue, lcore, snapshot) }

/// - Parameter vlans: a constant, so that what it costs is paid by bridges with VLANs alone.
@inline(__always) @_noLocks
private func admitAlike(
    _ place: Place, _ count: Int, after last: UnsafeMutablePointer<FrameRecord>, _ vlans: AdmissionPattern.VLANSource,
    _ queue: UnsafeMutablePointer<ReceiveQueue>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Place {
    let pattern = ReceiveQueue.pattern(of: queue)
    var parse = pattern.pointee.parse
    let longest = pattern.pointee.longest, shortening = pattern.pointee.shortening
    var vlan = vlans == .none ? 0 : pattern.pointee.vlan, tag = vlans == .tag ? pattern.pointee.tag : 0
    // Of the port, if it looks at these frames' tags.
    let form = pattern.pointee.form
    let forms = vlans == .tag && form.rawValue != 0 ? snapshot.pointee.ports[unchecked: Int(queue.pointee.port)].vlans?.pointee.forms : nil
    let frames = lcore.pointee.received, paths = lcore.pointee.paths
    let first = place.index
    var index = first, record = place.record, before = last
    // Frames from `begin` on are counted when one of another protocol comes.
    var begin = first, bytes: UInt64 = 0
    var row = pattern.pointee.row, ports = pattern.pointee.ports
    repeat {
        let frame = frames[index].unsafelyUnwrapped
        let length = sluice_frame_length(frame), start = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
        // What is contiguous is no more than the frame.
        guard length <= longest, parse.matches(start, readable: UInt32(sluice_frame_contiguous(frame))) else { break }
        var addresses = FrameAddresses(of: start)
        if addresses.source == 0 { break }
        if vlans == .tag, case let own = ParsePattern.tag(start), own != tag {
            let vid = UInt16(bigEndian: own) & 0x0fff
            // A priority tag comes off.
            if vid == 0 { break }
            if let forms {
                guard forms[Int(vid)].has(form) else { break }
                vlan = UInt64(vid) &<< 48
            } else {
                // Addresses do not tell these frames apart.
                before = lcore.pointee.records - 1
            }
            tag = own
            parse.setTag(own)
        }
        if vlans != .none { addresses = addresses.within(vlan) }
        let own = parse.ports(start)
        if _slowPath(own != ports) {
            ports = own
            let now = pattern.pointee.identified(own, snapshot.pointee.protocols)
            if now != row {
                tally(index &- begin, bytes, row, lcore)
                (begin, bytes, row) = (index, 0, now)
            }
        }
        bytes &+= UInt64(length)
        let rest = length &- shortening
        index &+= 1
        if _slowPath(addresses.areThose(of: before)), before.pointee.protocolID == row,
            rest == before.pointee.length || max(rest, before.pointee.length) <= fitsAll(queue.pointee.port, snapshot) {
            let end = skip(from: index, to: count, pattern, row, snapshot.pointee.protocols, lcore)
            bytes &+= UInt64(length) &* UInt64(truncatingIfNeeded: end &- index)
            before.pointee.end = UInt16(truncatingIfNeeded: end)
            index = end
            continue
        }
        parse.fill(record, addresses, length: rest, ports: ports)
        record.pointee.protocolID = row
        record.pointee.end = UInt16(truncatingIfNeeded: index)
        fetchPath(addresses.destination, addresses.source, record, paths)
        before = record
        record += 1
    } while index < count
    pattern.pointee.keep(row, ports)
    if vlans == .tag { pattern.pointee.keep(tag, vlan) }
    tally(index &- begin, bytes, row, lcore)
    if shortening != 0 { stripPriorityTags(first, index, lcore) }
    return Place(index: index, record: record)
}

/// `BridgeView.fitsAll` of a port's bridge.
@inline(__always) @_noLocks
private func fitsAll(_ port: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) -> UInt32 {
    snapshot.pointee.bridges[unchecked: Int(snapshot.pointee.ports[unchecked: Int(port)].bridge)].fitsAll
}

/// Counts received frames by their protocol.
@inline(__always) @_noLocks
private func tally(_ frames: Int, _ bytes: UInt64, _ row: UInt8, _ lcore: UnsafeMutablePointer<Lcore>) {
    let seen = lcore.pointee.protocolCounters + Int(row)
    seen.pointee.frames &+= UInt64(truncatingIfNeeded: frames)
    seen.pointee.bytes &+= bytes
}

/// Skips the frames from `index` on that are like the one before, which is of this row, in all that counts, but for ports without another row, as they are
/// in long runs. Returns where they end.
@inline(never) @_noLocks
private func skip(
    from index: Int, to count: Int, _ pattern: UnsafeMutablePointer<AdmissionPattern>, _ row: UInt8, _ protocols: ProtocolTable,
    _ lcore: UnsafeMutablePointer<Lcore>
) -> Int {
    let frames = lcore.pointee.received, lengths = lcore.pointee.lengths
    let first = frames[index &- 1].unsafelyUnwrapped
    let length = lengths[index &- 1], contiguous = sluice_frame_contiguous(first)
    let likeness = ParsePattern.Likeness(sluice_frame_bytes(first).unsafelyUnwrapped, pattern.pointee.parse)
    let ports = likeness.ports(sluice_frame_bytes(first).unsafelyUnwrapped)
    var index = index
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
    if isRefused(record, longest), !carriesBPDU(record, longest, port) {
        if port.pointee.isPhysical, isForAgent(record, longest) { _ = punt(frame, .lldp, from: source, vlan: 0, lcore) }
        drop(index, index &+ 1, refusal(record, longest, port), source, lcore)
        return .refused
    }
    let portlessRow = snapshot.pointee.protocols.identifyWithoutPorts(record)
    record.pointee.protocolID = record.pointee.flags.has(.fragment)
        ? identifyFragment(bytes, Int(sluice_frame_contiguous(frame)), record, queue, lcore, snapshot) : snapshot.pointee.protocols.identify(record)
    var pattern = ParsePattern(of: bytes, record)
    var strips = port.pointee.isPhysical && TagEditing.isPriorityTagged(record), vlan: UInt64 = 0
    if let vlans = port.pointee.vlans {
        let ingress = vlans.pointee.ingress(bytes, record)
        if ingress.vlan == 0 {
            drop(index, index &+ 1, .vlanNotAllowed, source, lcore)
            return .refused
        }
        strips = ingress.strips
        if ingress.carriesTag { record.pointee.flags.mark(.vlanTag) }
        vlan = UInt64(ingress.vlan) &<< 48
        record.pointee.destination |= vlan
        record.pointee.source |= vlan
        if ingress.restoresType {
            // Of no pattern: each has to be looked at.
            TagEditing.rewriteType(sluice_frame_bytes(frame).unsafelyUnwrapped, EtherType.serviceVLAN)
            return .other
        }
    }
    if strips {
        TagEditing.stripPriorityTag(sluice_frame_bytes(frame).unsafelyUnwrapped, record)
        sluice_frame_trim_front(frame, UInt16(HeaderSize.vlanTag))
        lcore.pointee.lengths[index] = record.pointee.length
    }
    if pattern.isNone { return .other }
    pattern.keep(record)
    queue.pointee.pattern = AdmissionPattern(
        pattern, of: bytes, record, portlessRow: portlessRow, longest: longest, shortening: strips ? UInt32(HeaderSize.vlanTag) : 0, vlan: vlan)
    return .pattern
}

/// The row of a fragment: that of its datagram's first.
@inline(never) @_noLocks
private func identifyFragment(
    _ bytes: UnsafeRawPointer, _ contiguous: Int, _ record: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> UInt8 {
    let table = queue.pointee.link.pointee.fragments + (Int(queue.pointee.queue) & (maxQueuePairs &- 1))
    return table.pointee.identify(
        bytes, limit: min(contiguous, Int(record.pointee.length)), record, snapshot.pointee.protocols, now: lcore.pointee.seconds)
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

/// Whether a frame that may not enter is spanning tree's, at a port that lets that through.
@inline(never) @_noLocks
private func carriesBPDU(_ record: UnsafeMutablePointer<FrameRecord>, _ longest: UInt32, _ port: UnsafeMutablePointer<PortView>) -> Bool {
    port.pointee.flags.has(.forwardsBPDUs) && isBPDU(record.pointee.destination) && record.pointee.length <= longest
        && BridgeRules.isIndividual(record.pointee.source)
}

/// Whether a frame that may not enter is for the switch's own LLDP agent (IEEE 802.1AB, nearest bridge).
@inline(never) @_noLocks
private func isForAgent(_ record: UnsafeMutablePointer<FrameRecord>, _ longest: UInt32) -> Bool {
    record.pointee.etherType == EtherType.lldp && record.pointee.length <= longest && BridgeRules.verdict(record) == .lldp
}

/// Why a frame may not enter. One that shuts its port is told to the control thread.
@inline(never) @_noLocks
private func refusal(_ record: UnsafeMutablePointer<FrameRecord>, _ longest: UInt32, _ port: UnsafeMutablePointer<PortView>) -> DropReason {
    if record.pointee.length > longest { return .oversized }
    if port.pointee.flags.has(.guardsBPDUs), isBPDU(record.pointee.destination) {
        port.pointee.link.unsafelyUnwrapped.pointee.port.pointee.hadBPDU.store(true, ordering: .relaxed)
        return .bpduGuard
    }
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
