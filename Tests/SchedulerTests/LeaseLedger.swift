import Scheduler

/// An account of credit that instances of a tree lease, kept from outside: no rule of booking is in it, only that credit is time of the rate and is spent once.
///
/// The credit of a class in one instance is what it sent on it and what it has left, or owes. All instances together have had no more of it, what is booked
/// and has not passed included, than the rate earns until the end of all bookings, and no more than a bucket was full of when they began: who takes a
/// booking twice, hands back more than is left, or sends without charging is found out. What they did have is no less than what was taken from the
/// shared bucket: that a booking is lost is seen in the rates.
final class LeaseLedger {
    private let shared: SharedTree
    private let start: Nanoseconds
    private var classes: [ClassID] = []

    init(_ shared: SharedTree, since start: Nanoseconds) {
        self.shared = shared
        self.start = start
    }

    func note(_ id: ClassID) { classes.append(id) }

    /// From here on nothing is known.
    func forget() { classes = [] }

    /// A sentence for each rate of which more was had than there was.
    func faults(_ instances: [Bench]) -> [String] {
        var faults: [String] = []
        for id in classes where instances.allSatisfy({ $0.tree.pointee.exists(id) }) {
            for kind in LeasedCredit.Kind.allCases {
                // Of an inner class that has lost children, and of one that passed frames, counters tell the same.
                let all = instances.compactMap { instance in
                    let counters = instance.tree.pointee.counters(of: id)
                    return instance.tree.pointee.leasedCredit(of: id, kind).map { credit in
                        (credit, Int128(kind == .ceiling ? counters.sentBytes : counters.sentBytes - counters.borrowedBytes) * 8_000_000_000)
                    }
                }
                guard let credit = all.first?.0, all.count == instances.count else { continue }
                let had = all.reduce(Int128(0)) { $0 + Int128($1.0.tokens) + $1.1 + Int128($1.0.pending) * Int128(credit.rate) }
                let time = Int128(max(credit.end, start)) - Int128(start)
                // Time is handed out in whole nanoseconds, from as long ago as the bucket takes to fill.
                let most = Int128(credit.rate) * (time + Int128(credit.depth))
                if had > most { faults.append("of the \(kind) of class \(id) \(had / 8_000_000_000) bytes were had, there were \(most / 8_000_000_000)") }
            }
        }
        return faults
    }
}
