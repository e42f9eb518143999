/// Writes values as XDR has them (RFC 4506): big-endian, each in a multiple of four bytes.
struct XDR {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ value: UInt32) { for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) } }

    /// An unsigned hyper integer (RFC 4506, 4.5).
    mutating func append(_ value: UInt64) {
        append(UInt32(truncatingIfNeeded: value >> 32))
        append(UInt32(truncatingIfNeeded: value))
    }

    /// Opaque data whose length is not fixed, or a string: its length, its bytes, and zeros up to a multiple of four (RFC 4506, 4.10 and 4.11).
    mutating func append(opaque: [UInt8]) {
        append(UInt32(opaque.count))
        append(fixed: opaque)
    }

    /// Opaque data of a length that both sides know (RFC 4506, 4.9).
    mutating func append(fixed: [UInt8]) {
        bytes += fixed
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    /// A structure behind its format and its length in bytes, as all samples and records of sFlow are written, so that readers can skip what they do not know.
    mutating func append(format: UInt32, _ fill: (inout XDR) -> Void) {
        var body = XDR()
        fill(&body)
        append(format)
        append(opaque: body.bytes)
    }
}
