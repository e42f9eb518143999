/// The kinds of things that a single-change command acts on.
public enum EditObject: String, CaseIterable, Sendable {
    case port, bridge, group, guest, `class`, `protocol`, filter, mirror, fdb, core
}

/// What a single change does to its object.
public enum EditVerb: String, CaseIterable, Sendable {
    case add, set, del
}

extension FieldValue.Shape {
    /// Whether `word`, behind the key, is the value itself, and not a key of the map that the value may be as well.
    func takes(scalar word: String) -> Bool { if case .scalarOrMap(let fields) = self { !fields.contains { $0.key == word } } else { false } }
}

extension Model {
    /// The model after one change, given in the words of the command line: `port add` `vm1 type vhost bridge br0 socket /run/sluice/vm1.sock`. The result is
    /// checked as a whole, so a refused change gives the same sentences as a refused file.
    ///
    /// `none` and `default` reset a value to its default, except that `default` is an ordinary value where any text is allowed. Lists are separated by commas.
    public func edited(_ object: String, _ verb: String, _ words: [String]) throws(ConfigurationError) -> Model {
        let editor = try edit(object, verb, words)
        let problems = editor.model.problems(changed: editor.changed)
        if !problems.isEmpty { throw ConfigurationError(problems.map { editor.named($0) }) }
        return editor.model
    }

    /// Carries out the change without checking whether the resulting model is consistent.
    func edit(_ object: String, _ verb: String, _ words: [String]) throws(ConfigurationError) -> Editor {
        guard let object = EditObject(rawValue: object) else {
            throw ConfigurationError("", "there is nothing called '\(object)': \(Self.names(EditObject.self, object))")
        }
        guard let verb = EditVerb(rawValue: verb) else {
            throw ConfigurationError("", "\(object.rawValue) has no verb '\(verb)': \(Self.names(EditVerb.self, verb))")
        }
        var editor = Editor(model: self, changed: words.first.map { ChangedObject(object: object, name: $0) })
        switch object {
        case .port: try editor.port(verb, words)
        case .bridge: try editor.bridge(verb, words)
        case .group: try editor.group(verb, words)
        case .guest: try editor.guest(verb, words)
        case .class: try editor.class(verb, words)
        case .protocol: try editor.protocol(verb, words)
        case .filter: try editor.filter(verb, words)
        case .mirror: try editor.mirror(verb, words)
        case .fdb: try editor.fdb(verb, words)
        case .core: try editor.core(verb, words)
        }
        return editor
    }

    private static func names<Choice: RawRepresentable<String> & CaseIterable>(_: Choice.Type, _ word: String) -> String {
        hint(word, among: Choice.allCases.map(\.rawValue), none: "")
    }
}

/// A model while a single change is made to it.
struct Editor {
    var model: Model
    let changed: ChangedObject?
    let fields = Fields.all

    // MARK: Words

    /// Splits off the first word, which names the object.
    func name(_ words: [String], _ noun: String, example: String) throws(ConfigurationError) -> (String, ArraySlice<String>) {
        guard let first = words.first, !first.isEmpty else {
            throw ConfigurationError("", "which \(noun)? write \(example)")
        }
        return (first, words.dropFirst())
    }

    /// Reads `key value key value ...` into an object. A key whose value is a map is followed by the map's own keys.
    func read<Object>(
        _ words: ArraySlice<String>, into object: inout Object, _ fields: [Field<Object>], _ path: String, of noun: String
    ) throws(ConfigurationError) {
        let element = try Self.element(words, fields.filter { $0.key != "name" }, path, noun)
        var problems = ProblemList()
        problems.read(element, into: &object, fields, of: noun)
        if !problems.isEmpty { throw problems.error() }
    }

    private static func element<Object>(
        _ all: ArraySlice<String>, _ fields: [Field<Object>], _ path: String, _ noun: String
    ) throws(ConfigurationError) -> Element {
        var entries: [Element.Entry] = []
        var words = all
        var seen: Set<String> = []
        while let key = words.popFirst() {
            let inner = "\(path).\(key)"
            guard let field = fields.first(where: { $0.key == key }) else {
                let before = all.dropLast(words.count + 1)
                if Quantity.isUnit(key), let number = before.last, Double(number) != nil, let name = before.dropLast().last {
                    throw ConfigurationError(path, "'\(name) \(number) \(key)' is one word too many: write \(name) \(number)\(key)")
                }
                throw ConfigurationError(path, noKey(key, of: noun, among: fields.map(\.key)))
            }
            if !seen.insert(key).inserted { throw ConfigurationError(inner, "'\(key)' stands twice: write it once") }
            entries.append(Element.Entry(key: key, value: try value(of: field.about, &words, inner)))
        }
        return Element(path: path, content: .map(entries))
    }

    /// Reads the words of a key's value.
    private static func value(of field: FieldDescription, _ words: inout ArraySlice<String>, _ path: String) throws(ConfigurationError) -> Element {
        guard let first = words.first else { throw ConfigurationError(path, "'\(field.key)' needs a value") }
        let shape = field.value.shape
        switch shape {
        case .scalar:
            words.removeFirst()
            return Element(path: path, content: .scalar(first))
        case .list:
            words.removeFirst()
            let items = first.split(separator: ",", omittingEmptySubsequences: true).enumerated().map {
                Element(path: "\(path)[\($0)]", content: .scalar(String($1)))
            }
            return Element(path: path, content: unsets(first) ? .scalar(first) : .list(items))
        case .map(let fields), .scalarOrMap(let fields):
            guard unsets(first) || shape.takes(scalar: first) else { return try nested(&words, fields, path, field.key) }
            words.removeFirst()
            return Element(path: path, content: .scalar(first))
        }
    }

    private static func unsets(_ word: String) -> Bool { ["none", "default"].contains(word) }

    /// Reads the words of a nested map: it ends at the first word that is none of its keys.
    private static func nested(
        _ words: inout ArraySlice<String>, _ fields: [FieldDescription], _ path: String, _ noun: String
    ) throws(ConfigurationError) -> Element {
        var entries: [Element.Entry] = []
        while let key = words.first, let field = fields.first(where: { $0.key == key }) {
            words.removeFirst()
            if entries.contains(where: { $0.key == key }) { throw ConfigurationError("\(path).\(key)", "'\(key)' stands twice: write it once") }
            entries.append(Element.Entry(key: key, value: try value(of: field, &words, "\(path).\(key)")))
        }
        if entries.isEmpty, let word = words.first {
            let keys = fields.map(\.key)
            let advice = nearest(to: word, among: keys).map { "did you mean '\($0)'?" } ?? "its keys are \(keys.joined(separator: ", "))"
            throw ConfigurationError(path, "\(noun) has no key '\(word)': \(advice)")
        }
        return Element(path: path, content: .map(entries))
    }

    // MARK: Finding

    func index<Object>(
        of name: String, in list: [Object], _ key: KeyPath<Object, String>, _ noun: String
    ) throws(ConfigurationError) -> Int {
        if let index = list.firstIndex(where: { $0[keyPath: key] == name }) { return index }
        let advice = hint(name, among: list.map { $0[keyPath: key] }, none: "no \(noun) is configured")
        throw ConfigurationError("", "there is no \(noun) \(name): \(advice)")
    }

    func refuse<Object>(
        existing name: String, in list: [Object], _ key: KeyPath<Object, String>, _ noun: String
    ) throws(ConfigurationError) {
        guard list.contains(where: { $0[keyPath: key] == name }) else { return }
        throw ConfigurationError("", "the \(noun) \(name) is there already: change it with `\(noun) set \(name) ...`")
    }

    func refuseMore(_ words: ArraySlice<String>) throws(ConfigurationError) {
        if let word = words.first { throw ConfigurationError("", "'\(word)' is too much: del takes a name only") }
    }

    /// Refuses to delete an object that others refer to, and names them.
    func refuse(references: [String], to name: String, _ noun: String) throws(ConfigurationError) {
        if references.isEmpty { return }
        let shown = references.prefix(12).joined(separator: ", ")
        let more = references.count > 12 ? " and \(references.count - 12) more" : ""
        throw ConfigurationError("", "the \(noun) \(name) is in use by \(shown)\(more): delete or change those first")
    }

    /// The problem with its object given by name instead of by its index in a list, as the user of a command sees no list.
    func named(_ problem: Problem) -> Problem {
        guard let open = problem.path.firstIndex(of: "["), let close = problem.path.firstIndex(of: "]"),
            let index = Int(problem.path[problem.path.index(after: open)..<close])
        else { return problem }
        let name: String? =
            switch problem.path[..<open] {
            case "bridges": model.bridges.indices.contains(index) ? "bridge \(model.bridges[index].name)" : nil
            case "ports": model.ports.indices.contains(index) ? "port \(model.ports[index].name)" : nil
            case "groups": model.groups.indices.contains(index) ? "group \(model.groups[index].name)" : nil
            case "guests": model.guests.indices.contains(index) ? "guest \(model.guests[index].name)" : nil
            case "daemon.cores": model.daemon.cores.indices.contains(index) ? "core \(model.daemon.cores[index].cpu)" : nil
            case "protocols": model.protocols.indices.contains(index) ? "protocol \(model.protocols[index].name)" : nil
            case "mirrors": model.mirrors.indices.contains(index) ? "mirror \(model.mirrors[index].name)" : nil
            case "filters": model.filters.indices.contains(index) ? "filter \(model.filters[index].name)" : nil
            default: nil
            }
        guard let name else { return problem }
        let rest = problem.path[problem.path.index(after: close)...].drop { $0 == "." }
        return Problem(rest.isEmpty ? name : "\(name) \(rest)", problem.sentence)
    }
}
