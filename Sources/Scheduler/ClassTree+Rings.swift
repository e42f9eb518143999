/// Rings: the rows of classes that can send, by level and priority, and the feed of children every inner class serves, by priority.
/// A class joins at the tail and keeps its place until it has nothing to send or hits its ceiling. In particular it stays in its
/// parent's feed while it is within its floor: rows of lower levels are served first, so nothing is served twice, and it would
/// otherwise lose its turn to borrow each time its floor grants it a frame.
extension ClassTree {
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
        states[Int(id)].inRow |= 1 &<< UInt8(priority)
        if row < 8 { return append(id, nodes + Int(id), toLeafRow: row) }
        let mine = slot(id, priority)
        let head = rowHeads[row]
        if head == 0 {
            mine.pointee.rowNext = id
            mine.pointee.rowPrevious = id
            rowHeads[row] = id
            rows |= 1 &<< UInt64(row)
        } else {
            let first = slot(head, priority)
            let tail = first.pointee.rowPrevious
            mine.pointee.rowNext = head
            mine.pointee.rowPrevious = tail
            first.pointee.rowPrevious = id
            slot(tail, priority).pointee.rowNext = id
        }
    }

    @_noLocks @inline(__always)
    mutating func removeFromRow(_ id: ClassID, _ priority: Int) {
        let row = Int(states[Int(id)].level) &* 8 &+ priority
        states[Int(id)].inRow &= ~(1 &<< UInt8(priority))
        if row < 8 { return remove(id, fromLeafRow: row) }
        let mine = slot(id, priority)
        let next = mine.pointee.rowNext
        if next == id {
            rowHeads[row] = 0
            rows &= ~(1 &<< UInt64(row))
        } else {
            let previous = mine.pointee.rowPrevious
            slot(next, priority).pointee.rowPrevious = previous
            slot(previous, priority).pointee.rowNext = next
            if rowHeads[row] == id { rowHeads[row] = next }
        }
    }

    /// The turn of the first class of `row` is over: it goes to the tail.
    @_noLocks @inline(__always)
    mutating func rotate(row: Int) {
        if row < 8 { return rotate(leafRow: row) }
        rowHeads[row] = slot(rowHeads[row], row & 7).pointee.rowNext
    }

    /// Puts `id` last in its parent's feed. True if the feed was empty.
    @_noLocks @inline(__always)
    mutating func insertInFeed(_ id: ClassID, _ priority: Int) -> Bool {
        if states[Int(id)].flags & ClassFlags.shared != 0 {
            feedWeights[Int(states[Int(id)].parent)] &+= UInt32(bitPattern: nodes[Int(id)].quantum)
        }
        let feed = slots + (Int(states[Int(id)].parent) &* 8 &+ priority)
        let mine = slot(id, priority)
        let head = feed.pointee.feedHead
        states[Int(id)].inFeed |= 1 &<< UInt8(priority)
        if head == 0 {
            mine.pointee.feedNext = id
            mine.pointee.feedPrevious = id
            feed.pointee.feedHead = id
            return true
        }
        let first = slot(head, priority)
        let tail = first.pointee.feedPrevious
        mine.pointee.feedNext = head
        mine.pointee.feedPrevious = tail
        first.pointee.feedPrevious = id
        slot(tail, priority).pointee.feedNext = id
        return false
    }

    /// Takes `id` out of its parent's feed. True if the feed is now empty.
    @_noLocks @inline(__always)
    mutating func removeFromFeed(_ id: ClassID, _ priority: Int) -> Bool {
        if states[Int(id)].flags & ClassFlags.shared != 0 {
            feedWeights[Int(states[Int(id)].parent)] &-= UInt32(bitPattern: nodes[Int(id)].quantum)
        }
        let feed = slots + (Int(states[Int(id)].parent) &* 8 &+ priority)
        let mine = slot(id, priority)
        let next = mine.pointee.feedNext
        states[Int(id)].inFeed &= ~(1 &<< UInt8(priority))
        if next == id {
            feed.pointee.feedHead = 0
            return true
        }
        let previous = mine.pointee.feedPrevious
        slot(next, priority).pointee.feedPrevious = previous
        slot(previous, priority).pointee.feedNext = next
        if feed.pointee.feedHead == id { feed.pointee.feedHead = next }
        return false
    }
}
