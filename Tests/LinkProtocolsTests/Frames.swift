import LinkProtocols
import Packet

/// Frames of hosts and routers, built independently of the module under test.
enum Frames {
    static let seconds: UInt64 = 1_000_000_000
    static let bridge = MACAddress(value: 0x02aa_bbcc_ddee)

    static func v4(_ a: Int, _ b: Int, _ c: Int, _ d: Int) -> GroupAddress { GroupAddress(ipv4: UInt32(a << 24 | b << 16 | c << 8 | d)) }
    /// The group ff05::number; its scope (site) is one that is snooped.
    static func v6(_ number: UInt64) -> GroupAddress { GroupAddress(high: 0xff05 << 48, low: number) }
    static func linkLocal(_ number: UInt64) -> GroupAddress { GroupAddress(high: 0xfe80 << 48, low: number) }

    static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        var sum = 0
        for (index, byte) in bytes.enumerated() { sum += index % 2 == 0 ? Int(byte) << 8 : Int(byte) }
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        return [UInt8(~sum >> 8 & 0xff), UInt8(~sum & 0xff)]
    }

    static func bytes(_ address: GroupAddress) -> [UInt8] {
        let all = [address.high, address.low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) } }
        return address.ipv4 == nil ? all : Array(all[12...])
    }

    static func sixteen(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 0xff), UInt8(number & 0xff)] }

    static func ethernet(
        _ type: Int, to: UInt64 = 0x0100_5e00_0001, from: UInt64 = 0x0200_0000_0001, tags: [[UInt8]] = [], _ packet: [UInt8]
    ) -> [UInt8] {
        let addresses = [to, from].flatMap { mac in (0..<6).map { UInt8(truncatingIfNeeded: mac >> UInt64(40 - 8 * $0)) } }
        let frame = addresses + tags.flatMap { $0 } + sixteen(type) + packet
        return frame + [UInt8](repeating: 0, count: max(0, 60 - frame.count))
    }

    static func ipv4(
        _ message: [UInt8], source: GroupAddress = v4(10, 0, 0, 1), to: GroupAddress = v4(224, 0, 0, 1), ttl: Int = 1, ipProtocol: Int = 2,
        options: [UInt8] = [0x94, 4, 0, 0], fragment: Int = 0
    ) -> [UInt8] {
        var header: [UInt8] = [UInt8(0x45 + options.count / 4), 0xc0] + sixteen(20 + options.count + message.count) + [0, 0] + sixteen(fragment)
        header += [UInt8(ttl), UInt8(ipProtocol), 0, 0] + bytes(source) + bytes(to) + options
        header.replaceSubrange(10..<12, with: checksum(header))
        return header + message
    }

    static func igmp(_ type: Int, code: Int = 0, _ rest: [UInt8]) -> [UInt8] {
        let message = [UInt8(type), UInt8(code), 0, 0] + rest
        return Array(message[..<2]) + checksum(message) + rest
    }

    static func ipv6(
        _ type: Int, code: [UInt8] = [0, 0], _ rest: [UInt8], source: GroupAddress = linkLocal(1), to: GroupAddress = v6(1), hops: Int = 1
    ) -> [UInt8] {
        var message = [UInt8(type), 0, 0, 0] + code + rest
        let pseudo = bytes(source) + bytes(to) + [0, 0] + sixteen(message.count) + [0, 0, 0, 58]
        message.replaceSubrange(2..<4, with: checksum(pseudo + message))
        return [0x60, 0, 0, 0] + sixteen(message.count + 8) + [0, UInt8(hops)] + bytes(source) + bytes(to) + [58, 0, 5, 2, 0, 0, 1, 0] + message
    }

    static func mld(
        _ type: Int, code: [UInt8] = [0, 0], _ rest: [UInt8], source: GroupAddress = linkLocal(1), to: GroupAddress = v6(1), hops: Int = 1
    ) -> [UInt8] {
        ethernet(0x86dd, to: 0x3333_0000_0001, ipv6(type, code: code, rest, source: source, to: to, hops: hops))
    }

    // These functions build whole frames.

    static func report(v1 group: GroupAddress) -> [UInt8] { ethernet(0x800, ipv4(igmp(0x12, bytes(group)), to: group)) }
    static func report(v2 group: GroupAddress) -> [UInt8] { ethernet(0x800, ipv4(igmp(0x16, bytes(group)), to: group)) }
    static func leave(_ group: GroupAddress) -> [UInt8] { ethernet(0x800, ipv4(igmp(0x17, bytes(group)), to: v4(224, 0, 0, 2))) }

    /// A group record of IGMPv3 or MLDv2: its type, group and sources.
    static func record(_ kind: Int, _ group: GroupAddress, _ sources: [GroupAddress] = [], auxiliary: [UInt8] = []) -> [UInt8] {
        [UInt8(kind), UInt8(auxiliary.count / 4)] + sixteen(sources.count) + bytes(group) + sources.flatMap(bytes) + auxiliary
    }

    /// A report of IGMPv3, or of MLDv2 if the group is an IPv6 group.
    static func report(_ kind: Int, _ group: GroupAddress, _ sources: [GroupAddress] = []) -> [UInt8] {
        group.family == .ipv4 ? report3([record(kind, group, sources)]) : reportMLD2([record(kind, group, sources)])
    }

    static func report3(_ records: [[UInt8]], count: Int? = nil) -> [UInt8] {
        ethernet(0x800, ipv4(igmp(0x22, [0, 0] + sixteen(count ?? records.count) + records.flatMap { $0 }), to: v4(224, 0, 0, 22)))
    }

    static func reportMLD2(_ records: [[UInt8]], source: GroupAddress = linkLocal(1)) -> [UInt8] {
        mld(143, sixteen(records.count) + records.flatMap { $0 }, source: source, to: GroupAddress(high: 0xff02 << 48, low: 22))
    }

    static func reportMLD1(_ group: GroupAddress, source: GroupAddress = linkLocal(1)) -> [UInt8] { mld(131, [0, 0] + bytes(group), source: source) }
    static func doneMLD1(_ group: GroupAddress) -> [UInt8] { mld(132, [0, 0] + bytes(group)) }

    static let tail: [UInt8] = [2, 125, 0, 0]

    static func query(
        _ source: GroupAddress, version: Int = 3, group: GroupAddress = v4(0, 0, 0, 0), code: Int = 100, suppress: Bool = false,
        sources: [GroupAddress] = []
    ) -> [UInt8] {
        let tail = version == 3 ? [UInt8(2 | (suppress ? 8 : 0)), 125] + sixteen(sources.count) + sources.flatMap(bytes) : []
        let to = group == v4(0, 0, 0, 0) ? v4(224, 0, 0, 1) : group
        return ethernet(0x800, ipv4(igmp(0x11, code: code, bytes(group) + tail), source: source, to: to))
    }

    static func queryMLD(
        _ source: GroupAddress, version: Int = 2, group: GroupAddress = GroupAddress(high: 0, low: 0), code: Int = 10000
    ) -> [UInt8] {
        let to = group == GroupAddress(high: 0, low: 0) ? GroupAddress(high: 0xff02 << 48, low: 1) : group
        return mld(130, code: sixteen(code), [0, 0] + bytes(group) + (version == 2 ? tail : []), source: source, to: to)
    }

    static func hello(_ version: Int = 2) -> [UInt8] {
        let message = [UInt8(version << 4), 0, 0, 0, 0, 1, 0, 2, 0, 105]
        return ethernet(0x800, ipv4(Array(message[..<2]) + checksum(message) + message[4...], to: v4(224, 0, 0, 13), ipProtocol: 103, options: []))
    }

    static func helloIPv6(source: GroupAddress = linkLocal(7)) -> [UInt8] {
        let to = GroupAddress(high: 0xff02 << 48, low: 0xd)
        var message: [UInt8] = [0x20, 0, 0, 0, 0, 1, 0, 2, 0, 105]
        let pseudo = bytes(source) + bytes(to) + [0, 0, 0, 10, 0, 0, 0, 103]
        message.replaceSubrange(2..<4, with: checksum(pseudo + message))
        return ethernet(0x86dd, to: 0x3333_0000_000d, [0x60, 0, 0, 0, 0, 10, 103, 1] + bytes(source) + bytes(to) + message)
    }

    static func advertisement() -> [UInt8] { ethernet(0x800, ipv4(igmp(0x30, code: 20, [0, 125, 0, 2]), to: v4(224, 0, 0, 106))) }
    static func advertisementIPv6() -> [UInt8] { mld(151, code: [0, 125], [0, 2], to: GroupAddress(high: 0xff02 << 48, low: 0x6a)) }
}

/// A bridge in virtual time. Unless told otherwise, ports 1 to 3 are in VLAN 0, and ports 4 and 5 in VLAN 7.
struct Lab {
    var snooper: GroupSnooper
    var now: UInt64 = 1_000 * Frames.seconds
    var sent: [(at: UInt64, outgoing: Outgoing)] = []

    init(
        _ change: (inout SnoopingSettings) -> Void = { _ in }, vlans: [UInt16: Set<UInt16>] = [0: [1, 2, 3], 7: [4, 5]],
        ports: [UInt16: PortSnooping] = [:]
    ) {
        var settings = SnoopingSettings()
        change(&settings)
        snooper = GroupSnooper(settings: settings, mac: Frames.bridge)
        for port in Set(vlans.values.joined()).sorted() { snooper.set(port: port, ports[port] ?? PortSnooping(), now: now) }
        snooper.set(vlans: vlans, now: now)
    }

    @discardableResult
    mutating func hear(_ frame: [UInt8], _ port: UInt16 = 1, vlan: UInt16 = 0) -> Verdict {
        let verdict = snooper.receive(frame, port: port, vlan: vlan, now: now)
        return verdict
    }

    /// Lets time pass, from one deadline to the next.
    mutating func pass(_ seconds: Double) { pass(nanoseconds: UInt64(seconds * 1e9)) }

    mutating func pass(nanoseconds: UInt64) {
        let end = now + nanoseconds
        while let next = snooper.nextDeadline, next <= end {
            now = max(now, next)
            let outgoing = snooper.advance(to: now)
            sent += outgoing.map { (now, $0) }
        }
        now = end
    }

    func ports(_ group: GroupAddress, vlan: UInt16 = 0) -> [UInt16] { snooper.ports(of: group, vlan: vlan) }

    /// The times, in seconds after the start, at which queries of a family were sent in a VLAN: general queries, or those sent to one port if `port` is given.
    func times(_ family: GroupFamily, vlan: UInt16 = 0, port: UInt16? = nil) -> [Double] {
        sent.filter { $0.outgoing.vlan == vlan && $0.outgoing.port == port && ($0.outgoing.frame[12] == 8) == (family == .ipv4) }
            .map { Double($0.at - 1_000 * Frames.seconds) / 1e9 }
    }
}
