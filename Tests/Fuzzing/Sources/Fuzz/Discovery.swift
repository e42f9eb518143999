import LinkProtocols
import Packet

/// LLDPDUs that a port hears, one on each line in hexadecimal, behind two digits: who sends it, and how much time passes before it.
///
/// Memory stays within the limits, an LLDPDU that is refused changes nothing, one that is kept can be written and read as the same, what the port itself tells
/// another port understands, and when nothing is heard any more only the operator's own parameters are in use.
func fuzzDiscovery(_ bytes: [UInt8]) {
    var now: UInt64 = 1_000_000_000_000
    var own = DCBXSettings()
    own.parameters.ets = ETSFeature(isWilling: true, parameters: sharing)
    own.parameters.pfc = PFCFeature(isWilling: true, capability: 4, enabled: 0x08)
    own.parameters.applications = [ApplicationPriority(.stream, 3260, priority: 4)]
    own.takesApplications = true
    var link = LinkDiscovery(LLDPSettings(), status: .both, dcbx: own, mac: MACAddress(value: 0x5254_00aa_0008), local: local("a"))
    var other = LinkDiscovery(LLDPSettings(), status: .both, dcbx: DCBXSettings(), mac: MACAddress(value: 0x5254_00aa_0001), local: local("b"))
    link.set(isUp: true, now: now)
    other.set(isUp: true, now: now)
    for line in bytes.split(separator: 0x0a).prefix(64) {
        let digits = line.prefix(2)
        guard digits.count == 2 else { continue }
        let (sender, step) = (digits[digits.startIndex] & 15, UInt64(digits[digits.startIndex + 1] & 15))
        now += step * step * 500_000_000
        advance(&link, &other, now)
        let version = link.agent.version, neighbours = link.agent.neighbours, used = link.dcbx.operational
        let frame: [UInt8] = [1, 0x80, 0xc2, 0, 0, 0x0e, 0x52, 0x54, 0, 0xaa, 0, sender, 0x88, 0xcc] + octets(hex: line.dropFirst(2))
        switch link.receive(frame, now: now) {
        case .fault, .own, .disabled:
            claim(link.agent.version == version && link.agent.neighbours == neighbours && link.dcbx.operational == used, "what is refused changes nothing")
        default: break
        }
        check(link)
    }
    now += 70_000_000_000_000
    advance(&link, &other, now)
    claim(link.agent.neighbours.isEmpty && link.dcbx.operational == own.parameters, "what neighbours told ends with them")
}

private func advance(_ link: inout LinkDiscovery, _ other: inout LinkDiscovery, _ now: UInt64) {
    for frame in link.advance(to: now) {
        claim((60...1_514).contains(frame.count), "a frame has a length that Ethernet allows: \(frame.count)")
        switch other.receive(frame, now: now) {
        case .new, .changed, .refreshed, .shutdown: break
        case let verdict: claim(false, "another port understands a frame: \(verdict)")
        }
        claim(other.agent.counters.framesInErrors == 0 && other.dcbx.errors == 0, "nothing in it is wrong")
    }
    if let next = link.nextDeadline { claim(next > now, "what was due has been done") }
}

/// Claims what holds of any port at any time.
private func check(_ link: LinkDiscovery) {
    claim(link.agent.neighbours.count <= LLDPSettings().mostNeighbours, "memory is bounded")
    for neighbour in link.agent.neighbours {
        let pdu = neighbour.pdu
        claim(pdu.tlvs.count <= LLDPDU.mostTLVs && pdu.timeToLive > 0, "a neighbour is bounded")
        let written = pdu.frame(from: neighbour.mac)
        do throws(LLDPDU.Fault) {
            let read = try LLDPDU.read(written.octets, isKnown: { _ in true })
            claim(written.leftOut > 0 || read.pdu == pdu && read.discardedTLVs == 0, "what was read is written as the same")
        } catch { claim(false, "what was read can be written: \(error)") }
        let texts = [pdu.source.chassisText.value, pdu.source.portText.value, pdu.systemName ?? "", pdu.systemDescription ?? "", pdu.portDescription ?? ""]
        for text in texts + pdu.managementAddresses.map(\.address.description) {
            claim(text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }, "a text does nothing to a terminal")
        }
        _ = (pdu.capabilities?.named, pdu.organizational, pdu.reserved)
    }
    let used = link.dcbx.operational
    claim(used.pfc.map { $0.enabled.nonzeroBitCount <= 4 } ?? false, "no more priorities are lossless than can be")
    let shares = used.ets?.parameters.bandwidths.reduce(0) { $0 + Int($1) }
    claim(shares == 100 || used.ets?.parameters.algorithms.contains(.ets) == false, "shares add up")
    claim(used.applications?.first == ApplicationPriority(.stream, 3260, priority: 4), "the operator's own priorities stay")
}

private let sharing = ETSParameters(
    classes: [0, 1, 2, 3, 4, 5, 6, 7], bandwidths: [60, 40, 0, 0, 0, 0, 0, 0], algorithms: [.ets, .ets, .strict, .strict, .strict, .strict, .strict, .strict])!

private func local(_ name: String) -> LLDPLocal {
    var local = LLDPLocal(source: .init(chassis: .init(subtype: 7, octets: Array(name.utf8)), port: .init(subtype: 5, octets: [0x70])))
    (local.systemName, local.capabilities) = (name, SystemCapabilities(present: 4, enabled: 4))
    return local
}
