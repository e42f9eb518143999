import Foundation

/// Writes the same JSON as `JSONRPC.encoder()` in a fraction of the time, for replies of many thousand objects: values are written as they come, and each key
/// is turned into snake case only once. It lacks what no reply contains: containers nested by hand, `Data` and `Date`.
struct ReplyEncoder {
    /// - Throws: `EncodingError` for a number that JSON cannot express, such as infinity.
    static func encode(_ value: some Encodable) throws -> Data {
        let writer = ReplyWriter()
        try writer.write(any: value)
        return Data(writer.bytes)
    }
}

/// Holds the text written so far, and the objects and lists that are not complete yet. Every key that occurs is given a number.
private final class ReplyWriter {
    var bytes: [UInt8] = []
    private var frames: [Frame] = []
    private var numbers: [String: Int] = [:]
    /// Each key, by its number, as it is written: with quotes and the colon.
    private var keys: [[UInt8]] = []
    /// The position of each key, by its number, in alphabetical order.
    private var ranks: [Int] = []
    /// A scratch copy of the values of an object while they are put into the order of their keys.
    private var values: [UInt8] = []

    private struct Frame {
        enum Kind { case value, object, list }
        var kind = Kind.value
        /// The offset in `bytes` at which its values begin.
        var start: Int
        var members: [(key: Int, start: Int)] = []
        /// Whether the keys are words of the user, which are written as they are, instead of names of fields.
        var isTable = false
    }

    /// Writes one value of any type.
    func write<Value: Encodable>(any value: Value) throws {
        if Value.self == String.self, let text = value as? String { return write(text) }
        if Value.self == UInt64.self, let number = value as? UInt64 { return write(integer: number) }
        if Value.self == Double.self, let number = value as? Double { return try write(number) }
        frames.append(Frame(start: bytes.count, isTable: value is any StringKeyed))
        try value.encode(to: ReplyValue(writer: self))
        close()
    }

    private func close() {
        let frame = frames.removeLast()
        switch frame.kind {
        case .value: return
        case .list: bytes.append(UInt8(ascii: "]"))
        case .object:
            let end = bytes.count
            // The members of an object are written in the alphabetical order of their keys, as `JSONRPC.encoder()` does.
            var order = frame.members.indices.map { ranks[frame.members[$0].key] << 32 | $0 }
            order.sort()
            values.removeAll(keepingCapacity: true)
            values += bytes[frame.start...]
            bytes.removeLast(end - frame.start)
            bytes.append(UInt8(ascii: "{"))
            for (place, packed) in order.enumerated() {
                if place > 0 { bytes.append(UInt8(ascii: ",")) }
                let index = packed & 0xffff_ffff, member = frame.members[index]
                bytes += keys[member.key]
                let next = index + 1 < frame.members.count ? frame.members[index + 1].start : end
                bytes += values[(member.start - frame.start)..<(next - frame.start)]
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    // MARK: Containers

    func beginObject() { frames[frames.count - 1].kind = .object }

    func beginList() {
        frames[frames.count - 1].kind = .list
        bytes.append(UInt8(ascii: "["))
    }

    /// Announces that a value of the innermost object follows, and under which key.
    func member(_ key: String) {
        let last = frames.count - 1
        frames[last].members.append((number(of: key, asItIs: frames[last].isTable), bytes.count))
    }

    /// Announces that a value of the innermost list follows, behind `count` others.
    func item(_ count: Int) { if count > 0 { bytes.append(UInt8(ascii: ",")) } }

    private func number(of key: String, asItIs: Bool) -> Int {
        let name = asItIs ? "\0" + key : key
        if let number = numbers[name] { return number }
        let writer = ReplyWriter()
        writer.write(asItIs ? key : Self.snakeCase(key))
        keys.append(writer.bytes + [UInt8(ascii: ":")])
        numbers[name] = keys.count - 1
        ranks = Array(repeating: 0, count: keys.count)
        for (rank, number) in keys.indices.sorted(by: { keys[$0].lexicographicallyPrecedes(keys[$1]) }).enumerated() { ranks[number] = rank }
        return keys.count - 1
    }

    /// The key in snake case, as Foundation writes it; names of fields are plain camel case here.
    private static func snakeCase(_ key: String) -> String {
        var result = ""
        for character in key {
            if character.isUppercase, !result.isEmpty { result.append("_") }
            result += character.lowercased()
        }
        return result
    }

    // MARK: Scalars

    func write(null _: Void) { bytes += "null".utf8 }
    func write(_ flag: Bool) { bytes += (flag ? "true" : "false").utf8 }
    func write(integer number: some BinaryInteger) { bytes += String(number).utf8 }

    func write(_ number: Double) throws {
        guard number.isFinite else { throw EncodingError.invalidValue(number, .init(codingPath: [], debugDescription: "JSON has no \(number)")) }
        let text = number.description
        bytes += text.hasSuffix(".0") ? text.utf8.dropLast(2) : text.utf8[...]
    }

    func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x08: bytes += "\\b".utf8
            case 0x09: bytes += "\\t".utf8
            case 0x0a: bytes += "\\n".utf8
            case 0x0c: bytes += "\\f".utf8
            case 0x0d: bytes += "\\r".utf8
            case 0..<0x20: bytes += ("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// Marks dictionaries whose keys are words of the user and are written as they are.
private protocol StringKeyed {}
extension Dictionary: StringKeyed where Key == String {}

private struct ReplyValue: Encoder, SingleValueEncodingContainer {
    let writer: ReplyWriter
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy _: Key.Type) -> KeyedEncodingContainer<Key> {
        writer.beginObject()
        return KeyedEncodingContainer(ReplyObject<Key>(writer: writer))
    }
    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        writer.beginList()
        return ReplyList(writer: writer)
    }
    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() { writer.write(null: ()) }
    func encode(_ value: Bool) { writer.write(value) }
    func encode(_ value: String) { writer.write(value) }
    func encode(_ value: Double) throws { try writer.write(value) }
    func encode(_ value: Float) throws { try writer.write(Double(value)) }
    func encode(_ value: Int) { writer.write(integer: value) }
    func encode(_ value: Int8) { writer.write(integer: value) }
    func encode(_ value: Int16) { writer.write(integer: value) }
    func encode(_ value: Int32) { writer.write(integer: value) }
    func encode(_ value: Int64) { writer.write(integer: value) }
    func encode(_ value: UInt) { writer.write(integer: value) }
    func encode(_ value: UInt8) { writer.write(integer: value) }
    func encode(_ value: UInt16) { writer.write(integer: value) }
    func encode(_ value: UInt32) { writer.write(integer: value) }
    func encode(_ value: UInt64) { writer.write(integer: value) }
    func encode(_ value: some Encodable) throws { try writer.write(any: value) }
}

private struct ReplyObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let writer: ReplyWriter
    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) { writer.member(key.stringValue); writer.write(null: ()) }
    func encode(_ value: Bool, forKey key: Key) { writer.member(key.stringValue); writer.write(value) }
    func encode(_ value: String, forKey key: Key) { writer.member(key.stringValue); writer.write(value) }
    func encode(_ value: Double, forKey key: Key) throws { writer.member(key.stringValue); try writer.write(value) }
    func encode(_ value: Int, forKey key: Key) { writer.member(key.stringValue); writer.write(integer: value) }
    func encode(_ value: Int32, forKey key: Key) { writer.member(key.stringValue); writer.write(integer: value) }
    func encode(_ value: Int64, forKey key: Key) { writer.member(key.stringValue); writer.write(integer: value) }
    func encode(_ value: UInt8, forKey key: Key) { writer.member(key.stringValue); writer.write(integer: value) }
    func encode(_ value: UInt16, forKey key: Key) { writer.member(key.stringValue); writer.write(integer: value) }
    func encode(_ value: UInt32, forKey key: Key) { writer.member(key.stringValue); writer.write(integer: value) }
    func encode(_ value: UInt64, forKey key: Key) { writer.member(key.stringValue); writer.write(integer: value) }
    func encode(_ value: some Encodable, forKey key: Key) throws { writer.member(key.stringValue); try writer.write(any: value) }

    func nestedContainer<Nested: CodingKey>(keyedBy _: Nested.Type, forKey _: Key) -> KeyedEncodingContainer<Nested> { preconditionFailure("no reply does this") }
    func nestedUnkeyedContainer(forKey _: Key) -> any UnkeyedEncodingContainer { preconditionFailure("no reply does this") }
    func superEncoder() -> any Encoder { preconditionFailure("no reply does this") }
    func superEncoder(forKey _: Key) -> any Encoder { preconditionFailure("no reply does this") }
}

private struct ReplyList: UnkeyedEncodingContainer {
    let writer: ReplyWriter
    var codingPath: [any CodingKey] { [] }
    private(set) var count = 0

    init(writer: ReplyWriter) { self.writer = writer }

    mutating func encodeNil() { next(); writer.write(null: ()) }
    mutating func encode(_ value: some Encodable) throws { next(); try writer.write(any: value) }

    private mutating func next() {
        writer.item(count)
        count += 1
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy _: Nested.Type) -> KeyedEncodingContainer<Nested> { preconditionFailure("no reply does this") }
    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { preconditionFailure("no reply does this") }
    mutating func superEncoder() -> any Encoder { preconditionFailure("no reply does this") }
}
