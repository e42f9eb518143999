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

    /// Reads a descriptor of a ring, or of an indirect table of one (virtio 1.2, 2.7.5 and 2.8.13). Of a packed ring's, the flags are read first, as they say
    /// whether the rest is there.
    /// - Parameter packed: a constant.
    @inline(__always) @_noLocks
    init(_ place: UnsafeMutableRawPointer, packed: Bool) {
        let rest = place.acquire64(8)
        address = place.read64(0)
        length = UInt32(truncatingIfNeeded: rest)
        let (low, high) = (UInt16(truncatingIfNeeded: rest &>> 32), UInt16(truncatingIfNeeded: rest &>> 48))
        (flags, number) = packed ? (high, low) : (low, high)
    }

    /// Next, write and indirect: what the descriptor of a whole buffer and those of other kinds differ in.
    static var kinds: UInt16 { @_noLocks get { 7 } }
    /// Which of them it has.
    @inline(__always)
    var kind: UInt16 { @_noLocks get { flags & Self.kinds } }
    @inline(__always) @_noLocks
    func has(_ flag: UInt16) -> Bool { flags & flag != 0 }
}

/// What one lcore needs to work on a ring. Nothing here outlives a call.
struct RingScratch {
    /// The most descriptors that one frame may take. A Linux guest needs up to 19 for a frame; a hostile one may take a descriptor for every few bytes.
    static var most: Int { @_noLocks get { 1_024 } }

    /// The pieces of a frame's buffers; or one piece for each of several frames.
    let pieces: UnsafeMutablePointer<RingPiece>
    /// The buffers that a frame takes, or a buffer for each of several frames.
    let chains: UnsafeMutablePointer<UsedBuffer>

    init() {
        pieces = .onOwnLines(Self.most)
        chains = .onOwnLines(Self.most)
    }

    /// Notes the whole buffer of the `index`th frame of a burst, and how it is returned.
    @inline(__always) @_noLocks
    func note(_ index: Int, _ bytes: UnsafeMutableRawPointer, _ count: Int, _ buffer: UsedBuffer) {
        pieces[index] = RingPiece(bytes: bytes, count: count)
        chains[index] = buffer
    }

    func deallocate() {
        pieces.deallocate()
        chains.deallocate()
    }
}

/// A buffer that is returned to the driver: by what number, how many slots of a packed ring it takes, and how many bytes were written into it.
struct UsedBuffer {
    var number: UInt16
    var slots: UInt16 = 1
    var bytes: UInt32 = 0
}

/// Follows a chain of descriptors from its first to its last, into pieces.
struct ChainWalk {
    /// How many pieces there are now, and from how many descriptors. Several chains may be followed one after another, and share the bound on both.
    var pieces = 0
    var descriptors = 0
    /// The number of bytes in the chains, as far as they were followed.
    var bytes = 0
    /// Packed: how many slots of the ring the last chain takes, and the identifier in its last descriptor.
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
        var left = size
        var isIndirect = false
        while true {
            guard number < size else { return fail(ring, .noSuchDescriptor) }
            let descriptor = RingDescriptor(table + number &* 16, packed: false)
            if descriptor.has(RingDescriptor.indirect) {
                guard !isIndirect, !descriptor.has(RingDescriptor.next), let first = self.table(ring, descriptor, &size) else { return fail(ring, .badTable) }
                (table, number, left, isIndirect) = (first, 0, size, true)
                continue
            }
            guard add(ring, descriptor, writable, limit, scratch) else { return false }
            if !descriptor.has(RingDescriptor.next) { return true }
            left &-= 1
            guard left > 0 else { return fail(ring, .endlessChain) }
            number = Int(descriptor.number)
        }
    }

    /// Follows a chain of a packed ring.
    /// - Parameters:
    ///   - first: its first descriptor, which is available.
    ///   - slot: the slot of that descriptor.
    @inline(never) @_noLocks
    mutating func follow(
        _ ring: UnsafeMutablePointer<GuestRing>, _ first: RingDescriptor, at slot: UInt16, writable: Bool, limit: Int, _ scratch: RingScratch
    ) -> Bool {
        let size = Int(ring.pointee.size)
        slots = 1
        identifier = first.number
        if first.has(RingDescriptor.indirect) {
            var count = 0
            guard identifier < ring.pointee.size else { return fail(ring, .badIdentifier) }
            guard !first.has(RingDescriptor.next), let table = self.table(ring, first, &count) else { return fail(ring, .badTable) }
            // The buffers of a packed ring's table follow one another (2.8.7).
            for number in 0..<count {
                guard add(ring, RingDescriptor(table + number &* 16, packed: true), writable, limit, scratch) else { return false }
            }
            return true
        }
        var place = Int(slot)
        var descriptor = first
        while true {
            guard add(ring, descriptor, writable, limit, scratch) else { return false }
            identifier = descriptor.number
            if !descriptor.has(RingDescriptor.next) { break }
            guard slots < size else { return fail(ring, .endlessChain) }
            place = place &+ 1 == size ? 0 : place &+ 1
            // A driver makes a chain's first descriptor available last, so all of it is there (2.8.6).
            descriptor = RingDescriptor(ring.pointee.descriptors + place &* 16, packed: true)
            guard !descriptor.has(RingDescriptor.indirect) else { return fail(ring, .badTable) }
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
        guard descriptor.has(RingDescriptor.write) == writable else { return fail(ring, .wrongDirection) }
        // Empty ones count, too: a table may have a thousand, and a ring many tables.
        descriptors &+= 1
        guard descriptors <= RingScratch.most else { return fail(ring, .endlessChain) }
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
