import Scheduler

/// The rules of `ClassTree+TrafficClasses`: which of the priorities for which the root could lend comes next.
struct OracleOfShares {
    /// What each traffic class has sent, divided by its percentage, and what the class that was served last had; both wrap around.
    private var times = [UInt64](repeating: 0, count: 8)
    private var link: UInt64 = 0
    /// The weighted classes that waited when one was chosen last.
    var waiting: Set<Int> = []
    private var chosen = 0
    private let perByte: UInt64 = 1 << 20

    mutating func share() { waiting = [] }

    mutating func count(_ bytes: UInt64, _ priority: Int, _ shares: LinkShares) {
        let index = Int(shares.classes[priority])
        times[index] &+= bytes &* (100 * perByte / UInt64(max(shares.percents[index], 1)))
    }

    /// - Parameter goesOn: whether the leaf that was visited last is visited still.
    mutating func choose(among priorities: [Int], _ shares: LinkShares, goesOn: Bool) -> Int {
        if goesOn, priorities.contains(chosen) { return chosen }
        func traffic(_ priority: Int) -> Int { Int(shares.classes[priority]) }
        if let strict = priorities.first(where: { shares.strict >> UInt8(traffic($0)) & 1 != 0 }) {
            chosen = strict
            return strict
        }
        let before = waiting
        waiting = Set(priorities.map(traffic))
        let weighted = waiting.filter { shares.percents[$0] != 0 }
        let candidates = (weighted.isEmpty ? waiting : weighted).sorted()
        func lead(_ index: Int) -> Int64 { Int64(bitPattern: times[index] &- link) }
        for index in candidates {
            if lead(index) > Int64(perByte << 22) { times[index] = link &+ perByte << 22 }
            if !before.contains(index), lead(index) < -Int64(perByte << 15) { times[index] = link &- perByte << 15 }
        }
        let first = candidates.min { lead($0) < lead($1) }!
        if lead(first) > 0 { link = times[first] }
        chosen = priorities.first { traffic($0) == first }!
        return chosen
    }
}
