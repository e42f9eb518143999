import Configuration
import ControlAPI

/// Checks that errors are written for people.
func check(_ error: ConfigurationError, lines: Int? = nil) {
    claim(!error.problems.isEmpty && error.problems.count <= 101, "an error has 1 to 100 problems, and a sentence about more: \(error.problems.count)")
    for problem in error.problems {
        check(sentence: problem.sentence)
        if let line = problem.line, let lines { claim((1...lines).contains(line), "the line of a problem is one of the document's \(lines): \(problem)") }
    }
}

func check(_ error: RPCError) {
    claim(error.code <= -32_000 && error.code >= -32_700, "the code is one of JSON-RPC's: \(error.code)")
    check(sentence: error.message)
}

func check(sentence: String) {
    claim(sentence.utf8.count > 8 && sentence.contains(" "), "an error is a sentence: '\(sentence)'")
    claim(sentence.utf8.count <= 300_000, "a sentence is short: it has \(sentence.utf8.count) bytes")
    for inside in ["Optional(", "Swift.", "codingPath", "debugDescription", "Error Domain="] {
        claim(!sentence.contains(inside), "an error does not show its insides: '\(sentence)'")
    }
}

/// The number of lines of a text, at least 1. YAML ends lines at CR, LF, CR LF, NEL, LS and PS.
func lineCount(_ text: String) -> Int { text.count { ["\n", "\r", "\r\n", "\u{85}", "\u{2028}", "\u{2029}"].contains($0) } + 1 }
