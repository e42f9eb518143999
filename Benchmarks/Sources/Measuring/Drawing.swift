/// A picture in SVG, made of a few kinds of shapes.
struct Drawing {
    private var shapes: [String] = []
    let width: Double
    let height: Double

    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }

    static let colours = ["#1f6fb2", "#8a8a8a", "#d1622b", "#4a9a5b", "#8d5fb0", "#b8962e"]

    mutating func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, fill: String) {
        shapes.append("<rect x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(width))\" height=\"\(n(max(0, height)))\" fill=\"\(fill)\"/>")
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, stroke: String = "#333", width: Double = 1) {
        shapes.append("<line x1=\"\(n(x1))\" y1=\"\(n(y1))\" x2=\"\(n(x2))\" y2=\"\(n(y2))\" stroke=\"\(stroke)\" stroke-width=\"\(n(width))\"/>")
    }

    mutating func path(_ points: [(Double, Double)], stroke: String) {
        let text = points.map { "\(n($0.0)),\(n($0.1))" }.joined(separator: " ")
        shapes.append("<polyline points=\"\(text)\" fill=\"none\" stroke=\"\(stroke)\" stroke-width=\"1.6\"/>")
    }

    enum Anchor: String { case start, middle, end }
    mutating func text(_ text: String, _ x: Double, _ y: Double, size: Double = 11, anchor: Anchor = .start, bold: Bool = false) {
        let weight = bold ? " font-weight=\"bold\"" : ""
        shapes.append("<text x=\"\(n(x))\" y=\"\(n(y))\" font-size=\"\(n(size))\" text-anchor=\"\(anchor.rawValue)\"\(weight)>\(Self.escaped(text))</text>")
    }

    var svg: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(n(width))" height="\(n(height))" viewBox="0 0 \(n(width)) \(n(height))" font-family="sans-serif">
        <rect width="100%" height="100%" fill="white"/>
        \(shapes.joined(separator: "\n"))
        </svg>

        """
    }

    private func n(_ value: Double) -> String { Table.fixed(value, 1) }
    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }

    /// The marks of an axis up to `most`: about five steps of 1, 2 or 5 times a power of ten.
    static func ticks(upTo most: Double) -> [Double] {
        guard most > 0, most.isFinite else { return [0, 1] }
        var power = 1.0
        while power * 10 <= most { power *= 10 }
        while power > most { power /= 10 }
        let step = [power / 5, power / 2, power, power * 2].first { most / $0 <= 6 } ?? power * 2
        return Array(stride(from: 0, through: most + step * 0.999, by: step))
    }
}
