/// What a frame that was parsed looks like where `parse` looks: one that looks the same needs no parse of its own, whatever its addresses are, as long
/// as none is a group's, and whatever its length and ports.
///
/// Only frames with at most one tag, IPv4 without options or IPv6 without extension headers, and a whole TCP or UDP header have a pattern: all that
/// tells them from others lies in octets 12 to 27 and in the length that the IP header states. It holds copies; the frame may go.
@frozen
public struct ParsePattern: Sendable {
    /// The first 32 octets as they lie there, but for the group bits of both addresses, which are 0, and which of their bits count.
    @usableFromInline var header = SIMD4<UInt64>()
    @usableFromInline var mask = SIMD4<UInt64>()
    /// Of those octets the addresses and the length that the IP header states.
    @usableFromInline var likenessMask = SIMD4<UInt64>()
    /// Octets 16 to 47 of the record.
    @usableFromInline var fields = SIMD4<UInt64>()
    /// Bytes that a frame must have: to the end of its TCP or UDP header. Without a pattern more than any has.
    @usableFromInline var needed: UInt32 = .max
    /// The least length that the IP header may state, and where it does.
    @usableFromInline var leastDatagram: UInt16 = 0
    @usableFromInline var datagramOffset: UInt16 = 0
    @usableFromInline var portsOffset: UInt16 = 0

    /// Of nothing: no frame matches.
    @_noLocks @inlinable @inline(__always)
    public init() {}

    /// Of the frame at `bytes`, of which `parse` has just written the record; of nothing if it is of another kind.
    @_noLocks @inline(never)
    public init(of bytes: UnsafeRawPointer, _ record: UnsafePointer<FrameRecord>) {
        self.init()
        let isIPv4 = record.pointee.flags.has(.ipv4), isTagged = record.pointee.tagCount == 1
        let layer3 = Int(record.pointee.l3Offset), layer4 = Int(record.pointee.l4Offset)
        let ipHeader = isIPv4 ? HeaderSize.ipv4 : HeaderSize.ipv6
        guard record.pointee.hasPorts, record.pointee.tagCount < 2, layer4 == layer3 &+ ipHeader else { return }
        let layer4Header = record.pointee.ipProtocol == IPProtocol.tcp ? HeaderSize.tcp : HeaderSize.udp
        needed = UInt32(truncatingIfNeeded: layer4 &+ layer4Header)
        leastDatagram = UInt16(truncatingIfNeeded: isIPv4 ? ipHeader &+ layer4Header : layer4Header)
        datagramOffset = UInt16(truncatingIfNeeded: isIPv4 ? layer3 &+ 2 : layer3 &+ 4)
        portsOffset = record.pointee.l4Offset
        // From the type on, the first octet lowest. IPv4: type, version and header length, DSCP; "more fragments" and offset, protocol.
        // IPv6: type, version, DSCP; next header.
        var first: UInt64 = isIPv4 ? 0xfcff_ffff : 0xc0ff_ffff
        var second: UInt64 = isIPv4 ? 0xff00_ff3f : 0x0000_00ff
        let datagram: UInt64 = isIPv4 ? 0x0000_ffff_0000_0000 : 0xffff_0000_0000_0000
        // A tag stands before all that.
        if isTagged { (first, second) = (first &<< 32 | 0xffff_ffff, second &<< 32 | first &>> 32) }
        let stated = isTagged ? SIMD2(0, datagram &>> 32) : SIMD2(datagram, 0)
        mask = Self.behindAddresses(SIMD2(first, second))
        mask[0] = Self.groupBits
        likenessMask = Self.behindAddresses(stated) | SIMD4(.max, UInt64(0xffff_ffff).littleEndian, 0, 0)
        header = bytes.loadUnaligned(as: SIMD4<UInt64>.self)
        header[0] &= ~Self.groupBits
        keep(record)
    }

    /// The lowest bits of the first octets of both addresses (IEEE 802, 8.2).
    @inline(__always) private static var groupBits: UInt64 { @_noLocks get { UInt64(0x0001_0000_0000_0001).littleEndian } }

    /// Has frames match whatever their tag's VLAN is (a pattern with a tag): whoever lets them in looks at that by itself, and tells `fill` with `setTag`.
    @_noLocks @inline(__always)
    public mutating func takeAnyVLAN() {
        mask[1] &= ~Self.vlanBits
        likenessMask[1] |= Self.vlanBits
    }

    /// VID of a frame's tag: octet 15, and the lower half of octet 14 (IEEE 802.1Q, 9.6).
    @inline(__always) private static var vlanBits: UInt64 { @_noLocks get { UInt64(0xff0f_0000_0000_0000).littleEndian } }

    /// The tag of a frame as it lies there: octets 14 and 15.
    @_noLocks @inlinable @inline(__always)
    public static func tag(_ bytes: UnsafeRawPointer) -> UInt16 { bytes.loadUnaligned(fromByteOffset: 14, as: UInt16.self) }

    /// Has `fill` write this tag, of the form that `tag` has.
    @_noLocks @inlinable @inline(__always)
    public mutating func setTag(_ tag: UInt16) {
        // The record's TCI lies in octets 22 and 23.
        let place = (UInt64(0xffff) &<< 48).littleEndian
        fields[0] = fields[0] & ~place | (UInt64(UInt16(bigEndian: tag)) &<< 48).littleEndian
    }

    /// Bits of octets 12 to 27, the first octet lowest, in their places of the first 32.
    @_noLocks @inline(__always)
    private static func behindAddresses(_ bits: SIMD2<UInt64>) -> SIMD4<UInt64> {
        SIMD4(0, (bits[0] &<< 32).littleEndian, (bits[0] &>> 32 | bits[1] &<< 32).littleEndian, (bits[1] &>> 32).littleEndian)
    }

    @inlinable @inline(__always) public var isNone: Bool { @_noLocks get { needed == .max } }

    /// Has `fill` write what this record says, but for addresses, length and ports: since the parse its frame's tag may have come off.
    @_noLocks @inlinable @inline(__always)
    public mutating func keep(_ record: UnsafePointer<FrameRecord>) {
        fields = UnsafeRawPointer(record).loadUnaligned(fromByteOffset: 16, as: SIMD4<UInt64>.self)
        // Flags lie in octets 30 and 31.
        fields[1] &= ~(UInt64(FrameRecord.Flags.multicast.rawValue) &<< 48).littleEndian
    }

    /// Whether `parse` would find in the frame at `bytes` what it found in the pattern's, but for addresses, length and ports, and no group's address.
    /// `readable` bytes may be read.
    @_noLocks @inlinable @inline(__always)
    public func matches(_ bytes: UnsafeRawPointer, readable: UInt32) -> Bool {
        // Whatever has a pattern has more than 32.
        guard readable >= needed else { return false }
        guard (bytes.loadUnaligned(as: SIMD4<UInt64>.self) ^ header) & mask == .zero else { return false }
        return bytes.bigEndian16(Int(datagramOffset)) >= leastDatagram
    }

    /// Both ports of a frame that matches, as they lie there.
    @_noLocks @inlinable @inline(__always)
    public func ports(_ bytes: UnsafeRawPointer) -> UInt32 { bytes.loadUnaligned(fromByteOffset: Int(portsOffset), as: UInt32.self) }

    /// What two frames share whose records differ in ports alone: more than the pattern, since their lengths agree.
    @frozen
    public struct Likeness {
        @usableFromInline let start: SIMD4<UInt64>
        @usableFromInline let mask: SIMD4<UInt64>
        @usableFromInline let portsOffset: Int

        /// Of a frame that matches `pattern`, or is the one of which it was made.
        @_noLocks @inlinable @inline(__always)
        public init(_ bytes: UnsafeRawPointer, _ pattern: ParsePattern) {
            start = bytes.loadUnaligned(as: SIMD4<UInt64>.self)
            mask = pattern.mask | pattern.likenessMask
            portsOffset = Int(pattern.portsOffset)
        }

        /// Whether a frame with as many bytes, and as many of them readable, has the same record but for ports.
        @_noLocks @inlinable @inline(__always)
        public func isShared(_ bytes: UnsafeRawPointer) -> Bool { (bytes.loadUnaligned(as: SIMD4<UInt64>.self) ^ start) & mask == .zero }

        /// `ParsePattern.ports`.
        @_noLocks @inlinable @inline(__always)
        public func ports(_ bytes: UnsafeRawPointer) -> UInt32 { bytes.loadUnaligned(fromByteOffset: portsOffset, as: UInt32.self) }
    }

    /// Writes the record of a frame that matches and whose addresses are individual: what `parse` would, and anything for the later stages.
    @_noLocks @inlinable @inline(__always)
    public func fill(_ record: UnsafeMutablePointer<FrameRecord>, _ addresses: FrameAddresses, length: UInt32, ports: UInt32) {
        let raw = UnsafeMutableRawPointer(record)
        addresses.store(in: record)
        raw.storeBytes(of: fields, toByteOffset: 16, as: SIMD4<UInt64>.self)
        record.pointee.length = length
        raw.storeBytes(of: UInt32(bigEndian: ports).littleEndian, toByteOffset: 24, as: UInt32.self)
    }
}
