import Synchronization

/// What is known of a sampled frame besides its first bytes.
package struct SampleRecord: BitwiseCopyable, Sendable {
    /// Bytes of the whole frame, and how many of them are kept.
    package var length: UInt32
    package var kept: UInt16
    /// The index of the port that it came in by, and of the one that it leaves by; `flooded`: it leaves by several; `dropped`: by none.
    package var input: UInt16
    package var output: UInt16 = Self.dropped
    /// The VLAN that it is in; 0: its bridge has none.
    package var vlan: UInt16 = 0
    /// The priority code point that it is given; `PriorityTagger.leave`: it keeps what it has.
    package var priority: UInt8 = 0xff

    /// No port has this index.
    @inline(__always) package static var dropped: UInt16 { @_noLocks get { 0 } }

    @inline(__always) @_noLocks
    package init(length: UInt32, kept: UInt16, input: UInt16) { (self.length, self.kept, self.input) = (length, kept, input) }
}

/// Samples on their way from one poll loop to the thread that sends them: a ring of slots of one size with one writer and one reader. The loop never waits for
/// the reader: a sample that finds no slot is lost. The loop fills several slots and hands them over together.
package struct SampleRing: @unchecked Sendable {
    private let bytes: UnsafeMutableRawPointer
    private let slot: Int
    private let mask: UInt64
    private let indices: UnsafeMutablePointer<SampleRingIndices>

    @inline(__always) private static var front: Int { @_noLocks get { 16 } }

    /// - Parameters:
    ///   - slots: a power of two.
    ///   - longest: the most bytes of a frame that are kept.
    package init(slots: Int, longest: Int) {
        precondition(slots > 0 && slots & (slots - 1) == 0 && MemoryLayout<SampleRecord>.stride <= Self.front)
        slot = (Self.front + longest + 15) & ~15
        mask = UInt64(slots - 1)
        bytes = .allocate(byteCount: slots * slot, alignment: 128)
        indices = .allocate(capacity: 1)
        indices.initialize(to: SampleRingIndices())
    }

    /// Frees the ring; neither side may use it any more.
    package func deallocate() {
        bytes.deallocate()
        indices.deinitialize(count: 1)
        indices.deallocate()
    }

    // MARK: The loop

    /// The place for the first bytes of a frame, in the slot that stands `ahead` slots behind all that were handed over; nil: there is no free slot.
    @inline(__always) @_noLocks
    package func begin(_ ahead: Int) -> UnsafeMutableRawPointer? {
        let position = indices.pointee.written.load(ordering: .relaxed) &+ UInt64(truncatingIfNeeded: ahead)
        if position &- indices.pointee.read.load(ordering: .acquiring) > mask { return nil }
        return place(position) + Self.front
    }

    /// The record of that slot.
    @inline(__always) @_noLocks
    package func record(_ ahead: Int) -> UnsafeMutablePointer<SampleRecord> {
        place(indices.pointee.written.load(ordering: .relaxed) &+ UInt64(truncatingIfNeeded: ahead)).assumingMemoryBound(to: SampleRecord.self)
    }

    /// Hands over the next `count` slots.
    @inline(__always) @_noLocks
    package func finish(_ count: Int) {
        indices.pointee.written.store(indices.pointee.written.load(ordering: .relaxed) &+ UInt64(truncatingIfNeeded: count), ordering: .releasing)
    }

    // MARK: The reader

    /// Calls back with all samples that were handed over, and gives their slots back.
    package func take(_ body: (SampleRecord, UnsafeRawBufferPointer) -> Void) {
        let end = indices.pointee.written.load(ordering: .acquiring)
        var position = indices.pointee.read.load(ordering: .relaxed)
        while position != end {
            let start = UnsafeRawPointer(place(position)), record = start.load(as: SampleRecord.self)
            body(record, UnsafeRawBufferPointer(start: start + Self.front, count: Int(record.kept)))
            position &+= 1
            indices.pointee.read.store(position, ordering: .releasing)
        }
    }

    @inline(__always) @_noLocks
    private func place(_ position: UInt64) -> UnsafeMutableRawPointer { bytes + Int(truncatingIfNeeded: position & mask) &* slot }
}

/// The number of slots ever handed over and ever given back.
private struct SampleRingIndices: ~Copyable {
    let written = Atomic<UInt64>(0)
    let read = Atomic<UInt64>(0)
}
