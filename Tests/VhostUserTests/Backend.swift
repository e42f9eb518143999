import VhostUser

/// Carries out what a session says, as the real caller does, and checks on the way what must hold whatever a frontend sends.
struct Backend {
    var session: Session
    private(set) var replies: [[UInt8]] = []
    private(set) var notes: [String] = []
    private(set) var hangUp: String?
    private(set) var started: [RingSetup] = []
    private(set) var stopped: [Int] = []
    private(set) var mapCount = 0
    private(set) var others: [Action] = []
    private(set) var running: [Int: RingSetup] = [:]
    private(set) var mapped: [Int: MemoryRegion] = [:]
    private(set) var log: LogRegion?
    /// Descriptors that came with messages and are to be closed some day.
    private(set) var open: Set<Int32> = []
    /// What was broken of what must hold; empty: nothing.
    private(set) var violations: [String] = []
    /// How far a ring is when it is stopped.
    var positions: [Int: RingPosition] = [:]
    /// Whether the next region or log cannot be mapped.
    var mappingFails = false

    private var nextDescriptor: Int32 = 100

    init(_ offer: Offer = Offer()) { session = Session(offer: offer) }

    mutating func descriptor(_ facts: DescriptorFacts) -> ReceivedDescriptor {
        nextDescriptor += 1
        return ReceivedDescriptor(nextDescriptor, facts)
    }

    mutating func eventfd() -> ReceivedDescriptor { descriptor(DescriptorFacts(kind: .eventfd)) }

    mutating func receive(_ header: MessageHeader, _ payload: [UInt8], _ descriptors: [ReceivedDescriptor]) {
        for descriptor in descriptors where !open.insert(descriptor.number).inserted { violations.append("descriptor \(descriptor.number) came twice") }
        session.receive(header, payload: payload, descriptors: descriptors)
        carryOut()
    }

    mutating func end() {
        session.end()
        carryOut()
        if !open.isEmpty { violations.append("descriptors \(open.sorted()) were never closed") }
        if !running.isEmpty { violations.append("rings \(running.keys.sorted()) run after the end") }
        if !mapped.isEmpty || log != nil { violations.append("memory is mapped after the end") }
    }

    /// Forgets what was counted, so that a test can look at one message alone.
    mutating func forget() { (replies, notes, started, stopped, others, mapCount) = ([], [], [], [], [], 0) }

    private mutating func carryOut() {
        var left = 10_000
        while let action = session.next() {
            left -= 1
            if left == 0 { return violations.append("a message leads to more than 10 000 actions") }
            carryOut(action)
        }
    }

    private mutating func carryOut(_ action: Action) {
        if hangUp != nil, !isClose(action) { violations.append("\(action) comes after the end") }
        switch action {
        case .stop(let rings):
            if rings.isEmpty || Set(rings).count != rings.count { violations.append("rings \(rings) are to be stopped") }
            for ring in rings {
                guard let setup = running.removeValue(forKey: ring) else {
                    violations.append("ring \(ring) is stopped but does not run")
                    continue
                }
                session.stopped(ring, at: positions[ring] ?? setup.position)
            }
            stopped += rings
        case .start(let setup):
            check(setup)
            if running.updateValue(setup, forKey: setup.index) != nil { violations.append("ring \(setup.index) is started while it runs") }
            started.append(setup)
        case .map(let region):
            if !open.contains(region.descriptor.number) { violations.append("a region is mapped from a closed descriptor") }
            if !running.isEmpty { violations.append("memory changes under running rings") }
            if mappingFails {
                mappingFails = false
                session.failed("mmap: no memory")
            } else {
                if mapped.updateValue(region, forKey: region.id) != nil { violations.append("region \(region.id) is mapped twice") }
                mapCount += 1
            }
        case .unmap(let id):
            if mapped.removeValue(forKey: id) == nil { violations.append("region \(id) is unmapped but was not mapped") }
            if !running.isEmpty { violations.append("memory is unmapped under running rings") }
        case .mapLog(let region):
            if !open.contains(region.descriptor.number) { violations.append("the log is mapped from a closed descriptor") }
            if log != nil || !running.isEmpty { violations.append("the log changes under running rings, or is mapped twice") }
            if mappingFails {
                mappingFails = false
                session.failed("mmap: no memory")
            } else {
                log = region
            }
        case .unmapLog:
            if log == nil || !running.isEmpty { violations.append("the log is unmapped under running rings, or was not mapped") }
            log = nil
        case .close(let number):
            if open.remove(number) == nil { violations.append("descriptor \(number) is closed twice") }
            for setup in running.values where [setup.call, setup.kick, setup.error].contains(number) {
                violations.append("descriptor \(number) is closed while ring \(setup.index) uses it")
            }
        case .reply(let bytes): replies.append(bytes)
        case .note(let sentence): notes.append(sentence)
        case .hangUp(let sentence):
            hangUp = sentence
            if !open.isEmpty || !running.isEmpty || !mapped.isEmpty || log != nil { violations.append("the connection ends before all was given back") }
        case .features, .mtu, .status, .rarp: others.append(action)
        }
    }

    private func isClose(_ action: Action) -> Bool { if case .close = action { true } else { false } }

    /// A ring that is started lies in mapped memory, whole and aligned.
    private mutating func check(_ setup: RingSetup) {
        let count = UInt64(setup.size)
        if count == 0 || count > 32768 || !setup.isPacked && count & (count - 1) != 0 { violations.append("ring \(setup.index) has \(count) descriptors") }
        var parts: [(RegionPlace, UInt64, UInt64)] = [(setup.descriptors, 16 * count, 16)]
        let (driver, device): (UInt64, UInt64) = setup.isPacked ? (4, 4) : (6 + 2 * count, 6 + 8 * count)
        parts.append((setup.driverArea, driver, setup.isPacked ? 4 : 2))
        parts.append((setup.deviceArea, device, 4))
        for (place, length, alignment) in parts {
            guard let region = mapped[place.region] else {
                violations.append("ring \(setup.index) lies in a region that is not mapped")
                continue
            }
            let (end, overflows) = place.offset.addingReportingOverflow(length)
            if overflows || end > region.size { violations.append("ring \(setup.index) lies outside of its region") }
            if (region.offset + place.offset) % alignment != 0 { violations.append("ring \(setup.index) is not aligned") }
        }
        switch setup.position {
        case .split: if setup.isPacked { violations.append("ring \(setup.index) has the position of a split ring") }
        case .packed(let next, _, let used, _):
            if !setup.isPacked || next >= setup.size || used >= setup.size { violations.append("ring \(setup.index) goes on outside of itself") }
        }
        for number in [setup.call, setup.kick, setup.error].compactMap(\.self) where !open.contains(number) {
            violations.append("ring \(setup.index) is started with a closed descriptor")
        }
        if let address = setup.logAddress, !(log?.covers(address, length: device) ?? false) {
            violations.append("ring \(setup.index) logs outside of the log")
        }
    }
}
