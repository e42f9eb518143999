/// CRC-64 as in xz(1) (ECMA-182, reflected). It detects every change within 64 consecutive bits, and all other changes except one in 2^64.
package struct Checksum {
    private static let table: [UInt64] = (0..<256).map { byte in
        (0..<8).reduce(UInt64(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xc96c_5795_d787_0f42 : sum >> 1 }
    }

    package let value: UInt64

    package init(_ bytes: some Sequence<UInt8>) {
        value = Self.table.withUnsafeBufferPointer { table in
            ~bytes.reduce(UInt64.max) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
        }
    }

    /// The checksum as 16 hexadecimal digits.
    package var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
