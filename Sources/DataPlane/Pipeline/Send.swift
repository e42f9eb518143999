import DPDKShim
import Scheduler

/// Stage 7, second half: sends the staged frames, output by output.
@inline(__always) @_noLocks
func sendTouched(_ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    var kept = 0
    for index in 0..<lcore.pointee.touchedCount {
        let port = lcore.pointee.touched[index]
        let output = lcore.pointee.outputs + Int(port)
        output.pointee.isTouched = false
        let isContended = send(port, output, lcore, snapshot)
        if output.pointee.count == 0 || output.pointee.isParked { continue }
        if isContended && output.pointee.count <= Output.capacity - dequeueBatch {
            // The queue is not known to be full: another lcore was using it at that moment. The next turn tries again.
            output.pointee.isTouched = true
            lcore.pointee.touched[kept] = port
            kept &+= 1
        } else {
            if !isContended { lcore.pointee.counters[Int(port)].full &+= 1 }
            park(port, output, lcore, snapshot)
        }
    }
    lcore.pointee.touchedCount = kept
}

/// Parks an output: its leaves are held back until it has taken what is staged, so a full ring costs no work and delays no other output.
@inline(never) @_noLocks
private func park(_ port: PortIndex, _ output: UnsafeMutablePointer<Output>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
    output.pointee.isParked = true
    output.pointee.progress = lcore.pointee.now
    snapshot.pointee.trees[unchecked: Int(view.pointee.tree)].tree.pointee.park(output: port)
    lcore.pointee.parked[lcore.pointee.parkedCount] = port
    lcore.pointee.parkedCount &+= 1
}

/// Tries to send to the parked outputs again, and releases the leaves of those that took everything. Returns the number of frames that were taken.
@inline(never) @_noLocks
func retryParked(_ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
    var kept = 0
    var taken = 0
    for index in 0..<lcore.pointee.parkedCount {
        let port = lcore.pointee.parked[index]
        let output = lcore.pointee.outputs + Int(port)
        let waiting = output.pointee.count
        // Nothing is left if the priority of all of it was paused (`withhold`).
        let isContended = waiting == 0 || send(port, output, lcore, snapshot)
        taken &+= waiting &- output.pointee.count
        if lcore.pointee.held[Int(port)].count != 0 { countDelays(of: port, taken: waiting &- output.pointee.count, lcore, snapshot) }
        if output.pointee.count != waiting || isContended {
            output.pointee.progress = lcore.pointee.now
        } else if lcore.pointee.now &- output.pointee.progress > longestWait {
            dropFirst(port, output, lcore)
            lcore.pointee.held[Int(port)].removeFirst(1)
        }
        if output.pointee.count == 0 {
            output.pointee.isParked = false
            let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
            if view.pointee.link != nil { snapshot.pointee.trees[unchecked: Int(view.pointee.tree)].tree.pointee.unpark(output: port) }
        } else {
            lcore.pointee.parked[kept] = port
            kept &+= 1
        }
    }
    lcore.pointee.parkedCount = kept
    return taken
}

/// How long a port may leave the first staged frame untaken. A frame that is longer than any buffer of the guest would otherwise block the port for ever.
@inline(__always) private var longestWait: Nanoseconds { @_noLocks get { 100_000_000 } }

@inline(never) @_noLocks
private func dropFirst(_ port: PortIndex, _ output: UnsafeMutablePointer<Output>, _ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.counters[Int(port)].count(drop: .notTaken)
    noteDrop(output.pointee.frames[unchecked: 0].unsafelyUnwrapped, .notTaken, port, lcore, isNew: false)
    sluice_frame_free(output.pointee.frames[unchecked: 0].unsafelyUnwrapped)
    removeFirst(1, output)
    output.pointee.progress = lcore.pointee.now
}

/// Removes the first `sent` frames and moves the others to the front.
@inline(__always) @_noLocks
private func removeFirst(_ sent: Int, _ output: UnsafeMutablePointer<Output>) {
    let left = output.pointee.count &- sent
    if sent != 0 {
        for index in 0..<left {
            output.pointee.frames[unchecked: index] = output.pointee.frames[unchecked: sent &+ index]
            output.pointee.lengths[unchecked: index] = output.pointee.lengths[unchecked: sent &+ index]
        }
    }
    output.pointee.count = left
}

/// Gives an output's staged frames to its port. Frames that the port does not take stay staged. Returns true if another lcore was using the queue, so that the
/// frames could not be given to it.
@inline(__always) @_noLocks
private func send(_ port: PortIndex, _ output: UnsafeMutablePointer<Output>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Bool {
    let count = output.pointee.count
    let frames = Output.frames(output)
    let counters = lcore.pointee.counters + Int(port)
    let taken: Int?
    if let link = snapshot.pointee.ports[unchecked: Int(port)].link {
        let connection = link.pointee.connection.load(ordering: .acquiring)
        if connection < 0 {
            discard(frames, count, .portDown, port, lcore)
            lcore.pointee.held[Int(port)].count = 0
            output.pointee.count = 0
            return false
        }
        switch link.pointee.mechanism {
        case .vhost: taken = sendToGuest(link, frames, count, lcore)
        case .device: taken = sendToDevice(link, frames, count, lcore)
        }
    } else {
        discard(frames, count, .portRemoved, port, lcore)
        lcore.pointee.held[Int(port)].count = 0
        output.pointee.count = 0
        return false
    }
    guard let sent = taken else {
        completeStaged(port, output, lcore)
        return true
    }
    var bytes: UInt64 = 0
    for index in 0..<sent { bytes &+= UInt64(output.pointee.lengths[unchecked: index]) }
    counters.pointee.sentFrames &+= UInt64(truncatingIfNeeded: sent)
    counters.pointee.sentBytes &+= bytes
    removeFirst(sent, output)
    if output.pointee.count != 0 { completeStaged(port, output, lcore) }
    return false
}

/// Makes staged frames whole: what waits longer than this turn cannot refer to buffers that are returned at its end.
@inline(never) @_noLocks
private func completeStaged(_ port: PortIndex, _ output: UnsafeMutablePointer<Output>, _ lcore: UnsafeMutablePointer<Lcore>) {
    output.pointee.count = completeAll(Output.frames(output), Output.lengths(output), output.pointee.count, for: port, lcore)
}

@inline(never) @_noLocks
private func discard(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ reason: DropReason, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.counters[Int(port)].count(drop: reason, count)
    noteDrops(frames, count, reason, port, lcore, isNew: false)
    sluice_frames_free(frames, UInt32(truncatingIfNeeded: count))
}
