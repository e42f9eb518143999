import Bridge
import Packet
import Testing

@Suite("Rules before the look-up")
struct BridgeRulesTests {
    private func verdict(_ destination: UInt64, from source: UInt64 = 0x5254_0000_0001) -> BridgeRules.Verdict {
        var record = FrameRecord()
        record.destination = destination
        record.source = source
        return BridgeRules.verdict(&record)
    }

    @Test func individualAddressesAreLookedUp() {
        #expect(verdict(0x5254_0000_0002) == .unicast)
        #expect(verdict(0x0200_0000_0000) == .unicast)
        #expect(verdict(0x5254_0000_0001) == .unicast, "to its own address: the look-up finds the source port and drops it there")
        #expect(verdict(0) == .unicast)
        #expect(verdict(0x5254_0000_0002, from: 0x0200_0000_0000) == .unicast)
        #expect(verdict(0x0080_c200_0001) == .unicast)
    }

    @Test func groupsAreFlooded() {
        #expect(verdict(0xffff_ffff_ffff) == .flood)
        #expect(verdict(0x0100_5e00_0001) == .flood)
        #expect(verdict(0x3333_0000_0001) == .flood)
        #expect(verdict(0x0180_c200_0010) == .flood)
        #expect(verdict(0x0180_c200_0021) == .flood)
        #expect(verdict(0x0180_c1ff_ffff) == .flood)
    }

    @Test func sourcesThatCannotBe() {
        for destination in [0x5254_0000_0002, 0xffff_ffff_ffff, 0x0180_c200_0001] as [UInt64] {
            #expect(verdict(destination, from: 0) == .zeroSource)
            #expect(verdict(destination, from: 0xffff_ffff_ffff) == .multicastSource)
            #expect(verdict(destination, from: 0x0100_0000_0000) == .multicastSource)
        }
    }

    @Test func reservedAddressesAreNeverForwarded() {
        for last in 0...15 as ClosedRange<UInt64> {
            let expected: BridgeRules.Verdict = last == 1 ? .pause : last == 14 ? .lldp : .linkLocal
            #expect(verdict(0x0180_c200_0000 | last) == expected)
        }
    }

    @Test func runtsHaveAVerdictOfTheirOwn() {
        var record = FrameRecord()
        let bytes: [UInt8] = [1, 2, 3]
        bytes.withUnsafeBytes { parse($0.baseAddress!, contiguous: 3, length: 3, into: &record) }
        #expect(BridgeRules.verdict(&record) == .runt)
    }
}
