/// The rows of leaves in their floors, by priority: lists with a tail. A leaf that joins touches the last leaf alone, one that leaves from
/// the head touches no other, so that the way of a frame within its floor stays within its own class.
extension ClassTree {
    /// `state` is the leaf's.
    @_noLocks @inline(__always)
    mutating func append(_ leaf: ClassID, _ state: UnsafeMutablePointer<ClassState>, toLeafRow row: Int) {
        state.pointee.rowNext = 0
        if rows &>> UInt64(row) & 1 == 0 {
            rowHeads[row] = leaf
            rows |= 1 &<< UInt64(row)
        } else {
            let tail = rowTails[row]
            states[Int(tail)].rowNext = leaf
            state.pointee.rowPrevious = tail
        }
        rowTails[row] = leaf
    }

    /// Takes a leaf out, wherever it is.
    @_noLocks @inline(__always)
    mutating func remove(_ leaf: ClassID, fromLeafRow row: Int) {
        let next = states[Int(leaf)].rowNext
        if rowHeads[row] == leaf { return removeHead(ofRow: row, next: next) }
        let previous = states[Int(leaf)].rowPrevious
        states[Int(previous)].rowNext = next
        if next == 0 { rowTails[row] = previous } else { states[Int(next)].rowPrevious = previous }
    }

    /// The first leaf's turn is over: it goes to the tail.
    @_noLocks @inline(__always)
    mutating func rotate(leafRow row: Int) {
        let leaf = rowHeads[row]
        let state = states + Int(leaf)
        let next = state.pointee.rowNext
        if next == 0 { return }
        rowHeads[row] = next
        append(leaf, state, toLeafRow: row)
    }
}
