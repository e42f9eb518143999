import Foundation

/// What was measured of one switch in one slice.
public struct SliceFigures: Codable, Equatable, Sendable {
    /// Frames and bytes that came out of all the switch's ports.
    public var frames: UInt64
    public var bytes: UInt64
    public var seconds: Double
    /// Frames that were sent and did not come back.
    public var lost: UInt64
    /// The share of the time in which the generator had frames to handle. If it is near 1, the generator was slower than the switch.
    public var busy: Double
    /// The share of the time in which the generator's loop did not run, or in which a poll loop of the switch was ready and did not run.
    public var disturbed: Double
    /// The frames per second that the command before this slice was told; nil: there was no command.
    public var told: Double?

    public init(frames: UInt64, bytes: UInt64, seconds: Double, lost: UInt64 = 0, busy: Double = 0, disturbed: Double = 0) {
        self.frames = frames
        self.bytes = bytes
        self.seconds = seconds
        self.lost = lost
        self.busy = busy
        self.disturbed = disturbed
    }

    public var framesPerSecond: Double { seconds > 0 ? Double(frames) / seconds : 0 }
}

/// How values are distributed.
public struct Quartiles: Codable, Equatable, Sendable {
    public var least: Double
    public var lower: Double
    public var median: Double
    public var upper: Double
    public var most: Double

    /// nil: there are no values. A quartile between two values is interpolated.
    public init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        func at(_ share: Double) -> Double {
            let place = share * Double(sorted.count - 1), below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
        }
        (least, lower, median, upper, most) = (sorted[0], at(0.25), at(0.5), at(0.75), sorted[sorted.count - 1])
    }
}

/// The results of several switches, slice by slice.
public struct CirculationReport: Codable, Sendable {
    /// The slices of one switch.
    public struct Member: Codable, Sendable {
        public var name: String
        /// The slices in order of time. Slices at the same place in all switches' lists form a set.
        public var slices: [SliceFigures]
        public var framesPerSecond: Quartiles?
    }

    /// The first switch's rate divided by another's, set by set. What the machine does to both sides cancels out.
    public struct Comparison: Codable, Sendable {
        public var of: String
        public var to: String
        public var sets: [Double]
        public var ratio: Quartiles?
    }

    public var switches: [Member]
    public var ratios: [Comparison]
    public var sliceSeconds: Double
    /// How many slices were measured again because others had the CPUs.
    public var repeated: Int
    /// Frames of a length that nobody had sent, or at a port that they were not meant for.
    public var astray: UInt64
    /// Whether the measurement was completed.
    public var complete: Bool

    public init(_ slices: [(name: String, slices: [SliceFigures])], sliceSeconds: Double, repeated: Int = 0, astray: UInt64 = 0, complete: Bool = true) {
        switches = slices.map { Member(name: $0.name, slices: $0.slices, framesPerSecond: Quartiles($0.slices.map(\.framesPerSecond))) }
        ratios = slices.dropFirst().map { other in
            let sets = Self.ratios(slices[0].slices, other.slices)
            return Comparison(of: slices[0].name, to: other.name, sets: sets, ratio: Quartiles(sets))
        }
        self.sliceSeconds = sliceSeconds
        self.repeated = repeated
        self.astray = astray
        self.complete = complete
    }

    /// The ratios of all sets that both have and in which the other switch forwarded anything.
    static func ratios(_ ours: [SliceFigures], _ theirs: [SliceFigures]) -> [Double] {
        zip(ours, theirs).compactMap { $1.frames > 0 ? $0.framesPerSecond / $1.framesPerSecond : nil }
    }

    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// The report as a table for people.
    public var lines: [String] {
        func mpps(_ value: Double) -> String { Quantity.fixed(value / 1e6, 3) }
        func fixed(_ value: Double) -> String { Quantity.fixed(value, 3) }
        func percent(_ values: [Double]) -> String { (Quartiles(values).map { Quantity.fixed($0.median * 100, 0) } ?? "-") + " %" }
        let width = max(8, switches.map(\.name.count).max() ?? 0)
        func row(_ cells: [String]) -> String {
            zip(cells, [width, 8, 18, 18, 8, 8, 26]).map { cell, room in cell + String(repeating: " ", count: max(0, room - cell.count)) }.joined(separator: "  ")
        }
        var lines = [row(["", "Mpps", "quartiles", "least and most", "lost", "busy", "ratio (quartiles)"])]
        for member in switches {
            guard let rate = member.framesPerSecond else {
                lines.append(row([member.name, "not measured"]))
                continue
            }
            let ratio = ratios.first { $0.to == member.name }?.ratio.map { "\(fixed($0.median)) (\(fixed($0.lower)) to \(fixed($0.upper)))" } ?? ""
            lines.append(row([
                member.name, mpps(rate.median), "\(mpps(rate.lower)) to \(mpps(rate.upper))", "\(mpps(rate.least)) to \(mpps(rate.most))",
                String(member.slices.reduce(0) { $0 + $1.lost }), percent(member.slices.map(\.busy)), ratio,
            ]))
        }
        let sets = switches.map(\.slices.count).min() ?? 0
        lines.append("\(sets) sets of slices of \(Quantity.fixed(sliceSeconds * 1e3, 0)) ms; \(repeated) slices measured again since others had a CPU"
            + (astray > 0 ? "; \(astray) frames came out altered or at a wrong port" : "") + (complete ? "" : "; ended before its end"))
        return lines
    }
}
