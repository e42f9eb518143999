import LinkProtocols

/// Frames of FIP that a bridge snoops, one on each line in hexadecimal, behind three digits: the port, of which 0 leads to forwarders and 4 to 7 are tagged with
/// VLAN 7, how much time passes before it, and the number of octets behind which it ends too early (0: it does not).
///
/// Memory stays within the limits, a frame that may not pass changes nothing, no address is two ports' at once, no guest has an address that neither a forwarder
/// granted nor the guest has claimed, a copy decides in the same way, and all ends when nothing is heard any more.
func fuzzLogins(_ bytes: [UInt8]) {
    var now: UInt64 = 1_000_000_000_000
    var snooper = FIPSnooper(seed: 42)
    for line in bytes.split(separator: 0x0a).prefix(64) {
        let digits = line.prefix(3)
        guard digits.count == 3 else { continue }
        let first = digits.startIndex
        let port = UInt16(digits[first] & 3), vlan: UInt16 = digits[first] & 4 == 0 ? 0 : 7, step = UInt64(digits[first + 1] & 15)
        now += step * step * 1_000_000_000
        snooper.advance(to: now) { _ in true }
        var octets = octets(hex: line.dropFirst(3))
        octets.removeLast(min(Int(digits[first + 2] & 15), octets.count))
        guard let frame = FIPFrame(memory.place(octets), count: octets.count, at: 14) else { continue }
        let before = snooper.list(at: now), isWatched = port != 0
        var copy = FIPSnooper(copying: snooper)
        let verdict = snooper.receive(frame, from: port, vlan: vlan, isWatched: isWatched, at: now)
        claim(copy.receive(frame, from: port, vlan: vlan, isWatched: isWatched, at: now) == verdict, "a copy decides in the same way")
        let after = snooper.list(at: now)
        claim(copy.list(at: now) == after, "a copy changes in the same way")
        claim(verdict.mayPass || isWatched, "what comes from where forwarders are may pass")
        claim(verdict.mayPass || after == before, "a frame that may not pass changes nothing")
        check(before, after, frame, port, isWatched: isWatched)
        claim(snooper.count <= FIPSnooper.capacity && snooper.count >= after.count, "memory is bounded")
    }
    snooper.advance(to: now + FIPSnooper.keepAliveTime) { _ in true }
    claim(snooper.count == 0, "grants end that nobody renews")
}

nonisolated(unsafe) private let memory = GuardedMemory()

private func check(_ before: [FIPGrant], _ after: [FIPGrant], _ frame: FIPFrame, _ port: UInt16, isWatched: Bool) {
    for (one, next) in zip(after, after.dropFirst()) { claim(one.address != next.address || one.vlan != next.vlan, "an address is one port's") }
    for grant in after {
        claim(FIPSnooper.isGrantable(grant.address) && (grant.forwarder == nil) == FIPSnooper.isClaimable(grant.address), "an address is granted or claimed")
        let isNew = !before.contains { $0.address == grant.address && $0.vlan == grant.vlan && $0.port == grant.port }
        if isNew { claim(grant.forwarder == nil ? grant.port == port : !isWatched, "a node claims for itself, and forwarders grant") }
    }
    for port in 0..<4 as Range<UInt16> { claim(after.count { $0.port == port } <= FIPSnooper.mostOfPort, "a port's part is bounded") }
}
