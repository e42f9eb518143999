/// Computes a hash of the flow that a frame belongs to. It is equal for all frames of a flow; frames of different flows rarely share it.
///
/// For IP frames it covers the addresses, the protocol and, where `parse` has read them (`FrameRecord.Flags.ports`), the TCP or UDP ports. For all other frames
/// it covers the MAC addresses and the EtherType. VLAN tags are left out. All fragments of a datagram have the same hash, but it differs from that of the
/// flow's unfragmented datagrams, because fragments are hashed without ports.
///
/// A sender who does not know `seed` cannot choose frames whose flows collide.
///
/// - Parameters:
///   - bytes: the frame's first octet; at least the headers that `record` describes were readable when it was parsed.
///   - contiguous: number of bytes that may be read at `bytes`.
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

/// Multiplies to 128 bits and combines both halves, so that every bit of `word` and `hash` influences every bit of the result (as wyhash does).
@_noLocks @inline(__always)
private func mix(_ word: UInt64, into hash: inout UInt64) {
    let product = (hash ^ word ^ 0xa076_1d64_78bd_642f).multipliedFullWidth(by: (hash &+ word) | 0xe703_7ed1_a0b4_28db)
    hash = product.high ^ product.low
}
