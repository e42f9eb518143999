/// One change of a single object, in the words of the command line.
public struct EditCommand: Equatable, Sendable, CustomStringConvertible {
    public var object: EditObject
    public var verb: EditVerb
    /// The words behind the verb: `["vm1", "type", "vhost", ...]`.
    public var words: [String]

    public init(_ object: EditObject, _ verb: EditVerb, _ words: [String]) { self.object = object; self.verb = verb; self.words = words }

    /// The command as it is typed in a shell, with quotes where they are needed: `port add vm1 type vhost bridge br0`.
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
    /// The model after all of these changes. Only the result is checked as a whole, so that the states between them may be invalid.
    /// - Throws: what is wrong with one of the commands or with the result.
    public func edited(_ commands: [EditCommand]) throws(ConfigurationError) -> Model {
        var model = self
        for command in commands { model = try model.edit(command.object.rawValue, command.verb.rawValue, command.words).model }
        let problems = model.problems
        if !problems.isEmpty { throw ConfigurationError(problems.map { model.named($0) }) }
        return model
    }

    /// Rewrites a problem of the whole model so that it names its object instead of giving the object's place in a list.
    func named(_ problem: Problem) -> Problem { Editor(model: self, changed: nil).named(problem) }
}

extension EditCommand {
    /// The commands that turn the ports and guests of one model into those of another. Guests are deleted before their ports, and ports are added before their
    /// guests. Guests whose floors fall are changed before those whose floors rise, because all floors are taken from the same rate.
    static func turning(_ old: Model, into new: Model) -> [EditCommand] {
        let (ports, guests) = (Changes(old.ports, new.ports, \.name), Changes(old.guests, new.guests, \.name))
        let fields = Fields.all
        var result = guests.removed.map { EditCommand(.guest, .del, [$0.name]) } + ports.removed.map { EditCommand(.port, .del, [$0.name]) }
        for (before, after) in ports.changed where before != after {
            // A change of the type removes the old type's keys by itself, so there need be no words for that.
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

    /// The commands that turn one guest into another. The floors of protocols are taken from the guest's, so they are lowered before it and raised after it.
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
            return [field.key] + words(from: before, to: after, field.about.value)
        }
    }

    /// The words of a value that is not as it was. A command leaves keys of a map that it does not mention as they are, so keys that are gone become `none`.
    private static func words(from old: Document?, to new: Document, _ value: FieldValue) -> [String] {
        guard case .map(let entries) = new, case .map(let before)? = old else { return new.commandWords }
        let fields = value.fields
        let gone = before.map(\.key).filter { key in !entries.contains { $0.key == key } && fields.contains { $0.key == key && $0.mayBeUnset } }
        return entries.flatMap { entry in
            let was = before.first { $0.key == entry.key }?.value
            return [entry.key] + (fields.first { $0.key == entry.key }.map { words(from: was, to: entry.value, $0.value) } ?? entry.value.commandWords)
        } + gone.flatMap { [$0, "none"] }
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
    /// The value in words of the command line: a list is one word, and a map is one word for each key and the words of its value.
    fileprivate var commandWords: [String] {
        if case .map(let entries) = self { entries.flatMap { [$0.key] + $0.value.commandWords } } else { [words] }
    }
}

extension GuestSettings {
    fileprivate var withoutProtocols: GuestSettings {
        var copy = self
        copy.protocols = [:]
        return copy
    }

    /// By how much the floors of the guest, summed over both directions, exceed those of `old`, in bit/s.
    fileprivate func floors(beyond old: GuestSettings) -> Int128 {
        Direction.allCases.reduce(0) { $0 + Int128(settings($1).floor ?? 0) - Int128(old.settings($1).floor ?? 0) }
    }
}
