import Bridge
import Configuration
import DCB
import DPDKShim
import NUMA
import Packet
import Scheduler

extension DataPlane {
    /// Builds the snapshot of each poll loop from what the control thread holds, publishes the snapshots, waits until no loop uses the old ones, and frees
    /// them. A queue that moves is given up by its old loop before the new one polls it.
    func publish() {
        makeLeaves()
        makeFloodSets()
        adoptGroups()
        followGroupPorts()
        followDiscovery()
        adoptFIPGuards()
        move(to: placement.placing(requests(), on: placementLoops))
    }

    var placementLoops: [Placement.Loop] {
        runtime.lcores.indices.map { Placement.Loop(cpu: runtime.lcores[cpu: $0], numaNode: cpuNodes[$0]) }
    }

    func exchange(_ build: (Int) -> UnsafeMutablePointer<Snapshot>) {
        let old = snapshots, oldOwners = retiredOwners, oldSets = retiredSets, oldGroups = retiredGroups, oldFilters = retiredFilters, oldMirrors = mirrors.takeRetired()
        retiredOwners = []
        retiredSets = []
        retiredGroups = []
        retiredFilters = []
        published += 1
        discovery.publish()
        snapshots = runtime.lcores.indices.map(build)
        for index in runtime.lcores.indices {
            (runtime.lcores.baseAddress! + index).pointee.snapshot.store(snapshots[index], ordering: .sequentiallyConsistent)
        }
        runtime.lcores.wake()
        runtime.grace.wait()
        for snapshot in old {
            loads.retire(snapshot)
            free(snapshot)
        }
        for owners in oldOwners { owners.destroy() }
        for sets in oldSets { sets.destroy() }
        for record in oldMirrors { record.destroy() }
        for groups in oldGroups { groups.destroy() }
        for old in oldFilters {
            old.heir?.inherit(from: old.program)
            old.program.destroy()
        }
    }

    /// The ports that loops are given. A change opens ports before it has made their bridge and tree, so such ports are left out.
    var connectedPorts: [Port] {
        ports.values.filter { bridges[$0.settings.bridge] != nil && trees[$0.treeName] != nil }
    }

    func requests() -> [Placement.Request] {
        connectedPorts.sorted { $0.index < $1.index }.map {
            Placement.Request(
                port: $0.index, queues: $0.link.queues, cpus: $0.settings.cpus, numaNode: $0.link.numaNode, together: $0.settings.pace != nil)
        }
    }

    func snapshot(for lcore: Int, leavingOut moved: Set<Placement.Queue>) -> UnsafeMutablePointer<Snapshot> {
        let queues = placement.loops.filter { $0.value == lcore && !moved.contains($0.key) }.keys
            .sorted { ($0.port, $0.queue) < ($1.port, $1.queue) }
        let bridgeNames = bridges.keys.sorted()
        let treeNames = trees.keys.sorted()
        let bridgeNumbers = Dictionary(uniqueKeysWithValues: bridgeNames.enumerated().map { ($1, UInt16($0)) })
        let treeNumbers = Dictionary(uniqueKeysWithValues: treeNames.enumerated().map { ($1, UInt16($0)) })

        let views = UnsafeMutableBufferPointer<PortView>.allocate(capacity: maxPorts)
        var taggers = [tagger([])]
        views.initialize(repeating: PortView(link: nil))
        let connected = connectedPorts, queueCounts = Dictionary(uniqueKeysWithValues: connected.map { ($0.index, $0.link.queues) }), detours = model.bridgesWithDetours
        let watching = Set(connected.filter(\.settings.fipSnooping).map(\.settings.bridge))
        let mirrors = mirrorTables(for: lcore, treeNumbers), captures = captureTables(for: lcore)
        for port in connected {
            let inbound = inboundFilters(of: port.settings, lcore), tree = treeNumbers[port.treeName] ?? 0
            let isCaptured = captures.map { $0.pointee.leaving[Int(port.index)].count != 0 } ?? false
            let isTold = inbound != nil || mirrors?.pointee.leaves[Int(tree)] != nil || isCaptured
            let isMirrored = isCaptured || mirrors.map { $0.pointee.leaving[Int(port.index)].count != 0 } ?? false
            let wants = (port.link.state.pointee.wantsFlat ? EgressTag.flatten : EgressTag(rawValue: 0)).and(isMirrored ? .mirroredByPort : EgressTag(rawValue: 0))
            let applications = discovery.published[port.index]?.applications, tags = port.isPhysical && port.settings.dcb
            if let applications { taggers.append(tagger(applications)) }
            views[Int(port.index)] = PortView(
                link: port.link.state, bridge: bridgeNumbers[port.settings.bridge] ?? 0, defaultGuest: catchAllGuests[port.settings.name] ?? 0,
                tree: tree, isPhysical: port.isPhysical,
                spoofCheck: port.settings.spoofCheck, flags: flags(of: port, detours: detours), maxFrame: port.maxFrame,
                tagger: tags ? taggers[applications == nil ? 0 : taggers.count - 1] : nil, vlans: vlans(of: port),
                inbound: inbound, ingress: Self.ingress(
                    mirrors?.pointee.entering[Int(port.index)] ?? .none, captures?.pointee.entering[Int(port.index)] ?? .none, outboundFilters(of: port.settings, lcore),
                    fipGuard(of: port, watching), isWatched: port.settings.fipSnooping, sampler?.states[lcore]),
                way: GroupKey(isTold ? .filter : .pass, port.index).with(tag: wants).rawValue)
        }
        let result = UnsafeMutablePointer<Snapshot>.onOwnLines(1)
        result.initialize(to: Snapshot(
            number: published, receiveQueues: .copy(queues.map { key in
                // Only queues of connected ports are placed.
                let link = views[Int(key.port)].link!
                return ReceiveQueue(link: link, port: key.port, queue: UInt16(key.queue), of: queueCounts[key.port]!, device: link.pointee.deviceQueues[key.queue])
            }),
            ports: views,
            bridges: .copy(bridgeNames.map { name in
                let members = connected.filter { $0.settings.bridge == name }
                let uplink = detours.contains(name) ? members.first { $0.isPhysical && $0.shutUntil == nil }?.index : nil
                let through = detours.contains(name) ? members.first { $0.settings.rules.forward == .passthru && $0.shutUntil == nil }?.index : nil
                return BridgeView(
                    fdb: bridges[name]!.fdb, owners: bridges[name]!.owners, members: .copy(members.map(\.index).sorted()),
                    sets: bridges[name]!.sets, groups: bridges[name]!.groups?.slot, fitsAll: members.map(\.maxFrame).min() ?? 0, uplink: uplink ?? flooded, through: through ?? flooded)
            }),
            trees: .copy(treeNames.map { view(of: trees[$0]!, lcore) }),
            protocols: protocols, taggers: .copy(taggers), limits: limits(of: connected), mirrors: mirrors, captures: captures, pauses: pauses(of: connected, lcore),
            trusts: trusts(of: connected)))
        return result
    }

    private func view(of tree: Tree, _ lcore: Int) -> TreeView {
        let leaves = UnsafeMutableBufferPointer<ClassID>.allocate(capacity: tree.leaves.count)
        _ = leaves.initialize(from: tree.leaves)
        let bySource = if case .outbound = tree.kind { true } else { false }
        return TreeView(
            tree: tree.instances[lcore], bySource: bySource, leaves: leaves, guestShift: UInt64(protocolNumbers.bits),
            lines: tree.instances[lcore].pointee.classLines)
    }

    /// Builds the tables that lead guests' traffic to leaves.
    private func makeLeaves() {
        catchAllGuests = [:]
        for guest in effectiveGuests where guest.isCatchAll { catchAllGuests[guest.settings.port] = guestIndices[guest.settings.name] }
        leftRows = []
        for tree in trees.values {
            // There is a row for every number that an address may lead to, including guests that are going or coming.
            tree.leaves = [ClassID](repeating: 0, count: guestRows.count << protocolNumbers.bits)
            lead(tree.description.classes, in: tree)
            leadClosedGuests(in: tree)
        }
    }

    /// Enters leaves into the rows of their guests.
    private func lead(_ classes: [ClassDescription], in tree: Tree) {
        let shift = protocolNumbers.bits
        // A guest's leaf for all protocols is entered first, then those for single protocols replace it in their columns.
        for item in classes where item.isLeaf && item.protocolName == nil {
            guard let guest = item.guest.flatMap({ guestIndices[$0] }) else { continue }
            for row in 0..<1 << shift { tree.leaves[Int(guest) << shift + row] = item.id }
        }
        leadPriorities(classes, in: tree)
        for item in classes where item.isLeaf {
            guard let guest = item.guest.flatMap({ guestIndices[$0] }), let row = item.protocolName.flatMap({ protocolNumbers[$0] }) else { continue }
            tree.leaves[Int(guest) << shift + row] = item.id
        }
    }

    /// Frames that say a priority themselves take the leaf of a protocol with that priority, if their guest has one: of the first such protocol of the table.
    private func leadPriorities(_ classes: [ClassDescription], in tree: Tree) {
        guard model.hasTrust else { return }
        let shift = protocolNumbers.bits, leaves = Dictionary(grouping: classes.filter { $0.isLeaf && $0.protocolName != nil }) { $0.protocolName! }
        for item in model.protocolTable.reversed() where item.pcp != 0 {
            guard let row = protocolNumbers[ProtocolSettings.nameOfPriority(item.pcp)] else { continue }
            for leaf in leaves[item.name] ?? [] {
                if let guest = leaf.guest.flatMap({ guestIndices[$0] }) { tree.leaves[Int(guest) << shift + row] = leaf.id }
            }
        }
    }

    /// As long as an address leads to a guest that is going, the guest's frames take the leaves of its port's catch-all guest.
    private func leadClosedGuests(in tree: Tree) {
        let shift = protocolNumbers.bits
        for closed in closedGuests {
            guard let heir = catchAllGuests[closed.port] else { continue }
            for row in 0..<1 << shift { tree.leaves[closed.index << shift + row] = tree.leaves[Int(heir) << shift + row] }
        }
    }

    /// Does what `publish` does, for a change that concerns only the guests of one port and their classes.
    /// - Parameter classes: the new classes of each tree. If one class of a guest is among them, all of the guest's classes are.
    func publish(_ guests: LocalChange.PortGuests?, _ classes: [(tree: Tree, classes: [ClassDescription])]) {
        let shift = protocolNumbers.bits
        if let guests { catchAllGuests[guests.port] = guestIndices[guests.catchAll] }
        // The rows of guests that went with an earlier change are reused, and guests that come must lead nowhere in trees that have no class for them.
        let came = guests?.came.compactMap { guestIndices[$0] }.map(Int.init) ?? []
        for tree in trees.values {
            for index in leftRows + came { for row in 0..<1 << shift { tree.leaves[index << shift + row] = 0 } }
        }
        for item in classes { lead(item.classes, in: item.tree) }
        for tree in trees.values { leadClosedGuests(in: tree) }
        leftRows = closedGuests.map(\.index)
        exchange { snapshot(for: $0, leavingOut: []) }
    }
}

extension UnsafeMutableBufferPointer {
    /// A copy on cache lines of its own, as lcores write to their receive queues. The caller frees it.
    static func copy(_ elements: [Element]) -> Self {
        let buffer = Self(start: .onOwnLines(elements.count), count: elements.count)
        _ = buffer.initialize(from: elements)
        return buffer
    }
}
