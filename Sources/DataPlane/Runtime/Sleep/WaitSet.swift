import DPDKShim
import Synchronization

/// Asks everything that this lcore polls to wake it.
@inline(never) @_noLocks
func arm(_ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let changes = ringChanges(snapshot)
    if lcore.pointee.sleeper.setNumber != snapshot.pointee.number || lcore.pointee.sleeper.setChanges != changes {
        rebuild(lcore, snapshot)
        lcore.pointee.sleeper.setNumber = snapshot.pointee.number
        lcore.pointee.sleeper.setChanges = changes
    }
    let queues = snapshot.pointee.receiveQueues
    for index in 0..<queues.count {
        let queue = queues.baseAddress.unsafelyUnwrapped + index
        let link = queue.pointee.link
        switch link.pointee.mechanism {
        case .vhost:
            // The polls from here until the loop sleeps must not take the request back; for a paced port, one of them may come late.
            queue.pointee.seenChanges = link.pointee.ringChanges.load(ordering: .acquiring)
            var pairs = polledPairs(of: queue, link)
            while pairs != 0 {
                (link.pointee.rings + (pairs.trailingZeroBitCount &* 2 &+ 1)).expect()
                pairs &= pairs &- 1
            }
        case .device:
            if link.pointee.armsInterrupts { sluice_device_expect(queue.pointee.device.device, queue.pointee.device.queue) }
            queue.pointee.framesWhenAsked = lcore.pointee.counters[Int(queue.pointee.port)].receivedFrames
        }
    }
    lcore.pointee.sleeper.isArmed = true
}

/// Tells devices at once that they need not wake the loop any more, and guests when their ring is next polled.
@inline(never) @_noLocks
func disarm(_ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.sleeper.isArmed = false
    let snapshot = lcore.pointee.snapshot.load(ordering: .acquiring).unsafelyUnwrapped
    let queues = snapshot.pointee.receiveQueues
    // The queues of a newer snapshot were never asked, so nothing can be concluded about them.
    let mayJudge = lcore.pointee.sleeper.wokeUntold && lcore.pointee.sleeper.setNumber == snapshot.pointee.number
    var judged: PortIndex = .max
    for index in 0..<queues.count {
        let queue = queues.baseAddress.unsafelyUnwrapped + index
        let link = queue.pointee.link
        switch link.pointee.mechanism {
        case .vhost: queue.pointee.seenChanges = link.pointee.ringChanges.load(ordering: .relaxed) &- 1
        case .device:
            if link.pointee.armsInterrupts { sluice_device_silence(queue.pointee.device.device, queue.pointee.device.queue) }
            // Frames are counted by port, and a port's queues follow one another, so there is one verdict for all of them.
            if mayJudge, queue.pointee.port != judged { judge(queue, link, lcore) }
            judged = queue.pointee.port
        }
    }
}

/// The loop had asked this device for interrupts, slept, and was woken by something else. If the device has received frames meanwhile, it has missed to
/// announce them.
@_noLocks
private func judge(_ queue: UnsafeMutablePointer<ReceiveQueue>, _ link: UnsafeMutablePointer<LinkState>, _ lcore: UnsafeMutablePointer<Lcore>) {
    guard link.pointee.announcements.areOpen,
        lcore.pointee.counters[Int(queue.pointee.port)].receivedFrames != queue.pointee.framesWhenAsked
    else { return }
    // All loops that poll the device build their sets anew.
    if link.pointee.announcements.noteMissed() { link.pointee.ringChanges.add(1, ordering: .releasing) }
}

/// Records that a queue woke the loop (`Lcore.wokenQueue`), so its device does announce frames.
@_noLocks
func noteHeard(_ lcore: UnsafeMutablePointer<Lcore>) {
    let snapshot = lcore.pointee.snapshot.load(ordering: .acquiring).unsafelyUnwrapped
    let queues = snapshot.pointee.receiveQueues
    // The number refers to the queues for which the set was built.
    guard lcore.pointee.sleeper.setNumber == snapshot.pointee.number, let woken = lcore.pointee.wokenQueue, woken < queues.count else { return }
    let link = queues[unchecked: woken].link
    if !link.pointee.announcements.heard.load(ordering: .relaxed) { link.pointee.announcements.heard.store(true, ordering: .relaxed) }
}

/// Whether the loop is still sure to be woken: neither its queues nor their rings have changed since it asked.
@_noLocks
func isArmed(_ lcore: UnsafeMutablePointer<Lcore>, for snapshot: UnsafeMutablePointer<Snapshot>) -> Bool {
    lcore.pointee.sleeper.setNumber == snapshot.pointee.number && lcore.pointee.sleeper.setChanges == ringChanges(snapshot)
}

/// Builds the set anew, as is done whenever anything has changed: a guest's descriptor that was closed here cannot be removed from a set, as the guest
/// still holds the same one open.
@inline(never) @_noLocks
private func rebuild(_ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    if lcore.pointee.sleeper.waitSet >= 0 { sluice_wait_set_close(lcore.pointee.sleeper.waitSet) }
    let set = sluice_wait_set_open(lcore.pointee.sleeper.event)
    lcore.pointee.sleeper.waitSet = set
    // Without a set, the loop polls at intervals.
    lcore.pointee.sleeper.isBlind = set < 0
    let queues = snapshot.pointee.receiveQueues
    for index in 0..<queues.count {
        let queue = queues.baseAddress.unsafelyUnwrapped + index
        let link = queue.pointee.link
        switch link.pointee.mechanism {
        case .vhost:
            // A ring that is not polled wakes nobody. When that changes, `GuestConnection` wakes the loop.
            var pairs = polledPairs(of: queue, link)
            while pairs != 0 {
                add((link.pointee.rings + (pairs.trailingZeroBitCount &* 2 &+ 1)).pointee.kick, true, index, lcore)
                pairs &= pairs &- 1
            }
        case .device:
            // No frame is received from a device that is down; when it is up again, that wakes the loop.
            if link.pointee.connection.load(ordering: .acquiring) < 0 { continue }
            let descriptor = link.pointee.announcements.fail ? -1 : link.pointee.interrupts[Int(queue.pointee.queue)]
            add(descriptor, link.pointee.armsInterrupts, index, lcore)
        }
    }
}

/// Adds what announces frames of a queue to the set.
/// - Parameter countsEvents: whether the descriptor counts events, rather than being readable as long as there are frames.
@_noLocks
private func add(_ descriptor: Int32, _ countsEvents: Bool, _ queue: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    let set = lcore.pointee.sleeper.waitSet
    if descriptor >= 0, set >= 0, sluice_wait_set_add(set, descriptor, countsEvents, UInt32(truncatingIfNeeded: queue)) == 0 { return }
    lcore.pointee.sleeper.isBlind = true
}

/// The guest's queue pairs that are polled as this queue, as bits.
@inline(__always) @_noLocks
private func polledPairs(of queue: UnsafeMutablePointer<ReceiveQueue>, _ link: UnsafeMutablePointer<LinkState>) -> UInt64 {
    link.pointee.connection.load(ordering: .acquiring) >= 0 ? link.pointee.receiveRings.load(ordering: .relaxed) & queue.pointee.pairs : 0
}

/// A sum that grows with every change of any ring to which the snapshot's queues belong.
@_noLocks
private func ringChanges(_ snapshot: UnsafeMutablePointer<Snapshot>) -> UInt64 {
    var sum: UInt64 = 0
    let queues = snapshot.pointee.receiveQueues
    for index in 0..<queues.count {
        let link = queues[unchecked: index].link
        sum &+= UInt64(link.pointee.ringChanges.load(ordering: .acquiring))
    }
    return sum
}
