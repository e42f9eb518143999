import DPDKShim
import Foundation
import VhostUser

/// A guest's port whose rings are this process's own: a vhost-user frontend with one pair of queues. It asks for what virtio_user is made to ask for in its
/// place (mergeable buffers, used in order), but has no buffers of DPDK's to allocate, fill and free: where frames only have to be there, that leaves the
/// switch as the slower side.
final class RingPort {
    private let name: String
    private let socket: FrontendSocket
    private let memory: RingMemory
    /// Frames from the switch, and frames to it.
    let receiving: UnsafeMutablePointer<DriverRing>
    let sending: UnsafeMutablePointer<DriverRing>
    private var events: [CInt] = []

    /// The bytes of a buffer for parts of frames that come whole where the guest takes them before they are segmented: a page, as Linux has it.
    private static let pageBuffer = 4_096

    /// Connects the port to its switch.
    /// - Parameters:
    ///   - longest: the bytes of the longest frame.
    ///   - segments: whether frames that are to be segmented are sent, and taken whole.
    /// - Throws: `RunError`.
    init(
        _ plan: PortPlan, path: String, longest: Int, segments: Bool, directory: String?, deadline: ContinuousClock.Instant, interrupted: @escaping () -> Bool
    ) throws {
        name = plan.name
        guard plan.ring & (plan.ring - 1) == 0, plan.ring >= 4 else {
            throw ScenarioError("port \(plan.name) has rings of \(plan.ring) descriptors; take a power of two, such as 1024")
        }
        if plan.server { try OpenPort.clear(path, for: plan.name) }
        let memory = try RingMemory(ringSize: plan.ring, longest: longest, receiving: segments ? Self.pageBuffer : nil, directory: directory)
        self.memory = memory
        do {
            socket = try FrontendSocket(path, listens: plan.server, deadline, interrupted)
        } catch {
            memory.close()
            throw RunError("port \(plan.name): \(error)")
        }
        var made: [CInt] = []
        do {
            for _ in 0..<4 {
                made.append(sluice_event_create())
                guard made[made.count - 1] >= 0 else { throw RunError("no eventfd: \(reason(made.removeLast()))") }
            }
            let features = try Self.agree(socket, wantsPacked: plan.packed, segments: segments)
            let rings = (0..<2).map { memory.ring($0, isPacked: features.contains(.ringPacked), isInOrder: features.contains(.inOrder), kick: made[2 * $0]) }
            (receiving, sending) = (rings[0], rings[1])
            receiving.offerEmpty(plan.ring)
            events = made
            try share(features)
        } catch {
            for event in made { sluice_event_close(event) }
            socket.close()
            memory.close()
            throw RunError("port \(plan.name): \(error)")
        }
    }

    /// - Returns: the features that both sides have.
    private static func agree(_ socket: FrontendSocket, wantsPacked: Bool, segments: Bool) throws -> VirtioFeatures {
        let offered = VirtioFeatures(rawValue: try socket.ask(.getFeatures))
        var needed: VirtioFeatures = [.version1, .mergeableReceive, .protocolFeatures]
        if segments { needed.formUnion([.csum, .guestCsum, .hostTSO4, .guestTSO4]) }
        guard offered.isSuperset(of: needed) else {
            let bits = String(offered.rawValue, radix: 16)
            let more = segments ? ", and checksums and TCP segmentation both ways," : ""
            throw RunError("the switch offers the features 0x\(bits); virtio 1.0, mergeable buffers and protocol features\(more) are needed (see --rings)")
        }
        let features = offered.intersection(needed.union([.inOrder]).union(wantsPacked ? [.ringPacked] : []))
        let spoken = ProtocolFeatures(rawValue: try socket.ask(.getProtocolFeatures)).intersection([.replyAck, .status])
        try socket.tell(.number(.setProtocolFeatures, spoken.rawValue))
        socket.acknowledges = spoken.contains(.replyAck)
        try socket.tell(.plain(.setOwner))
        try socket.tell(.number(.setFeatures, features.rawValue))
        socket.hasStatus = spoken.contains(.status)
        return features
    }

    /// Shares the memory and starts the rings.
    private func share(_ features: VirtioFeatures) throws {
        func address(_ place: UnsafeMutableRawPointer) -> UInt64 { UInt64(UInt(bitPattern: place)) }
        try socket.tell(.memory(at: address(memory.start), size: UInt64(memory.size)), [memory.descriptor])
        for (index, ring) in [receiving, sending].enumerated() {
            let ring = ring.pointee
            try socket.tell(.number(.setVringCall, UInt64(index)), [events[2 * index + 1]])
            try socket.tell(.ring(.setVringSize, index, UInt32(ring.size)))
            // The place of a new packed ring has its wrap counter set, which is bit 15.
            try socket.tell(.ring(.setVringBase, index, ring.isPacked ? 1 << 15 : 0))
            try socket.tell(.ringAddresses(
                index, descriptors: address(ring.descriptors), driverArea: address(ring.driverArea), deviceArea: address(ring.deviceArea)))
            try socket.tell(.number(.setVringKick, UInt64(index)), [events[2 * index]])
        }
        for index in 0..<2 { try socket.tell(.ring(.setVringEnable, index, 1)) }
        let running: DeviceStatus = [.acknowledge, .driver, .featuresOK, .driverOK]
        if socket.hasStatus { try socket.tell(.number(.setStatus, UInt64(running.rawValue))) }
    }

    /// Waits until the switch has taken all frames that were sent. It may answer before its poll loop has the rings.
    /// - Throws: `RunError` if that takes too long, or when the process was told to end.
    func awaitTaken(_ deadline: ContinuousClock.Instant, _ interrupted: () -> Bool) throws {
        while sending.collect() < sending.pointee.size {
            if interrupted() { throw RunError("interrupted while the switch learned addresses") }
            if ContinuousClock.now >= deadline { throw RunError("port \(name): the switch is connected but takes no frames; its log may say why") }
            usleep(1_000)
        }
    }

    func close() {
        socket.close()
        for event in events { sluice_event_close(event) }
        receiving.free()
        sending.free()
        memory.close()
    }
}

extension RingPort: AnnouncingPort {
    func send(_ bytes: [UInt8]) -> Bool {
        guard sending.room(1) == 1 else { return false }
        let number = sending.pointee.number(sending.pointee.offered)
        sending.pointee.frame(number).copyMemory(from: bytes, byteCount: bytes.count)
        sending.setLength(number, bytes.count)
        sending.send(1)
        return true
    }

    func discard() {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: SendStage.burst) { words in
            guard let first = words.baseAddress else { return }
            receiving.finish(receiving.arrivals(first, words.count))
        }
    }
}
