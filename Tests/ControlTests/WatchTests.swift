import ControlAPI
import ControlPlane
import Testing

/// What is told of floors and drops.
@Suite struct WatchTests {
    /// A class with a floor of 8 Mbit/s, a megabyte a second.
    private func sight(_ bytes: UInt64, backlog: Bool = true, waits: UInt64 = 0) -> FloorWatch.Sight {
        FloorWatch.Sight(tree: "br0", path: "vm1", guest: "vm1", floor: 8_000_000, sentBytes: bytes, hasBacklog: backlog, otherWaits: waits)
    }

    private func floors(_ sights: [FloorWatch.Sight]) -> [String] {
        var watch = FloorWatch()
        return sights.enumerated().flatMap { second, sight in watch.look([sight], now: Double(second)).map { "\($0.level) \($0.text)" } }
    }

    @Test func aFloorThatIsMissedIsToldOnceAndItsReturn() {
        let half = (0..<10).map { sight(UInt64($0) * 500_000) }, full = (1..<10).map { sight(5_000_000 + UInt64($0) * 1_000_000) }
        #expect(floors(half + full) == ["warning class vm1 of br0 has frames waiting and got 4mbit of its floor 8mbit", "notice class vm1 of br0 has its floor 8mbit again"])
        // It also ends when nothing waits any more.
        #expect(floors(half + [sight(4_600_000, backlog: false)]).count == 2)
    }

    @Test func aPollLoopThatCannotCarryAFloorIsNamed() {
        let short = (0..<10).map { second in
            var sight = sight(UInt64(second) * 500_000)
            sight.isShortOfTime = true
            return sight
        }
        #expect(floors(short).first?.hasPrefix("warning class vm1 of br0 has frames waiting and got 4mbit of its floor 8mbit, as its poll loop has no time for more") == true)
    }

    @Test func aFloorThatIsNotAskedForIsNotMissed() {
        #expect(floors((0..<20).map { sight(UInt64($0) * 500_000, backlog: $0 % 2 == 0) }) == [])
        #expect(floors((0..<20).map { sight(UInt64($0) * 500_000, waits: UInt64($0)) }) == [])
        #expect(floors((0..<20).map { sight(UInt64($0) * 1_000_000) }) == [])
        // A class that begins again, because its id is another's by now.
        #expect(floors([sight(5_000_000), sight(0), sight(1_000_000), sight(2_000_000)]) == [])
        // A floor of a frame now and then: a class of 8 kbit/s whose frames have 1 500 bytes sends one in 1.5 s.
        var watch = FloorWatch(), events: [Event] = []
        for second in 0..<60 {
            var sight = sight(UInt64(Double(second) / 1.5) * 1_500)
            sight.floor = 8_000
            events += watch.look([sight], now: Double(second))
        }
        #expect(events.isEmpty)
    }

    private func drops(_ counts: [UInt64], _ reason: String = "queue_limit") -> [String] {
        var watch = DropWatch()
        return counts.enumerated().flatMap { second, count in watch.look([.init(port: "vm1", drops: count == 0 ? [:] : [reason: count])], now: Double(second)).map { "\($0.level) \($0.text)" } }
    }

    @Test func aBurstOfDropsIsToldWithItsEnd() {
        #expect(drops([0, 2_000, 4_000, 6_000, 6_000, 6_000, 6_000, 6_000]) == [
            "warning the port drops 2000 frames a second (queue_limit)", "notice the port has stopped dropping: 6000 frames in 3 s (queue_limit)",
        ])
        #expect(drops([0, 500, 1_000, 1_500]) == [])
        // What was dropped before the first look is nobody's news, and what a healthy switch drops is none.
        #expect(drops([1_000_000, 1_000_010]) == [])
        #expect(drops([0, 100_000, 200_000], "source_port") == [])
    }

    @Test func aPortThatDropsNowAndThenIsToldNowAndThen() {
        var watch = DropWatch(), count: UInt64 = 0, told = 0
        for second in 0..<600 {
            if second % 5 == 0 { count += 5_000 }
            told += watch.look([.init(port: "vm1", drops: ["no_buffer": count])], now: Double(second)).count
        }
        #expect((20...40).contains(told), "\(told)")
        #expect(watch.look([], now: 601).isEmpty)
    }
}
