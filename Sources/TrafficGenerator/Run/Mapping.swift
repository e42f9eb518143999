import Foundation

/// Zeroed memory of whole pages, which take physical memory only once they are touched. It ends the process if there is no memory.
func mapZeroed(_ size: Int) -> UnsafeMutableRawPointer {
    let block = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let block, block != MAP_FAILED else { fatalError("no memory for \(size) bytes") }
    return block
}

func unmap(_ block: UnsafeMutableRawPointer, _ size: Int) { munmap(block, size) }
