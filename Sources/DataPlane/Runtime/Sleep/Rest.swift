import DPDKShim
import Scheduler
import Synchronization

/// After a turn with work.
@inline(__always) @_noLocks
func noteWork(_ lcore: UnsafeMutablePointer<Lcore>, at cycles: UInt64) {
    lcore.pointee.sleeper.backOff.noteWork(at: cycles)
    if lcore.pointee.sleeper.isArmed { disarm(lcore) }
}

/// After an empty turn that ended at `cycles`: pauses, or blocks until there is something to do. Returns when the next turn begins.
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

/// One step towards sleep: asks to be woken, or, if that was done before the turn that has just found nothing, blocks.
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
        // Asking takes a while; it is no time in which the loop did not get to poll.
        let now = sluice_cycles()
        lcore.pointee.idleCycles &+= now &- cycles
        return now
    }
    // Where the rings or the snapshot changed since, the turn told guests to be quiet that had been asked to kick.
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
        // What it woke for comes first, and quiet is asked for after that (`noteWork`). Nothing is missed: a loop that finds nothing there asks again to be
        // woken and looks at all queues before it sleeps.
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

/// How long the loop may sleep: until a class of one of its trees or a paced port is due, and no longer than what cannot wake it may wait.
@_noLocks
private func longestWait(
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>, at now: Nanoseconds, idle: Nanoseconds
) -> Nanoseconds {
    // Staged for a queue that another lcore was in, which will not take long.
    if lcore.pointee.touchedCount != 0 { return 0 }
    var due = Nanoseconds.max
    let trees = snapshot.pointee.trees
    for index in 0..<trees.count { due = min(due, trees[unchecked: index].tree.pointee.nextEvent(at: now)) }
    let queues = snapshot.pointee.receiveQueues
    for index in 0..<queues.count {
        let link = queues[unchecked: index].link, pacer = PortState.pacer(of: link.pointee.port)
        if pacer.pointee.average == 0 || link.pointee.connection.load(ordering: .relaxed) < 0 { continue }
        due = min(due, pacer.pointee.nextAllowance)
    }
    var wait = Patience.longestSleep
    if lcore.pointee.sleeper.isBlind || lcore.pointee.parkedCount != 0 {
        // An output that is full says nothing when there is room again.
        wait = max(Patience.shortestNap, min(Patience.longestNap, idle &>> 2))
    }
    if due == .max { return wait }
    return due < now &+ Patience.lead ? 0 : min(wait, due &- now &- Patience.lead)
}
