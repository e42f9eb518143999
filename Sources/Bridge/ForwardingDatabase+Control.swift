import Synchronization

/// What the control thread does with the table while lcores continue to look up and learn.
extension ForwardingDatabase {
    /// Makes `mac` a static entry, replacing its learned or static entry if it has one. Only one control thread may call it at a time; it waits for lcores that
    /// are in the middle of learning the same address.
    ///
    /// - Returns: false if static entries of other addresses take all places that the address could have.
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
            // If a learner inserts the address first, this one withdraws and takes the learner's entry over in the next round.
            if FDBWord.isFree(word), insert(at: place, word: word, key: key, hash: hash, value: value, isNew: true) { return true }
        }
    }

    /// Removes the static entry of `mac`; a learned entry stays. Returns false if there is no static entry.
    @discardableResult
    public func removeStatic(mac: UInt64) -> Bool { remove(mac) { $0.isStatic } }

    /// Removes the entry of `mac`, learned or static. Returns false if there is none.
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

    /// Removes what was learned behind `port` and, with `statics`, its static entries as well. It is called when a port is removed.
    ///
    /// Lcores may learn behind the port while this runs; only if the port's queues have stopped does no entry remain.
    /// - Returns: the number of entries removed.
    @discardableResult
    public func flush(port: UInt16, statics: Bool = false) -> Int {
        removeAll { $0.port == port && (statics || !$0.isStatic) }
    }

    /// Removes all learned entries. Returns their number.
    @discardableResult
    public func flushLearned() -> Int { removeAll { !$0.isStatic } }

    /// Removes the learned entries that fulfil a condition.
    /// - Parameter condition: is passed the address in 60 bits, as in `lookup`.
    /// - Returns: the number of entries removed.
    @discardableResult
    public func flushLearned(where condition: (_ mac: UInt64, _ value: FDBValue) -> Bool) -> Int {
        var found: [UInt64] = []
        forEach { mac, value in if !value.isStatic && condition(mac, value) { found.append(mac) } }
        return found.count { mac in remove(mac) { !$0.isStatic && condition(mac, $0) } }
    }

    /// Removes matching entries from the whole table. An entry that a newcomer moves meanwhile may be missed, so the table is searched again as long as entries
    /// were moved; the number of rounds is limited, because in a full table entries may be moved all the time.
    private func removeAll(where condition: (FDBValue) -> Bool) -> Int {
        var removed = 0
        for _ in 0..<16 {
            let moves = shared.pointee.moves.load(ordering: .sequentiallyConsistent)
            removed += removeAll(from: 0, to: lines, where: condition)
            if shared.pointee.moves.load(ordering: .sequentiallyConsistent) == moves { break }
        }
        return removed
    }

    /// Gives learned entries the values that `value` returns, with another guest or another time. The entries are changed in place, so that no address becomes
    /// unknown meanwhile.
    public func relabel(_ value: (_ mac: UInt64, _ old: FDBValue) -> FDBValue) {
        for _ in 0..<16 {
            let moves = shared.pointee.moves.load(ordering: .sequentiallyConsistent)
            for index in 0..<(lines * 4) { relabel(entries + index, value) }
            // As in `removeAll`, an entry that was moved meanwhile may have been missed.
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
            // A refresh does not lock the entry, so it may have changed the value in between.
            let result = place.pointee.value.compareExchange(
                expected: old.raw, desired: new.raw, successOrdering: .releasing, failureOrdering: .relaxed)
            unlock(place, word)
            if result.exchanged {
                noteChange()
                return
            }
        }
    }

    /// Copies what `old`, which poll loops may still be using, knows: learned addresses that are unknown here or were last seen earlier here, and with
    /// `statics` the static entries. For a database that replaces another, it is called once before that is published and, since addresses are learned
    /// meanwhile, once after.
    public func carry(from old: ForwardingDatabase, statics: Bool) {
        if statics { old.forEach { mac, value in if value.isStatic { _ = addStatic(mac: mac, port: value.port, guest: value.guest) } } }
        old.forEach { mac, value in
            if value.isStatic { return }
            let known = lookup(mac: mac)
            if known.isNone || !known.isStatic && known.seen < value.seen { _ = learn(mac: mac, value) }
        }
    }

    /// Ages a slice of the table: removes the learned entries in `count` lines from line `cursor` on that were last seen before the second `cutoff`.
    ///
    /// - Returns: the line with which to continue (0 after the last line), and the number of entries removed.
    @discardableResult
    public func sweep(olderThan cutoff: UInt32, from cursor: Int, count: Int) -> (next: Int, removed: Int) {
        let start = cursor >= 0 && cursor < lines ? cursor : 0
        let end = min(lines, start + max(0, count))
        let removed = removeAll(from: start, to: end) { !$0.isStatic && $0.seen < cutoff }
        return (end == lines ? 0 : end, removed)
    }

    /// Calls `body` with every address and its value, in no particular order. Entries that are added or removed meanwhile may or may not be visited; one that a
    /// newcomer moves within the table may be visited twice or not at all.
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
            // The condition is checked again once the entry is locked, for the reason given at `free`.
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

    /// Evicts any learned entry from the lines of a configured address, which takes precedence over all learned ones.
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
