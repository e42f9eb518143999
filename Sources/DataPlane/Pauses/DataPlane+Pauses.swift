import Configuration
import DCB
import LinkProtocols
import Scheduler

/// What DCBX has found becomes what trees and loops do: traffic classes share the rates of physical ports, and priorities can be paused.
extension DataPlane {
    /// Brings trees to the traffic classes that are in use at physical ports, and to the priorities that must lose nothing there. No frame is lost: queues stay
    /// where they are.
    func followSharing() {
        var inbound: [String: LosslessLeaves] = [:]
        for port in connectedPorts where port.isPhysical {
            let lossless = lossless(of: port).leaves
            inbound[port.settings.bridge] = inbound[port.settings.bridge].map { $0 | lossless } ?? lossless
            if let tree = trees[port.treeName], case .outbound = tree.kind { bring(tree, to: sharing(of: port), lossless) }
            followPriorities(of: port)
        }
        for (name, tree) in trees { if case .inbound = tree.kind { bring(tree, to: nil, inbound[name] ?? LosslessLeaves()) } }
    }

    private func bring(_ tree: Tree, to sharing: TreeSharing?, _ lossless: LosslessLeaves) {
        if tree.sharing == sharing, tree.lossless == lossless { return }
        let output = { (item: ClassDescription) in self.outputIndex(of: item, tree.kind) }
        run(tree.commands(to: sharing, lossless, output: output), on: tree)
        tree.adopt(sharing, lossless, output: output)
    }

    private func sharing(of port: Port) -> TreeSharing? {
        guard port.settings.isByPriority else { return nil }
        // A port that negotiates nothing may still be paused as a whole.
        let used = discovery.published[port.index]
        if used == nil, !port.settings.dcbInUse.pausesLink { return nil }
        return TreeSharing(used?.ets?.parameters, used?.applications ?? [], model.protocolTable)
    }

    /// The frames that must not be lost on their way to and from a port: those of priorities that may be paused or, where there are none and the link itself
    /// may be paused, all.
    /// - Returns: the leaves for these frames, and the rows of the protocol table, a bit for each.
    private func lossless(of port: Port) -> (leaves: LosslessLeaves, rows: UInt64) {
        guard port.settings.isByPriority else { return (LosslessLeaves(), 0) }
        let used = discovery.published[port.index], enabled = used?.pfc?.enabled ?? 0, applications = used?.applications ?? []
        if enabled == 0 {
            return port.settings.dcbInUse.pausesLink ? (LosslessLeaves(protocols: Set(model.protocolTable.map(\.name)), includesOthers: true), .max) : (LosslessLeaves(), 0)
        }
        func isLossless(_ pcp: UInt8) -> Bool { enabled >> (pcp & 7) & 1 != 0 }
        let others = isLossless(applications.standardPriority ?? 0)
        let protocols = model.protocolTable.filter { isLossless(applications.priority(of: $0.matches) ?? UInt8($0.pcp)) }.map(\.name)
        let rows = protocols.reduce(others ? 1 : 0 as UInt64) { rows, name in rows | (protocolNumbers[name].map { 1 << UInt64($0) } ?? 0) }
        return (LosslessLeaves(protocols: Set(protocols), includesOthers: others), rows)
    }

    /// Tells a port's loops for which priorities the switch at the other end may ask for pauses, and what they need to know to ask for some.
    private func followPriorities(of port: Port) {
        let used = port.settings.isByPriority ? discovery.published[port.index]?.pfc : nil
        let isFollowed = used != nil || port.settings.isByPriority && port.settings.dcbInUse.pausesLink
        let pauses = PortState.pauses(of: port.state)
        pauses.pointee.enabled.store(used?.enabled ?? 0, ordering: .relaxed)
        if isFollowed, port.pauseFrames == nil { port.pauseFrames = port.link.askForPauseFrames() }
        pauses.pointee.isFollowed.store(isFollowed, ordering: .relaxed)
        let requests = pauses.pointee.requests
        requests.pointee.isByPriority.store(used.map { $0.enabled != 0 } ?? false, ordering: .relaxed)
        requests.pointee.address.store(port.address.value, ordering: .relaxed)
        for (priority, buffer) in buffers(of: port).enumerated() { requests.pointee.set(buffer, for: priority) }
    }

    /// The buffer of each priority at a port.
    private func buffers(of port: Port) -> [LosslessBuffer] {
        let speed = PortState.pauses(of: port.state).pointee.speed.load(ordering: .relaxed), settings = port.settings.dcbInUse.buffer
        // One queue may take no more than half of what all share (see `ClassTree.enqueue`), counted in frames of the usual length.
        let most = runtime.bufferLimit / max(runtime.lcores.count, 1) / 4 * 1_514
        return (0..<8).map { priority in
            LosslessBuffer(size: settings?.size(of: priority), speed: speed, longestFrame: Int(port.maxFrame) + 8, most: most)
        }
    }

    /// The ports whose priorities can be paused, for one poll loop.
    func pauses(of connected: [Port], _ lcore: Int) -> UnsafeMutableBufferPointer<PauseView> {
        .copy(connected.compactMap { port in
            guard port.isPhysical, port.settings.isByPriority, let tree = trees[port.treeName] else { return nil }
            let pauses = PortState.pauses(of: port.state), withheld = runtime.lcores[lcore].withheld + Int(port.index)
            if withheld.pointee == nil { withheld.pointee = .zeroed(1) }
            return PauseView(
                port: port.index, tree: tree.instances[lcore], pauses: pauses, seen: pauses.pointee.changes.load(ordering: .relaxed) &- 1,
                rows: lossless(of: port).rows)
        })
    }

    /// Says which pauses have lasted too long, and when they are followed again.
    func watchPauses() {
        for port in connectedPorts where port.isPhysical && port.settings.isByPriority {
            let pauses = PortState.pauses(of: port.state)
            if case let speed = port.link.megabits, speed != 0, speed != .max, speed != pauses.pointee.speed.load(ordering: .relaxed) {
                pauses.pointee.speed.store(speed, ordering: .relaxed)
                followPriorities(of: port)
            }
            let givenUp = pauses.pointee.requests.pointee.givenUp.load(ordering: .relaxed)
            if givenUp != port.givenUpQueues {
                notices.append("""
                    port \(port.settings.name): a receiver of lossless frames has taken none for 200 ms. Nobody is asked to stop for it \
                    until it does, and its frames may be lost
                    """)
                port.givenUpQueues = givenUp
            }
            let found = pauses.pointee.seen(at: runtime.now)
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
        /// What the switch at the other end was asked to pause; how many queues were given up; and the buffer of each priority.
        public var requested: PauseSender
        public var givenUp: UInt64
        public var buffers: [LosslessBuffer]
        /// The priorities that must lose nothing; all, if the whole link is paused for them.
        public var lossless: UInt8
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
        let pauses = PortState.pauses(of: port.state), enabled = pauses.pointee.enabled.load(ordering: .relaxed)
        let isFollowed = pauses.pointee.isFollowed.load(ordering: .relaxed)
        return PauseReport(
            received: pauses.pointee.seen(at: runtime.now), frames: isFollowed ? port.pauseFrames : nil,
            requested: pauses.pointee.requests.pointee.sent, givenUp: pauses.pointee.requests.pointee.givenUp.load(ordering: .relaxed),
            buffers: buffers(of: port), lossless: enabled != 0 ? enabled : port.settings.dcbInUse.pausesLink ? 0xff : 0, sent: tree.sharing == nil ? [] : sent)
    }
}
