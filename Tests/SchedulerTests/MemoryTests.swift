import Foundation
import Scheduler
import Testing

@Suite struct MemoryTests {
    @Test func theTablesOfAClassFitTheirBounds() {
        #expect(ClassTree.bytesPerClass + ClassTree.bytesPerLeasedClass <= 256)
        #expect(ClassTree.bytesPerClass + ClassTree.bytesPerProfile <= 256)
        #expect(SharedTree.bytesPerClass == 192)
    }

    /// Compares the resident memory of a process of its own with the sizes of the tables: that is what a class costs that has borrowed and waited.
    @Test func aClassCostsWhatItsTablesSay() async throws {
        let result = try await #require(processExitsWith: .success, observing: [\.standardOutputContent]) {
            print(MemoryTests.bytesPerClass(), MemoryTests.bytesPerClass(leased: true), MemoryTests.bytesPerClass(alike: false))
        }
        let text = String(decoding: result.standardOutputContent, as: UTF8.self)
        let figures = try #require(text.split(separator: "\n").last?.split(separator: " ").compactMap { Double($0) })
        try #require(figures.count == 3)
        // Memory pages, the timing wheel and the queue may add 2 %.
        let tables = [0, ClassTree.bytesPerLeasedClass + SharedTree.bytesPerClass, ClassTree.bytesPerProfile].map { Double(ClassTree.bytesPerClass + $0) }
        for (figure, table) in zip(figures, tables) { #expect(figure <= table * 1.02 && figure > 128, "\(figure) of \(table)") }
    }

    /// The memory for each of 60 000 leaves that have sent a frame each, with equal parameters or all with different ones.
    static func bytesPerClass(leased: Bool = false, alike: Bool = true) -> Double {
        let classes = 60_000
        let shared = leased ? SharedTree.create(classes: classes + 2) : nil
        let before = resident()
        let tree = ClassTree.create(
            root: .mbit(10_000, ceil: 10_000), classes: classes + 2, frames: 1_024, outputs: 1, overhead: 0, now: second, shared: shared)
        let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 1)
        for id in 0..<classes {
            let leaf = ClassID(id + 2), now = second + Nanoseconds(id) * 10_000
            var p = ClassParameters.mbit(1, ceil: 100)
            if !alike { p.limitBytes = UInt32(1_000_000 + id) }
            _ = tree.pointee.add(leaf, under: 1, p, at: now)
            _ = tree.pointee.enqueue(UnsafeMutableRawPointer(bitPattern: 64)!, charge: Charge(bytes: 1_514), tag: 0, to: leaf, at: now)
            _ = tree.pointee.dequeue(into: into, limit: 1, at: now + 5_000)
        }
        let after = resident()
        ClassTree.destroy(tree)
        if let shared { SharedTree.destroy(shared) }
        into.deallocate()
        return Double(after - before) / Double(classes)
    }

    private static func resident() -> Int {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst().first
        return (pages.flatMap { Int($0) } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// If two lcores book different rates, of one class or of two, these are on different cache lines; rates that are booked together share a line.
    @Test func leasedWordsLieOnLinesOfTheirOwn() {
        let line = { (word: Int) in word * 8 / 64 }
        let together = [SharedTree.peak, SharedTree.floorPackets, SharedTree.ceilingPackets]
        #expect(Set(together).count == 3)
        #expect(Set(together.map(line)).count == 1)
        #expect(Set([SharedTree.floor, SharedTree.ceiling, SharedTree.peak].map(line)).count == 3)
        #expect(SharedTree.wordsPerClass * 8 % 64 == 0)
        #expect(([SharedTree.floor, SharedTree.ceiling] + together).max()! < SharedTree.wordsPerClass)
    }
}
