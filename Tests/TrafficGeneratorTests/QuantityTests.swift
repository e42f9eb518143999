import Testing
import TrafficGenerator

@Suite struct QuantityTests {
    @Test(arguments: [
        ("500mbit", Rate.bits(500_000_000)), ("2.5gbit", .bits(2_500_000_000)), ("64KBIT", .bits(64_000)), ("8bit", .bits(8)),
        ("1mpps", .frames(1_000_000)), ("1.5kpps", .frames(1_500)), ("10pps", .frames(10)), ("max", .maximum), ("off", .off), ("0", .off),
    ])
    func readsRates(_ text: String, _ rate: Rate) { #expect(Rate(text) == rate) }

    @Test(arguments: ["500", "mbit", "-5mbit", "5 mb", "1e400mbit", "nanmbit", "infmbit", "", "500mbits", "1mbps", "99999tbit"])
    func refusesRates(_ text: String) { #expect(Rate(text) == nil) }

    @Test func readsTimes() {
        #expect(Quantity.nanoseconds("250ms") == 250_000_000)
        #expect(Quantity.nanoseconds("1.5s") == 1_500_000_000)
        #expect(Quantity.nanoseconds("2m") == 120_000_000_000)
        #expect(Quantity.nanoseconds("7us") == 7_000)
        #expect(Quantity.nanoseconds("0") == 0)
        for bad in ["5", "s", "-1s", "25h", "soon"] { #expect(Quantity.nanoseconds(bad) == nil) }
    }

    @Test func printsRates() {
        #expect(Quantity.bits(501_200_000) == "501.2mbit")
        #expect(Quantity.bits(1_000_000_000) == "1.000gbit")
        #expect(Quantity.bits(64_049) == "64.0kbit")
        #expect(Quantity.bits(12) == "12bit")
        #expect(Quantity.fixed(-0.25, 2) == "-0.25")
        #expect(Quantity.fixed(0.05, 1) == "0.1")
    }

    @Test func pacesExactly() {
        // 1 Gbit/s is 8 ns for each byte, and 1 Mpps is 1000 ns for each frame, in units of 2^-16 ns.
        #expect(Pace(.bits(1_000_000_000)).perByte == 8 << 16)
        #expect(Pace(.frames(1_000_000)).perFrame == 1_000 << 16)
        #expect(Pace(.bits(1)).perByte == 8_000_000_000 << 16)
        #expect(Pace(.off).mode == Pace.off)
        #expect(Pace(.frames(0)).mode == Pace.off)
        #expect(Pace(.maximum).mode == Pace.unpaced)
        let fast = Pace(.bits(100_000_000_000))
        #expect(abs(Double(fast.perByte) / 65_536 - 0.08) < 0.08 * 0.0005)
    }

    @Test func clockKeepsTime() {
        let clock = LoopClock(origin: 1_000, hertz: 2_400_000_000)
        #expect(clock.nanoseconds(1_000) == 0)
        #expect(abs(Int64(clock.nanoseconds(1_000 + 2_400_000_000)) - 1_000_000_000) <= 1)
        let day: UInt64 = 86_400
        let drift = Int64(clock.nanoseconds(1_000 + day * 2_400_000_000)) - Int64(day) * 1_000_000_000
        #expect(abs(drift) < 50_000)
    }

    @Test func saysWhatAFloorDoes() {
        func interval(sent: UInt64, received: UInt64) -> FlowInterval {
            var after = FlowCounters()
            after.sentBytes = sent / 8
            after.receivedBytes = received / 8
            return FlowInterval(FlowCounters(), after, nanoseconds: 1_000_000_000)
        }
        #expect(Table.againstFloor(500e6, interval(sent: 900_000_000, received: 501_000_000)) == "met")
        #expect(Table.againstFloor(500e6, interval(sent: 900_000_000, received: 700_000_000)) == "borrows 200.0mbit")
        #expect(Table.againstFloor(500e6, interval(sent: 100_000_000, received: 100_000_000)) == "lends 400.0mbit")
        #expect(Table.againstFloor(500e6, interval(sent: 900_000_000, received: 300_000_000)) == "SHORT by 200.0mbit")
    }
}
