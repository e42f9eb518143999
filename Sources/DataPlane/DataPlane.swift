import Bridge
import Configuration
import DCB
import NUMA
import DPDKShim
import Packet
import Scheduler

/// The poll loops and everything they carry. Made once a process; used by one thread, the control thread.
public final class DataPlane {
    let runtime: Runtime
    /// What is running.
    public internal(set) var model: Model { didSet { knownGuests = nil } }
    private var knownGuests: [EffectiveGuest]?
    /// The model's, made once.
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
    /// Of ports that the change in progress took away, and the bridges they were at.
    var closedIndices: [(port: PortIndex, bridge: String)] = []
    var bridges: [String: BridgeState] = [:]
    var guestIndices: [String: GuestIndex] = [:]
    var freeGuests = IndexPool(1..<65_535)
    /// For how many guests the leaf tables of the published snapshots have room.
    var guestRows = GuestRows()
    /// What guests sent in classes that are gone.
    var guestsSent: [String: GuestAmounts] = [:]
    /// What was sent to and from the guests of groups in trees that are gone.
    var groupsSent: [String: GuestAmounts] = [:]
    /// Of guests that the change in progress took away, and the ports they were at.
    var closedGuests: [(index: Int, port: String)] = []
    /// By port: the guest that traffic of unlisted addresses belongs to, as published last.
    var catchAllGuests: [String: GuestIndex] = [:]
    /// Numbers of guests who went in a change of theirs alone: their rows lead to others until the next one.
    var leftRows: [Int] = []
    /// Whose addresses are learned behind each port, when addresses were bound last.
    var learnedFor: [PortIndex: LearnedFor] = [:]
    /// Replaced, and to be freed when no loop reads them.
    var retiredOwners: [AddressOwners] = []
    var retiredSets: [FloodSets] = []
    var retiredGroups: [BridgeGroups] = []
    /// By `PortIndex`: names of their bridges.
    var bridgesOfPorts: [String?] = []
    var filters = FilterPrograms()
    /// Replaced, and those in their place.
    var retiredFilters: [(program: FilterProgram, heir: FilterProgram?)] = []
    var mirrors = MirrorRecords()
    var trees: [String: Tree] = [:]
    var placement = Placement()
    var loads = Loads()
    var balancer = Balancer()
    private let wakeLatency = WakeLatency()
    /// Times that guests had connected at the last `tick`.
    var seenConnections: UInt64 = 0
    /// Queues that balancing moved.
    public internal(set) var queueMoves: UInt64 = 0
    /// By lcore index: what it was given last.
    var snapshots: [UnsafeMutablePointer<Snapshot>] = []
    /// Times that snapshots were published.
    var published: UInt64 = 0
    var protocols: ProtocolTable
    var protocolNumbers = ProtocolRows()
    /// By protocol row: what had been counted there when its protocol got it.
    var countedBefore = [Amount](repeating: Amount(), count: protocolRows)
    /// Configured addresses for which a forwarding database had no place; tried again at every change.
    public internal(set) var unboundAddresses: [(bridge: String, mac: MACAddress, vlan: Int?)] = []
    /// What links could not receive that were closed since their port was made.
    var closedLosses: [PortIndex: LinkLosses] = [:]
    /// Counters of ports that are gone, so that totals go on adding up.
    var retired = PortCounters()
    let cpuNodes: [Int]
    /// Nanoseconds that the hypervisor had taken from each loop's CPU before it started.
    let stolenBefore: [UInt64]
    /// `Runtime.now` at which poll loops stop telling stages apart; 0: they do not.
    var stagesMeasuredUntil: UInt64 = 0

    /// A bridge as the control thread holds it.
    struct BridgeState {
        var settings: BridgeSettings
        var fdb: ForwardingDatabase
        /// What guests' addresses and the operator's static entries say.
        var owned: [Station: Binding] = [:]
        /// The same for the poll loops.
        var owners = AddressOwners.create([])
        /// Of `owned`, what the database has as static entries: what is behind ports that are up.
        var bound: [Station: Binding] = [:]
        /// Whom frames are flooded to, where there are VLANs, and of what that was made.
        var sets: FloodSets?
        var setMembers: [PortIndex: VLANSet] = [:]
        /// nil: it follows none.
        var groups: BridgeGroups?
        /// Counters of ports that are gone, so that the bridge's own never fall.
        var retired = PortCounters()

        /// No loop may still use it.
        func destroy() {
            fdb.destroy()
            owners.destroy()
            sets?.destroy()
            groups?.destroy()
        }
    }
    /// An address in a VLAN; in VLAN 0 where its bridge has none, or where it is meant in all VLANs of its port.
    struct Station: Hashable {
        var mac: MACAddress
        var vlan: UInt16 = 0

        init(_ mac: MACAddress, vlan: Int? = nil) {
            self.mac = mac
            self.vlan = UInt16(vlan ?? 0)
        }

        /// - Parameter key: as forwarding databases and records have it.
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
    /// Guests of one port.
    struct LearnedFor: Equatable {
        var all: [GuestIndex] = []
        var catchAll: GuestIndex = 0
        /// Of VLANs that have a guest of their own.
        var byVLAN: [UInt16: GuestIndex] = [:]

        func guest(of vlan: UInt16) -> GuestIndex { byVLAN[vlan] ?? catchAll }
    }

    /// Starts DPDK and the poll loops, with nothing to carry yet.
    /// - Parameter controlSocket: the path that this process serves clients at; no port may have it.
    /// - Throws: `DataPlaneError` when memory or processors are not to be had.
    public init(_ settings: DaemonSettings, controlSocket: String? = nil) throws(DataPlaneError) {
        runtime = try Runtime(settings, controlSocket: controlSocket)
        MTURecord.giveBack()
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

    /// - Throws: a sentence where the kernel takes no request; nothing has changed then.
    func setWakeLatency(_ settings: DaemonSettings) throws(DataPlaneError) { try wakeLatency.set(settings.wakeLatency) }

    /// Stops the loops, closes every port and gives DPDK's memory back.
    public func close() {
        runtime.halt()
        for port in ports.values { port.close() }
        for tree in trees.values { tree.close() }
        for bridge in bridges.values { bridge.destroy() }
        for owners in retiredOwners { owners.destroy() }
        for sets in retiredSets { sets.destroy() }
        for groups in retiredGroups { groups.destroy() }
        for program in filters.all + retiredFilters.map(\.program) { program.destroy() }
        for snapshot in snapshots { free(snapshot) }
        mirrors.destroy()
        protocols.destroy()
        runtime.close()
    }

    /// Looks at all links again. A port is of no use before its link was seen to be up, so this is done many times a second.
    public func refreshLinks() {
        for port in ports.values { port.link.refresh() }
        loseGonePorts()
        noteRenamedPorts()
        followBPDUs()
        followLinks()
        takePunted()
        advanceGroups()
    }

    /// Housekeeping that poll loops leave to others, about once a second: ageing, loads, and ports that failed.
    public func tick() {
        endStageMeasurement()
        watchLoads()
        retryLostPorts()
        let seconds = UInt32(truncatingIfNeeded: runtime.now >> 30)
        for bridge in bridges.values {
            // The database's seconds are 2^30 ns long.
            let ageing = UInt32(clamping: max((bridge.settings.ageing * 1_000_000_000) >> 30, 1))
            if seconds > ageing { _ = bridge.fdb.sweep(olderThan: seconds - ageing, from: 0, count: bridge.fdb.lines) }
        }
    }

    func free(_ snapshot: UnsafeMutablePointer<Snapshot>) {
        snapshot.pointee.deallocate()
        snapshot.deallocate()
    }
}

/// Numbers that are given out lowest first and taken back.
struct IndexPool {
    /// Behind the highest that was ever given out.
    private(set) var next: Int
    private let end: Int
    private var returned: Set<Int> = []

    init(_ range: Range<Int>) { next = range.lowerBound; end = range.upperBound }

    mutating func take() -> Int? {
        if let lowest = returned.min() {
            returned.remove(lowest)
            return lowest
        }
        guard next < end else { return nil }
        next += 1
        return next - 1
    }

    mutating func give(back index: Int) { returned.insert(index) }

    /// How many are left.
    var count: Int { end - next + returned.count }
}

extension UnsafeMutableBufferPointer where Element: ~Copyable {
    var indices: Range<Int> { 0..<count }
}

extension UnsafeMutableBufferPointer<Lcore> {
    subscript(cpu index: Int) -> Int { (baseAddress! + index).pointee.cpu }
}
