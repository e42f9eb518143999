import SFlow
import TestSupport
import Testing

/// The bytes of hexadecimal digits; spaces between them and what follows `#` on a line do not count.
private func bytes(_ text: String) -> [UInt8] {
    let digits = text.split(separator: "\n").flatMap { $0.prefix { $0 != "#" } }.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

@Suite("Datagrams of sFlow") struct DatagramTests {
    private var flow: FlowSample {
        var sample = FlowSample()
        (sample.sequence, sample.input, sample.output) = (7, 3, .one(5))
        (sample.rate, sample.pool, sample.drops) = (1_000, 70_000, 2)
        (sample.length, sample.header) = (60, Array(1...14))
        (sample.sourceVLAN, sample.sourcePriority, sample.destinationVLAN, sample.destinationPriority) = (100, 1, 100, 4)
        return sample
    }

    @Test("a flow sample is what the specification says, byte by byte")
    func flowSample() throws {
        var writer = DatagramWriter(agent: [192, 0, 2, 1], subAgent: 9)
        let (full, finished) = (writer.add(flow, uptime: 1_000), writer.finish(uptime: 0x1_0000_0002)), rest = writer.finish(uptime: 0)
        #expect(full == nil && rest == nil)
        let datagram = try #require(finished)
        #expect(datagram.bytes == bytes("""
            00000005                    # version
            00000001 c0000201 00000009  # agent: IPv4 192.0.2.1, sub-agent 9
            00000001 00000002           # first datagram; milliseconds of uptime, which wrap around
            00000001                    # one sample
            00000001 00000060           # flow_sample of 96 bytes
            00000007 00000003           # its number and its source, ifIndex 3
            000003e8 00011170 00000002  # rate, pool, drops
            00000003 00000005           # in and out
            00000002                    # two records
            00000001 00000020           # sampled_header of 32 bytes
            00000001 00000040 00000004  # Ethernet; 60 bytes and the FCS, which is missing
            0000000e 01020304 05060708 090a0b0c 0d0e0000
            000003e9 00000010           # extended_switch
            00000064 00000001 00000064 00000004
            """))
        #expect((datagram.flowSamples, datagram.counterSamples) == (1, 0))
    }

    @Test("a sample of counters is what the specification says, byte by byte; what is not counted is told as unknown")
    func counterSample() throws {
        var sample = CounterSample()
        (sample.sequence, sample.index, sample.name, sample.speed, sample.isUp) = (2, 5, "vm1", 10_000_000_000, true)
        sample.received = .init(bytes: 0x1_0000_0001, frames: 0x1_0000_0003, discards: 4, errors: 5)
        sample.sent = .init(bytes: 6, frames: 7, discards: 8, errors: 0)
        var writer = DatagramWriter(agent: [UInt8](repeating: 0, count: 15) + [1])
        let (full, finished) = (writer.add(sample, uptime: 0), writer.finish(uptime: 5))
        #expect(full == nil)
        let datagram = try #require(finished)
        #expect(datagram.bytes == bytes("""
            00000005
            00000002 00000000 00000000 00000000 00000001 00000000  # agent: IPv6 ::1, sub-agent 0
            00000001 00000005 00000001
            00000002 0000007c                    # counters_sample of 124 bytes
            00000002 00000005 00000002           # its number, its source, two records
            00000001 00000058                    # if_counters of 88 bytes
            00000005 00000006 00000002540be400   # ifIndex, ethernetCsmacd, ifSpeed
            00000001 00000003                    # full duplex; up and meant to be
            0000000100000001 00000003 ffffffff ffffffff 00000004 00000005 ffffffff
            0000000000000006 00000007 ffffffff ffffffff 00000008 00000000
            00000001                             # promiscuous
            000003ed 00000008 00000003 766d3100  # port_name
            """))
        #expect((datagram.flowSamples, datagram.counterSamples) == (0, 1))
    }

    @Test("outputs have their forms")
    func outputs() {
        #expect(OutputInterface.one(1_023).word == 1_023)
        #expect(OutputInterface.discarded.word == 0x4000_0100)
        #expect(OutputInterface.several.word == 0x8000_0000)
    }

    @Test("datagrams hold as many samples as fit, all in their order, and are numbered one after the other", arguments: [4, 16])
    func filling(octets: Int) throws {
        var random = Seeded(9), writer = DatagramWriter(agent: [UInt8](repeating: 1, count: octets)), datagrams: [Datagram] = []
        let count = 500
        for number in 1...count {
            var sample = flow
            sample.sequence = UInt32(number)
            sample.header = [UInt8](repeating: 0xaa, count: Int.random(in: 0...512, using: &random))
            if let datagram = writer.add(sample, uptime: 0) { datagrams.append(datagram) }
        }
        if let last = writer.finish(uptime: 0) { datagrams.append(last) }
        var numbers: [UInt32] = [], before = 0
        for (place, datagram) in datagrams.enumerated() {
            func word(_ offset: Int) -> UInt32 { datagram.bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
            #expect(datagram.bytes.count <= DatagramWriter.longest && datagram.bytes.count % 4 == 0)
            #expect(word(12 + octets) == UInt32(place + 1) && word(20 + octets) == UInt32(datagram.flowSamples))
            var offset = 24 + octets
            let first = Int(word(offset + 4)) + 8
            // The first sample of this one did not fit into the one before.
            if place > 0 { #expect(before + first > DatagramWriter.longest) }
            while offset < datagram.bytes.count {
                numbers.append(word(offset + 8))
                offset += Int(word(offset + 4)) + 8
            }
            #expect(offset == datagram.bytes.count)
            before = datagram.bytes.count
        }
        #expect(numbers == (1...UInt32(count)).map { $0 })
    }
}
