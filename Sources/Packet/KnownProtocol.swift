/// A protocol that Sluice knows without configuration. Each has one row of the protocol table; the operator's own protocols take the rows behind them.
public struct KnownProtocol: Hashable, Sendable {
    /// Row of the protocol table.
    public var row: UInt8
    /// The protocol's name in the configuration.
    public var name: String
    /// How frames of the protocol are recognised.
    public var matches: [ProtocolTable.Match]
    /// Priority code point that its frames leave physical ports with unless the operator configures another.
    public var pcp: UInt8

    public init(row: UInt8, name: String, matches: [ProtocolTable.Match], pcp: UInt8) {
        self.row = row
        self.name = name
        self.matches = matches
        self.pcp = pcp
    }

    /// RFC 7143: port 3260; 860 is the system port IANA assigned beside it. Customary priority 4.
    public static let iscsi = KnownProtocol(row: 1, name: "iscsi", matches: [.tcp(3260), .tcp(860)], pcp: 4)
    /// INCITS FC-BB-5.
    public static let fcoe = KnownProtocol(row: 2, name: "fcoe", matches: [.etherType(EtherType.fcoe)], pcp: 3)
    /// FCoE Initialization Protocol: FCoE's discovery and log-in.
    public static let fip = KnownProtocol(row: 3, name: "fip", matches: [.etherType(EtherType.fip)], pcp: 3)
    /// InfiniBand Architecture, annex A16.
    public static let roce = KnownProtocol(row: 4, name: "roce", matches: [.etherType(EtherType.roce)], pcp: 3)
    /// InfiniBand Architecture, annex A17.
    public static let rocev2 = KnownProtocol(row: 5, name: "rocev2", matches: [.udp(4791)], pcp: 3)
    /// NVMe/TCP Transport Specification: 4420, discovery on 8009. No customary priority: the operator's choice.
    public static let nvmeTCP = KnownProtocol(row: 6, name: "nvme-tcp", matches: [.tcp(4420), .tcp(8009)], pcp: 0)

    /// All known protocols in the order of their rows, which begin at 1.
    public static let all: [KnownProtocol] = [iscsi, fcoe, fip, roce, rocev2, nvmeTCP]

    /// First row that is free for the operator's own protocols.
    public static let firstFreeRow: UInt8 = 7
}

extension ProtocolTable {
    /// Maps everything that `known` matches to its row.
    public func add(_ known: KnownProtocol) {
        for match in known.matches { set(match, row: known.row) }
    }

    /// Creates a table that holds the built-in protocols.
    public static func builtIn() -> ProtocolTable {
        let table = create()
        for known in KnownProtocol.all { table.add(known) }
        return table
    }
}
