/// Reads numbers from a payload. They are in the machine's byte order, which is little-endian wherever Sluice runs. Each function returns nil once the payload is at its end.
struct PayloadReader<Bytes: Collection<UInt8>> {
    private var rest: Bytes.SubSequence

    init(_ bytes: Bytes) { rest = bytes[...] }

    mutating func number32() -> UInt32? { number(UInt32.self) }
    mutating func number64() -> UInt64? { number(UInt64.self) }

    private mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_: Number.Type) -> Number? {
        let size = MemoryLayout<Number>.size
        guard rest.count >= size else { return nil }
        var value: Number = 0
        for (place, byte) in rest.prefix(size).enumerated() { value |= Number(byte) << Number(place * 8) }
        rest = rest.dropFirst(size)
        return value
    }
}

/// Writes numbers in the machine's byte order (little-endian, see above).
struct PayloadWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
        for place in 0..<MemoryLayout<Number>.size { bytes.append(UInt8(truncatingIfNeeded: number >> Number(place * 8))) }
    }
}

/// "A vring state description": a ring and a number.
struct VringState: Equatable {
    var index: UInt32
    var number: UInt32

    init?(_ payload: [UInt8]) {
        var reader = PayloadReader(payload)
        guard let index = reader.number32(), let number = reader.number32() else { return nil }
        (self.index, self.number) = (index, number)
    }
}

/// "A vring address description". The addresses are user addresses, those of the frontend's process; `log` is a guest address.
struct VringAddresses: Equatable, Sendable {
    static let size = 40
    /// VHOST_VRING_F_LOG: writes to the used ring are logged, too.
    static let logFlag: UInt32 = 1

    var index: UInt32
    var flags: UInt32
    var descriptors: UInt64
    var used: UInt64
    var available: UInt64
    var log: UInt64

    init?(_ payload: [UInt8]) {
        var reader = PayloadReader(payload)
        guard let index = reader.number32(), let flags = reader.number32(), let descriptors = reader.number64(), let used = reader.number64(),
              let available = reader.number64(), let log = reader.number64() else { return nil }
        (self.index, self.flags, self.descriptors, self.used, self.available, self.log) = (index, flags, descriptors, used, available, log)
    }
}

/// One region as "Memory regions description" and "Single memory region description" have it.
struct MemoryRegionDescription: Equatable, Sendable {
    static let size = 32

    var guestAddress: UInt64
    var size: UInt64
    var userAddress: UInt64
    var offset: UInt64

    init?<Bytes>(_ reader: inout PayloadReader<Bytes>) {
        guard let guest = reader.number64(), let size = reader.number64(), let user = reader.number64(), let offset = reader.number64() else { return nil }
        (guestAddress, self.size, userAddress, self.offset) = (guest, size, user, offset)
    }
}

/// "Log description".
struct LogDescription: Equatable {
    static let size = 16

    var size: UInt64
    var offset: UInt64

    init?(_ payload: [UInt8]) {
        var reader = PayloadReader(payload)
        guard let size = reader.number64(), let offset = reader.number64() else { return nil }
        (self.size, self.offset) = (size, offset)
    }
}

/// A number as sentences write addresses and masks.
func hexadecimal(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }
