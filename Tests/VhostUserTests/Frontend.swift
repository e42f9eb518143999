import VhostUser

/// Messages as frontends send them.
extension Backend {
    /// Sends a request; its payload is `numbers`, and the header says so.
    mutating func send(_ request: Request, _ payload: [UInt8] = [], _ descriptors: [ReceivedDescriptor] = [], needReply: Bool = false) {
        let flags = MessageHeader.version | (needReply ? MessageHeader.needReply : 0)
        receive(MessageHeader(request: request.rawValue, flags: flags, payloadSize: payload.count), payload, descriptors)
    }

    mutating func send(_ request: Request, _ number: UInt64, _ descriptors: [ReceivedDescriptor] = [], needReply: Bool = false) {
        send(request, bytes(number), descriptors, needReply: needReply)
    }

    mutating func send(_ request: Request, ring: Int, _ number: UInt32, needReply: Bool = false) {
        send(request, bytes(UInt32(ring)) + bytes(number), needReply: needReply)
    }

    mutating func send(memory regions: [Region], needReply: Bool = false) {
        let descriptors = regions.map { descriptor($0.facts) }
        send(.setMemoryTable, bytes(UInt32(regions.count)) + bytes(0 as UInt32) + regions.flatMap(\.bytes), descriptors, needReply: needReply)
    }

    mutating func send(_ request: Request, region: Region, needReply: Bool = false) {
        let descriptors = request == .addMemoryRegion ? [descriptor(region.facts)] : []
        send(request, bytes(0 as UInt64) + region.bytes, descriptors, needReply: needReply)
    }

    /// The last reply's payload as one number.
    var answer: UInt64? {
        guard let reply = replies.last, reply.count == 20 else { return nil }
        return reply[12...].enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
    }

    /// Says all about a ring but that it is enabled.
    mutating func configure(ring: Int, size: UInt32 = 256, at address: UInt64 = 0x7000_0000_0000, packed: Bool = false, base: UInt32 = 0, logFlag: Bool = false) {
        send(.setVringSize, ring: ring, size)
        send(.setVringBase, ring: ring, base)
        send(.setVringAddress, ringAddresses(ring, size: size, at: address, packed: packed, logFlag: logFlag))
        send(.setVringKick, UInt64(ring), [eventfd()])
        send(.setVringCall, UInt64(ring), [eventfd()])
    }

    /// Negotiates as QEMU does, but without the status.
    mutating func negotiate(_ features: VirtioFeatures = [.version1, .protocolFeatures], _ protocolFeatures: ProtocolFeatures = [.replyAck, .memorySlots, .logDescriptor]) {
        send(.getFeatures)
        send(.getProtocolFeatures)
        send(.setProtocolFeatures, protocolFeatures.rawValue)
        send(.setOwner)
        send(.setFeatures, features.rawValue)
    }
}

/// A memory region as a frontend describes it.
struct Region {
    var guest: UInt64 = 0
    var size: UInt64 = 1 << 20
    var user: UInt64 = 0x7000_0000_0000
    var offset: UInt64 = 0
    var facts = DescriptorFacts(kind: .file, size: 1 << 20, device: 1, inode: 1)

    var bytes: [UInt8] { [guest, size, user, offset].flatMap { VhostUserTests.bytes($0) } }
}

func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }

func ringAddresses(_ ring: Int, size: UInt32, at address: UInt64, packed: Bool = false, logFlag: Bool = false, log: UInt64 = 0) -> [UInt8] {
    let available = address &+ 16 * UInt64(size)
    let used = packed ? available &+ 4 : (available &+ 6 &+ 2 * UInt64(size) &+ 3) & ~3
    return bytes(UInt32(ring)) + bytes(logFlag ? 1 : 0 as UInt32) + bytes(address) + bytes(used) + bytes(available) + bytes(log)
}
