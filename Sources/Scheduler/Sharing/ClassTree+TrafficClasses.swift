/// Enhanced Transmission Selection (IEEE 802.1Q-2014, 8.6.8.4): what floors leave of a tree's rate is shared among traffic classes.
///
/// A leaf's priority says which traffic class it is in. Floors come first, at every level below the root, as in any tree. What the root lends goes to strict
/// traffic classes, those with the lowest priorities first; then to the weighted ones, by their percentages. Each weighted class has a time, which advances by
/// what it sends divided by its percentage, whether it sends on floors or not; of those that wait, the one with the earliest time comes next. So classes that
/// always wait get their percentages of what strict classes leave, floors counted in, and what a class does not want goes to the others by their percentages. A
/// class that begins to wait does not get what it left to others before. Within a traffic class the rules are those of any tree: priorities, then turns by
/// quantum.
///
/// Bounds, where floors of a class do not exceed its percentage: over any time in which weighted classes wait without a pause, each has sent its percentage of
/// what all of them sent, but for two frames, a turn of the root, and what the link sends in 32 KiB, by which it may have been behind at the start. Where the
/// tree's rate is leased (`SharedTree`), that holds over all instances but for 16 KiB of the link and one booking of each instance, in loops that come at least
/// every 64 us: while a loop is away for longer than a millisecond, others take what its classes leave. Strict classes of one instance come before others as
/// priorities do.
///
/// A tree without shares executes no instruction more: the bit of `saverRows` that says that a tree has shares makes its frames take the ways that exist for
/// savers. So nothing bypasses the queue of a tree with shares.
extension ClassTree {
    /// The bit of `saverRows` that says that the tree has shares. The root, whose row it would be, never is a saver.
    @inline(__always) static var sharesMark: UInt64 { @_noLocks get { 1 << 63 } }

    /// Whether what the root lends is shared among traffic classes.
    @inline(__always)
    public var hasShares: Bool { @_noLocks get { saverRows & Self.sharesMark != 0 } }

    /// Shares what the root lends among traffic classes, or no longer (nil). Frames that are queued stay where they are. The priorities of leaves are the
    /// caller's to change (`change`).
    @_noLocks
    public mutating func share(by shares: LinkShares?) {
        trafficClasses.waiting = 0
        split(outputBits: shares?.outputBits ?? 0)
        guard let shares else {
            saverRows &= ~Self.sharesMark
            saversDue = saverRows == 0 ? .max : 0
            return
        }
        saverRows |= Self.sharesMark
        saversDue = saverRows == Self.sharesMark ? .max : 0
        trafficClasses.classes = shares.classes & 7
        trafficClasses.priorities = SIMD8(repeating: 0)
        (trafficClasses.strict, trafficClasses.weighted, trafficClasses.last) = (0, 0, 0)
        for priority in 0..<8 {
            let index = Int(trafficClasses.classes[priority]), bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: index)
            let place: UInt8 = 1 &<< UInt8(truncatingIfNeeded: priority)
            trafficClasses.priorities[index] |= place
            if shares.strict & bit != 0 {
                trafficClasses.strict |= place
            } else if shares.percents[index] != 0 {
                trafficClasses.weighted |= bit
            } else {
                trafficClasses.last |= bit
            }
        }
        for index in 0..<8 { trafficClasses.paces[index] = TrafficClasses.pace(percent: shares.percents[index]) }
    }

    /// What each traffic class has sent since the tree was created, as far as the tree had shares. Any thread may read it.
    public func sent(by trafficClass: Int) -> SentCount { trafficClasses.counters[trafficClass & 7] }

    /// Continues a dequeue where floors end: counts what was sent, and serves the traffic class whose turn it is. The root must have been charged. Returns
    /// false if no frame may leave now, or there is no room.
    @_noLocks @inline(never)
    mutating func serveTrafficClass(into: UnsafeMutablePointer<ScheduledFrame>, _ sent: inout Int, limit: Int, at now: Nanoseconds) -> Bool {
        countClasses(into, upTo: sent)
        let savers = saverRows & ~Self.sharesMark
        if sent < limit {
            if rows.trailingZeroBitCount < Self.rootRow { return true }
            if savers != 0, rootIsFree(at: now) {
                sent &+= visit(row: Self.saversRow &+ savers.trailingZeroBitCount, into: into + sent, limit: limit &- sent, at: now)
                return true
            }
            let priorities = UInt8(truncatingIfNeeded: rows &>> UInt64(Self.rootRow))
            if priorities != 0 {
                let row = Self.rootRow &+ choose(among: priorities, at: now)
                sent &+= visit(row: row, into: into + sent, limit: limit &- sent, at: now)
                return true
            }
            trafficClasses.waiting = 0
        }
        trafficClasses.counted = 0
        if savers != 0 { noteSavers(at: now) } else { saversDue = .max }
        return false
    }

    /// Counts the frames that the present call has written since this was called last.
    @_noLocks @inline(__always)
    private mutating func countClasses(_ into: UnsafeMutablePointer<ScheduledFrame>, upTo end: Int) {
        var index = trafficClasses.counted
        if index == end { return }
        trafficClasses.counted = end
        var seen: UInt8 = 0
        repeat {
            let charge = into[index].charge
            into[index].output &= trafficClasses.outputMask
            let number = Int(trafficClasses.classes[Int(profile(of: into[index].leaf).pointee.priority & 7)])
            seen |= 1 &<< UInt8(truncatingIfNeeded: number)
            trafficClasses.unpaid[number] &+= charge.size(overhead)
            trafficClasses.counters[number].bytes &+= UInt64(charge.bytes)
            trafficClasses.counters[number].frames &+= UInt64(charge.frames)
            index &+= 1
        } while index < end
        while seen != 0 {
            let number = seen.trailingZeroBitCount
            seen &= seen &- 1
            trafficClasses.times.add(UInt64(bitPattern: trafficClasses.unpaid[number]) &* trafficClasses.paces[number], to: number)
            trafficClasses.unpaid[number] = 0
        }
    }

    /// The priority from which the root lends next, of those that wait.
    @_noLocks @inline(__always)
    private mutating func choose(among priorities: UInt8, at now: Nanoseconds) -> Int {
        let strict = priorities & trafficClasses.strict
        if strict != 0 { return strict.trailingZeroBitCount }
        let waiting = classes(of: priorities)
        let before = trafficClasses.waiting
        trafficClasses.waiting = waiting
        let candidates = waiting & trafficClasses.weighted
        if candidates == 0 { return earliest(of: waiting, before, at: now, priorities) }
        return earliest(of: candidates, before, at: now, priorities)
    }

    /// The first priority of the weighted class with the earliest time.
    @_noLocks @inline(__always)
    private mutating func earliest(of candidates: UInt8, _ before: UInt8, at now: Nanoseconds, _ priorities: UInt8) -> Int {
        let times = trafficClasses.times, link = times.link
        var rest = candidates, first = 0
        var least: UInt64 = 0, isFirst = true
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest &- 1
            var time = times.of(index)
            let lead = Int64(bitPattern: time &- link)
            if _slowPath(lead > Int64(TrafficClasses.mostAhead)) {
                times.replace(time, by: link &+ TrafficClasses.mostAhead, of: index)
                time = times.of(index)
            } else if before &>> UInt8(truncatingIfNeeded: index) & 1 == 0 {
                if lead < -Int64(TrafficClasses.mostBehind) {
                    times.replace(time, by: link &- TrafficClasses.mostBehind, of: index)
                    time = times.of(index)
                }
                if shared != nil { times.see(index, at: now) }
            }
            if isFirst || Int64(bitPattern: time &- least) < 0 {
                least = time
                first = index
                isFirst = false
            }
        }
        times.advance(to: least)
        return (priorities & trafficClasses.priorities[first]).trailingZeroBitCount
    }

    /// The traffic classes of these priorities, a bit for each.
    @_noLocks @inline(__always)
    private func classes(of priorities: UInt8) -> UInt8 {
        var found: UInt8 = 0, rest = priorities
        while rest != 0 {
            found |= 1 &<< trafficClasses.classes[rest.trailingZeroBitCount]
            rest &= rest &- 1
        }
        return found
    }
}

// MARK: Several instances

extension ClassTree {
    /// The priority with which a class at which borrowers wait stands against other instances: the best that waits. All weighted traffic classes count as one.
    @_noLocks @inline(__always)
    func lendingPriority(_ id: ClassID, _ active: UInt8) -> Int {
        let priority = (active | 0x80).trailingZeroBitCount
        let isWeighted = _slowPath(hasShares) && id == 1 && trafficClasses.strict &>> UInt8(truncatingIfNeeded: priority) & 1 == 0
        return isWeighted ? trafficClasses.firstWeighted : priority
    }

    /// The weight with which borrowers of a priority count. In a tree with shares the root's weighted classes count with their percentages.
    @_noLocks @inline(__always)
    func lendingWeight(_ id: ClassID, _ priority: Int) -> UInt32 {
        if _slowPath(hasShares), id == 1, trafficClasses.strict &>> UInt8(truncatingIfNeeded: priority) & 1 == 0 { return weightOfShares() }
        return feedWeights[Int(id) &* 8 &+ priority]
    }

    @_noLocks @inline(never)
    private func weightOfShares() -> UInt32 {
        var waiting = classes(of: states[1].active & ~trafficClasses.strict)
        var weight: UInt32 = 0
        while waiting != 0 {
            // 100 percent count as 17 turns of a full frame.
            weight &+= UInt32(truncatingIfNeeded: 100 &* TrafficClasses.perByte / trafficClasses.paces[waiting.trailingZeroBitCount]) &* 256
            waiting &= waiting &- 1
        }
        return weight
    }

    /// Whether this instance must leave the root's rate to others: all weighted classes that wait here have had more than one that waits elsewhere.
    @_noLocks @inline(never)
    mutating func leavesRateToOthers(at now: Nanoseconds) -> Bool {
        let active = states[1].active
        if active & trafficClasses.strict != 0 { return false }
        let times = trafficClasses.times, here = classes(of: active)
        let mine = here & trafficClasses.weighted
        var rest = (trafficClasses.weighted | trafficClasses.last) & ~here
        var own = here
        while own != 0 {
            times.see(own.trailingZeroBitCount, at: now)
            own &= own &- 1
        }
        if mine != 0 { rest &= trafficClasses.weighted }
        var least: UInt64 = 0, isFirst = true
        own = mine == 0 ? here : mine
        while own != 0 {
            let time = times.of(own.trailingZeroBitCount)
            if isFirst || Int64(bitPattern: time &- least) < 0 { least = time }
            isFirst = false
            own &= own &- 1
        }
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest &- 1
            let seen = times.seen(index)
            guard seen != 0, now &- min(seen, now) < ClassTree.leaseReturn else { continue }
            if mine == 0, trafficClasses.weighted &>> UInt8(truncatingIfNeeded: index) & 1 != 0 { return true }
            if Int64(bitPattern: least &- times.of(index)) > Int64(TrafficClasses.mostAheadOfOthers) { return true }
        }
        return false
    }

    /// Notes that no class waits at the root with these priorities any more.
    @_noLocks @inline(never)
    func endWaitingOfClasses(_ priorities: UInt8) {
        var gone = classes(of: priorities) & ~classes(of: states[1].active)
        while gone != 0 {
            trafficClasses.times.see(gone.trailingZeroBitCount, at: 0)
            gone &= gone &- 1
        }
    }
}
