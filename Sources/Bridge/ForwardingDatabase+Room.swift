import Synchronization

/// Finding a place for a new address.
extension ForwardingDatabase {
    /// A free place in one of the two lines of an address, after moving other addresses if necessary. It is in the first line, where look-ups begin, unless the
    /// second has at least two more free places. Nil if there is none, or if another lcore was quicker; then `isContended` is set, and no address need be
    /// evicted.
    @_noLocks
    func makeRoom(_ hash: UInt64, _ isContended: inout Bool) -> UnsafeMutablePointer<FDBEntry>? {
        let first = firstLine(hash)
        let second = secondLine(hash)
        let inFirst = freePlaces(first)
        let inSecond = freePlaces(second)
        if inFirst != 0 || inSecond != 0 {
            let place = freePlace(inFirst != 0 && inSecond <= inFirst &+ 1 ? first : second)
            if place == nil { isContended = true }
            return place
        }
        // Tries ways with the fewest moves first.
        for moves in 1...3 {
            if let place = vacate(first, moves: moves, &isContended) ?? vacate(second, moves: moves, &isContended) { return place }
        }
        return nil
    }

    @_noLocks
    func freePlaces(_ line: UnsafeMutablePointer<FDBEntry>) -> Int {
        var free = 0
        for index in 0..<4 where FDBWord.isFree((line + index).pointee.word.load(ordering: .relaxed)) { free &+= 1 }
        return free
    }

    @_noLocks
    func freePlace(_ line: UnsafeMutablePointer<FDBEntry>) -> UnsafeMutablePointer<FDBEntry>? {
        for index in 0..<4 where FDBWord.isFree((line + index).pointee.word.load(ordering: .relaxed)) { return line + index }
        return nil
    }

    /// Frees a place of `line` by moving its entry to the entry's other line, where at most `moves` - 1 further moves may make room.
    @_noLocks
    func vacate(_ line: UnsafeMutablePointer<FDBEntry>, moves: Int, _ isContended: inout Bool) -> UnsafeMutablePointer<FDBEntry>? {
        for index in 0..<4 {
            let place = line + index
            let other = otherLine(place, line)
            let target = freePlace(other) ?? (moves > 1 ? vacate(other, moves: moves &- 1, &isContended) : nil)
            guard let target else { continue }
            if relocate(place, to: target) { return place }
            isContended = true
        }
        return nil
    }

    /// The other one of the two lines in which the owner of `place` may be; `line` is the one that it is in.
    @_noLocks
    func otherLine(_ place: UnsafeMutablePointer<FDBEntry>, _ line: UnsafeMutablePointer<FDBEntry>) -> UnsafeMutablePointer<FDBEntry> {
        let word = place.pointee.word.load(ordering: .relaxed)
        let hash = hash(word & (FDBWord.keyMask | FDBWord.used))
        let first = firstLine(hash)
        return first == line ? secondLine(hash) : first
    }

    /// Moves the entry at `place` to the free `target`. While both are busy, look-ups do not find the address, and learners of it withdraw. Returns false if
    /// another lcore was quicker; then nothing was moved.
    @_noLocks
    func relocate(_ place: UnsafeMutablePointer<FDBEntry>, to target: UnsafeMutablePointer<FDBEntry>) -> Bool {
        let word = place.pointee.word.load(ordering: .acquiring)
        let free = target.pointee.word.load(ordering: .acquiring)
        let key = word & (FDBWord.keyMask | FDBWord.used)
        let hash = hash(key)
        // The place may have a new owner since `target` was chosen, for which `target` may be in the wrong line.
        guard key & FDBWord.used != 0, !FDBWord.isBusy(word), FDBWord.isFree(free) else { return false }
        let line = entries + ((target - entries) & ~3)
        guard line == firstLine(hash) || line == secondLine(hash), lock(place, word) else { return false }
        let value = FDBValue(raw: place.pointee.value.load(ordering: .acquiring))
        guard insert(at: target, word: free, key: key, hash: hash, value: value, isNew: false) else {
            unlock(place, word)
            return false
        }
        // The move must be counted before the old place is released: see `claimed`.
        shared.pointee.moves.add(1, ordering: .sequentiallyConsistent)
        unlock(place, FDBWord.next(word, key: 0))
        return true
    }
}
