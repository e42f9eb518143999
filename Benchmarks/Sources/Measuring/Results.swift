import Foundation

/// One figure of one benchmark, for each peer, by rounds that were measured in turn.
public struct Figure: Codable, Sendable {
    public var benchmark: String
    /// `MRR`, `NDR`, `p99 at 50 % of NDR`
    public var quantity: String
    /// `frames/s`, `us`, `ms`, `%`, `ns`
    public var unit: String
    public var higherIsBetter = true
    /// In the order of measuring, the project's own first.
    public var peers: [PeerValues] = []
    public var targets: [Target] = []
    /// What a reader must know to believe the figure.
    public var notes: [String] = []

    public struct PeerValues: Codable, Sendable {
        public var peer: String
        /// nil for a round that failed.
        public var rounds: [Double?]
        /// The share of each round in which threads of switch or generator were ready to run and others ran instead.
        public var disturbed: [Double]
    }

    /// A ratio (or, against no peer, a value) that the project wants to reach.
    public struct Target: Codable, Sendable {
        /// nil: the own value itself.
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

    /// The first peer's value over another's, round by round. One that was not measured in turn with it, and so has another number of rounds,
    /// is compared with the median.
    public func ratio(to peer: String) -> Spread? {
        guard let own = peers.first, own.peer != peer, let other = peers.first(where: { $0.peer == peer }) else { return nil }
        if own.rounds.count != other.rounds.count {
            let median = spread(own.peer)?.median
            return Spread(Spread.ratios(other.rounds.map { _ in median }, other.rounds))
        }
        return Spread(Spread.ratios(own.rounds, other.rounds))
    }

    /// Whether a target is reached; nil when it was not measured.
    public func reaches(_ target: Target) -> Bool? {
        let value = target.against.map { ratio(to: $0)?.median } ?? peers.first.flatMap { spread($0.peer)?.median }
        guard let value else { return nil }
        return higherIsBetter ? value >= target.value : value <= target.value
    }
}

/// A curve for a picture, such as rate over time.
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

/// A run of the suite.
public struct Results: Codable, Sendable {
    public var command = ""
    public var date = ""
    public var machine: [String: String] = [:]
    public var rounds = 0
    public var seconds = 0.0
    /// Seconds that each benchmark took, by name.
    public var took: [String: Double] = [:]
    public var figures: [Figure] = []
    public var curves: [Curve] = []
    /// What speaks against believing some of it.
    public var warnings: [String] = []
    /// What did not run, and why.
    public var skipped: [Remark] = []
    public var failures: [Remark] = []

    /// How much has come of all benchmarks so far.
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
