// How buffers are returned to the driver.

extension UnsafeMutablePointer<GuestRing> {
    /// Notes buffers in the used ring of a split ring (virtio 1.2, 2.7.8), from `used` on. The driver sees them after `publish`.
    @inline(__always) @_noLocks
    func returnSplit(_ buffers: UnsafeMutablePointer<UsedBuffer>, _ count: Int, from used: UInt16) {
        let ring = pointee.deviceArea + 4, size = Int(pointee.size)
        var place = Int(used) & (size &- 1), index = 0
        while index < count {
            let end = index &+ min(count &- index, size &- place)
            var entry = ring + 8 &* place
            while index < end {
                entry.write64(0, UInt64(buffers[index].number) | UInt64(buffers[index].bytes) &<< 32)
                entry += 8
                index &+= 1
            }
            place = 0
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

    /// Both of these bits.
    static var stateBits: UInt16 { @_noLocks get { availableBit | usedBit } }

    /// What they are in an available descriptor.
    @inline(__always) @_noLocks
    static func availableBits(_ wrap: Bool) -> UInt16 { wrap ? availableBit : usedBit }

    @inline(__always) @_noLocks
    static func isAvailable(_ flags: UInt16, _ wrap: Bool) -> Bool { flags & stateBits == availableBits(wrap) }

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

    /// Returns buffers of one slot each.
    /// - Parameter written: a constant: whether something was written into each of them, or into none.
    @inline(__always) @_noLocks
    mutating func add(simple buffers: UnsafeMutablePointer<UsedBuffer>, _ count: Int, written: Bool) {
        if count == 0 { return }
        note(buffers, count)
        var index = 0
        if isEmpty {
            begin(buffers[0])
            place.advance(1, size: size)
            index = 1
        }
        if !written && isInOrder {
            // One descriptor stands for all buffers up to the one that it names, if nothing was written into them (2.8.11).
            word = word & 0xffff_0000_ffff_ffff | UInt64(buffers[count &- 1].number) &<< 32
            return place.advance(count &- index, size: size)
        }
        let isLogged = ring.pointee.isLogged
        while index < count {
            let end = index &+ min(count &- index, Int(size &- place.index))
            let flags = UInt64(GuestRing.usedFlags(place.wrap, wrote: written)) &<< 48
            var slot = descriptors + Int(place.index) &* 16
            place.advance(end &- index, size: size)
            while index < end {
                slot.release64(8, UInt64(buffers[index].bytes) | UInt64(buffers[index].number) &<< 32 | flags)
                if _slowPath(isLogged) { ring.log(slot, 16) }
                slot += 16
                index &+= 1
            }
        }
    }

    /// Whoever goes on after this process was killed must know which slots may have been written.
    @inline(__always) @_noLocks
    private mutating func note(_ buffers: UnsafeMutablePointer<UsedBuffer>, _ count: Int) {
        if _slowPath(noted &+ count > RingJournal.most) {
            // So many come only from a call that sends, whose buffers may be published at any time.
            hold()
            ring.publish()
            (isEmpty, noted) = (true, 0)
        }
        journal.note(buffers, count, behind: noted, from: ring.pointee.nextUsed)
        noted &+= count
    }

    @inline(__always) @_noLocks
    private mutating func begin(_ buffer: UsedBuffer) {
        isEmpty = false
        first = descriptors + Int(place.index) &* 16
        word = word(buffer)
    }

    @inline(__always) @_noLocks
    private func word(_ buffer: UsedBuffer) -> UInt64 {
        UInt64(buffer.bytes) | UInt64(buffer.number) &<< 32 | UInt64(GuestRing.usedFlags(place.wrap, wrote: buffer.bytes != 0)) &<< 48
    }

    /// Returns buffers of any number of slots.
    @inline(never) @_noLocks
    mutating func add(_ buffers: UnsafeMutablePointer<UsedBuffer>, _ count: Int) {
        note(buffers, count)
        for index in 0..<count {
            let buffer = buffers[index]
            if isEmpty {
                begin(buffer)
            } else if isInOrder && buffer.bytes == 0 {
                word = word & 0xffff_0000_ffff_ffff | UInt64(buffer.number) &<< 32
            } else {
                let slot = descriptors + Int(place.index) &* 16
                slot.release64(8, word(buffer))
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
