import LinkProtocols
import Packet
import Testing

@Suite("Queries that a bridge sends")
struct QueryFrameTests {
    static func writer(_ change: (inout SnoopingSettings) -> Void = { _ in }) -> QueryWriter {
        var settings = SnoopingSettings()
        change(&settings)
        return QueryWriter(mac: Frames.bridge, settings: settings)
    }

    @Test("IGMPv3, general: RFC 3376, 4.1, and RFC 2113")
    func igmp3() {
        let frame: [UInt8] = [
            0x01, 0, 0x5e, 0, 0, 1, 0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 8, 0,
            0x46, 0xc0, 0, 36, 0, 0, 0x40, 0, 1, 2, 0x04, 0x13, 0, 0, 0, 0, 224, 0, 0, 1, 0x94, 4, 0, 0,
            0x11, 100, 0xec, 0x1e, 0, 0, 0, 0, 2, 125, 0, 0,
        ]
        #expect(Self.writer().query(.ipv4, group: nil) == frame + [UInt8](repeating: 0, count: 10))
    }

    @Test("IGMPv2, of a group, to the group: RFC 2236, 2 and 3")
    func igmp2() {
        let group = Frames.v4(239, 129, 2, 3)
        let frame = Self.writer { ($0.igmpVersion, $0.querierAddress) = (2, 0x0a00_0001) }.query(.ipv4, group: group)
        let packet = Frames.ipv4(Frames.igmp(0x11, code: 10, Frames.bytes(group)), to: group, fragment: 0x4000)
        #expect(frame == Frames.ethernet(0x800, to: 0x0100_5e01_0203, from: Frames.bridge.value, packet))
    }

    @Test("MLDv2 and MLDv1: RFC 3810, 5.1, RFC 2710, 3, from the link-local address of the MAC address (RFC 4291, appendix A)")
    func mld() {
        let own = GroupAddress(high: 0xfe80 << 48, low: 0x00aa_bbff_fecc_ddee)
        #expect(Self.writer().ownAddress(.ipv6) == own)
        let nodes = GroupAddress(high: 0xff02 << 48, low: 1), group = Frames.v6(0x1_0203)
        let general = Frames.ipv6(130, code: [0x27, 0x10], [0, 0] + [UInt8](repeating: 0, count: 16) + Frames.tail, source: own, to: nodes)
        #expect(Self.writer().query(.ipv6, group: nil) == Frames.ethernet(0x86dd, to: 0x3333_0000_0001, from: Frames.bridge.value, general))
        let specific = Frames.ipv6(130, code: [0x03, 0xe8], [0, 0] + Frames.bytes(group), source: own, to: group)
        let frame = Self.writer { $0.mldVersion = 1 }.query(.ipv6, group: group)
        #expect(frame == Frames.ethernet(0x86dd, to: 0x3333_0001_0203, from: Frames.bridge.value, specific))
    }

    @Test("are read by another bridge", arguments: [2, 3], GroupFamily.allCases)
    func readBack(_ version: Int, _ family: GroupFamily) {
        let writer = Self.writer { ($0.igmpVersion, $0.mldVersion) = (version, version - 1) }
        var lab = Lab()
        lab.snooper = GroupSnooper(settings: SnoopingSettings(), mac: MACAddress(value: 0x0200_0000_0077))
        lab.snooper.set(port: 1, PortSnooping(), now: 0)
        lab.snooper.set(vlans: [0: [1]], now: 0)
        #expect(lab.hear(writer.query(family, group: nil)) == .query)
        #expect(lab.hear(writer.query(family, group: family == .ipv4 ? Frames.v4(239, 1, 1, 1) : Frames.v6(5))) == .query)
        let other = lab.snooper.queriers(now: lab.now).first { $0.family == family }?.other
        #expect(other?.address == writer.ownAddress(family) && other?.version == (family == .ipv4 ? version : version - 1))
    }

    @Test("codes of long times: RFC 3376, 4.1.1, and RFC 3810, 5.1.3")
    func codes() {
        for code in UInt8.min...UInt8.max { #expect(encode8(floatCode8(code)) == code) }
        for code in UInt16.min...UInt16.max { #expect(encode16(floatCode16(code)) == code) }
        #expect(floatCode8(0x80) == 128 && floatCode8(0xff) == 31 << 10 && floatCode16(0x8000) == 32768 && floatCode16(0xffff) == 8191 << 10)
        #expect(encode8(.max) == 0xff && encode16(.max) == 0xffff)
        // A value between two codes is sent as the lower one, so hosts answer sooner.
        #expect(encode8(135) == 0x80 && encode8(136) == 0x81)
    }
}
