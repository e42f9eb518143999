import Configuration
import TestSupport
import Testing

@Suite struct UnitsTests {
    @Test(arguments: [
        ("500mbit", 500_000_000), ("2GBIT", 2_000_000_000), ("1.5gbit", 1_500_000_000), ("8kbit", 8_000), ("1tbit", 1_000_000_000_000),
        ("1bit", 1), ("1kibit", 1_024), ("1mibit", 1_048_576), ("1gibit", 1_073_741_824), ("1bps", 8), ("1kbps", 8_000),
        ("1kibps", 8_192), ("1mbps", 8_000_000), ("1gbps", 8_000_000_000), ("0.5kbit", 500), ("1.50 gbit", 1_500_000_000),
        ("0.001mbit", 1_000), ("18446744073709551615bit", UInt64.max),
    ] as [(String, UInt64)])
    func ratesAreTcs(_ text: String, _ value: UInt64) throws { #expect(try Quantity.rate.parse(text) == value) }

    @Test(arguments: [
        ("64kib", 65_536), ("64kb", 65_536), ("100b", 100), ("1mib", 1_048_576), ("1mb", 1_048_576), ("1.5gib", 1_610_612_736),
    ] as [(String, UInt64)])
    func sizesAreTcs(_ text: String, _ value: UInt64) throws { #expect(try Quantity.size.parse(text) == value) }

    @Test func packetsAndTimes() throws {
        #expect(try Quantity.packets.parse("100kpps") == 100_000)
        #expect(try Quantity.packets.parse("1.5mpps") == 1_500_000)
        #expect(try Quantity.time.parse("300s") == 300_000)
        #expect(try Quantity.time.parse("5min") == 300_000)
        #expect(try Quantity.time.parse("250ms") == 250)
        #expect(try Quantity.delay.parse("500us") == 500)
        #expect(try Quantity.delay.parse("1.5ms") == 1_500)
        #expect(Quantity.delay.format(5_000) == "5ms")
    }

    @Test(arguments: [
        (Quantity.rate, "500", "rate 500 has no unit: write 500mbit"),
        (.rate, "0", "rate 0 has no unit: write none, or a rate such as 500mbit"),
        (.rate, "500000000", "rate 500000000 has no unit: write 500mbit"),
        (.rate, "1.5", "rate 1.5 has no unit: write 1.5mbit"),
        (.size, "64", "size 64 has no unit: write 64kib"),
        (.size, "65536", "size 65536 has no unit: write 64kib"),
        (.packets, "100", "packet rate 100 has no unit: write 100kpps"),
        (.time, "300", "time 300 has no unit: write 300s"),
        (.packets, "0", "packet rate 0 has no unit: write none, or a packet rate such as 100kpps"),
        (.time, "0", "time 0 has no unit: write one, as in 300s"),
        (.delay, "5", "delay 5 has no unit: write 5us or 5ms"),
        (.rate, "fast", "'fast' is not a rate: write a number and a unit, such as 500mbit"),
        (.rate, "-5mbit", "'-5mbit' is not a rate: write a number and a unit, such as 500mbit"),
        (.rate, "1..5mbit", "'1..5mbit' is not a rate: write a number and a unit, such as 500mbit"),
        (.rate, "", "'' is not a rate: write a number and a unit, such as 500mbit"),
        (.rate, "5mb", "'mb' is not a unit of a rate: write 5 with one of bit, kbit, mbit, gbit or tbit"),
        (.size, "5mbit", "'mbit' is not a unit of a size: write 5 with one of b, kib, mib or gib"),
        (.rate, "0.5bit", "rate 0.5bit is not a whole number of bits per second: write it in a smaller unit"),
        (.rate, "1.0005kbit", "rate 1.0005kbit is not a whole number of bits per second: write it in a smaller unit"),
        (.rate, "18446744073709551616bit", "rate 18446744073709551616bit is too large: write at most 400gbit"),
        (.rate, "99999999tbit", "rate 99999999tbit is too large: write at most 400gbit"),
    ] as [(Quantity, String, String)])
    func refusals(_ quantity: Quantity, _ text: String, _ sentence: String) {
        #expect { try quantity.parse(text) } throws: { ($0 as? UnitError)?.description == sentence }
    }

    @Test func everyValueSurvivesBeingWritten() throws {
        var random = Seeded(1)
        for quantity in [Quantity.rate, .packets, .size, .time] {
            for value in [0, 1, 999, 1_000, 1_023, 1_024, 1_500, 1_500_000_000, 1_234_567_890, UInt64.max] {
                #expect(try quantity.parse(quantity.format(value)) == value)
            }
            for _ in 0..<2_000 {
                let value = UInt64.random(in: 0...(.max >> UInt64.random(in: 0...60, using: &random)), using: &random)
                #expect(try quantity.parse(quantity.format(value)) == value)
            }
        }
    }

    @Test func shortForms() {
        #expect(Quantity.rate.format(1_100_000_000) == "1.1gbit")
        #expect(Quantity.rate.format(500_000_000) == "500mbit")
        #expect(Quantity.rate.format(8_000) == "8kbit")
        #expect(Quantity.size.format(65_536) == "64kib")
        #expect(Quantity.size.format(1_536) == "1536b")
        #expect(Quantity.packets.format(1_500) == "1.5kpps")
        #expect(Quantity.time.format(300_000) == "5min")
    }
}
