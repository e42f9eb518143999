import DPDKShim
import Scheduler

// Captures copy frames to rings that other threads read. Like mirrors, they neither hold nor change nor drop a frame, and they cost nothing where there are
// none: what comes in is looked at in `enter`, frames towards a captured port take the way of filtered ones (`Fate.filter`), and what leaves is looked at where
// mirrors look at it. Where frames are dropped, one look at the snapshot tells whether there are captures.

/// Captures what a port received, before anything is decided about it. Whether a frame is dropped later in this turn is noted in its record (`captureDrop`).
@inline(never) @_noLocks
func captureEntering(
    _ taps: CaptureTaps, _ count: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let frames = lcore.pointee.received, time = lcore.pointee.clock.nanoseconds(sluice_cycles())
    for place in 0..<taps.count {
        let tap = taps.first.unsafelyUnwrapped + place, state = tap.pointee.state
        state.pointee.recentCount = 0
        state.pointee.recentTurn = lcore.pointee.turns.load(ordering: .relaxed)
        if !tap.pointee.points.enters { continue }
        let verdicts = state.pointee.verdicts
        if var filter = tap.pointee.filter {
            let areAlike = sluice_filter_run(&filter, frames, UInt32(truncatingIfNeeded: count), verdicts)
            if areAlike, verdicts[0] != 0 { continue }
        }
        for index in 0..<count {
            if tap.pointee.filter != nil, verdicts[index] != 0 { continue }
            let frame = frames[index].unsafelyUnwrapped
            if tap.pointee.guest != 0, guest(of: frame, Passage(source, isLeaving: false), snapshot) != tap.pointee.guest { continue }
            let header = CaptureHeader(time: time, length: sluice_frame_length(frame), kept: 0, port: source, point: CapturePoint.entering.code)
            let written = record(frame, header, tap, lcore)
            // Without its addresses a frame is not found again.
            if written < 0 || sluice_frame_contiguous(frame) < 12 { continue }
            let known = state.pointee.recentCount
            state.pointee.recent[unchecked: known] = frame
            state.pointee.places[unchecked: known] = written
            state.pointee.recentCount = known &+ 1
        }
    }
}

/// Notes on frames when they were queued and in which class, and captures those that are captured before they wait.
@inline(never) @_noLocks
func captureQueued(
    _ tables: UnsafeMutablePointer<CaptureTables>, _ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ leaf: ClassID, _ port: PortIndex,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let taps = tables.pointee.leaving[unchecked: Int(port)]
    if taps.count == 0 { return }
    let now = lcore.pointee.now
    for index in 0..<count {
        let frame = frames[index].unsafelyUnwrapped
        sluice_frame_note(frame, tables.pointee.noteFlag, now &<< 16 | UInt64(leaf))
        for place in 0..<taps.count {
            let tap = taps.first.unsafelyUnwrapped + place
            if !tap.pointee.points.queues { continue }
            let header = CaptureHeader(time: now, length: sluice_frame_length(frame), kept: 0, port: port, leaf: leaf, point: CapturePoint.queued.code)
            capture(frame, tap, header, lcore, snapshot)
        }
    }
}

/// Captures a frame that is about to be given to a port, in the form in which it leaves.
@inline(never) @_noLocks
func captureLeaving(
    _ tables: UnsafeMutablePointer<CaptureTables>, _ frame: Frame, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let taps = tables.pointee.leaving[unchecked: Int(port)]
    if taps.count == 0 { return }
    var header = CaptureHeader(
        time: lcore.pointee.clock.nanoseconds(sluice_cycles()), length: sluice_frame_length(frame), kept: 0, port: port, point: CapturePoint.leaving.code)
    if sluice_frame_flags(frame) & tables.pointee.noteFlag != 0 {
        let note = sluice_frame_noted(frame)
        header.leaf = UInt16(truncatingIfNeeded: note)
        // The times of turns are compared, so that a frame that passed in the turn in which it came has waited for 0 ns. Notes have the low 48 bits.
        header.waited = (lcore.pointee.now &<< 16 &- (note & ~0xffff)) &>> 16
    }
    for place in 0..<taps.count {
        let tap = taps.first.unsafelyUnwrapped + place
        if tap.pointee.points.leaves { capture(frame, tap, header, lcore, snapshot) }
    }
}

/// Tells captures of a frame that is about to be freed because it is dropped. It does nothing if there are no captures.
/// - Parameters:
///   - port: where the frame is counted as dropped.
///   - isNew: whether the frame may have come in in this turn, so that there may be a record of it.
@inline(__always) @_noLocks
func noteDrop(_ frame: Frame, _ reason: DropReason, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, isNew: Bool = true) {
    // Rehearsals and trials have no snapshot there.
    if let snapshot = lcore.pointee.snapshot.load(ordering: .acquiring), _slowPath(snapshot.pointee.captures != nil) {
        captureDrop(frame, reason, port, isNew, lcore, snapshot)
    }
}

/// Does the same for several frames.
@inline(__always) @_noLocks
func noteDrops(
    _ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ reason: DropReason, _ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, isNew: Bool = true
) {
    guard let snapshot = lcore.pointee.snapshot.load(ordering: .acquiring), _slowPath(snapshot.pointee.captures != nil) else { return }
    for index in 0..<count { captureDrop(frames[index].unsafelyUnwrapped, reason, port, isNew, lcore, snapshot) }
}

@inline(never) @_noLocks
private func captureDrop(
    _ frame: Frame, _ reason: DropReason, _ port: PortIndex, _ isNew: Bool, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    // The capture may have begun in this turn, when the frame was left in its guest's buffers.
    guard sluice_frame_complete(frame) == 0 else { return }
    let tables = snapshot.pointee.captures.unsafelyUnwrapped, code = reason.rawValue
    // A clone is another frame than the one that came in, and may have the buffer of one that is gone.
    if isNew, sluice_frame_is_original(frame), sluice_frame_contiguous(frame) >= 12 {
        let turn = lcore.pointee.turns.load(ordering: .relaxed)
        for place in 0..<tables.pointee.states.count { find(frame, code, port, turn, tables.pointee.states[unchecked: place]) }
    }
    let isLeaving = code >= DropReason.portDown.rawValue
    let taps = isLeaving ? tables.pointee.leaving[unchecked: Int(port)] : tables.pointee.entering[unchecked: Int(port)]
    if taps.count == 0 { return }
    let point = isLeaving ? CapturePoint.queued : CapturePoint.entering
    var header = CaptureHeader(time: lcore.pointee.now, length: sluice_frame_length(frame), kept: 0, port: port, point: point.code, drop: code)
    if isLeaving, sluice_frame_flags(frame) & tables.pointee.noteFlag != 0 {
        let note = sluice_frame_noted(frame)
        header.leaf = UInt16(truncatingIfNeeded: note)
        header.waited = (lcore.pointee.now &<< 16 &- (note & ~0xffff)) &>> 16
    }
    for place in 0..<taps.count {
        let tap = taps.first.unsafelyUnwrapped + place
        // What came in has a record already, unless dropped frames alone are captured.
        if !tap.pointee.points.drops || tap.pointee.points.enters && !isLeaving { continue }
        capture(frame, tap, header, lcore, snapshot)
    }
}

/// Notes in the record of a frame that came in in this turn, if there is one, that it was dropped. The buffer of a frame that was sent meanwhile may be that of
/// another one by now, which came in by another port and so has another source address.
@inline(__always) @_noLocks
private func find(_ frame: Frame, _ reason: UInt8, _ port: PortIndex, _ turn: UInt64, _ state: UnsafeMutablePointer<CaptureState>) {
    if state.pointee.recentTurn != turn { return }
    for place in 0..<state.pointee.recentCount where state.pointee.recent[unchecked: place] == frame {
        let record = state.pointee.places[unchecked: place]
        guard state.pointee.ring.hasAddresses(record, of: UnsafeRawPointer(sluice_frame_bytes(frame).unsafelyUnwrapped)) else { continue }
        state.pointee.recent[unchecked: place] = nil
        state.pointee.ring.drop(record, reason, port: port)
    }
}

/// Captures a frame towards a port, or one that was dropped, if the capture is meant to have it.
@inline(never) @_noLocks
private func capture(
    _ frame: Frame, _ tap: UnsafeMutablePointer<CaptureTap>, _ header: CaptureHeader, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    if let leaves = tap.pointee.leaves, leaves[Int(header.leaf)] == 0 { return }
    if var filter = tap.pointee.filter {
        var one: Frame? = frame, verdict: UInt16 = 0
        _ = sluice_filter_run(&filter, &one, 1, &verdict)
        if verdict != 0 { return }
    }
    if tap.pointee.guest != 0 {
        let passage = Passage(header.port, isLeaving: header.point != CapturePoint.entering.code)
        if guest(of: frame, passage, snapshot) != tap.pointee.guest { return }
    }
    _ = record(frame, header, tap, lcore)
}

/// Copies a frame to a capture's ring.
/// - Returns: the place of its record; -1: it was not copied, which has been counted.
@inline(never) @_noLocks
private func record(_ frame: Frame, _ header: CaptureHeader, _ tap: UnsafeMutablePointer<CaptureTap>, _ lcore: UnsafeMutablePointer<Lcore>) -> Int {
    let state = tap.pointee.state
    state.pointee.matched &+= 1
    if !StormBuckets.consume(from: state.pointee.bucket.pointee.tokens, tap.pointee.limit, frames: 1, bytes: 0, at: lcore.pointee.now) {
        state.pointee.limited &+= 1
        return -1
    }
    var header = header
    header.kept = min(header.length, tap.pointee.longest)
    guard let bytes = state.pointee.ring.begin(Int(header.kept)) else {
        state.pointee.full &+= 1
        return -1
    }
    sluice_frame_read_front(frame, header.kept, bytes)
    return state.pointee.ring.finish(header)
}

extension CapturePoint {
    /// The same as `rawValue`, which may not be used under @_noLocks in unoptimised builds.
    @inline(__always) fileprivate var code: UInt8 { @_noLocks get { switch self { case .entering: 0; case .queued: 1; case .leaving: 2 } } }
}
