import Yams

extension Model {
    /// Reads a YAML document; every problem in it is told, with its line. An empty document is the empty model.
    ///
    /// What the keys say is checked, not whether they go together: that is `problems`.
    /// - Parameter daemon: the daemon's settings if the document says nothing of them.
    public init(yaml: String, daemon: DaemonSettings = DaemonSettings()) throws(ConfigurationError) {
        let (element, duplicates) = try Element.parse(yaml)
        var problems = ProblemList()
        self.init(element, daemon, &problems)
        let all = (duplicates + problems.problems).sorted { ($0.line ?? 0) < ($1.line ?? 0) }
        if !all.isEmpty { throw ConfigurationError(all) }
    }

    /// Reads a YAML document and checks everything about it. Problems of the whole carry the line of the object they name.
    /// - Parameter daemon: as at `init(yaml:daemon:)`.
    public static func checked(yaml: String, daemon: DaemonSettings = DaemonSettings()) throws(ConfigurationError) -> Model {
        let model = try Model(yaml: yaml, daemon: daemon)
        var problems = model.problems
        guard problems.isEmpty else {
            let lines = (try? Element.parse(yaml).element.lines) ?? [:]
            for index in problems.indices { problems[index].line = Element.line(of: problems[index].path, in: lines) }
            throw ConfigurationError(problems)
        }
        return model
    }

    /// A document that reads back as this model.
    public var yaml: String {
        guard case .map(let entries) = document, !entries.isEmpty else { return "{}\n" }
        // Documents are made of what YAML can say, so the emitter has nothing to refuse.
        return (try? serialize(node: document.node(depth: 0), indent: 2, width: -1, allowUnicode: true)) ?? ""
    }
}

extension Document {
    /// Maps within list items, and lists of plain values, are written on one line.
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

    /// Whether YAML readers would take a plain scalar for something else than text.
    private static func looksOtherwise(_ text: String) -> Bool {
        if ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", "none"].contains(text.lowercased()) { return true }
        return text.allSatisfy { $0.isNumber || "+-.:_xXeE".contains($0) }
    }
}

extension Element {
    /// Marks one of two equal keys, so that the document can be read on; a private-use character no key has.
    private static let duplicateMark: Unicode.Scalar = "\u{E0FE}"

    /// The document, and keys that stand twice in a map.
    static func parse(_ yaml: String) throws(ConfigurationError) -> (element: Element, duplicates: [Problem]) {
        var text = yaml
        for _ in 0..<32 {
            let (node, duplicate) = try compose(text)
            if let duplicate, let marked = marking(duplicate, in: text) { text = marked; continue }
            if let duplicate {
                throw ConfigurationError([Problem("", "a key stands twice in one map: keep one", line: duplicate.line)])
            }
            guard let node else { return (Element(line: 1, path: "", content: .empty), []) }
            var walk = Walk()
            let element = Element(node, path: "", &walk)
            if walk.budget < 0 { throw ConfigurationError("", "this document has more than \(Walk.most) values: write fewer, or fewer aliases") }
            return (element, walk.duplicates)
        }
        throw ConfigurationError("", "more than 32 keys stand twice in one map")
    }

    /// The node tree; or where a duplicate key stands.
    private static func compose(_ yaml: String) throws(ConfigurationError) -> (Node?, Mark?) {
        do {
            // Without rules every scalar is text, and what it means is for the key to say.
            return (try Parser(yaml: yaml, resolver: .basic).singleRoot(), nil)
        } catch YamlError.duplicatedKeysInMapping(_, let context) {
            return (nil, context.mark)
        } catch YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _)
        {
            let tab = problem.contains("cannot start any token") ? " (YAML is indented with spaces, not tabs)" : ""
            throw ConfigurationError([Problem("", "this is not YAML: \(problem)\(tab)", line: mark.line)])
        } catch YamlError.reader(let problem, _, _, _) {
            throw ConfigurationError("", "this is not YAML: \(problem)")
        } catch {
            throw ConfigurationError("", "this is not YAML: \(error)")
        }
    }

    private static func marking(_ mark: Mark, in yaml: String) -> String? {
        var line = 1
        var scalars = yaml.unicodeScalars
        var index = scalars.startIndex
        while line < mark.line, index < scalars.endIndex {
            if scalars[index] == "\n" { line += 1 }
            index = scalars.index(after: index)
        }
        guard line == mark.line,
            let position = scalars.index(index, offsetBy: mark.column - 1, limitedBy: scalars.endIndex)
        else { return nil }
        scalars.insert(duplicateMark, at: position)
        return String(scalars)
    }

    /// What is collected on the way through a document.
    private struct Walk {
        /// Aliases can make a short text stand for any number of values.
        static let most = 2_000_000
        var budget = Self.most
        var duplicates: [Problem] = []
    }

    private init(_ node: Node, path: String, _ walk: inout Walk) {
        self.path = path
        line = node.mark?.line
        walk.budget -= 1
        guard walk.budget >= 0 else { content = .empty; return }
        switch node {
        case .scalar(let scalar):
            let isEmpty = scalar.style == .plain && ["", "~", "null"].contains(scalar.string.lowercased())
            content = isEmpty ? .empty : .scalar(scalar.string)
        case .sequence(let sequence):
            var items: [Element] = []
            for (index, item) in sequence.enumerated() where walk.budget >= 0 {
                items.append(Element(item, path: "\(path)[\(index)]", &walk))
            }
            content = .list(items)
        case .mapping(let mapping):
            var entries: [Entry] = []
            var seen: Set<String> = []
            for (keyNode, value) in mapping where walk.budget >= 0 {
                var key = keyNode.scalar?.string ?? "?"
                if key.unicodeScalars.first == Self.duplicateMark {
                    key.unicodeScalars.removeAll { $0 == Self.duplicateMark }
                    key = key.trimmingQuotes
                }
                let inner = path.isEmpty ? key : "\(path).\(key)"
                if !seen.insert(key).inserted {
                    let sentence = "the key '\(key)' stands twice in this map: keep one"
                    walk.duplicates.append(Problem(inner, sentence, line: keyNode.mark?.line))
                } else {
                    entries.append(Entry(key: key, line: keyNode.mark?.line, value: Element(value, path: inner, &walk)))
                }
            }
            content = .map(entries)
        case .alias:
            content = .empty
        }
    }

    /// Every path's line.
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

    /// The line of a path, or of the innermost thing around it that was written.
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

extension String {
    /// A quoted key whose opening quote was marked reads as plain text, quotes included.
    fileprivate var trimmingQuotes: String {
        guard count >= 2, let first, first == last, first == "\"" || first == "'" else { return self }
        return String(dropFirst().dropLast())
    }
}
