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
    /// The frames' VLAN in its place of an address; 0 where the bridge has none.
    private(set) var vlan: UInt64 = 0

    @inline(__always) @_noLocks
    init() {}

    @inline(__always) @_noLocks
    init(_ parse: ParsePattern, portlessRow: UInt8, ipProtocol: UInt8, longest: UInt32, shortening: UInt32, vlan: UInt64) {
        self.parse = parse
        self.portlessRow = portlessRow
        self.ipProtocol = ipProtocol
        self.longest = longest
        self.shortening = shortening
        self.vlan = vlan
        row = portlessRow
    }

    /// Takes down the row of the ports looked up last.
    @inline(__always) @_noLocks
    mutating func keep(_ row: UInt8, _ ports: UInt32) {
        self.row = row
        self.ports = ports
    }

    /// The row of a frame with these ports.
    @inline(__always) @_noLocks
    func identified(_ ports: UInt32, _ protocols: ProtocolTable) -> UInt8 {
        protocols.identify(ports: ports, ipProtocol: ipProtocol, otherwise: portlessRow)
    }
}
