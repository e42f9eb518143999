import DPDKShim
import Scheduler
import Synchronization

/// The body of a poll loop, as EAL launches it: turns until it is told to stop.
@c(sluice_poll_loop) @_noLocks
func pollLoop(_ argument: UnsafeMutableRawPointer?) -> CInt {
    let lcore = argument.unsafelyUnwrapped.assumingMemoryBound(to: Lcore.self)
    sluice_wait_exactly()
    lcore.pointee.running.store(true, ordering: .releasing)
    var began = sluice_cycles()
    noteWork(lcore, at: began)
    while !lcore.pointee.stop.load(ordering: .relaxed) {
        let work = turn(lcore, at: began)
        let ended = sluice_cycles()
        if work != 0 {
            lcore.pointee.busyCycles &+= ended &- began
            lcore.pointee.handledFrames &+= UInt64(truncatingIfNeeded: work)
            noteWork(lcore, at: ended)
            began = ended
        } else {
            lcore.pointee.idleCycles &+= ended &- began
            lcore.pointee.idleTurns &+= 1
            began = rest(lcore, at: ended)
        }
    }
    lcore.pointee.running.store(false, ordering: .releasing)
    return 0
}

/// One turn: poll, admit, bridge, classify and enqueue a burst of each queue; then dequeue from each tree and send. Returns the frames handled.
@inline(__always) @_noLocks
func turn(_ lcore: UnsafeMutablePointer<Lcore>, at cycles: UInt64) -> Int {
    let number = lcore.pointee.turns.load(ordering: .relaxed) &+ 1
    lcore.pointee.turns.store(number, ordering: .releasing)
    let snapshot = lcore.pointee.snapshot.load(ordering: .acquiring).unsafelyUnwrapped
    let now = lcore.pointee.clock.nanoseconds(cycles)
    lcore.pointee.turnTime = now &- lcore.pointee.now
    lcore.pointee.now = now
    // Seconds of 2^30 ns: the forwarding database ages in them, and they need no division.
    lcore.pointee.seconds = UInt32(truncatingIfNeeded: now &>> 30)
    lcore.pointee.commands.run(lcore)

    var work = 0
    let queues = snapshot.pointee.receiveQueues
    // One turn in eight is measured, queue by queue.
    var measured = number & 7 == 0 ? cycles : 0
    for index in 0..<queues.count {
        let frames = poll(queues.baseAddress.unsafelyUnwrapped + index, lcore, snapshot)
        if frames == 0 { continue }
        work &+= frames
        let source = queues[unchecked: index].port
        let admitted = admit(frames, source, lcore, snapshot)
        let forwarded = bridge(admitted, source, lcore, snapshot)
        classifyAndEnqueue(forwarded, source, lcore, snapshot)
        if measured != 0 {
            let end = sluice_cycles()
            queues.baseAddress.unsafelyUnwrapped[index].cycles &+= (end &- measured) &<< 3
            measured = end
        }
    }

    // What passed the trees goes before what they held.
    sendTouched(lcore, snapshot)
    let trees = snapshot.pointee.trees
    for index in 0..<trees.count { work &+= dequeue(trees[unchecked: index].tree, lcore, snapshot) }
    if lcore.pointee.parkedCount != 0 { work &+= retryParked(lcore, snapshot) }
    return work
}
