import DPDKShim

/// A queue pair of a device as DPDK numbers them. A port may have those of several devices: DPDK's AF_XDP driver wants one for each queue.
struct DeviceQueue {
    var device: UInt16
    var queue: UInt16
}

/// Gives frames to a device, which frees them when they have left. Returns how many it took; the rest stay the caller's. nil: another lcore is in
/// the queue, and what is staged waits a turn instead of this loop.
@inline(__always) @_noLocks
func sendToDevice(_ state: UnsafeMutablePointer<LinkState>, _ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ lcore: UnsafeMutablePointer<Lcore>) -> Int? {
    let (queue, isShared) = transmitQueue(state.pointee.transmitRings.load(ordering: .relaxed), lcore)
    let lock = state.pointee.transmitLocks + queue
    if isShared && !sluice_lock_try(lock) { return nil }
    let target = state.pointee.deviceQueues[queue]
    let sent = Int(sluice_device_send(target.device, target.queue, frames, UInt16(truncatingIfNeeded: count)))
    if isShared { sluice_lock_release(lock) }
    return sent
}
