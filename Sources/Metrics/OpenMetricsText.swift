/// Writes metrics in the text format of OpenMetrics 1.0 (https://github.com/OpenObservability/OpenMetrics), which Prometheus reads. It writes bytes, as there may
/// be some hundred thousand samples.
public struct OpenMetricsText {
    /// The type of the text, as HTTP tells it.
    public static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    private var bytes: [UInt8] = []

    public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Adds all samples of objects of one kind. A kind is added once, as the samples of a family stand together.
    public mutating func add<Object>(_ subject: Subject<Object>, _ objects: [Object]) {
        // The samples of a family stand together. An object is looked at once, as it may be large, so the families' texts are joined in the end.
        var texts = subject.families.map { family in Self.description(family, subject.name(of: family)) }
        let names = subject.families.map { family in subject.name(of: family) }
        let samples = zip(subject.families, names).map { family, name in
            Array((family.kind == .counter ? name + "_total" : family.kind == .histogram ? name + "_bucket" : name).utf8)
        }
        for object in objects {
            let labels = Self.labels(subject.labels(object))
            for index in texts.indices {
                switch subject.families[index].samples {
                case .one(let value): if let value = value(object) { Self.add(samples[index], labels, nil, value, to: &texts[index]) }
                case .table(let label, let table): for (key, value) in table(object) { Self.add(samples[index], labels, (label, key), value, to: &texts[index]) }
                case .histogram(let values, let events):
                    guard let events = events(object) else { continue }
                    for (value, count) in zip(values, events.upTo) { Self.add(samples[index], labels, ("le", "\(value).0"), .whole(count), to: &texts[index]) }
                    Self.add(samples[index], labels, ("le", "+Inf"), .whole(events.all), to: &texts[index])
                case .state(let all, let value):
                    let present = value(object)
                    for state in all { Self.add(samples[index], labels, (names[index], state), MetricValue(state == present), to: &texts[index]) }
                }
            }
        }
        for text in texts { bytes += text }
    }

    /// The whole text. Nothing may be added afterwards.
    public consuming func finished() -> [UInt8] {
        var all = bytes
        all += "# EOF\n".utf8
        return all
    }

    private static func description<Object>(_ family: Family<Object>, _ name: String) -> [UInt8] {
        var bytes = Array("# TYPE \(name) \(family.kind.rawValue)\n".utf8)
        if family.kind != .stateset, let unit = MetricName.unit(of: name) { bytes += "# UNIT \(name) \(unit)\n".utf8 }
        bytes += "# HELP \(name) ".utf8
        escape(family.help, into: &bytes)
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    /// - Parameter more: a label besides those that name the object.
    private static func add(_ name: [UInt8], _ labels: [UInt8], _ more: (name: String, value: String)?, _ value: MetricValue, to bytes: inout [UInt8]) {
        bytes += name
        if !labels.isEmpty || more != nil {
            bytes.append(UInt8(ascii: "{"))
            bytes += labels
            if let more {
                if !labels.isEmpty { bytes.append(UInt8(ascii: ",")) }
                label(more.name, more.value, into: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
        switch value {
        case .whole(let number): write(number, into: &bytes)
        case .signed(let number):
            if number < 0 { bytes.append(UInt8(ascii: "-")) }
            write(number.magnitude, into: &bytes)
        case .real(let number): bytes += (number.isNaN ? "NaN" : number.isInfinite ? (number < 0 ? "-Inf" : "+Inf") : "\(number)").utf8
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func labels(_ labels: [(name: String, value: String)]) -> [UInt8] {
        var text: [UInt8] = []
        for (name, value) in labels {
            if !text.isEmpty { text.append(UInt8(ascii: ",")) }
            label(name, value, into: &text)
        }
        return text
    }

    private static func label(_ name: String, _ value: String, into text: inout [UInt8]) {
        text += name.utf8
        text.append(UInt8(ascii: "="))
        text.append(UInt8(ascii: "\""))
        escape(value, into: &text)
        text.append(UInt8(ascii: "\""))
    }

    /// The characters that end a text are written with a backslash, in help as in the values of labels.
    private static func escape(_ value: String, into text: inout [UInt8]) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case UInt8(ascii: "\n"):
                text.append(UInt8(ascii: "\\"))
                text.append(UInt8(ascii: "n"))
            default: text.append(byte)
            }
        }
    }

    private static func write(_ number: UInt64, into text: inout [UInt8]) {
        if number < 10 { return text.append(UInt8(ascii: "0") + UInt8(number)) }
        let start = text.count
        var rest = number
        while rest > 0 {
            text.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        text[start...].reverse()
    }
}
