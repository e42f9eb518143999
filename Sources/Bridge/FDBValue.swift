/// What the forwarding database knows about one address, as a trivial value of 64 bits.
@frozen
public struct FDBValue: Equatable, Sendable {
    /// Bits 15-0: port, 31-16: guest, 62-32: second in which the address was last seen, 63: static.
    public var raw: UInt64

    @_noLocks @inlinable @inline(__always)
    public init(raw: UInt64) { self.raw = raw }

    /// Creates the value of a learned address.
    @_noLocks @inlinable @inline(__always)
    public init(port: UInt16, guest: UInt16, seen seconds: UInt32) {
        raw = UInt64(seconds & 0x7fff_ffff) &<< 32 | UInt64(guest) &<< 16 | UInt64(port)
    }

    /// Creates the value of a configured address, which neither ages nor moves.
    @_noLocks @inlinable @inline(__always)
    public init(staticPort port: UInt16, guest: UInt16) {
        raw = 1 &<< 63 | UInt64(guest) &<< 16 | UInt64(port)
    }

    /// The port number that stands for "no port"; no port of a bridge has it.
    @inlinable @inline(__always) public static var noPort: UInt16 { @_noLocks get { 0xffff } }
    /// The value of an address that is not known.
    @inlinable @inline(__always) public static var none: FDBValue { @_noLocks get { FDBValue(raw: 0xffff) } }

    @inlinable @inline(__always) public var isNone: Bool { @_noLocks get { port == FDBValue.noPort } }
    @inlinable @inline(__always) public var port: UInt16 { @_noLocks get { UInt16(truncatingIfNeeded: raw) } }
    @inlinable @inline(__always) public var guest: UInt16 { @_noLocks get { UInt16(truncatingIfNeeded: raw &>> 16) } }
    /// The second in which the address was last seen as a source; 0 for a static entry.
    @inlinable @inline(__always) public var seen: UInt32 { @_noLocks get { UInt32(truncatingIfNeeded: raw &>> 32) & 0x7fff_ffff } }
    @inlinable @inline(__always) public var isStatic: Bool { @_noLocks get { raw &>> 63 != 0 } }
}

/// What `ForwardingDatabase.learn` did.
@frozen
public enum LearnVerdict: UInt8, Sendable {
    /// The entry already names this port.
    case known
    /// A new entry was made in a free place.
    case learned
    /// A new entry took the place of another address, because there was no free place for it.
    case evicted
    /// The entry named another port and now names this one.
    case moved
    /// A static entry names another port and remains. The frame's sender does not own its source address.
    case refusedStatic
    /// Nothing was written: there is no free place, and no address was found that has to yield to a newcomer of this port. The search continues with the next
    /// frame.
    case full
    /// Nothing was written, because another lcore is changing this very entry; by the next frame it will be settled.
    case contended
}

/// The result of `ForwardingDatabase.learn`: what was done, and what the database now knows about the source address.
@frozen
public struct LearnResult: Sendable {
    public var verdict: LearnVerdict
    /// For `refusedStatic` the static entry that remains; for `full` and `contended` the value that would have been written.
    public var value: FDBValue

    @_noLocks @inlinable @inline(__always)
    public init(_ verdict: LearnVerdict, _ value: FDBValue) {
        self.verdict = verdict
        self.value = value
    }
}
