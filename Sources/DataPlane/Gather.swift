import DPDKShim
import Packet

/// Most leaves whose frames are brought together within a burst.
private let mostGroups = 8

/// Stage 4, first half: orders the runs of a burst so that those of one leaf follow one another, which then costs once what would cost each
/// run. Frames of one flow have one leaf and stay in order; between leaves a burst has none to keep. Bursts for more than a few leaves
/// stay as they are: there is little to bring together. Fills `lcore.order`.
@inline(__always) @_noLocks
func gather(_ runs: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    let order = lcore.pointee.order
    for run in 0..<runs { order[run] = UInt8(truncatingIfNeeded: run) }
    if runs > 2 { group(runs, lcore) }
}

@inline(never) @_noLocks
private func group(_ runs: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    let records = lcore.pointee.records
    // Runs of a group are chained by their numbers; a group's first run tells what its leaf is.
    var firsts = InlineArray<8, UInt8>(repeating: 0)
    var lasts = InlineArray<8, UInt8>(repeating: 0)
    var following = InlineArray<32, UInt8>(repeating: 0)
    var groups = 0
    for run in 0..<runs {
        let number = UInt8(truncatingIfNeeded: run)
        var index = 0
        while index < groups, !records[run].fares(as: records + Int(firsts[unchecked: index])) { index &+= 1 }
        if index == groups {
            if groups == mostGroups { return }
            groups &+= 1
            firsts[unchecked: index] = number
        } else {
            following[unchecked: Int(lasts[unchecked: index])] = number
        }
        lasts[unchecked: index] = number
    }
    if groups == 1 { return }
    let order = lcore.pointee.order
    var place = 0
    for index in 0..<groups {
        var run = firsts[unchecked: index]
        while true {
            order[place] = run
            place &+= 1
            if run == lasts[unchecked: index] { break }
            run = following[unchecked: Int(run)]
        }
    }
}

extension FrameRecord {
    /// The same output, guests, protocol and tag, and so the same leaf and the same treatment on the way out.
    @inline(__always) @_noLocks
    func fares(as other: UnsafeMutablePointer<FrameRecord>) -> Bool {
        forwarding == other.pointee.forwarding && protocolID == other.pointee.protocolID && tci == other.pointee.tci
            && tagCount == other.pointee.tagCount
    }
}
