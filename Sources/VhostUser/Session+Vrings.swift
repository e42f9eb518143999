extension Session {
    /// "Set the size of the queue."
    mutating func setVringSize(_ message: inout Message) throws(Refusal) -> [Step] {
        let (ring, size) = try ringAndNumber(message)
        guard size >= 1, size <= RingLayout.largestRing, let size = UInt16(exactly: size) else {
            throw Refusal("SET_VRING_NUM says that ring \(ring) has \(size) descriptors; it can have 1 to \(RingLayout.largestRing)")
        }
        if rings[ring].runs { throw Refusal("SET_VRING_NUM came while ring \(ring) was running") }
        rings[ring].size = size
        message.touched = ring
        return []
    }

    mutating func setVringAddress(_ message: inout Message) throws(Refusal) -> [Step] {
        guard let addresses = VringAddresses(message.payload) else { throw Refusal("SET_VRING_ADDR was cut short") }
        let ring = try ring(UInt64(addresses.index))
        if addresses.flags & ~VringAddresses.logFlag != 0 {
            throw Refusal("SET_VRING_ADDR has flags that are not known: \(hexadecimal(UInt64(addresses.flags)))")
        }
        message.touched = ring
        if rings[ring].addresses == addresses { return [] }
        rings[ring].addresses = addresses
        return stop(ring)
    }

    mutating func setVringBase(_ message: inout Message) throws(Refusal) -> [Step] {
        let (ring, number) = try ringAndNumber(message)
        message.touched = ring
        // Its own position, which it tells when it stops, counts no longer.
        return stop(ring) + [.setBase(ring: ring, number)]
    }

    /// "Stop ring upon receiving GET_VRING_BASE". It starts again with the next kick descriptor.
    mutating func getVringBase(_ message: inout Message) throws(Refusal) -> [Step] {
        let (ring, _) = try ringAndNumber(message)
        let kick = rings[ring].kick
        rings[ring].kick = .unset
        return stop(ring) + close(kick) + [.tellBase(ring: ring)]
    }

    mutating func setVringEnable(_ message: inout Message) throws(Refusal) -> [Step] {
        let (ring, number) = try ringAndNumber(message)
        guard number <= 1 else { throw Refusal("SET_VRING_ENABLE says \(number) for ring \(ring); it can say 0 or 1") }
        message.touched = ring
        rings[ring].isEnabled = number == 1
        return isEnabled(ring) ? [] : stop(ring)
    }

    /// Kick, call and error: "Bits (0-7) of the payload contain the vring index. Bit 8 is the invalid FD flag."
    mutating func setVringEvent(_ request: Request, _ event: WritableKeyPath<Vring, Vring.Event> & Sendable, _ message: inout Message) throws(Refusal) -> [Step] {
        let ring = try ring(message.number & 0xff)
        let expected = message.number & 0x100 == 0 ? 1 : 0
        guard message.descriptors.count == expected else {
            throw Refusal("\(request.name) of ring \(ring) came with \(message.descriptors.count) descriptors instead of \(expected)")
        }
        if let other = message.descriptors.first(where: { !$0.facts.tellsEvents }) {
            throw Refusal("\(request.name) of ring \(ring) came with \(other.facts.kind.rawValue) instead of an eventfd or a pipe")
        }
        let old = rings[ring][keyPath: event]
        rings[ring][keyPath: event] = message.takeDescriptor().map { .descriptor($0.number) } ?? .none
        if request == .setVringKick { message.touched = ring }
        return stop(ring) + close(old)
    }

    private func ringAndNumber(_ message: Message) throws(Refusal) -> (Int, UInt32) {
        guard let state = VringState(message.payload) else { throw Refusal("a vring state was cut short") }
        return (try ring(UInt64(state.index)), state.number)
    }

    private func ring(_ index: UInt64) throws(Refusal) -> Int {
        guard index < rings.count else { throw Refusal("there is no ring \(index): \(offer.queuePairs) queue pairs have rings 0 to \(rings.count - 1)") }
        return Int(index)
    }

    /// Section "Ring states": without VHOST_USER_F_PROTOCOL_FEATURES, a ring starts in the enabled state.
    private func isEnabled(_ ring: Int) -> Bool { rings[ring].isEnabled || features.map { !$0.contains(.protocolFeatures) } ?? false }
}

// MARK: What a ring needs to run

extension Session {
    enum Readiness {
        case incomplete
        case complete(RingSetup)
        case wrong(String)
    }

    /// Whether a ring can run, and how.
    func setup(_ index: Int) -> Readiness {
        let ring = rings[index]
        guard let features, let size = ring.size, let addresses = ring.addresses, isEnabled(index), !memory.regions.isEmpty else { return .incomplete }
        if case .unset = ring.kick { return .incomplete }
        if protocolFeatures.contains(.status), !status.contains(.driverOK) { return .incomplete }
        // After a reconnection in the middle of a migration, QEMU agrees on logging before it tells where.
        if features.contains(.logAll), log == nil { return .incomplete }

        let isPacked = features.contains(.ringPacked)
        // "Queue Size value is always a power of 2" (virtio 1.2, 2.7); it need not be in a packed ring (2.8.10.1).
        if !isPacked, size & (size - 1) != 0 { return .wrong("ring \(index) cannot run: \(size) descriptors are no power of two") }
        let position = ring.position(packed: isPacked)
        if !position.fits(size) { return .wrong("ring \(index) cannot run: it is to go on at a place beyond its \(size) descriptors") }
        let layout = RingLayout.parts(size: size, packed: isPacked)
        do throws(Refusal) {
            let device = try place(layout.device, addresses.used, index)
            var logAddress: UInt64?
            if features.contains(.logAll), addresses.flags & VringAddresses.logFlag != 0 {
                guard log?.covers(addresses.log, length: layout.device.length) == true else {
                    throw Refusal("ring \(index) cannot run: its writes are to be logged at \(hexadecimal(addresses.log)), where the log has no room")
                }
                logAddress = addresses.log
            }
            return .complete(RingSetup(
                index: index, size: size, features: features, descriptors: try place(layout.descriptors, addresses.descriptors, index),
                driverArea: try place(layout.driver, addresses.available, index), deviceArea: device, position: position,
                positionSource: ring.positionSource, logAddress: logAddress, call: ring.call.descriptor, kick: ring.kick.descriptor, error: ring.error.descriptor))
        } catch {
            return .wrong(error.sentence)
        }
    }

    /// Where a part of a ring lies. Its alignment is that of its place in the file: mappings begin at pages.
    private func place(_ part: RingLayout, _ address: UInt64, _ index: Int) throws(Refusal) -> RegionPlace {
        guard let place = memory.place(ofUserAddress: address, length: part.length), let region = memory.regions.first(where: { $0.id == place.region }) else {
            throw Refusal("ring \(index) cannot run: its \(part.name) (\(part.length) bytes at \(hexadecimal(address))) lies in no memory region")
        }
        guard (region.offset + place.offset) % part.alignment == 0 else {
            throw Refusal("ring \(index) cannot run: its \(part.name) at \(hexadecimal(address)) is not aligned to \(part.alignment) bytes")
        }
        return place
    }
}
