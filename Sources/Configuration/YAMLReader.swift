import CYaml

/// Reads one YAML document into elements. Limits are enforced while it is read, so that a document that is too deep or that stands for too many values is never
/// built. Keys must be plain values, so that no key has to be compared with a tree that aliases have made large.
package final class YAMLReader {
    /// The largest document, in bytes.
    static let largest = 16 << 20
    /// The most lists and maps within one another, including those that aliases stand for. A configuration has seven at most.
    static let deepest = 32
    /// The most keys and values in a document.
    static let mostValues = 2_000_000
    /// The most values that aliases may stand for, as a few lines of aliases can stand for any number of values.
    static let mostAliased = 100_000

    private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    private let text: UnsafeMutableBufferPointer<UInt8>
    /// The number of bytes in `text`.
    private let length: Int
    private var anchors: [String: Element] = [:]
    private var values = 0
    private var aliased = 0
    private var duplicates = ProblemList()

    private init(_ yaml: String) {
        text = .allocate(capacity: max(yaml.utf8.count, 1))
        length = text.initialize(fromContentsOf: Array(yaml.utf8))
        yaml_parser_initialize(parser)
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.baseAddress, length)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        text.deallocate()
    }

    /// Reads a document with other keys than a configuration's, within the same limits. An empty text gives an empty element.
    /// - Throws: what is wrong with the document, including keys that stand twice in a map.
    package static func element(_ yaml: String) throws(ConfigurationError) -> Element {
        let (element, duplicates) = try read(yaml)
        if !duplicates.isEmpty { throw duplicates.error() }
        return element
    }

    /// Reads the document, and collects keys that stand twice in a map. An empty text gives an empty element.
    static func read(_ yaml: String) throws(ConfigurationError) -> (element: Element, duplicates: ProblemList) {
        guard yaml.utf8.count <= largest else {
            throw ConfigurationError("", "this document is larger than \(largest >> 20) MiB: write a shorter one")
        }
        let reader = YAMLReader(yaml)
        _ = try reader.next()
        let begin = try reader.next()
        guard begin.kind != YAML_STREAM_END_EVENT else { return (Element(line: 1, path: "", content: .empty), ProblemList()) }
        let element = try reader.element(try reader.next(), path: "", depth: 0)
        _ = try reader.next()
        let end = try reader.next()
        guard end.kind == YAML_STREAM_END_EVENT else { throw Self.flaw("a second document begins here, and one is read: take it away", end.line) }
        return (element, reader.duplicates)
    }

    // MARK: Events

    /// The parts of a libyaml event that are used here.
    private struct Event {
        var kind: yaml_event_type_t
        var line: Int
        var anchor: String?
        /// The text of a scalar, or the name of an alias.
        var text = ""
        var isPlain = false
    }

    private func next() throws(ConfigurationError) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        var result = Event(kind: event.type, line: event.start_mark.line + 1)
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            result.anchor = Self.string(scalar.anchor)
            result.text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            result.isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
        case YAML_SEQUENCE_START_EVENT: result.anchor = Self.string(event.data.sequence_start.anchor)
        case YAML_MAPPING_START_EVENT: result.anchor = Self.string(event.data.mapping_start.anchor)
        case YAML_ALIAS_EVENT: result.text = Self.string(event.data.alias.anchor) ?? ""
        default: break
        }
        return result
    }

    private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? { text.map { String(cString: $0) } }

    private static func flaw(_ sentence: String, _ line: Int?) -> ConfigurationError {
        ConfigurationError([Problem("", sentence, line: line)])
    }

    private func failure() -> ConfigurationError {
        let flaw = YAMLFlaw(parser.pointee, UnsafeBufferPointer(rebasing: text[..<length]))
        return Self.flaw(flaw.sentence, flaw.line)
    }

    // MARK: Elements

    private func element(_ event: Event, path: String, depth: Int) throws(ConfigurationError) -> Element {
        try count(event)
        if event.kind == YAML_ALIAS_EVENT {
            guard let named = anchors[event.text] else { throw Self.flaw("this is not YAML: nothing before is called &\(event.text): put a value that begins with * in quotes", event.line) }
            return try copy(named, to: path, depth: depth, event.line)
        }
        let content: Element.Content
        switch event.kind {
        case YAML_SCALAR_EVENT:
            let isEmpty = event.isPlain && ["", "~", "null"].contains(event.text.lowercased())
            content = isEmpty ? .empty : .scalar(event.text)
        case YAML_SEQUENCE_START_EVENT:
            try check(depth, event.line)
            content = .list(try items(path, depth + 1))
        default:
            try check(depth, event.line)
            content = .map(try entries(path, depth + 1))
        }
        let element = Element(line: event.line, path: path, content: content)
        if let anchor = event.anchor { anchors[anchor] = element }
        return element
    }

    private func items(_ path: String, _ depth: Int) throws(ConfigurationError) -> [Element] {
        var items: [Element] = []
        var event = try next()
        while event.kind != YAML_SEQUENCE_END_EVENT {
            items.append(try element(event, path: "\(path)[\(items.count)]", depth: depth))
            event = try next()
        }
        return items
    }

    private func entries(_ path: String, _ depth: Int) throws(ConfigurationError) -> [Element.Entry] {
        var entries: [Element.Entry] = []
        var seen: Set<String> = []
        var key = try next()
        while key.kind != YAML_MAPPING_END_EVENT {
            guard key.kind == YAML_SCALAR_EVENT else { throw Self.flaw("a key must be a word, not a list, a map or an alias", key.line) }
            try count(key)
            let inner = path.isEmpty ? key.text : "\(path).\(key.text)"
            let value = try element(try next(), path: inner, depth: depth)
            if seen.insert(key.text).inserted {
                entries.append(Element.Entry(key: key.text, line: key.line, value: value))
            } else {
                duplicates.add(Problem(inner, "the key '\(key.text)' stands twice in this map: keep one", line: key.line))
            }
            key = try next()
        }
        return entries
    }

    /// A copy of the element that an alias stands for, with paths of the place where the alias is.
    private func copy(_ element: Element, to path: String, depth: Int, _ line: Int) throws(ConfigurationError) -> Element {
        aliased += 1
        guard aliased <= Self.mostAliased else {
            throw Self.flaw("aliases stand for more than \(Self.mostAliased) values here: write fewer aliases", line)
        }
        var result = element
        result.path = path
        switch element.content {
        case .empty, .scalar: break
        case .list(let items):
            try check(depth, line)
            var copies: [Element] = []
            for item in items { copies.append(try copy(item, to: "\(path)[\(copies.count)]", depth: depth + 1, line)) }
            result.content = .list(copies)
        case .map(let entries):
            try check(depth, line)
            var copies: [Element.Entry] = []
            for entry in entries {
                let value = try copy(entry.value, to: "\(path).\(entry.key)", depth: depth + 1, line)
                copies.append(Element.Entry(key: entry.key, line: entry.line, value: value))
            }
            result.content = .map(copies)
        }
        return result
    }

    // MARK: Limits

    private func count(_ event: Event) throws(ConfigurationError) {
        values += 1
        guard values <= Self.mostValues else {
            throw Self.flaw("this document has more than \(Self.mostValues) keys and values: write fewer", event.line)
        }
    }

    private func check(_ depth: Int, _ line: Int) throws(ConfigurationError) {
        guard depth < Self.deepest else { throw Self.flaw("lists and maps are more than \(Self.deepest) deep here", line) }
    }
}
