import DataPlane
import TestSupport
import Testing

/// A guest's rings, with the test as the guest's driver. Each test runs in a process of its own, because EAL starts once in a process.
@Suite struct RingTests {
    /// The frames of a burst: mostly short, some of several buffers, a few very long.
    private static func frames(_ random: inout Seeded, count: Int) -> [[UInt8]] {
        (0..<count).map { _ in
            let length = switch Int.random(in: 0..<16, using: &random) {
            case 0..<8: Int.random(in: 14...66, using: &random)
            case 8..<14: Int.random(in: 60...1_600, using: &random)
            default: Int.random(in: 1_500...9_022, using: &random)
            }
            return (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
    }

    @Test("what a driver sends in any layout arrives, and every buffer comes back once, in order")
    func receive() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            let buffers = trial.freeBuffers
            for (seed, (size, isPacked, isInOrder, header)) in [
                (16, false, false, 12), (256, false, false, 12), (64, false, false, 10), (16, true, false, 12), (256, true, true, 12), (100, true, false, 12), (100, true, true, 12),
            ].enumerated() {
                trial.setUp(size: UInt16(size), isPacked: isPacked, header: UInt8(header), hasEventIndex: size == 64, isInOrder: isInOrder)
                var driver = RingDriver(trial, size: size, isPacked: isPacked, isInOrder: isInOrder, seed: UInt64(seed))
                for _ in 0..<400 {
                    driver.forgetMemory()
                    var sent: [[UInt8]] = []
                    for frame in RingTests.frames(&driver.random, count: Int.random(in: 1...32, using: &driver.random)) {
                        guard let pieces = driver.pieces(of: header + frame.count, most: Bool.random(using: &driver.random) ? 1 : 12) else { break }
                        pieces.fill([UInt8](repeating: 0, count: header) + frame)
                        guard driver.offer(pieces, writable: false) else { break }
                        sent.append(frame)
                    }
                    var received: [[UInt8]] = []
                    while received.count < sent.count {
                        let more = trial.receive(Int.random(in: 1...32, using: &driver.random), mayRefer: Bool.random(using: &driver.random))
                        #expect(!more.isEmpty)
                        if more.isEmpty { break }
                        received += more
                    }
                    #expect(received == sent)
                    #expect(trial.receive().isEmpty && trial.fault == nil)
                    let back = driver.takeBack()
                    #expect(back.count == sent.count && back.allSatisfy { !$0.chain.pieces.isEmpty && $0.written == 0 } && driver.waiting.isEmpty)
                    if trial.fault != nil || received != sent { return }
                }
                #expect(trial.freeBuffers == buffers)
            }
        }
    }

    @Test("what is sent to a driver's buffers of any layout stands there, with the header that says how many buffers it takes")
    func send() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            let buffers = trial.freeBuffers
            for (seed, (size, isPacked, isMergeable)) in [(16, false, true), (256, false, true), (256, false, false), (16, true, true), (256, true, true), (100, true, false)].enumerated() {
                trial.setUp(size: UInt16(size), isPacked: isPacked, isMergeable: isMergeable, hasEventIndex: size == 100, isInOrder: size == 256)
                var driver = RingDriver(trial, size: size, isPacked: isPacked, isInOrder: size == 256, seed: UInt64(seed) + 100)
                for _ in 0..<400 {
                    if driver.waiting.isEmpty { driver.forgetMemory() }
                    let shortest = isMergeable ? 20 : 9_100
                    for _ in 0..<Int.random(in: 1...48, using: &driver.random) {
                        let bytes = Int.random(in: shortest...shortest + 2_000, using: &driver.random)
                        guard let pieces = driver.pieces(of: bytes, most: 6), driver.offer(pieces, writable: true) else { break }
                    }
                    let frames = RingTests.frames(&driver.random, count: Int.random(in: 1...32, using: &driver.random))
                    let taken = trial.send(frames)
                    #expect(trial.fault == nil)
                    var back = driver.takeBack()[...]
                    for frame in frames.prefix(taken) {
                        guard let first = back.first else { break }
                        let head = first.chain.pieces.read(12)
                        let count = Int(head[10]) | Int(head[11]) << 8
                        #expect(head.prefix(10).allSatisfy { $0 == 0 } && (isMergeable || count == 1))
                        let bytes = back.prefix(count).flatMap { $0.chain.pieces.read($0.written) }
                        #expect(Array(bytes.dropFirst(12)) == frame)
                        if Array(bytes.dropFirst(12)) != frame { return }
                        back = back.dropFirst(count)
                    }
                    #expect(back.isEmpty)
                    // What was refused did not fit into all that was left.
                    if taken < frames.count {
                        let left = driver.waiting.prefix(isMergeable ? .max : 1).reduce(0) { $0 + $1.pieces.reduce(0) { $0 + $1.count } }
                        #expect(left < 12 + frames[taken].count)
                    }
                }
                #expect(trial.freeBuffers == buffers)
            }
        }
    }

    @Test("a driver that writes anything anywhere, at any time, gets no byte beside its memory, and keeps no buffer")
    func hostile() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            let buffers = trial.freeBuffers
            var random = Seeded(7)
            var faults: Set<String> = []
            for round in 0..<60_000 {
                let isPacked = round % 2 == 0
                let size = isPacked ? Int.random(in: 1...64, using: &random) : 1 << Int.random(in: 0...6, using: &random)
                if round % 64 < 2 || trial.fault != nil {
                    trial.setUp(size: UInt16(size), isPacked: isPacked, isMergeable: Bool.random(using: &random), hasEventIndex: Bool.random(using: &random), isInOrder: Bool.random(using: &random), segmentation: 15)
                }
                let ring = trial.memory[0].host
                // Descriptors that are nearly right: addresses about the edges of memory, tables in the ring itself, flags of every kind.
                for place in 0..<64 {
                    let region = trial.memory[Int.random(in: 0...1, using: &random)].start
                    let address: UInt64 = switch Int.random(in: 0..<12, using: &random) {
                    case 0: random.next()
                    case 1: UInt64.max - UInt64.random(in: 0..<64, using: &random)
                    case 2: region - UInt64.random(in: 0..<64, using: &random)
                    case 3: region + UInt64(RingTrial.regionBytes) - UInt64.random(in: 0..<2_000, using: &random)
                    case 4: region + 16 * UInt64.random(in: 0..<64, using: &random)
                    default: region + UInt64.random(in: 0x60000..<0xf0000, using: &random)
                    }
                    let length: UInt32 = switch Int.random(in: 0..<8, using: &random) {
                    case 0: UInt32.random(in: .min ... .max, using: &random)
                    case 1: 0
                    case 2: 16 * UInt32.random(in: 0...70_000, using: &random)
                    default: UInt32.random(in: 0...3_000, using: &random)
                    }
                    let flags: UInt16 = Bool.random(using: &random) ? UInt16.random(in: .min ... .max, using: &random) : [0, 2, 1, 3, 4][Int.random(in: 0..<5, using: &random)] | [0, 1 << 7, 1 << 15][Int.random(in: 0..<3, using: &random)]
                    let number = UInt16.random(in: 0...(random.next() % 16 == 0 ? UInt16.max : 64), using: &random)
                    let descriptor = ring + 16 * place
                    descriptor.storeBytes(of: address, as: UInt64.self)
                    descriptor.storeBytes(of: length, toByteOffset: 8, as: UInt32.self)
                    descriptor.storeBytes(of: isPacked ? number : flags & 7, toByteOffset: 12, as: UInt16.self)
                    descriptor.storeBytes(of: isPacked ? flags : number, toByteOffset: 14, as: UInt16.self)
                    if !isPacked { (ring + 0x40004 + 2 * place).storeBytes(of: UInt16.random(in: 0...70, using: &random), as: UInt16.self) }
                }
                let driver = ring + 0x40000
                let index = (driver + 2).load(as: UInt16.self)
                (driver + 2).storeBytes(of: index &+ UInt16.random(in: 0...(random.next() % 32 == 0 ? UInt16.max : 20), using: &random), as: UInt16.self)
                // Headers that want checksums and segments.
                for _ in 0..<8 {
                    (trial.memory[1].host + Int.random(in: 0x60000..<0xf0000, using: &random)).storeBytes(of: random.next() & 0x0030_ffff_ffff_0501, as: UInt64.self)
                }
                if Bool.random(using: &random) {
                    _ = trial.receive(mayRefer: Bool.random(using: &random))
                } else {
                    _ = trial.send(RingTests.frames(&random, count: 8))
                }
                if let fault = trial.fault { faults.insert(fault) }
                if round % 1_000 == 0 { #expect(trial.freeBuffers == buffers) }
            }
            #expect(trial.freeBuffers == buffers)
            #expect(faults == ["tooManyAvailable", "noSuchDescriptor", "outsideMemory", "endlessChain", "badTable", "wrongDirection", "badIdentifier"])
        }
    }

    @Test("buffers of nothing, a thousand to a table and table after table, are not followed for long")
    func empty() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            for isPacked in [false, true] {
                trial.setUp(size: 256, isPacked: isPacked)
                var driver = RingDriver(trial, size: 256, isPacked: isPacked, seed: 1)
                for _ in 0..<16 {
                    let nothing = driver.allocate(0)
                    let isOffered = driver.offer([RingDriver.Piece](repeating: try #require(nothing), count: 200), writable: true, isIndirect: true)
                    #expect(isOffered)
                }
                #expect(trial.send([[UInt8](repeating: 1, count: 60)]) == 0 && trial.fault == "endlessChain")
            }
        }
    }

    @Test("a burst ends when its frames have taken many descriptors, and the next goes on from there")
    func dear() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            for isPacked in [false, true] {
                trial.setUp(size: 256, isPacked: isPacked)
                var driver = RingDriver(trial, size: 256, isPacked: isPacked, seed: 2)
                let frame = [UInt8](repeating: 5, count: 600)
                for _ in 0..<16 {
                    var pieces: [RingDriver.Piece] = []
                    for _ in 0..<204 {
                        let piece = driver.allocate(3)
                        pieces.append(try #require(piece))
                    }
                    pieces.fill([UInt8](repeating: 0, count: 12) + frame)
                    let isOffered = driver.offer(pieces, writable: false, isIndirect: true)
                    #expect(isOffered)
                }
                // Six frames of 204 descriptors are the first to take more than 1 024.
                for expected in [6, 6, 4, 0] { #expect(trial.receive() == [[UInt8]](repeating: frame, count: expected)) }
                let back = driver.takeBack()
                #expect(back.count == 16 && trial.fault == nil)
            }
        }
    }

    @Test("a driver that waits for used buffers is told of the first, whatever it did not want to be told of before")
    func told() async {
        await #expect(processExitsWith: .success) {
            let trial = try RingTrial(buffers: 2_047, bufferSize: 2_048)
            for (seed, (size, isPacked, isInOrder)) in [(64, false, false), (64, true, false), (50, true, false), (64, true, true)].enumerated() {
                trial.setUp(size: UInt16(size), isPacked: isPacked, hasEventIndex: true, isInOrder: isInOrder)
                var driver = RingDriver(trial, size: size, isPacked: isPacked, isInOrder: isInOrder, seed: UInt64(seed) + 50)
                for round in 0..<20_000 {
                    driver.forgetMemory()
                    // Now and then it wants nothing for long enough that the ring goes round meanwhile.
                    let waits = round / 7 % 2 == 0
                    driver.setEvent(waits: waits)
                    _ = trial.takeCalls()
                    var count = 0
                    for _ in 0..<Int.random(in: 1...20, using: &driver.random) {
                        guard let pieces = driver.pieces(of: 72, most: 2) else { break }
                        pieces.fill([UInt8](repeating: 0, count: 72))
                        guard driver.offer(pieces, writable: false) else { break }
                        count += 1
                    }
                    #expect(trial.receive().count == count)
                    let calls = trial.takeCalls()
                    #expect(!waits || calls == 1, "round \(round): told \(calls) times of \(count) buffers")
                    if waits && calls != 1 { return }
                    let back = driver.takeBack()
                    #expect(back.count == count)
                }
            }
        }
    }
}
