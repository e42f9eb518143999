import DCB
import Testing

@Suite("Pause frames and how they are followed")
struct PauseTests {
    private static let millisecond: UInt64 = 1_000_000
    private static let start: UInt64 = 1_000_000_000

    private static func read(_ bytes: [UInt8]) -> PauseFrame? { bytes.withUnsafeBytes { PauseFrame($0.baseAddress!, count: bytes.count) } }

    private static func frame(_ priorities: UInt8, _ quanta: UInt16) -> PauseFrame {
        PauseFrame(priorities: priorities, quanta: SIMD8(repeating: quanta), isByPriority: true)
    }

    /// What a receiver on a link of 10 Gbit/s that may pause priorities 3 and 4 does.
    private static func take(_ receiver: inout PauseReceiver, _ frame: PauseFrame, at now: UInt64) {
        receiver.receive(frame, enabled: 0b1_1000, speed: 10_000, at: now)
    }

    @Test("frames are read as they are in IEEE 802.3, 31B and 31D, and written as they are read")
    func frames() {
        let header: [UInt8] = [0x01, 0x80, 0xc2, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0x08]
        let byPriority = header + [1, 1, 0, 0b1000, 0, 0, 0, 0, 0, 0, 0x12, 0x34] + [UInt8](repeating: 0, count: 34)
        let read = Self.read(byPriority)
        #expect(read?.priorities == 0b1000 && read?.quanta[3] == 0x1234 && read?.isByPriority == true)
        #expect(read?.bytes(from: 0x0200_0000_0009) == byPriority)
        let all = header + [0, 1, 0xff, 0xff] + [UInt8](repeating: 0, count: 42)
        #expect(Self.read(all) == PauseFrame(priorities: 0xff, quanta: SIMD8(repeating: 0xffff), isByPriority: false))
        #expect(Self.read(all)?.bytes(from: 0x0200_0000_0009) == all)
        // Too short, of another opcode, of another type.
        for count in 0..<18 { #expect(Self.read(Array(all.prefix(count))) == nil) }
        for count in 18..<34 { #expect(Self.read(Array(byPriority.prefix(count))) == nil) }
        #expect(Self.read(header + [0, 2] + [UInt8](repeating: 0, count: 44)) == nil)
        #expect(Self.read(Array(header.prefix(12)) + [8, 0] + all.dropFirst(14)) == nil)
    }

    @Test("a pause lasts exactly its quanta, for the priorities that the frame is about and that may be paused")
    func quanta() {
        var receiver = PauseReceiver()
        // 1000 quanta of 512 bits at 10 Gbit/s.
        Self.take(&receiver, Self.frame(0b1001, 1_000), at: Self.start)
        let end = Self.start + 51_200
        #expect(receiver.until[3] == end && receiver.paused(at: Self.start) == 0b1000)
        #expect(receiver.paused(at: end - 1) == 0b1000 && receiver.paused(at: end) == 0)
        #expect(receiver.frames == 1 && receiver.ignored == 0 && receiver.pauses[3] == 1 && receiver.pauses[0] == 0 && receiver.pausedTime[3] == 51_200)
        Self.take(&receiver, Self.frame(0b111, 1_000), at: Self.start)
        #expect(receiver.ignored == 1 && receiver.paused(at: Self.start) == 0b1000)
        #expect(PauseReceiver.time(quanta: 65_535, speed: 1_000) == 33_553_920 && PauseReceiver.time(quanta: 1, speed: 100_000) == 5)
    }

    @Test("another frame replaces what is left of a pause, and no quanta end it")
    func renewal() {
        var receiver = PauseReceiver()
        Self.take(&receiver, Self.frame(0b1000, 1_000), at: Self.start)
        Self.take(&receiver, Self.frame(0b1000, 1_000), at: Self.start + 10_000)
        #expect(receiver.until[3] == Self.start + 61_200 && receiver.pausedTime[3] == 61_200)
        Self.take(&receiver, Self.frame(0b1000, 0), at: Self.start + 20_000)
        #expect(receiver.paused(at: Self.start + 20_000) == 0 && receiver.pausedTime[3] == 20_000)
    }

    @Test("PAUSE stops the whole link where no priority has flow control of its own, and is ignored elsewhere")
    func wholeLink() {
        let pause = PauseFrame(priorities: 0xff, quanta: SIMD8(repeating: 100), isByPriority: false)
        var receiver = PauseReceiver()
        receiver.receive(pause, enabled: 0, speed: 10_000, at: Self.start)
        #expect(receiver.paused(at: Self.start) == 0xff)
        receiver = PauseReceiver()
        Self.take(&receiver, pause, at: Self.start)
        #expect(receiver.paused(at: Self.start) == 0 && receiver.ignored == 1)
    }

    @Test("a pause of 200 ms without a break is a storm: it ends, and counts again only once nobody has asked for 200 ms", arguments: [false, true])
    func storm(isWatched: Bool) {
        var receiver = PauseReceiver()
        var now = Self.start
        // 3 ms, renewed every 2 ms.
        func ask() { Self.take(&receiver, Self.frame(0b1_1000, 58_593), at: now) }
        while now < Self.start + 198 * Self.millisecond {
            ask()
            if isWatched { receiver.watch(at: now) }
            #expect(receiver.paused(at: now) == 0b1_1000)
            now += 2 * Self.millisecond
        }
        ask()
        #expect(receiver.until[3] == Self.start + PauseReceiver.longestPause && receiver.storming == 0)
        now += 2 * Self.millisecond
        if isWatched { receiver.watch(at: now) } else { ask() }
        #expect(receiver.storming == 0b1_1000 && receiver.storms[3] == 1 && receiver.paused(at: now) == 0)
        #expect(receiver.pausedTime[3] == PauseReceiver.longestPause)
        // As long as somebody asks, nothing is paused.
        for _ in 0..<200 {
            now += 2 * Self.millisecond
            ask()
            receiver.watch(at: now)
            #expect(receiver.paused(at: now) == 0)
        }
        now += PauseReceiver.recovery
        if isWatched {
            receiver.watch(at: now)
            #expect(receiver.storming == 0)
        }
        ask()
        #expect(receiver.storming == 0 && receiver.storms[3] == 1 && receiver.paused(at: now) == 0b1_1000)
    }

    @Test("a pause with breaks is none, however long it goes on")
    func breaks() {
        var receiver = PauseReceiver()
        var now = Self.start
        for _ in 0..<300 {
            Self.take(&receiver, Self.frame(0b1000, 58_593), at: now)
            now += 4 * Self.millisecond
            receiver.watch(at: now)
        }
        #expect(receiver.storms[3] == 0 && receiver.pausedTime[3] == 300 * PauseReceiver.time(quanta: 58_593, speed: 10_000))
    }
}

@Suite("How traffic classes take a tree's priorities")
struct ETSPlanTests {
    @Test("strict classes come first, the highest number before others; priorities within a class keep their order")
    func places() {
        let plan = ETSPlan(classes: [0, 0, 0, 1, 2, 0, 0, 3], weights: [50, 50, nil, nil, 0, 0, 0, 0])
        #expect(plan.prioritiesPerClass == 2)
        #expect(plan.classOfPriority == [3, 3, 2, 2, 0, 0, 1, 1])
        #expect(plan.priority(of: 0, pcp: 7) == 0 && plan.priority(of: 7, pcp: 7) == 1 && plan.priority(of: 3, pcp: 4) == 2)
        #expect(plan.priority(of: 3, pcp: 0) == 4 && plan.priority(of: 4, pcp: 6) == 5 && plan.priority(of: 0, pcp: 3) == 6)
    }

    @Test("every priority is that of its class", arguments: 1...8)
    func all(count: Int) {
        let classes = (0..<8).map { UInt8($0 % count) }
        let plan = ETSPlan(classes: classes, weights: (0..<8).map { $0 % 3 == 0 ? nil : 10 })
        for pcp in 0..<8 {
            var last: UInt8 = 0
            for priority in 0..<8 {
                let place = plan.priority(of: UInt8(priority), pcp: UInt8(pcp))
                #expect(plan.classOfPriority[Int(place)] == classes[pcp] && place >= last)
                last = place
            }
        }
        let strict = plan.classOfPriority.map { plan.weights[Int($0)] == nil }
        #expect(strict == strict.sorted { $0 && !$1 })
    }

    @Test("without traffic classes, priorities are what they are")
    func plain() { for priority in 0..<8 { #expect(ETSPlan.plain.priority(of: UInt8(priority), pcp: 5) == UInt8(priority)) } }
}
