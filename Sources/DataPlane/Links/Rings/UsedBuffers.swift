// How buffers are returned to the driver.

extension UnsafeMutablePointer<GuestRing> {
    /// Notes buffers in the used ring of a split ring (virtio 1.2, 2.7.8), from `used` on. The driver sees them after `publish`.
    @inline(__always) @_noLocks
    func returnSplit(_ buffers: UnsafeMutablePointer<UsedBuffer>, _ count: Int, from used: UInt16) {
        let ring = pointee.deviceArea + 4, mask = pointee.size &- 1
        for index in 0..<count {
            let place = Int((used &+ UInt16(truncatingIfNeeded: index)) & mask)
            ring.write64(8 &* place, UInt64(buffers[index].number) | UInt64(buffers[index].bytes) &<< 32)
        }
    }

    /// Notes that all buffers of a split ring up to `used` are to be published.
    @inline(__always) @_noLocks
    func hold(upTo used: UInt16) {
        pointee.nextUsed.index = used
        pointee.isHeld = true
    }

    /// Lets the driver have the buffers that were returned. No frame refers to them any more. `tell` is to follow.
    @inline(__always) @_noLocks
    func publish() {
        pointee.isHeld = false
        if pointee.isPacked {
            pointee.heldSlot.release64(8, pointee.heldWord)
            pointee.journal.finish(at: pointee.nextUsed)
            if _slowPath(pointee.isLogged) { log(pointee.heldSlot, 16) }
        } else {
            if _slowPath(pointee.isLogged) { log(pointee.deviceArea + 4, 8 &* Int(pointee.size)) }
            pointee.deviceArea.release16(2, pointee.nextUsed.index)
            if _slowPath(pointee.isLogged) { log(pointee.deviceArea, 4) }
        }
    }
}

extension GuestRing {
    // Each descriptor of a packed ring says by two bits whether it is available or used; what they mean changes with every pass through the ring (2.8.1).
    private static var availableBit: UInt16 { @_noLocks get { 1 << 7 } }
    private static var usedBit: UInt16 { @_noLocks get { 1 << 15 } }

    @inline(__always) @_noLocks
    static func isAvailable(_ flags: UInt16, _ wrap: Bool) -> Bool {
        (flags & availableBit != 0) == wrap && (flags & usedBit != 0) != wrap
    }

    /// The flags of a used descriptor. `write` says that its length counts (2.8.3).
    @inline(__always) @_noLocks
    static func usedFlags(_ wrap: Bool, wrote: Bool) -> UInt16 { (wrap ? availableBit | usedBit : 0) | (wrote ? RingDescriptor.write : 0) }
}

/// The buffers of a packed ring that are returned together. The driver looks at the first one's slot and sees none of them before `publish`: it would take the
/// cache lines away while more is written there.
struct PackedReturns {
    private let ring: UnsafeMutablePointer<GuestRing>
    private let descriptors: UnsafeMutableRawPointer
    private let size: UInt16
    private let isInOrder: Bool
    private let journal: RingJournal
    /// How many buffers are noted there since the last were published.
    private var noted = 0
    private var place: RingPlace
    /// The slot of the first, and what is to be written there: length, identifier and flags, in bytes 8 to 15.
    private var first: UnsafeMutableRawPointer
    private var word: UInt64 = 0
    private var isEmpty = true

    @inline(__always) @_noLocks
    init(_ ring: UnsafeMutablePointer<GuestRing>) {
        self.ring = ring
        descriptors = ring.pointee.descriptors
        size = ring.pointee.size
        isInOrder = ring.pointee.isInOrder
        journal = ring.pointee.journal
        place = ring.pointee.nextUsed
        first = descriptors
    }

    @inline(__always) @_noLocks
    mutating func add(_ buffers: UnsafeMutablePointer<UsedBuffer>, _ count: Int) {
        if _slowPath(noted &+ count > RingJournal.most) {
            // So many come only from a call that sends, whose buffers may be published at any time.
            hold()
            ring.publish()
            (isEmpty, noted) = (true, 0)
        }
        // Whoever goes on after this process was killed must know which slots may have been written.
        journal.note(buffers, count, behind: noted, from: ring.pointee.nextUsed)
        noted &+= count
        for index in 0..<count {
            let buffer = buffers[index]
            let slot = descriptors + Int(place.index) &* 16
            let word = UInt64(buffer.bytes) | UInt64(buffer.number) &<< 32 | UInt64(GuestRing.usedFlags(place.wrap, wrote: buffer.bytes != 0)) &<< 48
            if isEmpty {
                isEmpty = false
                first = slot
                self.word = word
            } else if isInOrder && buffer.bytes == 0 {
                // One descriptor stands for all buffers up to the one that it names, if nothing was written into them (2.8.11).
                self.word = self.word & 0xffff_0000_ffff_ffff | UInt64(buffer.number) &<< 32
            } else {
                slot.release64(8, word)
                if _slowPath(ring.pointee.isLogged) { ring.log(slot, 16) }
            }
            place.advance(Int(buffer.slots), size: size)
        }
    }

    /// Notes that the buffers are to be published.
    @inline(__always) @_noLocks
    func hold() {
        if isEmpty { return }
        ring.pointee.nextUsed = place
        ring.pointee.heldSlot = first
        ring.pointee.heldWord = word
        ring.pointee.isHeld = true
    }
}
