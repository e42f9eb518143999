import Foundation

/// Reads the same values from JSON as `JSONRPC.decoder()` in a fraction of the time, for replies of many thousand objects. It lacks what no reply needs:
/// containers nested by hand, `Data` and `Date`.
public enum ReplyDecoder {
    /// - Throws: `JSONText.Flaw` if the text is not JSON, `DecodingError` if it is something else than a `Value`.
    public static func decode<Value: Decodable>(_: Value.Type, from text: Data) throws -> Value {
        try JSONText.check(text)
        return try ReplyText(JSONNodes(text)).value(at: 0)
    }
}

/// The nodes of a text, and which of its keys are meant by which names of fields.
private final class ReplyText {
    let nodes: JSONNodes
    /// The keys as they are written, without quotes, and as names of fields, each by its number.
    private let names: [(written: String, field: String)]
    /// The number of the key that is meant by a name of a field.
    private let numberOfField: [String: Int32]

    init(_ nodes: JSONNodes) {
        self.nodes = nodes
        let names = nodes.keys.map { key in
            let written = nodes.text(of: key)
            return (written: written, field: Self.field(written))
        }
        self.names = names
        numberOfField = Dictionary(names.indices.map { (names[$0].field, Int32($0)) }) { first, _ in first }
    }

    /// The name of a field that is written in snake case; names without an underscore are written as they are.
    private static func field(_ key: String) -> String {
        guard key.utf8.contains(UInt8(ascii: "_")) else { return key }
        let words = key.split(separator: "_")
        return words.dropFirst().reduce(String(words.first ?? "")) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }

    func name(_ key: Int32, asItIs: Bool) -> String { asItIs ? names[Int(key)].written : names[Int(key)].field }

    /// The node of an object's member; nil: there is none.
    func member(_ name: String, of object: Int, asItIs: Bool) -> Int? {
        let end = nodes.all[object].next
        var place = object + 1
        if asItIs {
            while place < end {
                if names[Int(nodes.all[place].key)].written == name { return place }
                place = nodes.all[place].next
            }
            return nil
        }
        guard let wanted = numberOfField[name] else { return nil }
        while place < end {
            if nodes.all[place].key == wanted { return place }
            place = nodes.all[place].next
        }
        return nil
    }

    func value<Value: Decodable>(at place: Int) throws -> Value {
        if Value.self == String.self { return try string(at: place) as! Value }
        if Value.self == UInt64.self { return try integer(at: place) as UInt64 as! Value }
        if Value.self == Double.self { return try double(at: place) as! Value }
        return try Value(from: ReplyNode(text: self, place: place, isTable: Value.self is any DecodedByString.Type))
    }

    func isNull(_ place: Int) -> Bool { nodes.all[place].kind == .null }

    func flag(at place: Int) throws -> Bool {
        switch nodes.all[place].kind {
        case .true: true
        case .false: false
        default: throw mismatch(Bool.self, place)
        }
    }

    func string(at place: Int) throws -> String {
        guard nodes.all[place].kind == .string else { throw mismatch(String.self, place) }
        return nodes.text(of: nodes.all[place].bytes)
    }

    func integer<Number: FixedWidthInteger>(at place: Int) throws -> Number {
        guard nodes.all[place].kind == .number else { throw mismatch(Number.self, place) }
        if let number: Number = nodes.integer(of: nodes.all[place].bytes) { return number }
        // A whole number may be written with a point or an exponent.
        guard let real = Double(nodes.text(of: nodes.all[place].bytes)), let number = Number(exactly: real) else { throw mismatch(Number.self, place) }
        return number
    }

    func double(at place: Int) throws -> Double {
        guard nodes.all[place].kind == .number, let number = Double(nodes.text(of: nodes.all[place].bytes)), number.isFinite else {
            throw mismatch(Double.self, place)
        }
        return number
    }

    func mismatch(_ type: Any.Type, _ place: Int) -> DecodingError {
        .typeMismatch(type, .init(codingPath: [], debugDescription: "a \(nodes.all[place].kind) stands at byte \(nodes.all[place].bytes.lowerBound + 1)"))
    }
}

/// Marks dictionaries whose keys are words of the user and are read as they are.
private protocol DecodedByString {}
extension Dictionary: DecodedByString where Key == String {}

private let unused = DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "no reply is read like this"))

private struct ReplyNode: Decoder, SingleValueDecodingContainer {
    let text: ReplyText
    let place: Int
    let isTable: Bool
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy _: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard text.nodes.all[place].kind == .object else { throw text.mismatch([String: Any].self, place) }
        return KeyedDecodingContainer(ReplyMembers<Key>(text: text, place: place, isTable: isTable))
    }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard text.nodes.all[place].kind == .list else { throw text.mismatch([Any].self, place) }
        return ReplyItems(text: text, place: place + 1, end: text.nodes.all[place].next)
    }
    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { text.isNull(place) }
    func decode(_: Bool.Type) throws -> Bool { try text.flag(at: place) }
    func decode(_: String.Type) throws -> String { try text.string(at: place) }
    func decode(_: Double.Type) throws -> Double { try text.double(at: place) }
    func decode(_: Float.Type) throws -> Float { Float(try text.double(at: place)) }
    func decode(_: Int.Type) throws -> Int { try text.integer(at: place) }
    func decode(_: Int8.Type) throws -> Int8 { try text.integer(at: place) }
    func decode(_: Int16.Type) throws -> Int16 { try text.integer(at: place) }
    func decode(_: Int32.Type) throws -> Int32 { try text.integer(at: place) }
    func decode(_: Int64.Type) throws -> Int64 { try text.integer(at: place) }
    func decode(_: UInt.Type) throws -> UInt { try text.integer(at: place) }
    func decode(_: UInt8.Type) throws -> UInt8 { try text.integer(at: place) }
    func decode(_: UInt16.Type) throws -> UInt16 { try text.integer(at: place) }
    func decode(_: UInt32.Type) throws -> UInt32 { try text.integer(at: place) }
    func decode(_: UInt64.Type) throws -> UInt64 { try text.integer(at: place) }
    func decode<Value: Decodable>(_: Value.Type) throws -> Value { try text.value(at: place) }
}

private struct ReplyMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let text: ReplyText
    let place: Int
    let isTable: Bool
    var codingPath: [any CodingKey] { [] }

    var allKeys: [Key] {
        var keys: [Key] = [], place = place + 1
        while place < text.nodes.all[self.place].next {
            if let key = Key(stringValue: text.name(text.nodes.all[place].key, asItIs: isTable)) { keys.append(key) }
            place = text.nodes.all[place].next
        }
        return keys
    }
    func contains(_ key: Key) -> Bool { text.member(key.stringValue, of: place, asItIs: isTable) != nil }

    private func find(_ key: Key) throws -> Int {
        guard let found = text.member(key.stringValue, of: place, asItIs: isTable) else {
            throw DecodingError.keyNotFound(key, .init(codingPath: [], debugDescription: "there is no '\(key.stringValue)'"))
        }
        return found
    }
    /// nil: the member is absent, or null.
    private func present(_ key: Key) -> Int? {
        guard let found = text.member(key.stringValue, of: place, asItIs: isTable), !text.isNull(found) else { return nil }
        return found
    }

    func decodeNil(forKey key: Key) throws -> Bool { text.isNull(try find(key)) }
    func decode(_: Bool.Type, forKey key: Key) throws -> Bool { try text.flag(at: find(key)) }
    func decode(_: String.Type, forKey key: Key) throws -> String { try text.string(at: find(key)) }
    func decode(_: Double.Type, forKey key: Key) throws -> Double { try text.double(at: find(key)) }
    func decode(_: Int.Type, forKey key: Key) throws -> Int { try text.integer(at: find(key)) }
    func decode(_: Int64.Type, forKey key: Key) throws -> Int64 { try text.integer(at: find(key)) }
    func decode(_: UInt16.Type, forKey key: Key) throws -> UInt16 { try text.integer(at: find(key)) }
    func decode(_: UInt32.Type, forKey key: Key) throws -> UInt32 { try text.integer(at: find(key)) }
    func decode(_: UInt64.Type, forKey key: Key) throws -> UInt64 { try text.integer(at: find(key)) }
    func decode<Value: Decodable>(_: Value.Type, forKey key: Key) throws -> Value { try text.value(at: find(key)) }

    // Without these, a value that may be absent would be looked for three times.
    func decodeIfPresent(_: Bool.Type, forKey key: Key) throws -> Bool? { try present(key).map(text.flag) }
    func decodeIfPresent(_: String.Type, forKey key: Key) throws -> String? { try present(key).map(text.string) }
    func decodeIfPresent(_: Int.Type, forKey key: Key) throws -> Int? { try present(key).map { try text.integer(at: $0) } }
    func decodeIfPresent(_: UInt16.Type, forKey key: Key) throws -> UInt16? { try present(key).map { try text.integer(at: $0) } }
    func decodeIfPresent(_: UInt64.Type, forKey key: Key) throws -> UInt64? { try present(key).map { try text.integer(at: $0) } }
    func decodeIfPresent<Value: Decodable>(_: Value.Type, forKey key: Key) throws -> Value? { try present(key).map { try text.value(at: $0) } }

    func nestedContainer<Nested: CodingKey>(keyedBy _: Nested.Type, forKey _: Key) throws -> KeyedDecodingContainer<Nested> { throw unused }
    func nestedUnkeyedContainer(forKey _: Key) throws -> any UnkeyedDecodingContainer { throw unused }
    func superDecoder() throws -> any Decoder { throw unused }
    func superDecoder(forKey _: Key) throws -> any Decoder { throw unused }
}

private struct ReplyItems: UnkeyedDecodingContainer {
    let text: ReplyText
    var place: Int
    let end: Int
    var codingPath: [any CodingKey] { [] }
    /// How many there are is not known before they are read.
    var count: Int? { nil }
    private(set) var currentIndex = 0
    var isAtEnd: Bool { place >= end }

    init(text: ReplyText, place: Int, end: Int) { (self.text, self.place, self.end) = (text, place, end) }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, text.isNull(place) else { return false }
        advance()
        return true
    }
    mutating func decode<Value: Decodable>(_: Value.Type) throws -> Value {
        guard !isAtEnd else { throw DecodingError.valueNotFound(Value.self, .init(codingPath: [], debugDescription: "the list ends here")) }
        let value: Value = try text.value(at: place)
        advance()
        return value
    }
    private mutating func advance() {
        place = text.nodes.all[place].next
        currentIndex += 1
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy _: Nested.Type) throws -> KeyedDecodingContainer<Nested> { throw unused }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw unused }
    mutating func superDecoder() throws -> any Decoder { throw unused }
}
