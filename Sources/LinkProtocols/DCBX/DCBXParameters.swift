/// What one side tells of Enhanced Transmission Selection.
public struct ETSFeature: Equatable, Sendable {
    /// Whether this side takes over what the other recommends.
    public var isWilling: Bool
    /// Whether this side has credit-based shapers.
    public var hasCreditBasedShaper: Bool
    /// The most traffic classes that this side can have, 1 to 8.
    public var mostClasses: UInt8
    public var parameters: ETSParameters

    public init(isWilling: Bool, hasCreditBasedShaper: Bool = false, mostClasses: UInt8 = 8, parameters: ETSParameters) {
        self.isWilling = isWilling
        self.hasCreditBasedShaper = hasCreditBasedShaper
        self.mostClasses = mostClasses
        self.parameters = parameters
    }
}

/// What one side tells of priority-based flow control.
public struct PFCFeature: Equatable, Sendable {
    /// Whether this side takes over what the other has.
    public var isWilling: Bool
    /// MBC: whether this side cannot have flow control for frames that MACsec protects.
    public var bypassesMACsec: Bool
    /// The most priorities that may have flow control at once, 0 to 8.
    public var capability: UInt8
    /// The priorities with flow control, a bit for each; priority 0 is the lowest bit.
    public var enabled: UInt8

    public init(isWilling: Bool, bypassesMACsec: Bool = false, capability: UInt8 = 8, enabled: UInt8) {
        self.isWilling = isWilling
        self.bypassesMACsec = bypassesMACsec
        self.capability = capability
        self.enabled = enabled
    }
}

/// What one side tells by DCBX. What is nil was not told.
public struct DCBXParameters: Equatable, Sendable {
    public var ets: ETSFeature?
    /// What this side would like the other to do.
    public var recommendation: ETSParameters?
    public var pfc: PFCFeature?
    public var applications: [ApplicationPriority]?

    public init() {}
}

/// The TLVs of DCBX (IEEE 802.1Q-2014, D.2.9 to D.2.12).
package enum DCBXTLV {
    static let oui: UInt32 = 0x0080c2
    static let etsConfiguration = TLV.Organizational(oui: oui, subtype: 0x09)
    static let etsRecommendation = TLV.Organizational(oui: oui, subtype: 0x0a)
    static let pfc = TLV.Organizational(oui: oui, subtype: 0x0b)
    static let applications = TLV.Organizational(oui: oui, subtype: 0x0c)
    package static let all: Set<TLV.Organizational> = [etsConfiguration, etsRecommendation, pfc, applications]
    /// The versions of DCBX that preceded the standard: CIN (subtype 1) and CEE (subtype 2), of Intel's OUI.
    static let preStandard: Set<TLV.Organizational> = [.init(oui: 0x001b21, subtype: 1), .init(oui: 0x001b21, subtype: 2)]
    /// The most entries of one TLV: its information string has 511 octets, of which 5 precede them.
    static let mostApplications = (TLV.longest - 5) / 3
}

extension DCBXParameters {
    /// The TLVs, in the order of their subtypes. Entries beyond those that fit into a TLV are left out.
    package var tlvs: [TLV] {
        var tlvs: [TLV] = []
        if let ets {
            let flags = (ets.isWilling ? 0x80 : 0) | (ets.hasCreditBasedShaper ? 0x40 : 0) | ets.mostClasses & 7
            tlvs.append(TLV(DCBXTLV.etsConfiguration, [flags] + ets.parameters.octets))
        }
        if let recommendation { tlvs.append(TLV(DCBXTLV.etsRecommendation, [0] + recommendation.octets)) }
        if let pfc {
            tlvs.append(TLV(DCBXTLV.pfc, [(pfc.isWilling ? 0x80 : 0) | (pfc.bypassesMACsec ? 0x40 : 0) | pfc.capability & 15, pfc.enabled]))
        }
        if let applications { tlvs.append(TLV(DCBXTLV.applications, [0] + applications.prefix(DCBXTLV.mostApplications).flatMap(\.octets))) }
        return tlvs
    }

    /// Reads what is known among the TLVs of an LLDPDU. Of several TLVs of a kind, the first counts; the others, and those that are wrong, are errors.
    package static func read(_ tlvs: [TLV]) -> (parameters: DCBXParameters, errors: Int) {
        var read = DCBXParameters(), seen: Set<TLV.Organizational> = [], errors = 0
        for tlv in tlvs {
            guard let kind = tlv.organization, DCBXTLV.all.contains(kind) else { continue }
            guard seen.insert(kind).inserted, let rest = Octets(tlv.value).from(4), read.take(kind, rest) else {
                errors += 1
                continue
            }
        }
        return (read, errors)
    }

    /// - Parameter rest: the information string behind the subtype.
    /// - Returns: false if it is wrong.
    private mutating func take(_ kind: TLV.Organizational, _ rest: Octets) -> Bool {
        switch kind {
        case DCBXTLV.etsConfiguration, DCBXTLV.etsRecommendation:
            guard rest.count == 21, let parameters = rest.from(1).flatMap(ETSParameters.init) else { return false }
            if kind == DCBXTLV.etsRecommendation {
                recommendation = parameters
            } else {
                let flags = rest.byte(0)
                ets = ETSFeature(
                    isWilling: flags & 0x80 != 0, hasCreditBasedShaper: flags & 0x40 != 0, mostClasses: flags & 7 == 0 ? 8 : flags & 7, parameters: parameters)
            }
        case DCBXTLV.pfc:
            guard rest.count == 2, rest.byte(0) & 15 <= 8 else { return false }
            let flags = rest.byte(0)
            pfc = PFCFeature(isWilling: flags & 0x80 != 0, bypassesMACsec: flags & 0x40 != 0, capability: flags & 15, enabled: rest.byte(1))
        default:
            guard rest.count >= 1, (rest.count - 1) % 3 == 0 else { return false }
            let entries = stride(from: 1, to: rest.count, by: 3).compactMap { rest.from($0).flatMap(ApplicationPriority.init) }
            // Of several entries about the same frames, the first counts.
            applications = entries.enumerated().filter { item in !entries[..<item.offset].contains { $0.isAboutSame(as: item.element) } }.map(\.element)
        }
        return true
    }
}
