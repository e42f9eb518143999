/// What is known of types, found by their identity.
struct TypeTable<Facts> {
    private var all: [ObjectIdentifier: Facts] = [:]
    /// The types that were asked for last, by a few bits of their identity: a reply has few types and very many values.
    private var recent = [(type: ObjectIdentifier, facts: Facts)?](repeating: nil, count: 32)

    /// - Parameter make: called for a type that was not asked for before.
    mutating func facts(of type: Any.Type, _ make: () -> Facts) -> Facts {
        let type = ObjectIdentifier(type), bits = UInt(bitPattern: type)
        let slot = Int(truncatingIfNeeded: (bits >> 4 ^ bits >> 9) & 31)
        if let found = recent[slot], found.type == type { return found.facts }
        let facts = all[type] ?? make()
        all[type] = facts
        recent[slot] = (type, facts)
        return facts
    }
}
