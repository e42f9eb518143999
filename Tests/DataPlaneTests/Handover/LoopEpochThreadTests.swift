import DataPlane
import Synchronization
import TestSupport
import Testing

/// Memory that was unpublished is freed only after the last loop has read it. scripts/lab/thread-sanitizer runs this under ThreadSanitizer, which reports any
/// read that is not ordered before the freeing, even if this processor would not have reordered it.
@Suite("Epochs: several threads") struct LoopEpochThreadTests {
    /// What is published. Both words are always equal until the memory is freed.
    private struct Thing { var first: Int, second: Int }

    private final class Loop: @unchecked Sendable {
        let epoch = LoopEpoch()
        let published: Atomic<UnsafeMutablePointer<Thing>?>
        init(_ thing: UnsafeMutablePointer<Thing>) { published = Atomic(thing) }
    }

    private static func make(_ number: Int) -> UnsafeMutablePointer<Thing> {
        let thing = UnsafeMutablePointer<Thing>.allocate(capacity: 1)
        thing.initialize(to: Thing(first: number, second: number))
        return thing
    }

    /// Two loops read all the time, one of which rests now and then, while two other threads publish and free.
    @Test func nothingIsReadAfterItWasFreed() {
        let loops = (0..<2).map { _ in Loop(Self.make(0)) }
        let writers = 2, exchanges = 3_000
        let running = Atomic<Int>(writers), torn = Atomic<Int>(0), turns = Atomic<Int>(0), rests = Atomic<Int>(0)
        onThreads(loops.count + writers) { thread in
            if thread < loops.count {
                let loop = loops[thread]
                var number = 0
                loop.epoch.rise()
                while running.load(ordering: .relaxed) != 0 {
                    loop.epoch.beginTurn()
                    let thing = loop.published.load(ordering: .acquiring)!
                    for _ in 0..<4 where thing.pointee.first != thing.pointee.second || thing.pointee.first < 0 { torn.add(1, ordering: .relaxed) }
                    number += 1
                    if thread == 1, number % 8 == 0 {
                        loop.epoch.goToRest()
                        rests.add(1, ordering: .relaxed)
                        loop.epoch.rise()
                    }
                }
                loop.epoch.goToRest()
                turns.add(number, ordering: .relaxed)
                return
            }
            for number in 1...exchanges {
                // Each writer publishes to both loops and frees what it replaced.
                let old = loops.map { $0.published.exchange(Self.make(number), ordering: .acquiringAndReleasing)! }
                let questions = loops.map { $0.epoch.ask() }
                for (loop, question) in zip(loops, questions) { while !loop.epoch.isAnswered(question) {} }
                for thing in old {
                    thing.pointee = Thing(first: -1, second: -2)
                    thing.deallocate()
                }
            }
            running.subtract(1, ordering: .relaxed)
        }
        #expect(torn.load(ordering: .relaxed) == 0)
        #expect(turns.load(ordering: .relaxed) > 0 && rests.load(ordering: .relaxed) > 0)
        for loop in loops { loop.published.load(ordering: .relaxed)!.deallocate() }
    }

    /// Nobody waits for a loop that has not begun, that rests, or that has ended; a running loop is waited for until its next turn.
    @Test func onlyALoopThatRunsIsWaitedFor() {
        let epoch = LoopEpoch()
        func isAnswered(_ questions: UInt64...) -> [Bool] { questions.map { epoch.isAnswered($0) } }
        #expect(isAnswered(epoch.ask()) == [true])
        epoch.rise()
        let first = epoch.ask(), second = epoch.ask()
        #expect(isAnswered(first, second) == [false, false])
        epoch.beginTurn()
        let third = epoch.ask()
        #expect(isAnswered(first, second, third) == [true, true, false])
        epoch.goToRest()
        let fourth = epoch.ask()
        #expect(isAnswered(third, fourth) == [true, true])
        epoch.rise()
        let fifth = epoch.ask()
        #expect(isAnswered(fifth) == [false])
        epoch.beginTurn()
        #expect(isAnswered(fourth, fifth) == [true, true])
    }
}
