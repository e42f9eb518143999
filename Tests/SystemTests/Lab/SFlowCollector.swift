import Foundation

/// Receives datagrams of sFlow on loopback and takes them apart (https://sflow.org/sflow_version_5.txt).
final class SFlowCollector {
    struct FlowSample {
        var sequence, source, rate, pool, drops, input, output: UInt32
        /// `frame_length`, which counts the FCS, and the frame's first bytes.
        var length: UInt32
        var header: [UInt8]
        /// VLAN and priority before and after.
        var tags: [UInt32]
    }

    struct CounterSample {
        var sequence, source: UInt32
        var name: String
        /// The words of `if_counters`.
        var words: [UInt32]
    }

    private(set) var flows: [FlowSample] = []
    private(set) var counters: [CounterSample] = []
    private(set) var agents: [[UInt8]] = []
    private(set) var sequences: [UInt32] = []
    let port: UInt16
    private let descriptor: CInt

    init(ipv6: Bool = false) throws {
        let descriptor = socket(ipv6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var room: CInt = 4 << 20
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<CInt>.size))
        // struct sockaddr_in, or sockaddr_in6 with ::1.
        var address = [UInt8](repeating: 0, count: ipv6 ? 28 : 16), size = socklen_t(address.count)
        if ipv6 { address[23] = 1 } else { address.replaceSubrange(4..<8, with: [127, 0, 0, 1]) }
        let isBound = address.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: UInt16(ipv6 ? AF_INET6 : AF_INET), as: UInt16.self)
            let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0
        }
        guard isBound else { throw LabError("no socket for a collector: \(String(cString: strerror(errno)))") }
        self.descriptor = descriptor
        port = UInt16(address[2]) << 8 | UInt16(address[3])
    }

    deinit { close(descriptor) }

    /// Takes apart what has arrived.
    /// - Throws: a sentence if a datagram is not as the specification has it.
    func receive() throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { try read(Array(buffer[..<count])) }
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ count: Int) throws -> [UInt8] {
            guard bytes.count >= count else { throw LabError("\(count) bytes are missing at the end") }
            defer { bytes = bytes.dropFirst(count) }
            return Array(bytes.prefix(count))
        }
        mutating func word() throws -> UInt32 { try take(4).reduce(0) { $0 << 8 | UInt32($1) } }
        mutating func opaque() throws -> [UInt8] {
            let count = Int(try word()), bytes = try take((count + 3) & ~3)
            guard bytes[count...].allSatisfy({ $0 == 0 }) else { throw LabError("the padding is not zero") }
            return Array(bytes[..<count])
        }
        func end() throws { if !bytes.isEmpty { throw LabError("\(bytes.count) bytes are left over") } }
    }

    private func read(_ datagram: [UInt8]) throws {
        var reader = Reader(bytes: datagram[...])
        guard datagram.count <= 1_400, try reader.word() == 5 else { throw LabError("no datagram of version 5: \(datagram)") }
        agents.append(try reader.take(try reader.word() == 1 ? 4 : 16))
        guard try reader.word() == 0 else { throw LabError("a sub-agent") }
        sequences.append(try reader.word())
        _ = try reader.word()
        for _ in 0..<(try reader.word()) {
            let format = try reader.word()
            var sample = Reader(bytes: try reader.opaque()[...])
            switch format {
            case 1: try readFlow(&sample)
            case 2: try readCounters(&sample)
            default: throw LabError("a sample of format \(format)")
            }
            try sample.end()
        }
        try reader.end()
    }

    private func readFlow(_ reader: inout Reader) throws {
        var words: [UInt32] = []
        for _ in 0..<8 { words.append(try reader.word()) }
        var sample = FlowSample(
            sequence: words[0], source: words[1], rate: words[2], pool: words[3], drops: words[4], input: words[5], output: words[6], length: 0, header: [], tags: [])
        for _ in 0..<words[7] {
            let format = try reader.word()
            var record = Reader(bytes: try reader.opaque()[...])
            switch format {
            case 1:
                guard try record.word() == 1 else { throw LabError("no Ethernet") }
                sample.length = try record.word()
                guard try record.word() == 4 else { throw LabError("more than the FCS is missing") }
                sample.header = try record.opaque()
            case 1_001: for _ in 0..<4 { sample.tags.append(try record.word()) }
            default: throw LabError("a flow record of format \(format)")
            }
            try record.end()
        }
        flows.append(sample)
    }

    private func readCounters(_ reader: inout Reader) throws {
        var sample = CounterSample(sequence: try reader.word(), source: try reader.word(), name: "", words: [])
        for _ in 0..<(try reader.word()) {
            let format = try reader.word()
            var record = Reader(bytes: try reader.opaque()[...])
            switch format {
            case 1: for _ in 0..<22 { sample.words.append(try record.word()) }
            case 1_005: sample.name = String(decoding: try record.opaque(), as: UTF8.self)
            default: throw LabError("a counter record of format \(format)")
            }
            try record.end()
        }
        counters.append(sample)
    }
}
