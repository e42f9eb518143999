import DPDKShim
import Scheduler
import Synchronization

/// How far an lcore has come with sending what it held when it was told to drain (`LcoreCommand.drain`).
struct Draining {
    /// When it was told; everything queued until then must have left. 0: the lcore has not begun.
    var since: Nanoseconds = 0
    /// The index in the snapshot of the tree that is examined next, and the class in it.
    var tree = 0
    var next: UInt32 = 0
}

/// Continues to drain. It examines a few hundred classes a turn, and none twice. Trees do not come or go meanwhile, as the control thread, which would change
/// them, waits for this to end.
/// - Returns: true when all that the lcore held has been given to its outputs.
@inline(never) @_noLocks
func drain(_ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    if lcore.pointee.draining.since == 0 { lcore.pointee.draining.since = lcore.pointee.now }
    let trees = lcore.pointee.snapshot.load(ordering: .acquiring).unsafelyUnwrapped.pointee.trees
    while lcore.pointee.draining.tree < trees.count {
        let tree = trees[unchecked: lcore.pointee.draining.tree].tree
        guard tree.pointee.hasSent(since: lcore.pointee.draining.since, from: &lcore.pointee.draining.next, most: 256) else { return false }
        lcore.pointee.draining.tree &+= 1
        lcore.pointee.draining.next = 0
    }
    // Frames that were staged for an output that was full, or whose queue another lcore was using, are sent before any other frame of that output, and so are
    // those of a priority that was paused then.
    return lcore.pointee.parkedCount == 0 && lcore.pointee.touchedCount == 0 && lcore.pointee.withholdingCount == 0
}
