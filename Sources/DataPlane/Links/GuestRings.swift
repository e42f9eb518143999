import DPDKShim

// The vhost port kind as the poll loop sees it: librte_vhost's rings, called directly. In a virtio-net device ring 2q carries frames to the
// guest and ring 2q + 1 frames from it (virtio 1.2, 5.1.2).

/// Takes frames from a guest's ring; none where the guest has the ring disabled.
@inline(__always) @_noLocks
func receiveFromGuest(
    _ vid: Int32, _ queue: UnsafeMutablePointer<ReceiveQueue>, _ state: UnsafeMutablePointer<LinkState>, _ wanted: Int,
    _ pool: OpaquePointer, _ frames: UnsafeMutablePointer<Frame?>
) -> Int {
    if state.pointee.receiveRings.load(ordering: .relaxed) &>> UInt64(queue.pointee.queue) & 1 == 0 { return 0 }
    let changes = state.pointee.ringChanges.load(ordering: .relaxed)
    if queue.pointee.seenChanges != changes {
        // Polled rings need no kicks, neither for frames nor for buffers refilled; each would cost the guest an exit.
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

/// Copies frames into a guest's ring and frees them. Returns how many fitted; the rest stay the caller's. nil: another lcore is in the ring, and what
/// is staged waits a turn instead of this loop.
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

/// Takes a ring out of use whose driver broke it, until the guest enables it anew. The port says so (`VhostLink.condition`).
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

/// The transmit queue an lcore uses, and whether others use it too: one each where there are enough.
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
