import Scheduler

/// FQ-CoDel (RFC 8290), written only to be obviously right: flows are in a dictionary, and queues are arrays.
final class FlowModel {
    struct Frame { var tag: UInt32, length: Int, since: Nanoseconds }

    final class Flow {
        var queue: [Frame] = []
        var deficit = 0
        var codel: CoDelModel
        init(_ codel: CoDelModel) { self.codel = codel }
    }

    let target: Nanoseconds, interval: Nanoseconds
    private var flows: [UInt32: Flow] = [:]
    private var new: [UInt32] = [], old: [UInt32] = []
    /// The tags of the frames that CoDel dropped, in this order.
    private(set) var dropped: [UInt32] = []
    /// Whether a decision to drop depended on less than a microsecond.
    var isTied = false

    init(target: Nanoseconds, interval: Nanoseconds) {
        self.target = target
        self.interval = interval
    }

    var frames: Int { flows.values.reduce(0) { $0 + $1.queue.count } }
    var newFlows: Int { new.count }
    var oldFlows: Int { old.count }

    func enqueue(_ frame: Frame, flow key: UInt32) {
        let flow = flows[key] ?? Flow(CoDelModel(target: target, interval: interval))
        flows[key] = flow
        flow.queue.append(frame)
        if !new.contains(key), !old.contains(key) {
            flow.deficit = 1_514
            new.append(key)
        }
    }

    /// Returns the tag of the frame that leaves.
    func dequeue(at now: Nanoseconds) -> UInt32? {
        while let key = new.first ?? old.first {
            let isNew = !new.isEmpty, flow = flows[key]!
            func leaveList() { if isNew { new.removeFirst() } else { old.removeFirst() } }
            if flow.deficit <= 0 {
                flow.deficit += 1_514
                leaveList()
                old.append(key)
                continue
            }
            if flow.queue.isEmpty {
                leaveList()
                if isNew, !old.isEmpty { old.append(key) }
                continue
            }
            dropStale(flow, at: now)
            let frame = flow.queue.removeFirst()
            flow.deficit -= frame.length
            // No flow has frames, so whichever sends next begins.
            if frames == 0 { (new, old) = ([], []) }
            return frame.tag
        }
        return nil
    }

    private func dropStale(_ flow: Flow, at now: Nanoseconds) {
        let count = flow.codel.drops(of: flow.queue.map { ($0.length, $0.since) }, at: now)
        dropped += flow.queue.prefix(count).map(\.tag)
        flow.queue.removeFirst(count)
        if flow.codel.isTied { isTied = true }
        flow.codel.forgetTie()
    }
}
