import Bridge
import DPDKShim
import Packet

/// Runs admission and the bridge stage for tests, on one lcore and a few ports without devices. Frames are in buffers of its own.
package final class AdmissionTrial {
    /// A frame that stayed, and the run that it belongs to.
    package struct Admitted {
        /// The frame's index in the burst that was given.
        package var number: Int
        package var run: Int
        package var length: UInt32
        package var record: FrameRecord
        package var bytes: [UInt8]
    }

    private let lcore = UnsafeMutablePointer<Lcore>.allocate(capacity: 1)
    private let snapshot = UnsafeMutablePointer<Snapshot>.allocate(capacity: 1)
    package let fdb = ForwardingDatabase.create(capacity: 64)
    private var owners = AddressOwners.create([])
    private let links: UnsafeMutablePointer<LinkState>
    private let states: UnsafeMutablePointer<PortState>
    private let buffers = UnsafeMutableRawPointer.allocate(byteCount: burstSize * bufferSize, alignment: 128)

    /// - Parameters:
    ///   - maxFrame: the value of `PortView.maxFrame` for all ports.
    ///   - fitsAll: the value of `BridgeView.fitsAll` for their bridge.
    ///   - ports: the number of ports, which are alike and belong to one bridge.
    package init(isPhysical: Bool, maxFrame: UInt32, fitsAll: UInt32, protocols: ProtocolTable, ports: Int = 1) {
        links = .allocate(capacity: ports)
        states = .allocate(capacity: ports)
        for port in 0..<ports {
            (states + port).initialize(to: PortState())
            (links + port).initialize(to: LinkState(mechanism: .vhost))
            links[port].port = states + port
            links[port].connection.store(0, ordering: .relaxed)
        }
        lcore.initialize(to: Lcore(
            index: 0, of: 1, id: 0, cpu: 0, clock: Clock(frequency: 1_000_000_000), pool: OpaquePointer(buffers), backlogLimit: 1, event: -1, mode: .polling))
        snapshot.initialize(to: Snapshot(
            number: 1, receiveQueues: .copy((0..<ports).map { [links] in ReceiveQueue(link: links + $0, port: PortIndex($0), queue: 0) }),
            ports: .copy((0..<ports).map { [links] in PortView(link: links + $0, isPhysical: isPhysical, maxFrame: maxFrame) }),
            bridges: .copy([BridgeView(fdb: fdb, owners: owners, members: .copy((0..<ports).map { PortIndex($0) }), fitsAll: fitsAll)]), trees: .copy([]), protocols: protocols, taggers: .copy([]),
            limits: .copy([PortLimits](repeating: PortLimits(), count: ports))))
    }

    deinit {
        lcore.deinitialize(count: 1)
        lcore.deallocate()
        links.deinitialize(count: snapshot.pointee.ports.count)
        links.deallocate()
        states.deinitialize(count: snapshot.pointee.ports.count)
        states.deallocate()
        owners.destroy()
        for port in snapshot.pointee.ports.indices {
            snapshot.pointee.ports[port].vlans?.deallocate()
            snapshot.pointee.ports[port].vlans = nil
        }
        snapshot.pointee.deallocate()
        snapshot.deallocate()
        fdb.destroy()
        buffers.deallocate()
    }

    /// Admits one burst from port 0: up to 32 frames of up to 1 792 bytes, `contiguous` of which are in the first segment.
    package func receive(_ frames: [(bytes: [UInt8], contiguous: Int)]) -> [Admitted] {
        for (number, frame) in frames.enumerated() { place(frame.bytes, frame.contiguous, number) }
        let runs = admit(frames.count, snapshot.pointee.receiveQueues.baseAddress!, lcore, snapshot)
        var admitted: [Admitted] = []
        for run in 0..<runs {
            for index in admitted.count..<Int(lcore.pointee.records[run].end) {
                let frame = lcore.pointee.received[index]!, length = lcore.pointee.lengths[index]
                precondition(sluice_frame_length(frame) == length, "a frame and what is known of it differ in length")
                admitted.append(Admitted(
                    number: (UnsafeMutableRawPointer(frame) - buffers) / Self.bufferSize, run: run, length: length, record: lcore.pointee.records[run],
                    bytes: Array(UnsafeRawBufferPointer(start: sluice_frame_bytes(frame), count: Int(length)))))
            }
        }
        return admitted
    }

    /// Admits and bridges a burst from a port. Returns the records of the runs that stay, in their order.
    package func forward(_ frames: [[UInt8]], from port: Int) -> [FrameRecord] {
        for (number, frame) in frames.enumerated() { place(frame, frame.count, number) }
        let runs = admit(frames.count, snapshot.pointee.receiveQueues.baseAddress! + port, lcore, snapshot)
        let kept = bridge(runs, PortIndex(port), lcore, snapshot)
        return (0..<kept).map { lcore.pointee.records[$0] }
    }

    /// Why a frame would not be forwarded, without learning, counting or forwarding anything; nil: it would go to all ports, none of which is up.
    package func rehearse(_ frame: [UInt8], from port: Int) -> DropReason? {
        let rehearsal = Rehearsal(snapshot, frame, from: PortIndex(port), now: lcore.pointee.now, clock: Clock(frequency: 1_000_000_000))
        return rehearsal.drop == .noDestination ? nil : rehearsal.drop
    }

    /// The ports that receive one frame, whether or not it is flooded.
    package func receivers(_ frame: [UInt8], from port: Int) -> [Int] {
        guard let record = forward([frame], from: port).first else { return [] }
        guard record.output == flooded else { return [Int(record.output)] }
        let ports = snapshot.pointee.ports
        let gate = FloodGate(lcore.pointee.records, from: PortIndex(port), snapshot)
        return ports.indices.filter { gate.admits(PortIndex($0), ports[$0].flags) }
    }

    /// The value of `FrameRecord.output` for frames that go to all ports except the one they came in by.
    package static var everywhere: UInt16 { flooded }

    /// The time in seconds that is used to age addresses.
    package var seconds: UInt32 {
        get { lcore.pointee.seconds }
        set { lcore.pointee.seconds = newValue }
    }

    /// The time in nanoseconds that is used for limits.
    package var now: UInt64 {
        get { lcore.pointee.now }
        set { lcore.pointee.now = newValue }
    }

    /// Sets the flags and the limits of a port.
    package func configure(flags: PortFlags, limits: PortLimits = PortLimits(), of port: Int) {
        snapshot.pointee.ports[port].flags = flags
        snapshot.pointee.limits[port] = limits
        snapshot.pointee.number += 1
    }

    /// Sets the bridge's uplink, and the port that receives all frames from there (`passthru`).
    package func configure(uplink: Int, through: Int? = nil) {
        snapshot.pointee.bridges[0].uplink = PortIndex(uplink)
        snapshot.pointee.bridges[0].through = through.map { PortIndex($0) } ?? flooded
        snapshot.pointee.number += 1
    }

    /// Changes the guest that owns the traffic of addresses that are not configured at a port, as a new configuration would.
    package func configure(defaultGuest: UInt16, of port: Int) {
        snapshot.pointee.ports[port].defaultGuest = defaultGuest
        snapshot.pointee.number += 1
    }

    /// Changes the owners of addresses, which are given as (port, guest) for each address.
    package func configure(owners new: [UInt64: (port: UInt16, guest: UInt16)]) {
        owners.destroy()
        owners = .create(new.map { (mac: $0.key, value: FDBValue(staticPort: $0.value.port, guest: $0.value.guest)) })
        snapshot.pointee.bridges[0].owners = owners
        snapshot.pointee.number += 1
    }

    /// Sets whether a port refuses source addresses that do not belong to its own guests.
    package func configure(spoofCheck: Bool, of port: Int) {
        snapshot.pointee.ports[port].spoofCheck = spoofCheck
        snapshot.pointee.number += 1
    }

    /// Sets a port's VLANs. The caller remains responsible for freeing them.
    package func configure(vlans: PortVLANs, of port: Int) {
        snapshot.pointee.ports[port].vlans?.deallocate()
        let copy = UnsafeMutablePointer<PortVLANs>.allocate(capacity: 1)
        copy.initialize(to: vlans)
        snapshot.pointee.ports[port].vlans = copy
        snapshot.pointee.number += 1
    }

    /// Has a port's frames say their priority.
    ///
    /// - Parameters:
    ///   - priorities: the priority of each DSCP; empty: the PCP says it.
    ///   - rows: the row of each priority.
    ///   - pcps: the priority of each row.
    package func configure(trust priorities: [UInt8], rows: [UInt8], pcps: [UInt8], of port: Int) {
        var view = TrustView()
        view.byDSCP = !priorities.isEmpty
        for (dscp, priority) in priorities.enumerated() { view.priorities[dscp] = priority }
        for (priority, row) in rows.enumerated() { view.rows[priority] = row }
        for (row, pcp) in pcps.enumerated() { view.agreeing[Int(pcp)] |= 1 << UInt64(row) }
        if snapshot.pointee.trusts.count == 0 { snapshot.pointee.trusts = .copy([TrustView](repeating: TrustView(), count: snapshot.pointee.ports.count)) }
        snapshot.pointee.trusts[port] = view
        snapshot.pointee.ports[port].flags = .trusts
        snapshot.pointee.number += 1
    }

    /// Connects a guest to a port, or disconnects it.
    package func connect(_ isUp: Bool, _ port: Int) { links[port].connection.store(isUp ? 0 : -1, ordering: .relaxed) }

    /// The frames and bytes counted so far, for each row of the protocol table.
    package var protocolCounts: [(frames: UInt64, bytes: UInt64)] {
        (0..<protocolRows).map { (lcore.pointee.protocolCounters[$0].frames, lcore.pointee.protocolCounters[$0].bytes) }
    }

    /// The frames from port 0 that were dropped so far, by `DropReason`.
    package var drops: [UInt64] { DropReason.allCases.map { lcore.pointee.counters[0].drops[Int($0.rawValue)] } }

    /// The number of frames from a port that were dropped for this reason so far.
    package func drops(_ reason: DropReason, from port: Int) -> Int { Int(lcore.pointee.counters[port].drops[Int(reason.rawValue)]) }

    /// The number of frames from a port whose source address was not learned.
    package func unlearned(_ port: Int) -> Int { Int(lcore.pointee.counters[port].unlearned) }

    /// Whether a port that is set to `guard` has received a spanning tree frame.
    package func hadBPDU(_ port: Int) -> Bool { states[port].hadBPDU.load(ordering: .relaxed) }

    /// The size of a buffer in bytes: a `struct rte_mbuf`, headroom, and the data.
    private static let bufferSize = 2_048

    private func place(_ bytes: [UInt8], _ contiguous: Int, _ number: Int) {
        let buffer = buffers + number * Self.bufferSize
        lcore.pointee.received[number] = LooseFrame.lay(bytes, contiguous: contiguous, in: buffer, capacity: Self.bufferSize)
        lcore.pointee.lengths[number] = UInt32(bytes.count)
    }
}
