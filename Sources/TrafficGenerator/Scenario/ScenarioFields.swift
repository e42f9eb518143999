import Configuration
import Packet

/// One map of the document, with typed access to its values. Keys that nobody reads are refused.
struct ScenarioFields {
    let path: String
    private let values: [String: Element]

    init(_ element: Element, _ path: String, keys: [String]) throws(ScenarioError) {
        guard case .map(let entries) = element.content else {
            throw ScenarioError("\(Self.place(element.line))\(path) must be a set of `key: value` lines with keys among \(keys.joined(separator: ", "))")
        }
        self.path = path
        for entry in entries where !keys.contains(entry.key) {
            throw ScenarioError("\(Self.place(entry.line))\(path) has no key `\(entry.key)`; it takes \(keys.joined(separator: ", "))")
        }
        values = Dictionary(entries.map { ($0.key, $0.value) }) { first, _ in first }
    }

    static func place(_ line: Int?) -> String { line.map { "line \($0): " } ?? "" }

    private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    private func refuse(_ key: String, _ element: Element, _ wanted: String) -> ScenarioError {
        let value = element.text.map { "`\($0)`" } ?? "a list or mapping"
        return ScenarioError("\(Self.place(element.line))\(name(key)) is \(value), but must be \(wanted)")
    }

    func node(_ key: String) -> Element? { values[key] }

    func parsed<Value>(_ key: String, _ wanted: String, _ read: (String) -> Value?) throws(ScenarioError) -> Value? {
        guard let node = node(key) else { return nil }
        guard let text = node.text, let value = read(text) else { throw refuse(key, node, wanted) }
        return value
    }

    func required<Value>(_ key: String, _ value: Value?) throws(ScenarioError) -> Value {
        guard let value else { throw ScenarioError("\(path) needs `\(key)`") }
        return value
    }

    func text(_ key: String) throws(ScenarioError) -> String? { try parsed(key, "a word") { $0.isEmpty ? nil : $0 } }

    func integer(_ key: String, _ range: ClosedRange<Int>) throws(ScenarioError) -> Int? {
        try parsed(key, "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            let value = text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
            return value.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func flag(_ key: String) throws(ScenarioError) -> Bool? {
        try parsed(key, "`true` or `false`") { ["true": true, "yes": true, "false": false, "no": false][$0.lowercased()] }
    }

    func time(_ key: String) throws(ScenarioError) -> UInt64? {
        try parsed(key, Quantity.acceptedDuration, Quantity.nanoseconds)
    }

    func rate(_ key: String) throws(ScenarioError) -> Rate? { try parsed(key, Rate.accepted) { Rate($0) } }

    /// A rate in bit/s.
    func bits(_ key: String) throws(ScenarioError) -> UInt64? {
        try parsed(key, "a rate in bits with its unit (500mbit, 2.5gbit)") { text in
            if case .bits(let bits) = Rate(text) { bits } else { nil }
        }
    }

    func fraction(_ key: String) throws(ScenarioError) -> Double? { try parsed(key, "a percentage (1%, 0.5%)", Quantity.fraction) }

    func mac(_ key: String) throws(ScenarioError) -> MACAddress? {
        try parsed(key, "a MAC address (52:54:00:00:00:01)") { MACAddress($0) }
    }

    /// A list, or a single item that stands for a list of one.
    func list(_ key: String) throws(ScenarioError) -> [String]? {
        guard let node = node(key) else { return nil }
        if let text = node.text { return [text] }
        guard case .list(let items) = node.content else { throw refuse(key, node, "a list") }
        var texts: [String] = []
        for item in items {
            guard let text = item.text else { throw refuse(key, node, "a list of words") }
            texts.append(text)
        }
        return texts
    }

    func items(_ key: String) throws(ScenarioError) -> [Element] {
        guard let node = node(key) else { return [] }
        guard case .list(let items) = node.content else { throw refuse(key, node, "a list (lines that start with `- `)") }
        return items
    }
}

extension Element {
    /// The text of a scalar; nil: the element is a list or a map.
    fileprivate var text: String? {
        switch content {
        case .empty: ""
        case .scalar(let text): text
        case .list, .map: nil
        }
    }
}
