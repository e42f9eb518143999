/// Several rounds of one figure.
public struct Spread: Codable, Equatable, Sendable {
    public var median: Double
    public var least: Double
    public var most: Double
    /// What tables and pictures show of the spread: the least and the greatest value, or of many values the quartiles, which say more than
    /// the worst and the best luck of fifty.
    public var low: Double
    public var high: Double
    public static let many = 12

    /// nil without values.
    public init?(_ values: [Double]) {
        guard let median = Self.quantile(values, 0.5) else { return nil }
        self.median = median
        let (least, most) = (values.min() ?? median, values.max() ?? median)
        (self.least, self.most) = (least, most)
        let isMany = values.count >= Self.many
        low = isMany ? Self.quantile(values, 0.25) ?? least : least
        high = isMany ? Self.quantile(values, 0.75) ?? most : most
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
