/// What a program, or a thread, achieved in a turn of fixed length.
public struct Turn: Codable, Equatable, Sendable {
    /// The amount per second.
    public var rate: Double
    /// The amount per second of the time in which it ran, without the time in which others had its CPUs.
    public var runningRate: Double
    /// The share of the turn in which it did not run; of several threads, the largest share.
    public var disturbed: Double

    public init(rate: Double, disturbed: Double) {
        self.init([(rate, disturbed)])
    }

    /// The turn of several threads that ran at the same time, each with its own lost time.
    public init(_ threads: [(rate: Double, disturbed: Double)]) {
        rate = threads.reduce(0) { $0 + $1.rate }
        runningRate = threads.reduce(0) { $0 + $1.rate / max(0.01, 1 - $1.disturbed) }
        disturbed = threads.map(\.disturbed).max() ?? 0
    }

    /// The sum of turns that took place at the same time.
    public static func together(_ turns: [Turn]) -> Turn {
        var sum = Turn([])
        for turn in turns {
            sum.rate += turn.rate
            sum.runningRate += turn.runningRate
            sum.disturbed = max(sum.disturbed, turn.disturbed)
        }
        return sum
    }

    /// The mean of turns that took place one after the other.
    public static func mean(_ turns: [Turn]) -> Turn {
        var mean = together(turns)
        mean.rate /= Double(max(1, turns.count))
        mean.runningRate /= Double(max(1, turns.count))
        return mean
    }
}

/// The turns of one side of a comparison, one for each set.
public struct TurnSeries: Sendable {
    public private(set) var turns: [Turn] = []
    public init(_ turns: [Turn] = []) { self.turns = turns }

    public mutating func add(_ turn: Turn) { turns.append(turn) }

    /// The turns that were disturbed for at most the share `most` of their time.
    public func within(_ most: Double) -> [Turn] { turns.filter { $0.disturbed <= most } }

    /// The ratios of the sets in which neither side was disturbed for more than the share `most` of its time.
    public func ratios(to other: TurnSeries, within most: Double, _ rate: (Turn) -> Double) -> [Double] {
        func rates(_ turns: [Turn]) -> [Double?] { turns.map { $0.disturbed <= most ? rate($0) : nil } }
        return Spread.ratios(rates(turns), rates(other.turns))
    }
}
