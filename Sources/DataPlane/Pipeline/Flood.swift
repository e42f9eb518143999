import Bridge
import DPDKShim
import Packet

/// Enqueues frames for every other port of their bridge that receives such frames. The copies share the frames' bytes; a stage that writes them makes its own
/// copy first.
@inline(never) @_noLocks
func flood(
    _ frames: UnsafeMutablePointer<Frame?>, _ lengths: UnsafeMutablePointer<UInt32>, _ count: Int, _ record: UnsafeMutablePointer<FrameRecord>,
    _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let bridge = snapshot.pointee.bridges.baseAddress.unsafelyUnwrapped + Int(snapshot.pointee.ports[unchecked: Int(source)].bridge)
    let members = bridge.pointee.sets?.ports(of: PortVLANs.vlan(of: record.pointee.destination)) ?? bridge.pointee.members
    lcore.pointee.counters[Int(source)].floodedFrames &+= UInt64(truncatingIfNeeded: count)
    lcore.pointee.stalls.excuse(turn: lcore.pointee.turns.load(ordering: .relaxed), frames: count &* members.count)
    let gate = FloodGate(record, from: source, snapshot)
    if let groups = bridge.pointee.groups, record.pointee.flags.has(.multicast) {
        return followGroups(frames, lengths, count, record, source, members, gate, groups, lcore, snapshot)
    }
    for place in 0..<count {
        let mayCrowd = FloodShare.consume(from: lcore.pointee.floodedUntil + Int(source), bytes: lengths[place], at: lcore.pointee.now)
        replicate(frames[place].unsafelyUnwrapped, lengths[place], members, gate, mayCrowd: mayCrowd, record, source, lcore, snapshot)
    }
}

/// Enqueues a frame for each of `members` that the gate admits. The last receiver gets the frame itself, so a frame with one receiver is never copied.
/// - Parameter mayCrowd: whether it is also put into queues that take nothing in excess of its sender's share; see `FloodShare`.
@_noLocks
func replicate(
    _ frame: Frame, _ length: UInt32, _ members: UnsafeMutableBufferPointer<PortIndex>, _ gate: FloodGate, mayCrowd: Bool,
    _ record: UnsafeMutablePointer<FrameRecord>, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    var waiting: PortIndex = flooded
    for index in 0..<members.count {
        let member = members[unchecked: index]
        let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(member)
        if !gate.admits(member, view.pointee.flags) { continue }
        // A port may be gone while the group table still names it as a member.
        guard let link = view.pointee.link, link.pointee.connection.load(ordering: .relaxed) >= 0 else { continue }
        if waiting != flooded {
            let counters = lcore.pointee.counters + Int(waiting)
            counters.pointee.copiedFrames &+= 1
            counters.pointee.copiedBytes &+= UInt64(length)
            if let copy = sluice_frame_clone(frame, lcore.pointee.pool) {
                deliver(copy, length, to: waiting, mayCrowd: mayCrowd, record, source, lcore, snapshot)
            } else {
                counters.pointee.count(drop: .noBuffer)
                noteDrop(frame, .noBuffer, waiting, lcore, isNew: false)
            }
        }
        waiting = member
    }
    if waiting == flooded {
        lcore.pointee.counters[Int(source)].count(drop: .noDestination)
        noteDrop(frame, .noDestination, source, lcore)
        sluice_frame_free(frame)
    } else {
        deliver(frame, length, to: waiting, mayCrowd: mayCrowd, record, source, lcore, snapshot)
    }
}

/// Queues one frame for a port, in the class that it belongs to there; or frees and counts it.
@_noLocks
private func deliver(
    _ frame: Frame, _ length: UInt32, to output: PortIndex, mayCrowd: Bool, _ record: UnsafeMutablePointer<FrameRecord>, _ source: PortIndex,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let way = Way(to: output, lcore, snapshot)
    // Its guest may have gone since the port was chosen.
    guard way.hasTree else {
        lcore.pointee.counters[Int(output)].count(drop: .portDown)
        noteDrop(frame, .portDown, output, lcore)
        sluice_frame_free(frame)
        return
    }
    record.pointee.destinationGuest = way.receiver(record)
    var isUniform = true
    let (key, growth) = way.classify(record, run: 0, way.tagging, &isUniform)
    if !mayCrowd, key.hasLeaf, !snapshot.pointee.trees[unchecked: Int(way.port.pointee.tree)].tree.pointee.takesExcessFlood(key.leaf, at: lcore.pointee.now) {
        lcore.pointee.counters[Int(output)].count(drop: .floodShare)
        noteDrop(frame, .floodShare, output, lcore)
        sluice_frame_free(frame)
        return
    }
    var one: Frame? = frame, charged = length &+ growth
    divert(&one, &charged, 1, key, source, lcore, snapshot)
}
