/// What the forwarding database knows about one address: 64 bits, trivial.
@frozen
public struct FDBValue: Equatable, Sendable {
    /// Bits 15-0 port, 31-16 guest, 62-32 second last seen, 63 static.
    public var raw: UInt64

    @_noLocks @inlinable @inline(__always)
    public init(raw: UInt64) { self.raw = raw }

    /// A learned address.
    @_noLocks @inlinable @inline(__always)
    public init(port: UInt16, guest: UInt16, seen seconds: UInt32) {
        raw = UInt64(seconds & 0x7fff_ffff) &<< 32 | UInt64(guest) &<< 16 | UInt64(port)
    }

    /// A configured address, which neither ages nor moves.
    @_noLocks @inlinable @inline(__always)
    public init(staticPort port: UInt16, guest: UInt16) {
        raw = 1 &<< 63 | UInt64(guest) &<< 16 | UInt64(port)
    }

    /// The port number that stands for "no port"; no port of a bridge has it.
    @inlinable @inline(__always) public static var noPort: UInt16 { @_noLocks get { 0xffff } }
    /// The address is not known.
    @inlinable @inline(__always) public static var none: FDBValue { @_noLocks get { FDBValue(raw: 0xffff) } }

    @inlinable @inline(__always) public var isNone: Bool { @_noLocks get { port == FDBValue.noPort } }
    @inlinable @inline(__always) public var port: UInt16 { @_noLocks get { UInt16(truncatingIfNeeded: raw) } }
    @inlinable @inline(__always) public var guest: UInt16 { @_noLocks get { UInt16(truncatingIfNeeded: raw &>> 16) } }
    /// Second in which the address was last seen as a source; 0 for a static entry.
    @inlinable @inline(__always) public var seen: UInt32 { @_noLocks get { UInt32(truncatingIfNeeded: raw &>> 32) & 0x7fff_ffff } }
    @inlinable @inline(__always) public var isStatic: Bool { @_noLocks get { raw &>> 63 != 0 } }
}

/// What `ForwardingDatabase.learn` did.
@frozen
public enum LearnVerdict: UInt8, Sendable {
    /// The entry says the same port.
    case known
    /// A new entry was made.
    case learned
    /// A new entry took the place of another one, because there was no free place for it.
    case evicted
    /// The entry said another port and now says this one.
    case moved
    /// A static entry says another port and stands. The frame's sender does not own its source address.
    case refusedStatic
    /// No place: nobody has to yield to this port's newcomer, or nobody who has was found yet; the next frame looks on.
    case full
    /// Another lcore is changing this very entry; nothing was written, the next frame will find it settled.
    case contended
}

/// `learn`'s answer: what was done, and what the database now says about the source address.
@frozen
public struct LearnResult: Sendable {
    public var verdict: LearnVerdict
    /// For `refusedStatic` the static entry that stands; for `full` and `contended` what would have been written.
    public var value: FDBValue

    @_noLocks @inlinable @inline(__always)
    public init(_ verdict: LearnVerdict, _ value: FDBValue) {
        self.verdict = verdict
        self.value = value
    }
}
