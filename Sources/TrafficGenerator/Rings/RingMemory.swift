import DPDKShim
import Foundation

/// A guest's memory, which it shares with a switch: two rings, and a buffer for each of their descriptors.
package struct RingMemory {
    package let start: UnsafeMutableRawPointer
    package let size: Int
    let descriptor: CInt
    private let ringSize: Int
    /// How far apart the buffers of each ring are.
    private let strides: [Int]

    /// Each part of a ring begins in a page of its own.
    private static let page = 4_096
    /// Where a ring's driver and device areas are, from its start.
    private var driverArea: Int { Self.rounded(16 * ringSize) }
    private var deviceArea: Int { driverArea + Self.rounded(6 + 2 * ringSize) }
    private var ringBytes: Int { deviceArea + Self.rounded(6 + 8 * ringSize) }

    private static func rounded(_ bytes: Int) -> Int { (bytes + page - 1) / page * page }

    /// - Parameters:
    ///   - longest: the bytes of the longest frame.
    ///   - receiving: the bytes of a buffer for frames to the guest, with their headers, of which a frame may take several; nil: each holds a whole frame.
    ///   - directory: a hugetlbfs mount; nil: ordinary memory is taken.
    /// - Throws: `RunError` if there is not enough memory.
    package init(ringSize: Int, longest: Int, receiving: Int? = nil, directory: String?) throws {
        self.ringSize = ringSize
        // A frame starts with a cache line, as with DPDK's drivers, and the header ends before it. Buffers are an odd number of lines apart, so that they use
        // all sets of a cache alike.
        func stride(_ bytes: Int) -> Int { ((64 + bytes + 63) / 64 | 1) * 64 }
        strides = [stride(receiving.map { $0 - DriverRing.headerLength } ?? longest), stride(longest)]
        var page = 0
        let rings = 2 * (Self.rounded(16 * ringSize) + Self.rounded(6 + 2 * ringSize) + Self.rounded(6 + 8 * ringSize))
        let wanted = rings + ringSize * (strides[0] + strides[1])
        descriptor = sluice_generator_memory(directory, wanted, &page)
        guard descriptor >= 0 else { throw RunError("no memory of \(wanted >> 10) KiB for a guest: \(reason(descriptor))") }
        size = (wanted + page - 1) / page * page
        guard let block = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED | CInt(MAP_POPULATE), descriptor, 0), block != MAP_FAILED else {
            let text = String(cString: strerror(errno))
            Foundation.close(descriptor)
            throw RunError("no memory of \(size >> 10) KiB for a guest: \(text)\(directory.map { "; are there hugepages left for \($0)?" } ?? "")")
        }
        start = block
    }

    package func close() {
        munmap(start, size)
        Foundation.close(descriptor)
    }

    /// One of the rings: 0 carries frames to the guest, 1 frames from it.
    package func ring(_ index: Int, isPacked: Bool, isInOrder: Bool, kick: CInt) -> UnsafeMutablePointer<DriverRing> {
        let place = start + index * ringBytes
        let buffers = start + 2 * ringBytes + index * ringSize * strides[0] + 64 - DriverRing.headerLength
        let ring = UnsafeMutablePointer<DriverRing>.allocate(capacity: 1)
        let lengths = UnsafeMutablePointer<UInt32>.allocate(capacity: ringSize)
        lengths.initialize(repeating: 0, count: ringSize)
        ring.initialize(to: DriverRing(
            descriptors: place, driverArea: place + driverArea, deviceArea: place + deviceArea, size: ringSize, isPacked: isPacked, isInOrder: isInOrder,
            buffers: buffers, stride: strides[index],
            capacity: index == 0 ? UInt32(strides[0] - 64 + DriverRing.headerLength) : 0, lengths: lengths, kick: kick))
        ring.prepare()
        return ring
    }
}

extension UnsafeMutablePointer<DriverRing> {
    /// Frees what is this process's own of a ring.
    package func free() {
        pointee.lengths.deallocate()
        deallocate()
    }
}
