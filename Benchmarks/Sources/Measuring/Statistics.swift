/// The values of one figure in several rounds.
public struct Spread: Codable, Equatable, Sendable {
    public var median: Double
    public var least: Double
    public var most: Double
    /// The spread that tables and pictures show: the least and the greatest value; or the quartiles if there are many values, because the best and the worst of
    /// fifty say little.
    public var low: Double
    public var high: Double
    public static let many = 12

    /// Returns nil if there are no values.
    public init?(_ values: [Double]) {
        guard let median = Self.quantile(values, 0.5) else { return nil }
        self.median = median
        let (least, most) = (values.min() ?? median, values.max() ?? median)
        (self.least, self.most) = (least, most)
        let isMany = values.count >= Self.many
        low = isMany ? Self.quantile(values, 0.25) ?? least : least
        high = isMany ? Self.quantile(values, 0.75) ?? most : most
    }

    /// The value below which `fraction` of the values lie, interpolated between neighbours; nil if there are no values.
    public static func quantile(_ values: [Double], _ fraction: Double) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let place = min(max(fraction, 0), 1) * Double(sorted.count - 1)
        let below = Int(place.rounded(.down)), above = min(below + 1, sorted.count - 1)
        return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
    }

    /// The ratios of the rounds in which both sides have a value. What disturbs both sides of a round cancels out.
    public static func ratios(_ ours: [Double?], _ theirs: [Double?]) -> [Double] {
        zip(ours, theirs).compactMap { ours, theirs in
            guard let ours, let theirs, theirs > 0 else { return nil }
            return ours / theirs
        }
    }
}
