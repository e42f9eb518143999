import Foundation

/// One figure of one benchmark: a value for each peer and round. The peers were measured in turn.
public struct Figure: Codable, Sendable {
    public var benchmark: String
    /// Such as `MRR`, `NDR` or `p99 at 50 % of NDR`.
    public var quantity: String
    /// One of `frames/s`, `us`, `ms`, `%` and `ns`.
    public var unit: String
    public var higherIsBetter = true
    /// The peers in the order of measuring; the first is the project's own switch.
    public var peers: [PeerValues] = []
    public var targets: [Target] = []
    /// What a reader must know in order to judge the figure.
    public var notes: [String] = []

    public struct PeerValues: Codable, Sendable {
        public var peer: String
        /// The value of each round; nil for a round that failed.
        public var rounds: [Double?]
        /// For each round, the share of time in which threads of switch or generator were ready to run while others ran.
        public var disturbed: [Double]
    }

    /// What the project wants to reach: a ratio to a peer, or a value of its own.
    public struct Target: Codable, Sendable {
        /// The peer that the ratio refers to; nil: the target is the project's own value.
        public var against: String?
        public var value: Double
        public init(against: String?, _ value: Double) { self.against = against; self.value = value }
    }

    public init(_ benchmark: String, _ quantity: String, unit: String, higherIsBetter: Bool = true, targets: [Target] = []) {
        self.benchmark = benchmark
        self.quantity = quantity
        self.unit = unit
        self.higherIsBetter = higherIsBetter
        self.targets = targets
    }

    /// Adds a peer's next round.
    public mutating func add(_ peer: String, _ value: Double?, disturbed: Double = 0) {
        if !peers.contains(where: { $0.peer == peer }) { peers.append(PeerValues(peer: peer, rounds: [], disturbed: [])) }
        guard let index = peers.firstIndex(where: { $0.peer == peer }) else { return }
        peers[index].rounds.append(value)
        peers[index].disturbed.append(disturbed)
    }

    public func spread(_ peer: String) -> Spread? {
        peers.first { $0.peer == peer }.flatMap { Spread($0.rounds.compactMap { $0 }) }
    }

    /// The ratio of the first peer's value to that of another peer in each round. If the other has another number of rounds, it was not measured in turn with
    /// the first, and its median is used instead.
    public func ratio(to peer: String) -> Spread? {
        guard let own = peers.first, own.peer != peer, let other = peers.first(where: { $0.peer == peer }) else { return nil }
        if own.rounds.count != other.rounds.count {
            let median = spread(own.peer)?.median
            return Spread(Spread.ratios(other.rounds.map { _ in median }, other.rounds))
        }
        return Spread(Spread.ratios(own.rounds, other.rounds))
    }

    /// Whether a target has been reached; nil if that was not measured.
    public func reaches(_ target: Target) -> Bool? {
        let value = target.against.map { ratio(to: $0)?.median } ?? peers.first.flatMap { spread($0.peer)?.median }
        guard let value else { return nil }
        return higherIsBetter ? value >= target.value : value <= target.value
    }
}

/// A curve for a picture, such as a rate over time.
public struct Curve: Codable, Sendable {
    public var benchmark: String
    public var title: String
    public var xTitle: String
    public var yTitle: String
    public var logarithmic: Bool
    public var series: [LineChart.Series]

    public init(_ benchmark: String, _ title: String, x: String, y: String, logarithmic: Bool = false, series: [LineChart.Series]) {
        self.benchmark = benchmark
        self.title = title
        xTitle = x
        yTitle = y
        self.logarithmic = logarithmic
        self.series = series
    }
}

/// The results of one run of the suite.
public struct Results: Codable, Sendable {
    public var command = ""
    public var date = ""
    public var machine: [String: String] = [:]
    public var rounds = 0
    public var seconds = 0.0
    /// The seconds that each benchmark took, by its name.
    public var took: [String: Double] = [:]
    public var figures: [Figure] = []
    public var curves: [Curve] = []
    /// What casts doubt on some of the figures.
    public var warnings: [String] = []
    /// The benchmarks that did not run, and why.
    public var skipped: [Remark] = []
    public var failures: [Remark] = []

    /// The number of results of all kinds so far, over all benchmarks.
    public var outcomes: Int { figures.count + curves.count + skipped.count + failures.count }

    public struct Remark: Codable, Equatable, Sendable {
        public var benchmark: String
        public var peer: String?
        public var reason: String
        public init(_ benchmark: String, _ peer: String?, _ reason: String) {
            self.benchmark = benchmark
            self.peer = peer
            self.reason = reason
        }
    }

    public init() {}

    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }
}
