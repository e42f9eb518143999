import DataPlane
import TestSupport

/// A guest's driver (virtio 1.2, sections 2.7 and 2.8) that lays its buffers out in every way that a driver may.
struct RingDriver {
    let trial: RingTrial
    let size: Int
    let isPacked: Bool
    let isInOrder: Bool
    var random: Seeded

    /// A buffer that was made available, by the number under which it comes back.
    struct Chain {
        var number: Int
        var slots: Int
        var pieces: [Piece]
    }
    struct Piece {
        var address: UInt64
        var host: UnsafeMutableRawPointer
        var count: Int
    }

    private(set) var waiting: [Chain] = []
    private var free: [Int]
    private var freeSlots: Int
    private var available: UInt16 = 0
    private var seen: UInt16 = 0
    private var (slot, wrap) = (0, true)
    private var (usedSlot, usedWrap) = (0, true)
    /// Where the next piece of memory is taken, in each region.
    private var places: [Int] = [0, 0]

    init(_ trial: RingTrial, size: Int, isPacked: Bool, isInOrder: Bool = false, seed: UInt64) {
        (self.trial, self.size, self.isPacked, self.isInOrder, random) = (trial, size, isPacked, isInOrder, Seeded(seed))
        free = Array(0..<size)
        freeSlots = size
        forgetMemory()
    }

    private var ring: UnsafeMutableRawPointer { trial.memory[0].host }
    private var driverArea: UnsafeMutableRawPointer { ring + 0x40000 }
    private var deviceArea: UnsafeMutableRawPointer { ring + 0x50000 }

    /// All memory but the ring's own is free again. No buffer is waiting.
    mutating func forgetMemory() { places = [RingTrial.ownBytes, 0] }
    /// Takes memory only behind what another driver has taken.
    mutating func stayBehind(_ other: RingDriver) { places = other.places }

    /// Takes memory in either region.
    mutating func allocate(_ count: Int) -> Piece? {
        let region = Int.random(in: 0...1, using: &random)
        for region in [region, 1 - region] {
            let place = places[region] + Int.random(in: 0...3, using: &random)
            if place + count > RingTrial.regionBytes { continue }
            places[region] = place + count
            return Piece(address: trial.memory[region].start + UInt64(place), host: trial.memory[region].host + place, count: count)
        }
        return nil
    }

    /// Cuts a number of bytes into pieces, each in a place of its own.
    mutating func pieces(of bytes: Int, most: Int) -> [Piece]? {
        var cuts: Set<Int> = []
        for _ in 1..<max(Int.random(in: 1...most, using: &random), 1) where bytes > 1 { cuts.insert(Int.random(in: 1..<bytes, using: &random)) }
        var pieces: [Piece] = []
        var start = 0
        for end in cuts.sorted() + [bytes] {
            guard let piece = allocate(end - start) else { return nil }
            pieces.append(piece)
            start = end
        }
        return pieces
    }

    /// Makes a buffer available.
    /// - Parameter wanted: whether in an indirect table; nil: by chance.
    /// - Returns: false if the ring has no room for it.
    mutating func offer(_ pieces: [Piece], writable: Bool, isIndirect wanted: Bool? = nil) -> Bool {
        free.shuffle(using: &random)
        let isIndirect = wanted ?? Bool.random(using: &random)
        let taken = isIndirect ? 1 : pieces.count
        let direction: UInt16 = writable ? 2 : 0
        guard isPacked ? freeSlots >= taken && !free.isEmpty : free.count >= taken else { return false }
        if isPacked {
            let identifier = free.removeLast()
            var entries = pieces.map { ($0.address, UInt32($0.count), direction) }
            if isIndirect {
                guard let table = allocate(16 * pieces.count) else { return false }
                for (index, entry) in entries.enumerated() { write(table.host + 16 * index, entry.0, entry.1, 0, entry.2) }
                entries = [(table.address, UInt32(table.count), 4)]
            }
            for (index, entry) in entries.enumerated() {
                let more: UInt16 = index + 1 < entries.count ? 1 : 0
                // Identifiers of all but the last descriptor mean nothing.
                let number = more != 0 ? UInt16.random(in: 0..<UInt16(size), using: &random) : UInt16(identifier)
                write(ring + 16 * slot, entry.0, entry.1, number, entry.2 | more | (wrap ? 1 << 7 : 1 << 15))
                slot += 1
                if slot == size { (slot, wrap) = (0, !wrap) }
            }
            freeSlots -= entries.count
            waiting.append(Chain(number: identifier, slots: entries.count, pieces: pieces))
        } else {
            var numbers: [Int] = []
            if isIndirect {
                guard let table = allocate(16 * pieces.count) else { return false }
                // The entries of a table need not follow one another.
                let order = [0] + Array(1..<max(pieces.count, 1)).shuffled(using: &random)
                for (index, piece) in pieces.enumerated() {
                    let isLast = index + 1 == pieces.count
                    writeSplit(table.host + 16 * order[index], piece, direction | (isLast ? 0 : 1), next: isLast ? 0 : order[index + 1])
                }
                numbers = [free.removeLast()]
                writeSplit(ring + 16 * numbers[0], table, 4, next: 0)
            } else {
                numbers = (0..<pieces.count).map { _ in free.removeLast() }
                for (index, piece) in pieces.enumerated() {
                    let isLast = index + 1 == pieces.count
                    writeSplit(ring + 16 * numbers[index], piece, direction | (isLast ? 0 : 1), next: isLast ? 0 : numbers[index + 1])
                }
            }
            (driverArea + 4 + 2 * (Int(available) % size)).storeBytes(of: UInt16(numbers[0]), as: UInt16.self)
            available &+= 1
            (driverArea + 2).storeBytes(of: available, as: UInt16.self)
            held[numbers[0]] = numbers
            waiting.append(Chain(number: numbers[0], slots: taken, pieces: pieces))
        }
        return true
    }
    private var held: [Int: [Int]] = [:]

    /// Says by event index whether the driver waits for the next used buffer (2.7.7 and 2.8.10). If it does not, a packed ring's driver says so, and a split ring's
    /// leaves the index behind.
    func setEvent(waits: Bool) {
        if isPacked {
            driverArea.storeBytes(of: UInt16(usedSlot) | (usedWrap ? 0x8000 : 0), as: UInt16.self)
            driverArea.storeBytes(of: waits ? 2 : 1, toByteOffset: 2, as: UInt16.self)
        } else {
            driverArea.storeBytes(of: waits ? seen : seen &- 1, toByteOffset: 4 + 2 * size, as: UInt16.self)
        }
    }

    /// Takes back all buffers that were used since the last call, in the order in which they were used, with the bytes that were written into each.
    mutating func takeBack() -> [(chain: Chain, written: Int)] {
        var back: [(Chain, Int)] = []
        if isPacked {
            while !waiting.isEmpty {
                let place = ring + 16 * usedSlot
                let flags = place.load(fromByteOffset: 14, as: UInt16.self)
                guard (flags & 1 << 7 != 0) == usedWrap, (flags & 1 << 15 != 0) == usedWrap else { break }
                let number = Int(place.load(fromByteOffset: 12, as: UInt16.self)), written = Int(place.load(fromByteOffset: 8, as: UInt32.self))
                // In order, a descriptor may stand for all buffers up to the one that it names (2.8.11).
                let last = isInOrder && flags & 2 == 0 ? waiting.firstIndex { $0.number == number } ?? 0 : 0
                for chain in waiting.prefix(last + 1) {
                    let isNamed = isInOrder && flags & 2 == 0 ? waiting[last].number == number : chain.number == number
                    back.append((Chain(number: number, slots: chain.slots, pieces: isNamed ? chain.pieces : []), written))
                    usedSlot += chain.slots
                    if usedSlot >= size { (usedSlot, usedWrap) = (usedSlot - size, !usedWrap) }
                    freeSlots += chain.slots
                    free.append(chain.number)
                }
                waiting.removeFirst(last + 1)
            }
        } else {
            let used = (deviceArea + 2).load(as: UInt16.self)
            while seen != used, !waiting.isEmpty {
                let place = deviceArea + 4 + 8 * (Int(seen) % size)
                let number = Int(place.load(as: UInt32.self))
                let chain = waiting.removeFirst()
                back.append((Chain(number: number, slots: chain.slots, pieces: number == chain.number ? chain.pieces : []), Int(place.load(fromByteOffset: 4, as: UInt32.self))))
                free += held.removeValue(forKey: chain.number) ?? []
                seen &+= 1
            }
        }
        return back
    }

    private func write(_ place: UnsafeMutableRawPointer, _ address: UInt64, _ length: UInt32, _ number: UInt16, _ flags: UInt16) {
        place.storeBytes(of: address, as: UInt64.self)
        place.storeBytes(of: length, toByteOffset: 8, as: UInt32.self)
        place.storeBytes(of: number, toByteOffset: 12, as: UInt16.self)
        place.storeBytes(of: flags, toByteOffset: 14, as: UInt16.self)
    }

    private func writeSplit(_ place: UnsafeMutableRawPointer, _ piece: Piece, _ flags: UInt16, next: Int) {
        place.storeBytes(of: piece.address, as: UInt64.self)
        place.storeBytes(of: UInt32(piece.count), toByteOffset: 8, as: UInt32.self)
        place.storeBytes(of: flags, toByteOffset: 12, as: UInt16.self)
        place.storeBytes(of: UInt16(next), toByteOffset: 14, as: UInt16.self)
    }
}

extension [RingDriver.Piece] {
    func fill(_ bytes: [UInt8]) {
        var start = 0
        for piece in self {
            piece.host.copyMemory(from: [UInt8](bytes[start..<start + piece.count]), byteCount: piece.count)
            start += piece.count
        }
    }

    func read(_ count: Int) -> [UInt8] {
        [UInt8](flatMap { [UInt8](UnsafeRawBufferPointer(start: $0.host, count: $0.count)) }.prefix(count))
    }
}
