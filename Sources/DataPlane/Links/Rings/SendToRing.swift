import DPDKShim

/// What it takes to copy frames into a ring.
struct RingSender {
    let ring: UnsafeMutablePointer<GuestRing>
    let scratch: RingScratch
    private let header: Int

    /// Copies frames into buffers of a guest's ring.
    /// - Returns: how many frames were copied. Fewer than `count`: there are no more buffers, or none that is long enough for the next frame. If the ring was found
    ///   to be broken, `GuestRing.fault` says so.
    @inline(__always) @_noLocks
    static func send(_ ring: UnsafeMutablePointer<GuestRing>, _ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ scratch: RingScratch) -> Int {
        let sender = RingSender(ring: ring, scratch: scratch, header: Int(ring.pointee.headerLength))
        return ring.pointee.isPacked ? sender.sendPacked(frames, count) : sender.sendSplit(frames, count)
    }

    // MARK: Split rings (virtio 1.2, 2.7)

    @inline(never) @_noLocks
    private func sendSplit(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int) -> Int {
        let driverArea = ring.pointee.driverArea, descriptors = ring.pointee.descriptors, memory = ring.pointee.memory
        let size = ring.pointee.size, mask = size &- 1
        var next = ring.pointee.next, used = ring.pointee.nextUsed
        var available = Int(driverArea.acquire16(2) &- next)
        if available > Int(size) {
            ring.pointee.fault = .tooManyAvailable
            return 0
        }
        let returned = ring.pointee.deviceArea + 4
        var done = 0
        while done < count && available > 0 {
            // Looks ahead over frames that fit into one buffer each.
            var simple = 0
            let most = min(count &- done, available)
            while simple < most {
                let head = driverArea.read16(4 + 2 &* Int((next &+ UInt16(truncatingIfNeeded: simple)) & mask))
                guard head < size else { break }
                let descriptor = RingDescriptor(split: descriptors + Int(head) &* 16)
                let frame = frames[done &+ simple].unsafelyUnwrapped
                let length = header &+ Int(sluice_frame_length(frame))
                guard descriptor.flags & 7 == RingDescriptor.write, Int(descriptor.length) >= length, sluice_frame_segments(frame) == 1,
                    let bytes = memory.host(descriptor.address, UInt64(length))
                else { break }
                sluice_prefetch_for_writing(bytes)
                sluice_prefetch_for_writing(bytes + header)
                scratch.pieces[simple] = RingPiece(bytes: bytes, count: length)
                scratch.chains[simple].number = head
                simple &+= 1
            }
            for index in 0..<simple {
                put(frames[done &+ index].unsafelyUnwrapped, scratch.pieces[index])
                returned.write64(
                    8 &* Int((used &+ UInt16(truncatingIfNeeded: index)) & mask),
                    UInt64(scratch.chains[index].number) | UInt64(scratch.pieces[index].count) &<< 32)
            }
            next = next &+ UInt16(truncatingIfNeeded: simple)
            used = used &+ UInt16(truncatingIfNeeded: simple)
            available &-= simple
            done &+= simple
            if simple == most { continue }
            // The next frame needs several buffers, or comes in several parts, or its buffer does.
            let chains = putSplit(frames[done].unsafelyUnwrapped, next, available)
            if chains == 0 { break }
            for index in 0..<chains {
                returned.write64(
                    8 &* Int((used &+ UInt16(truncatingIfNeeded: index)) & mask),
                    UInt64(scratch.chains[index].number) | UInt64(scratch.chains[index].bytes) &<< 32)
            }
            next = next &+ UInt16(truncatingIfNeeded: chains)
            used = used &+ UInt16(truncatingIfNeeded: chains)
            available &-= chains
            done &+= 1
        }
        if done == 0 { return 0 }
        ring.pointee.next = next
        ring.pointee.nextUsed = used
        if _slowPath(ring.pointee.isLogged) { ring.log(returned, 8 &* Int(size)) }
        ring.pointee.deviceArea.release16(2, used)
        if _slowPath(ring.pointee.isLogged) { ring.log(ring.pointee.deviceArea, 4) }
        ring.tell()
        return done
    }

    /// Puts a frame into as many buffers as it takes.
    /// - Returns: their number, with what is to be returned in `scratch.chains`; 0: it does not fit into what is available.
    @inline(never) @_noLocks
    private func putSplit(_ frame: Frame, _ next: UInt16, _ available: Int) -> Int {
        let needed = header &+ Int(sluice_frame_length(frame))
        var walk = ChainWalk(pieces: 0)
        var chains = 0
        while walk.bytes < needed {
            guard chains < available, chains < RingScratch.most, chains == 0 || ring.pointee.isMergeable else { return 0 }
            let head = ring.pointee.driverArea.read16(4 + 2 &* Int((next &+ UInt16(truncatingIfNeeded: chains)) & (ring.pointee.size &- 1)))
            let before = walk.bytes
            guard walk.follow(ring, head: head, writable: true, limit: needed, scratch) else { return 0 }
            scratch.chains[chains] = (head, 1, UInt32(truncatingIfNeeded: min(walk.bytes, needed) &- before))
            chains &+= 1
        }
        put(frame, walk, chains)
        return chains
    }

    // MARK: Packed rings (virtio 1.2, 2.8)

    @inline(never) @_noLocks
    private func sendPacked(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int) -> Int {
        let descriptors = ring.pointee.descriptors, memory = ring.pointee.memory, size = ring.pointee.size
        var done = 0
        while done < count {
            var simple = 0
            var isEmpty = false
            var slot = ring.pointee.next, wrap = ring.pointee.wrap
            while simple < min(count &- done, Int(size)) {
                let place = descriptors + Int(slot) &* 16
                let flags = place.acquire16(14)
                guard GuestRing.isAvailable(flags, wrap) else {
                    isEmpty = true
                    break
                }
                let descriptor = RingDescriptor(packed: place)
                let frame = frames[done &+ simple].unsafelyUnwrapped
                let length = header &+ Int(sluice_frame_length(frame))
                guard flags & 7 == RingDescriptor.write, descriptor.number < size, Int(descriptor.length) >= length, sluice_frame_segments(frame) == 1,
                    let bytes = memory.host(descriptor.address, UInt64(length))
                else { break }
                sluice_prefetch_for_writing(bytes)
                sluice_prefetch_for_writing(bytes + header)
                scratch.pieces[simple] = RingPiece(bytes: bytes, count: length)
                scratch.chains[simple].number = descriptor.number
                simple &+= 1
                slot &+= 1
                if slot == size { (slot, wrap) = (0, !wrap) }
            }
            for index in 0..<simple {
                put(frames[done &+ index].unsafelyUnwrapped, scratch.pieces[index])
                ring.returnPacked(scratch.chains[index].number, slots: 1, bytes: UInt32(truncatingIfNeeded: scratch.pieces[index].count))
            }
            (ring.pointee.next, ring.pointee.wrap) = (slot, wrap)
            done &+= simple
            if isEmpty || done == count { break }
            if simple == Int(size) { continue }
            let chains = putPacked(frames[done].unsafelyUnwrapped)
            if chains == 0 { break }
            for index in 0..<chains {
                ring.advancePacked(Int(scratch.chains[index].slots))
                ring.returnPacked(scratch.chains[index].number, slots: Int(scratch.chains[index].slots), bytes: scratch.chains[index].bytes)
            }
            done &+= 1
        }
        if done > 0 { ring.publishPacked() }
        return done
    }

    @inline(never) @_noLocks
    private func putPacked(_ frame: Frame) -> Int {
        let needed = header &+ Int(sluice_frame_length(frame))
        let size = ring.pointee.size
        var walk = ChainWalk(pieces: 0)
        var chains = 0, slots = 0
        var slot = ring.pointee.next, wrap = ring.pointee.wrap
        while walk.bytes < needed {
            guard slots < Int(size), chains < RingScratch.most, chains == 0 || ring.pointee.isMergeable else { return 0 }
            let flags = (ring.pointee.descriptors + Int(slot) &* 16).acquire16(14)
            guard GuestRing.isAvailable(flags, wrap) else { return 0 }
            let before = walk.bytes
            guard walk.followPacked(ring, slot: slot, flags: flags, writable: true, limit: needed, scratch) else { return 0 }
            scratch.chains[chains] = (walk.identifier, UInt16(truncatingIfNeeded: walk.slots), UInt32(truncatingIfNeeded: min(walk.bytes, needed) &- before))
            chains &+= 1
            slots &+= walk.slots
            let behind = Int(slot) &+ walk.slots
            if behind >= Int(size) {
                slot = UInt16(truncatingIfNeeded: behind &- Int(size))
                wrap = !wrap
            } else {
                slot = UInt16(truncatingIfNeeded: behind)
            }
        }
        put(frame, walk, chains)
        return chains
    }

    // MARK: Frames

    /// Copies a frame and its header into a buffer that holds both.
    @inline(__always) @_noLocks
    private func put(_ frame: Frame, _ piece: RingPiece) {
        var wishes = NetHeader(for: frame)
        wishes.set(buffers: 1)
        piece.bytes.storeBytes(of: wishes.first, as: UInt64.self)
        if header == 12 {
            piece.bytes.storeBytes(of: wishes.last, toByteOffset: 8, as: UInt32.self)
        } else {
            piece.bytes.storeBytes(of: UInt16(truncatingIfNeeded: wishes.last), toByteOffset: 8, as: UInt16.self)
        }
        copyFrame(to: piece.bytes + header, from: sluice_frame_bytes(frame).unsafelyUnwrapped, piece.count &- header)
        if _slowPath(ring.pointee.isLogged) { ring.log(piece.bytes, piece.count) }
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
