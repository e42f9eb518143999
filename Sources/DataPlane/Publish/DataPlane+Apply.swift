import Bridge
import Configuration
import DPDKShim
import Packet
import Scheduler

extension DataPlane {
    /// Changes the data plane from the running model to another, either completely or not at all: everything that can fail is done before anything that could
    /// not be undone. Poll loops never stop, and ports that the change does not concern lose no frame.
    /// - Parameters:
    ///   - new: a model that is free of problems; settings of `daemon` that cannot change at run time are as they run.
    ///   - descriptions: the trees of `new`.
    ///   - goesOn: whether ports that cannot be opened are recorded as lost while the rest runs.
    /// - Throws: `DataPlaneError` if a device or socket cannot be had; everything runs on as before then, except that `lostPorts` may have changed.
    public func apply(_ new: Model, trees descriptions: [TreeDescription], goesOn: Bool = false) throws(DataPlaneError) {
        let old = model
        // Frames may wait in the trees for a port that is gone until its classes are removed, so no other port may get its index before that.
        defer {
            // Frames of that port that loops have dropped meanwhile must not be counted for another port either.
            if !closedIndices.isEmpty { runtime.grace.wait() }
            for closed in closedIndices {
                retire(closed.port, from: closed.bridge)
                freeIndices.release(Int(closed.port))
            }
            closedIndices = []
            for guest in closedGuests { freeGuests.release(guest.index) }
            closedGuests = []
        }
        try Self.check(new.daemon, new.ports, runtime.lcores)
        let hasNewLatency = old.daemon.wakeLatency != new.daemon.wakeLatency
        if hasNewLatency { try setWakeLatency(new.daemon) }
        let oldFilters: FilterPrograms
        do {
            oldFilters = try adoptFilters(new)
        } catch {
            if hasNewLatency { try setWakeLatency(old.daemon) }
            throw error
        }
        let guests = new.effectiveGuests
        makeRows(for: guests)
        do {
            try exchangePorts(PortChange(from: old, to: new), goesOn: goesOn)
        } catch {
            restoreFilters(oldFilters)
            if hasNewLatency { try setWakeLatency(old.daemon) }
            throw error
        }
        retireFilters(new, before: oldFilters)
        mirrors.adopt(new.mirrors, lcores: runtime.lcores.count)
        adoptBridges(new)
        adoptGuests(guests)
        let oldProtocols = adoptProtocols(old, new)
        if old.daemon != new.daemon { setModes(new.daemon) }
        model = new
        adoptOwners()
        adoptTrees(descriptions)
        followDelays()
        oldProtocols?.destroy()
        pacePorts()
        forgetVLANs(since: old)
        forgetRules(since: old)
        followLinks()
        bindAddresses()
        relabelAddresses()
    }

    private func adoptBridges(_ new: Model) {
        for settings in new.bridges {
            if bridges[settings.name]?.settings.fdbSize == settings.fdbSize {
                bridges[settings.name]!.settings = settings
            } else {
                let fdb = ForwardingDatabase.create(capacity: settings.fdbSize)
                if bridges[settings.name] == nil { bridges[settings.name] = BridgeState(settings: settings, fdb: fdb) } else { exchange(fdb, settings) }
            }
        }
        let names = Set(new.bridges.map(\.name))
        let gone = bridges.filter { !names.contains($0.key) }
        guard !gone.isEmpty else { return }
        for name in gone.keys { bridges[name] = nil }
        publish()
        for bridge in gone.values { bridge.destroy() }
    }

    /// Gives a bridge another database. It contains what the old one contained from the moment a loop sees it.
    private func exchange(_ fdb: ForwardingDatabase, _ settings: BridgeSettings) {
        let old = bridges[settings.name]!.fdb
        fdb.carry(from: old, statics: true)
        bridges[settings.name]!.settings = settings
        bridges[settings.name]!.fdb = fdb
        // Static entries for which there was no room are tried again, and reported, by `bindAddresses`.
        bridges[settings.name]!.bound = bridges[settings.name]!.bound.filter { fdb.lookup(mac: $0.key.key).isStatic }
        publish()
        fdb.carry(from: old, statics: false)
        old.destroy()
    }

    /// Makes room for the rows of new guests before the guests are adopted. A loop learns addresses for a new guest as soon as it has the snapshot with that
    /// guest, and another loop, which still has the old snapshot, may look them up; so the old snapshot must already have a row for the guest's number.
    private func makeRows(for guests: [EffectiveGuest]) {
        let added = guests.count { guestIndices[$0.settings.name] == nil }
        if guestRows.grow(toHold: freeGuests.next + added) { publish() }
    }

    private func adoptGuests(_ guests: [EffectiveGuest]) {
        let names = Set(guests.map(\.settings.name))
        let ports = Dictionary(effectiveGuests.map { ($0.settings.name, $0.settings.port) }) { first, _ in first }
        for (name, index) in guestIndices where !names.contains(name) {
            guestIndices[name] = nil
            // Addresses lead to the old number until `relabelAddresses` has run, so it must not be given to another guest before.
            closedGuests.append((Int(index), ports[name] ?? ""))
        }
        for name in names.sorted() where guestIndices[name] == nil { guestIndices[name] = freeGuests.allocate().map(GuestIndex.init) }
    }

    /// - Returns: the table that was replaced, which must be destroyed when no loop reads it any more; nil: the table stays.
    private func adoptProtocols(_ old: Model, _ new: Model) -> ProtocolTable? {
        let table = new.protocolTable
        guard old.protocolTable != table || old.bridges.isEmpty else { return nil }
        let replaced = protocols
        protocols = ProtocolTable.create()
        for row in protocolNumbers.assign(table.map(\.name)) { countedBefore[row] = protocolAmount(row) }
        for item in table {
            guard let row = protocolNumbers[item.name] else { continue }
            for match in item.matches { protocols.set(match, row: UInt8(row)) }
        }
        return replaced
    }

    /// Adds and changes classes, publishes the tables that lead frames to them, then removes the classes to which nothing leads any more.
    private func adoptTrees(_ descriptions: [TreeDescription]) {
        let wanted = Dictionary(descriptions.map { ($0.name, $0) }) { first, _ in first }
        let gone = trees.filter { name, tree in wanted[name]?.kind != tree.kind }
        for name in gone.keys { trees[name] = nil }
        var removals: [(Tree, [TreeStep])] = []
        let before = trees.mapValues(\.description.classes)
        for description in descriptions {
            let tree = trees[description.name] ?? Tree(description, runtime)
            trees[description.name] = tree
            let (first, last) = tree.commands(to: description) { item in outputIndex(of: item, description.kind) }
            run(first, on: tree)
            tree.adopt(description) { item in outputIndex(of: item, description.kind) }
            removals.append((tree, last))
        }
        publish()
        followSharing()
        for (tree, steps) in removals {
            let old = before[tree.name] ?? []
            remove(steps, from: tree, of: old, all: old)
            keepCounts(of: old.guestClasses, in: tree, but: tree.description.guestClasses)
        }
        for tree in gone.values { close(tree) }
        guestsSent = guestsSent.filter { guestIndices[$0.key] != nil }
        let groups = Set(model.groups.map(\.name))
        groupsSent = groupsSent.filter { groups.contains($0.key) }
        for tree in trees.values { tree.earlier.keepOnly(groups: groups) }
    }

    /// Has all trees count delays, or none.
    private func followDelays() {
        for tree in trees.values where (tree.delayBase != nil) != model.daemon.delay {
            run([.countDelays(model.daemon.delay)], on: tree)
            tree.adopt(countsDelays: model.daemon.delay)
        }
    }

    /// Carries out the removals that end a change. Groups' classes and `rest` are removed last, when all classes below them are gone, so that their counters
    /// are complete when they are kept.
    /// - Parameters:
    ///   - old: the classes that the change concerns, as they were before it.
    ///   - all: all classes of the tree, as they were before it.
    func remove(_ steps: [TreeStep], from tree: Tree, of old: [ClassDescription], all: [ClassDescription]) {
        let going = Set(steps.lazy.compactMap(\.removed))
        let gathering = old.gathering.filter { going.contains($0.id) }
        guard !gathering.isEmpty else { return run(steps, on: tree) }
        let ids = Set(gathering.map(\.id))
        run(steps.filter { !($0.removed.map(ids.contains) ?? false) }, on: tree)
        let counters = TreeCounters(tree)
        tree.earlier.record(gathering, counters, Dictionary(all.map { ($0.id, $0.path) }) { first, _ in first })
        run(steps.filter { $0.removed.map(ids.contains) ?? false }, on: tree)
    }

    /// Keeps what guests sent in classes that are gone; it counts for them as long as they exist.
    func keepCounts(of old: [String: UInt16], in tree: Tree, but new: [String: UInt16]) {
        for (guest, id) in old where new[guest] != id && guestIndices[guest] != nil {
            for instance in tree.instances {
                let last = instance.pointee.lastCounts(of: id)
                guestsSent[guest, default: GuestAmounts()].add(Amount(frames: last.frames, bytes: last.bytes), cycles: last.cycles, tree.kind)
            }
        }
    }

    func outputIndex(of item: ClassDescription, _ kind: TreeDescription.Kind) -> PortIndex {
        switch kind {
        case .inbound: item.port.flatMap(index(of:)) ?? 0
        case .outbound(let port): index(of: port) ?? 0
        }
    }

    /// Empties and frees a tree into which no loop enqueues any more.
    private func close(_ tree: Tree) {
        let classes = tree.description.classes
        remove(classes.reversed().map { .remove($0.id, heir: 0) }, from: tree, of: classes, all: classes)
        run([.freeFrames], on: tree)
        keepCounts(of: classes.guestClasses, in: tree, but: [:])
        for (group, amount) in tree.earlier.sentByGroup { groupsSent[group, default: GuestAmounts()].add(amount, tree.kind) }
        tree.close()
    }

    /// Makes every loop carry out the steps on its instance of the tree, and waits until all have done so.
    func run(_ steps: [TreeStep], on tree: Tree) {
        send(steps, to: tree)
        awaitCommands()
        tree.tidy(after: steps)
    }

    func send(_ steps: [TreeStep], to tree: Tree) {
        for step in steps {
            tree.prepare(step)
            for (index, instance) in tree.instances.enumerated() {
                send(.change(instance, step), to: index)
            }
        }
    }

    func send(_ command: LcoreCommand, to lcore: Int) {
        let lcore = runtime.lcores.baseAddress! + lcore
        waitFor(lcore, microseconds: 50) {
            if lcore.pointee.commands.put(command) { return false }
            runtime.lcores.wake()
            return true
        }
    }

    /// Returns when every loop has carried out what it was sent.
    func awaitCommands() {
        runtime.lcores.wake()
        for index in runtime.lcores.indices {
            let lcore = runtime.lcores.baseAddress! + index
            waitFor(lcore, microseconds: 20) { !lcore.pointee.commands.isDone }
            noteRefusals(by: lcore)
        }
    }

    /// Adds a notice for every command that a tree has refused, for the daemon's log.
    private func noteRefusals(by lcore: UnsafeMutablePointer<Lcore>) {
        let (refusals, lost) = lcore.pointee.commands.takeRefusals()
        if lost != 0 { notices.append("the poll loop on CPU \(lcore.pointee.cpu) refused \(lost) changes to trees before the ones told of next") }
        for refusal in refusals {
            guard case .change(let instance, let step) = refusal.command else { continue }
            let tree = trees.values.first { $0.instances.contains(instance) }?.name
            notices.append(step.refusal(refusal.reason, cpu: lcore.pointee.cpu, tree: tree))
        }
    }

    /// Tells the loops about changed paces. A pacer belongs to the loop that polls the port, so only that loop may change it.
    func pacePorts() {
        for port in ports.values where port.appliedPace != port.settings.pace {
            let pace = port.settings.pace
            port.appliedPace = pace
            let average = pace?.average ?? 0
            let rates = Pacer.Rates(average: average, peak: pace?.peak ?? 0, burst: pace?.burst ?? max(average / 800, 65_536))
            let loop = placement.loops[Placement.Queue(port: port.index, queue: 0)] ?? 0
            send(.pace(PortState.pacer(of: port.state), rates), to: loop)
        }
        awaitCommands()
    }
}
