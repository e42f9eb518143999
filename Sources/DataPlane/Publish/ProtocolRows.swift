/// Which row of the protocol table is whose. A protocol keeps its row, and with it what was counted there, as long as there is one of its name.
package struct ProtocolRows {
    private var rows: [String: Int] = [:]

    package init() {}

    /// 1 to 63.
    package subscript(name: String) -> Int? { rows[name] }

    /// Row 0 and all that are given lie below 2 to the power of this: a table of so many places for each guest is as small as it can be indexed fast.
    package var bits: Int { Int.bitWidth - (rows.values.max() ?? 0).leadingZeroBitCount }

    /// Gives every name a row: the one it has, or a free one. Loops may still count for protocols that go, so their rows are given anew in the same
    /// change only if there are no others.
    /// - Returns: the rows given anew.
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
