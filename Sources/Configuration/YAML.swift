import Yams

extension Model {
    /// Reads a YAML document. An empty document gives the empty model.
    ///
    /// The value of each key is checked, but not whether the values go together, which `problems` checks.
    /// - Parameter daemon: the daemon's settings if the document says nothing about them.
    /// - Throws: every problem in the document, with its line.
    public init(yaml: String, daemon: DaemonSettings = DaemonSettings()) throws(ConfigurationError) {
        var (element, problems) = try YAMLReader.read(yaml)
        self.init(element, daemon, &problems)
        if !problems.isEmpty { throw problems.error { ($0.line ?? 0) < ($1.line ?? 0) } }
    }

    /// Reads a YAML document and checks everything about it.
    /// - Parameter daemon: as at `init(yaml:daemon:)`.
    /// - Throws: every problem; those of the model as a whole have the line of the object that they name.
    public static func checked(yaml: String, daemon: DaemonSettings = DaemonSettings()) throws(ConfigurationError) -> Model {
        let model = try Model(yaml: yaml, daemon: daemon)
        var problems = model.problems
        guard problems.isEmpty else {
            let lines = (try? YAMLReader.read(yaml).element.lines) ?? [:]
            for index in problems.indices { problems[index].line = Element.line(of: problems[index].path, in: lines) }
            throw ConfigurationError(problems)
        }
        return model
    }

    /// Whether a document contains nothing at all, not even `{}`. Such a file may be one that is still to be written, or one that was cut off.
    public static func isBlank(yaml: String) -> Bool {
        guard let element = try? YAMLReader.read(yaml).element, case .empty = element.content else { return false }
        return true
    }

    /// A YAML document that reads back as this model.
    public var yaml: String {
        guard case .map(let entries) = document, !entries.isEmpty else { return "{}\n" }
        // A document contains only what YAML can express, so the emitter never fails.
        return (try? serialize(node: document.node(depth: 0), indent: 2, width: -1, allowUnicode: true)) ?? ""
    }
}

extension Document {
    /// Maps within list items, and lists of plain values, are written on one line; everything above them in blocks.
    fileprivate func node(depth: Int) -> Node {
        switch self {
        case .text(let text):
            let isPlain = !text.isEmpty && !Self.looksOtherwise(text)
            return .scalar(.init(text, Tag(.str), isPlain ? .any : .doubleQuoted))
        case .number(let value): return .scalar(.init(String(value)))
        case .flag(let value): return .scalar(.init(value ? "true" : "false"))
        case .list(let items):
            let style: Node.Sequence.Style = depth >= 2 ? .flow : .block
            return .sequence(.init(items.map { $0.node(depth: depth + 1) }, Tag(.implicit), style))
        case .map(let entries):
            let style: Node.Mapping.Style = depth >= 3 ? .flow : .block
            let pairs = entries.map { (Node.scalar(.init($0.key)), $0.value.node(depth: depth + 1)) }
            return .mapping(.init(pairs, Tag(.implicit), style))
        }
    }

    /// Whether a YAML reader would take the text, written without quotes, for something else than text.
    private static func looksOtherwise(_ text: String) -> Bool {
        if ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", "none"].contains(text.lowercased()) { return true }
        return text.allSatisfy { $0.isNumber || "+-.:_xXeE".contains($0) }
    }
}

extension Element {
    /// The line of every path.
    var lines: [String: Int] {
        var result: [String: Int] = [:]
        collectLines(&result)
        return result
    }

    private func collectLines(_ result: inout [String: Int]) {
        if let line { result[path] = line }
        switch content {
        case .list(let items): for item in items { item.collectLines(&result) }
        case .map(let entries):
            for entry in entries {
                entry.value.collectLines(&result)
                if let line = entry.line { result[entry.value.path] = line }
            }
        default: break
        }
    }

    /// The line of a path, or that of the innermost object around it that was written.
    static func line(of path: String, in lines: [String: Int]) -> Int? {
        var path = Substring(path)
        while !path.isEmpty {
            if let line = lines[String(path)] { return line }
            guard let cut = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { return nil }
            path = path[..<cut]
        }
        return nil
    }
}
