import Scheduler

/// FQ-CoDel (RFC 8290, 8289) written to be obviously right and nothing else: a dictionary of flows, arrays for queues, floating point for the control law.
final class FlowModel {
    struct Frame { var tag: UInt32, length: Int, since: Nanoseconds }

    final class Flow {
        var queue: [Frame] = []
        var deficit = 0
        var firstAbove: Nanoseconds = 0, dropNext: Nanoseconds = 0
        var count = 0, lastCount = 0
        var dropping = false
    }

    let target: Nanoseconds, interval: Nanoseconds
    private var flows: [UInt32: Flow] = [:]
    private var new: [UInt32] = [], old: [UInt32] = []
    /// Tags, as CoDel dropped them.
    private(set) var dropped: [UInt32] = []
    /// Whether a drop was, or was just not, due within a microsecond.
    var isTied = false

    init(target: Nanoseconds, interval: Nanoseconds) {
        self.target = target
        self.interval = interval
    }

    var frames: Int { flows.values.reduce(0) { $0 + $1.queue.count } }
    var newFlows: Int { new.count }
    var oldFlows: Int { old.count }

    func enqueue(_ frame: Frame, flow key: UInt32) {
        let flow = flows[key] ?? Flow()
        flows[key] = flow
        flow.queue.append(frame)
        if !new.contains(key), !old.contains(key) {
            flow.deficit = 1_514
            new.append(key)
        }
    }

    /// The tag of the frame that leaves.
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
            // Nobody has frames: whoever comes next begins.
            if frames == 0 { (new, old) = ([], []) }
            return frame.tag
        }
        return nil
    }

    private func isStale(_ flow: Flow, at now: Nanoseconds) -> Bool {
        guard let frame = flow.queue.first, now - frame.since >= target, flow.queue.reduce(0, { $0 + $1.length }) > max(frame.length, 1_514) else {
            flow.firstAbove = 0
            return false
        }
        if flow.firstAbove == 0 {
            flow.firstAbove = now + interval
            return false
        }
        return now >= flow.firstAbove
    }

    private func law(_ flow: Flow, after time: Nanoseconds) -> Nanoseconds { time + Nanoseconds(Double(interval) / Double(flow.count).squareRoot()) }

    private func noteTie(_ flow: Flow, at now: Nanoseconds) {
        if flow.dropping, max(now, flow.dropNext) - min(now, flow.dropNext) < 1_000 { isTied = true }
    }

    private func dropStale(_ flow: Flow, at now: Nanoseconds) {
        var stale = isStale(flow, at: now)
        if flow.dropping {
            if !stale { flow.dropping = false }
            noteTie(flow, at: now)
            while flow.dropping, now >= flow.dropNext {
                dropped.append(flow.queue.removeFirst().tag)
                flow.count += 1
                stale = isStale(flow, at: now)
                if stale { flow.dropNext = law(flow, after: flow.dropNext) } else { flow.dropping = false }
                noteTie(flow, at: now)
            }
        } else if stale {
            dropped.append(flow.queue.removeFirst().tag)
            _ = isStale(flow, at: now)
            flow.dropping = true
            let more = flow.count - flow.lastCount
            flow.count = more > 1 && now < flow.dropNext + 16 * interval ? more : 1
            flow.lastCount = flow.count
            flow.dropNext = law(flow, after: now)
        }
    }
}
