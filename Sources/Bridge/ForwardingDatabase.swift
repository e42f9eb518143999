import Synchronization

/// A bridge's forwarding database: which port (and guest) an address is behind. One table a bridge, read and written by all of
/// its lcores without locks, and by the control thread.
///
/// A trivial handle on one block of memory; copies share it. Two hash functions give each address two cache lines of four places,
/// so that a look-up reads at most two lines. An address that finds both lines full makes room by moving others to their second
/// line (cuckoo hashing, at most three moves), which fills the table to nine tenths before that fails.
///
/// **Who yields when there is no room** (the table holds `capacity` addresses, or both lines are full for good): an address of the newcomer's own port, or
/// of a port that has more than its equal part of the table and more than the newcomer's port would have. Where there is none the newcomer is not
/// learned. So a guest that floods the bridge with invented source addresses displaces its own, not its neighbours', and what these have up to their
/// part they get from it.
///
/// **Races.** Looking up and learning never wait (`addStatic`, `removeStatic` and `remove`, which are for one control thread, wait
/// for a learner to finish). What may happen when lcores meet:
/// - A look-up meets an entry in change: the address counts as unknown, the frame is flooded. As if it had come a moment earlier.
/// - A look-up reads a value while its entry changes its owner: the second reading of the word differs, the address counts
///   as unknown. (Two bits of generation: the same owner would have to come back at the fourth change within two loads.)
/// - Two lcores learn one address at once: each claims a place, then looks for the other's claim; at least one sees it and withdraws,
///   so that an address never has two entries. If both withdraw, the next frame is learned.
/// - A learner looks for an address's entry while room-making moves it from a place not yet looked at to one that was: it looks again, as moves are counted.
/// - Two lcores want one place, for two addresses: one gets it, the other's verdict is `contended`, and the next frame is learned. Nobody is displaced
///   for that.
/// - A refresh meets a removal: the entry goes although it was just seen; the next frame is learned.
/// - A refresh's compare-and-exchange meets an entry that has a new owner with the very same value: the new owner is refreshed.
/// - What a loop remembered before a change (`PathCache`) serves a burst that began before it. As if that had come a moment earlier.
/// - An address moves to another port while room-making moves its entry: the entry is busy, the verdict is `contended`, the next frame
///   moves it.
@frozen
public struct ForwardingDatabase: @unchecked Sendable {
    @usableFromInline let entries: UnsafeMutablePointer<FDBEntry>
    @usableFromInline let shared: UnsafeMutablePointer<FDBShared>
    /// Bytes of all lines but one: masks the offset of a line. The number of lines is a power of two.
    @usableFromInline let mask: UInt64
    /// Odd and drawn at random for each table, so that nobody outside can choose addresses that share their lines.
    @usableFromInline let multiplier: UInt64
    /// Most addresses held.
    public let capacity: Int

    @usableFromInline
    init(
        entries: UnsafeMutablePointer<FDBEntry>, shared: UnsafeMutablePointer<FDBShared>, mask: UInt64, multiplier: UInt64, capacity: Int
    ) {
        self.entries = entries
        self.shared = shared
        self.mask = mask
        self.multiplier = multiplier
        self.capacity = capacity
    }

    /// A table for `capacity` addresses (1 to 16 777 216; 21 to 43 bytes each). `multiplier` is for tests that must repeat.
    public static func create(capacity: Int, multiplier: UInt64 = .random(in: .min ... .max)) -> ForwardingDatabase {
        precondition(capacity >= 1 && capacity <= 1 << 24, "a forwarding database holds 1 to 16777216 addresses")
        var lines = 2
        // At most three quarters full, so that room is found at once nearly always.
        while lines * 3 < capacity { lines *= 2 }
        return create(lines: lines, capacity: capacity, multiplier: multiplier)
    }

    /// `lines` is a power of two.
    package static func create(lines: Int, capacity: Int, multiplier: UInt64) -> ForwardingDatabase {
        let raw = UnsafeMutableRawPointer.allocate(byteCount: lines * 64, alignment: 64)
        let entries = raw.bindMemory(to: FDBEntry.self, capacity: lines * 4)
        for place in 0..<(lines * 4) { (entries + place).initialize(to: FDBEntry()) }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: FDBShared.size + ports * MemoryLayout<Int>.stride, alignment: 128)
        let counters = memory.bindMemory(to: FDBShared.self, capacity: 1)
        counters.initialize(to: FDBShared())
        let behind = (memory + FDBShared.size).bindMemory(to: Atomic<Int>.self, capacity: ports)
        for port in 0..<ports { (behind + port).initialize(to: Atomic(0)) }
        return ForwardingDatabase(
            entries: entries, shared: counters, mask: UInt64(lines - 1) &<< 6, multiplier: multiplier | 1, capacity: capacity)
    }

    /// Frees the table; no lcore may still use it.
    public func destroy() {
        UnsafeMutableRawPointer(entries).deallocate()
        UnsafeMutableRawPointer(shared).deallocate()
    }

    /// Ports told apart by `learnedCount(behind:)`.
    private static var ports: Int { 1_024 }

    /// How many learned addresses are behind a port, below 1024.
    @_noLocks
    public func learnedCount(behind port: UInt16) -> Int { behind(port).pointee.load(ordering: .relaxed) }

    @_noLocks @inline(__always)
    func behind(_ port: UInt16) -> UnsafeMutablePointer<Atomic<Int>> {
        (UnsafeMutableRawPointer(shared) + FDBShared.size).assumingMemoryBound(to: Atomic<Int>.self) + Int(port & 1_023)
    }

    /// What an entry says takes the place of what it said, if anything.
    @_noLocks @inline(__always)
    func count(_ new: FDBValue?, insteadOf old: FDBValue?) {
        if let new, !new.isStatic {
            if behind(new.port).pointee.add(1, ordering: .relaxed).oldValue == 0 { shared.pointee.ports.add(1, ordering: .relaxed) }
            shared.pointee.learned.add(1, ordering: .relaxed)
        }
        if let old, !old.isStatic {
            if behind(old.port).pointee.subtract(1, ordering: .relaxed).newValue == 0 { shared.pointee.ports.subtract(1, ordering: .relaxed) }
            shared.pointee.learned.subtract(1, ordering: .relaxed)
        }
    }

    /// Addresses held, static ones included.
    public var count: Int { @_noLocks get { shared.pointee.count.load(ordering: .relaxed) } }
    /// Another number after each change by which a known address is known no longer, or behind another port: what was looked up after this was read is
    /// true as long as it stays. New addresses do not count, nor do refreshes.
    @inlinable @inline(__always) public var changes: UInt64 { @_noLocks get { shared.pointee.changes.load(ordering: .acquiring) } }
    /// Cache lines of four places each; `sweep` goes over them in slices.
    public var lines: Int { Int(mask &>> 6) + 1 }

    // MARK: - Hashing

    @_noLocks @inlinable @inline(__always)
    func key(_ mac: UInt64) -> UInt64 { mac & FDBWord.keyMask | FDBWord.used }

    /// Two multiplications, between them the octets turned round, which brings the bits that depend on all others to where the second spreads them
    /// again. One alone leaves evenly spaced addresses evenly spaced. Of address and VLAN alone.
    @_noLocks @inlinable @inline(__always)
    func scattered(_ mac: UInt64) -> UInt64 { (mac &* multiplier).byteSwapped &* 0x9e37_79b9_7f4a_7c15 }

    @_noLocks @inlinable @inline(__always)
    func hash(_ key: UInt64) -> UInt64 { scattered(key & FDBWord.keyMask) }

    @_noLocks @inlinable @inline(__always)
    func line(_ offset: UInt64) -> UnsafeMutablePointer<FDBEntry> {
        (UnsafeMutableRawPointer(entries) + Int(truncatingIfNeeded: offset)).assumingMemoryBound(to: FDBEntry.self)
    }

    @_noLocks @inlinable @inline(__always)
    func firstLine(_ hash: UInt64) -> UnsafeMutablePointer<FDBEntry> { line(hash &>> 34 & mask) }

    /// Never the first one: their numbers differ in the lowest bit, and in others by chance.
    @_noLocks @inlinable @inline(__always)
    func secondLine(_ hash: UInt64) -> UnsafeMutablePointer<FDBEntry> { line(hash &>> 34 & mask ^ (hash &>> 10 & mask | 64)) }

    /// The line that a look-up of `mac` (60 bits, as in `lookup`) reads first, to be prefetched and given to `lookup(mac:inFirstLine:)`.
    @_noLocks @inlinable @inline(__always)
    public func firstLine(of mac: UInt64) -> UnsafeRawPointer { UnsafeRawPointer(firstLine(scattered(mac))) }

    // MARK: - Look-up

    /// What is known about `mac`: bits 47-0 address, bits 59-48 VLAN (0 where the bridge does not know VLANs). `FDBValue.none` if
    /// nothing is. Group addresses are never found.
    @_noLocks @inlinable @inline(__always)
    public func lookup(mac: UInt64) -> FDBValue {
        let key = key(mac)
        guard let entry = find(key, hash(key)) else { return .none }
        return entry.value
    }

    /// What is known about an individual address if it is in its `firstLine(of:)`; nil if it is not, or is being changed.
    @_noLocks @inlinable @inline(__always)
    public func lookup(mac: UInt64, inFirstLine line: UnsafeRawPointer) -> FDBValue? {
        find(mac | FDBWord.used, in: UnsafeMutableRawPointer(mutating: line).assumingMemoryBound(to: FDBEntry.self))?.value
    }

    /// An entry found at rest, with its value.
    @usableFromInline
    struct Found {
        @usableFromInline let place: UnsafeMutablePointer<FDBEntry>
        @usableFromInline let value: FDBValue
        @_noLocks @inlinable @inline(__always)
        init(place: UnsafeMutablePointer<FDBEntry>, value: FDBValue) {
            self.place = place
            self.value = value
        }
    }

    @_noLocks @inlinable @inline(__always)
    func find(_ key: UInt64, _ hash: UInt64) -> Found? {
        if let found = find(key, in: firstLine(hash)) { return found }
        return find(key, in: secondLine(hash))
    }

    /// Most addresses are in the first place of their first line.
    @_noLocks @inlinable @inline(__always)
    func find(_ key: UInt64, in line: UnsafeMutablePointer<FDBEntry>) -> Found? {
        let word = line.pointee.word.load(ordering: .acquiring)
        if FDBWord.holds(word, key) { return atRest(line, word) }
        var place = line + 1
        repeat {
            let word = place.pointee.word.load(ordering: .acquiring)
            if FDBWord.holds(word, key) { return atRest(place, word) }
            place += 1
        } while place != line + 4
        return nil
    }

    /// An entry with its value, unless its word has changed meanwhile.
    @_noLocks @inlinable @inline(__always)
    func atRest(_ place: UnsafeMutablePointer<FDBEntry>, _ word: UInt64) -> Found? {
        let value = place.pointee.value.load(ordering: .acquiring)
        guard place.pointee.word.load(ordering: .relaxed) == word else { return nil }
        return Found(place: place, value: FDBValue(raw: value))
    }
}

/// What all lcores write when an address comes or goes; apart from what they read for every frame.
@usableFromInline
struct FDBShared: ~Copyable {
    /// Bytes, of which the last are free; how many addresses are learned behind each port stands behind them.
    @inline(__always) static var size: Int { @_noLocks get { 128 } }
    @usableFromInline let count = Atomic<Int>(0)
    /// `ForwardingDatabase.changes`.
    @usableFromInline let changes = Atomic<UInt64>(0)
    /// Entries that were moved within the table.
    @usableFromInline let moves = Atomic<UInt64>(0)
    /// Learned addresses, and the ports that have any.
    let learned = Atomic<Int>(0)
    let ports = Atomic<Int>(0)
    /// The line at which the last search for somebody who is to yield ended.
    let hand = Atomic<Int>(0)
    init() {}
}
