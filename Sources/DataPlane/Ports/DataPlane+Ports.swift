import Bridge
import Configuration
import DPDKShim
import Scheduler

/// Opens and closes ports.
extension DataPlane {
    func index(of name: String) -> PortIndex? { ports[name]?.index ?? lost[name]?.index }

    /// Removes ports, changes them and opens others, which the poll loops get together with the change's trees. If anything fails, everything is taken back.
    /// What can fail without having touched anything comes first: the checks, then opening ports beside those that run, then changes that can be undone; last
    /// come the ports that have to be closed before the new ones can be opened. A port that was lost before stays lost if it cannot be opened with its new
    /// settings either.
    /// - Parameter goesOn: whether a new port that cannot be opened is recorded as lost, instead of making the whole change fail.
    func exchangePorts(_ change: PortChange, goesOn: Bool = false) throws(DataPlaneError) {
        var steps = Steps()
        for replacement in change.replaced {
            try replacement.new.leave(runtime.controlSocket)
            let port = ports[replacement.old.name]
            let way = try port?.link.way(from: replacement.old, to: replacement.new) ?? .beside
            switch way {
            case .inPlace: steps.inPlace.append(replacement)
            case .beside: steps.beside.append(replacement)
            case .anew: steps.anew.append(replacement)
            }
        }
        // A port may take over the socket or device of another that is removed; it is opened only after that one is closed.
        let owners = Dictionary(
            (change.removed + (steps.beside + steps.anew).map(\.old)).map { ($0.kind.resource, $0.name) }, uniquingKeysWith: { first, _ in first })
        func waits(_ settings: PortSettings) -> Bool { owners[settings.kind.resource].map { $0 != settings.name } ?? false }
        steps.anew += steps.beside.filter { waits($0.new) }
        steps.beside.removeAll { waits($0.new) }

        let leaving = change.removed + change.replaced.map(\.old)
        let before = Dictionary(uniqueKeysWithValues: leaving.compactMap { settings in index(of: settings.name).map { (settings.name, $0) } })
        let new = try newIndices(for: change)
        var opened: [Port] = []
        var failed: [(name: String, index: PortIndex, reason: String)] = []
        var closed: [Port] = []
        func open(_ settings: PortSettings, mayFail: Bool = false) throws(DataPlaneError) {
            let index = new[settings.name] ?? before[settings.name]!
            do {
                opened.append(try self.open(settings, index))
            } catch {
                guard mayFail else { throw error }
                failed.append((settings.name, index, error.description))
            }
        }
        do {
            for settings in change.added where !waits(settings) { try open(settings, mayFail: goesOn) }
            for replacement in steps.beside { try open(replacement.new, mayFail: lost[replacement.old.name] != nil) }
            for replacement in steps.inPlace {
                try ports[replacement.old.name]?.link.change(from: replacement.old, to: replacement.new)
                steps.changed.append(replacement)
            }
            closed = withdraw((change.removed + steps.anew.map(\.old)).map(\.name))
            for settings in change.added where waits(settings) { try open(settings, mayFail: goesOn) }
            for replacement in steps.anew { try open(replacement.new, mayFail: lost[replacement.old.name] != nil) }
        } catch {
            // No loop has ever been given these ports.
            for port in opened { port.close(.takenBack) }
            for index in new.values { freeIndices.release(Int(index)) }
            var failures: [String] = []
            for replacement in steps.changed.reversed() {
                do {
                    try ports[replacement.old.name]?.link.change(from: replacement.new, to: replacement.old)
                } catch {
                    failures.append("\(error)")
                }
            }
            failures += reopen(closed)
            if failures.isEmpty { throw error }
            throw DataPlaneError("\(error); and taking the change back failed: \(failures.joined(separator: "; "))")
        }
        for settings in leaving { lost[settings.name] = nil }
        replace(steps, with: opened)
        for port in opened { ports[port.settings.name] = port }
        for port in failed { lose(port.name, port.index, port.reason) }
        for settings in change.kept { update(settings) }
        for replacement in steps.inPlace {
            guard let port = ports[replacement.new.name] else { continue }
            // If the port has taken over the interface's new name, that needs no further notice.
            port.wasRenamed = port.wasRenamed && port.link.isRenamed
            if replacement.keepsIndex { port.settings = replacement.new }
        }
        for replacement in steps.inPlace where !replacement.keepsIndex { carry(replacement, to: new[replacement.new.name]!) }
        let used = Set(change.replaced.compactMap { index(of: $0.new.name) })
        closedIndices += leaving.compactMap { settings in
            before[settings.name].flatMap { used.contains($0) ? nil : (port: $0, bridge: settings.bridge) }
        }
    }

    /// The replaced ports of a change, by the way in which they are replaced.
    private struct Steps {
        var inPlace: [PortChange.Replacement] = []
        var beside: [PortChange.Replacement] = []
        var anew: [PortChange.Replacement] = []
        /// The replacements among `inPlace` that have been made so far.
        var changed: [PortChange.Replacement] = []
    }

    /// Puts newly opened ports in the place of others that are still open, and closes those. Loops switch from one to the other with a single snapshot.
    private func replace(_ steps: Steps, with opened: [Port]) {
        let successors = Dictionary(uniqueKeysWithValues: opened.map { ($0.settings.name, $0) })
        var replaced: [Port] = []
        for replacement in steps.beside {
            guard let old = ports[replacement.old.name] else { continue }
            if replacement.keepsIndex {
                ports[replacement.old.name] = successors[replacement.old.name]
                replaced.append(old)
            } else {
                _ = withdraw([replacement.old.name])
            }
        }
        guard !replaced.isEmpty else { return }
        publish()
        for port in replaced {
            // The stations behind the old port may not be behind the new one.
            bridges[port.settings.bridge]?.fdb.flush(port: port.index, statics: false)
            closedLosses[port.index, default: LinkLosses()] += port.link.readLosses()
            port.close(.removed)
            unparkEverywhere(port.index)
        }
    }

    /// Moves an open port to another bridge, without closing it.
    private func carry(_ replacement: PortChange.Replacement, to index: PortIndex) {
        guard let port = ports[replacement.old.name] else { return }
        _ = withdraw([replacement.old.name], closing: nil)
        ports[replacement.new.name] = Port(settings: replacement.new, index: index, inPlaceOf: port)
    }

    /// Gives a port that exists in both models its new settings. If it is lost, it is tried again.
    private func update(_ settings: PortSettings) {
        ports[settings.name]?.settings = settings
        guard let index = lost[settings.name]?.index else { return }
        do {
            ports[settings.name] = try open(settings, index)
            lost[settings.name] = nil
        } catch {
            lose(settings.name, index, error.description)
        }
    }

    /// Indices for the ports of a change that are new or cannot keep their index.
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
        return Dictionary(uniqueKeysWithValues: names.map { ($0, PortIndex(freeIndices.allocate()!)) })
    }

    func open(_ settings: PortSettings, _ index: PortIndex) throws(DataPlaneError) -> Port {
        // A port that was lost is opened again without a change of the model.
        pollPricesAreSet = false
        return Port(settings: settings, index: index, link: try openLink(settings, runtime))
    }

    /// Takes ports away from the poll loops, and then closes them.
    /// - Parameter reason: why they are closed; nil: they are not, as they are used elsewhere.
    /// - Returns: the ports that were taken away.
    func withdraw(_ names: [String], closing reason: CloseReason? = .removed) -> [Port] {
        let going = names.compactMap { ports.removeValue(forKey: $0) }
        guard !going.isEmpty else { return [] }
        // Frames that wait for the port in a tree are dropped when they are next chosen; an output that is parked is tried once a turn, and given up.
        publish()
        let indices = Set(going.map(\.index))
        for name in bridges.keys { bridges[name]!.bound = bridges[name]!.bound.filter { !indices.contains($0.value.port) } }
        for port in going {
            for bridge in bridges.values { bridge.fdb.flush(port: port.index, statics: true) }
            if let reason {
                closedLosses[port.index, default: LinkLosses()] += port.link.readLosses()
                port.close(reason)
            }
            unparkEverywhere(port.index)
        }
        return going
    }

    /// Opens ports that were closed for a change again, with their old settings.
    /// - Returns: why some could not be opened, as sentences.
    private func reopen(_ closed: [Port]) -> [String] {
        guard !closed.isEmpty else { return [] }
        var failures: [String] = []
        for port in closed {
            do {
                ports[port.settings.name] = try open(port.settings, port.index)
            } catch {
                lose(port.settings.name, port.index, error.description)
                failures.append(error.description)
            }
        }
        publish()
        followLinks()
        bindAddresses()
        pacePorts()
        return failures
    }

    /// Adds a port's counters to the totals of ports that are gone, and to those of its bridge if that still exists.
    func retire(_ index: PortIndex, from bridge: String) {
        var sum = PortCounters()
        if let losses = closedLosses.removeValue(forKey: index) { sum.add(losses) }
        for lcore in runtime.lcores.indices {
            let counters = (runtime.lcores.baseAddress! + lcore).pointee.counters + Int(index)
            sum += counters.pointee
            counters.pointee = PortCounters()
        }
        retired += sum
        bridges[bridge]?.retired += sum
    }

    private func unparkEverywhere(_ index: PortIndex) {
        for tree in trees.values { run([.unpark(output: index)], on: tree) }
    }
}
