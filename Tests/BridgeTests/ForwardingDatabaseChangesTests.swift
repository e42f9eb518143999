import Bridge
import Testing

/// `ForwardingDatabase.changes`: a result of a look-up may be remembered as long as this number stays the same.
@Suite("Forwarding database: changes")
struct ForwardingDatabaseChangesTests {
    private let mac: UInt64 = 0x5254_0000_0001

    /// Whether `body` changes the number.
    private func changes(_ prepare: (ForwardingDatabase) -> Void = { _ in }, _ body: (ForwardingDatabase) -> Void) -> Bool {
        let fdb = ForwardingDatabase.create(lines: 2, capacity: 8, multiplier: 1)
        defer { fdb.destroy() }
        prepare(fdb)
        let before = fdb.changes
        body(fdb)
        return fdb.changes != before
    }

    private func learn(_ fdb: ForwardingDatabase) { _ = fdb.learn(mac: mac, port: 1, guest: 1, now: 10) }

    @Test func newAddressesAndRefreshesAreNone() {
        #expect(!changes { learn($0) })
        #expect(!changes { _ = $0.addStatic(mac: mac, port: 1, guest: 1) })
        #expect(!changes(learn) { _ = $0.learn(mac: mac, port: 1, guest: 1, now: 11) })
        #expect(!changes(learn) { _ = $0.lookup(mac: mac) })
        #expect(!changes(learn) { _ = $0.sweep(olderThan: 10, from: 0, count: 2) })
        #expect(!changes(learn) { $0.removeStatic(mac: mac) })
    }

    @Test func whateverMakesALookUpWrongIsOne() {
        #expect(changes(learn) { _ = $0.learn(mac: mac, port: 2, guest: 1, now: 10) })
        #expect(changes(learn) { _ = $0.learn(mac: mac, port: 1, guest: 2, now: 10) })
        #expect(changes(learn) { _ = $0.addStatic(mac: mac, port: 1, guest: 2) })
        #expect(changes(learn) { $0.remove(mac: mac) })
        #expect(changes(learn) { $0.flush(port: 1) })
        #expect(changes(learn) { $0.flushLearned() })
        #expect(changes(learn) { _ = $0.sweep(olderThan: 11, from: 0, count: 2) })
        #expect(changes { _ = $0.addStatic(mac: mac, port: 1, guest: 1) } _: { $0.removeStatic(mac: mac) })
        #expect(changes { _ = $0.addStatic(mac: mac, port: 1, guest: 1) } _: { _ = $0.addStatic(mac: mac, port: 2, guest: 1) })
    }

    @Test func whoTakesAnothersPlaceMakesOne() {
        var verdict: LearnVerdict?
        let isChange = changes {
            for number in 1...8 as ClosedRange<UInt64> { _ = $0.learn(mac: number, port: 1, guest: 1, now: 10) }
        } _: { verdict = $0.learn(mac: 9, port: 1, guest: 1, now: 11).verdict }
        #expect(isChange && verdict == .evicted)
    }
}
