import Foundation
import Measuring
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite struct PictureTests {
    /// Throws if the picture is not well-formed.
    @discardableResult
    private func parse(_ svg: String) throws -> XMLDocument { try XMLDocument(data: Data(svg.utf8)) }

    /// The values of an attribute in all lines that contain a text.
    private func values(_ attribute: String, of marker: String, _ svg: String) -> [String] {
        svg.split(separator: "\n").filter { $0.contains(marker) }.compactMap { line in
            line.range(of: " \(attribute)=\"").map { String(line[$0.upperBound...].prefix { $0 != "\"" }) }
        }
    }

    @Test func barsAreInProportion() throws {
        let chart = BarChart(
            "Rates <of> \"peers\" & more", unit: "Mpps",
            groups: [("64b", [.init("us", Spread([2, 4, 6])!), .init("them", Spread([8])!)]), ("imix", [.init("us", Spread([0])!)])])
        try parse(chart.svg)
        let widths = values("width", of: "height=\"11.0\"", chart.svg).compactMap(Double.init)
        #expect(widths.count == 3)
        #expect(abs(widths[1] - 2 * widths[0]) <= 0.2 && widths[2] == 0, "\(widths)")
    }

    @Test func linesHaveAPointForEachValue() throws {
        let chart = LineChart(
            "Latency", x: "1/(1-percentile)", y: "us", logarithmic: true,
            series: [.init("a", x: [1, 10, 100], y: [1, 2, 30]), .init("b", x: [1, 10, 1_000], y: [3, 3, 3])])
        try parse(chart.svg)
        let lines = values("points", of: "<polyline", chart.svg).map { $0.split(separator: " ").map { $0.split(separator: ",").compactMap { Double($0) } } }
        #expect(lines.map(\.count) == [3, 3])
        // A decade is a third of the axis, and a straight line remains straight.
        #expect(abs((lines[1][1][0] - lines[1][0][0]) * 2 - (lines[1][2][0] - lines[1][1][0])) <= 0.3)
        #expect(Set(lines[1].map { $0[1] }).count == 1)
    }

    @Test func drawsNothingAndHugeValues() throws {
        try parse(BarChart("empty", unit: "", groups: []).svg)
        try parse(LineChart("empty", x: "", y: "", series: []).svg)
        try parse(BarChart("huge", unit: "", groups: [("x", [.init("us", Spread([1e15])!)])]).svg)
    }

    @Test func tablesNameWhatIsMissing() {
        var figure = Figure("64b-1c-vhost-l2", "MRR", unit: "frames/s", targets: [.init(against: "testpmd-io", 0.92)])
        for value in [7.0e6, 7.2e6] {
            figure.add("sluice", value)
            figure.add("testpmd-io", 7.5e6)
        }
        figure.add("ovs-dpdk", nil)
        let text = Table.text([figure])
        #expect(text.contains("7.100 Mpps") && text.contains("7.000 Mpps to 7.200 Mpps"))
        #expect(text.contains("0.947") && text.contains("at least 0.920: reached"))
        #expect(text.contains("not measured"))
        #expect(Set(text.split(separator: "\n").map(\.count)).count == 1)
        #expect(Table.amount(1_234, "frames/s") == "1.23 kpps" && Table.fixed(-0.04, 1) == "0.0" && Table.fixed(2.345, 0) == "2")
    }

    @Test func resultsAreReadBack() throws {
        var results = Results()
        results.figures = [Figure("a", "MRR", unit: "frames/s")]
        results.figures[0].add("sluice", nil)
        results.failures = [.init("a", "ovs-dpdk", "it did not start")]
        let read = try JSONDecoder().decode(Results.self, from: Data(try results.json().utf8))
        #expect(read.failures == results.failures && read.figures[0].peers[0].rounds == [nil])
    }
}
