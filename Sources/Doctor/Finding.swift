/// One thing that the doctor has looked at.
public struct Finding: Equatable, Sendable {
    public enum Kind: String, Equatable, Sendable, CaseIterable {
        case fine
        /// The switch works, but not as well as it could.
        case advice
        /// Something does not work, or will not.
        case wrong
    }

    public var kind: Kind
    /// What it is about, in a word or two.
    public var subject: String
    /// What is so, as a sentence without its full stop.
    public var sentence: String
    /// The command or the change that mends it; nil: nothing has to be mended, or the sentence says how.
    public var remedy: String?

    public init(_ kind: Kind, _ subject: String, _ sentence: String, remedy: String? = nil) {
        self.kind = kind
        self.subject = subject
        self.sentence = sentence
        self.remedy = remedy
    }
}
