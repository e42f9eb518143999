import DataPlane
import TestSupport
import Testing

/// Frames that a guest's driver leaves to be segmented.
@Suite struct SegmentationTests {
    /// A TCP segment or UDP datagram as a driver leaves it, longer than any wire carries, and what stands in front of it in the ring.
    struct Long {
        var isIPv6 = false
        var isUDP = false
        var tags = 0
        var ipOptions = 0
        var tcpOptions = 0
        var size = 1_448
        var data: [UInt8] = []
        var flags: UInt8 = 0x10
        var sequence: UInt32 = 0xffff_f000
        var identification: UInt16 = 0xfffe

        var l3: Int { 14 + 4 * tags }
        var l4: Int { l3 + (isIPv6 ? 40 : 20 + ipOptions) }
        var headers: Int { l4 + (isUDP ? 8 : 20 + tcpOptions) }
        var transport: UInt8 { isUDP ? 17 : 6 }

        var frame: [UInt8] {
            var bytes: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
            for _ in 0..<tags { bytes += [0x81, 0, 0x60, 7] }
            let l4Length = headers - l4 + data.count
            if isIPv6 {
                bytes += [0x86, 0xdd, 0x60, 0, 0, 0] + be16(UInt16(truncatingIfNeeded: l4Length)) + [transport, 64] + (0..<32).map { UInt8($0) }
            } else {
                bytes += [8, 0, UInt8(0x45 + ipOptions / 4), 1] + be16(UInt16(truncatingIfNeeded: 20 + ipOptions + l4Length)) + be16(identification)
                bytes += [0x40, 0, 64, transport, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2] + [UInt8](repeating: 1, count: ipOptions)
            }
            bytes += [0x12, 0x34, 0x0c, 0xbc]
            if isUDP { return bytes + be16(UInt16(truncatingIfNeeded: l4Length)) + [0xab, 0xcd] + data }
            bytes += be16(UInt16(sequence >> 16)) + be16(UInt16(truncatingIfNeeded: sequence)) + [0, 0, 0, 9]
            bytes += [UInt8((5 + tcpOptions / 4) << 4), flags, 1, 0, 0xab, 0xcd, 0, 0] + [UInt8](repeating: 1, count: tcpOptions)
            return bytes + data
        }
        /// The header of virtio-net (virtio 1.2, 5.1.6), little endian.
        var header: [UInt8] {
            func le(_ value: Int) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8)] }
            return [1, isUDP ? 5 : isIPv6 ? 4 : 1] + le(headers) + le(size) + le(l4) + [isUDP ? 6 : 16, 0, 0, 0]
        }
    }

    private static func be16(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
    private static func number(_ bytes: [UInt8], _ place: Int, _ count: Int = 2) -> Int { bytes[place..<place + count].reduce(0) { $0 << 8 | Int($1) } }

    /// The sum of RFC 1071 over bytes, of which an odd last one has a zero behind it.
    private static func sum(_ bytes: some Collection<UInt8>) -> Int {
        var (total, high) = (0, true)
        for byte in bytes {
            total += high ? Int(byte) << 8 : Int(byte)
            high.toggle()
        }
        while total > 0xffff { total = total & 0xffff + total >> 16 }
        return total
    }

    private static func random(_ random: inout Seeded) -> Long {
        var long = Long()
        long.isIPv6 = Bool.random(using: &random)
        long.isUDP = Bool.random(using: &random)
        long.tags = Int.random(in: 0...2, using: &random)
        long.ipOptions = long.isIPv6 ? 0 : 4 * [0, 0, 1, 10][Int.random(in: 0..<4, using: &random)]
        long.tcpOptions = long.isUDP ? 0 : 4 * [0, 3, 10][Int.random(in: 0..<3, using: &random)]
        long.size = [64, 536, 1_448, 8_900][Int.random(in: 0..<4, using: &random)]
        let most = 65_535 - 40 - 60 - long.tcpOptions
        let count = Bool.random(using: &random) ? Int.random(in: long.size + 1...most, using: &random) : long.size * 4
        long.data = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        long.flags = UInt8(truncatingIfNeeded: random.next()) & 0xf9
        long.sequence = UInt32(truncatingIfNeeded: random.next())
        return long
    }

    @Test("a long TCP segment or UDP datagram becomes several that together are the same, each with headers and checksums of its own")
    func cutting() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            let buffers = trial.freeBuffers
            for isPacked in [false, true] {
                trial.setUp(size: 256, isPacked: isPacked, segmentation: 15)
                var driver = RingDriver(trial, size: 256, isPacked: isPacked, seed: 7)
                for _ in 0..<120 {
                    driver.forgetMemory()
                    let long = SegmentationTests.random(&driver.random)
                    let taken = driver.pieces(of: 12 + long.frame.count, most: 18)
                    let pieces = try #require(taken)
                    pieces.fill(long.header + long.frame)
                    let isOffered = driver.offer(pieces, writable: false)
                    #expect(isOffered)
                    try #require(trial.take() == 1)
                    let segments = trial.cut(0)
                    trial.freeStaged(1)
                    _ = driver.takeBack()
                    #expect(segments.count == (long.data.count + long.size - 1) / long.size)
                    var data: [UInt8] = []
                    for (index, bytes) in segments.enumerated() {
                        let (l3, l4, isLast) = (long.l3, long.l4, index + 1 == segments.count)
                        #expect(bytes.count <= long.headers + long.size && Array(bytes.prefix(l3)) == Array(long.frame.prefix(l3)))
                        if long.isIPv6 {
                            #expect(SegmentationTests.number(bytes, l3 + 4) == bytes.count - l4)
                        } else {
                            #expect(SegmentationTests.number(bytes, l3 + 2) == bytes.count - l3)
                            #expect(SegmentationTests.number(bytes, l3 + 4) == (Int(long.identification) + index) & 0xffff)
                            #expect(SegmentationTests.sum(bytes[l3..<l4]) == 0xffff)
                        }
                        if long.isUDP {
                            #expect(SegmentationTests.number(bytes, l4 + 4) == bytes.count - l4)
                        } else {
                            #expect(SegmentationTests.number(bytes, l4 + 4, 4) == (Int(long.sequence) + data.count) & 0xffff_ffff)
                            let lost: UInt8 = (isLast ? 0 : 0x09) | (index == 0 ? 0 : 0x80)
                            #expect(bytes[l4 + 13] == long.flags & ~lost)
                        }
                        let addresses = bytes[(long.isIPv6 ? l3 + 8 : l3 + 12)..<(long.isIPv6 ? l3 + 40 : l3 + 20)]
                        let pseudo = Array(addresses) + [0, long.transport] + SegmentationTests.be16(UInt16(bytes.count - l4))
                        #expect(SegmentationTests.sum(pseudo + bytes[l4...]) == 0xffff)
                        data += bytes[long.headers...]
                    }
                    #expect(data == long.data)
                }
                #expect(trial.fault == nil && trial.freeBuffers == buffers)
            }
        }
    }

    @Test("a guest that takes long segments gets them as they were sent, with the header that says how to cut them")
    func whole() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            for (isIPv6, isUDP) in [(false, false), (true, false), (false, true), (true, true)] {
                trial.setUp(size: 256, isPacked: false, segmentation: 15)
                var sender = RingDriver(trial, size: 256, isPacked: false, seed: 3)
                var long = Long(isIPv6: isIPv6, isUDP: isUDP, tcpOptions: isUDP ? 0 : 12)
                long.data = (0..<60_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                let taken = sender.pieces(of: 12 + long.frame.count, most: 18)
                let pieces = try #require(taken)
                pieces.fill(long.header + long.frame)
                let isOffered = sender.offer(pieces, writable: false)
                try #require(isOffered && trial.take() == 1)
                // The same frame, now for another guest's ring.
                trial.setUp(size: 256, isPacked: true)
                var receiver = RingDriver(trial, size: 256, isPacked: true, seed: 4)
                for _ in 0..<45 {
                    let buffer = receiver.pieces(of: 1_536, most: 1)
                    let isThere = receiver.offer(try #require(buffer), writable: true)
                    try #require(isThere)
                }
                #expect(trial.sendStaged(1) == 1)
                trial.freeStaged(1)
                let back = receiver.takeBack()
                let bytes = back.flatMap { $0.chain.pieces.read($0.written) }
                var header = long.header
                header[10] = UInt8(back.count)
                #expect(Array(bytes.prefix(12)) == header && Array(bytes.dropFirst(12)) == long.frame)
            }
        }
    }

    /// Has a frame that is to be segmented received into a trial's hands, where it may stay in the driver's buffers.
    private static func take(_ long: Long, pieces most: Int, _ trial: RingTrial, isPacked: Bool, _ driver: inout RingDriver) throws {
        let taken = driver.pieces(of: 12 + long.frame.count, most: most)
        let pieces = try #require(taken)
        pieces.fill(long.header + long.frame)
        let isOffered = driver.offer(pieces, writable: false)
        try #require(isOffered)
        try #require(trial.take(mayRefer: true) == 1)
    }

    @Test("a long segment that stays in its sender's buffers is what it was, whether it leaves whole, is cut, or is made whole", arguments: [false, true])
    func referring(_ isPacked: Bool) async {
        await #expect(processExitsWith: .success) { [isPacked] in
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            let buffers = trial.freeBuffers
            var referred = 0
            for seed in 0..<90 {
                trial.setUp(size: 256, isPacked: isPacked, segmentation: 15)
                var sender = RingDriver(trial, size: 256, isPacked: isPacked, seed: UInt64(seed))
                let long = SegmentationTests.random(&sender.random)
                try SegmentationTests.take(long, pieces: [1, 4, 18, 90][seed % 4], trial, isPacked: isPacked, &sender)
                if trial.isReferring(0) {
                    referred += 1
                    #expect(trial.freeBuffers == buffers - 1, "the front takes one buffer")
                }
                switch seed % 3 {
                case 0:
                    trial.setUp(size: 256, isPacked: !isPacked, keepsMemory: true)
                    var receiver = RingDriver(trial, size: 256, isPacked: !isPacked, seed: 4)
                    receiver.stayBehind(sender)
                    for _ in 0..<long.frame.count / 1_500 + 1 {
                        let buffer = receiver.pieces(of: 1_536, most: 2)
                        let isThere = receiver.offer(try #require(buffer), writable: true, isIndirect: true)
                        try #require(isThere)
                    }
                    try #require(trial.sendStaged(1) == 1)
                    let back = receiver.takeBack()
                    let bytes = back.flatMap { $0.chain.pieces.read($0.written) }
                    #expect(Array(bytes.prefix(10)) == Array(long.header.prefix(10)) && Array(bytes.dropFirst(12)) == long.frame)
                    #expect(Int(bytes[10]) | Int(bytes[11]) << 8 == back.count)
                case 1:
                    let data = trial.cut(0).flatMap { $0.dropFirst(long.headers) }
                    #expect(data == long.data)
                default:
                    #expect(trial.complete(0) == long.frame)
                    let data = trial.cut(0).flatMap { $0.dropFirst(long.headers) }
                    #expect(data == long.data)
                }
                trial.freeStaged(1)
                #expect(trial.fault == nil && trial.freeBuffers == buffers)
            }
            #expect(referred > 30)
        }
    }

    @Test("a long segment for whose bytes there are no buffers stays as it is, and takes none")
    func noBuffers() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 24, bufferSize: 2_048)
            let buffers = trial.freeBuffers
            trial.setUp(size: 256, isPacked: false, segmentation: 15)
            var sender = RingDriver(trial, size: 256, isPacked: false, seed: 5)
            let long = Long(data: [UInt8](repeating: 9, count: 64_000))
            try SegmentationTests.take(long, pieces: 18, trial, isPacked: false, &sender)
            #expect(trial.isReferring(0) && trial.complete(0) == nil && trial.isReferring(0) && trial.freeBuffers == buffers - 1)
            #expect(trial.cut(0).flatMap { $0.dropFirst(long.headers) } == long.data)
            trial.freeStaged(1)
            #expect(trial.freeBuffers == buffers)
        }
    }

    @Test("a guest that changes a segment while it is passed on changes nothing that was decided about it")
    func changedMeanwhile() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            trial.setUp(size: 256, isPacked: false, segmentation: 15)
            var sender = RingDriver(trial, size: 256, isPacked: false, seed: 6)
            let long = Long(tcpOptions: 12, data: [UInt8](repeating: 1, count: 30_000))
            try SegmentationTests.take(long, pieces: 3, trial, isPacked: false, &sender)
            try #require(trial.isReferring(0))
            // All of its buffers, and the descriptors, too.
            for region in trial.memory { region.host.initializeMemory(as: UInt8.self, repeating: 0xff, count: RingTrial.regionBytes) }
            let segments = trial.cut(0)
            #expect(segments.count == (long.data.count + long.size - 1) / long.size)
            #expect(segments.allSatisfy { Array($0.prefix(long.l3)) == Array(long.frame.prefix(long.l3)) && $0.count <= long.headers + long.size })
            trial.freeStaged(1)
        }
    }

    @Test("a burst ends after a frame of many short segments, and the next one goes on behind it", arguments: [false, true])
    func manyShort(_ isPacked: Bool) async {
        await #expect(processExitsWith: .success) { [isPacked] in
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            trial.setUp(size: 64, isPacked: isPacked, segmentation: 15)
            var driver = RingDriver(trial, size: 64, isPacked: isPacked, seed: 9)
            // The first is longer than IP has it, and is refused.
            for (size, data) in [(64, 64 * 1_024), (64, 65_000), (64, 65_000), (1_448, 30_000), (1_448, 30_000)] {
                let long = Long(size: size, data: [UInt8](repeating: 7, count: data))
                let taken = driver.pieces(of: 12 + long.frame.count, most: 4)
                let pieces = try #require(taken)
                pieces.fill(long.header + long.frame)
                let isOffered = driver.offer(pieces, writable: false)
                try #require(isOffered)
            }
            var bursts: [Int] = []
            for _ in 0..<4 {
                bursts.append(trial.take())
                trial.freeStaged(bursts.last!)
            }
            #expect(bursts == [1, 1, 2, 0] && trial.rejected == 1)
        }
    }

    @Test("requests for segmentation that contradict the frame, or were not agreed on, are refused; what fits into one segment is one")
    func refused() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            /// Whether a frame is taken, and into how many it is cut.
            func segments(_ frame: [UInt8], _ header: [UInt8], segmentation: UInt8 = 15) throws -> Int? {
                trial.setUp(size: 64, isPacked: false, segmentation: segmentation)
                var driver = RingDriver(trial, size: 64, isPacked: false, seed: 1)
                let taken = driver.pieces(of: 12 + frame.count, most: 1)
                let pieces = try #require(taken)
                pieces.fill(header + frame)
                let isOffered = driver.offer(pieces, writable: false)
                try #require(isOffered)
                let count = trial.take()
                defer { trial.freeStaged(count) }
                let back = driver.takeBack().count
                #expect(trial.fault == nil && back == 1)
                return count == 0 ? nil : trial.cut(0).count
            }
            let long = Long(data: [UInt8](repeating: 5, count: 9_000))
            func changed(_ place: Int, _ value: UInt8, in bytes: [UInt8]) -> [UInt8] {
                var bytes = bytes
                bytes[place] = value
                return bytes
            }
            #expect(try segments(long.frame, long.header) == 7)
            #expect(try segments(long.frame, long.header, segmentation: 2) == nil)
            #expect(try segments(long.frame, long.header, segmentation: 0) == nil)
            #expect(try segments(long.frame, changed(0, 0, in: long.header)) == nil, "no checksum to be finished")
            for kind: UInt8 in [3, 4, 5, 0x81, 0xff] { #expect(try segments(long.frame, changed(1, kind, in: long.header)) == nil, "kind \(kind)") }
            #expect(try segments(long.frame, changed(4, 0, in: changed(5, 0, in: long.header))) == nil, "segments of nothing")
            #expect(try segments(long.frame, changed(4, 1, in: changed(5, 0, in: long.header))) == nil, "9 000 segments")
            #expect(try segments(long.frame, changed(8, 6, in: long.header)) == nil, "a checksum at another place")
            #expect(try segments(long.frame, changed(6, 38, in: long.header)) == nil, "another start")
            #expect(try segments(changed(long.l4 + 12, 0x40, in: long.frame), long.header) == nil, "a TCP header of 16 bytes")
            #expect(try segments(changed(long.l3 + 6, 0x20, in: long.frame), long.header) == nil, "a fragment")
            #expect(try segments(changed(long.l3 + 9, 17, in: long.frame), long.header) == nil, "UDP")
            #expect(try segments(Array(long.frame.prefix(long.l4 + 10)), long.header) == nil, "a TCP header that ends early")
            #expect(try segments(Array(long.frame.prefix(long.headers + 1_448)), long.header) == 0, "one segment")
            // What the driver says of the length of the headers is a hint.
            #expect(try segments(long.frame, changed(2, 0, in: long.header)) == 7)

            let datagram = Long(isUDP: true, data: [UInt8](repeating: 5, count: 9_000))
            for isIPv6 in [false, true] {
                let either = Long(isIPv6: isIPv6, isUDP: true, data: datagram.data)
                for only: UInt8 in 0..<16 {
                    #expect(try segments(either.frame, either.header, segmentation: only) == (only & (isIPv6 ? 8 : 4) == 0 ? nil : 7), "\(only)")
                }
            }
            for kind: UInt8 in [1, 3, 4, 0x85] { #expect(try segments(datagram.frame, changed(1, kind, in: datagram.header)) == nil, "kind \(kind)") }
            #expect(try segments(datagram.frame, changed(0, 0, in: datagram.header)) == nil, "no checksum to be finished")
            #expect(try segments(datagram.frame, changed(4, 0, in: changed(5, 0, in: datagram.header))) == nil, "datagrams of nothing")
            #expect(try segments(datagram.frame, changed(8, 16, in: datagram.header)) == nil, "a checksum at another place")
            #expect(try segments(changed(datagram.l3 + 6, 0x20, in: datagram.frame), datagram.header) == nil, "a fragment")
            #expect(try segments(Array(datagram.frame.prefix(datagram.l4 + 7)), datagram.header) == nil, "a UDP header that ends early")
            #expect(try segments(Array(datagram.frame.prefix(datagram.headers + 1_448)), datagram.header) == 0, "one datagram")
        }
    }
}
