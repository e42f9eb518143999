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
    private var ports: UInt32 = 0
    /// Longest frame that may enter, bytes, tag included.
    private var longest: UInt32 = 0
    /// By how many bytes a frame gets shorter, as its priority tag (VID 0) comes off.
    private(set) var shortening: UInt32 = 0

    @inline(__always) @_noLocks
    init() {}

    @inline(__always) @_noLocks
    init(_ parse: ParsePattern, portlessRow: UInt8, ipProtocol: UInt8, longest: UInt32, shortening: UInt32) {
        self.parse = parse
        self.portlessRow = portlessRow
        self.ipProtocol = ipProtocol
        self.longest = longest
        self.shortening = shortening
        row = portlessRow
    }

    /// Whether a frame looks like the pattern and is not too long; its addresses are not looked at.
    @inline(__always) @_noLocks
    func admits(_ bytes: UnsafeRawPointer, length: UInt32, contiguous: UInt16) -> Bool {
        length <= longest && parse.matches(bytes, readable: min(length, UInt32(contiguous)))
    }

    /// Sets `row` to that of a frame with these ports.
    @inline(__always) @_noLocks
    mutating func identify(_ ports: UInt32, _ protocols: ProtocolTable) {
        if ports == self.ports { return }
        self.ports = ports
        row = identified(ports, protocols)
    }

    @inline(__always) @_noLocks
    func identified(_ ports: UInt32, _ protocols: ProtocolTable) -> UInt8 {
        protocols.identify(ports: ports, ipProtocol: ipProtocol, otherwise: portlessRow)
    }
}
