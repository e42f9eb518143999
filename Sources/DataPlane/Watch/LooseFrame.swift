import DPDKShim

/// A frame in memory of its own instead of in a buffer of the pool, for trials of the stages.
enum LooseFrame {
    /// Where the frame's bytes begin: behind a `struct rte_mbuf` and headroom for a tag.
    static let headroom = 256

    /// Lays a frame into a buffer that has room for `headroom` and the frame's bytes.
    /// - Parameter contiguous: how many of the bytes are in the first segment.
    static func lay(_ bytes: [UInt8], contiguous: Int, in buffer: UnsafeMutableRawPointer, capacity: Int) -> Frame {
        precondition(bytes.count <= capacity - headroom)
        buffer.initializeMemory(as: UInt8.self, repeating: 0, count: capacity)
        // This is the layout of DPDK 22.11 (rte_mbuf_core.h): buffer address at offset 0, data offset at 16, reference count at 18, number of segments at 20,
        // packet length at 36, length of the first segment at 40. The reference count is so high that it never reaches 0, because there is no pool to return a
        // buffer to.
        buffer.storeBytes(of: UInt64(UInt(bitPattern: buffer)), as: UInt64.self)
        buffer.storeBytes(of: UInt16(headroom), toByteOffset: 16, as: UInt16.self)
        buffer.storeBytes(of: 1_000, toByteOffset: 18, as: UInt16.self)
        buffer.storeBytes(of: 1, toByteOffset: 20, as: UInt16.self)
        buffer.storeBytes(of: UInt32(bytes.count), toByteOffset: 36, as: UInt32.self)
        buffer.storeBytes(of: UInt16(contiguous), toByteOffset: 40, as: UInt16.self)
        UnsafeMutableRawBufferPointer(start: buffer + headroom, count: bytes.count).copyBytes(from: bytes)
        return Frame(buffer)
    }
}
