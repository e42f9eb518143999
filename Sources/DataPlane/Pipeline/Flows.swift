import DPDKShim
import Packet
import Scheduler

/// Sets the flow of those offered frames whose leaves queue flows apart, and says of those whose leaves mark frames whether their transport understands marks.
/// The frames are parsed again, because the frames of a run share one record but may belong to many flows. Their headers are still in the cache.
@inline(never) @_noLocks
func tellFlows(_ first: Int, _ end: Int, _ tree: UnsafeMutablePointer<ClassTree>, _ lcore: UnsafeMutablePointer<Lcore>) {
    var record = FrameRecord()
    for index in first..<end {
        let offered = lcore.pointee.offered + index
        let marks = tree.pointee.marks(offered.pointee.leaf), queuesFlows = tree.pointee.queuesFlows(offered.pointee.leaf)
        if !queuesFlows && !marks { continue }
        let frame = Frame(offered.pointee.handle)
        guard let bytes = sluice_frame_bytes(frame) else { continue }
        let start = UnsafeRawPointer(bytes), contiguous = Int(sluice_frame_contiguous(frame))
        if marks, CongestionNotification.isCapable(start, readable: contiguous) { offered.pointee.tag |= CongestionTag.capable }
        if !queuesFlows { continue }
        parse(start, contiguous: contiguous, length: sluice_frame_length(frame), into: &record)
        offered.pointee.flow = flowHash(start, contiguous: contiguous, &record, seed: tree.pointee.flowSeed)
    }
}
