import Configuration
import Packet
import TestSupport
import Testing

/// Parts of a model, which are added and removed as a whole.
@Suite struct PartTests {
    private func part(_ yaml: String) throws -> Model { try Model(yaml: yaml) }

    @Test func onePartTakesThePlaceOfAnother() throws {
        let model = try office()
        let old = try part("ports: [{name: vm1, type: vhost, bridge: br0, socket: /x}]\nguests: [{name: vm1, port: vm1}]")
        let new = try part(
            "ports: [{name: vm9, type: vhost, bridge: br0, socket: /run/9.sock}]\nguests: [{name: vm9, port: vm9, group: tenant-a, inbound: {floor: 1gbit}}]")
        let result = try model.replacing(old, with: new)
        #expect(result.ports.map(\.name) == ["vm2", "host", "uplink", "vm9"] && result.guests.map(\.name) == ["vm2", "vm9"])
        #expect(result.bridges == model.bridges && result.groups == model.groups && result.protocols == model.protocols)
        #expect(try result.replacing(new, with: Model()).guests.map(\.name) == ["vm2"])
        // An object whose name stays the same keeps its place.
        var changed = old
        changed.guests[0].macs = [MACAddress("52:54:00:00:00:77")!]
        #expect(try model.replacing(old, with: changed).ports.map(\.name) == ["vm1", "vm2", "host", "uplink"])
    }

    @Test func whatIsWrongIsToldByName() throws {
        let new = try part("ports: [{name: vm9, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock}]")
        #expect(throws: ConfigurationError("port vm9 socket", "the socket /run/sluice/vm1.sock is port vm1's already: write another path")) {
            try office().replacing(Model(), with: new)
        }
    }

    @Test func commandsAreAsAShellTakesThem() {
        #expect(EditCommand(.port, .add, ["vm1", "socket", "/run/it's one.sock"]).description == "port add vm1 socket '/run/it'\\''s one.sock'")
        #expect(
            EditCommand(.guest, .set, ["vm1", "macs", "52:54:00:00:00:01,52:54:00:00:00:02", "group", ""]).description
                == "guest set vm1 macs 52:54:00:00:00:01,52:54:00:00:00:02 group ''")
    }

    /// A protocol's class may exist without settings, and is deleted like any other.
    @Test func aProtocolWithoutSettingsIsDeleted() throws {
        var model = try office()
        model.guests[1].protocols["fcoe"] = ProtocolClasses()
        let after = try model.edited("class", "del", ["vm2/fcoe"])
        #expect(after.guests[1].protocols.isEmpty)
        #expect(throws: ConfigurationError.self) { try after.edited("class", "del", ["vm2/fcoe"]) }
    }

    /// The shortcut for single changes has the same result, because it leaves this case to the general function.
    @Test func theShortWayDeletesItToo() throws {
        var model = try office()
        model.guests[1].protocols["fcoe"] = ProtocolClasses()
        var running = Running(model), general = Running(model)
        guard case .whole(let whole) = try general.edited("class", "del", ["vm2/fcoe"], short: false) else {
            Issue.record("short")
            return
        }
        switch try running.edited("class", "del", ["vm2/fcoe"]) {
        case .whole(let change): running.adopt(change)
        case .local(let change): running.adopt(change)
        }
        #expect(running.model == whole.model && running.ids == whole.ids && running.trees == whole.trees)
    }

    /// The commands lead from any ports and guests to any others.
    @Test func commandsLeadFromAnyModelToAnyOther() throws {
        for seed in 1...200 as ClosedRange<UInt64> {
            var random = Seeded(seed)
            let old = randomModel(&random), new = randomModel(&random)
            var (before, after) = (Model(), Model())
            (before.ports, before.guests, after.ports, after.guests) = (old.ports, old.guests, new.ports, new.guests)
            // Everything else is taken from the new model, so that what the ports and guests refer to exists.
            var start = new
            (start.ports, start.guests, start.mirrors) = (old.ports, old.guests, [])
            for index in start.bridges.indices { start.bridges[index].staticEntries = [] }
            var wanted = start
            (wanted.ports, wanted.guests) = (new.ports, new.guests)
            guard wanted.problems.isEmpty else { continue }
            let result = try start.edited(start.commands(replacing: before, with: after))
            #expect(result.ports.sorted { $0.name < $1.name } == new.ports.sorted { $0.name < $1.name }, "seed \(seed)")
            #expect(result.guests.sorted { $0.name < $1.name } == new.guests.sorted { $0.name < $1.name }, "seed \(seed)")
        }
    }
}
