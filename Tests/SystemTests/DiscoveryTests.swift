import Foundation
import Testing

extension EndToEnd {
    @Suite("LLDP and DCBX with lldpd at the other end", .needs(.hugepages, .tshark, .lldpd))
    struct DiscoveryTests {
        @Test("both tell each other who they are, without tags; priorities that the peer tells are used as long as it tells them")
        func neighbours() throws {
            try withLab { lab in
                // In a namespace of its own the peer is the only one, whatever this host runs.
                let there = try Namespace(lab, "peer"), wire = try VethPair(lab, "w", farIn: there)
                let tap = "\(lab.tag)t"
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(tap), vlan: 1}
                      - name: uplink
                        type: physical
                        bridge: br0
                        device: "net_af_packet0,iface=\(wire.near)"
                        vlan: {trunk: [1]}
                        lldp: on
                        management-addresses: [192.0.2.1]
                        dcb: {app: {willing: true, ethtype-prio: ["0x8906:6"]}, pfc: {willing: true, prio-pfc: [1]}}
                    """)
                try daemon.waitUntil(port: "uplink", is: "up")
                let fields = ["eth.dst", "vlan.id", "lldp.port.id", "lldp.time_to_live", "_ws.malformed"]
                let capture = try Capture(lab, wire.far, fields: fields, filter: "ether proto 0x88cc or vlan", namespace: there)
                let peer = try LLDPDaemon(lab, wire.far, in: there)

                let seen = try eventually("lldpd knows the switch", within: 30) { () -> String? in
                    let text = try peer.command("-f", "json0", "show", "neighbors", "details")
                    return text.contains("\"uplink\"") ? text : nil
                }
                for part in ["Sluice, DPDK", "192.0.2.1", wire.near, "\"Bridge\"", "\"121\""] { #expect(seen.contains(part), "\(part) in \(seen)") }
                let neighbor = try eventually("the switch knows lldpd", within: 30) { () -> JSON? in
                    let neighbors = try daemon.show("lldp", "show", "uplink").items.first?["neighbors"].items ?? []
                    return neighbors.count == 1 ? neighbors[0] : nil
                }
                #expect(neighbor["chassis"]["id"]["type"].string == "mac" && neighbor["chassis"]["name"].string?.isEmpty == false)
                #expect(neighbor["port"]["id"]["type"].string == "mac" && neighbor["port"]["descr"].string == wire.far)
                #expect(try daemon.command("lldp", "show").contains("no neighbor") == false)

                func priority(_ name: String) throws -> Int? {
                    try daemon.show("dcb", "show", "uplink").items.first?["priorities"].items.first { $0["protocol"].string == name }?["pcp"].int
                }
                #expect(try priority("iscsi") == 4 && priority("fcoe") == 6)
                // Priorities of DCBX: iSCSI 6, FCoE 1, for which the switch has its own. PFC for priority 3, and not willing.
                try peer.command("configure", "lldp", "custom-tlv", "add", "oui", "00,80,c2", "subtype", "12", "oui-info", "00,c2,0c,bc,21,89,06")
                try peer.command("configure", "lldp", "custom-tlv", "add", "oui", "00,80,c2", "subtype", "11", "oui-info", "08,08")
                try eventually("what the peer tells is in use", within: 30) {
                    let status = try daemon.show("dcb", "show", "uplink").items.first
                    return try priority("iscsi") == 6 && status?["pfc"]["operational"]["prio_pfc"].items.map(\.int) == [3]
                }
                #expect(try priority("fcoe") == 6)
                let packet = Frames.ipv4(6, Frames.tcp(to: 3260, [UInt8](repeating: 1, count: 40)))
                let iscsi = Frames.ethernet(to: "02:00:00:00:00:99", from: "02:00:00:00:01:01", type: 0x0800, packet)
                let tags = try Capture(lab, wire.far, fields: ["vlan.priority", "vlan.id"], filter: "vlan and ether src 02:00:00:00:01:01", namespace: there)
                try RawSocket(tap).send(iscsi)
                #expect(try tags.waitFor(1)[0] == ["vlan.priority": "6", "vlan.id": "1"])

                // It withdraws what it told, and the switch's own priority is back.
                peer.stop()
                try eventually("the peer is gone", within: 30) {
                    try daemon.show("lldp", "show", "uplink").items.first?["neighbors"].items.isEmpty == true && priority("iscsi") == 4
                }
                let withdrawn = try daemon.show("dcb", "show", "uplink").items.first
                #expect(withdrawn?["pfc"]["operational"]["prio_pfc"].items.map(\.int) == [1] && withdrawn?["peer"].string == nil)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
                // The last frame withdraws what was told. No frame of the switch had a tag, and none was malformed.
                let told = try capture.waitFor(1) { $0["lldp.port.id"] == "uplink" && $0["lldp.time_to_live"] == "0" }
                #expect(told.count == 1)
                for frame in capture.frames where frame["lldp.port.id"] == "uplink" {
                    #expect(frame["vlan.id"] == "" && frame["_ws.malformed"] == "" && frame["eth.dst"] == "01:80:c2:00:00:0e", "\(frame)")
                }
            }
        }

        @Test("a tap with lldp speaks it with the host behind it, from an address of the switch's own, and one without says nothing")
        func tap() throws {
            try withLab { lab in
                let there = try Namespace(lab, "peer"), tap = "\(lab.tag)t"
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(tap), netns: \(there.name)}
                    """)
                try daemon.waitUntil(port: "host", is: "up")
                try run("ip", "-n", there.name, "link", "set", tap, "up")
                #expect(try daemon.show("lldp", "show").items.isEmpty)
                let peer = try LLDPDaemon(lab, tap, in: there)
                try daemon.command("port", "set", "host", "lldp", "on", "management-addresses", "192.0.2.1")
                let neighbor = try eventually("the switch knows lldpd", within: 30) { try daemon.show("lldp", "show", "host").items.first?["neighbors"].items.first }
                #expect(neighbor["port"]["descr"].string == tap)
                let seen = try eventually("lldpd knows the switch", within: 30) { () -> String? in
                    let text = try peer.command("-f", "json0", "show", "neighbors", "details")
                    return text.contains("192.0.2.1") ? text : nil
                }
                #expect(seen.contains("\"host\"") && seen.contains("Sluice, DPDK"), "\(seen)")
                #expect(try daemon.show("dcb", "show").items.isEmpty && daemon.port("host")["drops"]["reserved_address"].int ?? 0 > 0)
                try daemon.command("port", "set", "host", "lldp", "off")
                try eventually("the switch has withdrawn what it told", within: 30) { try !peer.command("-f", "json0", "show", "neighbors", "details").contains("192.0.2.1") }
                #expect(try daemon.show("lldp", "show").items.isEmpty && daemon.unaccountedFrames() == 0)
                peer.stop()
                daemon.stop()
            }
        }

        @Test("two switches: the one with the lower address decides about PFC, and a change reaches the other; by default a port tells nothing")
        func twoSwitches() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                func switchYAML(_ interface: String, _ keys: String) -> String {
                    """
                    bridges: [{name: br0}]
                    ports: [{name: "to-\(interface)", type: physical, bridge: br0, device: "net_af_packet0,iface=\(interface)"\(keys)}]
                    """
                }
                try run("ip", "link", "set", wire.near, "address", "02:00:00:00:00:01")
                try run("ip", "link", "set", wire.far, "address", "02:00:00:00:00:02")
                let keys = "lldp: on, dcb: {ets: {reco-tc-tsa: [ets, ets], reco-tc-bw: [70, 30]}, pfc: {willing: true, prio-pfc: [3]}}"
                let a = try Daemon(lab, switchYAML(wire.near, ", \(keys)"), name: "a")
                let b = try Daemon(lab, switchYAML(wire.far, ", dcb: {ets: {willing: true}, pfc: {willing: true, prio-pfc: [5]}}"), name: "b")
                func used(_ daemon: Daemon) throws -> (pfc: [Int?], bandwidth: [Int?], peer: String?) {
                    guard let status = try daemon.show("dcb", "show").items.first else { throw LabError("no port") }
                    let pfc = status["pfc"]["operational"]["prio_pfc"], bandwidth = status["ets"]["operational"]["tc_bw"]
                    return (pfc.items.map(\.int), bandwidth.items.map(\.int), status["peer"].string)
                }
                // The second switch only listens.
                try eventually("b does what a tells it", within: 40) { try used(b).pfc == [3] && used(b).bandwidth.prefix(2) == [70, 30] }
                // The log is written a moment later.
                try eventually("the log tells who changed it", within: 30) {
                    b.log.contains("port to-\(wire.far): in use now: tc-bw 70,30,0,0,0,0,0,0 and prio-tc 0,0,0,0,0,0,0,0; prio-pfc 3, as follows from")
                }
                #expect(try used(a).peer == nil && b.show("lldp", "show").items.first?["counters"]["frames_out"].int == 0)
                try b.command("port", "set", "to-\(wire.far)", "lldp", "on")
                try eventually("a knows b, and keeps its own, as its address is lower", within: 40) { try used(a).peer == "02:00:00:00:00:02" }
                #expect(try used(a).pfc == [3] && used(b).pfc == [3])
                try a.command("port", "set", "to-\(wire.near)", "dcb", "pfc", "prio-pfc", "3,4", "ets", "reco-tc-bw", "50,50")
                try eventually("a change reaches b", within: 40) { try used(b).pfc == [3, 4] && used(b).bandwidth.prefix(2) == [50, 50] }
                a.stop()
                try eventually("b does as it likes again", within: 40) { try used(b).pfc == [5] && used(b).peer == nil }
                try eventually("the log tells why", within: 40) { b.log.contains("prio-pfc 5, as no neighbour speaks DCBX any more") }
                b.stop()
            }
        }
    }
}

/// lldpd on one interface.
private final class LLDPDaemon {
    private let process: ChildProcess
    private let socket: String

    init(_ lab: Lab, _ interface: String, in namespace: Namespace) throws {
        socket = lab.path("lldpd.sock")
        // It keeps its unprivileged half in this folder.
        try FileManager.default.createDirectory(atPath: "/run/lldpd", withIntermediateDirectories: true)
        process = try lab.start("lldpd", "-d", "-u", socket, "-I", interface, namespace: namespace)
        try eventually("lldpd answers", within: 30) { try finish(["lldpcli", "-u", socket, "show", "configuration"]).status == 0 }
        try command("configure", "lldp", "tx-interval", "1")
    }

    @discardableResult
    func command(_ words: String...) throws -> String {
        let result = try finish(["lldpcli", "-u", socket] + words, within: 30)
        guard result.status == 0 else {
            throw LabError("lldpcli \(words.joined(separator: " ")) ended with \(result.status):\n\(result.output)\(result.errors)")
        }
        return result.output
    }

    func stop() {
        process.signal(SIGTERM)
        _ = process.waitForExit(until: .after(30))
    }
}
