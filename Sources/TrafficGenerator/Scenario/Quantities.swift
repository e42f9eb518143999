/// How fast a flow sends. Bits are those of Ethernet frames without FCS, as in tc.
public enum Rate: Equatable, Sendable {
    /// The flow sends as many frames as the port takes.
    case maximum
    /// A rate in bit/s.
    case bits(UInt64)
    /// A rate in frames per second.
    case frames(UInt64)

    public static let off = Rate.bits(0)

    /// Reads `200mbit`, `1.5mpps`, `max`, `off` or `0`; nil for anything else, also for any other number without a unit.
    public init?(_ text: String) {
        switch text.lowercased() {
        case "max": self = .maximum
        case "off", "0": self = .off
        default:
            let units: [(String, Bool, Double)] = [
                ("kpps", false, 1e3), ("mpps", false, 1e6), ("gpps", false, 1e9), ("pps", false, 1),
                ("kbit", true, 1e3), ("mbit", true, 1e6), ("gbit", true, 1e9), ("tbit", true, 1e12), ("bit", true, 1),
            ]
            guard let (value, unit) = Quantity.split(text, units.map(\.0)), let row = units.first(where: { $0.0 == unit })
            else { return nil }
            let amount = (value * row.2).rounded()
            guard amount >= 0, amount <= 1e13 else { return nil }
            self = row.1 ? .bits(UInt64(amount)) : .frames(UInt64(amount))
        }
    }

    static let accepted = "a rate with its unit (500mbit, 2.5gbit, 64kbit, 100kpps, 1mpps), `max`, or `off`"
}

/// Numbers with units, as they are written in scenarios and on the command line.
package enum Quantity {
    /// The number and the unit of a text that ends in one of `units`; a unit that ends in another one must come before it in the list.
    static func split(_ text: String, _ units: [String]) -> (Double, String)? {
        let lowered = text.lowercased().filter { $0 != "_" && $0 != " " }
        guard let unit = units.first(where: { lowered.hasSuffix($0) }) else { return nil }
        let number = lowered.dropLast(unit.count)
        guard let first = number.first, first.isNumber, let value = Double(number), value.isFinite else { return nil }
        return (value, unit)
    }

    /// The nanoseconds in `250ms`, `1.5s` or `2m`; nil for anything else, also for any number but 0 without a unit.
    package static func nanoseconds(_ text: String) -> UInt64? {
        if text == "0" { return 0 }
        let units: [(String, Double)] = [("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)]
        guard let (value, unit) = split(text, units.map(\.0)), let row = units.first(where: { $0.0 == unit }) else { return nil }
        let amount = (value * row.1).rounded()
        return amount >= 0 && amount <= Double(longestRun) ? UInt64(amount) : nil
    }
    static let acceptedDuration = "a time with its unit, at most 24h (250ms, 5s, 2m)"

    /// The longest run in nanoseconds: 24 hours. Time stamps hold 48 bits of nanoseconds, which last for 78 hours.
    static let longestRun: UInt64 = 86_400_000_000_000

    /// The fraction that a percentage such as `1%` stands for; nil for anything else.
    package static func fraction(_ text: String) -> Double? {
        guard let (value, _) = split(text, ["%"]), value <= 100 else { return nil }
        return value / 100
    }

    /// The rate in words, such as `501.2mbit` for 501 200 000.
    package static func bits(_ rate: Double) -> String {
        switch rate {
        case 1e9...: fixed(rate / 1e9, 3) + "gbit"
        case 1e6...: fixed(rate / 1e6, 1) + "mbit"
        case 1e3...: fixed(rate / 1e3, 1) + "kbit"
        default: fixed(rate, 0) + "bit"
        }
    }

    /// The value with so many decimals, without Foundation's formatters.
    package static func fixed(_ value: Double, _ places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let whole = Int64((value * scale).rounded())
        guard places > 0 else { return String(whole) }
        let digits = String(whole.magnitude)
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        return (whole < 0 ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places)
    }
}
