import Configuration
import Filters
import Packet
import Testing

/// The problems of a model with a bridge and two tap ports after `change` was applied to it.
private func with(_ change: (inout Model) -> Void) -> [String] {
    var model = Model()
    model.bridges = [BridgeSettings(name: "br0")]
    model.ports = ["a", "b"].map { PortSettings(name: $0, bridge: "br0", kind: .tap(interface: "tap-\($0)", netns: nil, mac: nil)) }
    change(&model)
    return model.problems.map(\.description)
}

private func guest(_ name: String, _ port: String, _ macs: String..., change: (inout GuestSettings) -> Void = { _ in }) -> GuestSettings {
    var guest = GuestSettings(name: name, port: port)
    guest.macs = macs.map { MACAddress($0)! }
    change(&guest)
    return guest
}

@Suite struct ValidationTests {
    @Test func nothingIsWrong() { #expect(with { _ in } == []) }

    @Test func names() {
        #expect(with { $0.ports[0].name = "b" } == ["ports[1].name: the port b is there already, as ports[0]: take another name"])
        #expect(
            with { $0.ports[0].name = "a/b" } == [
                "ports[0].name: 'a/b' is not a name: write 1 to 31 letters, digits, dots, hyphens or underscores"
            ])
        #expect(with { $0.ports[0].name = "" }.count == 1)
        #expect(with { $0.ports[0].name = String(repeating: "x", count: 31) } == [])
        #expect(with { $0.ports[0].name = String(repeating: "x", count: 32) }.count == 1)
        #expect(with { $0.ports[0].name = "é" }.count == 1)
        #expect(with { $0.ports[0].name = "none" } == ["ports[0].name: 'none' has a meaning of its own: take another name"])
        #expect(
            with { $0.ports[0].name = "br0" } == [
                "ports[0].name: a bridge is called br0 too, and both have a scheduling tree: take another name"
            ])
        #expect(
            with { $0.guests = [guest("a", "b")] } == [
                "guests[0].name: a port is called a too, but this guest is on port b: take another name, or the port a"
            ])
        #expect(
            with {
                $0.groups = [GroupSettings(name: "g", bridge: "br0")]
                $0.guests = [guest("g", "b")]
            } == ["guests[0].name: a group is called g too, and both have a class: take another name"])
        #expect(
            with { $0.groups = [GroupSettings(name: "a", bridge: "br0")] } == [
                "groups[0].name: a port is called a too, and both have a class: take another name"
            ])
        // A command line reads these words as "no group", in upper or lower case.
        #expect(with { $0.groups = [GroupSettings(name: "None", bridge: "br0")] } == ["groups[0].name: 'None' has a meaning of its own: take another name"])
        #expect(with { $0.bridges.append($0.bridges[0]) }.count == 1)
        #expect(with { $0.guests = [guest("x", "a", "52:54:00:00:00:01"), guest("x", "b")] }.count == 1)
    }

    @Test func references() {
        #expect(with { $0.ports[0].bridge = "br1" } == ["ports[0].bridge: there is no bridge br1: did you mean br0?"])
        #expect(with { $0.ports[0].bridge = "lan" } == ["ports[0].bridge: there is no bridge lan: there is br0"])
        #expect(with { $0.bridges = [] }.first == "ports[0].bridge: there is no bridge br0: no bridge is configured")
        #expect(with { $0.guests = [guest("x", "c")] } == ["guests[0].port: there is no port c: did you mean a?"])
        #expect(
            with { $0.guests = [guest("x", "a") { $0.group = "tenant" }] } == [
                "guests[0].group: there is no group tenant: no group is configured"
            ])
        #expect(
            with { $0.guests = [guest("x", "a") { $0.protocols["iscis"] = ProtocolClasses() }] } == [
                "guests[0].protocols.iscis: there is no protocol iscis: did you mean iscsi?; the operator's own stand under protocols"
            ])
        #expect(
            with { $0.bridges[0].staticEntries = [StaticEntry(mac: MACAddress(value: 0x5254_0000_0001), port: "c")] } == [
                "bridges[0].static[0].port: there is no port c: did you mean a?"
            ])
    }

    @Test func placesOnOtherBridges() {
        let other = with {
            $0.bridges.append(BridgeSettings(name: "br1"))
            $0.groups = [GroupSettings(name: "g", bridge: "br1"), GroupSettings(name: "h", bridge: "br0")]
            $0.groups[1].parent = "g"
            $0.guests = [guest("x", "a") { $0.group = "g" }]
            $0.bridges[1].staticEntries = [StaticEntry(mac: MACAddress(value: 0x5254_0000_0001), port: "a")]
        }
        #expect(
            other == [
                "bridges[1].static[0].port: the port a is on bridge br0, not on br1",
                "groups[1].parent: the group g is on bridge br1, not on br0",
                "guests[0].group: the group g is on bridge br1, but port a is on br0",
            ])
    }

    @Test func addresses() {
        #expect(
            with { $0.guests = [guest("x", "a", "52:54:00:00:00:01"), guest("y", "b", "52:54:00:00:00:01")] } == [
                "guests[1].macs[0]: 52:54:00:00:00:01 is guest x's already: remove one"
            ])
        #expect(
            with { $0.guests = [guest("x", "a", "52:54:00:00:00:01", "52:54:00:00:00:01")] } == [
                "guests[0].macs[1]: 52:54:00:00:00:01 is in this list already: remove one"
            ])
        #expect(
            with { $0.guests = [guest("x", "a", "01:00:5e:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")] } == [
                "guests[0].macs[0]: 01:00:5e:00:00:01 is a multicast address, no station's: write one whose first octet is even and not all"
                    + " zero",
                "guests[0].macs[1]: 00:00:00:00:00:00 is zero, no station's: write one whose first octet is even and not all zero",
                "guests[0].macs[2]: ff:ff:ff:ff:ff:ff is the broadcast address, no station's: write one whose first octet is even and not"
                    + " all zero",
            ])
        let mac = MACAddress("52:54:00:00:00:01")!
        #expect(
            with {
                $0.guests = [guest("x", "a", "52:54:00:00:00:01")]
                $0.bridges[0].staticEntries = [StaticEntry(mac: mac, port: "b"), StaticEntry(mac: mac, port: "b")]
            } == [
                "bridges[0].static[0].mac: 52:54:00:00:00:01 is guest x's, on port a, not on b: remove one",
                "bridges[0].static[1].mac: 52:54:00:00:00:01 has a static entry already: remove one",
                "bridges[0].static[1].mac: 52:54:00:00:00:01 is guest x's, on port a, not on b: remove one",
            ])
        #expect(
            with {
                $0.guests = [guest("x", "a", "52:54:00:00:00:01")]
                $0.bridges[0].staticEntries = [StaticEntry(mac: mac, port: "a")]
            } == [])
        #expect(
            with { $0.guests = [guest("x", "a"), guest("y", "a")] } == [
                "guests[1].macs: x already has every address of port a that no other guest has: write macs for y"
            ])
        #expect(
            with { $0.ports[0].spoofCheck = true } == [
                "ports[0].spoof-check: spoof-check would drop everything from a, as no guest there has macs: write macs for a guest of port"
                    + " a, or leave spoof-check out"
            ])
    }

    @Test func devices() {
        func kinds(_ first: PortKind, _ second: PortKind) -> [String] {
            with {
                $0.ports[0].kind = first
                $0.ports[1].kind = second
            }
        }
        let socket = PortKind.vhost(socket: "/s", mode: .client, queues: 1)
        #expect(kinds(socket, socket) == ["ports[1].socket: the socket /s is port a's already: write another path"])
        #expect(
            kinds(socket, .vhost(socket: "s", mode: .client, queues: 1)) == [
                "ports[1].socket: 's' is not an absolute path: write /run/sluice/b.sock"
            ])
        let long = "/" + String(repeating: "x", count: 107)
        #expect(
            kinds(socket, .vhost(socket: long, mode: .client, queues: 1)) == [
                "ports[1].socket: a socket's path has at most 107 bytes, this one has 108: write a shorter one"
            ])
        #expect(kinds(socket, .vhost(socket: String(long.dropLast()), mode: .client, queues: 1)) == [])
        #expect(kinds(socket, .vhost(socket: "/t", mode: .client, queues: 0)) == ["ports[1].queues: 0 is out of range: write 1 to 64"])
        #expect(kinds(socket, .vhost(socket: "/t", mode: .client, queues: 65)) == ["ports[1].queues: 65 is out of range: write 1 to 64"])
        let tap = PortKind.tap(interface: "t", netns: nil, mac: nil)
        #expect(kinds(tap, tap) == ["ports[1].interface: the interface t is port a's already: write another name"])
        #expect(kinds(tap, .tap(interface: "t", netns: "lab", mac: nil)) == [])
        for name in ["", "sixteen-letters-", "a b", "a/b", "a:b", ".", ".."] {
            #expect(kinds(socket, .tap(interface: name, netns: nil, mac: nil)).count == 1)
        }
        #expect(kinds(socket, .tap(interface: "fifteen-letters", netns: nil, mac: nil)) == [])
        for name in ["a%d", "a,b", "a[b"] {
            #expect(
                kinds(socket, .tap(interface: name, netns: nil, mac: nil)) == [
                    "ports[1].interface: '\(name)' is not a tap's name: write 1 to 15 characters without spaces, slashes, colons, commas, quotes, brackets or percent signs"
                ])
        }
        #expect(kinds(socket, .tap(interface: "t", netns: "a/b", mac: nil)).count == 1)
        #expect(kinds(socket, .tap(interface: "t", netns: nil, mac: MACAddress("01:00:00:00:00:00"))).count == 1)
        #expect(
            kinds(.physical(device: "net_af_packet0,iface=e1", queues: 1), .physical(device: "net_af_packet0,iface=e2", queues: 1)) == [
                "ports[1].device: the device net_af_packet0 is port a's already: give this one another number, as in net_af_packet1"
            ])
        #expect(
            kinds(.physical(device: "eth1", queues: 1), .physical(device: "eth1", queues: 1)) == [
                "ports[1].device: the device eth1 is port a's already: write another device"
            ])
        #expect(kinds(socket, .physical(device: "a b", queues: 1)).count == 1)
        // Frames that one port sends would come in again by the other.
        for device in ["t", "net_af_packet0,iface=t", "net_af_xdp0,iface=t,start_queue=0"] {
            let own = ".device: the interface t is port a's tap: frames sent there would come back; write another device"
            #expect(kinds(tap, .physical(device: device, queues: 1)) == ["ports[1]" + own])
            #expect(kinds(.physical(device: device, queues: 1), tap) == ["ports[0]" + own.replacing("port a", with: "port b")])
            #expect(kinds(.tap(interface: "t", netns: "lab", mac: nil), .physical(device: device, queues: 1)) == [])
        }
    }

    @Test func numbers() {
        #expect(with { $0.ports[0].mtu = 67 } == ["ports[0].mtu: 67 is out of range: write 68 to 9000"])
        #expect(with { $0.ports[0].mtu = 9_001 }.count == 1)
        #expect(with { $0.bridges[0].rate = 7_999 } == ["bridges[0].rate: 7.999kbit is too slow to be kept exactly: write at least 8kbit"])
        #expect(
            with { $0.bridges[0].rate = 400_000_000_001 } == [
                "bridges[0].rate: 400000000.001kbit is faster than Sluice counts: write at most 400gbit, or none"
            ])
        #expect(with { $0.bridges[0].rate = 400_000_000_000 } == [])
        #expect(
            with { $0.ports[0].pace = PaceSettings(average: 2_000_000, peak: 1_000_000) } == [
                "ports[0].pace.peak: the peak 1mbit is below the average 2mbit: write at least 2mbit"
            ])
        func classes(_ change: (inout ClassSettings) -> Void) -> [String] {
            with { model in
                var settings = ClassSettings()
                change(&settings)
                model.guests = [guest("x", "a") { $0.outbound = settings }]
            }
        }
        #expect(
            classes {
                $0.floor = 2_000_000
                $0.ceiling = 1_000_000
            } == ["guests[0].outbound.ceiling: the ceiling 1mbit is below the floor 2mbit: write at least 2mbit"])
        #expect(
            classes {
                $0.floorPackets = 2_000
                $0.ceilingPackets = 1_000
            }.first == "guests[0].outbound.ceiling-packets: the ceiling 1kpps is below the floor 2kpps: write at least 2kpps")
        #expect(
            classes {
                $0.ceiling = 2_000_000
                $0.peak = 1_000_000
            } == [
                "guests[0].outbound.peak: the peak 1mbit is below the ceiling 2mbit, which could never be reached: write at least 2mbit"
            ])
        #expect(
            classes { $0.ceiling = 0 } == [
                "guests[0].outbound.ceiling: a rate of 0 lets nothing through: write none, or at least 8kbit"
            ])
        // One mistake is reported only once.
        #expect(
            classes { ($0.floor, $0.ceiling) = (1_000_000, 0) } == [
                "guests[0].outbound.ceiling: a rate of 0 lets nothing through: write none, or at least 8kbit"
            ])
        #expect(classes { $0.limitDelay = 50 } == ["guests[0].outbound.limit-delay: 50us is out of range: write 100us to 10s"])
        #expect(classes { $0.codelTarget = 5_000 } == ["guests[0].outbound.codel-target: it needs CoDel: set queue to codel or fq-codel too"])
        #expect(
            classes { ($0.queue, $0.codelTarget) = (.codel, 5) }
                == ["guests[0].outbound.codel-target: 5us is out of range: write 10us to 10s"])
        #expect(
            classes { ($0.queue, $0.codelInterval) = (.codel, 1_000) }
                == ["guests[0].outbound.codel-interval: 1ms is shorter than the target 5ms: write twenty times that, or at least 5ms"])
        #expect(classes { ($0.queue, $0.codelTarget, $0.codelInterval) = (.codel, 500, 10_000) } == [])
        #expect(classes { $0.priority = 8 } == ["guests[0].outbound.priority: 8 is out of range: write 0 to 7"])
        #expect(classes { $0.burst = 0 }.count == 1)
        #expect(classes { $0.burst = 1 << 30 } == ["guests[0].outbound.burst: a burst of 1gib is too large: write at most 512mib"])
        #expect(classes { $0.limit = 0 }.count == 1)
        #expect(classes { $0.ceilingPackets = 0 }.count == 1)
    }

    /// Whatever reading would refuse is refused in a model that was made in code, too.
    @Test func valuesMadeInCode() {
        func vlan(_ vlan: PortVLAN) -> [String] { with { $0.ports[0].vlan = vlan } }
        for number in [-1, 0, 4_095, 5_000] {
            let sentence = "\(number) is out of range: write 1 to 4094"
            #expect(vlan(.access(number)) == ["ports[0].vlan: \(sentence)"])
            #expect(vlan(.service(number)) == ["ports[0].vlan.service: \(sentence)"])
            #expect(vlan(.trunk(VLANSet([10]), native: number)) == ["ports[0].vlan.native: \(sentence)"])
            #expect(with {
                $0.ports[0].vlan = .access(1)
                $0.guests = [guest("x", "a") { $0.vlan = number }]
            }.contains("guests[0].vlan: \(sentence)"))
            #expect(with {
                $0.ports[0].vlan = .access(1)
                $0.bridges[0].staticEntries = [StaticEntry(mac: MACAddress(value: 0x5254_0000_0001), port: "a", vlan: number)]
            }.contains("bridges[0].static[0].vlan: \(sentence)"))
        }
        #expect(vlan(.access(4_094)) == [] && vlan(.service(1)) == [] && vlan(.trunk(VLANSet([1, 4_094]), native: nil)) == [])
        #expect(with { $0.daemon.wakeLatency = 100_001 } == ["daemon.wake-latency: wake-latency is 0us to 100ms, such as 10us; or none"])
        #expect(with { $0.daemon.cores = [CoreSettings(cpu: 4_096, polling: .polling)] } == ["daemon.cores[0].cpu: 4096 is out of range: write 0 to 4095"])
        #expect(with { $0.daemon.cpus = [1, 4_096] } == ["daemon.cpus[1]: 4096 is out of range: write 0 to 4095"])
        #expect(
            with { ($0.bridges[0].snooping.isOn, $0.bridges[0].snooping.querierAddress) = (true, IPPrefix("fe80::1")) } == [
                "bridges[0].mcast-querier-address: 'fe80::1' is no IPv4 address of a host: write one such as 192.0.2.1"
            ])
        #expect(
            with { $0.protocols = [ProtocolSettings(name: "x", matches: [.tcp(1), .dscp(64)], pcp: 1)] } == [
                "protocols[0].match[1]: 'dscp 64': dscp takes a number from 0 to 63"
            ])
        #expect(
            with {
                let tunnel = MirrorTunnel(remote: IPPrefix("192.0.2.0/24")!, local: IPPrefix("192.0.2.1")!, via: "b", mac: MACAddress(value: 0x5254_0000_0001))
                $0.mirrors = [MirrorSettings(name: "m", source: .port("a"), target: .gre(tunnel))]
            } == ["mirrors[0].gre.remote: '192.0.2.0/24' is no IPv4 or IPv6 address: write 192.0.2.9 or 2001:db8::9"])
    }

    @Test func groups() {
        func group(_ name: String, in parent: String?) -> GroupSettings {
            var group = GroupSettings(name: name, bridge: "br0")
            group.parent = parent
            return group
        }
        #expect(
            with { $0.groups = [group("g", in: "h"), group("h", in: "g")] } == [
                "groups[0].parent: g is in h is in g: a group cannot be in itself; change one parent",
                "groups[1].parent: h is in g is in h: a group cannot be in itself; change one parent",
            ])
        #expect(with { $0.groups = [group("g", in: "g")] }.count == 1)
        func nested(_ depth: Int, _ protocols: [String]) -> [String] {
            with { model in
                model.groups = (1...depth).map { group("g\($0)", in: $0 == 1 ? nil : "g\($0 - 1)") }
                model.guests = [
                    guest("x", "a") { guest in
                        guest.group = "g\(depth)"
                        for name in protocols {
                            guest.protocols[name] = ProtocolClasses()
                            guest.protocols[name]?.inbound.priority = 1
                        }
                    }
                ]
            }
        }
        #expect(nested(6, []) == [])
        #expect(nested(5, ["iscsi"]) == [])
        #expect(
            nested(6, ["iscsi"]) == [
                "guests[0].group: the class g1/g2/g3/g4/g5/g6/x/default of br0 stands 9 levels deep, the root counted: at most 8 are kept;"
                    + " take away a group"
            ])
        #expect(nested(12, []).count == 1)
        #expect(nested(2_000, []).count == 1)
    }

    @Test func protocolRows() {
        func rows(_ rows: ProtocolSettings...) -> [String] { with { $0.protocols = rows } }
        #expect(
            rows(ProtocolSettings(name: "x", matches: [.tcp(3260)], pcp: 1)) == [
                "protocols[0].match: tcp 3260 is iscsi's already, and a frame has one protocol: remove one"
            ])
        #expect(
            rows(ProtocolSettings(name: "x", matches: [], pcp: 1)) == [
                "protocols[0].match: the protocol x matches nothing: give it a match, such as tcp 873"
            ])
        #expect(rows(ProtocolSettings(name: "x", matches: [.tcp(1), .tcp(1)], pcp: 1)) == ["protocols[0].match: tcp 1 stands twice in x: remove one"])
        #expect(
            rows(ProtocolSettings(name: "x", matches: [.tcpRange(3_000...4_000)], pcp: 1)) == [
                "protocols[0].match: tcp 3260 is iscsi's already, and a frame has one protocol: remove one"
            ])
        #expect(
            rows(ProtocolSettings(name: "x", matches: [.udpRange(1...9), .udp(5), .tcpRange(1...9)], pcp: 1)) == [
                "protocols[0].match: udp 5 stands twice in x: remove one"
            ])
        #expect(
            rows(ProtocolSettings(name: "x", matches: [.udpRange(1...9)], pcp: 1), ProtocolSettings(name: "y", matches: [.udpRange(9...20)], pcp: 1)) == [
                "protocols[1].match: udp 9 is x's already, and a frame has one protocol: remove one"
            ])
        #expect(rows(ProtocolSettings(name: "x", matches: [.udpRange(1...9), .udpRange(10...20), .tcpRange(1...9)], pcp: 1)) == [])
        #expect(rows(ProtocolSettings(name: "x", matches: [.tcp(1)], pcp: 8)) == ["protocols[0].pcp: 8 is out of range: write 0 to 7"])
        #expect(rows(ProtocolSettings(name: "default", matches: [.tcp(1)], pcp: 0)) == ["protocols[0].name: 'default' has a meaning of its own: take another name"])
        #expect(rows(ProtocolSettings(name: "iscsi", matches: [.tcp(860)], pcp: 0), ProtocolSettings(name: "x", matches: [.tcp(3260)], pcp: 1)) == [])
    }

    @Test func moreProtocolsThanRows() {
        func own(_ count: Int) -> [String] {
            with { $0.protocols = (1...count).map { ProtocolSettings(name: "p\($0)", matches: [.tcp(UInt16(20_000 + $0))], pcp: 0) } }
        }
        let builtIn = ProtocolSettings.builtIn.count
        #expect(own(63 - builtIn) == [])
        #expect(
            own(64 - builtIn) == [
                "protocols: the protocol table would have 64 rows, \(builtIn) of them built in, and there are 63: leave 1 out, or write several"
                    + " matches in one row"
            ])
    }

    @Test func moreAddressesThanRoom() {
        func bridge(guests: Int, statics: Int, room: Int) -> [String] {
            with { model in
                model.bridges[0].fdbSize = room
                model.guests = [guest("x", "a") { $0.macs = (0..<guests).map { MACAddress(value: 0x5254_0000_0000 + UInt64($0)) } }]
                // The first static entry has the same address as a guest.
                model.bridges[0].staticEntries = (0..<statics).map { StaticEntry(mac: MACAddress(value: 0x5254_0000_0000 + UInt64(guests - 1 + $0)), port: "a") }
            }
        }
        #expect(bridge(guests: 10, statics: 7, room: 16) == [])
        #expect(
            bridge(guests: 10, statics: 8, room: 16) == [
                "bridges[0].fdb-size: 17 addresses are configured on br0, and its forwarding database holds 16: set fdb-size to 34, which leaves"
                    + " as much room for learned ones, or at least 17"
            ])
        #expect(bridge(guests: 10, statics: 0, room: 16) == [])
    }

    @Test func guestsBehindPhysicalPorts() {
        let sentences = with { model in
            model.ports[0].kind = .physical(device: "eth1", queues: 1)
            model.guests = [guest("x", "a") { $0.inbound.ceiling = 1_000_000 }]
        }
        #expect(
            sentences == [
                "guests[0].inbound: traffic to x leaves through the physical port a, where the outbound settings of the senders hold: leave"
                    + " inbound out"
            ])
    }

    @Test func moreClassesThanIDs() {
        let sentences = with { model in
            model.guests = (1...65_534).map { number in
                guest("g\(number)", "a") { $0.macs = [MACAddress(value: 0x5254_0000_0000 + UInt64(number))] }
            }
        }
        #expect(sentences == ["bridges[0]: br0's tree would have 65536 classes: at most 65534 fit its 16-bit ids"])
    }

    @Test func onePollLoopACPU() {
        var model = Model()
        model.daemon.cpus = [1, 2, 1]
        #expect(model.problems == [Problem("daemon.cpus", "CPU 1 stands twice: write it once")])
    }

    @Test func thereIsAMostOfEachThing() {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        model.ports = (0..<180_000).map { PortSettings(name: "p\($0)", bridge: "br0", kind: .tap(interface: "t\($0)", netns: nil, mac: nil)) }
        #expect(model.problems.map(\.description) == ["ports: a daemon has at most 1023 ports, and these are 180000: leave some out"])
        model.ports = []
        model.guests = (0..<65_535).map { GuestSettings(name: "g\($0)", port: "p") }
        #expect(model.problems.map(\.description) == ["guests: a daemon has at most 65534 guests, and these are 65535: leave some out"])
    }

    /// The bridge has 200 physical ports and 10 000 guests.
    @Test func classesOfAllTreesTogetherAreLimited() {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        model.ports = (0..<200).map { PortSettings(name: "p\($0)", bridge: "br0", kind: .physical(device: "eth\($0)", queues: 1)) }
        model.ports.append(PortSettings(name: "t", bridge: "br0", kind: .tap(interface: "t", netns: nil, mac: nil)))
        model.guests = (0..<10_000).map { number in
            var guest = GuestSettings(name: "g\(number)", port: "t")
            guest.macs = [MACAddress(value: 0x5254_0000_0000 + UInt64(number) + 1)]
            return guest
        }
        let problems = model.problems
        #expect(problems.count == 1)
        #expect(problems[0].sentence.contains("come to 2050401 classes"), "\(problems)")
    }

    @Test func manyProblemsOfTheWholeAreCountedNotTold() {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        model.guests = (0..<60_000).map { GuestSettings(name: "g\($0)", port: "nosuch\($0)") }
        let problems = model.problems
        #expect(problems.count == 101)
        #expect(problems.last?.sentence == "and 59900 more like these")
    }

    @Test func addressesOfTaps() {
        let mac = MACAddress("52:54:00:00:00:09")!
        func with(_ change: @escaping (inout Model) -> Void) -> [String] {
            ConfigurationTests.with {
                $0.ports[0].kind = .tap(interface: "tap-a", netns: nil, mac: mac)
                change(&$0)
            }
        }
        #expect(with { _ in } == [])
        #expect(with { $0.guests = [guest("a", "a", "\(mac)")] } == [])
        #expect(with { $0.guests = [guest("vm1", "b", "\(mac)")] } == [
            "ports[0].mac: 52:54:00:00:00:09 is guest vm1's, on port b: two stations cannot have one address; write another, or leave mac out"
        ])
        #expect(with { $0.bridges[0].staticEntries = [StaticEntry(mac: mac, port: "a")] } == [])
        #expect(with { $0.bridges[0].staticEntries = [StaticEntry(mac: mac, port: "b")] } == [
            "ports[0].mac: 52:54:00:00:00:09 has a static entry on port b: two stations cannot have one address; write another, or leave mac out"
        ])
        #expect(with { $0.ports[1].kind = .tap(interface: "tap-b", netns: nil, mac: mac) } == [
            "ports[1].mac: 52:54:00:00:00:09 is port a's already: two stations cannot have one address; write another, or leave mac out"
        ])
        // Another bridge, or another VLAN, is another place.
        #expect(with {
            $0.bridges.append(BridgeSettings(name: "br1"))
            $0.ports[1].bridge = "br1"
            $0.guests = [guest("vm1", "b", "\(mac)")]
        } == [])
        func vlans(_ one: Int, _ other: Int) -> [String] {
            with {
                ($0.ports[0].vlan, $0.ports[1].vlan) = (.access(one), .access(other))
                $0.guests = [guest("vm1", "b", "\(mac)")]
            }
        }
        #expect(vlans(10, 20) == [] && vlans(10, 10).count == 1)
    }
}
