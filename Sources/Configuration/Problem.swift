/// One thing that is wrong with a configuration: where it stands, and a sentence that says what to write instead.
public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line in the YAML text, counted from 1; nil if there is no text.
    public var line: Int?
    /// Where the problem stands, such as `guests[2].inbound.floor`; empty: in the document as a whole.
    public var path: String
    public var sentence: String

    public init(_ path: String, _ sentence: String, line: Int? = nil) {
        self.path = Self.bounded(path)
        self.sentence = Self.bounded(sentence)
        self.line = line
    }

    /// Sentences quote what was written, which may be as long as a whole document, so they are cut.
    private static func bounded(_ text: String) -> String {
        text.utf8.count <= 2_000 ? text : "\(text.prefix(1_000)) ... \(text.suffix(200))"
    }

    /// Place and sentence on one line, such as `line 12: guests[2].inbound.floor: rate 500 has no unit: write 500mbit`.
    public var description: String {
        [line.map { "line \($0)" }, path.isEmpty ? nil : path, sentence].compactMap { $0 }.joined(separator: ": ")
    }
}

/// Everything that is wrong with a configuration or a change; there is at least one problem.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    public var problems: [Problem]

    public init(_ problems: [Problem]) { self.problems = problems }
    public init(_ path: String, _ sentence: String) { self.init([Problem(path, sentence)]) }

    /// The problems, one on each line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
