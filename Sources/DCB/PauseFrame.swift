/// A MAC control frame that asks the receiver to stop sending: PAUSE (IEEE 802.3, annex 31B) or priority-based flow control (annex 31D, IEEE 802.1Qbb).
public struct PauseFrame: Equatable, Sendable {
    /// The priorities that the frame is about, a bit for each; 0xff for PAUSE, which is about the whole link.
    public var priorities: UInt8
    /// For each priority, how long to stop, in quanta of 512 bit times; 0: go on.
    public var quanta: SIMD8<UInt16>
    /// Whether this is priority-based flow control.
    public var isByPriority: Bool

    @_noLocks
    public init(priorities: UInt8, quanta: SIMD8<UInt16>, isByPriority: Bool) {
        self.priorities = priorities
        self.quanta = quanta
        self.isByPriority = isByPriority
    }

    /// Reads an Ethernet frame without a tag, which is sent to 01-80-C2-00-00-01. Nil if it is something else, or too short.
    ///
    /// - Parameter count: the number of bytes at `bytes`.
    @_noLocks
    public init?(_ bytes: UnsafeRawPointer, count: Int) {
        func word(_ offset: Int) -> UInt16 { UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
        guard count >= 18, word(12) == 0x8808 else { return nil }
        switch word(14) {
        case 0x0001:
            self.init(priorities: 0xff, quanta: SIMD8(repeating: word(16)), isByPriority: false)
        case 0x0101:
            guard count >= 34 else { return nil }
            var quanta = SIMD8<UInt16>(repeating: 0)
            for index in 0..<8 { quanta[index] = word(18 &+ 2 &* index) }
            // The upper octet of the vector is reserved.
            self.init(priorities: UInt8(truncatingIfNeeded: word(16)), quanta: quanta, isByPriority: true)
        default: return nil
        }
    }

    /// The destination of MAC control frames.
    public static var destination: UInt64 { 0x0180_c200_0001 }

    /// The frame as it is sent, padded to the shortest Ethernet frame.
    ///
    /// - Parameter source: the MAC address of the port, in the lower 48 bits.
    public func bytes(from source: UInt64) -> [UInt8] {
        func octets(_ value: UInt64, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> UInt64(8 * (count - 1 - $0)) & 0xff) } }
        var frame = octets(Self.destination, 6) + octets(source, 6) + octets(0x8808, 2) + octets(isByPriority ? 0x0101 : 0x0001, 2)
        if isByPriority {
            frame += octets(UInt64(priorities), 2)
            for index in 0..<8 { frame += octets(UInt64(quanta[index]), 2) }
        } else {
            frame += octets(UInt64(quanta[0]), 2)
        }
        return frame + [UInt8](repeating: 0, count: 60 - frame.count)
    }
}
