import Foundation

/// Zeroed memory of whole pages, in use only once touched.
func mapZeroed(_ size: Int) -> UnsafeMutableRawPointer {
    let block = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let block, block != MAP_FAILED else { fatalError("no memory for \(size) bytes") }
    return block
}

func unmap(_ block: UnsafeMutableRawPointer, _ size: Int) { munmap(block, size) }
