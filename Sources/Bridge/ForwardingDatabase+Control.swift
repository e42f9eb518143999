import Synchronization

/// What the control thread does, while lcores go on looking up and learning.
extension ForwardingDatabase {
    /// Makes `mac` a static entry, in place of a learned or static one. For one control thread at a time; waits for lcores that are
    /// in the middle of learning the same address.
    ///
    /// - Returns: false if all places the address could have are taken by static entries of other addresses.
    public func addStatic(mac: UInt64, port: UInt16, guest: UInt16) -> Bool {
        let key = key(mac)
        let hash = hash(key)
        let value = FDBValue(staticPort: port, guest: guest)
        while true {
            if let place = claimed(key, hash, except: nil) {
                let word = place.pointee.word.load(ordering: .acquiring)
                guard FDBWord.holds(word, key), lock(place, word) else { continue }
                let old = FDBValue(raw: place.pointee.value.load(ordering: .acquiring))
                place.pointee.value.store(value.raw, ordering: .releasing)
                count(value, insteadOf: old)
                unlock(place, FDBWord.next(word, key: key))
                noteChange()
                return true
            }
            var isContended = false
            var room = makeRoom(hash, &isContended)
            if room == nil && !isContended { room = evict(hash, for: port, isFull: false, &isContended) ?? evictAny(hash) }
            guard let place = room else {
                if isFullOfStatics(hash) { return false }
                continue
            }
            let word = place.pointee.word.load(ordering: .acquiring)
            // Yields to a learner that was quicker, and then takes the entry over in the next turn.
            if FDBWord.isFree(word), insert(at: place, word: word, key: key, hash: hash, value: value, isNew: true) { return true }
        }
    }

    /// Forgets the static entry of `mac`. False: there is none. A learned entry stays.
    @discardableResult
    public func removeStatic(mac: UInt64) -> Bool { remove(mac) { $0.isStatic } }

    /// Forgets `mac`, learned or static. False: it was not known.
    @discardableResult
    public func remove(mac: UInt64) -> Bool { remove(mac) { _ in true } }

    private func remove(_ mac: UInt64, where condition: (FDBValue) -> Bool) -> Bool {
        let key = key(mac)
        let hash = hash(key)
        while let place = claimed(key, hash, except: nil) {
            let word = place.pointee.word.load(ordering: .acquiring)
            guard FDBWord.holds(word, key), lock(place, word) else { continue }
            guard condition(FDBValue(raw: place.pointee.value.load(ordering: .acquiring))) else {
                unlock(place, word)
                return false
            }
            release(place, word)
            return true
        }
        return false
    }

    /// Forgets what was learned behind `port`, and with `statics` its static entries too; for a port that goes.
    ///
    /// Lcores may learn behind the port while this runs: the port's queues must have stopped for nothing to remain.
    /// - Returns: how many entries went.
    @discardableResult
    public func flush(port: UInt16, statics: Bool = false) -> Int {
        removeAll { $0.port == port && (statics || !$0.isStatic) }
    }

    /// Forgets everything that was learned.
    @discardableResult
    public func flushLearned() -> Int { removeAll { !$0.isStatic } }

    /// Forgets what was learned about some addresses.
    /// - Parameter condition: its `mac` has 60 bits, as in `lookup`.
    /// - Returns: how many entries went.
    @discardableResult
    public func flushLearned(where condition: (_ mac: UInt64, _ value: FDBValue) -> Bool) -> Int {
        var found: [UInt64] = []
        forEach { mac, value in if !value.isStatic && condition(mac, value) { found.append(mac) } }
        return found.count { mac in remove(mac) { !$0.isStatic && condition(mac, $0) } }
    }

    /// Of the whole table. An entry that a newcomer moved meanwhile may have been passed over, so it is gone through again; not without end, as a full table
    /// may be moved about all the time.
    private func removeAll(where condition: (FDBValue) -> Bool) -> Int {
        var removed = 0
        for _ in 0..<16 {
            let moves = shared.pointee.moves.load(ordering: .sequentiallyConsistent)
            removed += removeAll(from: 0, to: lines, where: condition)
            if shared.pointee.moves.load(ordering: .sequentiallyConsistent) == moves { break }
        }
        return removed
    }

    /// Has learned entries say another guest, or another time, where `value` says so; in place, so that no address is unknown meanwhile.
    public func relabel(_ value: (_ mac: UInt64, _ old: FDBValue) -> FDBValue) {
        for _ in 0..<16 {
            let moves = shared.pointee.moves.load(ordering: .sequentiallyConsistent)
            for index in 0..<(lines * 4) { relabel(entries + index, value) }
            // As in `removeAll`: what was moved meanwhile may have been passed over.
            if shared.pointee.moves.load(ordering: .sequentiallyConsistent) == moves { break }
        }
    }

    private func relabel(_ place: UnsafeMutablePointer<FDBEntry>, _ value: (_ mac: UInt64, _ old: FDBValue) -> FDBValue) {
        while true {
            let word = place.pointee.word.load(ordering: .acquiring)
            guard word & FDBWord.used != 0, !FDBWord.isBusy(word) else { return }
            let old = FDBValue(raw: place.pointee.value.load(ordering: .acquiring))
            guard place.pointee.word.load(ordering: .relaxed) == word else { continue }
            if old.isStatic { return }
            let new = value(word & FDBWord.keyMask, old)
            if new == old { return }
            guard lock(place, word) else { continue }
            // A refresh needs no lock: it may have been quicker.
            let result = place.pointee.value.compareExchange(
                expected: old.raw, desired: new.raw, successOrdering: .releasing, failureOrdering: .relaxed)
            unlock(place, word)
            if result.exchanged {
                noteChange()
                return
            }
        }
    }

    /// Takes over what `old`, which loops may be using, knows: learned addresses that are not known here, or were last seen earlier; and with `statics`
    /// static entries. For a database that takes the place of another: once before it is published and, as addresses are learned meanwhile, once after.
    public func carry(from old: ForwardingDatabase, statics: Bool) {
        if statics { old.forEach { mac, value in if value.isStatic { _ = addStatic(mac: mac, port: value.port, guest: value.guest) } } }
        old.forEach { mac, value in
            if value.isStatic { return }
            let known = lookup(mac: mac)
            if known.isNone || !known.isStatic && known.seen < value.seen { _ = learn(mac: mac, value) }
        }
    }

    /// Ageing, a slice at a time: forgets learned entries of `count` lines from line `cursor` on whose address was last seen before the
    /// second `cutoff`.
    ///
    /// - Returns: where to go on (0 behind the last line), and how many entries went.
    @discardableResult
    public func sweep(olderThan cutoff: UInt32, from cursor: Int, count: Int) -> (next: Int, removed: Int) {
        let start = cursor >= 0 && cursor < lines ? cursor : 0
        let end = min(lines, start + max(0, count))
        let removed = removeAll(from: start, to: end) { !$0.isStatic && $0.seen < cutoff }
        return (end == lines ? 0 : end, removed)
    }

    /// Every address with its value, in no order. Entries that come or go meanwhile may or may not be seen; one that is moved within
    /// the table by a newcomer may be seen twice or not at all.
    public func forEach(_ body: (_ mac: UInt64, _ value: FDBValue) throws -> Void) rethrows {
        for index in 0..<(lines * 4) {
            let place = entries + index
            let word = place.pointee.word.load(ordering: .acquiring)
            guard word & FDBWord.used != 0, !FDBWord.isBusy(word) else { continue }
            let value = FDBValue(raw: place.pointee.value.load(ordering: .acquiring))
            guard place.pointee.word.load(ordering: .relaxed) == word else { continue }
            try body(word & FDBWord.keyMask, value)
        }
    }

    private func removeAll(from start: Int, to end: Int, where condition: (FDBValue) -> Bool) -> Int {
        var removed = 0
        for index in (start * 4)..<(end * 4) {
            let place = entries + index
            let word = place.pointee.word.load(ordering: .acquiring)
            guard word & FDBWord.used != 0, !FDBWord.isBusy(word) else { continue }
            // Asked again when nobody can change the entry: see `free`.
            guard condition(FDBValue(raw: place.pointee.value.load(ordering: .acquiring))), lock(place, word) else { continue }
            if condition(FDBValue(raw: place.pointee.value.load(ordering: .acquiring))) {
                release(place, word)
                removed += 1
            } else {
                unlock(place, word)
            }
        }
        return removed
    }

    /// A configured address comes before any learned one.
    private func evictAny(_ hash: UInt64) -> UnsafeMutablePointer<FDBEntry>? {
        for index in 0..<8 {
            let place = self.place(index, hash)
            let word = place.pointee.word.load(ordering: .acquiring)
            guard word & FDBWord.used != 0, !FDBWord.isBusy(word) else { continue }
            if !FDBValue(raw: place.pointee.value.load(ordering: .acquiring)).isStatic, free(place, word) { return place }
        }
        return nil
    }

    private func isFullOfStatics(_ hash: UInt64) -> Bool {
        for index in 0..<8 {
            let place = self.place(index, hash)
            let word = place.pointee.word.load(ordering: .acquiring)
            let value = FDBValue(raw: place.pointee.value.load(ordering: .acquiring))
            if FDBWord.isBusy(word) || FDBWord.isFree(word) || !value.isStatic { return false }
        }
        return true
    }
}
