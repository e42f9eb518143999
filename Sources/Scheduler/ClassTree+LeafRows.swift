/// The rows of leaves in their floors, by priority: lists with a tail. A leaf that joins touches the last leaf alone, one that leaves from
/// the head touches no other, so that the way of a frame within its floor stays within its own class.
extension ClassTree {
    /// `node` is the leaf's.
    @_noLocks @inline(__always)
    mutating func append(_ leaf: ClassID, _ node: UnsafeMutablePointer<ClassNode>, toLeafRow row: Int) {
        node.pointee.slot.rowNext = 0
        if rows &>> UInt64(row) & 1 == 0 {
            rowHeads[row] = leaf
            rows |= 1 &<< UInt64(row)
        } else {
            let tail = leafRowTails[row]
            nodes[Int(tail)].slot.rowNext = leaf
            node.pointee.slot.rowPrevious = tail
        }
        leafRowTails[row] = leaf
    }

    /// Takes the first leaf out; `next` is the one behind it, or 0.
    @_noLocks @inline(__always)
    mutating func removeHead(ofLeafRow row: Int, next: ClassID) {
        rowHeads[row] = next
        if next == 0 { rows &= ~(1 &<< UInt64(row)) }
    }

    @_noLocks
    mutating func remove(_ leaf: ClassID, fromLeafRow row: Int) {
        let next = nodes[Int(leaf)].slot.rowNext
        if rowHeads[row] == leaf { return removeHead(ofLeafRow: row, next: next) }
        let previous = nodes[Int(leaf)].slot.rowPrevious
        nodes[Int(previous)].slot.rowNext = next
        if next == 0 { leafRowTails[row] = previous } else { nodes[Int(next)].slot.rowPrevious = previous }
    }

    /// The first leaf's turn is over: it goes to the tail.
    @_noLocks @inline(__always)
    mutating func rotate(leafRow row: Int) {
        let leaf = rowHeads[row]
        let node = nodes + Int(leaf)
        let next = node.pointee.slot.rowNext
        if next == 0 { return }
        rowHeads[row] = next
        append(leaf, node, toLeafRow: row)
    }
}
