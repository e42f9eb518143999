/// Why a frame that was received (or copied for flooding) was not delivered. Each group of reasons says at which port they are counted. A new reason needs one
/// case and its row.
public enum DropReason: UInt8, CaseIterable, Sendable {
    // These are counted at the port that the frame came in by.
    /// The port's link had no room for the frame, because the poll loop did not fetch frames in time.
    case missed
    /// The port's link received the frame damaged.
    case receiveError
    /// The frame was shorter than an Ethernet header (`runt`), or longer than the port's MTU allows (`oversized`).
    case runt, oversized
    /// The source address is a group address or zero (IEEE 802.1D, 7.8).
    case invalidSource
    /// The port does not admit frames of this VLAN.
    case vlanNotAllowed
    /// The source address belongs to none of the port's guests, or it is bound to another port.
    case spoofedSource
    /// The source IP address is not one of the port's (`spoofedAddress`), or the frame is a DHCP server's answer or a router's advertisement, which the port
    /// may not send (`guarded`).
    case spoofedAddress, guarded
    /// The frame is of Fibre Channel over Ethernet, and its source address was not granted to the port, or it is one that nodes do not send.
    case fcoeNotGranted
    /// The filter of what comes in by the port denied the frame.
    case filtered
    /// The port is locked, and the source address is not configured for it.
    case portLocked
    /// Both the port that the frame came in by and the destination's port are isolated.
    case isolated
    /// The switch beyond the uplink sent back a frame of a local guest, and it is not meant for the guest that it is addressed to.
    case reflected
    /// There were more broadcasts, multicasts or frames to unknown addresses than the port's storm control lets in.
    case stormBroadcast, stormMulticast, stormUnknown
    /// A spanning tree frame came in by a port that is set to `guard`, which shuts the port; or any frame came in while the port was shut.
    case bpduGuard
    /// The frame is for the switch itself, and the port has sent more of those than its budget allows.
    case puntLimit
    /// MAC control (pause, PFC): a bridge consumes these frames and never forwards them (IEEE 802.1Q, table 8-1).
    case macControl
    /// The destination is another reserved group address, 01-80-C2-00-00-0X, which is never forwarded (IEEE 802.1Q, table 8-1).
    case reservedAddress
    /// The destination is behind the port that the frame came in by.
    case sourcePort
    /// The frame was to be flooded, and no port was there to receive it.
    case noDestination

    // These are counted at the port that the frame would have left by.
    /// The port has no guest connected, or its link is down.
    case portDown
    /// The port is not a member of the frame's VLAN.
    case outputNotInVLAN
    /// The filter of what leaves by the port denied the frame.
    case outputFiltered
    /// The frame is longer than the output's MTU allows.
    case exceedsMTU
    /// There was no class for the frame, because its port was being removed.
    case noClass
    /// The queue of the frame's class was full.
    case queueLimit
    /// The frame was flooded, as were many others from its port, and others used the rate of its class or filled its queue; see `FloodShare`.
    case floodShare
    /// The frame's class already held its share of the buffer.
    case bufferShare
    /// The buffer that all classes share was full.
    case bufferFull
    /// There was no buffer for a copy that flooding or tagging needed.
    case noBuffer
    /// CoDel dropped the frame to keep its class's delay low.
    case codel
    /// The frame's class was removed while the frame waited.
    case classRemoved
    /// The frame's headers do not agree with the checksum offload that its sender requested.
    case badOffload
    /// The receiver did not take the frame for 100 ms: no buffer in its ring was long enough, or it has stopped.
    case notTaken
    /// The frame's port was removed while the frame waited.
    case portRemoved

    /// How far a frame had come when it was dropped. This determines how its bridge counts it.
    enum Place {
        /// The frame never reached the bridge.
        case link
        /// The bridge received the frame, and forwarded it to nobody.
        case entrance
        /// The bridge was flooding the frame and has counted it as flooded.
        case flood
        /// The bridge has forwarded or flooded the frame.
        case exit
    }

    /// The reason's name in the CLI, JSON and metrics. A reason that exists at the entrance and at the exit has one name for both.
    public var name: String { row.name }
    var place: Place { row.place }

    private var row: (name: String, place: Place) {
        switch self {
        case .missed: ("missed", .link)
        case .receiveError: ("receive_error", .link)
        case .runt: ("runt", .entrance)
        case .oversized: ("oversized", .entrance)
        case .invalidSource: ("invalid_source", .entrance)
        case .vlanNotAllowed: ("vlan_not_allowed", .entrance)
        case .spoofedSource: ("spoofed_source", .entrance)
        case .spoofedAddress: ("spoofed_address", .entrance)
        case .guarded: ("guarded", .entrance)
        case .fcoeNotGranted: ("fcoe_not_granted", .entrance)
        case .filtered: ("filtered", .entrance)
        case .portLocked: ("port_locked", .entrance)
        case .isolated: ("isolated", .entrance)
        case .reflected: ("reflected", .entrance)
        case .stormBroadcast: ("storm_broadcast", .entrance)
        case .stormMulticast: ("storm_multicast", .entrance)
        case .stormUnknown: ("storm_unknown", .entrance)
        case .bpduGuard: ("bpdu_guard", .entrance)
        case .puntLimit: ("punt_limit", .flood)
        case .macControl: ("mac_control", .entrance)
        case .reservedAddress: ("reserved_address", .entrance)
        case .sourcePort: ("source_port", .entrance)
        case .noDestination: ("no_destination", .flood)
        case .portDown: ("port_down", .exit)
        case .outputNotInVLAN: ("vlan_not_allowed", .exit)
        case .outputFiltered: ("filtered", .exit)
        case .exceedsMTU: ("exceeds_mtu", .exit)
        case .noClass: ("no_class", .exit)
        case .queueLimit: ("queue_limit", .exit)
        case .floodShare: ("flood_share", .exit)
        case .bufferShare: ("buffer_share", .exit)
        case .bufferFull: ("buffer_full", .exit)
        case .noBuffer: ("no_buffer", .exit)
        case .codel: ("codel", .exit)
        case .classRemoved: ("class_removed", .exit)
        case .badOffload: ("bad_offload", .exit)
        case .notTaken: ("not_taken", .exit)
        case .portRemoved: ("port_removed", .exit)
        }
    }
}
