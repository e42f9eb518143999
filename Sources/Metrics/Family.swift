/// A number as a sample shows it.
public enum MetricValue: Equatable, Sendable {
    case whole(UInt64)
    /// A number that may be negative.
    case signed(Int64)
    case real(Double)

    public init(_ flag: Bool) { self = .whole(flag ? 1 : 0) }
    public init(_ number: Int) { self = .signed(Int64(number)) }
}

/// A metric family of OpenMetrics 1.0: one counter or level that every object of a kind has, with what is to be known about it. A family says where JSON has the
/// same number, and its name is made from that, so that there cannot be two names for one thing.
public struct Family<Object>: Sendable {
    /// What the numbers of a family are, in the words of OpenMetrics.
    public enum Kind: String, Sendable {
        /// A number that only grows while the daemon runs.
        case counter
        /// A level, which rises and falls.
        case gauge
        /// One of several states: its sample is 1, the others' are 0.
        case stateset
        /// How many of a number of events had at most each of some values.
        case histogram
    }

    /// What an object has of the family.
    enum Samples: Sendable {
        /// One number; nil: the object has none.
        case one(@Sendable (Object) -> MetricValue?)
        /// A number for each value of a label.
        case table(label: String, @Sendable (Object) -> [(key: String, value: MetricValue)])
        /// The state that the object is in, among all that there are.
        case state(all: [String], @Sendable (Object) -> String)
        /// How many events there were, and how many of them had at most each of the values, which ascend; nil: the object has none.
        case histogram(upTo: [UInt64], @Sendable (Object) -> (all: UInt64, upTo: [UInt64])?)
    }

    /// Where the number is in the JSON of the object: the names of the fields with dots between them, such as `rx.frames`.
    public let field: String
    public let kind: Kind
    /// A sentence that says what is counted, and in which unit.
    public let help: String
    let samples: Samples

    private init(_ field: String, _ kind: Kind, _ help: String, _ samples: Samples) { (self.field, self.kind, self.help, self.samples) = (field, kind, help, samples) }

    public static func counter(_ field: String, _ help: String, _ value: @escaping @Sendable (Object) -> UInt64) -> Family {
        Family(field, .counter, help, .one { .whole(value($0)) })
    }

    /// A counter that is no whole number, or that not every object has.
    public static func total(_ field: String, _ help: String, _ value: @escaping @Sendable (Object) -> MetricValue?) -> Family { Family(field, .counter, help, .one(value)) }
    public static func gauge(_ field: String, _ help: String, _ value: @escaping @Sendable (Object) -> MetricValue?) -> Family { Family(field, .gauge, help, .one(value)) }

    /// - Parameter always: values of the label that have a sample even if nothing was counted, so that the first increase can be seen.
    public static func counters(_ field: String, by label: String, always: [String] = [], _ help: String, _ table: @escaping @Sendable (Object) -> [String: UInt64]) -> Family {
        Family(field, .counter, help, .table(label: label) { object in
            let counts = table(object)
            if counts.isEmpty, always.isEmpty { return [] }
            let absent = always.filter { counts[$0] == nil }.map { (key: $0, value: UInt64(0)) }
            return (counts.map { (key: $0.key, value: $0.value) } + absent).sorted { $0.key < $1.key }.map { ($0.key, .whole($0.value)) }
        })
    }

    public static func histogram(
        _ field: String, upTo values: [UInt64], _ help: String, _ events: @escaping @Sendable (Object) -> (all: UInt64, upTo: [UInt64])?
    ) -> Family {
        Family(field, .histogram, help, .histogram(upTo: values, events))
    }

    public static func state(_ field: String, _ all: [String], _ help: String, _ value: @escaping @Sendable (Object) -> String) -> Family {
        Family(field, .stateset, help, .state(all: all, value))
    }
}

/// A kind of object: how its samples are told apart, and what is counted of it.
public struct Subject<Object>: Sendable {
    /// The word for it in the names of metrics, which is also the command line's: `port` for `sluice port show`.
    public let name: String
    public let families: [Family<Object>]
    /// The labels that name an object.
    let labels: @Sendable (Object) -> [(name: String, value: String)]

    /// - Parameter more: families behind the others.
    public init(_ name: String, _ families: [Family<Object>], _ more: [Family<Object>] = [], labels: @escaping @Sendable (Object) -> [(name: String, value: String)]) {
        (self.name, self.families, self.labels) = (name, families + more, labels)
    }

    /// The name of a family, such as `sluice_port_rx_frames`; the samples of a counter have `_total` behind it.
    public func name(of family: Family<Object>) -> String { "sluice_\(name)_\(MetricName.snakeCase(family.field))" }
}

/// How the names of JSON's fields become names of metrics.
public enum MetricName {
    /// Units that are told where a name ends in one, as OpenMetrics demands of names with a unit.
    static let units = ["bytes", "frames", "microseconds", "nanoseconds", "seconds", "percent"]

    /// The name in snake case, and dots as underscores, which is how JSON has its parts: `rx.frames` becomes `rx_frames`, `txFull` becomes `tx_full`.
    public static func snakeCase(_ field: String) -> String {
        field.reduce(into: "") { $0 += $1 == "." ? "_" : $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }

    /// The unit that a name ends in; nil: none.
    static func unit(of name: String) -> String? { units.first { name.hasSuffix("_" + $0) } }
}
