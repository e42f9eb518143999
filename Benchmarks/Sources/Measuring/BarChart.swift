/// Shows medians as bars and the spread of the rounds as whiskers, in one group of bars for each benchmark.
public struct BarChart: Sendable {
    public struct Bar: Sendable {
        public var series: String
        public var spread: Spread
        public init(_ series: String, _ spread: Spread) { self.series = series; self.spread = spread }
    }
    public var title: String
    public var unit: String
    public var groups: [(name: String, bars: [Bar])]

    public init(_ title: String, unit: String, groups: [(name: String, bars: [Bar])]) {
        self.title = title
        self.unit = unit
        self.groups = groups
    }

    private static let left = 330.0, right = 70.0, barHeight = 13.0, gap = 12.0, plot = 560.0

    public var svg: String {
        let top = 62.0
        let bars = groups.reduce(0) { $0 + $1.bars.count }
        let height = top + Double(bars) * Self.barHeight + Double(groups.count) * Self.gap + 30
        var drawing = Drawing(width: Self.left + Self.plot + Self.right, height: height)
        let ticks = Drawing.ticks(upTo: groups.flatMap(\.bars).map(\.spread.high).max() ?? 1)
        let scale = Self.plot / max(ticks.last ?? 1, .leastNormalMagnitude)
        drawing.text(title, 10, 20, size: 14, bold: true)
        var names: [String] = []
        for bar in groups.flatMap(\.bars) where !names.contains(bar.series) { names.append(bar.series) }
        for (place, name) in names.enumerated() {
            drawing.rectangle(Self.left + Double(place) * 130, 30, 10, 10, fill: colour(names, name))
            drawing.text(name, Self.left + Double(place) * 130 + 14, 39)
        }
        for tick in ticks {
            let x = Self.left + tick * scale
            drawing.line(x, top - 6, x, height - 24, stroke: "#ddd")
            drawing.text(Table.fixed(tick, tick < 1 && tick > 0 ? 2 : tick == tick.rounded() ? 0 : 1), x, height - 10, anchor: .middle)
        }
        drawing.text(unit, Self.left + Self.plot, 39, anchor: .end)
        var y = top
        for group in groups {
            drawing.text(group.name, Self.left - 8, y + Double(group.bars.count) * Self.barHeight / 2 + 4, anchor: .end)
            for bar in group.bars {
                let middle = y + Self.barHeight / 2
                drawing.rectangle(Self.left, y + 1, bar.spread.median * scale, Self.barHeight - 2, fill: colour(names, bar.series))
                drawing.line(Self.left + bar.spread.low * scale, middle, Self.left + bar.spread.high * scale, middle)
                for end in [bar.spread.low, bar.spread.high] {
                    drawing.line(Self.left + end * scale, middle - 3, Self.left + end * scale, middle + 3)
                }
                let number = Table.fixed(bar.spread.median, bar.spread.median < 10 ? 2 : 1)
                drawing.text(number, Self.left + max(bar.spread.high, bar.spread.median) * scale + 6, middle + 4, size: 10)
                y += Self.barHeight
            }
            y += Self.gap
        }
        return drawing.svg
    }

    private func colour(_ names: [String], _ name: String) -> String {
        Drawing.colours[(names.firstIndex(of: name) ?? 0) % Drawing.colours.count]
    }
}
