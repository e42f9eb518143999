import Foundation

/// A FIFO that is full from the start and that nobody reads.
final class UnreadPipe {
    let path: String
    private let descriptor: Int32

    init(_ lab: Lab, _ name: String) throws {
        path = lab.path(name)
        guard mkfifo(path, 0o600) == 0 else { throw LabError("mkfifo: \(String(cString: strerror(errno)))") }
        // It is kept open, because writers would otherwise be told that there is no reader.
        descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        let page = [UInt8](repeating: 10, count: 4_096), descriptor = descriptor
        while page.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) > 0 {}
    }

    deinit { close(descriptor) }
}
