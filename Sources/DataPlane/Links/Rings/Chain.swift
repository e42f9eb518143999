import DPDKShim

/// Part of a buffer, mapped as a whole.
struct RingPiece {
    var bytes: UnsafeMutableRawPointer
    var count: Int
}

/// One descriptor, read from memory that the driver may change at any time.
struct RingDescriptor {
    var address: UInt64
    var length: UInt32
    var flags: UInt16
    /// Split: the number of the next descriptor of the chain. Packed: the buffer's identifier.
    var number: UInt16

    static var next: UInt16 { @_noLocks get { 1 } }
    static var write: UInt16 { @_noLocks get { 2 } }
    static var indirect: UInt16 { @_noLocks get { 4 } }

    /// Reads a descriptor of a split ring (virtio 1.2, 2.7.5), or of an indirect table of one.
    @inline(__always) @_noLocks
    init(split place: UnsafeMutableRawPointer) {
        address = place.read64(0)
        let rest = place.read64(8)
        length = UInt32(truncatingIfNeeded: rest)
        flags = UInt16(truncatingIfNeeded: rest &>> 32)
        number = UInt16(truncatingIfNeeded: rest &>> 48)
    }

    /// Reads a descriptor of a packed ring (virtio 1.2, 2.8.13), or of an indirect table of one.
    @inline(__always) @_noLocks
    init(packed place: UnsafeMutableRawPointer) {
        address = place.read64(0)
        let rest = place.read64(8)
        length = UInt32(truncatingIfNeeded: rest)
        number = UInt16(truncatingIfNeeded: rest &>> 32)
        flags = UInt16(truncatingIfNeeded: rest &>> 48)
    }
}

/// What one lcore needs to work on a ring. Nothing here outlives a call.
struct RingScratch {
    /// The most descriptors that one frame may take. A Linux guest needs up to 19 for a frame, or one for every 64 bytes if it means harm.
    static var most: Int { @_noLocks get { 1_024 } }

    /// The pieces of a frame's buffers; or one piece for each of several frames.
    let pieces: UnsafeMutablePointer<RingPiece>
    /// The buffers that a frame takes: by what number they are returned, how many bytes were written, and the number of slots that they take in a packed ring.
    let chains: UnsafeMutablePointer<(number: UInt16, slots: UInt16, bytes: UInt32)>

    init() {
        pieces = .onOwnLines(Self.most)
        chains = .onOwnLines(Self.most)
    }

    func deallocate() {
        pieces.deallocate()
        chains.deallocate()
    }
}

/// Follows a chain of descriptors from its first to its last, into pieces.
struct ChainWalk {
    /// How many pieces there are now.
    var pieces: Int
    /// The number of bytes in the chain, as far as they were followed.
    var bytes = 0
    /// Packed: how many slots of the ring the chain takes, and the identifier in its last descriptor.
    var slots = 0
    var identifier: UInt16 = 0

    /// Follows a chain of a split ring.
    /// - Parameters:
    ///   - head: the number of its first descriptor.
    ///   - writable: whether the buffers are to be written by this switch.
    ///   - limit: how many bytes are of interest. What lies behind is not translated.
    /// - Returns: false if the ring was found to be broken; its `fault` says how.
    @inline(never) @_noLocks
    mutating func follow(_ ring: UnsafeMutablePointer<GuestRing>, head: UInt16, writable: Bool, limit: Int, _ scratch: RingScratch) -> Bool {
        var table = ring.pointee.descriptors
        var size = Int(ring.pointee.size)
        var number = Int(head)
        var left = min(size, RingScratch.most)
        var isIndirect = false
        while true {
            guard number < size else { return fail(ring, .noSuchDescriptor) }
            let descriptor = RingDescriptor(split: table + number &* 16)
            if descriptor.flags & RingDescriptor.indirect != 0 {
                guard !isIndirect, descriptor.flags & RingDescriptor.next == 0, let first = self.table(ring, descriptor, &size) else { return fail(ring, .badTable) }
                (table, number, left, isIndirect) = (first, 0, size, true)
                continue
            }
            guard add(ring, descriptor, writable, limit, scratch) else { return false }
            if descriptor.flags & RingDescriptor.next == 0 { return true }
            left &-= 1
            guard left > 0 else { return fail(ring, .endlessChain) }
            number = Int(descriptor.number)
        }
    }

    /// Follows a chain of a packed ring whose first descriptor is available.
    /// - Parameter flags: the first descriptor's flags, which were read before.
    @inline(never) @_noLocks
    mutating func followPacked(_ ring: UnsafeMutablePointer<GuestRing>, slot: UInt16, flags: UInt16, writable: Bool, limit: Int, _ scratch: RingScratch) -> Bool {
        let size = Int(ring.pointee.size)
        var place = Int(slot)
        var descriptor = RingDescriptor(packed: ring.pointee.descriptors + place &* 16)
        descriptor.flags = flags
        slots = 1
        identifier = descriptor.number
        guard identifier < ring.pointee.size else { return fail(ring, .badIdentifier) }
        if descriptor.flags & RingDescriptor.indirect != 0 {
            var count = 0
            guard descriptor.flags & RingDescriptor.next == 0, let table = self.table(ring, descriptor, &count) else { return fail(ring, .badTable) }
            // The buffers of a packed ring's table follow one another (2.8.7).
            for number in 0..<count {
                let entry = RingDescriptor(packed: table + number &* 16)
                guard add(ring, entry, writable, limit, scratch) else { return false }
            }
            return true
        }
        let most = min(size, RingScratch.most)
        while true {
            guard add(ring, descriptor, writable, limit, scratch) else { return false }
            identifier = descriptor.number
            if descriptor.flags & RingDescriptor.next == 0 { break }
            guard slots < most else { return fail(ring, .endlessChain) }
            place = place &+ 1 == size ? 0 : place &+ 1
            // A driver makes a chain's first descriptor available last, so all of it is there (2.8.6).
            descriptor = RingDescriptor(packed: ring.pointee.descriptors + place &* 16)
            guard descriptor.flags & RingDescriptor.indirect == 0 else { return fail(ring, .badTable) }
            slots &+= 1
        }
        return identifier < ring.pointee.size || fail(ring, .badIdentifier)
    }

    /// The first descriptor of an indirect table, and their number; nil if it is none.
    @inline(__always) @_noLocks
    private func table(_ ring: UnsafeMutablePointer<GuestRing>, _ descriptor: RingDescriptor, _ count: inout Int) -> UnsafeMutableRawPointer? {
        let length = Int(descriptor.length)
        guard length > 0, length & 15 == 0, length <= RingScratch.most &* 16 else { return nil }
        count = length &>> 4
        return ring.pointee.memory.host(descriptor.address, UInt64(descriptor.length))
    }

    /// Adds a descriptor's buffer.
    @inline(__always) @_noLocks
    private mutating func add(
        _ ring: UnsafeMutablePointer<GuestRing>, _ descriptor: RingDescriptor, _ writable: Bool, _ limit: Int, _ scratch: RingScratch
    ) -> Bool {
        guard (descriptor.flags & RingDescriptor.write != 0) == writable else { return fail(ring, .wrongDirection) }
        if bytes >= limit || descriptor.length == 0 { return true }
        var address = descriptor.address
        var left = UInt64(min(Int(descriptor.length), limit &- bytes))
        bytes &+= Int(descriptor.length)
        while left > 0 {
            let part = ring.pointee.memory.part(address, left)
            guard part.length > 0 else { return fail(ring, .outsideMemory) }
            guard pieces < RingScratch.most else { return fail(ring, .endlessChain) }
            scratch.pieces[pieces] = RingPiece(bytes: part.host, count: Int(truncatingIfNeeded: part.length))
            pieces &+= 1
            address = address &+ part.length
            left &-= part.length
        }
        return true
    }

    @inline(never) @_noLocks
    private func fail(_ ring: UnsafeMutablePointer<GuestRing>, _ fault: GuestRing.Fault) -> Bool {
        ring.pointee.fault = fault
        return false
    }
}
