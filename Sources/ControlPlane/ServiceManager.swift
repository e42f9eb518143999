import Foundation
import Synchronization

/// Tells the service manager that started the daemon how it fares, as sd_notify(3) does: datagrams of `NAME=value` lines to the socket that the environment
/// variable NOTIFY_SOCKET names. Any thread may use it, and none ever waits for it.
///
/// What the manager's socket has no room for is sent with the next message or `retry`, because a manager that misses `READY=1` ends the daemon.
public final class ServiceManager: Sendable {
    /// How often the manager wants to hear from the daemon, in µs; nil: it does not watch. WATCHDOG_USEC and WATCHDOG_PID, see sd_watchdog_enabled(3).
    public let watchdogInterval: UInt64?

    private let descriptor: CInt
    private let address: [UInt8]

    private struct Outbox {
        /// Messages that could not be sent yet, the oldest first.
        var waiting: [String] = []
        /// The last status that was to be told.
        var status: String?
    }
    private let outbox = Mutex(Outbox())
    /// More messages than this are not kept: one of each kind is enough.
    private static let room = 8

    /// - Returns: nil if no service manager wants to be told, or if its socket is of no kind that sd_notify(3) knows on this system.
    public init?(environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let place = environment["NOTIFY_SOCKET"], let address = Self.address(place) else { return nil }
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        self.address = address
        let isForUs = environment["WATCHDOG_PID"].map { pid_t($0) == getpid() } ?? true
        watchdogInterval = isForUs ? environment["WATCHDOG_USEC"].flatMap { UInt64($0) }.flatMap { $0 > 0 ? $0 : nil } : nil
    }

    deinit { close(descriptor) }

    // MARK: What there is to tell

    /// The daemon carries traffic, at the start or again after it has reloaded its configuration.
    public func ready(status: String) {
        outbox.withLock { $0.status = status }
        send("READY=1\nSTATUS=\(Self.line(status))")
    }

    /// The daemon reloads its configuration; `ready` must follow.
    public func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)")
    }

    /// The daemon ends.
    public func stopping() { send("STOPPING=1\nSTATUS=ending") }

    /// How the daemon fares, in a line for people. It is sent only if it differs from what was told last.
    public func tell(status: String) {
        let isNew = outbox.withLock { outbox in
            defer { outbox.status = status }
            return outbox.status != status
        }
        if isNew { send("STATUS=\(Self.line(status))") } else { retry() }
    }

    /// The daemon is alive. To be called twice in `watchdogInterval`.
    public func alive() { send("WATCHDOG=1") }

    /// Sends what could not be sent before.
    public func retry() {
        outbox.withLock { outbox in
            if !outbox.waiting.isEmpty { empty(&outbox) }
        }
    }

    // MARK: Within

    private func send(_ message: String) {
        outbox.withLock { outbox in
            // A message that waits already need not be kept twice.
            if !outbox.waiting.contains(message) { outbox.waiting.append(message) }
            if outbox.waiting.count > Self.room { outbox.waiting.remove(at: outbox.waiting.firstIndex { !$0.hasPrefix("READY") } ?? 0) }
            empty(&outbox)
        }
    }

    private func empty(_ outbox: inout Outbox) {
        while let message = outbox.waiting.first {
            // Only a socket that is full is worth another attempt. If nobody listens there any more, nobody misses the message.
            if !sent(message), errno == EAGAIN || errno == ENOBUFS { return }
            outbox.waiting.removeFirst()
        }
    }

    private func sent(_ message: String) -> Bool {
        let bytes = Array(message.utf8)
        return address.withUnsafeBytes { address in
            sendto(
                descriptor, bytes, bytes.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL),
                address.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(address.count)) == bytes.count
        }
    }

    /// A value of a message is one line.
    private static func line(_ text: String) -> String { String(text.map { $0.isNewline ? " " : $0 }) }

    /// The bytes of a `sockaddr_un` for a path or, after '@', a name without a file (unix(7)); nil: the text is neither, or too long.
    private static func address(_ place: String) -> [UInt8]? {
        guard place.hasPrefix("/") || place.hasPrefix("@"), place.utf8.count > 1 else { return nil }
        // An abstract name is as long as its address says; a path ends with a zero.
        let isAbstract = place.hasPrefix("@")
        let name = isAbstract ? [0] + Array(place.utf8.dropFirst()) : Array(place.utf8) + [0]
        guard name.count <= MemoryLayout.size(ofValue: sockaddr_un().sun_path) else { return nil }
        return withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + name
    }
}
