import DPDKShim

/// The worker's part of one slice of one switch: frames circulate, are counted after the warm-up, and are all taken back in the end.
@c(sluice_circulation_worker)
func circulationWorker(_ context: UnsafeMutableRawPointer?) -> CInt {
    guard let context else { return -1 }
    circulate(context.assumingMemoryBound(to: CirculationState.self))
    return 0
}

@_noLocks
func circulate(_ state: UnsafeMutablePointer<CirculationState>) {
    state.pointee.now = sluice_cycles()
    for index in 0..<state.pointee.laneCount {
        let lane = state.pointee.lanes + index
        fill(state, lane)
        lane.pointee.lastArrival = state.pointee.now
    }
    run(state, for: state.pointee.warmUp)
    (state.pointee.idle, state.pointee.gaps) = (0, 0)
    let (frames, bytes) = arrived(state)
    state.pointee.ticks = run(state, for: state.pointee.slice)
    let (framesAfter, bytesAfter) = arrived(state)
    state.pointee.frames = framesAfter &- frames
    state.pointee.bytes = bytesAfter &- bytes
    takeBack(state)
}

/// Runs the loop for so many ticks, or until it is told to stop.
/// - Returns: the number of ticks that have passed.
@_noLocks @discardableResult
func run(_ state: UnsafeMutablePointer<CirculationState>, for ticks: UInt64) -> UInt64 {
    let start = state.pointee.now
    while state.pointee.now &- start < ticks, state.pointee.stop == 0 {
        var moved = 0
        for index in 0..<state.pointee.laneCount {
            let lane = state.pointee.lanes + index
            moved &+= take(state, lane)
            pass(lane)
        }
        tick(state, moved)
        if moved == 0 { giveUp(state) }
    }
    return state.pointee.now &- start
}

@_noLocks @inline(__always)
func tick(_ state: UnsafeMutablePointer<CirculationState>, _ moved: Int) {
    let now = sluice_cycles()
    let passed = now &- state.pointee.now
    state.pointee.now = now
    if passed > state.pointee.longestTurn {
        state.pointee.gaps &+= passed
    } else if moved == 0 {
        state.pointee.idle &+= passed
    }
}

@_noLocks
func arrived(_ state: UnsafeMutablePointer<CirculationState>) -> (UInt64, UInt64) {
    var frames: UInt64 = 0, bytes: UInt64 = 0
    for index in 0..<state.pointee.laneCount {
        frames &+= state.pointee.lanes[index].frames
        bytes &+= state.pointee.lanes[index].bytes
    }
    return (frames, bytes)
}

/// Receives the frames that have come back.
@_noLocks @inline(__always)
func take(_ state: UnsafeMutablePointer<CirculationState>, _ lane: UnsafeMutablePointer<Lane>) -> Int {
    if let ring = lane.pointee.inputRing { return lane.pointee.wishes == 0 ? take(state, lane, ring) : takeWhole(state, lane, ring) }
    let batch = lane.pointee.held + lane.pointee.heldFirst + lane.pointee.heldCount
    let count = Int(sluice_device_receive(lane.pointee.input, 0, batch, UInt16(CirculationState.burst)))
    if count == 0 { return 0 }
    lane.pointee.lastArrival = state.pointee.now
    lane.pointee.frames &+= UInt64(count)
    lane.pointee.away = lane.pointee.away > count ? lane.pointee.away &- count : 0
    lane.pointee.turns &+= 1
    if lane.pointee.turns & 0xff == 0, let frame = batch[0], let bytes = sluice_frame_bytes(frame) { inspect(lane, bytes) }
    lane.pointee.heldCount &+= prepare(lane, batch, count)
    // Frames that were given up as lost and came back after all would be too many; they are freed.
    while lane.pointee.heldCount > lane.pointee.window {
        lane.pointee.heldCount &-= 1
        sluice_frame_free(lane.pointee.held[lane.pointee.heldFirst &+ lane.pointee.heldCount])
        lane.pointee.lost = lane.pointee.lost > 0 ? lane.pointee.lost &- 1 : 0
    }
    return count
}

/// Makes received frames ready to be sent again. The lane's fields are read once for the whole burst, because they would otherwise have to be read again after
/// every store into a frame.
/// - Returns: how many frames there are then.
@_noLocks @inline(__always)
func prepare(_ lane: UnsafeMutablePointer<Lane>, _ batch: UnsafeMutablePointer<OpaquePointer?>, _ count: Int) -> Int {
    let rewrites = lane.pointee.rewrites, sizes = lane.pointee.sizes, sizeCount = lane.pointee.sizeCount
    if rewrites { for index in 0..<count { if let frame = batch[index] { sluice_prefetch_bytes(frame) } } }
    var headers = HeaderSource(lane)
    var kept = 0
    var bytes: UInt64 = 0
    for index in 0..<count {
        guard let frame = batch[index] else { continue }
        let length = sluice_frame_length(frame)
        bytes &+= UInt64(length)
        var size = 0
        while size < sizeCount, sizes[size] != length { size &+= 1 }
        if size == sizeCount {
            lane.pointee.astray &+= 1
            sluice_frame_free(frame)
            continue
        }
        if rewrites, let bytes = sluice_frame_bytes(frame) { headers.write(bytes, size) }
        batch[kept] = frame
        kept &+= 1
    }
    lane.pointee.cycle = headers.cycle
    lane.pointee.bytes &+= bytes
    return kept
}

/// Checks that a frame came out at the port that it was meant for.
@_noLocks
func inspect(_ lane: UnsafeMutablePointer<Lane>, _ bytes: UnsafeMutableRawPointer) {
    let value = bytes.loadUnaligned(as: UInt64.self).bigEndian &>> 16
    if value &- lane.pointee.target >= lane.pointee.targetCount { lane.pointee.astray &+= 1 }
}

/// Sends all frames in hand, as the switch has none to forward as long as they wait here.
@_noLocks @inline(__always)
func pass(_ lane: UnsafeMutablePointer<Lane>) {
    let count = lane.pointee.heldCount
    if count == 0 { return }
    if let ring = lane.pointee.outputRing {
        pass(lane, ring)
        return
    }
    let taken = Int(sluice_device_send(lane.pointee.output, 0, lane.pointee.held + lane.pointee.heldFirst, UInt16(truncatingIfNeeded: count)))
    lane.pointee.away &+= taken
    lane.pointee.heldCount = count &- taken
    lane.pointee.heldFirst = taken == count ? 0 : lane.pointee.heldFirst &+ taken
    if lane.pointee.heldFirst > lane.pointee.window { moveToFront(lane) }
}

/// Moves the frames in hand to the front of their memory, so that there is room for another burst behind them.
@_noLocks
func moveToFront(_ lane: UnsafeMutablePointer<Lane>) {
    let first = lane.pointee.heldFirst
    for index in 0..<lane.pointee.heldCount { lane.pointee.held[index] = lane.pointee.held[first &+ index] }
    lane.pointee.heldFirst = 0
}

/// Makes new frames in place of those that were lost.
@_noLocks
func fill(_ state: UnsafeMutablePointer<CirculationState>, _ lane: UnsafeMutablePointer<Lane>) {
    if lane.pointee.outputRing != nil {
        lane.pointee.heldCount = max(lane.pointee.heldCount, lane.pointee.window &- lane.pointee.away)
        return
    }
    while lane.pointee.heldCount &+ lane.pointee.away < lane.pointee.window {
        let size = Int(lane.pointee.pattern[lane.pointee.nextPattern])
        let length = lane.pointee.sizes[size]
        guard let frame = sluice_frame_allocate(state.pointee.pool, UInt16(truncatingIfNeeded: length)), let bytes = sluice_frame_bytes(frame) else {
            state.pointee.starved &+= 1
            return
        }
        lane.pointee.nextPattern = lane.pointee.nextPattern &+ 1 == lane.pointee.patternCount ? 0 : lane.pointee.nextPattern &+ 1
        sluice_bytes_copy(bytes, lane.pointee.bodies[size], Int(length))
        var headers = HeaderSource(lane)
        headers.write(bytes, size)
        lane.pointee.cycle = headers.cycle
        lane.pointee.held[lane.pointee.heldFirst &+ lane.pointee.heldCount] = frame
        lane.pointee.heldCount &+= 1
    }
}

/// Counts frames as lost if none has come back for long, and sends others in their place.
@_noLocks
func giveUp(_ state: UnsafeMutablePointer<CirculationState>) {
    for index in 0..<state.pointee.laneCount {
        let lane = state.pointee.lanes + index
        guard lane.pointee.away > 0, state.pointee.now &- lane.pointee.lastArrival > state.pointee.patience else { continue }
        loseTaken(lane)
        lane.pointee.lastArrival = state.pointee.now
        fill(state, lane)
    }
}

/// Waits until all frames have come back, so that the switch holds none when it is stopped.
@_noLocks
func takeBack(_ state: UnsafeMutablePointer<CirculationState>) {
    let start = state.pointee.now
    var waiting = true
    while waiting, state.pointee.now &- start < state.pointee.patience {
        waiting = false
        for index in 0..<state.pointee.laneCount {
            let lane = state.pointee.lanes + index
            _ = take(state, lane)
            if lane.pointee.away > 0 { waiting = true }
        }
        state.pointee.now = sluice_cycles()
    }
    for index in 0..<state.pointee.laneCount {
        loseTaken(state.pointee.lanes + index)
    }
}

/// Counts the frames as lost that are on their way, apart from those that a ring shows not to have been taken by the switch yet.
@_noLocks
func loseTaken(_ lane: UnsafeMutablePointer<Lane>) {
    var waiting = 0
    if let ring = lane.pointee.outputRing { waiting = min(lane.pointee.away, ring.pointee.size &- ring.collect()) }
    lane.pointee.lost &+= UInt64(lane.pointee.away &- waiting)
    lane.pointee.away = waiting
}
