import Configuration
import Packet
import TestSupport
import Testing

/// Applies a plan to a model as the data plane would. It traps on a step that could not be carried out in this order.
private func apply(_ plan: Plan, to model: Model) -> Model {
    var model = model
    func replace<Element>(_ list: inout [Element], _ element: Element, _ key: KeyPath<Element, String>) {
        let index = list.firstIndex { $0[keyPath: key] == element[keyPath: key] }!
        list[index] = element
    }
    func remove<Element>(_ list: inout [Element], _ name: String, _ key: KeyPath<Element, String>) {
        list.remove(at: list.firstIndex { $0[keyPath: key] == name }!)
    }
    func add<Element>(_ list: inout [Element], _ element: Element, _ key: KeyPath<Element, String>) {
        precondition(!list.contains { $0[keyPath: key] == element[keyPath: key] })
        list.append(element)
    }
    for action in plan.actions {
        switch action {
        case .removeStaticEntry(let bridge, let entry):
            let index = model.bridges.firstIndex { $0.name == bridge }!
            precondition(model.ports.contains { $0.name == entry.port })
            model.bridges[index].staticEntries.remove(at: model.bridges[index].staticEntries.firstIndex(of: entry)!)
        case .addStaticEntry(let bridge, let entry):
            let index = model.bridges.firstIndex { $0.name == bridge }!
            precondition(model.ports.contains { $0.name == entry.port })
            model.bridges[index].staticEntries.append(entry)
        case .removeGuest(let name): remove(&model.guests, name, \.name)
        case .removeGroup(let name): remove(&model.groups, name, \.name)
        case .removePort(let name):
            precondition(!model.bridges.flatMap(\.staticEntries).contains { $0.port == name })
            remove(&model.ports, name, \.name)
        case .removeBridge(let name):
            precondition(!model.ports.contains { $0.bridge == name })
            remove(&model.bridges, name, \.name)
        case .addBridge(let bridge): add(&model.bridges, bridge, \.name)
        case .changeBridge(var bridge):
            bridge.staticEntries = model.bridges.first { $0.name == bridge.name }!.staticEntries
            replace(&model.bridges, bridge, \.name)
        case .addPort(let port):
            precondition(model.bridges.contains { $0.name == port.bridge })
            add(&model.ports, port, \.name)
        case .changePort(let port):
            precondition([port.filter.inbound, port.filter.outbound].allSatisfy { name in name == nil || model.filters.contains { $0.name == name } })
            replace(&model.ports, port, \.name)
        case .addGroup(let group): add(&model.groups, group, \.name)
        case .changeGroup(let group): replace(&model.groups, group, \.name)
        case .addGuest(let guest):
            precondition(model.ports.contains { $0.name == guest.port })
            add(&model.guests, guest, \.name)
        case .changeGuest(let guest): replace(&model.guests, guest, \.name)
        case .setProtocols(let rows): model.protocols = rows
        case .addFilter(let filter): add(&model.filters, filter, \.name)
        case .changeFilter(let filter): replace(&model.filters, filter, \.name)
        case .removeFilter(let name):
            precondition(!model.ports.contains { $0.filter.inbound == name || $0.filter.outbound == name })
            remove(&model.filters, name, \.name)
        case .addMirror(let mirror):
            precondition(model.ports.contains { $0.name == mirror.target.port })
            add(&model.mirrors, mirror, \.name)
        case .changeMirror(let mirror): replace(&model.mirrors, mirror, \.name)
        case .removeMirror(let name): remove(&model.mirrors, name, \.name)
        case .setDaemon(let settings), .setPolling(let settings): model.daemon = settings
        }
    }
    return model
}

/// The model in a form that can be compared: lists are sorted by name, and the protocol table stands in place of the rows that it was made from.
private func canonical(_ model: Model) -> Model {
    var model = model
    model.bridges.sort { $0.name < $1.name }
    for index in model.bridges.indices { model.bridges[index].staticEntries.sort { $0.mac < $1.mac } }
    model.ports.sort { $0.name < $1.name }
    model.groups.sort { $0.name < $1.name }
    model.guests.sort { $0.name < $1.name }
    model.protocols = model.protocolTable
    return model
}

@Suite struct PlanTests {
    @Test func aPlanLeadsFromOneModelToTheOther() {
        var random = Seeded(4)
        for _ in 0..<300 {
            let old = randomModel(&random), new = randomModel(&random)
            let plan = diff(from: old, to: new)
            #expect(canonical(apply(plan, to: old)) == canonical(new))
            #expect(diff(from: apply(plan, to: old), to: new).actions == [])
        }
    }

    @Test func noDifferenceNoPlan() {
        var random = Seeded(5)
        for _ in 0..<100 {
            let model = randomModel(&random)
            #expect(diff(from: model, to: model).isEmpty)
        }
    }

    @Test func treeChangesLeadFromTreeToTree() {
        var random = Seeded(6)
        for _ in 0..<200 {
            let old = randomModel(&random), new = randomModel(&random)
            var ids = ClassIDs()
            var byName = Dictionary(
                uniqueKeysWithValues: trees(of: old, ids: &ids).map { ($0.name, Dictionary(uniqueKeysWithValues: $0.classes.map { ($0.id, $0) })) })
            for change in diff(from: old, to: new, ids: &ids).trees {
                var classes = byName[change.name] ?? [:]
                for item in change.removed { #expect(classes.removeValue(forKey: item.id) == item) }
                for item in change.changed { #expect(classes.updateValue(item, forKey: item.id)?.path == item.path) }
                for item in change.added { #expect(classes.updateValue(item, forKey: item.id) == nil) }
                byName[change.name] = change.kind == .removed ? nil : classes
                if change.kind == .removed { #expect(classes.isEmpty) }
            }
            let expected = trees(of: new, ids: &ids)
            #expect(byName.count == expected.count)
            for tree in expected { #expect(byName[tree.name]?.values.sorted { $0.id < $1.id } == tree.classes.sorted { $0.id < $1.id }) }
        }
    }

    @Test func idsOutliveARestart() throws {
        var ids = ClassIDs()
        let all = try office()
        _ = diff(from: Model(), to: all, ids: &ids)
        var fewer = all
        fewer.guests.removeFirst()
        _ = diff(from: all, to: fewer, ids: &ids)
        // After a restart nothing is running yet, and `ids` are those that the state file kept.
        var later = ids
        let plan = diff(from: Model(), to: fewer, ids: &later)
        #expect(later == ids)
        #expect(plan.trees.flatMap(\.added).allSatisfy { item in ids.trees.values.contains { $0[item.path] == item.id } })
    }

    @Test func whatChangesInPlace() throws {
        let old = try office()
        func lines(_ change: (inout Model) -> Void) -> [String] {
            var new = old
            change(&new)
            return diff(from: old, to: new).lines(from: old, to: new)
        }
        #expect(lines { $0.ports[0].mtu = 9_000 } == ["~ port vm1 mtu default -> 9000"])
        #expect(lines { $0.ports[1].pace = nil } == ["~ port vm2 pace {average 1gbit peak 2gbit burst 1mib} -> default"])
        #expect(lines { $0.ports[3].rate = 2_000_000_000 } == ["~ port uplink rate 1gbit -> 2gbit"])
        #expect(
            lines { $0.ports[0].kind = .vhost(socket: "/x", mode: .client, queues: 4) } == [
                "~ port vm1 socket /run/sluice/vm1.sock -> /x (the guest at the old socket loses its link)"
            ])
        #expect(lines { $0.guests[1].outbound.floor = 150_000_000 } == ["~ guest vm2 outbound {floor 100mbit} -> {floor 150mbit}"])
        #expect(lines { $0.protocols[1].pcp = 6 } == ["~ protocol iscsi pcp 5 -> 6"])
        #expect(lines { $0.protocols.removeFirst() }.first?.hasPrefix("- protocol backup match tcp 873,udp 4000") == true)
        #expect(lines { $0.daemon.polling = .interrupt } == ["~ daemon polling default -> interrupt"])
        #expect(lines { $0.daemon.cpus = [1, 2] } == ["! daemon cpus default -> 1,2 (takes a restart of sluiced)"])
        #expect(
            lines { $0.bridges[0].staticEntries = [] } == ["- fdb 52:54:00:aa:00:01 port host bridge br0"])
        #expect(
            lines {
                $0.ports.append(PortSettings(name: "vm3", bridge: "br0", kind: .vhost(socket: "/s", mode: .server, queues: 2)))
                $0.guests.removeLast()
            } == ["- guest vm2", "+ port vm3 type vhost bridge br0 socket /s mode server queues 2"])
        var restart = old
        restart.daemon.buffers = 2_048
        #expect(diff(from: old, to: restart).needsRestart)
    }

    @Test func onlyTheTreesConcernedChange() throws {
        let old = try office()
        var new = old
        new.guests[1].outbound.floor = 150_000_000
        let changes = diff(from: old, to: new).trees
        #expect(changes.map(\.name) == ["uplink"])
        // The queue limit of the class below `rest` is a time at the class's rate, so it changes together with the floor of `rest`.
        #expect(changes[0].changed.map(\.path) == ["vm2", "rest", "host"])
        #expect(changes[0].added == [] && changes[0].removed == [] && !changes[0].rootChanged)
        new = old
        new.ports[3].rate = 2_000_000_000
        #expect(diff(from: old, to: new).trees.map(\.rootChanged) == [true])
    }
}

@Suite struct FixedSettingsTests {
    @Test func whatIsFixedIsNamed() {
        var running = DaemonSettings(), wanted = DaemonSettings()
        running.cpus = [1]
        wanted.cpus = [2, 3]
        wanted.buffers = 1_024
        wanted.polling = .polling
        #expect(wanted.fixed(from: running) == "cpus 1 -> 2,3, buffers default -> 1024")
    }
}
