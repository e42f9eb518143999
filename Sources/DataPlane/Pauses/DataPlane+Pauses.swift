import Configuration
import DCB
import LinkProtocols
import Scheduler

/// What DCBX has found becomes what trees and loops do: traffic classes share the rates of physical ports, and priorities can be paused.
extension DataPlane {
    /// Brings the trees of physical ports to the traffic classes that are in use there. No frame is lost: queues stay where they are.
    func followSharing() {
        for port in connectedPorts where port.isPhysical {
            guard let tree = trees[port.treeName], case .outbound = tree.kind else { continue }
            let wanted = sharing(of: port)
            if tree.sharing != wanted {
                let output = { (item: ClassDescription) in self.outputIndex(of: item, tree.kind) }
                run(tree.commands(to: wanted, output: output), on: tree)
                tree.adopt(wanted, output: output)
            }
            followPriorities(of: port)
        }
    }

    private func sharing(of port: Port) -> TreeSharing? {
        guard port.settings.isByPriority, let used = discovery.published[port.index] else { return nil }
        return TreeSharing(used.ets?.parameters, used.applications ?? [], model.protocolTable)
    }

    /// Tells a port's loops for which priorities the switch at the other end may ask for pauses.
    private func followPriorities(of port: Port) {
        let used = port.settings.isByPriority ? discovery.published[port.index]?.pfc : nil
        let pauses = PortState.pauses(of: port.state)
        pauses.pointee.enabled.store(used?.enabled ?? 0, ordering: .relaxed)
        if used != nil, port.pauseFrames == nil { port.pauseFrames = port.link.askForPauseFrames() }
        pauses.pointee.isFollowed.store(used != nil, ordering: .relaxed)
    }

    /// The ports whose priorities can be paused, for one poll loop.
    func pauses(of connected: [Port], _ lcore: Int) -> UnsafeMutableBufferPointer<PauseView> {
        .copy(connected.compactMap { port in
            guard port.isPhysical, port.settings.isByPriority, let tree = trees[port.treeName] else { return nil }
            let pauses = PortState.pauses(of: port.state)
            return PauseView(
                port: port.index, tree: tree.instances[lcore], pauses: pauses, seen: pauses.pointee.changes.load(ordering: .relaxed) &- 1)
        })
    }

    /// Ends pauses that last too long, and says so; also when they are followed again.
    func watchPauses() {
        for port in connectedPorts where port.isPhysical && port.settings.isByPriority {
            let pauses = PortState.pauses(of: port.state)
            if case let speed = port.link.megabits, speed != 0, speed != .max { pauses.pointee.speed.store(speed, ordering: .relaxed) }
            let found = pauses.pointee.watch(at: runtime.now)
            for priority in 0..<8 {
                let bit: UInt8 = 1 << UInt8(priority)
                if found.storms[priority] != port.pauseReport.storms[priority] {
                    notices.append("""
                        port \(port.settings.name): the switch at the other end has paused priority \(priority) for \
                        \(PauseReceiver.longestPause / 1_000_000) ms without a break. Its frames leave again, and its pauses are ignored until none was asked for in \(PauseReceiver.recovery / 1_000_000) ms
                        """)
                } else if port.pauseReport.storming & bit != 0, found.storming & bit == 0 {
                    notices.append("port \(port.settings.name): the switch at the other end may pause priority \(priority) again")
                }
            }
            port.pauseReport = found
        }
    }
}

/// Whether a port's driver gives pause frames to the switch.
public enum PauseFrames: Sendable {
    /// The driver has no flow control of its own, or leaves it to the switch.
    case arrive
    /// The driver, whose name this is, keeps them.
    case kept(driver: String)
}

extension DataPlane {
    /// What a physical port has been asked to pause.
    public struct PauseReport: Sendable {
        public var received: PauseReceiver
        /// nil: pauses are not followed.
        public var frames: PauseFrames?
        /// What each traffic class has sent by the port, frames of floors included; empty if there are none.
        public var sent: [SentCount]
    }

    func pauseReport(of port: Port) -> PauseReport? {
        guard port.settings.isByPriority, let tree = trees[port.treeName] else { return nil }
        let sent = (0..<8).map { index in
            tree.instances.reduce(SentCount(bytes: 0, frames: 0)) { sum, instance in
                let own = instance.pointee.sent(by: index)
                return SentCount(bytes: sum.bytes &+ own.bytes, frames: sum.frames &+ own.frames)
            }
        }
        return PauseReport(
            received: PortState.pauses(of: port.state).pointee.watch(at: runtime.now),
            frames: discovery.published[port.index]?.pfc == nil ? nil : port.pauseFrames, sent: tree.sharing == nil ? [] : sent)
    }
}
