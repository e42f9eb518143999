import Packet

extension Model {
    /// Everything that is wrong with the model as a whole; empty: it can be applied.
    ///
    /// Floors are added up only if names and references are sound, as the sums would mean nothing otherwise.
    public var problems: [Problem] { problems(changed: nil) }

    /// - Parameter changed: the object that was changed. Where two objects exclude each other, the problem is reported for this one.
    func problems(changed: ChangedObject?) -> [Problem] {
        problems(changed: changed) {
            var ids = ClassIDs()
            return trees(of: self, ids: &ids)
        }
    }

    /// - Parameter trees: makes the trees of this model; it is called only if everything else is sound.
    func problems(changed: ChangedObject?, trees: () -> [TreeDescription]) -> [Problem] {
        var validator = Validator(model: self, changed: changed)
        validator.checkCounts()
        // A model with too many objects is not examined any further, as that would take too long.
        guard validator.problems.isEmpty else { return validator.problems.all() }
        validator.checkBridges()
        validator.checkPorts()
        validator.checkGroups()
        validator.checkGuests()
        validator.checkAddresses()
        validator.checkProtocols()
        validator.checkFilters()
        validator.checkMirrors()
        validator.checkDaemon()
        if validator.problems.isEmpty { validator.checkClassCount() }
        if validator.problems.isEmpty {
            let trees = trees()
            validator.checkTrees(trees)
            validator.checkMirroredClasses(trees)
        }
        return validator.problems.all()
    }
}

/// The object that a single change is about.
struct ChangedObject: Sendable {
    var object: EditObject
    var name: String
}

/// Collects the problems of a model. The checks themselves are in other files, by subject.
package struct Validator {
    let model: Model
    let changed: ChangedObject?
    var problems = ProblemList()
    let bridges: [String: BridgeSettings]
    let ports: [String: PortSettings]
    let groups: [String: GroupSettings]
    let bridgesWithVLANs: Set<String>
    /// The service VLANs of each bridge that has VLANs.
    let serviceVLANs: [String: VLANSet]

    init(model: Model, changed: ChangedObject? = nil) {
        self.model = model
        self.changed = changed
        bridges = Dictionary(model.bridges.map { ($0.name, $0) }) { first, _ in first }
        ports = Dictionary(model.ports.map { ($0.name, $0) }) { first, _ in first }
        groups = Dictionary(model.groups.map { ($0.name, $0) }) { first, _ in first }
        bridgesWithVLANs = model.bridgesWithVLANs
        serviceVLANs = Dictionary(bridgesWithVLANs.map { ($0, model.serviceVLANs(of: $0)) }) { first, _ in first }
    }

    mutating func add(_ path: String, _ sentence: String) { problems.add(Problem(path, sentence)) }

    func isChanged(_ name: String, _ object: EditObject) -> Bool { changed.map { $0.object == object && $0.name == name } ?? false }

    /// The elements of a list with their places, the changed one last: where two elements claim the same thing, the problem is reported for the later one.
    func claiming<Element>(_ list: [Element], _ name: (Element) -> String, _ object: EditObject) -> [(offset: Int, element: Element)] {
        let all = list.enumerated().map { $0 }
        guard changed?.object == object else { return all }
        return all.filter { !isChanged(name($0.element), object) } + all.filter { isChanged(name($0.element), object) }
    }

    // MARK: Names

    /// Checks that a name has 1 to 31 characters of `[A-Za-z0-9._-]` and is not a word with a meaning of its own. Such words are reserved in small and capital
    /// letters.
    mutating func checkName(_ name: String, _ path: String, reserved: [String] = ["none"]) {
        if name.isEmpty || name.utf8.count > Self.longestName || !name.utf8.allSatisfy(Self.isOfNames) {
            add(path + ".name", "'\(name)' is not a name: write 1 to 31 letters, digits, dots, hyphens or underscores")
        } else if reserved.contains(name.lowercased()) {
            add(path + ".name", "'\(name)' has a meaning of its own: take another name")
        }
    }

    package static let longestName = 31

    /// Whether an octet may stand in a name.
    package static func isOfNames(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }

    mutating func checkUnique(_ names: [String], _ list: String, _ noun: String) {
        var seen: [String: Int] = [:]
        for (index, name) in names.enumerated() {
            if let first = seen[name] {
                add("\(list)[\(index)].name", "the \(noun) \(name) is there already, as \(list)[\(first)]: take another name")
            } else {
                seen[name] = index
            }
        }
    }

    mutating func checkReference(_ name: String, to candidates: [String], _ path: String, _ noun: String) {
        // Once enough problems are reported, the search for a similar name is left out, as it takes time for every candidate.
        if problems.isFull { return problems.add(Problem(path, "")) }
        if candidates.contains(name) { return }
        add(path, "there is no \(noun) \(name): \(hint(name, among: candidates, none: "no \(noun) is configured"))")
    }

    // MARK: Numbers

    /// The rates in bit/s that a token bucket keeps exactly.
    package static let rates: ClosedRange<UInt64> = 8_000...400_000_000_000
    static let packetRates: ClosedRange<UInt64> = 1...1_000_000_000
    /// The largest burst in bytes: 512 MiB, which is about 10 ms at 400 Gbit/s. Token buckets are not much deeper.
    package static let largestBurst: UInt64 = 512 << 20

    static func fault(ofRate value: UInt64) -> String? {
        if rates.contains(value) { return nil }
        if value == 0 { return "a rate of 0 lets nothing through: write none, or at least 8kbit" }
        let shown = Quantity.rate.format(value)
        return value < rates.lowerBound
            ? "\(shown) is too slow to be kept exactly: write at least 8kbit" : "\(shown) is faster than Sluice counts: write at most 400gbit, or none"
    }

    static func fault(ofPackets value: UInt64) -> String? {
        packetRates.contains(value) ? nil : "\(Quantity.packets.format(value)) is out of range: write 1pps to 1000mpps, or none"
    }

    static func fault(ofBurst value: UInt64) -> String? {
        if value == 0 { return "a burst of 0 lets nothing through: write at least 2kib, or none for the default" }
        return value > largestBurst ? "a burst of \(Quantity.size.format(value)) is too large: write at most 512mib" : nil
    }

    /// Checks whether the settings of a class go together.
    mutating func checkClass(_ settings: ClassSettings, _ path: String) {
        if settings == ClassSettings() { return }
        checkQueue(settings, path)
        if let floor = settings.floor, let ceiling = settings.ceiling, ceiling > 0, ceiling < floor {
            let shown = Quantity.rate.format(floor)
            add(
                path + ".ceiling",
                "the ceiling \(Quantity.rate.format(ceiling)) is below the floor \(shown): write at least \(shown)")
        }
        if let floor = settings.floorPackets, let ceiling = settings.ceilingPackets, ceiling > 0, ceiling < floor {
            let shown = Quantity.packets.format(floor)
            add(
                path + ".ceiling-packets",
                "the ceiling \(Quantity.packets.format(ceiling)) is below the floor \(shown): write at least \(shown)")
        }
        if let peak = settings.peak, let most = settings.ceiling ?? settings.floor, peak > 0, peak < most {
            let name = settings.ceiling == nil ? "floor" : "ceiling"
            add(
                path + ".peak",
                "the peak \(Quantity.rate.format(peak)) is below the \(name) \(Quantity.rate.format(most)), which could never be"
                    + " reached: write at least \(Quantity.rate.format(most))")
        }
    }

    private mutating func checkQueue(_ settings: ClassSettings, _ path: String) {
        for (key, value) in [("codel-target", settings.codelTarget), ("codel-interval", settings.codelInterval)] where value != nil {
            if !(settings.queue?.hasCoDel ?? false) { add("\(path).\(key)", "it needs CoDel: set queue to codel or fq-codel too") }
        }
        if settings.ecn != nil, !(settings.queue?.hasCoDel ?? false) {
            add("\(path).ecn", "it says what CoDel does: set queue to codel or fq-codel too, or write an ecn-threshold or ecn-delay instead")
        }
        let target = settings.codelTarget ?? ClassParameters.codelTarget
        if let interval = settings.codelInterval, interval < target {
            let shown = Quantity.delay.format(target)
            add("\(path).codel-interval", "\(Quantity.delay.format(interval)) is shorter than the target \(shown): write twenty times that, or at least \(shown)")
        }
    }
}
