import DataPlane
import Synchronization
import TestSupport
import Testing

@Suite("Frames for the switch itself, from a loop to the control thread") struct PuntRingThreadTests {
    /// The bytes of a frame, from which it can be seen whether it is complete.
    private static func bytes(_ number: UInt64, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: number &* 31 &+ UInt64($0)) } }

    private static func put(_ ring: PuntRing, _ number: UInt64, _ count: Int) -> Bool {
        guard let place = ring.begin(count) else { return false }
        UnsafeMutableRawBufferPointer(start: place, count: count).copyBytes(from: bytes(number, count))
        ring.finish(count, kind: number & 1 == 0 ? .group : .lldp, port: UInt16(truncatingIfNeeded: number), vlan: UInt16(truncatingIfNeeded: number >> 16))
        return true
    }

    private static func isFrame(_ frame: PuntedFrame, _ number: UInt64) -> Bool {
        frame.kind == (number & 1 == 0 ? .group : .lldp) && frame.port == UInt16(truncatingIfNeeded: number)
            && frame.vlan == UInt16(truncatingIfNeeded: number >> 16) && frame.bytes == bytes(number, frame.bytes.count)
    }

    @Test func framesComeWholeAndInOrder() {
        let ring = PuntRing(), total: UInt64 = 20_000, wrong = Atomic<Int>(0)
        defer { ring.deallocate() }
        onThreads(2) { side in
            var random = Seeded(7)
            if side == 0 {
                for number in 0..<total {
                    let count = Int.random(in: 0..<8, using: &random) == 0 ? Int.random(in: 60...PuntRing.longest, using: &random) : Int.random(in: 60...120, using: &random)
                    while !Self.put(ring, number, count) {}
                }
            } else {
                var next: UInt64 = 0
                while next < total {
                    guard let frame = ring.pop() else { continue }
                    if !Self.isFrame(frame, next) { wrong.add(1, ordering: .relaxed) }
                    next += 1
                }
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(ring.pop() == nil)
    }

    @Test func whatFindsNoRoomIsNotTaken() {
        let ring = PuntRing()
        defer { ring.deallocate() }
        #expect(ring.begin(PuntRing.longest + 1) == nil)
        var random = Seeded(1)
        // The ring is filled and emptied 40 times, so that frames begin at many different positions.
        for _ in 0..<40 {
            var put: UInt64 = 0
            while Self.put(ring, put, Int.random(in: 1...PuntRing.longest, using: &random)) { put += 1 }
            #expect(put >= 20)
            for number in 0..<put { #expect(ring.pop().map { Self.isFrame($0, number) } == true) }
            #expect(ring.pop() == nil)
        }
    }
}
