import Bridge
import TestSupport
import Testing

@Suite struct AddressOwnersTests {
    /// The table has few slots, so that addresses collide, and their entries wrap around its end.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func changedCopiesHoldWhatIsMadeAnew(_ seed: UInt64) {
        var random = Seeded(seed)
        var owners = AddressOwners.create([(mac: UInt64, value: FDBValue)](), multiplier: seed)
        var model: [UInt64: FDBValue] = [:]
        var copies = 0
        for step in 0..<4_000 {
            let size = 1 + step / 200
            let removed = model.keys.sorted().filter { _ in Int.random(in: 0...size, using: &random) == 0 }
            for mac in removed { model[mac] = nil }
            var added: [(mac: UInt64, value: FDBValue)] = []
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let mac = UInt64.random(in: 1...60, using: &random)
                if model[mac] != nil || added.contains(where: { $0.mac == mac }) { continue }
                added.append((mac, FDBValue(staticPort: UInt16.random(in: 1...9, using: &random), guest: UInt16(mac))))
            }
            for owner in added { model[owner.mac] = owner.value }
            let old = owners
            if let copy = owners.changed(removed: removed, added: added, count: model.count) {
                owners = copy
                copies += 1
            } else {
                owners = .create(model.map { (mac: $0.key, value: $0.value) }, multiplier: seed)
            }
            old.destroy()
            for mac in 1...60 as ClosedRange<UInt64> {
                let found = owners.owner(of: mac)
                #expect(model[mac].map { $0 == found } ?? found.isNone, "\(mac) in step \(step)")
            }
        }
        #expect(copies > 2_000)
        owners.destroy()
    }
}
