/// The row of the protocol table that each protocol has. A protocol keeps its row, and with it what was counted there, as long as a protocol of its name
/// exists.
package struct ProtocolRows {
    private var rows: [String: Int] = [:]

    package init() {}

    /// The row of a protocol, 1 to 63.
    package subscript(name: String) -> Int? { rows[name] }

    /// The number of bits that hold all rows in use, row 0 included: a table with two to the power of this places for each guest is the smallest that can be
    /// indexed by shifting.
    package var bits: Int { Int.bitWidth - (rows.values.max() ?? 0).leadingZeroBitCount }

    /// Gives every name a row: the one that it has, or a free one. Loops may still be counting for protocols that are going, so the rows of these are given to
    /// others in the same change only if there are no other rows.
    /// - Returns: the rows that were given to new names.
    package mutating func assign(_ names: [String]) -> [Int] {
        let before = Set(rows.values)
        let wanted = Set(names)
        rows = rows.filter { wanted.contains($0.key) }
        let kept = Set(rows.values)
        let all = 1..<protocolRows
        var free = (all.filter { !before.contains($0) } + all.filter { before.contains($0) && !kept.contains($0) }).makeIterator()
        var given: [Int] = []
        for name in names where rows[name] == nil {
            guard let row = free.next() else { break }
            rows[name] = row
            given.append(row)
        }
        return given
    }
}
