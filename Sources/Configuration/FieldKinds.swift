import Packet

/// The usual kinds of fields.
extension Field {
    static func name(_ path: WritableKeyPath<Object, String>) -> Field {
        Field(
            key: "name", read: { if let value = $2.text($1, example: "a name") { $0[keyPath: path] = value } },
            write: { .text($0[keyPath: path]) })
    }

    static func text(_ key: String, _ path: WritableKeyPath<Object, String?>, example: String) -> Field {
        Field(
            key: key, isText: true, unset: { $0[keyPath: path] = nil },
            read: { if let value = $2.text($1, example: example) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path].map { .text($0) } })
    }

    static func quantity(_ key: String, _ quantity: Quantity, _ path: WritableKeyPath<Object, UInt64?>) -> Field {
        Field(
            key: key, unset: { $0[keyPath: path] = nil },
            read: { if let value = $2.quantity($1, quantity) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path].map { .text(quantity.format($0)) } })
    }

    static func rate(_ key: String, _ path: WritableKeyPath<Object, UInt64?>) -> Field { quantity(key, .rate, path) }
    static func packets(_ key: String, _ path: WritableKeyPath<Object, UInt64?>) -> Field { quantity(key, .packets, path) }
    static func size(_ key: String, _ path: WritableKeyPath<Object, UInt64?>) -> Field { quantity(key, .size, path) }

    static func delay(_ key: String, _ path: WritableKeyPath<Object, UInt64?>) -> Field { quantity(key, .delay, path) }

    static func integer(
        _ key: String, _ path: WritableKeyPath<Object, Int>, _ range: ClosedRange<Int>, standard: Int
    ) -> Field {
        Field(
            key: key, unset: { $0[keyPath: path] = standard }, read: { if let value = $2.integer($1, range) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path] == standard ? nil : .number(Int64($0[keyPath: path])) })
    }

    static func optionalInteger(_ key: String, _ path: WritableKeyPath<Object, Int?>, _ range: ClosedRange<Int>) -> Field {
        Field(
            key: key, unset: { $0[keyPath: path] = nil },
            read: { if let value = $2.integer($1, range) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path].map { .number(Int64($0)) } })
    }

    static func bytes(_ key: String, _ path: WritableKeyPath<Object, Int>, _ range: ClosedRange<Int>, standard: Int) -> Field {
        Field(
            key: key, unset: { $0[keyPath: path] = standard }, read: { if let value = $2.bytes($1, range) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path] == standard ? nil : .text(Quantity.size.format(UInt64($0[keyPath: path]))) })
    }

    static func flag(_ key: String, _ path: WritableKeyPath<Object, Bool>, standard: Bool) -> Field {
        Field(
            key: key, unset: { $0[keyPath: path] = standard }, read: { if let value = $2.flag($1) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path] == standard ? nil : .flag($0[keyPath: path]) })
    }

    static func cpus(_ path: WritableKeyPath<Object, [Int]>) -> Field {
        Field(
            key: "cpus", shape: .list, unset: { $0[keyPath: path] = [] },
            read: { object, element, problems in
                guard let items = problems.items(of: element, example: "[1, 2]") else { return }
                object[keyPath: path] = items.compactMap { problems.integer($0, 0...4_095) }
            },
            write: { $0[keyPath: path].isEmpty ? nil : .list($0[keyPath: path].map { .number(Int64($0)) }) })
    }

    static func nested<Inner>(_ key: String, _ path: WritableKeyPath<Object, Inner>, _ fields: [Field<Inner>]) -> Field
    where Inner: Equatable & Initializable {
        Field(
            key: key, shape: .map(keys: fields.map(\.key)), unset: { $0[keyPath: path] = Inner() },
            read: { $2.read($1, into: &$0[keyPath: path], fields, of: key) },
            write: { $0[keyPath: path] == Inner() ? nil : Fields.write($0[keyPath: path], fields) })
    }
}

/// Settings that start with every value at its default.
protocol Initializable {
    init()
}

extension ClassSettings: Initializable {}
extension RestSettings: Initializable {}

extension ProblemList {
    /// A size within a range, in bytes.
    mutating func bytes(_ element: Element, _ range: ClosedRange<Int>) -> Int? {
        guard let value = quantity(element, .size) else { return nil }
        guard value <= UInt64(range.upperBound), value >= UInt64(range.lowerBound) else {
            let low = Quantity.size.format(UInt64(range.lowerBound)), high = Quantity.size.format(UInt64(range.upperBound))
            add(element, "\(Quantity.size.format(value)) is not a size from \(low) to \(high)")
            return nil
        }
        return Int(value)
    }
}
