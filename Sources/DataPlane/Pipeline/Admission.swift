import Bridge
import DPDKShim
import Packet

/// What admission remembers of the last frame of a receive queue that it parsed, so that it can admit similar frames without parsing them.
struct AdmissionPattern {
    var parse = ParsePattern()
    /// The row of the protocol table for frames whose ports match no row.
    private var portlessRow: UInt8 = 0
    private var ipProtocol: UInt8 = 0
    /// What the marks of matching frames say of their row.
    private var trusted = TrustedRow.untrusted
    /// The row of the ports that were looked up last, which most often are the next frame's ports as well. Ports of 0 match no row, so that `portlessRow` is
    /// right at first.
    private(set) var row: UInt8 = 0
    private(set) var ports: UInt32 = 0
    /// The length in bytes of the longest frame that may enter, including its tag.
    private(set) var longest: UInt32 = 0
    /// The number of bytes by which frames get shorter because their priority tag (VID 0) is removed: 4 or 0.
    private(set) var shortening: UInt32 = 0
    /// Where the VLAN of matching frames comes from.
    private(set) var vlans = VLANSource.none
    /// The VLAN of the last frame, at its place in an address (bits 59-48); 0 if the bridge has no VLANs.
    private(set) var vlan: UInt64 = 0
    /// The last frame's tag, as `ParsePattern.tag` returns it; 0 if `vlans` is not `.tag`.
    private(set) var tag: UInt16 = 0

    enum VLANSource: UInt8 {
        /// The bridge has no VLANs, and the frames have no tag that stays on them.
        case none
        /// The port decides: all frames belong to one VLAN and have no tag that stays on them.
        case port
        /// The frames have tags with any VID. If the bridge has VLANs with tags of that type, the VID is the frame's VLAN.
        case tag
    }

    @inline(__always) @_noLocks
    init() {}

    /// - Parameters:
    ///   - shortening: 4 if the frame's priority tag was removed; 0 if not.
    ///   - vlan: the frame's VLAN, at its place in an address.
    @inline(__always) @_noLocks
    init(
        _ parse: ParsePattern, of bytes: UnsafeRawPointer, _ record: UnsafePointer<FrameRecord>, portlessRow: UInt8, _ trusted: TrustedRow, longest: UInt32,
        shortening: UInt32, vlan: UInt64
    ) {
        self.parse = parse
        self.portlessRow = portlessRow
        self.trusted = trusted
        ipProtocol = record.pointee.ipProtocol
        self.longest = longest
        self.shortening = shortening
        self.vlan = vlan
        row = trusted.or(portlessRow)
        if record.pointee.tagCount != 0 {
            vlans = .tag
            tag = ParsePattern.tag(bytes)
            self.parse.takeAnyVLAN()
            if record.pointee.flags.has(.vlanTag) { form = bytes.bigEndian16(12) == EtherType.serviceVLAN ? .admitsServiceTag : .admitsTag }
        } else if vlan != 0 {
            vlans = .port
        }
    }

    /// The form in which the port must admit the VID of a matching frame's tag; empty if the tag is not the tag of the frame's VLAN, so that it is not checked.
    private(set) var form = PortVLANs.Form(rawValue: 0)

    /// Remembers the row of the ports that were looked up last.
    @inline(__always) @_noLocks
    mutating func remember(_ row: UInt8, _ ports: UInt32) {
        self.row = row
        self.ports = ports
    }

    /// Remembers the last frame's tag, and its VLAN at its place in an address.
    @inline(__always) @_noLocks
    mutating func remember(_ tag: UInt16, _ vlan: UInt64) {
        self.tag = tag
        self.vlan = vlan
        parse.setTag(tag)
    }

    /// The row of the protocol table for a matching frame with these ports.
    @inline(__always) @_noLocks
    func identified(_ ports: UInt32, _ protocols: ProtocolTable) -> UInt8 {
        trusted.or(protocols.identify(ports: ports, ipProtocol: ipProtocol, otherwise: portlessRow))
    }
}
