extension Session {
    /// Does what a request asks. The steps lead to what it needs from the caller; its descriptors are taken out of the message, or they are closed.
    mutating func handle(_ request: Request, _ message: inout Message) throws(Refusal) -> [Step] {
        switch request {
        case .getFeatures: return reply(request, offer.features.rawValue)
        case .setFeatures: return try setFeatures(VirtioFeatures(rawValue: message.number))
        case .getProtocolFeatures:
            try require(offer.features.contains(.protocolFeatures), request)
            return reply(request, offer.protocolFeatures.rawValue)
        case .setProtocolFeatures:
            try require(offer.features.contains(.protocolFeatures), request)
            return try setProtocolFeatures(ProtocolFeatures(rawValue: message.number))
        case .setOwner: return []
        case .resetOwner: return resetOwner()
        case .resetDevice:
            try require(protocolFeatures.contains(.resetDevice), request)
            return resetDevice()
        case .getQueueCount:
            try require(offer.protocolFeatures.contains(.multiqueue), request)
            return reply(request, UInt64(offer.queuePairs))
        case .setStatus:
            try require(protocolFeatures.contains(.status), request)
            return try setStatus(message.number)
        case .getStatus:
            try require(protocolFeatures.contains(.status), request)
            return reply(request, UInt64(status.rawValue))
        case .setMTU:
            try require(protocolFeatures.contains(.mtu), request)
            return try setMTU(message.number)
        case .sendRARP:
            try require(protocolFeatures.contains(.rarp), request)
            return [.act(.rarp(Array(message.payload.prefix(6))))]
        case .setBackendRequestDescriptor:
            try require(protocolFeatures.contains(.backendRequests), request)
            return try setBackendRequests(&message)
        case .setMemoryTable: return try setMemoryTable(&message)
        case .addMemoryRegion:
            try require(protocolFeatures.contains(.memorySlots), request)
            return try addMemoryRegion(&message)
        case .removeMemoryRegion:
            try require(protocolFeatures.contains(.memorySlots), request)
            return try removeMemoryRegion(message)
        case .getMemorySlots:
            try require(protocolFeatures.contains(.memorySlots), request)
            return reply(request, UInt64(offer.memorySlots))
        case .setLogBase:
            try require(protocolFeatures.contains(.logDescriptor), request)
            return try setLogBase(&message)
        // Nobody needs to be told that pages were written: the log is read when the frontend wants to. The message closes its descriptor.
        case .setLogDescriptor: return []
        case .setVringSize: return try setVringSize(&message)
        case .setVringAddress: return try setVringAddress(&message)
        case .setVringBase: return try setVringBase(&message)
        case .getVringBase: return try getVringBase(&message)
        case .setVringEnable:
            try require(offer.features.contains(.protocolFeatures), request)
            return try setVringEnable(&message)
        case .setVringKick: return try setVringEvent(request, \.kick, &message)
        case .setVringCall: return try setVringEvent(request, \.call, &message)
        case .setVringError: return try setVringEvent(request, \.error, &message)
        case .iotlb, .setVringEndian, .getConfiguration, .setConfiguration, .createCryptoSession, .closeCryptoSession, .postcopyAdvise, .postcopyListen,
             .postcopyEnd, .getInflightDescriptor, .setInflightDescriptor, .setGPUSocket, .vringKick, .getSharedObject, .setDeviceStateDescriptor,
             .checkDeviceState:
            throw Refusal("\(request.name) belongs to a feature that was not offered")
        }
    }

    private func require(_ isAllowed: Bool, _ request: Request) throws(Refusal) {
        if !isAllowed { throw Refusal("\(request.name) belongs to a feature that was not agreed on") }
    }

    private func reply(_ request: Request, _ number: UInt64) -> [Step] {
        var payload = PayloadWriter()
        payload.append(number)
        return [.act(.reply(MessageHeader.reply(to: request, payload: payload.bytes)))]
    }

    private mutating func setMTU(_ mtu: UInt64) throws(Refusal) -> [Step] {
        // VIRTIO_NET_F_MTU: at least 68 (virtio 1.2, 5.1.4.1).
        guard mtu >= 68, mtu <= offer.largestMTU, let mtu = UInt16(exactly: mtu) else {
            throw Refusal("NET_SET_MTU says \(mtu); an MTU here is 68 to \(offer.largestMTU)")
        }
        return [.act(.mtu(mtu))]
    }

    private mutating func setBackendRequests(_ message: inout Message) throws(Refusal) -> [Step] {
        guard message.descriptors.allSatisfy({ $0.facts.kind == .socket }) else { throw Refusal("SET_BACKEND_REQ_FD came with something else than a socket") }
        let old = backendRequests
        backendRequests = message.takeDescriptor()?.number
        return old.map { [.close($0)] } ?? []
    }
}
