import Glibc

/// Address space that reads as zeros and costs memory only where it is written: pages of the kernel's own, as the heap would hand out used memory again, and
/// clear all of it.
struct ZeroedMemory {
    let bytes: UnsafeMutableRawPointer
    private let size: Int

    init(byteCount: Int) {
        let block = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let block, block != MAP_FAILED else { fatalError("no address space for a table of \(byteCount) bytes: see `ulimit -v` and vm.max_map_count") }
        bytes = block
        size = byteCount
    }

    func deallocate() { munmap(bytes, size) }
}
