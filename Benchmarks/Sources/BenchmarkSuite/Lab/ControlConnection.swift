import Foundation

/// A connection to a daemon's control socket: JSON-RPC 2.0, one object on each line.
final class ControlConnection {
    private let descriptor: Int32
    private var received: [UInt8] = []

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { throw Fault("\(path) is too long for a socket") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw Fault("cannot connect to \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Calls a method, and returns the line that answers.
    @discardableResult
    func call(_ method: String, _ params: String = "{}") throws -> [UInt8] {
        try send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\(method)\",\"params\":\(params)}\n")
        let line = try line()
        guard line.count < 100_000, String(decoding: line, as: UTF8.self).contains("\"error\"") else { return line }
        throw Fault("\(method) \(params.prefix(200)): \(String(decoding: line.prefix(600), as: UTF8.self))")
    }

    private func send(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Fault("the daemon closed the connection") }
            rest = rest.dropFirst(count)
        }
    }

    private func line() throws -> [UInt8] {
        var looked = 0
        while true {
            if let end = received[looked...].firstIndex(of: 10) {
                let line = Array(received[..<end])
                received.removeSubrange(...end)
                return line
            }
            looked = received.count
            let count = withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 16) { buffer in
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count > 0 { received += buffer[..<count] }
                return count
            }
            guard count > 0 else { throw Fault("the daemon closed the connection") }
        }
    }
}
