import Bridge
import DPDKShim
import Packet

/// As `flood`, on a bridge that follows groups: frames for a group go to the ports that have joined it and to routers, membership reports to routers, and
/// the control thread, which follows who joins and leaves, gets a copy of what tells it (RFC 4541, 2.1). Each frame is looked at: several groups have one
/// Ethernet address.
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
                sluice_frame_free(frame)
                continue
            }
        }
        // By the uplink whatever they are for: the switch there follows groups, too.
        if !goesByUplink, let ports = table.pointee.ports(traffic, vlan: vlan) {
            replicate(frame, lengths[place], ports, gate.forMembers, record, source, lcore, snapshot)
        } else {
            replicate(frame, lengths[place], everybody, gate, record, source, lcore, snapshot)
        }
    }
}
