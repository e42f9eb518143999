import Packet
import Testing

@Suite("MAC addresses")
struct MACAddressTests {
    @Test func readsAndPrints() {
        #expect(MACAddress("52:54:00:ab:CD:ef")?.value == 0x5254_00ab_cdef)
        #expect(MACAddress("52-54-00-ab-cd-ef")?.description == "52:54:00:ab:cd:ef")
        for text in ["", "52:54:00:ab:cd", "52:54:00:ab:cd:ef:00", "52:54:00:ab:cd:e", "52:54:00:ab:cd:eg", "525400abcdef", "+2:54:00:ab:cd:ef", "52:54:00:ab:cd:eff"] {
            #expect(MACAddress(text) == nil, "\(text)")
        }
    }

    @Test func kinds() {
        #expect(MACAddress(value: 0xffff_ffff_ffff).isBroadcast && MACAddress(value: 0xffff_ffff_ffff).isMulticast)
        #expect(MACAddress(value: 0x0100_5e00_0001).isMulticast && !MACAddress(value: 0x0100_5e00_0001).isBroadcast)
        #expect(!MACAddress(value: 0x0200_0000_0000).isMulticast && MACAddress(value: 0).isZero)
    }
}
