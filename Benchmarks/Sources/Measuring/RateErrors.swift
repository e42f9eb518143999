/// How far the rate that a ceiling delivered differs from the configured one, in per cent.
public struct RateErrors: Sendable, Equatable {
    /// Over all windows of 1 s, the median error and the worst one.
    public var second: (median: Double, worst: Double)
    /// Over all windows of 10 ms, the median error and the 99th percentile; nil if a single frame is more than 1 % of what a window holds.
    public var short: (median: Double, p99: Double)?

    /// Returns nil if there is no window of 1 s.
    public init?(_ windows: RateWindows, against rate: Double, frameBytes: Int) {
        func errors(_ span: Double) -> [Double] { windows.errors(against: rate, spanMilliseconds: span).map { $0.magnitude * 100 } }
        let long = errors(1_000)
        guard let median = Spread.quantile(long, 0.5), let worst = long.max() else { return nil }
        second = (median, worst)
        let isFine = Double(frameBytes) * 8 / (rate * 0.01) < 0.01
        let brief = errors(10)
        if isFine, let half = Spread.quantile(brief, 0.5), let most = Spread.quantile(brief, 0.99) { short = (half, most) }
    }

    /// Takes the worst values of another measurement of the same rate: it is repeated because it was disturbed, but what it measured did happen.
    public mutating func keepWorst(of other: RateErrors) {
        second.worst = max(second.worst, other.second.worst)
        if let own = short, let theirs = other.short { short?.p99 = max(own.p99, theirs.p99) }
    }

    public static func == (a: RateErrors, b: RateErrors) -> Bool {
        a.second == b.second && a.short?.median == b.short?.median && a.short?.p99 == b.short?.p99
    }
}

/// A rate that a switch can certainly reach: less than the least that it moved in several slices, which are spread over a round because the machine is not
/// equally fast at all times.
public struct LinkRate: Sendable {
    /// The share of the least slice that the rate is set to. A quarter more is offered than that, which is 0.94 of the least slice.
    public static let share = 0.75
    private var least: Double?

    public init() {}

    /// Adds the bit/s that got through when nothing limited them.
    public mutating func add(_ slice: Double) { least = min(least ?? slice, slice) }

    /// The rate in bit/s, rounded down to whole Mbit/s; nil before the first slice.
    public var rate: Double? { least.map { ($0 * Self.share / 1e6).rounded(.down) * 1e6 } }
}
