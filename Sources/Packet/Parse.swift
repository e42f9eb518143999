/// Reads a frame's headers into `record`: addresses, tags, EtherType, IP protocol, DSCP and ports.
///
/// It never reads at or behind `bytes + contiguous`, whatever lengths the frame states. The cost is bounded: at most two tags and `maximumExtensionHeaders`
/// IPv6 extension headers are followed. It writes every field but those of the later stages.
///
/// - Parameters:
///   - bytes: the first octet of the destination address.
///   - contiguous: number of readable bytes at `bytes`; a header that extends beyond them counts as truncated.
///   - length: length of the whole frame without FCS. Where it is smaller than `contiguous`, the rest of the buffer is padding and not read.
@_noLocks @inlinable @inline(__always)
public func parse(
    _ bytes: UnsafeRawPointer, contiguous: Int, length: UInt32, into record: UnsafeMutablePointer<FrameRecord>
) {
    let limit = min(contiguous, Int(length))
    // The common case: an untagged frame with a whole IPv4 header without options and at least the shortest layer 4 header (UDP).
    if limit >= HeaderSize.ethernet + HeaderSize.ipv4 + HeaderSize.udp {
        if parsePlain(bytes, from: 14, limit: limit, length: length, tci: 0, pcp: FrameRecord.noPCP, into: record) { return }
        if bytes.bigEndian16(12) == EtherType.vlan { return parseTagged(bytes, limit: limit, length: length, into: record) }
    }
    parseAnyFrame(bytes, limit: limit, length: length, into: record)
}

/// Parses a frame whose outermost tag has the type 0x8100, first by trying whether what follows the tag is the common case.
@_noLocks @usableFromInline @inline(never)
func parseTagged(_ bytes: UnsafeRawPointer, limit: Int, length: UInt32, into record: UnsafeMutablePointer<FrameRecord>) {
    if limit >= HeaderSize.ethernet + HeaderSize.vlanTag + HeaderSize.ipv4 + HeaderSize.udp {
        let tci = bytes.bigEndian16(14)
        if parsePlain(bytes, from: 18, limit: limit, length: length, tci: tci, pcp: UInt8(truncatingIfNeeded: tci &>> 13), into: record) { return }
    }
    parseAnyFrame(bytes, limit: limit, length: length, into: record)
}

/// Parses a frame of the common kind: an IPv4 header without options at `start` (14 or 18), directly behind its EtherType, followed by a TCP or UDP header.
/// Returns false, and has written nothing, if the frame is of another kind. `limit` must be at least `start` + 28.
@_noLocks @inlinable @inline(__always)
func parsePlain(
    _ bytes: UnsafeRawPointer, from start: Int, limit: Int, length: UInt32, tci: UInt16, pcp: UInt8, into record: UnsafeMutablePointer<FrameRecord>
) -> Bool {
    // The EtherType, then octet 0 of the IP header: version 4 and a header length of 5 words.
    let typeAndStart = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start &- 2, as: UInt32.self))
    guard typeAndStart & 0xff_ffff == 0x45_0008 else { return false }
    // Octets 2 to 9 of the IP header. Octets 6 and 7 must have neither "more fragments" nor a fragment offset (RFC 791, 3.1).
    let header = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: start &+ 2, as: UInt64.self))
    guard header & 0xff3f_0000_0000 == 0 else { return false }
    let ipProtocol = UInt8(truncatingIfNeeded: header &>> 56)
    let isTCP = ipProtocol == IPProtocol.tcp
    let datagram = Int(UInt16(truncatingIfNeeded: header).byteSwapped)
    let needed = HeaderSize.ipv4 &+ (isTCP ? HeaderSize.tcp : HeaderSize.udp)
    guard isTCP || ipProtocol == IPProtocol.udp, min(datagram, limit &- start) >= needed else { return false }
    // Neighbouring fields are written as words, because the compiler does not merge the stores by itself. A test checks the fields' offsets.
    let fields = UnsafeMutableRawPointer(record)
    FrameAddresses(of: bytes).store(in: record)
    let group = UInt32(bytes.load(as: UInt8.self) & 1) &<< 7  // .multicast
    fields.storeBytes(of: (UInt64(length) | UInt64(EtherType.ipv4) &<< 32 | UInt64(tci) &<< 48).littleEndian, toByteOffset: 16, as: UInt64.self)
    fields.storeBytes(of: bytes.bigEndian32(start &+ 20).littleEndian, toByteOffset: 24, as: UInt32.self)  // both ports
    let flags = group | 5  // .ipv4, .ports
    fields.storeBytes(of: (UInt32(start &+ 20) | flags &<< 16).littleEndian, toByteOffset: 28, as: UInt32.self)  // l4Offset, flags
    let dscp = typeAndStart &>> 2 & 0x3f00_0000
    let offsets = UInt32(start) | UInt32((start &- 14) / 4) &<< 8 | UInt32(ipProtocol) &<< 16 | dscp
    fields.storeBytes(of: offsets.littleEndian, toByteOffset: 32, as: UInt32.self)  // l3Offset, tagCount, ipProtocol, dscp
    record.pointee.protocolID = 0
    record.pointee.pcp = pcp
    return true
}

/// How many extension headers are followed before a datagram counts as malformed. RFC 8200, 4.1 names six, each to occur at most once (destination options
/// twice).
@inlinable @inline(__always) public var maximumExtensionHeaders: Int { @_noLocks get { 8 } }

/// The flag `.multicast` if `destination` is a group address: bit 40 of the address (IEEE 802, 8.2) is shifted to the flag's place.
@_noLocks @inlinable @inline(__always)
func groupFlag(_ destination: UInt64) -> UInt16 {
    UInt16(truncatingIfNeeded: destination &>> 33) & FrameRecord.Flags.multicast.rawValue
}

/// Parses any frame; `parse` calls it for those that are not of the common kind. `limit` is the number of bytes that may be read.
@_noLocks @usableFromInline @inline(never)
func parseAnyFrame(_ bytes: UnsafeRawPointer, limit: Int, length: UInt32, into record: UnsafeMutablePointer<FrameRecord>) {
    clear(record, length: length)
    guard limit >= HeaderSize.ethernet else {
        record.pointee.flags = .runt
        return
    }
    let destination = bytes.bigEndian32(0)
    let middle = bytes.bigEndian32(4)
    record.pointee.destination = UInt64(destination) << 16 | UInt64(middle >> 16)
    record.pointee.source = UInt64(middle & 0xffff) << 32 | UInt64(bytes.bigEndian32(8))
    record.pointee.flags = FrameRecord.Flags(rawValue: groupFlag(record.pointee.destination))

    var offset = HeaderSize.ethernet
    var type = bytes.bigEndian16(12)
    var tags: UInt8 = 0
    while tags < 2, isTag(type) {
        guard limit >= offset &+ HeaderSize.vlanTag else {
            record.pointee.flags.mark(.truncated)
            break
        }
        if tags == 0 {
            let tci = bytes.bigEndian16(offset)
            record.pointee.tci = tci
            record.pointee.pcp = UInt8(truncatingIfNeeded: tci &>> 13)
        }
        type = bytes.bigEndian16(offset &+ 2)
        offset &+= HeaderSize.vlanTag
        tags &+= 1
    }
    record.pointee.etherType = type
    record.pointee.tagCount = tags
    record.pointee.l3Offset = UInt8(truncatingIfNeeded: offset)
    if type == EtherType.ipv4 {
        parseIPv4(bytes, from: offset, limit: limit, into: record)
    } else if type == EtherType.ipv6 {
        parseIPv6(bytes, from: offset, limit: limit, into: record)
    }
}

@_noLocks @inline(__always)
private func isTag(_ type: UInt16) -> Bool {
    type == EtherType.vlan || type == EtherType.serviceVLAN || type == EtherType.oldServiceVLAN
}

@_noLocks @inline(__always)
private func clear(_ record: UnsafeMutablePointer<FrameRecord>, length: UInt32) {
    record.pointee.destination = 0
    record.pointee.source = 0
    record.pointee.length = length
    record.pointee.etherType = 0
    record.pointee.tci = 0
    record.pointee.sourcePort = 0
    record.pointee.destinationPort = 0
    record.pointee.l4Offset = 0
    record.pointee.flags = FrameRecord.Flags(rawValue: 0)
    record.pointee.l3Offset = 0
    record.pointee.tagCount = 0
    record.pointee.ipProtocol = FrameRecord.noIPProtocol
    record.pointee.dscp = FrameRecord.noDSCP
    record.pointee.protocolID = 0
    record.pointee.pcp = FrameRecord.noPCP
}
