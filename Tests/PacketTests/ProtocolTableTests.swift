import Packet
import TestSupport
import Testing

@Suite("Identifying protocols")
struct ProtocolTableTests {
    let memory = GuardedMemory()

    func row(_ table: ProtocolTable, _ frame: FrameBuilder) -> UInt8 {
        var record = memory.parse(frame.bytes)
        return table.identify(&record)
    }

    @Test("A range takes all of its ports, its ends included, and no other") func ranges() {
        let table = ProtocolTable.builtIn()
        defer { table.destroy() }
        table.set(.tcpRange(5_000...5_010), row: 20)
        table.set(.udpRange(65_530...65_535), row: 21)
        for port in 4_990...5_020 {
            #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(50_000, port))) == ((5_000...5_010).contains(port) ? 20 : 0))
            #expect(row(table, FrameBuilder().ipv4(17, payload: FrameBuilder.udp(50_000, port))) == 0)
        }
        #expect(row(table, FrameBuilder().ipv4(17, payload: FrameBuilder.udp(65_535, 443))) == 21)
        #expect(row(table, FrameBuilder().ipv4(17, payload: FrameBuilder.udp(65_529, 443))) == 0)
        #expect(table.row(of: .tcpRange(5_000...5_010)) == 20)
    }

    @Test func builtInRows() {
        let table = ProtocolTable.builtIn()
        defer { table.destroy() }
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(50_000, 3260))) == KnownProtocol.iscsi.row)
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(3260, 50_000))) == KnownProtocol.iscsi.row)
        #expect(row(table, FrameBuilder().ipv6(6, payload: FrameBuilder.tcp(50_000, 860))) == KnownProtocol.iscsi.row)
        #expect(row(table, FrameBuilder().ipv4(17, payload: FrameBuilder.udp(50_000, 3260))) == 0)
        #expect(row(table, FrameBuilder().type(0x8906).padded(to: 60)) == KnownProtocol.fcoe.row)
        #expect(row(table, FrameBuilder().tag(tci: 0x6001).type(0x8914).padded(to: 60)) == KnownProtocol.fip.row)
        #expect(row(table, FrameBuilder().type(0x8915).padded(to: 60)) == KnownProtocol.roce.row)
        #expect(row(table, FrameBuilder().ipv4(17, payload: FrameBuilder.udp(50_000, 4791))) == KnownProtocol.rocev2.row)
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(50_000, 4791))) == 0)
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(50_000, 4420))) == KnownProtocol.nvmeTCP.row)
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(8009, 50_000))) == KnownProtocol.nvmeTCP.row)
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(50_000, 443))) == 0)
        #expect(row(table, FrameBuilder().type(0x0806).padded(to: 60)) == 0)
    }

    @Test func portsAsTheyLieThereIdentifyAsTheRecordDoes() {
        let table = ProtocolTable.builtIn()
        defer { table.destroy() }
        table.set(.etherType(0x0800), row: 9)
        table.set(.dscp(10), row: 10)
        for (proto, dscp) in [(6, 0), (6, 10), (17, 0), (17, 10)] {
            for pair in [(50_000, 3260), (3260, 50_000), (3260, 4791), (4791, 443), (50_000, 443), (0, 0), (0, 4420)] {
                let frame = FrameBuilder().ipv4(proto, dscp: dscp, payload: FrameBuilder.tcp(pair.0, pair.1))
                var record = memory.parse(frame.bytes)
                let pattern = ParsePattern(of: memory.place(frame.bytes), &record)
                let row = table.identify(
                    ports: pattern.ports(memory.place(frame.bytes)), ipProtocol: UInt8(proto), otherwise: table.identifyWithoutPorts(&record))
                #expect(row == table.identify(&record), "\(proto) \(pair)")
            }
        }
    }

    @Test func rowsAreNumberedInOrder() {
        #expect(KnownProtocol.all.map(\.row) == Array(1...UInt8(KnownProtocol.all.count)))
        #expect(KnownProtocol.firstFreeRow == UInt8(KnownProtocol.all.count) + 1)
        #expect(Set(KnownProtocol.all.map(\.name)).count == KnownProtocol.all.count)
        #expect(KnownProtocol.all.map(\.pcp) == [4, 3, 3, 3, 3, 0])
    }

    @Test func fromTheMostToTheLeastTelling() {
        let table = ProtocolTable.create()
        defer { table.destroy() }
        let frame = FrameBuilder().tag(tci: 0xa000).ipv4(6, dscp: 26, payload: FrameBuilder.tcp(1000, 2000))
        let matches: [ProtocolTable.Match] = [.pcp(5), .dscp(26), .etherType(0x0800), .tcp(1000), .tcp(2000)]
        #expect(row(table, frame) == 0)
        for (index, match) in matches.enumerated() {
            table.set(match, row: UInt8(index + 10))
            #expect(table.row(of: match) == UInt8(index + 10))
            #expect(row(table, frame) == UInt8(index + 10), "\(match) must precede what comes before it")
        }
        for match in matches.reversed() {
            #expect(row(table, frame) == table.row(of: match))
            table.set(match, row: 0)
        }
        #expect(row(table, frame) == 0)
    }

    @Test func everyMatchReachesItsOwnRow() {
        let table = ProtocolTable.create()
        defer { table.destroy() }
        table.set(.tcp(65_535), row: 1)
        table.set(.udp(65_535), row: 2)
        table.set(.tcp(1), row: 3)
        table.set(.udp(1), row: 4)
        table.set(.etherType(0xffff), row: 5)
        table.set(.dscp(63), row: 6)
        table.set(.pcp(7), row: 63)
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(9, 65_535))) == 1)
        #expect(row(table, FrameBuilder().ipv4(17, payload: FrameBuilder.udp(65_535, 9))) == 2)
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(9, 1))) == 3)
        #expect(row(table, FrameBuilder().ipv4(17, payload: FrameBuilder.udp(9, 1))) == 4)
        #expect(row(table, FrameBuilder().type(0xffff).padded(to: 60)) == 5)
        #expect(row(table, FrameBuilder().ipv6(58, dscp: 63, payload: [UInt8](repeating: 0, count: 8))) == 6)
        #expect(row(table, FrameBuilder().tag(tci: 0xe000).type(0x0806).padded(to: 60)) == 63)
        #expect(row(table, FrameBuilder().type(0x0806).padded(to: 60)) == 0)
    }

    @Test func pcpZeroIsNotTheSameAsNoTag() {
        let table = ProtocolTable.create()
        defer { table.destroy() }
        table.set(.pcp(0), row: 9)
        #expect(row(table, FrameBuilder().tag(tci: 0x0005).type(0x0806).padded(to: 60)) == 9)
        #expect(row(table, FrameBuilder().type(0x0806).padded(to: 60)) == 0)
        #expect(row(table, FrameBuilder().raw([])) == 0)
    }

    @Test func fragmentsAndTruncatedHeadersFallToWhatTheyDoSay() {
        let table = ProtocolTable.builtIn()
        defer { table.destroy() }
        let first = FrameBuilder().ipv4(6, dscp: 26, fragment: 0x2000, payload: FrameBuilder.tcp(1, 3260))
        let cut = FrameBuilder().ipv4(6, dscp: 26, total: 30, payload: FrameBuilder.tcp(1, 3260))
        #expect(row(table, first) == 0)
        #expect(row(table, cut) == 0)
        // Port 0 is what a record without ports holds, so it cannot have a row.
        table.set(.tcp(0), row: 20)
        table.set(.udp(0), row: 20)
        #expect(row(table, first) == 0 && table.row(of: .tcp(0)) == 0 && table.row(of: .udp(0)) == 0)
        #expect(row(table, FrameBuilder().ipv4(6, payload: FrameBuilder.tcp(0, 0))) == 0)
        table.set(.dscp(26), row: 21)
        #expect(row(table, first) == 21)
        #expect(row(table, cut) == 21)
    }

    /// Compares `identify` with the rules spelled out with dictionaries, on random tables and frames.
    @Test func randomTables() {
        var random = Seeded(0x61)
        for _ in 0..<40 {
            let table = ProtocolTable.create()
            defer { table.destroy() }
            var rules: [ProtocolTable.Match: UInt8] = [:]
            for _ in 0..<60 {
                let match: ProtocolTable.Match
                switch Int.random(in: 0..<5, using: &random) {
                case 0: match = .tcp(UInt16.random(in: 1..<40, using: &random))
                case 1: match = .udp(UInt16.random(in: 1..<40, using: &random))
                case 2: match = .etherType([0x0800, 0x86dd, 0x0806].randomElement(using: &random)!)
                case 3: match = .dscp(UInt8.random(in: 0..<64, using: &random))
                default: match = .pcp(UInt8.random(in: 0..<8, using: &random))
                }
                rules[match] = UInt8.random(in: 0...63, using: &random)
                table.set(match, row: rules[match]!)
            }
            for _ in 0..<200 {
                var record = FrameRecord()
                record.etherType = [0x0800, 0x86dd, 0x0806].randomElement(using: &random)!
                var keys: [ProtocolTable.Match] = []
                if record.etherType != 0x0806 {
                    record.dscp = UInt8.random(in: 0..<64, using: &random)
                    record.ipProtocol = UInt8.random(in: 0...255, using: &random)
                    if Bool.random(using: &random) {
                        record.flags.insert(.ports)
                        record.ipProtocol = Bool.random(using: &random) ? 6 : 17
                        record.sourcePort = UInt16.random(in: 0..<60, using: &random)
                        record.destinationPort = UInt16.random(in: 0..<60, using: &random)
                        for port in [record.destinationPort, record.sourcePort] { keys.append(record.ipProtocol == 6 ? .tcp(port) : .udp(port)) }
                    }
                }
                keys.append(.etherType(record.etherType))
                if record.dscp != FrameRecord.noDSCP { keys.append(.dscp(record.dscp)) }
                if Bool.random(using: &random) {
                    record.pcp = UInt8.random(in: 0..<8, using: &random)
                    keys.append(.pcp(record.pcp))
                }
                let expected = keys.lazy.compactMap { rules[$0] }.first { $0 != 0 } ?? 0
                #expect(table.identify(&record) == expected)
            }
        }
    }
}
