import BridgeImport
import Configuration
import Packet
import TestSupport
import Testing

/// Whatever the kernel has, what is imported is accepted.
@Suite("Any bridge is imported")
struct PropertyTests {
    private struct Maker {
        var random: Seeded

        mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
        mutating func one<T>(of list: [T]) -> T { list[below(list.count)] }
        mutating func chance(_ parts: Int) -> Bool { below(parts) == 0 }
        mutating func mac() -> MACAddress {
            chance(30) ? one(
                of: [MACAddress(value: 0), MACAddress(value: 0xffff_ffff_ffff), MACAddress(value: 0x0100_5e00_0001)]) : Fixtures.mac(UInt64(below(12)))
        }
        mutating func rate() -> UInt64 {
            one(of: [0, 1, 999, 1_000, 125_000, 12_500_000, 125_000_000, 1_250_000_000, 60_000_000_000, .max, UInt64(below(1 << 30))])
        }

        mutating func size() -> ClosedRange<UInt64> {
            let size = one(of: [0, 1, 1_600, 15_360, 1 << 20, 1 << 40, .max - 8] as [UInt64])
            return size...size + UInt64(below(8))
        }

        mutating func match() -> TrafficMatch {
            switch below(10) {
            case 0, 1, 2: .source(mac())
            case 3, 4: .destination(mac())
            case 5: .etherType(one(of: [0x0800, 0x8906, 0x0806, 0x0005, 0x8100, 0x86dd]))
            case 6: .ipProtocol(one(of: [6, 17, 1]))
            case 7: .destinationPort(UInt16(one(of: [3_260, 4_791, 0, below(65_536)])))
            case 8: .dscp(UInt8(below(64)))
            default: chance(2) ? .mark(UInt32(below(9))) : .other("match 00000000/ffff0000 at 12")
            }
        }

        mutating func traffic() -> TrafficControl {
            var traffic = TrafficControl()
            if chance(3) { return traffic }
            let handle = TrafficHandle(1, 0)
            switch below(8) {
            case 0: traffic.qdiscs = [QueueingDiscipline(
                .tbf(rate: rate(), burst: rate(), peak: rate(), limit: UInt64(below(1 << 20))), name: "tbf", handle: handle)]
            case 1: traffic.qdiscs = [QueueingDiscipline(.prio(bands: 3, map: []), name: "prio", handle: handle)]
            case 2: traffic.qdiscs = [QueueingDiscipline(.other, name: one(of: ["mq", "cake", "noqueue"]), handle: handle)]
            default: traffic.qdiscs = [QueueingDiscipline(.htb(standard: UInt32(below(12)), r2q: UInt32(one(of: [0, 1, 10]))), name: "htb", handle: handle)]
            }
            for number in 1..<UInt16(2 + below(10)) {
                let parent = number == 1 || chance(6) ? TrafficHandle.root : TrafficHandle(1, chance(2) ? 1 : UInt16(1 + below(Int(number))))
                traffic.classes.append(
                    TrafficClass(
                        TrafficHandle(1, number), parent: parent,
                        htb: chance(12)
                            ? nil
                            : .init(
                                rate: rate(), ceiling: rate(), burst: size(), ceilingBurst: size(), priority: UInt32(below(10)), quantum: UInt32(one(of: [0, 1, 1_000, 1 << 30])),
                                overhead: UInt16(one(of: [0, 24, 60_000])))))
                if chance(3) {
                    traffic.qdiscs.append(
                        QueueingDiscipline(
                            one(
                                of: [.fifo(limit: UInt32(below(1 << 22))), .codel(flows: chance(2), target: UInt64(below(20_000_000)), interval: UInt64(below(20_000_000)), limit: 1_000), .other]),
                            name: one(of: ["sfq", "pfifo"]), handle: TrafficHandle(0x100 + number, 0), parent: TrafficHandle(1, number)))
                }
            }
            for _ in 0..<below(14) {
                let count = below(4)
                traffic.filters.append(
                    TrafficFilter(
                        "u32", parent: chance(4) ? TrafficHandle(1, UInt16(below(8))) : chance(6) ? .clsactIngress : handle, preference: UInt16(below(9)),
                        protocol: one(
                            of: [EtherTypes.all, 0x0800, 0x86dd, 0x8906, 0x0806, 0x8100]), target: chance(8) ? nil : TrafficHandle(1, UInt16(below(12))),
                        matches: (0..<count).map { _ in match() },
                        actions: chance(5) ? [.police(Policer(rate: rate(), burst: size(), peak: rate(), drops: !chance(4)))] : chance(9) ? [.other("mirred")] : []))
            }
            return traffic
        }

        mutating func vlans() -> [KernelVLAN] {
            Set((0..<below(5)).map { _ in KernelVLAN(one(of: [1, 10, 20, 30, 4_094]), pvid: chance(3), untagged: chance(3)) }).sorted { $0.id < $1.id }
        }

        mutating func bridge() -> (KernelBridge, [LibvirtTap]?) {
            var bridge = KernelBridge(name: one(of: ["br0", "virbr0", "a bridge", "none", "rest"]), index: 3)
            bridge.mac = chance(5) ? nil : mac()
            bridge.mtu = one(of: [0, 1_500, 9_000, 65_535])
            bridge.ageing = UInt32(one(of: [0, 1, 30_000, Int(UInt32.max)]))
            bridge.spanningTree = UInt32(below(2))
            bridge.vlanFiltering = chance(2)
            bridge.multicastSnooping = chance(2)
            bridge.multicastQuerier = chance(2)
            bridge.queriesFromOwnAddress = chance(2)
            bridge.multicastGroups = UInt32(one(of: [0, 512, 4_096, 1 << 20]))
            bridge.mostLearned = UInt32(one(of: [0, 1, 3, 1_024, Int(UInt32.max)]))
            bridge.vlans = vlans()
            bridge.traffic = traffic()
            if chance(2) { bridge.host.addresses = ["192.0.2.5/24", "2001:db8::5/64"] }
            var taps: [LibvirtTap] = []
            for number in 0..<below(6) {
                var port = KernelPort(
                    name: one(of: ["eth", "vnet", "tap%", "rest"]) + "\(number)", index: 10 + number, kind: one(of: [nil, "tun", "tun", "veth", "bond"]))
                port.mac = mac()
                port.mtu = one(of: [68, 1_500, 9_000, 65_521])
                port.speed = one(of: [nil, 10, 10_000, 800_000])
                port.holder = one(of: [nil, "qemu-system-x86", "openvpn"])
                port.locked = chance(4)
                port.isolated = chance(4)
                port.hairpin = chance(4)
                port.multicastRouter = UInt8(below(4))
                port.vlans = vlans()
                port.traffic = traffic()
                if chance(4) {
                    var dcb = KernelDCB()
                    dcb.applications = (0..<below(5)).map { _ in .init(
                        selector: UInt8(below(7)), id: UInt16(one(of: [0, 3_260, 0x8906, 46, below(65_536)])), priority: UInt8(below(8))) }
                    port.dcb = dcb
                }
                if port.kind == "tun", chance(2) {
                    var tap = LibvirtTap(domain: one(of: ["vm", "a domain", "eth0", "host0"]), device: port.name, mac: mac())
                    tap.ofDomain = 1 + below(2)
                    tap.queues = one(of: [nil, 0, 4, 1_000])
                    tap.inbound = chance(2) ? nil : .init(average: UInt64(below(1 << 20)), peak: rate(), floor: rate())
                    tap.outbound = chance(2) ? nil : .init(average: rate(), peak: rate(), burst: rate())
                    taps.append(tap)
                }
                bridge.ports.append(port)
            }
            let names = bridge.ports.map(\.name) + ["br0", "gone"]
            for _ in 0..<below(24) {
                bridge.entries.append(
                    KernelFDBEntry(mac(), port: one(of: names), vlan: one(of: [nil, 1, 10, 20]), one(of: [.local, .fixed, .learned, .learned])))
            }
            return (bridge, chance(3) ? nil : taps)
        }
    }

    @Test("what is imported passes Model.checked and reads back", arguments: 0..<8 as Range<UInt64>, [BridgeImport.Taps.ports, .behindHost])
    func isAccepted(seed: UInt64, taps: BridgeImport.Taps) throws {
        var maker = Maker(random: Seeded(seed))
        for _ in 0..<250 {
            let (bridge, libvirt) = maker.bridge()
            let result = try imported(bridge, libvirt: libvirt, taps: taps)
            // The same state gives the same configuration.
            #expect(BridgeImport(bridge, libvirt: libvirt, taps: taps) == result)
        }
    }
}
