/// One thing wrong with a configuration: where it stands, and a sentence that says what to write instead.
public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    /// Line in the YAML text, from 1; nil where there is no text.
    public var line: Int?
    /// As `guests[2].inbound.floor`; empty for the document as a whole.
    public var path: String
    public var sentence: String

    public init(_ path: String, _ sentence: String, line: Int? = nil) {
        self.path = Self.bounded(path)
        self.sentence = Self.bounded(sentence)
        self.line = line
    }

    /// What was written stands in sentences, and may be as long as a document.
    private static func bounded(_ text: String) -> String {
        text.utf8.count <= 2_000 ? text : "\(text.prefix(1_000)) ... \(text.suffix(200))"
    }

    /// `line 12: guests[2].inbound.floor: rate 500 has no unit: write 500mbit`
    public var description: String {
        [line.map { "line \($0)" }, path.isEmpty ? nil : path, sentence].compactMap { $0 }.joined(separator: ": ")
    }
}

/// Everything wrong with a configuration or a change; never empty.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    public var problems: [Problem]

    public init(_ problems: [Problem]) { self.problems = problems }
    public init(_ path: String, _ sentence: String) { self.init([Problem(path, sentence)]) }

    /// One problem a line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
