import Foundation

/// A lock that keeps two daemons apart: a locked file that contains its owner's pid. The kernel releases the lock when the process ends, however it ends.
package final class FileLock: @unchecked Sendable {
    private let path: String
    private var descriptor: CInt

    /// Why the lock could not be taken. The caller makes a sentence of it.
    enum Failure: Error {
        /// Another process has the lock; `owner` is its pid if it can be read.
        case held(owner: String?)
        /// A system call failed, with this errno.
        case system(CInt)
        case contended
    }

    /// Takes the lock. The folder must exist.
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
            // The former owner may have removed the file after it was opened here; the lock would then be on a file that nobody else can find.
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

    /// Releases the lock and removes the file.
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
