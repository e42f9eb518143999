/// The result of an expectation.
public struct Verdict: Codable, Sendable {
    public var name: String
    public var met: Bool
    /// The rate delivered in the interval, in bit/s; nil: no rate was expected.
    public var deliveredRate: Double?
    /// The result in one line for people.
    public var text: String

    init(_ expectation: Expectation, _ scenario: Scenario, _ records: [FlowRecord], _ sendingEnd: UInt64) {
        let chosen = ((try? scenario.select(expectation.flows, of: "")) ?? []).map { records[$0] }
        name = expectation.name
        var sentences: [(Bool, String)] = []
        if expectation.atLeast != nil || expectation.atMost != nil {
            let rate = Self.rate(chosen, scenario.bin, expectation.from, min(expectation.to ?? sendingEnd, sendingEnd))
            deliveredRate = rate
            let delivered = rate.map { Quantity.bits($0) } ?? "nothing measured"
            if let least = expectation.atLeast {
                let kept = (rate ?? 0) >= Double(least) * (1 - expectation.within)
                sentences.append((kept, "\(Quantity.bits(Double(least))): \(delivered) delivered - \(kept ? "kept" : "MISSED")"))
            }
            if let most = expectation.atMost {
                let kept = (rate ?? .infinity) <= Double(most) * (1 + expectation.within)
                sentences.append((kept, "at most \(Quantity.bits(Double(most))): \(delivered) delivered - \(kept ? "kept" : "EXCEEDED")"))
            }
        }
        if expectation.intact {
            func sum(_ value: (FlowCounters) -> UInt64) -> UInt64 { chosen.reduce(0) { $0 + value($1.counters) } }
            let (late, twice, bad, astray) = (sum(\.reordered), sum(\.duplicated), sum(\.corrupted), sum(\.misdelivered))
            let received = sum(\.receivedFrames)
            let good = late + twice + bad + astray == 0 && received > 0
            sentences.append(
                (good, "\(received) frames received, \(late) reordered, \(twice) duplicated, \(bad) corrupted, \(astray) misdelivered - \(good ? "intact" : "NOT INTACT")"))
        }
        if let most = expectation.lossAtMost {
            let sent = chosen.reduce(0) { $0 + $1.counters.sentFrames }
            let lost = chosen.reduce(0) { $0 + $1.lost }
            let good = sent > 0 && Double(lost) <= Double(sent) * most
            sentences.append((good, "\(lost) of \(sent) frames lost - \(good ? "kept" : "TOO MANY")"))
        }
        met = sentences.allSatisfy(\.0)
        text = name + " " + sentences.map(\.1).joined(separator: "; ")
    }

    /// The rate in bit/s at which flows together received, over the whole windows between two times; nil: there is no whole window.
    static func rate(_ records: [FlowRecord], _ width: UInt64, _ from: UInt64, _ to: UInt64) -> Double? {
        let first = Int((from + width - 1) / width), end = Int(to / width)
        guard first < end else { return nil }
        var bytes: UInt64 = 0
        for record in records {
            guard first < record.bins.count else { continue }
            for bin in record.bins[first..<min(end, record.bins.count)] { bytes += UInt64(bin.receivedBytes) }
        }
        return Double(bytes) * 8 / (Double(end - first) * Double(width) / 1e9)
    }
}
