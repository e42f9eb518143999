import Synchronization

/// What was borrowed, by the level of the lender. A leaf counts what it sends in one place, and remembers who lends to it: all it sends until that
/// changes is that lender's loan. So a loan of its own is written only where lenders change, and a leaf that has one and the same lender touches
/// no more memory than one that borrows nothing.
///
/// The loan of the present lender is kept less what had been sent when it began, so that what has been sent since counts in it: the sums are exact.
extension ClassTree {
    /// A leaf is about to send on the floor of an ancestor of `level`, or on its own if that is `ClassState.nobody`.
    @_noLocks @inline(never)
    mutating func change(lenderOf leaf: ClassID, to level: UInt8) {
        let state = states + Int(leaf), node = nodes + Int(leaf)
        let frames = state.pointee.sentFrames, bytes = state.pointee.sentBytes
        let old = state.pointee.lender
        // Odd: who reads meanwhile reads again.
        node.pointee.changesOfLender &+= 1
        atomicMemoryFence(ordering: .releasing)
        if old != ClassState.nobody { add(to: leaf, fromLevel: old, frames: frames, bytes: bytes) }
        if level != ClassState.nobody { add(to: leaf, fromLevel: level, frames: 0 &- frames, bytes: 0 &- bytes) }
        state.pointee.lender = level
        atomicMemoryFence(ordering: .releasing)
        node.pointee.changesOfLender &+= 1
    }

    /// Adds to what a class borrowed from a level that is not its present lender's.
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

    /// Adds what a class itself sent, and behind it what it borrowed by the level of the lender, to `amounts` from `place` on.
    ///
    /// - Parameter level: the lowest of the levels whose loans are added.
    func addOwn(of id: ClassID, from level: Int, to amounts: inout [Loan], at place: Int) {
        withUnsafeTemporaryAllocation(of: Loan.self, capacity: 8) { read in
            var isWhole = false
            repeat {
                let isLeaf = states[Int(id)].level == 0, changes = nodes[Int(id)].changesOfLender
                atomicMemoryFence(ordering: .acquiring)
                readOwn(of: id, into: read.baseAddress!)
                atomicMemoryFence(ordering: .acquiring)
                // A class that became a leaf or a parent meanwhile has begun another number.
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
