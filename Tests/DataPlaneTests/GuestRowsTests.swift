import DataPlane
import Testing

@Suite struct GuestRowsTests {
    @Test("There are rows for all numbers below the end, and they grow only when there are too few")
    func grow() {
        var rows = GuestRows()
        for end in 1...65_535 {
            let before = rows.count
            let grew = rows.grow(toHold: end)
            #expect(grew == (end > before))
            #expect(rows.count >= end && rows.count <= max(16, 2 * end) && rows.count >= before)
        }
        let grew = rows.grow(toHold: 1)
        #expect(!grew)
    }
}
