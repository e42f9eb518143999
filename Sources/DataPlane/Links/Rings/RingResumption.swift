import VhostUser

// How a ring is taken up again that another process served, or this one in an earlier connection. A frontend that was not told how far a
// packed ring was served can only repeat what it said before: QEMU does so (hw/virtio/virtio.c: of a packed ring, nothing is restored if GET_VRING_BASE fails).

extension UnsafeMutablePointer<GuestRing> {
    /// Goes on with a split ring where its driver was told last. Who was killed while it served the ring may have told the frontend less than that.
    func takeUpSplit() { pointee.position = .split(next: pointee.deviceArea.read16(2)) }

    /// Finds the place from which a packed ring goes on, finishes what was begun there, and begins the ring's journal anew. No loop uses the ring.
    /// - Parameters:
    ///   - identity: what tells the ring from others.
    ///   - position: where the ring goes on as far as is known without its journal.
    /// - Returns: false if the ring has been served up to another place and nothing says up to which, so that it may stand still.
    func takeUp(identity: UInt64, _ position: RingPosition, from source: PositionSource) -> Bool {
        let journal = pointee.journal
        let known = journal.read(size: pointee.size).flatMap { $0.ring == identity ? $0 : nil }
        pointee.position = position
        if source == .earlier, let known, known.told == position.number, !isNew, let redone = place(after: known) {
            pointee.nextUsed = redone.place
            if redone.buffers.isEmpty {
                journal.finish(at: redone.place)
            } else {
                // Until the driver has them, the journal says the same as before: this process may be killed, too.
                var buffers = redone.buffers
                var returns = PackedReturns(self)
                returns.add(&buffers, buffers.count)
                returns.hold()
                publish()
            }
            pointee.next = pointee.nextUsed
            return true
        }
        // What the frontend will say when it connects again.
        let told = source == .connection ? known?.told ?? position.number : position.number
        journal.begin(ring: identity, told: told, at: pointee.nextUsed)
        guard source == .earlier else { return true }
        return position == .start(packed: true) ? isNew : !isUsed(at: pointee.nextUsed)
    }

    /// Where a ring goes on of which a journal is known, and the buffers that are to be returned from there on.
    /// - Returns: nil if the ring does not look as it would if the journal were its own.
    private func place(after entry: RingJournal.Entry) -> (place: RingPlace, buffers: [UsedBuffer])? {
        guard let first = entry.buffers.first else { return isUsed(at: entry.place) ? nil : (entry.place, []) }
        if GuestRing.isAvailable(flags(at: entry.place), entry.place.wrap) {
            // The driver has none of them. Frames from a guest may have been passed on or not; they are taken again, as a frame that comes twice does less harm
            // than one that is lost. That is possible if no slot was written: the first is written last.
            var second = entry.place
            second.advance(Int(first.slots), size: pointee.size)
            let isUntouched = entry.buffers.count == 1 || pointee.isInOrder || !isUsed(at: second)
            return (entry.place, isUntouched && entry.buffers.allSatisfy { $0.bytes == 0 } ? [] : entry.buffers)
        }
        // The driver has all of them, and may have given the first slot anew.
        let isReturned = isUsed(at: entry.place) || GuestRing.isAvailable(flags(at: entry.place), !entry.place.wrap)
        var behind = entry.place
        behind.advance(entry.slots, size: pointee.size)
        return isReturned && !isUsed(at: behind) ? (behind, []) : nil
    }

    private func flags(at place: RingPlace) -> UInt16 { (pointee.descriptors + Int(place.index) * 16).acquire16(14) }

    /// Whether a slot has been returned to the driver in the pass of a place.
    private func isUsed(at place: RingPlace) -> Bool {
        let used = GuestRing.usedFlags(true, wrote: false)
        return flags(at: place) & used == (place.wrap ? used : 0) && !isUnwritten(place.index)
    }

    /// Whether nobody has written to a slot since the ring was made. Identifiers do not count: DPDK's driver writes all of them at first.
    private func isUnwritten(_ slot: UInt16) -> Bool {
        let place = pointee.descriptors + Int(slot) * 16
        return place.read64(0) == 0 && place.read64(8) & 0xffff_0000_ffff_ffff == 0
    }

    /// Whether no device has served the ring yet: buffers are available from its start on, and the rest is as it was made.
    var isNew: Bool {
        var slot: UInt16 = 0
        while slot < pointee.size, GuestRing.isAvailable(flags(at: RingPlace(slot)), true) { slot += 1 }
        return (slot..<pointee.size).allSatisfy { isUnwritten($0) }
    }
}
