import ArgumentParser
import Configuration
import Packet

/// The work that the poll loops are given.
struct Load: ParsableArguments {
    @Flag(help: "One bridge and one pair of ports with a queue for each poll loop, instead of a pair of ports and a bridge each.")
    var shared = false
    @Option(help: "Guests behind each port.")
    var guests = 1
    @Option(help: "MAC addresses of each guest.")
    var addresses = 1
    @Option(help: "Classes of each guest, 1 to 16: the default one and one for each of so many protocols.")
    var classes = 3
    @Option(help: "Flows of each guest and class, by their source ports.")
    var flows = 1
    @Option(help: "Bytes of a frame without FCS, 60 to 1514.")
    var size = 60
    @Option(help: "Frames that circulate in each direction of a poll loop; default: 128, or one of each flow.")
    var frames: Int?
    @Option(help: "Rate of each port, such as 1gbit, with a ceiling and a floor for every class: shaping at work, all borrowing. Default: no limits.")
    var limited: String?
    @Flag(help: "Push priority tags on the way out and strip them on the way in.")
    var tags = false
    @Option(help: "Both ports are trunks of so many VLANs, and frames have their tags, an address's always the same; 0: no VLANs.")
    var vlans = 0
    @Option(help: "Each port has a filter of so many rules, none of which matches any frame; 0: no filter.")
    var rules = 0
    @Option(help: "One port of each pair is captured, both ways, with this expression; nobody reads the capture. Default: none is.")
    var captured: String?
    @Option(help: "One frame of so many is sampled, and nobody reads the samples; 0: none is.")
    var sampled = 0
    @Option(help: "What the poll loops do when there is nothing to do: polling, adaptive or interrupt.")
    var polling = "adaptive"
    @Flag(name: .customLong("no-huge"), help: "Ordinary memory instead of hugepages.")
    var noHuge = false

    var circulating: Int { frames ?? max(128, guests * addresses * classes * flows) }

    mutating func validate() throws {
        guard 1...16 ~= classes else { throw ValidationError("--classes takes 1 to 16") }
        guard 60...1_514 ~= size else { throw ValidationError("--size takes 60 to 1514 bytes") }
        guard 1...10_000 ~= guests else { throw ValidationError("--guests takes 1 to 10000") }
        guard 1...10_000 ~= addresses, guests * addresses <= 65_536 else { throw ValidationError("--addresses takes 1 to 10000, 65536 of all guests together") }
        guard 1...16_384 ~= flows else { throw ValidationError("--flows takes 1 to 16384") }
        guard 32...65_536 ~= circulating else { throw ValidationError("--frames takes 32 to 65536") }
        guard 0...4_000 ~= vlans, vlans == 0 || !tags else { throw ValidationError("--vlans takes 0 to 4000, and does not go with --tags") }
        guard 0...256 ~= rules else { throw ValidationError("--rules takes 0 to 256") }
        guard 0...1 << 24 ~= sampled else { throw ValidationError("--sampled takes 0 to 16777216") }
        if let limited { _ = try Self.rate(limited) }
        guard PollingMode(rawValue: polling) != nil else { throw ValidationError("--polling takes \(PollingMode.allCases.map(\.rawValue).joined(separator: ", "))") }
    }

    static func rate(_ text: String) throws -> UInt64 {
        do { return try Quantity.rate.parse(text) } catch { throw ValidationError("--limited: \(error)") }
    }

    /// The same load as command line arguments of another process.
    var arguments: [String] {
        var result = ["--guests", "\(guests)", "--addresses", "\(addresses)", "--classes", "\(classes)", "--flows", "\(flows)", "--size", "\(size)", "--polling", polling]
        if let frames { result += ["--frames", "\(frames)"] }
        if let limited { result += ["--limited", limited] }
        if shared { result.append("--shared") }
        if vlans != 0 { result += ["--vlans", "\(vlans)"] }
        if rules != 0 { result += ["--rules", "\(rules)"] }
        if sampled != 0 { result += ["--sampled", "\(sampled)"] }
        if let captured { result += ["--captured", captured] }
        if tags { result.append("--tags") }
        if noHuge { result.append("--no-huge") }
        return result
    }
}

/// A pair of ports that send to each other.
struct PortPair {
    let a: String
    let b: String
    let bridge: String
    let queues: Int
    /// The CPUs whose poll loops serve the pair.
    let cpus: [Int]
}

extension Load {
    func pairs(_ cpus: [Int]) -> [PortPair] {
        if shared { return [PortPair(a: "a0", b: "b0", bridge: "br0", queues: cpus.count, cpus: cpus)] }
        return cpus.enumerated().map { PortPair(a: "a\($0)", b: "b\($0)", bridge: "br\($0)", queues: 1, cpus: [$1]) }
    }

    func daemon(_ cpus: [Int]) -> DaemonSettings {
        var daemon = DaemonSettings()
        daemon.cpus = cpus
        daemon.hugepages = !noHuge
        daemon.polling = PollingMode(rawValue: polling) ?? .adaptive
        // Frames that wait in trees may take three quarters of the buffers at most, which the loops share.
        daemon.buffers = max(4_096, circulating * 4 * cpus.count)
        return daemon
    }

    func model(_ cpus: [Int]) throws -> Model {
        var model = Model()
        model.daemon = daemon(cpus)
        model.protocols = (1..<max(classes, 2)).map { ProtocolSettings(name: Self.protocolName($0), matches: [.udp(Self.port($0))], pcp: 0) }
        let rate = try limited.map(Self.rate)
        if rules != 0 {
            var filter = FilterSettings(name: "f")
            filter.rules = (0..<rules).map { FilterRule(.deny, Self.rule($0)) }
            model.filters = [filter]
        }
        for pair in pairs(cpus) {
            model.bridges.append(BridgeSettings(name: pair.bridge))
            for (side, name) in [pair.a, pair.b].enumerated() {
                var port = PortSettings(name: name, bridge: pair.bridge, kind: .physical(device: "net_ring_\(name)", queues: pair.queues))
                port.cpus = pair.cpus
                port.dcb = tags
                port.rate = rate
                if rules != 0 { port.filter.outbound = "f" }
                if vlans != 0 { port.vlan = .trunk(VLANSet(1...vlans), native: nil) }
                model.ports.append(port)
                model.guests += (0..<guests).map { guest(name, side, $0, rate) }
            }
        }
        let problems = model.problems
        guard problems.isEmpty else { throw Failure(problems.map(\.description).joined(separator: "\n")) }
        return model
    }

    private func guest(_ port: String, _ side: Int, _ number: Int, _ rate: UInt64?) -> GuestSettings {
        var guest = GuestSettings(name: "\(port)g\(number)", port: port)
        guest.macs = (0..<addresses).map { Self.address(side, number * addresses + $0) }
        func limit(_ settings: inout ClassSettings, of parts: Int) {
            guard let rate else { return }
            // Half of the rate is guaranteed, so that every class borrows the rest.
            settings.floor = max(rate / UInt64(2 * parts), 8_000)
            settings.ceiling = rate
        }
        limit(&guest.outbound, of: guests)
        for number in 1..<max(classes, 1) {
            var own = ProtocolClasses()
            own.outbound.priority = 3
            limit(&own.outbound, of: guests * classes)
            guest.protocols[Self.protocolName(number)] = own
        }
        return guest
    }

    /// A rule that matches no frame of the benchmark. The rules are of the same kinds as in the comparison with Open vSwitch (Measuring/Workload.swift),
    /// repeated with other numbers.
    private static func rule(_ number: Int) -> String {
        let more = number / 10
        return switch number % 10 {
        case 0: "tcp dst port \(25 + more)"
        case 1: "tcp dst port \(445 + more)"
        case 2: "udp dst port \(161 + more)"
        case 3: "udp src port \(67 + more)"
        case 4: "tcp src port \(179 + more)"
        case 5: "src net 192.\(168 + more).0.0/16"
        case 6: "dst net 172.\(16 + more).0.0/16"
        case 7: "icmp[0] = \(8 + more)"
        case 8: "ip proto \(47 + more)"
        default: "dst host 10.9.9.\(9 + more)"
        }
    }

    static func protocolName(_ number: Int) -> String { "p\(number)" }
    /// The destination port of the frames of a guest's class.
    static func port(_ number: Int) -> UInt16 { UInt16(20_000 + number) }
    static func address(_ side: Int, _ number: Int) -> MACAddress { MACAddress(value: 0x5254_0000_0000 | UInt64(side) << 24 | UInt64(number + 1)) }

    /// The Ethernet frame with IPv4 and UDP that goes from one side of a pair to the other, for one address, class and flow.
    func frame(from side: Int, _ number: Int) -> [UInt8] {
        let all = guests * addresses
        let station = number % all, kind = number / all % classes, flow = number / all / classes % flows
        func bytes(_ value: UInt64, _ count: Int) -> [UInt8] { (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }
        var frame = bytes(Self.address(1 - side, station).value, 6) + bytes(Self.address(side, station).value, 6)
        if vlans != 0 { frame += [0x81, 0x00] + bytes(UInt64(1 + station % vlans), 2) }
        frame += [0x08, 0x00]
        let length = UInt64(size - 14)
        frame += [0x45, 0] + bytes(length, 2) + [0, 0, 0x40, 0, 64, 17, 0, 0] + [10, UInt8(side), 0, 1, 10, UInt8(1 - side), 0, 1]
        frame += bytes(32_768 + UInt64(flow), 2) + bytes(UInt64(kind == 0 ? 9 : Self.port(kind)), 2) + bytes(length - 20, 2) + [0, 0]
        return frame + [UInt8](repeating: 0, count: size + (vlans == 0 ? 0 : 4) - frame.count)
    }
}
