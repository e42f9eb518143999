import DCB
import Testing

@Suite("Priorities of DSCPs")
struct DifferentiatedServicesTests {
    @Test("the table is that of RFC 8325, figure 1")
    func table() {
        let table = DifferentiatedServices.priorities
        // Network control; telephony and voice-admit; signalling; the assured classes 4, 3 and 2; scavenger and less than best effort.
        #expect(table.count == 64 && table[48] == 7 && table[56] == 7 && table[46] == 6 && table[44] == 6 && table[40] == 5)
        #expect([34, 36, 38, 32, 26, 28, 30, 24].allSatisfy { table[$0] == 4 } && [18, 20, 22].allSatisfy { table[$0] == 3 })
        #expect(table[8] == 1 && table[1] == 1 && [0, 10, 12, 14, 16, 2, 63].allSatisfy { table[$0] == 0 })
    }
}
