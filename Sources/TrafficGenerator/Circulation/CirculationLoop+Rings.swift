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
    keep(kept, lane)
    return count
}

/// Has so many more frames in hand.
@_noLocks @inline(__always)
private func keep(_ kept: Int, _ lane: UnsafeMutablePointer<Lane>) {
    let held = lane.pointee.heldCount &+ kept
    // Frames that were given up as lost and came back after all would be too many, as others were sent in their place.
    lane.pointee.heldCount = min(held, max(0, lane.pointee.window &- lane.pointee.away))
    let surplus = UInt64(truncatingIfNeeded: held &- lane.pointee.heldCount)
    lane.pointee.lost = lane.pointee.lost > surplus ? lane.pointee.lost &- surplus : 0
}

/// Does the same for frames that are to be segmented, each of which takes several buffers and has to come back whole, with the header that it was sent with.
@_noLocks @inline(never)
func takeWhole(_ state: UnsafeMutablePointer<CirculationState>, _ lane: UnsafeMutablePointer<Lane>, _ ring: UnsafeMutablePointer<DriverRing>) -> Int {
    let words = state.pointee.words
    let there = ring.arrivals(words, CirculationState.burst)
    // The number of buffers is not part of what is compared, nor is the length of the headers, which is a hint (virtio 1.2, 5.1.6.2).
    let compared: UInt64 = 0xffff_ffff_0000_ffff
    var done = 0, frames = 0, kept = 0
    var bytes: UInt64 = 0
    while done < there {
        let number = Int(truncatingIfNeeded: words[done] &>> 32), header = ring.pointee.header(number)
        let buffers = Int((header + 10).load(as: UInt16.self))
        // A frame whose last buffers are not there yet is looked at again; one that claims none, or more than are ever looked at, is counted as one buffer.
        let isSound = buffers > 0 && buffers <= CirculationState.burst
        let taken = isSound ? buffers : 1
        if taken > there &- done { break }
        var length = 0
        for index in done..<done &+ taken { length &+= Int(UInt32(truncatingIfNeeded: words[index])) }
        length &-= DriverRing.headerLength
        bytes &+= UInt64(truncatingIfNeeded: length)
        var size = 0
        while size < lane.pointee.sizeCount, Int(lane.pointee.sizes[size]) != length { size &+= 1 }
        let isWhole = header.load(as: UInt64.self) & compared == lane.pointee.wishes & compared
        if isSound, isWhole, size < lane.pointee.sizeCount { kept &+= 1 } else { lane.pointee.astray &+= 1 }
        lane.pointee.turns &+= 1
        if lane.pointee.turns & 0xff == 0 { inspect(lane, ring.pointee.frame(number)) }
        done &+= taken
        frames &+= 1
    }
    if frames == 0 { return 0 }
    lane.pointee.lastArrival = state.pointee.now
    lane.pointee.frames &+= UInt64(frames)
    lane.pointee.away = lane.pointee.away > frames ? lane.pointee.away &- frames : 0
    ring.finish(done)
    lane.pointee.bytes &+= bytes
    keep(kept, lane)
    return frames
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
