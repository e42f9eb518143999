import Packet

extension Validator {
    mutating func checkGroups() {
        checkUnique(model.groups.map(\.name), "groups", "group")
        for (index, group) in model.groups.enumerated() {
            let path = "groups[\(index)]"
            checkName(group.name, path, reserved: ["none", ClassDescription.restPath])
            if ports[group.name] != nil {
                add(path + ".name", "a port is called \(group.name) too, and both have a class: take another name")
            }
            if bridges[group.bridge] == nil {
                checkReference(group.bridge, to: model.bridges.map(\.name), path + ".bridge", "bridge")
            }
            check(group, Fields.all.group, path)
            checkClass(group.inbound, path + ".inbound")
            checkClass(group.outbound, path + ".outbound")
            guard let parent = group.parent else { continue }
            guard let above = groups[parent] else {
                checkReference(parent, to: model.groups.map(\.name), path + ".parent", "group")
                continue
            }
            if above.bridge != group.bridge {
                add(path + ".parent", "the group \(parent) is on bridge \(above.bridge), not on \(group.bridge)")
            }
            if let cycle = cycle(from: group.name) {
                add(path + ".parent", "\(cycle.joined(separator: " is in ")): a group cannot be in itself; change one parent")
            }
        }
    }

    /// The groups from `name` upwards until `name` comes again; nil: they form no cycle. A chain of more than 256 groups is not followed to its end, as it is
    /// too deep anyway.
    private func cycle(from name: String) -> [String]? {
        var chain = [name]
        var seen: Set<String> = []
        while chain.count <= 256, let parent = groups[chain[chain.count - 1]]?.parent {
            if parent == name { return chain + [name] }
            if !seen.insert(parent).inserted { return nil }
            chain.append(parent)
        }
        return nil
    }

    mutating func checkGuests() {
        checkUnique(model.guests.map(\.name), "guests", "guest")
        let table = model.protocolTable.map(\.name)
        var addressless: [String: String] = [:]
        for (index, guest) in claiming(model.guests, \.name, .guest) {
            let path = "guests[\(index)]"
            checkName(guest.name, path, reserved: ["none", ClassDescription.restPath])
            if groups[guest.name] != nil {
                add(path + ".name", "a group is called \(guest.name) too, and both have a class: take another name")
            }
            if ports[guest.name] != nil, guest.port != guest.name {
                add(
                    path + ".name",
                    "a port is called \(guest.name) too, but this guest is on port \(guest.port): take another name, or the port \(guest.name)")
            }
            if guest.macs.isEmpty {
                let place = "\(guest.port) \(guest.vlan ?? 0)"
                if let other = addressless[place] {
                    let what = guest.vlan.map { "VLAN \($0) of port" } ?? "port"
                    add(
                        path + ".macs",
                        "\(other) already has every address of \(what) \(guest.port) that no other guest has: write macs for \(guest.name)")
                } else {
                    addressless[place] = guest.name
                }
            }
            if let vlan = guest.vlan, let port = ports[guest.port] { checkVLAN(vlan, of: port, path + ".vlan") }
            check(guest, Fields.all.guest, path)
            checkClass(guest.inbound, path + ".inbound")
            checkClass(guest.outbound, path + ".outbound")
            for (name, classes) in guest.protocols.sorted(by: { $0.key < $1.key }) {
                let inner = "\(path).protocols.\(name)"
                if !table.contains(name) {
                    let advice = hint(name, among: table, none: "")
                    add(inner, "there is no protocol \(name): \(advice); the operator's own stand under protocols")
                }
                checkClass(classes.inbound, inner + ".inbound")
                checkClass(classes.outbound, inner + ".outbound")
            }
            checkPlace(of: guest, path)
        }
    }

    /// Checks that the guest's port and group exist and are on the same bridge.
    private mutating func checkPlace(of guest: GuestSettings, _ path: String) {
        guard let port = ports[guest.port] else {
            checkReference(guest.port, to: model.ports.map(\.name), path + ".port", "port")
            return
        }
        if port.isPhysical {
            let inbound = guest.inbound != ClassSettings() || guest.protocols.values.contains { $0.inbound != ClassSettings() }
            if inbound {
                add(
                    path + ".inbound",
                    "traffic to \(guest.name) leaves through the physical port \(port.name), where the outbound settings of the"
                        + " senders hold: leave inbound out")
            }
        }
        guard let name = guest.group else { return }
        guard let group = groups[name] else {
            checkReference(name, to: model.groups.map(\.name), path + ".group", "group")
            return
        }
        if group.bridge != port.bridge {
            add(path + ".group", "the group \(name) is on bridge \(group.bridge), but port \(port.name) is on \(port.bridge)")
        }
    }

    /// Checks MAC addresses: each may be configured once on a bridge, or once in each VLAN.
    mutating func checkAddresses() {
        struct Place: Hashable {
            var bridge: String
            var mac: MACAddress
        }
        var owners: [Place: [GuestSettings]] = [:]
        var counts: [String: Int] = [:]
        for (index, guest) in claiming(model.guests, \.name, .guest) {
            let bridge = ports[guest.port]?.bridge ?? ""
            for (position, mac) in guest.macs.enumerated() {
                let path = "guests[\(index)].macs[\(position)]"
                checkStation(mac, path)
                if let owner = owners[Place(bridge: bridge, mac: mac)]?.first(where: { share($0, guest, on: bridge) }) {
                    add(path, "\(mac) is \(owner.name == guest.name ? "in this list" : "guest \(owner.name)'s") already: remove one")
                } else {
                    owners[Place(bridge: bridge, mac: mac), default: []].append(guest)
                    counts[bridge, default: 0] += 1
                }
            }
        }
        for (index, bridge) in model.bridges.enumerated() {
            var seen: Set<StaticEntry> = []
            let hasVLANs = bridgesWithVLANs.contains(bridge.name)
            for (position, entry) in bridge.staticEntries.enumerated() {
                let path = "bridges[\(index)].static[\(position)].mac"
                checkStation(entry.mac, path)
                let vlan = hasVLANs ? entry.vlan ?? ports[entry.port].flatMap { PortMembership($0.vlan).native } : nil
                let isNew = seen.insert(StaticEntry(mac: entry.mac, port: "", vlan: vlan)).inserted
                if !isNew { add(path, "\(entry.mac) has a static entry already: remove one") }
                if let owner = owners[Place(bridge: bridge.name, mac: entry.mac)]?.first(where: { guest in vlan.map { isIn($0, guest) } ?? true }) {
                    if owner.port != entry.port {
                        add(path, "\(entry.mac) is guest \(owner.name)'s, on port \(owner.port), not on \(entry.port): remove one")
                    }
                } else if isNew {
                    counts[bridge.name, default: 0] += 1
                }
            }
            checkRoom(for: counts[bridge.name] ?? 0, in: bridge, "bridges[\(index)].fdb-size")
        }
        checkHostAddresses { bridge, mac in owners[Place(bridge: bridge, mac: mac)] ?? [] }
    }

    /// Checks that the address of a tap's interface, from which the host sends, is bound to no other port: the bridge would drop what one of the two sends.
    /// - Parameter guests: the guests of a bridge that have an address.
    private mutating func checkHostAddresses(_ guests: (String, MACAddress) -> [GuestSettings]) {
        var taps: [String: String] = [:]
        for (index, port) in claiming(model.ports, \.name, .port) {
            guard let mac = port.kind.hostAddress, !mac.isZero else { continue }
            let path = "ports[\(index)].mac"
            func isBeside(_ vlan: Int?, _ other: String) -> Bool {
                guard bridgesWithVLANs.contains(port.bridge) else { return true }
                guard let vlan = vlan ?? ports[other].flatMap({ PortMembership($0.vlan).native }) else { return false }
                return PortMembership(port.vlan).members.contains(vlan)
            }
            if let guest = guests(port.bridge, mac).first(where: { $0.port != port.name && meets(port, $0) }) {
                if isChanged(guest.name, .guest), let place = model.guests.firstIndex(where: { $0.name == guest.name }) {
                    add(
                        "guests[\(place)].macs",
                        "\(mac) is the address of the host's own interface at port \(port.name): write another, or give that port another mac"
                    )
                } else {
                    add(path, "\(mac) is guest \(guest.name)'s, on port \(guest.port): two stations cannot have one address; write another, or leave mac out")
                }
            } else if let entry = bridges[port.bridge]?.staticEntries.first(where: { $0.mac == mac && $0.port != port.name && isBeside($0.vlan, $0.port) }) {
                add(path, "\(mac) has a static entry on port \(entry.port): two stations cannot have one address; write another, or leave mac out")
            }
            // Taps on one bridge in different VLANs may share an address, as interfaces of one host do.
            guard !bridgesWithVLANs.contains(port.bridge) else { continue }
            let place = "\(port.bridge) \(mac)"
            if let other = taps[place] { add(path, "\(mac) is port \(other)'s already: two stations cannot have one address; write another, or leave mac out") }
            taps[place] = taps[place] ?? port.name
        }
    }

    /// Whether a port is in a VLAN of a guest's.
    private func meets(_ port: PortSettings, _ guest: GuestSettings) -> Bool {
        guard bridgesWithVLANs.contains(port.bridge) else { return true }
        return PortMembership(port.vlan).members.ids.contains { isIn($0, guest) }
    }

    /// Whether two guests of a bridge have a VLAN in common.
    private func share(_ guest: GuestSettings, _ other: GuestSettings, on bridge: String) -> Bool {
        guard bridgesWithVLANs.contains(bridge) else { return true }
        return ports[guest.port].map { port in
            if let vlan = guest.vlan { isIn(vlan, other) } else { PortMembership(port.vlan).members.ids.contains { isIn($0, other) } }
        } ?? true
    }

    private func isIn(_ vlan: Int, _ guest: GuestSettings) -> Bool {
        guest.vlan.map { $0 == vlan } ?? ports[guest.port].map { PortMembership($0.vlan).members.contains(vlan) } ?? true
    }

    /// Checks that a port is in a VLAN that a guest or static entry on it names.
    mutating func checkVLAN(_ vlan: Int, of port: PortSettings, _ path: String) {
        guard bridgesWithVLANs.contains(port.bridge) else {
            add(path, "bridge \(port.bridge) has no VLANs: give port \(port.name) a vlan, such as \(vlan) or {trunk: [\(vlan)]}, or leave this out")
            return
        }
        let members = PortMembership(port.vlan).members
        if !members.contains(vlan) {
            let text = members.text
            add(path, "port \(port.name) is not in VLAN \(vlan), but in \(text.count > 60 ? text.prefix(60) + "..." : text): add it to the port's vlan, or write one of these")
        }
    }

    /// Checks that all configured addresses fit in the forwarding database: one without a place there would be learned and aged like any other, and not belong
    /// to its guest.
    private mutating func checkRoom(for count: Int, in bridge: BridgeSettings, _ path: String) {
        guard count > bridge.fdbSize else { return }
        add(
            path,
            "\(count) addresses are configured on \(bridge.name), and its forwarding database holds \(bridge.fdbSize): set fdb-size"
                + " to \(min(2 * count, 16_777_216)), which leaves as much room for learned ones, or at least \(count)")
    }

    private mutating func checkStation(_ mac: MACAddress, _ path: String) {
        if mac.isZero || mac.isMulticast {
            let kind = mac.isZero ? "zero" : mac.isBroadcast ? "the broadcast address" : "a multicast address"
            add(path, "\(mac) is \(kind), no station's: write one whose first octet is even and not all zero")
        }
    }

    mutating func checkProtocols() {
        checkUnique(model.protocols.map(\.name), "protocols", "protocol")
        let builtIn = Set(ProtocolSettings.builtIn.map(\.name))
        for (index, row) in model.protocols.enumerated() {
            let path = "protocols[\(index)]"
            checkName(row.name, path, reserved: ["none", "default"] + ProtocolSettings.namesOfPriorities)
            check(ProtocolDraft(row), Fields.all.protocolRow, path)
            if row.matches.isEmpty, !builtIn.contains(row.name) {
                add(path + ".match", "the protocol \(row.name) matches nothing: give it a match, such as tcp 873")
            }
        }
        let table = model.protocolTable
        let most = Int(ProtocolTable.maximumRow)
        if table.count > most {
            add(
                "protocols",
                "the protocol table would have \(table.count) rows, \(builtIn.count) of them built in, and there are \(most): leave"
                    + " \(table.count - most) out, or write several matches in one row")
        }
        var owners: [ProtocolMatch: String] = [:]
        for (_, row) in claiming(table, \.name, .protocol) {
            let index = model.protocols.firstIndex { $0.name == row.name }
            for match in row.matches {
                let path = index.map { "protocols[\($0)].match" } ?? "protocols"
                match.forEachSingle { single in
                    guard let owner = owners[single] else {
                        owners[single] = row.name
                        return true
                    }
                    let sentence =
                        owner == row.name
                        ? "\(single) stands twice in \(row.name)" : "\(single) is \(owner)'s already, and a frame has one protocol"
                    add(path, "\(sentence): remove one")
                    return false
                }
            }
        }
    }
}
