/// Several rounds of one figure.
public struct Spread: Codable, Equatable, Sendable {
    public var median: Double
    public var least: Double
    public var most: Double

    /// nil without values.
    public init?(_ values: [Double]) {
        guard let median = Self.quantile(values, 0.5) else { return nil }
        self.median = median
        least = values.min() ?? median
        most = values.max() ?? median
    }

    /// The value below which `fraction` of the values lie, interpolated between neighbours; nil without values.
    public static func quantile(_ values: [Double], _ fraction: Double) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let place = min(max(fraction, 0), 1) * Double(sorted.count - 1)
        let below = Int(place.rounded(.down)), above = min(below + 1, sorted.count - 1)
        return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
    }

    /// Ratios round by round, where both sides have a value: what machine noise does to both sides of a round cancels out.
    public static func ratios(_ ours: [Double?], _ theirs: [Double?]) -> [Double] {
        zip(ours, theirs).compactMap { ours, theirs in
            guard let ours, let theirs, theirs > 0 else { return nil }
            return ours / theirs
        }
    }
}
