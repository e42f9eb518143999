import Glibc

/// Memory that reads as zeros and is taken only where it is written. Its pages come from the kernel directly: the heap might return memory that was used
/// before, and would then have to clear all of it.
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
