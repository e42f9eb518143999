import Glibc
import Packet

/// Memory that ends at a page that may not be accessed: reading one byte too many ends the test process.
final class GuardedMemory {
    private let base: UnsafeMutableRawPointer
    private let readable: Int
    private let page = sysconf(CInt(_SC_PAGESIZE))

    init(capacity: Int = 65_536) {
        readable = (capacity + page - 1) / page * page
        base = mmap(nil, readable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(base != MAP_FAILED && mprotect(base + readable, page, PROT_NONE) == 0)
    }

    deinit { munmap(base, readable + page) }

    /// Places `bytes` so that the last of them is the last byte that can be read.
    func place(_ bytes: some Collection<UInt8>) -> UnsafeMutableRawPointer {
        let start = base + (readable - bytes.count)
        UnsafeMutableRawBufferPointer(start: start, count: bytes.count).copyBytes(from: bytes)
        return start
    }

    func parse(_ bytes: some Collection<UInt8>, length: Int? = nil) -> FrameRecord {
        // The contents of an earlier record must not remain anywhere.
        var record = FrameRecord()
        withUnsafeMutableBytes(of: &record) { for index in $0.indices { $0[index] = 0xa5 } }
        Packet.parse(place(bytes), contiguous: bytes.count, length: UInt32(length ?? bytes.count), into: &record)
        return record
    }
}
