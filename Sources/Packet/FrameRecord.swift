/// What the pipeline knows about one frame: written once by `parse`, then read by every later stage in place of the headers.
///
/// Trivial and 48 bytes long, so that a burst of 32 records stays within 24 cache lines. The lcore that received the frame is
/// the only one that writes it.
@frozen
public struct FrameRecord {
    /// Destination address: first octet on the wire most significant, below 2^48; 0 for a runt. On bridges with VLANs the admit stage adds the VLAN
    /// in bits 59-48 of both addresses.
    public var destination: UInt64
    /// Source address, as `destination`.
    public var source: UInt64
    /// Bytes of the whole frame, without FCS.
    public var length: UInt32
    /// The type behind the last tag that was followed (up to two). Values below 1536 are IEEE 802.3 lengths, kept as they are.
    public var etherType: UInt16
    /// Tag control information of the outermost tag (PCP, DEI, VID; IEEE 802.1Q, 9.6); 0 without a tag.
    public var tci: UInt16
    /// TCP or UDP ports; 0 unless `flags` has `.ports`. In this order both are one big-endian word of the header, swapped.
    public var destinationPort: UInt16
    public var sourcePort: UInt16
    /// Offset of the layer 4 header from the start of the frame; 0: there is none to read (not IP, a fragment, truncated).
    public var l4Offset: UInt16
    public var flags: Flags
    /// Offset of what follows the last tag: 14, 18 or 22; 0 for a runt.
    public var l3Offset: UInt8
    /// Tags in front of `etherType`: 0, 1 or 2.
    public var tagCount: UInt8
    /// IPv4 protocol, or the IPv6 next header behind the extension headers; `noIPProtocol`: not known.
    public var ipProtocol: UInt8
    /// Differentiated services code point (RFC 2474), 0 to 63; `noDSCP`: not IP.
    public var dscp: UInt8
    /// Row of the protocol table (`ProtocolTable.identify`); 0: the default row. `parse` writes 0.
    public var protocolID: UInt8
    /// Priority code point the frame arrived with, 0 to 7, kept when a priority tag is stripped; `noPCP`: it had no tag.
    public var pcp: UInt8

    // Not touched by `parse`: the room of the later stages.

    /// Guest the frame comes from (bridge stage).
    public var sourceGuest: UInt16
    /// Guest the frame goes to (bridge stage).
    public var destinationGuest: UInt16
    /// Port the frame came in by (admit stage).
    public var input: UInt16
    /// Port the frame leaves by (bridge stage).
    public var output: UInt16
    /// Where in its burst the run of frames ends that the record speaks of; it begins where the one before ends (admit stage).
    public var end: UInt16

    @inlinable @inline(__always)
    public init() {
        destination = 0
        source = 0
        length = 0
        etherType = 0
        tci = 0
        destinationPort = 0
        sourcePort = 0
        l4Offset = 0
        flags = Flags(rawValue: 0)
        l3Offset = 0
        tagCount = 0
        ipProtocol = Self.noIPProtocol
        dscp = Self.noDSCP
        protocolID = 0
        pcp = Self.noPCP
        sourceGuest = 0
        destinationGuest = 0
        input = 0
        output = 0
        end = 0
    }

    /// `ipProtocol` where there is none (255 is reserved by IANA).
    @inlinable @inline(__always) public static var noIPProtocol: UInt8 { @_noLocks get { 0xff } }
    /// `dscp` where there is none.
    @inlinable @inline(__always) public static var noDSCP: UInt8 { @_noLocks get { 0xff } }
    /// `pcp` where there is none.
    @inlinable @inline(__always) public static var noPCP: UInt8 { @_noLocks get { 8 } }

    /// Guests and ports as one word: source guest in bits 15-0, destination guest 31-16, input 47-32, output 63-48.
    @inlinable @inline(__always) public var forwarding: UInt64 {
        @_noLocks get {
            UInt64(sourceGuest) | UInt64(destinationGuest) &<< 16 | UInt64(input) &<< 32 | UInt64(output) &<< 48
        }
        @_noLocks set {
            sourceGuest = UInt16(truncatingIfNeeded: newValue)
            destinationGuest = UInt16(truncatingIfNeeded: newValue &>> 16)
            input = UInt16(truncatingIfNeeded: newValue &>> 32)
            output = UInt16(truncatingIfNeeded: newValue &>> 48)
        }
    }

    /// Where `sourceGuest` and `destinationGuest` stand, for what reads one or the other.
    @inlinable @inline(__always) public static var sourceGuestOffset: Int { @_noLocks get { 38 } }
    @inlinable @inline(__always) public static var destinationGuestOffset: Int { @_noLocks get { 40 } }

    /// VLAN identifier of the outermost tag; 0 without a tag or with a priority tag.
    @inlinable @inline(__always) public var vid: UInt16 { @_noLocks get { tci & 0x0fff } }

    @inlinable @inline(__always) public var hasPorts: Bool { @_noLocks get { flags.has(.ports) } }

    /// What `parse` found out.
    @frozen
    public struct Flags: OptionSet, Sendable {
        public var rawValue: UInt16
        @_noLocks @inlinable @inline(__always) public init(rawValue: UInt16) { self.rawValue = rawValue }

        // `OptionSet`'s own `insert` and `contains` are generic, which unoptimised builds cannot prove free of locks.
        @_noLocks @inlinable @inline(__always) public mutating func mark(_ flag: Flags) { rawValue |= flag.rawValue }
        @_noLocks @inlinable @inline(__always) public func has(_ flag: Flags) -> Bool { rawValue & flag.rawValue != 0 }

        @inlinable @inline(__always) public static var ipv4: Flags { @_noLocks get { Flags(rawValue: 1) } }
        @inlinable @inline(__always) public static var ipv6: Flags { @_noLocks get { Flags(rawValue: 2) } }
        /// `sourcePort` and `destinationPort` were read from a whole TCP or UDP header.
        @inlinable @inline(__always) public static var ports: Flags { @_noLocks get { Flags(rawValue: 4) } }
        /// A fragment of an IP datagram, the first one included. `parse` looks at no ports: `FragmentTable` does, so that all fragments fare alike.
        @inlinable @inline(__always) public static var fragment: Flags { @_noLocks get { Flags(rawValue: 8) } }
        /// A header ends behind the readable bytes or behind the length the IP header states.
        @inlinable @inline(__always) public static var truncated: Flags { @_noLocks get { Flags(rawValue: 16) } }
        /// A header contradicts itself: IP version, header length, or more extension headers than are followed.
        @inlinable @inline(__always) public static var malformed: Flags { @_noLocks get { Flags(rawValue: 32) } }
        /// Shorter than an Ethernet header; nothing but `length` is known.
        @inlinable @inline(__always) public static var runt: Flags { @_noLocks get { Flags(rawValue: 64) } }
        /// A group address as destination, broadcast included.
        @inlinable @inline(__always) public static var multicast: Flags { @_noLocks get { Flags(rawValue: 128) } }
        /// A priority tag was stripped on the way in.
        @inlinable @inline(__always) public static var priorityTagStripped: Flags { @_noLocks get { Flags(rawValue: 256) } }
        /// The outermost tag is that of the frame's VLAN (admit stage, on bridges with VLANs).
        @inlinable @inline(__always) public static var vlanTag: Flags { @_noLocks get { Flags(rawValue: 512) } }
    }
}
