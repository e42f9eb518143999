import DataPlane
import TestSupport
import Testing

/// Frames that a device receives and that their sender, the host's kernel, left to be segmented.
@Suite struct JoinedTests {
    private typealias Long = SegmentationTests.Long

    private static func long(_ isIPv6: Bool, tags: Int = 0, data: Int = 60_000) -> Long {
        Long(isIPv6: isIPv6, tags: tags, tcpOptions: 12, data: (0..<data).map { UInt8(truncatingIfNeeded: $0 &* 11) })
    }

    @Test("such a frame goes whole to a guest that takes it so, with the header that says how to cut it, and is cut for others", arguments: [false, true])
    func whole(_ isIPv6: Bool) async {
        await #expect(processExitsWith: .success) { [isIPv6] in
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            let buffers = trial.freeBuffers
            for parts in [[2_048], [128, 2_000], [1_500]] {
                let long = JoinedTests.long(isIPv6, tags: parts.count - 1)
                let isTaken = trial.takeJoined(long.frame, segmentSize: 1_448, parts: parts)
                try #require(isTaken)
                let data = trial.cut(0).flatMap { $0.dropFirst(long.headers) }
                #expect(data == long.data)
                trial.setUp(size: 256, isPacked: false)
                var receiver = RingDriver(trial, size: 256, isPacked: false, seed: 4)
                for _ in 0..<45 {
                    let buffer = receiver.pieces(of: 1_536, most: 1)
                    let isThere = receiver.offer(try #require(buffer), writable: true)
                    try #require(isThere)
                }
                try #require(trial.sendStaged(1) == 1)
                trial.freeStaged(1)
                let back = receiver.takeBack()
                let bytes = back.flatMap { $0.chain.pieces.read($0.written) }
                #expect(Array(bytes.prefix(10)) == Array(long.header.prefix(10)) && Array(bytes.dropFirst(12)) == long.frame)
                #expect(trial.freeBuffers == buffers)
            }
        }
    }

    @Test("what fits into one segment is one, and what says no way of being cut is refused")
    func refused() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            /// Whether a frame is taken, and into how many it is cut; 0: it is not to be cut.
            func segments(_ frame: [UInt8], _ size: UInt16, parts: [Int] = [2_048]) -> Int? {
                guard trial.takeJoined(frame, segmentSize: size, parts: parts) else { return nil }
                defer { trial.freeStaged(1) }
                return trial.cut(0).count
            }
            let long = JoinedTests.long(false, data: 9_000)
            #expect(segments(long.frame, 1_448) == 7)
            #expect(segments(long.frame, 0) == 0, "its checksum alone is unfinished")
            #expect(segments(Array(long.frame.prefix(long.headers + 1_448)), 1_448) == 0, "one segment")
            #expect(segments(long.frame, 8) == nil, "more than 1 024 segments")
            #expect(segments(long.frame, 1_448, parts: [40, 2_048]) == nil, "headers in two buffers")
            var other = long.frame
            other[long.l3 + 9] = 17
            #expect(segments(other, 1_448) == nil, "UDP")
            #expect(segments(other, 0) == 0, "UDP whose checksum is unfinished")
        }
    }

    @Test("a device gets a frame whole within its limits only, and one that is refused can still be cut")
    func limits() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            let long = JoinedTests.long(false, data: 60_000)
            let cases: [(UInt16, UInt16, Bool)] = [(40, 0, true), (30, 0, true), (29, 0, false), (40, 3, true), (40, 2, false)]
            for (mostParts, mostPartsAtOnce, isWhole) in cases {
                let isTaken = trial.takeJoined(long.frame, segmentSize: 1_448, parts: [2_048])
                try #require(isTaken)
                #expect(trial.isSegmented(0, mostParts: mostParts, mostPartsAtOnce: mostPartsAtOnce) == isWhole, "\(mostParts) \(mostPartsAtOnce)")
                let segments = trial.cut(0)
                #expect(segments.count == 42 && segments.flatMap { $0.dropFirst(long.headers) } == long.data)
                trial.freeStaged(1)
            }
        }
    }
}
