/// How stalls affected the latencies of a run. A machine that takes a CPU away for a while delays every frame in flight, whatever the switch does.
public struct StallReport: Codable, Sendable {
    /// Stalls of the generator's thread.
    public var generator: StallSummary
    /// Stalls of the switch's poll loops, if the switch was asked.
    public var `switch`: StallSummary?
    /// Why the switch's stalls are not known although it was asked.
    public var switchUnknown: String?
    /// Latency without the frames that were in flight during the generator's stalls, those sent to catch up afterwards, and those behind them.
    public var undisturbed: RestLatency?
    /// Latency without these and without the frames that the switch's stalls affected.
    public var undisturbedByEither: RestLatency?

    /// The latency of the frames that remain, and the share of all frames that were left out.
    public struct RestLatency: Codable, Sendable {
        public var disturbedShare: Double
        public var latency: LatencySummary

        /// The result is nil if no frames remain.
        init?(_ counts: [UInt64], without disturbed: [UInt64]) {
            guard let latency = LatencySummary(zip(counts, disturbed).map { $0 > $1 ? $0 - $1 : 0 }) else { return nil }
            self.latency = latency
            disturbedShare = Double(disturbed.reduce(0, +)) / Double(max(1, counts.reduce(0, +)))
        }
    }
}

/// Times in which a thread did not run although it was ready to.
public struct StallSummary: Codable, Sendable, Equatable {
    public var count: UInt64
    public var totalMicroseconds: Double
    public var longestMicroseconds: Double
    /// The share of the time that was measured.
    public var share: Double

    package init(count: UInt64, nanoseconds: UInt64, longest: UInt64, of elapsed: UInt64) {
        self.count = count
        totalMicroseconds = Double(nanoseconds) / 1e3
        longestMicroseconds = Double(longest) / 1e3
        share = Double(nanoseconds) / Double(max(1, elapsed))
    }

    /// The summary in words, such as `12 times, longest 3100.0 us, 0.02 % of the time`.
    var text: String {
        "\(count) \(count == 1 ? "time" : "times"), longest \(Quantity.fixed(longestMicroseconds, 1)) us, \(Quantity.fixed(share * 100, 2)) % of the time"
    }
}

extension StallReport {
    /// - Parameters:
    ///   - own: the generator's stalls.
    ///   - elapsed: nanoseconds of the run.
    ///   - counts: all frames, by latency bucket.
    ///   - disturbed: those of them that the generator's stalls affected.
    init(_ own: Disturbance, elapsed: UInt64, counts: [UInt64], disturbed: [UInt64]) {
        generator = StallSummary(count: own.stalls, nanoseconds: own.stalled, longest: own.longest, of: elapsed)
        undisturbed = RestLatency(counts, without: disturbed)
    }

    /// Adds what the switch knows about its own stalls. A frame that was faster than the shortest stall that counts cannot have been affected by one, so only
    /// slow frames are examined.
    mutating func add(_ known: SwitchStalls, _ slow: UnsafeBufferPointer<SlowFrame>, counts: [UInt64], disturbed: [UInt64]) {
        self.switch = known.summary
        var all = disturbed
        for (frame, isTouched) in zip(slow, SlowFrame.touched(slow, by: known.times)) where isTouched { all[LatencyBuckets.index(frame.latency)] += 1 }
        undisturbedByEither = RestLatency(counts, without: all)
    }

    /// Lines for people, to follow the table of flows.
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
