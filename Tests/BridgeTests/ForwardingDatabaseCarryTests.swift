import Bridge
import Testing

/// A database replaces another one, or gives its entries other guests, without forgetting an address.
@Suite("Forwarding databases that are carried over") struct ForwardingDatabaseCarryTests {
    @Test("What a database knew is known to the one that takes its place: static entries, learned ones with their age, and what was learned meanwhile")
    func carried() {
        let old = ForwardingDatabase.create(capacity: 1_000), new = ForwardingDatabase.create(capacity: 2_000)
        defer { old.destroy(); new.destroy() }
        #expect(old.addStatic(mac: 1, port: 1, guest: 4))
        for mac in 100...599 as ClosedRange<UInt64> { _ = old.learn(mac: mac, port: 2, guest: 7, now: UInt32(mac)) }
        new.carry(from: old, statics: true)
        #expect(new.count == 501)
        #expect(new.lookup(mac: 1) == FDBValue(staticPort: 1, guest: 4))
        for mac in 100...599 as ClosedRange<UInt64> { #expect(new.lookup(mac: mac) == FDBValue(port: 2, guest: 7, seen: UInt32(mac))) }
        // One loop still learns in the old database, while another already learns in the new one.
        _ = old.learn(mac: 600, port: 3, guest: 8, now: 700)
        _ = old.learn(mac: 100, port: 3, guest: 8, now: 700)
        _ = new.learn(mac: 101, port: 5, guest: 9, now: 701)
        new.carry(from: old, statics: false)
        #expect(new.lookup(mac: 600).port == 3 && new.lookup(mac: 100).port == 3 && new.lookup(mac: 101).port == 5)
        #expect(new.count == 502)
    }

    @Test("A smaller one keeps what is configured, and of the others as many as it holds")
    func shrunk() {
        let old = ForwardingDatabase.create(capacity: 1_000), new = ForwardingDatabase.create(capacity: 64)
        defer { old.destroy(); new.destroy() }
        for mac in 100...599 as ClosedRange<UInt64> { _ = old.learn(mac: mac, port: 2, guest: 7, now: 1) }
        for mac in 1...20 as ClosedRange<UInt64> { #expect(old.addStatic(mac: mac, port: 1, guest: 4)) }
        new.carry(from: old, statics: true)
        for mac in 1...20 as ClosedRange<UInt64> { #expect(new.lookup(mac: mac).isStatic) }
        #expect(new.count <= 64 && new.count > 40)
    }

    @Test("Learned entries get another guest and keep port and age; static ones stay")
    func relabelled() {
        let fdb = ForwardingDatabase.create(capacity: 100)
        defer { fdb.destroy() }
        #expect(fdb.addStatic(mac: 1, port: 1, guest: 4))
        for mac in 10...50 as ClosedRange<UInt64> { _ = fdb.learn(mac: mac, port: UInt16(mac % 2), guest: 4, now: 9) }
        let changes = fdb.changes
        fdb.relabel { _, value in value.port == 1 ? FDBValue(port: 1, guest: 5, seen: value.seen) : value }
        #expect(fdb.lookup(mac: 1).guest == 4)
        for mac in 10...50 as ClosedRange<UInt64> {
            #expect(fdb.lookup(mac: mac) == FDBValue(port: UInt16(mac % 2), guest: mac % 2 == 1 ? 5 : 4, seen: 9))
        }
        // Loops that remember look-ups have to repeat them.
        #expect(fdb.changes != changes)
    }

    @Test("Every configured address has its owner, and no other has one", arguments: [0, 1, 2, 3, 1_000, 5_000])
    func owners(_ count: Int) {
        var all: [(mac: UInt64, value: FDBValue)] = []
        for number in 0..<count {
            all.append((mac: UInt64(number * 3 + 1), value: FDBValue(staticPort: UInt16(number % 100), guest: UInt16(number % 777))))
        }
        let owners = AddressOwners.create(all)
        defer { owners.destroy() }
        for item in all {
            #expect(owners.owner(of: item.mac) == item.value)
            #expect(owners.owner(of: item.mac + 1).isNone)
        }
        #expect(owners.owner(of: 0xffff_ffff_ffff).isNone)
    }
}
