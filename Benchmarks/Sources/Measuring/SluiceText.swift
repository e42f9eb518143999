/// The configuration of `sluiced` for a workload.
public enum SluiceText {
    /// - Parameters:
    ///   - sockets: the sockets of the vhost ports, those of idle ports last.
    ///   - cpus: the CPUs of the poll loops.
    public static func yaml(_ workload: Workload, sockets: [String], cpus: [Int]) -> String {
        let daemon = ["cpus: [\(cpus.map(String.init).joined(separator: ", "))]", "buffers: 16384"]
            + (workload.bufferKibibytes.map { ["buffer-size: \($0)kib"] } ?? []) + workload.daemon
        var lines = ["daemon: {\(daemon.joined(separator: ", "))}", "bridges:"]
        lines.append("  - {name: br0" + (workload.link.map { ", rate: \(Int($0))bit" } ?? "") + "}")
        lines.append("protocols:")
        for (name, port) in Workload.protocols { lines.append("  - {name: \(name), match: [\"udp \(port)\"], pcp: 1}") }
        if workload.hasRules {
            lines.append("filters: [{name: f, rules: [\(Workload.rules.map { "{deny: \"\($0.0)\"}" }.joined(separator: ", "))]}]")
        }
        lines.append("ports:")
        let hasVLANs = workload.vlans > 0 && workload.filtersVLANs
        let trunk = hasVLANs ? ", vlan: {trunk: [\(Workload.firstVLAN)-\(workload.vlan(workload.vlans - 1))]}" : ""
        let filter = workload.hasRules ? ", filter: {outbound: f}" : ""
        let mode = workload.switchesConnect ? "client" : "server"
        for (index, socket) in sockets.enumerated() {
            let mtu = workload.mtu == 1_500 ? "" : ", mtu: \(workload.mtu)"
            lines.append("  - {name: p\(index), type: vhost, bridge: br0, socket: \(socket), mode: \(mode)\(mtu)\(trunk)\(filter)}")
        }
        lines.append("guests:")
        let guests = workload.ports * workload.guestsPerPort
        for port in 0..<workload.ports {
            if port == 1, !workload.shapes.isEmpty {
                for (guest, shape) in workload.shapes.enumerated() {
                    let floor = shape.floor.map { "floor: \(Int($0))bit, " } ?? ""
                    lines.append(
                        "  - {name: p1g\(guest), port: p1, macs: [\"\(Workload.mac(port: 1, guest))\"], inbound: {\(floor)ceiling: \(Int(shape.ceiling))bit}}")
                }
                continue
            }
            let each = max(1, workload.macsPerPort / workload.guestsPerPort)
            for guest in 0..<workload.guestsPerPort {
                let macs = (0..<each).map { "\"\(Workload.mac(port: port, guest * each + $0))\"" }.joined(separator: ", ")
                let vlan = hasVLANs ? ", vlan: \(workload.vlan(guest))" : ""
                lines.append("  - {name: p\(port)g\(guest), port: p\(port), macs: [\(macs)]\(vlan)" + classes(workload, guests) + "}")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Each guest has three classes. If the link is limited, each class has a small floor, borrows most of what it sends, and may have up to twice its share.
    private static func classes(_ workload: Workload, _ guests: Int) -> String {
        guard let link = workload.link, workload.shapes.isEmpty else {
            let rows = Workload.protocols.enumerated().map { "\($1.0): {inbound: {priority: \($0 + 1)}}" }
            return ", protocols: {\(rows.joined(separator: ", "))}"
        }
        let share = link / Double(guests)
        // The floors leave some room, so that their sum stays below the link's rate despite rounding.
        let floor = "\(Int(share / 4))bit", part = "\(Int(share / 16))bit", most = "\(Int(share * 2))bit"
        let rows = Workload.protocols.map { "\($0.0): {inbound: {floor: \(part), ceiling: \(most)}}" }
        return ", inbound: {floor: \(floor), ceiling: \(most)}, protocols: {\(rows.joined(separator: ", "))}"
    }
}
