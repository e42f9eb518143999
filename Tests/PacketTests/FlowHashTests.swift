import Packet
import Testing

@Suite struct FlowHashTests {
    private let memory = GuardedMemory(capacity: 4_096)

    private func hash(_ frame: FrameBuilder, seed: UInt64 = 42) -> UInt32 {
        var record = FrameRecord()
        let start = memory.place(frame.bytes)
        parse(start, contiguous: frame.bytes.count, length: UInt32(frame.bytes.count), into: &record)
        return flowHash(start, contiguous: frame.bytes.count, &record, seed: seed)
    }

    private func ipv4(_ source: Int, _ destination: Int, _ proto: Int = 6) -> FrameBuilder {
        FrameBuilder().ipv4(proto, payload: proto == 6 ? FrameBuilder.tcp(source, destination) : FrameBuilder.ports(source, destination) + [0, 8, 0, 0])
    }

    @Test func framesOfOneFlowFallTogetherAndOthersApart() {
        let flow = hash(ipv4(1_000, 80))
        #expect(hash(ipv4(1_000, 80)) == flow)
        // Tags, DSCP and length do not distinguish flows.
        #expect(hash(FrameBuilder().tag(tci: 5).ipv4(6, dscp: 10, payload: FrameBuilder.tcp(1_000, 80, data: 90))) == flow)
        let others = [
            hash(ipv4(1_001, 80)), hash(ipv4(1_000, 81)), hash(ipv4(80, 1_000)), hash(ipv4(1_000, 80, 17)), hash(ipv4(1_000, 80), seed: 43),
            hash(FrameBuilder().ipv6(6, payload: FrameBuilder.tcp(1_000, 80))), hash(FrameBuilder().ipv6(6, payload: FrameBuilder.tcp(1_001, 80))),
            hash(FrameBuilder().type(0x0806).padded(to: 60)), hash(FrameBuilder(from: 0x0200_0000_0009).type(0x0806).padded(to: 60)),
            hash(FrameBuilder().type(0x88b5).padded(to: 60)),
        ]
        #expect(Set(others + [flow]).count == others.count + 1)
        // These are fragments of one datagram, of which only the first has ports.
        let first = FrameBuilder().ipv4(17, fragment: 0x2000, payload: FrameBuilder.ports(1, 2) + [0, 8, 0, 0])
        #expect(hash(first) == hash(FrameBuilder().ipv4(17, fragment: 0x0003, payload: [9, 9, 9, 9, 9, 9, 9, 9])))
    }

    /// 4 096 flows with consecutive ports spread over 1 024 queues as if by chance: no queue gets more than 20.
    @Test func neighboursSpread() {
        var queues = [Int](repeating: 0, count: 1_024)
        for port in 0..<4_096 { queues[Int(hash(ipv4(30_000 + port, 443)) % 1_024)] += 1 }
        #expect(queues.max()! <= 20 && queues.filter { $0 == 0 }.count < 50)
    }

    /// Truncated frames of every kind must not be read beyond their end.
    @Test func shortFramesAreNotReadBeyondTheirEnd() {
        let whole = [ipv4(1, 2), FrameBuilder().ipv6(17, payload: FrameBuilder.ports(1, 2) + [0, 8, 0, 0]), FrameBuilder().tag(tci: 1).ipv4(1, options: 8, payload: [1])]
        for frame in whole {
            for length in 14...frame.bytes.count {
                var short = frame
                short.bytes = Array(frame.bytes.prefix(length))
                _ = hash(short)
            }
        }
    }
}
