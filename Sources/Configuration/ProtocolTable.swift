import Packet

extension ProtocolSettings {
    /// The rows that every protocol table starts with, from `KnownProtocol.all`.
    public static let builtIn = KnownProtocol.all.map { ProtocolSettings(name: $0.name, matches: $0.matches, pcp: Int($0.pcp)) }
}

extension Model {
    /// The protocol table in force: the built-in rows, changed where the operator has a row of the same name, then the operator's other rows. A row that
    /// overrides a built-in one without giving `match` keeps the built-in matches. If ports are trusted to say priorities, rows for these come last.
    public var protocolTable: [ProtocolSettings] {
        var table = ProtocolSettings.builtIn
        for row in protocols {
            guard let index = table.firstIndex(where: { $0.name == row.name }) else { table.append(row); continue }
            if !row.matches.isEmpty { table[index].matches = row.matches }
            table[index].pcp = row.pcp
        }
        return hasTrust ? table + (0..<8).map(ProtocolSettings.ofPriority) : table
    }
}

extension ProtocolMatch: CustomStringConvertible {
    /// The match as it is written under `match`: `tcp 3260`, `udp 5000-5010`, `ethertype 0x8906`.
    public var description: String {
        switch self {
        case .etherType(let value):
            let digits = String(value, radix: 16)
            return "ethertype 0x" + String(repeating: "0", count: 4 - digits.count) + digits
        case .tcp(let port): return "tcp \(port)"
        case .udp(let port): return "udp \(port)"
        case .tcpRange(let ports): return "tcp \(ports.lowerBound)-\(ports.upperBound)"
        case .udpRange(let ports): return "udp \(ports.lowerBound)-\(ports.upperBound)"
        case .dscp(let value): return "dscp \(value)"
        case .pcp(let value): return "pcp \(value)"
        }
    }

    /// Reads what `description` writes, in any case.
    /// - Throws: a sentence that says what is wrong.
    public static func parse(_ text: String) throws(UnitError) -> ProtocolMatch {
        let words = text.lowercased().split(whereSeparator: { $0 == " " || $0 == "\t" })
        func fail(_ sentence: String) -> UnitError { UnitError(description: sentence) }
        guard words.count == 2 else {
            throw fail("'\(text)' is not a match: write a kind and a value, such as tcp 873 or ethertype 0x88b5")
        }
        let digits = words[1]
        let value = digits.hasPrefix("0x") ? Int(digits.dropFirst(2), radix: 16) : Int(digits)
        func within(_ range: ClosedRange<Int>) throws(UnitError) -> Int {
            guard let value, range.contains(value) else {
                throw fail("'\(text)': \(words[0]) takes a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        if words[0] == "tcp" || words[0] == "udp", let ports = try range(words[1], in: text, of: words[0]) {
            return words[0] == "tcp" ? .tcpRange(ports) : .udpRange(ports)
        }
        switch words[0] {
        case "tcp": return .tcp(UInt16(try within(1...65_535)))
        case "udp": return .udp(UInt16(try within(1...65_535)))
        case "dscp": return .dscp(UInt8(try within(0...63)))
        case "pcp": return .pcp(UInt8(try within(0...7)))
        case "ethertype":
            // Below 0x600 the field is a length (IEEE 802.3 clause 3.2.6).
            guard let value, (0x600...0xffff).contains(value) else {
                throw fail("'\(text)': ethertype takes a number from 0x0600 to 0xffff")
            }
            return .etherType(UInt16(value))
        default: throw fail("'\(text)': match by tcp, udp, ethertype, dscp or pcp, not by \(words[0])")
        }
    }

    /// Reads a range of ports such as `5000-5010`; nil if the text is a single value.
    private static func range(_ value: Substring, in text: String, of kind: Substring) throws(UnitError) -> ClosedRange<UInt16>? {
        let ends = value.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2 else { return nil }
        guard let first = UInt16(ends[0]), let last = UInt16(ends[1]), first > 0, first <= last else {
            throw UnitError(description: "'\(text)': \(kind) takes a port from 1 to 65535, or a range with the lower one first, such as \(kind) 5000-5010")
        }
        return first...last
    }

    /// Calls `body` with the match itself, or with each port of a range as a match of its own, until it returns false.
    func forEachSingle(_ body: (ProtocolMatch) -> Bool) {
        switch self {
        case .tcpRange(let ports): for port in ports where !body(.tcp(port)) { return }
        case .udpRange(let ports): for port in ports where !body(.udp(port)) { return }
        default: _ = body(self)
        }
    }
}
