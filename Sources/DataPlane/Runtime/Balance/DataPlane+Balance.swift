import Configuration
import Synchronization

extension DataPlane {
    /// A move of queues that was planned or made.
    public struct MoveReport: Sendable {
        public var port: String
        public var queues: [Int]
        /// The CPUs that the queues move from and to.
        public var from: Int
        public var to: Int
        /// The load of the queues, as a part of a core from 0 to 1.
        public var load: Double
        /// Whether the queues have moved. If false, the move was only planned, or was given up because the old loop holds frames that may not leave yet.
        public var isDone: Bool
    }

    /// Plans moves of queues from busy loops to idle ones by the load of the last second, and makes them.
    /// - Parameter isDryRun: only plan the moves.
    public func balance(isDryRun: Bool) -> [MoveReport] {
        plan(gain: Balancer.leastGain).map { move in report(move, isDone: !isDryRun && make(move)) }
    }

    /// Samples the loads, places the queues of guests that have connected, and balances if that is switched on. `tick` calls it about once a second.
    func watchLoads() {
        loads.sample(snapshots, runtime.lcores, placement)
        // A guest that connects shows which NUMA node its memory is on, which was not known when its queues were placed.
        let connections = ports.values.reduce(0) { $0 &+ $1.link.state.pointee.connections.load(ordering: .relaxed) }
        if connections != seenConnections {
            seenConnections = connections
            if !placement.placing(requests(), on: placementLoops).moved(from: placement).isEmpty { publish() }
        }
        guard model.daemon.balance, runtime.lcores.count > 1 else { return }
        let moves = plan(gain: Balancer.leastAutomaticGain)
        if balancer.decides(load: loads.loops.max() ?? 0, hasMoves: !moves.isEmpty), let move = moves.first { _ = make(move) }
    }

    private func plan(gain: Double) -> [Placement.Move] { placement.balancing(loads.queues, requests(), on: placementLoops, gain: gain) }

    private func make(_ move: Placement.Move) -> Bool {
        guard move(to: placement.after(move), orGiveUp: true) else { return false }
        queueMoves += UInt64(move.queues.count)
        return true
    }

    private func report(_ move: Placement.Move, isDone: Bool) -> MoveReport {
        let port = ports.values.first { $0.index == move.queues[0].port }?.settings.name ?? ""
        return MoveReport(
            port: port, queues: move.queues.map(\.queue), from: runtime.lcores[cpu: move.from], to: runtime.lcores[cpu: move.to],
            load: move.load, isDone: isDone)
    }
}
