import Bridge
import DPDKShim
import Packet
import Scheduler

// Mirroring copies frames. No frame waits because it is copied, and no frame is changed: a copy has a buffer of its own, which is taken only while there are
// enough for others, and it waits in a leaf of its own, or is dropped. Copies are not marked for mirrors, so they are never copied again.

/// Handles what a port received, before admission: first captures, mirrors and sampling copy frames, then FIP snooping and filters decide about them. Returns the
/// number of frames that stay.
@inline(never) @_noLocks
func enter(
    _ view: UnsafeMutablePointer<IngressView>, _ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Int {
    let frames = lcore.pointee.received
    if view.pointee.captures.count != 0 {
        lcore.pointee.stalls.excuse(turn: lcore.pointee.turns.load(ordering: .relaxed), frames: count &* view.pointee.captures.count)
        captureEntering(view.pointee.captures, count, source, lcore, snapshot)
    }
    let mirrors = view.pointee.mirrors
    if mirrors.count != 0 {
        lcore.pointee.stalls.excuse(turn: lcore.pointee.turns.load(ordering: .relaxed), frames: count &* mirrors.count)
        for index in 0..<count { duplicate(frames[index].unsafelyUnwrapped, mirrors, Passage(source, isLeaving: false), lcore, snapshot) }
    }
    if let samples = view.pointee.samples { sample(samples, count, source, lcore) }
    var left = count
    if let fip = view.pointee.fip { left = watchFIP(fip, isWatched: view.pointee.isWatched, left, source, lcore, snapshot) }
    if let filters = view.pointee.filters, left != 0 { left = filter(frames, lcore.pointee.lengths, left, filters, source, lcore) }
    if left == 0, let samples = lcore.pointee.unsettled { settleSamples(samples, 0, lcore, snapshot) }
    return left
}

/// Has mirrors and captures copy a frame that is about to be given to a port, in the form in which it leaves.
@inline(never) @_noLocks
func mirrorLeaving(
    _ frame: Frame, _ tag: EgressTag, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    if let captures = snapshot.pointee.captures { captureLeaving(captures, frame, port, lcore, snapshot) }
    // If there are no mirrors any more, the frame was marked for one that has been removed while the frame waited.
    guard let tables = snapshot.pointee.mirrors else { return }
    lcore.pointee.stalls.excuse(turn: lcore.pointee.turns.load(ordering: .relaxed), frames: 1)
    duplicate(frame, tables.pointee.sets[unchecked: Int(tag.watch)], Passage(port, isLeaving: true), lcore, snapshot)
    if tag.isMirroredByPort { duplicate(frame, tables.pointee.leaving[unchecked: Int(port)], Passage(port, isLeaving: true), lcore, snapshot) }
}

/// The set of mirrors that copy the frames of a leaf, at its place in an egress tag.
@inline(never) @_noLocks
func watch(_ leaf: ClassID, of tree: UInt16, _ snapshot: UnsafeMutablePointer<Snapshot>) -> EgressTag {
    EgressTag(watch: snapshot.pointee.mirrors?.pointee.watch(leaf, of: tree) ?? 0)
}

/// Where a frame is when mirrors look at it: at which port, and in which direction.
struct Passage {
    let port: PortIndex
    let isLeaving: Bool

    @inline(__always) @_noLocks
    init(_ port: PortIndex, isLeaving: Bool) {
        self.port = port
        self.isLeaving = isLeaving
    }
}

/// Has mirrors copy a frame. Of one that is to be segmented they copy the segments, as a wire would carry them.
@_noLocks
private func duplicate(_ frame: Frame, _ taps: MirrorTaps, _ passage: Passage, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    if taps.count == 0 { return }
    if !isToBeSegmented(frame) { return copy(frame, taps, passage, lcore, snapshot) }
    var cutter = SegmentCutter(frame)
    while let segment = cutter.next(lcore.pointee.pool) {
        copy(segment, taps, passage, lcore, snapshot)
        sluice_frame_free(segment)
    }
}

@inline(__always) @_noLocks
private func copy(_ frame: Frame, _ taps: MirrorTaps, _ passage: Passage, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    for place in 0..<taps.count {
        let tap = taps.first.unsafelyUnwrapped + place
        if let dropped = duplicate(frame, tap, passage, lcore, snapshot) { tap.pointee.mirror.pointee.counters.pointee.drops[unchecked: dropped.rawValue] &+= 1 }
    }
}

/// Copies a frame if the mirror is meant to copy it. Returns the reason if it should have been copied but was not; nil otherwise.
@inline(never) @_noLocks
private func duplicate(
    _ frame: Frame, _ tap: UnsafeMutablePointer<MirrorTap>, _ passage: Passage, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> MirrorDrop? {
    let mirror = tap.pointee.mirror
    let whole = sluice_frame_length(frame), contiguous = Int(sluice_frame_contiguous(frame))
    // Such a frame is shorter than an Ethernet header and could not be sent.
    if contiguous < HeaderSize.ethernet { return nil }
    if tap.pointee.guest != 0, guest(of: frame, passage, snapshot) != tap.pointee.guest { return nil }
    if var filter = mirror.pointee.filter {
        var one: Frame? = frame, verdict: UInt16 = 0
        _ = sluice_filter_run(&filter, &one, 1, &verdict)
        if verdict != 0 { return nil }
    }
    let target = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(mirror.pointee.target)
    guard let link = target.pointee.link, link.pointee.connection.load(ordering: .relaxed) >= 0, !target.pointee.flags.has(.shut) else { return .portDown }
    let kept = min(whole, mirror.pointee.longest)
    let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
    var length = kept, longest = target.pointee.maxFrame
    if let header = mirror.pointee.header {
        length &+= UInt32(truncatingIfNeeded: header.pointee.length)
        longest &+= header.pointee.outerTag
    } else {
        longest &+= tags(bytes, contiguous)
    }
    if length > longest { return .tooLong }
    // Copies are made only if at least a quarter of the segments that may wait is left for other frames, and an eighth of all buffers for devices and guests.
    if Int(lcore.pointee.room) < lcore.pointee.backlogLimit &>> 2 || sluice_pool_is_low(lcore.pointee.pool) { return .noBuffer }
    if !StormBuckets.consume(from: mirror.pointee.state.pointee.bucket, mirror.pointee.limit, frames: 1, bytes: UInt64(length), at: lcore.pointee.now) { return .rate }
    guard let copy = sluice_frame_excerpt(frame, lcore.pointee.pool, kept) else { return .noBuffer }
    if let header = mirror.pointee.header {
        guard let start = sluice_frame_grow_front(copy, UInt16(truncatingIfNeeded: header.pointee.length)) else {
            sluice_frame_free(copy)
            return .noBuffer
        }
        let number = header.pointee.isERSPAN ? mirror.pointee.state.pointee.sequence.wrappingAdd(1, ordering: .relaxed).oldValue : 0
        TunnelHeader.write(
            header, at: start, payload: kept, number: number, tci: tci(bytes, contiguous), isCut: kept != whole,
            index: UInt32(passage.port) &<< 1 | (passage.isLeaving ? 1 : 0))
    }
    if !queue(copy, length, mirror, target, lcore, snapshot) {
        sluice_frame_free(copy)
        return .queueFull
    }
    mirror.pointee.counters.pointee.frames &+= 1
    mirror.pointee.counters.pointee.bytes &+= UInt64(length)
    return nil
}

/// Queues a copy in its leaf. Returns false if there is no room. This may be done ahead of the frames that were offered but not queued yet, because none of
/// them is for such a leaf.
@inline(__always) @_noLocks
private func queue(
    _ copy: Frame, _ length: UInt32, _ mirror: UnsafeMutablePointer<MirrorView>, _ target: UnsafeMutablePointer<PortView>, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Bool {
    let tree = snapshot.pointee.trees[unchecked: Int(target.pointee.tree)].tree
    var offered = OfferedFrame(
        handle: UnsafeMutableRawPointer(copy), charge: Charge(bytes: length), tag: target.pointee.wants.withoutMirrors.rawValue, leaf: mirror.pointee.leaf)
    guard tree.pointee.enqueue(&offered, count: 1, room: lcore.pointee.room, at: lcore.pointee.now) == 1 else { return false }
    lcore.pointee.backlog &+= Int(sluice_frame_segments(copy))
    let counters = lcore.pointee.counters + Int(mirror.pointee.target)
    counters.pointee.copiedFrames &+= 1
    counters.pointee.copiedBytes &+= UInt64(length)
    return true
}

/// Which of the guests behind a port a frame comes from or goes to, found by its addresses as the bridge does it.
@inline(never) @_noLocks
func guest(of frame: Frame, _ passage: Passage, _ snapshot: UnsafeMutablePointer<Snapshot>) -> GuestIndex {
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(passage.port)
    let bytes = UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)
    var record = FrameRecord()
    parse(bytes, contiguous: Int(sluice_frame_contiguous(frame)), length: sluice_frame_length(frame), into: &record)
    var vlan: UInt16 = 0
    // This also holds for a frame that leaves: the VLAN in which it leaves is the one in which it would come in.
    if let vlans = view.pointee.vlans { vlan = vlans.pointee.ingress(bytes, &record).vlan }
    let own = view.pointee.vlans?.pointee.guests?[Int(vlan)] ?? view.pointee.defaultGuest
    if passage.isLeaving, record.flags.has(.multicast) { return own }
    let address = passage.isLeaving ? record.destination : record.source
    let owner = owner(of: address | UInt64(vlan) &<< 48, passage.port, snapshot)
    return owner.port == passage.port ? owner.guest : own
}

/// The number of bytes of a frame's tags, of which up to two are counted.
@inline(__always) @_noLocks
private func tags(_ bytes: UnsafeRawPointer, _ contiguous: Int) -> UInt32 {
    guard isTag(bytes, 12, contiguous) else { return 0 }
    return isTag(bytes, 16, contiguous) ? 8 : 4
}

/// The TCI of a frame's outermost tag; nil if it has no tag.
@inline(__always) @_noLocks
private func tci(_ bytes: UnsafeRawPointer, _ contiguous: Int) -> UInt16? { isTag(bytes, 12, contiguous) ? bytes.bigEndian16(14) : nil }

@inline(__always) @_noLocks
private func isTag(_ bytes: UnsafeRawPointer, _ place: Int, _ contiguous: Int) -> Bool {
    if contiguous < place &+ 4 { return false }
    let type = bytes.bigEndian16(place)
    return type == EtherType.vlan || type == EtherType.serviceVLAN
}
