import Scheduler

/// Keeps account, from outside, of the credit that instances of a tree lease. It does not repeat the rules of booking. It relies only on the fact that credit
/// is time at the rate and is spent once.
///
/// The credit that one instance has had of a class is what it sent on it and what it has left, or owes. All instances together, including booked time that has
/// not passed yet, may not have had more than the rate earns until the end of all bookings, plus one full bucket at the beginning. This finds an instance that
/// takes a booking twice, gives back more than is left, or sends without charging. It does not find bookings that get lost; those show in the rates.
final class LeaseLedger {
    private let shared: SharedTree
    private let start: Nanoseconds
    private var classes: [ClassID] = []

    init(_ shared: SharedTree, since start: Nanoseconds) {
        self.shared = shared
        self.start = start
    }

    func note(_ id: ClassID) { classes.append(id) }

    /// Starts again without any classes.
    func forget() { classes = [] }

    /// One sentence for each rate of which more credit was had than there was.
    func faults(_ instances: [Bench]) -> [String] {
        var faults: [String] = []
        for id in classes where instances.allSatisfy({ $0.tree.pointee.exists(id) }) {
            for kind in LeasedCredit.Kind.allCases {
                // For a floor, what was borrowed does not count. This also holds for inner classes that have lost children or that let frames pass.
                let all = instances.compactMap { instance in
                    let counters = instance.tree.pointee.counters(of: id)
                    return instance.tree.pointee.leasedCredit(of: id, kind).map { credit in
                        (credit, Int128(kind == .ceiling ? counters.sentBytes : counters.sentBytes - counters.borrowedBytes) * 8_000_000_000)
                    }
                }
                guard let credit = all.first?.0, all.count == instances.count else { continue }
                let had = all.reduce(Int128(0)) { $0 + Int128($1.0.tokens) + $1.1 + Int128($1.0.pending) * Int128(credit.rate) }
                let time = Int128(max(credit.end, start)) - Int128(start)
                // Time is booked in whole nanoseconds, from the time at which an empty bucket would have had to start to be full now.
                let most = Int128(credit.rate) * (time + Int128(credit.depth))
                if had > most { faults.append("of the \(kind) of class \(id) \(had / 8_000_000_000) bytes were had, there were \(most / 8_000_000_000)") }
            }
        }
        return faults
    }
}
