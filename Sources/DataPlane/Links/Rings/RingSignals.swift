import DPDKShim
import Synchronization

// What both sides of a ring tell each other: that buffers were used or made available, and whether they want to be told.

extension UnsafeMutablePointer<GuestRing> {
    /// Tells the guest that buffers were used, if it wants to be told (virtio 1.2, 2.7.7 and 2.8.10). The guest must see the used buffers before the switch reads
    /// whether it wants to be told, as it may be about to sleep: a full fence stands between `publish` and this.
    @inline(__always) @_noLocks
    func tell() {
        pointee.isUntold = false
        if pointee.isPacked ? wantsPacked() : wantsSplit(), pointee.call >= 0 { sluice_guest_call(pointee.call) }
    }

    /// Moves the place up to which the driver was told, whether or not it wants to be told: else an event that it asks for later would be sought from a place of
    /// long ago, and be taken for one that has passed.
    /// - Returns: the place before; nil: it was not told yet, so it is told in any case.
    @inline(__always) @_noLocks
    private func moveTold() -> UInt16? {
        let old = pointee.hasTold ? pointee.toldUsed : nil
        pointee.toldUsed = pointee.nextUsed.index
        pointee.hasTold = true
        return old
    }

    /// Publishes what a ring holds, by itself, and tells its guest.
    @inline(__always) @_noLocks
    func publishAndTell() {
        if pointee.isHeld { publish() } else if !pointee.isUntold { return }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        tell()
    }

    @inline(__always) @_noLocks
    private func wantsSplit() -> Bool {
        if !pointee.hasEventIndex { return pointee.driverArea.read16(0) & 1 == 0 }
        guard let old = moveTold() else { return true }
        let new = pointee.nextUsed.index
        let event = pointee.driverArea.read16(4 + 2 &* Int(pointee.size))
        return (new &- event &- 1) < (new &- old)
    }

    @inline(__always) @_noLocks
    private func wantsPacked() -> Bool {
        let flags = pointee.driverArea.acquire16(2)
        if !pointee.hasEventIndex { return flags != 1 }
        let told = moveTold()
        if flags != 2 { return flags != 1 }
        guard var old = told else { return true }
        let new = pointee.nextUsed.index
        let place = pointee.driverArea.read16(0)
        var event = place & 0x7fff
        if new <= old { old = old &- pointee.size }
        if pointee.nextUsed.wrap != (place & 0x8000 != 0) { event = event &- pointee.size }
        return (new &- event &- 1) < (new &- old)
    }

    /// Asks the driver not to notify the switch of available buffers: a ring that is polled needs no notification, and each costs the guest an exit.
    @inline(never) @_noLocks
    func silence() {
        if pointee.isPacked {
            pointee.deviceArea.write16(2, 1)
        } else if !pointee.hasEventIndex {
            pointee.deviceArea.write16(0, 1)
        } else {
            // By event index, the driver notifies when it passes an index, so one that it has just passed is as good as none for the next 65 535 buffers.
            pointee.deviceArea.write16(4 + 8 &* Int(pointee.size), pointee.next.index &- 1)
        }
        logSignals()
    }

    /// Asks the driver to notify the switch of the next buffer that it makes available. The caller looks for available buffers once more after this.
    @inline(never) @_noLocks
    func expect() {
        if pointee.isPacked {
            if pointee.hasEventIndex {
                pointee.deviceArea.write16(0, pointee.next.index | (pointee.next.wrap ? 0x8000 : 0))
                pointee.deviceArea.release16(2, 2)
            } else {
                pointee.deviceArea.write16(2, 0)
            }
        } else if pointee.hasEventIndex {
            pointee.deviceArea.write16(4 + 8 &* Int(pointee.size), pointee.next.index)
        } else {
            pointee.deviceArea.write16(0, 0)
        }
        logSignals()
        // The guest must see the request before the caller looks into the ring (2.7.10.1).
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    @inline(__always) @_noLocks
    private func logSignals() {
        if _slowPath(pointee.isLogged) { log(pointee.deviceArea, pointee.isPacked ? 4 : 6 + 8 &* Int(pointee.size)) }
    }

    /// Notes that memory was written, so that a migration copies it again (vhost-user, "Migration").
    @inline(never) @_noLocks
    func log(_ place: UnsafeMutableRawPointer, _ count: Int) {
        guard count > 0, let bits = pointee.logBits else { return }
        let memory = pointee.memory
        for region in 0..<memory.count {
            let offset = UInt64(truncatingIfNeeded: place - memory.regions[region].host)
            guard offset < memory.regions[region].length else { continue }
            let first = memory.regions[region].start &+ offset
            var page = first &>> 12
            let last = (first &+ UInt64(truncatingIfNeeded: count) &- 1) &>> 12
            while page <= last {
                let byte = page &>> 3
                if byte < pointee.logLength {
                    UnsafeMutableRawPointer(bits + Int(truncatingIfNeeded: byte)).assumingMemoryBound(to: Atomic<UInt8>.self).pointee
                        .bitwiseOr(1 &<< UInt8(truncatingIfNeeded: page & 7), ordering: .relaxed)
                }
                page &+= 1
            }
            return
        }
    }
}
