import Glibc

/// Address space that reads as zeros and costs memory only where it is written: large blocks come from the kernel untouched.
struct ZeroedMemory {
    private let block: UnsafeMutableRawPointer
    /// Where it begins: on a line that no other block shares, nor the one that processors fetch beside it.
    let bytes: UnsafeMutableRawPointer

    init(byteCount: Int) {
        guard let block = calloc(1, byteCount + 256) else { fatalError("no memory for a table of \(byteCount) bytes") }
        self.block = block
        bytes = UnsafeMutableRawPointer(bitPattern: (UInt(bitPattern: block) + 127) & ~127)!
    }

    func deallocate() { free(block) }
}
