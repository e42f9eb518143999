import Bridge
import DCB
import DPDKShim
import Packet

/// Stage 2: parses the frames and drops those that may not enter. A frame that matches the pattern of the one that was parsed last is not parsed. Consecutive
/// frames with the same addresses and protocol form one run: they share a record, and what is decided for the record is decided for all of them. Returns the
/// number of runs that stay; their order is kept.
@inline(__always) @_noLocks
func admit(
    _ count: Int, _ queue: UnsafeMutablePointer<ReceiveQueue>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Int {
    var count = count
    var place = Place(index: 0, record: lcore.pointee.records)
    // The record of the last run, if frames that match the pattern may join it. At first this is the record in front of all others, which no frame matches.
    var last = place.record - 1
    // The length of a frame that is to be segmented says nothing about the frames that leave, so each of its burst is parsed.
    let maySkip = lcore.pointee.receivedFlags & sluice_flag_tx_segments == 0
    repeat {
        let begin = place.index
        if maySkip {
            switch ReceiveQueue.pattern(of: queue).pointee.vlans {
            case .none: place = admitAlike(place, count, after: last, queue, lcore, snapshot)
            case .port: place = admitAlikeInVLAN(place, count, after: last, queue, lcore, snapshot)
            case .tag: place = admitAlikeWithTag(place, count, after: last, queue, lcore, snapshot)
            }
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
            // Patterns never match frames to group addresses, so the frames that are like this one are looked for here. That is not possible if its priority
            // tag was removed, because it then no longer matches its own pattern.
            let pattern = ReceiveQueue.pattern(of: queue)
            if maySkip, record.pointee.flags.has(.multicast), pattern.pointee.shortening == 0 {
                end = skip(from: end, to: count, pattern, record.pointee.protocolID, snapshot.pointee.protocols, lcore)
            }
        // Without a pattern it is not known whether the next frame is like this one, so a new run begins.
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

/// How far admission has got in a burst.
private struct Place {
    /// The index of the next frame.
    var index: Int
    /// The record for the next run.
    var record: UnsafeMutablePointer<FrameRecord>

    @inline(__always) @_noLocks
    init(index: Int, record: UnsafeMutablePointer<FrameRecord>) {
        self.index = index
        self.record = record
    }
}

/// Admits frames from `place` on, without parsing them, up to the first that does not match the pattern of the queue. The loop has a function of its own so
/// that its variables stay in registers.
@inline(never) @_noLocks
private func admitAlike(
    _ place: Place, _ count: Int, after last: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Place { admitAlike(place, count, after: last, .none, queue, lcore, snapshot) }

/// Does the same on a bridge with VLANs for frames without a tag.
@inline(never) @_noLocks
private func admitAlikeInVLAN(
    _ place: Place, _ count: Int, after last: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Place { admitAlike(place, count, after: last, .port, queue, lcore, snapshot) }

/// Does the same for frames with a tag.
@inline(never) @_noLocks
private func admitAlikeWithTag(
    _ place: Place, _ count: Int, after last: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Place { admitAlike(place, count, after: last, .tag, queue, lcore, snapshot) }

/// - Parameter vlans: a constant, so that bridges without VLANs do not pay for what VLANs cost.
@inline(__always) @_noLocks
private func admitAlike(
    _ place: Place, _ count: Int, after last: UnsafeMutablePointer<FrameRecord>, _ vlans: AdmissionPattern.VLANSource,
    _ queue: UnsafeMutablePointer<ReceiveQueue>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Place {
    let pattern = ReceiveQueue.pattern(of: queue)
    var parse = pattern.pointee.parse
    let longest = pattern.pointee.longest, shortening = pattern.pointee.shortening
    var vlan = vlans == .none ? 0 : pattern.pointee.vlan, tag = vlans == .tag ? pattern.pointee.tag : 0
    // What each VLAN is to the port, if the frames' tags decide about their VLAN; nil otherwise.
    let form = pattern.pointee.form
    let forms = vlans == .tag && form.rawValue != 0 ? snapshot.pointee.ports[unchecked: Int(queue.pointee.port)].vlans?.pointee.forms : nil
    let frames = lcore.pointee.received, paths = lcore.pointee.paths
    let first = place.index
    var index = first, record = place.record, before = last
    // The frames from `begin` on, and their bytes, have not been counted yet. They are counted when a frame of another protocol comes, or at the end.
    var begin = first, bytes: UInt64 = 0
    var row = pattern.pointee.row, ports = pattern.pointee.ports
    repeat {
        let frame = frames[index].unsafelyUnwrapped
        let length = sluice_frame_length(frame), start = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
        // The contiguous part of a frame is never longer than the frame, so a frame that matches is long enough.
        guard length <= longest, parse.matches(start, readable: UInt32(sluice_frame_contiguous(frame))) else { break }
        var addresses = FrameAddresses(of: start)
        if addresses.source == 0 { break }
        if vlans == .tag, case let own = ParsePattern.tag(start), own != tag {
            let vid = UInt16(bigEndian: own) & 0x0fff
            // This is a priority tag, which has to be removed, so the frame is parsed.
            if vid == 0 { break }
            if let forms {
                guard forms[Int(vid)].has(form) else { break }
                vlan = UInt64(vid) &<< 48
            } else {
                // The tag is not part of the addresses, so they cannot tell whether this frame belongs to the run before.
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
    pattern.pointee.remember(row, ports)
    if vlans == .tag { pattern.pointee.remember(tag, vlan) }
    tally(index &- begin, bytes, row, lcore)
    if shortening != 0 { stripPriorityTags(first, index, lcore) }
    return Place(index: index, record: record)
}

/// The value of `BridgeView.fitsAll` for the bridge of a port.
@inline(__always) @_noLocks
private func fitsAll(_ port: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) -> UInt32 {
    snapshot.pointee.bridges[unchecked: Int(snapshot.pointee.ports[unchecked: Int(port)].bridge)].fitsAll
}

/// Counts received frames and their bytes for a row of the protocol table.
@inline(__always) @_noLocks
private func tally(_ frames: Int, _ bytes: UInt64, _ row: UInt8, _ lcore: UnsafeMutablePointer<Lcore>) {
    let seen = lcore.pointee.protocolCounters + Int(row)
    seen.pointee.frames &+= UInt64(truncatingIfNeeded: frames)
    seen.pointee.bytes &+= bytes
}

/// Skips the frames from `index` on that belong to the same run as the frame before them, which is of protocol `row`. They may differ from it in their ports,
/// as long as these lead to the same row. Returns the index of the first frame that does not belong to the run.
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

/// Moves the frames behind `index` forward by one place, after the frame at `index` was dropped; `count` frames are left.
@inline(never) @_noLocks
private func close(_ index: Int, _ count: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    for place in index..<count {
        lcore.pointee.received[place] = lcore.pointee.received[place &+ 1]
        lcore.pointee.lengths[place] = lcore.pointee.lengths[place &+ 1]
    }
}

private enum Parsed {
    case refused
    /// The frame stays and has become the pattern of its queue.
    case pattern
    /// The frame stays and has no pattern.
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
    let carried = isToBeSegmented(frame) ? SegmentCutter(frame).longest : lcore.pointee.lengths[index]
    parse(bytes, contiguous: Int(sluice_frame_contiguous(frame)), length: carried, into: record)
    if record.pointee.flags.has(.truncated), sluice_frame_is_partial(frame) {
        _ = sluice_frame_complete(frame)
        parse(bytes, contiguous: Int(sluice_frame_contiguous(frame)), length: carried, into: record)
    }
    let longest = port.pointee.maxFrame &+ UInt32(HeaderSize.vlanTag) &* UInt32(record.pointee.tagCount)
    if isRefused(record, longest), !carriesBPDU(record, longest, port) {
        if port.pointee.isPhysical, BridgeRules.verdict(record) == .pause { notePause(frame, port, lcore) }
        if port.pointee.flags.has(.hasAgent), isForAgent(record, longest) { _ = punt(frame, .lldp, from: source, vlan: 0, lcore) }
        drop(index, index &+ 1, refusal(record, longest, port), source, lcore)
        return .refused
    }
    let portlessRow = snapshot.pointee.protocols.identifyWithoutPorts(record)
    record.pointee.protocolID = record.pointee.flags.has(.fragment)
        ? identifyFragment(bytes, Int(sluice_frame_contiguous(frame)), record, queue, lcore, snapshot) : snapshot.pointee.protocols.identify(record)
    var own = TrustedRow.untrusted
    if port.pointee.flags.has(.trusts) {
        own = trusted(record, source, snapshot)
        record.pointee.protocolID = own.or(record.pointee.protocolID)
    }
    var pattern = ParsePattern(of: bytes, record)
    // What a priority tag says is known where it is believed; what leaves has the tags of its own way.
    var strips = (port.pointee.isPhysical || port.pointee.flags.has(.trusts)) && TagEditing.isPriorityTagged(record), vlan: UInt64 = 0
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
            // Such a frame gets no pattern: the type of each frame's tag has to be restored.
            TagEditing.rewriteType(sluice_frame_bytes(frame).unsafelyUnwrapped, EtherType.serviceVLAN)
            return .other
        }
    }
    if strips {
        TagEditing.stripPriorityTag(sluice_frame_bytes(frame).unsafelyUnwrapped, record)
        sluice_frame_trim_front(frame, UInt16(HeaderSize.vlanTag))
        lcore.pointee.lengths[index] &-= UInt32(HeaderSize.vlanTag)
    }
    if pattern.isNone { return .other }
    pattern.remember(record)
    queue.pointee.pattern = AdmissionPattern(
        pattern, of: bytes, record, portlessRow: portlessRow, own, longest: longest, shortening: strips ? UInt32(HeaderSize.vlanTag) : 0, vlan: vlan)
    return .pattern
}

/// The protocol row of an IP fragment, which is the row of the first fragment of its datagram.
@inline(never) @_noLocks
private func identifyFragment(
    _ bytes: UnsafeRawPointer, _ contiguous: Int, _ record: UnsafeMutablePointer<FrameRecord>, _ queue: UnsafeMutablePointer<ReceiveQueue>,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> UInt8 {
    let table = queue.pointee.link.pointee.fragments + (Int(queue.pointee.queue) & (maxQueuePairs &- 1))
    return table.pointee.identify(
        bytes, limit: min(contiguous, Int(record.pointee.length)), record, snapshot.pointee.protocols, now: lcore.pointee.seconds)
}

/// Moves the frames of the run from `begin` to `end`, and their lengths, behind the `kept` frames that have been kept so far.
@inline(never) @_noLocks
func compact(_ begin: Int, _ end: Int, _ kept: inout Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    for index in begin..<end {
        lcore.pointee.received[kept] = lcore.pointee.received[index]
        lcore.pointee.lengths[kept] = lcore.pointee.lengths[index]
        kept &+= 1
    }
}

/// Frees a run of received frames and counts them as dropped at the port that they came in by.
@inline(never) @_noLocks
func drop(_ begin: Int, _ end: Int, _ reason: DropReason, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.counters[Int(source)].count(drop: reason, end &- begin)
    noteDrops(lcore.pointee.received + begin, end &- begin, reason, source, lcore)
    sluice_frames_free(lcore.pointee.received + begin, UInt32(truncatingIfNeeded: end &- begin))
}

/// Whether a frame may not enter.
@inline(__always) @_noLocks
private func isRefused(_ record: UnsafeMutablePointer<FrameRecord>, _ longest: UInt32) -> Bool {
    if record.pointee.length > longest { return true }
    if !BridgeRules.isIndividual(record.pointee.source) { return true }
    return record.pointee.flags.has(.multicast) && BridgeRules.verdict(record) != .flood
}

/// Whether a frame that would be refused may enter after all, because it is a spanning tree frame and its port forwards those.
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

/// Why a frame may not enter. If the frame shuts its port (`guard`), this also notes that for the control thread.
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

/// Removes the priority tags (VID 0) of received frames. They are not passed on; the PCP in them was needed only to identify the protocol.
@inline(__always) @_noLocks
private func stripPriorityTags(_ begin: Int, _ end: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    for index in begin..<end {
        let frame = lcore.pointee.received[index].unsafelyUnwrapped
        TagEditing.removeTag(sluice_frame_bytes(frame).unsafelyUnwrapped)
        sluice_frame_trim_front(frame, UInt16(HeaderSize.vlanTag))
        lcore.pointee.lengths[index] &-= UInt32(HeaderSize.vlanTag)
    }
}
