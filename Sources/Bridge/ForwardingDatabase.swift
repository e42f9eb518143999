import Synchronization

/// A bridge's forwarding database: which port (and guest) an address is behind. Each bridge has one table, which all of its lcores read and write without
/// locks, as does the control thread.
///
/// A trivial handle on memory; copies share it. Two hash functions give each address two cache lines of four places, so that a look-up reads at most two lines.
/// If both lines of a new address are full, other addresses are moved to their second line (cuckoo hashing, with at most three moves); until that fails, the
/// table can be filled to nine tenths.
///
/// **Who yields if there is no room** (the table holds `capacity` addresses, or both lines are full and moving does not help): an address of the newcomer's own
/// port, or an address of a port that has more than its equal share of the table and more addresses than the newcomer's port would have. If there is no such
/// address, the newcomer is not learned. So a guest that floods the bridge with invented source addresses displaces its own addresses and not its neighbours',
/// and these can take back up to their share from it.
///
/// **Races.** Looking up and learning never wait. (`addStatic`, `removeStatic` and `remove`, which only one control thread may call, wait for a learner to
/// finish.) When lcores meet, this may happen:
/// - A look-up meets an entry that is being changed: the address counts as unknown and the frame is flooded, as if it had arrived a moment earlier.
/// - A look-up reads a value while its entry gets another owner: the second reading of the word differs, and the address counts as unknown. (The generation has
///   two bits, so the same owner would have to return with the fourth change between two loads to go unnoticed.)
/// - Two lcores learn the same address at once: each claims a place, then looks for the other's claim. At least one sees it and withdraws, so an address never
///   has two entries. If both withdraw, the address is learned from the next frame.
/// - A learner searches for an address's entry while another lcore moves it from a place not yet searched to one already searched: moves are counted, so the
///   learner notices and searches again.
/// - Two lcores want the same place for two addresses: one gets it, the other's verdict is `contended`, and its address is learned from the next frame. No
///   address is evicted because of that.
/// - A refresh meets a removal: the entry is removed although the address was just seen; the address is learned from the next frame.
/// - A refresh's compare-and-exchange meets an entry that has a new owner with the very same value: the new owner is refreshed.
/// - A burst that began before a change uses what its loop remembered before it (`PathCache`), as if the burst had arrived a moment earlier.
/// - An address moves to another port while its entry is being moved within the table: the entry is busy, the verdict is `contended`, and the next frame
///   changes the port.
@frozen
public struct ForwardingDatabase: @unchecked Sendable {
    @usableFromInline let entries: UnsafeMutablePointer<FDBEntry>
    @usableFromInline let shared: UnsafeMutablePointer<FDBShared>
    /// Masks the byte offset of a line: the size of all lines but one. The number of lines is a power of two.
    @usableFromInline let mask: UInt64
    /// Odd, and drawn at random for each table, so that no sender can choose addresses that share their lines.
    @usableFromInline let multiplier: UInt64
    /// Number of addresses from which on a new one is learned only in place of another. Static entries are added even beyond it.
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

    /// Creates a table for `capacity` addresses (1 to 16 777 216, others trap), which takes 21 to 43 bytes for each. Only tests that must be repeatable choose
    /// `multiplier`.
    public static func create(capacity: Int, multiplier: UInt64 = .random(in: .min ... .max)) -> ForwardingDatabase {
        precondition(capacity >= 1 && capacity <= 1 << 24, "a forwarding database holds 1 to 16777216 addresses")
        var lines = 2
        // The table is at most three quarters full, so that a new address nearly always finds a free place at once.
        while lines * 3 < capacity { lines *= 2 }
        return create(lines: lines, capacity: capacity, multiplier: multiplier)
    }

    /// Creates a table of `lines` cache lines; their number is a power of two.
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

    /// Number of ports for which learned addresses are counted separately (`learnedCount(behind:)`).
    private static var ports: Int { 1_024 }

    /// How many learned addresses are behind a port, whose number is below 1024.
    @_noLocks
    public func learnedCount(behind port: UInt16) -> Int { behind(port).pointee.load(ordering: .relaxed) }

    @_noLocks @inline(__always)
    func behind(_ port: UInt16) -> UnsafeMutablePointer<Atomic<Int>> {
        (UnsafeMutableRawPointer(shared) + FDBShared.size).assumingMemoryBound(to: Atomic<Int>.self) + Int(port & 1_023)
    }

    /// Adjusts the counts of learned addresses when an entry's value changes from `old` to `new`; nil stands for no entry.
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

    /// Number of addresses held, static ones included.
    public var count: Int { @_noLocks get { shared.pointee.count.load(ordering: .relaxed) } }
    /// A number that changes after each change by which a known address becomes unknown or is behind another port. What was looked up after it was read holds
    /// as long as it stays the same. New addresses and refreshes do not change it.
    @inlinable @inline(__always) public var changes: UInt64 { @_noLocks get { shared.pointee.changes.load(ordering: .acquiring) } }
    /// Number of cache lines, which have four places each; `sweep` goes over them in slices.
    public var lines: Int { Int(mask &>> 6) + 1 }

    // MARK: - Hashing

    @_noLocks @inlinable @inline(__always)
    func key(_ mac: UInt64) -> UInt64 { mac & FDBWord.keyMask | FDBWord.used }

    /// Hashes an address with its VLAN by two multiplications. Between them the octets are reversed, which brings the bits that depend on all others to where
    /// the second multiplication spreads them again. A single multiplication would leave evenly spaced addresses evenly spaced.
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

    /// The second line of an address is never its first: the numbers of the two differ in the lowest bit, and in the other bits at random.
    @_noLocks @inlinable @inline(__always)
    func secondLine(_ hash: UInt64) -> UnsafeMutablePointer<FDBEntry> { line(hash &>> 34 & mask ^ (hash &>> 10 & mask | 64)) }

    /// The line that a look-up of `mac` (60 bits, as in `lookup`) reads first, to be prefetched and then passed to `lookup(mac:inFirstLine:)`.
    @_noLocks @inlinable @inline(__always)
    public func firstLine(of mac: UInt64) -> UnsafeRawPointer { UnsafeRawPointer(firstLine(scattered(mac))) }

    // MARK: - Look-up

    /// What is known about `mac`, whose bits 47-0 are the address and 59-48 the VLAN (0 on bridges without VLANs); `FDBValue.none` if nothing is known. Group
    /// addresses are never found.
    @_noLocks @inlinable @inline(__always)
    public func lookup(mac: UInt64) -> FDBValue {
        let key = key(mac)
        guard let entry = find(key, hash(key)) else { return .none }
        return entry.value
    }

    /// What is known about an individual address if its entry is in its `firstLine(of:)`; nil if it is not there, or is being changed.
    @_noLocks @inlinable @inline(__always)
    public func lookup(mac: UInt64, inFirstLine line: UnsafeRawPointer) -> FDBValue? {
        find(mac | FDBWord.used, in: UnsafeMutableRawPointer(mutating: line).assumingMemoryBound(to: FDBEntry.self))?.value
    }

    /// An entry that was found at rest, with its value.
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

    /// Searches one line. The first place is tried separately, because most addresses are in the first place of their first line.
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

    /// The entry with its value; nil if its word is no longer `word` once the value is read.
    @_noLocks @inlinable @inline(__always)
    func atRest(_ place: UnsafeMutablePointer<FDBEntry>, _ word: UInt64) -> Found? {
        let value = place.pointee.value.load(ordering: .acquiring)
        guard place.pointee.word.load(ordering: .relaxed) == word else { return nil }
        return Found(place: place, value: FDBValue(raw: value))
    }
}

/// Counters that all lcores write when an address comes or goes. They are kept apart from what the lcores read for every frame.
@usableFromInline
struct FDBShared: ~Copyable {
    /// Size in bytes; the end of it is unused. The numbers of learned addresses behind each port follow in memory.
    @inline(__always) static var size: Int { @_noLocks get { 128 } }
    /// `ForwardingDatabase.count`.
    @usableFromInline let count = Atomic<Int>(0)
    /// `ForwardingDatabase.changes`.
    @usableFromInline let changes = Atomic<UInt64>(0)
    /// Number of times that an entry was moved within the table.
    @usableFromInline let moves = Atomic<UInt64>(0)
    /// The number of learned addresses, and of the ports that have any.
    let learned = Atomic<Int>(0)
    let ports = Atomic<Int>(0)
    /// The line at which the last search for an address to evict ended.
    let hand = Atomic<Int>(0)
    init() {}
}
