import DPDKShim

/// Sends the frames that a port's flows have due, until its ring is full.
@_noLocks
func transmit(_ loop: UnsafeMutablePointer<LoopState>, _ port: UnsafeMutablePointer<PortState>) {
    let count = port.pointee.flowCount
    guard count > 0 else { return }
    let now = loop.pointee.now
    let due = now &<< 16
    let most = loop.pointee.catchUp &<< 16
    var index = port.pointee.nextFlow
    var queue: UInt16 = 0
    loop.pointee.stage.served = -1
    for _ in 0..<count {
        let flow = loop.pointee.flows + (port.pointee.firstFlow &+ index)
        index = index &+ 1 == count ? 0 : index &+ 1
        let mode = flow.pointee.pace.mode
        guard mode != Pace.off, now >= flow.pointee.start, now < flow.pointee.stop else { continue }
        if flow.pointee.generation != flow.pointee.pace.generation {
            flow.pointee.generation = flow.pointee.pace.generation
            flow.pointee.due = due
        }
        if mode == Pace.paced {
            if flow.pointee.due > due { continue }
            let behind = due &- flow.pointee.due
            if behind > Disturbance.bound &<< 16 { loop.pointee.disturbance.late(at: now) }
            if behind > most {
                flow.pointee.counters.heldTime &+= behind &- most
                flow.pointee.due = due &- most
            }
        }
        if flow.pointee.queue != queue {
            guard flush(loop, port, queue) else { return }
            queue = flow.pointee.queue
        }
        var quota = SendStage.burst
        while quota > 0, mode == Pace.unpaced || flow.pointee.due <= due {
            if loop.pointee.stage.count >= port.pointee.window {
                guard flush(loop, port, queue) else { return }
            }
            guard stage(loop, flow) else { break }
            quota &-= 1
        }
    }
    guard flush(loop, port, queue) else { return }
    port.pointee.nextFlow = port.pointee.nextFlow &+ 1 >= count ? 0 : port.pointee.nextFlow &+ 1
}

/// Builds the next frame of a flow.
/// - Returns: false if there is no buffer.
@_noLocks @inline(__always)
func stage(_ loop: UnsafeMutablePointer<LoopState>, _ flow: UnsafeMutablePointer<FlowState>) -> Bool {
    if loop.pointee.stage.stockCount == 0 {
        let refill = SendStage.burst
        guard sluice_frames_allocate(loop.pointee.pool, loop.pointee.stage.stock, UInt32(refill)) == 0 else {
            loop.pointee.starved &+= 1
            return false
        }
        loop.pointee.stage.stockCount = refill
        for index in 0..<refill { if let frame = loop.pointee.stage.stock[index] { sluice_prefetch_bytes(frame) } }
    }
    loop.pointee.stage.stockCount &-= 1
    guard let frame = loop.pointee.stage.stock[loop.pointee.stage.stockCount] else { return false }
    let pattern = flow.pointee.nextPattern
    flow.pointee.nextPattern = pattern &+ 1 == flow.pointee.patternCount ? 0 : pattern &+ 1
    let size = Int(loop.pointee.patterns[flow.pointee.patternStart &+ pattern])
    let offset = flow.pointee.nextStream
    flow.pointee.nextStream = offset &+ 1 == flow.pointee.streamCount ? 0 : offset &+ 1
    let number = flow.pointee.firstStream &+ offset
    let stream = loop.pointee.streams + Int(number)
    let shape = loop.pointee.shapes + (flow.pointee.firstShape &+ size)
    let length = shape.pointee.size &+ shape.pointee.tagLength
    guard let bytes = sluice_frame_bytes(frame) else { return false }
    let prefix = loop.pointee.prefixes + (Int(stream.pointee.firstTemplate) &+ size) &* FrameShape.prefix
    if length <= 64 {
        sluice_bytes_copy(bytes, prefix, 64)
    } else {
        sluice_bytes_copy(bytes, prefix, FrameShape.prefix)
        if length > UInt32(FrameShape.prefix) {
            sluice_bytes_copy(
                bytes + FrameShape.prefix, loop.pointee.filler + FrameShape.prefix,
                Int(length) &- FrameShape.prefix)
        }
    }
    let place = bytes + Int(shape.pointee.signatureOffset)
    Signature(time: loop.pointee.now, stream: number, sequence: stream.pointee.nextSequence).write(to: place)
    if flow.pointee.trailerLength != 0 {
        (place + Signature.size).storeBytes(of: flow.pointee.trailer, as: UInt64.self)
    }
    stream.pointee.nextSequence &+= 1
    sluice_frame_set_length(frame, UInt16(truncatingIfNeeded: length))
    let count = loop.pointee.stage.count
    loop.pointee.stage.frames[count] = frame
    loop.pointee.stage.streams[count] = number
    loop.pointee.stage.lengths[count] = length
    loop.pointee.stage.count = count &+ 1
    flow.pointee.due &+= UInt64(length) &* flow.pointee.pace.perByte &+ flow.pointee.pace.perFrame
    return true
}

/// Gives the staged frames to the driver. For frames that it does not take, everything is as if they had not been sent: sequence numbers and pace are restored,
/// and the buffers are kept for the next attempt.
/// - Returns: false if the ring is full.
@_noLocks @inline(__always)
func flush(_ loop: UnsafeMutablePointer<LoopState>, _ port: UnsafeMutablePointer<PortState>, _ queue: UInt16) -> Bool {
    let offered = loop.pointee.stage.count
    guard offered > 0 else { return true }
    loop.pointee.stage.count = 0
    loop.pointee.work &+= UInt64(truncatingIfNeeded: offered)
    let frames = loop.pointee.stage.frames
    let taken = Int(sluice_device_send(port.pointee.device, queue, frames, UInt16(truncatingIfNeeded: offered)))
    let bin = loop.pointee.bin
    if taken > 0, port.pointee.knownSince == UInt64.max { port.pointee.knownSince = loop.pointee.now }
    let bytes = count(loop, taken, bin)
    port.pointee.sentFrames &+= UInt64(taken)
    port.pointee.sentBytes &+= bytes
    if taken > 0 { loop.pointee.stage.served = Int(loop.pointee.streams[Int(loop.pointee.stage.streams[taken &- 1])].flow) }
    if taken == offered {
        let wider = port.pointee.window &* 2
        port.pointee.window = wider > SendStage.burst ? SendStage.burst : wider
        return true
    }
    // The flow whose frame was refused is the first one next time, unless the driver has just taken frames of it.
    let refused = Int(loop.pointee.streams[Int(loop.pointee.stage.streams[taken])].flow)
    let next = refused &- port.pointee.firstFlow &+ (refused == loop.pointee.stage.served ? 1 : 0)
    port.pointee.nextFlow = next == port.pointee.flowCount ? 0 : next
    takeBack(loop, from: taken, to: offered)
    port.pointee.refusals &+= 1
    port.pointee.window = port.pointee.window > 1 ? port.pointee.window &>> 1 : 1
    return false
}

/// Counts the frames that the driver took, one run of frames of the same flow at a time.
/// - Returns: their bytes.
@_noLocks @inline(__always)
func count(_ loop: UnsafeMutablePointer<LoopState>, _ taken: Int, _ bin: Int) -> UInt64 {
    let numbers = loop.pointee.stage.streams
    let lengths = loop.pointee.stage.lengths
    let streams = loop.pointee.streams
    var all: UInt64 = 0
    var index = 0
    while index < taken {
        let number = streams[Int(numbers[index])].flow
        var frames: UInt32 = 0
        var bytes: UInt32 = 0
        while index < taken, streams[Int(numbers[index])].flow == number {
            frames &+= 1
            bytes &+= lengths[index]
            index &+= 1
        }
        let flow = loop.pointee.flows + Int(number)
        flow.pointee.counters.sentFrames &+= UInt64(frames)
        flow.pointee.counters.sentBytes &+= UInt64(bytes)
        flow.pointee.bins[bin].sentFrames &+= frames
        flow.pointee.bins[bin].sentBytes &+= bytes
        all &+= UInt64(bytes)
    }
    return all
}

@_noLocks
func takeBack(_ loop: UnsafeMutablePointer<LoopState>, from taken: Int, to count: Int) {
    var index = count
    while index > taken {
        index &-= 1
        let number = loop.pointee.stage.streams[index]
        let length = UInt64(loop.pointee.stage.lengths[index])
        let stream = loop.pointee.streams + Int(number)
        let flow = loop.pointee.flows + Int(stream.pointee.flow)
        stream.pointee.nextSequence &-= 1
        flow.pointee.nextStream = number &- flow.pointee.firstStream
        flow.pointee.nextPattern = flow.pointee.nextPattern == 0 ? flow.pointee.patternCount &- 1 : flow.pointee.nextPattern &- 1
        flow.pointee.due &-= length &* flow.pointee.pace.perByte &+ flow.pointee.pace.perFrame
        loop.pointee.stage.stock[loop.pointee.stage.stockCount] = loop.pointee.stage.frames[index]
        loop.pointee.stage.stockCount &+= 1
    }
}
