import DPDKShim

/// A filter of a port as one lcore runs it. A port's filters lie one after another in memory; `isLast` marks the last.
struct FilterView {
    /// The rules and their programs. The last rule is the filter's default.
    var filter: sluice_filter
    /// For each rule the number of frames that it decided about on this lcore, which alone writes it.
    var hits: UnsafeMutablePointer<UInt64>
    /// Room for the verdicts on a burst.
    var verdicts: UnsafeMutablePointer<UInt16>
    /// The reason under which frames that the filter denies are counted as dropped.
    var reason: DropReason
    /// Whether no other filter follows.
    var isLast: Bool
}

/// What is done to the frames that a port receives before they are admitted; nil if nothing is.
@inline(__always) @_noLocks
func ingress(of port: PortIndex, _ snapshot: UnsafeMutablePointer<Snapshot>) -> UnsafeMutablePointer<IngressView>? {
    (snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)).pointee.ingress
}

/// Whether something of it looks at whole frames.
@inline(__always) @_noLocks
func looksAtWholeFrames(_ ingress: UnsafeMutablePointer<IngressView>?) -> Bool {
    guard let ingress else { return false }
    return ingress.pointee.looksAtWholeFrames
}

/// Has a port's filters decide about frames: about received frames before their admission, and about frames towards the port before they are queued. Frames
/// that may pass, and their lengths, are moved to the front; the others are freed and counted as dropped at the port. A frame on which there is no readable
/// verdict is dropped, too.
///
/// - Parameters:
///   - number: the number of frames.
///   - first: the first of the port's filters.
/// - Returns: the number of frames that may pass.
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
                noteDrop(frame, view.pointee.reason, port, lcore)
                sluice_frame_free(frame)
            }
        }
        left = kept
        if view.pointee.isLast { break }
        view += 1
    }
    return left
}

/// Whether frames with this verdict may pass.
@inline(__always) @_noLocks
private func allows(_ view: UnsafeMutablePointer<FilterView>, _ verdict: UInt16) -> Bool {
    verdict != UInt16(truncatingIfNeeded: SLUICE_FILTER_UNREADABLE) && view.pointee.filter.rules[Int(verdict)].allows
}

/// Counts frames with this verdict for the rule that decided about them.
@inline(__always) @_noLocks
private func count(_ view: UnsafeMutablePointer<FilterView>, _ verdict: UInt16, frames: Int) {
    if verdict != UInt16(truncatingIfNeeded: SLUICE_FILTER_UNREADABLE) { view.pointee.hits[Int(verdict)] &+= UInt64(frames) }
}
