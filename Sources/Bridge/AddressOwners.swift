/// The configured addresses of a bridge, each with the port and guest that own it. It is built completely before it is published and never changed afterwards,
/// so a reader sees either all of a configuration or nothing of it. The forwarding database cannot give that, because it is changed address by address.
///
/// A trivial handle on one block of memory: a hash table with open addressing that is at most half full.
@frozen
public struct AddressOwners: @unchecked Sendable {
    @usableFromInline let slots: UnsafeMutablePointer<Slot>
    /// Number of slots, which is a power of two, minus 1.
    @usableFromInline let mask: UInt64
    @usableFromInline let multiplier: UInt64

    @usableFromInline
    struct Slot {
        /// The address; 0, which is no station's address, if the slot is free.
        @usableFromInline var mac: UInt64
        @usableFromInline var value: UInt64
    }

    private init(slots: UnsafeMutablePointer<Slot>, mask: UInt64, multiplier: UInt64) {
        self.slots = slots
        self.mask = mask
        self.multiplier = multiplier
    }

    /// - Parameters:
    ///   - owners: the addresses in 60 bits, as `ForwardingDatabase` has them; each occurs once, and none is zero.
    ///   - multiplier: multiplier of the hash function; only tests that must be repeatable choose it.
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

    /// A copy from which `removed` are taken out and to which `added` are added, to be published in place of this one.
    /// - Parameter count: the number of addresses that the copy will have.
    /// - Returns: nil if that many addresses need more room, or far less; then a new table has to be created.
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

    /// Frees the slot of `mac`. The entries behind it, up to the next free slot, move up where they may, so that no look-up of theirs meets a free slot first.
    private func remove(_ mac: UInt64) {
        var free = slot(mac) - slots
        guard slots[free].mac == mac else { return }
        let end = Int(mask)
        var next = free
        while true {
            next = (next + 1) & end
            if slots[next].mac == 0 { break }
            // The slot where the search for this entry begins. If that is not behind the free slot, the entry may move there.
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

    /// Port and guest that `mac` is configured for; `FDBValue.none` if it is not configured.
    @_noLocks
    public func owner(of mac: UInt64) -> FDBValue { FDBValue(raw: slot(mac).pointee.value) }

    @inline(__always) @_noLocks
    private func home(of mac: UInt64) -> UInt64 { ((mac &* multiplier).byteSwapped &* 0x9e37_79b9_7f4a_7c15) &>> 32 & mask }

    /// The slot of `mac` or, if it has none, the free slot that it would get.
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
