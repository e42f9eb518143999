import Packet

/// One row of the protocol table: how a protocol is recognized, and the priority that its frames leave with.
public struct ProtocolSettings: Equatable, Sendable {
    public var name: String
    public var matches: [ProtocolMatch]
    /// The priority code point (PCP), 0 to 7, with which the protocol's frames leave physical ports.
    public var pcp: Int
    public init(name: String, matches: [ProtocolMatch], pcp: Int) { self.name = name; self.matches = matches; self.pcp = pcp }
}

/// A property of frames by which a protocol is recognized.
public typealias ProtocolMatch = ProtocolTable.Match

/// A row of the protocol table as its keys are written.
struct ProtocolDraft {
    var name = ""
    var matches: [ProtocolMatch] = []
    var pcp: Int?

    init() {}

    init(_ row: ProtocolSettings) {
        name = row.name
        matches = row.matches
        pcp = row.pcp
    }

    /// The row that the keys describe. Without `pcp`, it takes the PCP of the built-in row of the same name, or else 0.
    var row: ProtocolSettings {
        let builtIn = ProtocolSettings.builtIn.first { $0.name == name }
        return ProtocolSettings(name: name, matches: matches, pcp: pcp ?? builtIn?.pcp ?? 0)
    }
}

extension Field<ProtocolDraft> {
    static var protocolRow: [Field] {
        [
            .name(\.name),
            .list(
                "match", \.matches, of: .match, example: "[tcp 873]",
                help: "how its frames are known: tcp PORT, udp PORT, ethertype 0xTYPE, dscp N, pcp N; ports also as 5000-5010"),
            .optional("pcp", \.pcp, .priority, help: "priority that its frames leave physical ports with; by default a built-in row's, or 0"),
        ]
    }
}

extension ValueKind<ProtocolMatch> {
    fileprivate static var match: Self {
        ValueKind(
            takes: .text(.match),
            read: { element, problems in
                guard let text = problems.text(element, example: "tcp 873") else { return nil }
                do throws(UnitError) {
                    return try ProtocolMatch.parse(text)
                } catch {
                    problems.add(element, error.description)
                    return nil
                }
            },
            write: { .text($0.description) })
    }
}
