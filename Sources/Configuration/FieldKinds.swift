/// The usual kinds of fields. A row names a key, where its value stands, what it takes, what holds where it is not written, and what it does.
extension Field {
    // MARK: Any kind of value

    /// - Parameter standard: what holds where it is not written; told unless `help` tells.
    static func value<Value: Equatable>(
        _ key: String, _ path: WritableKeyPath<Object, Value>, _ kind: ValueKind<Value>, standard: Value, tellsStandard: Bool = true, help: String = ""
    ) -> Field {
        Field(
            key: key, takes: kind.takes, standard: tellsStandard ? kind.write(standard) : nil, help: help,
            unset: { $0[keyPath: path] = standard }, read: { if let value = kind.read($1, &$2) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path] == standard ? nil : kind.write($0[keyPath: path]) }, check: kind.check(key) { $0[keyPath: path] })
    }

    /// - Parameter standard: what nil comes to.
    static func optional<Value>(
        _ key: String, _ path: WritableKeyPath<Object, Value?>, _ kind: ValueKind<Value>, standard: Value? = nil, help: String = ""
    ) -> Field {
        Field(
            key: key, takes: kind.takes, standard: standard.map(kind.write), help: help,
            unset: { $0[keyPath: path] = nil }, read: { if let value = kind.read($1, &$2) { $0[keyPath: path] = value } },
            write: { $0[keyPath: path].map(kind.write) }, check: kind.check(key) { $0[keyPath: path] })
    }

    /// Keys that are not written stay as they are.
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

    /// - Parameter name: what the map is called, if it stands in several places.
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

    /// The name of something, which there must be.
    /// - Parameter example: for sentences: `a port's name`.
    static func reference(_ key: String, _ path: WritableKeyPath<Object, String>, example: String, help: String = "") -> Field {
        Field(
            key: key, takes: .text(.name), help: help,
            read: { if let value = $2.text($1, example: example) { $0[keyPath: path] = value } }, write: { .text($0[keyPath: path]) })
    }

    /// - Parameter example: for sentences: `a port's name`.
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

    /// - Parameter example: a whole list.
    static func list<Item: Equatable>(
        _ key: String, _ path: WritableKeyPath<Object, [Item]>, of item: ValueKind<Item>, example: String, help: String = ""
    ) -> Field {
        value(key, path, .list(of: item, example: example), standard: [], tellsStandard: false, help: help)
    }

    static func cpus(_ path: WritableKeyPath<Object, [Int]>, help: String = "") -> Field { list("cpus", path, of: .cpu, example: "[1, 2]", help: help) }
}

extension ValueKind {
    /// `Field.check` for a key whose value stands there; nil: it is not set.
    fileprivate func check<Object>(_ key: String, _ value: @escaping (Object) -> Value?) -> ((Object, () -> String, inout ProblemList) -> Void)? {
        guard let fault else { return nil }
        return { object, path, problems in
            guard let value = value(object), let sentence = fault(value) else { return }
            problems.add(Problem("\(path()).\(key)", sentence))
        }
    }
}

/// Settings that start with every value at its default.
protocol Initializable {
    init()
}

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
