import Synchronization

/// What was borrowed, by the lender's level. A leaf counts what it sends in one place only, and remembers who lends to it: everything that it sends until that
/// changes is borrowed from that lender. So its loans are written only when its lender changes, and a leaf whose lender stays the same touches no more memory
/// than one that borrows nothing.
///
/// The loan of the present lender is stored minus what the leaf had sent when that loan began, so the sum of both is exact.
extension ClassTree {
    /// Notes that a leaf is about to send on the floor of its ancestor at `level`, or on its own if that is `ClassState.nobody`.
    @_noLocks @inline(never)
    mutating func change(lenderOf leaf: ClassID, to level: UInt8) {
        let state = states + Int(leaf), node = nodes + Int(leaf)
        let frames = state.pointee.sentFrames, bytes = state.pointee.sentBytes
        let old = state.pointee.lender
        // While the number is odd, other threads that read the loans repeat their reading.
        node.pointee.changesOfLender &+= 1
        atomicMemoryFence(ordering: .releasing)
        if old != ClassState.nobody { add(to: leaf, fromLevel: old, frames: frames, bytes: bytes) }
        if level != ClassState.nobody { add(to: leaf, fromLevel: level, frames: 0 &- frames, bytes: 0 &- bytes) }
        state.pointee.lender = level
        atomicMemoryFence(ordering: .releasing)
        node.pointee.changesOfLender &+= 1
    }

    /// Adds to what a class borrowed from a level that is not that of its present lender.
    @_noLocks
    mutating func add(to id: ClassID, fromLevel level: UInt8, frames: UInt64, bytes: UInt64) {
        let loan = loans + (Int(level) &* classes &+ Int(id))
        if nodes[Int(id)].lenders &>> level & 1 == 0 {
            loan.pointee = Loan(frames: 0, bytes: 0)
            nodes[Int(id)].lenders |= 1 &<< level
        }
        loan.pointee.frames &+= frames
        loan.pointee.bytes &+= bytes
    }

    /// Adds to `amounts` from `place` on what a class itself sent, and behind that what it borrowed by the lender's level.
    ///
    /// - Parameter level: the lowest level whose loans are added.
    func addOwn(of id: ClassID, from level: Int, to amounts: inout [Loan], at place: Int) {
        withUnsafeTemporaryAllocation(of: Loan.self, capacity: 8) { read in
            var isWhole = false
            repeat {
                let isLeaf = states[Int(id)].level == 0, changes = nodes[Int(id)].changesOfLender
                atomicMemoryFence(ordering: .acquiring)
                readOwn(of: id, into: read.baseAddress!)
                atomicMemoryFence(ordering: .acquiring)
                // A class that became a leaf or a parent in the meantime uses the field for another number.
                isWhole = isLeaf == (states[Int(id)].level == 0) && (!isLeaf || changes & 1 == 0 && changes == nodes[Int(id)].changesOfLender)
            } while !isWhole
            amounts[place].add(read[0])
            for lender in max(level, 1)..<8 { amounts[place + lender].add(read[lender]) }
        }
    }

    private func readOwn(of id: ClassID, into amounts: UnsafeMutablePointer<Loan>) {
        let sent = Loan(frames: states[Int(id)].sentFrames, bytes: states[Int(id)].sentBytes)
        let lenders = nodes[Int(id)].lenders, lender = Int(states[Int(id)].level == 0 ? states[Int(id)].lender : ClassState.nobody)
        (amounts + 0).initialize(to: sent)
        for level in 1..<8 {
            var loan = lenders >> UInt8(level) & 1 != 0 ? loans[level * classes + Int(id)] : Loan(frames: 0, bytes: 0)
            if level == lender { loan.add(sent) }
            (amounts + level).initialize(to: loan)
        }
    }
}

extension Loan {
    mutating func add(_ other: Loan) {
        frames &+= other.frames
        bytes &+= other.bytes
    }
}
