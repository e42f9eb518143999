import Foundation

/// The report of `sluice-gen circulate` on one or several switches.
public struct CirculationReport: Decodable, Sendable {
    public struct Slice: Decodable, Sendable {
        public var frames: UInt64
        public var seconds: Double
        /// The number of frames that were sent and did not come back.
        public var lost: UInt64
        /// The share of the time in which the generator had frames in hand.
        public var busy: Double
        /// The share of the time in which others had a CPU of switch or generator.
        public var disturbed: Double
        /// The frames per second of the preceding slice, by which this switch's rate was set; nil if it was not.
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

    /// A sentence that says whether the generator or the switch was the limit.
    public var limit: String {
        let shares = switches.compactMap { member in
            Spread(member.slices.map(\.busy)).map { "\(member.name) \(Table.fixed($0.median * 100, 0)) %" }
        }
        return "the generator had frames in hand for so much of the time: " + shares.joined(separator: ", ")
    }

    /// The frames per second of a switch in each slice.
    public func rates(_ name: String) -> [Double] { switches.first { $0.name == name }?.slices.map(\.rate) ?? [] }

    /// The share of a slice that was disturbed, on average over the slices of a switch.
    public func disturbed(_ name: String) -> Double {
        let all = switches.first { $0.name == name }?.slices.map(\.disturbed) ?? []
        return all.isEmpty ? 0 : all.reduce(0, +) / Double(all.count)
    }

    /// The frames lost in all slices of a switch.
    public func lost(_ name: String) -> UInt64 { switches.first { $0.name == name }?.slices.reduce(0) { $0 + $1.lost } ?? 0 }
}
