import Testing
import VhostUser

@Suite struct FrontendMessageTests {
    private func send(_ message: FrontendMessage, to backend: inout Backend, _ descriptors: [ReceivedDescriptor] = [], needsReply: Bool = true) throws {
        let bytes = message.bytes(needsReply: needsReply)
        let header = try #require(MessageHeader(bytes))
        #expect(header.fault == nil && Int(header.payloadSize) == bytes.count - MessageHeader.size)
        backend.receive(header, Array(bytes.dropFirst(MessageHeader.size)), descriptors)
    }

    private func number(_ backend: Backend, _ request: Request) -> UInt64? { backend.replies.last.flatMap { FrontendMessage.number(inReply: $0, to: request) } }

    /// A frontend that speaks in these messages gets its rings served, and reads the session's answers.
    @Test(arguments: [false, true]) func sessionsUnderstandThem(packed: Bool) throws {
        var backend = Backend()
        try send(.plain(.getFeatures), to: &backend)
        let features: VirtioFeatures = packed ? [.version1, .protocolFeatures, .ringPacked, .inOrder] : [.version1, .protocolFeatures]
        let offered = try #require(number(backend, .getFeatures))
        #expect(VirtioFeatures(rawValue: offered).isSuperset(of: features))
        #expect(number(backend, .getProtocolFeatures) == nil)
        try send(.number(.setProtocolFeatures, ProtocolFeatures([.replyAck]).rawValue), to: &backend, needsReply: false)
        try send(.number(.setFeatures, features.rawValue), to: &backend)
        #expect(number(backend, .setFeatures) == 0)
        let start: UInt64 = 0x7000_0000_0000
        let file = backend.descriptor(DescriptorFacts(kind: .file, size: 1 << 20, device: 1, inode: 1))
        try send(.memory(at: start, size: 1 << 20), to: &backend, [file])
        for ring in 0..<2 {
            let place = start + UInt64(ring) << 16
            try send(.number(.setVringCall, UInt64(ring)), to: &backend, [backend.eventfd()])
            try send(.ring(.setVringSize, ring, 64), to: &backend)
            try send(.ring(.setVringBase, ring, packed ? 1 << 15 : 0), to: &backend)
            try send(.ringAddresses(ring, descriptors: place, driverArea: place + 4_096, deviceArea: place + 8_192), to: &backend)
            try send(.number(.setVringKick, UInt64(ring)), to: &backend, [backend.eventfd()])
            try send(.ring(.setVringEnable, ring, 1), to: &backend)
            #expect(number(backend, .setVringEnable) == 0)
            let setup = try #require(backend.running[ring])
            #expect(setup.size == 64 && setup.isPacked == packed && setup.position == .start(packed: packed) && setup.kick != nil && setup.call != nil)
            let offset = UInt64(ring) << 16
            #expect(setup.descriptors.offset == offset && setup.driverArea.offset == offset + 4_096 && setup.deviceArea.offset == offset + 8_192)
        }
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func repliesToOtherRequestsHaveNoNumber() {
        let reply = FrontendMessage.number(.setFeatures, 7).bytes(needsReply: false)
        #expect(FrontendMessage.number(inReply: reply, to: .setFeatures) == 7)
        #expect(FrontendMessage.number(inReply: reply, to: .getFeatures) == nil)
        #expect(FrontendMessage.number(inReply: Array(reply.dropLast()), to: .setFeatures) == nil)
        #expect(FrontendMessage.number(inReply: [], to: .setFeatures) == nil)
    }
}
