import Foundation

/// A JSON value, read as a user's script would read it: by member and index.
enum JSON: Equatable, CustomStringConvertible {
    case null, bool(Bool), number(Double), integer(Int), string(String), array([JSON]), object([String: JSON])

    init(_ text: String) throws {
        do {
            self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8))
        } catch { throw LabError("not JSON (\(error)): \(text.prefix(400))") }
    }

    subscript(_ key: String) -> JSON { if case .object(let members) = self { members[key] ?? .null } else { .null } }
    subscript(_ index: Int) -> JSON { if case .array(let items) = self, items.indices.contains(index) { items[index] } else { .null } }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    var int: Int? {
        switch self { case .integer(let value): value; case .number(let value): Int(exactly: value); default: nil }
    }
    var double: Double? {
        switch self { case .integer(let value): Double(value); case .number(let value): value; default: nil }
    }
    var items: [JSON] { if case .array(let items) = self { items } else { [] } }
    var members: [String: JSON] { if case .object(let members) = self { members } else { [:] } }
    var isNull: Bool { self == .null }

    var description: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "?"
    }
}

extension JSON {
    /// The string `text` as JSON, quotes included.
    static func quoted(_ text: String) -> String { JSON.string(text).description }
}

extension JSON: Codable {
    init(from decoder: Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() { self = .null }
        else if let bool = try? value.decode(Bool.self) { self = .bool(bool) }
        else if let int = try? value.decode(Int.self) { self = .integer(int) }
        else if let number = try? value.decode(Double.self) { self = .number(number) }
        else if let string = try? value.decode(String.self) { self = .string(string) }
        else if let array = try? value.decode([JSON].self) { self = .array(array) }
        else { self = .object(try value.decode([String: JSON].self)) }
    }

    func encode(to encoder: Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
