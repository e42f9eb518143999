extension Placement {
    /// A queue that is to be moved to another loop, or all queues of a paced port, which must stay on one loop.
    package struct Move: Equatable {
        package var queues: [Queue]
        package var from: Int
        package var to: Int
        /// The load of the queues, as a part of a core from 0 to 1.
        package var load: Double
    }

    /// Moves that even out the loads of the loops, the most useful first.
    ///
    /// - Parameters:
    ///   - loads: the part of a core that each queue takes, 0 to 1.
    ///   - requests: what the ports ask for.
    ///   - all: the loops.
    ///   - gain: how much a move must at least lower the load of the busier of its two loops, so that small changes of load move nothing.
    ///   - most: the largest number of moves.
    package func balancing(_ loads: [Queue: Double], _ requests: [Request], on all: [Loop], gain: Double, most: Int = 8) -> [Move] {
        var totals = [Double](repeating: 0, count: all.count)
        for (queue, loop) in loops { totals[loop] += loads[queue] ?? 0 }
        var units: [(queues: [Queue], allowed: [Int], loop: Int, load: Double)] = []
        for request in requests {
            let allowed = Self.allowed(request, all)
            let queues = (0..<request.queues).map { Queue(port: request.port, queue: $0) }.filter { loops[$0] != nil }
            for unit in request.together ? [queues] : queues.map({ [$0] }) where !unit.isEmpty {
                units.append((unit, allowed, loops[unit[0]]!, unit.reduce(0) { $0 + (loads[$1] ?? 0) }))
            }
        }
        var moves: [Move] = []
        while moves.count < most {
            // Where several moves gain the same, the first is taken, so that equal loads lead to equal moves.
            var best: (unit: Int, to: Int, gain: Double)?
            for (index, unit) in units.enumerated() {
                for target in unit.allowed where target != unit.loop {
                    let busier = max(totals[unit.loop], totals[target])
                    let after = max(totals[unit.loop] - unit.load, totals[target] + unit.load)
                    if busier - after > best?.gain ?? 0 { best = (index, target, busier - after) }
                }
            }
            guard let best, best.gain >= gain else { break }
            let unit = units[best.unit]
            totals[unit.loop] -= unit.load
            totals[best.to] += unit.load
            units[best.unit].loop = best.to
            moves.append(Move(queues: unit.queues, from: unit.loop, to: best.to, load: unit.load))
        }
        return moves
    }

    /// The placement after a move.
    package func after(_ move: Move) -> Placement {
        var result = self
        for queue in move.queues { result.put(queue, on: move.to) }
        return result
    }
}
