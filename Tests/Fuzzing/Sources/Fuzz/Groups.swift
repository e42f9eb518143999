import LinkProtocols
import Packet

/// Frames that a bridge snoops, one on each line in hexadecimal, behind three digits: the port, whether it is in VLAN 0 or 7, and how much time passes before it.
/// Checksums are corrected unless the line ends in `~`, as no input would have the right ones.
///
/// Memory stays within the limits, a frame that is malformed changes nothing, and what the bridge itself sends another bridge understands.
func fuzzGroups(_ bytes: [UInt8]) {
    var settings = SnoopingSettings()
    (settings.querier, settings.groupLimit, settings.sourceLimit) = (.auto, 64, 4)
    var now: UInt64 = 1_000_000_000_000
    var snooper = GroupSnooper(settings: settings, mac: MACAddress(value: 0x5254_00aa_0001))
    var other = GroupSnooper(settings: settings, mac: MACAddress(value: 0x5254_00aa_0002))
    for port in 1...3 as ClosedRange<UInt16> {
        snooper.set(port: port, PortSnooping(fastLeave: port == 3), now: now)
        other.set(port: port, PortSnooping(), now: now)
    }
    snooper.set(vlans: [0: [1, 2], 7: [2, 3]], now: now)
    other.set(vlans: [0: [1, 2], 7: [2, 3]], now: now)
    for line in bytes.split(separator: 0x0a).prefix(64) {
        let digits = line.prefix(3)
        guard digits.count == 3 else { continue }
        let first = digits.startIndex
        let port = UInt16(digits[first] & 3), vlan: UInt16 = digits[first + 1] & 1 == 1 ? 7 : 0, step = UInt64(digits[first + 2] & 15)
        now += step * step * 500_000_000
        for outgoing in snooper.advance(to: now) {
            // The bridge with the lower address would otherwise be taken for the querier, and the rest of what it says ignored.
            let heard = other.receive(outgoing.frame, port: outgoing.vlan == 0 ? 1 : 3, vlan: outgoing.vlan, now: now)
            claim(heard == .query, "another bridge understands a query: \(heard)")
        }
        if let next = snooper.nextDeadline { claim(next > now, "what was due has been done") }
        var frame = octets(hex: line.dropFirst(3))
        if line.last != UInt8(ascii: "~") { correctChecksums(&frame) }
        let before = snooper.memberships(now: now), version = snooper.version
        switch snooper.receive(frame, port: port, vlan: vlan, now: now) {
        case .malformed, .ignored:
            claim(snooper.version == version && snooper.memberships(now: now) == before, "a frame that is refused changes nothing")
        default: break
        }
        claim(snooper.membership.count <= 64 && snooper.timerCount <= 1_000, "memory is bounded: \(snooper.membership.count) groups, \(snooper.timerCount) timers")
        claim(snooper.memberships(now: now).allSatisfy { $0.sources.count <= 4 }, "sources are bounded")
    }
    _ = snooper.advance(to: now + 1_000_000_000_000)
    claim(snooper.membership.isEmpty, "memberships end that nobody renews")
}

/// Corrects the checksums of an untagged IPv4 or IPv6 frame, as far as its lengths allow it.
private func correctChecksums(_ frame: inout [UInt8]) {
    func set(_ value: UInt16, _ offset: Int, _ frame: inout [UInt8]) {
        guard offset + 1 < frame.count else { return }
        (frame[offset], frame[offset + 1]) = (UInt8(value >> 8), UInt8(value & 255))
    }
    var at = 12
    while at + 6 <= frame.count, [0x8100, 0x88a8, 0x9100].contains(Int(frame[at]) << 8 | Int(frame[at + 1])), at < 20 { at += 4 }
    guard let packet = Octets(frame).from(at + 2), packet.count >= 20 else { return }
    let type = Octets(frame).bigEndian16(at)
    at += 2
    if type == 0x800 {
        let header = Int(packet.byte(0) & 15) * 4, total = Int(packet.bigEndian16(2))
        guard header >= 20, total >= header + 4, total <= packet.count else { return }
        set(0, at + 10, &frame)
        set(0, at + header + 2, &frame)
        let cleared = Octets(frame).from(at)!
        set(foldedChecksum(cleared.first(header)!.wordSum), at + 10, &frame)
        set(foldedChecksum(cleared.first(total)!.from(header)!.wordSum), at + header + 2, &frame)
    } else if type == 0x86dd {
        guard packet.count >= 44, let payload = packet.from(40)?.first(Int(packet.bigEndian16(4))), payload.count >= 4 else { return }
        let next = packet.byte(6), skipped = next == 0 ? (Int(payload.byte(1)) + 1) * 8 : 0
        guard payload.count >= skipped + 4 else { return }
        set(0, at + 40 + skipped + 2, &frame)
        let message = Octets(frame).from(at + 40)!.first(payload.count)!.from(skipped)!
        let sum = pseudoHeaderSum(source: packet.address(.ipv6, 8), destination: packet.address(.ipv6, 24), length: message.count, next: next == 0 ? 58 : next)
        set(foldedChecksum(message.wordSum + sum), at + 40 + skipped + 2, &frame)
    }
}
