import Configuration
import Foundation

/// A socket on which metrics are to be served: it is opened before anything else of a change is done, as that may fail.
struct MetricsListener {
    let address: MetricsAddress
    let descriptor: CInt

    /// - Parameter access: who may connect to a Unix socket.
    /// - Throws: a sentence that says why metrics cannot be served there.
    init(_ address: MetricsAddress, _ access: Access?) throws(ControlSocketError) {
        self.address = address
        switch address {
        case .socket(let path):
            descriptor = try Self.place(path).listen(backlog: 16, access)
        case .loopback(let host, let port): descriptor = try Self.listen(host, port, address)
        }
    }

    /// Gives the socket back where it is not served after all.
    func cancel() {
        close(descriptor)
        remove()
    }

    /// Removes the file of a Unix socket.
    func remove() { if case .socket(let path) = address { Self.place(path).remove() } }

    private static func place(_ path: String) -> SocketPath { SocketPath(path: path, what: "metrics socket", remedy: "give another path under daemon.metrics") }

    private static func failure(_ address: MetricsAddress, _ why: String) -> ControlSocketError {
        ControlSocketError("metrics cannot be served at \(address): \(why)")
    }

    private static func listen(_ host: String, _ port: UInt16, _ address: MetricsAddress) throws(ControlSocketError) -> CInt {
        var hints = addrinfo(), found: UnsafeMutablePointer<addrinfo>?
        (hints.ai_flags, hints.ai_socktype) = (AI_NUMERICHOST | AI_NUMERICSERV, Int32(SOCK_STREAM.rawValue))
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let found else { throw failure(address, "it is no address of this host") }
        defer { freeaddrinfo(found) }
        let descriptor = socket(found.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failure(address, String(cString: strerror(errno))) }
        // The connections of a daemon that has just ended must not keep the next one from serving.
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        guard bind(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0, Glibc.listen(descriptor, 16) == 0 else {
            let reason = errno == EADDRINUSE ? "another program has that port: give another one" : String(cString: strerror(errno))
            close(descriptor)
            throw failure(address, reason)
        }
        return descriptor
    }
}
