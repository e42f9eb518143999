import Glibc

/// The connections of a socket on which this process listens, as the kernel sees them: librte_vhost does not tell their descriptors.
enum PeerSockets {
    /// How many of them the other side has not closed.
    static func live(at path: String) -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(cString: $0.bindMemory(to: CChar.self).baseAddress!) }
            if let descriptor = CInt(name), isConnection(descriptor, at: path), !isHungUp(descriptor) { count += 1 }
        }
        return count
    }

    private static func isConnection(_ descriptor: CInt, at path: String) -> Bool {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard result == 0, address.sun_family == sa_family_t(AF_UNIX) else { return false }
        let name = withUnsafeBytes(of: address.sun_path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        guard name == path else { return false }
        var listens: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 0
    }

    private static func isHungUp(_ descriptor: CInt) -> Bool {
        var place = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&place, 1, 0) == 1 && place.revents & Int16(POLLHUP | POLLERR) != 0
    }
}
