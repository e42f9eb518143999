/// Which poll loop polls which queue.
package struct Placement {
    package struct Queue: Hashable {
        package var port: UInt16
        package var queue: Int
        package init(port: UInt16, queue: Int) { self.port = port; self.queue = queue }
    }
    package struct Loop {
        package var cpu: Int
        /// -1: unknown.
        package var numaNode: Int
        package init(cpu: Int, numaNode: Int) { self.cpu = cpu; self.numaNode = numaNode }
    }
    /// What a port asks for.
    package struct Request {
        package var port: UInt16
        package var queues: Int
        /// CPUs it is pinned to; empty: anywhere.
        package var cpus: [Int]
        package var numaNode: Int
        /// All queues on one loop: a paced port's bucket has one writer.
        package var together: Bool

        package init(port: UInt16, queues: Int, cpus: [Int] = [], numaNode: Int = -1, together: Bool = false) {
            self.port = port
            self.queues = queues
            self.cpus = cpus
            self.numaNode = numaNode
            self.together = together
        }
    }

    /// Poll loop by queue.
    package private(set) var loops: [Queue: Int] = [:]

    package init() {}

    /// Places every queue: where it was if it may stay; otherwise on a CPU it is pinned to, on its NUMA node if it can, where the fewest queues
    /// are. Pure: the same requests on the same placement give the same answer.
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

    /// The queues that another loop polled before: they must be let go everywhere before anyone takes them up.
    package func moved(from old: Placement) -> Set<Queue> {
        Set(loops.filter { key, loop in old.loops[key].map { $0 != loop } ?? false }.keys)
    }
}
