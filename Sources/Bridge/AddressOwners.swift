/// Whose the configured addresses of a bridge are: each with its port and guest. Made whole before it is published, and never changed after; so whatever
/// reads it sees all of a configuration or nothing of it, which a database that is changed address by address cannot give.
///
/// A trivial handle on one block of memory: open addressing, at most half full.
@frozen
public struct AddressOwners: @unchecked Sendable {
    @usableFromInline let slots: UnsafeMutablePointer<Slot>
    /// Slots but one; their number is a power of two.
    @usableFromInline let mask: UInt64
    @usableFromInline let multiplier: UInt64

    @usableFromInline
    struct Slot {
        /// 0, which is no station's address: free.
        @usableFromInline var mac: UInt64
        @usableFromInline var value: UInt64
    }

    private init(slots: UnsafeMutablePointer<Slot>, mask: UInt64, multiplier: UInt64) {
        self.slots = slots
        self.mask = mask
        self.multiplier = multiplier
    }

    /// - Parameters:
    ///   - owners: each address once, none of them zero; 60 bits, as `ForwardingDatabase` has them.
    ///   - multiplier: for tests that must repeat.
    public static func create(
        _ owners: some Collection<(mac: UInt64, value: FDBValue)>, multiplier: UInt64 = .random(in: .min ... .max)
    ) -> AddressOwners {
        var count = 2
        while count < 2 * owners.count { count *= 2 }
        let slots = UnsafeMutablePointer<Slot>.allocate(capacity: count)
        slots.initialize(repeating: Slot(mac: 0, value: FDBValue.none.raw), count: count)
        let result = AddressOwners(slots: slots, mask: UInt64(count - 1), multiplier: multiplier | 1)
        for owner in owners { result.slot(owner.mac).pointee = Slot(mac: owner.mac, value: owner.value.raw) }
        return result
    }

    /// A copy in which `removed` are nobody's and `added` are somebody's: what takes the place of one that is published.
    /// - Parameter count: how many addresses it will have.
    /// - Returns: nil where they want more room, or far less.
    public func changed(removed: [UInt64], added: [(mac: UInt64, value: FDBValue)], count: Int) -> AddressOwners? {
        let capacity = Int(mask) + 1
        guard 2 * count <= capacity, capacity <= max(16, 16 * count) else { return nil }
        let copy = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
        copy.initialize(from: slots, count: capacity)
        let result = AddressOwners(slots: copy, mask: mask, multiplier: multiplier)
        for mac in removed { result.remove(mac) }
        for owner in added { result.slot(owner.mac).pointee = Slot(mac: owner.mac, value: owner.value.raw) }
        return result
    }

    /// What stands behind, up to the next free slot, moves up where it may, so that it is found without passing a free one.
    private func remove(_ mac: UInt64) {
        var free = slot(mac) - slots
        guard slots[free].mac == mac else { return }
        let end = Int(mask)
        var next = free
        while true {
            next = (next + 1) & end
            if slots[next].mac == 0 { break }
            // Its own place, and how far it and the free slot are behind that.
            let own = Int(truncatingIfNeeded: home(of: slots[next].mac))
            if (next - own) & end >= (next - free) & end {
                slots[free] = slots[next]
                free = next
            }
        }
        slots[free] = Slot(mac: 0, value: FDBValue.none.raw)
    }

    /// Frees the block; no lcore may still read it.
    public func destroy() { slots.deallocate() }

    /// Port and guest that `mac` is configured for; `FDBValue.none` if it is for none.
    @_noLocks
    public func owner(of mac: UInt64) -> FDBValue { FDBValue(raw: slot(mac).pointee.value) }

    @inline(__always) @_noLocks
    private func home(of mac: UInt64) -> UInt64 { ((mac &* multiplier).byteSwapped &* 0x9e37_79b9_7f4a_7c15) &>> 32 & mask }

    /// The slot of `mac`, or the free one that it would have.
    @_noLocks
    private func slot(_ mac: UInt64) -> UnsafeMutablePointer<Slot> {
        var index = home(of: mac)
        while true {
            let slot = slots + Int(truncatingIfNeeded: index)
            if slot.pointee.mac == mac || slot.pointee.mac == 0 { return slot }
            index = (index &+ 1) & mask
        }
    }
}
