import LinkProtocols
import Testing

@Suite("Addresses of groups")
struct GroupAddressTests {
    @Test(
        "are written as RFC 5952 has it",
        arguments: [
            (GroupAddress(ipv4: 0xef01_0101), "239.1.1.1"), (GroupAddress(ipv4: 0), "0.0.0.0"), (GroupAddress(high: 0, low: 0), "::"),
            (GroupAddress(high: 0xff02_0000_0000_0000, low: 0x1_0003), "ff02::1:3"),
            (GroupAddress(high: 0xff02_0000_0000_0000, low: 0), "ff02::"),
            (GroupAddress(high: 0, low: 1), "::1"),
            // A single zero is written out. Of two runs of zeros with the same length, the first is shortened (RFC 5952, 4.2).
            (GroupAddress(high: 0xff05_0000_0001_0002, low: 0x3_0004_0005_0006), "ff05:0:1:2:3:4:5:6"),
            (GroupAddress(high: 0x2001_0000_0000_0001, low: 0x0000_0000_0001_0001), "2001::1:0:0:1:1"),
            (GroupAddress(high: 0x2001_0db8_0000_0000, low: 0x0001_0000_0000_0001), "2001:db8::1:0:0:1"),
            (GroupAddress(high: 0x1_0000_0000_0001, low: 0x0000_0000_0000_0001), "1:0:0:1::1"),
        ])
    func description(_ address: GroupAddress, _ text: String) { #expect(address.description == text) }

    @Test("know family, scope and MAC address: RFC 1112, 6.4, RFC 2464, 7, RFC 4541, 2.1.2")
    func properties() {
        let all = GroupAddress(ipv4: 0xe000_0001), group = GroupAddress(ipv4: 0xefff_0101)
        let nodes = GroupAddress(high: 0xff02 << 48, low: 1), solicited = GroupAddress(high: 0xff02 << 48, low: 0x1_ff00_0001)
        #expect(all.isNeverRegistered && nodes.isNeverRegistered)
        #expect(!group.isNeverRegistered && !solicited.isNeverRegistered)
        #expect(GroupAddress(high: 0xff01 << 48, low: 5).isNeverRegistered && GroupAddress(high: 0xff10 << 48, low: 5).isNeverRegistered)
        #expect(!GroupAddress(high: 0xff05 << 48, low: 1).isNeverRegistered)
        #expect(group.family == .ipv4 && nodes.family == .ipv6)
        #expect(group.groupMAC == 0x0100_5e7f_0101 && solicited.groupMAC == 0x3333_ff00_0001)
        #expect(group.isMulticast && nodes.isMulticast && !GroupAddress(ipv4: 0xf000_0001).isMulticast)
        #expect(GroupAddress(high: 0xfe80 << 48, low: 9).isLinkLocalUnicast && !GroupAddress(high: 0xfec0 << 48, low: 9).isLinkLocalUnicast)
    }
}
