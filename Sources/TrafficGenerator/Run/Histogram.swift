import Foundation

/// Latencies that are counted in `LatencyBuckets`, as text.
public struct Histogram: Sendable {
    private let counts: [UInt64]

    /// - Parameter counts: one count for each of `LatencyBuckets`.
    public init(counts: [UInt64]) { self.counts = counts }

    /// The percentile distribution in HdrHistogram's .hgrm format, with values in microseconds. A bucket is represented by its largest value.
    /// - Parameter ticksPerHalfDistance: the number of lines for each halving of the distance to 100 %.
    public func percentileDistribution(ticksPerHalfDistance: Int = 5) -> String {
        let total = counts.reduce(0, +)
        let used = counts.indices.filter { counts[$0] > 0 }
        var lines = [Self.columns("Value", "Percentile", "TotalCount", "1/(1-Percentile)"), ""]
        var seen: UInt64 = 0
        var next = 0.0
        for (place, index) in used.enumerated() {
            seen += counts[index]
            let reached = Double(seen) / Double(total)
            let isLast = place == used.count - 1
            guard reached >= next || isLast else { continue }
            lines.append(Self.line(LatencyBuckets.upperBound(index), reached, seen))
            // The steps become half as long each time the remaining distance has halved, so that the tail is shown as finely as the body.
            while next <= reached, !isLast {
                let halvings = (log2(1 / (1 - next))).rounded(.down) + 1
                next += 1 / (Double(ticksPerHalfDistance) * exp2(halvings))
            }
        }
        let mean = total == 0 ? 0 : used.reduce(0.0) { $0 + Double(LatencyBuckets.value($1)) * Double(counts[$1]) } / Double(total)
        let variance = total == 0 ? 0 : used.reduce(0.0) {
            let off = Double(LatencyBuckets.value($1)) - mean
            return $0 + off * off * Double(counts[$1])
        } / Double(total)
        let most = used.last.map { Double(LatencyBuckets.upperBound($0)) } ?? 0
        lines.append("#[Mean    = \(Self.fixed(mean / 1e3, 12)), StdDeviation   = \(Self.fixed(variance.squareRoot() / 1e3, 12))]")
        lines.append("#[Max     = \(Self.fixed(most / 1e3, 12)), Total count    = \(Self.padded(String(total), 12))]")
        lines.append("#[Buckets = \(Self.padded("33", 12)), SubBuckets     = \(Self.padded(String(2 * LatencyBuckets.octave), 12))]")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func line(_ value: UInt64, _ reached: Double, _ seen: UInt64) -> String {
        let inverse = reached < 1 ? Quantity.fixed(1 / (1 - reached), 2) : "inf"
        return columns(Quantity.fixed(Double(value) / 1e3, 3), Quantity.fixed(reached, 12), String(seen), inverse)
    }

    private static func columns(_ value: String, _ percentile: String, _ count: String, _ inverse: String) -> String {
        padded(value, 12) + " " + padded(percentile, 14) + " " + padded(count, 10) + " " + padded(inverse, 14)
    }
    private static func fixed(_ value: Double, _ width: Int) -> String { padded(Quantity.fixed(value, 3), width) }
    private static func padded(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
}
