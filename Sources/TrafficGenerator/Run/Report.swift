import Foundation

/// Everything that a run has found out.
public struct Report: Codable, Sendable {
    /// For how many seconds flows sent.
    public var seconds: Double
    public var ports: [PortReport]
    public var flows: [FlowReport]
    public var expectations: [Verdict]
    /// The latency over all flows; nil: nothing was received.
    public var latency: LatencySummary?
    /// Counts over all flows by bucket (`LatencyBuckets`), for `Histogram`. They are not part of the JSON.
    public var latencyCounts: [UInt64] = []
    /// When the generator lost its CPU, and the switch's poll loops theirs if the switch was asked; and the latency of the frames that were not in flight then.
    public var stalls: StallReport
    /// How many bursts found no free buffer.
    public var starved: UInt64
    /// Whether no frame was reordered, duplicated, corrupted, damaged or misdelivered.
    public var intact: Bool
    /// Whether all expectations were met.
    public var passed: Bool

    private enum CodingKeys: String, CodingKey {
        case seconds, ports, flows, expectations, latency, stalls, starved, intact, passed
    }

    /// The counters of one port.
    public struct PortReport: Codable, Sendable {
        public var name: String
        public var counters: PortCounters
    }

    /// The report as JSON.
    /// - Parameter bins: whether to include each flow's windows of time.
    public func json(bins: Bool) throws -> String {
        var report = self
        if !bins { for index in report.flows.indices { report.flows[index].bins = nil } }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(report), as: UTF8.self)
    }
}

/// The result of one flow. Frames and bytes are Ethernet frames without FCS.
public struct FlowReport: Codable, Sendable {
    public var name: String
    public var sentFrames: UInt64
    public var sentBytes: UInt64
    public var receivedFrames: UInt64
    public var receivedBytes: UInt64
    /// Frames that were sent and never received at the port they were meant for; nil: no port was named.
    public var lost: UInt64?
    public var reordered: UInt64
    public var duplicated: UInt64
    public var corrupted: UInt64
    public var flooded: UInt64
    public var misdelivered: UInt64
    /// Frames received with an 802.1Q tag: all of them, and by their priority code point.
    public var tagged: UInt64
    public var priorities: [UInt64]
    /// Rates in bit/s and in frames per second, over the time in which flows sent.
    public var sentRate: Double
    public var receivedRate: Double
    public var sentFrameRate: Double
    public var receivedFrameRate: Double
    /// Seconds by which the flow fell behind its rate because its port took nothing, and which it did not catch up.
    public var heldSeconds: Double
    public var latency: LatencySummary?
    public var bins: BinReport?
}

/// Sums over windows of equal width, from the start of the run.
public struct BinReport: Codable, Sendable {
    public var widthMilliseconds: Double
    public var sentFrames: [UInt32]
    public var sentBytes: [UInt32]
    public var receivedFrames: [UInt32]
    public var receivedBytes: [UInt32]
}

/// Latencies in microseconds, from when a frame is given to the sending port to when it is received from the other.
public struct LatencySummary: Codable, Sendable {
    public var mean: Double
    public var p50: Double
    public var p90: Double
    public var p99: Double
    public var p999: Double
    public var most: Double

    init?(_ counters: FlowCounters, _ counts: UnsafePointer<UInt64>) {
        guard counters.receivedFrames > 0 else { return nil }
        // The middle of the last bucket may be above the greatest value that was measured.
        func percentile(_ fraction: Double) -> Double {
            Double(min(LatencyBuckets.percentile(counts, fraction) ?? 0, counters.latencyMost)) / 1e3
        }
        mean = Double(counters.latencySum) / Double(counters.receivedFrames) / 1e3
        p50 = percentile(0.5)
        p90 = percentile(0.9)
        p99 = percentile(0.99)
        p999 = percentile(0.999)
        most = Double(counters.latencyMost) / 1e3
    }
}

extension LatencySummary {
    /// The summary of counts by bucket alone: the mean and the greatest value are those of the buckets.
    package init?(_ counts: [UInt64]) {
        let total = counts.reduce(0, +)
        guard total > 0 else { return nil }
        func percentile(_ fraction: Double) -> Double { Double(LatencyBuckets.percentile(counts, fraction) ?? 0) / 1e3 }
        mean = counts.indices.reduce(0.0) { $0 + Double(LatencyBuckets.value($1)) * Double(counts[$1]) } / Double(total) / 1e3
        p50 = percentile(0.5)
        p90 = percentile(0.9)
        p99 = percentile(0.99)
        p999 = percentile(0.999)
        most = percentile(1)
    }
}

/// The result of one flow at the end of the run.
struct FlowRecord {
    var plan: FlowPlan
    var tracked: Bool
    var counters: FlowCounters
    var bins: [FlowBin]
    var latency: LatencySummary?
}

extension Report {
    init(scenario: Scenario, sendingEnd: UInt64, snapshot: Snapshot, records: [FlowRecord], latencyCounts: [UInt64], starved: UInt64, stalls: StallReport) {
        let seconds = max(1e-9, Double(sendingEnd) / 1e9)
        self.seconds = seconds
        self.starved = starved
        self.stalls = stalls
        self.latencyCounts = latencyCounts
        var all = FlowCounters()
        for record in records {
            all.receivedFrames += record.counters.receivedFrames
            all.latencySum += record.counters.latencySum
            all.latencyMost = max(all.latencyMost, record.counters.latencyMost)
        }
        latency = LatencySummary(all, latencyCounts)
        ports = zip(scenario.ports, snapshot.ports).map { PortReport(name: $0.name, counters: $1) }
        flows = records.map { FlowReport($0, seconds: seconds, binWidth: scenario.bin) }
        intact = flows.allSatisfy(\.isIntact) && snapshot.ports.allSatisfy { $0.damaged == 0 }
        expectations = scenario.expectations.map { Verdict($0, scenario, records, sendingEnd) }
        passed = expectations.allSatisfy(\.met)
    }
}

extension FlowReport {
    init(_ record: FlowRecord, seconds: Double, binWidth: UInt64) {
        let counters = record.counters
        name = record.plan.name
        sentFrames = counters.sentFrames
        sentBytes = counters.sentBytes
        receivedFrames = counters.receivedFrames
        receivedBytes = counters.receivedBytes
        lost = record.tracked ? record.lost : nil
        reordered = counters.reordered
        duplicated = counters.duplicated
        corrupted = counters.corrupted
        flooded = counters.flooded
        misdelivered = counters.misdelivered
        tagged = counters.tagged
        priorities = withUnsafeBytes(of: counters.priorities) { Array($0.bindMemory(to: UInt64.self)) }
        sentRate = Double(sentBytes) * 8 / seconds
        receivedRate = Double(receivedBytes) * 8 / seconds
        sentFrameRate = Double(sentFrames) / seconds
        receivedFrameRate = Double(receivedFrames) / seconds
        heldSeconds = counters.heldSeconds
        latency = record.latency
        bins = BinReport(
            widthMilliseconds: Double(binWidth) / 1e6, sentFrames: record.bins.map(\.sentFrames), sentBytes: record.bins.map(\.sentBytes),
            receivedFrames: record.bins.map(\.receivedFrames), receivedBytes: record.bins.map(\.receivedBytes))
    }

    var isIntact: Bool { reordered == 0 && duplicated == 0 && corrupted == 0 && misdelivered == 0 }
}

extension FlowCounters {
    /// Seconds by which the flow fell behind its rate and which it did not catch up.
    var heldSeconds: Double { Double(heldTime) / 65_536 / 1e9 }
}

extension FlowRecord {
    /// Frames that were sent and not received even once.
    var lost: UInt64 {
        let arrived = counters.receivedFrames - min(counters.receivedFrames, counters.duplicated)
        return counters.sentFrames - min(counters.sentFrames, arrived)
    }
}
