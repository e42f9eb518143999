import Configuration
import Foundation

/// A method that makes a single change, such as `port.add`, `class.set` or `fdb.del`. Its parameters are those of the command line, as JSON: the name of the
/// object under `name` (for a class under `path`, for an address under `mac`, for a core under `cpu`), everything else under the keys of the configuration
/// file. Instead, the words of the command line may be given as a list under `words`. It answers with a `ChangeReply`, as `edit` does.
public struct Verb: Hashable, Sendable {
    public let object: EditObject
    public let verb: EditVerb

    /// The verb that a method's name stands for, such as `port.add`; nil: there is no such verb.
    public init?(_ method: String) {
        let parts = method.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let object = EditObject(rawValue: String(parts[0])), let verb = EditVerb(rawValue: String(parts[1])) else { return nil }
        self.init(object, verb)
        guard Self.all.contains(self) else { return nil }
    }

    private init(_ object: EditObject, _ verb: EditVerb) {
        self.object = object
        self.verb = verb
    }

    /// All verbs.
    public static let all: [Verb] = EditObject.allCases.flatMap { object in
        switch object {
        case .core: [Verb(object, .set)]
        case .class: [Verb(object, .set), Verb(object, .del)]
        case .fdb: [Verb(object, .add), Verb(object, .del)]
        case .port, .bridge, .group, .guest, .protocol, .filter, .mirror: [Verb(object, .add), Verb(object, .set), Verb(object, .del)]
        }
    }

    public var name: String { "\(object.rawValue).\(verb.rawValue)" }

    /// The parameter that names the object.
    public var key: String {
        switch object {
        case .class: "path"
        case .fdb: "mac"
        case .core: "cpu"
        default: "name"
        }
    }

    /// The words of the command line that the parameters stand for.
    public func words(_ request: Request) throws(RPCError) -> [String] {
        let all = try request.object()
        if let words = all["words"] {
            guard all.count == 1, case .array(let items) = words else {
                throw RPCError(RPCError.invalidParams, "'words' of \(name) is a list of strings, and stands alone")
            }
            return try items.map { (item) throws(RPCError) in
                guard case .string(let word) = item else { throw RPCError(RPCError.invalidParams, "'words' of \(name) is a list of strings") }
                return word
            }
        }
        guard let named = all[key], let first = Self.scalar(named), !first.isEmpty else {
            throw RPCError(RPCError.invalidParams, "\(name) needs the parameter '\(key)'")
        }
        return [first] + (try pairs(all.filter { $0.key != key }, below: ""))
    }

    private func pairs(_ params: [String: JSONValue], below path: String) throws(RPCError) -> [String] {
        var words: [String] = []
        for (key, value) in params.sorted(by: { $0.key < $1.key }) {
            let word = key.replacing("_", with: "-")
            if case .object(let inner) = value {
                // A port's dcb is the only map that has maps in it.
                guard path.isEmpty || path == "dcb.", !inner.isEmpty else { throw wrong(path + key) }
                words += [word] + (try pairs(inner, below: path + key + "."))
            } else if case .array(let items) = value, object == .filter, key == "rules", !items.isEmpty {
                for item in items {
                    // A rule is an object with one key, as in a configuration file.
                    guard case .object(let rule) = item, rule.count == 1, let (action, expression) = rule.first, let text = Self.scalar(expression) else { throw wrong(key) }
                    words += [action, text]
                }
            } else if case .array(let items) = value {
                let texts = items.compactMap(Self.scalar)
                guard texts.count == items.count, !texts.contains(where: { $0.contains(",") }) else { throw wrong(path + key) }
                words += [word, texts.isEmpty ? "none" : texts.joined(separator: ",")]
            } else if let text = Self.scalar(value) {
                words += [word, text]
            } else {
                throw wrong(path + key)
            }
        }
        return words
    }

    private func wrong(_ key: String) -> RPCError { RPCError(RPCError.invalidParams, "the parameter '\(key)' of \(name) has the wrong type") }

    private static func scalar(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): String(number)
        case .bool(let flag): flag ? "on" : "off"
        case .null: "none"
        case .double, .array, .object: nil
        }
    }
}
