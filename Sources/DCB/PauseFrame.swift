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
    @inline(__always) public static var destination: UInt64 { @_noLocks get { 0x0180_c200_0001 } }

    /// The length of the frame as it is sent: the shortest that Ethernet has, without FCS.
    @inline(__always) public static var length: Int { @_noLocks get { 60 } }

    /// The frame as it is sent.
    ///
    /// - Parameter source: the MAC address of the port, in the lower 48 bits.
    public func bytes(from source: UInt64) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.length) { buffer, count in
            write(to: UnsafeMutableRawPointer(buffer.baseAddress!), from: source)
            count = Self.length
        }
    }

    /// Writes the frame to `bytes`, where there is room for `length` bytes.
    @_noLocks
    public func write(to bytes: UnsafeMutableRawPointer, from source: UInt64) {
        func store(_ value: UInt16, _ offset: Int) { bytes.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self) }
        for offset in 0..<Self.length { bytes.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self) }
        for word in 0..<3 {
            store(UInt16(truncatingIfNeeded: Self.destination &>> UInt64(truncatingIfNeeded: 32 &- 16 &* word)), 2 &* word)
            store(UInt16(truncatingIfNeeded: source &>> UInt64(truncatingIfNeeded: 32 &- 16 &* word)), 6 &+ 2 &* word)
        }
        store(0x8808, 12)
        store(isByPriority ? 0x0101 : 0x0001, 14)
        if isByPriority {
            store(UInt16(priorities), 16)
            for index in 0..<8 { store(quanta[index], 18 &+ 2 &* index) }
        } else {
            store(quanta[0], 16)
        }
    }
}
