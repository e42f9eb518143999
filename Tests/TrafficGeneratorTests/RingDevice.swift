import TrafficGenerator

/// The other side of a ring, written from virtio 1.2, 2.7 and 2.8: it takes buffers and returns them in any order that the features allow.
struct RingDevice {
    struct Buffer: Equatable {
        var number: Int
        var start: UnsafeMutableRawPointer
        var length: Int

        /// The first eight bytes of its frame.
        var label: UInt64 {
            get { (start + DriverRing.headerLength).loadUnaligned(as: UInt64.self) }
            nonmutating set { (start + DriverRing.headerLength).storeBytes(of: newValue, as: UInt64.self) }
        }
    }

    private let descriptors: UnsafeMutableRawPointer
    private let driverArea: UnsafeMutableRawPointer
    private let deviceArea: UnsafeMutableRawPointer
    private let size: Int
    private let isPacked: Bool
    private var next = 0
    private var used = 0

    init(_ ring: UnsafeMutablePointer<DriverRing>) {
        let ring = ring.pointee
        (descriptors, driverArea, deviceArea, size, isPacked) = (ring.descriptors, ring.driverArea, ring.deviceArea, ring.size, ring.isPacked)
    }

    /// Takes the available buffers.
    mutating func take(_ most: Int = .max) -> [Buffer] {
        var taken: [Buffer] = []
        while taken.count < most {
            var number: Int, slot: UnsafeMutableRawPointer
            if isPacked {
                slot = descriptors + 16 * (next % size)
                let flags = slot.load(fromByteOffset: 14, as: UInt16.self), wrap = next / size % 2 == 0
                guard (flags & 1 << 7 != 0) == wrap, (flags & 1 << 15 != 0) != wrap else { break }
                number = Int(slot.load(fromByteOffset: 12, as: UInt16.self))
            } else {
                guard (driverArea + 2).load(as: UInt16.self) != UInt16(truncatingIfNeeded: next) else { break }
                number = Int((driverArea + 4 + 2 * (next % size)).load(as: UInt16.self))
                slot = descriptors + 16 * number
            }
            guard let start = UnsafeMutableRawPointer(bitPattern: UInt(slot.load(as: UInt64.self))) else { break }
            taken.append(Buffer(number: number, start: start, length: Int(slot.load(fromByteOffset: 8, as: UInt32.self))))
            next += 1
        }
        return taken
    }

    /// Returns buffers.
    /// - Parameters:
    ///   - bytes: how many were written into each.
    ///   - isBatch: whether one descriptor of a packed ring stands for all of them.
    mutating func giveBack(_ buffers: [Buffer], bytes: Int = 0, isBatch: Bool = false) {
        for (place, buffer) in buffers.enumerated() {
            if isPacked {
                let slot = descriptors + 16 * (used % size), wrap = used / size % 2 == 0
                used += 1
                if isBatch, place > 0 { continue }
                slot.storeBytes(of: UInt32(bytes), toByteOffset: 8, as: UInt32.self)
                slot.storeBytes(of: UInt16((isBatch ? buffers[buffers.count - 1] : buffer).number), toByteOffset: 12, as: UInt16.self)
                slot.storeBytes(of: (wrap ? 1 << 7 | 1 << 15 : 0) | (bytes > 0 ? 2 : 0), toByteOffset: 14, as: UInt16.self)
            } else {
                let entry = deviceArea + 4 + 8 * (used % size)
                used += 1
                entry.storeBytes(of: UInt32(buffer.number), as: UInt32.self)
                entry.storeBytes(of: UInt32(bytes), toByteOffset: 4, as: UInt32.self)
                (deviceArea + 2).storeBytes(of: UInt16(truncatingIfNeeded: used), as: UInt16.self)
            }
        }
    }

    /// Says whether the device wants to be told of buffers.
    func setWantsKicks(_ wants: Bool) { deviceArea.storeBytes(of: wants ? 0 : 1, toByteOffset: isPacked ? 2 : 0, as: UInt16.self) }

    /// Claims buffers that it was not given.
    func claim() {
        if isPacked {
            let slot = descriptors + 16 * (used % size)
            slot.storeBytes(of: UInt16(used % size + size - 1), toByteOffset: 12, as: UInt16.self)
            slot.storeBytes(of: 1 << 7 | 1 << 15, toByteOffset: 14, as: UInt16.self)
        } else {
            (deviceArea + 2).storeBytes(of: UInt16(truncatingIfNeeded: used + 100), as: UInt16.self)
        }
    }
}
