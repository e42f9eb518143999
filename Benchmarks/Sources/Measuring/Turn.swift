/// What something did in a turn of fixed length.
public struct Turn: Codable, Equatable, Sendable {
    /// Per second.
    public var rate: Double
    /// Per second in which it ran: without the time in which others had its CPUs.
    public var runningRate: Double
    /// The share of the turn in which it did not run; of several threads, the worst one's.
    public var disturbed: Double

    public init(rate: Double, disturbed: Double) {
        self.init([(rate, disturbed)])
    }

    /// Of threads that ran at once, each with its own lost time.
    public init(_ threads: [(rate: Double, disturbed: Double)]) {
        rate = threads.reduce(0) { $0 + $1.rate }
        runningRate = threads.reduce(0) { $0 + $1.rate / max(0.01, 1 - $1.disturbed) }
        disturbed = threads.map(\.disturbed).max() ?? 0
    }

    /// Of turns at the same time.
    public static func together(_ turns: [Turn]) -> Turn {
        var sum = Turn([])
        for turn in turns {
            sum.rate += turn.rate
            sum.runningRate += turn.runningRate
            sum.disturbed = max(sum.disturbed, turn.disturbed)
        }
        return sum
    }

    /// Of turns after each other, what one does.
    public static func mean(_ turns: [Turn]) -> Turn {
        var mean = together(turns)
        mean.rate /= Double(max(1, turns.count))
        mean.runningRate /= Double(max(1, turns.count))
        return mean
    }
}

/// One side's turns, one for each set.
public struct TurnSeries: Sendable {
    public private(set) var turns: [Turn] = []
    public init(_ turns: [Turn] = []) { self.turns = turns }

    public mutating func add(_ turn: Turn) { turns.append(turn) }

    /// Those that were disturbed for so much of their time at most.
    public func within(_ most: Double) -> [Turn] { turns.filter { $0.disturbed <= most } }

    /// Set by set, of sets in which neither side was disturbed for more.
    public func ratios(to other: TurnSeries, within most: Double, _ rate: (Turn) -> Double) -> [Double] {
        func rates(_ turns: [Turn]) -> [Double?] { turns.map { $0.disturbed <= most ? rate($0) : nil } }
        return Spread.ratios(rates(turns), rates(other.turns))
    }
}
