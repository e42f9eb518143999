/// Why a frame that was received (or copied for flooding) was not delivered. A drop is counted at the port named with each reason.
/// A new reason is one case and its name.
public enum DropReason: UInt8, CaseIterable, Sendable {
    // At the port it came in by.
    /// Its link had no room for it: the poll loop did not take frames in time.
    case missed
    /// Its link found it damaged.
    case receiveError
    /// Shorter than an Ethernet header, or longer than the port's MTU allows.
    case runt, oversized
    /// The source address is a group address or zero (IEEE 802.1D, 7.8).
    case invalidSource
    /// The port lets in no frame of its VLAN, or it leaves by a port that is not in its VLAN.
    case vlanNotAllowed
    /// The source address is not one of the port's guests', or is bound to another port.
    case spoofedSource
    /// Its IP address is not one of the port's; it is a DHCP server's answer or a router's advertisement, which the port may not send.
    case spoofedAddress, guarded
    /// A filter denies it: of the port it came in by, or of the one it would have left by.
    case filtered
    /// The port is locked, and the source address none that is configured for it.
    case portLocked
    /// It and the port that the destination is behind are isolated.
    case isolated
    /// A guest's own frame that the switch at the uplink sent back, for a guest that is not to have it.
    case reflected
    /// More frames for everybody, for groups, for addresses that are not known, than the port's storm control lets in.
    case stormBroadcast, stormMulticast, stormUnknown
    /// A spanning tree frame at a port that is to have none, which it shuts; and what comes in as long as that is so.
    case bpduGuard
    /// For the switch itself, and more than the port may ask of it.
    case puntLimit
    /// MAC control (pause, PFC): consumed by a bridge, never forwarded (IEEE 802.1Q, table 8-1).
    case macControl
    /// Another reserved group address 01-80-C2-00-00-0X, never forwarded (IEEE 802.1Q, table 8-1).
    case reservedAddress
    /// The destination is behind the port the frame came from.
    case sourcePort
    /// A flooded frame with nobody to flood it to.
    case noDestination

    // At the port it would have left by.
    /// The port has no guest connected, or its link is down.
    case portDown
    /// Longer than the output's MTU allows.
    case exceedsMTU
    /// No class for it: the port was being removed.
    case noClass
    /// Its class's queue was full.
    case queueLimit
    /// Its class held all that it may of the shared buffer.
    case bufferShare
    /// The shared buffer was full.
    case bufferFull
    /// No buffer for the copy that flooding or tagging needed.
    case noBuffer
    /// Its class dropped it to keep its delay (CoDel).
    case codel
    /// Its class was removed while it waited.
    case classRemoved
    /// Its headers do not hold what its offload request says.
    case badOffload
    /// The receiver did not take it in 100 ms: its ring has room but no buffer as long as the frame, or it has stopped.
    case notTaken
    /// Its port was removed while it waited.
    case portRemoved

    /// The name under which CLI, JSON and metrics show it.
    public var name: String {
        switch self {
        case .missed: "missed"
        case .receiveError: "receive_error"
        case .runt: "runt"
        case .oversized: "oversized"
        case .invalidSource: "invalid_source"
        case .vlanNotAllowed: "vlan_not_allowed"
        case .spoofedSource: "spoofed_source"
        case .spoofedAddress: "spoofed_address"
        case .guarded: "guarded"
        case .filtered: "filtered"
        case .portLocked: "port_locked"
        case .isolated: "isolated"
        case .reflected: "reflected"
        case .stormBroadcast: "storm_broadcast"
        case .stormMulticast: "storm_multicast"
        case .stormUnknown: "storm_unknown"
        case .bpduGuard: "bpdu_guard"
        case .puntLimit: "punt_limit"
        case .macControl: "mac_control"
        case .reservedAddress: "reserved_address"
        case .sourcePort: "source_port"
        case .noDestination: "no_destination"
        case .portDown: "port_down"
        case .exceedsMTU: "exceeds_mtu"
        case .noClass: "no_class"
        case .queueLimit: "queue_limit"
        case .bufferShare: "buffer_share"
        case .bufferFull: "buffer_full"
        case .noBuffer: "no_buffer"
        case .codel: "codel"
        case .classRemoved: "class_removed"
        case .badOffload: "bad_offload"
        case .notTaken: "not_taken"
        case .portRemoved: "port_removed"
        }
    }
}
