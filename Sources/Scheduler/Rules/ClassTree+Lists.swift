/// The lists of a tree: the rows, which hold the classes that can send, by level and priority; and each inner class's feeds, which hold the children that it
/// serves, by priority. A class joins at the tail and keeps its place until it has nothing to send or reaches its ceiling. In particular it stays in its
/// parent's feed while it is within its floor: rows of lower levels are served first, so nothing is served twice, and otherwise it would lose its turn to
/// borrow each time its floor grants it a frame. A class that was kept away by its ceiling returns to what is left of its turn: `ClassTree+Rounds`.
///
/// Joining touches only the last class of a list, and removing the head touches no other class. The rows of leaves have faster functions of their own:
/// `ClassTree+LeafRows`.
extension ClassTree {
    /// The links of a class in its parent's feed.
    @_noLocks @inline(__always)
    mutating func slot(_ id: ClassID, _ priority: Int) -> UnsafeMutablePointer<PrioritySlot> {
        if states[Int(id)].level == 0 {
            return UnsafeMutableRawPointer(nodes + Int(id)).assumingMemoryBound(to: PrioritySlot.self)
        }
        return slots + (Int(id) &* 8 &+ priority)
    }

    @_noLocks @inline(__always)
    mutating func insertInRow(_ id: ClassID, _ priority: Int) {
        let row = Int(states[Int(id)].level) &* 8 &+ priority
        states[Int(id)].inRow |= 1 &<< UInt8(truncatingIfNeeded: priority)
        if row < 8 { append(id, states + Int(id), toLeafRow: row) } else { append(id, toRow: row) }
    }

    /// Appends a class to a row of inner classes.
    @_noLocks @inline(__always)
    private mutating func append(_ id: ClassID, toRow row: Int) {
        let mine = slots + (Int(id) &* 8 &+ row & 7)
        mine.pointee.rowNext = 0
        if rows &>> UInt64(row) & 1 == 0 {
            rowHeads[row] = id
            rows |= 1 &<< UInt64(row)
        } else {
            let tail = rowTails[row]
            slots[Int(tail) &* 8 &+ row & 7].rowNext = id
            mine.pointee.rowPrevious = tail
        }
        rowTails[row] = id
    }

    @_noLocks @inline(__always)
    mutating func removeFromRow(_ id: ClassID, _ priority: Int) {
        let row = Int(states[Int(id)].level) &* 8 &+ priority
        states[Int(id)].inRow &= ~(1 &<< UInt8(truncatingIfNeeded: priority))
        if row < 8 { return remove(id, fromLeafRow: row) }
        // All classes in a row have the same level.
        let next = slots[Int(id) &* 8 &+ priority].rowNext
        if rowHeads[row] == id { return removeHead(ofRow: row, next: next) }
        let previous = slots[Int(id) &* 8 &+ priority].rowPrevious
        slots[Int(previous) &* 8 &+ priority].rowNext = next
        if next == 0 { rowTails[row] = previous } else { slots[Int(next) &* 8 &+ priority].rowPrevious = previous }
    }

    /// Removes the first class of a row; `next` is the one behind it, or 0.
    @_noLocks @inline(__always)
    mutating func removeHead(ofRow row: Int, next: ClassID) {
        rowHeads[row] = next
        if next == 0 { rows &= ~(1 &<< UInt64(row)) }
    }

    /// Ends the turn of the first class of `row`: it goes to the tail.
    @_noLocks @inline(__always)
    mutating func rotate(row: Int) {
        if row < 8 { return rotate(leafRow: row) }
        let id = rowHeads[row]
        let next = slots[Int(id) &* 8 &+ row & 7].rowNext
        if next == 0 { return }
        rowHeads[row] = next
        append(id, toRow: row)
    }

    /// Puts `id` into its parent's feed: at the tail or, if it `returns`, where its turn requires. Returns true if the feed was empty.
    @_noLocks @inline(__always)
    mutating func insertInFeed(_ id: ClassID, _ priority: Int, returns: Bool) -> Bool {
        if states[Int(id)].flags & ClassFlags.shared != 0 {
            addToFeed(id, priority)
        }
        let feed = slots + (Int(states[Int(id)].parent) &* 8 &+ priority)
        states[Int(id)].inFeed |= 1 &<< UInt8(truncatingIfNeeded: priority)
        if returns, hasTurnLeft(id, feed, priority) {
            prepend(id, slot(id, priority), to: feed, priority)
            return false
        }
        return append(id, slot(id, priority), to: feed, priority)
    }

    /// Appends `id`, whose links are `mine`, to a feed. Returns true if the feed was empty.
    @_noLocks @inline(__always)
    mutating func append(
        _ id: ClassID, _ mine: UnsafeMutablePointer<PrioritySlot>, to feed: UnsafeMutablePointer<PrioritySlot>, _ priority: Int
    ) -> Bool {
        let wasEmpty = feed.pointee.feedHead == 0
        mine.pointee.feedNext = 0
        if wasEmpty {
            feed.pointee.feedHead = id
        } else {
            let tail = feed.pointee.feedTail
            slot(tail, priority).pointee.feedNext = id
            mine.pointee.feedPrevious = tail
        }
        feed.pointee.feedTail = id
        return wasEmpty
    }

    /// Puts `id`, whose links are `mine`, at the head of a feed that is not empty.
    @_noLocks @inline(__always)
    private mutating func prepend(
        _ id: ClassID, _ mine: UnsafeMutablePointer<PrioritySlot>, to feed: UnsafeMutablePointer<PrioritySlot>, _ priority: Int
    ) {
        let head = feed.pointee.feedHead
        mine.pointee.feedNext = head
        slot(head, priority).pointee.feedPrevious = id
        feed.pointee.feedHead = id
    }

    /// Removes `id` from its parent's feed. Returns true if the feed is empty now.
    @_noLocks @inline(__always)
    mutating func removeFromFeed(_ id: ClassID, _ priority: Int) -> Bool {
        if states[Int(id)].flags & ClassFlags.shared != 0 {
            takeFromFeed(id, priority)
        }
        let feed = slots + (Int(states[Int(id)].parent) &* 8 &+ priority)
        let mine = slot(id, priority)
        let next = mine.pointee.feedNext
        states[Int(id)].inFeed &= ~(1 &<< UInt8(truncatingIfNeeded: priority))
        if feed.pointee.feedHead == id {
            feed.pointee.feedHead = next
            return next == 0
        }
        let previous = mine.pointee.feedPrevious
        slot(previous, priority).pointee.feedNext = next
        if next == 0 { feed.pointee.feedTail = previous } else { slot(next, priority).pointee.feedPrevious = previous }
        return false
    }

    /// Ends the turn of the first class of a feed: it goes to the tail. `mine` are its links, and `round` its round.
    @_noLocks @inline(__always)
    mutating func rotate(
        _ feed: UnsafeMutablePointer<PrioritySlot>, _ mine: UnsafeMutablePointer<PrioritySlot>, round: UnsafeMutablePointer<UInt16>, _ priority: Int
    ) {
        endTurn(feed, round)
        let next = mine.pointee.feedNext
        if next == 0 { return }
        let id = feed.pointee.feedHead
        feed.pointee.feedHead = next
        _ = append(id, mine, to: feed, priority)
    }
}
