import Foundation
import Testing

extension EndToEnd {
    /// Gives the same ports, VLANs and frames to Sluice and to a Linux bridge with VLAN filtering, which runs in a guest with Debian's kernel. The same ports
    /// must receive the same bytes.
    @Suite("Beside the kernel's bridge", .needs(.hugepages, .qemu))
    struct KernelBridgeTests {
        private struct Random {
            var state: UInt64
            mutating func below(_ bound: Int) -> Int {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                return Int(state >> 11) % bound
            }
            mutating func one<T>(of list: [T]) -> T { list[below(list.count)] }
        }

        private enum Setting: Equatable {
            case none, access(Int), trunk([Int], native: Int?)

            var yaml: String {
                switch self {
                case .none: ""
                case .access(let id): ", vlan: \(id)"
                case .trunk(let ids, let native): ", vlan: {trunk: [\(ids.map(String.init).joined(separator: ", "))]\(native.map { ", native: \($0)" } ?? "")}"
                }
            }
            var words: [String] {
                switch self {
                case .none: ["vlan", "none"]
                case .access(let id): ["vlan", "\(id)"]
                case .trunk(let ids, let native): ["vlan", "trunk", ids.map(String.init).joined(separator: ",")] + (native.map { ["native", "\($0)"] } ?? [])
                }
            }
            /// The commands of bridge(8) for this setting.
            func commands(_ port: String) -> [String] {
                func add(_ id: Int, _ flags: String = "") -> String { "bridge vlan add dev \(port) vid \(id) \(flags)" }
                switch self {
                case .none: return [add(1, "pvid untagged")]
                case .access(let id): return [add(id, "pvid untagged")]
                case .trunk(let ids, let native): return ids.filter { $0 != native }.map { add($0) } + (native.map { [add($0, "pvid untagged")] } ?? [])
                }
            }
        }

        private static let ports = 4, vlans = [1, 10, 20, 30]

        private func setting(_ random: inout Random) -> Setting {
            switch random.below(5) {
            case 0: return .none
            case 1, 2: return .access(random.one(of: Self.vlans))
            default:
                var ids = Self.vlans.filter { _ in random.below(2) == 0 }
                if ids.isEmpty { ids = [random.one(of: Self.vlans)] }
                return .trunk(ids, native: random.below(2) == 0 ? random.one(of: Self.vlans) : nil)
            }
        }

        private func tags(_ random: inout Random) -> [Frames.Tag] {
            let count = random.one(of: [0, 0, 0, 1, 1, 1, 1, 2])
            return (0..<count).map { place in
                let type: UInt16 = place == 0 && random.below(8) != 0 || place == 1 ? 0x8100 : random.one(of: [0x88a8, 0x9100])
                return Frames.Tag(pcp: UInt8(random.below(8)), vid: UInt16(random.one(of: Self.vlans + [0, 0, 40, 4_095])), tpid: type)
            }
        }

        private static func mac(_ station: Int) -> String { String(format: "52:54:00:00:01:%02x", station) }

        @Test("random VLANs of ports and random frames come out the same, byte by byte", arguments: [1, 2] as [UInt64])
        func sameFrames(seed: UInt64) throws {
            try withLab { lab in
                var random = Random(state: seed &* 0x9e37_79b9_7f4a_7c15)
                let own = (0..<Self.ports).map { "\(lab.tag)s\($0)" }, kernel = (0..<Self.ports).map { "\(lab.tag)k\($0)" }
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports:\n" + own.enumerated().map { number, interface in
                    "  - {name: p\(number), type: tap, bridge: br0, interface: \(interface)\(Setting.access(1).yaml)}\n"
                }.joined())
                let initramfs = try "\(Guest.image.get())/initramfs"
                let guest = try Guest(
                    lab, "bridge", initramfs: initramfs, kernel: "",
                    machine: ["-m", "192", "-M", "pc"] + kernel.enumerated().flatMap { number, interface in
                        ["-netdev", "tap,id=n\(number),ifname=\(interface),script=no,downscript=no",
                         "-device", "virtio-net-pci,netdev=n\(number),mac=02:00:00:00:00:0\(number)"]
                    }, processors: 1)
                try guest.booted()
                for interface in own + kernel {
                    try "1".write(toFile: "/proc/sys/net/ipv6/conf/\(interface)/disable_ipv6", atomically: false, encoding: .utf8)
                    try run("ip", "link", "set", interface, "up", "promisc", "on")
                }
                // Sluice's ports are in their own order; the guest finds its network cards in the order of theirs.
                try guest.run("""
                    brctl addbr br0; cd /sys/class/net/br0/bridge; echo 0 >multicast_snooping; echo 1 >vlan_filtering; echo 0 >stp_state; echo 0 >default_pvid; \
                    for i in 0 1 2 3; do echo 1 >/proc/sys/net/ipv6/conf/eth$i/disable_ipv6; brctl addif br0 eth$i; ip link set eth$i up promisc on; done; \
                    echo 1 >/proc/sys/net/ipv6/conf/br0/disable_ipv6; ip link set br0 up
                    """)
                let ends = own + kernel
                let senders = try ends.map { try RawSocket($0) }
                // The frames of the test end with a mark, which tags do not move.
                let receiver = try RawReceiver(ends) { $0.suffix(4) == [0x51, 0xce, 0x51, 0xce] }
                // Both switches must forward before anything is compared.
                try eventually("frames pass both") {
                    for switches in [0, Self.ports] { try senders[switches].send(Self.frame(0, from: 0, to: "ff:ff:ff:ff:ff:ff", [])) }
                    _ = receiver.take(quiet: 0.3)
                    return try guest.run("cat /sys/class/net/br0/brif/eth0/state") == "3\n"
                }

                var cases = 0, delivered = 0
                for round in 0..<12 {
                    let settings = (0..<Self.ports).map { _ in setting(&random) }
                    // At least one port must have a VLAN; otherwise the bridge would have none.
                    let chosen = settings.allSatisfy { $0 == .none } ? [.access(10)] + settings.dropFirst() : settings
                    for (number, setting) in chosen.enumerated() { try daemon.command(["port", "set", "p\(number)"] + setting.words) }
                    try daemon.command("fdb", "flush")
                    try guest.run(
                        (chosen.indices.map { "bridge vlan del dev eth\($0) vid 1-4094" } + chosen.enumerated().flatMap { $1.commands("eth\($0)") }
                            + ["for i in 0 1 2 3; do echo 1 >/sys/class/net/br0/brif/eth$i/flush; done"]).joined(separator: "; "))

                    // First, all stations send to everybody, which teaches both switches the same, whatever arrives first. Then they send to each other.
                    for phase in 0..<2 {
                        var sent: [(port: Int, frame: [UInt8])] = []
                        for number in 0..<60 {
                            // A station stays behind its port. Stations that receive do not send in this phase, so what is known does not depend on what
                            // arrives first.
                            let port = random.below(Self.ports), station = phase == 0 ? port * 4 + random.below(4) : 64 + port
                            let to = phase == 0 ? "ff:ff:ff:ff:ff:ff" : random.below(6) == 0 ? "01:00:5e:00:00:05" : Self.mac(random.below(Self.ports * 4 + 1))
                            sent.append((port, Self.frame(cases + number, from: station, to: to, tags(&random))))
                        }
                        for (port, frame) in sent {
                            try senders[port].send(frame)
                            try senders[Self.ports + port].send(frame)
                        }
                        cases += sent.count
                        let arrivals = receiver.take(quiet: 0.4)
                        let ours = Set(arrivals.filter { $0.port < Self.ports })
                        let kernels = Set(arrivals.filter { $0.port >= Self.ports }.map { RawReceiver.Arrival(port: $0.port - Self.ports, frame: $0.frame) })
                        delivered += kernels.count
                        for arrival in ours.symmetricDifference(kernels).prefix(5) {
                            let origin = sent.first { $0.frame.suffix(6) == arrival.frame.suffix(6) }
                            Issue.record("""
                                seed \(seed), round \(round), phase \(phase): \(ours.contains(arrival) ? "only Sluice" : "only the kernel's bridge") gave port \(arrival.port) \
                                \(arrival.frame.prefix(28)); it came by port \(origin?.port ?? -1) as \(origin?.frame.prefix(28) ?? []); ports \(chosen)
                                """)
                        }
                        if ours != kernels { return }
                    }
                }
                // Enough frames must have passed.
                #expect(delivered >= cases * 2 / 5, "\(delivered) of \(cases)")
                #expect(try daemon.unaccountedFrames() == 0)
            }
        }

        /// A frame whose last six bytes distinguish it from all others.
        private static func frame(_ number: Int, from station: Int, to: String, _ tags: [Frames.Tag]) -> [UInt8] {
            Frames.ethernet(
                to: to, from: mac(station), tags: tags, type: 0x88b5,
                [UInt8](repeating: 0x2a, count: 50) + Frames.be(UInt16(number)) + [0x51, 0xce, 0x51, 0xce])
        }
    }
}
