// The slots of a packed ring (virtio 1.2, 2.8.1): each descriptor says by two bits whether it is available or used, and what the bits mean changes with every
// pass through the ring.

extension GuestRing {
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

extension UnsafeMutablePointer<GuestRing> {
    @inline(__always)
    var nextIsAvailable: Bool {
        @_noLocks get { GuestRing.isAvailable((pointee.descriptors + Int(pointee.next) &* 16).acquire16(14), pointee.wrap) }
    }

    /// Goes on to the slot behind a chain that was taken.
    @inline(__always) @_noLocks
    func advancePacked(_ slots: Int) {
        let next = Int(pointee.next) &+ slots, size = Int(pointee.size)
        let wraps = next >= size
        pointee.next = UInt16(truncatingIfNeeded: wraps ? next &- size : next)
        if wraps { pointee.wrap = !pointee.wrap }
    }

    /// Returns a buffer to the driver, which sees it and those behind it after `publishPacked`: it would take the cache lines away while more is written there.
    @inline(__always) @_noLocks
    func returnPacked(_ identifier: UInt16, slots: Int, bytes: UInt32) {
        let place = pointee.descriptors + Int(pointee.nextUsed) &* 16
        let flags = GuestRing.usedFlags(pointee.usedWrap, wrote: bytes != 0)
        if pointee.returned == 0 {
            pointee.firstReturned = place
            pointee.firstFlags = flags
        }
        pointee.returned &+= 1
        if pointee.isInOrder && bytes == 0 {
            // One descriptor stands for all buffers up to the one that it names (2.8.11), if nothing was written into them.
            pointee.lastReturned = identifier
        } else {
            // The length stands in bytes 8 to 11, the identifier in 12 and 13.
            (place + 8).storeBytes(of: bytes, as: UInt32.self)
            place.write16(12, identifier)
            if pointee.returned != 1 { place.release16(14, flags) }
            if _slowPath(pointee.isLogged) { log(place, 16) }
        }
        let next = Int(pointee.nextUsed) &+ slots, size = Int(pointee.size)
        let wraps = next >= size
        pointee.nextUsed = UInt16(truncatingIfNeeded: wraps ? next &- size : next)
        if wraps { pointee.usedWrap = !pointee.usedWrap }
    }

    /// Lets the driver of a packed ring have the buffers that were returned, and tells it.
    @inline(__always) @_noLocks
    func publishPacked() {
        let place = pointee.firstReturned
        if pointee.isInOrder && pointee.firstFlags & RingDescriptor.write == 0 {
            (place + 8).storeBytes(of: 0, as: UInt32.self)
            place.write16(12, pointee.lastReturned)
        }
        place.release16(14, pointee.firstFlags)
        pointee.returned = 0
        if _slowPath(pointee.isLogged) { log(place, 16) }
        tell()
    }
}
