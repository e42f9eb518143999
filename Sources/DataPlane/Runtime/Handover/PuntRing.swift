import Synchronization

/// Copies of frames on their way from one poll loop to the control thread, which answers them for the switch itself: a ring of bytes with one writer and one
/// reader. A frame that finds no room is not taken, so that neither side waits for the other.
package struct PuntRing: @unchecked Sendable {
    private let bytes: UnsafeMutableRawPointer
    private let indices: UnsafeMutablePointer<PuntRingIndices>

    /// The size of the ring in bytes, a power of two. It has room for some thousand membership reports, or for 25 of the longest frames.
    @inline(__always) package static var capacity: Int { @_noLocks get { 262_144 } }
    /// Bytes of the longest frame that is taken.
    @inline(__always) package static var longest: Int { @_noLocks get { 9_216 } }
    @inline(__always) private static var header: Int { @_noLocks get { 16 } }

    package init() {
        bytes = .allocate(byteCount: Self.capacity, alignment: 128)
        indices = .allocate(capacity: 1)
        indices.initialize(to: PuntRingIndices())
    }

    /// Frees the ring; neither side may use it any more.
    package func deallocate() {
        bytes.deallocate()
        indices.deinitialize(count: 1)
        indices.deallocate()
    }

    // MARK: The loop

    /// The place where a frame of `count` bytes may be written, which `finish` then hands over; nil: there is no room for it.
    @_noLocks
    package func begin(_ count: Int) -> UnsafeMutableRawPointer? {
        if count > Self.longest { return nil }
        let size = Self.size(count), written = indices.pointee.written.load(ordering: .relaxed)
        let rest = Self.capacity &- Self.place(written)
        // A frame that would reach past the end of the ring is stored at its beginning instead.
        let skipped = rest < size ? rest : 0
        guard Int(truncatingIfNeeded: written &- indices.pointee.read.load(ordering: .acquiring)) &+ skipped &+ size <= Self.capacity else { return nil }
        if skipped != 0 { bytes.storeBytes(of: Self.skip, toByteOffset: Self.place(written), as: UInt32.self) }
        indices.pointee.skipped = skipped
        return bytes + (skipped == 0 ? Self.place(written) : 0) + Self.header
    }

    /// Hands over the frame that was written at the place that `begin` gave.
    /// - Parameter count: the same number as given to `begin`.
    @_noLocks
    package func finish(_ count: Int, kind: PuntKind, port: UInt16, vlan: UInt16) {
        let written = indices.pointee.written.load(ordering: .relaxed) &+ UInt64(truncatingIfNeeded: indices.pointee.skipped)
        let start = bytes + Self.place(written)
        start.storeBytes(of: UInt32(truncatingIfNeeded: count), as: UInt32.self)
        start.storeBytes(of: port, toByteOffset: 4, as: UInt16.self)
        start.storeBytes(of: vlan, toByteOffset: 6, as: UInt16.self)
        start.storeBytes(of: kind.rawValue, toByteOffset: 8, as: UInt8.self)
        indices.pointee.written.store(written &+ UInt64(truncatingIfNeeded: Self.size(count)), ordering: .releasing)
    }

    // MARK: The control thread

    /// The next frame; nil: there is none.
    package func pop() -> PuntedFrame? {
        var read = indices.pointee.read.load(ordering: .relaxed)
        let written = indices.pointee.written.load(ordering: .acquiring)
        if read == written { return nil }
        if bytes.load(fromByteOffset: Self.place(read), as: UInt32.self) == Self.skip { read &+= UInt64(Self.capacity - Self.place(read)) }
        let start = bytes + Self.place(read), count = Int(start.load(as: UInt32.self))
        let frame = PuntedFrame(
            kind: PuntKind(rawValue: start.load(fromByteOffset: 8, as: UInt8.self)) ?? .group, port: start.load(fromByteOffset: 4, as: UInt16.self),
            vlan: start.load(fromByteOffset: 6, as: UInt16.self), bytes: Array(UnsafeRawBufferPointer(start: start + Self.header, count: count)))
        indices.pointee.read.store(read &+ UInt64(Self.size(count)), ordering: .releasing)
        return frame
    }

    // MARK: Places

    @inline(__always) private static var skip: UInt32 { @_noLocks get { .max } }

    @inline(__always) @_noLocks
    private static func size(_ count: Int) -> Int { (header &+ count &+ 15) & ~15 }

    @inline(__always) @_noLocks
    private static func place(_ position: UInt64) -> Int { Int(truncatingIfNeeded: position) & (capacity &- 1) }
}

/// Why a frame was punted.
package enum PuntKind: UInt8, Sendable, CaseIterable {
    /// The frame is IGMP or MLD, or shows where a multicast router is.
    case group
    case lldp
}

/// A punted frame as the control thread gets it.
package struct PuntedFrame: Equatable, Sendable {
    package var kind: PuntKind
    /// The index of the port that the frame came in by.
    package var port: UInt16
    /// The frame's VLAN; 0: its bridge has no VLANs.
    package var vlan: UInt16
    /// The whole frame as it came in, but without a priority tag.
    package var bytes: [UInt8]
}

/// How far the writer and the reader of a `PuntRing` have come: the number of bytes ever written and read.
private struct PuntRingIndices: ~Copyable {
    let written = Atomic<UInt64>(0)
    let read = Atomic<UInt64>(0)
    /// The bytes to skip at the ring's end for the frame between `begin` and `finish`. Only the loop uses it.
    var skipped = 0
}
