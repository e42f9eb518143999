/// The timers of an LLDP agent (IEEE 802.1AB-2016, 9.2). Their defaults are the standard's.
public struct LLDPSettings: Equatable, Sendable {
    /// msgTxInterval: seconds between two frames.
    public var interval: UInt16 = 30
    /// msgTxHold: for how many intervals what was told is valid.
    public var hold: UInt16 = 4
    /// msgFastTx: seconds between two frames after a new neighbour was heard.
    public var fastInterval: UInt16 = 1
    /// txFastInit: how many frames are sent at that interval.
    public var fastCount = 4
    /// txCreditMax: how many frames may be sent at once; a second adds one.
    public var mostCredit = 5
    /// reinitDelay: seconds for which nothing is sent after all that was told was withdrawn.
    public var reinitDelay: UInt16 = 2
    /// How many neighbours are kept. Others are not, until there is room.
    public var mostNeighbours = 8

    public init() {}

    /// txTTL: the seconds for which what is told is valid.
    var timeToLive: UInt16 { UInt16(min(UInt32(interval) * UInt32(hold) + 1, 65_535)) }
}

/// What an agent does (adminStatus).
public enum LLDPAdminStatus: Sendable, CaseIterable {
    case disabled, receives, transmits, both

    var isReceiving: Bool { self == .receives || self == .both }
    var isTransmitting: Bool { self == .transmits || self == .both }
}

/// What an agent tells about its system and its port.
public struct LLDPLocal: Equatable, Sendable {
    public var source: LLDPDU.Source
    /// Texts are cut at 255 octets; nil or empty: not told.
    public var portDescription: String?
    public var systemName: String?
    public var systemDescription: String?
    public var capabilities: SystemCapabilities?
    public var managementAddresses: [ManagementAddress] = []

    public init(source: LLDPDU.Source) { self.source = source }

    /// The TLVs, with those of organisations behind them.
    func tlvs(_ organizational: [TLV]) -> [TLV] {
        func text(_ type: UInt8, _ text: String?) -> [TLV] {
            guard let text, !text.isEmpty else { return [] }
            // A character is never cut in two.
            var kept = text
            while kept.utf8.count > 255 { kept.removeLast() }
            return [TLV(type, Array(kept.utf8))]
        }
        return text(TLV.portDescription, portDescription) + text(TLV.systemName, systemName) + text(TLV.systemDescription, systemDescription)
            + (capabilities.map { [$0.tlv] } ?? []) + managementAddresses.map(\.tlv) + organizational
    }
}

/// What an agent counts (IEEE 802.1AB-2016, 9.2, "statistical counters"; the names of the standard are given).
public struct LLDPCounters: Equatable, Sendable {
    /// statsFramesOutTotal
    public var framesOut: UInt64 = 0
    /// statsFramesInTotal
    public var framesIn: UInt64 = 0
    /// statsFramesDiscardedTotal: LLDPDUs that were not used, because they are wrong or there was no room for a neighbour.
    public var framesDiscarded: UInt64 = 0
    /// statsFramesInErrorsTotal: LLDPDUs that are wrong, or have a TLV that is.
    public var framesInErrors: UInt64 = 0
    /// statsTLVsDiscardedTotal
    public var tlvsDiscarded: UInt64 = 0
    /// statsTLVsUnrecognizedTotal
    public var tlvsUnrecognized: UInt64 = 0
    /// statsAgeoutsTotal: neighbours whose time ran out.
    public var ageouts: UInt64 = 0
    /// lldpduLengthErrors: frames out of which TLVs were left because they were too long together.
    public var lengthErrors: UInt64 = 0
    /// lldpStatsRemTablesInserts, lldpStatsRemTablesDeletes: neighbours that came, and that went for any reason.
    public var inserted: UInt64 = 0
    public var deleted: UInt64 = 0

    public init() {}
}
