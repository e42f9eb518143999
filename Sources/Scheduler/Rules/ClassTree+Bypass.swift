/// Bypassing the queue: where nothing waits that could leave now, a frame that may leave at once is not queued (as in Linux, where a qdisc may have
/// TCQ_F_CAN_BYPASS). It is charged and counted as an enqueue followed by a dequeue would do it.
extension ClassTree {
    /// Whether calling `bypass` may have an effect: no leaf could send now, or as soon as the root allows it.
    @inline(__always)
    public var mayBypass: Bool { @_noLocks get { rows | saverRows == 0 && arrived == 0 } }

    /// The memory that is read first about each class, in lines that are 128 bytes apart, for callers that prefetch the lines of a burst's leaves. The address
    /// never changes.
    public var classLines: UnsafeRawPointer { UnsafeRawPointer(lines) }

    /// Lets frames of a burst leave at once, as many as every bucket on their way allows, up to the first that must wait. They are charged, and the caller must
    /// send them to their leaves' outputs, in order. The caller may enqueue the others, or call this again with the runs that follow.
    ///
    /// No frame passes while another leaf could send. No frame of a leaf passes while the leaf has a backlog or its output is parked, so a frame that passes
    /// never overtakes another. Turns are not charged, since they only matter among classes that wait.
    ///
    /// - Parameters:
    ///   - charges: the charges of the burst's frames, as for `enqueue`.
    ///   - first: the index of the first frame of the first run.
    ///   - runs: the runs of frames, each for one leaf; there are `count` of them.
    /// - Returns: the index behind the last frame that passed; `first` if none did.
    @_noLocks
    public mutating func bypass(_ charges: UnsafePointer<Charge>, from first: Int, _ runs: UnsafePointer<LeafRun>, count: Int, at now: Nanoseconds) -> Int {
        latest = now
        if wheel.nextDue <= now { wake(at: now) }
        var passage = Passage(charges, from: first, runs, count: count)
        while !passage.isOver, mayBypass {
            passShort(&passage, at: now)
            if passage.isOver || !mayPass(passage.run.pointee.leaf) { break }
            let end = Int(passage.run.pointee.end)
            if passage.next != end {
                passage.next &+= passOne(charges + passage.next, count: end &- passage.next, passage.run.pointee.leaf, at: now)
                if passage.next != end { break }
            }
            passage.run += 1
        }
        if owedFrames != 0 { chargeRoot(at: now) }
        return passage.next
    }

    /// Does the same for frames of a single leaf. Returns how many passed.
    @_noLocks
    public mutating func bypass(_ charges: UnsafePointer<Charge>, count: Int, to leaf: ClassID, at now: Nanoseconds) -> Int {
        var run = LeafRun(leaf: leaf, end: UInt32(truncatingIfNeeded: count))
        return bypass(charges, from: 0, &run, count: 1, at: now)
    }

    /// Whether frames of a leaf may pass without overtaking others.
    @_noLocks @inline(__always)
    func mayPass(_ leaf: ClassID) -> Bool {
        states[Int(leaf)].tail == FrameNode.none && (parkedOutputs == 0 || outputStates[Int(profile(of: leaf).pointee.output)].isParked == 0)
    }

    /// Whether a class has a limit or a floor of its own.
    @_noLocks @inline(__always)
    func hasLimits(_ id: ClassID) -> Bool { states[Int(id)].flags & (ClassFlags.limited | ClassFlags.endlessFloor) != 0 }

    /// Whether the root may send once it has been charged `owed`. Reduces `credit` to what the root then allows.
    @_noLocks @inline(__always)
    mutating func rootLends(_ credit: inout Int64, owed: Int64, at now: Nanoseconds) -> Bool {
        let state = states + 1
        let flags = state.pointee.flags
        if flags & ClassFlags.limited == 0 { return flags & ClassFlags.endlessFloor != 0 }
        if flags & (ClassFlags.extra | ClassFlags.codel) != 0 { return false }
        refill(1, at: now)
        var left = Int64.max
        if flags & ClassFlags.meteredCeiling != 0 { left = state.pointee.ceilingTokens &- owed }
        if flags & ClassFlags.meteredFloor != 0 { left = min(left, state.pointee.floorTokens &- owed) }
        credit = min(credit, left)
        return left >= 0 && flags & (ClassFlags.meteredFloor | ClassFlags.endlessFloor) != 0
    }

    /// The cost of as many of the frames as the credit allows, at least one. A frame is sent whole if the frames before it cost no more than the credit.
    /// `Taken.next` is the number of frames.
    @_noLocks @inline(__always)
    func measure(_ charges: UnsafePointer<Charge>, count: Int, credit: Int64) -> Taken {
        var taken = Taken(next: 1)
        taken.add(charges[0], overhead)
        while Int(taken.next) < count, taken.cost <= credit {
            taken.add(charges[Int(taken.next)], overhead)
            taken.next &+= 1
        }
        return taken
    }
}

extension ClassFlags {
    /// A class without any of these flags has no buckets to look at.
    @inline(__always) static var limited: UInt8 { @_noLocks get { meteredFloor | meteredCeiling | extra | codel } }
}
