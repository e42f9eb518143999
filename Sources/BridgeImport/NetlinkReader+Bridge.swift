import Packet

// Links, VLANs and forwarding entries of the messages of rtnetlink(7).

/// An interface as RTM_NEWLINK tells it, before it is known which bridge is asked for.
public struct KernelLink: Equatable, Sendable {
    public var index: Int
    public var name: String
    public var kind: String?
    public var mac: MACAddress?
    public var mtu: Int
    public var isUp: Bool
    /// The bridge that the interface is a port of (IFLA_MASTER), and the interface that it is on top of (IFLA_LINK).
    public var controller: Int?
    public var lower: Int?
    /// The attributes of its kind (IFLA_INFO_DATA), and those that it has as a port (IFLA_INFO_SLAVE_DATA, if that is a bridge's).
    let data: NetlinkReader?
    let portData: NetlinkReader?

    public static func == (a: Self, b: Self) -> Bool {
        (a.index, a.name, a.kind, a.mac, a.mtu, a.isUp) == (b.index, b.name, b.kind, b.mac, b.mtu, b.isUp) && a.controller == b.controller && a.lower == b.lower
    }

    /// - Parameter message: the payload of RTM_NEWLINK: struct ifinfomsg and attributes (linux/rtnetlink.h, linux/if_link.h).
    public init?(_ message: [UInt8]) {
        guard let head = NetlinkReader(message, skipping: 0), let index = head.i32(4), let flags = head.u32(8),
            let attributes = NetlinkReader(message, skipping: 16)?.attributes, let name = attributes[3 /* IFLA_IFNAME */]?.text
        else { return nil }
        self.index = Int(index)
        self.name = name
        isUp = flags & 1 != 0
        mac = attributes[1 /* IFLA_ADDRESS */].flatMap { $0.count == 6 ? $0.mac : nil }
        mtu = attributes[4 /* IFLA_MTU */]?.u32().map(Int.init) ?? 1_500
        controller = attributes[10 /* IFLA_MASTER */]?.u32().map(Int.init)
        lower = attributes[5 /* IFLA_LINK */]?.u32().map(Int.init)
        let information = attributes[18 /* IFLA_LINKINFO */]?.attributes ?? [:]
        kind = information[1 /* IFLA_INFO_KIND */]?.text
        data = information[2 /* IFLA_INFO_DATA */]
        portData = information[4 /* IFLA_INFO_SLAVE_KIND */]?.text == "bridge" ? information[5 /* IFLA_INFO_SLAVE_DATA */] : nil
    }

    /// The VLAN that a VLAN interface is for (IFLA_VLAN_ID).
    public var vlan: Int? { kind == "vlan" ? data?.attributes[1]?.u16().map(Int.init) : nil }

    /// The bridge that this interface is, without its ports; nil if it is none.
    public var bridge: KernelBridge? {
        guard kind == "bridge" else { return nil }
        var bridge = KernelBridge(name: name, index: index)
        bridge.mac = mac
        bridge.mtu = mtu
        let values = data?.attributes ?? [:]
        func flag(_ type: UInt16, _ standard: Bool) -> Bool { values[type]?.u8().map { $0 != 0 } ?? standard }
        bridge.ageing = values[4 /* IFLA_BR_AGEING_TIME */]?.u32() ?? bridge.ageing
        bridge.spanningTree = values[5 /* IFLA_BR_STP_STATE */]?.u32() ?? 0
        bridge.vlanFiltering = flag(7 /* IFLA_BR_VLAN_FILTERING */, false)
        bridge.vlanProtocol = values[8 /* IFLA_BR_VLAN_PROTOCOL */]?.be16() ?? bridge.vlanProtocol
        bridge.groupForwardMask = values[9 /* IFLA_BR_GROUP_FWD_MASK */]?.u16() ?? 0
        bridge.multicastRouter = values[22 /* IFLA_BR_MCAST_ROUTER */]?.u8() ?? 1
        // A kernel without snooping does not have the attribute.
        bridge.multicastSnooping = flag(23 /* IFLA_BR_MCAST_SNOOPING */, false)
        bridge.queriesFromOwnAddress = flag(24 /* IFLA_BR_MCAST_QUERY_USE_IFADDR */, false)
        bridge.multicastQuerier = flag(25 /* IFLA_BR_MCAST_QUERIER */, false)
        bridge.multicastGroups = values[27 /* IFLA_BR_MCAST_HASH_MAX */]?.u32() ?? bridge.multicastGroups
        for (type, table) in [(36, "iptables"), (37, "ip6tables"), (38, "arptables")] as [(UInt16, String)] where flag(type, false) {
            bridge.netfilter.append(table)
        }
        bridge.mostLearned = values[49 /* IFLA_BR_FDB_MAX_LEARNED, since Linux 6.7 */]?.u32() ?? 0
        return bridge
    }

    /// The port of a bridge that this interface is; nil if it is none.
    public var port: KernelPort? {
        guard let portData else { return nil }
        var port = KernelPort(name: name, index: index, kind: kind)
        port.mac = mac
        port.mtu = mtu
        port.isUp = isUp
        let values = portData.attributes
        func flag(_ type: UInt16, _ standard: Bool = false) -> Bool { values[type]?.u8().map { $0 != 0 } ?? standard }
        port.hairpin = flag(4 /* IFLA_BRPORT_MODE */)
        port.bpduGuard = flag(5 /* IFLA_BRPORT_GUARD */)
        port.fastLeave = flag(7 /* IFLA_BRPORT_FAST_LEAVE */)
        port.learning = flag(8 /* IFLA_BRPORT_LEARNING */, true)
        port.flood = flag(9 /* IFLA_BRPORT_UNICAST_FLOOD */, true)
        port.multicastRouter = values[25 /* IFLA_BRPORT_MULTICAST_ROUTER */]?.u8() ?? 1
        port.multicastFlood = flag(27 /* IFLA_BRPORT_MCAST_FLOOD */, true)
        port.broadcastFlood = flag(30 /* IFLA_BRPORT_BCAST_FLOOD */, true)
        port.isolated = flag(33 /* IFLA_BRPORT_ISOLATED */)
        port.locked = flag(39 /* IFLA_BRPORT_LOCKED */)
        let others: [(UInt16, String)] = [
            (6, "root_block"), (10, "proxy_arp"), (12, "proxy_arp_wifi"), (28, "mcast_to_unicast"), (29, "vlan_tunnel"), (32, "neigh_suppress"), (40, "mab"),
            (43, "neigh_vlan_suppress"),
        ]
        for (type, name) in others where flag(type) { port.others.append("\(name) on") }
        if let mask = values[31 /* IFLA_BRPORT_GROUP_FWD_MASK */]?.u16(), mask != 0 { port.others.append("group_fwd_mask 0x\(String(mask, radix: 16))") }
        if let backup = values[34 /* IFLA_BRPORT_BACKUP_PORT */]?.u32(), backup != 0 { port.others.append("backup_port \(backup)") }
        return port
    }
}

extension KernelLink {
    /// The settings of a bridge's port as attributes that can be set again: those of IFLA_INFO_SLAVE_DATA which are no state, each with its head.
    public var portSettings: [UInt8] {
        let settable: Set<UInt16> = [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 25, 27, 28, 29, 30, 31, 32, 33, 39]
        return (portData?.list ?? []).filter { settable.contains($0.type) }.flatMap { type, value -> [UInt8] in
            let head = [UInt16(4 + value.count), type].flatMap { [UInt8(truncatingIfNeeded: $0.littleEndian), UInt8($0.littleEndian >> 8)] }
            return head + value.bytes + [UInt8](repeating: 0, count: -value.count & 3)
        }
    }
}

/// The VLANs of a port or of the bridge itself.
public struct KernelVLANs {
    public var index: Int
    public var vlans: [KernelVLAN]

    /// - Parameter message: the payload of RTM_NEWLINK for AF_BRIDGE, asked for with RTEXT_FILTER_BRVLAN or RTEXT_FILTER_BRVLAN_COMPRESSED.
    public init?(_ message: [UInt8]) {
        guard let index = NetlinkReader(message, skipping: 0)?.i32(4), let attributes = NetlinkReader(message, skipping: 16)?.attributes else { return nil }
        self.index = Int(index)
        vlans = []
        var begin: KernelVLAN?
        for (type, value) in attributes[26 /* IFLA_AF_SPEC */]?.list ?? [] where type == 2 /* IFLA_BRIDGE_VLAN_INFO */ {
            guard let flags = value.u16(0), let id = value.u16(2).map(Int.init), VLANSet.identifiers.contains(id) else { continue }
            let vlan = KernelVLAN(id, pvid: flags & 2 != 0, untagged: flags & 4 != 0)
            if flags & 8 != 0 {  // BRIDGE_VLAN_INFO_RANGE_BEGIN
                begin = vlan
            } else if flags & 16 != 0, let first = begin {  // BRIDGE_VLAN_INFO_RANGE_END
                if first.id <= id { vlans += (first.id...id).map { KernelVLAN($0, pvid: vlan.isPVID, untagged: vlan.isUntagged) } }
                begin = nil
            } else {
                vlans.append(vlan)
            }
        }
    }
}

/// An entry of a forwarding database, before it is known which bridge it belongs to.
public struct KernelNeighbour {
    /// The indices of the interface and of its bridge; nil: the entry is the interface's own.
    public var index: Int
    public var controller: Int?
    /// The entry, whose port is not named yet.
    public var entry: KernelFDBEntry

    /// - Parameter message: the payload of RTM_NEWNEIGH for AF_BRIDGE: struct ndmsg and attributes (linux/neighbour.h).
    public init?(_ message: [UInt8]) {
        guard let head = NetlinkReader(message, skipping: 0), head.u8() == 7 /* AF_BRIDGE */, let index = head.i32(4), let state = head.u16(8),
            let flags = head.u8(10), let attributes = NetlinkReader(message, skipping: 12)?.attributes, let address = attributes[2 /* NDA_LLADDR */],
            address.count == 6, let mac = address.mac
        else { return nil }
        self.index = Int(index)
        controller = attributes[9 /* NDA_MASTER */]?.u32().map(Int.init)
        // NUD_PERMANENT is the bridge's word for an address of its own, NUD_NOARP for a static entry (br_fdb.c, fdb_to_nud).
        entry = KernelFDBEntry(
            mac, port: "", vlan: attributes[5 /* NDA_VLAN */]?.u16().map(Int.init), state & 0x80 != 0 ? .local : state & 0x40 != 0 ? .fixed : .learned)
        entry.isSticky = flags & 0x40 != 0
        entry.isExternal = flags & 0x10 != 0
    }
}
