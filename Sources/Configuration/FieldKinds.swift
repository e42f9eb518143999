/// The usual kinds of fields. Each takes the key, the property that holds its value, the kind of value, the default and a help phrase.
extension Field {
    // MARK: Any kind of value

    /// - Parameter standard: the default. It is described unless `tellsStandard` is false, because `help` describes it.
    static func value<Value: Equatable>(
        _ key: String, _ path: WritableKeyPath<Object, Value>, _ kind: ValueKind<Value>, standard: Value, tellsStandard: Bool = true, help: String = ""
    ) -> Field {
        Field(
            key: key, takes: kind.takes, standard: tellsStandard ? kind.write(standard) : nil, help: help,
            unset: { $0[keyPath: path] = standard }, read: { if let value = kind.read($1, &$2) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path] == standard ? nil : kind.write($0[keyPath: path]) }, check: kind.check(key) { $0[keyPath: path] })
    }

    /// - Parameter standard: the value that nil stands for.
    static func optional<Value>(
        _ key: String, _ path: WritableKeyPath<Object, Value?>, _ kind: ValueKind<Value>, standard: Value? = nil, help: String = ""
    ) -> Field {
        Field(
            key: key, takes: kind.takes, standard: standard.map(kind.write), help: help,
            unset: { $0[keyPath: path] = nil }, read: { if let value = kind.read($1, &$2) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path].map(kind.write) }, check: kind.check(key) { $0[keyPath: path] })
    }

    /// A field whose value is a map. When it is set again, the map's keys that are not written keep their values.
    static func map<Value, Draft>(_ key: String, _ path: WritableKeyPath<Object, Value?>, _ kind: MapKind<Value, Draft>, help: String = "") -> Field {
        Field(
            key: key, takes: kind.takes, help: help,
            unset: { $0[keyPath: path] = nil }, read: { if let value = kind.read($1, onto: $0[keyPath: path], &$2) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path].map(kind.write) },
            check: { object, at, problems in
                guard let value = object[keyPath: path] else { return }
                for field in kind.fields { field.check?(kind.draft(value), { "\(at()).\(key)" }, &problems) }
            })
    }

    /// - Parameter name: the name under which help texts and the schema refer to the map, if it occurs in several places.
    static func nested<Inner>(_ key: String, _ path: WritableKeyPath<Object, Inner>, _ fields: [Field<Inner>], name: String? = nil, help: String = "") -> Field
    where Inner: Equatable & Initializable {
        Field(
            key: key, takes: .map(fields.map(\.about), name: name), help: help,
            unset: { $0[keyPath: path] = Inner() }, read: { $2.read($1, into: &$0[keyPath: path], fields, of: key) },
            write: { $0[keyPath: path] == Inner() ? nil : Fields.write($0[keyPath: path], fields) },
            check: { object, at, problems in
                let inner = object[keyPath: path]
                if inner == Inner() { return }
                for field in fields { field.check?(inner, { "\(at()).\(key)" }, &problems) }
            })
    }

    // MARK: Texts

    static func name(_ path: WritableKeyPath<Object, String>) -> Field { reference("name", path, example: "a name", help: "what it is called").required }

    /// The name of another object, which must exist.
    /// - Parameter example: what is expected, for messages: `a port's name`.
    static func reference(_ key: String, _ path: WritableKeyPath<Object, String>, example: String, help: String = "") -> Field {
        Field(
            key: key, takes: .text(.name), help: help,
            read: { if let value = $2.text($1, example: example) { $0[keyPath: path] = value } }, write: { .text($0[keyPath: path]) })
    }

    /// - Parameter example: what is expected, for messages: `a port's name`.
    static func text(_ key: String, _ path: WritableKeyPath<Object, String?>, example: String, form: TextForm = .any, help: String = "") -> Field {
        var field = optional(key, path, .text(form, example: example), help: help)
        field.about.isText = true
        return field
    }

    // MARK: Numbers

    static func rate(_ key: String, _ path: WritableKeyPath<Object, UInt64?>, help: String = "") -> Field { optional(key, path, .rate, help: help) }
    static func packets(_ key: String, _ path: WritableKeyPath<Object, UInt64?>, help: String = "") -> Field { optional(key, path, .packets, help: help) }
    static func burst(_ key: String, _ path: WritableKeyPath<Object, UInt64?>, help: String = "") -> Field { optional(key, path, .burst, help: help) }
    static func packetsOrBits(_ key: String, _ path: WritableKeyPath<Object, StormRate?>, help: String = "") -> Field {
        optional(key, path, .packetsOrBits, help: help)
    }

    static func integer(_ key: String, _ path: WritableKeyPath<Object, Int>, _ range: ClosedRange<Int>, standard: Int, help: String = "") -> Field {
        value(key, path, .integer(range), standard: standard, help: help)
    }

    static func optionalInteger(_ key: String, _ path: WritableKeyPath<Object, Int?>, _ range: ClosedRange<Int>, help: String = "") -> Field {
        optional(key, path, .integer(range), help: help)
    }

    // MARK: Words

    static func flag(_ key: String, _ path: WritableKeyPath<Object, Bool>, standard: Bool, help: String = "") -> Field {
        value(key, path, .flag, standard: standard, help: help)
    }

    static func choice<Value: RawRepresentable<String> & CaseIterable & Equatable>(
        _ key: String, _ path: WritableKeyPath<Object, Value>, standard: Value, help: String = ""
    ) -> Field {
        value(key, path, .choice, standard: standard, help: help)
    }

    // MARK: Lists

    /// - Parameter example: a whole list, for messages.
    static func list<Item: Equatable>(
        _ key: String, _ path: WritableKeyPath<Object, [Item]>, of item: ValueKind<Item>, example: String, help: String = ""
    ) -> Field {
        value(key, path, .list(of: item, example: example), standard: [], tellsStandard: false, help: help)
    }

    static func cpus(_ path: WritableKeyPath<Object, [Int]>, help: String = "") -> Field { list("cpus", path, of: .cpu, example: "[1, 2]", help: help) }
}

extension ValueKind {
    /// The `Field.check` of a key whose value `value` gives; it returns nil where the key is not set, which is never wrong.
    fileprivate func check<Object>(_ key: String, _ value: @escaping (Object) -> Value?) -> ((Object, () -> String, inout ProblemList) -> Void)? {
        guard let fault else { return nil }
        return { object, path, problems in
            guard let value = value(object), let sentence = fault(value) else { return }
            problems.add(Problem("\(path()).\(key)", sentence))
        }
    }
}

/// Settings that can be made with every value at its default.
protocol Initializable {
    init()
}

extension ProblemList {
    /// Reads a size in bytes that must be within a range.
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
