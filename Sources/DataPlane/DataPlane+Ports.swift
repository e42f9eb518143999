import Bridge
import Configuration
import DPDKShim
import Scheduler

/// Opening and closing ports.
extension DataPlane {
    /// A port of the model that could not be opened again after a change was refused.
    struct LostPort {
        /// Still its own: its classes deliver there.
        var index: PortIndex
        var reason: String
    }

    /// Ports of the model that are not there, and why. Every change tries to open them.
    public var lostPorts: [String: String] { lost.mapValues(\.reason) }

    func index(of name: String) -> PortIndex? { ports[name]?.index ?? lost[name]?.index }

    /// Closes the ports that a change takes away and opens those it adds, which poll loops are given together with the change's trees; or takes
    /// all of it back.
    func exchangePorts(_ change: PortChange) throws(DataPlaneError) {
        let before = Dictionary(uniqueKeysWithValues: change.gone.compactMap { settings in index(of: settings.name).map { (settings.name, $0) } })
        let new = try newIndices(for: change)
        // A new port may take over the socket or device of one that goes: those are opened after it has gone.
        let taken = Set(change.gone.map(\.resource))
        var opened: [Port] = []
        var closed: [Port] = []
        func open(_ settings: PortSettings) throws(DataPlaneError) {
            opened.append(try self.open(settings, new[settings.name] ?? before[settings.name]!))
        }
        do {
            for settings in change.added where !taken.contains(settings.resource) { try open(settings) }
            closed = withdraw(change.gone.map(\.name))
            for settings in change.added where taken.contains(settings.resource) { try open(settings) }
            for replacement in change.replaced { try open(replacement.new) }
        } catch {
            // No loop was ever given these.
            for port in opened { port.backend.close() }
            for index in new.values { freeIndices.give(back: Int(index)) }
            let failures = reopen(closed)
            if failures.isEmpty { throw error }
            throw DataPlaneError("\(error); and taking the change back failed: \(failures.joined(separator: "; "))")
        }
        let used = Set(opened.map(\.index))
        closedIndices += before.values.filter { !used.contains($0) }
        for settings in change.gone { lost[settings.name] = nil }
        for port in opened { ports[port.settings.name] = port }
        for settings in change.kept { keep(settings) }
    }

    /// What a port of both models is to be from now on; one that is lost may be opened by now.
    private func keep(_ settings: PortSettings) {
        ports[settings.name]?.settings = settings
        guard let index = lost[settings.name]?.index else { return }
        do {
            ports[settings.name] = try open(settings, index)
            lost[settings.name] = nil
        } catch {
            lost[settings.name]?.reason = error.description
        }
    }

    /// Indices for the ports of a change that cannot have the one they had.
    private func newIndices(for change: PortChange) throws(DataPlaneError) -> [String: PortIndex] {
        let names = change.added.map(\.name) + change.replaced.filter { !$0.keepsIndex }.map(\.new.name)
        let most = maxPorts - 1
        let count = ports.count + lost.count - change.removed.count + change.added.count
        guard count <= most else { throw DataPlaneError("a daemon has at most \(most) ports, and these are \(count)") }
        guard names.count <= freeIndices.count else {
            throw DataPlaneError("""
                \(names.count) ports are new or move to another bridge, and only \(freeIndices.count) of \(most) have room while those that go are \
                still there: make this change in several steps
                """)
        }
        return Dictionary(uniqueKeysWithValues: names.map { ($0, PortIndex(freeIndices.take()!)) })
    }

    private func open(_ settings: PortSettings, _ index: PortIndex) throws(DataPlaneError) -> Port {
        Port(settings: settings, index: index, backend: try openPort(settings, runtime))
    }

    /// Takes ports away from the poll loops, then closes them.
    private func withdraw(_ names: [String]) -> [Port] {
        let going = names.compactMap { ports.removeValue(forKey: $0) }
        guard !going.isEmpty else { return [] }
        // What waits for a port in a tree is dropped when it is next chosen; a parked port is tried, and let go, once a turn.
        publish()
        let indices = Set(going.map(\.index))
        for name in bridges.keys { bridges[name]!.bound = bridges[name]!.bound.filter { !indices.contains($0.value.port) } }
        for port in going {
            for bridge in bridges.values { bridge.fdb.flush(port: port.index, statics: true) }
            closedLosses[port.index, default: LinkLosses()] += port.backend.readLosses()
            port.backend.close()
            unparkEverywhere(port.index)
        }
        return going
    }

    /// Opens ports that were closed for a change, as they were.
    /// - Returns: why some could not be opened, a sentence each.
    private func reopen(_ closed: [Port]) -> [String] {
        guard !closed.isEmpty else { return [] }
        var failures: [String] = []
        for port in closed {
            do {
                ports[port.settings.name] = try open(port.settings, port.index)
            } catch {
                lost[port.settings.name] = LostPort(index: port.index, reason: error.description)
                failures.append(error.description)
            }
        }
        publish()
        bindAddresses(model)
        pacePorts()
        return failures
    }

    /// Moves a port's counters to the totals of ports that are gone.
    func retire(_ index: PortIndex) {
        if let losses = closedLosses.removeValue(forKey: index) { retired.add(losses) }
        for lcore in runtime.lcores.indices {
            let counters = (runtime.lcores.baseAddress! + lcore).pointee.counters + Int(index)
            retired += counters.pointee
            counters.pointee = PortCounters()
        }
    }

    private func unparkEverywhere(_ index: PortIndex) {
        var parameters = Scheduler.ClassParameters()
        parameters.output = index
        for tree in trees.values { run([TreeStep(operation: .unpark, parameters: parameters)], on: tree) }
    }
}
