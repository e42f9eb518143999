import BridgeImport
import Configuration
import Packet
import Testing

enum Fixtures {
    static func mac(_ last: UInt64) -> MACAddress { MACAddress(value: 0x5254_0000_0000 | last) }

    /// A bridge over eth1 (10 Gbit/s) with the host's address, and two guests of QEMU's on taps.
    static var bridge: KernelBridge {
        var bridge = KernelBridge(name: "br0", index: 3)
        bridge.mac = MACAddress(value: 0x02_0000_0000_01)
        var nic = KernelPort(name: "eth1", index: 2)
        nic.mac = bridge.mac
        nic.speed = 10_000
        bridge.ports = [nic]
        for number in 0..<2 {
            var tap = KernelPort(name: "vnet\(number)", index: 10 + number, kind: "tun")
            tap.mac = MACAddress(value: 0xfe54_0000_0001 + UInt64(number))
            tap.holder = "qemu-system-x86"
            bridge.ports.append(tap)
            bridge.entries.append(KernelFDBEntry(mac(UInt64(number) + 1), port: tap.name, .learned))
        }
        bridge.host.addresses = ["192.0.2.5/24"]
        bridge.host.routes = ["default via 192.0.2.1 dev br0"]
        return bridge
    }

    static var taps: [LibvirtTap] {
        (0..<2).map { LibvirtTap(domain: "web\($0 + 1)", device: "vnet\($0)", mac: mac(UInt64($0) + 1)) }
    }

    static func megabits(_ value: UInt64) -> UInt64 { value * 125_000 }

    /// HTB with a class above all and leaves: (minor, rate, ceil, priority) in Mbit/s.
    static func htb(
        rate: UInt64, standard: UInt32 = 0x30, _ leaves: [(minor: UInt16, rate: UInt64, ceiling: UInt64, priority: UInt32)],
        _ filters: [TrafficFilter]) -> TrafficControl {
        var traffic = TrafficControl()
        traffic.qdiscs = [QueueingDiscipline(.htb(standard: standard, r2q: 10), name: "htb", handle: TrafficHandle(1, 0))]
        traffic.classes = [TrafficClass(TrafficHandle(1, 1), parent: .root, htb: .init(rate: megabits(rate)))]
        for leaf in leaves {
            traffic.classes.append(
                TrafficClass(
                    TrafficHandle(1, leaf.minor), parent: TrafficHandle(1, 1),
                    htb: .init(
                        rate: megabits(leaf.rate), ceiling: megabits(leaf.ceiling), priority: leaf.priority,
                        // As the kernel reckons it with r2q 10.
                        quantum: UInt32(min(max(megabits(leaf.rate) / 10, 1_000), 200_000)))))
        }
        traffic.filters = filters
        return traffic
    }

    static func to(_ minor: UInt16, protocol: UInt16 = EtherTypes.all, _ matches: TrafficMatch...) -> TrafficFilter {
        TrafficFilter("u32", parent: TrafficHandle(1, 0), protocol: `protocol`, target: TrafficHandle(1, minor), matches: matches)
    }
}

/// Imports a bridge, and sees that the configuration is accepted and reads back.
func imported(
    _ bridge: KernelBridge, libvirt: [LibvirtTap]? = nil, taps: BridgeImport.Taps = .ports,
    sourceLocation: SourceLocation = #_sourceLocation) throws -> BridgeImport {
    let result = BridgeImport(bridge, libvirt: libvirt, taps: taps)
    do {
        let model = try Model.checked(yaml: result.yaml)
        #expect(model == result.model, sourceLocation: sourceLocation)
    } catch {
        Issue.record("\(error)\n\(result.yaml)", sourceLocation: sourceLocation)
    }
    return result
}

extension BridgeImport {
    func port(_ name: String) -> PortSettings? { model.ports.first { $0.name == name } }
    func guest(_ name: String) -> GuestSettings? { model.guests.first { $0.name == name } }
    func tells(_ words: String, _ kind: ImportRemark.Kind? = nil) -> Bool { remarks.contains { "\($0)".contains(words) && (kind == nil || $0.kind == kind) } }
}
