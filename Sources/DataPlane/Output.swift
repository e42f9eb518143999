/// Frames chosen by a tree and not yet taken by their port, at one lcore. A port that cannot take all parks its leaves until this is empty,
/// so it holds at most one batch of a dequeue beyond a burst.
struct Output {
    static let capacity = 128
    var frames: InlineArray<128, Frame?>
    var lengths: InlineArray<128, UInt32>
    var count = 0
    var isTouched = false
    var isParked = false
}

/// Most frames taken from a tree at once.
let dequeueBatch = 64

/// What egress must know about a frame without reading its headers again; travels through the scheduler as a frame's `tag`.
struct EgressTag {
    /// protocol row 7-0, the outer tag's TCI 23-8, tagged 24
    var rawValue: UInt32

    @inline(__always) @_noLocks
    init(rawValue: UInt32) { self.rawValue = rawValue }

    @inline(__always) @_noLocks
    init(protocolID: UInt8, tci: UInt16, isTagged: Bool) {
        rawValue = UInt32(protocolID) | UInt32(tci) &<< 8 | (isTagged ? 1 &<< 24 : 0)
    }

    @inline(__always) var protocolID: UInt8 { @_noLocks get { UInt8(truncatingIfNeeded: rawValue) } }
    @inline(__always) var tci: UInt16 { @_noLocks get { UInt16(truncatingIfNeeded: rawValue &>> 8) } }
    @inline(__always) var isTagged: Bool { @_noLocks get { rawValue & 1 &<< 24 != 0 } }
}
