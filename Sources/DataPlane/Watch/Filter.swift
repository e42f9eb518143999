import DPDKShim

/// A filter as one lcore runs it.
struct FilterView {
    /// The last of its rules is its default.
    var filter: sluice_filter
    /// By rule: frames that it decided about. Written by the lcore.
    var hits: UnsafeMutablePointer<UInt64>
    /// Room for one of each frame of a burst.
    var verdicts: UnsafeMutablePointer<UInt16>
    /// Why frames that it denies are dropped.
    var reason: DropReason
    /// There is no other behind it.
    var isLast: Bool
}

/// What is to be done with what a port receives; nil: nothing.
@inline(__always) @_noLocks
func ingress(of port: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) -> UnsafeMutablePointer<IngressView>? {
    (snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)).pointee.ingress
}

/// Between polling and admission, and before frames are queued for a port that has a filter: has filters decide about frames. Those that stay, and their
/// lengths, move up; the others are freed and counted at the port. Returns how many stay.
@inline(never) @_noLocks
func filter(
    _ frames: UnsafeMutablePointer<Frame?>, _ lengths: UnsafeMutablePointer<UInt32>, _ number: Int, _ first: UnsafeMutablePointer<FilterView>, _ port: PortIndex,
    _ lcore: UnsafeMutablePointer<Lcore>
) -> Int {
    var view = first, left = number
    while left != 0 {
        let verdicts = view.pointee.verdicts
        if sluice_filter_run(&view.pointee.filter, frames, UInt32(truncatingIfNeeded: left), verdicts), allows(view, verdicts[0]) {
            count(view, verdicts[0], frames: left)
            if view.pointee.isLast { break }
            view += 1
            continue
        }
        var kept = 0
        for index in 0..<left {
            let frame = frames[index].unsafelyUnwrapped
            count(view, verdicts[index], frames: 1)
            if allows(view, verdicts[index]) {
                frames[kept] = frame
                lengths[kept] = lengths[index]
                kept &+= 1
            } else {
                lcore.pointee.counters[Int(port)].count(drop: view.pointee.reason)
                sluice_frame_free(frame)
            }
        }
        left = kept
        if view.pointee.isLast { break }
        view += 1
    }
    return left
}

/// Whether a frame stays on which this is the verdict.
@inline(__always) @_noLocks
private func allows(_ view: UnsafeMutablePointer<FilterView>, _ verdict: UInt16) -> Bool {
    verdict != UInt16(truncatingIfNeeded: SLUICE_FILTER_UNREADABLE) && view.pointee.filter.rules[Int(verdict)].allows
}

/// Counts frames on which this is the verdict.
@inline(__always) @_noLocks
private func count(_ view: UnsafeMutablePointer<FilterView>, _ verdict: UInt16, frames: Int) {
    if verdict != UInt16(truncatingIfNeeded: SLUICE_FILTER_UNREADABLE) { view.pointee.hits[Int(verdict)] &+= UInt64(frames) }
}
