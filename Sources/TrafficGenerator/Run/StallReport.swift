/// What stalls had to do with the latencies of a run: a machine that takes a CPU away for a while delays every frame in flight, whatever the switch does.
public struct StallReport: Codable, Sendable {
    /// Of the generator's thread.
    public var generator: StallSummary
    /// Of the switch's poll loops, where it was asked.
    public var `switch`: StallSummary?
    /// Why the switch's are not known though it was asked.
    public var switchUnknown: String?
    /// Without frames in flight in the generator's stalls, sent to catch up after them, or behind those.
    public var undisturbed: RestLatency?
    /// Without those of the switch's stalls either.
    public var undisturbedByEither: RestLatency?

    /// Latency of the frames that remain, and the share of all that does not count.
    public struct RestLatency: Codable, Sendable {
        public var disturbedShare: Double
        public var latency: LatencySummary

        /// nil when nothing remains.
        init?(_ counts: [UInt64], without disturbed: [UInt64]) {
            guard let latency = LatencySummary(zip(counts, disturbed).map { $0 > $1 ? $0 - $1 : 0 }) else { return nil }
            self.latency = latency
            disturbedShare = Double(disturbed.reduce(0, +)) / Double(max(1, counts.reduce(0, +)))
        }
    }
}

/// Times in which a thread that wanted to run did not.
public struct StallSummary: Codable, Sendable, Equatable {
    public var count: UInt64
    public var totalMicroseconds: Double
    public var longestMicroseconds: Double
    /// Of the time measured.
    public var share: Double

    package init(count: UInt64, nanoseconds: UInt64, longest: UInt64, of elapsed: UInt64) {
        self.count = count
        totalMicroseconds = Double(nanoseconds) / 1e3
        longestMicroseconds = Double(longest) / 1e3
        share = Double(nanoseconds) / Double(max(1, elapsed))
    }

    /// `12 times, longest 3100.0 us, 0.02 % of the time`
    var text: String {
        "\(count) \(count == 1 ? "time" : "times"), longest \(Quantity.fixed(longestMicroseconds, 1)) us, \(Quantity.fixed(share * 100, 2)) % of the time"
    }
}

extension StallReport {
    /// - Parameters:
    ///   - counts: all frames by latency bucket.
    ///   - disturbed: those of them that the generator's stalls touched.
    init(_ own: Disturbance, elapsed: UInt64, counts: [UInt64], disturbed: [UInt64]) {
        generator = StallSummary(count: own.stalls, nanoseconds: own.stalled, longest: own.longest, of: elapsed)
        undisturbed = RestLatency(counts, without: disturbed)
    }

    /// Adds what the switch knows of itself. Frames faster than a stall that counts cannot tell of one, so the slow ones suffice.
    mutating func add(_ known: SwitchStalls, _ slow: UnsafeBufferPointer<SlowFrame>, counts: [UInt64], disturbed: [UInt64]) {
        self.switch = known.summary
        var all = disturbed
        for (frame, isTouched) in zip(slow, SlowFrame.touched(slow, by: known.times)) where isTouched { all[LatencyBuckets.index(frame.latency)] += 1 }
        undisturbedByEither = RestLatency(counts, without: all)
    }

    /// For people, after the table of flows.
    public func lines(_ latency: LatencySummary?) -> [String] {
        guard latency != nil else { return [] }
        func rest(_ name: String, _ part: RestLatency) -> String {
            "frames undisturbed by \(name): p50 \(Quantity.fixed(part.latency.p50, 1)) us, p99 \(Quantity.fixed(part.latency.p99, 1)) us"
                + " (\(Quantity.fixed(part.disturbedShare * 100, 2)) % were disturbed)"
        }
        var lines: [String] = []
        if generator.count > 0 { lines.append("the generator lost its CPU \(generator.text)") }
        if let known = self.switch { lines.append("the switch lost its CPU \(known.text)") }
        if let switchUnknown { lines.append("when the switch lost its CPU is not known: \(switchUnknown)") }
        if let undisturbed, generator.count > 0 { lines.append(rest("that of the generator", undisturbed)) }
        if let undisturbedByEither { lines.append(rest("either", undisturbedByEither)) }
        return lines
    }
}
