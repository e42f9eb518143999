import DCB
import Testing

@Suite("Pauses that are asked for")
struct PauseSenderTests {
    private static let start: UInt64 = 1_000_000_000

    @Test("a pause is asked for once, again before it ends, and taken back at once")
    func pauses() {
        var sender = PauseSender()
        #expect(!sender.isDue(0, at: Self.start) && sender.isDue(0b1000, at: Self.start))
        let stop = sender.ask(0b1000, isByPriority: true, speed: 10_000, at: Self.start)
        #expect(stop.isByPriority && stop.priorities == 0b1000 && stop.quanta == SIMD8(0, 0, 0, 0xffff, 0, 0, 0, 0))
        // 65 535 quanta of 512 bits last for 3 355 392 ns at 10 Gbit/s.
        #expect(sender.due == Self.start + 1_677_696 && !sender.isDue(0b1000, at: sender.due - 1) && sender.isDue(0b1000, at: sender.due))
        let again = sender.due
        #expect(sender.ask(0b1000, isByPriority: true, speed: 10_000, at: again) == stop)
        #expect(sender.pauses[3] == 1 && sender.pausedTime[3] == 1_677_696 && sender.frames == 2)
        let go = sender.ask(0, isByPriority: true, speed: 10_000, at: again + 1_000)
        #expect(go.priorities == 0b1000 && go.quanta == SIMD8(repeating: 0))
        #expect(sender.due == .max && sender.asked == 0 && !sender.isDue(0, at: .max - 1) && sender.pausedTime[3] == 1_678_696 && sender.frames == 3)
    }

    @Test("one frame tells one priority to stop and another to go on, and renews a third")
    func several() {
        var sender = PauseSender()
        _ = sender.ask(0b0011, isByPriority: true, speed: 10_000, at: Self.start)
        let frame = sender.ask(0b0110, isByPriority: true, speed: 10_000, at: Self.start + 100)
        #expect(frame.priorities == 0b0111 && frame.quanta == SIMD8(0, 0xffff, 0xffff, 0, 0, 0, 0, 0))
        #expect(sender.pauses == SIMD8(1, 1, 1, 0, 0, 0, 0, 0) && sender.pausedTime == SIMD8(100, 100, 0, 0, 0, 0, 0, 0))
    }

    @Test("PAUSE is about the whole link, whichever priority is meant")
    func wholeLink() {
        var sender = PauseSender()
        #expect(sender.ask(0b10, isByPriority: false, speed: 1_000, at: Self.start) == PauseFrame(priorities: 0xff, quanta: SIMD8(repeating: 0xffff), isByPriority: false))
        #expect(sender.ask(0, isByPriority: false, speed: 1_000, at: Self.start) == PauseFrame(priorities: 0xff, quanta: SIMD8(repeating: 0), isByPriority: false))
    }

    @Test("a receiver that gets these frames is paused for as long as the sender wants, and no longer, at any speed and however late each frame is sent")
    func together() {
        var seed: UInt64 = 7
        func random(_ bound: UInt64) -> UInt64 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (seed >> 33) % bound
        }
        for speed: UInt32 in [1_000, 10_000, 25_000, 100_000] {
            var sender = PauseSender(), receiver = PauseReceiver(), now = Self.start, wanted: UInt8 = 0
            // A pause that lasts for 200 ms would be a storm.
            for step in 0..<20_000 {
                if step % 50 == 0 { wanted = UInt8(random(256)) & (step % 100 == 0 ? 0xff : 0) }
                if sender.isDue(wanted, at: now) { receiver.receive(sender.ask(wanted, isByPriority: true, speed: speed, at: now), enabled: 0xff, speed: speed, at: now) }
                #expect(receiver.paused(at: now) == wanted, "at \(speed) Mbit/s, step \(step)")
                now += random(PauseReceiver.time(quanta: 50, speed: speed) + 1)
            }
        }
    }

    @Test("a pause that is wanted for long has breaks, so that it is not taken for a storm, and each is over at once, however seldom the loop runs", arguments: [10, 100, 1_000, 10_000, 100_000] as [UInt32], [true, false])
    func breaks(speed: UInt32, isByPriority: Bool) {
        var sender = PauseSender(), receiver = PauseReceiver(), now = Self.start, goes = 0
        let wanted: UInt8 = isByPriority ? 0b1000 : 0xff
        while now < Self.start + 5_000_000_000 {
            for _ in 0..<2 where sender.isDue(wanted, at: now) {
                let frame = sender.ask(wanted, isByPriority: isByPriority, speed: speed, at: now)
                if frame.quanta == SIMD8(repeating: 0) { goes += 1 }
                receiver.receive(frame, enabled: isByPriority ? 0xff : 0, speed: speed, at: now)
            }
            receiver.watch(at: now)
            #expect(receiver.paused(at: now) == wanted && sender.asked == wanted && sender.due > now)
            now += speed > 10_000 ? 20_000 : 1_000_000
        }
        #expect(receiver.storms == SIMD8(repeating: 0) && receiver.storming == 0)
        #expect((30...34).contains(goes) && sender.pauses[3] == UInt64(goes) + 1 && sender.pausedTime[3] > 4_900_000_000, "\(goes)")
    }

    @Test("a link that is paused for several priorities by turns has breaks as well")
    func linkBreaks() {
        var sender = PauseSender(), receiver = PauseReceiver(), now = Self.start
        for step in 0..<2_000 {
            let wanted: UInt8 = step / 100 % 2 == 0 ? 0b0011 : step / 50 % 2 == 0 ? 0b0110 : 0b1010
            for _ in 0..<2 where sender.isDue(wanted, at: now) {
                receiver.receive(sender.ask(wanted, isByPriority: false, speed: 10_000, at: now), enabled: 0, speed: 10_000, at: now)
            }
            receiver.watch(at: now)
            #expect(receiver.paused(at: now) == 0xff && receiver.storming == 0)
            now += 1_000_000
        }
    }

    @Test("a buffer has its headroom above the length at which the sender is stopped")
    func buffers() {
        let usual = LosslessBuffer(size: nil, speed: 10_000, longestFrame: 1_522, most: 10 << 20)
        // 100 us at 10 Gbit/s are 125 000 bytes, and two frames come on top.
        #expect(usual.headroom == 128_044 && usual.size == 512_176 && usual.xoff == 384_132 && usual.xon == 192_066)
        let slow = LosslessBuffer(size: nil, speed: 100, longestFrame: 1_522, most: 10 << 20)
        #expect(slow.size == 256 << 10 && slow.headroom == 4_294)
        let short = LosslessBuffer(size: 64 << 10, speed: 10_000, longestFrame: 1_522, most: 10 << 20)
        #expect(short.size == 64 << 10 && short.headroom == 32 << 10 && short.xoff == 32 << 10 && short.xon == 16 << 10)
        #expect(LosslessBuffer(size: 1 << 20, speed: 10_000, longestFrame: 1_522, most: 100_000).size == 100_000)
        #expect(LosslessBuffer(size: 1, speed: 1, longestFrame: 9_022, most: 1).size == 18_044)
    }
}
