import Packet
import Testing

@Suite("What frames to groups are to a bridge that follows groups") struct GroupTrafficTests {
    private func read(_ bytes: [UInt8], readable: Int? = nil) -> GroupTraffic {
        var record = FrameRecord()
        return bytes.withUnsafeBytes {
            parse($0.baseAddress!, contiguous: readable ?? bytes.count, length: UInt32(bytes.count), into: &record)
            return GroupTraffic.read($0.baseAddress!, limit: readable ?? bytes.count, &record)
        }
    }

    private func ipv4(_ destination: [UInt8], proto: UInt8, options: Bool = false, fragment: UInt16 = 0, _ payload: [UInt8]) -> [UInt8] {
        let header = options ? 24 : 20, length = UInt16(header + payload.count)
        var bytes: [UInt8] = [0x01, 0x00, 0x5e, destination[1] & 0x7f, destination[2], destination[3], 0x52, 0x54, 0, 0, 0, 1, 0x08, 0x00]
        bytes += [UInt8(0x40 + header / 4), 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, UInt8(fragment >> 8), UInt8(fragment & 255), 1, proto, 0, 0, 10, 0, 0, 1]
        bytes += destination + (options ? [0x94, 4, 0, 0] : []) + payload
        return bytes + [UInt8](repeating: 0, count: max(60 - bytes.count, 0))
    }

    private func ipv6(_ destination: [UInt8], proto: UInt8, routerAlert: Bool = false, _ payload: [UInt8]) -> [UInt8] {
        let hopByHop: [UInt8] = routerAlert ? [proto, 0, 5, 2, 0, 0, 1, 0] : []
        var bytes: [UInt8] = [0x33, 0x33] + destination.suffix(4) + [0x52, 0x54, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, UInt8(hopByHop.count + payload.count)]
        bytes += [routerAlert ? 0 : proto, 1, 0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1] + destination + hopByHop + payload
        return bytes
    }

    private let report: [UInt8] = [0x16, 0, 0, 0, 239, 1, 1, 1], group: [UInt8] = [0xff, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34]
    private let allNodes: [UInt8] = [0xff, 0x02] + [UInt8](repeating: 0, count: 13) + [1]

    @Test("IPv4: data, what everybody gets, what IGMP says, and routers")
    func ofIPv4() {
        let data = read(ipv4([239, 1, 2, 3], proto: 17, [0, 1, 0, 2, 0, 8, 0, 0]))
        #expect(data.kind == .data && !data.isIPv6 && data.high == 0 && data.low == 0xffff_ef01_0203)
        // This group has the same Ethernet address as the one before.
        #expect(read(ipv4([238, 129, 2, 3], proto: 17, [0, 1, 0, 2, 0, 8, 0, 0])).low == 0xffff_ee81_0203)
        #expect(read(ipv4([224, 0, 0, 251], proto: 17, [0, 1, 0, 2, 0, 8, 0, 0])).kind == .everybody)
        #expect(read(ipv4([10, 0, 0, 3], proto: 17, [0, 1, 0, 2, 0, 8, 0, 0])).kind == .everybody)
        for options in [false, true] {
            #expect(read(ipv4([224, 0, 0, 1], proto: 2, options: options, [0x11, 100, 0, 0, 0, 0, 0, 0])).kind == .query)
            for type in [0x12, 0x16, 0x17, 0x22] as [UInt8] {
                #expect(read(ipv4([239, 1, 1, 1], proto: 2, options: options, [type] + report.dropFirst())).kind == .report, "\(type)")
            }
        }
        #expect(read(ipv4([224, 0, 0, 106], proto: 2, [0x30, 20, 0, 0, 0, 0, 0, 0])).kind == .router)
        #expect(read(ipv4([224, 0, 0, 4], proto: 2, [0x13, 1, 0, 0, 0, 0, 0, 0])).kind == .everybody)
        #expect(read(ipv4([224, 0, 0, 13], proto: 103, [0x20, 0, 0, 0])).kind == .router)
        #expect(read(ipv4([224, 0, 0, 13], proto: 103, [0x23, 0, 0, 0])).kind == .everybody)
        // The IGMP message is not in this fragment, so the frame counts as data of its group.
        #expect(read(ipv4([239, 1, 1, 1], proto: 2, fragment: 100, report)).kind == .data)
    }

    @Test("IPv6: data, all nodes, what MLD says behind a router alert, and routers")
    func ofIPv6() {
        let data = read(ipv6(group, proto: 17, [0, 1, 0, 2, 0, 8, 0, 0]))
        #expect(data.kind == .data && data.isIPv6 && data.high == 0xff05_0000_0000_0000 && data.low == 0x1234)
        #expect(read(ipv6(allNodes, proto: 58, [134, 0, 0, 0])).kind == .everybody)
        #expect(read(ipv6(allNodes, proto: 58, routerAlert: true, [130, 0, 0, 0])).kind == .query)
        for type in [131, 132, 143] as [UInt8] { #expect(read(ipv6(group, proto: 58, routerAlert: true, [type, 0, 0, 0])).kind == .report) }
        // A neighbour solicitation goes to those who have joined the group that belongs to the address.
        #expect(read(ipv6(group, proto: 58, [135, 0, 0, 0])).kind == .data)
        // Nobody can join groups of the scopes 0 and 1 (RFC 3810, 6), whatever their flags.
        for (second, kind) in [(0x00, .everybody), (0x01, .everybody), (0x11, .everybody), (0x02, .data), (0x03, .data)] as [(UInt8, GroupTraffic.Kind)] {
            #expect(read(ipv6([0xff, second] + group.dropFirst(2), proto: 17, [0, 1, 0, 2, 0, 8, 0, 0])).kind == kind, "\(second)")
        }
        #expect(read(ipv6([0xff, 0x02] + [UInt8](repeating: 0, count: 13) + [0x0d], proto: 103, [0x20, 0, 0, 0])).kind == .router)
        #expect(read(ipv6([0xff, 0x02] + [UInt8](repeating: 0, count: 13) + [0x6a], proto: 58, routerAlert: true, [151, 0, 0, 0])).kind == .router)
    }

    @Test("behind tags, and cut off anywhere: never more is read than there is")
    func cutOff() {
        let plain = ipv4([239, 1, 1, 1], proto: 2, options: true, report)
        let tagged = plain.prefix(12) + [0x88, 0xa8, 0, 100, 0x81, 0, 0, 10] + plain.dropFirst(12)
        #expect(read(Array(tagged)).kind == .report)
        let memory = GuardedMemory(capacity: 4_096)
        for frame in [plain, Array(tagged), ipv6(group, proto: 58, routerAlert: true, [143, 0, 0, 0])] {
            for readable in 0...frame.count {
                var record = memory.parse(frame.prefix(readable), length: frame.count)
                _ = GroupTraffic.read(memory.place(frame.prefix(readable)), limit: readable, &record)
            }
        }
    }
}
