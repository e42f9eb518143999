import ControlAPI
import ControlPlane
import Dispatch
import Foundation
import Testing

/// A temporary folder, which is removed together with this object.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
        // No other folder may take its place, because `path` is removed at the end.
        guard let made = mkdtemp(&template) else { fatalError("no temporary folder: \(String(cString: strerror(errno)))") }
        path = String(cString: made)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func callAsFunction(_ name: String) -> String { path + "/" + name }
}

/// A server that answers `status` with the number of requests it has seen, and any other method with the method's name.
final class EchoServer: Sendable {
    let folder = TemporaryFolder()
    let queue = DispatchQueue(label: "test-control")
    let server: ControlServer
    let path: String
    /// `slow` is answered once this is signalled.
    let gate = DispatchSemaphore(value: 0)

    init(limits: ControlServer.Limits = ControlServer.Limits()) throws {
        path = folder("control.sock")
        nonisolated(unsafe) var seen = 0
        let gate = gate
        server = ControlServer(path: path, queue: queue, limits: limits) { request in
            seen += 1
            if request.method == "count" { return .reply(seen) }
            if request.method == "who" { return .reply(request.peer?.description) }
            if request.method == "fail" { return .failure(RPCError(RPCError.refused, "refused, as asked")) }
            if request.method == "large" { return .reply(String(repeating: "x", count: 8 << 20)) }
            if request.method == "huge" { return .reply(String(repeating: "x", count: 65 << 20)) }
            if request.method == "slow" {
                return .first {
                    gate.wait()
                    return Response.Continuation { .reply("slow, and \(seen) seen") }
                }
            }
            return .reply(request.method)
        }
        try server.start()
    }

    deinit { server.stop() }
}

/// A client that sends any text, valid or not.
final class RawClient {
    let descriptor: CInt

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        // If the server does not answer, the test must fail instead of waiting for ever.
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// - Returns: false if the server accepted no more.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    /// Waits for up to `count` bytes and takes them away.
    /// - Returns: how many came.
    func bytes(_ count: Int) -> Int {
        var buffer = [UInt8](repeating: 0, count: count)
        return recv(descriptor, &buffer, count, 0)
    }

    /// Closes the connection for both sides. The descriptor stays until the client is gone.
    func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    private var rest: ArraySlice<UInt8> = []

    /// The text up to the next line feed or the end of the connection; nil if it has already ended.
    func line() -> String? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end = rest.firstIndex(of: 0x0a) {
                let text = String(decoding: rest[..<end], as: UTF8.self)
                rest = rest[(end + 1)...]
                return text
            }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 {
                defer { rest = [] }
                return rest.isEmpty ? nil : String(decoding: rest, as: UTF8.self)
            }
            rest += buffer[..<count]
        }
    }

    func ask(_ text: String) -> String? {
        send(text + "\n")
        return line()
    }
}
