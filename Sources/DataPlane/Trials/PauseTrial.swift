import Bridge
import DCB
import DPDKShim
import Packet
import Scheduler

/// Poll loops whose turns are taken by hand, in virtual time, for tests: frames of three priorities come in by port 1 and leave by port 0, a NIC whose peer
/// pauses some of them. Each loop has an instance of the NIC's tree and a transmit queue of its own.
package final class PauseTrial {
    /// A frame that the NIC has taken.
    package struct Sent: Equatable {
        package var priority: Int
        /// The number of the frame, counted from 0 for each priority.
        package var number: Int
        package var loop: Int

        package init(priority: Int, number: Int, loop: Int) {
            self.priority = priority
            self.number = number
            self.loop = loop
        }
    }

    /// The priorities of frames, in which the classes differ: the class of priority 4 has a ceiling of 1 Gbit/s, the others have none.
    package static let priorities = [0, 3, 4]
    private static let types: [UInt16] = [0x88b5, EtherType.roce, EtherType.fcoe], rows: [UInt8] = [0, 4, 2]
    private static let source: UInt64 = 0x0200_0000_0001, destination: UInt64 = 0x0200_0000_0002
    private static let bufferSize = 512, buffers = 16_384, length = 128

    private let loops: Int
    private let lcores: UnsafeMutablePointer<Lcore>
    private let snapshots: UnsafeMutablePointer<Snapshot>
    private let states = UnsafeMutablePointer<PortState>.allocate(capacity: 2)
    private let links = UnsafeMutablePointer<LinkState>.allocate(capacity: 2)
    private let fdb = ForwardingDatabase.create(capacity: 64)
    private let owners = AddressOwners.create([])
    private let trees: [UnsafeMutablePointer<ClassTree>]
    private let protocols = ProtocolTable.builtIn(), tagger = PriorityTagger.create()
    private let memory = UnsafeMutableRawPointer.allocate(byteCount: bufferSize * buffers, alignment: 128)
    private var used = 0
    private var given = [Int: Int]()
    private let guests: [TrialDevice]
    /// What each loop sends to.
    package let nics: [TrialDevice]
    /// What left since this was emptied.
    package var sent: [Sent] = []
    /// How many of these had left when the last frame that asks for a pause came in.
    package var sentBeforePause = 0
    package private(set) var now: UInt64 = 1_000_000

    /// - Parameter loops: at most 4.
    package init(loops: Int = 1) {
        precondition(loops <= 4)
        self.loops = loops
        nics = (0..<loops).map { TrialDevice(UInt16(31 - $0)) }
        guests = (0..<loops).map { TrialDevice(UInt16(27 - $0)) }
        lcores = .allocate(capacity: loops)
        snapshots = .allocate(capacity: loops)
        let shares = LinkShares(
            classes: SIMD8(repeating: 0), percents: SIMD8(100, 0, 0, 0, 0, 0, 0, 0), strict: 0, outputBits: UInt8(maxPorts.trailingZeroBitCount))
        trees = (0..<loops).map { _ in
            let tree = ClassTree.create(root: ClassParameters(), classes: 8, frames: 20_000, outputs: 9 * maxPorts, overhead: 0, now: 0)
            tree.pointee.share(by: shares)
            for (index, priority) in Self.priorities.enumerated() {
                var parameters = ClassParameters()
                (parameters.limitPackets, parameters.output) = (0, shares.output(0, part: UInt8(priority)))
                if priority == 4 { (parameters.ceiling, parameters.ceilingBurst) = (1_000_000_000, 4_000) }
                _ = tree.pointee.add(ClassID(2 + index), under: 1, parameters, at: 0)
            }
            return tree
        }
        for (priority, row) in zip(Self.priorities, Self.rows) { tagger.set(row: row, pcp: UInt8(priority)) }
        _ = fdb.addStatic(mac: Self.destination, port: 0, guest: 0)
        for port in 0..<2 {
            (states + port).initialize(to: PortState())
            (links + port).initialize(to: LinkState(mechanism: .device))
            links[port].port = states + port
            links[port].connection.store(0, ordering: .relaxed)
            links[port].transmitRings.store(1 << UInt64(loops) - 1, ordering: .relaxed)
        }
        for loop in 0..<loops {
            links[0].deviceQueues[loop] = DeviceQueue(device: nics[loop].number, queue: 0)
            links[1].deviceQueues[loop] = DeviceQueue(device: guests[loop].number, queue: 0)
        }
        pauses.pointee.isFollowed.store(true, ordering: .relaxed)
        pauses.pointee.enabled.store(0b1_1001, ordering: .relaxed)
        for loop in 0..<loops { start(loop) }
    }

    private func start(_ loop: Int) {
        let leaves = UnsafeMutableBufferPointer<ClassID>.allocate(capacity: 2 << 6)
        leaves.initialize(repeating: 0)
        for (index, row) in Self.rows.enumerated() { leaves[1 << 6 + Int(row)] = ClassID(2 + index) }
        let nic = PortView(
            link: links, isPhysical: true, maxFrame: 1_514, tagger: tagger, way: GroupKey(.pass, 0).with(tag: EgressTag(rawValue: 0)).rawValue)
        let guest = PortView(
            link: links + 1, defaultGuest: 1, maxFrame: 1_514, way: GroupKey(.pass, 1).with(tag: EgressTag(rawValue: 0)).rawValue)
        let tree = trees[loop]
        (snapshots + loop).initialize(to: Snapshot(
            number: 1,
            receiveQueues: .copy([
                ReceiveQueue(link: links + 1, port: 1, queue: UInt16(loop), device: DeviceQueue(device: guests[loop].number, queue: 0)),
                ReceiveQueue(link: links, port: 0, queue: UInt16(loop), device: DeviceQueue(device: nics[loop].number, queue: 0)),
            ]),
            ports: .copy([nic, guest]), bridges: .copy([BridgeView(fdb: fdb, owners: owners, members: .copy([0, 1]), fitsAll: 1_514)]),
            trees: .copy([TreeView(tree: tree, bySource: true, leaves: leaves, guestShift: 6, lines: tree.pointee.classLines)]), protocols: protocols,
            taggers: .copy([]), pauses: .copy([view(loop)])))
        (lcores + loop).initialize(to: Lcore(
            index: loop, of: loops, id: 0, cpu: 0, clock: Clock(frequency: 1_000_000_000), pool: OpaquePointer(memory), backlogLimit: 1_000_000, event: -1,
            mode: .polling))
        lcores[loop].snapshot.store(snapshots + loop, ordering: .relaxed)
        lcores[loop].withheld[0] = .zeroed(1)
        nics[loop].received = { [unowned self] in sentBeforePause = sent.count }
        nics[loop].taken = { [unowned self] frame in
            let bytes = UnsafeRawPointer(sluice_frame_bytes(frame)!)
            guard bytes.bigEndian16(12) == EtherType.vlan else { return }
            sent.append(Sent(priority: Int(bytes.bigEndian16(14) >> 13), number: Int(bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self)), loop: loop))
        }
    }

    deinit {
        for loop in 0..<loops {
            snapshots[loop].deallocate()
            (lcores + loop).deinitialize(count: 1)
        }
        snapshots.deallocate()
        lcores.deallocate()
        for tree in trees { ClassTree.destroy(tree) }
        links.deinitialize(count: 2)
        links.deallocate()
        states.deinitialize(count: 2)
        states.deallocate()
        fdb.destroy()
        owners.destroy()
        protocols.destroy()
        tagger.destroy()
        memory.deallocate()
    }

    private var pauses: UnsafeMutablePointer<PortPauses> { PortState.pauses(of: states) }
    private func view(_ loop: Int) -> PauseView { PauseView(port: 0, tree: trees[loop], pauses: pauses, seen: .max) }

    /// - Parameter references: a frame with one is the switch's to change; one with many is never freed.
    private func lay(_ bytes: [UInt8], references: UInt16) -> Frame {
        precondition(used < Self.buffers, "a trial has \(Self.buffers) frames")
        let buffer = memory + used * Self.bufferSize
        used += 1
        let frame = LooseFrame.lay(bytes, contiguous: bytes.count, in: buffer, capacity: Self.bufferSize)
        buffer.storeBytes(of: references, toByteOffset: 18, as: UInt16.self)
        return frame
    }

    /// Has frames of a priority come in by port 1 at a loop.
    package func offer(_ count: Int, of priority: Int, to loop: Int = 0) {
        let type = Self.types[Self.priorities.firstIndex(of: priority)!]
        guests[loop].give((0..<count).map { _ in
            let number = given[priority, default: 0]
            given[priority] = number + 1
            var bytes = [UInt8](repeating: 0, count: Self.length)
            for octet in 0..<6 {
                bytes[octet] = UInt8(truncatingIfNeeded: Self.destination >> UInt64(40 - 8 * octet))
                bytes[6 + octet] = UInt8(truncatingIfNeeded: Self.source >> UInt64(40 - 8 * octet))
            }
            (bytes[12], bytes[13]) = (UInt8(type >> 8), UInt8(type & 0xff))
            // The tag that is pushed moves this by four bytes.
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: UInt32(number), toByteOffset: 16, as: UInt32.self) }
            return lay(bytes, references: 1)
        })
    }

    /// How many frames of a priority have come in.
    package func offered(_ priority: Int) -> Int { given[priority, default: 0] }

    /// Has a frame that asks for a pause come in by the NIC at a loop.
    /// - Parameter quanta: 0: the peer wants these priorities to go on.
    package func pause(_ priorities: UInt8, quanta: UInt16 = 65_535, at loop: Int = 0) {
        let frame = PauseFrame(priorities: priorities, quanta: SIMD8(repeating: quanta), isByPriority: true)
        nics[loop].give([lay(frame.bytes(from: Self.destination), references: 1_000)])
    }

    /// A loop takes a turn.
    /// - Parameter time: how much later than the turn before it begins.
    package func turn(_ loop: Int = 0, after time: UInt64 = 10_000) {
        now += time
        _ = measuredTurn(lcores + loop, at: now)
    }

    /// The priorities that are paused now, a bit for each.
    package var paused: UInt8 { pauses.pointee.seen(at: now).paused(at: now) }

    /// From now on a loop's snapshot says that no priority can be paused.
    package func forgetPauses(_ loop: Int = 0) {
        snapshots[loop].pauses.deallocate()
        snapshots[loop].pauses = .copy([])
        trees[loop].pointee.share(by: nil)
        for (index, _) in Self.priorities.enumerated() {
            var parameters = ClassParameters()
            parameters.limitPackets = 0
            _ = trees[loop].pointee.change(ClassID(2 + index), parameters, at: now)
        }
    }
}
