extension ClassTree {
    /// Brings the class's tokens up to date.
    @_noLocks @inline(__always)
    mutating func refill(_ id: ClassID, at now: Nanoseconds) {
        let state = states + Int(id)
        let flags = state.pointee.flags
        guard flags & ClassFlags.metered != 0 else { return }
        if flags & ClassFlags.shared != 0 { return refillShared(id, at: now) }
        guard now > state.pointee.checkpoint else { return }
        let elapsed = now &- state.pointee.checkpoint
        let profile = profile(of: id)
        state.pointee.checkpoint = now
        if flags & ClassFlags.meteredFloor != 0 {
            state.pointee.floorTokens = Credit.refilled(
                state.pointee.floorTokens, rate: profile.pointee.floorRate, elapsed: elapsed, burst: profile.pointee.floorBurst)
        }
        if flags & ClassFlags.meteredCeiling != 0 {
            state.pointee.ceilingTokens = Credit.refilled(
                state.pointee.ceilingTokens, rate: profile.pointee.ceilingRate, elapsed: elapsed, burst: profile.pointee.ceilingBurst)
        }
        if flags & ClassFlags.extra != 0 { refillExtra(id, elapsed: elapsed) }
    }

    /// The mode that follows from the tokens, which must be up to date.
    @_noLocks @inline(__always)
    mutating func currentMode(_ id: ClassID) -> UInt8 {
        let state = states + Int(id)
        let flags = state.pointee.flags
        if flags & ClassFlags.meteredCeiling != 0, state.pointee.ceilingTokens < 0 { return Mode.cannotSend }
        if flags & ClassFlags.extra != 0, extraForbids(id) { return Mode.cannotSend }
        if flags & ClassFlags.endlessFloor == 0 {
            guard flags & ClassFlags.meteredFloor != 0, state.pointee.floorTokens >= 0 else { return Mode.mayBorrow }
        }
        if flags & ClassFlags.extra != 0, extraFloorSpent(id) { return Mode.mayBorrow }
        return Mode.canSend
    }

    /// Sets the timer of a class whose mode will improve just by the passing of time.
    @_noLocks @inline(__always)
    mutating func armIfWaiting(_ id: ClassID, at now: Nanoseconds) {
        let state = states + Int(id), profile = profile(of: id)
        let flags = state.pointee.flags
        var wait: Nanoseconds = 0
        if flags & ClassFlags.shared != 0 {
            guard state.pointee.mode != Mode.canSend else { return }
            let due = leaseDue(id, mode: state.pointee.mode)
            if due != 0 { wheel.arm(id, at: due) }
            return
        }
        if state.pointee.mode == Mode.cannotSend {
            if flags & ClassFlags.meteredCeiling != 0 {
                wait = Credit.wait(
                    state.pointee.ceilingTokens, rate: profile.pointee.ceilingRate, reciprocal: profile.pointee.ceilingReciprocal)
            }
            if flags & ClassFlags.extra != 0 { wait = max(wait, extraCeilingWait(id)) }
        } else if state.pointee.mode == Mode.mayBorrow {
            if flags & ClassFlags.meteredFloor != 0 {
                wait = Credit.wait(state.pointee.floorTokens, rate: profile.pointee.floorRate, reciprocal: profile.pointee.floorReciprocal)
            } else if flags & ClassFlags.endlessFloor == 0 {
                return
            }
            if flags & ClassFlags.extra != 0 { wait = max(wait, extraFloorWait(id)) }
            nodes[Int(id)].timed = 1
        } else {
            return
        }
        wheel.arm(id, at: now &+ wait)
    }

    /// Puts a class that has frames at `priorities` into the lists that its mode requires, and activates its ancestors as far as that affects them. `returns`
    /// says that it had frames all the time and comes back to its parent's feed.
    @_noLocks @inline(never)
    mutating func attach(_ id: ClassID, _ priorities: UInt8, returns: Bool, at now: Nanoseconds) {
        var id = id, priorities = priorities
        while true {
            let state = states + Int(id)
            if state.pointee.active == 0 {
                state.pointee.active = priorities
                refill(id, at: now)
                state.pointee.mode = currentMode(id)
                if state.pointee.mode != Mode.canSend {
                    armIfWaiting(id, at: now)
                    if state.pointee.mode == Mode.cannotSend { noteWorse(id) }
                }
            } else {
                state.pointee.active |= priorities
            }
            if state.pointee.mode == Mode.canSend {
                var rest = priorities & ~state.pointee.inRow
                while rest != 0 {
                    insertInRow(id, rest.trailingZeroBitCount)
                    rest &= rest &- 1
                }
                return
            }
            let parent = state.pointee.parent
            guard state.pointee.mode == Mode.mayBorrow, parent != 0 else { return }
            if state.pointee.flags & ClassFlags.extra != 0 { joinSavers(id, priorities) }
            if state.pointee.flags & ClassFlags.shared != 0 { refreshShare(id, at: now) }
            var rest = priorities & ~state.pointee.inFeed
            var woken: UInt8 = 0
            while rest != 0 {
                let priority = rest.trailingZeroBitCount
                rest &= rest &- 1
                if insertInFeed(id, priority, returns: returns) { woken |= 1 &<< UInt8(priority) }
            }
            if woken == 0 { return }
            id = parent
            priorities = woken
        }
    }

    /// Takes a class out of its rows and feeds at `priorities`; so are ancestors whose feeds become empty.
    @_noLocks @inline(never)
    mutating func detach(_ id: ClassID, _ priorities: UInt8) {
        var id = id, priorities = priorities
        while true {
            let state = states + Int(id)
            var rest = priorities & state.pointee.inRow
            while rest != 0 {
                removeFromRow(id, rest.trailingZeroBitCount)
                rest &= rest &- 1
            }
            if state.pointee.flags & ClassFlags.extra != 0 { leaveSavers(id, priorities) }
            rest = priorities & state.pointee.inFeed
            var emptied: UInt8 = 0
            while rest != 0 {
                let priority = rest.trailingZeroBitCount
                rest &= rest &- 1
                if removeFromFeed(id, priority) { emptied |= 1 &<< UInt8(priority) }
            }
            if emptied == 0 { return }
            id = state.pointee.parent
            states[Int(id)].active &= ~emptied
            endWaiting(at: id, emptied)
            if states[Int(id)].active == 0 { comeBackForLeases(of: id, at: latest) }
            priorities = emptied
        }
    }

    /// Activates the leaves that have got their first frame above their floors.
    @_noLocks
    mutating func activateArrivals(at now: Nanoseconds) {
        guard arrived != 0 else { return }
        for index in 0..<arrived where !joinBorrowers(arrivals[index], at: now) { activate(leaf: arrivals[index], at: now) }
        joined = arrived
        arrived = 0
    }

    /// Activates a leaf that has frames and whose output takes them.
    @_noLocks @inline(never)
    mutating func activate(leaf id: ClassID, at now: Nanoseconds) {
        attach(id, profile(of: id).pointee.priorityBit, returns: false, at: now)
        noteLeft(waiting: id)
    }

    @_noLocks @inline(never)
    mutating func deactivate(leaf id: ClassID) {
        comeBackForLeases(of: id, at: latest)
        let priorities = states[Int(id)].active
        states[Int(id)].active = 0
        detach(id, priorities)
    }

    /// Updates the modes of a class that was charged and of all classes above it, up to but excluding `end`. Classes whose mode got worse are reported once all
    /// modes are known, because the class that prevents lending may be further up.
    @_noLocks @inline(__always)
    mutating func updateModes(from first: ClassID, upTo end: ClassID, at now: Nanoseconds) {
        var id = first
        while id != end {
            let above = states[Int(id)].parent
            if states[Int(id)].active != 0, moveByMode(id, at: now) {
                if _slowPath(above != end) { return updateModes(above: id, upTo: end, at: now) }
                noteWorse(id)
            }
            id = above
        }
    }

    /// Continues `updateModes` above a class whose mode got worse.
    @_noLocks @inline(never)
    private mutating func updateModes(above worse: ClassID, upTo end: ClassID, at now: Nanoseconds) {
        // A bit for each class from `worse` upwards whose mode got worse.
        var gotWorse: UInt32 = 1, place: UInt32 = 2
        var id = states[Int(worse)].parent
        while id != end {
            if states[Int(id)].active != 0, moveByMode(id, at: now) { gotWorse |= place }
            place &<<= 1
            id = states[Int(id)].parent
        }
        id = worse
        while gotWorse != 0 {
            if gotWorse & 1 != 0 { noteWorse(id) }
            gotWorse &>>= 1
            id = states[Int(id)].parent
        }
    }

    /// Updates the mode of a single active class.
    @_noLocks @inline(never)
    mutating func updateMode(_ id: ClassID, at now: Nanoseconds) {
        if moveByMode(id, at: now) { noteWorse(id) }
    }

    /// Moves an active class whose tokens have changed to the lists that its new mode requires. Returns true if the mode got worse, which the caller has to
    /// report.
    @_noLocks @inline(never)
    private mutating func moveByMode(_ id: ClassID, at now: Nanoseconds) -> Bool {
        let state = states + Int(id)
        // With leased rates a debt is booked at once, so that the time when it ends is known.
        if state.pointee.flags & ClassFlags.shared != 0 { refillShared(id, at: now) }
        let mode = currentMode(id), old = state.pointee.mode
        if mode == old {
            if state.pointee.flags & ClassFlags.extra != 0 { updateSaver(id, at: now) }
            return false
        }
        state.pointee.mode = mode
        if state.pointee.flags & ClassFlags.extra != 0, mode != Mode.cannotSend { updateSaver(id, at: now) }
        if mode == Mode.cannotSend {
            detach(id, state.pointee.active)
            armIfWaiting(id, at: now)
            return true
        }
        if old == Mode.canSend {
            var rest = state.pointee.inRow
            while rest != 0 {
                removeFromRow(id, rest.trailingZeroBitCount)
                rest &= rest &- 1
            }
        }
        if mode == Mode.mayBorrow { armIfWaiting(id, at: now) }
        attach(id, state.pointee.active, returns: true, at: now)
        return mode > old
    }

    /// Updates the classes whose time has come.
    @_noLocks
    mutating func wake(at now: Nanoseconds) {
        wheel.advance(to: now)
        while true {
            let id = wheel.removeFired()
            guard id != 0 else { return }
            nodes[Int(id)].timed = 0
            guard states[Int(id)].active != 0 else {
                if states[Int(id)].flags & ClassFlags.shared != 0 { returnLeases(id, at: now) }
                continue
            }
            refill(id, at: now)
            let old = states[Int(id)].mode
            updateMode(id, at: now)
            if states[Int(id)].mode == old { armIfWaiting(id, at: now) }
        }
    }
}
