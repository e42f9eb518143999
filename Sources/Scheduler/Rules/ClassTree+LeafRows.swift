/// The rows of leaves that are within their floors, by priority: lists with a tail. Adding a leaf touches only the last leaf of the row, and removing the head
/// touches no other leaf, so that a frame within its floor touches little beyond its own class.
extension ClassTree {
    /// Appends a leaf to a row; `state` is the leaf's state.
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

    /// Removes a leaf, wherever in the row it is.
    @_noLocks @inline(__always)
    mutating func remove(_ leaf: ClassID, fromLeafRow row: Int) {
        let next = states[Int(leaf)].rowNext
        if rowHeads[row] == leaf { return removeHead(ofRow: row, next: next) }
        let previous = states[Int(leaf)].rowPrevious
        states[Int(previous)].rowNext = next
        if next == 0 { rowTails[row] = previous } else { states[Int(next)].rowPrevious = previous }
    }

    /// Ends the turn of the first leaf: it goes to the tail.
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
