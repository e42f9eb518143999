import DataPlane
import Glibc
import TestSupport
import Testing

/// What becomes of a ring whose process is killed. Each test runs in a process of its own, because EAL starts once in a process.
@Suite struct KillTests {
    /// The ring's memory and its journal at some instant.
    private struct Instant {
        var memory: [[UInt8]]
        var journal: [UInt8]

        init(_ trial: RingTrial) {
            memory = trial.memory.map { [UInt8](UnsafeRawBufferPointer(start: $0.host, count: RingTrial.regionBytes)) }
            journal = [UInt8](trial.journal)
        }

        func restore(_ trial: RingTrial) {
            for (bytes, region) in zip(memory, trial.memory) { region.host.copyMemory(from: bytes, byteCount: bytes.count) }
            trial.journal.copyBytes(from: journal)
        }
    }

    /// Runs something in a process that could be killed at any instruction.
    /// - Returns: all that such a process can leave behind of the ring, in the order in which it came about.
    private static func instants(_ trial: RingTrial, _ size: Int, _ body: () -> Void) throws -> [Instant] {
        // The descriptors, the used ring, and the journal's beginning.
        let watched: [(UnsafeRawPointer, Int)] = [
            (UnsafeRawPointer(trial.memory[0].host), 16 * size), (UnsafeRawPointer(trial.memory[0].host + 0x50000), 8 + 8 * size),
            (UnsafeRawPointer(try #require(trial.journal.baseAddress)), 1_024),
        ]
        var seen = watched.map { [UInt8](UnsafeRawBufferPointer(start: $0.0, count: $0.1)) }
        var instants = [Instant(trial)]
        let isComplete = SteppedProcess.run(body) {
            if zip(seen, watched).allSatisfy({ memcmp($0, $1.0, $1.1) == 0 }) { return }
            seen = watched.map { [UInt8](UnsafeRawBufferPointer(start: $0.0, count: $0.1)) }
            instants.append(Instant(trial))
        }
        try #require(isComplete)
        return instants
    }

    private static func frame(_ random: inout Seeded, _ length: Int) -> [UInt8] { (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) } }

    /// Offers frames as a guest that sends them.
    private static func offer(_ driver: inout RingDriver, most: Int) -> [[UInt8]] {
        var sent: [[UInt8]] = []
        for _ in 0..<most {
            let frame = frame(&driver.random, Int.random(in: 60...90, using: &driver.random))
            guard let pieces = driver.pieces(of: 12 + frame.count, most: Bool.random(using: &driver.random) ? 1 : 3) else { break }
            pieces.fill([UInt8](repeating: 0, count: 12) + frame)
            guard driver.offer(pieces, writable: false) else { break }
            sent.append(frame)
        }
        return sent
    }

    @Test("killed at any instruction, a switch that takes a guest's frames is followed by one that takes each that was not told to be taken, once, in order")
    func receive() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 511, bufferSize: 2_048)
            for (seed, (size, isPacked, isInOrder)) in [(8, true, false), (8, true, true), (8, false, false), (7, true, false)].enumerated() {
                trial.setUp(size: UInt16(size), isPacked: isPacked, isInOrder: isInOrder)
                var driver = RingDriver(trial, size: size, isPacked: isPacked, isInOrder: isInOrder, seed: UInt64(seed) + 500)
                for round in 0..<5 {
                    driver.forgetMemory()
                    let sent = KillTests.offer(&driver, most: 5)
                    let instants = try KillTests.instants(trial, size) { trial.drain() }
                    #expect(instants.count > 2)
                    for (number, instant) in instants.enumerated() {
                        instant.restore(trial)
                        var driver = driver
                        #expect(trial.takeUp(), "round \(round), instant \(number)")
                        var back = driver.takeBack()
                        var received: [[UInt8]] = []
                        while case let more = trial.receive(), !more.isEmpty { received += more }
                        #expect(received == Array(sent.dropFirst(back.count)), "round \(round), instant \(number) of \(instants.count): \(back.count) were told")
                        back += driver.takeBack()
                        #expect(back.count == sent.count && back.allSatisfy { !$0.chain.pieces.isEmpty && $0.written == 0 } && driver.waiting.isEmpty)
                        // The ring goes on, around its end.
                        for _ in 0..<4 {
                            driver.forgetMemory()
                            let more = KillTests.offer(&driver, most: 5)
                            #expect(trial.receive() == more && driver.takeBack().count == more.count)
                        }
                        if trial.fault != nil || received.count > sent.count { return }
                    }
                    try #require(instants.last).restore(trial)
                    #expect(trial.takeUp())
                    let back = driver.takeBack()
                    #expect(back.count == sent.count)
                }
            }
        }
    }

    @Test("killed at any instruction, a switch that gives frames to a guest is followed by one that goes on behind the last whole frame")
    func send() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 511, bufferSize: 2_048)
            for (seed, (size, isPacked, isInOrder)) in [(16, true, false), (16, true, true), (16, false, false), (13, true, false)].enumerated() {
                trial.setUp(size: UInt16(size), isPacked: isPacked, isInOrder: isInOrder)
                var driver = RingDriver(trial, size: size, isPacked: isPacked, isInOrder: isInOrder, seed: UInt64(seed) + 600)
                /// Takes frames back, and checks that they are the first of those given.
                func take(_ frames: [[UInt8]], _ driver: inout RingDriver) -> Int {
                    var back = driver.takeBack()[...]
                    var count = 0
                    for frame in frames {
                        guard let first = back.first else { break }
                        let head = first.chain.pieces.read(12)
                        let bytes = back.prefix(Int(head[10])).flatMap { $0.chain.pieces.read($0.written) }
                        #expect(Array(bytes.dropFirst(12)) == frame)
                        back = back.dropFirst(Int(head[10]))
                        count += 1
                    }
                    #expect(back.isEmpty)
                    return count
                }
                for round in 0..<5 {
                    if driver.waiting.isEmpty { driver.forgetMemory() }
                    while let pieces = driver.pieces(of: Int.random(in: 40...120, using: &driver.random), most: 2), driver.offer(pieces, writable: true) {}
                    let frames = (0..<4).map { _ in KillTests.frame(&driver.random, Int.random(in: 60...150, using: &driver.random)) }
                    trial.stage(frames)
                    let instants = try KillTests.instants(trial, size) { trial.sendStaged(4) }
                    trial.freeStaged(4)
                    #expect(instants.count > 2)
                    var told = 0
                    for (number, instant) in instants.enumerated() {
                        instant.restore(trial)
                        var driver = driver
                        #expect(trial.takeUp(), "round \(round), instant \(number)")
                        let count = take(frames, &driver)
                        #expect(count >= told, "round \(round), instant \(number) of \(instants.count)")
                        told = count
                        for _ in 0..<4 {
                            if driver.waiting.isEmpty { driver.forgetMemory() }
                            while let pieces = driver.pieces(of: 100, most: 2), driver.offer(pieces, writable: true) {}
                            let more = (0..<3).map { _ in KillTests.frame(&driver.random, 80) }
                            let sent = trial.send(more)
                            #expect(sent > 0 && trial.fault == nil)
                            #expect(take(Array(more.prefix(sent)), &driver) == sent)
                        }
                        if trial.fault != nil { return }
                    }
                    try #require(instants.last).restore(trial)
                    #expect(trial.takeUp())
                    #expect(take(frames, &driver) > 0)
                }
            }
        }
    }

    @Test("a ring that is not the one of the journal begins where the frontend says, and it is said if that cannot be right")
    func others() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 511, bufferSize: 2_048)
            for rounds in [0, 1, 3, 4, 9] {
                trial.setUp(size: 16, isPacked: true)
                var driver = RingDriver(trial, size: 16, isPacked: true, seed: UInt64(rounds))
                func pass(_ count: Int, _ driver: inout RingDriver) {
                    for _ in 0..<count {
                        driver.forgetMemory()
                        let sent = KillTests.offer(&driver, most: 4)
                        #expect(trial.receive() == sent && driver.takeBack().count == sent.count)
                    }
                }
                pass(rounds, &driver)
                let before = Instant(trial)
                // Another device in the same memory.
                #expect(trial.takeUp(identity: 2) == (rounds == 0))
                before.restore(trial)
                // The frontend says something else than before: it knows better.
                _ = trial.takeUp(told: 3)
                before.restore(trial)
                #expect(trial.takeUp())
                pass(3, &driver)

                // The guest was started anew: its driver begins with an empty ring at the same place.
                memset(trial.memory[0].host, 0, RingTrial.regionBytes)
                if rounds % 2 == 1 { for slot in 0..<16 { trial.memory[0].host.storeBytes(of: UInt16(slot), toByteOffset: 16 * slot + 12, as: UInt16.self) } }
                var next = RingDriver(trial, size: 16, isPacked: true, seed: UInt64(rounds) + 20)
                let sent = KillTests.offer(&next, most: rounds)
                #expect(trial.takeUp())
                #expect(trial.receive() == sent && next.takeBack().count == sent.count)
                pass(9, &next)
                // It is served, and killed, once more.
                #expect(trial.takeUp())
                pass(9, &next)
            }
        }
    }
}
