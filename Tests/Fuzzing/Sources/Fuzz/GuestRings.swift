import Rings

/// What a guest's driver writes into a ring, and what the switch then does with it, one step on each line in hexadecimal. The first line says what ring it is: a byte of
/// flags, and its size.
///
/// Whatever stands in the guest's memory, no byte beside it is read or written (the process would die of it), no buffer of the switch is lost, and no more is
/// returned than was made available.
func fuzzRings(_ bytes: [UInt8]) {
    let trial = Trial.shared
    let lines = bytes.split(separator: 0x0a).prefix(64).map { octets(hex: $0) }
    guard let first = lines.first, first.count >= 2 else { return }
    let isPacked = first[0] & 1 != 0
    let size = isPacked ? max(1, Int(first[1] & 63)) : 1 << Int(first[1] & 7)
    trial.setUp(
        size: UInt16(size), isPacked: isPacked, isMergeable: first[0] & 2 != 0, header: first[0] & 4 != 0 ? 10 : 12, hasEventIndex: first[0] & 8 != 0, isInOrder: first[0] & 16 != 0,
        isLogged: first[0] & 32 != 0, segmentation: (first[0] >> 6) * 5)
    let before = trial.freeBuffers
    Trial.used = returned(trial)
    for line in lines.dropFirst() {
        guard let kind = line.first, trial.fault == nil else { break }
        step(trial, kind & 7, Array(line.dropFirst()), size, isPacked)
    }
    claim(trial.freeBuffers == before, "\(before - trial.freeBuffers) buffers are lost")
}

private enum Trial {
    nonisolated(unsafe) static let shared: RingTrial = {
        do { return try RingTrial(buffers: 1_023, bufferSize: 2_048) } catch { fatalError("\(error)") }
    }()
    /// What the switch wrote into the used index of a split ring last.
    nonisolated(unsafe) static var used: UInt16 = 0
}

private func step(_ trial: RingTrial, _ kind: UInt8, _ rest: [UInt8], _ size: Int, _ isPacked: Bool) {
    let ring = trial.memory[0].host
    switch kind {
    // A descriptor of the ring, or of a table at the start of the second region.
    case 0 where rest.count >= 8:
        let place = (rest[0] & 128 != 0 ? trial.memory[1].host : ring) + 16 * Int(rest[0] & 63)
        // The upper bits choose where the buffer is: in the second region, about its end, in the table, nowhere.
        let region = trial.memory[1].start, near = UInt64(rest[2])
        let address: UInt64 = switch rest[1] >> 5 {
        case 0, 1, 2: region + 0x1_0000 + UInt64(rest[1] & 31) << 12 + near
        case 3: region + UInt64(RingTrial.regionBytes) - near
        case 4: region
        case 5: trial.memory[0].start + near
        case 6: region - near
        default: UInt64.max - near
        }
        let length = UInt32(rest[3]) | UInt32(rest[4]) << (rest[0] & 64 != 0 ? 20 : 8)
        let flags = UInt16(rest[5] & 7) | UInt16(rest[5] & 8) << 4 | UInt16(rest[5] & 16) << 11
        let number = UInt16(rest[6]) | UInt16(rest[7]) << 8
        place.storeBytes(of: address, as: UInt64.self)
        place.storeBytes(of: length, toByteOffset: 8, as: UInt32.self)
        place.storeBytes(of: isPacked ? number : flags & 7, toByteOffset: 12, as: UInt16.self)
        place.storeBytes(of: isPacked ? flags : number, toByteOffset: 14, as: UInt16.self)
    // Buffers of a split ring are made available.
    case 1:
        let area = ring + 0x40000
        var index = area.load(fromByteOffset: 2, as: UInt16.self)
        for head in rest.prefix(64) {
            area.storeBytes(of: UInt16(head), toByteOffset: 4 + 2 * (Int(index) % size), as: UInt16.self)
            index &+= 1
        }
        area.storeBytes(of: index, toByteOffset: 2, as: UInt16.self)
    case 2:
        let used = returned(trial)
        let count = trial.take(Int(rest.first ?? 31) % 32 + 1)
        for index in 0..<count { _ = trial.cut(index) }
        trial.freeStaged(count)
        // What the driver itself has written there says nothing.
        if used == Trial.used { claim(isPacked || returned(trial) &- used <= 32, "\(returned(trial) &- used) buffers were returned") }
        if returned(trial) != used { Trial.used = returned(trial) }
    case 3:
        let used = returned(trial)
        let lengths = rest.prefix(16).map { 14 + Int($0) * 35 }
        let sent = trial.send(lengths.map { [UInt8](repeating: 0x5a, count: $0) })
        claim(sent <= lengths.count, "\(sent) frames of \(lengths.count) were sent")
        if returned(trial) != used { Trial.used = returned(trial) }
    // The beginning of a buffer: header and frame.
    case 4 where rest.count >= 2:
        (trial.memory[1].host + 0x1_0000 + Int(rest[0] & 31) << 12).copyMemory(from: Array(rest[1...]), byteCount: rest.count - 1)
    case 5: trial.expect((rest.first ?? 0) != 0)
    case 6:
        _ = trial.takeUp(told: rest.first.map { UInt16(Int($0) % size) }, identity: rest.count > 1 ? 2 : 1)
        Trial.used = returned(trial)
    // Anything, in the ring's three parts.
    case 7 where rest.count >= 3:
        let part = ring + [0, 0x40000, 0x50000, 0][Int(rest[0] & 3)]
        (part + Int(rest[1])).copyMemory(from: Array(rest[2...]), byteCount: rest.count - 2)
    default: break
    }
}

private func returned(_ trial: RingTrial) -> UInt16 { (trial.memory[0].host + 0x50000).load(fromByteOffset: 2, as: UInt16.self) }
