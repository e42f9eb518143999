/// A cache in front of the forwarding database: what was last found out about pairs of addresses between which frames go. Each poll loop has its own. Reading
/// one cache line and comparing a pair replaces two look-ups.
///
/// A trivial handle on one block of memory. A path is valid as long as the stamp under which it was remembered is the current one (`stamp`). The stamp changes
/// every second, so that active sources are still seen as alive in each second, and whenever a look-up could give another answer.
///
/// Each pair of addresses has one cache line with two places. Where other valid paths use both, a newcomer takes the second place in only one of 16 cases: so
/// if there are more paths than places, most paths stay cached instead of evicting each other before their next frame arrives.
@frozen
public struct PathCache: @unchecked Sendable {
    @usableFromInline let paths: UnsafeMutablePointer<Path>
    /// Masks the byte offset of a line: the size of all lines but one.
    @usableFromInline let mask: UInt64
    @usableFromInline let multiplier: UInt64

    @usableFromInline
    struct Path {
        @usableFromInline var addresses: SIMD2<UInt64>
        @usableFromInline var answer: UInt64
        /// The stamp under which the path was remembered; 0 if the place is free.
        @usableFromInline var stamp: UInt64
    }

    /// Creates a cache for 2 * `lines` paths of 32 bytes each. `lines` must be a power of two; other values trap. Only tests that must be repeatable choose
    /// `multiplier`.
    public static func create(lines: Int = 4_096, multiplier: UInt64 = .random(in: .min ... .max)) -> PathCache {
        precondition(lines > 0 && lines & (lines - 1) == 0, "a path cache has a power of two of lines")
        let raw = UnsafeMutableRawPointer.allocate(byteCount: lines * 64, alignment: 64)
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: lines * 64)
        return PathCache(paths: raw.bindMemory(to: Path.self, capacity: 2 * lines), mask: UInt64(lines - 1) << 6, multiplier: multiplier | 1)
    }

    private init(paths: UnsafeMutablePointer<Path>, mask: UInt64, multiplier: UInt64) {
        self.paths = paths
        self.mask = mask
        self.multiplier = multiplier
    }

    public func destroy() { UnsafeMutableRawPointer(paths).deallocate() }

    /// The stamp under which paths of frames from `port` (below 1024) are remembered and found.
    ///
    /// The fields are truncated, so stamps repeat. That does no harm: what was remembered 4096 seconds ago under an equal stamp is still right, because the
    /// database has not changed since, so no entry has aged out.
    ///
    /// - Parameters:
    ///   - seconds: the time by which the database ages.
    ///   - changes: `ForwardingDatabase.changes`, read before the look-ups whose results are remembered.
    ///   - configuration: a number that differs between configurations.
    @_noLocks @inlinable @inline(__always)
    public static func stamp(port: UInt16, seconds: UInt32, changes: UInt64, configuration: UInt64) -> UInt64 {
        UInt64(port) & 0x3ff | 1 &<< 10 | UInt64(seconds & 0xfff) &<< 11 | (configuration & 0x1fff) &<< 23 | changes &<< 36
    }

    /// The cache line of a pair of addresses, for prefetching and for `find` and `remember`.
    @_noLocks @inlinable @inline(__always)
    public func line(_ destination: UInt64, _ source: UInt64) -> UnsafeMutableRawPointer {
        let hash = ((destination &* multiplier &+ source).byteSwapped &* 0x9e37_79b9_7f4a_7c15) &>> 34
        return UnsafeMutableRawPointer(paths) + Int(truncatingIfNeeded: hash & mask)
    }

    /// The answer remembered for `addresses` (destination, source) under `stamp`. The choice between the two places is made without a branch, which would be
    /// mispredicted for every path that is in the second place.
    @_noLocks @inlinable @inline(__always)
    public static func find(_ line: UnsafeMutableRawPointer, _ addresses: SIMD2<UInt64>, _ stamp: UInt64) -> UInt64? {
        let first = line.assumingMemoryBound(to: Path.self)
        let path = first + (areSame((first + 1).pointee.addresses, addresses) ? 1 : 0)
        guard areSame(path.pointee.addresses, addresses), path.pointee.stamp == stamp else { return nil }
        return path.pointee.answer
    }

    /// Compares words of 32 bits, because for 64-bit elements the compiler generates scalar comparisons.
    @_noLocks @inlinable @inline(__always)
    static func areSame(_ pair: SIMD2<UInt64>, _ other: SIMD2<UInt64>) -> Bool {
        unsafeBitCast(pair, to: SIMD4<UInt32>.self) == unsafeBitCast(other, to: SIMD4<UInt32>.self)
    }

    /// Remembers a path that `find` has not found. `turn` is a number that roughly counts the calls; it picks the cases in which a newcomer evicts another
    /// path.
    @_noLocks
    public static func remember(_ line: UnsafeMutableRawPointer, _ addresses: SIMD2<UInt64>, _ stamp: UInt64, _ answer: UInt64, turn: UInt64) {
        let first = line.assumingMemoryBound(to: Path.self), second = first + 1
        var place = second
        if (first.pointee.addresses ^ addresses) == .zero {
            place = first
        } else if (second.pointee.addresses ^ addresses) != .zero {
            if !isCurrent(first, stamp) {
                place = first
            } else if isCurrent(second, stamp), turn & 15 != 0 {
                return
            }
        }
        place.pointee = Path(addresses: addresses, answer: answer, stamp: stamp)
    }

    /// Whether the path may still be found, for frames from whatever port.
    @_noLocks @inline(__always)
    private static func isCurrent(_ path: UnsafeMutablePointer<Path>, _ stamp: UInt64) -> Bool { (path.pointee.stamp ^ stamp) &>> 10 == 0 }
}
