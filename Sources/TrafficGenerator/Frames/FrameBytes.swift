/// The bytes of a frame that is being built, in network byte order.
struct FrameBytes {
    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }
    subscript(index: Int) -> UInt8 {
        get { bytes[index] }
        set { bytes[index] = newValue }
    }

    mutating func append(_ more: UInt8...) { bytes += more }
    mutating func append16(_ value: Int) { bytes += [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)] }
    mutating func append32(_ value: UInt32) { append16(Int(value >> 16)); append16(Int(value & 0xffff)) }
    mutating func append48(_ value: UInt64) { append16(Int(value >> 32)); append32(UInt32(truncatingIfNeeded: value)) }
    mutating func appendZeros(_ count: Int) { bytes += [UInt8](repeating: 0, count: count) }

    mutating func set16(_ offset: Int, _ value: UInt16) {
        bytes[offset] = UInt8(value >> 8)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
    }

    /// The ones' complement sum (RFC 1071) of the bytes in `range`, not complemented yet.
    func sum(_ range: Range<Int>) -> UInt32 {
        var sum: UInt32 = 0
        var index = range.lowerBound
        while index < range.upperBound {
            let low = index + 1 < range.upperBound ? UInt32(bytes[index + 1]) : 0
            sum += UInt32(bytes[index]) << 8 | low
            sum = (sum & 0xffff) + (sum >> 16)
            index += 2
        }
        return sum
    }
}
