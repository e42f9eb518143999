/// What a status tells of an object besides its counters.
public protocol StatusFacts: Codable, Equatable, Sendable {
    init()
}

/// The status of an object whose counters stand in JSON beside its other fields, each under its own name. The data plane names the counters, so that a new one
/// needs no field here.
@dynamicMemberLookup
public struct Counted<Facts: StatusFacts>: Codable, Equatable, Sendable {
    public var facts = Facts()
    /// The counters by name, such as `txFull`.
    public var counts: [String: UInt64] = [:]

    public init() {}

    public subscript<Value>(dynamicMember field: WritableKeyPath<Facts, Value>) -> Value {
        get { facts[keyPath: field] }
        set { facts[keyPath: field] = newValue }
    }

    /// A counter; 0 if the daemon does not have it.
    public func count(_ name: String) -> UInt64 { counts[name] ?? 0 }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public init(from decoder: any Decoder) throws {
        facts = try Facts(from: decoder)
        let fields = Set(Mirror(reflecting: facts).children.compactMap(\.label)), container = try decoder.container(keyedBy: Name.self)
        for name in container.allKeys where !fields.contains(name.stringValue) { counts[name.stringValue] = try? container.decode(UInt64.self, forKey: name) }
    }

    public func encode(to encoder: any Encoder) throws {
        try facts.encode(to: encoder)
        var container = encoder.container(keyedBy: Name.self)
        for (name, count) in counts { try container.encode(count, forKey: Name(stringValue: name)) }
    }
}
