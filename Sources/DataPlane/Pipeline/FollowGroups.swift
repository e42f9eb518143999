import Bridge
import DPDKShim
import Packet

/// Does what `flood` does, on a bridge that follows groups (IGMP and MLD snooping): frames for a group go to the ports that have joined it and to routers, and
/// membership reports go to routers only. The control thread keeps track of who joins and leaves; it gets copies of the frames that show it (RFC 4541, 2.1).
/// Each frame of a run is examined, because several groups share one Ethernet address.
@inline(never) @_noLocks
func followGroups(
    _ frames: UnsafeMutablePointer<Frame?>, _ lengths: UnsafeMutablePointer<UInt32>, _ count: Int, _ record: UnsafeMutablePointer<FrameRecord>,
    _ source: PortIndex, _ everybody: UnsafeMutableBufferPointer<PortIndex>, _ gate: FloodGate, _ groups: UnsafeMutablePointer<GroupSlot>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let table = groups.pointee.table.load(ordering: .acquiring).unsafelyUnwrapped
    let vlan = PortVLANs.vlan(of: record.pointee.destination)
    let goesByUplink = snapshot.pointee.ports[unchecked: Int(source)].flags.has(.detours)
    for place in 0..<count {
        let frame = frames[place].unsafelyUnwrapped
        let traffic = GroupTraffic.read(sluice_frame_bytes(frame).unsafelyUnwrapped, limit: Int(sluice_frame_contiguous(frame)), record)
        switch traffic.kind {
        case .everybody, .data: break
        case .query, .report, .router:
            if !punt(frame, .group, from: source, vlan: vlan, lcore) {
                lcore.pointee.counters[Int(source)].count(drop: .puntLimit)
                noteDrop(frame, .puntLimit, source, lcore)
                sluice_frame_free(frame)
                continue
            }
        }
        // Frames of such a port take the uplink whatever group they are for, because the switch there follows groups as well.
        if !goesByUplink, let ports = table.pointee.ports(traffic, vlan: vlan) {
            replicate(frame, lengths[place], ports, gate.forMembers, mayCrowd: true, record, source, lcore, snapshot)
        } else {
            let mayCrowd = FloodShare.consume(from: lcore.pointee.floodedUntil + Int(source), bytes: lengths[place], at: lcore.pointee.now)
            replicate(frame, lengths[place], everybody, gate, mayCrowd: mayCrowd, record, source, lcore, snapshot)
        }
    }
}
