import DPDKShim
import Scheduler
import Synchronization

#if DEBUG
    // That nothing here allocates or takes locks (@_noLocks) is checked by the compiler in optimized code only.
    #error("a debug build cannot have poll loops: use `swift build -c release`")
#endif

/// The body of a poll loop, as EAL launches it: it takes turns until it is told to stop.
@c(sluice_poll_loop) @_noLocks
func pollLoop(_ argument: UnsafeMutableRawPointer?) -> CInt {
    let lcore = argument.unsafelyUnwrapped.assumingMemoryBound(to: Lcore.self)
    sluice_wait_exactly()
    lcore.pointee.thread = sluice_thread_id()
    lcore.pointee.epoch.rise()
    lcore.pointee.running.store(true, ordering: .releasing)
    var began = sluice_cycles()
    noteWork(lcore, at: began)
    while !lcore.pointee.stop.load(ordering: .relaxed) {
        let work = lcore.pointee.measuresStages.load(ordering: .relaxed) ? measuredTurn(lcore, at: began) : turn(lcore, at: began, StageClock(isOn: false))
        let ended = sluice_cycles()
        let took = ended &- began
        if took > lcore.pointee.stalls.bound { noteStall(lcore, began, took, work) }
        if work != 0 {
            lcore.pointee.busyCycles &+= took
            if took > lcore.pointee.shares.longTurnCycles { lcore.pointee.shares.noteLongTurn(endedAt: ended) }
            noteWork(lcore, at: ended)
            began = ended
        } else {
            lcore.pointee.idleCycles &+= took
            lcore.pointee.idleTurns &+= 1
            began = rest(lcore, at: ended)
        }
    }
    lcore.pointee.epoch.goToRest()
    lcore.pointee.running.store(false, ordering: .releasing)
    return 0
}

@inline(never) @_noLocks
private func noteStall(_ lcore: UnsafeMutablePointer<Lcore>, _ began: UInt64, _ took: UInt64, _ work: Int) {
    lcore.pointee.stalls.judge(
        turn: lcore.pointee.turns.load(ordering: .relaxed), began: began, took: took, work: work, busyCycles: lcore.pointee.busyCycles,
        handledFrames: lcore.pointee.handledFrames)
}

/// A turn that also measures how long each stage takes.
@inline(never) @_noLocks
func measuredTurn(_ lcore: UnsafeMutablePointer<Lcore>, at cycles: UInt64) -> Int {
    let before = lcore.pointee.handledFrames
    let work = turn(lcore, at: cycles, StageClock(isOn: true))
    lcore.pointee.measuredFrames &+= lcore.pointee.handledFrames &- before
    return work
}

/// One turn: it polls a burst of each queue, admits, bridges, classifies and enqueues its frames, and then dequeues from each tree and sends.
/// - Returns: the number of frames received and sent; 0: there was nothing to do.
@inline(__always) @_noLocks
private func turn(_ lcore: UnsafeMutablePointer<Lcore>, at cycles: UInt64, _ stages: StageClock) -> Int {
    var stages = stages
    let number = lcore.pointee.turns.load(ordering: .relaxed) &+ 1
    lcore.pointee.turns.store(number, ordering: .relaxed)
    lcore.pointee.epoch.beginTurn()
    let snapshot = lcore.pointee.snapshot.load(ordering: .acquiring).unsafelyUnwrapped
    let now = lcore.pointee.clock.nanoseconds(cycles)
    lcore.pointee.now = now
    // A second of 2^30 ns is used to age the forwarding database, as it needs no division.
    lcore.pointee.seconds = UInt32(truncatingIfNeeded: now &>> 30)
    runCommands(lcore)
    let pauses = snapshot.pointee.pauses.count | lcore.pointee.withholdingCount != 0
    if _slowPath(pauses) { followPauses(lcore, snapshot) }

    var received = 0
    let queues = snapshot.pointee.receiveQueues
    stages.skip()
    var places = 0..<queues.count
    var divides = lcore.pointee.shares.isOn(at: cycles)
    if let woken = lcore.pointee.wokenQueue {
        // The frames that woke the loop are sent before any other queue is polled: on a CPU that has just woken, every poll waits for memory.
        lcore.pointee.wokenQueue = nil
        if woken < queues.count { places = woken..<woken &+ 1 }
        divides = false
    }
    if _slowPath(divides) {
        let first = lcore.pointee.shares.beginTurn(at: now, queues: queues.count)
        places = first..<first &+ queues.count
    }
    // The cycles of each queue are measured in one turn of eight, or in every turn if the loop's time is divided by them.
    var measured = divides || number & 7 == 0 ? cycles : 0
    var place = places.lowerBound
    while true {
        var index = place < queues.count ? place : place &- queues.count
        if _slowPath(divides), let modest = lcore.pointee.shares.nextModestQueue(of: queues.count) {
            index = modest
        } else {
            if place == places.upperBound { break }
            place &+= 1
        }
        if _slowPath(pauses), isHeld(queues.baseAddress.unsafelyUnwrapped + index, lcore) { continue }
        if _slowPath(divides), !hasTime(queues.baseAddress.unsafelyUnwrapped + index, lcore) { continue }
        let wanted = _slowPath(divides) ? lcore.pointee.shares.burst(of: queues[unchecked: index].port, most: burstSize) : burstSize
        let polled = poll(queues.baseAddress.unsafelyUnwrapped + index, wanted, lcore, snapshot)
        if polled == 0 {
            stages.skip()
            continue
        }
        stages.lap(.poll, lcore)
        received &+= polled
        let source = queues[unchecked: index].port, backlog = lcore.pointee.backlog
        var frames = polled
        if let ingress = ingress(of: source, snapshot) { frames = enter(ingress, frames, source, lcore, snapshot) }
        if frames != 0 {
            let admitted = admit(frames, queues.baseAddress.unsafelyUnwrapped + index, lcore, snapshot)
            stages.lap(.admit, lcore)
            let forwarded = bridge(admitted, source, lcore, snapshot)
            if let samples = lcore.pointee.unsettled { settleSamples(samples, forwarded, lcore, snapshot) }
            stages.lap(.bridge, lcore)
            classifyAndEnqueue(forwarded, source, lcore, snapshot)
            if _slowPath(pauses) { noteBacklogs(forwarded, queues.baseAddress.unsafelyUnwrapped + index, lcore, snapshot) }
            stages.lap(.classify, lcore)
        }
        if measured != 0 {
            // What a port's frames take includes sending those that need not wait.
            if divides {
                if _slowPath(pauses) { followPauses(lcore, snapshot) }
                sendTouched(lcore, snapshot)
            }
            let end = sluice_cycles()
            if number & 31 == 0, frames != 0 { countCycles((end &- measured) &<< 5, lcore, snapshot) }
            if divides {
                charge(end &- measured, polled, of: wanted, queued: lcore.pointee.backlog &- backlog, queues.baseAddress.unsafelyUnwrapped + index, at: index, lcore)
            } else {
                queues.baseAddress.unsafelyUnwrapped[index].cycles &+= (end &- measured) &<< 3
            }
            measured = end
        }
    }
    lcore.pointee.handledFrames &+= UInt64(truncatingIfNeeded: received)

    // Frames that passed the trees without waiting are sent before those that were waiting in them.
    if lcore.pointee.touchedCount != 0 {
        if _slowPath(pauses) { followPauses(lcore, snapshot) }
        sendTouched(lcore, snapshot)
        stages.lap(.send, lcore)
    }
    var taken = 0
    let trees = snapshot.pointee.trees
    let scheduling = divides ? sluice_cycles() : 0
    for index in 0..<trees.count { taken &+= dequeue(trees[unchecked: index].tree, lcore, snapshot, pauses: pauses, &stages) }
    if _slowPath(divides) {
        let end = sluice_cycles()
        lcore.pointee.shares.endTurn(sent: taken, in: end &- scheduling, at: end)
    }
    if lcore.pointee.parkedCount != 0 {
        taken &+= retryParked(lcore, snapshot)
        stages.lap(.send, lcore)
    }
    if _slowPath(pauses) { followBacklogs(lcore, snapshot) }
    if lcore.pointee.untoldCount != 0 {
        tellGuests(lcore)
        stages.lap(.send, lcore)
    }
    return received &+ taken
}
