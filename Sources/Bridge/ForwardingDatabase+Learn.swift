import Synchronization

extension ForwardingDatabase {
    /// Learns that `mac` is behind `port`, and returns what the database then knows about it, with a single look-up.
    ///
    /// It writes only if the entry is new, changes, or was last seen in another second. `guest` is the address's owner unless a static entry names another. The
    /// caller has to make sure that `mac` is an individual address (`BridgeRules`).
    ///
    /// - Parameter seconds: the time in seconds, of any clock that never steps back; 31 bits.
    @_noLocks @inlinable @inline(__always)
    public func learn(mac: UInt64, port: UInt16, guest: UInt16, now seconds: UInt32) -> LearnResult {
        learn(mac: mac, FDBValue(port: port, guest: guest, seen: seconds))
    }

    /// Learns `mac` with the port, guest and time in `wanted`.
    @_noLocks @inlinable @inline(__always)
    public func learn(mac: UInt64, _ wanted: FDBValue) -> LearnResult {
        let key = key(mac), hash = hash(key)
        if let found = find(key, hash) {
            if found.value.raw == wanted.raw { return LearnResult(.known, wanted) }
            if found.value.port == wanted.port {
                if found.value.isStatic { return LearnResult(.known, found.value) }
                // This happens once a second for each address. If the exchange fails, another refresh or a removal was quicker, and nothing needs to be done.
                _ = found.place.pointee.value.compareExchange(
                    expected: found.value.raw, desired: wanted.raw, successOrdering: .releasing, failureOrdering: .relaxed)
                return LearnResult(.known, wanted)
            }
            if found.value.isStatic { return LearnResult(.refusedStatic, found.value) }
        }
        return learnSlowly(key: key, hash: hash, wanted: wanted)
    }

    /// Learns an address that is new, has moved, or whose entry is being changed.
    @_noLocks @usableFromInline @inline(never)
    func learnSlowly(key: UInt64, hash: UInt64, wanted: FDBValue) -> LearnResult {
        if let place = claimed(key, hash, except: nil) {
            let word = place.pointee.word.load(ordering: .acquiring)
            guard FDBWord.holds(word, key), lock(place, word) else { return LearnResult(.contended, wanted) }
            let old = FDBValue(raw: place.pointee.value.load(ordering: .acquiring))
            if old.isStatic {
                unlock(place, word)
                return LearnResult(old.port == wanted.port ? .known : .refusedStatic, old)
            }
            place.pointee.value.store(wanted.raw, ordering: .releasing)
            count(wanted, insteadOf: old)
            unlock(place, FDBWord.next(word, key: key))
            noteChange()
            return LearnResult(old.port == wanted.port ? .known : .moved, wanted)
        }
        var verdict = LearnVerdict.learned
        var isContended = false
        let isFull = count >= capacity
        var room = isFull ? nil : makeRoom(hash, &isContended)
        if room == nil, !isContended {
            room = evict(hash, for: wanted.port, isFull: isFull, &isContended)
            verdict = .evicted
        }
        guard let room else { return LearnResult(isContended ? .contended : .full, wanted) }
        let word = room.pointee.word.load(ordering: .acquiring)
        guard FDBWord.isFree(word) else { return LearnResult(.contended, wanted) }
        guard insert(at: room, word: word, key: key, hash: hash, value: wanted, isNew: true) else {
            return LearnResult(.contended, wanted)
        }
        return LearnResult(verdict, wanted)
    }

    /// Learns `mac` even if a static entry names another port: for an address whose owner is not connected and so cannot use it.
    @_noLocks
    public func overrule(mac: UInt64, _ wanted: FDBValue) -> LearnResult {
        let key = key(mac), hash = hash(key)
        guard let place = claimed(key, hash, except: nil) else { return learnSlowly(key: key, hash: hash, wanted: wanted) }
        let word = place.pointee.word.load(ordering: .acquiring)
        guard FDBWord.holds(word, key), lock(place, word) else { return LearnResult(.contended, wanted) }
        let old = FDBValue(raw: place.pointee.value.load(ordering: .acquiring))
        place.pointee.value.store(wanted.raw, ordering: .releasing)
        count(wanted, insteadOf: old)
        unlock(place, FDBWord.next(word, key: key))
        noteChange()
        return LearnResult(.moved, wanted)
    }

    /// Makes the free `place`, whose word is `word`, the entry of `key`. Returns false if another lcore was quicker; then nothing was written.
    ///
    /// The place is claimed first and other claims are looked for second, both sequentially consistent: of two lcores that claim places for the same address,
    /// at least one sees the other's claim.
    ///
    /// - Parameter isNew: whether the address has no entry yet; otherwise it moves here from an entry that the caller has locked.
    @_noLocks
    func insert(
        at place: UnsafeMutablePointer<FDBEntry>, word: UInt64, key: UInt64, hash: UInt64, value: FDBValue, isNew: Bool
    ) -> Bool {
        let claim = word & FDBWord.generationMask | FDBWord.busy | key
        guard place.pointee.word.compareExchange(expected: word, desired: claim, ordering: .sequentiallyConsistent).exchanged else {
            return false
        }
        if isNew, claimed(key, hash, except: place) != nil {
            place.pointee.word.store(FDBWord.next(word, key: 0), ordering: .releasing)
            return false
        }
        place.pointee.value.store(value.raw, ordering: .releasing)
        place.pointee.word.store(FDBWord.next(word, key: key), ordering: .releasing)
        if isNew {
            shared.pointee.count.add(1, ordering: .relaxed)
            count(value, insteadOf: nil)
        }
        return true
    }

    /// Frees `place` if its word still is `word` and it is a learned entry. The generation has only two bits, so if this lcore was suspended since it read the
    /// word, an equal word may belong to a later entry. Therefore the value is checked once more while the entry is locked.
    @_noLocks
    func free(_ place: UnsafeMutablePointer<FDBEntry>, _ word: UInt64) -> Bool {
        guard lock(place, word) else { return false }
        if FDBValue(raw: place.pointee.value.load(ordering: .acquiring)).isStatic {
            unlock(place, word)
            return false
        }
        release(place, word)
        return true
    }

    /// Frees a place that this lcore has locked; `word` is its word before that.
    @_noLocks
    func release(_ place: UnsafeMutablePointer<FDBEntry>, _ word: UInt64) {
        count(nil, insteadOf: FDBValue(raw: place.pointee.value.load(ordering: .acquiring)))
        unlock(place, FDBWord.next(word, key: 0))
        shared.pointee.count.subtract(1, ordering: .relaxed)
        noteChange()
    }

    /// To be called after each change that `changes` has to reflect.
    @_noLocks @inline(__always)
    func noteChange() { shared.pointee.changes.add(1, ordering: .releasing) }

    @_noLocks @inline(__always)
    func lock(_ place: UnsafeMutablePointer<FDBEntry>, _ word: UInt64) -> Bool {
        place.pointee.word.compareExchange(expected: word, desired: word | FDBWord.busy, ordering: .sequentiallyConsistent).exchanged
    }

    @_noLocks @inline(__always)
    func unlock(_ place: UnsafeMutablePointer<FDBEntry>, _ word: UInt64) {
        place.pointee.word.store(word, ordering: .releasing)
    }

    /// A place that is `key`'s, at rest or busy, other than `own`; nil if there is none.
    @_noLocks
    func claimed(_ key: UInt64, _ hash: UInt64, except own: UnsafeMutablePointer<FDBEntry>?) -> UnsafeMutablePointer<FDBEntry>? {
        while true {
            let moves = shared.pointee.moves.load(ordering: .sequentiallyConsistent)
            for index in 0..<8 {
                let place = self.place(index, hash)
                if place != own, FDBWord.claims(place.pointee.word.load(ordering: .sequentiallyConsistent), key) { return place }
            }
            // An entry that was moved meanwhile, from a place not yet searched to one already searched, was missed at both: search again.
            if shared.pointee.moves.load(ordering: .sequentiallyConsistent) == moves { return nil }
        }
    }

    /// One of the eight places of an address; `index` is 0 to 7.
    @_noLocks @inline(__always)
    func place(_ index: Int, _ hash: UInt64) -> UnsafeMutablePointer<FDBEntry> {
        (index < 4 ? firstLine(hash) : secondLine(hash)) + (index & 3)
    }
}
