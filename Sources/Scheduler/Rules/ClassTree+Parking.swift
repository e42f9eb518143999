extension ClassTree {
    /// Parks an output that accepts nothing for now. Each of its leaves is set aside when its turn comes, once, and then costs nothing until `unpark`; its
    /// queue still accepts frames.
    @_noLocks
    public mutating func park(output: UInt16) {
        guard Int(output) < outputs, outputStates[Int(output)].isParked == 0 else { return }
        outputStates[Int(output)].isParked = 1
        parkedOutputs &+= 1
    }

    /// Returns the output's leaves to their lists, at the tail.
    ///
    /// Like any class that waits, they earned credit meanwhile, up to their bursts; the next `dequeue` computes it.
    @_noLocks
    public mutating func unpark(output: UInt16) {
        guard Int(output) < outputs, outputStates[Int(output)].isParked != 0 else { return }
        outputStates[Int(output)].isParked = 0
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
