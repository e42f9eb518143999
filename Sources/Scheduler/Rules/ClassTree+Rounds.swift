/// Rounds of a feed: whose turn is used up, and who was away meanwhile.
///
/// A class takes one turn of its quantum a round. One whose ceiling holds it after each frame is away for most of the time: sent to the tail each time it
/// came back it would wait for the turns of all others, while its bucket, once full, earns nothing. So it comes back to the head, with what is left of its
/// turn; if others began a round without it, with the turn it missed as well, but never with more than two. Once its turn is used up it waits for the next
/// round like anybody else: what it sends is still in proportion to its quantum.
///
/// A feed has the number of its round; a class in it the round whose turn it used up last. Both are short: who was away for as long as they take to come
/// round again may be told wrong once.
extension ClassTree {
    /// The round after the last one whose turn a class used up in its parent's feed.
    @_noLocks @inline(__always)
    mutating func round(_ id: ClassID, _ priority: Int) -> UnsafeMutablePointer<UInt16> {
        if states[Int(id)].level == 0 { return leafRound(nodes + Int(id)) }
        return UnsafeMutableRawPointer(feedRounds + (Int(id) &* 8 &+ priority)).assumingMemoryBound(to: UInt16.self)
    }

    /// Of a leaf, which has no feed of its own.
    @_noLocks @inline(__always)
    func leafRound(_ node: UnsafeMutablePointer<ClassNode>) -> UnsafeMutablePointer<UInt16> {
        (UnsafeMutableRawPointer(node) + PrioritySlot.feedHeadOffset).assumingMemoryBound(to: UInt16.self)
    }

    /// The first class of a feed has used its turn up. The feed is in the next round once the first class has used up this one's.
    @_noLocks @inline(__always)
    mutating func endTurn(_ feed: UnsafeMutablePointer<PrioritySlot>, _ round: UnsafeMutablePointer<UInt16>) {
        let current = feedRounds + (feed - slots)
        let next = current.pointee.feed &+ 1
        if round.pointee == next { current.pointee.feed = next }
        round.pointee = current.pointee.feed &+ 1
    }

    /// A class that is in its parent's feed no more, but was not without frames, comes back: whether it is ahead of those in the feed. It is granted what
    /// it missed.
    @_noLocks @inline(__always)
    mutating func hasTurnLeft(_ id: ClassID, _ feed: UnsafeMutablePointer<PrioritySlot>, _ priority: Int) -> Bool {
        let current = feedRounds + (feed - slots), mine = round(id, priority)
        let head = feed.pointee.feedHead
        if head != 0, round(head, priority).pointee == current.pointee.feed &+ 1 { current.pointee.feed &+= 1 }
        if mine.pointee == current.pointee.feed &+ 1 { return false }
        if mine.pointee != current.pointee.feed {
            mine.pointee = current.pointee.feed
            let place = slot(id, priority)
            place.pointee.feedDeficit = min(place.pointee.feedDeficit &+ feedQuantum(id), 2 &* profile(of: id).pointee.quantum)
        }
        return head != 0
    }
}

/// Of an inner class, for one priority.
struct FeedRounds {
    /// Its own turns in its parent's feed.
    var own: UInt16
    /// The round of its feed.
    var feed: UInt16

    @_noLocks @inline(__always)
    init(own: UInt16, feed: UInt16) {
        self.own = own
        self.feed = feed
    }
}

extension PrioritySlot {
    @inline(__always) static var feedHeadOffset: Int { @_noLocks get { 12 } }
}
