import Configuration
import Packet

extension DataPlane {
    public struct MirrorReport: Sendable {
        public var copied = Amount()
        /// The number of frames that were not copied, by reason; only reasons that occurred.
        public var drops: [String: UInt64] = [:]
    }

    /// What a mirror copied, and what it failed to copy.
    public func mirrorReport(_ name: String) -> MirrorReport {
        var report = MirrorReport()
        for counters in mirrors[name]?.counters ?? [] {
            report.copied.frames &+= counters.pointee.frames
            report.copied.bytes &+= counters.pointee.bytes
            for drop in MirrorDrop.allCases where counters.pointee.drops[drop.rawValue] != 0 {
                report.drops[drop.name, default: 0] &+= counters.pointee.drops[drop.rawValue]
            }
        }
        return report
    }

    /// What is done with frames that come in by a port; nil if nothing is.
    static func ingress(
        _ mirrors: MirrorTaps, _ captures: CaptureTaps, _ filters: UnsafeMutablePointer<FilterView>?, _ fip: UnsafeMutablePointer<FIPGuard>?, isWatched: Bool,
        _ samples: UnsafeMutablePointer<SampleState>?
    ) -> UnsafeMutablePointer<IngressView>? {
        let looks = mirrors.count != 0 || captures.count != 0 || filters != nil || fip != nil
        if !looks, samples == nil { return nil }
        let view = UnsafeMutablePointer<IngressView>.allocate(capacity: 1)
        view.initialize(to: IngressView(
            mirrors: mirrors, captures: captures, filters: filters, fip: fip, isWatched: isWatched, samples: samples, looksAtWholeFrames: looks))
        return view
    }

    /// The mirrors of the model in the form in which one lcore runs them; nil if there are none. A mirror whose port or class does not exist yet is left out.
    func mirrorTables(for lcore: Int, _ treeNumbers: [String: UInt16]) -> UnsafeMutablePointer<MirrorTables>? {
        if model.mirrors.isEmpty {
            _ = mirrors.number([])
            return nil
        }
        var views: [MirrorView] = [], numbers: [String: Int] = [:]
        for settings in model.mirrors {
            guard let view = view(of: settings, lcore) else { continue }
            numbers[settings.name] = views.count
            views.append(view)
        }
        if views.isEmpty { return nil }
        let stored = UnsafeMutableBufferPointer<MirrorView>.copy(views)
        func tap(_ name: String, _ guest: GuestIndex = 0) -> MirrorTap? { numbers[name].map { MirrorTap(mirror: stored.baseAddress! + $0, guest: guest) } }

        var entering: [PortIndex: [MirrorTap]] = [:], leaving: [PortIndex: [MirrorTap]] = [:]
        let guests = Dictionary(effectiveGuests.map { ($0.settings.name, $0.settings.port) }) { first, _ in first }
        let neighbours = Dictionary(grouping: effectiveGuests, by: \.settings.port)
        for settings in model.mirrors {
            let place: (port: PortIndex, guest: GuestIndex)
            switch settings.source {
            case .port(let name):
                guard let port = index(of: name) else { continue }
                place = (port, 0)
            case .guest(let name):
                guard let owner = guests[name], let port = index(of: owner), let guest = guestIndices[name] else { continue }
                place = (port, neighbours[owner]?.count == 1 ? 0 : guest)
            case .class: continue
            }
            guard let tap = tap(settings.name, place.guest) else { continue }
            if settings.direction.isEntering { entering[place.port, default: []].append(tap) }
            if settings.direction.isLeaving { leaving[place.port, default: []].append(tap) }
        }

        let byTree = trees.mapValues { model.mirroredLeaves(of: $0.description) }
        let sets = mirrors.number(Set(byTree.values.flatMap(\.values)))
        let leaves = UnsafeMutableBufferPointer<UnsafeMutablePointer<UInt8>?>.allocate(capacity: max(treeNumbers.count, 1))
        leaves.initialize(repeating: nil)
        for (name, number) in treeNumbers {
            guard let mirrored = byTree[name], !mirrored.isEmpty else { continue }
            let table = UnsafeMutablePointer<UInt8>.zeroed(Int(UInt16.max) + 1)
            for (leaf, names) in mirrored { table[Int(leaf)] = sets[names] ?? 0 }
            leaves[Int(number)] = table
        }

        var lists = TapLists()
        func table(_ taps: [Int: [MirrorTap]], _ count: Int) -> [Range<Int>] { (0..<count).map { lists.add(taps[$0] ?? []) } }
        let enteringRanges = table(Dictionary(uniqueKeysWithValues: entering.map { (Int($0), $1) }), maxPorts)
        let leavingRanges = table(Dictionary(uniqueKeysWithValues: leaving.map { (Int($0), $1) }), maxPorts)
        let setRanges = table(Dictionary(uniqueKeysWithValues: sets.map { names, number in (Int(number), names.compactMap { tap($0) }) }), Int(UInt8.max) + 1)
        let taps = UnsafeMutableBufferPointer<MirrorTap>.copy(lists.taps)
        func pointers(_ ranges: [Range<Int>]) -> UnsafeMutableBufferPointer<MirrorTaps> {
            .copy(ranges.map { $0.isEmpty ? .none : MirrorTaps(first: taps.baseAddress! + $0.lowerBound, count: $0.count) })
        }
        let result = UnsafeMutablePointer<MirrorTables>.allocate(capacity: 1)
        result.initialize(to: MirrorTables(
            views: stored, taps: taps, entering: pointers(enteringRanges), leaving: pointers(leavingRanges), sets: pointers(setRanges), leaves: leaves))
        return result
    }

    private struct TapLists {
        var taps: [MirrorTap] = []

        mutating func add(_ more: [MirrorTap]) -> Range<Int> {
            defer { taps += more }
            return taps.count..<taps.count + more.count
        }
    }

    private func view(of settings: MirrorSettings, _ lcore: Int) -> MirrorView? {
        let name = settings.target.port
        guard let record = mirrors[settings.name], let port = index(of: name), let target = model.ports.first(where: { $0.name == name }),
            let tree = trees[target.isPhysical ? name : target.bridge], let leaf = tree.description.classes.first(where: { $0.path == ClassDescription.mirrorPath(to: name) })?.id
        else { return nil }
        let filter = filters.mirrors[settings.name]
        // Without its filter the mirror would copy all frames, so it copies none.
        if settings.filter != nil, filter == nil { return nil }
        var header: UnsafeMutablePointer<TunnelHeader>?
        if let tunnel = settings.target.tunnel {
            header = .allocate(capacity: 1)
            if case .erspan(_, let session) = settings.target {
                header!.initialize(to: TunnelHeader(tunnel, session: session))
            } else {
                header!.initialize(to: TunnelHeader(tunnel, session: nil))
            }
        }
        return MirrorView(
            filter: filter?.loaded, longest: settings.truncate.map { UInt32($0) } ?? .max, limit: StormLimit(settings.rate), target: port, leaf: leaf,
            header: header, state: record.state, counters: record.counters[lcore])
    }
}

extension MirrorDirection {
    /// Whether the mirror copies what comes in by a port, or from a guest behind it.
    fileprivate var isEntering: Bool { [.in, .outbound, .both].contains(self) }
    fileprivate var isLeaving: Bool { [.out, .inbound, .both].contains(self) }
}
