/// Rounds of a feed: who has used up its turn, and who was away in the meantime.
///
/// A class takes one turn of its quantum per round. A class that reaches its ceiling after each frame is out of the feed for most of the time. If it went to
/// the tail each time it came back, it would have to wait for the turns of all others, while its bucket, once full, earns nothing. Therefore it comes back to
/// the head with what is left of its turn and, if others began a round without it, with the turn that it missed as well, but never with more than two turns.
/// Once its turn is used up, it waits for the next round like all others, so what it sends remains in proportion to its quantum.
///
/// A feed has the number of its current round; each class in it has the round after the last one whose turn it has used up. Both numbers have 16 bits, so a
/// class that was away for a multiple of 65 536 rounds may be misjudged once.
extension ClassTree {
    /// The round after the last one in which a class used up its turn in its parent's feed.
    @_noLocks @inline(__always)
    mutating func round(_ id: ClassID, _ priority: Int) -> UnsafeMutablePointer<UInt16> {
        if states[Int(id)].level == 0 { return leafRound(nodes + Int(id)) }
        return UnsafeMutableRawPointer(feedRounds + (Int(id) &* 8 &+ priority)).assumingMemoryBound(to: UInt16.self)
    }

    /// The same for a leaf, which keeps it where an inner class keeps the head of its feed.
    @_noLocks @inline(__always)
    func leafRound(_ node: UnsafeMutablePointer<ClassNode>) -> UnsafeMutablePointer<UInt16> {
        (UnsafeMutableRawPointer(node) + PrioritySlot.feedHeadOffset).assumingMemoryBound(to: UInt16.self)
    }

    /// Notes that the first class of a feed has used up its turn. The feed's next round begins when the class at its head has used up its turn of this one.
    @_noLocks @inline(__always)
    mutating func endTurn(_ feed: UnsafeMutablePointer<PrioritySlot>, _ round: UnsafeMutablePointer<UInt16>) {
        let current = feedRounds + (feed - slots)
        let next = current.pointee.feed &+ 1
        if round.pointee == next { current.pointee.feed = next }
        round.pointee = current.pointee.feed &+ 1
    }

    /// Whether a class that returns to its parent's feed, having had frames all the time, goes before the classes in the feed. If it missed a turn, it is
    /// granted that.
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

/// The rounds of an inner class for one priority.
struct FeedRounds {
    /// The class's own round in its parent's feed.
    var own: UInt16
    /// The current round of its own feed.
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
