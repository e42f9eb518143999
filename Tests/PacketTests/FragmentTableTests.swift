import Packet
import Testing

/// All fragments of a datagram must have the protocol that the ports in its first fragment indicate.
@Suite("Fragments") struct FragmentTableTests {
    private final class Trial {
        private let memory: UnsafeMutableRawPointer
        let table: FragmentTable
        let protocols = ProtocolTable.builtIn()
        var seconds: UInt32 = 100

        init() {
            memory = .allocate(byteCount: FragmentTable.byteCount, alignment: 64)
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: FragmentTable.byteCount)
            table = FragmentTable(in: memory)
        }
        deinit {
            memory.deallocate()
            protocols.destroy()
        }

        func row(_ frame: [UInt8], limit: Int? = nil) -> UInt8 {
            frame.withUnsafeBytes { bytes in
                var record = FrameRecord()
                parse(bytes.baseAddress!, contiguous: limit ?? bytes.count, length: UInt32(bytes.count), into: &record)
                guard record.flags.has(.fragment) else { return protocols.identify(&record) }
                return table.identify(bytes.baseAddress!, limit: limit ?? bytes.count, &record, protocols, now: seconds)
            }
        }
    }

    private let roce = KnownProtocol.rocev2.row, iscsi = KnownProtocol.iscsi.row

    /// - Parameters:
    ///   - offset: the fragment offset, in units of eight octets.
    ///   - source: the last octet of the source address.
    private func ipv4(_ id: Int, offset: Int, more: Bool, proto: UInt8 = 17, source: UInt8 = 1, tci: Int? = nil, options: Int = 0, port: Int = 4_791) -> [UInt8] {
        var builder = FrameBuilder()
        if let tci { builder = builder.tag(tci: tci) }
        let start = builder.bytes.count + 2
        let payload = offset == 0 ? FrameBuilder.udp(50_000, port) : [UInt8](repeating: 0x77, count: 26)
        var bytes = builder.ipv4(Int(proto), options: options, fragment: offset | (more ? 0x2000 : 0), payload: payload).bytes
        (bytes[start + 4], bytes[start + 5], bytes[start + 15]) = (UInt8(id >> 8), UInt8(id & 255), source)
        return bytes
    }

    private func ipv6(_ id: UInt8, offset: Int, more: Bool, source: UInt8 = 0, before: Bool = false) -> [UInt8] {
        var header = FrameBuilder.fragmentHeader(next: 6, offset: offset, more: more)
        header[7] = id
        let payload = offset == 0 ? FrameBuilder.tcp(50_000, 3_260) : [UInt8](repeating: 0x77, count: 26)
        let chain = before ? FrameBuilder.extensionHeader(next: 44, size: 16) + header : header
        var bytes = FrameBuilder().ipv6(before ? 0 : 44, payload: chain + payload).bytes
        bytes[14 + 8 + 15] = source
        return bytes
    }

    @Test("Later fragments are what the first one was, in IPv4 with options and tags, and in IPv6 behind other extension headers") func later() {
        let trial = Trial()
        for (tci, options) in [(nil, 0), (5, 0), (nil, 8)] as [(Int?, Int)] {
            #expect(trial.row(ipv4(7, offset: 0, more: true, tci: tci, options: options)) == roce)
            #expect(trial.row(ipv4(7, offset: 4, more: true, tci: tci, options: options)) == roce)
            #expect(trial.row(ipv4(7, offset: 8, more: false, tci: tci, options: options)) == roce)
        }
        for before in [false, true] {
            #expect(trial.row(ipv6(7, offset: 0, more: true, before: before)) == iscsi)
            #expect(trial.row(ipv6(7, offset: 4, more: true, before: before)) == iscsi)
            #expect(trial.row(ipv6(7, offset: 8, more: false, before: before)) == iscsi)
        }
    }

    @Test("A fragment of another datagram is not: other identification, address, protocol or VLAN") func others() {
        let trial = Trial()
        #expect(trial.row(ipv4(7, offset: 0, more: true, tci: 5)) == roce)
        #expect(trial.row(ipv4(8, offset: 4, more: false, tci: 5)) == 0)
        #expect(trial.row(ipv4(7, offset: 4, more: false, source: 9, tci: 5)) == 0)
        #expect(trial.row(ipv4(7, offset: 4, more: false, proto: 6, tci: 5)) == 0)
        #expect(trial.row(ipv4(7, offset: 4, more: false, tci: 6)) == 0)
        #expect(trial.row(ipv4(7, offset: 4, more: false, tci: 5)) == roce)
        #expect(trial.row(ipv6(7, offset: 0, more: true)) == iscsi)
        #expect(trial.row(ipv6(8, offset: 4, more: false)) == 0)
        #expect(trial.row(ipv6(7, offset: 4, more: false, source: 9)) == 0)
    }

    @Test("An identification that is used again is the new datagram's, and is forgotten after its time") func time() {
        let trial = Trial()
        #expect(trial.row(ipv4(7, offset: 0, more: true)) == roce)
        #expect(trial.row(ipv4(7, offset: 0, more: true, port: 443)) == 0)
        #expect(trial.row(ipv4(7, offset: 4, more: false)) == 0)
        #expect(trial.row(ipv4(7, offset: 0, more: true)) == roce)
        trial.seconds += FragmentTable.lifetime
        #expect(trial.row(ipv4(7, offset: 4, more: true)) == roce)
        trial.seconds += 1
        #expect(trial.row(ipv4(7, offset: 8, more: false)) == 0)
    }

    @Test("A flood of first fragments makes others forgotten, and nothing worse; what was last is known") func flood() {
        let trial = Trial()
        for id in 0..<20_000 {
            #expect(trial.row(ipv4(id, offset: 0, more: true)) == roce)
            #expect(trial.row(ipv4(id, offset: 4, more: false)) == roce)
        }
        // No more datagrams are remembered than there is room for.
        #expect((0..<20_000).count { trial.row(ipv4($0, offset: 4, more: false)) == roce } <= 256)
    }

    @Test("Whatever is cut off, nothing behind it is read, and the row is the default") func truncated() {
        let trial = Trial()
        for frame in [ipv4(7, offset: 0, more: true), ipv4(7, offset: 0, more: true, options: 8), ipv6(7, offset: 0, more: true, before: true)] {
            for limit in 14..<(frame.count - 30) { _ = trial.row(Array(frame[0..<limit])) }
            #expect(trial.row(frame, limit: 35) == 0)
        }
    }
}
