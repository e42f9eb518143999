/// CRC-64 as xz(1) has it (ECMA-182, reflected). Finds every change of up to 64 bits in a row, and all but one in 2^64 of any others.
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

    /// 16 hexadecimal digits.
    package var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
