import BridgeImport
import Foundation
import Netlink

/// Reads a bridge of the kernel with everything that is attached to it.
struct KernelReader {
    private let routes: RouteSocket
    private let interfaces: LinkSocket
    private let links: [KernelLink]

    init() throws {
        do {
            routes = try RouteSocket()
            interfaces = try LinkSocket()
            // struct ifinfomsg, and IFLA_EXT_MASK with RTEXT_FILTER_SKIP_STATS.
            links = try routes.dump(18 /* RTM_GETLINK */, KernelRequest.link(mask: 8), doing: "list interfaces").compactMap { KernelLink($0) }
        } catch {
            throw Failure(error.description)
        }
    }

    func bridge(named name: String) throws -> KernelBridge {
        guard let link = links.first(where: { $0.name == name }) else {
            let known = links.filter { $0.bridge != nil }.map(\.name)
            throw Failure("there is no interface \(name): \(known.isEmpty ? "this host has no bridge" : "bridges are \(known.joined(separator: ", "))")")
        }
        guard var bridge = link.bridge else {
            throw Failure(
                "\(name) is no bridge of the kernel's\(link.kind.map { ", but of kind \($0)" } ?? ""): name a bridge, as `ip link show type bridge` lists them")
        }
        do {
            // What br_netfilter does for all bridges.
            for table in ["iptables", "ip6tables", "arptables"] where !bridge.netfilter.contains(table) {
                let setting = try? String(contentsOfFile: "/proc/sys/net/bridge/bridge-nf-call-\(table)", encoding: .utf8)
                if setting?.hasPrefix("1") ?? false { bridge.netfilter.append(table) }
            }
            bridge.ports = links.filter { $0.controller == bridge.index }.compactMap(\.port)
            try readVLANs(&bridge)
            try readEntries(&bridge)
            // struct br_port_msg; a kernel without snooping has no such table.
            let groups = (try? routes.dump(86 /* RTM_GETMDB */, KernelRequest.bytes(UInt8(7), UInt8(0), UInt16(0), UInt32(0)), doing: "list groups")) ?? []
            bridge.staticGroups = groups.compactMap { KernelGroups($0, name: self.name(_:)) }.filter { $0.index == bridge.index }.flatMap(\.permanent)
            try readHost(&bridge)
            try readTraffic(&bridge)
            let holders = bridge.ports.contains { $0.kind == "tun" } ? TapHolders.all() : [:]
            for index in bridge.ports.indices {
                let port = bridge.ports[index].name
                bridge.ports[index].speed = bridge.ports[index].kind == "tun" ? nil : interfaces.speed(of: port).map { UInt64($0) }
                bridge.ports[index].holder = holders[port]
                // struct dcbmsg for DCB_CMD_IEEE_GET, and DCB_ATTR_IFNAME.
                let request = KernelRequest.bytes(UInt8(0), UInt8(21), UInt16(0)) + KernelRequest.attribute(1, Array(port.utf8) + [0])
                bridge.ports[index].dcb = try routes.ask(78 /* RTM_GETDCB */, request, doing: "read DCB settings").flatMap { KernelDCB($0) }
            }
        } catch let error as NetlinkError {
            throw Failure(error.description)
        }
        return bridge
    }

    private func name(_ index: Int) -> String? { links.first { $0.index == index }?.name }

    /// An interface as a port, with what can be set again.
    func portSettings(of name: String) -> [UInt8] { links.first { $0.name == name }?.portSettings ?? [] }

    /// Reads memberships also where the bridge does not filter by them: a port that leaves the bridge loses them all the same.
    private func readVLANs(_ bridge: inout KernelBridge) throws {
        // RTEXT_FILTER_BRVLAN_COMPRESSED: ranges instead of single VLANs.
        for message in try routes.dump(18, KernelRequest.link(family: 7, mask: 4), doing: "list VLANs") {
            guard let found = KernelVLANs(message) else { continue }
            if found.index == bridge.index { bridge.vlans = found.vlans }
            if let index = bridge.ports.firstIndex(where: { $0.index == found.index }) { bridge.ports[index].vlans = found.vlans }
        }
    }

    private func readEntries(_ bridge: inout KernelBridge) throws {
        for message in try routes.dump(30 /* RTM_GETNEIGH */, KernelRequest.link(family: 7), doing: "list forwarding entries") {
            guard let found = KernelNeighbour(message), found.controller == bridge.index, let name = name(found.index) else { continue }
            var entry = found.entry
            entry.port = name
            bridge.entries.append(entry)
        }
    }

    private func readHost(_ bridge: inout KernelBridge) throws {
        // struct ifaddrmsg and struct rtmsg.
        for message in try routes.dump(22 /* RTM_GETADDR */, [UInt8](repeating: 0, count: 8), doing: "list addresses") {
            guard let address = KernelAddress(message), address.index == bridge.index, !address.isAutomatic else { continue }
            bridge.host.addresses.append(address.text)
        }
        for message in try routes.dump(26 /* RTM_GETROUTE */, [UInt8](repeating: 0, count: 12), doing: "list routes") {
            guard let route = KernelRoute(message, name: name), route.index == bridge.index, !route.isAutomatic else { continue }
            bridge.host.routes.append(route.text)
        }
        bridge.host.above = links.filter { $0.lower == bridge.index && $0.index != bridge.index }.map(\.name)
    }

    // MARK: Queueing

    private func readTraffic(_ bridge: inout KernelBridge) throws {
        var found: [Int: TrafficControl] = [:]
        let wanted = Set([bridge.index] + bridge.ports.map(\.index))
        for message in try routes.dump(38 /* RTM_GETQDISC */, KernelRequest.traffic(), doing: "list queueing disciplines") {
            guard let item = QueueingDiscipline.read(message), wanted.contains(item.index) else { continue }
            found[item.index, default: TrafficControl()].qdiscs.append(item.qdisc)
        }
        for (index, traffic) in found { found[index] = try completed(traffic, of: index) }
        bridge.traffic = found[bridge.index] ?? TrafficControl()
        for index in bridge.ports.indices { bridge.ports[index].traffic = found[bridge.ports[index].index] ?? TrafficControl() }
    }

    private func completed(_ traffic: TrafficControl, of index: Int) throws -> TrafficControl {
        var traffic = traffic
        let isShaped = traffic.qdiscs.contains { item in
            switch item.kind {
            case .htb, .prio, .ets: true
            default: false
            }
        }
        if isShaped {
            traffic.classes = try routes.dump(
                42 /* RTM_GETTCLASS */, KernelRequest.traffic(index), doing: "list classes of \(name(index) ?? "?")").compactMap { TrafficClass.read($0) }
        }
        // Filters are listed for what they are attached to: disciplines, and classes with others below them.
        var parents: [TrafficHandle] = []
        for qdisc in traffic.qdiscs {
            switch qdisc.kind {
            case .ingress: parents.append(qdisc.handle)
            case .clsact: parents += [.clsactIngress, .clsactEgress]
            default: if qdisc.handle.value != 0 { parents.append(qdisc.handle) }
            }
        }
        let inner = Set(traffic.classes.map(\.parent)), ids = Set(traffic.classes.map(\.id))
        parents += inner.intersection(ids).sorted()
        for parent in parents {
            let messages = try routes.dump(
                46 /* RTM_GETTFILTER */, KernelRequest.traffic(index, parent: parent.value), doing: "list filters of \(name(index) ?? "?")")
            traffic.filters += TrafficFilter.list(messages).filter { !traffic.filters.contains($0) }
        }
        return traffic
    }
}

/// Which programs hold taps open.
enum TapHolders {
    /// The names of programs by those of taps, from /proc/PID/fdinfo (drivers/net/tun.c, tun_chr_show_fdinfo). What may not be read is left out.
    static func all() -> [String: String] {
        var result: [String: String] = [:]
        let files = FileManager.default
        for process in (try? files.contentsOfDirectory(atPath: "/proc")) ?? [] where process.allSatisfy(\.isNumber) {
            for descriptor in (try? files.contentsOfDirectory(atPath: "/proc/\(process)/fd")) ?? [] {
                guard (try? files.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/\(descriptor)")) == "/dev/net/tun",
                    let text = try? String(contentsOfFile: "/proc/\(process)/fdinfo/\(descriptor)", encoding: .utf8),
                    let line = text.split(separator: "\n").first(where: { $0.hasPrefix("iff:") })
                else { continue }
                let name = line.dropFirst(4).trimmingCharacters(in: .whitespaces)
                let program = (try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
                if !name.isEmpty { result[name] = program ?? "process \(process)" }
            }
        }
        return result
    }
}
