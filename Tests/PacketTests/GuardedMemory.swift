import Glibc
import Packet

/// Memory that ends where the next page may not be touched: reading one byte too many ends the test process.
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

    /// `bytes`, so placed that the last one is the last that can be read.
    func place(_ bytes: some Collection<UInt8>) -> UnsafeMutableRawPointer {
        let start = base + (readable - bytes.count)
        UnsafeMutableRawBufferPointer(start: start, count: bytes.count).copyBytes(from: bytes)
        return start
    }

    func parse(_ bytes: some Collection<UInt8>, length: Int? = nil) -> FrameRecord {
        // What a former frame left must not shine through.
        var record = FrameRecord()
        withUnsafeMutableBytes(of: &record) { for index in $0.indices { $0[index] = 0xa5 } }
        Packet.parse(place(bytes), contiguous: bytes.count, length: UInt32(length ?? bytes.count), into: &record)
        return record
    }
}
