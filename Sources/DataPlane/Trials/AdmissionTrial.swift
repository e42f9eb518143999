import Bridge
import DCB
import DPDKShim
import Packet

/// Admission, and the bridge behind it, for tests: one lcore and a few ports without devices. Frames are buffers of its own.
package final class AdmissionTrial {
    /// A frame that stays, and the run it is of.
    package struct Admitted {
        /// Its place in the burst.
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
    ///   - maxFrame: the port's.
    ///   - fitsAll: its bridge's.
    ///   - ports: of one bridge, all alike.
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
            bridges: .copy([BridgeView(fdb: fdb, owners: owners, members: .copy((0..<ports).map { PortIndex($0) }), fitsAll: fitsAll)]), trees: .copy([]), protocols: protocols, tagger: .create(),
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

    /// Admits one burst of up to 32 frames of up to 1 792 bytes, of which `contiguous` are in the first segment.
    package func take(_ frames: [(bytes: [UInt8], contiguous: Int)]) -> [Admitted] {
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

    /// Where frames of a burst from a port go that stay, in the order of their runs.
    package func forward(_ frames: [[UInt8]], from port: Int) -> [FrameRecord] {
        for (number, frame) in frames.enumerated() { place(frame, frame.count, number) }
        let runs = admit(frames.count, snapshot.pointee.receiveQueues.baseAddress! + port, lcore, snapshot)
        let kept = bridge(runs, PortIndex(port), lcore, snapshot)
        return (0..<kept).map { lcore.pointee.records[$0] }
    }

    /// The ports that one frame goes to, flooded or not.
    package func receivers(_ frame: [UInt8], from port: Int) -> [Int] {
        guard let record = forward([frame], from: port).first else { return [] }
        guard record.output == flooded else { return [Int(record.output)] }
        let ports = snapshot.pointee.ports
        let gate = FloodGate(lcore.pointee.records, from: PortIndex(port), snapshot)
        return ports.indices.filter { gate.admits(PortIndex($0), ports[$0].flags) }
    }

    /// `FrameRecord.output` of frames for all ports but their own.
    package static var everywhere: UInt16 { flooded }

    /// Seconds by which addresses age.
    package var seconds: UInt32 {
        get { lcore.pointee.seconds }
        set { lcore.pointee.seconds = newValue }
    }

    /// Nanoseconds by which limits are kept.
    package var now: UInt64 {
        get { lcore.pointee.now }
        set { lcore.pointee.now = newValue }
    }

    /// Gives a port rules.
    package func configure(flags: PortFlags, limits: PortLimits = PortLimits(), of port: Int) {
        snapshot.pointee.ports[port].flags = flags
        snapshot.pointee.limits[port] = limits
        snapshot.pointee.number += 1
    }

    /// Tells the bridge its uplink, and the port that all from there is for.
    package func configure(uplink: Int, through: Int? = nil) {
        snapshot.pointee.bridges[0].uplink = PortIndex(uplink)
        snapshot.pointee.bridges[0].through = through.map { PortIndex($0) } ?? flooded
        snapshot.pointee.number += 1
    }

    /// Publishes, as it were, another configuration, in which a port's unlisted addresses are this guest's.
    package func configure(defaultGuest: UInt16, of port: Int) {
        snapshot.pointee.ports[port].defaultGuest = defaultGuest
        snapshot.pointee.number += 1
    }

    /// Publishes whose addresses are: (port, guest) by address.
    package func configure(owners new: [UInt64: (port: UInt16, guest: UInt16)]) {
        owners.destroy()
        owners = .create(new.map { (mac: $0.key, value: FDBValue(staticPort: $0.value.port, guest: $0.value.guest)) })
        snapshot.pointee.bridges[0].owners = owners
        snapshot.pointee.number += 1
    }

    /// Has a port refuse addresses that are not its own guests'.
    package func configure(spoofCheck: Bool, of port: Int) {
        snapshot.pointee.ports[port].spoofCheck = spoofCheck
        snapshot.pointee.number += 1
    }

    /// Publishes a port's VLANs, which stay the caller's.
    package func configure(vlans: PortVLANs, of port: Int) {
        snapshot.pointee.ports[port].vlans?.deallocate()
        let copy = UnsafeMutablePointer<PortVLANs>.allocate(capacity: 1)
        copy.initialize(to: vlans)
        snapshot.pointee.ports[port].vlans = copy
        snapshot.pointee.number += 1
    }

    /// A guest connects to a port, or goes.
    package func connect(_ isUp: Bool, _ port: Int) { links[port].connection.store(isUp ? 0 : -1, ordering: .relaxed) }

    /// Frames and bytes counted so far, by row of the protocol table.
    package var protocolCounts: [(frames: UInt64, bytes: UInt64)] {
        (0..<protocolRows).map { (lcore.pointee.protocolCounters[$0].frames, lcore.pointee.protocolCounters[$0].bytes) }
    }

    /// Frames dropped so far, by `DropReason`.
    package var drops: [UInt64] { DropReason.allCases.map { lcore.pointee.counters[0].drops[Int($0.rawValue)] } }

    /// Frames from a port that were dropped so far for a reason.
    package func drops(_ reason: DropReason, from port: Int) -> Int { Int(lcore.pointee.counters[port].drops[Int(reason.rawValue)]) }

    /// Frames from a port whose source was not learned.
    package func unlearned(_ port: Int) -> Int { Int(lcore.pointee.counters[port].unlearned) }

    /// A port had a spanning tree frame that it is to have none of.
    package func hadBPDU(_ port: Int) -> Bool { states[port].hadBPDU.load(ordering: .relaxed) }

    /// A `struct rte_mbuf`, room in front of the data, and the data.
    private static let bufferSize = 2_048

    private func place(_ bytes: [UInt8], _ contiguous: Int, _ number: Int) {
        let buffer = buffers + number * Self.bufferSize, data = 256
        precondition(bytes.count <= Self.bufferSize - data)
        buffer.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bufferSize)
        // As DPDK 22.11 lays it out (rte_mbuf_core.h): buffer's address 0, data's offset 16, references 18, segments 20, length 36, length of the first
        // segment 40. There are references enough that none is the last: there is no pool for a buffer to go back to.
        buffer.storeBytes(of: UInt64(UInt(bitPattern: buffer)), as: UInt64.self)
        buffer.storeBytes(of: UInt16(data), toByteOffset: 16, as: UInt16.self)
        buffer.storeBytes(of: 1_000, toByteOffset: 18, as: UInt16.self)
        buffer.storeBytes(of: 1, toByteOffset: 20, as: UInt16.self)
        buffer.storeBytes(of: UInt32(bytes.count), toByteOffset: 36, as: UInt32.self)
        buffer.storeBytes(of: UInt16(contiguous), toByteOffset: 40, as: UInt16.self)
        UnsafeMutableRawBufferPointer(start: buffer + data, count: bytes.count).copyBytes(from: bytes)
        lcore.pointee.received[number] = Frame(buffer)
        lcore.pointee.lengths[number] = UInt32(bytes.count)
    }
}
