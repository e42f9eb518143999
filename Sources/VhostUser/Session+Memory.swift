extension Session {
    /// Replaces all regions. Those that are in both tables stay mapped: to map gigabytes anew would cost their page tables.
    mutating func setMemoryTable(_ message: inout Message) throws(Refusal) -> [Step] {
        var reader = PayloadReader(message.payload)
        guard let count = reader.number32(), reader.number32() != nil else { throw Refusal("SET_MEM_TABLE came with \(message.payload.count) bytes") }
        guard count <= offer.memorySlots else { throw Refusal("SET_MEM_TABLE has \(count) memory regions; at most \(offer.memorySlots) are possible") }
        guard message.payload.count == 8 + Int(count) * MemoryRegionDescription.size, message.descriptors.count == count else {
            throw Refusal("SET_MEM_TABLE of \(count) memory regions came with \(message.payload.count) bytes and \(message.descriptors.count) descriptors")
        }
        var table: [MemoryRegion] = [], added: [MemoryRegion] = []
        for descriptor in message.descriptors {
            guard let description = MemoryRegionDescription(&reader) else { break }
            if let fault = MemoryTable.fault(description, descriptor.facts, beside: table) { throw Refusal(fault) }
            if let same = memory.regions.first(where: { $0.isSame(as: description, descriptor.facts) }) {
                table.append(same)
            } else {
                let region = MemoryRegion(id: memory.makeID(), description, descriptor)
                table.append(region)
                added.append(region)
            }
        }
        let removed = memory.regions.filter { old in !table.contains { $0.id == old.id } }
        if removed.isEmpty, added.isEmpty { return [] }
        memory.regions = table
        var steps = stopAll() + removed.map { .unmap($0.id) } + added.map { .map(id: $0.id, isTable: true) }
        // All of them, also those of the regions that stay.
        steps += message.takeDescriptors().map { .close($0.number) }
        return steps
    }

    /// QEMU up to 7.2 adds and removes each region once for each queue pair: what is there already is not added again, and what is not there is no error when
    /// it is removed.
    mutating func addMemoryRegion(_ message: inout Message) throws(Refusal) -> [Step] {
        let description = try description(message)
        guard let descriptor = message.descriptors.first else { throw Refusal("ADD_MEM_REG came without a descriptor") }
        if memory.regions.contains(where: { $0.isSame(as: description, descriptor.facts) }) { return [] }
        guard memory.regions.count < offer.memorySlots else { throw Refusal("ADD_MEM_REG came when all \(offer.memorySlots) memory slots were in use") }
        if let fault = MemoryTable.fault(description, descriptor.facts, beside: memory.regions) { throw Refusal(fault) }
        _ = message.takeDescriptors()
        let region = MemoryRegion(id: memory.makeID(), description, descriptor)
        memory.regions.append(region)
        return stopAll() + [.map(id: region.id, isTable: false), .close(descriptor.number)]
    }

    mutating func removeMemoryRegion(_ message: Message) throws(Refusal) -> [Step] {
        let description = try description(message)
        guard let place = memory.regions.firstIndex(where: { $0.matches(description) }) else { return [] }
        let region = memory.regions.remove(at: place)
        return stopAll() + [.unmap(region.id)]
    }

    /// "Single memory region description": 64 bits of padding come first.
    private func description(_ message: Message) throws(Refusal) -> MemoryRegionDescription {
        var reader = PayloadReader(message.payload)
        guard reader.number64() != nil, let description = MemoryRegionDescription(&reader) else { throw Refusal("a memory region was cut short") }
        return description
    }

    mutating func setLogBase(_ message: inout Message) throws(Refusal) -> [Step] {
        guard let description = LogDescription(message.payload), let descriptor = message.descriptors.first else {
            throw Refusal("SET_LOG_BASE came without a log")
        }
        if let fault = LogRegion.fault(description, descriptor.facts) { throw Refusal(fault) }
        _ = message.takeDescriptors()
        log = LogRegion(size: description.size, offset: description.offset, descriptor: descriptor)
        return stopAll() + [.unmapLog, .mapLog, .close(descriptor.number)]
    }
}

extension MemoryRegion {
    init(id: Int, _ description: MemoryRegionDescription, _ descriptor: ReceivedDescriptor) {
        self.init(
            id: id, guestAddress: description.guestAddress, userAddress: description.userAddress, size: description.size, offset: description.offset,
            descriptor: descriptor)
    }
}
