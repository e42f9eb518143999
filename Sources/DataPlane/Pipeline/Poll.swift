import DPDKShim

/// Stage 1: takes up to `most` frames, which are a burst or fewer, from one queue into `lcore.received`, and their lengths into `lcore.lengths`. Returns the
/// number of frames.
@inline(__always) @_noLocks
func poll(_ queue: UnsafeMutablePointer<ReceiveQueue>, _ most: Int, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    let link = queue.pointee.link
    let connection = link.pointee.connection.load(ordering: .acquiring)
    if connection < 0 { return 0 }
    let counters = lcore.pointee.counters + Int(queue.pointee.port)

    var wanted = most
    let pacer = PortState.pacer(of: link.pointee.port)
    if pacer.pointee.average != 0 {
        let before = queue.pointee.lookedAt
        queue.pointee.lookedAt = lcore.pointee.now
        wanted = min(wanted, pacer.pointee.allowance(at: lcore.pointee.now))
        if wanted == 0 {
            if before != 0 { counters.pointee.pacedNanoseconds &+= lcore.pointee.now &- before }
            return 0
        }
    }

    let frames = lcore.pointee.received
    let count: Int
    switch link.pointee.mechanism {
    case .vhost:
        // Filters, mirrors and captures look at whole frames.
        let mayRefer = !looksAtWholeFrames(ingress(of: queue.pointee.port, snapshot)) && snapshot.pointee.captures == nil
        count = receiveFromGuest(queue, link, wanted, mayRefer: mayRefer, lcore)
    case .device: count = Int(sluice_device_receive(queue.pointee.device.device, queue.pointee.device.queue, frames, UInt16(truncatingIfNeeded: wanted)))
    }
    if count == 0 { return 0 }

    let lengths = lcore.pointee.lengths
    var bytes: UInt64 = 0, flags: UInt64 = 0
    for index in 0..<count {
        let frame = frames[index].unsafelyUnwrapped
        sluice_prefetch_bytes(frame)
        let length = sluice_frame_length(frame)
        lengths[index] = length
        bytes &+= UInt64(length)
        flags |= sluice_frame_flags(frame)
    }
    lcore.pointee.receivedFlags = flags
    counters.pointee.receivedFrames &+= UInt64(truncatingIfNeeded: count)
    counters.pointee.receivedBytes &+= bytes
    pacer.pointee.charge(bytes: bytes)
    return count
}
