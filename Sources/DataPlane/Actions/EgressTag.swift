import Packet

/// What egress has to do to a frame: to its tag, decided while its record is at hand, and what its link wants of every frame. It travels through the
/// scheduler as the frame's `tag`.
struct EgressTag {
    /// `TagAction.Kind` 5-0, mirrored by its port 6, to be made flat 7, TCI 23-8, which mirrors of classes copy the frame 31-24
    var rawValue: UInt32

    @inline(__always) @_noLocks
    init(rawValue: UInt32) { self.rawValue = rawValue }

    @inline(__always) @_noLocks
    init(_ action: TagAction) {
        rawValue = UInt32(action.kind.rawValue) | UInt32(action.tci) &<< 8
    }

    /// One buffer of its own, for a link that looks at no other.
    @inline(__always) static var flatten: EgressTag { @_noLocks get { EgressTag(rawValue: 0x80) } }
    /// A port that mirrors copy what leaves by.
    @inline(__always) static var mirroredByPort: EgressTag { @_noLocks get { EgressTag(rawValue: 0x40) } }
    @inline(__always) @_noLocks
    init(watch: UInt8) { rawValue = UInt32(watch) &<< 24 }
    @inline(__always) var watch: UInt8 { @_noLocks get { UInt8(truncatingIfNeeded: rawValue &>> 24) } }
    @inline(__always) var isMirroredByPort: Bool { @_noLocks get { rawValue & 0x40 != 0 } }
    @inline(__always) var isMirrored: Bool { @_noLocks get { rawValue & 0xff00_0040 != 0 } }
    @inline(__always) var withoutMirrors: EgressTag { @_noLocks get { EgressTag(rawValue: rawValue & 0x00ff_ffbf) } }
    @inline(__always) @_noLocks
    func and(_ other: EgressTag) -> EgressTag { EgressTag(rawValue: rawValue | other.rawValue) }

    /// The frame leaves as it is.
    @inline(__always) var keeps: Bool { @_noLocks get { rawValue == 0 } }
    @inline(__always) private var kind: UInt8 { @_noLocks get { UInt8(truncatingIfNeeded: rawValue & 0x3f) } }
    @inline(__always) var pushes: Bool { @_noLocks get { kind == TagAction.Kind.push.rawValue } }
    @inline(__always) var pushesService: Bool { @_noLocks get { kind == TagAction.Kind.pushService.rawValue } }
    @inline(__always) var rewrites: Bool { @_noLocks get { kind == TagAction.Kind.rewrite.rawValue } }
    @inline(__always) var pops: Bool { @_noLocks get { kind == TagAction.Kind.pop.rawValue } }
    /// The frame's bytes are written.
    @inline(__always) var writes: Bool { @_noLocks get { kind != 0 } }
    @inline(__always) var flattens: Bool { @_noLocks get { rawValue & 0x80 != 0 } }
    /// It is made flat or copied, as few frames are.
    @inline(__always) var isSpecial: Bool { @_noLocks get { rawValue & 0xff00_00c0 != 0 } }
    /// Bytes the frame grows by, modulo 2^32 where it shrinks; they are charged, as they leave on the wire.
    @inline(__always) var growth: UInt32 { @_noLocks get { pushes || pushesService ? 4 : pops ? 0 &- 4 : 0 } }
    @inline(__always) var tci: UInt16 { @_noLocks get { UInt16(truncatingIfNeeded: rawValue &>> 8) } }
}
