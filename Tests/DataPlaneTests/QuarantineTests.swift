import DataPlane
import Testing

@Suite struct QuarantineTests {
    private let second: UInt64 = 1_000_000_000

    @Test("a few faults stop nothing; each further one stops the port for twice as long, up to a bound")
    func doubles() {
        var quarantine = Quarantine()
        var now = 5 * second, times: [UInt64] = []
        for _ in 0..<Quarantine.forgiven {
            let time = quarantine.note(faultAt: now)
            #expect(time == nil)
            #expect(quarantine.until == nil)
        }
        for _ in 0..<10 {
            guard let time = quarantine.note(faultAt: now) else { break }
            times.append(time / second)
            #expect(quarantine.until == now + time)
            let ended = [now + time - 1, now + time, now + time].map { quarantine.ends(at: $0) }
            #expect(ended == [false, true, false])
            now += time
        }
        #expect(times == [1, 2, 4, 8, 16, 32, 64, 64, 64, 64])
        #expect(quarantine.faults == UInt64(Quarantine.forgiven) + 10)
        #expect(quarantine.times == 10)
    }

    @Test("faults are forgotten after a quiet time, which begins when the quarantine ends")
    func forgets() {
        var quarantine = Quarantine()
        for _ in 0..<Quarantine.forgiven { _ = quarantine.note(faultAt: 0) }
        let first = quarantine.note(faultAt: Quarantine.quiet - 1)
        let end = Quarantine.quiet - 1 + Quarantine.shortest
        let hasEnded = quarantine.ends(at: end)
        #expect(first == Quarantine.shortest && hasEnded)
        var other = quarantine
        let early = quarantine.note(faultAt: end + Quarantine.quiet - 1), late = other.note(faultAt: end + Quarantine.quiet)
        #expect(early == 2 * Quarantine.shortest && late == nil)
    }

    @Test("a fault during a quarantine makes it longer, and whoever lifts it begins anew")
    func liftsAndExtends() {
        var quarantine = Quarantine()
        for _ in 0...Quarantine.forgiven { _ = quarantine.note(faultAt: 0) }
        let longer = quarantine.note(faultAt: second / 2), ended = quarantine.ends(at: 2 * second)
        #expect(longer == 2 * Quarantine.shortest && !ended)
        let lifted = [quarantine.lift(), quarantine.lift()], endsLater = quarantine.ends(at: 9 * second)
        #expect(lifted == [true, false] && !endsLater)
        let again = (0...Quarantine.forgiven).map { _ in quarantine.note(faultAt: second) }
        #expect(again == [UInt64?](repeating: nil, count: Quarantine.forgiven) + [Quarantine.shortest])
    }

    @Test("a guest with a million faults in a row is stopped for the longest time, and no longer")
    func manyFaults() {
        var quarantine = Quarantine()
        for _ in 0..<1_000_000 { _ = quarantine.note(faultAt: 7) }
        #expect(quarantine.until == 7 + Quarantine.longest)
    }
}
