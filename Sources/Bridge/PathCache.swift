/// What was found out last about pairs of addresses that frames go between: an exact-match cache in front of the forwarding database, one of each
/// poll loop. One line read and one comparison stand for two look-ups.
///
/// A trivial handle on one block of memory. A path is valid as long as the stamp is current under which it was remembered (`stamp`): within one
/// second, so that sources are seen as alive in each, and until a look-up could say something else.
///
/// Each pair has one cache line with two places. Where both are in use by others a newcomer takes the second in one of 16 cases only: with more
/// paths than places most of them stay, instead of each replacing another before that comes again.
@frozen
public struct PathCache: @unchecked Sendable {
    @usableFromInline let paths: UnsafeMutablePointer<Path>
    /// Bytes of all lines but one.
    @usableFromInline let mask: UInt64
    @usableFromInline let multiplier: UInt64

    @usableFromInline
    struct Path {
        @usableFromInline var addresses: SIMD2<UInt64>
        @usableFromInline var answer: UInt64
        /// 0: free.
        @usableFromInline var stamp: UInt64
    }

    /// Room for 2 * `lines` paths, of 32 bytes each. `lines` is a power of two. `multiplier` is for tests that must repeat.
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

    /// Under which paths are remembered and found for frames from `port` (below 1024).
    ///
    /// The fields are cut off. That they come again does no harm: what was remembered 4096 seconds ago and is still so in a database that has not
    /// changed since is right, as nothing has aged.
    ///
    /// - Parameters:
    ///   - seconds: as the database ages.
    ///   - changes: `ForwardingDatabase.changes`, read before the look-ups that are remembered.
    ///   - configuration: another number for another configuration.
    @_noLocks @inlinable @inline(__always)
    public static func stamp(port: UInt16, seconds: UInt32, changes: UInt64, configuration: UInt64) -> UInt64 {
        UInt64(port) & 0x3ff | 1 &<< 10 | UInt64(seconds & 0xfff) &<< 11 | (configuration & 0x1fff) &<< 23 | changes &<< 36
    }

    /// The line of a pair, to be fetched.
    @_noLocks @inlinable @inline(__always)
    public func line(_ destination: UInt64, _ source: UInt64) -> UnsafeMutableRawPointer {
        let hash = ((destination &* multiplier &+ source).byteSwapped &* 0x9e37_79b9_7f4a_7c15) &>> 34
        return UnsafeMutableRawPointer(paths) + Int(truncatingIfNeeded: hash & mask)
    }

    /// What is remembered of `addresses` (destination, source) under `stamp`. Which of the two places it is in decides no branch: that would be mispredicted
    /// for every path in a second one.
    @_noLocks @inlinable @inline(__always)
    public static func find(_ line: UnsafeMutableRawPointer, _ addresses: SIMD2<UInt64>, _ stamp: UInt64) -> UInt64? {
        let first = line.assumingMemoryBound(to: Path.self)
        let path = first + (areSame((first + 1).pointee.addresses, addresses) ? 1 : 0)
        guard areSame(path.pointee.addresses, addresses), path.pointee.stamp == stamp else { return nil }
        return path.pointee.answer
    }

    /// By words of 32 bits: the compiler takes a pair of 64 bits apart to compare it.
    @_noLocks @inlinable @inline(__always)
    static func areSame(_ pair: SIMD2<UInt64>, _ other: SIMD2<UInt64>) -> Bool {
        unsafeBitCast(pair, to: SIMD4<UInt32>.self) == unsafeBitCast(other, to: SIMD4<UInt32>.self)
    }

    /// Remembers a path that was not found. `turn` is any number that changes by one between calls, more or less.
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

    /// Whether a path could still be found, from whatever port.
    @_noLocks @inline(__always)
    private static func isCurrent(_ path: UnsafeMutablePointer<Path>, _ stamp: UInt64) -> Bool { (path.pointee.stamp ^ stamp) &>> 10 == 0 }
}
