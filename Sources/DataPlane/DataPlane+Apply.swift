import Bridge
import Configuration
import DPDKShim
import Packet
import Scheduler

extension DataPlane {
    /// Brings the data plane from the running model to another, all of it or nothing: everything that can fail is done before anything is changed
    /// that could not be undone. Poll loops never stop, and ports that the change does not concern lose no frame.
    /// - Parameters:
    ///   - new: free of problems; `daemon` as it runs.
    ///   - descriptions: the trees of `new`.
    /// - Throws: `DataPlaneError` when a device or socket cannot be had; everything runs on as before then.
    public func apply(_ new: Model, trees descriptions: [TreeDescription]) throws(DataPlaneError) {
        let old = model
        let change = PortChange(from: old, to: new)
        // Frames may wait in the trees for a port that is gone until its classes are removed: no other port may have its index before that.
        defer {
            // What was dropped since then must not be counted at another port either.
            if !closedIndices.isEmpty { runtime.grace.wait() }
            for index in closedIndices {
                retire(PortIndex(index))
                freeIndices.give(back: index)
            }
            closedIndices = []
            for index in closedGuests { freeGuests.give(back: index) }
            closedGuests = []
        }
        try Self.check(new.daemon, new.ports, runtime.lcores)
        guard ports.count - change.removed.count + change.added.count < maxPorts else {
            throw DataPlaneError("a daemon has at most \(maxPorts - 1) ports")
        }
        let hasNewLatency = model.daemon.wakeLatency != new.daemon.wakeLatency
        if hasNewLatency { try setWakeLatency(new.daemon) }
        do {
            try openAdded(change)
        } catch {
            if hasNewLatency { try setWakeLatency(model.daemon) }
            throw error
        }
        do {
            try replace(change, old)
        } catch {
            for settings in change.added { close(settings.name) }
            if hasNewLatency { try setWakeLatency(model.daemon) }
            throw error
        }
        for settings in change.kept { ports[settings.name]?.settings = settings }
        adoptBridges(new)
        adoptGuests(new)
        let oldProtocols = adoptProtocols(old, new)
        if model.daemon != new.daemon { setModes(new.daemon) }
        model = new
        adoptTrees(descriptions)
        oldProtocols?.destroy()
        pacePorts()
        bindAddresses(old)
    }

    /// Which ports a change opens and closes.
    struct PortChange {
        /// Gone, or closed to be opened anew.
        var removed: [PortSettings] = []
        var added: [PortSettings] = []
        /// What it takes to open the port differs: (before, after).
        var replaced: [(old: PortSettings, new: PortSettings)] = []
        /// Changed or not, but open all along.
        var kept: [PortSettings] = []

        init(from old: Model, to new: Model) {
            let before = Dictionary(old.ports.map { ($0.name, $0) }) { first, _ in first }
            let after = Set(new.ports.map(\.name))
            removed = old.ports.filter { !after.contains($0.name) }
            for settings in new.ports {
                guard let was = before[settings.name] else { added.append(settings); continue }
                if Self.mustReopen(was, settings) { replaced.append((was, settings)) } else { kept.append(settings) }
            }
        }

        /// A device takes its MTU when it is opened; a guest's ring has none.
        private static func mustReopen(_ old: PortSettings, _ new: PortSettings) -> Bool {
            // What was learned about a port is of no use, and must not be known, on another bridge.
            if old.kind != new.kind || old.bridge != new.bridge { return true }
            if case .vhost = new.kind { return false }
            return old.mtu != new.mtu
        }
    }

    private func openAdded(_ change: PortChange) throws(DataPlaneError) {
        // A new port may take over the socket or device of one that goes: those are opened after it has gone.
        let taken = Set((change.removed + change.replaced.map(\.old)).map(\.resource))
        var opened: [String] = []
        for settings in change.added where !taken.contains(settings.resource) {
            do {
                try open(settings)
                opened.append(settings.name)
            } catch {
                for name in opened { close(name) }
                throw error
            }
        }
    }

    /// Closes what goes, opens what could not be opened before that, and takes it all back if that fails.
    private func replace(_ change: PortChange, _ old: Model) throws(DataPlaneError) {
        let gone = change.removed + change.replaced.map(\.old)
        let waiting = change.replaced.map(\.new) + change.added.filter { ports[$0.name] == nil }
        withdraw(gone.map(\.name))
        var opened: [String] = []
        do {
            for settings in waiting {
                try open(settings)
                opened.append(settings.name)
            }
        } catch {
            for name in opened { close(name) }
            var lost: [String] = []
            for settings in gone {
                do { try open(settings) } catch { lost.append("\(error)") }
            }
            publish()
            rebind()
            if lost.isEmpty { throw error }
            throw DataPlaneError("\(error); and taking the change back failed: \(lost.joined(separator: "; "))")
        }
    }

    private func open(_ settings: PortSettings) throws(DataPlaneError) {
        guard let index = freeIndices.take() else { throw DataPlaneError("a daemon has at most \(maxPorts - 1) ports") }
        do {
            ports[settings.name] = Port(settings: settings, index: PortIndex(index), backend: try openPort(settings, runtime))
        } catch {
            freeIndices.give(back: index)
            throw error
        }
    }

    /// Closes ports that no poll loop was ever given.
    private func close(_ name: String) {
        guard let port = ports.removeValue(forKey: name) else { return }
        port.backend.close()
        closedIndices.append(Int(port.index))
    }

    /// Takes ports away from the poll loops, then closes them.
    private func withdraw(_ names: [String]) {
        let going = names.compactMap { ports.removeValue(forKey: $0) }
        guard !going.isEmpty else { return }
        // What waits for a port in a tree is dropped when it is next chosen; a parked port is tried, and let go, once a turn.
        publish()
        for port in going {
            for bridge in bridges.values { bridge.fdb.flush(port: port.index, statics: true) }
            for name in bridges.keys { bridges[name]!.bound = bridges[name]!.bound.filter { $0.value.port != port.index } }
            port.backend.close()
            unparkEverywhere(port.index)
            closedIndices.append(Int(port.index))
        }
    }

    /// Moves a port's counters to the totals of ports that are gone.
    private func retire(_ index: PortIndex) {
        for lcore in runtime.lcores.indices {
            let counters = (runtime.lcores.baseAddress! + lcore).pointee.counters + Int(index)
            retired += counters.pointee
            counters.pointee = PortCounters()
        }
    }

    private func unparkEverywhere(_ index: PortIndex) {
        var parameters = Scheduler.ClassParameters()
        parameters.output = index
        for tree in trees.values { run([Tree.Step(.unpark, 0, 0, parameters)], on: tree) }
    }

    private func adoptBridges(_ new: Model) {
        for settings in new.bridges {
            if bridges[settings.name]?.settings.fdbSize == settings.fdbSize {
                bridges[settings.name]!.settings = settings
            } else {
                let old = bridges[settings.name]
                bridges[settings.name] = BridgeState(settings: settings, fdb: ForwardingDatabase.create(capacity: settings.fdbSize))
                if let old {
                    publish()
                    old.fdb.destroy()
                }
            }
        }
        let names = Set(new.bridges.map(\.name))
        let gone = bridges.filter { !names.contains($0.key) }
        guard !gone.isEmpty else { return }
        for name in gone.keys { bridges[name] = nil }
        publish()
        for bridge in gone.values { bridge.fdb.destroy() }
    }

    private func adoptGuests(_ new: Model) {
        let names = Set(new.effectiveGuests.map(\.settings.name))
        for (name, index) in guestIndices where !names.contains(name) {
            guestIndices[name] = nil
            // Until `bindAddresses` addresses lead to it: it must not be another guest's before that.
            closedGuests.append(Int(index))
        }
        for name in names.sorted() where guestIndices[name] == nil { guestIndices[name] = freeGuests.take().map(GuestIndex.init) }
    }

    /// - Returns: the table it replaced, to be destroyed when no loop reads it any more.
    private func adoptProtocols(_ old: Model, _ new: Model) -> ProtocolTable? {
        guard old.protocolTable != new.protocolTable || old.bridges.isEmpty else { return nil }
        let replaced = protocols
        protocols = ProtocolTable.create()
        for (row, item) in new.protocolTable.enumerated() {
            for match in item.matches { protocols.set(match, row: UInt8(row + 1)) }
        }
        return replaced
    }

    /// Adds and changes classes, publishes what leads frames to them, then removes the classes that nothing leads to any more.
    private func adoptTrees(_ descriptions: [TreeDescription]) {
        let wanted = Dictionary(descriptions.map { ($0.name, $0) }) { first, _ in first }
        let gone = trees.filter { name, tree in wanted[name]?.kind != tree.kind }
        for name in gone.keys { trees[name] = nil }
        var removals: [(Tree, [Tree.Step])] = []
        for description in descriptions {
            let tree = trees[description.name] ?? Tree(description, runtime)
            trees[description.name] = tree
            let (before, after) = tree.commands(to: description) { item in outputIndex(of: item, in: description) }
            run(before, on: tree)
            tree.adopt(description) { item in outputIndex(of: item, in: description) }
            removals.append((tree, after))
        }
        publish()
        for (tree, steps) in removals { run(steps, on: tree) }
        for tree in gone.values { drain(tree) }
    }

    private func outputIndex(of item: ClassDescription, in tree: TreeDescription) -> PortIndex {
        switch tree.kind {
        case .inbound: item.port.flatMap { ports[$0]?.index } ?? 0
        case .outbound(let port): ports[port]?.index ?? 0
        }
    }

    /// Empties and frees a tree that no loop enqueues into any more.
    private func drain(_ tree: Tree) {
        run(tree.description.classes.reversed().map { Tree.Step(.remove, $0.id, 0, .init()) } + [Tree.Step(.drain, 0, 0, .init())], on: tree)
        tree.close()
    }

    /// Has every loop carry out the steps on its instance, and waits until all have.
    private func run(_ steps: [Tree.Step], on tree: Tree) {
        for step in steps {
            for (index, instance) in tree.instances.enumerated() {
                send(LcoreCommand(operation: step.operation, tree: instance, id: step.id, parent: step.parent, parameters: step.parameters), to: index)
            }
        }
        awaitCommands()
    }

    private func send(_ command: LcoreCommand, to lcore: Int) {
        while !(runtime.lcores.baseAddress! + lcore).pointee.commands.put(command) {
            runtime.lcores.wake()
            pause(microseconds: 50)
        }
    }

    private func awaitCommands() {
        runtime.lcores.wake()
        for index in runtime.lcores.indices {
            while !(runtime.lcores.baseAddress! + index).pointee.commands.isDone { pause(microseconds: 20) }
        }
    }

    /// A pacer belongs to the loop that polls the port, so that loop is told.
    private func pacePorts() {
        for port in ports.values where port.appliedPace != port.settings.pace {
            let pace = port.settings.pace
            port.appliedPace = pace
            var parameters = Scheduler.ClassParameters()
            parameters.floor = pace?.average ?? 0
            parameters.peak = pace?.peak ?? 0
            parameters.burst = pace?.burst ?? max(parameters.floor / 800, 65_536)
            let loop = placement.loops[Placement.Queue(port: port.index, queue: 0)] ?? 0
            send(LcoreCommand(operation: .pace, pacer: port.state.pointee.pacer, parameters: parameters), to: loop)
        }
        awaitCommands()
    }

    /// Makes the forwarding databases hold an entry for every configured address, and no other static one.
    private func bindAddresses(_ old: Model) {
        var wanted: [String: [MACAddress: Binding]] = [:]
        for guest in model.effectiveGuests {
            guard let port = ports[guest.settings.port], let index = guestIndices[guest.settings.name] else { continue }
            for mac in guest.settings.macs { wanted[port.settings.bridge, default: [:]][mac] = Binding(port: port.index, guest: index) }
        }
        let catchAll = Dictionary(model.effectiveGuests.filter(\.isCatchAll).map { ($0.settings.port, $0.settings.name) }) { first, _ in first }
        for bridge in model.bridges {
            for entry in bridge.staticEntries {
                guard let port = ports[entry.port] else { continue }
                let guest = catchAll[entry.port].flatMap { guestIndices[$0] } ?? 0
                wanted[bridge.name, default: [:]][entry.mac] = Binding(port: port.index, guest: guest)
            }
        }
        let guestsMoved = old.effectiveGuests.map(Whereabouts.init) != model.effectiveGuests.map(Whereabouts.init)
        for (name, bridge) in bridges {
            let wanted = wanted[name] ?? [:]
            for (mac, binding) in bridge.bound where wanted[mac] != binding { bridge.fdb.removeStatic(mac: mac.value) }
            for (mac, binding) in wanted where bridge.bound[mac] != binding {
                _ = bridge.fdb.addStatic(mac: mac.value, port: binding.port, guest: binding.guest)
            }
            bridges[name]!.bound = wanted
            // What was learned names the guest it was learned for; after guests came or went it is learned anew.
            if guestsMoved { for port in ports.values where port.settings.bridge == name { bridge.fdb.flush(port: port.index) } }
        }
    }

    private struct Whereabouts: Equatable {
        var name: String, port: String, isCatchAll: Bool
        init(_ guest: EffectiveGuest) {
            name = guest.settings.name
            port = guest.settings.port
            isCatchAll = guest.isCatchAll
        }
    }

    /// After a change that was taken back: the ports it had closed are other ones now.
    private func rebind() {
        for name in bridges.keys { bridges[name]!.bound = [:] }
        bindAddresses(model)
        for (name, tree) in trees {
            var description = tree.description
            description.name = name
            let steps = description.classes.filter(\.isLeaf).map {
                Tree.Step(.change, $0.id, $0.parent, Scheduler.ClassParameters($0.settings, output: outputIndex(of: $0, in: description)))
            }
            run(steps, on: tree)
            tree.adopt(description) { item in outputIndex(of: item, in: description) }
        }
    }
}

extension PortSettings {
    /// What two ports cannot have both: a socket's path, an interface, a device.
    var resource: String {
        switch kind {
        case .vhost(let socket, _, _): "vhost \(socket)"
        case .tap(let interface, _, _): "tap \(interface)"
        case .physical(let device, _): "physical \(device.split(separator: ",").first.map(String.init) ?? device)"
        }
    }
}
