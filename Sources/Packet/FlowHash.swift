/// A number by which frames of one flow are known: equal for all of them, and for few others. Of IP, addresses, protocol and, where they are read
/// (`FrameRecord.Flags.ports`), TCP or UDP ports; of all else the MAC addresses and the type. Tags do not count. All fragments of a datagram fall together, though
/// not with its whole frames.
///
/// Whoever does not know `seed` cannot choose frames whose flows fall together.
///
/// - Parameters:
///   - bytes: the frame, of which at least what `record` tells of was readable when it was parsed.
///   - contiguous: readable bytes.
@_noLocks
public func flowHash(_ bytes: UnsafeRawPointer, contiguous: Int, _ record: UnsafePointer<FrameRecord>, seed: UInt64) -> UInt32 {
    let flags = record.pointee.flags, start = Int(record.pointee.l3Offset)
    var hash = seed
    if flags.has(.ipv4), contiguous >= start &+ HeaderSize.ipv4 {
        mix(bytes.loadUnaligned(fromByteOffset: start &+ 12, as: UInt64.self), into: &hash)
    } else if flags.has(.ipv6), contiguous >= start &+ 40 {
        for word in 0..<4 { mix(bytes.loadUnaligned(fromByteOffset: start &+ 8 &+ word &* 8, as: UInt64.self), into: &hash) }
    } else {
        mix(record.pointee.source, into: &hash)
        mix(record.pointee.destination, into: &hash)
        mix(UInt64(record.pointee.etherType), into: &hash)
        return UInt32(truncatingIfNeeded: hash &>> 32)
    }
    let ports = UInt64(record.pointee.sourcePort) | UInt64(record.pointee.destinationPort) &<< 16
    mix(ports | UInt64(record.pointee.ipProtocol) &<< 32, into: &hash)
    return UInt32(truncatingIfNeeded: hash &>> 32)
}

/// Both halves of a product: every bit of either has its say in every bit that comes of it (as in wyhash).
@_noLocks @inline(__always)
private func mix(_ word: UInt64, into hash: inout UInt64) {
    let product = (hash ^ word ^ 0xa076_1d64_78bd_642f).multipliedFullWidth(by: (hash &+ word) | 0xe703_7ed1_a0b4_28db)
    hash = product.high ^ product.low
}
