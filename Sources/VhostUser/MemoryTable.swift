/// A region of the guest's memory that the frontend shares (section "Memory access").
public struct MemoryRegion: Sendable, Equatable {
    /// A number that no other region of the session ever has.
    public let id: Int
    /// Where the guest sees the region.
    public let guestAddress: UInt64
    /// Where the frontend's process sees it.
    public let userAddress: UInt64
    /// Bytes.
    public let size: UInt64
    /// Where in the file it begins; bytes.
    public let offset: UInt64
    /// The file. It is open until the action after the one that maps the region; the mapping itself needs it no longer.
    public let descriptor: ReceivedDescriptor

    var guestRange: Range<UInt64> { guestAddress..<guestAddress + size }
    var userRange: Range<UInt64> { userAddress..<userAddress + size }
}

/// A place in a region.
public struct RegionPlace: Sendable, Equatable {
    /// The region's `id`.
    public let region: Int
    /// Bytes from the region's start.
    public let offset: UInt64
}

/// The regions of a session.
public struct MemoryTable: Sendable {
    /// Most regions in a table.
    public static let mostSlots = 32

    public internal(set) var regions: [MemoryRegion] = []
    private var nextID = 0

    mutating func makeID() -> Int {
        nextID += 1
        return nextID
    }

    /// Where `length` bytes at a user address lie; nil: not wholly in one region.
    public func place(ofUserAddress address: UInt64, length: UInt64) -> RegionPlace? {
        for region in regions {
            guard address >= region.userAddress else { continue }
            let offset = address - region.userAddress
            if offset <= region.size, length <= region.size - offset { return RegionPlace(region: region.id, offset: offset) }
        }
        return nil
    }

    /// What is wrong with a region that is to stand beside `others`; nil: nothing.
    static func fault(_ region: MemoryRegionDescription, _ facts: DescriptorFacts, beside others: [MemoryRegion]) -> String? {
        let name = "the memory region of \(region.size) bytes at guest address \(hexadecimal(region.guestAddress))"
        if region.size == 0 { return "\(name) is empty" }
        if region.guestAddress.addingReportingOverflow(region.size).overflow || region.userAddress.addingReportingOverflow(region.size).overflow {
            return "\(name) goes beyond the end of the address space"
        }
        let (end, overflows) = region.offset.addingReportingOverflow(region.size)
        if overflows { return "\(name) goes beyond the end of any file" }
        if facts.kind != .file { return "\(name) came with \(facts.kind.rawValue); memory can be shared by a regular file only" }
        if end > facts.size { return "\(name) ends at byte \(end) of its file, which has \(facts.size) bytes" }
        let guest = region.guestAddress..<region.guestAddress + region.size
        let user = region.userAddress..<region.userAddress + region.size
        for other in others where other.guestRange.overlaps(guest) || other.userRange.overlaps(user) {
            return "\(name) overlaps the one of \(other.size) bytes at \(hexadecimal(other.guestAddress))"
        }
        return nil
    }
}

extension MemoryRegion {
    /// Whether a description with its file means this very region.
    func isSame(as description: MemoryRegionDescription, _ facts: DescriptorFacts) -> Bool {
        matches(description) && offset == description.offset && descriptor.facts.device == facts.device && descriptor.facts.inode == facts.inode
    }

    /// "The memory region to be removed is identified by its guest address, user address and size. The mmap offset is ignored."
    func matches(_ description: MemoryRegionDescription) -> Bool {
        guestAddress == description.guestAddress && userAddress == description.userAddress && size == description.size
    }
}
