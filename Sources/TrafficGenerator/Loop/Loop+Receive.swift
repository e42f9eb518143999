import DPDKShim

/// Receives and judges the frames that have arrived at a port.
@_noLocks
func receive(_ loop: UnsafeMutablePointer<LoopState>, _ number: Int) {
    let port = loop.pointee.ports + number
    let batch = loop.pointee.batch
    for queue in 0..<port.pointee.queues {
        let count = Int(sluice_device_receive(port.pointee.device, queue, batch, UInt16(SendStage.burst)))
        if count == 0 { continue }
        loop.pointee.work &+= UInt64(truncatingIfNeeded: count)
        for index in 0..<count { if let frame = batch[index] { sluice_prefetch_bytes(frame) } }
        advance(loop)
        // The time that inspecting these frames takes falls into the next reading of the clock.
        loop.pointee.work = UInt64(truncatingIfNeeded: count)
        for index in 0..<count { if let frame = batch[index] { inspect(loop, port, number, frame) } }
        sluice_frames_free(batch, UInt32(truncatingIfNeeded: count))
    }
}

@_noLocks @inline(__always)
func inspect(_ loop: UnsafeMutablePointer<LoopState>, _ port: UnsafeMutablePointer<PortState>, _ number: Int, _ frame: OpaquePointer) {
    let length = sluice_frame_length(frame)
    port.pointee.receivedFrames &+= 1
    port.pointee.receivedBytes &+= UInt64(length)
    guard length >= 60, length <= loop.pointee.scratchSize, var bytes = sluice_frame_bytes(frame) else {
        port.pointee.foreign &+= 1
        return
    }
    if sluice_frame_segments(frame) != 1 {
        sluice_frame_gather(frame, length, loop.pointee.scratch)
        bytes = loop.pointee.scratch
    }
    var signature = Signature(time: 0, stream: 0, sequence: 0)
    let end = bytes + Int(length)
    var state = Signature.read(end - Signature.size, &signature)
    if state == .absent { state = Signature.read(end - FrameTemplate.fcoeTrailer - Signature.size, &signature) }
    guard state == .present, signature.stream < loop.pointee.streamCount else {
        if state == .absent { port.pointee.foreign &+= 1 } else { port.pointee.damaged &+= 1 }
        return
    }
    let stream = loop.pointee.streams + Int(signature.stream)
    let flow = loop.pointee.flows + Int(stream.pointee.flow)
    guard Int(flow.pointee.destination) == number else {
        elsewhere(loop, flow, number, signature.time)
        return
    }
    loop.pointee.lastArrival = loop.pointee.now
    flow.pointee.counters.receivedFrames &+= 1
    flow.pointee.counters.receivedBytes &+= UInt64(length)
    let bin = flow.pointee.bins + loop.pointee.bin
    bin.pointee.receivedFrames &+= 1
    bin.pointee.receivedBytes &+= length
    stream.pointee.follow(signature.sequence, &flow.pointee.counters)
    let latency = (loop.pointee.now &- signature.time) & Signature.timeMask
    let bucket = LatencyBuckets.index(latency)
    flow.pointee.latency[bucket] &+= 1
    let sent = loop.pointee.now &- latency
    if loop.pointee.disturbance.touches(sent: sent, arrived: loop.pointee.now) {
        loop.pointee.disturbedLatency[bucket] &+= 1
    } else if latency > SlowFrame.bound {
        if loop.pointee.slowCount < loop.pointee.slowCapacity { loop.pointee.slow[loop.pointee.slowCount] = SlowFrame(sent: sent, latency: latency) }
        loop.pointee.slowCount &+= 1
    }
    flow.pointee.counters.latencySum &+= latency
    if latency > flow.pointee.counters.latencyMost { flow.pointee.counters.latencyMost = latency }
    if !isWhole(loop, stream, flow, bytes, length, frame) { flow.pointee.counters.corrupted &+= 1 }
}

/// Judges a frame that arrived at a port that it was not meant for.
@_noLocks
func elsewhere(_ loop: UnsafeMutablePointer<LoopState>, _ flow: UnsafeMutablePointer<FlowState>, _ number: Int, _ time: UInt64) {
    // A frame that was sent while the destination's first frame was still on its way may rightly be flooded.
    let grace: UInt64 = 20_000_000
    let destination = Int(flow.pointee.destination)
    var flooded = flow.pointee.floods
    if !flooded, destination >= 0 {
        let known = loop.pointee.ports[destination].knownSince
        flooded = known != 0 && (known == UInt64.max || time < known &+ grace)
    }
    // No frame may ever come back to the port that it was sent from.
    if flooded, number != Int(flow.pointee.source) {
        flow.pointee.counters.flooded &+= 1
    } else {
        flow.pointee.counters.misdelivered &+= 1
    }
}

/// Whether a frame is the one that its stream sends, apart from tags and signature. It also counts the priorities of tags.
@_noLocks @inline(__always)
func isWhole(
    _ loop: UnsafeMutablePointer<LoopState>, _ stream: UnsafeMutablePointer<StreamState>, _ flow: UnsafeMutablePointer<FlowState>,
    _ bytes: UnsafeMutableRawPointer, _ length: UInt32, _ frame: OpaquePointer
) -> Bool {
    var tags: UInt32 = 0
    var type = (bytes + 12).loadUnaligned(as: UInt16.self).byteSwapped
    if sluice_frame_flags(frame) & sluice_flag_rx_vlan_stripped != 0 { countTag(flow, sluice_frame_tci(frame)) }
    while type == 0x8100 || type == 0x88a8, tags < 8 {
        if tags == 0 { countTag(flow, (bytes + 14).loadUnaligned(as: UInt16.self).byteSwapped) }
        tags &+= 4
        type = (bytes + 12 + Int(tags)).loadUnaligned(as: UInt16.self).byteSwapped
    }
    var size = 0
    while size < Int(flow.pointee.sizeCount), loop.pointee.shapes[flow.pointee.firstShape &+ size].size &+ tags != length { size &+= 1 }
    guard size < Int(flow.pointee.sizeCount) else { return false }
    let shape = loop.pointee.shapes + (flow.pointee.firstShape &+ size)
    let prefix = loop.pointee.prefixes + (Int(stream.pointee.firstTemplate) &+ size) &* FrameShape.prefix
    guard sluice_bytes_equal(bytes, prefix, 12) else { return false }
    let body = 12 &+ Int(shape.pointee.tagLength)
    let arrived = bytes + (12 &+ Int(tags))
    let signature = Int(shape.pointee.signatureOffset)
    let near = signature < FrameShape.prefix ? signature : FrameShape.prefix
    guard sluice_bytes_equal(arrived, prefix + body, near &- body) else { return false }
    if signature > near {
        guard sluice_bytes_equal(arrived + (near &- body), loop.pointee.filler + near, signature &- near) else { return false }
    }
    if flow.pointee.trailerLength != 0 {
        return (arrived + (signature &- body) + Signature.size).loadUnaligned(as: UInt64.self) == flow.pointee.trailer
    }
    return true
}

@_noLocks @inline(__always)
func countTag(_ flow: UnsafeMutablePointer<FlowState>, _ tci: UInt16) {
    flow.pointee.counters.tagged &+= 1
    switch tci &>> 13 {
    case 0: flow.pointee.counters.priorities.0 &+= 1
    case 1: flow.pointee.counters.priorities.1 &+= 1
    case 2: flow.pointee.counters.priorities.2 &+= 1
    case 3: flow.pointee.counters.priorities.3 &+= 1
    case 4: flow.pointee.counters.priorities.4 &+= 1
    case 5: flow.pointee.counters.priorities.5 &+= 1
    case 6: flow.pointee.counters.priorities.6 &+= 1
    default: flow.pointee.counters.priorities.7 &+= 1
    }
}
