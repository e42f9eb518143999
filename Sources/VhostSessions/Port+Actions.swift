import Glibc
import VhostUser

/// What a session says is done here.
extension Port {
    /// Does all that the session has to say.
    /// - Returns: why the connection is to be closed; nil: it is not.
    func carryOut(_ now: UInt64, write: (String) -> Void) -> String? {
        var end: String?
        while let action = session?.next() {
            switch action {
            case .stop(let rings):
                for (ring, position) in zip(rings, delegate.stop(rings)) { session?.stopped(ring, at: position) }
            case .start(let setup): if let ring = ring(setup) { delegate.start(ring) }
            case .map(let region): map(region)
            case .unmap(let id):
                guard let region = regions.removeValue(forKey: id) else { break }
                order.removeAll { $0 == id }
                delegate.willUnmap(region)
                munmap(region.mapping.baseAddress, region.mapping.count)
            case .mapLog(let region): map(region)
            case .unmapLog:
                guard let log else { break }
                self.log = nil
                delegate.willUnmap(log)
                munmap(log.mapping.baseAddress, log.mapping.count)
            case .close(let descriptor): close(descriptor)
            case .reply(let bytes): end = end ?? connection?.send(bytes, now)
            case .features(let features, let protocolFeatures): delegate.agreed(features, protocolFeatures)
            case .mtu(let mtu): delegate.mtu(Int(mtu))
            case .status(let status): delegate.status(status)
            case .rarp(let address): delegate.announce(address)
            case .note(let sentence): write(sentence)
            case .hangUp(let sentence): end = end ?? sentence
            }
        }
        return end
    }

    private func map(_ region: MemoryRegion) {
        if options.requiresSealedMemory, !region.descriptor.facts.isSealedAgainstShrinking {
            let reason = """
                the memory region of \(region.size) bytes at guest address 0x\(String(region.guestAddress, radix: 16)) has a file that could become shorter: \
                seal it (QEMU: memory-backend-memfd, whose standard is seal=on), or write require-sealed: false
                """
            session?.failed(reason)
            delegate.refusedMemory(because: reason)
            return
        }
        do throws(VhostError) {
            let mapping = try Mapping(region.descriptor.number, offset: region.offset, size: region.size)
            let mapped = GuestMemoryRegion(
                id: region.id, guestStart: region.guestAddress, userStart: region.userAddress, length: region.size, hostPointer: mapping.start, mapping: mapping.all,
                device: region.descriptor.facts.device, inode: region.descriptor.facts.inode)
            regions[region.id] = mapped
            order.append(region.id)
            delegate.mapped(mapped)
        } catch {
            session?.failed(error.description)
        }
    }

    private func map(_ region: LogRegion) {
        do throws(VhostError) {
            let mapping = try Mapping(region.descriptor.number, offset: region.offset, size: region.size)
            let mapped = DirtyLog(bits: mapping.start.assumingMemoryBound(to: UInt8.self), length: region.size, mapping: mapping.all)
            log = mapped
            delegate.mapped(mapped)
        } catch {
            session?.failed(error.description)
        }
    }

    private func ring(_ setup: RingSetup) -> StartedRing? {
        guard let descriptors = pointer(setup.descriptors), let driver = pointer(setup.driverArea), let device = pointer(setup.deviceArea) else { return nil }
        return StartedRing(
            index: setup.index, size: setup.size, features: setup.features, isPacked: setup.isPacked, descriptors: descriptors, driverArea: driver, deviceArea: device,
            position: setup.position, positionSource: setup.positionSource, logAddress: setup.logAddress, call: setup.call, kick: setup.kick, error: setup.error,
            memory: order.compactMap { regions[$0] }, log: log)
    }

    private func pointer(_ place: RegionPlace) -> UnsafeMutableRawPointer? { regions[place.region].map { $0.hostPointer + Int(place.offset) } }
}
