import Foundation

/// A service manager's end of NOTIFY_SOCKET (sd_notify(3)): every message becomes a line, with spaces in place of its newlines.
final class NotifySocket {
    let path: String
    let messages = Transcript()
    private let descriptor: CInt

    init(_ lab: Lab) throws {
        path = lab.path("notify")
        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard status == 0 else { throw LabError("no socket at \(path): \(String(cString: strerror(errno)))") }
        let messages = messages
        Thread.detachNewThread {
            var bytes = [UInt8](repeating: 0, count: 4_096)
            while true {
                let count = recv(descriptor, &bytes, bytes.count, 0)
                if count <= 0 { break }
                let line = bytes[..<count].map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: " ") : $0 } + [UInt8(ascii: "\n")]
                line.withUnsafeBytes { messages.append($0) }
            }
            close(descriptor)
            messages.end()
        }
        // The thread's `recv` returns 0 then.
        lab.atClose { shutdown(descriptor, CInt(SHUT_RDWR)) }
    }

    /// What a service manager that watches gives to the daemon.
    func environment(watchdogMicroseconds: Int) -> [String: String] { ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "\(watchdogMicroseconds)"] }

    /// The first line after byte `offset` that `matches`.
    @discardableResult
    func waitForLine(from offset: Int = 0, _ matches: (Substring) -> Bool) throws -> String {
        let line = messages.waitForLines(from: offset, until: .after(30)) { $0.split(separator: "\n").first(where: matches).map(String.init) }
        guard let line else { throw LabError("the daemon did not tell what was awaited; it told:\n\(messages.text)") }
        return line
    }
}
