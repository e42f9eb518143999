import VhostUser

/// Messages of a guest's process to the switch (vhost-user), one on each line in hexadecimal: the request, a byte of flags, a byte for each of its descriptors, and the payload.
///
/// Whatever comes, a ring runs only in memory that is mapped, nothing changes under a running ring, and everything is given back in the end.
func fuzzMessages(_ bytes: [UInt8]) {
    var backend = Backend(Offer(queuePairs: 2, memorySlots: 4))
    for line in bytes.split(separator: 0x0a).prefix(96) {
        let octets = octets(hex: line)
        guard octets.count >= 2, backend.hangUp == nil else { break }
        let flags = MessageFlags(rawValue: octets[1])
        let descriptors = octets.dropFirst(2).prefix(flags.descriptors).map { backend.descriptor(facts($0)) }
        let payload = Array(octets.dropFirst(2 + descriptors.count))
        backend.mappingFails = flags.contains(.cannotBeMapped)
        backend.positions[0] = flags.contains(.goesFar) ? .split(next: .max) : nil
        let header = MessageHeader(
            request: UInt32(octets[0]), flags: (flags.contains(.otherVersion) ? 2 : MessageHeader.version) | (flags.contains(.needsReply) ? MessageHeader.needReply : 0),
            payloadSize: payload.count)
        backend.receive(header, payload, descriptors)
        claim(backend.violations.isEmpty, "\(backend.violations)")
    }
    backend.end()
    claim(backend.violations.isEmpty, "\(backend.violations)")
}

/// What the second byte of a line says.
private struct MessageFlags: OptionSet {
    let rawValue: UInt8
    static let needsReply = Self(rawValue: 1), cannotBeMapped = Self(rawValue: 32), goesFar = Self(rawValue: 64), otherVersion = Self(rawValue: 128)

    /// Bits 1 to 4: how many descriptors come with the message.
    var descriptors: Int { Int(rawValue >> 1 & 15) }
}

/// The descriptor that a byte stands for: its kind, its size as a power of two, and which of two files it is.
private func facts(_ octet: UInt8) -> DescriptorFacts {
    let kinds: [DescriptorFacts.Kind] = [.file, .eventfd, .pipe, .socket, .other, .file, .eventfd, .file]
    let kind = kinds[Int(octet & 7)]
    return DescriptorFacts(kind: kind, size: kind == .file ? 1 << UInt64(octet >> 3 & 15 + 12) : 0, device: 1, inode: UInt64(octet >> 7), isSealedAgainstShrinking: octet & 4 != 0)
}
