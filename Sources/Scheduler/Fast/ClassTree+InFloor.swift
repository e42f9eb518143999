/// The fastest paths, for a plain leaf (without peak, packet rates, CoDel or leases) that is within its floor. They must do what the general paths do while
/// looking at less: send the same frames in the same order, charge and count the same, and leave every class in the same lists. `OracleTests` checks that: the
/// oracle has only one path, and its random trees mix plain leaves with others. Each function names what it must equal.
extension ClassTree {
    /// Whether a plain leaf that has just got its first frame is within its floor: whether `currentMode` would be `Mode.canSend` after `refill`.
    @_noLocks @inline(__always)
    func canSendInFloor(_ state: UnsafeMutablePointer<ClassState>, _ profile: UnsafePointer<ClassProfile>, at now: Nanoseconds) -> Bool {
        guard state.word.bits & ClassWord.mask(ClassFlags.meteredFloor | ClassFlags.endlessFloor) != 0 else { return false }
        // While a leaf has no frames its tokens only grow.
        if _fastPath((state.pointee.floorTokens | state.pointee.ceilingTokens) >= 0) { return true }
        state.pointee.refillPlain(profile, at: now)
        return (state.pointee.floorTokens | state.pointee.ceilingTokens) >= 0
    }

    /// Serves a row of leaves that are within their floors from its head until it is empty, `limit` frames are sent, or its head needs the general path. The
    /// root is not charged yet: see `chargeRoot`. Equals repeated calls of `visit` for the same row.
    @_noLocks
    mutating func serveLeaves(row: Int, into: UnsafeMutablePointer<ScheduledFrame>, limit: Int, at now: Nanoseconds) -> Int {
        var place = Place(into, limit: limit, free: freeHead)
        // Every leaf within its floor has at least one flag set; so while an output is parked, each of them is checked more closely.
        let suspect = parkedOutputs == 0 ? ClassFlags.special : UInt8.max
        var frames: UInt64 = 0, bytes: UInt64 = 0
        var charged: Int64 = 0
        var mayBeSingle = true
        while place.hasRoom {
            var leaf = rowHeads[row]
            if leaf == 0 { break }
            if mayBeSingle, first(of: leaf) == states[Int(leaf)].tail {
                let before = place.next
                serveSingles(row: row, suspect: suspect, into: &place, &bytes, &charged, at: now)
                frames &+= UInt64(truncatingIfNeeded: place.next - before)
                leaf = rowHeads[row]
                if leaf == 0 || !place.hasRoom { break }
                mayBeSingle = place.next != before
            }
            let state = states + Int(leaf)
            let profile = profiles + Int(state.pointee.profile)
            let turn = state.pointee.rowDeficit
            if _slowPath(turn < 0 || state.pointee.flags & suspect != 0 && mustBeVisited(leaf)) { break }
            if _slowPath(state.pointee.noticedExhaustion != exhaustions) { noteTurn(of: leaf) }
            if _slowPath(state.pointee.lender != ClassState.nobody) { change(lenderOf: leaf, to: ClassState.nobody) }

            let tokens = state.pointee.drawPlain(profile, at: now)
            let taken = takeFrames(leaf, state, profile, into: &place, turn: turn, credit: min(tokens.floor, tokens.ceiling))
            let isSpent = state.pointee.setTokens(floor: tokens.floor &- taken.cost, ceiling: tokens.ceiling &- taken.cost)
            state.pointee.sentBytes &+= UInt64(taken.bytes)
            let activeAncestors = payAncestors(of: state.pointee.parent, taken, at: now)
            frames &+= UInt64(taken.frames)
            bytes &+= UInt64(taken.bytes)
            charged &+= taken.charged

            let rest = turn &- Int32(truncatingIfNeeded: taken.charged)
            state.pointee.rowDeficit = rest < 0 ? rest &+ profile.pointee.quantum : rest
            if taken.next == FrameNode.none, _fastPath(state.pointee.inFeed == 0) {
                state.endToSend()
                removeHead(ofRow: row, next: state.pointee.rowNext)
                if _slowPath(activeAncestors != 0) { updateAncestors(of: state, at: now) }
                continue
            }
            if taken.next == FrameNode.none {
                deactivate(leaf: leaf)
            } else {
                if rest < 0 { rotate(leafRow: row) }
                if _slowPath(isSpent) { updateMode(leaf, at: now) }
            }
            if _slowPath(activeAncestors != 0) { updateAncestors(of: state, at: now) }
            if taken.next != FrameNode.none { noteLeft(waiting: leaf) }
        }
        let sent = place.next - into
        freeHead = place.free
        free &+= UInt32(truncatingIfNeeded: sent)
        owedFrames &+= frames
        owedCharge &+= charged &* Credit.perByte
        backlogFrames &-= sent
        backlogBytes &-= Int(bytes)
        return sent
    }

    /// Serves leaves from the head of a row as long as each holds a single frame, and neither the leaf nor its group needs more than to be charged. With many
    /// classes this is the usual case. It is a loop of its own that calls no other function, so that its variables stay in registers. Equals repeated calls of
    /// `visit`.
    @_noLocks @inline(never)
    private mutating func serveSingles(
        row: Int, suspect: UInt8, into place: inout Place, _ bytes: inout UInt64, _ charged: inout Int64, at now: Nanoseconds
    ) {
        let states = states, profiles = profiles, frames = frames, overhead = overhead
        let exhaustions = exhaustions, general = ClassWord.isFedOrHas(suspect)
        var leaf = rowHeads[row]
        let begin = place.next, end = place.end
        var next = begin, free = place.free
        var sum: Int64 = 0
        var left = SIMD2<Int64>.zero
        while leaf != 0, next != end, !left.isInDebt {
            let state = states + Int(leaf)
            let index = state.pointee.tail
            let frame = frames + Int(index)
            let word = state.word
            guard state.pointee.rowDeficit >= 0, frame.pointee.next == index, word.bits & general == 0, state.pointee.noticedExhaustion == exhaustions
            else { break }
            let size = frame.pointee.charge.shortSize(overhead)
            if _slowPath(size < 0) { break }
            let profile = profiles + Int(state.pointee.profile)
            let cost = Int64(size) &* Credit.perByte
            let elapsed = now &- state.pointee.checkpoint
            if _fastPath(word.parent != 1) {
                let above = states + Int(word.parent)
                guard above.word.isIdlePlainGroup, (elapsed | (now &- above.pointee.checkpoint)) < Credit.shortTime else { break }
                left = state.payShort(profile, cost, at: now) | above.payShort(profiles + Int(above.pointee.profile), cost, at: now)
            } else {
                guard elapsed < Credit.shortTime else { break }
                left = state.payShort(profile, cost, at: now)
            }
            state.pointee.sentBytes &+= UInt64(frame.pointee.charge.bits)
            state.pointee.sentFrames &+= 1
            state.pointee.tail = FrameNode.none
            state.endToSend()
            UnsafeMutableRawPointer(next).copyMemory(from: frame, byteCount: 16)
            next.pointee.leaf = leaf
            next.pointee.output = profile.pointee.output
            next += 1
            frame.pointee.next = free
            free = index
            let rest = state.pointee.rowDeficit &- size
            state.pointee.rowDeficit = rest < 0 ? rest &+ profile.pointee.quantum : rest
            sum &+= Int64(size)
            leaf = state.pointee.rowNext
        }
        place.next = next
        place.free = free
        bytes &+= UInt64(bitPattern: sum &- Int64(next - begin) &* overhead)
        charged &+= sum
        removeHead(ofRow: row, next: leaf)
        if _slowPath(left.isInDebt) { endDebts(of: (next - 1).pointee.leaf) }
    }

    /// Completes a charge by `payShort` that left a leaf or its group in debt.
    @_noLocks @inline(never)
    private mutating func endDebts(of leaf: ClassID) {
        let state = states + Int(leaf)
        state.pointee.endDebt()
        if state.pointee.parent != 1 { states[Int(state.pointee.parent)].endDebt() }
    }

    /// Whether the leaf at the head of a row needs the general path.
    @_noLocks @inline(never)
    mutating func mustBeVisited(_ leaf: ClassID) -> Bool {
        states[Int(leaf)].flags & ClassFlags.special != 0 || outputStates[Int(profile(of: leaf).pointee.output)].isParked != 0
    }

    /// Where frames that are taken are written.
    struct Place {
        var next: UnsafeMutablePointer<ScheduledFrame>
        /// End of the room. There must be some room when frames are taken.
        let end: UnsafeMutablePointer<ScheduledFrame>
        /// Head of the free frames: `ClassTree.freeHead` with the frames taken in front.
        var free: UInt32

        @_noLocks @inline(__always)
        init(_ next: UnsafeMutablePointer<ScheduledFrame>, limit: Int, free: UInt32) {
            self.next = next
            end = next + limit
            self.free = free
        }

        @inline(__always)
        var hasRoom: Bool { @_noLocks get { next != end } }

        /// `origin` is leaf and output in the layout of `ScheduledFrame`.
        @_noLocks @inline(__always)
        mutating func put(_ frame: UnsafeMutablePointer<FrameNode>, _ origin: UInt32) {
            let place = UnsafeMutableRawPointer(next)
            place.copyMemory(from: frame, byteCount: 16)
            place.storeBytes(of: origin, toByteOffset: 16, as: UInt32.self)
            next += 1
        }
    }

    /// What one visit to a leaf took from its queue.
    struct Taken {
        /// The number of frames on the wire.
        var frames: UInt32
        var bytes: UInt32
        /// Bytes with overhead. A turn is at most 2^29 bytes and a frame costs less than that, so they fit 32 bits.
        var charged: Int64
        /// The same in nanobits.
        var cost: Int64
        /// The frame that is first now; `FrameNode.none` if the queue is empty.
        var next: UInt32

        @_noLocks @inline(__always)
        init(frames: UInt32, bytes: UInt32, charged: Int64, cost: Int64, next: UInt32) {
            self.frames = frames
            self.bytes = bytes
            self.charged = charged
            self.cost = cost
            self.next = next
        }

        /// Nothing taken yet, of a queue whose first frame is `next`.
        @_noLocks @inline(__always)
        init(next: UInt32) { self.init(frames: 0, bytes: 0, charged: 0, cost: 0, next: next) }

        /// Adds the cost of a frame.
        @_noLocks @inline(__always)
        mutating func add(_ charge: Charge, _ overhead: Int64) {
            frames &+= charge.frames
            bytes &+= charge.bytes
            charged &+= charge.size(overhead)
            cost = charged &* Credit.perByte
        }

        /// Adds what a later visit to another leaf took. After that `next` has no meaning.
        @_noLocks @inline(__always)
        mutating func add(_ other: Taken) {
            frames &+= other.frames
            bytes &+= other.bytes
            charged &+= other.charged
            cost &+= other.cost
        }
    }

    /// Takes frames from a leaf's queue: at least one, and as many as its `turn` (in bytes) and `credit` allow to begin. The caller has to update the tree's
    /// backlog and its number of free frames. Equals `removeFirst` and `release` for each frame, as `send` calls them.
    @_noLocks @inline(__always)
    mutating func takeFrames(
        _ leaf: ClassID, _ state: UnsafeMutablePointer<ClassState>, _ profile: UnsafePointer<ClassProfile>, into place: inout Place, turn: Int32, credit: Int64
    ) -> Taken {
        let frames = frames, overhead = overhead
        let tail = state.pointee.tail, origin = (UInt32(leaf) | UInt32(profile.pointee.output) &<< 16).littleEndian
        let head = frames[Int(tail)].next
        let first = frames + Int(head)
        let begin = place
        let charge = first.pointee.charge, size = charge.shortSize(overhead)
        if _slowPath(size < 0) { return takeAny(leaf, into: &place, from: begin, turn: turn, credit: credit) }
        place.put(first, origin)
        var taken = Taken(frames: 1, bytes: charge.bits, charged: Int64(size), cost: Int64(size) &* Credit.perByte, next: first.pointee.next)
        if head == tail {
            // The usual case if there are many classes.
            first.pointee.next = place.free
            place.free = head
            state.pointee.tail = FrameNode.none
            state.pointee.sentFrames &+= 1
            taken.next = FrameNode.none
            return taken
        }
        let budget = min(Int64(turn) &* Credit.perByte, credit)
        var last = head
        while last != tail, place.hasRoom, taken.cost <= budget {
            let frame = frames + Int(taken.next)
            let size = frame.pointee.charge.shortSize(overhead)
            // So far nothing has changed outside of the local variables, except for room that is written again.
            if _slowPath(size < 0) { return takeAny(leaf, into: &place, from: begin, turn: turn, credit: credit) }
            place.put(frame, origin)
            last = taken.next
            taken.next = frame.pointee.next
            taken.charged &+= Int64(size)
            taken.cost = taken.charged &* Credit.perByte
        }
        taken.frames = UInt32(truncatingIfNeeded: place.next - begin.next)
        taken.bytes = UInt32(truncatingIfNeeded: taken.charged &- Int64(taken.frames) &* overhead)
        endTaking(leaf, state, head: head, last: last, tail: tail, count: taken.frames, &taken, &place.free)
        return taken
    }

    /// Takes frames of a queue of several out, from `head` to `last`.
    @_noLocks @inline(__always)
    private mutating func endTaking(
        _ leaf: ClassID, _ state: UnsafeMutablePointer<ClassState>, head: UInt32, last: UInt32, tail: UInt32, count: UInt32, _ taken: inout Taken,
        _ free: inout UInt32
    ) {
        frames[Int(last)].next = free
        free = head
        state.pointee.sentFrames &+= UInt64(taken.frames)
        let node = nodes + Int(leaf)
        if last == tail {
            taken.next = FrameNode.none
            state.pointee.tail = FrameNode.none
            node.pointee.framesAhead = 0
            node.pointee.bytesAhead = 0
        } else {
            frames[Int(tail)].next = taken.next
            node.pointee.framesAhead &-= count
            node.pointee.bytesAhead &-= taken.bytes
        }
    }

    /// `takeFrames` for frames that leave as several, or cost nothing: from where it began.
    @_noLocks @inline(__always)
    private mutating func takeAny(_ leaf: ClassID, into place: inout Place, from begin: Place, turn: Int32, credit: Int64) -> Taken {
        // Nobody is given the address of the place, so that it can stay in registers.
        let (taken, end) = takeAny(leaf, from: begin, turn: turn, credit: credit)
        place = end
        return taken
    }

    @_noLocks @inline(never)
    private mutating func takeAny(_ leaf: ClassID, from begin: Place, turn: Int32, credit: Int64) -> (Taken, Place) {
        let state = states + Int(leaf)
        let tail = state.pointee.tail, origin = (UInt32(leaf) | UInt32(profile(of: leaf).pointee.output) &<< 16).littleEndian
        let head = frames[Int(tail)].next, budget = min(Int64(turn) &* Credit.perByte, credit)
        var place = begin, last = FrameNode.none
        var taken = Taken(next: head)
        // One is taken whatever there is left, as in `takeFrames`.
        repeat {
            let frame = frames + Int(taken.next)
            place.put(frame, origin)
            last = taken.next
            taken.next = frame.pointee.next
            taken.add(frame.pointee.charge, overhead)
        } while last != tail && place.hasRoom && taken.cost <= budget
        let count = UInt32(truncatingIfNeeded: place.next - begin.next)
        endTaking(leaf, state, head: head, last: last, tail: tail, count: count, &taken, &place.free)
        return (taken, place)
    }

    /// Charges all ancestors below the root, as `charge` does those above a lender. Not 0 if one of them is active, so that its mode may have changed.
    @_noLocks @inline(__always)
    mutating func payAncestors(of parent: ClassID, _ taken: Taken, at now: Nanoseconds) -> UInt8 {
        if _slowPath(parent == 1) { return 0 }
        let active = pay(parent, taken, at: now)
        let above = states[Int(parent)].parent
        return _fastPath(above == 1) ? active : active | payHigher(above, taken, at: now)
    }

    @_noLocks @inline(never)
    private mutating func payHigher(_ id: ClassID, _ taken: Taken, at now: Nanoseconds) -> UInt8 {
        var id = id
        var active: UInt8 = 0
        while id != 1 {
            active |= pay(id, taken, at: now)
            id = states[Int(id)].parent
        }
        return active
    }

    @_noLocks @inline(__always)
    private mutating func pay(_ id: ClassID, _ taken: Taken, at now: Nanoseconds) -> UInt8 {
        let state = states + Int(id)
        if _slowPath(state.pointee.flags & ClassFlags.special != 0) {
            paySpecial(id, frames: taken.frames, cost: taken.cost, at: now)
        } else {
            let tokens = state.pointee.drawPlain(profiles + Int(state.pointee.profile), at: now)
            _ = state.pointee.setTokens(floor: tokens.floor &- taken.cost, ceiling: tokens.ceiling &- taken.cost)
        }
        return state.pointee.active
    }

    @_noLocks @inline(never)
    private mutating func paySpecial(_ id: ClassID, frames: UInt32, cost: Int64, at now: Nanoseconds) {
        refill(id, at: now)
        let state = states + Int(id)
        let flags = state.pointee.flags
        if flags & ClassFlags.meteredCeiling != 0 { state.pointee.ceilingTokens = Credit.charged(state.pointee.ceilingTokens, cost) }
        if flags & ClassFlags.meteredFloor != 0 { state.pointee.floorTokens = Credit.charged(state.pointee.floorTokens, cost) }
        if flags & ClassFlags.extra != 0 {
            chargeExtra(id, lends: true, cost: cost, packetCost: Int64(frames) &* Credit.perPacket)
        }
    }

    @_noLocks @inline(never)
    mutating func updateAncestors(of leaf: UnsafeMutablePointer<ClassState>, at now: Nanoseconds) {
        updateModes(from: leaf.pointee.parent, upTo: 1, at: now)
    }
}

