/// Judges the rate of a class by the bytes that arrived in windows of time.
public struct RateWindows: Sendable {
    /// The bytes in each window; all windows have the same length.
    private let bytes: [UInt32]
    private let milliseconds: Double

    public init(bytes: [UInt32], milliseconds: Double) {
        self.bytes = bytes
        self.milliseconds = milliseconds
    }

    /// The relative errors against a rate in bit/s, over a span that is moved on by one window at a time.
    public func errors(against rate: Double, spanMilliseconds: Double) -> [Double] {
        let span = max(1, Int((spanMilliseconds / milliseconds).rounded()))
        guard bytes.count >= span, rate > 0 else { return [] }
        let wanted = rate / 8 * Double(span) * milliseconds / 1e3
        var sum = bytes[..<span].reduce(UInt64(0)) { $0 + UInt64($1) }
        var errors = [Double(sum) / wanted - 1]
        for end in span..<bytes.count {
            sum = sum + UInt64(bytes[end]) - UInt64(bytes[end - span])
            errors.append(Double(sum) / wanted - 1)
        }
        return errors
    }

    /// The milliseconds from `start` until a class has its floor (in bit/s): until the first window from which a span delivers at least `share` of the floor.
    /// nil if that does not happen before `end`.
    public func recovery(from start: Double, until end: Double, floor: Double, spanMilliseconds: Double = 10, share: Double = 0.99) -> Double? {
        let first = Int((start / milliseconds).rounded(.up)), last = min(bytes.count, Int(end / milliseconds))
        let span = max(1, Int((spanMilliseconds / milliseconds).rounded()))
        let wanted = floor / 8 * Double(span) * milliseconds / 1e3 * share
        guard first >= 0, first + span <= last else { return nil }
        for begin in first...(last - span) where bytes[begin..<begin + span].reduce(0.0, { $0 + Double($1) }) >= wanted {
            return Double(begin) * milliseconds - start
        }
        return nil
    }
}
