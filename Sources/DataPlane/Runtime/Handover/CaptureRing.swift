import Synchronization

/// What a poll loop notes about a captured frame.
package struct CaptureHeader: BitwiseCopyable {
    /// Nanoseconds of the loops' clock.
    package var time: UInt64
    /// Nanoseconds that the frame waited in its class; `notKnown`: it is not known, or the frame has not left.
    package var waited: UInt64
    /// Bytes of the whole frame, and how many of them are kept.
    package var length: UInt32
    package var kept: UInt32
    /// The index of the port where the frame was seen.
    package var port: UInt16
    /// The frame's class; 0: it is in none, or not known.
    package var leaf: UInt16
    /// The index of the port at which it is counted as dropped.
    package var dropPort: UInt16
    /// `CapturePoint.rawValue`.
    package var point: UInt8
    /// `DropReason.rawValue`; `notDropped`: it was not dropped as far as is known.
    package var drop: UInt8

    @inline(__always) package static var notKnown: UInt64 { @_noLocks get { .max } }
    @inline(__always) package static var notDropped: UInt8 { @_noLocks get { .max } }

    @inline(__always) @_noLocks
    package init(
        time: UInt64, waited: UInt64 = Self.notKnown, length: UInt32, kept: UInt32, port: UInt16, leaf: UInt16 = 0, point: UInt8, drop: UInt8 = Self.notDropped
    ) {
        (self.time, self.waited, self.length, self.kept) = (time, waited, length, kept)
        (self.port, self.leaf, dropPort, self.point, self.drop) = (port, leaf, port, point, drop)
    }
}

/// Copies of frames on their way from one poll loop to the thread that writes a capture: a ring of bytes with one writer and one reader. The loop never waits
/// for the reader: a frame that finds no room is not copied.
package struct CaptureRing: @unchecked Sendable {
    private let bytes: UnsafeMutableRawPointer
    private let size: Int
    private let indices: UnsafeMutablePointer<CaptureRingIndices>

    /// Bytes of a header in the ring, and the offsets of those fields in it that may change later.
    @inline(__always) private static var header: Int { @_noLocks get { 32 } }
    @inline(__always) private static var dropPortOffset: Int { @_noLocks get { 28 } }
    @inline(__always) private static var dropOffset: Int { @_noLocks get { 31 } }
    /// Stands in place of a header's time where the rest of the ring is not used.
    @inline(__always) private static var skip: UInt64 { @_noLocks get { .max } }

    /// - Parameter size: a power of two, in bytes.
    package init(size: Int) {
        precondition(size > 0 && size & (size - 1) == 0 && MemoryLayout<CaptureHeader>.size == Self.header)
        precondition(MemoryLayout<CaptureHeader>.offset(of: \.dropPort) == Self.dropPortOffset)
        precondition(MemoryLayout<CaptureHeader>.offset(of: \.drop) == Self.dropOffset)
        self.size = size
        bytes = .allocate(byteCount: size, alignment: 128)
        indices = .allocate(capacity: 1)
        indices.initialize(to: CaptureRingIndices())
    }

    /// Frees the ring; neither side may use it any more.
    package func deallocate() {
        bytes.deallocate()
        indices.deinitialize(count: 1)
        indices.deallocate()
    }

    // MARK: The loop

    /// The place where `count` bytes of a frame may be written, which `finish` then hands over; nil: there is no room.
    @_noLocks
    package func begin(_ count: Int) -> UnsafeMutableRawPointer? {
        let needed = Self.room(count), written = indices.pointee.written.load(ordering: .relaxed)
        let rest = size &- place(written)
        // A frame that would reach past the end of the ring is stored at its beginning instead.
        let skipped = rest < needed ? rest : 0
        guard Int(truncatingIfNeeded: written &- indices.pointee.read.load(ordering: .acquiring)) &+ skipped &+ needed <= size else { return nil }
        if skipped != 0 { bytes.storeBytes(of: Self.skip, toByteOffset: place(written), as: UInt64.self) }
        indices.pointee.skipped = skipped
        return bytes + (skipped == 0 ? place(written) : 0) + Self.header
    }

    /// Hands over the frame whose bytes were written at the place that `begin` gave.
    /// - Returns: the record's place, for `drop`.
    @discardableResult @_noLocks
    package func finish(_ header: CaptureHeader) -> Int {
        let written = indices.pointee.written.load(ordering: .relaxed) &+ UInt64(truncatingIfNeeded: indices.pointee.skipped)
        let start = place(written)
        bytes.storeBytes(of: header, toByteOffset: start, as: CaptureHeader.self)
        indices.pointee.written.store(written &+ UInt64(truncatingIfNeeded: Self.room(Int(header.kept))), ordering: .releasing)
        return start
    }

    /// Notes that a frame was dropped after all. This may be done in the turn alone in which it was handed over: the reader waits until that has ended.
    @inline(__always) @_noLocks
    package func drop(_ place: Int, _ reason: UInt8, port: UInt16) {
        bytes.storeBytes(of: reason, toByteOffset: place &+ Self.dropOffset, as: UInt8.self)
        bytes.storeBytes(of: port, toByteOffset: place &+ Self.dropPortOffset, as: UInt16.self)
    }

    /// Whether a record's frame has these Ethernet addresses. It may be asked in the turn alone in which the frame was handed over.
    @inline(__always) @_noLocks
    package func hasAddresses(_ place: Int, of frame: UnsafeRawPointer) -> Bool {
        let own = bytes + (place &+ Self.header)
        return own.loadUnaligned(as: UInt64.self) == frame.loadUnaligned(as: UInt64.self)
            && own.loadUnaligned(fromByteOffset: 8, as: UInt32.self) == frame.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
    }

    // MARK: The reader

    /// How far the loop has come: a position up to which `next` may read once the loop's turn has ended.
    package var end: UInt64 { indices.pointee.written.load(ordering: .acquiring) }

    /// Where the reader is.
    package var position: UInt64 { indices.pointee.read.load(ordering: .relaxed) }

    /// The record at a position, which is moved behind it; nil: `end` is reached.
    package func next(_ position: inout UInt64, until end: UInt64) -> (header: CaptureHeader, bytes: UnsafeRawBufferPointer)? {
        if position == end { return nil }
        if bytes.load(fromByteOffset: place(position), as: UInt64.self) == Self.skip { position &+= UInt64(size - place(position)) }
        let start = bytes + place(position), header = start.load(as: CaptureHeader.self)
        position &+= UInt64(Self.room(Int(header.kept)))
        return (header, UnsafeRawBufferPointer(start: start + Self.header, count: Int(header.kept)))
    }

    /// Gives the room before a position back to the loop.
    package func release(before position: UInt64) { indices.pointee.read.store(position, ordering: .releasing) }

    // MARK: Places

    @inline(__always) @_noLocks
    private static func room(_ count: Int) -> Int { (header &+ count &+ 15) & ~15 }

    @inline(__always) @_noLocks
    private func place(_ position: UInt64) -> Int { Int(truncatingIfNeeded: position) & (size &- 1) }
}

/// How far the writer and the reader of a `CaptureRing` have come: the number of bytes ever written and read.
private struct CaptureRingIndices: ~Copyable {
    let written = Atomic<UInt64>(0)
    let read = Atomic<UInt64>(0)
    /// The bytes to skip at the ring's end for the frame between `begin` and `finish`. Only the loop uses it.
    var skipped = 0
}
