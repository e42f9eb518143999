import Testing
import VhostUser

/// A generator of numbers that repeats itself from a seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

@Suite struct Fuzz {
    /// How often things came about, so that it can be seen that the messages reach what they are meant to reach.
    struct Counts {
        var messages = 0, sessions = 0, starts = 0, stops = 0, hangUps = 0, refusals = 0, maps = 0, longestRun = 0
    }

    /// A million messages: valid ones, wrong ones, and valid ones that were damaged, in any order.
    @Test(arguments: 0..<8 as Range<UInt64>) func sessionsHoldWhateverComes(seed: UInt64) {
        var random = Seeded(state: seed)
        var counts = Counts()
        while counts.messages < 150_000 {
            var backend = Backend(offer(&random))
            counts.sessions += 1
            let start = counts.messages
            if Bool.random(using: &random) { begin(&backend, &random, &counts) }
            for _ in 0..<400 where backend.hangUp == nil {
                if UInt.random(in: 0..<50, using: &random) == 0 { backend.mappingFails = true }
                let word = UInt16.random(in: 0...(.max), using: &random)
                backend.positions[Int(word % 8)] = word % 2 == 0
                    ? .split(next: word) : .packed(next: word & 0x7fff, wrap: true, used: word >> 10, usedWrap: false)
                message(&backend, &random)
                counts.messages += 1
                if !backend.violations.isEmpty { break }
            }
            counts.longestRun = max(counts.longestRun, counts.messages - start)
            counts.starts += backend.started.count
            counts.stops += backend.stopped.count
            counts.maps += backend.mapCount
            counts.hangUps += backend.hangUp == nil ? 0 : 1
            counts.refusals += backend.notes.count
            backend.end()
            guard backend.violations.isEmpty else {
                Issue.record("seed \(seed), session \(counts.sessions): \(backend.violations)")
                return
            }
        }
        print("fuzz \(seed): \(counts)")
        #expect(counts.starts > 5_000 && counts.stops > 5_000 && counts.maps > 3_000 && counts.refusals > 5_000)
    }

    private func offer(_ random: inout Seeded) -> Offer {
        Offer(
            features: Bool.random(using: &random) ? .standard : VirtioFeatures.standard.subtracting(.protocolFeatures), queuePairs: Int.random(in: 0...4, using: &random),
            memorySlots: Int.random(in: 0...40, using: &random))
    }

    /// The beginning of a sane session, so that random messages often meet running rings.
    private func begin(_ backend: inout Backend, _ random: inout Seeded, _ counts: inout Counts) {
        var features: VirtioFeatures = [.version1]
        if Bool.random(using: &random) { features.insert(.ringPacked) }
        if Bool.random(using: &random) { features.insert(.logAll) }
        var agreed: ProtocolFeatures = [.replyAck, .memorySlots, .logDescriptor, .resetDevice, .backendRequests]
        if Bool.random(using: &random) { agreed.insert(.status) }
        if backend.session.offer.features.contains(.protocolFeatures) {
            features.insert(.protocolFeatures)
            backend.send(.setProtocolFeatures, agreed.rawValue)
        }
        backend.send(.setFeatures, features.rawValue)
        backend.send(memory: [region(0), region(1)].prefix(backend.session.offer.memorySlots).map { $0 })
        backend.send(.setLogBase, bytes(1 << 20 as UInt64) + bytes(0 as UInt64), [backend.descriptor(DescriptorFacts(kind: .file, size: 1 << 20))], needReply: true)
        for ring in 0..<2 {
            backend.configure(ring: ring, size: 64, at: region(0).user + UInt64(ring) << 13, packed: features.contains(.ringPacked), base: 0x8000)
            backend.send(.setVringEnable, ring: ring, 1, needReply: true)
        }
        backend.send(.setStatus, 15, [], needReply: true)
        counts.messages += 16
    }

    private func region(_ number: UInt64) -> Region {
        Region(
            guest: number << 30, size: 1 << 16, user: 0x7000_0000_0000 + number << 30, offset: number << 12,
            facts: DescriptorFacts(kind: .file, size: 1 << 20, device: 1, inode: number))
    }

    /// Numbers at which things change.
    private func number(_ random: inout Seeded) -> UInt64 {
        switch UInt.random(in: 0..<8, using: &random) {
        case 0: .random(in: 0...4, using: &random)
        case 1: 1 << UInt64.random(in: 0..<64, using: &random)
        case 2: .max - .random(in: 0...16, using: &random)
        case 3: (1 << UInt64.random(in: 0..<64, using: &random)) &- 1
        case 4: region(.random(in: 0..<4, using: &random)).user + .random(in: 0..<1 << 16, using: &random)
        case 5: .random(in: 0..<1 << 17, using: &random)
        case 6: VirtioFeatures.standard.rawValue & random.next()
        default: random.next()
        }
    }

    private func someRegion(_ random: inout Seeded) -> Region {
        var region = region(.random(in: 0..<6, using: &random))
        switch UInt.random(in: 0..<12, using: &random) {
        case 0: region.guest = number(&random)
        case 1: region.size = number(&random)
        case 2: region.user = number(&random)
        case 3: region.offset = number(&random)
        case 4: region.facts.size = number(&random)
        case 5: region.facts.kind = .pipe
        default: break
        }
        return region
    }

    private func descriptors(_ backend: inout Backend, _ random: inout Seeded, _ count: Int) -> [ReceivedDescriptor] {
        (0..<count).map { _ in
            switch UInt.random(in: 0..<10, using: &random) {
            case 0: backend.descriptor(DescriptorFacts(kind: .pipe))
            case 1: backend.descriptor(DescriptorFacts(kind: .socket))
            case 2: backend.descriptor(DescriptorFacts(kind: .file, size: number(&random)))
            default: backend.eventfd()
            }
        }
    }

    private func message(_ backend: inout Backend, _ random: inout Seeded) {
        let common: [Request] = [.setVringKick, .setVringCall, .setVringEnable, .setVringBase, .setVringAddress, .addMemoryRegion, .setStatus, .setVringSize]
        let request = (Bool.random(using: &random) ? common : Request.allCases).randomElement(using: &random) ?? .setOwner
        let ring = UInt32.random(in: 0..<20, using: &random) == 0 ? UInt32(truncatingIfNeeded: number(&random)) : UInt32.random(in: 0..<3, using: &random)
        var payload: [UInt8] = [], attached: [ReceivedDescriptor] = []
        switch request {
        case .setMemoryTable:
            let regions = (0..<Int.random(in: 0...4, using: &random)).map { _ in someRegion(&random) }
            payload = bytes(UInt32(regions.count)) + bytes(0 as UInt32) + regions.flatMap(\.bytes)
            attached = regions.map { backend.descriptor($0.facts) }
        case .addMemoryRegion:
            let region = someRegion(&random)
            payload = bytes(0 as UInt64) + region.bytes
            attached = [backend.descriptor(region.facts)]
        case .removeMemoryRegion:
            payload = bytes(0 as UInt64) + someRegion(&random).bytes
            attached = descriptors(&backend, &random, Int.random(in: 0...1, using: &random))
        case .setLogBase:
            payload = bytes(1 << UInt64.random(in: 0..<20, using: &random)) + bytes(0 as UInt64)
            attached = [backend.descriptor(DescriptorFacts(kind: .file, size: 1 << 19))]
        case .setVringAddress:
            let isPacked = backend.session.features?.contains(.ringPacked) ?? false, isWrong = UInt.random(in: 0..<10, using: &random) == 0
            payload = ringAddresses(
                Int(ring), size: 64, at: isWrong ? number(&random) : region(.random(in: 0..<2, using: &random)).user + UInt64(ring % 4) << 13, packed: isPacked,
                logFlag: Bool.random(using: &random), log: .random(in: 0..<1 << 20, using: &random))
        case .setVringSize: payload = bytes(ring) + bytes(Bool.random(using: &random) ? 64 : UInt32(truncatingIfNeeded: number(&random)))
        case .setVringBase: payload = bytes(ring) + bytes(UInt32(truncatingIfNeeded: number(&random)))
        case .getVringBase, .setVringEnable: payload = bytes(ring) + bytes(UInt32.random(in: 0...20, using: &random) == 0 ? 2 : 1 as UInt32)
        case .setVringKick, .setVringCall, .setVringError:
            let hasNone = Bool.random(using: &random)
            payload = bytes(UInt64(ring & 0xff) | (hasNone ? 0x100 : 0))
            attached = hasNone ? [] : descriptors(&backend, &random, 1)
        case .setFeatures:
            var features = backend.session.features ?? [.version1, .protocolFeatures]
            features.formSymmetricDifference(VirtioFeatures(rawValue: 1 << UInt64.random(in: 0..<41, using: &random)))
            payload = bytes(features.rawValue)
        case .setProtocolFeatures: payload = bytes(ProtocolFeatures.standard.rawValue & (random.next() | random.next()))
        case .setStatus: payload = bytes(UInt64.random(in: 0..<20, using: &random) | (Bool.random(using: &random) ? 15 : 0))
        default:
            payload = Array(repeating: UInt8.random(in: 0...255, using: &random), count: request.payloadSize ?? Int.random(in: 0..<64, using: &random))
            attached = descriptors(&backend, &random, request.descriptorCount?.lowerBound ?? 0)
        }
        // Most messages ask for an answer, as a wrong one ends the session otherwise.
        var header = MessageHeader(
            request: request.rawValue, flags: MessageHeader.version | (UInt.random(in: 0..<100, using: &random) == 0 ? 0 : MessageHeader.needReply), payloadSize: payload.count)
        damage(&backend, &random, &header, &payload, &attached)
        backend.receive(header, payload, attached)
    }

    private func damage(
        _ backend: inout Backend, _ random: inout Seeded, _ header: inout MessageHeader, _ payload: inout [UInt8], _ attached: inout [ReceivedDescriptor]
    ) {
        switch UInt.random(in: 0..<60, using: &random) {
        case 0: header.request = UInt32.random(in: 0..<60, using: &random)
        case 1: if !payload.isEmpty { payload[Int.random(in: payload.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
        case 2:
            payload.removeLast(Int.random(in: 0...payload.count, using: &random))
            header.payloadSize = UInt32(payload.count)
        case 3:
            payload += bytes(number(&random))
            header.payloadSize = UInt32(payload.count)
        case 4: attached += descriptors(&backend, &random, Int.random(in: 1...33, using: &random))
        case 5: attached.removeLast(Int.random(in: 0...attached.count, using: &random))
        case 6 where UInt.random(in: 0..<10, using: &random) == 0: header.flags = UInt32(truncatingIfNeeded: number(&random))
        case 7 where UInt.random(in: 0..<10, using: &random) == 0: header.payloadSize = UInt32(truncatingIfNeeded: number(&random))
        case 8:
            let size = payload.count
            payload = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
        default: break
        }
    }
}
