import Foundation

/// Shows curves over one x axis, which may be logarithmic.
public struct LineChart: Sendable {
    public struct Series: Codable, Sendable {
        public var name: String
        public var x: [Double]
        public var y: [Double]
        public init(_ name: String, x: [Double], y: [Double]) { self.name = name; self.x = x; self.y = y }
    }
    public var title: String
    public var xTitle: String
    public var yTitle: String
    public var logarithmic: Bool
    public var series: [Series]

    public init(_ title: String, x: String, y: String, logarithmic: Bool = false, series: [Series]) {
        self.title = title
        xTitle = x
        yTitle = y
        self.logarithmic = logarithmic
        self.series = series
    }

    private static let left = 70.0, top = 60.0, plotWidth = 680.0, plotHeight = 300.0

    public var svg: String {
        var drawing = Drawing(width: Self.left + Self.plotWidth + 30, height: Self.top + Self.plotHeight + 60)
        drawing.text(title, 10, 20, size: 14, bold: true)
        for (place, line) in series.enumerated() {
            drawing.rectangle(Self.left + Double(place) * 150, 32, 10, 10, fill: colour(place))
            drawing.text(line.name, Self.left + Double(place) * 150 + 14, 41)
        }
        let bottom = Self.top + Self.plotHeight
        let yTicks = Drawing.ticks(upTo: series.flatMap(\.y).max() ?? 1)
        let yScale = Self.plotHeight / max(yTicks.last ?? 1, .leastNormalMagnitude)
        for tick in yTicks {
            drawing.line(Self.left, bottom - tick * yScale, Self.left + Self.plotWidth, bottom - tick * yScale, stroke: "#ddd")
            drawing.text(number(tick), Self.left - 6, bottom - tick * yScale + 4, anchor: .end)
        }
        let (least, most) = range
        func place(_ x: Double) -> Double { Self.left + (position(x) - least) / max(most - least, .leastNormalMagnitude) * Self.plotWidth }
        for tick in xTicks {
            drawing.line(place(tick), bottom, place(tick), bottom + 4)
            drawing.text(number(tick), place(tick), bottom + 17, anchor: .middle)
        }
        drawing.line(Self.left, bottom, Self.left + Self.plotWidth, bottom)
        drawing.text(xTitle, Self.left + Self.plotWidth / 2, bottom + 40, anchor: .middle)
        drawing.text(yTitle, 10, Self.top - 6)
        for (index, line) in series.enumerated() {
            drawing.path(zip(line.x, line.y).map { (place($0), bottom - max(0, $1) * yScale) }, stroke: colour(index))
        }
        return drawing.svg
    }

    private func position(_ x: Double) -> Double { logarithmic ? log10(max(x, .leastNormalMagnitude)) : x }
    private var range: (Double, Double) {
        let all = series.flatMap(\.x).map(position)
        return (all.min() ?? 0, all.max() ?? 1)
    }

    private var xTicks: [Double] {
        let (least, most) = range
        guard logarithmic else { return Drawing.ticks(upTo: most).filter { $0 >= least && $0 <= most } }
        return stride(from: least.rounded(.up), through: most, by: 1).map { pow(10, $0) }
    }

    private func number(_ value: Double) -> String {
        switch value {
        case 1e9...: Table.fixed(value / 1e9, 0) + "G"
        case 1e6...: Table.fixed(value / 1e6, 0) + "M"
        case 1e4...: Table.fixed(value / 1e3, 0) + "k"
        default: Table.fixed(value, value == value.rounded() ? 0 : value < 0.1 ? 3 : 2)
        }
    }

    private func colour(_ index: Int) -> String { Drawing.colours[index % Drawing.colours.count] }
}
