/// Which poll loop polls which receive queue.
package struct Placement {
    /// A receive queue of a port.
    package struct Queue: Hashable {
        package var port: UInt16
        package var queue: Int
        package init(port: UInt16, queue: Int) { self.port = port; self.queue = queue }
    }
    /// A poll loop.
    package struct Loop {
        package var cpu: Int
        /// The NUMA node of the loop's CPU; -1: unknown.
        package var numaNode: Int
        package init(cpu: Int, numaNode: Int) { self.cpu = cpu; self.numaNode = numaNode }
    }
    /// What a port asks for when its queues are placed.
    package struct Request {
        package var port: UInt16
        package var queues: Int
        /// The CPUs that the port is pinned to; empty: any.
        package var cpus: [Int]
        package var numaNode: Int
        /// Whether all queues must be on one loop: the token bucket of a paced port has a single writer.
        package var together: Bool

        package init(port: UInt16, queues: Int, cpus: [Int] = [], numaNode: Int = -1, together: Bool = false) {
            self.port = port
            self.queues = queues
            self.cpus = cpus
            self.numaNode = numaNode
            self.together = together
        }
    }

    /// The index of the poll loop that polls each queue.
    package private(set) var loops: [Queue: Int] = [:]

    package init() {}

    /// Places every queue. A queue stays where it was if it may. Otherwise it goes to a CPU that its port is pinned to, or else to one on its port's NUMA node,
    /// or else to any; among those to the loop with the fewest queues. The same requests on the same placement always give the same result.
    package func placing(_ requests: [Request], on all: [Loop]) -> Placement {
        var result = Placement()
        var load = [Int](repeating: 0, count: all.count)
        var waiting: [(Queue, [Int])] = []
        for request in requests {
            let allowed = Self.allowed(request, all)
            for queue in 0..<request.queues {
                let key = Queue(port: request.port, queue: request.together ? 0 : queue)
                if let loop = loops[key], allowed.contains(loop) {
                    result.loops[Queue(port: request.port, queue: queue)] = loop
                    load[loop] += 1
                } else {
                    waiting.append((Queue(port: request.port, queue: queue), allowed))
                }
            }
        }
        let together = Set(requests.lazy.filter(\.together).map(\.port))
        for (queue, allowed) in waiting {
            let sibling = together.contains(queue.port) ? result.loops[Queue(port: queue.port, queue: 0)] : nil
            let loop = sibling ?? allowed.min { (load[$0], $0) < (load[$1], $1) } ?? 0
            result.loops[queue] = loop
            load[loop] += 1
        }
        return result
    }

    mutating func put(_ queue: Queue, on loop: Int) { loops[queue] = loop }

    static func allowed(_ request: Request, _ all: [Loop]) -> [Int] {
        let pinned = all.indices.filter { request.cpus.contains(all[$0].cpu) }
        if !pinned.isEmpty { return pinned }
        let near = all.indices.filter { request.numaNode >= 0 && all[$0].numaNode == request.numaNode }
        return near.isEmpty ? Array(all.indices) : near
    }

    /// The queues that another loop polled before. All loops must have stopped polling them before any loop takes them up.
    package func moved(from old: Placement) -> Set<Queue> {
        Set(loops.filter { key, loop in old.loops[key].map { $0 != loop } ?? false }.keys)
    }
}
