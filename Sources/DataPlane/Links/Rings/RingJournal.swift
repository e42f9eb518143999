/// How far a packed ring has been served, in memory that may outlive this process. A split ring's used index says it between driver and device; of a packed
/// ring each side knows only its own place.
///
/// Buffers are noted before they are returned to the driver, and the place behind them after the driver may have them, so that somebody else can tell at any
/// instant what has been done and do the rest (`resume`). One lcore writes it at a time.
struct RingJournal {
    /// Bytes of a journal. Its memory is filled with zeros at first, and aligned to 8 bytes.
    static var bytes: Int { 16_384 }
    /// The most buffers that are noted at a time: more than one frame may take.
    static var most: Int { @_noLocks get { (bytes &- firstBuffer) / MemoryLayout<UsedBuffer>.stride } }
    /// The journal of a ring that is not in use.
    static var none: RingJournal { RingJournal(memory: GuestRing.nowhere) }

    private let memory: UnsafeMutableRawPointer

    init(memory: UnsafeMutableRawPointer) { self.memory = memory }

    // The parts of the memory. What changes with each burst is on lines of its own.
    private static var mark: Int { 0 }
    private static var ring: Int { 8 }
    private static var told: Int { 16 }
    /// Bits 0 to 14: the slot from which on buffers are returned; bit 15: its wrap counter; bits 16 to 31: how many buffers are noted.
    private static var progress: Int { @_noLocks get { 128 } }
    private static var firstBuffer: Int { @_noLocks get { 192 } }
    /// "rings", and the version of this layout.
    private static var validMark: UInt64 { 0x7269_6e67_7300_0001 }

    // MARK: The lcore that uses the ring

    /// Notes buffers that are going to be returned.
    /// - Parameters:
    ///   - noted: how many have been noted already since `place` was.
    ///   - place: where the first of them is returned.
    @inline(__always) @_noLocks
    func note(_ buffers: UnsafeMutablePointer<UsedBuffer>, _ count: Int, behind noted: Int, from place: RingPlace) {
        (memory + Self.firstBuffer + MemoryLayout<UsedBuffer>.stride &* noted).copyMemory(from: buffers, byteCount: MemoryLayout<UsedBuffer>.stride &* count)
        memory.release64(Self.progress, place.word | UInt64(truncatingIfNeeded: noted &+ count) &<< 16)
    }

    /// Notes that the driver has been given all buffers before a place.
    @inline(__always) @_noLocks
    func finish(at place: RingPlace) { memory.release64(Self.progress, place.word) }

    // MARK: The control side

    /// What a journal says.
    struct Entry {
        /// What identifies the ring.
        var ring: UInt64
        /// The position that the frontend gave when the ring was first started in a connection (`RingPosition.number`).
        var told: UInt32
        var place: RingPlace
        /// The buffers that were noted as from that place on. The driver has all of them, or none.
        var buffers: [UsedBuffer]

        /// How many slots the buffers take.
        var slots: Int { buffers.reduce(0) { $0 + Int($1.slots) } }
    }

    /// What the journal says; nil: nothing that can be used for a ring of this size.
    func read(size: UInt16) -> Entry? {
        guard memory.acquire64(Self.mark) == Self.validMark else { return nil }
        let progress = memory.acquire64(Self.progress)
        let place = RingPlace(UInt16(progress & 0x7fff), progress & 0x8000 != 0)
        let count = Int(progress >> 16)
        guard place.index < size, count <= Self.most else { return nil }
        let buffers = (memory + Self.firstBuffer).assumingMemoryBound(to: UsedBuffer.self)
        let entry = Entry(
            ring: memory.read64(Self.ring), told: UInt32(truncatingIfNeeded: memory.read64(Self.told)), place: place,
            buffers: (0..<count).map { buffers[$0] })
        return entry.slots <= size && entry.buffers.allSatisfy { $0.slots > 0 } ? entry : nil
    }

    /// Begins anew.
    func begin(ring: UInt64, told: UInt32, at place: RingPlace) {
        memory.release64(Self.mark, 0)
        memory.write64(Self.ring, ring)
        memory.write64(Self.told, UInt64(told))
        finish(at: place)
        memory.release64(Self.mark, Self.validMark)
    }
}

extension RingPlace {
    /// Bits 0 to 14: the index; bit 15: the wrap counter.
    @inline(__always)
    fileprivate var word: UInt64 { @_noLocks get { UInt64(index) | (wrap ? 0x8000 : 0) } }
}
