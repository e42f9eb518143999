import Packet

/// The LLDP agent of one port for the address "nearest bridge" (IEEE 802.1AB-2016, clause 9): it tells neighbours about this system, and learns what they tell.
///
/// Frames and times go in; frames come out. It has no clock and does no input or output. Times are in nanoseconds of any clock that never goes back. The three
/// state machines of the standard (receive, transmit, transmit timer) do nothing between the times that `nextDeadline` tells.
///
/// Memory is bounded: there are at most `LLDPSettings.mostNeighbours` neighbours, each with at most what one frame carries.
public struct LLDPAgent: Sendable {
    public internal(set) var settings: LLDPSettings
    public internal(set) var status: LLDPAdminStatus
    /// portEnabled: whether frames can be sent and received.
    public internal(set) var isUp = false
    /// The source address of the agent's frames.
    public internal(set) var mac: MACAddress
    public internal(set) var local: LLDPLocal
    /// What is told besides `local`.
    public internal(set) var organizational: [TLV] = []
    public internal(set) var counters = LLDPCounters()
    /// The neighbours in the order in which they came.
    public internal(set) var neighbours: [LLDPNeighbour] = []
    /// Grows whenever `neighbours` change in more than their times, or `hasTooManyNeighbours` does.
    public internal(set) var version: UInt64 = 0
    /// Which organizationally specific TLVs somebody uses; the others are counted as unrecognized, and kept as well.
    let known: Set<TLV.Organizational>

    /// Until when neighbours may exist that there was no room for (tooManyNeighborsTimer); nil if there are none.
    var tooManyUntil: UInt64?
    var transmission = Transmission()

    public init(_ settings: LLDPSettings, status: LLDPAdminStatus, mac: MACAddress, local: LLDPLocal, known: Set<TLV.Organizational> = []) {
        self.settings = settings
        self.status = status
        self.mac = mac
        self.local = local
        self.known = known
    }

    /// tooManyNeighbors: whether neighbours were heard that there is no room for.
    public var hasTooManyNeighbours: Bool { tooManyUntil != nil }

    /// Has the time advance to `now`. Returns the frames that are due: untagged, without FCS.
    public mutating func advance(to now: UInt64) -> [[UInt8]] {
        removeNeighbours { $0.until <= now } counting: { $0.ageouts += 1 }
        if let until = tooManyUntil, until <= now {
            tooManyUntil = nil
            version += 1
        }
        return transmit(now)
    }

    /// When `advance(to:)` must be called next; nil if nothing will ever be due.
    public var nextDeadline: UInt64? {
        let all = neighbours.map(\.until) + [tooManyUntil, transmissionDeadline].compactMap(\.self)
        return all.min()
    }
}

/// What is known of a neighbour.
public struct LLDPNeighbour: Equatable, Sendable {
    /// The last LLDPDU that was heard from it.
    public var pdu: LLDPDU
    /// The source address of that frame.
    public var mac: MACAddress
    /// A number that no other neighbour of the agent has had.
    public var number: UInt64
    /// When it was first heard.
    public var since: UInt64
    /// When what it told is no longer valid (rxInfoTTL).
    public var until: UInt64
}
