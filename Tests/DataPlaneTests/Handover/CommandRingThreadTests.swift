import DataPlane
import TestSupport
import Testing

/// Commands go from one thread to another, and refusals back. scripts/lab/thread-sanitizer runs this under ThreadSanitizer.
@Suite("Commands: two threads") struct CommandRingThreadTests {
    private struct Command: BitwiseCopyable {
        var number: UInt64
        /// The square of the number. A command that was read before it was completely written would have another one.
        var square: UInt64
    }

    private static func carryOut(_ ring: CommandRing<Command, UInt8>, _ see: (UInt64, Command) -> Void) {
        let (first, end) = ring.next(atMost: 64)
        var next = first
        while next != end {
            see(next, ring.command(next).pointee)
            next += 1
        }
        if first != end { ring.finish(before: end) }
    }

    /// There are more commands than the ring holds, so that it is full at times. Every thousandth is refused.
    @Test func everyCommandIsCarriedOutOnceAndInOrder() {
        let ring = CommandRing<Command, UInt8>()
        let count: UInt64 = 50_000
        nonisolated(unsafe) var disorder = 0, refused: [UInt64] = [], wrongReasons = 0, lost: UInt64 = 0
        onThreads(2) { thread in
            if thread == 0 {
                for number in 0..<count {
                    while !ring.put(Command(number: number, square: number &* number)) {}
                    guard number % 10_000 == 9_999 else { continue }
                    while !ring.isDone {}
                    let taken = ring.takeRefusals()
                    refused += taken.refusals.map(\.command.number)
                    wrongReasons += taken.refusals.count { $0.reason != UInt8(truncatingIfNeeded: $0.command.number / 1_000) }
                    lost += taken.lost
                }
                return
            }
            var expected: UInt64 = 0
            while expected < count {
                Self.carryOut(ring) { number, command in
                    if command.number != expected || command.square != expected &* expected { disorder += 1 }
                    if expected % 1_000 == 0 { ring.refuse(number, UInt8(truncatingIfNeeded: expected / 1_000)) }
                    expected += 1
                }
            }
        }
        #expect(disorder == 0 && wrongReasons == 0 && lost == 0)
        #expect(refused == (0..<count).filter { $0 % 1_000 == 0 })
        ring.deallocate()
    }

    /// Of many refusals, the last ones are reported, together with the number of earlier ones.
    @Test func ofManyRefusalsTheLastAreKept() {
        let ring = CommandRing<Command, UInt8>()
        for number in 0..<UInt64(20) { #expect(ring.put(Command(number: number, square: 0))) }
        #expect(ring.hasMore && !ring.isDone)
        Self.carryOut(ring) { number, _ in ring.refuse(number, 7) }
        #expect(!ring.hasMore && ring.isDone)
        let (refusals, lost) = ring.takeRefusals()
        #expect(lost == 4 && refusals.map(\.command.number) == Array(4..<20) && refusals.allSatisfy { $0.reason == 7 })
        #expect(ring.takeRefusals().refusals.isEmpty && ring.takeRefusals().lost == 0)
        ring.deallocate()
    }

    /// A full ring accepts no more until the other side has carried out a command.
    @Test func aFullRingTakesNoMore() {
        let ring = CommandRing<Command, UInt8>()
        for number in 0..<CommandRingIndices.capacity { #expect(ring.put(Command(number: number, square: 0))) }
        #expect(!ring.put(Command(number: 0, square: 0)))
        Self.carryOut(ring) { _, _ in }
        for _ in 0..<64 { #expect(ring.put(Command(number: 0, square: 0))) }
        #expect(!ring.put(Command(number: 0, square: 0)))
        ring.deallocate()
    }
}
