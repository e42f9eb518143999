import Bridge
import Configuration
import LinkProtocols
import Packet
import Scheduler

/// The groups of one bridge: the state machine that follows them, and the table that poll loops read. Only the control thread uses it.
final class BridgeGroups {
    let slot: UnsafeMutablePointer<GroupSlot>
    var snooper: GroupSnooper
    /// The ports that frames can reach, with the settings that the snooper knows.
    private var ports: [PortIndex: LinkProtocols.PortSnooping] = [:]
    private var members: [PortIndex: VLANSet]?
    private var vlans: [UInt16: Set<PortIndex>] = [:]
    private var settings: Configuration.SnoopingSettings
    /// The value of `GroupSnooper.version` that the table corresponds to.
    private var version: UInt64
    /// When the table was made, as a value of `Runtime.now`.
    private(set) var madeAt: Nanoseconds = 0

    init(_ settings: Configuration.SnoopingSettings, now: Nanoseconds) {
        self.settings = settings
        // The address is locally administered (IEEE 802, 8.4) and random, as bridges of different hosts on one network may have the same name.
        let address = UInt64.random(in: 0..<1 << 40) | 0x02 << 40
        snooper = GroupSnooper(settings: .init(settings), mac: MACAddress(value: address), now: now)
        version = snooper.version
        slot = .onOwnLines(1)
        slot.initialize(to: GroupSlot(Self.table(of: snooper, [])))
    }

    /// Frees everything. No loop may read the slot any more.
    func destroy() {
        Self.free(slot.pointee.table.load(ordering: .relaxed))
        slot.deinitialize(count: 1)
        slot.deallocate()
    }

    /// Tells the snooper about settings, ports and VLANs that have changed.
    /// - Parameters:
    ///   - ports: the bridge's ports that frames can reach.
    ///   - members: the VLANs of all its ports; nil: the bridge has none.
    func adopt(_ settings: Configuration.SnoopingSettings, ports: [PortIndex: LinkProtocols.PortSnooping], members: [PortIndex: VLANSet]?, now: Nanoseconds) {
        if settings != self.settings { snooper.set(.init(settings), now: now) }
        self.settings = settings
        for (port, known) in ports where self.ports[port] != known { snooper.set(port: port, known, now: now) }
        for port in self.ports.keys where ports[port] == nil { snooper.set(port: port, nil, now: now) }
        if members != self.members || ports.keys != self.ports.keys {
            var vlans: [UInt16: Set<PortIndex>] = [:]
            if let members {
                for (port, list) in members where ports[port] != nil { for vlan in list.ids { vlans[UInt16(vlan), default: []].insert(port) } }
            } else {
                vlans[0] = Set(ports.keys)
            }
            if vlans != self.vlans { snooper.set(vlans: vlans, now: now) }
            self.vlans = vlans
        }
        self.ports = ports
        self.members = members
    }

    var needsTable: Bool { version != snooper.version }

    /// Gives the loops a table of what the snooper knows now.
    /// - Returns: the table that was replaced, to be freed once no loop reads it.
    func renewTable(now: Nanoseconds) -> UnsafeMutablePointer<GroupTable>? {
        version = snooper.version
        madeAt = now
        return slot.pointee.table.exchange(Self.table(of: snooper, vlans.keys), ordering: .acquiringAndReleasing)
    }

    static func free(_ table: UnsafeMutablePointer<GroupTable>?) {
        table?.pointee.destroy()
        table?.deallocate()
    }

    private static func table(of snooper: GroupSnooper, _ vlans: some Sequence<UInt16>) -> UnsafeMutablePointer<GroupTable> {
        let table = UnsafeMutablePointer<GroupTable>.allocate(capacity: 1)
        let asked = vlans.flatMap { vlan in GroupFamily.allCases.filter { snooper.hasQuerier(vlan: vlan, family: $0) }.map { (vlan, $0) } }
        table.initialize(to: GroupTable(
            groups: snooper.membership.map { GroupTable.Group(vlan: $0.vlan, high: $0.group.high, low: $0.group.low, ports: $0.ports) },
            routers: asked.map { GroupTable.Routers(vlan: $0, isIPv6: $1 == .ipv6, ports: snooper.routerPorts(vlan: $0, family: $1)) }))
        return table
    }
}
