/// Bypassing the queue by the fastest paths: for leaves without limits, and for plain leaves below an idle plain group right below the root. Each kind has a
/// loop of its own for consecutive runs of a burst, so that its variables stay in registers. They must do what `passAny` does while looking at less;
/// `OracleTests` checks that with bursts of one leaf and of several.
extension ClassTree {
    /// The runs of a burst that have not passed yet.
    struct Passage {
        let charges: UnsafePointer<Charge>
        /// Index of the first frame of `run`.
        var next: Int
        var run: UnsafePointer<LeafRun>
        let last: UnsafePointer<LeafRun>

        @_noLocks @inline(__always)
        init(_ charges: UnsafePointer<Charge>, from next: Int, _ run: UnsafePointer<LeafRun>, count: Int) {
            self.charges = charges
            self.next = next
            self.run = run
            last = run + count
        }

        @inline(__always) var isOver: Bool { @_noLocks get { run == last } }
    }

    /// Lets runs pass, up to the first that needs the general path. The root still has to be charged.
    @_noLocks @inline(__always)
    mutating func passShort(_ passage: inout Passage, at now: Nanoseconds) {
        // The mode of an active root may change when it is charged, and the leaves of a parked output must wait.
        if _slowPath(states[1].active != 0 || parkedOutputs != 0) { return }
        var passed = 0
        repeat {
            passed = passage.next
            if !hasLimits(passage.run.pointee.leaf) { passOpen(&passage, at: now) } else { passSingles(&passage, at: now) }
        } while !passage.isOver && passed != passage.next
    }

    /// Lets leaves pass that have neither floor nor ceiling, below groups that have none either. Equals `passUnlimited`, and so `passAny`.
    @_noLocks @inline(never)
    private mutating func passOpen(_ passage: inout Passage, at now: Nanoseconds) {
        let states = states, overhead = overhead
        let charges = passage.charges, last = passage.last
        var begin = passage.next, run = passage.run
        let isOpen = limitedInners | backlogFrames == 0
        // The bytes for which the root has to be charged, and the tokens that it has for them.
        var charged: Int64 = 0
        let most = rootCredit(at: now)
        while run != last {
            let leaf = run.pointee.leaf, end = Int(run.pointee.end)
            let state = states + Int(leaf)
            guard state.pointee.tail == FrameNode.none, state.pointee.flags & (ClassFlags.limited | ClassFlags.endlessFloor) == 0,
                isOpen || states[Int(state.pointee.parent)].isIdleOpenGroup
            else { break }
            let count = end &- begin, size = charges[begin].shortSize(overhead)
            if _slowPath(size < 0) { break }
            var bytes = UInt64(charges[begin].bits)
            let before = charged
            // A frame is sent whole as long as there is any credit, so the credit must cover all frames but the last.
            var covered = charged
            charged &+= Int64(size)
            if _slowPath(count != 1), !Self.sum(charges + begin, count, overhead, &bytes, &charged, &covered) {
                charged = before
                break
            }
            if _slowPath(covered &* Credit.perByte > most) {
                charged = before
                break
            }
            if _slowPath(state.pointee.lender != Self.rootLevel) { change(lenderOf: leaf, to: Self.rootLevel) }
            state.pointee.sentBytes &+= bytes
            state.pointee.sentFrames &+= UInt64(truncatingIfNeeded: count)
            begin = end
            run += 1
        }
        finish(&passage, run, begin, charged)
    }

    /// Lets single frames of plain leaves pass, on their own floors or borrowed. Equals `passPlain`, and so `passAny`.
    @_noLocks @inline(never)
    private mutating func passSingles(_ passage: inout Passage, at now: Nanoseconds) {
        let states = states, profiles = profiles, overhead = overhead
        let charges = passage.charges, last = passage.last
        var begin = passage.next, run = passage.run
        var charged: Int64 = 0
        // What the root allows others to borrow, minus what it has to be charged since; negative until it is known.
        var credit = Int64.min / 2
        while run != last {
            let leaf = run.pointee.leaf
            let state = states + Int(leaf), above = states + Int(state.pointee.parent)
            let profile = profiles + Int(state.pointee.profile), aboveProfile = profiles + Int(above.pointee.profile)
            let flags = state.pointee.flags
            guard state.pointee.tail == FrameNode.none, flags & (ClassFlags.limited | ClassFlags.endlessFloor) != 0, flags & ClassFlags.special == 0,
                above.word.isIdlePlainGroup, Int(run.pointee.end) == begin &+ 1, state.pointee.isCurrent(profile, at: now),
                above.pointee.isCurrent(aboveProfile, at: now)
            else { break }
            let charge = charges[begin]
            let size = Int64(charge.shortSize(overhead))
            if _slowPath(size < 0) { break }
            let cost = size &* Credit.perByte
            let level: UInt8
            let own = state.pointee.plainTokens(profile, at: now)
            if own.allow(flags) {
                level = ClassState.nobody
                state.pointee.pay(cost, from: own, at: now)
                above.pointee.pay(cost, from: above.pointee.plainTokens(aboveProfile, at: now), at: now)
            } else {
                guard own.ceiling >= 0 else { break }
                let group = above.pointee.plainTokens(aboveProfile, at: now)
                if group.allow(above.pointee.flags) {
                    level = above.pointee.level
                    above.pointee.pay(cost, from: group, at: now)
                } else {
                    guard group.ceiling >= 0 else { break }
                    if _slowPath(credit < 0) {
                        credit = rootCredit(at: now) &- charged &* Credit.perByte
                        if credit < 0 { break }
                    }
                    level = Self.rootLevel
                    above.pointee.payCeiling(cost, from: group, at: now)
                }
                state.pointee.payCeiling(cost, from: own, at: now)
            }
            if _slowPath(state.pointee.lender != level) { change(lenderOf: leaf, to: level) }
            state.pointee.sentBytes &+= UInt64(charge.bits)
            state.pointee.sentFrames &+= 1
            credit &-= cost
            charged &+= size
            begin &+= 1
            run += 1
        }
        finish(&passage, run, begin, charged)
    }

    /// Ends a loop: frames have passed up to `run`, and the root has to be charged for `charged` bytes.
    @_noLocks @inline(__always)
    private mutating func finish(_ passage: inout Passage, _ run: UnsafePointer<LeafRun>, _ begin: Int, _ charged: Int64) {
        owedFrames &+= UInt64(truncatingIfNeeded: begin &- passage.next)
        owedCharge &+= charged &* Credit.perByte
        passage.next = begin
        passage.run = run
    }

    /// The level of a root that has children.
    @inline(__always) private static var rootLevel: UInt8 { @_noLocks get { 7 } }

    /// What the root allows others to borrow once it has been charged, as `rootLends` says; negative if that is nothing, or the general path has to decide.
    @_noLocks @inline(never)
    private mutating func rootCredit(at now: Nanoseconds) -> Int64 {
        var credit = Int64.max
        return rootLends(&credit, owed: owedCharge, at: now) ? credit : -1
    }

    /// Adds up the frames behind the first: their bytes in `bytes`, their bytes with overhead in `size`, and the latter without the last frame in `covered`.
    /// - Returns: false if one of them is not an ordinary frame of a positive size, which the shortcut needs, or if there is none at all; the sums mean nothing
    ///   then.
    @_noLocks @inline(never)
    private static func sum(
        _ charges: UnsafePointer<Charge>, _ count: Int, _ overhead: Int64, _ bytes: inout UInt64, _ size: inout Int64, _ covered: inout Int64
    ) -> Bool {
        if count < 1 { return false }
        var sum: UInt64 = 0, signs: Int32 = 0, index = 1
        repeat {
            sum &+= UInt64(charges[index].bits)
            signs |= charges[index].shortSize(overhead)
            index &+= 1
        } while index < count
        bytes &+= sum
        size &+= Int64(bitPattern: sum) &+ Int64(count &- 1) &* overhead
        covered = size &- Int64(charges[count &- 1].shortSize(overhead))
        return signs >= 0
    }
}
