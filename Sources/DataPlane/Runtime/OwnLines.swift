extension UnsafeMutablePointer {
    /// Zeroed memory on cache lines of its own. The kernel provides pages only for the parts that are used.
    static func zeroed(_ count: Int) -> UnsafeMutablePointer {
        let memory = onOwnLines(count)
        UnsafeMutableRawPointer(memory).initializeMemory(as: UInt8.self, repeating: 0, count: count * MemoryLayout<Pointee>.stride)
        return memory
    }

    func free() { UnsafeMutableRawPointer(self).deallocate() }
}

extension UnsafeMutablePointer where Pointee: ~Copyable {
    /// Memory that shares neither a cache line with other memory nor the pair of lines that processors fetch together, so that what one lcore writes there
    /// slows down no other.
    static func onOwnLines(_ count: Int) -> UnsafeMutablePointer {
        let bytes = (max(count, 1) * MemoryLayout<Pointee>.stride + 127) & ~127
        return UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 128).bindMemory(to: Pointee.self, capacity: count)
    }
}
