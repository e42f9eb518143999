import Synchronization

/// Which address is evicted for a new one.
extension ForwardingDatabase {
    /// Evicts a learned address in favour of a newcomer behind `port`: one in the newcomer's lines or, if only the total number is exceeded, one elsewhere.
    ///
    /// Of the addresses in the newcomer's two lines that may be evicted (`Claim`), it takes the one of the port with the most addresses and, within that, the
    /// one not seen for longest. If the table is full and none of these may go, it takes the first that may in the next 32 lines; each search continues where
    /// the last one ended. So a newcomer that is entitled to a place gets it with one of its next frames, and no frame costs more than that.
    ///
    /// - Parameter isFull: the table holds `capacity` addresses; otherwise only the newcomer's two lines are full.
    /// - Returns: a free place in the newcomer's lines; nil if no address was evicted, or if another lcore was quicker, in which case `isContended` is set.
    @_noLocks
    func evict(_ hash: UInt64, for port: UInt16, isFull: Bool, _ isContended: inout Bool) -> UnsafeMutablePointer<FDBEntry>? {
        let claim = Claim(self, port, isFull: isFull)
        var victim = Victim()
        consider(firstLine(hash), claim, &victim)
        consider(secondLine(hash), claim, &victim)
        if let place = victim.place {
            if free(place, victim.word) { return place }
            isContended = true
            return nil
        }
        guard isFull, let room = makeRoom(hash, &isContended) else { return nil }
        var line = shared.pointee.hand.load(ordering: .relaxed)
        for _ in 0..<min(lines, 32) where victim.place == nil {
            line = (line &+ 1) & (lines &- 1)
            consider(entries + 4 &* line, claim, &victim)
        }
        shared.pointee.hand.store(line, ordering: .relaxed)
        guard let place = victim.place else { return nil }
        if free(place, victim.word) { return room }
        isContended = true
        return nil
    }

    /// Decides which ports' addresses may be evicted in favour of a newcomer.
    private struct Claim {
        private let port: UInt16
        /// Number of addresses that the newcomer's port would have, the newcomer included.
        private let own: Int
        /// A port's share: the places not taken by static entries, divided by the number of ports that have learned addresses, the newcomer's included.
        private let part: Int
        /// Whether the newcomer may evict an address of its own port: if that port already has its share, or if only the two lines are full. A port that has
        /// less than its share is entitled to another's place.
        private let takesOwn: Bool

        @_noLocks
        init(_ table: ForwardingDatabase, _ port: UInt16, isFull: Bool) {
            self.port = port
            own = table.learnedCount(behind: port) &+ 1
            let ports = table.shared.pointee.ports.load(ordering: .relaxed) &+ (own == 1 ? 1 : 0)
            let places = table.capacity &- table.count &+ table.shared.pointee.learned.load(ordering: .relaxed)
            part = max(places, 0) / max(ports, 1)
            takesOwn = own > part || !isFull
        }

        /// By how many addresses a port ranks among those that may lose one; 0 if it must not. `count` is the number that it has.
        @_noLocks
        func weight(of other: UInt16, having count: Int) -> Int {
            if other == port { return takesOwn ? own : 0 }
            return count > part && count > own ? count : 0
        }
    }

    private struct Victim {
        var place: UnsafeMutablePointer<FDBEntry>?
        var word: UInt64 = 0
        /// The weight of its port and, in the lower bits, its age. The address with the highest rank is evicted.
        var rank: UInt64 = 0

        @_noLocks
        init() {}
    }

    /// Replaces `victim` by an address of `line` that ranks higher.
    @_noLocks
    private func consider(_ line: UnsafeMutablePointer<FDBEntry>, _ claim: Claim, _ victim: inout Victim) {
        for index in 0..<4 {
            let place = line + index
            let word = place.pointee.word.load(ordering: .acquiring)
            let value = FDBValue(raw: place.pointee.value.load(ordering: .acquiring))
            guard word & FDBWord.used != 0, !FDBWord.isBusy(word), !value.isStatic else { continue }
            let weight = claim.weight(of: value.port, having: learnedCount(behind: value.port))
            let rank = UInt64(weight) &<< 32 | UInt64(0x7fff_ffff &- value.seen)
            guard weight > 0, rank > victim.rank else { continue }
            victim.place = place
            victim.word = word
            victim.rank = rank
        }
    }
}
