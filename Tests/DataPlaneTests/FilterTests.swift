import Configuration
import DataPlane
import Filters
import Glibc
import TestSupport
import Testing

/// Rules are run together as native code, or one by one by DPDK. The results are compared with those of libpcap's own interpreter.
@Suite("Filters") struct FilterTests {
    private static let interpreter = unsafeBitCast(
        dlsym(dlopen("libpcap.so.0.8", RTLD_NOW), "bpf_filter"), to: (@convention(c) (UnsafeRawPointer, UnsafePointer<UInt8>, UInt32, UInt32) -> UInt32).self)

    /// Whether a program matches a frame according to libpcap.
    private static func matches(_ program: PacketProgram, _ frame: [UInt8]) -> Bool {
        interpreter(program.instructions, frame + [0], UInt32(frame.count), UInt32(frame.count)) != 0
    }

    /// The frame without its tags; nil if there are more than eight, or if the frame ends among them.
    private static func untagged(_ frame: [UInt8]) -> [UInt8]? {
        var rest = frame.dropFirst(12), tags = 0
        while rest.count >= 2, [[0x81, 0], [0x88, 0xa8], [0x91, 0]].contains(Array(rest.prefix(2))) {
            rest = rest.dropFirst(4)
            tags += 1
            if tags > 8 || rest.count < 2 { return nil }
        }
        return Array(frame.prefix(12)) + Array(rest)
    }

    private static func smtp(_ tags: [UInt8] = [], port: UInt16 = 25, source: [UInt8] = [10, 0, 0, 5]) -> [UInt8] {
        let ip: [UInt8] = [0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0] + source + [192, 0, 2, 1]
        return [0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1] + tags + [8, 0] + ip + [0x9c, 0x40, UInt8(port >> 8), UInt8(port & 0xff)]
            + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0]
    }

    static let expressions = [
        "tcp dst port 3260", "not tcp port 3260", "tcp dst port 443 and not dst net 10.0.0.0/8", "src host 1.1.1.1", "ip6", "ip6 src host 303:303:303:303:303:303:303:303",
        "udp[4:2] > 5", "tcp[13] & 2 != 0", "tcp[4:4] = 0", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "ether multicast", "len > 60", "less 100", "arp", "arp[6:2] = 0x0604", "",
        "ether[ip[8] - 1] = 0", "ether[ip[8] - 65] = 0x45 or ether[0:4] ^ 0xffffffff > 0x7fffffff", "ip[0] / ip[1] > 1 or ip[8] % 7 = 1", "tcp[12] / 16 * 4 >= 0",
        "ether[ip[4:2] << 28] = 0", "ip[2:2] - 50 > 0x80000000", "ether[12:4] | 0x80000000 > 0x90000000", "vlan", "vlan 7", "vlan and tcp port 443", "not vlan",
        "ether[tcp[4:4] + 0xfffffff0] = 1", "ip[6:2] & 0x1fff = 0 and udp port 4791", "-ip[0] < 5", "ip proto 6 and ip[9] = 6", "mpls", "ip6[6] = 17 and ip6[40:2] = 40000",
        // DPDK 22.11 compiles this to native code that jumps into the middle of an instruction.
        "not src net 128.0.0.0/1 and not ether dst 52:54:00:00:00:01",
    ]

    @Test("each expression matches what libpcap says it does, on whole frames and in pieces, and reads nothing beyond a frame", arguments: expressions)
    func asLibpcap(_ expression: String) throws {
        let program = try PacketExpression.program(of: expression)
        for oneByOne in [false, true] {
            let trial = try FilterTrial([FilterRule(.deny, expression)], .allow, oneByOne: oneByOne)
            var random = Seeded(expression.utf8.reduce(7) { ($0 as UInt64) &* 31 &+ UInt64($1) })
            try Self.compare(trial, [program], rounds: 200, &random)
        }
    }

    /// Runs deny rules on frames of all kinds, whole and in pieces, and compares the verdicts with libpcap's.
    private static func compare(_ trial: FilterTrial, _ programs: [PacketProgram], rounds: Int, _ random: inout Seeded) throws {
        var hits = [UInt64](repeating: 0, count: programs.count + 1), unreadable: UInt64 = 0
        for round in 0..<rounds {
            let frames = MixedTraffic.burst(&random).map { frame -> MixedTraffic.MixedFrame in
                // Some frames are cut, so that there are frames of every length.
                switch round % 3 {
                case 0: frame
                case 1: (Array(frame.bytes.prefix(Int.random(in: 14...80, using: &random))), Int.random(in: 14...80, using: &random))
                default: (Array(frame.bytes.prefix(Int.random(in: 14...80, using: &random))), frame.bytes.count)
                }
            }
            let expected = frames.indices.filter { number in
                let frame = frames[number].bytes
                // All tags must lie in the first piece, because a frame whose first buffer ends within its tags has no verdict.
                let tagsEnd = frame.count - (untagged(frame)?.count ?? 0) + 14
                guard frames[number].contiguous >= min(frame.count, tagsEnd), let bare = untagged(frame) else {
                    unreadable += 1
                    return false
                }
                let first = programs.firstIndex { matches($0, $0.seesTags ? frame : bare) } ?? programs.count
                hits[first] += 1
                return first == programs.count
            }
            let kept = trial.judge(frames)
            guard kept == expected, trial.hits == hits else {
                Issue.record("round \(round): \(kept) stay instead of \(expected), and \(trial.hits) are counted instead of \(hits), of \(frames)")
                return
            }
        }
        #expect(trial.dropped == hits.dropLast().reduce(unreadable, +))
    }

    /// A random expression about values that occur in the frames, so that many expressions ask for nearly the same.
    private static func randomExpression(_ random: inout Seeded) -> String {
        func any<T>(_ all: [T]) -> T { all.randomElement(using: &random)! }
        func term() -> String {
            switch Int.random(in: 0..<9, using: &random) {
            case 0: "\(any(["tcp", "udp", "ip", "ip6"]))"
            case 1: "\(any(["tcp", "udp", "sctp"])) \(any(["src", "dst"])) port \(any([3260, 4791, 443, 40_000, 40_001, 257]))"
            case 2: "\(any(["src", "dst"])) net \(any(["1.1.1.0/24", "1.1.0.0/16", "1.0.0.0/8", "1.1.1.1/32", "128.0.0.0/1", "3.3.0.0/16"]))"
            case 3: "ether \(any(["src", "dst"])) 52:54:00:00:00:0\(Int.random(in: 1...4, using: &random))"
            case 4: "\(any(["len", "ip[2:2]", "tcp[0:2]", "udp[2:2]", "ether[12:2]"])) \(any([">", "<=", "=", "<", ">="])) \(any([40, 60, 100, 600, 2_048, 40_000]))"
            case 5: "\(any(["ip[1]", "ip[6:2]", "ether[12:4]", "ether[2]"])) & \(any([1, 0x1c, 0xfc, 0x2000, 0x1fff, 0x8000_0000])) != \(any([0, 4, 40]))"
            case 6: "portrange \(any(["400-500", "3000-4000", "443-50000"]))"
            case 7: any(["vlan 5", "ip proto 6", "arp", "ip6 proto 17", "icmp", "ether multicast", "ip[0] & 15 = 6", "ip[8] = ip[9]", "ip[8] > ip[9]", "ip[1] >= ip[14]", "tcp[0:2] < tcp[2:2]", "ip[2:2] * 3 > len", "ip[4] & ip[9] != 0", "ether[ip[8] - 51] = 1"])
            default: any(expressions.filter { !$0.isEmpty })
            }
        }
        let terms = (0..<Int.random(in: 1...3, using: &random)).map { _ in any(["", "", "not "]) + "(\(term()))" }
        return terms.joined(separator: any([" and ", " and ", " or "]))
    }

    @Test("many rules together match what libpcap says of one after the other, whatever they share and wherever frames end", arguments: 0..<40)
    func together(_ seed: UInt64) throws {
        var random = Seeded(seed)
        // Expressions that cannot match anything are refused, so they are left out.
        let rules = (0..<Int.random(in: 2...20, using: &random)).map { _ in Self.randomExpression(&random) }.filter { PacketExpression.fault(of: $0) == nil }
        let trial = try FilterTrial(rules.map { FilterRule(.deny, $0) }, .allow)
        try Self.compare(trial, rules.map { try PacketExpression.program(of: $0) }, rounds: 120, &random)
    }

    @Test("rules run together, but not those that see tags with those that do not, nor what no native code is made of")
    func joined() throws {
        #if arch(x86_64)
            let ports = (0..<256).map { "tcp dst port \(1_000 + $0)" }
            #expect(try Self.joined(ports) == [0..<256])
            #expect(try Self.joined(["tcp dst port 25", "udp src port 67", "vlan 7", "vlan and icmp", "src net 10.0.0.0/8", "icmp"]) == [0..<2, 2..<4, 4..<6])
            #expect(try Self.joined(["arp", "ip[0] / ip[1] > 1", "icmp", "ip6"]) == [0..<1, 2..<4])
            let bits = (0..<64).map { "ip[\($0 / 8)] & \(1 << ($0 % 8)) != 0 and ip[\(19 - $0 / 8)] & \(1 << ($0 % 8)) != 0" }
            #expect(try Self.joined(bits) == [0..<64])
        #endif
    }

    private static func joined(_ expressions: [String]) throws -> [Range<Int>] { try FilterTrial(expressions.map { FilterRule(.deny, $0) }, .allow).joinedRules }

    @Test("the first rule that matches decides, the default about the rest, and each counts")
    func order() throws {
        let trial = try FilterTrial([FilterRule(.allow, "src host 10.0.0.9"), FilterRule(.deny, "tcp dst port 25"), FilterRule(.allow, "tcp")], .deny)
        let udp = MixedTraffic.udp(from: 1, to: 2, port: 53, size: 60)
        let frames = [Self.smtp(), Self.smtp(source: [10, 0, 0, 9]), Self.smtp(port: 80), udp, Self.smtp(), udp]
        #expect(trial.judge(frames.map { ($0, $0.count) }) == [1, 2])
        #expect(trial.hits == [1, 2, 1, 2])
        #expect(trial.dropped == 4)
    }

    @Test("no tag hides a frame from a rule that does not ask for tags, and one that asks sees them")
    func tags() throws {
        let deny = try FilterTrial([FilterRule(.deny, "tcp dst port 25")], .allow)
        for tags: [UInt8] in [[], [0x81, 0, 0, 0], [0x81, 0, 0x60, 10], [0x88, 0xa8, 0, 7, 0x81, 0, 0, 5], [UInt8]((0..<8).flatMap { _ in [0x81, 0, 0, 0] as [UInt8] })] {
            #expect(!deny.allows(Self.smtp(tags)), "\(tags)")
            #expect(deny.allows(Self.smtp(tags, port: 80)), "\(tags)")
            // The frame is also given in two segments, divided at every place.
            let frame = Self.smtp(tags)
            for contiguous in 14 + tags.count...frame.count { #expect(deny.judge([(frame, contiguous)]).isEmpty) }
        }
        // A frame that a deny rule cannot examine is not let through.
        #expect(!deny.allows(Self.smtp([UInt8]((0..<9).flatMap { _ in [0x81, 0, 0, 0] as [UInt8] }), port: 80)))
        #expect(!deny.allows(Array(Self.smtp([0x81, 0, 0, 0], port: 80).prefix(16))))
        #expect(deny.allows(Array(Self.smtp().prefix(13))))

        let vlan = try FilterTrial([FilterRule(.allow, "vlan 10 and tcp dst port 25")], .deny)
        #expect(vlan.allows(Self.smtp([0x81, 0, 0x60, 10])))
        #expect(!vlan.allows(Self.smtp([0x81, 0, 0, 11])) && !vlan.allows(Self.smtp()))
    }

    // MARK: Addresses

    private static func locked(_ change: (inout PortSettings) -> Void) -> PortSettings {
        var port = PortSettings(name: "vm1", bridge: "br0", kind: .tap(interface: "t", netns: nil, mac: nil))
        change(&port)
        return port
    }

    private static func arp(_ sender: [UInt8], sizes: [UInt8] = [6, 4]) -> [UInt8] {
        [UInt8](repeating: 0xff, count: 6) + mac + [8, 6, 0, 1, 8, 0] + sizes + [0, 1] + mac + sender + [0, 0, 0, 0, 0, 0, 10, 0, 0, 1] + [UInt8](repeating: 0, count: 18)
    }
    private static let mac: [UInt8] = [0x52, 0x54, 0, 0, 0, 1]
    private static let linkLocal: [UInt8] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x50, 0x54, 0, 0xff, 0xfe, 0, 0, 1]
    private static func global(_ last: UInt8) -> [UInt8] { [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [last] }

    private static func ip6(_ source: [UInt8], next: UInt8 = 6, hops: UInt8 = 64, _ payload: [UInt8] = [UInt8](repeating: 0, count: 24)) -> [UInt8] {
        [0x33, 0x33, 0, 0, 0, 1] + mac + [0x86, 0xdd, 0x60, 0, 0, 0, 0, UInt8(payload.count), next, hops] + source + global(99) + payload
    }

    private static func udp(_ source: [UInt8], _ from: UInt16, _ to: UInt16) -> [UInt8] {
        [UInt8](repeating: 0xff, count: 6) + mac + [8, 0, 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 17, 0, 0] + source + [255, 255, 255, 255]
            + [UInt8(from >> 8), UInt8(from & 255), UInt8(to >> 8), UInt8(to & 255), 0, 20, 0, 0] + [UInt8](repeating: 0, count: 12)
    }

    @Test("a port with addresses lets in what comes from them, and what who has none yet must say")
    func addresses() throws {
        let port = Self.locked { $0.addresses = ["10.0.0.5", "10.1.0.0/16", "2001:db8::5"].map { IPPrefix($0)! } }
        let trial = try FilterTrial(port.addressRules, .deny)
        let zero = [UInt8](repeating: 0, count: 16)
        let solicitation: [UInt8] = [135, 0, 0, 0, 0, 0, 0, 0] + Self.linkLocal, advertisement: [UInt8] = [136, 0, 0, 0, 0, 0, 0, 0]
        let cases: [(String, [UInt8], Bool)] = [
            ("own IPv4", Self.smtp(source: [10, 0, 0, 5]), true), ("own network", Self.smtp(source: [10, 1, 2, 3]), true),
            ("another's IPv4", Self.smtp(source: [10, 0, 0, 6]), false), ("another's IPv4 in a tag", Self.smtp([0x81, 0, 0, 0], source: [10, 0, 0, 6]), false),
            ("IPv4 cut off", Array(Self.smtp(source: [10, 0, 0, 5]).prefix(28)), false),
            ("own ARP", Self.arp([10, 0, 0, 5]), true), ("another's ARP", Self.arp([10, 0, 0, 1]), false), ("ARP probe", Self.arp([0, 0, 0, 0]), true),
            ("ARP of other sizes", Self.arp([10, 0, 0, 5], sizes: [4, 4]), false), ("RARP", Self.arp([0, 0, 0, 0]).replacing([8, 6], with: [0x80, 0x35], maxReplacements: 1), true),
            ("DHCP without an address", Self.udp([0, 0, 0, 0], 68, 67), true), ("anything else without", Self.udp([0, 0, 0, 0], 68, 53), false),
            ("own IPv6", Self.ip6(Self.global(5)), true), ("another's IPv6", Self.ip6(Self.global(6)), false), ("own link-local", Self.ip6(Self.linkLocal), true),
            ("another's link-local", Self.ip6(Self.linkLocal.dropLast() + [2]), false),
            ("duplicate address detection", Self.ip6(zero, next: 58, hops: 255, solicitation), true), ("TCP without an address", Self.ip6(zero), false),
            ("own advertisement", Self.ip6(Self.global(5), next: 58, hops: 255, advertisement + Self.global(5)), true),
            ("own link-local's advertisement", Self.ip6(Self.global(5), next: 58, hops: 255, advertisement + Self.linkLocal), true),
            ("another's advertisement", Self.ip6(Self.global(5), next: 58, hops: 255, advertisement + Self.global(6)), false),
            ("another's advertisement behind a header", Self.ip6(Self.global(5), next: 60, hops: 255, [58, 0, 1, 4, 0, 0, 0, 0] + advertisement + Self.global(6)), false),
            ("MLD report", Self.ip6(zero, next: 0, hops: 1, [58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0, 0, 0, 0, 0]), true),
            ("no IP at all", [UInt8](repeating: 0xff, count: 6) + Self.mac + [0x88, 0xb5] + [UInt8](repeating: 0, count: 46), true),
        ]
        for (name, frame, isAllowed) in cases { #expect(trial.allows(frame) == isAllowed, "\(name)") }
    }

    @Test("256 addresses of a port are as good as one")
    func manyAddresses() throws {
        let port = Self.locked { $0.addresses = (0..<128).flatMap { [IPPrefix("10.0.1.\($0)")!, IPPrefix("2001:db8::\(String($0, radix: 16))")!] } }
        let trial = try FilterTrial(port.addressRules, .deny)
        for last: UInt8 in [0, 1, 15, 16, 100, 127] { #expect(trial.allows(Self.smtp(source: [10, 0, 1, last])) && trial.allows(Self.ip6(Self.global(last)))) }
        for last: UInt8 in [128, 255] { #expect(!trial.allows(Self.smtp(source: [10, 0, 1, last])) && !trial.allows(Self.ip6(Self.global(last)))) }
    }

    @Test("guarded ports send neither answers of DHCP servers nor router advertisements, and everything else")
    func guards() throws {
        let trial = try FilterTrial(Self.locked { ($0.dhcpGuard, $0.raGuard) = (true, true) }.guardRules, .allow)
        let advertisement: [UInt8] = [134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        #expect(!trial.allows(Self.udp([10, 0, 0, 5], 67, 68)) && !trial.allows(Self.udp([10, 0, 0, 5], 9, 68)))
        #expect(trial.allows(Self.udp([0, 0, 0, 0], 68, 67)) && trial.allows(Self.udp([10, 0, 0, 5], 53, 40_000)))
        #expect(!trial.allows(Self.ip6(Self.linkLocal, next: 58, hops: 255, advertisement)))
        #expect(!trial.allows(Self.ip6(Self.linkLocal, next: 0, hops: 255, [58, 0, 1, 4, 0, 0, 0, 0] + advertisement)))
        #expect(!trial.allows(Self.ip6(Self.linkLocal, next: 44, hops: 255, [58, 0, 0, 1, 0, 0, 0, 1] + advertisement)))
        #expect(trial.allows(Self.ip6(Self.linkLocal, next: 58, hops: 255, [133, 0, 0, 0, 0, 0, 0, 0])))
        #expect(!trial.allows(Self.ip6(Self.linkLocal, next: 17, [0x02, 0x23, 0x02, 0x22, 0, 16, 0, 0] + [UInt8](repeating: 0, count: 8))))
    }
}
