/// One single change, in the words of the command line.
public struct EditCommand: Equatable, Sendable, CustomStringConvertible {
    public var object: EditObject
    public var verb: EditVerb
    /// `["vm1", "type", "vhost", ...]`
    public var words: [String]

    public init(_ object: EditObject, _ verb: EditVerb, _ words: [String]) { self.object = object; self.verb = verb; self.words = words }

    /// As a shell takes it: `port add vm1 type vhost bridge br0`.
    public var description: String { ([object.rawValue, verb.rawValue] + words.map(Self.quoted)).joined(separator: " ") }

    private static func quoted(_ word: String) -> String {
        let isPlain =
            !word.isEmpty
            && word.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "-_.,:/+@%".utf8.contains(byte)
                }
            }
        return isPlain ? word : "'\(word.replacing("'", with: "'\\''"))'"
    }
}

extension Model {
    /// The model after all of these changes. The result alone is checked as a whole, so that between them things may be as they could not stay.
    public func edited(_ commands: [EditCommand]) throws(ConfigurationError) -> Model {
        var model = self
        for command in commands { model = try model.edit(command.object.rawValue, command.verb.rawValue, command.words).model }
        let problems = model.problems
        if !problems.isEmpty { throw ConfigurationError(problems.map { model.named($0) }) }
        return model
    }

    /// A problem of the whole model, its object told by name instead of by its place in a list.
    func named(_ problem: Problem) -> Problem { Editor(model: self, changed: nil).named(problem) }
}

extension EditCommand {
    /// What turns the ports and guests of one model into those of another: guests go before their ports and ports come before their guests, and what is lowered
    /// goes before what is raised, as floors are taken from one rate.
    static func turning(_ old: Model, into new: Model) -> [EditCommand] {
        let (ports, guests) = (Changes(old.ports, new.ports, \.name), Changes(old.guests, new.guests, \.name))
        let fields = Fields.all
        var result = guests.removed.map { EditCommand(.guest, .del, [$0.name]) } + ports.removed.map { EditCommand(.port, .del, [$0.name]) }
        for (before, after) in ports.changed where before != after {
            // Another type leaves the old one's keys behind by itself.
            var was = PortDraft(before)
            let draft = PortDraft(after)
            if was.type != draft.type { was.forgetKind() }
            result.append(EditCommand(.port, .set, [after.name] + words(from: was, to: draft, fields.port)))
        }
        result += ports.added.map { EditCommand(.port, .add, [$0.name] + words(PortDraft($0), fields.port)) }
        let changed = guests.changed.filter { $0.old != $0.new }.sorted { $0.new.floors(beyond: $0.old) < $1.new.floors(beyond: $1.old) }
        for (before, after) in changed { result += turning(before, into: after) }
        for guest in guests.added {
            result.append(EditCommand(.guest, .add, [guest.name] + words(guest.withoutProtocols, fields.guest)))
            result += turning(guest.withoutProtocols, into: guest)
        }
        return result
    }

    /// Floors of protocols are taken from the guest's: they are lowered before it and raised after it.
    private static func turning(_ old: GuestSettings, into new: GuestSettings) -> [EditCommand] {
        let fields = Fields.all
        var first: [EditCommand] = [], last: [EditCommand] = []
        for name in Set(old.protocols.keys).union(new.protocols.keys).sorted() {
            let path = "\(new.name)/\(name)", was = old.protocols[name]
            guard let now = new.protocols[name] else {
                first.append(EditCommand(.class, .del, [path, "dir", "both"]))
                continue
            }
            if was == nil, now == ProtocolClasses() { last.append(EditCommand(.class, .set, [path, "dir", Direction.inbound.rawValue, "floor", "none"])) }
            for direction in Direction.allCases {
                let before = (was ?? ProtocolClasses()).settings(direction), after = now.settings(direction)
                if before == after { continue }
                let command = EditCommand(.class, .set, [path, "dir", direction.rawValue] + words(from: before, to: after, fields.classes))
                if (after.floor ?? 0) < (before.floor ?? 0) { first.append(command) } else { last.append(command) }
            }
        }
        let own = words(from: old.withoutProtocols, to: new.withoutProtocols, fields.guest)
        return first + (own.isEmpty ? [] : [EditCommand(.guest, .set, [new.name] + own)]) + last
    }

    private static func words<Object>(_ object: Object, _ fields: [Field<Object>]) -> [String] {
        fields.flatMap { field in field.key == "name" ? [] : field.write(object).map { [field.key] + $0.commandWords } ?? [] }
    }

    private static func words<Object>(from old: Object, to new: Object, _ fields: [Field<Object>]) -> [String] {
        fields.flatMap { field -> [String] in
            let before = field.write(old), after = field.write(new)
            if before == after { return [] }
            guard let after else { return [field.key, "none"] }
            // Keys of a map that are not written stay as they are.
            var gone: [String] = []
            if case .map(let entries) = after, case .map(let old)? = before {
                gone = old.map(\.key).filter { key in !entries.contains { $0.key == key } && field.about.value.mayUnset(key) }
            }
            return [field.key] + after.commandWords + gone.flatMap { [$0, "none"] }
        }
    }
}

private struct Changes<Element> {
    var removed: [Element]
    var added: [Element]
    var changed: [(old: Element, new: Element)]

    init(_ old: [Element], _ new: [Element], _ key: KeyPath<Element, String>) {
        let before = Dictionary(old.map { ($0[keyPath: key], $0) }) { first, _ in first }, names = Set(new.map { $0[keyPath: key] })
        removed = old.filter { !names.contains($0[keyPath: key]) }
        added = new.filter { before[$0[keyPath: key]] == nil }
        changed = new.compactMap { item in before[item[keyPath: key]].map { ($0, item) } }
    }
}

extension Document {
    /// As words of the command line: a list is one of them, a map is as many as its keys need.
    fileprivate var commandWords: [String] {
        if case .map(let entries) = self { entries.flatMap { [$0.key] + $0.value.commandWords } } else { [words] }
    }
}

extension FieldValue {
    /// Whether `none` is a value of this key of the map that it is.
    fileprivate func mayUnset(_ key: String) -> Bool {
        switch self {
        case .map(let fields, _): fields.contains { $0.key == key && $0.mayBeUnset }
        case .either(let all): all.contains { $0.mayUnset(key) }
        default: false
        }
    }
}

extension GuestSettings {
    fileprivate var withoutProtocols: GuestSettings {
        var copy = self
        copy.protocols = [:]
        return copy
    }

    /// bit/s, in both directions.
    fileprivate func floors(beyond old: GuestSettings) -> Int128 {
        Direction.allCases.reduce(0) { $0 + Int128(settings($1).floor ?? 0) - Int128(old.settings($1).floor ?? 0) }
    }
}
