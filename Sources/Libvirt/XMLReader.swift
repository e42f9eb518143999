/// A parser for XML documents without a document type declaration. It reads a document in one pass and enforces its limits on the way, so that a document that
/// is too large or too deep is refused before a tree of it is built.
///
/// The XML comes from anyone who may define a domain, and root reads it. Foundation's parser is not used because it ends the process at an empty processing
/// instruction, expands entities and says little about what is wrong. libvirt's XML needs no more than what is implemented here.
struct XMLReader {
    /// The largest document in bytes: the longest string that libvirt transmits (rpc/virnetprotocol.x, VIR_NET_MESSAGE_STRING_MAX).
    static let largest = 4 << 20
    /// The greatest depth of nested elements. A domain's XML is about ten deep.
    static let deepest = 64
    static let mostElements = 100_000

    private let bytes: [UInt8]
    private var place = 0
    /// The last place whose line was asked for, and the line, so that the next count begins there.
    private var counted = (place: 0, line: 1)
    private var open: [Open] = []
    private var elements = 0
    /// For each prefix the namespaces that it is declared for, the innermost last. The empty prefix stands for the default namespace.
    private var namespaces: [String: [String]] = ["xml": [XMLReader.xmlNamespace]]

    private static let xmlNamespace = "http://www.w3.org/XML/1998/namespace"
    static let advice = "pass what virsh dumpxml or virsh net-dumpxml prints"

    /// An element whose end has not been read yet.
    private struct Open {
        var tree: XMLTree
        /// The name with its prefix, as it is written.
        var name: Substring
        var prefixes: [String]
        var text: [UInt8] = []
    }

    init(_ bytes: [UInt8]) throws(XMLFlaw) {
        self.bytes = bytes
        guard bytes.count <= Self.largest else { throw flaw("this document is larger than \(Self.largest >> 20) MiB, as none of libvirt's is: \(Self.advice)") }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw flaw("this is not UTF-8, in which libvirt writes: convert it, or \(Self.advice)") }
        for (index, byte) in bytes.enumerated() {
            let isForbidden =
                byte < 0x20 && !Self.isSpace(byte) || byte == 0xef && index + 2 < bytes.count && bytes[index + 1] == 0xbf && bytes[index + 2] >= 0xbe
            if isForbidden { throw flaw("a character stands here that XML does not have: take it away", at: index) }
        }
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { place = 3 }
    }

    // MARK: The document

    mutating func document() throws(XMLFlaw) -> XMLTree {
        if begins("<?xml"), place + 5 < bytes.count, Self.isSpace(bytes[place + 5]) { try declaration() }
        try miscellany()
        if begins("<!") {
            throw flaw("a document type is declared here, and with it what entities stand for: libvirt's XML has none, take it away")
        }
        guard begins("<") else {
            throw flaw(place == bytes.count ? "there is no XML here: \(Self.advice)" : "text stands here where an element has to: \(Self.advice)")
        }
        var root: XMLTree?
        repeat { root = try content() } while root == nil
        try miscellany()
        if place < bytes.count { throw flaw("something stands behind the end of the document: take it away, or \(Self.advice)") }
        return root!
    }

    /// Reads the XML declaration, `<?xml version="1.0" encoding="UTF-8"?>`.
    private mutating func declaration() throws(XMLFlaw) {
        place += 5
        var said: [String: String] = [:]
        while true {
            let hasSpace = skipSpace()
            if begins("?>") { break }
            guard hasSpace, place < bytes.count else { throw flaw("the declaration has no end: write <?xml version='1.0' encoding='UTF-8'?>") }
            let (key, value) = try attribute()
            if said.updateValue(value, forKey: String(key)) != nil { throw flaw("'\(key)' stands twice in the declaration: write it once") }
        }
        if let encoding = said["encoding"], !["utf-8", "us-ascii"].contains(encoding.lowercased()) {
            throw flaw("the encoding \(encoding.prefix(40)) is not read here: write UTF-8, as libvirt does")
        }
        guard let version = said["version"]?.utf8, version.starts(with: "1.".utf8), version.count > 2,
            version.dropFirst(2).allSatisfy({ (0x30...0x39).contains($0) }),
            said.keys.allSatisfy(["version", "encoding", "standalone"].contains)
        else {
            throw flaw("this is no declaration of XML 1.0: write <?xml version='1.0' encoding='UTF-8'?>")
        }
        place += 2
    }

    /// Skips what may stand before and after the root element: white space, comments and processing instructions.
    private mutating func miscellany() throws(XMLFlaw) {
        while true {
            skipSpace()
            if begins("<?") { try instruction() } else if begins("<!--") { try comment() } else { return }
        }
    }

    // MARK: Elements

    /// Reads the next text, comment, CDATA section, processing instruction, start tag or end tag.
    /// - Returns: the root if this has ended it; otherwise nil.
    private mutating func content() throws(XMLFlaw) -> XMLTree? {
        guard place < bytes.count else {
            throw flaw(
                "the document ends before its elements do: \(open.last.map { "<\($0.name.prefix(40))> of line \($0.tree.line) has no end" } ?? Self.advice)")
        }
        if bytes[place] != UInt8(ascii: "<") {
            try text()
        } else if begins("</") {
            return try end()
        } else if begins("<!--") {
            try comment()
        } else if begins("<![CDATA[") {
            place += 9
            let begin = place
            try skip(behind: "]]>", "a <![CDATA[ has no end: write ]]>")
            add(bytes[begin..<place - 3])
        } else if begins("<?") {
            try instruction()
        } else if begins("<!") {
            throw flaw("a declaration stands here, and libvirt's XML has none: take it away")
        } else {
            return try start()
        }
        return nil
    }

    private mutating func start() throws(XMLFlaw) -> XMLTree? {
        elements += 1
        if elements > Self.mostElements { throw flaw("this document has more than \(Self.mostElements) elements, as none of libvirt's has: \(Self.advice)") }
        if open.count >= Self.deepest { throw flaw("elements stand more than \(Self.deepest) deep within one another here: \(Self.advice)") }
        let line = line()
        place += 1
        let name = try self.name()
        var prefixes: [String] = [], attributes: [String: String] = [:], seen: Set<Substring> = []
        var isEmpty = false
        while true {
            let hasSpace = skipSpace()
            if begins(">") { place += 1; break }
            if begins("/>") { place += 2; isEmpty = true; break }
            guard place < bytes.count else { throw flaw("the document ends within <\(name.prefix(40))>: \(Self.advice)") }
            guard hasSpace else { throw flaw("a blank is missing between what stands in <\(name.prefix(40))>: write one") }
            let (key, value) = try attribute()
            guard seen.insert(key).inserted else { throw flaw("the attribute '\(key.prefix(40))' stands twice in <\(name.prefix(40))>: write it once") }
            guard let prefix = Self.declared(key) else { attributes[String(key)] = value; continue }
            try check(value, isFor: prefix)
            namespaces[prefix, default: []].append(value)
            prefixes.append(prefix)
        }
        try checkPrefixes(attributes)
        let (prefix, local) = try parts(name)
        let namespace = try namespace(prefix)
        open.append(Open(tree: XMLTree(name: String(local), namespace: namespace, attributes: attributes, line: line), name: name, prefixes: prefixes))
        return isEmpty ? close() : nil
    }

    private mutating func end() throws(XMLFlaw) -> XMLTree? {
        place += 2
        let name = try self.name()
        skipSpace()
        guard begins(">") else { throw flaw("</\(name.prefix(40))> has no end: write >") }
        guard let last = open.last else { throw flaw("</\(name.prefix(40))> ends what has not begun: take it away") }
        guard last.name == name else {
            throw flaw(
                "</\(name.prefix(40))> stands where <\(last.name.prefix(40))> of line \(last.tree.line) has to end first:"
                    + " write </\(last.name.prefix(40))> before it"
            )
        }
        place += 1
        return close()
    }

    private mutating func close() -> XMLTree? {
        var last = open.removeLast()
        for prefix in last.prefixes { namespaces[prefix]?.removeLast() }
        let text = Self.trimmed(last.text)
        if !text.isEmpty { last.tree.text = String(decoding: text, as: UTF8.self) }
        if open.isEmpty { return last.tree }
        open[open.count - 1].tree.children.append(last.tree)
        return nil
    }

    // MARK: Namespaces

    /// The prefix that an attribute of this name declares a namespace for; empty for the default namespace, and nil if it is not a declaration.
    private static func declared(_ key: Substring) -> String? {
        if key == "xmlns" { return "" }
        return key.hasPrefix("xmlns:") ? String(key.dropFirst(6)) : nil
    }

    private mutating func check(_ value: String, isFor prefix: String) throws(XMLFlaw) {
        let isOfXML = value == Self.xmlNamespace
        if prefix == "xmlns" || value == "http://www.w3.org/2000/xmlns/" || isOfXML != (prefix == "xml") || value.isEmpty && !prefix.isEmpty
            || prefix.contains(":")
        {
            throw flaw("xmlns\(prefix.isEmpty ? "" : ":\(prefix.prefix(40))")='\(value.prefix(40))' declares what cannot be declared: take it away")
        }
    }

    private mutating func parts(_ name: Substring) throws(XMLFlaw) -> (prefix: Substring, local: Substring) {
        guard let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) else { return ("", name) }
        let prefix = name[..<colon], local = name[name.utf8.index(after: colon)...]
        guard !prefix.isEmpty, let first = local.unicodeScalars.first, Self.mayBegin(first), !local.utf8.contains(UInt8(ascii: ":")) else {
            throw flaw("'\(name.prefix(40))' is no name with a prefix: write prefix:name, or a name")
        }
        return (prefix, local)
    }

    private mutating func namespace(_ prefix: Substring) throws(XMLFlaw) -> String {
        if let namespace = namespaces[String(prefix)]?.last { return namespace }
        if prefix.isEmpty { return "" }
        throw flaw("nothing declares the prefix '\(prefix.prefix(40))': write xmlns:\(prefix.prefix(40))='...' at this element or one around it")
    }

    /// Checks that the prefixes of attributes are declared, and that no two attributes have the same name in the same namespace by different prefixes.
    private mutating func checkPrefixes(_ attributes: [String: String]) throws(XMLFlaw) {
        var seen: Set<[String]> = []
        for key in attributes.keys where key.utf8.contains(UInt8(ascii: ":")) {
            let (prefix, local) = try parts(key[...])
            guard seen.insert([try namespace(prefix), String(local)]).inserted else {
                throw flaw("the attribute '\(key.prefix(40))' stands twice by its namespace: write it once")
            }
        }
    }

    // MARK: Names, attributes and text

    private mutating func name() throws(XMLFlaw) -> Substring {
        let begin = place
        while place < bytes.count, bytes[place] >= 0x80 || Self.isOfName(bytes[place]) { place += 1 }
        let name = String(decoding: bytes[begin..<place], as: UTF8.self)[...]
        guard let first = name.unicodeScalars.first, Self.mayBegin(first) || first == ":", name.unicodeScalars.allSatisfy(Self.mayFollow) else {
            place = begin
            throw flaw("a name has to stand here: \(Self.advice)")
        }
        return name
    }

    /// Reads an attribute, `key='value'`. White space in the value becomes blanks (XML 1.0, 3.3.3).
    private mutating func attribute() throws(XMLFlaw) -> (key: Substring, value: String) {
        let key = try name()
        skipSpace()
        guard begins("=") else { throw flaw("'\(key.prefix(40))' has no value: write \(key.prefix(40))='...'") }
        place += 1
        skipSpace()
        guard begins("'") || begins("\"") else { throw flaw("the value of '\(key.prefix(40))' stands in no quotes: write \(key.prefix(40))='...'") }
        let quote = bytes[place]
        place += 1
        var value: [UInt8] = []
        while true {
            guard place < bytes.count else { throw flaw("the value of '\(key.prefix(40))' has no end: write the quote that it begins with") }
            let byte = bytes[place]
            switch byte {
            case quote:
                place += 1
                return (key, String(decoding: value, as: UTF8.self))
            case UInt8(ascii: "&"): value += try reference()
            case UInt8(ascii: "<"): throw flaw("< stands in the value of '\(key.prefix(40))': write &lt;, or end the value before it")
            default:
                // CR LF counts as one end of line and becomes one blank.
                if !(byte == 0x0d && place + 1 < bytes.count && bytes[place + 1] == 0x0a) { value.append(Self.isSpace(byte) ? 0x20 : byte) }
                place += 1
            }
        }
    }

    private mutating func text() throws(XMLFlaw) {
        while place < bytes.count, bytes[place] != UInt8(ascii: "<") {
            if bytes[place] == UInt8(ascii: "&") {
                let text = try reference()
                open[open.count - 1].text += text
                continue
            }
            if begins("]]>") { throw flaw("]]> stands in a text: write ]]&gt;") }
            let begin = place
            while place < bytes.count, ![UInt8(ascii: "<"), UInt8(ascii: "&"), UInt8(ascii: "]")].contains(bytes[place]) { place += 1 }
            if place == begin { place += 1 }
            add(bytes[begin..<place])
        }
    }

    /// Adds text to the innermost open element. CR LF and CR become LF (XML 1.0, 2.11).
    private mutating func add(_ text: ArraySlice<UInt8>) {
        for index in text.indices where text[index] != 0x0d || index + 1 == bytes.count || bytes[index + 1] != 0x0a {
            open[open.count - 1].text.append(text[index] == 0x0d ? 0x0a : text[index])
        }
    }

    /// Reads a reference such as `&lt;` or `&#60;` and returns the character that it stands for, in UTF-8.
    private mutating func reference() throws(XMLFlaw) -> [UInt8] {
        let begin = place + 1
        // The longest useful reference is &#x10FFFF;, and leading zeros may make it longer; the search for its end is bounded.
        var end = begin
        while end < bytes.count, end - begin < 64, bytes[end] != UInt8(ascii: ";") { end += 1 }
        guard end < bytes.count, bytes[end] == UInt8(ascii: ";") else { throw flaw("& stands here alone: write &amp;") }
        let name = String(decoding: bytes[begin..<end], as: UTF8.self)
        let standard: [String: Character] = ["lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": "\""]
        if let character = standard[name] {
            place = end + 1
            return Array(String(character).utf8)
        }
        guard name.hasPrefix("#") else { throw flaw("nothing declares the entity &\(name.prefix(40));: write the text that it stands for") }
        let isHex = name.hasPrefix("#x"), digits = name.dropFirst(isHex ? 2 : 1)
        guard let first = digits.first, first.isHexDigit, let value = UInt32(digits, radix: isHex ? 16 : 10), let scalar = Unicode.Scalar(value),
            Self.isCharacter(scalar)
        else {
            throw flaw("&\(name.prefix(40)); stands for no character that XML has: take it away")
        }
        place = end + 1
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func comment() throws(XMLFlaw) {
        place += 4
        try skip(behind: "--", "a comment has no end: write -->")
        guard begins(">") else { throw flaw("-- stands in a comment: write something else") }
        place += 1
    }

    /// Skips a processing instruction, `<?target ...?>`.
    private mutating func instruction() throws(XMLFlaw) {
        place += 2
        let target = try name()
        if target.utf8.contains(UInt8(ascii: ":")) { throw flaw("'\(target.prefix(40))' has a colon, which no instruction's name has: take it away") }
        if target.lowercased() == "xml" { throw flaw("the declaration stands elsewhere than at the very beginning: take it away") }
        guard begins("?>") || place < bytes.count && Self.isSpace(bytes[place]) else { throw flaw("<?\(target.prefix(40)) has no end: write ?>") }
        try skip(behind: "?>", "<?\(target.prefix(40)) has no end: write ?>")
    }

    // MARK: Octets

    private func begins(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard place + length <= bytes.count else { return false }
        for index in 0..<length where bytes[place + index] != text.utf8Start[index] { return false }
        return true
    }

    @discardableResult private mutating func skipSpace() -> Bool {
        let begin = place
        while place < bytes.count, Self.isSpace(bytes[place]) { place += 1 }
        return place > begin
    }

    private mutating func skip(behind mark: StaticString, _ sentence: String) throws(XMLFlaw) {
        let begin = place
        while !begins(mark) {
            guard place < bytes.count else { throw flaw(sentence, at: begin) }
            place += 1
        }
        place += mark.utf8CodeUnitCount
    }

    private mutating func line() -> Int {
        counted.line += bytes[counted.place..<max(place, counted.place)].count { $0 == UInt8(ascii: "\n") }
        counted.place = max(place, counted.place)
        return counted.line
    }

    private func flaw(_ sentence: String, at index: Int? = nil) -> XMLFlaw {
        XMLFlaw(sentence: sentence, line: 1 + bytes[..<min(index ?? place, bytes.count)].count { $0 == UInt8(ascii: "\n") })
    }

    private static func trimmed(_ text: [UInt8]) -> ArraySlice<UInt8> {
        let begin = text.firstIndex { !isSpace($0) } ?? text.endIndex
        return text[begin..<(text.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? begin)]
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }

    /// Whether an ASCII character may be part of a name.
    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "_-.:".utf8.contains(byte)
        }
    }

    /// Whether XML allows a character (XML 1.0, production 2).
    private static func isCharacter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x9, 0xa, 0xd, 0x20...0xd7ff, 0xe000...0xfffd, 0x1_0000...0x10_ffff: true
        default: false
        }
    }

    /// Whether a name may begin with a character (XML 1.0, production 4, but without the colon, which separates prefixes).
    private static func mayBegin(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x41...0x5a, 0x5f, 0x61...0x7a, 0xc0...0xd6, 0xd8...0xf6, 0xf8...0x2ff, 0x370...0x37d, 0x37f...0x1fff, 0x200c...0x200d, 0x2070...0x218f,
            0x2c00...0x2fef,
            0x3001...0xd7ff, 0xf900...0xfdcf, 0xfdf0...0xfffd, 0x1_0000...0xe_ffff:
            true
        default: false
        }
    }

    /// Whether a name may have a character after its first (XML 1.0, production 4a).
    private static func mayFollow(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x2d, 0x2e, 0x30...0x3a, 0xb7, 0x300...0x36f, 0x203f...0x2040: true
        default: mayBegin(scalar)
        }
    }
}
