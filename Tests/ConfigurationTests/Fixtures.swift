import Configuration
import Filters
import Packet
import TestSupport

let officeYAML = """
    bridges:
      - name: br0
        rate: 10gbit
        static: [{mac: 52:54:00:aa:00:01, port: host}]
    ports:
      - {name: vm1, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock, queues: 4}
      - name: vm2
        type: vhost
        bridge: br0
        socket: /run/sluice/vm2.sock
        mode: server
        pace: {average: 1gbit, peak: 2gbit, burst: 1mib}
      - {name: host, type: tap, bridge: br0, interface: tap0, netns: lab}
      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=eth1", rate: 1gbit, overhead: 24}
    groups:
      - {name: tenant-a, bridge: br0, inbound: {floor: 2gbit}, outbound: {floor: 800mbit}}
    guests:
      - name: vm1
        port: vm1
        macs: [52:54:00:00:00:01]
        group: tenant-a
        inbound: {floor: 1.5gbit, ceiling: 5gbit}
        outbound: {floor: 600mbit, ceiling: 1gbit}
        protocols:
          iscsi:
            inbound: {floor: 1gbit}
            outbound: {floor: 200mbit, priority: 1}
      - {name: vm2, port: vm2, outbound: {floor: 100mbit}}
    protocols:
      - {name: backup, match: [tcp 873, "udp 4000", "tcp 5000-5010", "ethertype 0x88b5", "dscp 10", "pcp 2"], pcp: 1}
      - {name: iscsi, pcp: 5}

    """

func office() throws -> Model { try Model.checked(yaml: officeYAML) }

/// The problems of a document, one sentence each, as the operator would see them.
func problems(_ yaml: String) -> [String] {
    do {
        _ = try Model.checked(yaml: yaml)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

/// A valid model with random contents.
func randomModel(_ random: inout Seeded) -> Model {
    var model = Model()
    if Bool.random(using: &random) { model.daemon.cpus = [Int.random(in: 0...7, using: &random)] }
    if let cpu = model.daemon.cpus.first, Bool.random(using: &random) { model.daemon.cores = [CoreSettings(cpu: cpu, polling: .polling)] }
    model.daemon.polling = PollingMode.allCases.randomElement(using: &random)!
    if Bool.random(using: &random) { model.daemon.wakeLatency = UInt64.random(in: 0...100_000, using: &random) }
    model.daemon.metrics = [nil, "127.0.0.1:9464", "[::1]:65535", "/run/sluice/metrics.sock"].randomElement(using: &random)!.flatMap { MetricsAddress($0) }
    if Bool.random(using: &random) {
        var sflow = SFlowSettings(collector: CollectorAddress(Bool.random(using: &random) ? "192.0.2.7" : "[2001:db8::7]:9000")!)
        sflow.agent = Bool.random(using: &random) ? nil : IPPrefix("192.0.2.1")
        (sflow.sampling, sflow.polling) = (Int.random(in: 1...1 << 24, using: &random), Int.random(in: 1...3_600, using: &random))
        sflow.header = Int.random(in: 64...512, using: &random)
        model.daemon.sflow = sflow
    }
    var station: UInt64 = 0x5254_0000_0000
    func rate(_ range: ClosedRange<UInt64>, _ random: inout Seeded) -> UInt64 {
        UInt64.random(in: range, using: &random)
    }
    for bridgeNumber in 0..<Int.random(in: 1...2, using: &random) {
        var bridge = BridgeSettings(name: "br\(bridgeNumber)")
        bridge.rate = rate(10_000_000_000...40_000_000_000, &random)
        if Bool.random(using: &random) { bridge.rest.priority = Int.random(in: 0...7, using: &random) }
        switch Int.random(in: 0...3, using: &random) {
        case 0: bridge.rest.floor = rate(8_000...2_000_000_000, &random)
        case 1: bridge.rest.ceiling = rate(2_000_000_000...20_000_000_000, &random)
        default: break
        }
        bridge.ageing = Int.random(in: 10...400, using: &random)
        if Bool.random(using: &random) {
            bridge.snooping.isOn = true
            bridge.snooping.querier = QuerierMode.allCases.randomElement(using: &random)!
            bridge.snooping.maxGroups = Int.random(in: 1...32_768, using: &random)
        }
        let groupCount = Int.random(in: 0...2, using: &random)
        for number in 0..<groupCount {
            var group = GroupSettings(name: "tenant\(bridgeNumber)\(number)", bridge: bridge.name)
            group.inbound.floor = rate(2_000_000_000...3_000_000_000, &random)
            group.outbound.ceiling = rate(1_000_000_000...2_000_000_000, &random)
            model.groups.append(group)
        }
        for number in 0..<Int.random(in: 1...5, using: &random) {
            let name = "p\(bridgeNumber)\(number)"
            let kind: PortKind =
                switch Int.random(in: 0...3, using: &random) {
                case 0: .tap(interface: "tap\(bridgeNumber)\(number)", netns: Bool.random(using: &random) ? "lab" : nil, mac: nil)
                case 1: .physical(device: "net_af_packet\(bridgeNumber)\(number),iface=e\(number)", queues: 1)
                default:
                    .vhost(
                        socket: "/run/sluice/\(name).sock", mode: VhostMode.allCases.randomElement(using: &random)!,
                        queues: Int.random(in: 1...4, using: &random))
                }
            var port = PortSettings(name: name, bridge: bridge.name, kind: kind)
            port.mtu = [1_500, 9_000, 1_280].randomElement(using: &random)!
            if Bool.random(using: &random) { port.pace = PaceSettings(average: rate(8_000...1_000_000_000, &random)) }
            if Bool.random(using: &random) {
                port.rules.isolated = Bool.random(using: &random)
                port.rules.hairpin = Bool.random(using: &random)
                port.rules.flood = Bool.random(using: &random)
                port.rules.fdbLimit = Int.random(in: 1...100, using: &random)
                port.rules.stormUnknown = Bool.random(using: &random) ? .packets(rate(1...1_000_000, &random)) : .bits(rate(8_000...1_000_000_000, &random))
                port.rules.bpdu = BPDUMode.allCases.randomElement(using: &random)!
            }
            if port.isPhysical, Int.random(in: 0...4, using: &random) > 0 { port.rate = rate(1_000_000_000...10_000_000_000, &random) }
            model.ports.append(port)
            for guestNumber in 0..<Int.random(in: 0...2, using: &random) {
                var guest = GuestSettings(name: guestNumber == 0 ? name : "\(name)g\(guestNumber)", port: name)
                station += 1
                guest.macs = [MACAddress(value: station)]
                if groupCount > 0, Bool.random(using: &random) { guest.group = "tenant\(bridgeNumber)0" }
                guest.outbound.ceilingPackets = rate(1...1_000_000, &random)
                if !port.isPhysical {
                    guest.inbound.floor = rate(10_000_000...100_000_000, &random)
                    guest.inbound.priority = Int.random(in: 0...7, using: &random)
                    if Bool.random(using: &random) {
                        var classes = ProtocolClasses()
                        classes.inbound.floor = rate(8_000...9_000_000, &random)
                        classes.inbound.limitBytes = 65_536
                        classes.inbound.limitDelay = rate(100...5_000, &random)
                        classes.inbound.queue = .codel
                        classes.inbound.codelTarget = rate(10...5_000, &random)
                        guest.protocols["iscsi"] = classes
                    }
                }
                model.guests.append(guest)
            }
            if Bool.random(using: &random) {
                station += 1
                bridge.staticEntries.append(StaticEntry(mac: MACAddress(value: station), port: name))
            }
        }
        model.bridges.append(bridge)
    }
    if Bool.random(using: &random) {
        model.protocols.append(ProtocolSettings(name: "backup", matches: [.tcp(873), .etherType(0x88b5), .dscp(10)], pcp: 1))
    }
    if Bool.random(using: &random) { model.protocols.append(ProtocolSettings(name: "iscsi", matches: [], pcp: 6)) }
    if model.ports.count > 1, Bool.random(using: &random) {
        var mirror = MirrorSettings(name: "m1", source: .port(model.ports[0].name), target: .port(model.ports[1].name))
        mirror.direction = [.in, .out, .both].randomElement(using: &random)!
        if Bool.random(using: &random) { mirror.rate = .packets(rate(1...1_000_000, &random)) }
        if Bool.random(using: &random) { mirror.truncate = Int.random(in: 14...1_500, using: &random) }
        model.mirrors = [mirror]
    }
    return model
}
