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
    private let room: Int
    private let header: Int

    /// The longest frame that any port carries: the largest MTU with an Ethernet header and two VLAN tags.
    private static var longest: Int { @_noLocks get { 9_000 + 14 + 8 } }

    @inline(__always) @_noLocks
    private init(
        _ ring: UnsafeMutablePointer<GuestRing>, _ pool: OpaquePointer, _ scratch: RingScratch, _ counters: UnsafeMutablePointer<PortCounters>,
        _ frames: UnsafeMutablePointer<Frame?>
    ) {
        self.ring = ring
        self.pool = pool
        self.scratch = scratch
        self.counters = counters
        self.frames = frames
        room = Int(sluice_pool_room(pool))
        header = Int(ring.pointee.headerLength)
    }

    /// Takes frames out of a ring, and returns their buffers to the guest.
    /// - Returns: how many frames there are. If the ring was found to be broken, `GuestRing.fault` says so.
    @inline(__always) @_noLocks
    static func receive(
        _ ring: UnsafeMutablePointer<GuestRing>, _ wanted: Int, _ pool: OpaquePointer, _ frames: UnsafeMutablePointer<Frame?>, _ scratch: RingScratch,
        _ counters: UnsafeMutablePointer<PortCounters>
    ) -> Int {
        ring.pointee.isPacked
            ? receivePacked(ring, wanted, pool, frames, scratch, counters) : receiveSplit(ring, wanted, pool, frames, scratch, counters)
    }

    // MARK: Split rings (virtio 1.2, 2.7)

    @inline(never) @_noLocks
    private static func receiveSplit(
        _ ring: UnsafeMutablePointer<GuestRing>, _ wanted: Int, _ pool: OpaquePointer, _ frames: UnsafeMutablePointer<Frame?>, _ scratch: RingScratch,
        _ counters: UnsafeMutablePointer<PortCounters>
    ) -> Int {
        let available = Int(ring.pointee.driverArea.acquire16(2) &- ring.pointee.next)
        if available == 0 { return 0 }
        if available > Int(ring.pointee.size) {
            ring.pointee.fault = .tooManyAvailable
            return 0
        }
        let count = min(available, wanted)
        guard sluice_frames_allocate(pool, frames, UInt32(truncatingIfNeeded: count)) == 0 else { return 0 }
        var receiver = RingReceiver(ring, pool, scratch, counters, frames)
        receiver.takeSplit(count)
        if receiver.used < count { sluice_frames_free(frames + receiver.used, UInt32(truncatingIfNeeded: count &- receiver.used)) }
        return receiver.used
    }

    @inline(__always) @_noLocks
    private mutating func takeSplit(_ count: Int) {
        let driverArea = ring.pointee.driverArea, descriptors = ring.pointee.descriptors, memory = ring.pointee.memory
        let size = ring.pointee.size, mask = size &- 1
        let first = ring.pointee.next, firstUsed = ring.pointee.nextUsed
        let returned = ring.pointee.deviceArea + 4
        var done = 0
        while done < count {
            // Looks ahead over frames that are in one buffer each, so that their bytes are on the way when they are copied.
            var simple = 0
            var special: UInt16?
            while done &+ simple < count {
                let head = driverArea.read16(4 + 2 &* Int((first &+ UInt16(truncatingIfNeeded: done &+ simple)) & mask))
                if head >= size {
                    ring.pointee.fault = .noSuchDescriptor
                    break
                }
                let descriptor = RingDescriptor(split: descriptors + Int(head) &* 16)
                let length = Int(descriptor.length)
                guard descriptor.flags & 7 == 0, length > header, length &- header <= room, let bytes = memory.host(descriptor.address, UInt64(descriptor.length)) else {
                    special = head
                    break
                }
                // A header often ends a cache line, and the frame begins the next one.
                sluice_prefetch(bytes)
                sluice_prefetch(bytes + header)
                scratch.pieces[simple] = RingPiece(bytes: bytes, count: length)
                scratch.chains[simple].number = head
                simple &+= 1
            }
            for index in 0..<simple {
                take(scratch.pieces[index])
                returned.write64(8 &* Int((firstUsed &+ UInt16(truncatingIfNeeded: done &+ index)) & mask), UInt64(scratch.chains[index].number))
            }
            done &+= simple
            if let head = special {
                var walk = ChainWalk(pieces: 0)
                guard walk.follow(ring, head: head, writable: false, limit: header &+ Self.longest &+ 1, scratch), take(walk) else { break }
                returned.write64(8 &* Int((firstUsed &+ UInt16(truncatingIfNeeded: done)) & mask), UInt64(head))
                done &+= 1
            } else if done < count {
                break
            }
        }
        if done == 0 { return }
        ring.pointee.next = first &+ UInt16(truncatingIfNeeded: done)
        ring.pointee.nextUsed = firstUsed &+ UInt16(truncatingIfNeeded: done)
        if _slowPath(ring.pointee.isLogged) { ring.log(returned, 8 &* Int(size)) }
        ring.pointee.deviceArea.release16(2, ring.pointee.nextUsed)
        if _slowPath(ring.pointee.isLogged) { ring.log(ring.pointee.deviceArea, 4) }
        ring.tell()
    }

    // MARK: Packed rings (virtio 1.2, 2.8)

    @inline(never) @_noLocks
    private static func receivePacked(
        _ ring: UnsafeMutablePointer<GuestRing>, _ wanted: Int, _ pool: OpaquePointer, _ frames: UnsafeMutablePointer<Frame?>, _ scratch: RingScratch,
        _ counters: UnsafeMutablePointer<PortCounters>
    ) -> Int {
        guard ring.nextIsAvailable else { return 0 }
        let count = min(wanted, Int(ring.pointee.size))
        guard sluice_frames_allocate(pool, frames, UInt32(truncatingIfNeeded: count)) == 0 else { return 0 }
        var receiver = RingReceiver(ring, pool, scratch, counters, frames)
        receiver.takePacked(count)
        if receiver.used < count { sluice_frames_free(frames + receiver.used, UInt32(truncatingIfNeeded: count &- receiver.used)) }
        return receiver.used
    }

    @inline(__always) @_noLocks
    private mutating func takePacked(_ count: Int) {
        let descriptors = ring.pointee.descriptors, memory = ring.pointee.memory, size = ring.pointee.size
        var done = 0
        while done < count {
            var simple = 0
            var special: UInt16?
            var slot = ring.pointee.next, wrap = ring.pointee.wrap
            while done &+ simple < count {
                let place = descriptors + Int(slot) &* 16
                let flags = place.acquire16(14)
                guard GuestRing.isAvailable(flags, wrap) else { break }
                let descriptor = RingDescriptor(packed: place)
                let length = Int(descriptor.length)
                guard flags & 7 == 0, descriptor.number < size, length > header, length &- header <= room,
                    let bytes = memory.host(descriptor.address, UInt64(descriptor.length))
                else {
                    special = flags
                    break
                }
                // A header often ends a cache line, and the frame begins the next one.
                sluice_prefetch(bytes)
                sluice_prefetch(bytes + header)
                scratch.pieces[simple] = RingPiece(bytes: bytes, count: length)
                scratch.chains[simple].number = descriptor.number
                simple &+= 1
                slot &+= 1
                if slot == size { (slot, wrap) = (0, !wrap) }
            }
            for index in 0..<simple {
                take(scratch.pieces[index])
                ring.returnPacked(scratch.chains[index].number, slots: 1, bytes: 0)
            }
            (ring.pointee.next, ring.pointee.wrap) = (slot, wrap)
            done &+= simple
            if let flags = special {
                var walk = ChainWalk(pieces: 0)
                guard walk.followPacked(ring, slot: slot, flags: flags, writable: false, limit: header &+ Self.longest &+ 1, scratch), take(walk) else { break }
                ring.advancePacked(walk.slots)
                ring.returnPacked(walk.identifier, slots: walk.slots, bytes: 0)
                done &+= 1
            } else if done < count {
                break
            }
        }
        if done > 0 { ring.publishPacked() }
    }

    // MARK: Frames

    /// Makes a frame of one buffer that holds it whole, behind its header.
    @inline(__always) @_noLocks
    private mutating func take(_ piece: RingPiece) {
        let frame = frames[used].unsafelyUnwrapped
        let length = piece.count &- header
        var wishes = NetHeader()
        wishes.first = piece.bytes.read64(0)
        copyFrame(to: sluice_frame_bytes(frame).unsafelyUnwrapped, from: piece.bytes + header, length)
        sluice_frame_set_length(frame, UInt16(truncatingIfNeeded: length))
        if _slowPath(!wishes.isPlain) {
            wishes.last = UInt32(piece.bytes.read16(8))
            if !wishes.apply(to: frame) { return reject(.receiveError) }
        }
        used &+= 1
    }

    /// Makes a frame of a chain of buffers.
    /// - Returns: false if there is no memory for it now; the chain stays available then.
    @inline(never) @_noLocks
    private mutating func take(_ walk: ChainWalk) -> Bool {
        let length = walk.bytes &- header
        if length <= 0 {
            reject(.runt)
            return true
        }
        if length > Self.longest {
            reject(.oversized)
            return true
        }
        let frame = frames[used].unsafelyUnwrapped
        var cursor = PieceCursor(scratch, count: walk.pieces)
        var wishes = NetHeader()
        var unused: UInt16 = 0
        cursor.read(to: &wishes.first, 8)
        cursor.read(to: &wishes.last, 2)
        cursor.read(to: &unused, header &- 10)
        guard gather(frame, &cursor, length, room: room, pool) else { return false }
        if !wishes.isPlain, !wishes.apply(to: frame) {
            sluice_frame_cut(frame)
            sluice_frame_clear(frame)
            reject(.receiveError)
            return true
        }
        used &+= 1
        return true
    }

    /// Counts a frame that goes no further. Its buffer is used for the next one.
    @inline(never) @_noLocks
    private func reject(_ reason: DropReason) {
        counters.pointee.receivedFrames &+= 1
        counters.pointee.count(drop: reason)
    }
}
