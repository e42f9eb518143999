import Foundation

/// Asks one thing of an HTTP server on loopback or on a Unix socket, and reads until the server closes.
enum WebClient {
    struct Answer {
        var status: String
        var head: String
        var body: [UInt8]
    }

    /// - Parameter place: a port of 127.0.0.1, or a socket's path.
    static func ask(_ place: String, _ method: String = "GET", _ path: String = "/metrics") throws -> Answer {
        let descriptor = try connect(place)
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let request = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        guard request.withCString({ send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }) == request.utf8.count else { throw LabError("\(place) takes no request") }
        var all: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 { throw LabError("\(place) does not answer: \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            all += buffer[..<count]
        }
        let end = Array("\r\n\r\n".utf8)
        guard let gap = all.indices.first(where: { all[$0...].starts(with: end) }) else { throw LabError("\(place) answers no HTTP: \(String(decoding: all, as: UTF8.self))") }
        let head = String(decoding: all[..<gap], as: UTF8.self)
        return Answer(status: head.split(separator: "\r\n").first.map(String.init) ?? "", head: head, body: Array(all[(gap + 4)...]))
    }

    /// Connects, and asks nothing. The caller closes the descriptor.
    static func connect(_ place: String) throws -> CInt {
        let descriptor = socket(place.hasPrefix("/") ? AF_UNIX : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        func attempt<Address>(_ address: inout Address) throws -> CInt {
            let size = socklen_t(MemoryLayout<Address>.size)
            let result = withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, size) } }
            guard result == 0 else {
                close(descriptor)
                throw LabError("nobody serves \(place)")
            }
            return descriptor
        }
        if let port = UInt16(place) {
            var address = sockaddr_in()
            (address.sin_family, address.sin_port, address.sin_addr.s_addr) = (sa_family_t(AF_INET), port.bigEndian, UInt32(0x7f00_0001).bigEndian)
            return try attempt(&address)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: place.utf8) }
        return try attempt(&address)
    }

    /// A port of 127.0.0.1 that nobody uses now.
    static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in(), size = socklen_t(MemoryLayout<sockaddr_in>.size)
        (address.sin_family, address.sin_addr.s_addr) = (sa_family_t(AF_INET), UInt32(0x7f00_0001).bigEndian)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0 }
        }
        guard isBound else { throw LabError("no port is free") }
        return UInt16(bigEndian: address.sin_port)
    }
}
