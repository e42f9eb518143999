import DPDKShim

/// Receives the frames that have come back in a ring. Of each, the header is read, as every guest has to do.
@_noLocks @inline(__always)
func take(_ state: UnsafeMutablePointer<CirculationState>, _ lane: UnsafeMutablePointer<Lane>, _ ring: UnsafeMutablePointer<DriverRing>) -> Int {
    let words = state.pointee.words
    let count = ring.arrivals(words, CirculationState.burst)
    if count == 0 { return 0 }
    for index in 0..<count { sluice_prefetch(ring.pointee.header(Int(truncatingIfNeeded: words[index] &>> 32))) }
    lane.pointee.lastArrival = state.pointee.now
    lane.pointee.frames &+= UInt64(count)
    lane.pointee.away = lane.pointee.away > count ? lane.pointee.away &- count : 0
    lane.pointee.turns &+= 1
    if lane.pointee.turns & 0xff == 0 { inspect(lane, ring.pointee.frame(Int(truncatingIfNeeded: words[0] &>> 32))) }
    let sizes = lane.pointee.sizes, sizeCount = lane.pointee.sizeCount
    var kept = 0
    var bytes: UInt64 = 0
    for index in 0..<count {
        let length = UInt32(truncatingIfNeeded: words[index]) &- UInt32(DriverRing.headerLength)
        // How many buffers the frame takes (virtio 1.2, 5.1.6.4): each is long enough for a whole one.
        let buffers = (ring.pointee.header(Int(truncatingIfNeeded: words[index] &>> 32)) + 10).load(as: UInt16.self)
        bytes &+= UInt64(length)
        var size = 0
        while size < sizeCount, sizes[size] != length { size &+= 1 }
        if size == sizeCount || buffers != 1 { lane.pointee.astray &+= 1 } else { kept &+= 1 }
    }
    ring.finish(count)
    lane.pointee.bytes &+= bytes
    let held = lane.pointee.heldCount &+ kept
    // Frames that were given up as lost and came back after all would be too many, as others were sent in their place.
    lane.pointee.heldCount = min(held, max(0, lane.pointee.window &- lane.pointee.away))
    let surplus = UInt64(truncatingIfNeeded: held &- lane.pointee.heldCount)
    lane.pointee.lost = lane.pointee.lost > surplus ? lane.pointee.lost &- surplus : 0
    return count
}

/// Sends as many of the frames in hand as the ring has room for.
@_noLocks @inline(__always)
func pass(_ lane: UnsafeMutablePointer<Lane>, _ ring: UnsafeMutablePointer<DriverRing>) {
    let count = ring.room(lane.pointee.heldCount)
    if count == 0 { return }
    if lane.pointee.rewrites {
        var headers = HeaderSource(lane)
        let sizes = lane.pointee.slotSizes, first = ring.pointee.offered
        for place in first..<first &+ count {
            let number = ring.pointee.number(place)
            headers.write(ring.pointee.frame(number), Int(sizes[number]))
        }
        lane.pointee.cycle = headers.cycle
    }
    ring.send(count)
    // The switch has read the frames that will be sent next: their lines are fetched from its cache by the time they are written.
    if lane.pointee.rewrites {
        let next = ring.pointee.offered
        for place in next..<next &+ CirculationState.burst { sluice_prefetch_for_writing(ring.pointee.frame(ring.pointee.number(place))) }
    }
    lane.pointee.away &+= count
    lane.pointee.heldCount &-= count
}
