/// A pattern of a parsed frame, by which later frames are recognised for which `parse` would find the same. A frame that matches needs no parse of its own:
/// only its addresses, length and ports can differ, and those are read separately. Frames to or from group addresses never match.
///
/// Only frames with at most one tag, IPv4 without options or IPv6 without extension headers, and a whole TCP or UDP header have a pattern: all that determines
/// their record lies in octets 12 to 27 and in the length that the IP header states. The pattern holds copies, so the frame may be freed.
@frozen
public struct ParsePattern: Sendable {
    /// The first 32 octets of the frame, with the group bits of both addresses cleared, and the mask of the bits that are compared.
    @usableFromInline var header = SIMD4<UInt64>()
    @usableFromInline var mask = SIMD4<UInt64>()
    /// What `Likeness` compares in addition: the addresses and the length that the IP header states.
    @usableFromInline var likenessMask = SIMD4<UInt64>()
    /// Octets 16 to 47 of the record, which `fill` writes.
    @usableFromInline var fields = SIMD4<UInt64>()
    /// Length in bytes that a frame must have, up to the end of its TCP or UDP header. A pattern that no frame matches has `.max`.
    @usableFromInline var needed: UInt32 = .max
    /// Least value of the IP header's length field, and the offset of that field in the frame.
    @usableFromInline var leastDatagram: UInt16 = 0
    @usableFromInline var datagramOffset: UInt16 = 0
    @usableFromInline var portsOffset: UInt16 = 0

    /// Creates a pattern that no frame matches.
    @_noLocks @inlinable @inline(__always)
    public init() {}

    /// Creates the pattern of the frame at `bytes`, whose record `parse` has just written; if the frame is of a kind that has no pattern, no frame matches.
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
        // Masks of the octets from the EtherType on, with the first octet lowest. IPv4: EtherType, version and header length, DSCP; then "more fragments" and
        // fragment offset, and protocol. IPv6: EtherType, version, DSCP; then next header.
        var first: UInt64 = isIPv4 ? 0xfcff_ffff : 0xc0ff_ffff
        var second: UInt64 = isIPv4 ? 0xff00_ff3f : 0x0000_00ff
        let datagram: UInt64 = isIPv4 ? 0x0000_ffff_0000_0000 : 0xffff_0000_0000_0000
        // In a tagged frame the tag's four octets stand before all of that.
        if isTagged { (first, second) = (first &<< 32 | 0xffff_ffff, second &<< 32 | first &>> 32) }
        let stated = isTagged ? SIMD2(0, datagram &>> 32) : SIMD2(datagram, 0)
        mask = Self.behindAddresses(SIMD2(first, second))
        mask[0] = Self.groupBits
        likenessMask = Self.behindAddresses(stated) | SIMD4(.max, UInt64(0xffff_ffff).littleEndian, 0, 0)
        header = bytes.loadUnaligned(as: SIMD4<UInt64>.self)
        header[0] &= ~Self.groupBits
        keep(record)
    }

    /// The group bits of both addresses: the lowest bits of their first octets (IEEE 802, 8.2).
    @inline(__always) private static var groupBits: UInt64 { @_noLocks get { UInt64(0x0001_0000_0000_0001).littleEndian } }

    /// Has a pattern with a tag match frames of any VLAN. The caller must then check the VLAN of each matching frame itself and pass its tag to `setTag` before
    /// `fill`.
    @_noLocks @inline(__always)
    public mutating func takeAnyVLAN() {
        mask[1] &= ~Self.vlanBits
        likenessMask[1] |= Self.vlanBits
    }

    /// The bits of the VID in a frame's tag: octet 15 and the lower half of octet 14 (IEEE 802.1Q, 9.6).
    @inline(__always) private static var vlanBits: UInt64 { @_noLocks get { UInt64(0xff0f_0000_0000_0000).littleEndian } }

    /// The tag control information of a tagged frame (octets 14 and 15) in the frame's byte order.
    @_noLocks @inlinable @inline(__always)
    public static func tag(_ bytes: UnsafeRawPointer) -> UInt16 { bytes.loadUnaligned(fromByteOffset: 14, as: UInt16.self) }

    /// Sets the TCI that `fill` writes to `tag`, which is in the frame's byte order, as `tag(_:)` returns it.
    @_noLocks @inlinable @inline(__always)
    public mutating func setTag(_ tag: UInt16) {
        // The record's TCI is in octets 22 and 23.
        let place = (UInt64(0xffff) &<< 48).littleEndian
        fields[0] = fields[0] & ~place | (UInt64(UInt16(bigEndian: tag)) &<< 48).littleEndian
    }

    /// Spreads masks of octets 12 to 27, with the first octet lowest, to their places within the first 32 octets.
    @_noLocks @inline(__always)
    private static func behindAddresses(_ bits: SIMD2<UInt64>) -> SIMD4<UInt64> {
        SIMD4(0, (bits[0] &<< 32).littleEndian, (bits[0] &>> 32 | bits[1] &<< 32).littleEndian, (bits[1] &>> 32).littleEndian)
    }

    /// Whether this is a pattern that no frame matches.
    @inlinable @inline(__always) public var isNone: Bool { @_noLocks get { needed == .max } }

    /// Has `fill` write the fields of this record, except addresses, length and ports. Needed when the record was changed after the parse, for example because
    /// a tag was stripped.
    @_noLocks @inlinable @inline(__always)
    public mutating func remember(_ record: UnsafePointer<FrameRecord>) {
        fields = UnsafeRawPointer(record).loadUnaligned(fromByteOffset: 16, as: SIMD4<UInt64>.self)
        // The flags are in octets 30 and 31.
        fields[1] &= ~(UInt64(FrameRecord.Flags.multicast.rawValue) &<< 48).littleEndian
    }

    /// Whether `parse` would find the same in the frame at `bytes` as in the pattern's frame, apart from addresses, length and ports, and both of its addresses
    /// are individual ones. `readable` is the number of bytes that may be read at `bytes`.
    @_noLocks @inlinable @inline(__always)
    public func matches(_ bytes: UnsafeRawPointer, readable: UInt32) -> Bool {
        // `needed` is more than 32 in every pattern, so the 32 octets below may be read.
        guard readable >= needed else { return false }
        guard (bytes.loadUnaligned(as: SIMD4<UInt64>.self) ^ header) & mask == .zero else { return false }
        return bytes.bigEndian16(Int(datagramOffset)) >= leastDatagram
    }

    /// Both ports of a matching frame, in the frame's byte order.
    @_noLocks @inlinable @inline(__always)
    public func ports(_ bytes: UnsafeRawPointer) -> UInt32 { bytes.loadUnaligned(fromByteOffset: Int(portsOffset), as: UInt32.self) }

    /// Recognises frames whose records differ in ports alone. This is stricter than the pattern: the addresses and the stated lengths have to agree as well.
    @frozen
    public struct Likeness {
        @usableFromInline let start: SIMD4<UInt64>
        @usableFromInline let mask: SIMD4<UInt64>
        @usableFromInline let portsOffset: Int

        /// Takes as the model a frame that matches `pattern`, or from which `pattern` was made.
        @_noLocks @inlinable @inline(__always)
        public init(_ bytes: UnsafeRawPointer, _ pattern: ParsePattern) {
            start = bytes.loadUnaligned(as: SIMD4<UInt64>.self)
            mask = pattern.mask | pattern.likenessMask
            portsOffset = Int(pattern.portsOffset)
        }

        /// Whether the frame at `bytes` has the same record but for the ports. Its length and its number of readable bytes must be those of the model.
        @_noLocks @inlinable @inline(__always)
        public func isShared(_ bytes: UnsafeRawPointer) -> Bool { (bytes.loadUnaligned(as: SIMD4<UInt64>.self) ^ start) & mask == .zero }

        /// Both ports of the frame at `bytes`, as `ParsePattern.ports` returns them.
        @_noLocks @inlinable @inline(__always)
        public func ports(_ bytes: UnsafeRawPointer) -> UInt32 { bytes.loadUnaligned(fromByteOffset: portsOffset, as: UInt32.self) }
    }

    /// Writes the record of a matching frame as `parse` would. The fields of the later stages get arbitrary values.
    @_noLocks @inlinable @inline(__always)
    public func fill(_ record: UnsafeMutablePointer<FrameRecord>, _ addresses: FrameAddresses, length: UInt32, ports: UInt32) {
        let raw = UnsafeMutableRawPointer(record)
        addresses.store(in: record)
        raw.storeBytes(of: fields, toByteOffset: 16, as: SIMD4<UInt64>.self)
        record.pointee.length = length
        raw.storeBytes(of: UInt32(bigEndian: ports).littleEndian, toByteOffset: 24, as: UInt32.self)
    }
}
