import Filters

/// A named, ordered list of rules about frames: the first rule that matches a frame decides about it.
public struct FilterSettings: Equatable, Sendable {
    public var name: String
    /// What happens to a frame that no rule matches.
    public var standard = FilterAction.allow
    public var rules: [FilterRule] = []
    public init(name: String) { self.name = name }
}

/// What happens to a frame: it passes, or it is dropped.
public enum FilterAction: String, Equatable, Sendable, CaseIterable {
    case allow, deny
}

/// One rule of a filter: what happens to the frames that match an expression.
public struct FilterRule: Hashable, Sendable {
    public var action: FilterAction
    /// An expression as pcap-filter(7) describes; empty: it matches every frame. An expression that contains the word `vlan` is evaluated on the frame with its
    /// tags, any other on the frame without them.
    public var expression: String
    public init(_ action: FilterAction, _ expression: String) { self.action = action; self.expression = expression }
}

/// The filters of a port, by their names; nil: no filter. The directions are those of the guest.
public struct PortFilters: Equatable, Sendable {
    /// The filter of frames that leave by the port.
    public var inbound: String?
    /// The filter of frames that come in by the port.
    public var outbound: String?
    public init() {}

    public var isEmpty: Bool { inbound == nil && outbound == nil }
}

extension PortFilters: Initializable {}

extension FilterSettings {
    /// The most rules that a filter may have: every rule costs time for each frame that none before it matches.
    static let mostRules = 256
}

extension Field<FilterSettings> {
    static var filter: [Field] {
        [
            .name(\.name), .choice("default", \.standard, standard: .allow, help: "what becomes of frames that no rule matches"),
            .list(
                "rules", \.rules, of: FilterRule.kind, example: "[\(FilterRule.example)]",
                help: "the first rule that matches a frame decides about it; expressions are those of pcap-filter(7)"
            ).form("allow|deny EXPRESSION ..."),
        ]
    }
}

extension FilterRule {
    fileprivate static let example = "{deny: tcp dst port 25}"

    fileprivate static var kind: ValueKind<FilterRule> {
        ValueKind(
            takes: .oneOf(FilterAction.allCases.map(\.rawValue), .text(.expression)),
            read: { item, problems in
                guard case .map(let entries) = item.content, entries.count == 1, let action = FilterAction(rawValue: entries[0].key) else {
                    problems.add(item, "a rule is allow or deny with one expression, not \(item.noun): write \(example)")
                    return nil
                }
                return problems.text(entries[0].value, example: example).map { FilterRule(action, $0) }
            },
            write: { .map([($0.action.rawValue, .text($0.expression))]) })
    }
}

extension Field<PortFilters> {
    static var directions: [Field] {
        [
            .text("inbound", \.inbound, example: "a filter's name", form: .name, help: "for what leaves by the port"),
            .text("outbound", \.outbound, example: "a filter's name", form: .name, help: "for what comes in by it"),
        ]
    }
}

extension Editor {
    /// Carries out a command such as `filter add no-smtp default allow deny "tcp dst port 25"`, whose rules are kept in the order in which they are written.
    /// With `set`, the written rules replace the old ones; rules behind the word `append` are added after the old ones.
    mutating func filter(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let example = "filter \(verb.rawValue) no-smtp" + (verb == .del ? "" : " deny \"tcp dst port 25\"")
        let (name, rest) = try name(words, "filter", example: example)
        var filter = FilterSettings(name: name)
        var place: Int?
        if verb == .add {
            try refuse(existing: name, in: model.filters, \.name, "filter")
        } else {
            let index = try index(of: name, in: model.filters, \.name, "filter")
            place = index
            filter = model.filters[index]
        }
        if verb == .del {
            try refuseMore(rest)
            let ports = model.ports.filter { $0.filter.inbound == name || $0.filter.outbound == name }.map { "port \($0.name)" }
            try refuse(references: ports, to: name, "filter")
            model.filters.remove(at: place!)
            return
        }
        try read(rest, into: &filter)
        if let place { model.filters[place] = filter } else { model.filters.append(filter) }
    }

    private func read(_ words: ArraySlice<String>, into filter: inout FilterSettings) throws(ConfigurationError) {
        let path = "filter \(filter.name)"
        var words = words
        var replaces = true
        while let key = words.popFirst() {
            if key == "append" {
                replaces = false
                continue
            }
            guard key == "default" || key == "rules" || FilterAction(rawValue: key) != nil else {
                throw ConfigurationError(path, noKey(key, of: "a filter", among: ["default", "allow", "deny", "append", "rules"]))
            }
            guard let value = words.popFirst() else { throw ConfigurationError("\(path).\(key)", "'\(key)' needs a value") }
            if let action = FilterAction(rawValue: key) {
                if replaces { filter.rules = [] }
                replaces = false
                filter.rules.append(FilterRule(action, value))
            } else if key == "default" {
                guard let action = ["none", "default"].contains(value) ? .allow : FilterAction(rawValue: value) else {
                    throw ConfigurationError("\(path).default", "'\(value)' is not allow or deny")
                }
                filter.standard = action
            } else {
                guard value == "none" else {
                    throw ConfigurationError("\(path).rules", "'rules \(value)' is none: write rules none, or the rules as deny \"tcp dst port 25\"")
                }
                filter.rules = []
            }
        }
    }
}

extension Validator {
    mutating func checkFilters() {
        checkUnique(model.filters.map(\.name), "filters", "filter")
        for (index, filter) in model.filters.enumerated() {
            let path = "filters[\(index)]"
            checkName(filter.name, path, reserved: ["none", "default"])
            for (position, rule) in filter.rules.enumerated() {
                if problems.isFull { return }
                if let fault = PacketExpression.fault(of: rule.expression) { add("\(path).rules[\(position)]", fault) }
            }
        }
        let names = model.filters.map(\.name)
        for (index, port) in model.ports.enumerated() {
            let path = "ports[\(index)]"
            if let name = port.filter.inbound { checkReference(name, to: names, path + ".filter.inbound", "filter") }
            if let name = port.filter.outbound { checkReference(name, to: names, path + ".filter.outbound", "filter") }
            for (position, address) in port.addresses.enumerated() where port.addresses[..<position].contains(address) {
                add("\(path).addresses[\(position)]", "\(address) stands twice: write it once")
            }
        }
    }
}
