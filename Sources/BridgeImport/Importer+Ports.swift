import Configuration
import Filters
import Packet

extension Importer {
    mutating func importBridge() {
        if settings.name != bridge.name {
            decide(
                bridge.name, "the bridge is called \(settings.name), as Sluice's names have letters, digits, dots, hyphens and underscores")
        }
        let seconds = (Int(bridge.ageing) + 99) / 100
        settings.ageing = min(max(seconds, 1), 1_000_000)
        if bridge.ageing == 0 {
            lose(bridge.name, "the kernel forgets addresses at once and floods everything; Sluice keeps them for a second", quote: "ageing_time 0")
        } else if settings.ageing * 100 != Int(bridge.ageing) {
            decide(bridge.name, "Sluice counts whole seconds: ageing is \(settings.ageing)s", quote: "ageing_time \(bridge.ageing)")
        }
        if bridge.mostLearned > 0 {
            settings.fdbSize = min(max(Int(bridge.mostLearned), 16), 16_777_216)
            decide(
                bridge.name, "the limit of learned addresses is fdb-size here, which counts configured ones, too",
                quote: "fdb_max_learned \(bridge.mostLearned)")
        }
        settings.snooping.isOn = bridge.multicastSnooping
        if bridge.multicastSnooping {
            settings.snooping.querier = bridge.multicastQuerier ? .auto : .off
            settings.snooping.maxGroups = min(max(Int(bridge.multicastGroups), 1), 32_768)
            if settings.snooping.maxGroups != Int(bridge.multicastGroups) {
                decide(bridge.name, "Sluice follows \(settings.snooping.maxGroups) groups", quote: "mcast_hash_max \(bridge.multicastGroups)")
            }
            if bridge.multicastQuerier, bridge.queriesFromOwnAddress {
                let address = bridge.host.addresses.lazy.compactMap { IPPrefix(String($0.prefix { $0 != "/" })) }.first { $0.isIPv4 }
                settings.snooping.querierAddress = address
                if address == nil { lose(bridge.name, "queries come from the bridge's IPv4 address, and it has none", quote: "mcast_query_use_ifaddr 1") }
            }
        }
        for group in bridge.staticGroups { lose(bridge.name, "groups that are joined by hand", quote: group) }
        if bridge.spanningTree != 0 {
            lose(
                bridge.name, "Sluice does not speak spanning tree: see that there is no loop; ports drop spanning tree's frames",
                quote: "stp_state \(bridge.spanningTree)")
        }
        if bridge.groupForwardMask != 0 {
            lose(
                bridge.name, "Sluice forwards none of 01:80:c2:00:00:0X but spanning tree's",
                quote: "group_fwd_mask 0x\(String(bridge.groupForwardMask, radix: 16))")
        }
        // A bridge that stays sees these frames as before.
        if !bridge.netfilter.isEmpty, taps == .ports {
            lose(
                bridge.name, "netfilter's tables see bridged frames there, and never see Sluice's: write their rules as filters",
                quote: bridge.netfilter.map { "nf_call_\($0) 1" }.joined(separator: " "))
        }
    }

    /// Whether the port is a tap of a QEMU guest: libvirt names it, or QEMU holds it open.
    func isGuest(_ port: KernelPort) -> Bool {
        guard port.kind == "tun" else { return false }
        return libvirt[port.name] != nil || (port.holder ?? "").hasPrefix("qemu") || (port.holder ?? "").hasPrefix("kvm")
    }

    /// Whether frames of the port reach Sluice by its own port, not through the kernel's bridge.
    func isMoved(_ port: KernelPort) -> Bool { taps == .ports || isUplink(port) }

    /// Whether the port leads to the wire: one that was named as such, or what is neither a tap nor one end of a veth pair.
    func isUplink(_ port: KernelPort) -> Bool { uplinks.isEmpty ? port.kind != "tun" && port.kind != "veth" : uplinks.contains(port.name) }

    mutating func importPorts() {
        for port in bridge.ports where isMoved(port) { importPort(port) }
        importHost()
    }

    private mutating func importPort(_ port: KernelPort) {
        let tap = libvirt[port.name], queues = tap?.queues.map { min(max($0, 1), 64) } ?? 1
        let name: String, kind: PortKind
        switch port.kind {
        case "tun" where isGuest(port):
            name = unused(tap.map { $0.ofDomain == 1 ? $0.domain : "\($0.domain)-\(port.name)" } ?? port.name)
            kind = .vhost(socket: "/run/sluice/\(name).sock", mode: .client, queues: queues)
            decide(
                port.name,
                "the tap of \(tap.map { "libvirt's domain \($0.domain)" } ?? "the program \(port.holder ?? "")") becomes the vhost port \(name):"
                    + " the guest gets its new interface at its next start (`sluice port show \(name) --qemu`)"
            )
        case "tun":
            name = unused(port.name)
            // The kernel would put a number in place of a percent sign, and DPDK's device strings are divided by the others.
            kind = .tap(interface: port.name.contains(where: { "%,\"'[]".contains($0) }) ? String(name.prefix(15)) : port.name, netns: nil, mac: nil)
            decide(
                port.name,
                "the tap becomes the tap port \(name), which makes its interface itself and is read by interfaces of the host,"
                    + " not by a program that opens the tap"
                    + (port.holder.map { ": \($0), which holds it now, has to be served otherwise" } ?? ""))
        default:
            name = unused(port.name)
            kind = .physical(device: port.name, queues: nil)
            if let virtual = port.kind {
                decide(port.name, "the \(virtual) interface becomes a physical port, which AF_XDP or AF_PACKET drives", quote: "\(port.name): \(virtual)")
                if virtual == "bond" { decide(port.name, "the kernel keeps the bond; Sluice sees one link", quote: "\(port.name): bond") }
            }
        }
        ports[port.name] = name
        var result = PortSettings(name: name, bridge: settings.name, kind: kind)
        result.mtu = min(max(port.mtu, PortSettings.mtus.lowerBound), PortSettings.mtus.upperBound)
        if result.mtu != port.mtu { lose(port.name, "Sluice's ports have an mtu of 68 to 9000: it is \(result.mtu)", quote: "mtu \(port.mtu)") }
        if !port.isUp { decide(port.name, "the interface is down; Sluice opens the port and sets it up", quote: "\(port.name): state DOWN") }
        importRules(port, &result)
        model.ports.append(result)
    }

    private mutating func importRules(_ port: KernelPort, _ result: inout PortSettings) {
        result.rules.isolated = port.isolated
        result.rules.hairpin = port.hairpin
        result.rules.learning = port.learning
        result.rules.flood = port.flood
        result.rules.mcastFlood = port.multicastFlood
        result.rules.bcastFlood = port.broadcastFlood
        result.rules.locked = port.locked
        // Without spanning tree, the kernel's bridge forwards the frames of others (br_handle_frame in net/bridge/br_input.c).
        result.rules.bpdu = port.bpduGuard ? .guard : bridge.spanningTree == 0 ? .forward : .drop
        result.rules.snooping.fastLeave = port.fastLeave
        switch port.multicastRouter {
        case 0: result.rules.snooping.router = .never
        case 2: result.rules.snooping.router = .always
        case 3: lose(port.name, "a multicast router that is one for a while", quote: "mcast_router 3")
        default: break
        }
        for other in port.others { lose(port.name, "the port's", quote: other) }
    }

    private var hostInterface: String {
        (0..<100).lazy.map { "sluice\($0)" }.first { name in !bridge.ports.contains { $0.name == name } } ?? "sluice100"
    }

    /// The port of the host itself.
    private mutating func importHost() {
        let inUse = !bridge.host.isEmpty || bridge.entries.contains { $0.state == .local && isOfHost($0) } || taps == .behindHost
        guard inUse else { return decide(bridge.name, "the host has no address on the bridge and gets no port", quote: "\(bridge.name): no addresses") }
        let name = unused("host0"), interface = hostInterface
        ports[bridge.name] = name
        var host = PortSettings(
            name: name, bridge: settings.name,
            kind: .tap(interface: interface, netns: nil, mac: taps == .ports ? bridge.mac.flatMap { $0.isZero || $0.isMulticast ? nil : $0 } : nil))
        // The host's own addresses, or the bridge that stands behind it, must not go with the daemon.
        host.persistent = true
        host.mtu = min(max(bridge.mtu, PortSettings.mtus.lowerBound), PortSettings.mtus.upperBound)
        if bridge.spanningTree == 0 { host.rules.bpdu = .forward }
        if taps == .ports, bridge.multicastRouter != 1 { host.rules.snooping.router = bridge.multicastRouter == 0 ? .never : .always }
        model.ports.append(host)
        guard taps == .ports else {
            return decide(
                bridge.name,
                "the kernel's bridge stays, behind the tap \(interface): the host keeps its addresses and routes, guests keep their taps,"
                    + " until they get vhost ports")
        }
        decide(bridge.name, "the host's own part of the bridge becomes the tap port \(name) with the interface \(interface) and the bridge's address")
        for address in bridge.host.addresses {
            toDo(bridge.name, "move an address when sluiced runs: ip addr del \(address) dev \(bridge.name); ip addr add \(address) dev \(interface)")
        }
        for route in bridge.host.routes {
            toDo(
                bridge.name, "move a route behind the addresses: ip route replace \(route.replacing(" dev \(bridge.name)", with: " dev \(interface)"))")
        }
        for above in bridge.host.above { toDo(bridge.name, "the interface \(above) is on top of the bridge: make it anew on top of \(interface)") }
    }

    /// Leaves out the address of the host's tap if it is bound to another port, as two stations cannot have one address: the host's interface gets another by
    /// itself, whereas a guest or a device of the wire cannot be given one from here.
    mutating func freeHostAddress() {
        for index in model.ports.indices {
            guard case .tap(let interface, let netns, let mac?) = model.ports[index].kind else { continue }
            let name = model.ports[index].name
            let guest = model.guests.first { $0.port != name && $0.macs.contains(mac) }
            let entry = model.bridges[0].staticEntries.first { $0.port != name && $0.mac == mac }
            guard let owner = guest.map({ "guest \($0.name)'s" }) ?? entry.map({ "bound to port \($0.port)" }) else { continue }
            model.ports[index].kind = .tap(interface: interface, netns: netns, mac: nil)
            lose(bridge.name, "the bridge's address is \(owner) as well, so the interface \(interface) gets another one", quote: "address \(mac)")
        }
    }

    /// Whether an entry of the host's is one that somebody made, not the address of a port or of the bridge.
    func isOfHost(_ entry: KernelFDBEntry) -> Bool {
        entry.mac != bridge.mac && !bridge.ports.contains { $0.mac == entry.mac } && !entry.mac.isMulticast && !entry.mac.isZero
    }

    // MARK: Guests

    mutating func importGuests() {
        let port = ports[bridge.name]
        if taps == .behindHost, let port, let mac = bridge.mac, !mac.isZero, !mac.isMulticast {
            // The host is a guest of its own beside those whose taps are behind the same port.
            add(GuestSettings(name: port, port: port), [mac])
        }
        for port in bridge.ports where isGuest(port) {
            guard let place = isMoved(port) ? ports[port.name] : ports[bridge.name] else { continue }
            let tap = libvirt[port.name]
            let macs = tap.map { [$0.mac] } ?? learned(behind: port)
            let name = isMoved(port) ? place : unused(tap.map { $0.ofDomain == 1 ? $0.domain : "\($0.domain)-\(port.name)" } ?? port.name)
            if macs.isEmpty, !isMoved(port) {
                lose(
                    port.name,
                    "which addresses are behind the tap is not known, as nothing was heard of them: it has no class of its own;"
                        + " start the guest, or import with --libvirt")
                continue
            }
            if tap == nil {
                decide(
                    port.name,
                    macs.isEmpty
                        ? "nothing was heard from the guest, so it has all addresses behind its port; write macs to bind its address to it"
                        : "libvirt does not name the tap, so the guest has the addresses that were learned behind it:"
                            + " \(macs.map(\.description).joined(separator: ", "))")
            }
            add(GuestSettings(name: name, port: place), macs)
        }
    }

    private mutating func add(_ guest: GuestSettings, _ macs: [MACAddress]) {
        var guest = guest
        guest.macs = macs.filter { owners[$0] == nil && !$0.isMulticast && !$0.isZero }
        for mac in guest.macs { owners[mac] = model.guests.count }
        // Two guests without addresses cannot be behind one port.
        if guest.macs.isEmpty, model.guests.contains(where: { $0.port == guest.port && $0.macs.isEmpty }) { return }
        model.guests.append(guest)
    }

    private func learned(behind port: KernelPort) -> [MACAddress] {
        Set(bridge.entries.lazy.filter { $0.port == port.name && $0.state == .learned }.map(\.mac)).sorted().prefix(16).map { $0 }
    }

    /// The place of a port's guest in the model, which is made if there is none: the one with all addresses of the port.
    mutating func guest(of port: String) -> Int {
        if let index = model.guests.firstIndex(where: { $0.port == port && $0.name == port }) { return index }
        model.guests.append(GuestSettings(name: port, port: port))
        return model.guests.count - 1
    }

    // MARK: Priorities

    /// Protocols that DCB's application table gives a priority.
    mutating func importDCB() {
        for port in bridge.ports {
            guard let dcb = port.dcb else { continue }
            for item in dcb.applications.sorted(by: { ($0.selector, $0.id) < ($1.selector, $1.id) }) { importApplication(item, port.name) }
            if let ets = dcb.ets {
                lose(
                    port.name, "Sluice has no ETS: traffic classes share the link by floors and priorities of classes", quote: "dcb ets \(ets)")
            }
            if !dcb.pfc.isEmpty {
                lose(
                    port.name, "Sluice neither sends nor obeys priority flow control",
                    quote: "dcb pfc prio-pfc \(dcb.pfc.map { "\($0):on" }.joined(separator: " "))")
            }
        }
    }

    private mutating func importApplication(_ item: KernelDCB.Application, _ port: String) {
        let match: ProtocolMatch?
        switch item.selector {
        case 1 where item.id >= 0x600: match = .etherType(item.id)
        case 2 where item.id > 0, 4 where item.id > 0: match = .tcp(item.id)
        case 3 where item.id > 0: match = .udp(item.id)
        case 5 where item.id < 64: match = .dscp(UInt8(item.id))
        default: match = nil
        }
        let quote = "dcb app selector \(item.selector) id \(item.id) priority \(item.priority)"
        guard let match, item.id > 0 || item.selector == 5 else {
            return lose(
                port, "the application entry's kind is not one of a protocol row's", quote: quote)
        }
        guard let name = protocolName(match) else { return lose(port, "there are too many protocols", quote: quote) }
        let pcp = Int(item.priority)
        if model.protocolTable.first(where: { $0.name == name })?.pcp == pcp { return }
        if let index = model.protocols.firstIndex(where: { $0.name == name }) {
            if model.protocols[index].pcp != 0 {
                return lose(
                    port, "\(name) has the priority \(model.protocols[index].pcp) already, from another entry", quote: quote)
            }
            model.protocols[index].pcp = pcp
        } else {
            model.protocols.append(ProtocolSettings(name: name, matches: [], pcp: pcp))
        }
        decide(port, "frames of \(name) leave with PCP \(pcp) by all ports", quote: quote)
    }

    /// The name of the protocol that a match is of; a new row is made where there is none. nil: the table is full.
    mutating func protocolName(_ match: ProtocolMatch) -> String? {
        if let row = model.protocolTable.first(where: { $0.matches.contains(match) }) { return row.name }
        guard model.protocolTable.count < Int(ProtocolTable.maximumRow) else { return nil }
        let name: String
        switch match {
        case .etherType(0x0806): name = "arp"
        case .etherType(let type): name = "ethertype-\(TrafficWords.hex(type))"
        default: name = "\(match)".replacing(" ", with: "-")
        }
        model.protocols.append(ProtocolSettings(name: name, matches: [match], pcp: 0))
        return name
    }

    mutating func tellTheRest() {
        if !hasLookedAtLibvirt, bridge.ports.contains(where: { isGuest($0) }) {
            toDo(bridge.name, "where libvirt runs the guests, import again with --libvirt: their addresses and bandwidths are then known")
        }
    }
}
