import Foundation

/// Reads the same values from JSON as `JSONRPC.decoder()` in a fraction of the time, for replies of many thousand objects. It lacks what no reply needs:
/// containers nested by hand, `Data` and `Date`.
public enum ReplyDecoder {
    /// - Throws: `JSONText.Flaw` if the text is not JSON, `DecodingError` if it is something else than a `Value`.
    public static func decode<Value: Decodable>(_: Value.Type, from text: Data) throws -> Value {
        try JSONText.check(text)
        return try text.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            let reader = UnsafeMutablePointer<ReplyReader>.allocate(capacity: 1)
            reader.initialize(to: ReplyReader(JSONNodes(bytes.assumingMemoryBound(to: UInt8.self))))
            defer {
                reader.deinitialize(count: 1)
                reader.deallocate()
            }
            return try ReplyNode(reader: reader, place: 0, isTable: false).decode(Value.self)
        }
    }
}

/// The nodes of a text, and which of its keys are meant by which names of fields.
private struct ReplyReader: ~Copyable {
    let nodes: JSONNodes
    /// The keys as they are written, without quotes, and as names of fields, each by its number.
    private let names: [(written: String, field: String)]
    /// The number of the key that is meant by a name of a field.
    private let numberOfField: [String: Int32]
    private var types = TypeTable<Bool>()
    /// The names that were looked for last, by a hash of them: `lookups` of them.
    private let recent = UnsafeMutablePointer<Lookup>.allocate(capacity: Self.lookups)
    private static let lookups = 256

    private struct Lookup {
        var name = ""
        /// The number of the key that is meant by the name; -1: the text has none.
        var key: Int32 = -1
        /// How far behind the beginning of its object the member was found last.
        var distance = 0
    }

    init(_ nodes: JSONNodes) {
        self.nodes = nodes
        recent.initialize(repeating: Lookup(), count: Self.lookups)
        let names = nodes.keys.map { key in
            let written = nodes.text(of: key)
            return (written: written, field: Self.field(written))
        }
        self.names = names
        numberOfField = Dictionary(names.indices.map { (names[$0].field, Int32($0)) }) { first, _ in first }
    }

    deinit {
        recent.deinitialize(count: Self.lookups)
        recent.deallocate()
    }

    /// The name of a field that is written in snake case; names without an underscore are written as they are.
    private static func field(_ key: String) -> String {
        guard key.utf8.contains(UInt8(ascii: "_")) else { return key }
        let words = key.split(separator: "_")
        return words.dropFirst().reduce(String(words.first ?? "")) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }

    func name(_ key: Int32, asItIs: Bool) -> String { asItIs ? names[Int(key)].written : names[Int(key)].field }

    mutating func isTable(_ type: Any.Type) -> Bool { types.facts(of: type) { type is any StringKeyed.Type } }

    /// The node of an object's member; nil: there is none.
    func member(_ name: String, of object: Int, asItIs: Bool) -> Int? {
        let end = Int(nodes.all[object].next)
        var place = object + 1
        if asItIs {
            while place < end {
                if names[Int(nodes.all[place].key)].written == name { return place }
                place = Int(nodes.all[place].next)
            }
            return nil
        }
        // Objects of one type mostly have the same members in the same places.
        let slot = Self.slot(name)
        if recent[slot].name != name { recent[slot] = Lookup(name: name, key: numberOfField[name] ?? -1) }
        let wanted = recent[slot].key
        if wanted < 0 { return nil }
        let guess = object + recent[slot].distance
        if guess < end, nodes.all[guess].key == wanted, Int(nodes.all[guess].parent) == object { return guess }
        while place < end {
            if nodes.all[place].key == wanted {
                recent[slot].distance = place - object
                return place
            }
            place = Int(nodes.all[place].next)
        }
        return nil
    }

    /// A hash that is cheaper than that of a dictionary: of the words in which a string holds its text, or in which it says where that is. Equal strings of
    /// different words are only looked for again.
    private static func slot(_ name: String) -> Int {
        let words = unsafeBitCast(name, to: (UInt64, UInt64).self)
        return Int(((words.0 &+ words.1 &* 0x9e37_79b9_7f4a_7c15) &* 0x9e37_79b9_7f4a_7c15) >> 56)
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

    /// Numbers under words of the user.
    func numbers(at place: Int) throws -> [String: UInt64] {
        guard nodes.all[place].kind == .object else { throw mismatch([String: UInt64].self, place) }
        var numbers: [String: UInt64] = [:], member = place + 1
        while member < Int(nodes.all[place].next) {
            let name = names[Int(nodes.all[member].key)].written
            if numbers[name] == nil { numbers[name] = try integer(at: member) }
            member = Int(nodes.all[member].next)
        }
        return numbers
    }

    func mismatch(_ type: Any.Type, _ place: Int) -> DecodingError {
        .typeMismatch(type, .init(codingPath: [], debugDescription: "a \(nodes.all[place].kind) stands at byte \(nodes.all[place].start + 1)"))
    }
}

private let unused = DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "no reply is read like this"))

/// Reads one value. The reader is reached by a pointer, as counting references to it would cost more than most values do; it lives as long as
/// `ReplyDecoder.decode` runs.
private struct ReplyNode: Decoder, SingleValueDecodingContainer {
    let reader: UnsafeMutablePointer<ReplyReader>
    let place: Int
    let isTable: Bool
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy _: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard reader.pointee.nodes.all[place].kind == .object else { throw reader.pointee.mismatch([String: Any].self, place) }
        return KeyedDecodingContainer(ReplyMembers<Key>(reader: reader, place: place, isTable: isTable))
    }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard reader.pointee.nodes.all[place].kind == .list else { throw reader.pointee.mismatch([Any].self, place) }
        return ReplyItems(reader: reader, place: place + 1, end: Int(reader.pointee.nodes.all[place].next))
    }
    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { reader.pointee.isNull(place) }
    func decode(_: Bool.Type) throws -> Bool { try reader.pointee.flag(at: place) }
    func decode(_: String.Type) throws -> String { try reader.pointee.string(at: place) }
    func decode(_: Double.Type) throws -> Double { try reader.pointee.double(at: place) }
    func decode(_: Float.Type) throws -> Float { Float(try reader.pointee.double(at: place)) }
    func decode(_: Int.Type) throws -> Int { try reader.pointee.integer(at: place) }
    func decode(_: Int8.Type) throws -> Int8 { try reader.pointee.integer(at: place) }
    func decode(_: Int16.Type) throws -> Int16 { try reader.pointee.integer(at: place) }
    func decode(_: Int32.Type) throws -> Int32 { try reader.pointee.integer(at: place) }
    func decode(_: Int64.Type) throws -> Int64 { try reader.pointee.integer(at: place) }
    func decode(_: UInt.Type) throws -> UInt { try reader.pointee.integer(at: place) }
    func decode(_: UInt8.Type) throws -> UInt8 { try reader.pointee.integer(at: place) }
    func decode(_: UInt16.Type) throws -> UInt16 { try reader.pointee.integer(at: place) }
    func decode(_: UInt32.Type) throws -> UInt32 { try reader.pointee.integer(at: place) }
    func decode(_: UInt64.Type) throws -> UInt64 { try reader.pointee.integer(at: place) }
    func decode<Value: Decodable>(_: Value.Type) throws -> Value { try Self.value(reader, at: place) }

    /// A value of any type.
    static func value<Value: Decodable>(_ reader: UnsafeMutablePointer<ReplyReader>, at place: Int) throws -> Value {
        // The types that occur most are known by their identity, which costs less than casting them.
        if Value.self == String.self { return unsafeBitCast(try reader.pointee.string(at: place), to: Value.self) }
        if Value.self == UInt64.self { return unsafeBitCast(try reader.pointee.integer(at: place) as UInt64, to: Value.self) }
        if Value.self == Double.self { return unsafeBitCast(try reader.pointee.double(at: place), to: Value.self) }
        if Value.self == [String: UInt64].self { return unsafeBitCast(try reader.pointee.numbers(at: place), to: Value.self) }
        return try Value(from: ReplyNode(reader: reader, place: place, isTable: reader.pointee.isTable(Value.self)))
    }
}

private struct ReplyMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let reader: UnsafeMutablePointer<ReplyReader>
    let place: Int
    let isTable: Bool
    var codingPath: [any CodingKey] { [] }

    var allKeys: [Key] {
        var keys: [Key] = [], place = place + 1
        while place < Int(reader.pointee.nodes.all[self.place].next) {
            if let key = Key(stringValue: reader.pointee.name(reader.pointee.nodes.all[place].key, asItIs: isTable)) { keys.append(key) }
            place = Int(reader.pointee.nodes.all[place].next)
        }
        return keys
    }
    func contains(_ key: Key) -> Bool { reader.pointee.member(key.stringValue, of: place, asItIs: isTable) != nil }

    private func find(_ key: Key) throws -> Int {
        guard let found = reader.pointee.member(key.stringValue, of: place, asItIs: isTable) else {
            throw DecodingError.keyNotFound(key, .init(codingPath: [], debugDescription: "there is no '\(key.stringValue)'"))
        }
        return found
    }
    /// nil: the member is absent, or null.
    private func present(_ key: Key) -> Int? {
        guard let found = reader.pointee.member(key.stringValue, of: place, asItIs: isTable), !reader.pointee.isNull(found) else { return nil }
        return found
    }

    func decodeNil(forKey key: Key) throws -> Bool { reader.pointee.isNull(try find(key)) }
    func decode(_: Bool.Type, forKey key: Key) throws -> Bool { try reader.pointee.flag(at: find(key)) }
    func decode(_: String.Type, forKey key: Key) throws -> String { try reader.pointee.string(at: find(key)) }
    func decode(_: Double.Type, forKey key: Key) throws -> Double { try reader.pointee.double(at: find(key)) }
    func decode(_: Int.Type, forKey key: Key) throws -> Int { try reader.pointee.integer(at: find(key)) }
    func decode(_: Int64.Type, forKey key: Key) throws -> Int64 { try reader.pointee.integer(at: find(key)) }
    func decode(_: UInt16.Type, forKey key: Key) throws -> UInt16 { try reader.pointee.integer(at: find(key)) }
    func decode(_: UInt32.Type, forKey key: Key) throws -> UInt32 { try reader.pointee.integer(at: find(key)) }
    func decode(_: UInt64.Type, forKey key: Key) throws -> UInt64 { try reader.pointee.integer(at: find(key)) }
    func decode<Value: Decodable>(_: Value.Type, forKey key: Key) throws -> Value { try ReplyNode.value(reader, at: find(key)) }

    // Without these, a value that may be absent would be looked for three times.
    func decodeIfPresent(_: Bool.Type, forKey key: Key) throws -> Bool? { try present(key).map { try reader.pointee.flag(at: $0) } }
    func decodeIfPresent(_: String.Type, forKey key: Key) throws -> String? { try present(key).map { try reader.pointee.string(at: $0) } }
    func decodeIfPresent(_: Int.Type, forKey key: Key) throws -> Int? { try present(key).map { try reader.pointee.integer(at: $0) } }
    func decodeIfPresent(_: UInt16.Type, forKey key: Key) throws -> UInt16? { try present(key).map { try reader.pointee.integer(at: $0) } }
    func decodeIfPresent(_: UInt64.Type, forKey key: Key) throws -> UInt64? { try present(key).map { try reader.pointee.integer(at: $0) } }
    func decodeIfPresent<Value: Decodable>(_: Value.Type, forKey key: Key) throws -> Value? { try present(key).map { try ReplyNode.value(reader, at: $0) } }

    func nestedContainer<Nested: CodingKey>(keyedBy _: Nested.Type, forKey _: Key) throws -> KeyedDecodingContainer<Nested> { throw unused }
    func nestedUnkeyedContainer(forKey _: Key) throws -> any UnkeyedDecodingContainer { throw unused }
    func superDecoder() throws -> any Decoder { throw unused }
    func superDecoder(forKey _: Key) throws -> any Decoder { throw unused }
}

private struct ReplyItems: UnkeyedDecodingContainer {
    let reader: UnsafeMutablePointer<ReplyReader>
    var place: Int
    let end: Int
    var codingPath: [any CodingKey] { [] }
    /// How many there are is not known before they are read.
    var count: Int? { nil }
    private(set) var currentIndex = 0
    var isAtEnd: Bool { place >= end }

    init(reader: UnsafeMutablePointer<ReplyReader>, place: Int, end: Int) { (self.reader, self.place, self.end) = (reader, place, end) }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, reader.pointee.isNull(place) else { return false }
        advance()
        return true
    }
    mutating func decode<Value: Decodable>(_: Value.Type) throws -> Value {
        guard !isAtEnd else { throw DecodingError.valueNotFound(Value.self, .init(codingPath: [], debugDescription: "the list ends here")) }
        let value: Value = try ReplyNode.value(reader, at: place)
        advance()
        return value
    }
    private mutating func advance() {
        place = Int(reader.pointee.nodes.all[place].next)
        currentIndex += 1
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy _: Nested.Type) throws -> KeyedDecodingContainer<Nested> { throw unused }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw unused }
    mutating func superDecoder() throws -> any Decoder { throw unused }
}
