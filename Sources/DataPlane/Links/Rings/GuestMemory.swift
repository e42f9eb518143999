import VhostUser

/// One piece of a guest's memory that is mapped here.
struct GuestRegion {
    /// The address of the first byte as the guest's driver writes it in descriptors (vhost-user calls it a guest physical address).
    var start: UInt64
    /// Number of bytes.
    var length: UInt64
    /// Where the first byte is mapped.
    var host: UnsafeMutableRawPointer
}

extension GuestRegion {
    /// Where a range of guest memory is mapped; nil: it is not wholly in this region.
    @inline(__always) @_noLocks
    func host(_ address: UInt64, _ length: UInt64) -> UnsafeMutableRawPointer? {
        let offset = address &- start
        guard offset < self.length, length <= self.length &- offset else { return nil }
        return host + Int(truncatingIfNeeded: offset)
    }
}

/// All of a guest's memory, as the poll loops see it. It changes only while no loop uses any of the guest's rings.
struct GuestMemory {
    /// The most regions. QEMU uses one or two for the memory that a guest starts with, and one for each memory device that is added later.
    static let mostRegions = MemoryTable.mostSlots
    /// The memory of a ring that is not in use.
    static var none: GuestMemory { GuestMemory(regions: UnsafeMutablePointer(bitPattern: MemoryLayout<GuestRegion>.alignment).unsafelyUnwrapped) }

    let regions: UnsafeMutablePointer<GuestRegion>
    private(set) var count = 0

    private init(regions: UnsafeMutablePointer<GuestRegion>) { self.regions = regions }
    init() { self.init(regions: .allocate(capacity: Self.mostRegions)) }

    func deallocate() { regions.deallocate() }

    /// Replaces all regions. The caller has made sure that they are mapped as a whole.
    mutating func replace(by new: [GuestRegion]) {
        count = min(new.count, Self.mostRegions)
        // The region in which most frames lie is looked at first.
        let ordered = new.prefix(count).sorted { $0.length > $1.length }
        for place in 0..<count { (regions + place).initialize(to: ordered[place]) }
    }

    /// The region that an address lies in, for a loop over buffers most of which lie beside it. If no region has it, it is an empty one.
    @inline(__always) @_noLocks
    func region(of address: UInt64) -> GuestRegion {
        for place in 0..<count where address &- regions[place].start < regions[place].length { return regions[place] }
        return GuestRegion(start: 0, length: 0, host: UnsafeMutableRawPointer(regions))
    }

    /// Where a range of guest memory is mapped.
    /// - Returns: nil if the range is not wholly in one region.
    @inline(never) @_noLocks
    func host(_ address: UInt64, _ length: UInt64) -> UnsafeMutableRawPointer? {
        var place = 0
        while place < count {
            if let found = regions[place].host(address, length) { return found }
            place &+= 1
        }
        return nil
    }

    /// Where a range of guest memory begins, and how many bytes of it are mapped there; fewer than `length` if its region ends before. 0: no region has it.
    @inline(never) @_noLocks
    func part(_ address: UInt64, _ length: UInt64) -> (host: UnsafeMutableRawPointer, length: UInt64) {
        var place = 0
        while place < count {
            let offset = address &- regions[place].start
            if offset < regions[place].length {
                return (regions[place].host + Int(truncatingIfNeeded: offset), min(length, regions[place].length &- offset))
            }
            place &+= 1
        }
        return (UnsafeMutableRawPointer(regions), 0)
    }
}
