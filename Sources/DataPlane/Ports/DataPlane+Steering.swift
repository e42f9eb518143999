import Packet

/// Has NICs with several receive queues deliver frames on the loops that serve the guests they are for. Otherwise a frame may arrive on one loop while its
/// guest's port, and with it the guest's cache lines and classes, is on another.
extension DataPlane {
    /// How the frames for guests' addresses are spread over a NIC's receive queues.
    public struct SteeringReport: Sendable {
        /// The addresses for which one queue is the right one.
        public var addresses: Int
        /// How many of them the NIC has a rule for.
        public var rules: Int
        /// Why not all have one, as a sentence; nil: all have.
        public var refusal: String?
    }

    /// Makes the NICs' rules follow what is on which loop now. `tick` calls it.
    func steer() {
        for port in ports.values {
            guard let link = port.link as? PhysicalLink, link.queues > 1 else { continue }
            link.ethernet.queueRules.follow(wantedQueues(of: port))
        }
    }

    /// nil: there is nothing to choose, as the port is not a NIC with several receive queues, or one loop polls all of them.
    func steeringReport(_ port: Port) -> SteeringReport? {
        guard let link = port.link as? PhysicalLink, Set(loops(of: port)).count > 1 else { return nil }
        return SteeringReport(addresses: wantedQueues(of: port).count, rules: link.ethernet.queueRules.count, refusal: link.ethernet.queueRules.refusal)
    }

    private func wantedQueues(of port: Port) -> [MACAddress: Int] {
        let queues = loops(of: port)
        guard Set(queues).count > 1, let bound = bridges[port.settings.bridge]?.bound else { return [:] }
        let serving = Dictionary(ports.values.map { ($0.index, loopsInUse(of: $0)) }) { first, _ in first }
        var addresses: [MACAddress: Set<Int>] = [:]
        // One address may be on several ports, in different VLANs.
        for (station, binding) in bound where binding.port != port.index { addresses[station.mac, default: []].formUnion(serving[binding.port] ?? []) }
        return Steering.queues(for: addresses, loops: queues)
    }

    /// The loop that polls each receive queue of a port, by the queue's number; none: they are not placed.
    private func loops(of port: Port) -> [Int] {
        let loops = (0..<port.link.queues).compactMap { placement.loops[Placement.Queue(port: port.index, queue: $0)] }
        return loops.count == port.link.queues ? loops : []
    }

    /// The loops that poll those receive queues that are in use: a guest may use fewer than its port has.
    private func loopsInUse(of port: Port) -> Set<Int> {
        let used = port.link.state.pointee.receiveRings.load(ordering: .relaxed)
        return Set(loops(of: port).enumerated().filter { used & ReceiveQueue.pairs(of: $0.offset, of: port.link.queues) != 0 }.map(\.element))
    }
}
