import Testing
import VhostUser

@Suite struct ProtocolRules {
    @Test func theFeaturesOfLibrteVhostAreOffered() {
        // VIRTIO_NET_SUPPORTED_FEATURES of DPDK 22.11 without IOMMU_PLATFORM and bits 11 to 14; and bits 54 and 55.
        #expect(VirtioFeatures.standard.rawValue == 0xc0_000d_7c66_87cb)
        var backend = Backend(Offer(queuePairs: 4))
        backend.send(.getFeatures)
        #expect(backend.replies == [[1, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 0xcb, 0x87, 0x66, 0x7c, 0x0d, 0, 0xc0, 0]])
        backend.send(.getQueueCount)
        #expect(backend.answer == 4)
    }

    @Test func needReplyIsAnswered() {
        var backend = Backend()
        backend.send(.setOwner)
        #expect(backend.replies.isEmpty)
        backend.send(.setOwner, needReply: true)
        #expect(backend.replies == [[3, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
        // A question has its own reply and no other.
        backend.forget()
        backend.send(.getFeatures, needReply: true)
        #expect(backend.replies.count == 1 && backend.answer == VirtioFeatures.standard.rawValue)
        backend.send(.setFeatures, .max, needReply: true)
        #expect(backend.answer == 1 && backend.hangUp == nil && backend.notes.count == 1)
        backend.send(.setFeatures, .max)
        #expect(backend.hangUp == "SET_FEATURES has features that were not offered: 0xff3ffff283997834")
    }

    @Test(arguments: [
        Request.iotlb, .setVringEndian, .getConfiguration, .setConfiguration, .createCryptoSession, .closeCryptoSession, .postcopyAdvise, .postcopyListen, .postcopyEnd,
        .getInflightDescriptor, .setInflightDescriptor, .setGPUSocket, .vringKick, .getSharedObject, .setDeviceStateDescriptor, .checkDeviceState,
    ])
    func whatIsNotOfferedIsRefused(request: Request) {
        var backend = Backend()
        backend.negotiate([.version1, .protocolFeatures], .standard)
        for _ in 0..<139 {
            backend.send(request, Array(repeating: 0, count: 20), [backend.descriptor(DescriptorFacts(kind: .file, size: 1))], needReply: true)
            #expect(backend.answer == 1 && backend.open.isEmpty)
        }
        backend.send(request, Array(repeating: 0, count: 20), [backend.descriptor(DescriptorFacts(kind: .file, size: 1))])
        #expect(backend.hangUp != nil)
        backend.send(.setOwner, [], [backend.eventfd()])
        backend.end()
        #expect(backend.violations == [])
    }

    @Test(arguments: Request.allCases) func sizesAndDescriptorsAreExact(request: Request) {
        for size in [0, 1, 4, 7, 8, 9, 12, 16, 39, 40, 41, 48, 1032, 4096] {
            for count in [0, 1, 2, 32] {
                var backend = Backend()
                backend.negotiate([.version1, .protocolFeatures], .standard)
                let facts = DescriptorFacts(kind: request == .setBackendRequestDescriptor ? .socket : request.descriptorCount == 1...1 ? .file : .eventfd, size: 0)
                backend.forget()
                backend.send(request, Array(repeating: 0, count: size), (0..<count).map { _ in backend.descriptor(facts) }, needReply: true)
                if let expected = request.payloadSize, size != expected { #expect(backend.hangUp != nil || backend.answer == 1) }
                if let expected = request.descriptorCount, !expected.contains(count) { #expect(backend.hangUp != nil || backend.answer == 1) }
                backend.end()
                #expect(backend.violations == [])
            }
        }
    }

    @Test func aHeaderThatNoMessageCanFollow() {
        for (flags, size) in [(0 as UInt32, 0), (2, 0), (5, 0), (1, 4097)] {
            var backend = Backend()
            backend.receive(MessageHeader(request: 1, flags: flags, payloadSize: size), [], [backend.eventfd()])
            #expect(backend.hangUp != nil && backend.violations == [])
        }
    }

    @Test func ringsHaveNumbers() {
        for request in [Request.setVringSize, .setVringBase, .getVringBase, .setVringEnable] {
            var backend = Backend(Offer(queuePairs: 2))
            backend.send(request, ring: 4, 1)
            #expect(backend.hangUp == "there is no ring 4: 2 queue pairs have rings 0 to 3")
        }
        for request in [Request.setVringKick, .setVringCall, .setVringError] {
            var backend = Backend(Offer(queuePairs: 2))
            backend.send(request, 4, [backend.eventfd()])
            #expect(backend.hangUp == "there is no ring 4: 2 queue pairs have rings 0 to 3" && backend.violations == [])
            backend = Backend()
            backend.send(request, 1, [backend.descriptor(DescriptorFacts(kind: .file, size: 8))], needReply: true)
            #expect(backend.answer == 1)
            backend.send(request, 0x101, [backend.eventfd()], needReply: true)
            #expect(backend.answer == 1)
            backend.send(request, 1, needReply: true)
            #expect(backend.answer == 1 && backend.violations == [])
        }
    }

    @Test func theNetworksOwnRequests() {
        var backend = Backend(Offer(largestMTU: 9000))
        backend.negotiate([.version1, .protocolFeatures], .standard)
        backend.forget()
        backend.send(.setMTU, 9000, needReply: true)
        #expect(backend.answer == 0)
        backend.send(.setMTU, 9001, needReply: true)
        #expect(backend.answer == 1)
        backend.send(.setMTU, 67, needReply: true)
        #expect(backend.answer == 1)
        backend.send(.sendRARP, 0xffff_6655_4433_2211)
        backend.send(.setStatus, 256, needReply: true)
        #expect(backend.answer == 1)
        #expect(backend.others == [.mtu(9000), .rarp([0x11, 0x22, 0x33, 0x44, 0x55, 0x66])])
    }

    @Test func resets() {
        var backend = Backend()
        backend.negotiate([.version1, .protocolFeatures], .standard)
        backend.send(memory: [Region()])
        for ring in 0..<4 {
            backend.configure(ring: ring, at: 0x7000_0000_0000 + UInt64(ring) << 16)
            backend.send(.setVringEnable, ring: ring, 1)
        }
        backend.send(.setStatus, 15)
        #expect(backend.running.count == 4)
        // RESET_OWNER disables all rings; memory and features stay.
        backend.send(.resetOwner)
        backend.send(.resetOwner)
        #expect(backend.running.isEmpty && backend.mapped.count == 1)
        for ring in 0..<4 {
            backend.configure(ring: ring, at: 0x7000_0000_0000 + UInt64(ring) << 16)
            backend.send(.setVringEnable, ring: ring, 1)
        }
        #expect(backend.running.count == 4)
        backend.send(.resetDevice, needReply: true)
        #expect(backend.answer == 0 && backend.running.isEmpty && backend.mapped.count == 1 && backend.session.features == nil && backend.session.status == [])
        backend.send(.resetDevice, needReply: true)
        backend.send(.setFeatures, VirtioFeatures([.version1, .protocolFeatures, .ringPacked]).rawValue)
        backend.send(.setStatus, 15)
        backend.configure(ring: 0, packed: true, base: 0x8000)
        backend.send(.setVringEnable, ring: 0, 1)
        #expect(backend.running.count == 1 && backend.running[0]?.isPacked == true)
        // Other features while it runs.
        backend.send(.setFeatures, VirtioFeatures([.version1, .protocolFeatures, .ringPacked, .inOrder]).rawValue, needReply: true)
        #expect(backend.answer == 0 && backend.running[0]?.features.contains(.inOrder) == true)
        backend.end()
        #expect(backend.violations == [])
    }

    @Test func aRefusedChoiceOfFeaturesShowsInTheStatus() {
        var backend = Backend()
        backend.negotiate([.version1, .protocolFeatures], .standard)
        backend.send(.setFeatures, .max, needReply: true)
        backend.send(.setStatus, 0b1011)
        backend.send(.getStatus)
        #expect(backend.answer == 0b0011)
        backend.send(.setFeatures, VirtioFeatures.version1.rawValue)
        backend.send(.setStatus, 0b1011)
        backend.send(.getStatus)
        #expect(backend.answer == 0b1011)
    }
}
