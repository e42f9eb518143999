/// Judges a class's rate by the bytes that arrived in windows of time.
public struct RateWindows: Sendable {
    /// Bytes by window, of equal width.
    private let bytes: [UInt32]
    private let milliseconds: Double

    public init(bytes: [UInt32], milliseconds: Double) {
        self.bytes = bytes
        self.milliseconds = milliseconds
    }

    /// Relative errors against a rate in bit/s, over a span slid along by one window at a time.
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

    /// Milliseconds from `start` until a class has `floor` (bit/s): until the first window from which a span delivers `share` of it.
    /// nil when it never does before `end`.
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
