import DPDKShim
import Scheduler
import Synchronization

/// How far an lcore has come with sending what it held when it was told to settle (`LcoreCommand.settle`).
struct Settling {
    /// When it was told; everything queued until then must have left. 0: the lcore has not begun.
    var since: Nanoseconds = 0
    /// The index in the snapshot of the tree that is examined next, and the class in it.
    var tree = 0
    var next: UInt32 = 0
}

/// Continues to settle. It examines a few hundred classes a turn, and none twice. Trees do not come or go meanwhile, as the control thread, which would change
/// them, waits for this to end.
/// - Returns: true when all that the lcore held has been given to its outputs.
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
    // Frames that were staged for an output that was full, or whose queue another lcore was using, are sent before any other frame of that output.
    return lcore.pointee.parkedCount == 0 && lcore.pointee.touchedCount == 0
}
