import DPDKShim

/// What it takes to copy frames into a ring.
struct RingSender {
    let ring: UnsafeMutablePointer<GuestRing>
    let scratch: RingScratch
    private let header: Int
    /// How many descriptors were followed for frames that did not fit into one. A call ends when they are many, so that a ring whose frames are dear costs its own
    /// guest; the other frames wait for the next turn.
    private var spent = 0

    @inline(__always) @_noLocks
    private init(_ ring: UnsafeMutablePointer<GuestRing>, _ scratch: RingScratch) {
        self.ring = ring
        self.scratch = scratch
        header = Int(ring.pointee.headerLength)
    }

    /// Copies frames into buffers of a guest's ring.
    /// - Returns: how many frames were copied. Fewer than `count`: there are no more buffers, or none that is long enough for the next frame. If the ring was found
    ///   to be broken, `GuestRing.fault` says so. If `GuestRing.isHeld`, `publish` is to follow.
    @inline(never) @_noLocks
    static func send(_ ring: UnsafeMutablePointer<GuestRing>, _ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ scratch: RingScratch) -> Int {
        var sender = RingSender(ring, scratch)
        return ring.pointee.isPacked ? sender.sendPacked(frames, count) : sender.sendSplit(frames, count)
    }

    /// Copies frames into a split ring (virtio 1.2, 2.7).
    @inline(__always) @_noLocks
    private mutating func sendSplit(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int) -> Int {
        let driverArea = ring.pointee.driverArea, descriptors = ring.pointee.descriptors
        let size = ring.pointee.size, mask = size &- 1, scratch = scratch
        var next = ring.pointee.next.index, used = ring.pointee.nextUsed.index
        var available = ring.available
        let check = BufferCheck(self, first: descriptors + Int(driverArea.read16(4 + 2 &* Int(next & mask)) & mask) &* 16)
        var done = 0
        while done < count, available > 0, spent < RingScratch.most {
            // Looks ahead over frames that fit into one buffer each.
            var simple = 0
            let most = min(count &- done, available)
            while simple < most {
                let head = driverArea.read16(4 + 2 &* Int((next &+ UInt16(truncatingIfNeeded: simple)) & mask))
                guard head < size else { break }
                let descriptor = RingDescriptor(descriptors + Int(head) &* 16, packed: false)
                guard descriptor.kind == RingDescriptor.write, let piece = check.fits(frames[done &+ simple].unsafelyUnwrapped, descriptor) else { break }
                scratch.note(simple, piece.bytes, piece.count, UsedBuffer(number: head, bytes: UInt32(truncatingIfNeeded: piece.count)))
                simple &+= 1
            }
            var taken = simple
            putNoted(frames + done, simple)
            ring.returnSplit(scratch.chains, simple, from: used)
            done &+= simple
            if simple != most {
                // The next frame needs several buffers, or comes in several parts, or its buffer does.
                let chains = putSplit(frames[done].unsafelyUnwrapped, next &+ UInt16(truncatingIfNeeded: simple), available &- simple)
                ring.returnSplit(scratch.chains, chains, from: used &+ UInt16(truncatingIfNeeded: simple))
                taken &+= chains
                if chains == 0 { available = 0 } else { done &+= 1 }
            }
            next = next &+ UInt16(truncatingIfNeeded: taken)
            used = used &+ UInt16(truncatingIfNeeded: taken)
            available &-= taken
        }
        if done == 0 { return 0 }
        ring.pointee.next.index = next
        ring.hold(upTo: used)
        return done
    }

    /// Puts a frame into as many buffers as it takes.
    /// - Returns: their number, with what is to be returned in `scratch.chains`; 0: it does not fit into what is available.
    @inline(never) @_noLocks
    private mutating func putSplit(_ frame: Frame, _ next: UInt16, _ available: Int) -> Int {
        let needed = header &+ Int(sluice_frame_length(frame))
        var walk = ChainWalk()
        defer { spent &+= walk.descriptors }
        var chains = 0
        while walk.bytes < needed {
            guard chains < available, chains == 0 || ring.pointee.isMergeable else { return 0 }
            let head = ring.pointee.driverArea.read16(4 + 2 &* Int((next &+ UInt16(truncatingIfNeeded: chains)) & (ring.pointee.size &- 1)))
            let before = walk.bytes
            guard walk.follow(ring, head: head, writable: true, limit: needed, scratch) else { return 0 }
            scratch.chains[chains] = UsedBuffer(number: head, bytes: UInt32(truncatingIfNeeded: min(walk.bytes, needed) &- before))
            chains &+= 1
        }
        put(frame, walk, chains)
        return chains
    }

    /// Copies frames into a packed ring (virtio 1.2, 2.8).
    @inline(__always) @_noLocks
    private mutating func sendPacked(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int) -> Int {
        let descriptors = ring.pointee.descriptors, size = ring.pointee.size, scratch = scratch
        var next = ring.pointee.next
        // These descriptors are read now and written soon after, so their lines are wanted for writing at once.
        let lines = (min(count, Int(size &- next.index)) &+ 3) &>> 2
        for line in 0..<lines { sluice_prefetch_for_writing(descriptors + (Int(next.index) &* 16 &+ line &* 64)) }
        let check = BufferCheck(self, first: descriptors + Int(next.index) &* 16)
        var returns = PackedReturns(ring)
        var done = 0
        while done < count, spent < RingScratch.most {
            // Looks ahead as far as the ring's end, over frames that fit into one buffer each.
            let run = min(count &- done, Int(size &- next.index)), wanted = GuestRing.availableBits(next.wrap) | RingDescriptor.write
            var slot = descriptors + Int(next.index) &* 16
            var simple = 0
            while simple < run {
                let descriptor = RingDescriptor(slot, packed: true)
                guard descriptor.flags & (GuestRing.stateBits | RingDescriptor.kinds) == wanted, descriptor.number < size,
                    let piece = check.fits(frames[done &+ simple].unsafelyUnwrapped, descriptor)
                else { break }
                scratch.note(simple, piece.bytes, piece.count, UsedBuffer(number: descriptor.number, bytes: UInt32(truncatingIfNeeded: piece.count)))
                simple &+= 1
                slot += 16
            }
            putNoted(frames + done, simple)
            returns.add(simple: scratch.chains, simple, written: true)
            next.advance(simple, size: size)
            done &+= simple
            if simple == run { continue }
            // The next frame needs several buffers, or comes in several parts, or its buffer does; or there is none.
            let chains = putPacked(frames[done].unsafelyUnwrapped, &next)
            if chains == 0 { break }
            returns.add(scratch.chains, chains)
            done &+= 1
        }
        ring.pointee.next = next
        returns.hold()
        return done
    }

    /// Does the same as `putSplit`, for a packed ring.
    /// - Parameter next: where the first buffer is; if the frame fits, the place behind the last.
    @inline(never) @_noLocks
    private mutating func putPacked(_ frame: Frame, _ next: inout RingPlace) -> Int {
        let needed = header &+ Int(sluice_frame_length(frame))
        let size = ring.pointee.size
        var walk = ChainWalk()
        defer { spent &+= walk.descriptors }
        var place = next
        var chains = 0, slots = 0
        while walk.bytes < needed {
            guard slots < Int(size), chains == 0 || ring.pointee.isMergeable else { return 0 }
            let first = RingDescriptor(ring.pointee.descriptors + Int(place.index) &* 16, packed: true)
            guard GuestRing.isAvailable(first.flags, place.wrap) else { return 0 }
            let before = walk.bytes
            guard walk.follow(ring, first, at: place.index, writable: true, limit: needed, scratch) else { return 0 }
            scratch.chains[chains] = UsedBuffer(
                number: walk.identifier, slots: UInt16(truncatingIfNeeded: walk.slots), bytes: UInt32(truncatingIfNeeded: min(walk.bytes, needed) &- before))
            chains &+= 1
            slots &+= walk.slots
            place.advance(walk.slots, size: size)
        }
        put(frame, walk, chains)
        next = place
        return chains
    }

    /// What a loop over many buffers keeps in registers.
    private struct BufferCheck {
        let header: Int
        let region: GuestRegion
        let memory: GuestMemory

        @inline(__always) @_noLocks
        init(_ sender: borrowing RingSender, first slot: UnsafeMutableRawPointer) {
            (header, memory) = (sender.header, sender.ring.pointee.memory)
            region = memory.region(of: slot.read64(0))
        }

        /// The part of a buffer that a frame takes as a whole, with its header; nil: it has no room for it, or the frame comes in several parts.
        @inline(__always) @_noLocks
        func fits(_ frame: Frame, _ descriptor: RingDescriptor) -> RingPiece? {
            let length = header &+ Int(sluice_frame_length(frame))
            guard Int(descriptor.length) >= length, sluice_frame_segments(frame) == 1,
                let bytes = region.host(descriptor.address, UInt64(length)) ?? memory.host(descriptor.address, UInt64(length))
            else { return nil }
            sluice_prefetch_for_writing(bytes)
            sluice_prefetch_for_writing(bytes + header)
            return RingPiece(bytes: bytes, count: length)
        }
    }

    // MARK: Frames

    /// Copies frames and their headers into the buffers that were noted, each of which holds both.
    @inline(__always) @_noLocks
    private func putNoted(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int) {
        let pieces = scratch.pieces, header = header
        for index in 0..<count {
            let piece = pieces[index], frame = frames[index].unsafelyUnwrapped
            var wishes = NetHeader(for: frame)
            wishes.set(buffers: 1)
            piece.bytes.storeBytes(of: wishes.first, as: UInt64.self)
            if header == 12 {
                piece.bytes.storeBytes(of: wishes.last, toByteOffset: 8, as: UInt32.self)
            } else {
                piece.bytes.storeBytes(of: UInt16(truncatingIfNeeded: wishes.last), toByteOffset: 8, as: UInt16.self)
            }
            let length = piece.count &- header, front = Int(sluice_frame_contiguous(frame))
            copyFrame(to: piece.bytes + header, from: sluice_frame_bytes(frame).unsafelyUnwrapped, front)
            // What the frame refers to goes from one guest's buffer into the other's.
            if front != length { sluice_copy(piece.bytes + header + front, sluice_frame_rest(frame), length &- front) }
        }
        if _slowPath(ring.pointee.isLogged) { for index in 0..<count { ring.log(pieces[index].bytes, pieces[index].count) } }
    }

    /// Copies a frame and its header into several buffers.
    @inline(never) @_noLocks
    private func put(_ frame: Frame, _ walk: ChainWalk, _ chains: Int) {
        var wishes = NetHeader(for: frame)
        wishes.set(buffers: chains)
        var cursor = PieceCursor(scratch, count: walk.pieces)
        cursor.write(from: &wishes.first, 8)
        cursor.write(from: &wishes.last, header &- 8)
        scatter(frame, &cursor)
        if _slowPath(ring.pointee.isLogged) {
            for index in 0..<walk.pieces { ring.log(scratch.pieces[index].bytes, scratch.pieces[index].count) }
        }
    }
}
