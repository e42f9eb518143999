/// Reads a frame's headers into `record`: addresses, tags, type, IP protocol, DSCP and ports.
///
/// Never reads at or behind `bytes + contiguous`, whatever the frame says. Constant cost: at most two tags and
/// `maximumExtensionHeaders` IPv6 extension headers are followed. Writes every field but those of the later stages.
///
/// - Parameters:
///   - bytes: the destination address's first octet.
///   - contiguous: readable bytes at `bytes`; headers that lie behind them count as truncated.
///   - length: the whole frame without FCS; a smaller `length` than `contiguous` (padding of the buffer) is the limit.
@_noLocks @inlinable @inline(__always)
public func parse(
    _ bytes: UnsafeRawPointer, contiguous: Int, length: UInt32, into record: UnsafeMutablePointer<FrameRecord>
) {
    let limit = min(contiguous, Int(length))
    // An untagged frame with a whole IPv4 header (no options) and the smallest of layer 4 headers: the common one.
    guard limit >= HeaderSize.ethernet + HeaderSize.ipv4 + HeaderSize.udp else {
        return parseAnyFrame(bytes, limit: limit, length: length, into: record)
    }
    let sourceAndType = bytes.bigEndian64(6)
    let ipv4Start = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 14, as: UInt64.self))
    // Octet 0: version 4, header of 5 words. Octets 6 and 7: neither "more fragments" nor an offset (RFC 791, 3.1).
    guard UInt16(truncatingIfNeeded: sourceAndType) == EtherType.ipv4, ipv4Start & 0xff3f_0000_0000_00ff == 0x45 else {
        return parseAnyFrame(bytes, limit: limit, length: length, into: record)
    }
    let ipProtocol = bytes.load(fromByteOffset: 23, as: UInt8.self)
    let isTCP = ipProtocol == IPProtocol.tcp
    let datagram = Int(UInt16(truncatingIfNeeded: ipv4Start >> 16).byteSwapped)
    let needed = HeaderSize.ipv4 &+ (isTCP ? HeaderSize.tcp : HeaderSize.udp)
    guard isTCP || ipProtocol == IPProtocol.udp, min(datagram, limit &- HeaderSize.ethernet) >= needed else {
        return parseAnyFrame(bytes, limit: limit, length: length, into: record)
    }
    let destination = bytes.bigEndian64(0) &>> 16
    record.pointee.destination = destination
    record.pointee.source = sourceAndType &>> 16
    record.pointee.length = length
    record.pointee.etherType = EtherType.ipv4
    record.pointee.tci = 0
    // Neighbouring fields are written as words; the compiler does not join them by itself. A test holds their offsets.
    let fields = UnsafeMutableRawPointer(record)
    fields.storeBytes(of: bytes.bigEndian32(34).littleEndian, toByteOffset: 24, as: UInt32.self)  // both ports
    let flags = UInt32(groupFlag(destination) | 5)  // .ipv4, .ports
    fields.storeBytes(of: (34 | flags &<< 16).littleEndian, toByteOffset: 28, as: UInt32.self)  // l4Offset, flags
    let dscp = (UInt32(truncatingIfNeeded: ipv4Start) & 0xfc00) &<< 14
    let offsets = 14 | UInt32(ipProtocol) &<< 16 | dscp
    fields.storeBytes(of: offsets.littleEndian, toByteOffset: 32, as: UInt32.self)  // l3Offset, tagCount, ipProtocol, dscp
    record.pointee.protocolID = 0
    record.pointee.pcp = FrameRecord.noPCP
}

/// Whether `parse` finds in the frame at `bytes` what it found in the one at `first`, whose record `isPlain`. Both are of one length, with as
/// many readable bytes. Compares all that `parse` looks at in such frames: those that follow one another in a burst mostly belong to one flow.
@_noLocks @inlinable @inline(__always)
public func parsesAlike(_ bytes: UnsafeRawPointer, _ first: UnsafeRawPointer) -> Bool {
    func difference(_ offset: Int, _ mask: UInt64) -> UInt64 {
        (bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ first.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) & mask.littleEndian
    }
    // Addresses, type, version, header length, DSCP; total length, fragment and protocol (not identification, TTL and checksum); ports.
    let ports = bytes.loadUnaligned(fromByteOffset: 34, as: UInt32.self) ^ first.loadUnaligned(fromByteOffset: 34, as: UInt32.self)
    return difference(0, .max) | difference(8, .max) | difference(16, 0xff00_ffff_0000_ffff) | UInt64(ports) == 0
}

extension FrameRecord {
    /// Whether `parsesAlike` may be asked about frames beside this record's.
    @inlinable @inline(__always)
    public var isPlain: Bool { @_noLocks get { flags.has(.ports) && l4Offset == 34 && l3Offset == 14 } }
}

/// Extension headers followed before a datagram counts as malformed. RFC 8200, 4.1 names each of six at most once
/// (destination options twice).
@inlinable @inline(__always) public var maximumExtensionHeaders: Int { @_noLocks get { 8 } }

/// `.multicast` for a group address: bit 40 of the address (IEEE 802, 8.2) is moved to the flag's place.
@_noLocks @inlinable @inline(__always)
func groupFlag(_ destination: UInt64) -> UInt16 {
    UInt16(truncatingIfNeeded: destination &>> 33) & FrameRecord.Flags.multicast.rawValue
}

/// Every frame that `parse` does not recognise at first sight. `limit` is the number of bytes that may be read.
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
