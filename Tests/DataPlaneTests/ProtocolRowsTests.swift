import DataPlane
import Testing

@Suite struct ProtocolRowsTests {
    @Test("A protocol keeps its row when others come and go, and a row that is set free is given anew at the next change")
    func kept() {
        var rows = ProtocolRows()
        #expect(rows.assign(["a", "b", "c"]) == [1, 2, 3])
        #expect(rows.assign(["b", "d", "c"]) == [4])
        #expect(["a", "b", "c", "d"].map { rows[$0] } == [nil, 2, 3, 4])
        #expect(rows.assign(["e", "d", "c", "b"]) == [1])
        #expect(rows.assign(["e", "d", "c", "b"]) == [])
    }

    @Test("All rows can be used, those set free by the same change last")
    func all() {
        var rows = ProtocolRows()
        let names = (1...63).map { "p\($0)" }
        #expect(rows.assign(names) == Array(1...63))
        #expect(rows.assign(Array(names.dropFirst()) + ["new"]) == [1])
        #expect(rows.assign(["last"]) == [1])
        #expect(rows["new"] == nil)
    }

    @Test("Every row that is given has a place in a table of 2 to the power of `bits`, which is no larger than it must be",
        arguments: [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (63, 6)])
    func bits(count: Int, bits: Int) {
        var rows = ProtocolRows()
        let names = (0..<count).map { "p\($0)" }
        _ = rows.assign(names)
        #expect(rows.bits == bits)
        // A protocol that stays keeps its row, and the table keeps its size.
        _ = rows.assign(Array(names.suffix(1)))
        #expect(rows.bits == bits)
    }
}
