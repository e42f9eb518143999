extension ClassTree {
    /// Parks an output that accepts nothing for now. Each of its leaves is set aside when its turn comes, once, and then costs nothing until `unpark`; its
    /// queue still accepts frames.
    @_noLocks
    public mutating func park(output: UInt16) {
        guard Int(output) < outputs else { return }
        hold(output, OutputState.full)
        if trafficClasses.outputBits != 0 { forEachPart(of: output) { tree, part in tree.hold(part, OutputState.full) } }
    }

    /// Returns the output's leaves to their lists, at the tail.
    ///
    /// Like any class that waits, they earned credit meanwhile, up to their bursts; the next `dequeue` computes it.
    @_noLocks
    public mutating func unpark(output: UInt16) {
        guard Int(output) < outputs else { return }
        letGo(output, OutputState.full)
        if trafficClasses.outputBits != 0 { forEachPart(of: output) { tree, part in tree.letGo(part, OutputState.full) } }
    }

    /// Has leaves of some parts of an output wait, whether the output is parked or not, and no others. The tree must have shares with parts
    /// (`LinkShares.outputBits`).
    ///
    /// - Parameter parts: a bit for each part.
    @_noLocks
    public mutating func pause(_ parts: UInt8, of output: UInt16) {
        guard trafficClasses.outputBits != 0, Int(output) < outputs else { return }
        for part in 0..<8 {
            let own = output | (UInt16(truncatingIfNeeded: part) &+ 1) &<< UInt16(trafficClasses.outputBits)
            if Int(own) >= outputs { return }
            if parts &>> UInt8(truncatingIfNeeded: part) & 1 != 0 { hold(own, OutputState.paused) } else { letGo(own, OutputState.paused) }
        }
    }

    /// Begins or ends to have parts of outputs. Those of outputs that are parked are parked; parts that are no longer there are neither parked nor paused.
    @_noLocks
    mutating func split(outputBits bits: UInt8) {
        if bits == trafficClasses.outputBits { return }
        let before = trafficClasses.outputBits
        if before != 0 { for part in 1 &<< Int(before)..<outputs { letGo(UInt16(truncatingIfNeeded: part), OutputState.full | OutputState.paused) } }
        trafficClasses.outputBits = bits
        trafficClasses.outputMask = bits == 0 ? .max : 1 &<< UInt16(bits) &- 1
        if bits == 0 { return }
        for output in 0..<min(outputs, 1 &<< Int(bits)) where outputStates[output].isParked & OutputState.full != 0 {
            forEachPart(of: UInt16(truncatingIfNeeded: output)) { tree, part in tree.hold(part, OutputState.full) }
        }
    }

    @_noLocks @inline(__always)
    private mutating func forEachPart(of output: UInt16, _ body: (inout ClassTree, UInt16) -> Void) {
        for part in 1...8 as ClosedRange<UInt16> {
            let own = output & trafficClasses.outputMask | part &<< UInt16(trafficClasses.outputBits)
            if Int(own) < outputs { body(&self, own) }
        }
    }

    @_noLocks
    private mutating func hold(_ output: UInt16, _ reason: UInt16) {
        if outputStates[Int(output)].isParked == 0 { parkedOutputs &+= 1 }
        outputStates[Int(output)].isParked |= reason
    }

    @_noLocks
    private mutating func letGo(_ output: UInt16, _ reasons: UInt16) {
        guard outputStates[Int(output)].isParked & reasons != 0 else { return }
        outputStates[Int(output)].isParked &= ~reasons
        if outputStates[Int(output)].isParked != 0 { return }
        parkedOutputs &-= 1
        var id = outputStates[Int(output)].parkedHead
        outputStates[Int(output)].parkedHead = 0
        while id != 0 {
            let next = states[Int(id)].parkedNext
            states[Int(id)].flags &= ~ClassFlags.parked
            activate(leaf: id, at: latest)
            id = next
        }
    }

    /// Puts a backlogged leaf that is in no other list into its output's list of parked leaves.
    @_noLocks @inline(__always)
    mutating func park(leaf id: ClassID) {
        let state = states + Int(id), output = Int(profile(of: id).pointee.output)
        let head = outputStates[output].parkedHead
        state.pointee.parkedNext = head
        state.pointee.parkedPrevious = 0
        if head != 0 { states[Int(head)].parkedPrevious = id }
        outputStates[output].parkedHead = id
        state.pointee.flags |= ClassFlags.parked
        blocks[Int(id)].waitsOutput &+= 1
    }

    @_noLocks
    mutating func leaveParked(leaf id: ClassID) {
        let place = states[Int(id)]
        if place.parkedNext != 0 { states[Int(place.parkedNext)].parkedPrevious = place.parkedPrevious }
        if place.parkedPrevious != 0 {
            states[Int(place.parkedPrevious)].parkedNext = place.parkedNext
        } else {
            outputStates[Int(profile(of: id).pointee.output)].parkedHead = place.parkedNext
        }
        states[Int(id)].flags &= ~ClassFlags.parked
    }
}
