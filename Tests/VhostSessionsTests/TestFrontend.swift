import CLinux
import Glibc
import VhostUser

@_silgen_name("memfd_create") private func memfd_create(_ name: UnsafePointer<CChar>, _ flags: UInt32) -> Int32

/// A frontend that says what it is told to say, right or wrong.
final class TestFrontend {
    let socket: Int32
    private(set) var isOpen = true

    init(socket: Int32) { self.socket = socket }

    /// Connects to a port in server mode; nil: that is not possible.
    init?(connectingTo path: String) {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard withUnixAddress(path, { Glibc.connect(socket, $0, $1) }) == 0 else {
            Glibc.close(socket)
            return nil
        }
    }

    deinit { close() }

    func close() {
        if isOpen { Glibc.close(socket) }
        isOpen = false
    }

    /// Sends raw bytes with descriptors, which stay the caller's.
    @discardableResult func send(raw bytes: [UInt8], _ descriptors: [Int32] = []) -> Bool {
        var bytes = bytes
        return bytes.withUnsafeMutableBytes { bytes in
            var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
            return withUnsafeMutablePointer(to: &part) { part in
                var message = msghdr()
                message.msg_iov = part
                message.msg_iovlen = 1
                let header = MemoryLayout<cmsghdr>.size
                var control = [UInt8](repeating: 0, count: header + (descriptors.count * 4 + 7) / 8 * 8)
                return control.withUnsafeMutableBytes { control in
                    if !descriptors.isEmpty {
                        var rights = cmsghdr()
                        rights.cmsg_len = header + descriptors.count * 4
                        rights.cmsg_level = SOL_SOCKET
                        rights.cmsg_type = Int32(SCM_RIGHTS)
                        control.storeBytes(of: rights, as: cmsghdr.self)
                        for (place, descriptor) in descriptors.enumerated() { control.storeBytes(of: descriptor, toByteOffset: header + place * 4, as: Int32.self) }
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                    }
                    return sendmsg(socket, &message, Int32(MSG_NOSIGNAL)) == bytes.count
                }
            }
        }
    }

    @discardableResult func send(_ request: Request, _ payload: [UInt8] = [], _ descriptors: [Int32] = [], needReply: Bool = false) -> Bool {
        let flags: UInt32 = needReply ? 9 : 1
        return send(raw: bytes(request.rawValue) + bytes(flags) + bytes(UInt32(payload.count)) + payload, descriptors)
    }

    /// Sends a request and waits for its answer.
    func ask(_ request: Request, _ payload: [UInt8] = [], _ descriptors: [Int32] = []) -> UInt64? {
        send(request, payload, descriptors, needReply: true)
        return answer()
    }

    /// The next reply's payload of 8 bytes; nil: the connection was closed, or nothing came within 20 seconds.
    func answer() -> UInt64? {
        guard let header = read(12), header[8] == 8, let payload = read(8) else { return nil }
        return payload.enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var all: [UInt8] = []
        while all.count < count {
            var place = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard poll(&place, 1, 20_000) == 1 else { return nil }
            var buffer = [UInt8](repeating: 0, count: count - all.count)
            let read = recv(socket, &buffer, buffer.count, 0)
            if read <= 0 { return nil }
            all += buffer.prefix(read)
        }
        return all
    }

    /// Waits until the other side has closed the connection.
    /// - Returns: false if it has not within 20 seconds.
    func waitForEnd() -> Bool {
        while true {
            var place = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard poll(&place, 1, 20_000) == 1 else { return false }
            var buffer = [UInt8](repeating: 0, count: 4096)
            if recv(socket, &buffer, buffer.count, 0) <= 0 { return true }
        }
    }

    // MARK: What a network device needs

    static let memorySize = 4 << 20
    static let userStart: UInt64 = 0x7000_0000_0000

    /// Negotiates and sets up queue pair 0 in one region of memory.
    /// - Returns: whether every answer was right.
    func negotiate(memory: Int32, packed: Bool = false, rings: Int = 2) -> Bool {
        var features: VirtioFeatures = [.version1, .protocolFeatures, .mergeableReceive]
        if packed { features.insert(.ringPacked) }
        send(.getFeatures)
        guard let offered = answer(), VirtioFeatures(rawValue: offered).isSuperset(of: features) else { return false }
        send(.getProtocolFeatures)
        guard answer() == ProtocolFeatures.standard.rawValue else { return false }
        send(.setProtocolFeatures, bytes(ProtocolFeatures.standard.rawValue))
        send(.setOwner)
        send(.setFeatures, bytes(features.rawValue))
        guard ask(.setMemoryTable, Self.table([(0, UInt64(Self.memorySize), Self.userStart, 0)]), [memory]) == 0 else { return false }
        for ring in 0..<UInt32(rings) {
            let start = Self.userStart + UInt64(ring) << 16
            let kick = eventfd(0, 0), call = eventfd(0, 0)
            defer {
                Glibc.close(kick)
                Glibc.close(call)
            }
            send(.setVringCall, bytes(UInt64(ring)), [call])
            send(.setVringSize, bytes(ring) + bytes(256 as UInt32))
            send(.setVringBase, bytes(ring) + bytes(packed ? 0x8000 : 0 as UInt32))
            send(.setVringAddress, bytes(ring) + bytes(0 as UInt32) + bytes(start) + bytes(start + 8192) + bytes(start + 4096) + bytes(0 as UInt64))
            send(.setVringKick, bytes(UInt64(ring)), [kick])
            guard ask(.setVringEnable, bytes(ring) + bytes(1 as UInt32)) == 0 else { return false }
        }
        return ask(.setStatus, bytes(15 as UInt64)) == 0
    }

    static func table(_ regions: [(guest: UInt64, size: UInt64, user: UInt64, offset: UInt64)]) -> [UInt8] {
        bytes(UInt32(regions.count)) + bytes(0 as UInt32) + regions.flatMap { bytes($0.guest) + bytes($0.size) + bytes($0.user) + bytes($0.offset) }
    }

    /// Memory as QEMU's memory-backend-memfd makes it.
    static func memory(size: Int = memorySize, sealed: Bool = false) -> Int32 {
        // MFD_CLOEXEC, MFD_ALLOW_SEALING; F_ADD_SEALS: F_SEAL_SHRINK (fcntl(2)).
        let memory = memfd_create("guest", 1 | 2)
        ftruncate(memory, off_t(size))
        if sealed { _ = fcntl(memory, 1033, 2 as Int32) }
        return memory
    }
}

func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }

func withUnixAddress(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) } }
}

/// A socket on which a frontend listens, as QEMU does with `server=on`.
final class TestListener {
    let descriptor: Int32
    let path: String

    init?(_ path: String) {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard withUnixAddress(path, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 8) == 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// Waits for a backend; nil: none came within 20 seconds.
    func accept() -> TestFrontend? {
        var place = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&place, 1, 20_000) == 1 else { return nil }
        let connection = Glibc.accept(descriptor, nil, nil)
        return connection < 0 ? nil : TestFrontend(socket: connection)
    }
}

/// A folder of its own for a test.
final class TestFolder {
    let path: String

    init() {
        var template = Array("/tmp/vhost-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
    }

    deinit { remove(path) }

    private func remove(_ path: String) {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { String(cString: $0.bindMemory(to: CChar.self).baseAddress!) }
                if name != "." && name != ".." { remove(path + "/" + name) }
            }
            closedir(folder)
        }
        Glibc.remove(path)
    }
}

/// How many descriptors this process has.
func descriptorCount() -> Int {
    guard let folder = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return count
}

/// Whether the process has no more descriptors than it had before. Suites that run at the same time open and close some, too, so this waits until theirs are
/// closed; a leak that repeats, as those that are tested for would, stays.
func descriptorsAreBack(to before: Int) -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while descriptorCount() > before {
        if ContinuousClock.now > deadline { return false }
        usleep(20_000)
    }
    return true
}

/// How many mappings of guests' memory this process has.
func guestMappingCount() -> Int {
    guard let file = fopen("/proc/self/maps", "r") else { return -1 }
    defer { fclose(file) }
    var count = 0
    var line = [CChar](repeating: 0, count: 4096)
    while fgets(&line, 4096, file) != nil { if strstr(line, "memfd:guest") != nil { count += 1 } }
    return count
}
