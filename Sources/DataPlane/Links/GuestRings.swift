import DPDKShim
import Synchronization

// The vhost port kind in the poll loop. In a virtio-net device, ring 2q carries frames to the guest and ring 2q + 1 frames from it (virtio 1.2, 5.1.2).

/// Receives frames from a guest's ring into `lcore.received`; none if the guest has the ring disabled.
/// - Parameter mayRefer: whether frames may refer to the guest's buffers, which are returned at the end of the turn.
/// - Returns: how many frames were received.
@inline(__always) @_noLocks
func receiveFromGuest(
    _ queue: UnsafeMutablePointer<ReceiveQueue>, _ state: UnsafeMutablePointer<LinkState>, _ wanted: Int, mayRefer: Bool,
    _ lcore: UnsafeMutablePointer<Lcore>
) -> Int {
    let pairs = state.pointee.receiveRings.load(ordering: .acquiring) & queue.pointee.pairs
    if pairs == 0 { return 0 }
    let pair = _fastPath(pairs & (pairs &- 1) == 0) ? pairs.trailingZeroBitCount : nextPair(pairs, after: queue.pointee.pair, state)
    queue.pointee.pair = pair
    let ring = state.pointee.rings + (pair &* 2 &+ 1)
    let changes = state.pointee.ringChanges.load(ordering: .relaxed)
    if queue.pointee.seenChanges != changes {
        queue.pointee.seenChanges = changes
        silence(pairs, state)
        // There is room for it in the frames of the lcore only if nothing else was received.
        if announce(state, lcore) { return 1 }
    }
    let asked = min(wanted, queue.pointee.expected)
    let count = RingReceiver.receive(
        ring, asked, lcore.pointee.pool, lcore.pointee.received, lcore.pointee.ringScratch, lcore.pointee.counters + Int(queue.pointee.port),
        mayRefer: mayRefer && lcore.pointee.untoldCount < Lcore.mostUntold)
    if ring.pointee.isHeld { note(ring, lcore) }
    if _slowPath(ring.pointee.fault != .none) { stop(ring, pair, state, state.pointee.receiveRings, state.pointee.stoppedReceiveRings) }
    queue.pointee.expected = count == asked ? min(asked &* 2, burstSize) : max(count &+ leastPoll, leastPoll)
    return count
}

/// Whether the guest has made more frames available than were received so far.
@inline(__always) @_noLocks
func hasMoreFrames(_ queue: UnsafeMutablePointer<ReceiveQueue>, _ state: UnsafeMutablePointer<LinkState>) -> Bool {
    var pairs = state.pointee.receiveRings.load(ordering: .acquiring) & queue.pointee.pairs
    while pairs != 0 {
        if (state.pointee.rings + (pairs.trailingZeroBitCount &* 2 &+ 1)).available > 0 { return true }
        pairs &= pairs &- 1
    }
    return false
}

/// The pair that is polled next of several that are polled as one queue: the next one in turn whose ring has frames, or else just the next one.
/// - Parameter pairs: those that the guest has enabled, as bits; not 0.
@inline(never) @_noLocks
private func nextPair(_ pairs: UInt64, after last: Int, _ state: UnsafeMutablePointer<LinkState>) -> Int {
    // Shifted in two steps, as no bit comes after the last one.
    let later = pairs & ((UInt64.max &<< UInt64(last)) &<< 1), earlier = pairs & ~later
    var (rest, next) = later != 0 ? (later, earlier) : (earlier, 0)
    let first = rest.trailingZeroBitCount
    while rest != 0 {
        let pair = rest.trailingZeroBitCount
        if (state.pointee.rings + (pair &* 2 &+ 1)).available > 0 { return pair }
        rest &= rest &- 1
        if rest == 0 { (rest, next) = (next, 0) }
    }
    return first
}

/// Has the guest not announce frames by these rings, as they are polled.
@inline(never) @_noLocks
private func silence(_ pairs: UInt64, _ state: UnsafeMutablePointer<LinkState>) {
    var rest = pairs
    while rest != 0 {
        (state.pointee.rings + (rest.trailingZeroBitCount &* 2 &+ 1)).silence()
        rest &= rest &- 1
    }
}

/// Returns the buffers of a burst to the guest, so that the queue can be polled again in the same turn: a ring holds the buffers of one burst. All frames of the
/// burst must have been sent or queued, as none may refer to the buffers any more. The guest is told at the end of the turn.
@inline(__always) @_noLocks
func returnBuffers(_ queue: UnsafeMutablePointer<ReceiveQueue>, _ state: UnsafeMutablePointer<LinkState>) {
    let ring = state.pointee.rings + (queue.pointee.pair &* 2 &+ 1)
    if ring.pointee.isHeld { ring.publish() }
}

/// Copies frames into a guest's ring, and frees them.
/// - Returns: how many frames fitted; the caller keeps the others. nil: another lcore is using the ring, and the staged frames wait for the next turn instead
///   of keeping this loop waiting.
@inline(__always) @_noLocks
func sendToGuest(_ state: UnsafeMutablePointer<LinkState>, _ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ lcore: UnsafeMutablePointer<Lcore>) -> Int? {
    let rings = state.pointee.transmitRings.load(ordering: .acquiring)
    if rings == 0 { return 0 }
    let (pair, isShared) = transmitQueue(rings, lcore)
    let lock = state.pointee.transmitLocks + pair
    if isShared && !sluice_lock_try(lock) { return nil }
    let ring = state.pointee.rings + pair &* 2
    let sent = RingSender.send(ring, frames, count, lcore.pointee.ringScratch)
    if _slowPath(ring.pointee.fault != .none) { stop(ring, pair, state, state.pointee.transmitRings, state.pointee.stoppedTransmitRings) }
    if isShared {
        // Other lcores may use the ring as soon as the lock is released.
        ring.publishAndTell()
        sluice_lock_release(lock)
    } else if ring.pointee.isHeld {
        ring.publish()
        note(ring, lcore)
    }
    sluice_frames_return(frames, UInt32(truncatingIfNeeded: sent), lcore.pointee.pool)
    return sent
}

/// Notes that a ring is to publish what it holds, and its guest to be told, at the end of the turn.
@inline(__always) @_noLocks
private func note(_ ring: UnsafeMutablePointer<GuestRing>, _ lcore: UnsafeMutablePointer<Lcore>) {
    if ring.pointee.isUntold { return }
    ring.pointee.isUntold = true
    if _slowPath(lcore.pointee.untoldCount == Lcore.mostUntold) { return ring.publishAndTell() }
    lcore.pointee.untold[lcore.pointee.untoldCount] = ring
    lcore.pointee.untoldCount &+= 1
}

/// Returns the buffers to which frames of this turn referred, which have left by now or have been completed, and tells the guests of all buffers that the turn
/// returned. The fence that this takes waits until all that was written into guests' memory has got there, so there is one for all rings, as late as possible.
@inline(never) @_noLocks
func tellGuests(_ lcore: UnsafeMutablePointer<Lcore>) {
    let count = lcore.pointee.untoldCount
    for index in 0..<count {
        let ring = lcore.pointee.untold[index].unsafelyUnwrapped
        if ring.pointee.isHeld { ring.publish() }
    }
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    for index in 0..<count { lcore.pointee.untold[index].unsafelyUnwrapped.tell() }
    lcore.pointee.untoldCount = 0
}

/// Makes the frame that tells the network where a guest is now, as a guest that has just migrated and cannot tell it itself wants it (RFC 903, a reverse ARP
/// request, as QEMU's own announcements are).
/// - Returns: whether there is one, in `lcore.received`.
@inline(never) @_noLocks
private func announce(_ state: UnsafeMutablePointer<LinkState>, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    let wanted = state.pointee.announcement.exchange(0, ordering: .acquiringAndReleasing)
    guard wanted != 0, let frame = sluice_frame_allocate(lcore.pointee.pool, 60) else { return false }
    let bytes = sluice_frame_bytes(frame).unsafelyUnwrapped
    let guest = wanted & 0xffff_ffff_ffff
    // A broadcast from the guest: hardware type 1, IPv4, addresses of 6 and 4 bytes, operation 3, the guest as both sender and target, without IP addresses.
    let words: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0xffff_ffff_ffff_0000 | guest &>> 32, guest &<< 32 | 0x8035_0001, 0x0800_0604_0003_0000 | guest &>> 32, guest &<< 32, guest &<< 16)
    bytes.storeBytes(of: words.0.bigEndian, as: UInt64.self)
    bytes.storeBytes(of: words.1.bigEndian, toByteOffset: 8, as: UInt64.self)
    bytes.storeBytes(of: words.2.bigEndian, toByteOffset: 16, as: UInt64.self)
    bytes.storeBytes(of: words.3.bigEndian, toByteOffset: 24, as: UInt64.self)
    bytes.storeBytes(of: words.4.bigEndian, toByteOffset: 32, as: UInt64.self)
    bytes.storeBytes(of: 0, toByteOffset: 40, as: UInt64.self)
    bytes.storeBytes(of: 0, toByteOffset: 48, as: UInt64.self)
    bytes.storeBytes(of: 0, toByteOffset: 56, as: UInt32.self)
    lcore.pointee.received[0] = frame
    return true
}

/// Takes a ring that the guest's driver has broken out of use, until the guest enables it again. `VhostLink.condition` reports it.
@inline(never) @_noLocks
private func stop(
    _ ring: UnsafeMutablePointer<GuestRing>, _ pair: Int, _ state: UnsafeMutablePointer<LinkState>, _ enabled: borrowing Atomic<UInt64>,
    _ stopped: borrowing Atomic<UInt64>
) {
    let bit: UInt64 = 1 &<< UInt64(pair)
    stopped.bitwiseOr(bit, ordering: .relaxed)
    enabled.bitwiseAnd(~bit, ordering: .relaxed)
    state.pointee.lastFault.store(ring.pointee.fault.rawValue, ordering: .relaxed)
    state.pointee.ringFaults.add(1, ordering: .releasing)
}

/// The transmit queue that an lcore uses, and whether other lcores use it too. If there are enough queues, each lcore has its own.
@inline(__always) @_noLocks
func transmitQueue(_ enabled: UInt64, _ lcore: UnsafeMutablePointer<Lcore>) -> (Int, Bool) {
    let queues = enabled.nonzeroBitCount
    var place = lcore.pointee.index
    while place >= queues { place &-= queues }
    var rest = enabled
    while place > 0 {
        rest &= rest &- 1
        place &-= 1
    }
    return (rest.trailingZeroBitCount, lcore.pointee.count > queues)
}
