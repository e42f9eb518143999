import Foundation

/// Writes the same JSON as `JSONRPC.encoder()` in a fraction of the time, for replies of many thousand objects: values are written as they come, and each key
/// is turned into snake case only once. It lacks what no reply contains: containers nested by hand, `Data` and `Date`.
struct ReplyEncoder {
    /// - Throws: `EncodingError` for a number that JSON cannot express, such as infinity.
    static func encode(_ value: some Encodable) throws -> Data {
        let writer = UnsafeMutablePointer<ReplyWriter>.allocate(capacity: 1)
        writer.initialize(to: ReplyWriter())
        defer { writer.deallocate() }
        do {
            try ReplyValue(writer: writer).write(any: value)
        } catch {
            writer.move().finished().free()
            throw error
        }
        return writer.move().finished().finished()
    }
}

/// Writes one value. The writer is reached by a pointer, as counting references to it would cost more than most values do; it lives as long as
/// `ReplyEncoder.encode` runs.
private struct ReplyValue: Encoder, SingleValueEncodingContainer {
    let writer: UnsafeMutablePointer<ReplyWriter>
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Writes one value of any type.
    func write<Value: Encodable>(any value: Value) throws {
        // The types that occur most are known by their identity, which costs less than casting them.
        if Value.self == String.self { return writer.pointee.write(unsafeBitCast(value, to: String.self)) }
        if Value.self == UInt64.self { return writer.pointee.write(unsafeBitCast(value, to: UInt64.self)) }
        if Value.self == Double.self { return try writer.pointee.write(unsafeBitCast(value, to: Double.self)) }
        if Value.self == [String: UInt64].self { return writer.pointee.write(unsafeBitCast(value, to: [String: UInt64].self)) }
        writer.pointee.begin(Value.self)
        try value.encode(to: self)
        writer.pointee.end()
    }

    func container<Key: CodingKey>(keyedBy _: Key.Type) -> KeyedEncodingContainer<Key> {
        writer.pointee.beginObject()
        return KeyedEncodingContainer(ReplyObject<Key>(value: self))
    }
    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        writer.pointee.beginList()
        return ReplyList(value: self)
    }
    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() { writer.pointee.writeNull() }
    func encode(_ value: Bool) { writer.pointee.write(value) }
    func encode(_ value: String) { writer.pointee.write(value) }
    func encode(_ value: Double) throws { try writer.pointee.write(value) }
    func encode(_ value: Float) throws { try writer.pointee.write(Double(value)) }
    func encode(_ value: Int) { writer.pointee.write(Int64(value)) }
    func encode(_ value: Int8) { writer.pointee.write(Int64(value)) }
    func encode(_ value: Int16) { writer.pointee.write(Int64(value)) }
    func encode(_ value: Int32) { writer.pointee.write(Int64(value)) }
    func encode(_ value: Int64) { writer.pointee.write(value) }
    func encode(_ value: UInt) { writer.pointee.write(UInt64(value)) }
    func encode(_ value: UInt8) { writer.pointee.write(UInt64(value)) }
    func encode(_ value: UInt16) { writer.pointee.write(UInt64(value)) }
    func encode(_ value: UInt32) { writer.pointee.write(UInt64(value)) }
    func encode(_ value: UInt64) { writer.pointee.write(value) }
    func encode(_ value: some Encodable) throws { try write(any: value) }
}

private struct ReplyObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let value: ReplyValue
    var codingPath: [any CodingKey] { [] }

    private func member(_ key: Key) { value.writer.pointee.member(key.stringValue) }

    func encodeNil(forKey key: Key) { member(key); value.encodeNil() }
    func encode(_ flag: Bool, forKey key: Key) { member(key); value.encode(flag) }
    func encode(_ text: String, forKey key: Key) { member(key); value.encode(text) }
    func encode(_ number: Double, forKey key: Key) throws { member(key); try value.encode(number) }
    func encode(_ number: Int, forKey key: Key) { member(key); value.encode(number) }
    func encode(_ number: Int32, forKey key: Key) { member(key); value.encode(number) }
    func encode(_ number: Int64, forKey key: Key) { member(key); value.encode(number) }
    func encode(_ number: UInt8, forKey key: Key) { member(key); value.encode(number) }
    func encode(_ number: UInt16, forKey key: Key) { member(key); value.encode(number) }
    func encode(_ number: UInt32, forKey key: Key) { member(key); value.encode(number) }
    func encode(_ number: UInt64, forKey key: Key) { member(key); value.encode(number) }
    func encode(_ other: some Encodable, forKey key: Key) throws { member(key); try value.write(any: other) }

    func nestedContainer<Nested: CodingKey>(keyedBy _: Nested.Type, forKey _: Key) -> KeyedEncodingContainer<Nested> { preconditionFailure("no reply does this") }
    func nestedUnkeyedContainer(forKey _: Key) -> any UnkeyedEncodingContainer { preconditionFailure("no reply does this") }
    func superEncoder() -> any Encoder { preconditionFailure("no reply does this") }
    func superEncoder(forKey _: Key) -> any Encoder { preconditionFailure("no reply does this") }
}

private struct ReplyList: UnkeyedEncodingContainer {
    let value: ReplyValue
    var codingPath: [any CodingKey] { [] }
    var count: Int { value.writer.pointee.items }

    func encodeNil() { value.writer.pointee.item(); value.encodeNil() }
    func encode(_ other: some Encodable) throws { value.writer.pointee.item(); try value.write(any: other) }

    func nestedContainer<Nested: CodingKey>(keyedBy _: Nested.Type) -> KeyedEncodingContainer<Nested> { preconditionFailure("no reply does this") }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { preconditionFailure("no reply does this") }
    func superEncoder() -> any Encoder { preconditionFailure("no reply does this") }
}
