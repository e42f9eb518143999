/// A configuration file that was edited while single changes were in force that it does not have.
///
/// Objects are taken as a whole, by name. An object that the file changed is the file's; one that only commands changed stays as the commands left it. The
/// static entries of a bridge are objects of their own.
public struct Merge: Equatable, Sendable {
    /// The file together with the changes of `ran` that it does not contradict. It may have problems although both have none.
    public private(set) var model: Model
    /// The objects that both changed in different ways, such as `guest vm1`. They are the file's.
    public private(set) var overruled: [String] = []

    /// - Parameters:
    ///   - file: what the file says now.
    ///   - base: what it said when it was last loaded.
    ///   - ran: what single changes had made of `base`.
    public init(file: Model, base: Model, ran: Model) {
        model = Model()
        model.daemon = choose("the daemon's settings", file.daemon, base.daemon, ran.daemon) ?? file.daemon
        model.bridges = merge("bridge", file.bridges.map(\.withoutEntries), base.bridges.map(\.withoutEntries), ran.bridges.map(\.withoutEntries), \.name)
        model.ports = merge("port", file.ports, base.ports, ran.ports, \.name)
        model.groups = merge("group", file.groups, base.groups, ran.groups, \.name)
        model.guests = merge("guest", file.guests, base.guests, ran.guests, \.name)
        model.protocols = merge("protocol", file.protocols, base.protocols, ran.protocols, \.name)
        model.filters = merge("filter", file.filters, base.filters, ran.filters, \.name)
        model.mirrors = merge("mirror", file.mirrors, base.mirrors, ran.mirrors, \.name)
        let entries = merge("fdb", Self.entries(file), Self.entries(base), Self.entries(ran), \.key)
        for index in model.bridges.indices { model.bridges[index].staticEntries = entries.filter { $0.bridge == model.bridges[index].name }.map(\.entry) }
    }

    /// The object as it is to be; nil: it is not to be.
    private mutating func choose<Element: Equatable>(_ name: String, _ file: Element?, _ base: Element?, _ ran: Element?) -> Element? {
        if file == base { return ran }
        if ran != base, ran != file { overruled.append(name) }
        return file
    }

    /// The objects of one kind, those of the file first and in its order.
    private mutating func merge<Element: Equatable>(
        _ kind: String, _ file: [Element], _ base: [Element], _ ran: [Element], _ key: KeyPath<Element, String>
    ) -> [Element] {
        func byName(_ all: [Element]) -> [String: Element] { Dictionary(all.map { ($0[keyPath: key], $0) }) { first, _ in first } }
        let (inFile, inBase, inRan) = (byName(file), byName(base), byName(ran))
        let names = file.map { $0[keyPath: key] } + (ran + base).map { $0[keyPath: key] }.filter { inFile[$0] == nil }
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }.compactMap { choose("\(kind) \($0)", inFile[$0], inBase[$0], inRan[$0]) }
    }

    private struct PlacedEntry: Equatable {
        var bridge: String
        var entry: StaticEntry
        /// The name under which entries are compared: all but the port, to which an address is moved by a change.
        var key: String { "\(entry.mac)\(entry.vlan.map { " vlan \($0)" } ?? "") bridge \(bridge)" }
    }

    private static func entries(_ model: Model) -> [PlacedEntry] {
        model.bridges.flatMap { bridge in bridge.staticEntries.map { PlacedEntry(bridge: bridge.name, entry: $0) } }
    }
}

extension Plan {
    /// What differs between two models, without the scheduling trees that follow from them. It serves to tell and count differences; the models may have problems.
    public static func objects(from old: Model, to new: Model) -> Plan { Plan(actions: Configuration.actions(from: old, to: new)) }
}

extension Running {
    /// What a daemon starts with whose configuration file was edited since this ran: the file, the single changes that it does not contradict, and the parts.
    /// If they do not go together, the file alone. Parts that do not fit are left out.
    /// - Parameters:
    ///   - file: what the file says now; it is free of problems by itself.
    ///   - base: what it said when it was last loaded.
    /// - Returns: what is to run, and why single changes are not part of it: a sentence for each reason.
    public func restarted(with file: Model, base: Model) -> (Running, dropped: [String]) {
        let merge = Merge(file: file, base: base, ran: self.base)
        var dropped = merge.overruled.map { "\($0) is as the file has it: both the file and commands have changed it" }
        let problems = merge.model.problems
        guard problems.isEmpty else {
            let sentence = "they do not go together with the edited file, which runs as it is: \(ConfigurationError(problems.map { merge.model.named($0) }))"
            dropped = [sentence]
            return (fitting(file), dropped)
        }
        return (fitting(merge.model), dropped)
    }

    /// This configuration with another one in place of the operator's own. The parts' ports and guests stay as they are, or return to what the parts' owners
    /// wrote, or, where they do not fit, are left out.
    /// - Parameter base: a model that is free of problems by itself.
    public func fitting(_ base: Model) -> Running {
        if let change = try? changed(base: base) {
            var same = self
            same.adopt(change)
            return same
        }
        var result = Running(base, ids: ids)
        _ = result.adopt(parts: parts.all.map { ($0.name, $0) })
        return Running(result.model, ids: ids, parts: result.parts)
    }
}
