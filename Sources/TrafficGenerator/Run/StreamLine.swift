import Foundation

/// One line of the stream: counters since the start of the run, and rates over the interval.
struct StreamLine: Codable {
    var seconds: Double
    var flows: [Flow]

    struct Flow: Codable {
        var name: String
        var sentFrames: UInt64
        var sentBytes: UInt64
        var receivedFrames: UInt64
        var receivedBytes: UInt64
        var missing: UInt64
        var reordered: UInt64
        var duplicated: UInt64
        var corrupted: UInt64
        var flooded: UInt64
        var misdelivered: UInt64
        var sentRate: Double
        var receivedRate: Double
        /// This has the same meaning as in the report.
        var heldSeconds: Double
    }

    init(_ scenario: Scenario, _ before: Snapshot, _ after: Snapshot) {
        seconds = Double(after.time) / 1e9
        flows = scenario.flows.enumerated().map { index, plan in
            let now = after.flows[index]
            let interval = FlowInterval(
                before.flows.isEmpty ? FlowCounters() : before.flows[index], now, nanoseconds: after.time - before.time)
            return Flow(
                name: plan.name, sentFrames: now.sentFrames, sentBytes: now.sentBytes, receivedFrames: now.receivedFrames,
                receivedBytes: now.receivedBytes, missing: now.missing, reordered: now.reordered, duplicated: now.duplicated,
                corrupted: now.corrupted, flooded: now.flooded, misdelivered: now.misdelivered, sentRate: interval.sent.rounded(),
                receivedRate: interval.received.rounded(), heldSeconds: now.heldSeconds)
        }
    }

    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
