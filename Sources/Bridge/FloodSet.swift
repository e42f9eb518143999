/// The ports of a bridge that take part in flooding, as a bit set over port numbers.
///
/// A trivial handle on one block of memory; copies share it. One thread fills it before it is published to the lcores; while they
/// read it, it must not change (publish another one instead).
@frozen
public struct FloodSet: @unchecked Sendable {
    @usableFromInline let words: UnsafeMutablePointer<UInt64>
    @usableFromInline let wordCount: Int

    @usableFromInline init(words: UnsafeMutablePointer<UInt64>, wordCount: Int) {
        self.words = words
        self.wordCount = wordCount
    }

    /// An empty set for port numbers below `capacity`.
    public static func create(capacity: Int) -> FloodSet {
        let wordCount = max(1, (capacity + 63) / 64)
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: wordCount)
        words.initialize(repeating: 0, count: wordCount)
        return FloodSet(words: words, wordCount: wordCount)
    }

    /// Frees the set; no lcore may still read it.
    public func destroy() { words.deallocate() }

    /// Traps if `port` is not below the capacity.
    public func insert(_ port: UInt16) {
        precondition(Int(port) < wordCount * 64, "the port number exceeds the flood set's capacity")
        words[Int(port) / 64] |= 1 << UInt64(port % 64)
    }

    public func remove(_ port: UInt16) {
        guard Int(port) < wordCount * 64 else { return }
        words[Int(port) / 64] &= ~(1 << UInt64(port % 64))
    }

    @_noLocks @inlinable @inline(__always)
    public func contains(_ port: UInt16) -> Bool {
        Int(port) &>> 6 < wordCount && words[Int(port) &>> 6] &>> UInt64(port & 63) & 1 != 0
    }

    public var count: Int { (0..<wordCount).reduce(0) { $0 + words[$1].nonzeroBitCount } }

    /// The ports a frame from `source` is flooded to: all but `source` itself, in rising order.
    ///
    ///     var ports = flood.targets(from: record.pointee.input)
    ///     while let port = ports.next() { ... }
    @_noLocks @inlinable @inline(__always)
    public func targets(from source: UInt16) -> Targets { Targets(self, source: source) }

    /// Walks the ports a frame is flooded to. Trivial; never on the heap.
    @frozen
    public struct Targets {
        @usableFromInline let words: UnsafeMutablePointer<UInt64>
        @usableFromInline let wordCount: Int
        @usableFromInline let source: UInt16
        @usableFromInline var index: Int
        @usableFromInline var left: UInt64

        @_noLocks @inlinable @inline(__always)
        init(_ set: FloodSet, source: UInt16) {
            words = set.words
            wordCount = set.wordCount
            self.source = source
            index = 0
            left = 0
            left = load(0)
        }

        @_noLocks @inlinable @inline(__always)
        func load(_ index: Int) -> UInt64 {
            let word = words[index]
            return index == Int(source) &>> 6 ? word & ~(1 &<< UInt64(source & 63)) : word
        }

        /// The next port; nil when all have been given.
        @_noLocks @inlinable @inline(__always)
        public mutating func next() -> UInt16? {
            while left == 0 {
                index &+= 1
                if index >= wordCount { return nil }
                left = load(index)
            }
            let port = UInt16(truncatingIfNeeded: index &* 64 &+ left.trailingZeroBitCount)
            left &= left &- 1
            return port
        }
    }
}
