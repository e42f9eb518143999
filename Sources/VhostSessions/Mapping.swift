import Glibc
import VhostUser

/// Memory of a frontend's file, mapped.
struct Mapping {
    /// Whole pages.
    let all: UnsafeMutableRawBufferPointer
    /// The part that was asked for.
    let start: UnsafeMutableRawPointer

    init(_ descriptor: Int32, offset: UInt64, size: UInt64) throws(VhostError) {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw VhostError("memory cannot be mapped: \(errorText())") }
        // Pages of a file on hugetlbfs are as large as its blocks, and it can be mapped and unmapped by whole pages only.
        let page = UInt64(sysconf(Int32(_SC_PAGESIZE))), block = UInt64(max(0, info.st_blksize))
        let unit = block > page && block.nonzeroBitCount == 1 ? block : page
        let first = offset & ~(unit - 1)
        let (end, overflows) = offset.addingReportingOverflow(size)
        guard !overflows, end <= UInt64(Int.max) - unit, end > offset else { throw VhostError("memory cannot be mapped: it has \(size) bytes at \(offset)") }
        let length = Int((end - first + unit - 1) & ~(unit - 1))
        guard let base = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, off_t(first)), base != MAP_FAILED else {
            throw VhostError("\(length) bytes of memory cannot be mapped: \(errorText())")
        }
        // A guest's memory has no place in a dump of this process.
        madvise(base, length, Int32(MADV_DONTDUMP))
        all = UnsafeMutableRawBufferPointer(start: base, count: length)
        start = base + Int(offset - first)
    }

    func end() { munmap(all.baseAddress, all.count) }
}
