import Scheduler

/// The part of a core that each queue and each loop took between the last two samples, which are about a second apart.
struct Loads {
    /// For each queue, the sum of `ReceiveQueue.cycles` in snapshots that have been freed.
    private var past: [Placement.Queue: UInt64] = [:]
    private var last: [Placement.Queue: UInt64] = [:]
    private var lastLoops: [(busy: UInt64, all: UInt64)] = []
    /// Loads as parts of a core, 0 to 1. The time that a loop spends on sending is divided among its queues in proportion to their time for receiving.
    private(set) var queues: [Placement.Queue: Double] = [:]
    private(set) var loops: [Double] = []

    /// Keeps the cycles of a snapshot that no loop uses any more, before it is freed.
    mutating func retire(_ snapshot: UnsafeMutablePointer<Snapshot>) {
        for queue in snapshot.pointee.receiveQueues { past[Placement.Queue(queue), default: 0] &+= queue.cycles }
    }

    mutating func sample(_ snapshots: [UnsafeMutablePointer<Snapshot>], _ lcores: UnsafeMutableBufferPointer<Lcore>, _ placement: Placement) {
        var now = past
        for snapshot in snapshots { for queue in snapshot.pointee.receiveQueues { now[Placement.Queue(queue), default: 0] &+= queue.cycles } }
        let nowLoops = lcores.indices.map { index in
            let lcore = lcores.baseAddress! + index
            let busy = lcore.pointee.busyCycles
            return (busy: busy, all: busy &+ lcore.pointee.idleCycles &+ lcore.pointee.sleeper.counters.cycles)
        }
        defer { last = now; lastLoops = nowLoops }
        guard lastLoops.count == nowLoops.count else { return }
        loops = zip(nowLoops, lastLoops).map { $0.all > $1.all ? Double($0.busy &- $1.busy) / Double($0.all &- $1.all) : 0 }
        let spent = placement.loops.keys.reduce(into: [:]) { $0[$1] = Double((now[$1] ?? 0) &- (last[$1] ?? 0)) }
        var sums = [Double](repeating: 0, count: loops.count)
        for (queue, loop) in placement.loops { sums[loop] += spent[queue] ?? 0 }
        queues = [:]
        for (queue, loop) in placement.loops { queues[queue] = sums[loop] > 0 ? loops[loop] * (spent[queue] ?? 0) / sums[loop] : 0 }
        // Queues of ports that are gone are forgotten.
        past = past.filter { placement.loops[$0.key] != nil }
    }
}

extension Placement.Queue {
    init(_ queue: ReceiveQueue) { self.init(port: queue.port, queue: Int(queue.queue)) }
}
