import Foundation

/// A raw connection to the control socket, for input that the command line would never send.
final class ControlClient {
    private var descriptor: Int32
    private var buffer: [UInt8] = []

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw LabError("socket: \(String(cString: strerror(errno)))") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < capacity else { throw LabError("\(path) is too long for a Unix socket") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else {
            let reason = String(cString: strerror(errno))
            close()
            throw LabError("connect \(path): \(reason)")
        }
    }

    deinit { close() }
    func close() { if descriptor >= 0 { Glibc.close(descriptor) }; descriptor = -1 }

    /// Sends all of `text`.
    /// - Returns: false if the other side closed the connection or did not read on until the deadline.
    @discardableResult
    func send(_ text: String, within seconds: Double = 30) -> Bool { send(Array(text.utf8), within: seconds) }

    @discardableResult
    func send(_ bytes: [UInt8], within seconds: Double = 30) -> Bool {
        let deadline = Deadline.after(seconds)
        var sent = 0
        while sent < bytes.count {
            var descriptors = [pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)]
            guard poll(&descriptors, 1, deadline.milliseconds) > 0 else { return false }
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count < 0 && (errno == EAGAIN || errno == EINTR) { continue }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    /// Sends bytes and, along with them, descriptors (SCM_RIGHTS).
    /// - Returns: false if not all was sent.
    func send(_ bytes: [UInt8], passing descriptors: [Int32]) -> Bool {
        func octets<Value>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
        // struct cmsghdr of cmsg(3): length, level and type.
        var control = octets(UInt64(16 + 4 * descriptors.count)) + octets(Int32(SOL_SOCKET)) + octets(Int32(SCM_RIGHTS)) + descriptors.flatMap(octets)
        control += [UInt8](repeating: 0, count: -control.count & 7)
        var bytes = bytes
        return bytes.withUnsafeMutableBytes { text in
            control.withUnsafeMutableBytes { control in
                var piece = iovec(iov_base: text.baseAddress, iov_len: text.count)
                return withUnsafeMutablePointer(to: &piece) { piece in
                    var message = msghdr()
                    (message.msg_iov, message.msg_iovlen, message.msg_control, message.msg_controllen) = (piece, 1, control.baseAddress, control.count)
                    return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL)) == text.count
                }
            }
        }
    }

    /// The next line; nil if the other side closed the connection.
    func line(within seconds: Double = 30) throws -> String? {
        let deadline = Deadline.after(seconds)
        while true {
            if let end = buffer.firstIndex(of: 10) {
                defer { buffer.removeSubrange(...end) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
            guard poll(&descriptors, 1, deadline.milliseconds) > 0 else { throw LabError("no answer within \(Int(seconds)) s") }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return nil }
            buffer += chunk[..<count]
        }
    }

    /// Sends one request and returns its reply.
    func call(_ method: String, _ params: String = "{}", within seconds: Double = 30) throws -> JSON {
        send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\(method)\",\"params\":\(params)}\n")
        guard let answer = try line(within: seconds) else { throw LabError("\(method): the connection was closed without an answer") }
        return try JSON(answer)
    }
}
