import LinkProtocols
import Testing

@Suite("FIP snooping")
struct FIPTests {
    private static let node: UInt64 = 0x0200_0000_0001, forwarder: UInt64 = 0x0200_0000_00fc
    private static let granted: UInt64 = 0x0efc_0001_0203, claimed: UInt64 = 0x0efd_0000_4711
    private static let second: UInt64 = 1_000_000_000

    static func octets(_ mac: UInt64) -> [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: mac >> UInt64(40 - 8 * $0)) } }
    static func address(_ mac: UInt64) -> [UInt8] { [2, 2] + octets(mac) }
    static func vnPort(_ mac: UInt64) -> [UInt8] { [11, 5] + octets(mac) + [0] + octets(mac)[3...] + [UInt8](repeating: 0x20, count: 8) }
    static func service(_ command: UInt8, exchange: UInt16 = 7, to: UInt64 = granted, kind: UInt8 = 7) -> [UInt8] {
        [kind, 8, 0, 0, 0x23] + octets(to)[3...] + [UInt8](repeating: 0, count: 12) + [UInt8(exchange >> 8), UInt8(exchange & 0xff), 0xff, 0xff, 0, 0, 0, 0]
            + [command, 0, 0, 0]
    }
    static func bytes(_ operation: UInt8, _ subcode: UInt8, from: UInt64 = node, to: UInt64 = forwarder, _ descriptors: [UInt8]...) -> [UInt8] {
        let all = Array(descriptors.joined())
        return octets(to) + octets(from) + [0x89, 0x14, 0x10, 0, 0, operation, 0, subcode, 0, UInt8(all.count / 4), 0, 0] + all
    }
    static func frame(_ bytes: [UInt8]) -> FIPFrame? { bytes.withUnsafeBytes { FIPFrame($0.baseAddress!, count: $0.count, at: 14) } }

    /// A snooper of a bridge whose ports 1 to 9 are guests' and 0 leads to the forwarder.
    private final class Bridge {
        var snooper = FIPSnooper(seed: 42)
        var now: UInt64 = 1_000_000_000

        func judge(_ port: UInt16, vlan: UInt16 = 0, _ bytes: [UInt8]) -> FIPVerdict {
            snooper.receive(FIPTests.frame(bytes)!, from: port, vlan: vlan, isWatched: port != 0, at: now)
        }
        func take(_ port: UInt16, vlan: UInt16 = 0, _ bytes: [UInt8]) -> Bool { judge(port, vlan: vlan, bytes).mayPass }
        func login(_ port: UInt16, node: UInt64 = FIPTests.node, _ address: UInt64 = FIPTests.granted, command: UInt8 = 4, answer: UInt8 = 2) {
            #expect(take(port, FIPTests.bytes(2, 1, from: node, FIPTests.service(command), FIPTests.address(0))))
            #expect(take(0, FIPTests.bytes(2, 2, from: FIPTests.forwarder, to: node, FIPTests.service(answer, to: address), FIPTests.address(address))))
        }
        func may(_ port: UInt16, _ address: UInt64 = FIPTests.granted, vlan: UInt16 = 0) -> Bool { snooper.isGranted(address, vlan: vlan, port: port) }
    }

    @Test("an address is its node's from the forwarder's answer to the login on, at that port alone; a second one by FDISC as well")
    func login() {
        let bridge = Bridge()
        #expect(!bridge.may(1))
        bridge.login(1)
        bridge.login(1, Self.granted + 1, command: 0x51)
        #expect(bridge.may(1) && bridge.may(1, Self.granted + 1) && !bridge.may(2) && !bridge.may(1, vlan: 5) && bridge.snooper.count == 2)
        // An answer that nobody waits for, that is a refusal, or that names another N_Port_ID than the address has, grants nothing.
        bridge.login(2, node: 0x0200_0000_0002, Self.granted + 2, answer: 1)
        #expect(bridge.take(0, Self.bytes(2, 2, from: Self.forwarder, to: Self.node, Self.service(2, exchange: 9), Self.address(Self.granted + 3))))
        #expect(bridge.take(2, Self.bytes(2, 1, from: 0x0200_0000_0002, Self.service(4), Self.address(0))))
        #expect(bridge.take(0, Self.bytes(2, 2, from: Self.forwarder, to: 0x0200_0000_0002, Self.service(2), Self.address(Self.granted + 4))))
        #expect(bridge.snooper.count == 2)
        // So does one that is late.
        #expect(bridge.take(2, Self.bytes(2, 1, from: 0x0200_0000_0002, Self.service(4), Self.address(0))))
        bridge.now += FIPSnooper.answerTime
        #expect(bridge.take(0, Self.bytes(2, 2, from: Self.forwarder, to: 0x0200_0000_0002, Self.service(2, to: Self.granted + 5), Self.address(Self.granted + 5))))
        #expect(bridge.snooper.count == 2)
    }

    @Test("a logout that the forwarder accepts, a cleared link, and silence end what was granted")
    func ends() {
        let bridge = Bridge()
        bridge.login(1)
        // Another guest cannot log it out.
        #expect(!bridge.take(2, Self.bytes(2, 1, from: 0x0200_0000_0002, Self.service(5, kind: 9), Self.address(Self.granted))))
        #expect(bridge.take(1, Self.bytes(2, 1, Self.service(5, exchange: 8, kind: 9), Self.address(Self.granted))) && bridge.may(1))
        #expect(bridge.take(0, Self.bytes(2, 2, from: Self.forwarder, to: Self.node, Self.service(2, exchange: 8, kind: 9))) && !bridge.may(1))
        bridge.login(1)
        bridge.login(1, Self.granted + 1)
        #expect(bridge.take(0, Self.bytes(3, 2, from: 0x0200_0000_00fd, to: Self.node)) && bridge.may(1))
        #expect(bridge.take(0, Self.bytes(3, 2, from: Self.forwarder, to: Self.node, Self.vnPort(Self.granted))) && !bridge.may(1) && bridge.may(1, Self.granted + 1))
        #expect(bridge.take(0, Self.bytes(3, 2, from: Self.forwarder, to: Self.node)) && bridge.snooper.count == 0)
        bridge.login(1)
        bridge.now += FIPSnooper.keepAliveTime - 1
        #expect(bridge.take(1, Self.bytes(3, 1, from: Self.granted, Self.address(Self.node), Self.vnPort(Self.granted))))
        #expect(!bridge.take(2, Self.bytes(3, 1, from: 0x0200_0000_0002, Self.vnPort(Self.granted))))
        bridge.now += FIPSnooper.keepAliveTime - 1
        bridge.snooper.advance(to: bridge.now) { _ in true }
        #expect(bridge.may(1))
        // A forwarder that wants no keep-alives is enough.
        #expect(bridge.take(0, Self.bytes(1, 2, from: Self.forwarder, to: 0x0110_1801_0001, [12, 2, 0, 1, 0, 0, 0x1f, 0x40])))
        bridge.now += FIPSnooper.keepAliveTime - 1
        bridge.snooper.advance(to: bridge.now) { _ in true }
        #expect(bridge.may(1))
        bridge.now += 1
        bridge.snooper.advance(to: bridge.now) { _ in true }
        #expect(!bridge.may(1) && bridge.snooper.count == 0)
        bridge.login(1)
        bridge.snooper.advance(to: bridge.now) { $0 != 1 }
        #expect(bridge.snooper.count == 0)
    }

    @Test("a node without a forwarder keeps the address that it claimed first, as long as it is heard of")
    func claims() {
        let bridge = Bridge()
        func message(_ subcode: UInt8, from: UInt64 = Self.node, _ address: UInt64 = Self.claimed) -> [UInt8] {
            Self.bytes(5, subcode, from: from, to: 0x0110_1801_0004, Self.address(from), Self.vnPort(address))
        }
        #expect(bridge.take(1, message(1)) && !bridge.may(1, Self.claimed))
        #expect(bridge.take(1, message(3)) && bridge.may(1, Self.claimed))
        // Probes may ask for it, but nobody else has it, says that it has it, or sends from it.
        #expect(bridge.take(2, message(1, from: 0x0200_0000_0002)))
        for subcode: UInt8 in 2...5 { #expect(!bridge.take(2, message(subcode, from: 0x0200_0000_0002))) }
        #expect(!bridge.take(2, message(1, from: Self.claimed)) && !bridge.may(2, Self.claimed))
        // It logs in at others and answers their logins, and keeps the address when it logs out of one.
        #expect(bridge.take(1, Self.bytes(2, 1, Self.service(4), Self.address(0))) && bridge.take(1, Self.bytes(2, 2, Self.service(2), Self.address(0))))
        #expect(!bridge.take(1, Self.bytes(2, 2, Self.service(2), Self.address(Self.granted))) && !bridge.take(2, Self.bytes(2, 2, Self.service(2), Self.address(0))))
        #expect(bridge.take(1, Self.bytes(2, 1, Self.service(5, exchange: 8, kind: 9), Self.address(Self.claimed))))
        #expect(bridge.take(0, Self.bytes(2, 2, from: Self.forwarder, to: Self.node, Self.service(2, exchange: 8, kind: 9))) && bridge.may(1, Self.claimed))
        // In another VLAN it is another address, and one that is claimed beyond the wire is taken as well.
        #expect(bridge.take(2, vlan: 7, message(3, from: 0x0200_0000_0002)) && bridge.may(2, Self.claimed, vlan: 7))
        #expect(bridge.take(0, message(3, from: 0x0200_0000_0003, Self.claimed + 1)) && !bridge.take(2, message(3, from: 0x0200_0000_0002, Self.claimed + 1)))
        // What a forwarder grants cannot be claimed, nor several addresses at once.
        #expect(!bridge.take(1, message(3, Self.granted)) && !bridge.take(1, Self.bytes(5, 3, Self.vnPort(Self.claimed + 2), Self.vnPort(Self.claimed + 3))))
        for _ in 0..<5 {
            bridge.now += 8 * Self.second
            #expect(bridge.take(1, message(5)))
            bridge.snooper.advance(to: bridge.now) { _ in true }
        }
        #expect(bridge.may(1, Self.claimed) && bridge.snooper.count == 1)
        bridge.now += FIPSnooper.beaconTime
        #expect(bridge.take(2, message(3, from: 0x0200_0000_0002)) && bridge.may(2, Self.claimed) && !bridge.may(1, Self.claimed))
    }

    @Test("guests cannot play the forwarder", arguments: [(1, 2), (2, 2), (3, 2), (4, 2), (9, 9), (3, 7)] as [(UInt8, UInt8)])
    func forwarders(_ operation: UInt8, _ subcode: UInt8) {
        let bridge = Bridge()
        #expect(!bridge.take(1, Self.bytes(operation, subcode, Self.service(2), Self.address(Self.granted))))
        #expect(bridge.take(0, Self.bytes(operation, subcode, from: Self.forwarder, Self.service(2), Self.address(Self.granted))) && bridge.snooper.count == 0)
    }

    @Test("a guest takes no more than its part of the table, and all together no more than it holds")
    func bounds() {
        let bridge = Bridge()
        func claim(_ port: UInt16, _ number: UInt64) -> Bool { bridge.take(port, Self.bytes(5, 3, from: Self.node, Self.vnPort(0x0efd_0000_0000 + number))) }
        var own = 0
        for number in 0..<10_000 as Range<UInt64> where claim(1, number) { own += 1 }
        #expect(own == FIPSnooper.mostOfPort && bridge.snooper.count == own)
        for port in 2..<100 as Range<UInt16> { for number in 0..<100 as Range<UInt64> { _ = claim(port, UInt64(port) * 1_000 + number) } }
        #expect(bridge.snooper.count <= FIPSnooper.capacity && bridge.snooper.count > FIPSnooper.capacity / 2)
        bridge.snooper.advance(to: bridge.now + FIPSnooper.beaconTime) { _ in true }
        #expect(bridge.snooper.count == 0)
        // A guest's unanswered logins take the place of each other, and not of other guests'.
        #expect(bridge.take(2, Self.bytes(2, 1, from: 0x0200_0000_0002, Self.service(4), Self.address(0))))
        for exchange in 0..<1_000 as Range<UInt16> { #expect(bridge.take(1, Self.bytes(2, 1, Self.service(4, exchange: exchange), Self.address(0)))) }
        #expect(bridge.take(0, Self.bytes(2, 2, from: Self.forwarder, to: 0x0200_0000_0002, Self.service(2), Self.address(Self.granted))) && bridge.may(2))
    }

    @Test("it is told what is made of a frame, and who has which address, from whom, and for how long; trying it with a copy changes nothing")
    func verdicts() {
        let bridge = Bridge()
        func claim(_ address: UInt64 = Self.claimed, from: UInt64 = Self.node) -> [UInt8] {
            Self.bytes(5, 3, from: from, to: 0x0110_1801_0004, Self.address(from), Self.vnPort(address))
        }
        let login = Self.bytes(2, 1, Self.service(4), Self.address(0))
        let accept = Self.bytes(2, 2, from: Self.forwarder, to: Self.node, Self.service(2), Self.address(Self.granted))
        #expect(bridge.judge(1, Self.bytes(1, 1)) == .passes && bridge.judge(1, claim()) == .claims)
        bridge.now += Self.second
        #expect(bridge.judge(1, claim()) == .renews && bridge.judge(2, claim(from: 0x0200_0000_0002)) == .isTaken)
        #expect(bridge.judge(2, claim(Self.granted)) == .cannotBeClaimed)
        #expect(bridge.judge(2, vlan: 5, login) == .asks && bridge.judge(1, accept) == .isForwarders)
        var copy = FIPSnooper(copying: bridge.snooper)
        #expect(copy.receive(Self.frame(accept)!, from: 0, vlan: 5, isWatched: false, at: bridge.now) == .grants && copy.count == 2 && bridge.snooper.count == 1)
        #expect(bridge.judge(0, vlan: 5, accept) == .grants && bridge.judge(0, vlan: 5, accept) == .passes)
        bridge.now += 2 * Self.second
        let list = bridge.snooper.list(at: bridge.now)
        #expect(list.map(\.address) == [Self.claimed, Self.granted] && list.map(\.vlan) == [0, 5] && list.map(\.port) == [1, 2])
        #expect(list.map(\.node) == [Self.node, Self.node] && list.map(\.forwarder) == [nil, Self.forwarder])
        #expect(list.map { $0.age / Self.second } == [3, 2] && list.map { $0.timeLeft / Self.second } == [18, 223])
        let keepAlive = Self.bytes(3, 1, Self.vnPort(Self.granted))
        #expect(bridge.judge(1, vlan: 5, keepAlive) == .notGranted && bridge.judge(2, vlan: 5, keepAlive) == .renews)
        // One of two addresses is another port's: nothing is renewed.
        let before = bridge.snooper.list(at: bridge.now)
        #expect(bridge.judge(2, vlan: 5, Self.bytes(3, 1, Self.vnPort(Self.granted), Self.vnPort(Self.granted + 1))) == .notGranted)
        #expect(bridge.snooper.list(at: bridge.now) == before && bridge.judge(2, vlan: 5, Self.bytes(2, 1, Self.service(2))) == .isUnknown)
        #expect(bridge.judge(2, Self.bytes(1, 1, from: Self.granted)) == .notGranted && bridge.judge(2, Self.bytes(9, 9)) == .isUnknown)
        #expect(bridge.judge(0, vlan: 5, Self.bytes(3, 2, from: Self.forwarder, to: Self.node)) == .ends && bridge.judge(0, vlan: 5, accept) == .passes)
        bridge.now += FIPSnooper.beaconTime
        #expect(bridge.snooper.list(at: bridge.now).isEmpty)
        #expect(Set(FIPVerdict.allCases.map(\.name)).count == FIPVerdict.allCases.count)
    }

    @Test("frames that end too early or contradict themselves are refused at every length; any octets are read without harm")
    func malformed() {
        let whole = Self.bytes(2, 2, Self.service(2), Self.address(Self.granted), Self.vnPort(Self.granted))
        #expect(Self.frame(whole)?.address == Self.granted && Self.frame(whole)?.portID == 0x01_0203 && Self.frame(whole)?.exchange == 7)
        for count in 0..<whole.count { #expect(Self.frame(Array(whole.prefix(count))) == nil) }
        for (place, value): (Int, UInt8) in [(14, 0x20), (25, 0), (25, 200), (57, 0), (57, 1)] {
            var wrong = whole
            wrong[place] = value
            #expect(Self.frame(wrong) == nil, "\(place)")
        }
        let bridge = Bridge()
        var seed: UInt64 = 1
        for _ in 0..<200_000 {
            var bytes = whole
            for _ in 0..<4 {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int((seed >> 33) % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: seed >> 24)
            }
            if let frame = Self.frame(bytes) {
                _ = bridge.snooper.receive(frame, from: UInt16(seed >> 60), vlan: 0, isWatched: seed >> 59 & 1 != 0, at: bridge.now)
                bridge.now += 1_000
            }
            #expect(bridge.snooper.count <= FIPSnooper.capacity)
        }
    }
}
