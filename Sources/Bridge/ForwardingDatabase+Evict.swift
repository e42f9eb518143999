import Synchronization

/// Who yields to a new address.
extension ForwardingDatabase {
    /// Frees the place of a learned address for a newcomer behind `port`, or one elsewhere so that the table may hold the newcomer.
    ///
    /// Of the addresses in the newcomer's two lines that may go (`Claim`), the longest unseen one of the port that has most. Where the table is full and none of
    /// these may, the next one that may of 32 lines, which each search takes up where the last one ended: so a newcomer that is entitled to a place gets it with
    /// one of its next frames, and none costs more than that.
    ///
    /// - Parameter isFull: the table holds as many addresses as it may; otherwise it is the two lines that are full.
    /// - Returns: a free place in the newcomer's lines; nil if nobody goes, or if another lcore was quicker: then `isContended` is set.
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

    /// Whose addresses may go for a newcomer's.
    private struct Claim {
        private let port: UInt16
        /// Addresses that the newcomer's port would have with it.
        private let own: Int
        /// A port's part: the places that static entries leave, divided among the ports that have learned addresses, the newcomer's included.
        private let part: Int
        /// A port that has its part, or whose lines alone are full, exchanges its own. One that has less is entitled to another's.
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

        /// How many addresses a port is taken to have that is to yield one, out of the `count` that it has; 0 if it need not.
        @_noLocks
        func weight(of other: UInt16, having count: Int) -> Int {
            if other == port { return takesOwn ? own : 0 }
            return count > part && count > own ? count : 0
        }
    }

    private struct Victim {
        var place: UnsafeMutablePointer<FDBEntry>?
        var word: UInt64 = 0
        /// Its port's weight, then its age: compared as one number, the highest goes.
        var rank: UInt64 = 0

        @_noLocks
        init() {}
    }

    /// Has `victim` be an address of `line` that is to go rather.
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
