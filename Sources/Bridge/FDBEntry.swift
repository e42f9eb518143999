import Synchronization

/// One place of the forwarding database: 16 bytes, four of them to a cache line.
///
/// `word` says which address has the place, `value` what is known about it. A writer that gives the place to another address, or the address to another port,
/// first sets `busy` in `word`; a refresh only exchanges `value`. A reader reads `word`, then `value`, then `word` again, and trusts `value` if both readings
/// of `word` are equal.
@usableFromInline
struct FDBEntry: ~Copyable {
    @usableFromInline let word = Atomic<UInt64>(0)
    @usableFromInline let value = Atomic<UInt64>(0)
    init() {}
}

/// The layout of an entry's word: bits 47-0 address, 59-48 VLAN, 60 used, 61 busy, 63-62 generation (counts how often the place has changed hands, modulo 4).
@usableFromInline
enum FDBWord {
    @inlinable @inline(__always) static var keyMask: UInt64 { @_noLocks get { 0x0fff_ffff_ffff_ffff } }
    @inlinable @inline(__always) static var used: UInt64 { @_noLocks get { 1 &<< 60 } }
    @inlinable @inline(__always) static var busy: UInt64 { @_noLocks get { 1 &<< 61 } }
    @inlinable @inline(__always) static var generation: UInt64 { @_noLocks get { 1 &<< 62 } }
    @inlinable @inline(__always) static var generationMask: UInt64 { @_noLocks get { 3 &<< 62 } }

    /// Whether the place is `key`'s and at rest (not busy), whatever its generation. `key` has `used` set.
    @_noLocks @inlinable @inline(__always)
    static func holds(_ word: UInt64, _ key: UInt64) -> Bool { (word ^ key) &<< 2 == 0 }

    /// Whether the place is `key`'s, at rest or busy. `key` has `used` set.
    @_noLocks @inlinable @inline(__always)
    static func claims(_ word: UInt64, _ key: UInt64) -> Bool { (word ^ key) & (keyMask | used) == 0 }

    @_noLocks @inlinable @inline(__always)
    static func isFree(_ word: UInt64) -> Bool { word & (used | busy) == 0 }

    @_noLocks @inlinable @inline(__always)
    static func isBusy(_ word: UInt64) -> Bool { word & busy != 0 }

    /// The word that follows `word`, which is at rest: with the next generation and `key` as the owner (0: free).
    @_noLocks @inlinable @inline(__always)
    static func next(_ word: UInt64, key: UInt64) -> UInt64 { ((word & generationMask) &+ generation) | key }
}
