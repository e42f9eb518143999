import Configuration
import ControlAPI

/// Replies in a form for people to read, in the manner of `ip`, `tc -s class show` and `bridge fdb show`.
package enum Tables {
    /// A table whose columns are as wide as their widest cells.
    /// - Parameter right: columns that are aligned to the right, such as numbers.
    static func aligned(_ header: [String], _ rows: [[String]], right: Set<Int> = []) -> String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                if column > 0 { line += "  " }
                line += right.contains(column) ? space + cell : cell + space
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    static func rate(_ value: UInt64) -> String { Quantity.rate.format(rounded(value)) }
    static func packets(_ value: UInt64) -> String { Quantity.packets.format(rounded(value)) }

    /// A measured rate rounded to four digits, so that it is easy to read.
    private static func rounded(_ value: UInt64) -> UInt64 {
        var unit: UInt64 = 1
        while value / unit >= 10_000 { unit *= 10 }
        let rest = value % unit
        return rest * 2 >= unit && unit > 1 ? value - rest + unit : value - rest
    }

    static func reasons(_ table: [String: UInt64]) -> String {
        table.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: " ")
    }

    /// Counters by name, which is written as separate words, and a time in nanoseconds as milliseconds.
    static func counts(_ table: [String: UInt64]) -> String {
        let time = "Nanoseconds"
        func words(_ name: some StringProtocol) -> String { name.reduce(into: "") { $0 += $1.isUppercase ? " " + $1.lowercased() : String($1) } }
        return table.sorted { $0.key < $1.key }.map { name, count in
            name.hasSuffix(time) ? "\(words(name.dropLast(time.count))) \(count / 1_000_000)ms" : "\(words(name)) \(count)"
        }.joined(separator: " ")
    }

    // MARK: Ports

    package static func ports(_ ports: [PortStatus], details: Bool = false, layer: Layer = .l2) -> String {
        if details { return ports.map { port($0, layer) }.joined(separator: "\n") }
        let rows = ports.map { port in
            [
                port.name, port.kind, port.bridge, port.state.rawValue, String(port.mtu), "\(port.queues)/\(port.queuesMax)",
                String(port.rx.frames), bits(port.rxRate, layer), String(port.tx.frames), bits(port.txRate, layer), String(port.drops.values.reduce(0, +)), port.device,
            ]
        }
        let header = ["PORT", "TYPE", "BRIDGE", "STATE", "MTU", "QUEUES", "RX", "RATE", "TX", "RATE", "DROPPED", "DEVICE"]
        return aligned(header, rows, right: [4, 6, 7, 8, 9, 10])
    }

    /// A rate of one layer; `-` if it is not known.
    static func bits(_ rate: Rate?, _ layer: Layer) -> String { rate.map { Self.rate(layer.bits($0)) } ?? "-" }

    /// The words of a rate behind what they belong to.
    private static func words(_ rate: Rate?, _ layer: Layer) -> String { rate.map { " rate \(bits($0, layer)) \(packets($0.packets))" } ?? "" }

    /// A port in the manner of `ip -s link show`.
    private static func port(_ port: PortStatus, _ layer: Layer) -> String {
        var head = "\(port.name): \(port.kind) bridge \(port.bridge) state \(port.state.rawValue) mtu \(port.mtu)"
        head += " queues \(port.queues)/\(port.queuesMax) driver \(port.driver)"
        if let node = port.numaNode { head += " numa \(node)" }
        var place = "    device \(port.device)"
        if let mode = port.mode { place += " mode \(mode)" }
        if let mac = port.mac { place += " mac \(mac)" }
        var lines = [head, place]
        if let reason = port.reason { lines.append("    \(reason)") }
        if let steering = port.steering {
            lines.append("    steered \(steering.rules) of \(steering.addresses) addresses to their loops\(steering.reason.map { ": \($0)" } ?? "")")
        }
        lines += port.warnings.map { "    warning: \($0)" }
        if let vlans = port.vlans { lines.append("    vlan \(vlans.map(range).joined(separator: ","))") }
        if let filter = port.inboundFilter { lines.append("    filter inbound \(filter)") }
        if let filter = port.outboundFilter { lines.append("    filter outbound \(filter)") }
        if let addresses = port.addresses { lines.append("    addresses \(addresses.joined(separator: " "))") }
        if let guards = port.guards { lines.append("    guards \(guards.joined(separator: " "))") }
        if !port.rules.isEmpty { lines.append("    " + port.rules.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: " ")) }
        if port.rules["fdb-limit"] != nil || port.count("unlearned") > 0 { lines.append("    learned addresses \(port.learnedAddresses)") }
        if !port.guests.isEmpty { lines.append("    guests \(port.guests.joined(separator: " "))") }
        lines.append("    rx \(port.rx.frames) frames \(port.rx.bytes) bytes\(words(port.rxRate, layer))")
        lines.append("    tx \(port.tx.frames) frames \(port.tx.bytes) bytes full \(port.count("txFull"))\(words(port.txRate, layer))")
        let others = counts(port.counts.filter { $0.key != "txFull" && $0.value > 0 })
        if !others.isEmpty { lines.append("    \(others)") }
        if !port.drops.isEmpty { lines.append("    dropped \(reasons(port.drops))") }
        return lines.joined(separator: "\n")
    }

    /// QEMU's options, one on each line, as a shell takes them, and libvirt's XML.
    package static func qemu(_ reply: QEMUReply) -> String {
        var lines: [String] = []
        for argument in reply.arguments {
            if argument.hasPrefix("-") { lines.append(argument) } else { lines[lines.count - 1] += " " + shellQuoted(argument) }
        }
        return """
            # QEMU: size= is the guest's memory, as -m
            \(lines.joined(separator: " \\\n"))

            # libvirt: memoryBacking belongs into <domain>, the interface into <devices>
            \(reply.libvirt)
            """
    }

    private static func shellQuoted(_ text: String) -> String {
        let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./,=:+@".contains($0)) }
        return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }

    /// A range as it is written, such as `10` or `20-29`.
    private static func range(_ vlans: VLANRange) -> String { vlans.vlanEnd.map { "\(vlans.vlan)-\($0)" } ?? String(vlans.vlan) }

    /// The ports of bridges with VLANs, in the manner of `bridge vlan show`.
    package static func vlans(_ ports: [PortStatus]) -> String {
        let rows = ports.flatMap { port in
            (port.vlans ?? []).enumerated().map { place, vlans in [place == 0 ? port.name : "", ([range(vlans)] + (vlans.flags ?? [])).joined(separator: " ")] }
        }
        return rows.isEmpty ? "no bridge has VLANs" : aligned(["port", "vlan-id"], rows)
    }

    // MARK: Bridges, guests, addresses, protocols

    package static func bridges(_ bridges: [BridgeStatus]) -> String {
        bridges.map { bridge in
            var lines = [
                "\(bridge.name): rate \(bridge.rate.map(Quantity.rate.format) ?? "none") ageing \(bridge.ageing)s"
                    + " fdb \(bridge.fdbEntries)/\(bridge.fdbSize)",
                "    ports \(bridge.ports.isEmpty ? "none" : bridge.ports.joined(separator: " "))",
                "    forwarded \(bridge.forwarded) \(counts(bridge.counts))",
            ]
            if !bridge.drops.isEmpty { lines.append("    dropped \(reasons(bridge.drops))") }
            return lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }

    package static func groups(_ groups: [GroupStatus]) -> String {
        func limits(_ floor: UInt64?, _ ceiling: UInt64?) -> String {
            "floor \(floor.map(Quantity.rate.format) ?? "none") ceiling \(ceiling.map(Quantity.rate.format) ?? "none")"
        }
        return groups.map { group in
            """
            \(group.name): bridge \(group.bridge) parent \(group.parent ?? "none") guests \(group.guests.isEmpty ? "none" : group.guests.joined(separator: " "))
                inbound \(limits(group.inboundFloor, group.inboundCeiling)) sent \(group.inbound.frames) frames \(group.inbound.bytes) bytes
                outbound \(limits(group.outboundFloor, group.outboundCeiling)) sent \(group.outbound.frames) frames \(group.outbound.bytes) bytes
            """
        }.joined(separator: "\n")
    }

    package static func guests(_ guests: [GuestStatus], layer: Layer = .l2) -> String {
        let rows = guests.map { guest in
            [
                guest.name + (guest.implicit ? "*" : ""), guest.port, guest.bridge, guest.group ?? "-",
                String(guest.inbound.frames), bits(guest.inboundRate, layer), String(guest.outbound.frames), bits(guest.outboundRate, layer),
                String(guest.inboundCycles &+ guest.outboundCycles),
                guest.protocols.isEmpty ? "-" : guest.protocols.joined(separator: ","),
                (guest.macs.isEmpty ? "others" : guest.macs.joined(separator: ",")) + guest.options.sorted { $0.key < $1.key }.map { " \($0.key) \($0.value)" }.joined(),
            ]
        }
        let table = aligned(["GUEST", "PORT", "BRIDGE", "GROUP", "INBOUND", "RATE", "OUTBOUND", "RATE", "CYCLES", "PROTOCOLS", "MACS"], rows, right: [4, 5, 6, 7, 8])
        let delays = guests.flatMap { guest in
            [("inbound", guest.inboundDelay), ("outbound", guest.outboundDelay)].compactMap { direction, delay in
                delay.map { "\(guest.name) \(direction) delay \(Self.delay($0))" }
            }
        }
        return ([table] + delays).joined(separator: "\n")
    }

    /// Addresses in the manner of `bridge fdb show`.
    package static func addresses(_ entries: [FDBEntry]) -> String {
        entries.map { entry in
            var line = "\(entry.mac) dev \(entry.port)"
            if let vlan = entry.vlan { line += " vlan \(vlan)" }
            line += " master \(entry.bridge)"
            if let guest = entry.guest { line += " guest \(guest)" }
            if entry.static { line += entry.bound == false ? " static waiting" : " static" } else if let age = entry.age { line += " age \(age)s" }
            return line
        }.joined(separator: "\n")
    }

    package static func filters(_ filters: [FilterStatus]) -> String {
        filters.map { filter in
            let rows = filter.rules.map { [String($0.hits), $0.action, $0.expression.isEmpty ? "every frame" : $0.expression] }
                + [[String(filter.defaultHits), filter.default, "everything else"]]
            let ports = filter.inbound.map { "\($0) inbound" } + filter.outbound.map { "\($0) outbound" }
            let table = aligned(["HITS", "RULE", "EXPRESSION"], rows, right: [0]).split(separator: "\n").map { "    \($0)" }
            return (["\(filter.name): ports \(ports.isEmpty ? "none" : ports.joined(separator: ", "))"] + table).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    package static func mirrors(_ mirrors: [MirrorStatus]) -> String { mirrors.map(mirror).joined(separator: "\n") }

    private static func mirror(_ mirror: MirrorStatus) -> String {
        let sources = [("port", mirror.port), ("guest", mirror.guest), ("class", mirror.class)]
        var head = [mirror.name + ":"]
        for (key, name) in sources { if let name { head += [key, name] } }
        head.append(mirror.direction)
        if let port = mirror.to { head += ["to", port] }
        if let tunnel = mirror.gre { head += ["gre", words(tunnel)] }
        if let tunnel = mirror.erspan { head += ["erspan", words(tunnel)] }
        var which: [String] = []
        if let filter = mirror.filter { which.append("filter \"\(filter)\"") }
        if let length = mirror.truncate { which.append("truncate \(length)") }
        if let rate = mirror.rate { which.append("rate \(rate)") }
        var lines = [head.joined(separator: " ")]
        if !which.isEmpty { lines.append("    " + which.joined(separator: " ")) }
        lines.append("    copied \(mirror.copied.frames) frames \(mirror.copied.bytes) bytes")
        if !mirror.drops.isEmpty { lines.append("    not copied \(reasons(mirror.drops))") }
        return lines.joined(separator: "\n")
    }

    private static func words(_ tunnel: MirrorStatus.Tunnel) -> String {
        var words = "remote \(tunnel.remote) local \(tunnel.local) via \(tunnel.via) mac \(tunnel.mac) source-mac \(tunnel.sourceMac)"
        if let vlan = tunnel.vlan { words += " vlan \(vlan)" }
        if let session = tunnel.session { words += " session \(session)" }
        return words
    }

    package static func protocols(_ rows: [ProtocolStatus]) -> String {
        aligned(
            ["PROTOCOL", "PCP", "FRAMES", "BYTES", "MATCH"],
            rows.map { row in
                [
                    row.name, String(row.pcp), String(row.seen.frames), String(row.seen.bytes),
                    row.matches.isEmpty ? "everything else" : row.matches.joined(separator: ", "),
                ]
            }, right: [1, 2, 3])
    }
}
