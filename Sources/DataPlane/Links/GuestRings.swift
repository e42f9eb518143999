import DPDKShim

// The vhost port kind in the poll loop, which calls librte_vhost directly. In a virtio-net device, ring 2q carries frames to the guest and ring 2q + 1 frames
// from it (virtio 1.2, 5.1.2).

/// Receives frames from a guest's ring; none if the guest has the ring disabled.
/// - Returns: how many frames were received.
@inline(__always) @_noLocks
func receiveFromGuest(
    _ vid: Int32, _ queue: UnsafeMutablePointer<ReceiveQueue>, _ state: UnsafeMutablePointer<LinkState>, _ wanted: Int,
    _ pool: OpaquePointer, _ frames: UnsafeMutablePointer<Frame?>
) -> Int {
    if state.pointee.receiveRings.load(ordering: .relaxed) &>> UInt64(queue.pointee.queue) & 1 == 0 { return 0 }
    let changes = state.pointee.ringChanges.load(ordering: .relaxed)
    if queue.pointee.seenChanges != changes {
        // A ring that is polled needs no kicks, neither for frames nor for refilled buffers, and each kick would cost the guest an exit.
        queue.pointee.seenChanges = changes
        sluice_vhost_silence(vid, queue.pointee.queue)
    }
    let asked = min(wanted, queue.pointee.expected)
    let ring = queue.pointee.queue &* 2 &+ 1
    let count = Int(sluice_vhost_receive(vid, ring, state.pointee.rings + Int(ring), pool, frames, UInt16(truncatingIfNeeded: asked)))
    if _slowPath(count < 0) {
        stop(ring, state)
        return 0
    }
    queue.pointee.expected = count == asked ? min(asked &* 2, burstSize) : max(count &+ leastPoll, leastPoll)
    return count
}

/// Copies frames into a guest's ring, and frees them.
/// - Returns: how many frames fitted; the caller keeps the others. nil: another lcore is using the ring, and the staged frames wait for the next turn instead
///   of keeping this loop waiting.
@inline(__always) @_noLocks
func sendToGuest(_ vid: Int32, _ state: UnsafeMutablePointer<LinkState>, _ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ lcore: UnsafeMutablePointer<Lcore>) -> Int? {
    let rings = state.pointee.transmitRings.load(ordering: .relaxed)
    if rings == 0 { return 0 }
    let (pair, isShared) = transmitQueue(rings, lcore)
    let lock = state.pointee.transmitLocks + pair
    if isShared && !sluice_lock_try(lock) { return nil }
    var sent = 0
    while sent < count {
        let ring = pair &* 2
        let taken = Int(sluice_vhost_send(
            vid, UInt16(truncatingIfNeeded: ring), state.pointee.rings + ring, frames + sent, UInt16(truncatingIfNeeded: min(burstSize, count &- sent))))
        if _slowPath(taken < 0) {
            stop(UInt16(truncatingIfNeeded: ring), state)
            break
        }
        sent &+= taken
        if taken < burstSize { break }
    }
    if isShared { sluice_lock_release(lock) }
    sluice_frames_return(frames, UInt32(truncatingIfNeeded: sent), lcore.pointee.pool)
    return sent
}

/// Takes a ring that the guest's driver has broken out of use, until the guest enables it again. `VhostLink.condition` reports it.
@inline(never) @_noLocks
private func stop(_ ring: UInt16, _ state: UnsafeMutablePointer<LinkState>) {
    let bit: UInt64 = 1 &<< UInt64(ring / 2)
    if ring % 2 == 0 {
        state.pointee.stoppedTransmitRings.bitwiseOr(bit, ordering: .relaxed)
        state.pointee.transmitRings.bitwiseAnd(~bit, ordering: .relaxed)
    } else {
        state.pointee.stoppedReceiveRings.bitwiseOr(bit, ordering: .relaxed)
        state.pointee.receiveRings.bitwiseAnd(~bit, ordering: .relaxed)
    }
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
