import Filters
import Packet

/// How a kind of value is read, written, checked and described.
struct ValueKind<Value> {
    /// Checks a value that was made in code, and reports what reading it from text would have refused. It is called with the value and its path.
    typealias Check = (Value, () -> String, inout ProblemList) -> Void

    let takes: FieldValue
    /// Reads a value; nil: the text is no such value, and the problem has been added to the list.
    let read: (Element, inout ProblemList) -> Value?
    let write: (Value) -> Document
    /// Checks a value; nil if every value of the type is allowed, or is checked together with the object that it names. The initializer has no default for it,
    /// so that no kind is left unchecked by oversight.
    let check: Check?

    init(takes: FieldValue, read: @escaping (Element, inout ProblemList) -> Value?, write: @escaping (Value) -> Document, check: Check?) {
        (self.takes, self.read, self.write, self.check) = (takes, read, write, check)
    }

    /// - Parameter fault: a sentence that says what is wrong with a value; nil: nothing is.
    init(takes: FieldValue, read: @escaping (Element, inout ProblemList) -> Value?, write: @escaping (Value) -> Document, fault: @escaping (Value) -> String?) {
        self.init(takes: takes, read: read, write: write) { value, path, problems in
            if let sentence = fault(value) { problems.add(Problem(path(), sentence)) }
        }
    }
}

extension ValueKind<Bool> {
    static var flag: Self { ValueKind(takes: .flag, read: { $1.flag($0) }, write: { .flag($0) }, check: nil) }
}

extension ValueKind<Int> {
    static func integer(_ range: ClosedRange<Int>) -> Self {
        ValueKind(takes: .integer(range), read: { $1.integer($0, range) }, write: { .number(Int64($0)) }, fault: { Self.fault($0, range) })
    }

    static var vlan: Self { integer(VLANSet.identifiers) }
    static var cpu: Self { integer(0...4_095) }
    /// A class's priority (0 is served first among borrowers) or a priority code point (0 is the lowest, IEEE 802.1Q).
    static var priority: Self { integer(0...7) }

    /// A size in bytes.
    static func bytes(_ range: ClosedRange<Int>) -> Self {
        ValueKind(
            takes: .quantity(.size, UInt64(range.lowerBound)...UInt64(range.upperBound)), read: { $1.bytes($0, range) },
            write: { .text(Quantity.size.format(UInt64($0))) }, fault: { Self.fault($0, range) })
    }

    /// A time in whole seconds.
    static func seconds(_ key: String, _ range: ClosedRange<Int>, example: Int) -> Self {
        let milliseconds = UInt64(range.lowerBound) * 1_000...UInt64(range.upperBound) * 1_000
        return ValueKind(
            takes: .quantity(.time, milliseconds),
            read: { element, problems in
                guard let value = problems.quantity(element, .time) else { return nil }
                guard value % 1_000 == 0, milliseconds.contains(value) else {
                    problems.add(element, "\(key) is whole seconds from \(range.lowerBound)s to \(range.upperBound)s, such as \(example)s")
                    return nil
                }
                return Int(value / 1_000)
            },
            write: { .text("\($0)s") }, fault: { Self.fault($0, range) })
    }

    private static func fault(_ value: Int, _ range: ClosedRange<Int>) -> String? {
        range.contains(value) ? nil : "\(value) is out of range: write \(range.lowerBound) to \(range.upperBound)"
    }
}

extension ValueKind<UInt64> {
    static func quantity(_ quantity: Quantity, _ range: ClosedRange<UInt64>?, fault: @escaping (UInt64) -> String?) -> Self {
        ValueKind(takes: .quantity(quantity, range), read: { $1.quantity($0, quantity) }, write: { .text(quantity.format($0)) }, fault: fault)
    }

    static var rate: Self { quantity(.rate, Validator.rates) { Validator.fault(ofRate: $0) } }
    static var packets: Self { quantity(.packets, Validator.packetRates) { Validator.fault(ofPackets: $0) } }
    static var burst: Self { quantity(.size, 1...Validator.largestBurst) { Validator.fault(ofBurst: $0) } }

    static func delay(_ range: ClosedRange<UInt64>) -> Self {
        quantity(.delay, range) { value in
            range.contains(value) ? nil
                : "\(Quantity.delay.format(value)) is out of range: write \(Quantity.delay.format(range.lowerBound)) to \(Quantity.delay.format(range.upperBound))"
        }
    }
}

extension ValueKind<StormRate> {
    /// A rate in packets or in bits per second, written such as `1kpps` or `10mbit`.
    static var packetsOrBits: Self {
        ValueKind(
            takes: .either([.quantity(.packets, Validator.packetRates), .quantity(.rate, Validator.rates)]),
            read: { element, problems in
                guard let text = problems.text(element, example: "a rate such as 1kpps or 10mbit") else { return nil }
                return text.lowercased().hasSuffix("pps") ? problems.quantity(element, .packets).map { .packets($0) } : problems.quantity(element, .rate).map { .bits($0) }
            },
            write: { .text($0.text) },
            fault: {
                switch $0 {
                case .packets(let value): Validator.fault(ofPackets: value)
                case .bits(let value): Validator.fault(ofRate: value)
                }
            })
    }
}

extension ValueKind where Value: RawRepresentable<String> & CaseIterable {
    static var choice: Self {
        ValueKind(takes: .choice(Value.allCases.map(\.rawValue)), read: { $1.choice($0, Value.self) }, write: { .text($0.rawValue) }, check: nil)
    }
}

extension ValueKind<String> {
    /// - Parameter example: what is expected, for messages: `a port's name`.
    static func text(_ form: TextForm, example: String) -> Self {
        ValueKind(takes: .text(form), read: { $1.text($0, example: example) }, write: { .text($0) }, check: nil)
    }
}

extension ValueKind<MACAddress> {
    static var mac: Self { ValueKind(takes: .text(.mac), read: { $1.mac($0) }, write: { .text($0.description) }, check: nil) }
}

extension ValueKind<IPPrefix> {
    static var prefix: Self { ValueKind(takes: .text(.prefix), read: { $1.prefix($0) }, write: { .text($0.description) }, check: nil) }
}

extension ValueKind {
    /// - Parameter example: a whole list, for messages.
    static func list<Item>(of item: ValueKind<Item>, example: String) -> Self where Value == [Item] {
        ValueKind(
            takes: .list(item.takes), read: { element, problems in problems.items(of: element, example: example)?.compactMap { item.read($0, &problems) } },
            write: { .list($0.map(item.write)) },
            check: item.check.map { check in
                { list, path, problems in for (place, value) in list.enumerated() { check(value, { "\(path())[\(place)]" }, &problems) } }
            })
    }
}

/// A kind of value that is written as a map. While it is read, the value may be incomplete; a `Draft` holds it then.
struct MapKind<Value, Draft> {
    /// What the value is, for messages: `a static entry`.
    var noun: String
    var empty: Draft
    var fields: [Field<Draft>]
    /// Makes the value of a complete draft; nil: something is missing.
    var value: (Draft) -> Value?
    var draft: (Value) -> Draft
    /// A sentence that says what to write if something is missing.
    var missing: String

    /// - Parameter before: the value so far: keys that are not written keep what they have there.
    func read(_ element: Element, onto before: Value? = nil, _ problems: inout ProblemList) -> Value? {
        var draft = before.map(draft) ?? empty
        let count = problems.count
        problems.read(element, into: &draft, fields, of: noun)
        if let value = value(draft) { return value }
        if problems.count == count { problems.add(element, missing) }
        return nil
    }

    func write(_ value: Value) -> Document { Fields.write(draft(value), fields) }

    var takes: FieldValue { .map(fields.map(\.about)) }
    /// Does what `ValueKind.check` describes.
    func check(_ value: Value, _ path: () -> String, _ problems: inout ProblemList) {
        let draft = draft(value)
        for field in fields { field.check?(draft, path, &problems) }
    }

    var kind: ValueKind<Value> { ValueKind(takes: takes, read: { read($0, &$1) }, write: write, check: check) }
}
