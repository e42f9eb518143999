extension Session {
    mutating func setFeatures(_ agreed: VirtioFeatures) throws(Refusal) -> [Step] {
        let others = agreed.subtracting(offer.features)
        hasRefusedFeatures = !others.isEmpty
        guard others.isEmpty else { throw Refusal("SET_FEATURES has features that were not offered: \(hexadecimal(others.rawValue))") }
        if features == agreed { return [] }
        features = agreed
        return stopAll() + [.act(.features(agreed, protocolFeatures))]
    }

    mutating func setProtocolFeatures(_ agreed: ProtocolFeatures) throws(Refusal) -> [Step] {
        let others = agreed.subtracting(offer.protocolFeatures)
        guard others.isEmpty else { throw Refusal("SET_PROTOCOL_FEATURES has features that were not offered: \(hexadecimal(others.rawValue))") }
        if protocolFeatures == agreed { return [] }
        protocolFeatures = agreed
        return stopAll()
    }

    mutating func setStatus(_ number: UInt64) throws(Refusal) -> [Step] {
        guard let number = UInt8(exactly: number) else { throw Refusal("SET_STATUS says \(hexadecimal(number)), but a status has 8 bits") }
        var told = DeviceStatus(rawValue: number)
        // The driver reads the status to see whether its choice of features was taken (virtio 1.2, 3.1.1).
        if hasRefusedFeatures { told.remove(.featuresOK) }
        if told.isEmpty { hasRefusedFeatures = false }
        let stops = status.contains(.driverOK) && !told.contains(.driverOK)
        status = told
        return (stops ? stopAll() : []) + [.act(.status(told))]
    }

    /// "It is recommended that back-ends either ignore this message, or use it to disable all rings." What else was said stays, as cloud-hypervisor sends it
    /// when a guest resets its device and does not negotiate the protocol anew.
    mutating func resetOwner() -> [Step] {
        var steps = stopAll()
        for ring in rings.indices {
            rings[ring].isEnabled = false
            steps += close(rings[ring].kick)
            rings[ring].kick = .unset
        }
        return steps
    }

    /// "Ask the vhost user back-end to disable all rings and reset all internal device state to the initial state, ready to be reinitialized." What belongs to
    /// the connection rather than to the device stays: protocol features and memory, and the descriptors that QEMU sends once only.
    mutating func resetDevice() -> [Step] {
        var steps = resetOwner()
        for ring in rings.indices { (rings[ring].size, rings[ring].addresses) = (nil, nil) }
        steps += rings.indices.map { .setBase(ring: $0, nil) }
        (features, status, hasRefusedFeatures) = (nil, [], false)
        if log != nil { steps.append(.unmapLog) }
        log = nil
        return steps
    }
}
