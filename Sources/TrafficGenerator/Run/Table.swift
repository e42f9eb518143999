/// The live table, with one line for each flow.
public struct Table: Sendable {
    private let scenario: Scenario
    private let withFloors: Bool

    public init(_ scenario: Scenario) {
        self.scenario = scenario
        withFloors = scenario.flows.contains { $0.floor != nil }
    }

    /// The lines for the interval between two snapshots. A flow's row includes its parts, which follow in rows of their own.
    public func lines(_ before: Snapshot, _ after: Snapshot) -> [String] {
        let head = ["flow"] + (withFloors ? ["floor"] : []) + ["offered", "delivered"]
        var rows = [head + (withFloors ? ["lent or borrowed"] : ["frames/s", "missing", "reordered", "corrupted", "misdelivered"])]
        let intervals = scenario.flows.indices.map { index in
            FlowInterval(
                before.flows.isEmpty ? FlowCounters() : before.flows[index], after.flows[index], nanoseconds: after.time - before.time)
        }
        for (index, plan) in scenario.flows.enumerated() where plan.partOf == nil {
            let parts = scenario.flows.indices.filter { scenario.flows[$0].partOf == plan.name }
            let whole = parts.reduce(intervals[index]) { $0 + intervals[$1] }
            rows.append(row(plan.name, plan.floor, whole, after.flows[index]))
            for part in parts {
                rows.append(row("  " + scenario.flows[part].name, scenario.flows[part].floor, intervals[part], after.flows[part]))
            }
        }
        return Self.align(rows)
    }

    private func row(_ name: String, _ floor: UInt64?, _ interval: FlowInterval, _ counters: FlowCounters) -> [String] {
        let rates = [Quantity.bits(interval.sent), Quantity.bits(interval.received)]
        if withFloors {
            return [name, floor.map { Quantity.bits(Double($0)) } ?? "-"] + rates
                + [floor.map { Self.againstFloor(Double($0), interval) } ?? ""]
        }
        return [name] + rates + [
            Quantity.fixed(interval.receivedFrames, 0), String(counters.missing), String(counters.reordered),
            String(counters.corrupted), String(counters.misdelivered),
        ]
    }

    /// Whether a flow borrowed, or lent the rate that it did not use.
    package static func againstFloor(_ floor: Double, _ interval: FlowInterval) -> String {
        let difference = interval.received - floor
        if difference.magnitude < floor * 0.01 { return "met" }
        if difference > 0 { return "borrows " + Quantity.bits(difference) }
        return interval.sent < floor * 0.99 ? "lends " + Quantity.bits(-difference) : "SHORT by " + Quantity.bits(-difference)
    }

    /// The table for the whole run, with latencies.
    public func summary(_ report: Report) -> [String] {
        var rows = [["flow", "sent", "received", "lost", "reordered", "duplicated", "corrupted", "flooded", "misdelivered", "rate", "p50 us", "p99 us", "max us"]]
        for flow in report.flows {
            func microseconds(_ value: Double?) -> String { value.map { Quantity.fixed($0, 1) } ?? "-" }
            rows.append([
                flow.name, String(flow.sentFrames), String(flow.receivedFrames), flow.lost.map(String.init) ?? "-", String(flow.reordered),
                String(flow.duplicated), String(flow.corrupted), String(flow.flooded), String(flow.misdelivered),
                Quantity.bits(flow.receivedRate), microseconds(flow.latency?.p50), microseconds(flow.latency?.p99),
                microseconds(flow.latency?.most),
            ])
        }
        var lines = Self.align(rows)
        for port in report.ports where port.counters.damaged > 0 {
            lines.append("port \(port.name): \(port.counters.damaged) frames damaged beyond naming their flow")
        }
        return lines
    }

    /// The rows with the first column aligned to the left and the others to the right.
    static func align(_ rows: [[String]]) -> [String] {
        guard let columns = rows.map(\.count).max() else { return [] }
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, text in
                let pad = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 ? text + pad : pad + text
            }.joined(separator: "  ")
        }
    }
}
