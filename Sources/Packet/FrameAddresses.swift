/// The destination and source address of a frame, in the layout of its record: two numbers in which the first octet on the wire is the most significant.
@frozen
public struct FrameAddresses: Sendable {
    @usableFromInline let both: SIMD2<UInt64>

    @_noLocks @inlinable @inline(__always)
    init(both: SIMD2<UInt64>) { self.both = both }

    /// Reads the addresses of the frame at `bytes`, of which 16 octets must be readable. With vector instructions this is one shuffle.
    @_noLocks @inlinable @inline(__always)
    public init(of bytes: UnsafeRawPointer) {
        let v = bytes.loadUnaligned(as: SIMD16<UInt8>.self)
        #if _endian(little)
        let octets = SIMD16<UInt8>(v[5], v[4], v[3], v[2], v[1], v[0], 0, 0, v[11], v[10], v[9], v[8], v[7], v[6], 0, 0)
        #else
        let octets = SIMD16<UInt8>(0, 0, v[0], v[1], v[2], v[3], v[4], v[5], 0, 0, v[6], v[7], v[8], v[9], v[10], v[11])
        #endif
        both = unsafeBitCast(octets, to: SIMD2<UInt64>.self)
    }

    /// The same addresses with `vlan`, which the caller has shifted to bits 48 and up, added to both.
    @_noLocks @inlinable @inline(__always)
    public func within(_ vlan: UInt64) -> FrameAddresses { FrameAddresses(both: both | SIMD2(repeating: vlan)) }

    @inlinable @inline(__always) public var destination: UInt64 { @_noLocks get { both[0] } }
    @inlinable @inline(__always) public var source: UInt64 { @_noLocks get { both[1] } }

    /// Whether `record` has the same two addresses.
    @_noLocks @inlinable @inline(__always)
    public func areThose(of record: UnsafePointer<FrameRecord>) -> Bool {
        destination == record.pointee.destination && source == record.pointee.source
    }

    @_noLocks @inlinable @inline(__always)
    func store(in record: UnsafeMutablePointer<FrameRecord>) {
        UnsafeMutableRawPointer(record).storeBytes(of: both, as: SIMD2<UInt64>.self)
    }
}
