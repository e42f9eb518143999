import Foundation

/// A vhost-user frontend (QEMU, docs/interop/vhost-user.rst) with split rings (virtio 1.2, section 2.7), one queue pair or up to six, for messages and rings that
/// no real guest would make. Ring 0 carries frames to this guest, ring 1 frames from it, and so on in turn.
final class Frontend {
    /// The vhost-user messages that are sent.
    enum Request: UInt32 {
        case getFeatures = 1, setFeatures = 2, setOwner = 3, setMemoryTable = 5, setRingSize = 8, setRingAddress = 9, setRingBase = 10, setRingKick = 12
        case setRingCall = 13
    }

    let descriptor: Int32
    /// The guest's memory: a file, the whole of which is shared with the port.
    let memory: Int32
    private let base: UnsafeMutableRawPointer
    static let memoryBytes = 16 << 20
    private let sizes: (toGuest: Int, fromGuest: Int)
    private var descriptors: [Int32] = []

    /// Connects to the socket on which a port listens, and sends nothing yet.
    init(_ path: String, toGuest: Int = 256, fromGuest: Int = 256) throws {
        sizes = (toGuest, fromGuest)
        descriptor = try Self.connect(path)
        let file = "/dev/shm/sluice-guest-\(getpid())-\(descriptor)"
        memory = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        unlink(file)
        guard memory >= 0, ftruncate(memory, Self.memoryBytes) == 0 else { throw LabError("\(file): \(String(cString: strerror(errno)))") }
        guard let mapped = mmap(nil, Self.memoryBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0), mapped != MAP_FAILED else {
            throw LabError("mmap: \(String(cString: strerror(errno)))")
        }
        base = mapped
    }

    deinit {
        close(descriptor)
        close(memory)
        munmap(base, Self.memoryBytes)
        descriptors.forEach { close($0) }
    }

    private static func connect(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw LabError("connect \(path): \(String(cString: strerror(errno)))") }
        return descriptor
    }

    /// Does everything that a guest does when it starts. If `fullCall` is set, the call descriptor is a blocking pipe that is already full.
    /// - Parameters:
    ///   - call: the call descriptor of all rings, if it is not to be a pipe.
    ///   - pairs: how many queue pairs there are.
    ///   - features: the numbers of feature bits, beside VIRTIO_F_VERSION_1 (32) and VIRTIO_NET_F_MRG_RXBUF (15).
    func start(fullCall: Bool = false, call given: Int32? = nil, pairs: Int = 1, features: [UInt64] = []) throws {
        try send(.setOwner)
        try send(.setFeatures, le(features.reduce(UInt64(1 << 32 | 1 << 15)) { $0 | 1 << $1 }))
        try send(.setMemoryTable, le(UInt32(1)) + le(UInt32(0)) + [0, Self.memoryBytes, 0, 0].flatMap { le(UInt64($0)) }, descriptors: [memory])
        for number in 0..<2 * pairs {
            let index = UInt32(number), size = UInt32(number % 2 == 0 ? sizes.toGuest : sizes.fromGuest)
            try send(.setRingSize, le(index) + le(size))
            try send(.setRingBase, le(index) + le(UInt32(0)))
            try send(.setRingAddress, le(index) + le(UInt32(0)) + [Self.descriptors(number), Self.used(number), Self.available(number), 0].flatMap { le(UInt64($0)) })
            var kick = [Int32](repeating: 0, count: 2), call = kick
            guard pipe(&kick) == 0, pipe(&call) == 0 else { throw LabError("pipe: \(String(cString: strerror(errno)))") }
            descriptors += kick + call
            if fullCall {
                _ = fcntl(call[1], F_SETFL, O_NONBLOCK)
                let page = [UInt8](repeating: 0, count: 4096)
                while page.withUnsafeBytes({ Glibc.write(call[1], $0.baseAddress, $0.count) }) > 0 {}
                _ = fcntl(call[1], F_SETFL, 0)
            }
            try send(.setRingCall, le(UInt64(number)), descriptors: [given ?? call[1]])
            try send(.setRingKick, le(UInt64(number)), descriptors: [kick[0]])
        }
    }

    /// Makes an eventfd (eventfd(2)).
    @_silgen_name("eventfd") static func makeEvent(_ count: UInt32, _ flags: Int32) -> Int32

    /// Sends one message, together with descriptors (cmsg(3), SCM_RIGHTS).
    func send(_ request: Request, _ payload: [UInt8] = [], descriptors: [Int32] = []) throws {
        var bytes = le(request.rawValue) + le(UInt32(1)) + le(UInt32(payload.count)) + payload
        var control = [UInt8]()
        if !descriptors.isEmpty {
            control = le(UInt64(16 + 4 * descriptors.count)) + le(UInt32(SOL_SOCKET)) + le(UInt32(SCM_RIGHTS)) + descriptors.flatMap { le(UInt32(bitPattern: $0)) }
            control += [UInt8](repeating: 0, count: -control.count & 7)
        }
        let sent = bytes.withUnsafeMutableBytes { body in
            control.withUnsafeMutableBytes { rights in
                var vector = iovec(iov_base: body.baseAddress, iov_len: body.count)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = rights.isEmpty ? nil : rights.baseAddress
                    message.msg_controllen = rights.count
                    return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
                }
            }
        }
        guard sent == bytes.count else { throw LabError("the port does not take \(request): \(String(cString: strerror(errno)))") }
    }

    /// Whether the other side closes this connection.
    func isClosed(within seconds: Double = 10) -> Bool {
        var place = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        guard poll(&place, 1, Deadline.after(seconds).milliseconds) > 0 else { return false }
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT))
        return count == 0 || count < 0 && errno == ECONNRESET
    }

    // These are the places in memory of what the driver writes: for each ring, 256 KiB for the tables and 1 MiB for buffers.
    private static func descriptors(_ ring: Int) -> Int { ring << 18 }
    private static func available(_ ring: Int) -> Int { ring << 18 + 0x10000 }
    private static func used(_ ring: Int) -> Int { ring << 18 + 0x20000 }
    private static func buffers(_ ring: Int) -> Int { (ring + 4) << 20 }

    /// Makes every descriptor of a ring name a buffer of its own and makes each of them available once. `count` is the number of available buffers that the
    /// ring then states.
    func offer(ring: Int, bufferBytes: Int, count: UInt16) {
        let size = ring % 2 == 0 ? sizes.toGuest : sizes.fromGuest
        for place in 0..<size {
            let row = base + Self.descriptors(ring) + 16 * place
            row.storeBytes(of: UInt64(Self.buffers(ring) + place * bufferBytes), as: UInt64.self)
            row.storeBytes(of: UInt32(bufferBytes), toByteOffset: 8, as: UInt32.self)
            // VIRTQ_DESC_F_WRITE is 2.
            row.storeBytes(of: UInt16(ring % 2 == 0 ? 2 : 0), toByteOffset: 12, as: UInt16.self)
            (base + Self.available(ring)).storeBytes(of: UInt16(place), toByteOffset: 4 + 2 * place, as: UInt16.self)
        }
        (base + Self.available(ring)).storeBytes(of: count, toByteOffset: 2, as: UInt16.self)
    }

    /// Makes every buffer available again that the port has used.
    func renew(ring: Int) {
        let size = UInt16(ring % 2 == 0 ? sizes.toGuest : sizes.fromGuest), used = (base + Self.used(ring)).load(fromByteOffset: 2, as: UInt16.self)
        (base + Self.available(ring)).storeBytes(of: used &+ size, toByteOffset: 2, as: UInt16.self)
    }

    /// Tells the port that a ring has something for it.
    func kick(ring: Int) { _ = Glibc.write(descriptors[4 * ring + 1], [1], 1) }

    /// Changes a descriptor of a ring. Addresses begin with 0 at the start of the shared memory.
    func setDescriptor(ring: Int, _ number: Int, address: UInt64, length: UInt32, flags: UInt16, next: UInt16) {
        let row = base + Self.descriptors(ring) + 16 * number
        row.storeBytes(of: address, as: UInt64.self)
        row.storeBytes(of: length, toByteOffset: 8, as: UInt32.self)
        row.storeBytes(of: flags, toByteOffset: 12, as: UInt16.self)
        row.storeBytes(of: next, toByteOffset: 14, as: UInt16.self)
    }

    /// Writes a frame, behind a virtio-net header of 12 bytes, into each of the first buffers of the ring from this guest.
    func write(_ frame: [UInt8], header: [UInt8] = [UInt8](repeating: 0, count: 12), ring: Int = 1, buffers: Int, bufferBytes: Int) {
        let bytes = header + frame
        for place in 0..<buffers { (base + Self.buffers(ring) + place * bufferBytes).copyMemory(from: bytes, byteCount: bytes.count) }
    }

    /// The first bytes of the ring's buffers, which lie behind each other.
    func read(ring: Int, bytes: Int) -> [UInt8] { Array(UnsafeRawBufferPointer(start: base + Self.buffers(ring), count: bytes)) }

    /// The number of frames that the port has put into the ring towards this guest (modulo 2^16).
    var taken: UInt16 { (base + Self.used(0)).load(fromByteOffset: 2, as: UInt16.self) }
}

private func le<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian, Array.init) }
