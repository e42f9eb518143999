import Configuration
import Packet
import TestSupport
import Testing

@Suite struct TreeTests {
    @Test func officeTrees() throws {
        var ids = ClassIDs()
        let all = trees(of: try office(), ids: &ids)
        #expect(all.map(\.name) == ["br0", "uplink"])
        #expect(all.map(\.kind) == [.inbound(bridge: "br0"), .outbound(port: "uplink")])
        #expect(all[0].rate == 10_000_000_000)
        #expect(all[1].rate == 1_000_000_000)
        #expect(all[1].overhead == 24)
        let inbound = all[0].classes
        #expect(inbound.map(\.path) == [
            "tenant-a", "tenant-a/vm1", "tenant-a/vm1/iscsi", "tenant-a/vm1/default", "rest", "vm2", "host",
        ])
        #expect(inbound.map(\.id) == [2, 3, 4, 5, 6, 7, 8])
        #expect(inbound.map(\.parent) == [1, 2, 3, 3, 1, 6, 6])
        #expect(inbound.map(\.isLeaf) == [false, false, true, true, false, true, true])
        #expect(inbound.map(\.guest) == [nil, "vm1", "vm1", "vm1", nil, "vm2", "host"])
        #expect(inbound.map(\.protocolName) == [nil, nil, "iscsi", nil, nil, nil, nil])
        #expect(inbound.map(\.port) == [nil, nil, "vm1", "vm1", nil, "vm2", "host"])
        #expect(all[1].classes.map(\.path) == ["tenant-a", "tenant-a/vm1", "tenant-a/vm1/iscsi", "tenant-a/vm1/default", "vm2", "rest", "host"])
        #expect(all[1].classes.map(\.port) == [nil, nil, nil, nil, nil, nil, nil])
    }

    @Test func defaultsAreFilledIn() throws {
        var ids = ClassIDs()
        let all = trees(of: try office(), ids: &ids)
        let vm1 = all[0].classes[1].settings, iscsi = all[0].classes[2].settings, rest = all[0].classes[3].settings
        #expect(vm1.floor == 1_500_000_000)
        #expect(vm1.ceiling == 5_000_000_000)
        #expect(vm1.burst == 1_875_000)
        #expect(vm1.ceilingBurst == 6_250_000)
        #expect(vm1.quantum == 39_321)
        #expect(vm1.priority == 3)
        #expect(vm1.limit == 1_000)
        #expect(vm1.limitBytes == .max)
        #expect(vm1.limitDelay == 50_000)
        #expect(vm1.floorPackets == 0)
        #expect(vm1.ceilingPackets == .max)
        #expect(iscsi.ceiling == .max)
        #expect(iscsi.ceilingBurst == 3_044)
        #expect(rest.floor == 500_000_000)
        #expect(rest.ceiling == .max)
        #expect(all[1].classes[2].settings.priority == 1)
        #expect(all[0].classes[6].settings.quantum == 1_600)
    }

    /// The link has one rate; some classes have a floor, some a ceiling, and some have neither.
    @Test func queuesAreBoundByTimeAtTheRateAClassCanCountOn() {
        func limits(rate: UInt64?, _ edit: (inout Model) -> Void = { _ in }) -> [String: Int] {
            var model = Model()
            model.bridges = [BridgeSettings(name: "br0")]
            model.bridges[0].rate = rate
            for name in ["floor", "small", "ceiling", "neither", "long"] {
                model.ports.append(PortSettings(name: name, bridge: "br0", kind: .tap(interface: name, netns: nil, mac: nil)))
                model.guests.append(GuestSettings(name: name, port: name))
            }
            if rate != nil { (model.guests[0].inbound.floor, model.guests[1].inbound.floor) = (100_000_000, 1_000_000) }
            model.guests[2].inbound.ceiling = 80_000_000
            model.guests[4].inbound.limitDelay = 10_000
            edit(&model)
            #expect(model.problems.isEmpty)
            var ids = ClassIDs()
            return Dictionary(uniqueKeysWithValues: trees(of: model, ids: &ids)[0].classes.filter(\.isLeaf).map { ($0.path, $0.settings.delayBytes) })
        }
        // The floors leave 899 mbit for three classes, which is 268 435 456 bit/s for each when rounded down. A queue always holds at least ten frames of 1 522
        // bytes.
        let share = 268_435_456 / 8 / 20
        #expect(limits(rate: 1_000_000_000) == ["floor": 625_000, "small": 15_220, "ceiling": 500_000, "neither": share, "long": share / 5])
        // If the link has no rate, only ceilings are known.
        #expect(limits(rate: nil) == ["floor": .max, "small": .max, "ceiling": 500_000, "neither": .max, "long": .max])
        // The floors leave nothing here.
        let none = limits(rate: 101_000_000)
        #expect(none["floor"] == 625_000 && ["ceiling", "neither", "long"].allSatisfy { none[$0] == 15_220 })
        // An ancestor's ceiling applies to all classes below it, and longer frames need longer queues.
        let grouped = limits(rate: 1_000_000_000) { model in
            model.groups = [GroupSettings(name: "tenant", bridge: "br0")]
            model.groups[0].inbound.ceiling = 40_000_000
            model.guests[3].group = "tenant"
            model.ports[1].mtu = 9_000
        }
        #expect(grouped["tenant/neither"] == 33_554_432 / 8 / 20 && grouped["small"] == 90_220)
    }

    @Test func coDelIsRFC8289sUnlessSaidOtherwise() throws {
        var model = try office()
        model.guests[0].inbound.queue = .codel
        model.guests[0].protocols["iscsi"]?.inbound.queue = .codel
        model.guests[0].protocols["iscsi"]?.inbound.codelTarget = 200
        var ids = ClassIDs()
        let all = trees(of: model, ids: &ids)
        let iscsi = all[0].classes[2].settings, rest = all[0].classes[3].settings
        #expect((iscsi.codelTarget, iscsi.codelInterval) == (200, 4_000))
        #expect((rest.codelTarget, rest.codelInterval) == (5_000, 100_000))
        #expect(all[0].classes[6].settings.codelTarget == 0)
        #expect(!iscsi.queuesFlows)
        model.guests[0].inbound.queue = .fqCodel
        let flows = trees(of: model, ids: &ids)[0].classes[3].settings
        #expect(flows.queuesFlows && (flows.codelTarget, flows.codelInterval) == (5_000, 100_000))
    }

    @Test func quantaFollowFloors() {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        model.bridges[0].rate = 400_000_000_000
        for (index, floor) in [8_000, 10_000_000_000, 400_000_000_000 - 10_000_008_000].enumerated() {
            model.ports.append(PortSettings(name: "p\(index)", bridge: "br0", kind: .tap(interface: "t\(index)", netns: nil, mac: nil)))
            model.guests.append(GuestSettings(name: "p\(index)", port: "p\(index)"))
            model.guests[index].inbound.floor = UInt64(floor)
        }
        var ids = ClassIDs()
        #expect(trees(of: model, ids: &ids)[0].classes.map(\.settings.quantum) == [1_600, 6_553, 200_000])
    }

    @Test func everyPortHasACatchAll() {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        for name in ["none", "one", "two", "rest"].map({ "p-" + $0 }) {
            model.ports.append(PortSettings(name: name, bridge: "br0", kind: .tap(interface: name, netns: nil, mac: nil)))
        }
        func guest(_ name: String, _ port: String, _ mac: UInt64?) -> GuestSettings {
            var guest = GuestSettings(name: name, port: port)
            guest.macs = mac.map { [MACAddress(value: 0x5254_0000_0000 + $0)] } ?? []
            return guest
        }
        model.guests = [
            guest("a", "p-one", 1), guest("b", "p-two", 2), guest("c", "p-two", 3), guest("d", "p-rest", nil), guest("e", "p-rest", 4),
        ]
        #expect(model.problems == [])
        let guests = model.effectiveGuests
        #expect(guests.map(\.settings.name) == ["p-none", "a", "b", "c", "p-two:others", "e", "d"])
        #expect(guests.map(\.isCatchAll) == [true, true, false, false, true, false, true])
        #expect(guests.map(\.isImplicit) == [true, false, false, false, true, false, false])
    }

    @Test func uplinksSeeEachOther() {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0"), BridgeSettings(name: "br1")]
        for (name, bridge) in [("up1", "br0"), ("up2", "br0"), ("up3", "br1")] {
            model.ports.append(PortSettings(name: name, bridge: bridge, kind: .physical(device: name, queues: 1)))
        }
        model.ports.append(PortSettings(name: "tap", bridge: "br0", kind: .tap(interface: "tap0", netns: nil, mac: nil)))
        var ids = ClassIDs()
        let all = trees(of: model, ids: &ids)
        #expect(all.map(\.name) == ["br0", "br1", "up1", "up2", "up3"])
        #expect(all.map { $0.classes.map(\.path) } == [["tap"], [], ["up2", "tap"], ["up1", "tap"], []])
    }

    @Test func groupsWithoutGuestsHaveNoClass() {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        model.groups = [GroupSettings(name: "empty", bridge: "br0")]
        var ids = ClassIDs()
        #expect(trees(of: model, ids: &ids)[0].classes == [])
    }

    @Test func parentsComeFirstAndIDsAreUnique() {
        var random = Seeded(3)
        for _ in 0..<100 {
            var ids = ClassIDs()
            for tree in trees(of: randomModel(&random), ids: &ids) {
                var seen: Set<UInt16> = [1]
                for item in tree.classes {
                    #expect(seen.contains(item.parent))
                    #expect(seen.insert(item.id).inserted)
                }
                let parents = Set(tree.classes.map(\.parent))
                #expect(tree.classes.allSatisfy { $0.isLeaf != parents.contains($0.id) })
            }
        }
    }
}

@Suite struct ClassIDsTests {
    private func model(_ names: [String]) -> Model {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        model.ports = names.map { PortSettings(name: $0, bridge: "br0", kind: .tap(interface: $0, netns: nil, mac: nil)) }
        return model
    }

    private func assigned(_ names: [String], _ ids: inout ClassIDs) -> [UInt16] { trees(of: model(names), ids: &ids)[0].classes.map(\.id) }

    @Test func lowestFreeFirstAndStable() {
        var ids = ClassIDs()
        #expect(assigned(["a", "b", "c"], &ids) == [2, 3, 4])
        #expect(assigned(["c", "a"], &ids) == [4, 2])
        #expect(assigned(["d", "c", "e", "a"], &ids) == [3, 4, 5, 2])
    }

    @Test func noIDMeansTwoClassesInOneStep() {
        var ids = ClassIDs()
        _ = assigned(["a", "b"], &ids)
        #expect(assigned(["c", "b"], &ids) == [4, 3])
        #expect(assigned(["c", "b", "d"], &ids) == [4, 3, 2])
    }

    @Test func allIDsCanBeUsed() {
        var ids = ClassIDs()
        let names = (0..<65_534).map { "p\($0)" }
        #expect(assigned(names, &ids) == Array(2...65_535))
        var other = names
        other[7] = "new"
        #expect(assigned(other, &ids)[7] == 9)
        #expect(assigned(names + ["too-many"], &ids).last == 0)
    }

    @Test func treesThatAreGoneAreForgotten() throws {
        var ids = ClassIDs()
        _ = trees(of: try office(), ids: &ids)
        #expect(ids.id(tree: "uplink", path: "vm2") != nil)
        _ = trees(of: Model(), ids: &ids)
        #expect(ids == ClassIDs())
    }
}
