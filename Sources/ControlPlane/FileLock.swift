import Foundation

/// A lock that keeps two daemons apart: a file with its owner's pid, which the kernel lets go when the process ends, however it ends.
package final class FileLock: @unchecked Sendable {
    private let path: String
    private var descriptor: CInt

    /// Why it is not to be had; who asks knows what to say of it.
    enum Failure: Error {
        /// `owner`: its pid, if it can be told.
        case held(owner: String?)
        /// errno
        case system(CInt)
        case contended
    }

    /// The folder must be there.
    init(_ path: String) throws(Failure) {
        self.path = path
        for _ in 0..<16 {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw .system(errno) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let owner = Self.text(of: descriptor)
                close(descriptor)
                throw .held(owner: owner.isEmpty ? nil : owner)
            }
            // Its former owner may have removed the file in between; then the lock is on a file nobody else sees.
            var mine = stat(), there = stat()
            if fstat(descriptor, &mine) == 0, stat(path, &there) == 0, mine.st_ino == there.st_ino, mine.st_dev == there.st_dev {
                ftruncate(descriptor, 0)
                let text = "\(getpid())\n"
                _ = text.withCString { write(descriptor, $0, strlen($0)) }
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
        throw .contended
    }

    deinit { release() }

    /// Lets it go and removes the file.
    package func release() {
        guard descriptor >= 0 else { return }
        unlink(path)
        close(descriptor)
        descriptor = -1
    }

    private static func text(of descriptor: CInt) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)).prefix { $0 != 0x0a }, as: UTF8.self)
    }
}
