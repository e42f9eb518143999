import DPDKShim
import Foundation
import VhostUser

/// The socket of a guest that this process plays (vhost-user, "Communication").
final class FrontendSocket {
    private let descriptor: CInt
    private let path: String
    /// The socket's path is removed in the end if this process listened there.
    private let listened: Bool
    /// Whether the switch answers every request (REPLY_ACK).
    var acknowledges = false
    /// Whether the switch is told of the device's status.
    var hasStatus = false
    private let deadline: ContinuousClock.Instant
    private let interrupted: () -> Bool

    /// Connects to a switch, or listens until one connects.
    /// - Throws: `RunError` if none does until the deadline, or if the process was told to end.
    init(_ path: String, listens: Bool, _ deadline: ContinuousClock.Instant, _ interrupted: @escaping () -> Bool) throws {
        (self.path, self.deadline, self.interrupted, listened) = (path, deadline, interrupted, listens)
        let socket = Foundation.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw RunError("no socket can be made: \(Self.reason)") }
        guard listens else {
            while Self.withAddress(path, { connect(socket, $0, $1) }) != 0 {
                let reason = Self.reason
                if ContinuousClock.now >= deadline || interrupted() {
                    Foundation.close(socket)
                    if interrupted() { throw RunError("interrupted while waiting for a switch on \(path)") }
                    throw RunError("nothing that speaks vhost-user listens on \(path) (\(reason)); start the switch first, or set `server: true`")
                }
                usleep(20_000)
            }
            descriptor = socket
            return
        }
        defer { Foundation.close(socket) }
        guard Self.withAddress(path, { bind(socket, $0, $1) }) == 0, listen(socket, 1) == 0 else {
            throw RunError("nobody can listen on \(path): \(Self.reason)")
        }
        guard Self.wait(socket, deadline, interrupted) else {
            unlink(path)
            if interrupted() { throw RunError("interrupted while waiting for a switch on \(path)") }
            throw RunError("no switch connected to \(path) in time; is its vhost port in client mode on this socket?")
        }
        descriptor = accept(socket, nil, nil)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    func close() {
        Foundation.close(descriptor)
        if listened { unlink(path) }
    }

    /// Asks a question that is answered with a number.
    func ask(_ request: Request) throws -> UInt64 {
        try send(.plain(request), descriptors: [], needsReply: false)
        return try answer(request)
    }

    /// Sends a request, and waits until the switch has done it if it says so.
    func tell(_ message: FrontendMessage, _ descriptors: [CInt] = []) throws {
        try send(message, descriptors: descriptors, needsReply: acknowledges)
        if acknowledges, try answer(message.request) != 0 { throw RunError("the switch on \(path) refuses \(message.request.name); its log may say why") }
    }

    /// Sends a message with descriptors (cmsg(3), SCM_RIGHTS).
    private func send(_ message: FrontendMessage, descriptors: [CInt], needsReply: Bool) throws {
        var body = message.bytes(needsReply: needsReply)
        let header = MemoryLayout<cmsghdr>.size, rights = descriptors.count * MemoryLayout<CInt>.size
        var control = [UInt8](repeating: 0, count: descriptors.isEmpty ? 0 : header + (rights + 7) / 8 * 8)
        let sent = body.withUnsafeMutableBytes { body in
            control.withUnsafeMutableBytes { control in
                if !descriptors.isEmpty {
                    var first = cmsghdr()
                    (first.cmsg_len, first.cmsg_level, first.cmsg_type) = (header + rights, SOL_SOCKET, CInt(SCM_RIGHTS))
                    control.storeBytes(of: first, as: cmsghdr.self)
                    for (place, number) in descriptors.enumerated() { control.storeBytes(of: number, toByteOffset: header + 4 * place, as: CInt.self) }
                }
                var part = iovec(iov_base: body.baseAddress, iov_len: body.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    (message.msg_iov, message.msg_iovlen) = (part, 1)
                    (message.msg_control, message.msg_controllen) = (control.isEmpty ? nil : control.baseAddress, control.count)
                    return sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL))
                }
            }
        }
        guard sent == body.count else { throw RunError("the switch on \(path) does not take \(message.request.name): \(Self.reason)") }
    }

    private func answer(_ request: Request) throws -> UInt64 {
        var bytes: [UInt8] = []
        while bytes.count < FrontendMessage.replySize {
            guard Self.wait(descriptor, deadline, interrupted) else { throw RunError("the switch on \(path) does not answer \(request.name)") }
            var part = [UInt8](repeating: 0, count: FrontendMessage.replySize - bytes.count)
            let count = recv(descriptor, &part, part.count, 0)
            guard count > 0 else { throw RunError("the switch closed the connection on \(path) after \(request.name); its log may say why") }
            bytes += part.prefix(count)
        }
        guard let number = FrontendMessage.number(inReply: bytes, to: request) else {
            throw RunError("the switch on \(path) answered \(request.name) with something else")
        }
        return number
    }

    /// Waits until something can be read.
    /// - Returns: false if nothing can until the deadline, or if the process was told to end.
    private static func wait(_ descriptor: CInt, _ deadline: ContinuousClock.Instant, _ interrupted: () -> Bool) -> Bool {
        var place = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&place, 1, 50) <= 0 {
            if ContinuousClock.now >= deadline || interrupted() { return false }
        }
        return true
    }

    private static var reason: String { String(cString: strerror(errno)) }

    static func withAddress(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
