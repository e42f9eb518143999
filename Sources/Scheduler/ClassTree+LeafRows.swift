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
            let tail = rowTails[row]
            nodes[Int(tail)].slot.rowNext = leaf
            node.pointee.slot.rowPrevious = tail
        }
        rowTails[row] = leaf
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
