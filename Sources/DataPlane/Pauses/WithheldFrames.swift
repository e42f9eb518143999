import DPDKShim
import Packet
import Scheduler

/// Frames of one port that were staged when the switch at the other end paused their priority, and that the port had not taken. They wait here, so that frames
/// of other priorities can leave, and go before all others of their priority when the pause ends. No more frames of a paused priority come from the tree, so
/// there are never more of one than an output holds.
struct WithheldFrames {
    /// For each priority as many places as an output has.
    private var frames: InlineArray<1024, Frame?>
    private var lengths: InlineArray<1024, UInt32>
    /// As in `HeldFrames`.
    private var leaves: InlineArray<1024, ClassID>
    private var times: InlineArray<1024, Nanoseconds>
    private var counts: InlineArray<8, Int>
    /// The priorities of which there are some, a bit for each.
    private(set) var priorities: UInt8

    /// Takes a staged frame.
    /// - Returns: false if there is no room, as frames of this priority came from the tree in spite of the pause: mirrors' copies may.
    @_noLocks
    mutating func take(_ priority: Int, _ frame: Frame, length: UInt32, leaf: ClassID, since time: Nanoseconds) -> Bool {
        let count = counts[unchecked: priority]
        if count == Output.capacity { return false }
        let place = priority &* Output.capacity &+ count
        frames[unchecked: place] = frame
        lengths[unchecked: place] = length
        leaves[unchecked: place] = leaf
        times[unchecked: place] = time
        counts[unchecked: priority] = count &+ 1
        priorities |= 1 &<< UInt8(truncatingIfNeeded: priority)
        return true
    }

    /// Stages all frames of a priority again, behind those that are staged.
    /// - Returns: false if there is no room for all of them; then none is staged.
    @_noLocks
    mutating func give(_ priority: Int, to output: UnsafeMutablePointer<Output>, _ held: UnsafeMutablePointer<HeldFrames>) -> Bool {
        let count = counts[unchecked: priority]
        if output.pointee.count &+ count > Output.capacity { return false }
        for index in 0..<count {
            let place = priority &* Output.capacity &+ index, staged = output.pointee.count
            output.pointee.frames[unchecked: staged] = frames[unchecked: place]
            output.pointee.lengths[unchecked: staged] = lengths[unchecked: place]
            output.pointee.count = staged &+ 1
            held.pointee.describe(staged, leaf: leaves[unchecked: place], since: times[unchecked: place])
        }
        counts[unchecked: priority] = 0
        priorities &= ~(1 &<< UInt8(truncatingIfNeeded: priority))
        return true
    }
}

/// Takes back what is staged for a port with these priorities.
@inline(never) @_noLocks
func withhold(_ paused: UInt8, from port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    let output = lcore.pointee.outputs + Int(port), held = lcore.pointee.held + Int(port), count = output.pointee.count
    guard paused != 0, count != 0, let store = lcore.pointee.withheld[Int(port)] else { return }
    let hadSome = store.pointee.priorities != 0, described = held.pointee.count
    var kept = 0
    held.pointee.count = 0
    for index in 0..<count {
        let frame = output.pointee.frames[unchecked: index].unsafelyUnwrapped, length = output.pointee.lengths[unchecked: index]
        let leaf = index < described ? held.pointee.leaves[unchecked: index] : 0, time = index < described ? held.pointee.times[unchecked: index] : 0
        if let priority = priority(of: frame), paused &>> UInt8(truncatingIfNeeded: priority) & 1 != 0,
            store.pointee.take(priority, frame, length: length, leaf: leaf, since: time) {
            continue
        }
        output.pointee.frames[unchecked: kept] = frame
        output.pointee.lengths[unchecked: kept] = length
        held.pointee.describe(kept, leaf: leaf, since: time)
        kept &+= 1
    }
    output.pointee.count = kept
    if !hadSome, store.pointee.priorities != 0 {
        lcore.pointee.withholding[lcore.pointee.withholdingCount] = port
        lcore.pointee.withholdingCount &+= 1
    }
}

/// Sends what was withheld of these priorities.
/// - Returns: the priorities for which there was no room: nothing else of them may be staged yet.
@inline(never) @_noLocks
func giveBack(_ priorities: UInt8, to port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> UInt8 {
    guard let store = lcore.pointee.withheld[Int(port)], store.pointee.priorities & priorities != 0 else { return 0 }
    let output = lcore.pointee.outputs + Int(port), held = lcore.pointee.held + Int(port)
    var rest = store.pointee.priorities & priorities, late: UInt8 = 0
    while rest != 0 {
        let priority = rest.trailingZeroBitCount
        rest &= rest &- 1
        if !store.pointee.give(priority, to: output, held) { late |= 1 &<< UInt8(truncatingIfNeeded: priority) }
    }
    if store.pointee.priorities == 0 {
        lcore.pointee.withholdingCount &-= 1
        for place in 0..<lcore.pointee.withholdingCount where lcore.pointee.withholding[place] == port {
            lcore.pointee.withholding[place] = lcore.pointee.withholding[lcore.pointee.withholdingCount]
        }
    }
    // What a full port does not take is sent with what was staged before (`retryParked`).
    if output.pointee.isParked { return late }
    let staged = touch(port, lcore).pointee.count
    sendTouched(lcore, snapshot)
    if held.pointee.count != 0 { countDelays(of: port, taken: staged &- output.pointee.count, lcore, snapshot) }
    // Of frames that wait for another loop only, nobody counts the delays.
    if !output.pointee.isParked { held.pointee.count = 0 }
    return late
}

/// Sends what was withheld from ports whose priorities can no longer be paused.
@inline(never) @_noLocks
func giveBackUnpausable(_ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    var place = lcore.pointee.withholdingCount
    while place > 0 {
        place &-= 1
        let port = lcore.pointee.withholding[place]
        if snapshot.pointee.pauses.view(of: port) == nil { _ = giveBack(0xff, to: port, lcore, snapshot) }
    }
}

/// The priority with which a staged frame leaves; nil: it has no tag, as frames about the link itself.
@inline(__always) @_noLocks
private func priority(of frame: Frame) -> Int? {
    guard sluice_frame_contiguous(frame) >= 16, let start = sluice_frame_bytes(frame) else { return nil }
    let bytes = UnsafeRawPointer(start), type = bytes.bigEndian16(12)
    return type == EtherType.vlan || type == EtherType.serviceVLAN ? Int(bytes.bigEndian16(14) &>> 13) : nil
}
