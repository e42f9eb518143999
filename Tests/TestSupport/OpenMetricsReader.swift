/// Reads OpenMetrics 1.0 text as strictly as its specification has it
/// (https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md), for tests of what writes it.
public struct OpenMetrics {
    public struct Sample: Equatable, Sendable {
        public var name: String
        public var labels: [String: String]
        public var value: Double
    }

    public struct Family: Equatable, Sendable {
        public var name: String
        public var type = ""
        public var unit = ""
        public var help = ""
        public var samples: [Sample] = []
    }

    /// What is wrong with a text, and in which line.
    public struct Flaw: Error, Equatable, CustomStringConvertible {
        public var line: Int
        public var reason: String
        public var description: String { "line \(line): \(reason)" }
    }

    public private(set) var families: [Family] = []

    public subscript(name: String) -> Family? { families.first { $0.name == name } }

    /// The value of the one sample that has these labels, perhaps among others; nil: there is none, or there are several.
    public func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        let found = families.flatMap(\.samples).filter { sample in sample.name == name && labels.allSatisfy { sample.labels[$0] == $1 } }
        return found.count == 1 ? found[0].value : nil
    }

    public init(_ text: some Sequence<UInt8>) throws(Flaw) {
        let lines = String(decoding: Array(text), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 2, lines[lines.count - 1].isEmpty, lines[lines.count - 2] == "# EOF" else { throw Flaw(line: lines.count, reason: "the text does not end with # EOF") }
        var names: Set<String> = [], series: Set<String> = []
        for (place, line) in lines.dropLast(2).enumerated() {
            func flaw(_ reason: String) -> Flaw { Flaw(line: place + 1, reason: "\(reason): \(line)") }
            if line.hasPrefix("#") {
                let parts = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 4, parts[0] == "#", Self.isName(parts[2], colons: true) else { throw flaw("this is no line about a family") }
                if families.last?.name != parts[2] {
                    guard names.insert(parts[2]).inserted else { throw flaw("the family is in two places") }
                    families.append(Family(name: parts[2]))
                }
                let last = families.count - 1
                guard families[last].samples.isEmpty else { throw flaw("what describes a family stands before its samples") }
                switch parts[1] {
                case "TYPE":
                    guard families[last].type.isEmpty, ["counter", "gauge", "stateset", "histogram"].contains(parts[3]) else { throw flaw("the type is wrong or there twice") }
                    families[last].type = parts[3]
                case "UNIT":
                    guard families[last].unit.isEmpty, parts[2].hasSuffix("_" + parts[3]) else { throw flaw("a family's name ends in its unit") }
                    families[last].unit = parts[3]
                case "HELP":
                    guard families[last].help.isEmpty else { throw flaw("there is help twice") }
                    families[last].help = try Self.unescaped(parts[3], flaw)
                default: throw flaw("there is TYPE, UNIT and HELP")
                }
                continue
            }
            let sample = try Self.sample(line, flaw)
            guard let family = families.last else { throw flaw("a sample without a family") }
            switch family.type {
            case "counter":
                guard sample.name == family.name + "_total", sample.value >= 0, sample.value.isFinite else { throw flaw("a counter's sample ends in _total and is no less than 0") }
            case "histogram":
                guard sample.name == family.name + "_bucket", sample.labels["le"] == "+Inf" || sample.labels["le"].flatMap(Double.init) != nil, sample.value >= 0 else {
                    throw flaw("a histogram's sample ends in _bucket and has a bound")
                }
            case "gauge": guard sample.name == family.name else { throw flaw("the sample is of another family") }
            case "stateset":
                guard sample.name == family.name, sample.labels[family.name] != nil, [0, 1].contains(sample.value), family.unit.isEmpty else { throw flaw("a state is 0 or 1 under the family's name") }
            default: throw flaw("the family has no type")
            }
            let key = sample.name + sample.labels.sorted { $0.key < $1.key }.map { "\u{0}\($0.key)=\($0.value)" }.joined()
            guard series.insert(key).inserted else { throw flaw("the series is there twice") }
            families[families.count - 1].samples.append(sample)
        }
    }

    private static func isName(_ text: String, colons: Bool) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f || colons && byte == 0x3a
        }
    }

    private static func unescaped(_ text: String, _ flaw: (String) -> Flaw) throws(Flaw) -> String {
        var result = "", isEscaped = false
        for character in text {
            if isEscaped {
                guard let plain = ["n": "\n", "\\": "\\", "\"": "\""][String(character)] else { throw flaw("an unknown escape") }
                result += plain
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                guard character != "\"" else { throw flaw("a quote that is not escaped") }
                result.append(character)
            }
        }
        if isEscaped { throw flaw("an escape without a character") }
        return result
    }

    /// `name{label="value",...} number`, without timestamp and exemplar, which nothing here writes.
    private static func sample(_ line: Substring, _ flaw: (String) -> Flaw) throws(Flaw) -> Sample {
        let name = String(line.prefix { $0 != "{" && $0 != " " })
        guard isName(name, colons: true) else { throw flaw("this is no sample") }
        var rest = line.dropFirst(name.count), labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = String(rest.prefix { $0 != "=" })
                rest = rest.dropFirst(label.count)
                guard isName(label, colons: false), rest.hasPrefix("=\"") else { throw flaw("this is no label") }
                rest = rest.dropFirst(2)
                var value = "", isEscaped = false
                while let character = rest.popFirst(), character != "\"" || isEscaped {
                    isEscaped = character == "\\" && !isEscaped
                    value.append(character)
                }
                guard labels.updateValue(try unescaped(value, flaw), forKey: label) == nil else { throw flaw("a label is there twice") }
                if rest.first == "," {
                    rest = rest.dropFirst()
                    guard rest.first != "}" else { throw flaw("a comma without a label behind it") }
                } else if rest.first != "}" {
                    throw flaw("the labels do not end")
                }
            }
            rest = rest.dropFirst()
        }
        guard rest.first == " ", let value = Double(rest.dropFirst()), !rest.dropFirst().contains(" ") else { throw flaw("a sample ends with a space and a number") }
        return Sample(name: name, labels: labels, value: value)
    }
}
