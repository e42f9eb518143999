import Configuration
import Testing

/// A configuration file that was edited while single changes were in force.
@Suite struct MergeTests {
    private static let yaml = """
        bridges: [{name: br0, rate: 10gbit, static: [{mac: "52:54:00:00:00:09", port: a}]}]
        ports: [{name: a, type: tap, bridge: br0, interface: a}, {name: b, type: tap, bridge: br0, interface: b}]
        guests: [{name: vm1, port: a, macs: ["52:54:00:00:00:01"], inbound: {floor: 1gbit}}, {name: vm2, port: b, macs: ["52:54:00:00:00:02"]}]

        """

    private func base() throws -> Model { try Model.checked(yaml: Self.yaml) }
    private func file(_ old: String, _ new: String) throws -> Model { try Model.checked(yaml: Self.yaml.replacing(old, with: new)) }
    private func edited(_ commands: (EditObject, EditVerb, String)...) throws -> Model {
        try base().edited(commands.map { EditCommand($0.0, $0.1, $0.2.split(separator: " ").map(String.init)) })
    }

    @Test func whatOnlyOneSideChangedStays() throws {
        let ran = try edited(
            (.port, .add, "c type tap bridge br0 interface c"), (.class, .set, "vm2 dir inbound floor 2gbit"), (.fdb, .add, "52:54:00:00:00:0a port b"))
        let merge = Merge(file: try file("rate: 10gbit", "rate: 20gbit"), base: try base(), ran: ran)
        #expect(merge.overruled.isEmpty)
        #expect(merge.model.bridges[0].rate == 20_000_000_000 && merge.model.bridges[0].staticEntries.count == 2)
        #expect(merge.model.ports.map(\.name) == ["a", "b", "c"] && merge.model.guests[1].inbound.floor == 2_000_000_000)
        #expect(merge.model.problems.isEmpty)
        // A file in which nothing has changed but comments.
        #expect(Merge(file: try base(), base: try base(), ran: ran).model == ran)
    }

    @Test func theFileWinsWhereBothChanged() throws {
        let ran = try edited((.class, .set, "vm1 dir inbound floor 2gbit"), (.fdb, .del, "52:54:00:00:00:09"), (.fdb, .add, "52:54:00:00:00:09 port b"))
        let merge = Merge(file: try file("floor: 1gbit", "floor: 3gbit"), base: try base(), ran: ran)
        #expect(merge.overruled == ["guest vm1"] && merge.model.guests[0].inbound.floor == 3_000_000_000)
        #expect(merge.model.bridges[0].staticEntries.map(\.port) == ["b"])
        // The same change on both sides is no conflict.
        let same = Merge(file: try file("floor: 1gbit", "floor: 2gbit"), base: try base(), ran: ran)
        #expect(same.overruled.isEmpty && same.model.guests[0].inbound.floor == 2_000_000_000)
    }

    @Test func whatWasDeletedStaysDeleted() throws {
        let ran = try edited((.guest, .del, "vm2"))
        #expect(Merge(file: try file("floor: 1gbit", "floor: 3gbit"), base: try base(), ran: ran).model.guests.map(\.name) == ["vm1"])
        // The file has changed the guest that a command deleted.
        let changed = Merge(file: try file("00:02\"]}", "00:03\"]}"), base: try base(), ran: ran)
        #expect(changed.overruled == ["guest vm2"] && changed.model.guests.map(\.name) == ["vm1", "vm2"])
        // The file has deleted the guest that a command changed.
        let removed = try file(", {name: vm2, port: b, macs: [\"52:54:00:00:00:02\"]}", "")
        let gone = Merge(file: removed, base: try base(), ran: try edited((.class, .set, "vm2 dir inbound floor 2gbit")))
        #expect(gone.overruled == ["guest vm2"] && gone.model.guests.map(\.name) == ["vm1"])
    }

    @Test func theDaemonsSettingsAreOneObject() throws {
        var (file, ran) = (try base(), try base())
        ran.daemon.polling = .interrupt
        #expect(Merge(file: file, base: try base(), ran: ran).model.daemon.polling == .interrupt)
        file.daemon.buffers = 32_768
        let merge = Merge(file: file, base: try base(), ran: ran)
        #expect(merge.overruled == ["the daemon's settings"] && merge.model.daemon == file.daemon)
    }

    @Test func aFileThatDoesNotGoTogetherWithTheRestRunsAlone() throws {
        var running = Running(try edited((.port, .add, "c type tap bridge br0 interface c"), (.class, .set, "vm2 dir inbound floor 8gbit")))
        let part = "ports: [{name: p, type: tap, bridge: br0, interface: p}]\nguests: [{name: p, port: p, macs: [\"52:54:00:00:00:05\"], inbound: {floor: 500mbit}}]\n"
        running.adopt(try running.changed(part: "p", to: try Part("p", yaml: part)))
        guard case .local(let change) = try running.edited("class", "set", ["p", "dir", "inbound", "floor", "700mbit"]) else { return #expect(Bool(false)) }
        running.adopt(change)
        // The file raises one floor while a command has raised another, and the bridge's rate is not enough for both.
        let (after, dropped) = running.restarted(with: try file("floor: 1gbit", "floor: 5gbit"), base: try base())
        #expect(after.base == (try file("floor: 1gbit", "floor: 5gbit")))
        #expect(dropped.count == 1 && dropped[0].contains("do not go together with the edited file") && dropped[0].contains("br0"), "\(dropped)")
        // What belongs to a part is neither the file's nor the commands'.
        #expect(after.parts.all.map(\.name) == ["p"] && after.model.guests.last?.inbound.floor == 700_000_000)
        let (kept, none) = running.restarted(with: try file("floor: 1gbit", "floor: 1100mbit"), base: try base())
        #expect(none.isEmpty && kept.base.ports.map(\.name) == ["a", "b", "c"] && kept.model.guests.last?.inbound.floor == 700_000_000)
        // A part with a port that the file has now, too, is left out.
        let taken = try Model.checked(yaml: Self.yaml.replacing("interface: b}]", with: "interface: b}, {name: p, type: tap, bridge: br0, interface: q}]"))
        #expect(running.fitting(taken).parts.isEmpty && running.fitting(taken).model == taken)
    }
}
