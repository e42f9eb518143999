import Configuration
import DPDKShim

/// What it takes to receive frames from a ring.
struct RingReceiver {
    let ring: UnsafeMutablePointer<GuestRing>
    let pool: OpaquePointer
    let scratch: RingScratch
    /// The counters of the ring's port.
    let counters: UnsafeMutablePointer<PortCounters>
    /// Buffers, of which the first `used` have become frames.
    let frames: UnsafeMutablePointer<Frame?>
    var used = 0
    /// How many descriptors were followed for frames of several. A burst ends when they are many, so that a ring whose frames are dear costs its own guest.
    private var spent = 0
    private let room: Int
    private let header: Int
    private let hasOffloads: Bool
    /// Whether frames may refer to the guest's buffers until `publish`.
    private let mayRefer: Bool

    /// How many bytes of a frame that refers to its guest's buffer are copied at once: as many as are usually looked at to decide about it. Whatever is decided
    /// about is private, as the guest may change its own memory at any time.
    private static var front: Int { @_noLocks get { 192 } }
    /// The shortest frame that is worth it.
    private static var shortestReferring: Int { @_noLocks get { 512 } }

    /// The longest frame that any port carries: the largest MTU with an Ethernet header and two VLAN tags; or, if it is to be segmented, the longest that IP has.
    private let longest: Int

    @inline(__always) @_noLocks
    private init(
        _ ring: UnsafeMutablePointer<GuestRing>, _ pool: OpaquePointer, _ scratch: RingScratch, _ counters: UnsafeMutablePointer<PortCounters>,
        _ frames: UnsafeMutablePointer<Frame?>, _ mayRefer: Bool
    ) {
        self.ring = ring
        self.mayRefer = mayRefer
        self.pool = pool
        self.scratch = scratch
        self.counters = counters
        self.frames = frames
        room = Int(sluice_pool_room(pool))
        header = Int(ring.pointee.headerLength)
        hasOffloads = ring.pointee.hasOffloads
        longest = (ring.pointee.segmentation.rawValue == 0 ? 9_000 : 65_535) &+ 14 &+ 8
    }

    /// Takes frames out of a ring, and returns their buffers to the guest.
    /// - Parameter mayRefer: whether long frames may stay in the guest's buffers but for their front, until `publish`.
    /// - Returns: how many frames there are. If the ring was found to be broken, `GuestRing.fault` says so. If `GuestRing.isHeld`, `publish` is to follow.
    @inline(never) @_noLocks
    static func receive(
        _ ring: UnsafeMutablePointer<GuestRing>, _ wanted: Int, _ pool: OpaquePointer, _ frames: UnsafeMutablePointer<Frame?>, _ scratch: RingScratch,
        _ counters: UnsafeMutablePointer<PortCounters>, mayRefer: Bool
    ) -> Int {
        let count = min(wanted, ring.available)
        guard count > 0, sluice_buffers_take(pool, frames, UInt32(truncatingIfNeeded: count)) == 0 else { return 0 }
        var receiver = RingReceiver(ring, pool, scratch, counters, frames, mayRefer)
        if ring.pointee.isPacked { receiver.takePacked(count) } else { receiver.takeSplit(count) }
        if receiver.used < count { sluice_buffers_give_back(pool, frames + receiver.used, UInt32(truncatingIfNeeded: count &- receiver.used)) }
        return receiver.used
    }

    /// Takes frames out of a split ring (virtio 1.2, 2.7) that has at least `count`.
    @inline(__always) @_noLocks
    private mutating func takeSplit(_ count: Int) {
        let driverArea = ring.pointee.driverArea, descriptors = ring.pointee.descriptors
        let size = ring.pointee.size, mask = size &- 1, scratch = scratch
        var next = ring.pointee.next.index, used = ring.pointee.nextUsed.index
        let stop = next &+ UInt16(truncatingIfNeeded: count)
        let check = BufferCheck(self, first: descriptors + Int(driverArea.read16(4 + 2 &* Int(next & mask)) & mask) &* 16)
        while next != stop, spent < RingScratch.most {
            // Looks ahead over frames that are in one buffer each, so that their bytes are on the way when they are copied.
            var simple = 0
            var special: UInt16?
            while next != stop {
                let head = driverArea.read16(4 + 2 &* Int(next & mask))
                if head >= size {
                    ring.pointee.fault = .noSuchDescriptor
                    break
                }
                let descriptor = RingDescriptor(descriptors + Int(head) &* 16, packed: false)
                guard descriptor.kind == 0, let bytes = check.whole(descriptor) else {
                    special = head
                    break
                }
                scratch.note(simple, bytes, Int(descriptor.length), UsedBuffer(number: head))
                simple &+= 1
                next &+= 1
            }
            takeNoted(simple)
            ring.returnSplit(scratch.chains, simple, from: used)
            used &+= UInt16(truncatingIfNeeded: simple)
            if let head = special {
                var walk = ChainWalk()
                guard walk.follow(ring, head: head, writable: false, limit: header &+ longest &+ 1, scratch), take(walk) else { break }
                scratch.chains[0] = UsedBuffer(number: head)
                ring.returnSplit(scratch.chains, 1, from: used)
                used &+= 1
                next &+= 1
            } else if next != stop {
                break
            }
        }
        if used == ring.pointee.nextUsed.index { return }
        ring.pointee.next.index = next
        ring.hold(upTo: used)
    }

    /// Takes up to `count` frames out of a packed ring (virtio 1.2, 2.8).
    @inline(__always) @_noLocks
    private mutating func takePacked(_ count: Int) {
        let descriptors = ring.pointee.descriptors, size = ring.pointee.size, scratch = scratch
        var next = ring.pointee.next
        let check = BufferCheck(self, first: descriptors + Int(next.index) &* 16)
        var returns = PackedReturns(ring)
        var done = 0
        while done < count, spent < RingScratch.most {
            // Looks ahead as far as the ring's end, over frames that are in one buffer each.
            let run = min(count &- done, Int(size &- next.index)), available = GuestRing.availableBits(next.wrap)
            var slot = descriptors + Int(next.index) &* 16
            var simple = 0
            while simple < run {
                let descriptor = RingDescriptor(slot, packed: true)
                guard descriptor.flags & (GuestRing.stateBits | RingDescriptor.kinds) == available, descriptor.number < size,
                    let bytes = check.whole(descriptor)
                else { break }
                scratch.note(simple, bytes, Int(descriptor.length), UsedBuffer(number: descriptor.number))
                simple &+= 1
                slot += 16
            }
            takeNoted(simple)
            returns.add(simple: scratch.chains, simple, written: false)
            next.advance(simple, size: size)
            done &+= simple
            if simple == run { continue }
            // There is no more, or it is a frame in several buffers, or else special.
            let descriptor = RingDescriptor(slot, packed: true)
            guard GuestRing.isAvailable(descriptor.flags, next.wrap) else { break }
            var walk = ChainWalk()
            guard walk.follow(ring, descriptor, at: next.index, writable: false, limit: header &+ longest &+ 1, scratch), take(walk) else { break }
            scratch.chains[0] = UsedBuffer(number: walk.identifier, slots: UInt16(truncatingIfNeeded: walk.slots))
            returns.add(scratch.chains, 1)
            next.advance(walk.slots, size: size)
            done &+= 1
        }
        ring.pointee.next = next
        returns.hold()
    }

    /// What a loop over many buffers keeps in registers.
    private struct BufferCheck {
        let header: Int
        let room: UInt
        let hasOffloads: Bool
        let region: GuestRegion
        let memory: GuestMemory

        @inline(__always) @_noLocks
        init(_ receiver: borrowing RingReceiver, first slot: UnsafeMutableRawPointer) {
            (header, room, hasOffloads) = (receiver.header, UInt(bitPattern: receiver.room), receiver.hasOffloads)
            memory = receiver.ring.pointee.memory
            region = memory.region(of: slot.read64(0))
        }

        /// Where a buffer is that holds a frame as a whole, with its header, and fits into one buffer of the pool; nil: it is not such a one.
        @inline(__always) @_noLocks
        func whole(_ descriptor: RingDescriptor) -> UnsafeMutableRawPointer? {
            // This is false for a length of nothing but the header, or less, too.
            guard UInt(bitPattern: Int(descriptor.length) &- header &- 1) < room,
                let bytes = region.host(descriptor.address, UInt64(descriptor.length)) ?? memory.host(descriptor.address, UInt64(descriptor.length))
            else { return nil }
            // A header often ends a cache line, and the frame begins the next one.
            if hasOffloads { sluice_prefetch(bytes) }
            sluice_prefetch(bytes + header)
            return bytes
        }
    }

    // MARK: Frames

    /// Makes frames of the buffers that were noted, each of which holds one whole behind its header.
    @inline(__always) @_noLocks
    private mutating func takeNoted(_ count: Int) {
        if hasOffloads { takeNoted(count, readsHeaders: true) } else { takeNoted(count, readsHeaders: false) }
    }

    /// - Parameter readsHeaders: a constant.
    @inline(__always) @_noLocks
    private mutating func takeNoted(_ count: Int, readsHeaders: Bool) {
        let free = frames + used, pieces = scratch.pieces, header = header, shortestReferring = mayRefer ? Self.shortestReferring : Int.max
        var kept = 0
        for index in 0..<count {
            let piece = pieces[index], frame = free[kept].unsafelyUnwrapped
            let length = piece.count &- header, bytes = piece.bytes + header
            let wishes = readsHeaders ? piece.bytes.read64(0) : 0
            sluice_frame_begin(frame)
            if length >= shortestReferring {
                sluice_copy(sluice_frame_bytes(frame), bytes, Self.front)
                sluice_frame_refer(frame, UInt16(truncatingIfNeeded: Self.front), UInt32(truncatingIfNeeded: length), bytes + Self.front)
            } else {
                copyFrame(to: sluice_frame_bytes(frame).unsafelyUnwrapped, from: bytes, length)
                sluice_frame_set_length(frame, UInt16(truncatingIfNeeded: length))
            }
            if readsHeaders, _slowPath(!NetHeader(wishes).isPlain), !apply(wishes, piece, to: frame) { continue }
            kept &+= 1
        }
        used &+= kept
    }

    /// Notes in a frame what its sender wants done.
    /// - Parameter wishes: the first eight bytes of its header.
    /// - Returns: false if that cannot be done. The frame goes no further then.
    @inline(never) @_noLocks
    private func apply(_ wishes: UInt64, _ piece: RingPiece, to frame: Frame) -> Bool {
        var header = NetHeader(wishes)
        header.last = UInt32(piece.bytes.read16(8))
        if header.apply(to: frame, ring.pointee.segmentation) { return true }
        reject(.receiveError)
        return false
    }

    /// Makes a frame of a chain of buffers.
    /// - Returns: false if there is no memory for it now; the chain stays available then.
    @inline(never) @_noLocks
    private mutating func take(_ walk: ChainWalk) -> Bool {
        // A long frame is dear, too: a burst ends after half a megabyte.
        spent &+= max(walk.descriptors, walk.bytes &>> 9)
        let length = walk.bytes &- header
        if length <= 0 {
            reject(.runt)
            return true
        }
        if length > longest {
            reject(.oversized)
            return true
        }
        let frame = frames[used].unsafelyUnwrapped
        sluice_frame_begin(frame)
        var cursor = PieceCursor(scratch, count: walk.pieces)
        var wishes = NetHeader()
        var unused: UInt16 = 0
        cursor.read(to: &wishes.first, 8)
        cursor.read(to: &wishes.last, 2)
        cursor.read(to: &unused, header &- 10)
        if !hasOffloads { wishes = NetHeader() }
        if mayRefer, wishes.wantsSegments, length > room, refer(frame, cursor, length) {
            guard wishes.apply(to: frame, ring.pointee.segmentation) else {
                sluice_frame_cut(frame)
                reject(.receiveError)
                return true
            }
            if isToBeSegmented(frame) {
                spent &+= SegmentCutter(frame).left
                used &+= 1
                return true
            }
            // It is one segment of more than a buffer holds, and waits like others.
            sluice_frame_cut(frame)
            sluice_frame_begin(frame)
        }
        guard gather(frame, &cursor, length, room: room, pool) else { return false }
        if !wishes.isPlain, !wishes.apply(to: frame, ring.pointee.segmentation) {
            sluice_frame_cut(frame)
            reject(.receiveError)
            return true
        }
        // So is one of many short segments.
        if isToBeSegmented(frame) { spent &+= SegmentCutter(frame).left }
        used &+= 1
        return true
    }

    /// Copies the front of a frame and leaves the rest where it is. What is decided about such a frame stands in its front: the headers of a frame that is to
    /// be segmented have to be there as a whole.
    /// - Parameter cursor: where the frame begins.
    /// - Returns: false if it is in too many pieces, or the buffers are too small for their list.
    @inline(never) @_noLocks
    private func refer(_ frame: Frame, _ cursor: PieceCursor, _ length: Int) -> Bool {
        guard length > Self.front, room >= Self.front &+ Int(sluice_part_list_room) else { return false }
        var rest = cursor
        rest.read(to: sluice_frame_bytes(frame).unsafelyUnwrapped, Self.front)
        let count = rest.end - rest.piece
        guard count > 0, count <= Int(SLUICE_MOST_PARTS) else { return false }
        sluice_frame_refer_to_parts(
            frame, UInt16(truncatingIfNeeded: Self.front), UInt32(truncatingIfNeeded: length),
            UnsafeRawPointer(rest.piece).assumingMemoryBound(to: sluice_part.self), UInt32(truncatingIfNeeded: count), rest.offset)
        return true
    }

    /// Counts a frame that goes no further. Its buffer is used for the next one.
    @inline(never) @_noLocks
    private func reject(_ reason: DropReason) {
        counters.pointee.receivedFrames &+= 1
        counters.pointee.count(drop: reason)
    }
}
