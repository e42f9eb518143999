import Bridge
import DPDKShim
import Packet

/// What admission knows of the frames of a receive queue that look like the one parsed last.
struct AdmissionPattern {
    var parse = ParsePattern()
    /// The protocol's row where no port tells another.
    private var portlessRow: UInt8 = 0
    private var ipProtocol: UInt8 = 0
    /// The row of the ports looked up last, which most often are the next frame's too. No row is that of port 0.
    private(set) var row: UInt8 = 0
    private(set) var ports: UInt32 = 0
    /// Longest frame that may enter, bytes, tag included.
    private(set) var longest: UInt32 = 0
    /// By how many bytes a frame gets shorter, as its priority tag (VID 0) comes off.
    private(set) var shortening: UInt32 = 0
    /// Where the VLAN of frames that match is taken from.
    private(set) var vlans = VLANSource.none
    /// The VLAN of the last frame in its place of an address; 0 where the bridge has none.
    private(set) var vlan: UInt64 = 0
    /// Its tag, as `ParsePattern.tag`; 0 where `vlans` is not `.tag`.
    private(set) var tag: UInt16 = 0

    enum VLANSource: UInt8 {
        /// The bridge has no VLANs, and the frames no tag that stays.
        case none
        /// The port: frames of one VLAN, which have no tag that stays.
        case port
        /// The frames have tags of any VLAN, which is theirs where the bridge has VLANs with tags of that type.
        case tag
    }

    @inline(__always) @_noLocks
    init() {}

    /// - Parameters:
    ///   - shortening: 4 where the tag has been taken off; else 0.
    ///   - vlan: the frame's VLAN, in its place of an address.
    @inline(__always) @_noLocks
    init(
        _ parse: ParsePattern, of bytes: UnsafeRawPointer, _ record: UnsafePointer<FrameRecord>, portlessRow: UInt8, longest: UInt32, shortening: UInt32,
        vlan: UInt64
    ) {
        self.parse = parse
        self.portlessRow = portlessRow
        ipProtocol = record.pointee.ipProtocol
        self.longest = longest
        self.shortening = shortening
        self.vlan = vlan
        row = portlessRow
        if record.pointee.tagCount != 0 {
            vlans = .tag
            tag = ParsePattern.tag(bytes)
            self.parse.takeAnyVLAN()
            if record.pointee.flags.has(.vlanTag) { form = bytes.bigEndian16(12) == EtherType.serviceVLAN ? .admitsServiceTag : .admitsTag }
        } else if vlan != 0 {
            vlans = .port
        }
    }

    /// The tag is that of the frame's VLAN, which the port has to admit with it; empty: it is not.
    private(set) var form = PortVLANs.Form(rawValue: 0)

    /// Takes down the row of the ports looked up last.
    @inline(__always) @_noLocks
    mutating func keep(_ row: UInt8, _ ports: UInt32) {
        self.row = row
        self.ports = ports
    }

    /// Takes down the last frame's tag and its VLAN in its place of an address.
    @inline(__always) @_noLocks
    mutating func keep(_ tag: UInt16, _ vlan: UInt64) {
        self.tag = tag
        self.vlan = vlan
        parse.setTag(tag)
    }

    /// The row of a frame with these ports.
    @inline(__always) @_noLocks
    func identified(_ ports: UInt32, _ protocols: ProtocolTable) -> UInt8 {
        protocols.identify(ports: ports, ipProtocol: ipProtocol, otherwise: portlessRow)
    }
}
