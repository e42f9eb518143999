import Configuration
import DPDKShim
import Filters
import Scheduler

extension DataPlane {
    /// The most captures at a time.
    public static let mostCaptures = 8

    /// Begins a capture, which `endCapture` must end.
    /// - Throws: a sentence if there are too many, or if the expression cannot be compiled.
    public func beginCapture(_ settings: CaptureSettings) throws(DataPlaneError) -> Capture {
        guard captures.count < Self.mostCaptures else {
            throw DataPlaneError("there are \(captures.count) captures already, the most at a time: end one, or capture more with one expression")
        }
        guard sluice_note_flag() != 0 else { throw DataPlaneError("DPDK has no flag left by which captures recognise frames that waited") }
        let program = try settings.expression.map { (expression) throws(DataPlaneError) in
            try FilterProgram([FilterRule(.allow, expression)], .deny, of: "capture", lcores: runtime.lcores.count)
        }
        let capture = Capture(settings, program, runtime)
        captures.append(capture)
        exchange { snapshot(for: $0, leavingOut: []) }
        return capture
    }

    /// Ends a capture: when this returns, no further frame is captured. What was captured can still be taken until `closeCapture`.
    public func endCapture(_ capture: Capture) {
        guard let place = captures.firstIndex(where: { $0 === capture }) else { return }
        captures.remove(at: place)
        endedCaptures.append(capture)
        exchange { snapshot(for: $0, leavingOut: []) }
    }

    /// Frees a capture that has ended.
    public func closeCapture(_ capture: Capture) {
        guard let place = endedCaptures.firstIndex(where: { $0 === capture }) else { return }
        endedCaptures.remove(at: place).destroy()
    }

    /// Tells captures the names of ports and classes. It must be done before records with new numbers can come.
    func nameCaptured() {
        if captures.isEmpty { return }
        var names = Capture.Names()
        for port in connectedPorts {
            names.ports[port.index] = port.settings.name
            names.trees[port.index] = port.treeName
        }
        names.paths = trees.mapValues { Dictionary($0.description.classes.map { ($0.id, $0.path) }) { first, _ in first } }
        for capture in captures { capture.adopt(names) }
    }

    /// The captures in the form in which one lcore runs them; nil if there are none. What does not exist any more is left out.
    func captureTables(for lcore: Int) -> UnsafeMutablePointer<CaptureTables>? {
        if captures.isEmpty { return nil }
        if lcore == 0 { nameCaptured() }
        var entering: [PortIndex: [CaptureTap]] = [:], leaving: [PortIndex: [CaptureTap]] = [:], tables: [UnsafeMutablePointer<UInt8>] = []
        let connected = connectedPorts
        for capture in captures {
            let settings = capture.settings
            var tap = CaptureTap(
                state: capture.states[lcore], filter: capture.program?.loaded, longest: UInt32(settings.longest), limit: StormLimit(rate: settings.rate),
                points: .dropped)
            if !settings.droppedOnly {
                if settings.entering { tap.points.insert(.entering) }
                if settings.leaving { tap.points.insert(settings.before ? .queued : .leaving) }
            }
            func add(_ name: String, guest: GuestIndex = 0) {
                guard let port = connected.first(where: { $0.settings.name == name }) else { return }
                tap.guest = guest
                if settings.entering { entering[port.index, default: []].append(tap) }
                if settings.leaving { leaving[port.index, default: []].append(tap) }
            }
            switch settings.place {
            case .port(let name): add(name)
            case .guest(let name):
                guard let owner = effectiveGuests.first(where: { $0.settings.name == name })?.settings.port, let guest = guestIndices[name] else { continue }
                add(owner, guest: effectiveGuests.count { $0.settings.port == owner } == 1 ? 0 : guest)
            case .class(let path):
                tap.points.remove(.entering)
                if !settings.droppedOnly { tap.points.insert(settings.before ? .queued : .leaving) }
                for tree in trees.values {
                    let leaves = Self.leaves(of: path, in: tree.description, settings)
                    if leaves.isEmpty { continue }
                    let table = UnsafeMutablePointer<UInt8>.zeroed(Int(UInt16.max) + 1)
                    for leaf in leaves { table[Int(leaf)] = 1 }
                    tables.append(table)
                    tap.leaves = table
                    for port in connected where port.treeName == tree.name { leaving[port.index, default: []].append(tap) }
                }
            }
        }
        var taps: [CaptureTap] = []
        func ranges(_ places: [PortIndex: [CaptureTap]]) -> [Range<Int>] {
            (0..<maxPorts).map { index in
                let first = taps.count
                taps += places[PortIndex(index)] ?? []
                return first..<taps.count
            }
        }
        let (enteringRanges, leavingRanges) = (ranges(entering), ranges(leaving))
        let stored = UnsafeMutableBufferPointer<CaptureTap>.copy(taps)
        func pointers(_ ranges: [Range<Int>]) -> UnsafeMutableBufferPointer<CaptureTaps> {
            .copy(ranges.map { $0.isEmpty ? .none : CaptureTaps(first: stored.baseAddress! + $0.lowerBound, count: $0.count) })
        }
        let result = UnsafeMutablePointer<CaptureTables>.allocate(capacity: 1)
        result.initialize(to: CaptureTables(
            taps: stored, entering: pointers(enteringRanges), leaving: pointers(leavingRanges), states: .copy(captures.map { $0.states[lcore] }),
            leaves: .copy(tables), noteFlag: sluice_note_flag()))
        return result
    }

    /// The leaves of a class in a tree, if the tree is of a direction that is captured.
    static func leaves(of path: String, in tree: TreeDescription, _ settings: CaptureSettings) -> [UInt16] {
        switch tree.kind {
        case .inbound: if !settings.leaving { return [] }
        case .outbound: if !settings.entering { return [] }
        }
        return tree.leaves(of: path).map(\.id)
    }
}
