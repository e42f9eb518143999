import Packet

/// A piece of a configuration as it was written, whether in YAML, in XML or in words on a command line.
package struct Element {
    package enum Content {
        /// Nothing after the key.
        case empty
        case scalar(String)
        case list([Element])
        case map([Entry])
    }
    package struct Entry {
        package var key: String
        package var line: Int?
        package var value: Element
        package init(key: String, line: Int? = nil, value: Element) { self.key = key; self.line = line; self.value = value }
    }
    package var line: Int?
    /// As `guests[2].inbound`.
    package var path: String
    package var content: Content
    package init(line: Int? = nil, path: String, content: Content) { self.line = line; self.path = path; self.content = content }

    /// For messages: what stands there.
    var noun: String {
        switch content {
        case .empty: "nothing"
        case .scalar(let text): "'\(text.count > 40 ? text.prefix(40) + "..." : text)'"
        case .list: "a list"
        case .map: "a map"
        }
    }
}

/// What reading collects.
package struct ProblemList {
    package init() {}

    /// So many are told; whoever has more has one mistake many times, or means no good.
    static let most = 100

    private(set) var problems: [Problem] = []
    /// Found, and not told.
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

    /// All that was found, and how much more there is; not to be asked of an empty list.
    package func error(_ isBefore: (Problem, Problem) -> Bool = { _, _ in false }) -> ConfigurationError {
        ConfigurationError(all(isBefore))
    }

    package func all(_ isBefore: (Problem, Problem) -> Bool = { _, _ in false }) -> [Problem] {
        // Stable: problems of one line stay in their order.
        let sorted = problems.enumerated().sorted { isBefore($0.element, $1.element) || !isBefore($1.element, $0.element) && $0.offset < $1.offset }.map(\.element)
        return more == 0 ? sorted : sorted + [Problem("", "and \(more) more like these")]
    }
}

extension ProblemList {

    /// Reads a map's entries into `object`; unknown keys are problems.
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
    /// `none` unsets what may be absent.
    var isNone: Bool { isWord("none") }
    var isDefault: Bool { isWord("default") }

    private func isWord(_ word: String) -> Bool {
        if case .scalar(let text) = content { text.lowercased() == word } else { false }
    }
}
