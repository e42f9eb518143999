import Packet
import Testing

@Suite("Parsing frames")
struct ParseTests {
    let memory = GuardedMemory()

    @Test func theRecordIsSmallAndTrivial() {
        #expect(MemoryLayout<FrameRecord>.stride == 48)
        #expect(_isPOD(FrameRecord.self))
        // `parse` writes these fields as whole words, so their places must be these.
        #expect(MemoryLayout<FrameRecord>.offset(of: \.destinationPort) == 24 && MemoryLayout<FrameRecord>.offset(of: \.sourcePort) == 26)
        #expect(MemoryLayout<FrameRecord>.offset(of: \.l4Offset) == 28 && MemoryLayout<FrameRecord>.offset(of: \.flags) == 30)
        #expect(MemoryLayout<FrameRecord>.offset(of: \.l3Offset) == 32 && MemoryLayout<FrameRecord>.offset(of: \.tagCount) == 33)
        #expect(MemoryLayout<FrameRecord>.offset(of: \.ipProtocol) == 34 && MemoryLayout<FrameRecord>.offset(of: \.dscp) == 35)
    }

    @Test func plainTCP() {
        let record = memory.parse(
            FrameBuilder(to: 0x0011_2233_4455, from: 0x0266_7788_99aa).ipv4(6, dscp: 46, payload: FrameBuilder.tcp(49_152, 3260)).bytes)
        #expect(record.destination == 0x0011_2233_4455)
        #expect(record.source == 0x0266_7788_99aa)
        #expect(record.length == 60)
        #expect(record.etherType == EtherType.ipv4)
        #expect(record.tagCount == 0 && record.tci == 0 && record.pcp == FrameRecord.noPCP)
        #expect(record.l3Offset == 14 && record.l4Offset == 34)
        #expect(record.ipProtocol == 6 && record.dscp == 46)
        #expect(record.sourcePort == 49_152 && record.destinationPort == 3260 && record.hasPorts)
        #expect(record.flags == [.ipv4, .ports])
        #expect(record.protocolID == 0)
    }

    @Test func plainUDPToAGroup() {
        let record = memory.parse(FrameBuilder(to: 0x0100_5e00_0001).ipv4(17, payload: FrameBuilder.udp(68, 4791)).bytes)
        #expect(record.flags == [.ipv4, .ports, .multicast])
        #expect(record.destinationPort == 4791 && record.ipProtocol == 17)
    }

    @Test(arguments: [4, 8, 40])
    func ipv4Options(_ options: Int) {
        let record = memory.parse(FrameBuilder().ipv4(6, options: options, payload: FrameBuilder.tcp(1, 860)).bytes)
        #expect(record.l4Offset == UInt16(34 + options))
        #expect(record.destinationPort == 860 && record.flags == [.ipv4, .ports])
    }

    @Test func otherProtocolsHaveNoPorts() {
        let icmp = memory.parse(FrameBuilder().ipv4(1, payload: [8, 0, 0, 0, 0, 1, 0, 1]).bytes)
        #expect(icmp.flags == .ipv4 && icmp.ipProtocol == 1 && icmp.l4Offset == 34 && !icmp.hasPorts)
        let arp = memory.parse(FrameBuilder(to: 0xffff_ffff_ffff).type(0x0806).raw([UInt8](repeating: 0, count: 28)).bytes)
        #expect(arp.etherType == EtherType.arp && arp.flags == .multicast && arp.ipProtocol == FrameRecord.noIPProtocol)
        #expect(arp.dscp == FrameRecord.noDSCP && arp.l4Offset == 0)
        let bpdu = memory.parse(FrameBuilder(to: 0x0180_c200_0000).type(38).raw([0x42, 0x42, 3]).bytes)
        #expect(bpdu.etherType == 38 && bpdu.l3Offset == 14)
    }

    @Test(arguments: [0x8100, 0x88a8, 0x9100])
    func oneTag(_ tpid: Int) {
        let record = memory.parse(FrameBuilder().tag(tpid, tci: 0x6064).ipv4(6, payload: FrameBuilder.tcp(3260, 2000)).bytes)
        #expect(record.tagCount == 1 && record.tci == 0x6064 && record.pcp == 3 && record.vid == 100)
        #expect(record.l3Offset == 18 && record.l4Offset == 38 && record.sourcePort == 3260)
    }

    @Test func twoTagsAndNotAThird() {
        let two = memory.parse(FrameBuilder().tag(0x88a8, tci: 0xe005).tag(tci: 0x0007).ipv6(17, payload: FrameBuilder.udp(9, 4791)).bytes)
        #expect(two.tagCount == 2 && two.tci == 0xe005 && two.pcp == 7 && two.vid == 5)
        #expect(two.l3Offset == 22 && two.l4Offset == 62 && two.destinationPort == 4791)
        let three = memory.parse(FrameBuilder().tag(tci: 1).tag(tci: 2).tag(tci: 3).ipv4(6, payload: FrameBuilder.tcp(1, 2)).bytes)
        #expect(three.tagCount == 2 && three.etherType == 0x8100 && !three.hasPorts && three.l3Offset == 22)
    }

    @Test func storageTypes() {
        for type in [EtherType.fcoe, EtherType.fip, EtherType.roce] {
            #expect(memory.parse(FrameBuilder().type(Int(type)).padded(to: 60).bytes).etherType == type)
            #expect(memory.parse(FrameBuilder().tag(tci: 0x6000).type(Int(type)).padded(to: 60).bytes).etherType == type)
        }
    }

    @Test func ipv6Plain() {
        let record = memory.parse(FrameBuilder().ipv6(6, dscp: 34, payload: FrameBuilder.tcp(5, 4420)).bytes)
        #expect(record.flags == [.ipv6, .ports] && record.dscp == 34 && record.l4Offset == 54 && record.destinationPort == 4420)
    }

    @Test func ipv6ExtensionHeaders() {
        let chain = FrameBuilder.extensionHeader(next: 60) + FrameBuilder.extensionHeader(next: 43, size: 24) + FrameBuilder.extensionHeader(next: 44, size: 16)
            + FrameBuilder.fragmentHeader(next: 51) + FrameBuilder.extensionHeader(next: 60, size: 24, authentication: true)
            + FrameBuilder.extensionHeader(next: 6)
        let record = memory.parse(FrameBuilder().ipv6(0, payload: chain + FrameBuilder.tcp(1, 3260)).bytes)
        #expect(record.flags == [.ipv6, .ports] && record.ipProtocol == 6 && record.destinationPort == 3260)
        #expect(Int(record.l4Offset) == 54 + chain.count)
    }

    @Test func ipv6ChainsAreBounded() {
        func chain(_ count: Int) -> [UInt8] {
            (0..<count).flatMap { FrameBuilder.extensionHeader(next: $0 == count - 1 ? 17 : 60) } + FrameBuilder.udp(1, 4791)
        }
        #expect(memory.parse(FrameBuilder().ipv6(60, payload: chain(maximumExtensionHeaders)).bytes).hasPorts)
        let long = memory.parse(FrameBuilder().ipv6(60, payload: chain(maximumExtensionHeaders + 1)).bytes)
        #expect(long.flags == [.ipv6, .malformed] && !long.hasPorts && long.l4Offset == 0)
    }

    @Test func encryptedAndEmptyIPv6HaveNoPorts() {
        let esp = memory.parse(FrameBuilder().ipv6(50, payload: [UInt8](repeating: 9, count: 32)).bytes)
        #expect(esp.ipProtocol == 50 && esp.flags == .ipv6)
        let nothing = memory.parse(FrameBuilder().ipv6(59, payload: []).bytes)
        #expect(nothing.ipProtocol == IPProtocol.noNextHeader && nothing.flags == .ipv6 && nothing.l4Offset == 0)
    }

    @Test(arguments: [0x2000, 0x0001, 0x1fff, 0x3000])
    func ipv4Fragments(_ fragment: Int) {
        let record = memory.parse(FrameBuilder().ipv4(6, dscp: 10, fragment: fragment, payload: FrameBuilder.tcp(1, 3260)).bytes)
        #expect(record.flags == [.ipv4, .fragment] && record.ipProtocol == 6 && record.dscp == 10)
        #expect(record.sourcePort == 0 && record.destinationPort == 0 && record.l4Offset == 0)
    }

    @Test func dontFragmentIsNoFragment() {
        #expect(memory.parse(FrameBuilder().ipv4(6, fragment: 0x4000, payload: FrameBuilder.tcp(1, 3260)).bytes).hasPorts)
    }

    @Test func ipv6Fragments() {
        for (offset, more) in [(0, true), (1, false), (185, true), (8191, false)] {
            let chain = FrameBuilder.fragmentHeader(next: 6, offset: offset, more: more) + FrameBuilder.tcp(1, 3260)
            let record = memory.parse(FrameBuilder().ipv6(44, payload: chain).bytes)
            #expect(record.flags == [.ipv6, .fragment] && record.ipProtocol == 6 && !record.hasPorts && record.l4Offset == 0)
        }
    }

    @Test func paddingIsNotAHeader() {
        // The IP datagram ends before the ports, in a frame that is padded to the minimum of Ethernet.
        let short = memory.parse(FrameBuilder().ipv4(6, total: 20, payload: FrameBuilder.tcp(1, 3260)).bytes)
        #expect(short.flags == [.ipv4, .truncated] && !short.hasPorts)
        let cut = memory.parse(FrameBuilder().ipv4(6, total: 39, payload: FrameBuilder.tcp(1, 3260)).bytes)
        #expect(cut.flags == [.ipv4, .truncated])
        let lying = memory.parse(FrameBuilder().ipv4(17, total: 19, payload: FrameBuilder.udp(1, 4791)).bytes)
        #expect(lying.flags == [.ipv4, .truncated])
        let six = memory.parse(FrameBuilder().ipv6(17, length: 7, payload: FrameBuilder.udp(1, 4791)).bytes)
        #expect(six.flags == [.ipv6, .truncated])
    }

    @Test func headersThatContradictThemselves() {
        #expect(memory.parse(FrameBuilder().ipv4(6, version: 5, payload: FrameBuilder.tcp(1, 3260)).bytes).flags == [.ipv4, .malformed])
        #expect(memory.parse(FrameBuilder().ipv4(6, words: 4, payload: FrameBuilder.tcp(1, 3260)).bytes).flags == [.ipv4, .malformed])
        #expect(memory.parse(FrameBuilder().ipv4(6, words: 15, payload: FrameBuilder.tcp(1, 3260)).bytes).flags == [.ipv4, .truncated])
        #expect(memory.parse(FrameBuilder().ipv6(6, version: 4, payload: FrameBuilder.tcp(1, 3260)).bytes).flags == [.ipv6, .malformed])
    }

    @Test func offloadFramesLongerThanTheirBuffer() {
        // A frame of 64 KiB with segmentation offload in a chain of buffers, of which only the first can be read.
        let record = memory.parse(FrameBuilder().ipv4(6, total: 65_535, payload: FrameBuilder.tcp(1, 3260)).bytes, length: 65_549)
        #expect(record.hasPorts && record.length == 65_549)
        // IPv6 states a length of 0 for more than 64 KiB.
        #expect(memory.parse(FrameBuilder().ipv6(6, length: 0, payload: FrameBuilder.tcp(1, 3260)).bytes, length: 100_000).hasPorts)
    }

    @Test(arguments: 0..<14)
    func runts(_ size: Int) {
        let record = memory.parse([UInt8](repeating: 0xff, count: size))
        #expect(record.flags == .runt && record.destination == 0 && record.source == 0 && record.length == UInt32(size))
    }

    @Test func aLengthBelowTheBuffersIsTheLimit() {
        let frame = FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(1, 3260)).bytes
        #expect(memory.parse(frame, length: 13).flags == .runt)
        #expect(memory.parse(frame, length: 53).flags == [.ipv4, .truncated])
        #expect(memory.parse(frame, length: 54).hasPorts)
    }
}
