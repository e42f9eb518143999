import Testing

extension EndToEnd {
    @Suite("Guests that come and go leave nothing behind", .needs(.hugepages))
    struct SoakTests {
        @Test("ports are added and deleted, and guests do by chance all that guests do; then the daemon holds what it held before")
        func soak() throws {
            let result = try finish(
                ["\(Build.repository)/scripts/lab/soak", "--rounds", "3", "--ports", "30", "--seconds", "10", "--daemon", Build.program("sluiced")], within: 180)
            #expect(result.status == 0, "\(result.output)\(result.errors)")
        }
    }
}
