/// The amounts that inner classes sent, lent, borrowed and dropped. Only leaves count their frames: a class sent what the leaves below it sent, lent what they
/// borrowed from its level, and borrowed what they borrowed from higher levels. What a class counted as a leaf remains its own count when it becomes a parent,
/// and what its children counted is added to it when they are removed.
public struct ClassTotals {
    /// By id: 0 for a leaf, otherwise the index in `sums` at which the class's eight entries begin.
    private var places: [UInt32]
    /// For each class the amount that it sent, followed by the amounts lent and borrowed by the lender's level.
    private var sums: [Loan]
    /// Frames dropped, with one entry for every eight of `sums`.
    private var drops: [OwnCounts]

    fileprivate init(_ tree: ClassTree) {
        places = Array(repeating: 0, count: tree.classes)
        sums = ClassTree.noAmounts
        drops = [OwnCounts()]
        var inner: [[ClassID]] = Array(repeating: [], count: 8)
        for id in tree.ids(in: tree.existing) where !ClassTree.has(tree.leaves, id) {
            places[Int(id)] = UInt32(sums.count)
            sums += ClassTree.noAmounts
            drops.append(tree.ownCounts(of: id))
            tree.addOwn(of: id, from: tree.ownLevel(of: id), to: &sums, at: Int(places[Int(id)]))
            inner[tree.ownLevel(of: id)].append(id)
        }
        for id in tree.ids(in: tree.leaves) {
            let parent = tree.states[Int(id)].parent
            guard let to = place(of: parent) else { continue }
            tree.addOwn(of: id, from: tree.ownLevel(of: parent), to: &sums, at: to)
            drops[to / 8].add(tree.ownCounts(of: id))
        }
        // From the bottom up, since parents have higher levels.
        for level in 1..<7 {
            for id in inner[level] {
                guard let to = place(of: tree.states[Int(id)].parent) else { continue }
                let from = Int(places[Int(id)])
                sums[to].add(sums[from])
                for lender in (level + 1)..<8 { sums[to + lender].add(sums[from + lender]) }
                drops[to / 8].add(drops[from / 8])
            }
        }
    }

    private func place(of id: ClassID) -> Int? { Int(id) < places.count && places[Int(id)] != 0 ? Int(places[Int(id)]) : nil }

    /// The amounts of an inner class; nil for a leaf.
    fileprivate func amounts(of id: ClassID) -> [Loan]? { place(of: id).map { Array(sums[$0..<($0 + 8)]) } }

    /// The drops of an inner class; nil for a leaf.
    fileprivate func drops(of id: ClassID) -> OwnCounts? { place(of: id).map { drops[$0 / 8] } }
}

extension ClassTree {
    /// Computes the totals in one pass over all classes. Any thread may call this: see `counters`.
    public func totals() -> ClassTotals { ClassTotals(self) }

    /// The bytes that a class borrowed, by the ancestor that lent them, the nearest first.
    /// - Parameter totals: recent totals of this tree; nil to have them computed.
    public func loans(of id: ClassID, in totals: ClassTotals? = nil) -> [(lender: ClassID, bytes: UInt64)] {
        guard Int(id) < classes, id != 0, Self.has(existing, id) else { return [] }
        let amounts = amounts(of: id, totals)
        var result: [(lender: ClassID, bytes: UInt64)] = []
        var lender = states[Int(id)].parent
        while lender != 0 {
            let bytes = amounts[ownLevel(of: lender)].bytes
            if bytes != 0 { result.append((lender, bytes)) }
            lender = states[Int(lender)].parent
        }
        return result
    }

    /// What the class and all classes below it sent, lent, and borrowed from higher levels.
    func amounts(of id: ClassID, _ totals: ClassTotals?) -> [Loan] {
        if !Self.has(leaves, id), let sums = (totals ?? self.totals()).amounts(of: id) { return sums }
        var amounts = Self.noAmounts
        addOwn(of: id, from: ownLevel(of: id), to: &amounts, at: 0)
        return amounts
    }

    /// What the class and all classes below it dropped.
    func drops(of id: ClassID, _ totals: ClassTotals?) -> OwnCounts {
        if !Self.has(leaves, id), let drops = (totals ?? self.totals()).drops(of: id) { return drops }
        return ownCounts(of: id)
    }

    /// The level that a class has, or would have if it were an inner class.
    func ownLevel(of id: ClassID) -> Int { id == 1 ? 7 : max(Int(states[Int(states[Int(id)].parent)].level) - 1, 0) }

    fileprivate static var noAmounts: [Loan] { Array(repeating: Loan(frames: 0, bytes: 0), count: 8) }

    fileprivate func ids(in bits: UnsafeMutablePointer<UInt64>) -> [ClassID] {
        var ids: [ClassID] = []
        for word in 0..<(classes + 63) / 64 {
            var rest = bits[word]
            while rest != 0 {
                ids.append(ClassID(word * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return ids
    }
}
