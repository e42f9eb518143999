import Bridge
import Configuration
import DCB
import NUMA
import DPDKShim
import Packet
import Scheduler

/// The poll loops and everything they carry. A process makes one data plane, and only its control thread uses it.
public final class DataPlane {
    let runtime: Runtime
    /// The configuration that is running.
    public internal(set) var model: Model { didSet { (knownGuests, pollPricesAreSet) = (nil, false) } }
    /// Whether `setPollPrices` has seen the floors of the model in force, and all ports.
    var pollPricesAreSet = false
    private var knownGuests: [EffectiveGuest]?
    /// The model's effective guests, computed once for each model.
    var effectiveGuests: [EffectiveGuest] {
        if let knownGuests { return knownGuests }
        let guests = model.effectiveGuests
        knownGuests = guests
        return guests
    }
    var ports: [String: Port] = [:]
    var lost: [String: LostPort] = [:]
    var notices: [String] = []
    var freeIndices = IndexPool(1..<maxPorts)
    /// Ports that the change in progress removed, and the bridges they were at.
    var closedIndices: [(port: PortIndex, bridge: String)] = []
    var bridges: [String: BridgeState] = [:]
    var guestIndices: [String: GuestIndex] = [:]
    var freeGuests = IndexPool(1..<65_535)
    /// The number of guests for which the leaf tables of the published snapshots have room.
    var guestRows = GuestRows()
    /// What guests sent in classes that no longer exist.
    var guestsSent: [String: GuestAmounts] = [:]
    /// What was sent to and from the guests of groups in trees that no longer exist.
    var groupsSent: [String: GuestAmounts] = [:]
    /// Guests that the change in progress removed, and the ports they were at.
    var closedGuests: [(index: Int, port: String)] = []
    /// For each port, the guest that owns the traffic of addresses that are not configured, as it was last published.
    var catchAllGuests: [String: GuestIndex] = [:]
    /// Indices of guests that the last change of a single port's guests removed. Their rows of the leaf tables keep leading to the leaves of the port's catch-all
    /// guest until the next change.
    var leftRows: [Int] = []
    /// For each port, the guests for which addresses were learned behind it when addresses were last bound.
    var learnedFor: [PortIndex: LearnedFor] = [:]
    /// Objects that have been replaced, to be freed when no poll loop reads them any more (here and in the next two lines).
    var retiredOwners: [AddressOwners] = []
    var retiredSets: [FloodSets] = []
    var retiredGroups: [BridgeGroups] = []
    /// The names of the ports' bridges, by `PortIndex`.
    var bridgesOfPorts: [String?] = []
    var discovery = Discovery()
    var filters = FilterPrograms()
    /// Filter programs that have been replaced, and the programs that replaced them.
    var retiredFilters: [(program: FilterProgram, heir: FilterProgram?)] = []
    var mirrors = MirrorRecords()
    /// Takes samples of frames; nil: none are taken.
    var sampler: Sampler?
    /// The captures in progress.
    var captures: [Capture] = []
    /// Those that have ended, but whose last frames may still be read.
    var endedCaptures: [Capture] = []
    var trees: [String: Tree] = [:]
    var placement = Placement()
    var loads = Loads()
    var balancer = Balancer()
    private let wakeLatency = WakeLatency()
    /// The number of times that guests had connected when `tick` last looked.
    var seenConnections: UInt64 = 0
    /// The number of queues that balancing has moved to another poll loop.
    public internal(set) var queueMoves: UInt64 = 0
    /// For each poll loop, by its index, the snapshot that it was given last.
    var snapshots: [UnsafeMutablePointer<Snapshot>] = []
    /// The number of times that snapshots were published.
    var published: UInt64 = 0
    var protocols: ProtocolTable
    var protocolNumbers = ProtocolRows()
    /// For each protocol row, what had already been counted there when its present protocol got the row.
    var countedBefore = [Amount](repeating: Amount(), count: protocolRows)
    /// Configured addresses for which a forwarding database had no room. They are tried again at every change.
    public internal(set) var unboundAddresses: [(bridge: String, mac: MACAddress, vlan: Int?)] = []
    /// For each port, the receive losses of links that were closed since the port was made.
    var closedLosses: [PortIndex: LinkLosses] = [:]
    /// The counters of removed ports, so that totals never fall.
    var retired = PortCounters()
    let cpuNodes: [Int]
    /// For each poll loop, the nanoseconds that the hypervisor had stolen from its CPU before it started.
    let stolenBefore: [UInt64]
    /// The value of `Runtime.now` at which the poll loops stop measuring their stages; 0: they are not measuring.
    var stagesMeasuredUntil: UInt64 = 0

    /// What the control thread knows of a bridge.
    struct BridgeState {
        var settings: BridgeSettings
        var fdb: ForwardingDatabase
        /// The owners of addresses, from the guests' configured addresses and the operator's static entries.
        var owned: [Station: Binding] = [:]
        /// The same, in the form that poll loops read.
        var owners = AddressOwners.create([])
        /// The part of `owned` that the database holds as static entries: the addresses behind ports that are up.
        var bound: [Station: Binding] = [:]
        /// On a bridge with VLANs, the ports that frames are flooded to, and what those were made from.
        var sets: FloodSets?
        var setMembers: [PortIndex: VLANSet] = [:]
        /// The bridge's groups; nil if it does not follow groups.
        var groups: BridgeGroups?
        /// The addresses that Fibre Channel's nodes were granted; nil if none of the bridge's ports has had `fip-snooping`.
        var fip: UnsafeMutablePointer<FIPGuard>?
        /// The counters of removed ports, so that the bridge's own counters never fall.
        var retired = PortCounters()

        /// Frees the bridge's memory. No poll loop may use it any more.
        func destroy() {
            fdb.destroy()
            owners.destroy()
            sets?.destroy()
            groups?.destroy()
            fip?.deinitialize(count: 1)
            fip?.deallocate()
        }
    }
    /// An address in a VLAN. The VLAN is 0 if the bridge has none, or if the address is meant in all VLANs of its port.
    struct Station: Hashable {
        var mac: MACAddress
        var vlan: UInt16 = 0

        init(_ mac: MACAddress, vlan: Int? = nil) {
            self.mac = mac
            self.vlan = UInt16(vlan ?? 0)
        }

        /// - Parameter key: address and VLAN, as forwarding databases and records hold them.
        init(key: UInt64) {
            mac = MACAddress(value: key & 0xffff_ffff_ffff)
            vlan = PortVLANs.vlan(of: key)
        }

        var key: UInt64 { mac.value | UInt64(vlan) << 48 }
    }
    struct Binding: Equatable {
        var port: PortIndex
        var guest: GuestIndex
    }
    /// The guests of one port for which addresses are learned.
    struct LearnedFor: Equatable {
        var all: [GuestIndex] = []
        var catchAll: GuestIndex = 0
        /// For each VLAN that has a guest of its own, that guest.
        var byVLAN: [UInt16: GuestIndex] = [:]

        func guest(of vlan: UInt16) -> GuestIndex { byVLAN[vlan] ?? catchAll }
    }

    /// Starts DPDK and the poll loops, without any ports.
    /// - Parameter controlSocket: the path of the control socket of this process; no port may use it.
    /// - Throws: `DataPlaneError` if the memory or the processors are not available.
    public init(_ settings: DaemonSettings, controlSocket: String? = nil) throws(DataPlaneError) {
        runtime = try Runtime(settings, controlSocket: controlSocket)
        MTURecord.giveBack()
        JournalFile.removeForsaken()
        try Self.check(settings, [], runtime.lcores)
        model = Model()
        model.daemon = settings
        protocols = ProtocolTable.create()
        cpuNodes = runtime.lcores.indices.map { [runtime] in NUMA.node(ofCPU: runtime.lcores[cpu: $0]) ?? -1 }
        stolenBefore = runtime.lcores.indices.map { [runtime] in CPUTime.stolen(cpu: runtime.lcores[cpu: $0]) ?? 0 }
        try setWakeLatency(settings)
        publish()
        try runtime.launch()
    }

    /// - Throws: `DataPlaneError` if the kernel does not accept a request for the latency; then nothing has changed.
    func setWakeLatency(_ settings: DaemonSettings) throws(DataPlaneError) { try wakeLatency.set(settings.wakeLatency) }

    /// Stops the poll loops, closes every port and returns DPDK's memory.
    public func close() {
        withdrawDiscovery { _ in true }
        runtime.halt()
        for port in ports.values { port.close(.ended) }
        for tree in trees.values { tree.close() }
        for bridge in bridges.values { bridge.destroy() }
        for owners in retiredOwners { owners.destroy() }
        for sets in retiredSets { sets.destroy() }
        for groups in retiredGroups { groups.destroy() }
        for program in filters.all + retiredFilters.map(\.program) { program.destroy() }
        for snapshot in snapshots { free(snapshot) }
        mirrors.destroy()
        for capture in captures + endedCaptures { capture.destroy() }
        (captures, endedCaptures) = ([], [])
        sampler?.close()
        protocols.destroy()
        runtime.close()
    }

    /// Looks at all links again. A port cannot be used until its link has been seen to be up, so this is called many times a second.
    public func refreshLinks() {
        for port in ports.values { port.link.refresh() }
        loseGonePorts()
        noteRenamedPorts()
        followBPDUs()
        followLinks()
        takePunted()
        advanceGroups()
        advanceDiscovery()
        advanceFIPGuards()
    }

    /// Does the work that poll loops leave to others, about once a second: ageing, loads, and another attempt to open failed ports.
    public func tick() {
        endStageMeasurement()
        watchLoads()
        retryLostPorts()
        setPollPrices()
        steer()
        let seconds = UInt32(truncatingIfNeeded: runtime.now >> 30)
        for bridge in bridges.values {
            // The forwarding database counts in seconds of 2^30 ns.
            let ageing = UInt32(clamping: max((bridge.settings.ageing * 1_000_000_000) >> 30, 1))
            if seconds > ageing { _ = bridge.fdb.sweep(olderThan: seconds - ageing, from: 0, count: bridge.fdb.lines) }
        }
    }

    func free(_ snapshot: UnsafeMutablePointer<Snapshot>) {
        snapshot.pointee.deallocate()
        snapshot.deallocate()
    }
}

/// A pool of numbers, which gives out the lowest first and takes numbers back.
struct IndexPool {
    /// One more than the highest number that was ever given out.
    private(set) var next: Int
    private let end: Int
    private var returned: Set<Int> = []

    init(_ range: Range<Int>) { next = range.lowerBound; end = range.upperBound }

    mutating func allocate() -> Int? {
        if let lowest = returned.min() {
            returned.remove(lowest)
            return lowest
        }
        guard next < end else { return nil }
        next += 1
        return next - 1
    }

    mutating func release(_ index: Int) { returned.insert(index) }

    /// How many numbers can still be given out.
    var count: Int { end - next + returned.count }
}

extension UnsafeMutableBufferPointer where Element: ~Copyable {
    var indices: Range<Int> { 0..<count }
}

extension UnsafeMutableBufferPointer<Lcore> {
    subscript(cpu index: Int) -> Int { (baseAddress! + index).pointee.cpu }
}
