import Packet

/// Decides from a frame's addresses alone where it may go, before the forwarding database is asked.
///
/// Sources: IEEE 802.1Q, 8.6.3 and table 8-1 (reserved addresses); the Linux bridge, net/bridge/br_input.c.
public enum BridgeRules {
    /// What a frame's addresses alone decide.
    @frozen
    public enum Verdict: UInt8, Sendable {
        /// The destination is an individual address: look it up.
        case unicast
        /// The destination is a group address: flood.
        case flood
        /// The source is a group address, which is invalid (IEEE 802, 8.2: sources are individual addresses). Drop.
        case multicastSource
        /// The source is 00-00-00-00-00-00. Drop.
        case zeroSource
        /// The destination is 01-80-C2-00-00-01: pause or priority flow control, which ends at the link (IEEE 802.3, 31B and 31D). Drop.
        case pause
        /// The destination is 01-80-C2-00-00-0E, "nearest bridge": LLDP, which goes to this switch's own agent and is never forwarded.
        case lldp
        /// The destination is another of 01-80-C2-00-00-00 to -0F: spanning tree, LACP, 802.1X and the like, which are never forwarded.
        case linkLocal
        /// The frame is shorter than an Ethernet header. Drop.
        case runt
    }

    /// 01-80-C2-00-00-00, the first of the sixteen addresses that bridges do not forward.
    @inlinable @inline(__always) public static var reservedGroup: UInt64 { @_noLocks get { 0x0180_c200_0000 } }

    /// The verdict on a parsed frame. An invalid source is found first, because such a frame is invalid whatever its destination is.
    @_noLocks @inlinable @inline(__always)
    public static func verdict(_ record: UnsafePointer<FrameRecord>) -> Verdict {
        let source = record.pointee.source
        let destination = record.pointee.destination
        if !isIndividual(source) { return badSource(record) }
        if destination & groupBit == 0 { return .unicast }
        if destination & ~0x0f == reservedGroup { return reserved(destination) }
        return .flood
    }

    /// Whether `mac` may be a source address: it is neither a group address nor zero.
    @_noLocks @inlinable @inline(__always)
    public static func isIndividual(_ mac: UInt64) -> Bool { mac & groupBit == 0 && mac != 0 }

    /// Bit 40: the first octet's least significant bit (IEEE 802, 8.2).
    @inlinable @inline(__always) static var groupBit: UInt64 { @_noLocks get { 1 &<< 40 } }

    @_noLocks @usableFromInline
    static func badSource(_ record: UnsafePointer<FrameRecord>) -> Verdict {
        if record.pointee.flags.has(.runt) { return .runt }
        return record.pointee.source == 0 ? .zeroSource : .multicastSource
    }

    @_noLocks @usableFromInline
    static func reserved(_ destination: UInt64) -> Verdict {
        switch destination & 0x0f {
        case 0x01: .pause
        case 0x0e: .lldp
        default: .linkLocal
        }
    }
}
