import LinkProtocols
import Packet

/// LLDP frames, built independently of the module under test, octet by octet.
enum LLDPFrames {
    static func tlv(_ type: Int, _ value: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? value.count
        return [UInt8(type << 1 | length >> 8), UInt8(length & 0xff)] + value
    }

    static func text(_ text: String) -> [UInt8] { Array(text.utf8) }
    /// A TLV of IEEE 802.1.
    static func ieee(_ subtype: Int, _ value: [UInt8]) -> [UInt8] { organizational(0x0080c2, subtype, value) }
    static func organizational(_ oui: Int, _ subtype: Int, _ value: [UInt8]) -> [UInt8] {
        tlv(127, [UInt8(oui >> 16), UInt8(oui >> 8 & 255), UInt8(oui & 255), UInt8(subtype)] + value)
    }

    /// A whole frame; `rest` are the TLVs behind the three mandatory ones.
    static func frame(
        _ rest: [[UInt8]] = [], chassis: UInt8 = 1, port: String = "swp1", ttl: Int = 120, to: UInt64 = 0x0180_c200_000e, from: UInt64 = 0x0200_0000_0001,
        tags: [[UInt8]] = [], ends: Bool = true
    ) -> [UInt8] {
        var packet = tlv(1, [4, 2, 0, 0, 0, 0, chassis]) + tlv(2, [5] + text(port)) + tlv(3, [UInt8(ttl >> 8), UInt8(ttl & 255)])
        for tlv in rest { packet += tlv }
        if ends { packet += tlv(0, []) }
        return Frames.ethernet(0x88cc, to: to, from: from, tags: tags, packet)
    }

    static func raw(_ tlvs: [[UInt8]]) -> [UInt8] { Frames.ethernet(0x88cc, to: 0x0180_c200_000e, tlvs.flatMap(\.self)) }

    static let ets: [UInt8] = [0x00, 0x01, 0x20, 0x00, 40, 30, 30, 0, 0, 0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0]
    static func etsConfiguration(_ parameters: [UInt8] = ets, willing: Bool = false) -> [UInt8] { ieee(9, [(willing ? 0x80 : 0) | 3] + parameters) }
    static func etsRecommendation(_ parameters: [UInt8] = ets) -> [UInt8] { ieee(10, [0] + parameters) }
    static func pfc(_ enabled: UInt8, willing: Bool = false, capability: UInt8 = 8) -> [UInt8] { ieee(11, [(willing ? 0x80 : 0) | capability, enabled]) }
    static func applications(_ entries: [(priority: Int, selector: Int, id: Int)]) -> [UInt8] {
        var value: [UInt8] = [0]
        for entry in entries { value += [UInt8(entry.priority << 5 | entry.selector), UInt8(entry.id >> 8), UInt8(entry.id & 255)] }
        return ieee(12, value)
    }

    static func local(_ number: UInt8) -> LLDPLocal {
        var local = LLDPLocal(source: .init(chassis: .init(subtype: 4, octets: [2, 0, 0, 0, 0, number]), port: .init(subtype: 5, octets: text("up\(number)"))))
        (local.portDescription, local.systemName, local.systemDescription) = ("eth\(number)", "host\(number)", "a switch")
        local.capabilities = SystemCapabilities(present: 0x84, enabled: 4)
        let ipv6: [UInt8] = [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [number]
        local.managementAddresses = [ManagementAddress(.init(family: 1, octets: [192, 0, 2, number])), ManagementAddress(.init(family: 2, octets: ipv6))]
        return local
    }

    static func mac(_ number: UInt8) -> MACAddress { MACAddress(value: 0x0200_0000_0000 | UInt64(number)) }
}

/// One port in virtual time.
struct LLDPLab {
    var link: LinkDiscovery
    var now: UInt64 = 1_000 * Frames.seconds
    private(set) var sent: [(at: UInt64, frame: [UInt8])] = []

    init(
        _ number: UInt8 = 9, status: LLDPAdminStatus = .both, dcbx: DCBXSettings = DCBXSettings(), _ change: (inout LLDPSettings) -> Void = { _ in }
    ) {
        var settings = LLDPSettings()
        change(&settings)
        link = LinkDiscovery(settings, status: status, dcbx: dcbx, mac: LLDPFrames.mac(number), local: LLDPFrames.local(number))
        link.set(isUp: true, now: now)
    }

    var agent: LLDPAgent { link.agent }

    @discardableResult
    mutating func hear(_ frame: [UInt8]) -> LLDPAgent.Verdict { link.receive(frame, now: now) }

    /// Lets time pass, from one deadline to the next.
    mutating func pass(_ seconds: Double) {
        let end = now + UInt64(seconds * 1e9)
        var steps = 0
        while let next = link.nextDeadline, next <= end {
            now = max(now, next)
            for frame in link.advance(to: now) { sent.append((now, frame)) }
            steps += 1
            precondition(steps < 100_000, "a deadline that never passes")
        }
        now = end
    }

    /// The times, in seconds after the start, at which frames were sent.
    var times: [Double] { sent.map { Double($0.at - 1_000 * Frames.seconds) / 1e9 } }

    /// What the frame sent last says.
    var told: LLDPDU { get throws { try LLDPDU.read(sent.last?.frame ?? [], isKnown: DCBXTLV.all.contains).pdu } }
}
