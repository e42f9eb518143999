import DPDKShim
import Scheduler
import Synchronization

/// How far an lcore is with sending what it held when it was told to settle (`LcoreCommand.settle`).
struct Settling {
    /// Everything queued by then must have left; 0: it has not begun.
    var since: Nanoseconds = 0
    /// Tree of the snapshot and class that are looked at next.
    var tree = 0
    var next: UInt32 = 0
}

/// Goes on settling. True when all that the lcore held has been given to its outputs.
///
/// Looks at a few hundred classes a turn, and at none twice. Trees do not come or go meanwhile: the control thread, which changes them,
/// waits for this.
@inline(never) @_noLocks
func settle(_ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    if lcore.pointee.settling.since == 0 { lcore.pointee.settling.since = lcore.pointee.now }
    let trees = lcore.pointee.snapshot.load(ordering: .acquiring).unsafelyUnwrapped.pointee.trees
    while lcore.pointee.settling.tree < trees.count {
        let tree = trees[unchecked: lcore.pointee.settling.tree].tree
        guard tree.pointee.hasSent(since: lcore.pointee.settling.since, from: &lcore.pointee.settling.next, most: 256) else { return false }
        lcore.pointee.settling.tree &+= 1
        lcore.pointee.settling.next = 0
    }
    // What was staged for an output that was full, or whose queue another lcore was in, comes before anything else for that output.
    return lcore.pointee.parkedCount == 0 && lcore.pointee.touchedCount == 0
}
