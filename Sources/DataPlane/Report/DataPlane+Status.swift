import Bridge
import Configuration
import DPDKShim
import NUMA
import Packet
import Scheduler
import Synchronization

/// Counters for reports. Each is read where its one writer keeps it, without stopping anything. So a report is exact when no frames move, and otherwise off by
/// no more than the frames that move while it is made.
extension DataPlane {
    /// A port and its counters, which never run backwards.
    public struct PortReport: Sendable {
        public let settings: PortSettings
        /// "up", "down", or why it is neither.
        public fileprivate(set) var condition = ""
        /// Whether the port is not open; `condition` says why.
        public fileprivate(set) var isLost = false
        public fileprivate(set) var warnings: [String] = []
        /// Whether the port is not up only because no guest has connected yet.
        public var isWaiting: Bool { condition == VhostLink.waiting }
        public fileprivate(set) var queues = 0
        public fileprivate(set) var driver = "none"
        public fileprivate(set) var device: String
        public fileprivate(set) var numaNode = -1
        /// How a NIC spreads frames for guests over its receive queues; nil: there is nothing to choose.
        public fileprivate(set) var steering: SteeringReport?
        /// Addresses that are learned behind the port now.
        public fileprivate(set) var addresses = 0
        public let received: Amount
        public let sent: Amount
        /// The counters that are shown by name (`PortCounters.rows`).
        public let counts: [String: UInt64]
        /// Dropped frames by reason; only reasons that occurred.
        public let drops: [String: UInt64]

        /// A port without a link, and all that was ever counted at it.
        fileprivate init(_ settings: PortSettings, _ sum: PortCounters) {
            self.settings = settings
            device = settings.kind.place
            received = Amount(frames: sum.receivedFrames, bytes: sum.receivedBytes)
            sent = Amount(frames: sum.sentFrames, bytes: sum.sentBytes)
            counts = sum.counts(of: .port)
            drops = sum.dropCounts { _ in true }
        }
    }

    /// The counters of ports and of bridges that are shown by name, and what each counts, as a sentence.
    public static var portCounters: [(name: String, help: String)] { PortCounters.names(of: .port) }
    public static var bridgeCounters: [(name: String, help: String)] { PortCounters.names(of: .bridge) }

    /// A number of frames, and their bytes without FCS.
    public struct Amount: Sendable {
        public var frames: UInt64
        public var bytes: UInt64
        public init(frames: UInt64 = 0, bytes: UInt64 = 0) { self.frames = frames; self.bytes = bytes }
    }

    /// The report of a port, open or lost; nil: no port has that name.
    public func portReport(_ name: String) -> PortReport? {
        guard let port = ports[name] else { return lostPortReport(name) }
        var report = PortReport(port.settings, counted(at: port.index, port.link.readLosses()))
        let enabled = port.link.state.pointee.receiveRings.load(ordering: .relaxed).nonzeroBitCount
        (report.condition, report.warnings, report.queues) = (port.condition, port.link.warnings, enabled)
        (report.driver, report.device, report.numaNode) = (port.link.driver, port.link.device, port.link.numaNode)
        report.steering = steeringReport(port)
        report.addresses = bridges[port.settings.bridge]?.fdb.learnedCount(behind: port.index) ?? 0
        return report
    }

    public typealias PortCondition = (settings: PortSettings, condition: String, isWaiting: Bool, isLost: Bool)

    /// The condition of every port as in its report, without its counters, for whoever looks often.
    public var conditions: [PortCondition] {
        model.ports.compactMap { settings in
            if let lost = lost[settings.name] { return (settings, lost.reason, false, true) }
            guard let condition = ports[settings.name]?.condition else { return nil }
            return (settings, condition, condition == VhostLink.waiting, false)
        }
    }

    /// What each open port has received, sent and dropped, by reason; only reasons that occurred; and for how many nanoseconds its share of poll time held it back.
    /// It is for whoever looks often.
    public var portCounts: [(port: String, received: Amount, sent: Amount, drops: [String: UInt64], heldByPollTime: UInt64)] {
        ports.values.map { port in
            let sum = counted(at: port.index, port.link.readLosses())
            return (
                port.settings.name, Amount(frames: sum.receivedFrames, bytes: sum.receivedBytes), Amount(frames: sum.sentFrames, bytes: sum.sentBytes), sum.dropCounts { _ in true },
                sum.pollTimeNanoseconds
            )
        }
    }

    /// The names of the guests of some ports.
    public func guests(of ports: Set<String>) -> Set<String> {
        ports.isEmpty ? [] : Set(effectiveGuests.lazy.filter { ports.contains($0.settings.port) }.map(\.settings.name))
    }

    private func lostPortReport(_ name: String) -> PortReport? {
        guard let port = lost[name], let settings = model.ports.first(where: { $0.name == name }) else { return nil }
        var report = PortReport(settings, counted(at: port.index))
        (report.condition, report.isLost) = (port.reason, true)
        return report
    }

    /// All that was counted at a port, by loops and by its links.
    /// - Parameter losses: the frames that the port's link could not receive; none if the port has no link.
    func counted(at port: PortIndex, _ losses: LinkLosses = LinkLosses()) -> PortCounters {
        var sum = counters(of: port)
        sum.add(losses)
        if let losses = closedLosses[port] { sum.add(losses) }
        return sum
    }

    /// The counters of a bridge's ports, including ports that are gone.
    public struct BridgeCounts: Sendable {
        /// Frames that the bridge forwarded to one port.
        public var forwarded: UInt64
        /// The counters that are shown by name (`PortCounters.rows`).
        public var counts: [String: UInt64]
        /// Frames that the bridge received and gave to no port, by reason; only reasons that occurred. Those that it was about to flood are among the flooded
        /// ones, too.
        public var drops: [String: UInt64]

        init(_ sum: PortCounters) {
            counts = sum.counts(of: .bridge)
            forwarded = sum.receivedFrames &- sum.floodedFrames &- sum.dropCount { $0 == .link || $0 == .entrance }
            drops = sum.dropCounts { $0 == .entrance || $0 == .flood }
        }
    }

    /// The counters of a bridge; nil: no bridge has that name.
    public func bridgeCounts(_ name: String) -> BridgeCounts? {
        guard let bridge = bridges[name] else { return nil }
        var sum = bridge.retired
        for port in ports.values where port.settings.bridge == name { sum += counted(at: port.index, port.link.readLosses()) }
        for settings in model.ports where settings.bridge == name {
            if let port = lost[settings.name] { sum += counted(at: port.index) }
        }
        return BridgeCounts(sum)
    }

    /// The counters of a tree's classes, for each lcore's instance of the tree. The sums of inner classes are worked out once, when this is made.
    public struct TreeCounters {
        private var instances: [(tree: UnsafeMutablePointer<ClassTree>, totals: ClassTotals)] = []
        private var earlier: EarlierCounters = EarlierCounters()

        init() {}
        init(_ tree: Tree) {
            instances = tree.instances.map { ($0, $0.pointee.totals()) }
            earlier = tree.earlier
        }

        /// What a group's class, or `rest`, counted before it was removed for a while; it must be added to what the class counts now.
        public func earlier(_ path: String) -> ClassCounters? { earlier.counters[path] }
        /// The bytes that the class borrowed then, by the path of the class that lent them; the root's path is empty.
        public func earlierLoans(_ path: String) -> [String: UInt64] { earlier.loans[path] ?? [:] }

        /// The counters of a class, one for each lcore's instance.
        /// - Parameter id: the class's id; `ClassIDs.root` for the root.
        public func of(_ id: UInt16) -> [ClassCounters] { instances.map { $0.tree.pointee.counters(of: id, in: $0.totals) } }
        /// The same without a list, for whoever looks at many classes.
        public func forEach(of id: UInt16, _ body: (ClassCounters) -> Void) { for instance in instances { body(instance.tree.pointee.counters(of: id, in: instance.totals)) } }
        /// How many lcores have an instance.
        public var instanceCount: Int { instances.count }

        /// For each lcore's instance: how many times the ceilings of ancestors held a class, by ancestor, the nearest first.
        public func ceilingWaits(of id: UInt16) -> [[(ancestor: UInt16, waits: UInt64)]] { instances.map { $0.tree.pointee.ceilingWaits(of: id) } }

        /// For each lcore's instance: the bytes that a class borrowed, by the ancestor that lent them, the nearest first.
        public func loans(of id: UInt16) -> [[(lender: UInt16, bytes: UInt64)]] { instances.map { $0.tree.pointee.loans(of: id, in: $0.totals) } }
    }

    /// The counters of a tree. They must not be kept, as the tree may be closed by the next change.
    public func classCounters(tree: String) -> TreeCounters { trees[tree].map { TreeCounters($0) } ?? TreeCounters() }

    /// What was sent to and from one guest, or the guests of one group.
    public struct GuestAmounts: Sendable {
        public var inbound = Amount()
        public var outbound = Amount()
        /// The cycles that poll loops spent on receiving these frames; 0 for groups.
        public var inboundCycles: UInt64 = 0
        public var outboundCycles: UInt64 = 0

        /// Adds what was sent in a tree of that kind.
        public mutating func add(_ amount: Amount, cycles: UInt64 = 0, _ kind: TreeDescription.Kind) {
            let isInbound = if case .inbound = kind { true } else { false }
            let path: WritableKeyPath<GuestAmounts, Amount> = isInbound ? \.inbound : \.outbound
            self[keyPath: path].frames &+= amount.frames
            self[keyPath: path].bytes &+= amount.bytes
            if isInbound { inboundCycles &+= cycles } else { outboundCycles &+= cycles }
        }
    }

    /// What was sent to and from each guest, in its present and earlier classes.
    public func guestAmounts() -> [String: GuestAmounts] {
        var result = guestsSent
        for tree in trees.values {
            let counters = classCounters(tree: tree.name)
            for (guest, id) in tree.description.guestClasses {
                counters.forEach(of: id) {
                    result[guest, default: GuestAmounts()].add(Amount(frames: $0.sentFrames, bytes: $0.sentBytes), cycles: $0.cycles, tree.kind)
                }
            }
        }
        return result
    }

    /// What was sent to and from the guests of each group while they were in it.
    public func groupAmounts() -> [String: GuestAmounts] {
        var result = groupsSent
        for tree in trees.values {
            let counters = TreeCounters(tree)
            for (group, id) in tree.description.groupClasses {
                counters.forEach(of: id) { result[group, default: GuestAmounts()].add(Amount(frames: $0.sentFrames, bytes: $0.sentBytes), tree.kind) }
            }
            for (group, amount) in tree.earlier.sentByGroup { result[group, default: GuestAmounts()].add(amount, tree.kind) }
        }
        return result
    }

    /// A poll loop and its counters. Loads are parts of a core, 0 to 1.
    public struct CoreReport: Sendable {
        public var cpu: Int
        public var numaNode: Int
        public var queues: [(port: String, queue: Int, load: Double)]
        public var turns: UInt64
        public var frames: UInt64
        public var busyCycles: UInt64
        public var idleCycles: UInt64
        public var idleTurns: UInt64
        /// The cycles of each stage in turns that were measured, and the frames received in those turns; both only grow.
        public var stageCycles: [Stage: UInt64]
        public var measuredFrames: UInt64
        /// How many times the loop did not run although it was ready to (`StallMeter`), and the cycles of all these times together and of the longest.
        public var stalls: UInt64
        public var stalledCycles: UInt64
        public var longestStall: UInt64
        /// Nanoseconds for which, by the kernel's count, others ran while the loop's thread was ready, and for which the hypervisor withheld its CPU, since the
        /// loop started; nil: the kernel does not count them here.
        public var waitedNanoseconds: UInt64?
        public var stolenNanoseconds: UInt64?
        public var polling: PollingMode
        public var sleeps: UInt64
        public var asleepCycles: UInt64
        public var wokenByTraffic: UInt64
        public var wokenByControl: UInt64
        public var wokenByTime: UInt64
        /// Ports that the loop polls and whose frames cannot wake it.
        public var lookedAt: [String]
    }

    /// The reports of all poll loops, by their index.
    public func coreReports() -> [CoreReport] {
        let names = Dictionary(uniqueKeysWithValues: ports.values.map { ($0.index, $0.settings.name) })
        let silent = Set(ports.values.filter { !$0.link.wakes }.map(\.index))
        return runtime.lcores.indices.map { index in
            let lcore = runtime.lcores.baseAddress! + index
            let queues = placement.loops.filter { $0.value == index }.keys.sorted { ($0.port, $0.queue) < ($1.port, $1.queue) }
            let sleep = lcore.pointee.sleeper.counters
            return CoreReport(
                cpu: lcore.pointee.cpu, numaNode: cpuNodes[index], queues: queues.compactMap { key in names[key.port].map { ($0, key.queue, loads.queues[key] ?? 0) } },
                turns: lcore.pointee.turns.load(ordering: .relaxed), frames: lcore.pointee.handledFrames, busyCycles: lcore.pointee.busyCycles,
                idleCycles: lcore.pointee.idleCycles, idleTurns: lcore.pointee.idleTurns,
                stageCycles: .init(uniqueKeysWithValues: Stage.allCases.map { ($0, lcore.pointee.stageCycles[$0.rawValue]) }),
                measuredFrames: lcore.pointee.measuredFrames,
                stalls: lcore.pointee.stalls.count, stalledCycles: lcore.pointee.stalls.total, longestStall: lcore.pointee.stalls.longest,
                waitedNanoseconds: CPUTime.waited(thread: lcore.pointee.thread),
                stolenNanoseconds: CPUTime.stolen(cpu: lcore.pointee.cpu).map { $0 - min($0, stolenBefore[index]) },
                polling: model.daemon.polling(ofCPU: lcore.pointee.cpu), sleeps: sleep.sleeps, asleepCycles: sleep.cycles,
                wokenByTraffic: sleep.wokenByTraffic, wokenByControl: sleep.wokenByControl, wokenByTime: sleep.wokenByTime,
                lookedAt: Set(queues.map(\.port)).intersection(silent).compactMap { names[$0] }.sorted())
        }
    }

    /// The latest stalls of a loop, oldest first: when they began and how long they lasted, in cycles of the time-stamp counter.
    public func stalls(ofCore index: Int) -> [(began: UInt64, cycles: UInt64)] {
        (runtime.lcores.baseAddress! + index).pointee.stalls.latest.map { ($0.began, $0.took) }
    }
    /// The present value of the time-stamp counter.
    public var cycles: UInt64 { sluice_cycles() }

    /// The daemon's totals.
    public struct Totals: Sendable {
        public var received = Amount()
        public var copied = Amount()
        /// Frames that the switch itself made.
        public var injected = Amount()
        public var delivered = Amount()
        public var queued = Amount()
        public var drops: [String: UInt64] = [:]
    }

    /// The daemon's totals. Frames that were received, copied and injected are delivered, queued or dropped; the sums agree when no frames move.
    public func totals() -> Totals {
        var sum = retired
        for index in 0..<maxPorts { sum += counters(of: PortIndex(index)) }
        for port in ports.values { sum.add(port.link.readLosses()) }
        for losses in closedLosses.values { sum.add(losses) }
        var totals = Totals()
        totals.received = Amount(frames: sum.receivedFrames, bytes: sum.receivedBytes)
        totals.delivered = Amount(frames: sum.sentFrames, bytes: sum.sentBytes)
        totals.copied = Amount(frames: sum.copiedFrames, bytes: sum.copiedBytes)
        totals.injected = Amount(frames: sum.injected, bytes: sum.injectedBytes)
        totals.drops = sum.dropCounts { _ in true }
        for tree in trees.values {
            for instance in tree.instances {
                totals.queued.frames += UInt64(instance.pointee.backlogFrames)
                totals.queued.bytes += UInt64(instance.pointee.backlogBytes)
            }
        }
        for index in runtime.lcores.indices {
            let outputs = (runtime.lcores.baseAddress! + index).pointee.outputs
            for port in ports.values {
                let output = outputs + Int(port.index)
                let count = min(output.pointee.count, Output.capacity)
                totals.queued.frames += UInt64(count)
                for place in 0..<count { totals.queued.bytes += UInt64(output.pointee.lengths[place]) }
            }
        }
        return totals
    }

    /// Frames and bytes that no protocol row matches, followed by those of each row of `Model.protocolTable`.
    public func protocolAmounts() -> [Amount] {
        [protocolAmount(Int(ProtocolTable.defaultRow))]
            + model.protocolTable.map { item in
                guard let row = protocolNumbers[item.name] else { return Amount() }
                let sum = protocolAmount(row), before = countedBefore[row]
                return Amount(frames: sum.frames &- before.frames, bytes: sum.bytes &- before.bytes)
            }
    }

    /// Everything that was ever counted in a row, also for protocols that had it before.
    func protocolAmount(_ row: Int) -> Amount {
        var sum = Amount()
        for index in runtime.lcores.indices {
            let counters = (runtime.lcores.baseAddress! + index).pointee.protocolCounters[row]
            sum.frames &+= counters.frames
            sum.bytes &+= counters.bytes
        }
        return sum
    }

    /// An address that a bridge knows, or one that is configured and not in the database.
    public struct AddressReport: Sendable {
        public var bridge: String
        public var mac: MACAddress
        /// The VLAN that the address is in; nil if the bridge has no VLANs.
        public var vlan: Int?
        public var port: String
        public var guest: String?
        public var isStatic: Bool
        /// Whether the address is in the database. If false, it is only configured, because its port is down or there was no room.
        public var isBound = true
        /// Seconds since a frame from the address was last seen.
        public var age: UInt64
    }

    /// The addresses of a bridge, or of all bridges, sorted by bridge, address, VLAN and port.
    public func addressReports(bridge wanted: String? = nil) -> [AddressReport] {
        let portNames = Dictionary(uniqueKeysWithValues: ports.values.map { ($0.index, $0.settings.name) })
        let guestNames = Dictionary(guestIndices.map { ($1, $0) }) { first, _ in first }
        func report(_ bridge: String, _ station: Station, _ binding: Binding) -> AddressReport? {
            portNames[binding.port].map {
                AddressReport(bridge: bridge, mac: station.mac, vlan: station.vlan == 0 ? nil : Int(station.vlan), port: $0, guest: guestNames[binding.guest], isStatic: true, isBound: false, age: 0)
            }
        }
        let now = UInt32(truncatingIfNeeded: runtime.now >> 30)
        var result: [AddressReport] = []
        for (name, bridge) in bridges.sorted(by: { $0.key < $1.key }) where wanted == nil || wanted == name {
            bridge.fdb.forEach { mac, value in
                guard let port = portNames[value.port] else { return }
                let station = Station(key: mac)
                result.append(AddressReport(
                    bridge: name, mac: station.mac, vlan: station.vlan == 0 ? nil : Int(station.vlan), port: port, guest: guestNames[value.guest], isStatic: value.isStatic,
                    age: UInt64(now &- value.seen & 0x7fff_ffff) << 30 / 1_000_000_000))
            }
            let bound = Set(bridge.bound.keys.map(\.mac))
            result += bridge.owned.compactMap { station, binding in
                bridge.bound[station] == nil && (station.vlan != 0 || !bound.contains(station.mac)) ? report(name, station, binding) : nil
            }
        }
        return result.sorted { ($0.bridge, $0.mac, $0.vlan ?? 0, $0.port) < ($1.bridge, $1.mac, $1.vlan ?? 0, $1.port) }
    }

    /// How many addresses a bridge knows.
    public func addressCount(bridge: String) -> Int { bridges[bridge]?.fdb.count ?? 0 }

    /// The trees in force, sorted by name.
    public var treeDescriptions: [TreeDescription] { trees.values.map(\.description).sorted { $0.name < $1.name } }

    /// The frequency, in Hz, of the cycles that reports count.
    public var cyclesPerSecond: UInt64 { runtime.cyclesPerSecond }
    /// How many frame buffers are in use.
    public var buffersInUse: Int { model.daemon.buffers - Int(sluice_pool_available(runtime.pool)) }
    public static var dpdkVersion: String { String(cString: rte_version()) }

    private func counters(of index: PortIndex) -> PortCounters {
        var sum = PortCounters()
        for lcore in runtime.lcores.indices { sum += (runtime.lcores.baseAddress! + lcore).pointee.counters[Int(index)] }
        return sum
    }
}

extension PortCounters {
    /// The number of frames that were dropped at the given places, by the names of the reasons; only reasons that occurred.
    fileprivate func dropCounts(at isMeant: (DropReason.Place) -> Bool) -> [String: UInt64] {
        var result: [String: UInt64] = [:]
        for reason in DropReason.allCases where isMeant(reason.place) {
            let count = drops[Int(reason.rawValue)]
            if count != 0 { result[reason.name, default: 0] &+= count }
        }
        return result
    }

    fileprivate func dropCount(at isMeant: (DropReason.Place) -> Bool) -> UInt64 { dropCounts(at: isMeant).values.reduce(0, &+) }
}

extension TreeDescription {
    var guestClasses: [String: UInt16] { classes.guestClasses }
    var groupClasses: [String: UInt16] { classes.groupClasses }
}

extension [ClassDescription] {
    /// The topmost class of each guest; all other classes of the guest are below it.
    var guestClasses: [String: UInt16] {
        // Parents come before their children, so the first class of a guest is the topmost.
        Dictionary(compactMap { item in item.guest.map { ($0, item.id) } }) { first, _ in first }
    }

    /// The class of each group that has guests in this tree.
    var groupClasses: [String: UInt16] {
        Dictionary(compactMap { item in item.guest == nil && !item.isRest ? (item.path.lastPart, item.id) : nil }) { first, _ in first }
    }

    /// The classes whose counters are sums over other classes that come and go: those of groups, and `rest`.
    var gathering: [ClassDescription] { filter { $0.guest == nil } }
}

extension String {
    /// The last part of a class's path, which is the name of what the class is for.
    var lastPart: String { split(separator: "/").last.map(String.init) ?? self }
}
