import Scheduler

/// CoDel (RFC 8289), written only to be obviously right: a queue is an array, and the control law is computed in floating point.
struct CoDelModel {
    var target: Nanoseconds = 0, interval: Nanoseconds = 0
    private var firstAbove: Nanoseconds = 0, dropNext: Nanoseconds = 0
    private var count = 0, lastCount = 0
    private var dropping = false
    /// Whether the decision to drop depended on less than a microsecond, so that it may depend on rounding and must not be compared.
    private(set) var isTied = false

    init() {}

    init(target: Nanoseconds, interval: Nanoseconds) { (self.target, self.interval) = (target, interval) }

    mutating func forgetTie() { isTied = false }

    /// How many frames are dropped from the head of the queue when a frame is asked for.
    mutating func drops(of queue: [(length: Int, since: Nanoseconds)], at now: Nanoseconds) -> Int {
        var rest = queue[...]
        var stale = isStale(rest, at: now)
        if dropping {
            if !stale { dropping = false }
            noteTie(at: now)
            while dropping, now >= dropNext {
                rest.removeFirst()
                count += 1
                stale = isStale(rest, at: now)
                if stale { dropNext = law(after: dropNext) } else { dropping = false }
                noteTie(at: now)
            }
        } else if stale {
            rest.removeFirst()
            _ = isStale(rest, at: now)
            dropping = true
            let more = count - lastCount
            count = more > 1 && now < dropNext + 16 * interval ? more : 1
            lastCount = count
            dropNext = law(after: now)
        }
        return queue.count - rest.count
    }

    private mutating func isStale(_ queue: ArraySlice<(length: Int, since: Nanoseconds)>, at now: Nanoseconds) -> Bool {
        guard let frame = queue.first, now - frame.since >= target, queue.reduce(0, { $0 + $1.length }) > max(frame.length, 1_514) else {
            firstAbove = 0
            return false
        }
        if firstAbove == 0 {
            firstAbove = now + interval
            return false
        }
        return now >= firstAbove
    }

    private func law(after time: Nanoseconds) -> Nanoseconds { time + Nanoseconds(Double(interval) / Double(count).squareRoot()) }

    private mutating func noteTie(at now: Nanoseconds) { if dropping, max(now, dropNext) - min(now, dropNext) < 1_000 { isTied = true } }
}

extension Oracle {
    /// Drops the first frames of a leaf that CoDel drops at this time.
    func dropStale(_ leaf: Class, at now: Nanoseconds) {
        guard let count = leaf.codel?.drops(of: leaf.queue.map { (Int($0.charge.bytes), $0.since) }, at: now) else { return }
        leaf.queue.removeFirst(count)
        held -= count
        droppedByCoDel += count
        for c in leaf.way { c.counts.droppedCoDel += UInt64(count) }
    }

    /// Whether rounding in the control law may have decided something.
    var isTied: Bool { classes.values.contains { $0.codel?.isTied ?? false } }
}
