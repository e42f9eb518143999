import DPDKShim

/// A filter as one lcore runs it.
struct FilterView {
    /// The last is its default.
    var rules: UnsafeMutablePointer<sluice_filter_rule>
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
    _ frames: UnsafeMutablePointer<Frame?>, _ lengths: UnsafeMutablePointer<UInt32>, _ count: Int, _ first: UnsafeMutablePointer<FilterView>, _ port: PortIndex,
    _ lcore: UnsafeMutablePointer<Lcore>
) -> Int {
    var view = first, left = count
    while left != 0 {
        sluice_filter_run(view.pointee.rules, frames, UInt32(truncatingIfNeeded: left), view.pointee.verdicts)
        var kept = 0
        for index in 0..<left {
            let frame = frames[index].unsafelyUnwrapped
            if allows(view, view.pointee.verdicts[index]) {
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

/// Counts a verdict.
@inline(__always) @_noLocks
private func allows(_ view: UnsafeMutablePointer<FilterView>, _ verdict: UInt16) -> Bool {
    if verdict == UInt16(truncatingIfNeeded: SLUICE_FILTER_UNREADABLE) { return false }
    view.pointee.hits[Int(verdict)] &+= 1
    return view.pointee.rules[Int(verdict)].allows
}
