/// Quantities as an operator writes them: always with a unit, in small or capital letters, with decimals where they are exact (`1.5gbit`).
///
/// Units of rates are tc's: `bit kbit mbit gbit tbit` are powers of 1000, `kibit` and its like powers of 1024, and `bps kbps mbps gbps tbps` (and `kibps` and
/// its like) are *bytes* per second. Sizes are tc's too: `kb` and `kib` are both 1024 bytes.
public enum Quantity: Sendable {
    /// A bit rate, in bit/s.
    case rate
    /// A packet rate, in packets per second.
    case packets
    /// A size, in bytes.
    case size
    /// A time, in milliseconds.
    case time
    /// A short time, in microseconds.
    case delay

    /// The word for the quantity in messages.
    var noun: String {
        switch self {
        case .rate: "rate"
        case .packets: "packet rate"
        case .size: "size"
        case .time: "time"
        case .delay: "delay"
        }
    }

    /// The names of the units and what one of each is worth in the base unit, smallest first.
    var units: [(name: String, worth: UInt64)] {
        switch self {
        case .rate: Self.rateUnits
        case .packets: [("pps", 1), ("kpps", 1_000), ("mpps", 1_000_000), ("gpps", 1_000_000_000)]
        case .size:
            [
                ("b", 1), ("kb", 1 << 10), ("kib", 1 << 10), ("mb", 1 << 20), ("mib", 1 << 20), ("gb", 1 << 30),
                ("gib", 1 << 30), ("tb", 1 << 40), ("tib", 1 << 40),
            ]
        case .time: [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)]
        case .delay: [("us", 1), ("ms", 1_000), ("s", 1_000_000)]
        }
    }

    private static let rateUnits: [(name: String, worth: UInt64)] = [
        ("bit", 1), ("bps", 8),
        ("kbit", 1_000), ("kibit", 1 << 10), ("kbps", 8_000), ("kibps", 8 << 10),
        ("mbit", 1_000_000), ("mibit", 1 << 20), ("mbps", 8_000_000), ("mibps", 8 << 20),
        ("gbit", 1_000_000_000), ("gibit", 1 << 30), ("gbps", 8_000_000_000), ("gibps", 8 << 30),
        ("tbit", 1_000_000_000_000), ("tibit", 1 << 40), ("tbps", 8_000_000_000_000), ("tibps", 8 << 40),
    ]

    /// The units that a message recommends.
    private var recommended: String {
        switch self {
        case .rate: "bit, kbit, mbit, gbit or tbit"
        case .packets: "pps, kpps or mpps"
        case .size: "b, kib, mib or gib"
        case .time: "ms, s, min or h"
        case .delay: "us, ms or s"
        }
    }
}

/// A sentence that says why a text is not a quantity.
public struct UnitError: Error, Equatable, Sendable, CustomStringConvertible {
    public var description: String
}

extension Quantity {
    /// Reads a number with a unit, and gives its value in the base unit.
    /// - Throws: a sentence if the text is no number with a unit of this quantity, or if the value is no whole number of the base unit or exceeds 64 bits.
    public func parse(_ text: some StringProtocol) throws(UnitError) -> UInt64 {
        let trimmed = text.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        let number = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = trimmed.dropFirst(number.count).drop { $0 == " " }.lowercased()
        guard let decimal = Decimal(number) else {
            throw UnitError(description: "'\(trimmed)' is not a \(noun): write a number and a unit, such as \(example)")
        }
        if unit.isEmpty {
            throw UnitError(description: "\(noun) \(number) has no unit: write \(decimal.isZero ? insteadOfZero : suggestion(number, decimal))")
        }
        guard let worth = units.first(where: { $0.name == unit })?.worth else {
            throw UnitError(description: "'\(unit)' is not a unit of a \(noun): write \(number) with one of \(recommended)")
        }
        switch decimal.times(worth) {
        case .exact(let value): return value
        case .overflow: throw UnitError(description: "\(noun) \(trimmed) is too large: write at most \(most)")
        case .inexact:
            throw UnitError(description: "\(noun) \(trimmed) is not a whole number of \(base): write it in a smaller unit")
        }
    }

    /// Whether some quantity has a unit of this name.
    static func isUnit(_ word: String) -> Bool {
        [Quantity.rate, .packets, .size, .time, .delay].contains { $0.units.contains { $0.name == word.lowercased() } }
    }

    /// The units that values are written in, the largest first.
    private var ladder: [(name: String, worth: UInt64)] {
        switch self {
        case .rate: Self.rateLadder
        case .packets: Self.packetsLadder
        case .size: Self.sizeLadder
        case .time: Self.timeLadder
        case .delay: Self.delayLadder
        }
    }

    private static let rateLadder: [(name: String, worth: UInt64)] = [
        ("tbit", 1_000_000_000_000), ("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1),
    ]
    private static let packetsLadder: [(name: String, worth: UInt64)] = [("mpps", 1_000_000), ("kpps", 1_000), ("pps", 1)]
    private static let sizeLadder: [(name: String, worth: UInt64)] = [("gib", 1 << 30), ("mib", 1 << 20), ("kib", 1 << 10), ("b", 1)]
    private static let timeLadder: [(name: String, worth: UInt64)] = [("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)]
    private static let delayLadder: [(name: String, worth: UInt64)] = [("s", 1_000_000), ("ms", 1_000), ("us", 1)]

    /// The value in the largest unit that expresses it exactly, with up to three decimals for rates; `parse` reads the text back.
    public func format(_ value: UInt64) -> String {
        let ladder = ladder
        if value == 0 { return "0" + ladder[ladder.count - 1].name }
        for (name, worth) in ladder where value >= worth {
            if value % worth == 0 { return "\(value / worth)\(name)" }
            // Up to three decimals read well where units are powers of 1000 (1.5gbit), but not where they are powers of 1024.
            if self == .rate || self == .packets, worth >= 1_000, value % (worth / 1_000) == 0 {
                var digits = String(value % worth / (worth / 1_000) + 1_000).dropFirst()
                while digits.last == "0" { digits.removeLast() }
                return "\(value / worth).\(digits)\(name)"
            }
        }
        return "\(value)\(ladder[ladder.count - 1].name)"
    }

    var example: String {
        switch self {
        case .rate: "500mbit"
        case .packets: "100kpps"
        case .size: "64kib"
        case .time: "300s"
        case .delay: "5ms"
        }
    }

    /// The largest value that some key takes, in words.
    private var most: String {
        switch self {
        case .rate: format(Validator.rates.upperBound)
        case .packets: format(Validator.packetRates.upperBound)
        case .size: "1024gib"
        case .time: "1000000s"
        case .delay: "10s"
        }
    }

    private var base: String {
        switch self {
        case .rate: "bits per second"
        case .packets: "packets per second"
        case .size: "bytes"
        case .time: "milliseconds"
        case .delay: "microseconds"
        }
    }

    /// What a plain 0 was probably meant to be. No key takes a rate of 0, so adding a unit would not help there.
    private var insteadOfZero: String {
        switch self {
        case .rate, .packets: "none, or a \(noun) such as \(example)"
        case .size, .time, .delay: "one, as in \(example)"
        }
    }

    /// What a number without a unit was probably meant to be.
    private func suggestion(_ number: Substring, _ decimal: Decimal) -> String {
        let whole = decimal.places == 0 ? decimal.digits : 0
        switch self {
        case .rate: return whole >= 1_000_000 ? format(whole) : "\(number)mbit"
        case .packets: return whole >= 1_000 ? format(whole) : "\(number)kpps"
        case .size: return whole >= 1_024 ? format(whole) : "\(number)kib"
        case .time: return "\(number)s"
        // Wake latencies are a few microseconds, queue delays a few milliseconds, so both are suggested.
        case .delay: return "\(number)us or \(number)ms"
        }
    }
}

/// A decimal number: digits / 10^places.
private struct Decimal {
    var digits: UInt64
    var places: Int
    /// Set if the number has more digits than `digits` can hold: the result that any product has then.
    var beyond: Product?

    init?(_ text: Substring) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        var fraction = parts.count == 2 ? parts[1] : ""
        while fraction.last == "0" { fraction.removeLast() }
        var whole = parts[0].drop { $0 == "0" }
        if whole.isEmpty { whole = "0" }
        places = fraction.count
        guard let value = UInt64(whole + fraction), places <= 19 else {
            // More digits than 64 bits hold: the number is either too large, or finer than any unit.
            digits = 0
            beyond = UInt64(whole) == nil ? .overflow : .inexact
            return
        }
        digits = value
    }

    var isZero: Bool { digits == 0 && beyond == nil }

    enum Product { case exact(UInt64), inexact, overflow }

    func times(_ worth: UInt64) -> Product {
        if let beyond { return beyond }
        let (high, low) = digits.multipliedFullWidth(by: worth)
        let divisor = (0..<places).reduce(UInt64(1)) { value, _ in value &* 10 }
        guard high < divisor else { return .overflow }
        let (quotient, remainder) = divisor.dividingFullWidth((high, low))
        return remainder == 0 ? .exact(quotient) : .inexact
    }
}
