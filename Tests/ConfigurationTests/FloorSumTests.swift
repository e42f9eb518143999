import Configuration
import Packet
import Testing

/// The problems of a model that has a bridge with 2 Gbit/s, each guest on a tap port of its own, and an uplink with 1 Gbit/s.
private func with(_ guests: [(name: String, inbound: UInt64?, outbound: UInt64?)], _ change: (inout Model) -> Void = { _ in }) -> [String] {
    var model = Model()
    model.bridges = [BridgeSettings(name: "br0")]
    model.bridges[0].rate = 2_000_000_000
    for (index, guest) in guests.enumerated() {
        model.ports.append(PortSettings(name: guest.name, bridge: "br0", kind: .tap(interface: "tap\(index)", netns: nil, mac: nil)))
        var settings = GuestSettings(name: guest.name, port: guest.name)
        settings.inbound.floor = guest.inbound
        settings.outbound.floor = guest.outbound
        model.guests.append(settings)
    }
    var uplink = PortSettings(name: "uplink", bridge: "br0", kind: .physical(device: "eth1", queues: 1))
    uplink.rate = 1_000_000_000
    model.ports.append(uplink)
    change(&model)
    return model.problems.map(\.description)
}

@Suite struct FloorSumTests {
    @Test func floorsThatFitExactly() {
        #expect(with([("vm1", 1_000_000_000, 500_000_000), ("vm2", 1_000_000_000, 500_000_000)]) == [])
    }

    @Test func theArithmeticIsShown() {
        #expect(
            with([("vm1", nil, 600_000_000), ("vm2", nil, 500_000_000)]) == [
                "ports[2].rate: floors of vm1 (600mbit) and vm2 (500mbit) sum to 1.1gbit, 100mbit more than uplink's rate 1gbit"
            ])
        #expect(
            with([("vm1", 2_000_000_001, nil)]) == [
                "bridges[0].rate: the floor of vm1 (2000000.001kbit) is 2000000.001kbit, 1bit more than br0's rate 2gbit"
            ])
        #expect(
            with((1...10).map { ("vm\($0)", nil, 200_000_000) }) == [
                "ports[10].rate: floors of vm1 (200mbit), vm2 (200mbit), vm3 (200mbit), vm4 (200mbit), vm5 (200mbit), vm6 (200mbit),"
                    + " vm7 (200mbit), vm8 (200mbit) and 2 more (400mbit) sum to 2gbit, 1gbit more than uplink's rate 1gbit"
            ])
    }

    @Test func aRootWithoutARateGuaranteesNothing() {
        #expect(
            with([("vm1", 600_000_000, nil), ("vm2", 500_000_000, nil)]) { $0.bridges[0].rate = nil } == [
                "bridges[0].rate: floors of vm1 (600mbit) and vm2 (500mbit) cannot be guaranteed inbound, as the bridge br0 has no rate:"
                    + " set its rate to what it can carry, at least 1.1gbit"
            ])
        #expect(
            with([("vm1", nil, 600_000_000)]) { $0.ports[1].rate = nil } == [
                "ports[1].rate: the floor of vm1 (600mbit) cannot be guaranteed outbound, as the port uplink has no rate: set its rate"
                    + " to what it can carry, at least 600mbit"
            ])
    }

    @Test func everyUplinkMustKeepTheFloors() {
        let sentences = with([("vm1", nil, 600_000_000)]) {
            var second = PortSettings(name: "backup", bridge: "br0", kind: .physical(device: "eth2", queues: 1))
            second.rate = 500_000_000
            $0.ports.append(second)
        }
        #expect(sentences == ["ports[2].rate: the floor of vm1 (600mbit) is 600mbit, 100mbit more than backup's rate 500mbit"])
    }

    @Test func groups() {
        func grouped(_ floor: UInt64?) -> [String] {
            with([("vm1", 600_000_000, nil), ("vm2", 500_000_000, nil)]) { model in
                var group = GroupSettings(name: "tenant-a", bridge: "br0")
                group.inbound.floor = floor
                model.groups = [group]
                for index in model.guests.indices { model.guests[index].group = "tenant-a" }
            }
        }
        #expect(grouped(1_100_000_000) == [])
        #expect(
            grouped(1_000_000_000) == [
                "groups[0].inbound.floor: floors of vm1 (600mbit) and vm2 (500mbit) sum to 1.1gbit, 100mbit more than tenant-a's floor 1gbit"
            ])
        #expect(
            grouped(nil) == [
                "groups[0].inbound.floor: floors of vm1 (600mbit) and vm2 (500mbit) sum to 1.1gbit, but tenant-a has no floor inbound: set it"
                    + " to 1.1gbit or more"
            ])
    }

    @Test func protocols() {
        func protocols(_ iscsi: UInt64, _ nvme: UInt64, packets: Bool = false, of floor: UInt64?) -> [String] {
            with([("vm1", packets ? nil : floor, nil)]) { model in
                for (name, value) in [("iscsi", iscsi), ("nvme-tcp", nvme)] {
                    var classes = ProtocolClasses()
                    if packets { classes.inbound.floorPackets = value } else { classes.inbound.floor = value }
                    model.guests[0].protocols[name] = classes
                }
                if packets { model.guests[0].inbound.floorPackets = floor }
            }
        }
        #expect(protocols(600_000_000, 400_000_000, of: 1_000_000_000) == [])
        #expect(
            protocols(600_000_000, 500_000_000, of: 1_000_000_000) == [
                "guests[0].inbound.floor: floors of iscsi (600mbit) and nvme-tcp (500mbit) sum to 1.1gbit, 100mbit more than vm1's floor 1gbit"
            ])
        #expect(
            protocols(600_000_000, 500_000_000, of: nil).first
                == "guests[0].inbound.floor: floors of iscsi (600mbit) and nvme-tcp (500mbit) sum to 1.1gbit, but vm1 has no floor inbound:"
                + " set it to 1.1gbit or more")
        #expect(protocols(6_000, 4_000, packets: true, of: 10_000) == [])
        #expect(
            protocols(6_000, 5_000, packets: true, of: 10_000) == [
                "guests[0].inbound.floor-packets: floors of iscsi (6kpps) and nvme-tcp (5kpps) sum to 11kpps, 1kpps more than vm1's"
                    + " floor-packets 10kpps"
            ])
    }

    @Test func sumsDoNotOverflow() {
        let many = (1...100).map { ("vm\($0)", UInt64?.none, UInt64?.some(399_000_000_000)) }
        #expect(with(many).count == 1)
    }
}
