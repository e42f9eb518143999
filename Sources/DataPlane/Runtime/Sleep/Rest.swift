import DPDKShim
import Scheduler
import Synchronization

/// Called after a turn that found work.
@inline(__always) @_noLocks
func noteWork(_ lcore: UnsafeMutablePointer<Lcore>, at cycles: UInt64) {
    lcore.pointee.sleeper.backOff.noteWork(at: cycles)
    if lcore.pointee.sleeper.isArmed { disarm(lcore) }
}

/// Called after an empty turn that ended at `cycles`: pauses, or blocks until there is something to do.
/// - Returns: the time at which the next turn begins.
@inline(__always) @_noLocks
func rest(_ lcore: UnsafeMutablePointer<Lcore>, at cycles: UInt64) -> UInt64 {
    let mode = lcore.pointee.sleeper.mode.load(ordering: .relaxed)
    let idle = lcore.pointee.sleeper.backOff.idle(at: cycles)
    if mode == 1 && lcore.pointee.sleeper.backOff.isPatient(after: idle) {
        var pauses = BackOff.pauses(after: idle)
        while pauses > 0 {
            sluice_pause()
            pauses &-= 1
        }
        return cycles
    }
    if mode == 0 && !lcore.pointee.sleeper.isArmed {
        sluice_pause()
        return cycles
    }
    return doze(lcore, mode, at: cycles, idle: idle)
}

/// Takes one step towards sleep: asks guests and devices to wake the loop or, if they were asked before the turn that has just found nothing, blocks.
@inline(never) @_noLocks
private func doze(_ lcore: UnsafeMutablePointer<Lcore>, _ mode: UInt8, at cycles: UInt64, idle: UInt64) -> UInt64 {
    let snapshot = lcore.pointee.snapshot.load(ordering: .acquiring).unsafelyUnwrapped
    let wait = mode == 0 ? 0 : longestWait(lcore, snapshot, at: lcore.pointee.clock.nanoseconds(cycles), idle: lcore.pointee.clock.nanoseconds(idle))
    if wait < Patience.shortestWait || lcore.pointee.commands.hasMore {
        if lcore.pointee.sleeper.isArmed { disarm(lcore) }
        sluice_pause()
        return cycles
    }
    if !lcore.pointee.sleeper.isArmed || lcore.pointee.sleeper.isSpent {
        arm(lcore, snapshot)
        lcore.pointee.sleeper.isSpent = false
        lcore.pointee.sleeper.wokeUntold = false
        // Asking takes a while, which is not time in which the loop was kept from polling.
        let now = sluice_cycles()
        lcore.pointee.idleCycles &+= now &- cycles
        return now
    }
    // If the rings or the snapshot have changed since guests were asked for kicks, the turn has told some of them to be quiet again, so the loop starts over.
    if !isArmed(lcore, for: snapshot) {
        disarm(lcore)
        return cycles
    }
    return sleep(lcore, mode, for: wait, from: cycles)
}

@inline(never) @_noLocks
private func sleep(_ lcore: UnsafeMutablePointer<Lcore>, _ mode: UInt8, for wait: Nanoseconds, from cycles: UInt64) -> UInt64 {
    lcore.pointee.epoch.goToRest()
    let woken = sluice_wait(lcore.pointee.sleeper.waitSet, wait)
    lcore.pointee.epoch.rise()

    let now = sluice_cycles()
    lcore.pointee.sleeper.counters.sleeps &+= 1
    lcore.pointee.sleeper.counters.cycles &+= now &- cycles
    lcore.pointee.sleeper.backOff.noteWake(at: now, slept: now &- cycles, byTraffic: woken.by_queue)
    if woken.by_queue {
        // The frames that woke the loop are handled first, and only then are guests and devices told to be quiet (`noteWork`). No frame is missed: a loop that
        // finds nothing there asks again to be woken and polls all queues before it sleeps.
        lcore.pointee.wokenQueue = Int(woken.queue)
        lcore.pointee.sleeper.isSpent = true
        lcore.pointee.sleeper.wokeUntold = false
        lcore.pointee.sleeper.counters.wokenByTraffic &+= 1
        noteHeard(lcore)
        return now
    }
    lcore.pointee.sleeper.wokeUntold = true
    if woken.by_event {
        lcore.pointee.sleeper.counters.wokenByControl &+= 1
    } else {
        lcore.pointee.sleeper.counters.wokenByTime &+= 1
    }
    return now
}

/// How long the loop may sleep: until a class of one of its trees or a paced port is due, and no longer than frames that cannot wake it may wait.
@_noLocks
private func longestWait(
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>, at now: Nanoseconds, idle: Nanoseconds
) -> Nanoseconds {
    // Frames are staged for a queue that another lcore was using, which will not take long.
    if lcore.pointee.touchedCount != 0 { return 0 }
    var due = Nanoseconds.max
    let trees = snapshot.pointee.trees
    for index in 0..<trees.count { due = min(due, trees[unchecked: index].tree.pointee.nextEvent(at: now)) }
    let pauses = snapshot.pointee.pauses
    for index in 0..<pauses.count {
        if pauses[unchecked: index].end > now { due = min(due, pauses[unchecked: index].end) }
        due = min(due, pauses[unchecked: index].nextAsk)
    }
    let queues = snapshot.pointee.receiveQueues
    for index in 0..<queues.count {
        let link = queues[unchecked: index].link, pacer = PortState.pacer(of: link.pointee.port)
        if pacer.pointee.average == 0 || link.pointee.connection.load(ordering: .relaxed) < 0 { continue }
        due = min(due, pacer.pointee.nextAllowance)
    }
    var wait = Patience.longestSleep
    if lcore.pointee.sleeper.isBlind || lcore.pointee.parkedCount != 0 {
        // An output that is full does not tell when it has room again.
        wait = max(Patience.shortestNap, min(Patience.longestNap, idle &>> 2))
    }
    if due == .max { return wait }
    return due < now &+ Patience.lead ? 0 : min(wait, due &- now &- Patience.lead)
}
