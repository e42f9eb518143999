import CYaml

/// What libyaml found wrong with a document, in words for the person who wrote it: where it is, what stands there, and what to write instead.
struct YAMLFlaw {
    /// The line, counted from 1; nil: the flaw is at no particular place.
    let line: Int?
    let sentence: String

    /// - Parameters:
    ///   - parser: a parser that has just failed.
    ///   - text: the text that it read.
    init(_ parser: yaml_parser_t, _ text: UnsafeBufferPointer<UInt8>) {
        let problem = parser.problem.map { String(cString: $0) } ?? ""
        guard parser.error != YAML_READER_ERROR else {
            let (place, character) = Self.unreadable(parser, text)
            line = place.line
            sentence = "this is not YAML: column \(place.column): the control character U+\(character) stands here: take it away"
            return
        }
        let lines = Lines(text)
        // Where a key lacks its colon, libyaml reads on to the place where a colon can no longer come; the key itself is in the context mark.
        let isKey = problem.contains("could not find expected ':'")
        let mark = isKey ? parser.context_mark : parser.problem_mark
        let place = lines.within(Place(mark))
        line = place.line
        sentence = "this is not YAML: column \(place.column): \(Self.explain(problem, lines.rest(at: place), lines.whole(place.line), opened: parser.context_mark))"
    }

    /// - Parameters:
    ///   - rest: the line from the place of the flaw on; empty: the document has ended.
    ///   - whole: the whole line.
    ///   - opened: where the construct began in which the flaw is.
    private static func explain(_ problem: String, _ rest: String, _ whole: String, opened mark: yaml_mark_t) -> String {
        let opened = Place(mark), here = "line \(opened.line), column \(opened.column)"
        func unclosed(_ open: String, _ close: String) -> String {
            rest.isEmpty
                ? "the document ends, and the '\(open)' in \(here) is not closed: write '\(close)'"
                : "'\(rest)' stands before the '\(open)' in \(here) is closed: write '\(close)', or a ',' before another entry"
        }
        let isWithin = !whole.isEmpty && rest != whole
        switch problem {
        case "did not find expected key", "did not find expected '-' indicator":
            if rest.hasPrefix("]") || rest.hasPrefix("}") { return "'\(rest.prefix(1))' closes nothing: look for a bracket too many" }
            if isWithin { return "'\(rest)' stands behind a value that has ended: put all of a value in quotes, or give each key a line of its own" }
            let isMap = problem.hasSuffix("key"), begins = "begins in line \(opened.line) has its"
            return "'\(rest)' is indented as nothing above it: "
                + (isMap ? "the map that \(begins) keys at column \(opened.column)"
                    : "the list that \(begins) items at column \(opened.column), each behind a '-', and a key stands below the one beside it")
                + "; indent with spaces"
        case "did not find expected ',' or ']'": return unclosed("[", "]")
        case "did not find expected ',' or '}'": return unclosed("{", "}")
        case "found character that cannot start any token" where rest.hasPrefix("\t"), "found a tab character that violates indentation",
            "found a tab character where an indentation space is expected":
            return "a tab stands here: YAML is indented with spaces alone"
        case "found character that cannot start any token": return "no value begins with '\(rest.prefix(1))': put '\(rest)' in quotes"
        case "mapping values are not allowed in this context":
            return "the ': ' in '\(whole)' makes no key here: put a value that has one in quotes, give each key a line of its own, and look at the line before"
        case "could not find expected ':'":
            return "'\(rest)' stands where a key does, and has no ': ' behind it: write KEY: VALUE, with a space"
        case "block sequence entries are not allowed in this context":
            return "the list item '\(rest)' cannot stand here: begin it on a line of its own, below its key"
        case "found unexpected end of stream": return "the document ends, and the quote in \(here) is not closed: write another one"
        case "found unknown escape character", "did not find expected hexdecimal number", "found invalid Unicode character escape code":
            return "'\(rest)' is no escape that double quotes know: write two backslashes for one, or single quotes"
        case "did not find expected node content":
            return "\(rest.isEmpty ? "the document ends" : "'\(rest)' stands") where a value is expected: look for a bracket too many, or a value that is missing"
        case "did not find expected alphabetic or numeric character":
            return "a '*' or '&' begins an alias's name, and none follows: put a value that begins so in quotes"
        case "did not find expected <document start>":
            return "'\(rest)' stands behind the document's end: look for a bracket or an indentation too many"
        default:
            return "what stands here is not understood: look at the brackets, quotes and indentation of this line and the one before"
        }
    }

    private struct Place {
        /// Line and column, both counted from 1; columns count characters.
        var line: Int, column: Int
        init(_ mark: yaml_mark_t) { (line, column) = (mark.line + 1, mark.column + 1) }
        init(line: Int, column: Int) { (self.line, self.column) = (line, column) }
    }

    private struct Lines {
        let lines: [Substring]
        init(_ text: UnsafeBufferPointer<UInt8>) {
            let text = String(decoding: text, as: UTF8.self).unicodeScalars
            var found: [Substring] = [], begin = text.startIndex, place = begin
            while place < text.endIndex {
                let scalar = text[place]
                let end = place
                place = text.index(after: place)
                guard Self.breaks.contains(scalar) else { continue }
                if scalar == "\r", place < text.endIndex, text[place] == "\n" { place = text.index(after: place) }
                found.append(Substring(text[begin..<end]))
                begin = place
            }
            lines = found + [Substring(text[begin...])]
        }

        /// The characters that end a line for libyaml, which counts CR and LF in a row as one end (YAML 1.1, 4.2).
        private static let breaks: Set<Unicode.Scalar> = ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"]

        /// The place itself, or the end of the text if the place is behind it: where the last line has no end, libyaml tells of one more.
        func within(_ place: Place) -> Place {
            place.line <= lines.count ? place : Place(line: lines.count, column: lines[lines.count - 1].unicodeScalars.count + 1)
        }

        func whole(_ line: Int) -> String { shown(lines.indices.contains(line - 1) ? lines[line - 1] : "") }

        func rest(at place: Place) -> String {
            guard lines.indices.contains(place.line - 1) else { return "" }
            return shown(Substring(lines[place.line - 1].unicodeScalars.dropFirst(place.column - 1)))
        }

        /// The text without spaces at its ends, shortened. Tabs at the beginning stay, as they may be the flaw.
        private func shown(_ text: Substring) -> String {
            var text = text.drop { $0 == " " }
            while let last = text.last, last.isWhitespace { text.removeLast() }
            return text.count > 40 ? String(text.prefix(40)) + "..." : String(text)
        }
    }

    /// The character that no document may contain, by its number, and where it stands.
    private static func unreadable(_ parser: yaml_parser_t, _ text: UnsafeBufferPointer<UInt8>) -> (Place, String) {
        let before = Lines(UnsafeBufferPointer(rebasing: text[..<min(parser.problem_offset, text.count)])).lines
        let number = String(UInt32(truncatingIfNeeded: parser.problem_value), radix: 16, uppercase: true)
        return (Place(line: before.count, column: before[before.count - 1].unicodeScalars.count + 1), String(repeating: "0", count: max(4 - number.count, 0)) + number)
    }
}
