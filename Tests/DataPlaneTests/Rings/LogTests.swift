import DataPlane
import Glibc
import TestSupport
import Testing

/// The log of written pages, by which a migration copies again what has changed. Each test runs in a process of its own, because EAL starts once in a process.
@Suite struct LogTests {
    /// All memory, page by page.
    private static func pages(_ trial: RingTrial) -> [[[UInt8]]] {
        trial.memory.map { region in
            stride(from: 0, to: RingTrial.regionBytes, by: RingTrial.pageBytes).map { [UInt8](UnsafeRawBufferPointer(start: region.host + $0, count: RingTrial.pageBytes)) }
        }
    }

    /// A copy of the guest's memory, as a migration makes it: page by page, each again when the log says so.
    private struct Copy {
        var pages: [[[UInt8]]]

        init(_ trial: RingTrial) { pages = LogTests.pages(trial) }

        /// Copies what was logged. Then nothing may be different, but for what the driver itself has written.
        mutating func follow(_ trial: RingTrial) {
            for (region, logged) in trial.takeLog().enumerated() {
                for page in logged { pages[region][page] = [UInt8](UnsafeRawBufferPointer(start: trial.memory[region].host + page * RingTrial.pageBytes, count: RingTrial.pageBytes)) }
            }
        }

        func differs(from trial: RingTrial) -> [Int] {
            var found: [Int] = []
            for (region, (start, host)) in trial.memory.enumerated() {
                for (page, bytes) in pages[region].enumerated() where memcmp(bytes, host + page * RingTrial.pageBytes, bytes.count) != 0 {
                    found.append(Int(start) + page * RingTrial.pageBytes)
                }
            }
            return found
        }
    }

    @Test("every page that the switch writes to is logged: buffers, used descriptors and indexes, and what it asks of the driver", arguments: [
        (256, false, false, false), (16, false, true, false), (256, true, false, false), (100, true, true, true), (64, true, true, false), (64, false, false, false),
    ])
    func everything(_ size: Int, _ isPacked: Bool, _ hasEventIndex: Bool, _ isInOrder: Bool) async {
        await #expect(processExitsWith: .success) { [size, isPacked, hasEventIndex, isInOrder] in
            let trial = try RingTrial(buffers: 511, bufferSize: 2_048)
            for direction in 0..<2 {
                trial.setUp(size: UInt16(size), isPacked: isPacked, hasEventIndex: hasEventIndex, isInOrder: isInOrder, isLogged: true)
                var driver = RingDriver(trial, size: size, isPacked: isPacked, isInOrder: isInOrder, seed: UInt64(size))
                var written = 0
                for _ in 0..<150 {
                    if driver.waiting.isEmpty { driver.forgetMemory() }
                    let towardsGuest = direction == 0
                    for _ in 0..<Int.random(in: 1...20, using: &driver.random) {
                        let bytes = Int.random(in: 100...2_500, using: &driver.random)
                        guard let pieces = driver.pieces(of: bytes, most: 5), driver.offer(pieces, writable: towardsGuest) else { break }
                    }
                    driver.setEvent(waits: Bool.random(using: &driver.random))
                    // From here on the switch alone writes.
                    var copy = Copy(trial)
                    _ = trial.takeLog()
                    switch Int.random(in: 0..<8, using: &driver.random) {
                    case 0: trial.expect(true)
                    case 1: trial.expect(false)
                    default:
                        if towardsGuest {
                            let lengths = (0..<Int.random(in: 1...16, using: &driver.random)).map { _ in Int.random(in: 60...4_000, using: &driver.random) }
                            _ = trial.send(lengths.map { length in (0..<length).map { _ in UInt8(truncatingIfNeeded: driver.random.next()) } })
                        } else {
                            trial.drain(Int.random(in: 1...32, using: &driver.random))
                        }
                    }
                    #expect(trial.fault == nil)
                    written += copy.differs(from: trial).count
                    copy.follow(trial)
                    let missed = copy.differs(from: trial)
                    #expect(missed.isEmpty, "not logged: \(missed)")
                    if !missed.isEmpty { return }
                    _ = driver.takeBack()
                }
                #expect(written > 100)
            }
        }
    }

    @Test("a page is logged after it was written: who copies it at once, at any instruction, has all of it, or is told once more")
    func order() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 511, bufferSize: 2_048)
            for (seed, (isPacked, towardsGuest)) in [(false, false), (false, true), (true, false), (true, true)].enumerated() {
                trial.setUp(size: 16, isPacked: isPacked, hasEventIndex: true, isLogged: true)
                var driver = RingDriver(trial, size: 16, isPacked: isPacked, seed: UInt64(seed) + 40)
                for _ in 0..<3 {
                    if driver.waiting.isEmpty { driver.forgetMemory() }
                    for _ in 0..<6 {
                        guard let pieces = driver.pieces(of: 200, most: 3), driver.offer(pieces, writable: towardsGuest) else { break }
                    }
                    if towardsGuest { trial.stage((0..<3).map { _ in (0..<150).map { _ in UInt8(truncatingIfNeeded: driver.random.next()) } }) }
                    var copy = Copy(trial)
                    _ = trial.takeLog()
                    var looks = 0
                    let isComplete = SteppedProcess.run({ if towardsGuest { trial.sendStaged(3) } else { trial.drain() } }, look: {
                        if !trial.hasLog { return }
                        looks += 1
                        copy.follow(trial)
                    })
                    if towardsGuest { trial.freeStaged(3) }
                    copy.follow(trial)
                    #expect(isComplete && looks > 1 && copy.differs(from: trial).isEmpty)
                    // This process takes the ring up where the other left it.
                    #expect(trial.takeUp())
                    _ = driver.takeBack()
                }
            }
        }
    }

    @Test("what is finished of a killed switch's work is logged, too")
    func takenUp() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 511, bufferSize: 2_048)
            trial.setUp(size: 16, isPacked: true, isLogged: true)
            var driver = RingDriver(trial, size: 16, isPacked: true, seed: 1)
            for _ in 0..<4 {
                let pieces = driver.pieces(of: 100, most: 1)
                let isOffered = driver.offer(try #require(pieces), writable: true)
                #expect(isOffered)
            }
            let before = [UInt8](UnsafeRawBufferPointer(start: trial.memory[0].host, count: 16))
            #expect(trial.send([[UInt8]](repeating: [UInt8](repeating: 7, count: 60), count: 3)) == 3)
            // All but the first descriptor, which is written last, and the journal's last word were written.
            trial.memory[0].host.copyMemory(from: before, byteCount: 16)
            trial.journal.storeBytes(of: UInt64(3 << 16 | 0x8000), toByteOffset: 128, as: UInt64.self)
            var copy = Copy(trial)
            _ = trial.takeLog()
            #expect(trial.takeUp() && !copy.differs(from: trial).isEmpty)
            copy.follow(trial)
            #expect(copy.differs(from: trial).isEmpty && driver.takeBack().count == 3)
        }
    }

    @Test("nothing is logged if nobody migrates")
    func nothing() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 511, bufferSize: 2_048)
            trial.setUp(size: 16, isPacked: false)
            var driver = RingDriver(trial, size: 16, isPacked: false, seed: 1)
            let pieces = driver.pieces(of: 100, most: 1)
            let isOffered = driver.offer(try #require(pieces), writable: true)
            #expect(isOffered && trial.send([[UInt8](repeating: 7, count: 60)]) == 1 && !trial.hasLog)
        }
    }
}
