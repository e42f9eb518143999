import DPDKShim

/// A queue pair of an Ethernet device, by DPDK's numbers. A port may have queue pairs of several devices, as DPDK's AF_XDP driver is used with one device for
/// each queue.
struct DeviceQueue {
    var device: UInt16
    var queue: UInt16
}

/// Gives frames to a device, which frees them when they have left.
/// - Returns: how many frames the device took; the caller keeps the others. nil: another lcore is using the queue, and the staged frames wait for the next turn
///   instead of keeping this loop waiting.
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

/// Has a device prepare a frame that it is to segment.
/// - Returns: false if it cannot send the frame so. The frame can still be cut in software then.
@inline(never) @_noLocks
func prepareSegments(of frame: Frame, _ state: UnsafeMutablePointer<LinkState>, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    let (queue, _) = transmitQueue(state.pointee.transmitRings.load(ordering: .relaxed), lcore)
    let target = state.pointee.deviceQueues[queue]
    return sluice_device_prepare_segments(target.device, target.queue, frame, &state.pointee.segmentation)
}
