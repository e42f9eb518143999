import Packet

/// The administrative parameters of a port: what the operator wants. Features that are nil take no part in DCBX.
public struct DCBXSettings: Equatable, Sendable {
    /// What is told, with `isWilling` for each feature; `recommendation` is what the peer is told to do.
    public var parameters = DCBXParameters()
    /// Whether the peer's application priorities are used for what `parameters.applications` has no entry for. The wire has no bit for it.
    public var takesApplications = false

    public init() {}
}

/// Finds out what parameters of data center bridging a port uses, from what the operator wants and what the peer tells (DCBX, IEEE 802.1Q-2014, clause 38).
///
/// The three ways of the standard are: *asymmetric* (ETS), where a side that is willing does what the other recommends; *symmetric* (PFC), where both are to do
/// the same, and of two that are willing the one with the lower MAC address decides; and *informational* (application priorities), where each side only tells.
///
/// The peer is the one neighbour that speaks DCBX. Where there are several, or more neighbours than are kept, nobody can say which to follow, so there is none.
/// None of the machines remembers anything: what is used is always what follows from the present administrative and remote parameters.
public struct DCBX: Equatable, Sendable {
    /// Whom the parameters come from.
    public enum Peer: Equatable, Sendable {
        case none
        case one(MACAddress)
        /// Several neighbours speak DCBX.
        case several
    }

    public internal(set) var settings: DCBXSettings
    public internal(set) var peer = Peer.none
    /// What the peer tells; empty if there is none.
    public internal(set) var remote = DCBXParameters()
    /// Whether a neighbour speaks a version of DCBX that preceded the standard (CIN or CEE), which is not followed.
    public internal(set) var hearsPreStandard = false
    /// How many TLVs of DCBX are wrong or repeated in what the peer tells now. They are not used.
    public internal(set) var errors = 0
    /// The address of this side.
    var mac: MACAddress

    public init(_ settings: DCBXSettings, mac: MACAddress) {
        self.settings = settings
        self.mac = mac
    }

    /// Whether ETS is the peer's recommendation: the state RX_RECOMMEND of the asymmetric machine.
    public var takesETS: Bool { settings.parameters.ets?.isWilling == true && remote.recommendation != nil }

    /// Whether PFC is the peer's: the state RX_RECOMMEND of the symmetric machine.
    public var takesPFC: Bool {
        guard let local = settings.parameters.pfc, let theirs = remote.pfc, local.isWilling, case .one(let other) = peer else { return false }
        // A side that cannot have flow control for so many priorities keeps its own.
        return theirs.enabled.nonzeroBitCount <= local.capability && (!theirs.isWilling || other < mac)
    }

    /// What is used: the operational parameters. They are told, too.
    public var operational: DCBXParameters {
        var all = settings.parameters
        if takesETS, let recommended = remote.recommendation { all.ets?.parameters = recommended }
        if takesPFC, let theirs = remote.pfc { all.pfc?.enabled = theirs.enabled }
        if settings.takesApplications, let theirs = remote.applications {
            let own = all.applications ?? []
            all.applications = own + theirs.filter { entry in !own.contains { $0.isAboutSame(as: entry) } }
        }
        return all
    }

    /// The TLVs that the port tells. Application priorities are those of the operator: a peer's own would come back to it as if they were this side's.
    var tlvs: [TLV] {
        var told = operational
        told.applications = settings.parameters.applications
        return told.tlvs
    }

    /// Learns what the neighbours of the port tell now.
    mutating func hear(_ neighbours: [LLDPNeighbour], isComplete: Bool) {
        let speakers = neighbours.filter { neighbour in neighbour.pdu.tlvs.contains { $0.organization.map(DCBXTLV.all.contains) ?? false } }
        hearsPreStandard = neighbours.contains { neighbour in neighbour.pdu.tlvs.contains { $0.organization.map(DCBXTLV.preStandard.contains) ?? false } }
        (remote, errors) = (DCBXParameters(), 0)
        if speakers.count > 1 || !isComplete {
            peer = .several
        } else if let speaker = speakers.first {
            peer = .one(speaker.mac)
            (remote, errors) = DCBXParameters.read(speaker.pdu.tlvs)
        } else {
            peer = .none
        }
    }
}

extension DCBX {
    /// What has changed in what is used because of what neighbours tell, as a sentence without its full stop; nil: nothing has.
    public func sentence(from old: DCBXParameters, to new: DCBXParameters) -> String? {
        func list(_ numbers: some Sequence<some BinaryInteger>) -> String { numbers.map { "\($0)" }.joined(separator: ",") }
        var parts: [String] = []
        if let ets = new.ets?.parameters, ets != old.ets?.parameters {
            parts.append("tc-bw \(list(ets.bandwidths)) and prio-tc \(list(ets.classes))")
        }
        if let pfc = new.pfc?.enabled, pfc != old.pfc?.enabled {
            parts.append("prio-pfc " + (pfc == 0 ? "none" : list((0..<8).filter { pfc & 1 << UInt8($0) != 0 })))
        }
        if new.applications ?? [] != old.applications ?? [] { parts.append("other priorities of protocols") }
        guard !parts.isEmpty else { return nil }
        let reason = switch peer {
        case .one(let mac): "as follows from what \(mac) tells by DCBX"
        case .none: "as no neighbour speaks DCBX any more"
        case .several: "as several neighbours speak DCBX, and none of them is followed"
        }
        return "in use now: \(parts.joined(separator: "; ")), \(reason)"
    }
}
