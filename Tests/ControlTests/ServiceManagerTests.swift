import ControlPlane
import Dispatch
import Foundation
import Synchronization
import Testing

/// A service manager's end of the notification socket.
private final class Listener {
    let descriptor: CInt

    /// - Parameter place: a path, or '@' and an abstract name.
    init(_ place: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let isAbstract = place.hasPrefix("@")
        let name = isAbstract ? [0] + Array(place.utf8.dropFirst()) : Array(place.utf8) + [0]
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let status = withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) } }
        try #require(status == 0)
    }

    deinit { close(descriptor) }

    /// The next message, which may still be on its way; nil: there is none, if `waits` is false.
    func next(waits: Bool = true) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &bytes, bytes.count, waits ? 0 : CInt(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// All messages that have come.
    func rest() -> [String] {
        var all: [String] = []
        while let message = next(waits: false) { all.append(message) }
        return all
    }
}

@Suite("What the service manager is told")
struct ServiceManagerTests {
    private let folder = TemporaryFolder()

    @Test("it is told of a start, a status, a reload and an end, by a path or an abstract name")
    func messages() throws {
        for place in [folder("notify"), "@sluice-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"] {
            let listener = try Listener(place)
            let manager = try #require(ServiceManager(environment: ["NOTIFY_SOCKET": place]))
            #expect(manager.watchdogInterval == nil)
            manager.ready(status: "carrying\ntraffic")
            #expect(listener.next() == "READY=1\nSTATUS=carrying traffic")
            manager.tell(status: "carrying\ntraffic")
            manager.tell(status: "1 port failed")
            #expect(listener.next() == "STATUS=1 port failed")
            manager.reloading()
            let reload = try #require(listener.next()).split(separator: "\n")
            #expect(reload.first == "RELOADING=1")
            let time = try #require(UInt64(reload.last?.dropFirst("MONOTONIC_USEC=".count) ?? ""))
            #expect(time > 0 && time / 1_000_000 <= UInt64(ProcessInfo.processInfo.systemUptime) + 1)
            manager.stopping()
            #expect(listener.next() == "STOPPING=1\nSTATUS=ending")
            #expect(listener.rest() == [])
        }
    }

    @Test("without a manager, or with one that cannot be reached, there is nobody to tell")
    func nobody() {
        for place in [nil, "", "@", "relative", "vsock:2:1234", "/" + String(repeating: "x", count: 200)] {
            #expect(ServiceManager(environment: place.map { ["NOTIFY_SOCKET": $0] } ?? [:]) == nil)
        }
        // Nobody listens here, which must harm nobody.
        ServiceManager(environment: ["NOTIFY_SOCKET": folder("nobody")])?.ready(status: "")
    }

    @Test("a manager that does not read keeps nobody waiting, and learns the most important things once it reads")
    func unread() throws {
        let listener = try Listener(folder("notify"))
        let manager = try #require(ServiceManager(environment: ["NOTIFY_SOCKET": folder("notify")]))
        // The kernel keeps some ten messages (net.unix.max_dgram_qlen) or, at most, as many as the socket's buffer has room for.
        for number in 0..<10_000 { manager.tell(status: "\(number)") }
        manager.ready(status: "ready")
        for number in 0..<100 { manager.tell(status: "later \(number)") }
        _ = listener.rest()
        for _ in 0..<2 { manager.retry() }
        let rest = listener.rest()
        #expect(rest.contains("READY=1\nSTATUS=ready") && rest.last == "STATUS=later 99")
        #expect(rest.count <= 8)
    }

    @Test("the watchdog is fed while every poll loop takes turns, and no longer")
    func watchdog() throws {
        let listener = try Listener(folder("notify"))
        func manager(_ more: [String: String]) throws -> ServiceManager {
            try #require(ServiceManager(environment: more.merging(["NOTIFY_SOCKET": folder("notify")]) { $1 }))
        }
        #expect(try manager(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"]).watchdogInterval == nil)
        #expect(try manager(["WATCHDOG_USEC": "0"]).watchdogInterval == nil)
        #expect(try manager(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "\(getpid())"]).watchdogInterval == 30_000_000)
        #expect(Watchdog(try manager([:]), turns: { [] }) == nil)

        // The second loop hangs from the fifth look on, and goes on after the eighth.
        let looks = Mutex<UInt64>(0)
        let enough = DispatchSemaphore(value: 0)
        let watchdog = try #require(Watchdog(try manager(["WATCHDOG_USEC": "2000"])) {
            let look = looks.withLock { $0 += 1; return $0 }
            if look == 10 { enough.signal() }
            return [look, look < 5 ? look : look < 9 ? 5 : min(look, 10)]
        })
        enough.wait()
        watchdog.end()
        // It is told at looks 1 to 5, not at 6 to 8, at 9 and 10, and not at any that came before the end.
        #expect(listener.rest() == Array(repeating: "WATCHDOG=1", count: 7))
    }
}
