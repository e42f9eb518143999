/// What the pipeline knows about one frame. `parse` writes it once; every later stage reads it instead of the headers.
///
/// The record is trivial and 48 bytes long, so a burst of 32 records takes 24 cache lines. Only the lcore that received the frame writes it.
@frozen
public struct FrameRecord {
    /// Destination address as a number below 2^48 whose most significant octet is the first on the wire; 0 for a runt. On bridges with VLANs the admit stage
    /// adds the VLAN in bits 59-48 of both addresses.
    public var destination: UInt64
    /// Source address, in the form of `destination`.
    public var source: UInt64
    /// Length of the whole frame in bytes, without FCS.
    public var length: UInt32
    /// EtherType behind the VLAN tags, of which `parse` skips up to two. A value below 1536 is an IEEE 802.3 length and is kept as it is.
    public var etherType: UInt16
    /// Tag control information of the outermost tag (PCP, DEI, VID; IEEE 802.1Q, 9.6); 0 without a tag.
    public var tci: UInt16
    /// TCP or UDP destination port; 0 unless `flags` has `.ports`. It stands before `sourcePort` so that on a little-endian machine both fields are the
    /// header's two ports, one big-endian word, after a single byte swap.
    public var destinationPort: UInt16
    /// TCP or UDP source port; 0 unless `flags` has `.ports`.
    public var sourcePort: UInt16
    /// Offset of the layer 4 header from the start of the frame; 0 if there is none to read (not IP, a fragment, or truncated).
    public var l4Offset: UInt16
    public var flags: Flags
    /// Offset of what follows the EtherType: 14, 18 or 22, depending on the number of tags; 0 for a runt.
    public var l3Offset: UInt8
    /// Number of VLAN tags in front of `etherType`: 0, 1 or 2.
    public var tagCount: UInt8
    /// IPv4 protocol, or the IPv6 next header behind the extension headers; `noIPProtocol` if it is not known.
    public var ipProtocol: UInt8
    /// Differentiated services code point (RFC 2474), 0 to 63; `noDSCP` if the frame is not IP.
    public var dscp: UInt8
    /// Row of the protocol table (`ProtocolTable.identify`); 0 is the default row. `parse` writes 0.
    public var protocolID: UInt8
    /// Priority code point that the frame arrived with, 0 to 7, which is kept when a priority tag is stripped; `noPCP` if the frame had no tag.
    public var pcp: UInt8

    // `parse` does not write the following fields; they belong to the later stages.

    /// Guest that the frame comes from (written by the bridge stage).
    public var sourceGuest: UInt16
    /// Guest that the frame goes to (written by the bridge stage).
    public var destinationGuest: UInt16
    /// Port that the frame came in by (written by the admit stage).
    public var input: UInt16
    /// Port that the frame leaves by (written by the bridge stage).
    public var output: UInt16
    /// A record may describe a run of consecutive frames of its burst. This is the index behind the run's last frame; the run begins where the record before
    /// ends (written by the admit stage).
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

    /// Value of `ipProtocol` if the protocol is not known (255 is reserved by IANA).
    @inlinable @inline(__always) public static var noIPProtocol: UInt8 { @_noLocks get { 0xff } }
    /// Value of `dscp` if the frame has none.
    @inlinable @inline(__always) public static var noDSCP: UInt8 { @_noLocks get { 0xff } }
    /// Value of `pcp` if the frame had no tag.
    @inlinable @inline(__always) public static var noPCP: UInt8 { @_noLocks get { 8 } }

    /// Both guests and both ports as one word: source guest in bits 15-0, destination guest in 31-16, input in 47-32, output in 63-48.
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

    /// Byte offsets of `sourceGuest` and `destinationGuest` within the record, for code that reads either of them by offset.
    @inlinable @inline(__always) public static var sourceGuestOffset: Int { @_noLocks get { 38 } }
    @inlinable @inline(__always) public static var destinationGuestOffset: Int { @_noLocks get { 40 } }

    /// VLAN identifier of the outermost tag; 0 if the frame has no tag or a priority tag.
    @inlinable @inline(__always) public var vid: UInt16 { @_noLocks get { tci & 0x0fff } }

    @inlinable @inline(__always) public var hasPorts: Bool { @_noLocks get { flags.has(.ports) } }

    /// What `parse` and the admit stage found out about the frame.
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
        /// The frame is a fragment of an IP datagram, possibly the first. `parse` reads no ports of fragments; `FragmentTable` does, so that all fragments of a
        /// datagram are treated alike.
        @inlinable @inline(__always) public static var fragment: Flags { @_noLocks get { Flags(rawValue: 8) } }
        /// A header extends beyond the readable bytes or beyond the length that the IP header states.
        @inlinable @inline(__always) public static var truncated: Flags { @_noLocks get { Flags(rawValue: 16) } }
        /// A header contradicts itself (IP version or header length), or there are more than `maximumExtensionHeaders` IPv6 extension headers.
        @inlinable @inline(__always) public static var malformed: Flags { @_noLocks get { Flags(rawValue: 32) } }
        /// The frame is shorter than an Ethernet header; nothing but `length` is known.
        @inlinable @inline(__always) public static var runt: Flags { @_noLocks get { Flags(rawValue: 64) } }
        /// The destination is a group address, broadcast included.
        @inlinable @inline(__always) public static var multicast: Flags { @_noLocks get { Flags(rawValue: 128) } }
        /// A priority tag was stripped on the way in.
        @inlinable @inline(__always) public static var priorityTagStripped: Flags { @_noLocks get { Flags(rawValue: 256) } }
        /// The outermost tag is the tag of the frame's VLAN (set by the admit stage on bridges with VLANs).
        @inlinable @inline(__always) public static var vlanTag: Flags { @_noLocks get { Flags(rawValue: 512) } }
    }
}
