/// Parses an IPv4 header (RFC 791), which may have options, and what follows it.
@_noLocks @inline(__always)
func parseIPv4(_ bytes: UnsafeRawPointer, from start: Int, limit: Int, into record: UnsafeMutablePointer<FrameRecord>) {
    record.pointee.flags.mark(.ipv4)
    guard limit &- start >= HeaderSize.ipv4 else {
        record.pointee.flags.mark(.truncated)
        return
    }
    let first = bytes.load(fromByteOffset: start, as: UInt8.self)
    let header = Int(first & 0x0f) &* 4
    guard first &>> 4 == 4, header >= HeaderSize.ipv4 else {
        record.pointee.flags.mark(.malformed)
        return
    }
    record.pointee.dscp = bytes.load(fromByteOffset: start &+ 1, as: UInt8.self) &>> 2
    record.pointee.ipProtocol = bytes.load(fromByteOffset: start &+ 9, as: UInt8.self)
    // "More fragments" is set, or the fragment offset is not 0.
    if bytes.bigEndian16(start &+ 6) & 0x3fff != 0 {
        record.pointee.flags.mark(.fragment)
        return
    }
    // What lies behind the end of the datagram is padding of the frame, not a header.
    let end = min(limit, start &+ Int(bytes.bigEndian16(start &+ 2)))
    guard end &- start >= header else {
        record.pointee.flags.mark(.truncated)
        return
    }
    parseLayer4(bytes, from: start &+ header, end: end, into: record)
}

/// Parses an IPv6 header (RFC 8200) and skips hop-by-hop, routing, fragment, destination options and authentication headers.
@_noLocks @inline(__always)
func parseIPv6(_ bytes: UnsafeRawPointer, from start: Int, limit: Int, into record: UnsafeMutablePointer<FrameRecord>) {
    record.pointee.flags.mark(.ipv6)
    guard limit &- start >= HeaderSize.ipv6 else {
        record.pointee.flags.mark(.truncated)
        return
    }
    let first = bytes.bigEndian32(start)
    guard first &>> 28 == 6 else {
        record.pointee.flags.mark(.malformed)
        return
    }
    // Bits 27-20 are the traffic class, whose upper six are the DSCP.
    record.pointee.dscp = UInt8(truncatingIfNeeded: first &>> 22) & 0x3f
    let payload = Int(bytes.bigEndian16(start &+ 4))
    var offset = start &+ HeaderSize.ipv6
    // A payload length of 0 belongs to jumbograms (RFC 2675) and to segmentation-offload frames above 64 KiB.
    let end = payload == 0 ? limit : min(limit, offset &+ payload)
    var next = bytes.load(fromByteOffset: start &+ 6, as: UInt8.self)

    var followed = 0
    while isExtension(next) {
        guard followed < maximumExtensionHeaders else {
            record.pointee.flags.mark(.malformed)
            return
        }
        followed &+= 1
        // Every extension header has at least 8 bytes.
        guard end &- offset >= 8 else {
            record.pointee.flags.mark(.truncated)
            return
        }
        let size: Int
        if next == IPProtocol.fragment {
            size = 8
            // A fragment header with neither an offset nor "more fragments" is an atomic fragment, which is a whole datagram (RFC 6946).
            if bytes.bigEndian16(offset &+ 2) & 0xfff9 != 0 {
                record.pointee.ipProtocol = bytes.load(fromByteOffset: offset, as: UInt8.self)
                record.pointee.flags.mark(.fragment)
                return
            }
        } else {
            let units = Int(bytes.load(fromByteOffset: offset &+ 1, as: UInt8.self))
            // The authentication header alone states its length in words of 4 bytes, minus 2 (RFC 4302, 2.2).
            size = next == IPProtocol.authentication ? (units &+ 2) &* 4 : (units &+ 1) &* 8
        }
        next = bytes.load(fromByteOffset: offset, as: UInt8.self)
        guard end &- offset >= size else {
            record.pointee.flags.mark(.truncated)
            return
        }
        offset &+= size
    }
    record.pointee.ipProtocol = next
    parseLayer4(bytes, from: offset, end: end, into: record)
}

@_noLocks @inline(__always)
private func isExtension(_ header: UInt8) -> Bool {
    header == IPProtocol.hopByHop || header == IPProtocol.routing || header == IPProtocol.fragment
        || header == IPProtocol.authentication || header == IPProtocol.destinationOptions
}

/// Reads the ports if the TCP (RFC 9293) or UDP (RFC 768) header is whole.
@_noLocks @inline(__always)
private func parseLayer4(_ bytes: UnsafeRawPointer, from start: Int, end: Int, into record: UnsafeMutablePointer<FrameRecord>) {
    let ipProtocol = record.pointee.ipProtocol
    if ipProtocol == IPProtocol.tcp || ipProtocol == IPProtocol.udp {
        guard end &- start >= (ipProtocol == IPProtocol.tcp ? HeaderSize.tcp : HeaderSize.udp) else {
            record.pointee.flags.mark(.truncated)
            return
        }
        record.pointee.sourcePort = bytes.bigEndian16(start)
        record.pointee.destinationPort = bytes.bigEndian16(start &+ 2)
        record.pointee.flags.mark(.ports)
    } else if start >= end {
        return
    }
    record.pointee.l4Offset = UInt16(truncatingIfNeeded: start)
}
