/// Records which classes want to borrow from a class, over all instances.
///
/// **Weights.** Time is divided into epochs of about a millisecond. Once in an epoch, an instance whose feed at a class has borrowers adds their quanta to the
/// sum for that epoch and priority; shares are computed from the sums of the epoch before. An instance that stops or stalls is missing from the next sum
/// without having to say so.
///
/// **Hold.** One word holds the best priority that waits at the class, how many instances wait with it, and until when this is valid. An instance writes it
/// when it books. Instances in which only worse priorities wait do not book for lending until the word is empty or expired.
extension SharedTree {
    @_noLocks @inline(__always)
    static func epoch(at now: Nanoseconds) -> UInt32 { UInt32(truncatingIfNeeded: now &>> 20) & 0xf_ffff }

    /// Adds a weight to the sum of an epoch. `word` is one of the two words that epochs use in turn; sums stay below 2^44.
    @_noLocks @inline(__always)
    static func announce(_ weight: UInt64, in word: UnsafeMutablePointer<SharedWord>, epoch: UInt32) {
        var old = word.pointee.end.load(ordering: .relaxed)
        while true {
            let new = (old &>> 44 == UInt64(epoch) ? old : UInt64(epoch) &<< 44) &+ weight
            let (done, current) = word.pointee.end.compareExchange(
                expected: old, desired: new, successOrdering: .relaxed, failureOrdering: .relaxed)
            if done { return }
            old = current
        }
    }

    /// The sum of an epoch; 0 if nobody announced anything.
    @_noLocks @inline(__always)
    static func sum(in word: UnsafeMutablePointer<SharedWord>, epoch: UInt32) -> UInt64 {
        let value = word.pointee.end.load(ordering: .relaxed)
        return value &>> 44 == UInt64(epoch) ? value & ((1 &<< 44) &- 1) : 0
    }

    /// The word in which the weights of an epoch are added up.
    @_noLocks @inline(__always)
    func sum(of id: ClassID, isLeaf: Bool, priority: Int, epoch: UInt32) -> UnsafeMutablePointer<SharedWord> {
        let parity = Int(epoch & 1)
        return isLeaf
            ? words + (Int(id) &* Self.wordsPerClass &+ Self.spread &+ parity)
            : weights + (Int(id) &* Self.weightsPerClass &+ parity &* 8 &+ priority)
    }

    /// Says that this instance waits at a class with a priority, valid until `until`. Returns false if a better priority waits, so that this instance may not
    /// book.
    ///
    /// - Parameter mine: the generation of the hold in which this instance is counted; 0 if in none.
    @_noLocks @inline(__always)
    func claim(_ id: ClassID, priority: Int, mine: inout UInt8, until: Nanoseconds, at now: Nanoseconds) -> Bool {
        let word = words + (Int(id) &* Self.wordsPerClass &+ Self.hold)
        var old = word.pointee.end.load(ordering: .relaxed)
        while true {
            let hold = Hold(bits: old)
            var generation = hold.generation
            let new: Hold
            if hold.until <= now || priority < hold.priority {
                generation = generation == .max ? 1 : generation &+ 1
                new = Hold(until: until, generation: generation, count: 1, priority: priority)
            } else if priority == hold.priority {
                let isMine = mine == generation
                // The word is not written again if the hold is valid for long enough.
                if isMine, hold.until &+ Self.graceLeft >= until { return true }
                new = Hold(until: max(until, hold.until), generation: generation, count: isMine ? hold.count : min(hold.count &+ 1, 255), priority: priority)
            } else {
                return false
            }
            let (done, current) = word.pointee.end.compareExchange(
                expected: old, desired: new.bits, successOrdering: .relaxed, failureOrdering: .relaxed)
            if done {
                mine = generation
                return true
            }
            old = current
        }
    }

    /// Says that no class waits in this instance any more with the priority that it had claimed.
    @_noLocks @inline(__always)
    func release(_ id: ClassID, mine: inout UInt8) {
        let word = words + (Int(id) &* Self.wordsPerClass &+ Self.hold)
        var old = word.pointee.end.load(ordering: .relaxed)
        while true {
            let hold = Hold(bits: old)
            guard hold.generation == mine, hold.count != 0 else { break }
            let rest = hold.count &- 1
            let new = Hold(until: rest == 0 ? 0 : hold.until, generation: hold.generation, count: rest, priority: hold.priority)
            let (done, current) = word.pointee.end.compareExchange(
                expected: old, desired: new.bits, successOrdering: .relaxed, failureOrdering: .relaxed)
            if done { break }
            old = current
        }
        mine = 0
    }

    /// How long a hold remains valid after the time that its instance booked has passed.
    @inline(__always) static var grace: Nanoseconds { @_noLocks get { 700_000 } }
    /// A hold is prolonged when it falls short of the wanted end by more than this.
    @inline(__always) static var graceLeft: Nanoseconds { @_noLocks get { 200_000 } }
}

/// The fields of a hold, from the low bits up: priority (3 bits), count (8), generation (8), and until in units of 16.384 us (45). Time counts from when the
/// machine was started, and the field lasts for 18 years.
struct Hold {
    let bits: UInt64

    @_noLocks @inline(__always)
    init(bits: UInt64) { self.bits = bits }

    @_noLocks @inline(__always)
    init(until: Nanoseconds, generation: UInt8, count: UInt16, priority: Int) {
        bits = (until &>> 14) &<< 19 | UInt64(generation) &<< 11 | UInt64(count) &<< 3 | UInt64(priority)
    }

    @inline(__always) var until: Nanoseconds { @_noLocks get { (bits &>> 19) &<< 14 } }
    @inline(__always) var generation: UInt8 { @_noLocks get { UInt8(truncatingIfNeeded: bits &>> 11) } }
    @inline(__always) var count: UInt16 { @_noLocks get { UInt16(truncatingIfNeeded: bits &>> 3) & 0xff } }
    @inline(__always) var priority: Int { @_noLocks get { Int(bits & 7) } }
}
