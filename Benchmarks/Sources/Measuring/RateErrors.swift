/// How far what a ceiling delivered was from what was configured, in per cent.
public struct RateErrors: Sendable, Equatable {
    /// Of all windows of 1 s: half are better than the median.
    public var second: (median: Double, worst: Double)
    /// Of all windows of 10 ms; nil where a frame is more than 1 % of what they hold.
    public var short: (median: Double, p99: Double)?

    /// nil when there is no window of 1 s.
    public init?(_ windows: RateWindows, against rate: Double, frameBytes: Int) {
        func errors(_ span: Double) -> [Double] { windows.errors(against: rate, spanMilliseconds: span).map { $0.magnitude * 100 } }
        let long = errors(1_000)
        guard let median = Spread.quantile(long, 0.5), let worst = long.max() else { return nil }
        second = (median, worst)
        let isFine = Double(frameBytes) * 8 / (rate * 0.01) < 0.01
        let brief = errors(10)
        if isFine, let half = Spread.quantile(brief, 0.5), let most = Spread.quantile(brief, 0.99) { short = (half, most) }
    }

    /// Keeps the worst of another measurement of the same: one that is not believed still happened.
    public mutating func keepWorst(of other: RateErrors) {
        second.worst = max(second.worst, other.second.worst)
        if let own = short, let theirs = other.short { short?.p99 = max(own.p99, theirs.p99) }
    }

    public static func == (a: RateErrors, b: RateErrors) -> Bool {
        a.second == b.second && a.short?.median == b.short?.median && a.short?.p99 == b.short?.p99
    }
}

/// A rate that a switch can surely fill: less than the least it moved in several slices, spread over a round, of a machine that is faster at one time
/// than at another.
public struct LinkRate: Sendable {
    /// With a quarter more offered than the link takes, 0.94 of the least slice is asked for.
    public static let share = 0.75
    private var least: Double?

    public init() {}

    /// bit/s that got through when nothing limited.
    public mutating func add(_ slice: Double) { least = min(least ?? slice, slice) }

    /// bit/s, whole Mbit/s; nil before the first slice.
    public var rate: Double? { least.map { ($0 * Self.share / 1e6).rounded(.down) * 1e6 } }
}
