/// What every generated frame carries, so that its receiver knows where it came from. The signature has 18 bytes, and they are the last of the frame (or the
/// last before FCoE's trailer), so that a receiver finds it without reading headers. It is small enough for a frame of 60 bytes with Ethernet, IPv4 and UDP.
///
/// | bytes | |
/// |---|---|
/// | 0-1 | magic |
/// | 2-7 | when it was sent, ns from the start of the run |
/// | 8-11 | stream: the flow's sub-flow |
/// | 12-15 | sequence number within the stream |
/// | 16-17 | check: complement of the ones' complement sum (RFC 1071) of the above |
///
/// Because of the check, the whole signature sums to zero, so the UDP or TCP checksum of a template is right for every frame made of it, at any offset (RFC
/// 1071, section 2 (B)). Numbers are in the machine's own byte order, as sender and receiver are one process.
public struct Signature: Equatable, Sendable {
    public static var size: Int { 18 }
    static var magic: UInt64 { 0x53c1 }
    static var timeMask: UInt64 { 0xffff_ffff_ffff }

    public var time: UInt64
    public var stream: UInt32
    public var sequence: UInt32

    @inline(__always)
    public init(time: UInt64, stream: UInt32, sequence: UInt32) { self.time = time; self.stream = stream; self.sequence = sequence }

    /// Writes the signature, `size` bytes.
    @_noLocks @inline(__always)
    public func write(to bytes: UnsafeMutableRawPointer) {
        let first = Self.magic | (time & Self.timeMask) &<< 16
        let second = UInt64(stream) | UInt64(sequence) &<< 32
        bytes.storeBytes(of: first, as: UInt64.self)
        (bytes + 8).storeBytes(of: second, as: UInt64.self)
        (bytes + 16).storeBytes(of: ~Self.sum(first, second), as: UInt16.self)
    }

    /// Reads a signature. The result is `damaged` if the bytes begin like a signature but the check fails.
    @_noLocks @inline(__always)
    public static func read(_ bytes: UnsafeRawPointer, _ signature: inout Signature) -> SignatureState {
        let first = bytes.loadUnaligned(as: UInt64.self)
        guard first & 0xffff == magic else { return .absent }
        let second = (bytes + 8).loadUnaligned(as: UInt64.self)
        guard (bytes + 16).loadUnaligned(as: UInt16.self) == ~sum(first, second) else { return .damaged }
        signature.time = first &>> 16
        signature.stream = UInt32(truncatingIfNeeded: second)
        signature.sequence = UInt32(truncatingIfNeeded: second &>> 32)
        return .present
    }

    @_noLocks @inline(__always)
    static func sum(_ first: UInt64, _ second: UInt64) -> UInt16 {
        let (partial, carry) = first.addingReportingOverflow(second)
        let whole = partial &+ (carry ? 1 : 0)
        var folded = (whole & 0xffff_ffff) &+ (whole &>> 32)
        folded = (folded & 0xffff) &+ (folded &>> 16)
        folded = (folded & 0xffff) &+ (folded &>> 16)
        folded = (folded & 0xffff) &+ (folded &>> 16)
        return UInt16(truncatingIfNeeded: folded)
    }
}

/// Whether a frame carries no signature, a damaged one, or a valid one.
public enum SignatureState: Sendable { case absent, damaged, present }
