import DataPlane
import Synchronization
import TestSupport
import Testing

@Suite("Captured frames, from a loop to the thread that writes them") struct CaptureRingThreadTests {
    private static func bytes(_ number: UInt64, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: number &* 31 &+ UInt64($0)) } }

    private static func put(_ ring: CaptureRing, _ number: UInt64, _ count: Int) -> Int? {
        guard let place = ring.begin(count) else { return nil }
        UnsafeMutableRawBufferPointer(start: place, count: count).copyBytes(from: bytes(number, count))
        return ring.finish(CaptureHeader(time: number, length: UInt32(count + 1), kept: UInt32(count), port: 7, leaf: 9, point: 2))
    }

    @Test func framesComeWholeAndInOrder() {
        let ring = CaptureRing(size: 1 << 16), total: UInt64 = 20_000, wrong = Atomic<Int>(0)
        defer { ring.deallocate() }
        onThreads(2) { side in
            var random = Seeded(7)
            if side == 0 {
                for number in 0..<total {
                    let isLong = Int.random(in: 0..<8, using: &random) == 0
                    let count = Int.random(in: isLong ? 0...9_000 : 60...120, using: &random)
                    while Self.put(ring, number, count) == nil {}
                }
            } else {
                var next: UInt64 = 0
                while next < total {
                    var position = ring.position
                    while let record = ring.next(&position, until: ring.end) {
                        let header = record.header, isWhole = Array(record.bytes) == Self.bytes(next, record.bytes.count)
                        let isRight = header.time == next && isWhole && header.length == header.kept + 1
                        if !isRight { wrong.add(1, ordering: .relaxed) }
                        next += 1
                    }
                    ring.release(before: position)
                }
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test("A full ring takes nothing until its reader has given room back, and loses nothing that it took")
    func full() throws {
        let ring = CaptureRing(size: 1_024)
        defer { ring.deallocate() }
        var taken = 0
        while Self.put(ring, UInt64(taken), 100) != nil { taken += 1 }
        // 32 bytes of a header and 100 of the frame, rounded up to 144.
        #expect(taken == 7 && ring.begin(100) == nil)
        var position = ring.position
        let first = try #require(ring.next(&position, until: ring.end))
        #expect(first.header.time == 0)
        #expect(ring.begin(100) == nil)
        ring.release(before: position)
        // There is room for one at the beginning, as the end is too short.
        #expect(Self.put(ring, 7, 100) == 0)
        #expect(ring.begin(16) == nil)
        var numbers: [UInt64] = []
        while let record = ring.next(&position, until: ring.end) { numbers.append(record.header.time) }
        #expect(numbers == Array(1...7))
        #expect(ring.begin(1_024) == nil)
    }

    @Test("A frame that is dropped after it was handed over is recognised, and marked")
    func dropped() throws {
        let ring = CaptureRing(size: 1_024)
        defer { ring.deallocate() }
        let place = try #require(Self.put(ring, 3, 64))
        #expect(ring.hasAddresses(place, of: Self.bytes(3, 64)) && !ring.hasAddresses(place, of: Self.bytes(4, 64)))
        ring.drop(place, 5, port: 8)
        var position = ring.position
        let record = try #require(ring.next(&position, until: ring.end))
        #expect(record.header.drop == 5 && record.header.dropPort == 8 && record.header.port == 7 && record.header.leaf == 9)
        #expect(Array(record.bytes) == Self.bytes(3, 64))
    }
}
