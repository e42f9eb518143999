import Packet

/// A piece of a configuration as it was written, whether in YAML, in XML or in words on a command line.
package struct Element {
    /// What was written at that place.
    package enum Content {
        /// Nothing was written after the key.
        case empty
        case scalar(String)
        case list([Element])
        case map([Entry])
    }
    /// A key of a map with its value, and the line of the key; nil: there is no text with lines.
    package struct Entry {
        package var key: String
        package var line: Int?
        package var value: Element
        package init(key: String, line: Int? = nil, value: Element) { self.key = key; self.line = line; self.value = value }
    }
    package var line: Int?
    /// Where the piece stands, such as `guests[2].inbound`.
    package var path: String
    package var content: Content
    package init(line: Int? = nil, path: String, content: Content) { self.line = line; self.path = path; self.content = content }

    /// What was written there, in words for a message.
    var noun: String {
        switch content {
        case .empty: "nothing"
        case .scalar(let text): "'\(text.count > 40 ? text.prefix(40) + "..." : text)'"
        case .list: "a list"
        case .map: "a map"
        }
    }
}

/// Collects the problems that are found while a configuration is read or checked.
package struct ProblemList {
    package init() {}

    /// The most problems that are reported. A document with more has one mistake many times over, or was written to exhaust the daemon.
    static let most = 100

    private(set) var problems: [Problem] = []
    /// How many problems were found beyond these, and not kept.
    private(set) var more = 0

    package var isEmpty: Bool { problems.isEmpty }
    package var count: Int { problems.count + more }
    var isFull: Bool { problems.count >= Self.most }

    package mutating func add(_ problem: @autoclosure () -> Problem) {
        if isFull { more += 1 } else { problems.append(problem()) }
    }

    mutating func add(_ element: Element, _ sentence: @autoclosure () -> String) {
        add(Problem(element.path, sentence(), line: element.line))
    }

    /// An error with all kept problems and the number of the others. The list must not be empty.
    package func error(_ isBefore: (Problem, Problem) -> Bool = { _, _ in false }) -> ConfigurationError {
        ConfigurationError(all(isBefore))
    }

    package func all(_ isBefore: (Problem, Problem) -> Bool = { _, _ in false }) -> [Problem] {
        // The sort is stable: problems of one line stay in the order in which they were found.
        let sorted = problems.enumerated().sorted { isBefore($0.element, $1.element) || !isBefore($1.element, $0.element) && $0.offset < $1.offset }.map(\.element)
        return more == 0 ? sorted : sorted + [Problem("", "and \(more) more like these")]
    }
}

extension ProblemList {

    /// Reads a map's entries into `object`; a key that is none of `fields` is a problem.
    mutating func read<Object>(_ element: Element, into object: inout Object, _ fields: [Field<Object>], of noun: String) {
        guard let entries = entries(of: element, noun) else { return }
        for entry in entries {
            if let field = fields.first(where: { $0.key == entry.key }) {
                if let unset = field.unset, entry.value.isNone || entry.value.isDefault && !field.about.isText {
                    unset(&object)
                } else {
                    field.read(&object, entry.value, &self)
                }
            } else {
                unknown(entry, in: fields.map(\.key), of: noun)
            }
        }
    }

    mutating func unknown(_ entry: Element.Entry, in keys: [String], of noun: String) {
        add(Problem(entry.value.path, noKey(entry.key, of: noun, among: keys), line: entry.line))
    }

    mutating func entries(of element: Element, _ noun: String) -> [Element.Entry]? {
        switch element.content {
        case .map(let entries): return entries
        case .empty: return []
        default:
            add(element, "\(noun) is a map of keys and values, not \(element.noun)")
            return nil
        }
    }

    mutating func items(of element: Element, example: String) -> [Element]? {
        switch element.content {
        case .list(let items): return items
        case .empty: return []
        default:
            add(element, "expected a list, found \(element.noun): write \(example)")
            return nil
        }
    }

    mutating func text(_ element: Element, example: String) -> String? {
        guard case .scalar(let text) = element.content else {
            add(element, "expected one value, found \(element.noun): write \(example)")
            return nil
        }
        return text
    }

    mutating func quantity(_ element: Element, _ quantity: Quantity) -> UInt64? {
        guard let text = text(element, example: "a \(quantity.noun) such as \(quantity.example)") else { return nil }
        do {
            return try quantity.parse(text)
        } catch {
            add(element, error.description)
            return nil
        }
    }

    mutating func integer(_ element: Element, _ range: ClosedRange<Int>) -> Int? {
        let example = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let text = text(element, example: example) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            add(element, "'\(text)' is not \(example)")
            return nil
        }
        return value
    }

    mutating func flag(_ element: Element) -> Bool? {
        guard let text = text(element, example: "true or false") else { return nil }
        switch text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default:
            add(element, "'\(text)' is neither true nor false: write on or off")
            return nil
        }
    }

    mutating func mac(_ element: Element) -> MACAddress? {
        guard let text = text(element, example: "a MAC address such as 52:54:00:12:34:56") else { return nil }
        guard let mac = MACAddress(text) else {
            add(element, "'\(text)' is not a MAC address: write six octets, such as 52:54:00:12:34:56")
            return nil
        }
        return mac
    }

    mutating func choice<Value: RawRepresentable<String> & CaseIterable>(_ element: Element, _: Value.Type) -> Value? {
        let names = Value.allCases.map(\.rawValue).joined(separator: " or ")
        guard let text = text(element, example: names) else { return nil }
        guard let value = Value(rawValue: text.lowercased()) else {
            add(element, "'\(text)' is not \(names)")
            return nil
        }
        return value
    }
}

extension Element {
    /// Whether the value is the word `none`, which resets a value to its default.
    var isNone: Bool { isWord("none") }
    var isDefault: Bool { isWord("default") }

    private func isWord(_ word: String) -> Bool {
        if case .scalar(let text) = content { text.lowercased() == word } else { false }
    }
}
