/// Finds the greatest loads at which a device loses no more than given shares of the frames: NDR (none) and PDR (0.5 %).
///
/// It bisects as in RFC 2544, section 26.1, with two ideas of MLRsearch (draft-ietf-bmwg-mlrsearch): all goals share one history of trials, and because a
/// single trial may be wrong, a load is judged by the majority of several. Loads are in frames per second.
public struct RateSearch: Sendable {
    /// The accepted loss ratios, the most tolerant first.
    public let goals: [Double]
    /// The greatest load that is worth trying: what the device delivered under a flood.
    public let most: Int
    /// A goal is reached when its bounds are this close to each other, as a share of the upper one.
    public let width: Double
    /// The most trials of one load; more than half of them decide.
    public let trialsPerLoad: Int
    /// The most trials in all; then the result is what is known so far.
    public let mostTrials: Int
    public private(set) var trials = 0
    private var losses: [Int: [Double]] = [:]

    public init(goals: [Double], most: Int, width: Double = 0.02, trialsPerLoad: Int = 3, mostTrials: Int = 40) {
        self.goals = goals.sorted(by: >)
        self.most = max(1, most)
        self.width = width
        self.trialsPerLoad = trialsPerLoad
        self.mostTrials = mostTrials
    }

    /// The next load to try; nil if all goals have been reached or all trials have been used up.
    public var next: Int? {
        guard trials < mostTrials else { return nil }
        for goal in goals {
            let (lower, upper) = bounds(goal)
            // This load has had trials, but no majority yet.
            let between = losses.keys.filter { $0 > lower && $0 < upper ?? .max }
            if let open = between.filter({ holds($0, goal) == nil }).max() { return open }
            guard let upper else {
                if lower < most { return most }
                continue
            }
            guard Double(upper - lower) > max(1, width * Double(upper)) else { continue }
            return lower + (upper - lower) / 2
        }
        return nil
    }

    /// - Parameter loss: the frames not delivered, as a share of those that should have been sent.
    public mutating func record(load: Int, loss: Double) {
        losses[load, default: []].append(loss)
        trials += 1
    }

    /// The greatest load that is known to keep to a loss ratio; 0 if none was found.
    public func result(_ goal: Double) -> Int { bounds(goal).lower }

    /// Whether a load keeps to a loss ratio; nil if that is not decided yet.
    func holds(_ load: Int, _ goal: Double) -> Bool? {
        let all = losses[load] ?? []
        let good = all.count { $0 <= goal }
        let majority = trialsPerLoad / 2 + 1
        if good >= majority { return true }
        return all.count - good >= majority ? false : nil
    }

    /// The least load that failed (`upper`), and the greatest load below it that succeeded (`lower`).
    private func bounds(_ goal: Double) -> (lower: Int, upper: Int?) {
        let upper = losses.keys.filter { holds($0, goal) == false }.min()
        let lower = losses.keys.filter { load in holds(load, goal) == true && load < upper ?? .max }.max()
        return (lower ?? 0, upper)
    }
}
