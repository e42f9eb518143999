import Configuration
import TestSupport
import Testing

/// The class `rest`, which guests without a floor share.
@Suite struct RestTests {
    /// The model of an uplink with 1 Gbit/s and guests on tap ports of their own. `floors` are their outbound floors in Mbit/s; nil: the guest has none.
    private func model(_ floors: [UInt64?], _ change: (inout Model) -> Void = { _ in }) -> Model {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        for (index, floor) in floors.enumerated() {
            let name = "vm\(index)"
            model.ports.append(PortSettings(name: name, bridge: "br0", kind: .tap(interface: "t\(index)", netns: nil, mac: nil)))
            model.guests.append(GuestSettings(name: name, port: name))
            model.guests[index].outbound.floor = floor.map { $0 * 1_000_000 }
        }
        model.ports.append(PortSettings(name: "uplink", bridge: "br0", kind: .physical(device: "eth1", queues: 1)))
        model.ports[floors.count].rate = 1_000_000_000
        change(&model)
        return model
    }

    private func uplink(_ model: Model) -> TreeDescription {
        var ids = ClassIDs()
        return trees(of: model, ids: &ids).first { $0.name == "uplink" }!
    }

    private func rest(_ model: Model) -> ClassDescription? { uplink(model).classes.first(where: \.isRest) }

    @Test func itHasWhatFloorsLeave() {
        let tree = uplink(model([400, nil, 300, 200, nil]))
        #expect(tree.classes.map(\.path) == ["vm0", "rest", "vm1", "vm2", "vm3", "vm4"])
        #expect(tree.classes.map(\.parent) == [1, 1, 3, 1, 1, 3])
        let rest = tree.classes[1]
        #expect(rest.settings.floor == 100_000_000 && rest.settings.ceiling == .max && rest.settings.priority == 3 && !rest.isLeaf)
        #expect(rest.settings.quantum == 26_214 && rest.settings.burst == 125_000)
        // There is no class `rest` if no guest would be in it, or if there is no rate to share.
        #expect(self.rest(model([400, 300])) == nil)
        #expect(uplink(model([nil, nil]) { $0.ports[2].rate = nil }).classes.map(\.parent) == [1, 1])
        #expect(self.rest(model([nil, nil]))?.settings.floor == 1_000_000_000)
    }

    @Test func whatIsWrittenHolds() throws {
        let written = model([400, nil]) {
            ($0.ports[2].rest.floor, $0.ports[2].rest.ceiling, $0.ports[2].rest.priority) = (50_000_000, 200_000_000, 6)
        }
        #expect(written.problems == [])
        let tree = uplink(written)
        #expect((tree.classes[1].settings.floor, tree.classes[1].settings.ceiling) == (50_000_000, 200_000_000))
        // The priority of `rest` applies to the classes in it, unless they have one of their own.
        #expect(tree.classes.map(\.settings.priority) == [3, 6, 6])
        #expect(try Model.checked(yaml: written.yaml) == written)
        // The floor of `rest` never exceeds its ceiling.
        #expect(rest(model([400, nil]) { $0.ports[2].rest.ceiling = 200_000_000 })?.settings.floor == 200_000_000)
        let edited = try model([400, nil]).edited("port", "set", ["uplink", "rest", "floor", "50mbit", "priority", "6", "mtu", "2000"])
        #expect(edited.ports[2].rest.floor == 50_000_000 && edited.ports[2].rest.priority == 6 && edited.ports[2].mtu == 2_000)
        #expect(try edited.edited("port", "set", ["uplink", "rest", "none"]).ports[2].rest == RestSettings())
        #expect(try edited.edited("bridge", "set", ["br0", "rate", "1gbit", "rest", "ceiling", "1mbit"]).bridges[0].rest.ceiling == 1_000_000)
    }

    @Test func floorsAreAdmittedBesideIt() {
        func problems(_ floors: [UInt64?], _ change: (inout Model) -> Void) -> [String] { model(floors, change).problems.map(\.description) }
        #expect(
            problems([600, nil]) { $0.ports[2].rest.floor = 500_000_000 } == [
                "ports[2].rate: floors of vm0 (600mbit) and rest (500mbit) sum to 1.1gbit, 100mbit more than uplink's rate 1gbit"
            ])
        #expect(problems([600, nil]) { $0.ports[2].rest.floor = 400_000_000 } == [])
        #expect(
            problems([nil]) { ($0.ports[1].rate, $0.ports[1].rest.ceiling) = (nil, 1_000_000) } == [
                "ports[1].rest: rest is what floors leave of a rate, and the port has none: set its rate too, or leave rest out"
            ])
        #expect(
            problems([nil]) { ($0.ports[1].rest.floor, $0.ports[1].rest.ceiling) = (2_000_000, 1_000_000) } == [
                "ports[1].rest.ceiling: the ceiling 1mbit is below the floor 2mbit: write at least 2mbit"
            ])
        #expect(problems([nil]) { $0.guests[0].name = "Rest" } == ["guests[0].name: 'Rest' has a meaning of its own: take another name"])
        #expect(throws: ConfigurationError("", "rest is set at the port or bridge whose tree it is in: write port set uplink rest floor 100mbit")) {
            try model([nil]).edited("class", "set", ["rest", "floor", "1mbit"])
        }
        #expect(throws: ConfigurationError("", "classes in rest are named without it: write vm0")) {
            try model([nil]).edited("class", "set", ["rest/vm0", "floor", "1mbit"])
        }
    }

    @Test func whereFloorsLeaveNothingItIsSaid() {
        let old = model([400, 500, nil])
        var new = old
        new.guests[1].outbound.floor = 600_000_000
        #expect(rest(new)?.settings.floor == 0 && new.problems == [])
        #expect(
            diff(from: old, to: new).lines(from: old, to: new) == [
                "~ guest vm1 outbound {floor 500mbit} -> {floor 600mbit}",
                "! class rest of uplink (floors take the whole rate: classes without a floor have only what others do not use)",
            ])
        // If floors leave less than 8 kbit/s, the smallest rate, `rest` has no floor.
        new.guests[1].outbound.floor = 599_993_000
        #expect(rest(new)?.settings.floor == 0)
    }

    /// Groups without a floor are in `rest` with all their guests. Guests of a group that has a floor are in that group.
    @Test func groups() {
        let grouped = model([100, nil, nil, 50]) { model in
            model.groups = [GroupSettings(name: "a", bridge: "br0"), GroupSettings(name: "b", bridge: "br0")]
            model.groups[0].outbound.floor = 200_000_000
            (model.guests[1].group, model.guests[2].group) = ("b", "a")
        }
        let tree = uplink(grouped)
        #expect(tree.classes.map(\.path) == ["vm0", "rest", "b", "b/vm1", "a", "a/vm2", "vm3"])
        #expect(tree.classes.map(\.parent) == [1, 1, 3, 4, 1, 6, 1])
        #expect(tree.classes[1].settings.floor == 650_000_000)
    }

    /// The class `rest` counts as a level of the tree.
    @Test func depthCountsIt() {
        func deep(_ groups: Int, floor: UInt64?, rate: UInt64? = 1_000_000_000) -> [String] {
            model([floor]) { model in
                model.ports[1].rate = rate
                for number in 0..<groups {
                    var group = GroupSettings(name: "g\(number)", bridge: "br0")
                    group.parent = number == 0 ? nil : "g\(number - 1)"
                    group.outbound.floor = floor.map { $0 * 1_000_000 }
                    model.groups.append(group)
                }
                model.guests[0].group = "g\(groups - 1)"
            }.problems.map(\.description)
        }
        #expect(deep(6, floor: 100) == [] && deep(6, floor: nil, rate: nil) == [] && deep(5, floor: nil) == [])
        #expect(
            deep(6, floor: nil) == [
                "guests[0].group: the class g0/g1/g2/g3/g4/g5/vm0 of uplink stands 9 levels deep, the root and rest counted: at most 8 are kept;"
                    + " take away a group, or give g0 a floor"
            ])
    }

    /// When a class gains or loses its floor, its path and id stay the same.
    @Test func idsSurvive() {
        var ids = ClassIDs()
        func id(_ model: Model, _ path: String) -> UInt16? {
            trees(of: model, ids: &ids).first { $0.name == "uplink" }!.classes.first { $0.path == path }?.id
        }
        let without = model([400, nil, nil]), with = model([400, 100, nil]), unlimited = model([nil, nil, nil]) { $0.ports[3].rate = nil }
        let before = id(without, "vm1")
        #expect(before != nil && id(with, "vm1") == before && id(without, "vm1") == before && id(unlimited, "vm1") == before)
        #expect(id(without, "vm1") == before && id(without, "rest") != before)
    }
}
