import Bridge
import DCB
import DPDKShim
import Packet

/// A frame of the switch's own that a poll loop is to send. It lies in the control thread's memory, which frees it once the loop has carried out the command.
struct Injection {
    /// The frame without tags.
    let bytes: UnsafeMutableBufferPointer<UInt8>
    /// The frame's VLAN; 0: its bridge has no VLANs.
    let vlan: UInt16
    /// Whether the frame is about the link itself, such as LLDP's: it leaves without a tag, whatever the port's VLANs are (IEEE 802.1AB, 7.3).
    var isOfLink = false
    let ports: UnsafeMutableBufferPointer<PortIndex>

    init(_ bytes: [UInt8], vlan: UInt16, ports: [PortIndex]) {
        self.bytes = .copy(bytes)
        self.vlan = vlan
        self.ports = .copy(ports)
    }

    /// - Parameter bytes: a frame about the link of `port`.
    init(ofLink bytes: [UInt8], port: PortIndex) {
        self.init(bytes, vlan: 0, ports: [port])
        isOfLink = true
    }

    func deallocate() {
        bytes.deallocate()
        ports.deallocate()
    }
}

/// Sends a frame of the switch's own by each of its ports, with their tags. The frame bypasses the trees, so that no guest's backlog can delay it, and is
/// charged to no class, as the control thread sends only a few such frames a second. A port whose ring is full does not get it.
@inline(never) @_noLocks
func inject(_ injection: UnsafeMutablePointer<Injection>, _ lcore: UnsafeMutablePointer<Lcore>) {
    let snapshot = lcore.pointee.snapshot.load(ordering: .acquiring).unsafelyUnwrapped
    let bytes = injection.pointee.bytes, record = lcore.pointee.records
    let start = bytes.baseAddress.unsafelyUnwrapped
    parse(start, contiguous: bytes.count, length: UInt32(truncatingIfNeeded: bytes.count), into: record)
    record.pointee.destination |= UInt64(injection.pointee.vlan) &<< 48
    // The operator may have a row for such frames.
    let row = snapshot.pointee.protocols.identify(record)
    for index in 0..<injection.pointee.ports.count {
        let port = injection.pointee.ports[unchecked: index]
        let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
        let pcp = row == ProtocolTable.defaultRow ? PriorityTagger.networkControl : view.pointee.tagger?.pcp(row: row) ?? PriorityTagger.leave
        guard let link = view.pointee.link, link.pointee.connection.load(ordering: .relaxed) >= 0, !view.pointee.flags.has(.shut),
            let action = injection.pointee.isOfLink ? EgressTag(TagAction(.keep)) : egressAction(record, view, pcp: pcp)
        else { continue }
        let counters = lcore.pointee.counters + Int(port), output = lcore.pointee.outputs + Int(port)
        let tag = action.and(view.pointee.wants)
        counters.pointee.injected &+= 1
        counters.pointee.injectedBytes &+= UInt64(truncatingIfNeeded: bytes.count) &+ UInt64(tag.growth)
        if output.pointee.count != 0, !output.pointee.isParked { sendTouched(lcore, snapshot) }
        if output.pointee.count != 0 {
            counters.pointee.count(drop: .notTaken)
            continue
        }
        guard let frame = sluice_frame_allocate(lcore.pointee.pool, UInt16(truncatingIfNeeded: bytes.count)) else {
            counters.pointee.count(drop: .noBuffer)
            continue
        }
        sluice_copy(sluice_frame_bytes(frame), start, bytes.count)
        stage(frame, tag, for: port, lcore, snapshot)
        sendTouched(lcore, snapshot)
    }
}
