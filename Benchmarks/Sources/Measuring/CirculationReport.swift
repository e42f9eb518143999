import Foundation

/// What `sluice-gen circulate` says of several switches.
public struct CirculationReport: Decodable, Sendable {
    public struct Slice: Decodable, Sendable {
        public var frames: UInt64
        public var seconds: Double
        /// Sent and not come back.
        public var lost: UInt64
        /// The share of the time in which the generator had frames in hand.
        public var busy: Double
        /// The share of the time in which others had a CPU of switch or generator.
        public var disturbed: Double
        /// Frames per second of the slice before, which the switch's rate was set by.
        public var told: Double?

        public var rate: Double { seconds > 0 ? Double(frames) / seconds : 0 }
    }
    public struct Member: Decodable, Sendable {
        public var name: String
        public var slices: [Slice]
    }
    public var switches: [Member]
    public var complete: Bool

    public init(json: Data) throws { self = try JSONDecoder().decode(Self.self, from: json) }

    /// Which side was the limit, in a sentence.
    public var limit: String {
        let shares = switches.compactMap { member in
            Spread(member.slices.map(\.busy)).map { "\(member.name) \(Table.fixed($0.median * 100, 0)) %" }
        }
        return "the generator had frames in hand for so much of the time: " + shares.joined(separator: ", ")
    }

    /// Frames per second, slice by slice.
    public func rates(_ name: String) -> [Double] { switches.first { $0.name == name }?.slices.map(\.rate) ?? [] }

    /// Of a slice, on average.
    public func disturbed(_ name: String) -> Double {
        let all = switches.first { $0.name == name }?.slices.map(\.disturbed) ?? []
        return all.isEmpty ? 0 : all.reduce(0, +) / Double(all.count)
    }

    /// Of all slices of a switch.
    public func lost(_ name: String) -> UInt64 { switches.first { $0.name == name }?.slices.reduce(0) { $0 + $1.lost } ?? 0 }
}
