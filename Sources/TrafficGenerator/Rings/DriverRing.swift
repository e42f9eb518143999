import DPDKShim

/// A ring that this process shares with a switch and of which it is the driver (virtio 1.2, 2.7 and 2.8). Every buffer takes one descriptor and holds a whole
/// frame behind its virtio-net header. A buffer that comes back in a place of the ring is offered in the same place the next time, so that no list of free
/// buffers is needed. Where buffers come back in order, a place always has the same buffer: what is written there once stays, and a frame of a packed ring
/// costs a single store.
///
/// Places are counted on without end. A place's slot is its remainder by the ring's size, which is a power of two, and its lap is the quotient.
package struct DriverRing {
    // Fields that are constant.
    /// The ring's descriptors: 16 bytes each.
    package var descriptors: UnsafeMutableRawPointer
    /// Split: the available ring. Packed: the driver's event suppression area.
    package var driverArea: UnsafeMutableRawPointer
    /// Split: the used ring. Packed: the device's event suppression area.
    package var deviceArea: UnsafeMutableRawPointer
    package var size: Int
    package var isPacked: Bool
    /// Whether the switch returns buffers in the order in which they were offered (VIRTIO_F_IN_ORDER).
    package var isInOrder: Bool
    /// The first buffer's header. Buffers are `stride` bytes apart, and the switch has their addresses from the same start.
    var buffers: UnsafeMutableRawPointer
    var stride: Int
    /// What the switch may write into each buffer, header included; 0: the ring carries frames to the switch.
    var capacity: UInt32
    /// Of a ring that carries frames to the switch: the bytes of each buffer, header included.
    var lengths: UnsafeMutablePointer<UInt32>
    /// Told when the switch asks to be told of buffers that were offered.
    var kick: CInt
    // Fields that the worker writes.
    /// How many buffers were offered so far, and how many of them have come back.
    package internal(set) var offered = 0
    package internal(set) var returned = 0
    /// How often the switch returned what it was not offered.
    package internal(set) var faults: UInt64 = 0

    /// The virtio-net header with its number of buffers, as virtio 1.0 has it (virtio 1.2, 5.1.6).
    package static var headerLength: Int { @_noLocks get { 12 } }
    /// VIRTQ_DESC_F_WRITE.
    static var writeFlag: UInt16 { @_noLocks get { 2 } }
    /// VIRTQ_DESC_F_AVAIL and VIRTQ_DESC_F_USED, whose meaning changes with every lap (2.8.1).
    private static var availableBit: UInt64 { @_noLocks get { 1 << (48 + 7) } }
    private static var usedBit: UInt64 { @_noLocks get { 1 << (48 + 15) } }
    /// Buffers in which frames arrived are offered again by so many at once, so that no cache line is written in which the switch is still noting frames.
    package static var leastOffered: Int { @_noLocks get { 64 } }

    @inline(__always)
    var mask: Int { @_noLocks get { size &- 1 } }

    @_noLocks @inline(__always)
    private func isEvenLap(_ place: Int) -> Bool { place & size == 0 }

    /// The bits of a packed descriptor's last eight bytes that say that it is available, in the lap of a place.
    @_noLocks @inline(__always)
    func availableBits(_ place: Int) -> UInt64 { isEvenLap(place) ? Self.availableBit : Self.usedBit }

    /// Whether a packed descriptor's last eight bytes say that it was used, in the lap of a place.
    @_noLocks @inline(__always)
    func isUsed(_ word: UInt64, _ place: Int) -> Bool {
        let bits = Self.availableBit | Self.usedBit
        return word & bits == (isEvenLap(place) ? bits : 0)
    }

    /// A packed descriptor's last eight bytes: the buffer's length and number, and flags.
    @_noLocks @inline(__always)
    func word(_ place: Int, _ number: Int, _ length: UInt32) -> UInt64 {
        UInt64(length) | UInt64(truncatingIfNeeded: number) &<< 32 | (capacity == 0 ? 0 : UInt64(Self.writeFlag) &<< 48) | availableBits(place)
    }

    /// Makes a packed ring's descriptor available.
    @_noLocks @inline(__always)
    func offer(_ place: Int, _ number: Int, _ length: UInt32) {
        let slot = slot(place)
        if !isInOrder { slot.storeBytes(of: UInt64(UInt(bitPattern: header(number))), as: UInt64.self) }
        sluice_store_release_64(slot + 8, word(place, number, length))
    }

    /// The header of a buffer. Whatever a switch has written as the number, it is one of the ring's buffers.
    @_noLocks @inline(__always)
    package func header(_ number: Int) -> UnsafeMutableRawPointer { buffers + (number & mask) &* stride }

    /// The frame of a buffer.
    @_noLocks @inline(__always)
    package func frame(_ number: Int) -> UnsafeMutableRawPointer { header(number) + Self.headerLength }

    /// The slot of a place, with the descriptor that a packed ring has there.
    @_noLocks @inline(__always)
    func slot(_ place: Int) -> UnsafeMutableRawPointer { descriptors + (place & mask) &* 16 }

    /// The number of the buffer that is to be offered in a place, which is the one that came back there in the lap before.
    @_noLocks @inline(__always)
    package func number(_ place: Int) -> Int {
        if isInOrder || place < size { return place & mask }
        let written = isPacked ? slot(place).load(fromByteOffset: 12, as: UInt16.self) : UInt16(truncatingIfNeeded: usedEntry(place))
        return Int(written) & mask
    }

    /// An element of a split ring's used ring: the buffer's number in the lower half and the bytes that were written in the upper one.
    @_noLocks @inline(__always)
    func usedEntry(_ place: Int) -> UInt64 { (deviceArea + (4 &+ 8 &* (place & mask))).loadUnaligned(as: UInt64.self) }
}

extension UnsafeMutablePointer<DriverRing> {
    // MARK: Frames from the switch

    /// Looks for buffers in which frames have arrived.
    /// - Parameter words: gets the length, header included, and the buffer's number (`length | number << 32`) of each; it has room for `most`.
    /// - Returns: how many there are. `finish` is to be called with it.
    @_noLocks @inline(__always)
    package func arrivals(_ words: UnsafeMutablePointer<UInt64>, _ most: Int) -> Int {
        // A copy, which no store into the ring can be taken to have changed.
        let ring = pointee
        let first = ring.returned
        let limit = Swift.min(most, ring.offered &- first)
        var count = 0
        if ring.isPacked {
            while count < limit {
                let place = first &+ count
                let word = sluice_load_acquire_64(ring.slot(place) + 8)
                if !ring.isUsed(word, place) { break }
                words[count] = word & 0xffff_ffff_ffff
                count &+= 1
            }
        } else {
            count = splitReturned(limit)
            for index in 0..<count {
                let entry = ring.usedEntry(first &+ index)
                words[index] = entry &>> 32 | (entry & 0xffff) &<< 32
            }
        }
        return count
    }

    /// Has done with the frames in so many buffers. They are offered again when `leastOffered` of them, or a quarter of the ring, have been read.
    @_noLocks @inline(__always)
    package func finish(_ count: Int) {
        pointee.returned &+= count
        let idle = pointee.size &- (pointee.offered &- pointee.returned)
        if idle >= Swift.min(DriverRing.leastOffered, pointee.size &>> 2) { offerEmpty(idle) }
    }

    /// Offers so many buffers for frames from the switch.
    @_noLocks
    package func offerEmpty(_ count: Int) {
        let ring = pointee
        let first = ring.offered
        if ring.isPacked {
            for place in first..<first &+ count { ring.offer(place, ring.number(place), ring.capacity) }
            pointee.offered = first &+ count
        } else {
            offerSplit(count)
        }
        tell()
    }

    // MARK: Frames to the switch

    /// How many buffers can be filled, up to `wanted`.
    @_noLocks @inline(__always)
    package func room(_ wanted: Int) -> Int {
        let room = pointee.size &- (pointee.offered &- pointee.returned)
        return room >= wanted ? wanted : Swift.min(wanted, collect())
    }

    /// Looks which buffers the switch has returned.
    /// - Returns: how many can be filled now.
    @_noLocks
    func collect() -> Int {
        if pointee.isPacked {
            for _ in 0..<pointee.size where pointee.returned < pointee.offered {
                let place = pointee.returned
                let word = sluice_load_acquire_64(pointee.slot(place) + 8)
                if !pointee.isUsed(word, place) { break }
                // In order, one descriptor may stand for all buffers up to the one that it names (2.8.11).
                var count = pointee.isInOrder ? ((Int(truncatingIfNeeded: word &>> 32) &- place) & pointee.mask) &+ 1 : 1
                if count > pointee.offered &- place {
                    pointee.faults &+= 1
                    count = 1
                }
                pointee.returned = place &+ count
            }
        } else {
            pointee.returned &+= splitReturned(pointee.offered &- pointee.returned)
        }
        return pointee.size &- (pointee.offered &- pointee.returned)
    }

    /// Hands the frames in the next `count` buffers, for which `room` has found room, to the switch. It sees all of them at once.
    @_noLocks @inline(__always)
    package func send(_ count: Int) {
        let ring = pointee
        let first = ring.offered
        if ring.isPacked {
            var place = first &+ count &- 1
            while place >= first {
                let number = ring.number(place)
                ring.offer(place, number, ring.lengths[number])
                place &-= 1
            }
            pointee.offered = first &+ count
        } else {
            offerSplit(count)
        }
        tell()
    }

    /// Sets the length of the frame in a buffer that the switch does not have.
    package func setLength(_ number: Int, _ bytes: Int) {
        let length = UInt32(bytes + DriverRing.headerLength)
        pointee.lengths[number] = length
        if !pointee.isPacked { (pointee.descriptors + number * 16).storeBytes(of: length, toByteOffset: 8, as: UInt32.self) }
    }

    // MARK: Both

    /// Writes all of the ring that does not change, before the switch knows of it, and tells the switch that nobody waits to be told of used buffers.
    package func prepare() {
        for number in 0..<pointee.size {
            let slot = pointee.descriptors + number * 16
            slot.storeBytes(of: UInt64(UInt(bitPattern: pointee.header(number))), as: UInt64.self)
            slot.storeBytes(of: pointee.capacity, toByteOffset: 8, as: UInt32.self)
            guard !pointee.isPacked else { continue }
            slot.storeBytes(of: pointee.capacity == 0 ? 0 : DriverRing.writeFlag, toByteOffset: 12, as: UInt16.self)
            (pointee.driverArea + 4 + 2 * number).storeBytes(of: UInt16(number), as: UInt16.self)
        }
        // RING_EVENT_FLAGS_DISABLE (2.8.10), VIRTQ_AVAIL_F_NO_INTERRUPT (2.7.7).
        pointee.driverArea.storeBytes(of: 1, toByteOffset: pointee.isPacked ? 2 : 0, as: UInt16.self)
    }

    @_noLocks @inline(__always)
    private func offerSplit(_ count: Int) {
        let first = pointee.offered
        if !pointee.isInOrder {
            for place in first..<first &+ count {
                (pointee.driverArea + (4 &+ 2 &* (place & pointee.mask))).storeBytes(of: UInt16(truncatingIfNeeded: pointee.number(place)), as: UInt16.self)
            }
        }
        pointee.offered = first &+ count
        sluice_store_release_16(pointee.driverArea + 2, UInt16(truncatingIfNeeded: pointee.offered))
    }

    /// How many buffers of a split ring have come back, up to `most`. A switch that returns more than it was offered is not followed any further.
    @_noLocks @inline(__always)
    private func splitReturned(_ most: Int) -> Int {
        let count = Int(sluice_load_acquire_16(pointee.deviceArea + 2) &- UInt16(truncatingIfNeeded: pointee.returned))
        if count > pointee.offered &- pointee.returned {
            pointee.faults &+= 1
            return 0
        }
        return Swift.min(count, most)
    }

    /// Tells the switch that buffers were offered, if it wants to be told. The switch must be able to see them before this looks whether it does, as it may be
    /// about to sleep.
    @_noLocks @inline(__always)
    private func tell() {
        sluice_fence()
        let wants = pointee.isPacked ? sluice_load_acquire_16(pointee.deviceArea + 2) != 1 : sluice_load_acquire_16(pointee.deviceArea) & 1 == 0
        if wants { sluice_event_signal(pointee.kick) }
    }
}
