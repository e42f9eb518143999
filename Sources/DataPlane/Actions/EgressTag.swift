import Packet
import Scheduler

/// What egress has to do to a frame: what happens to its VLAN tag, which is decided while the frame's record is at hand, and what the output's link and mirrors
/// want of every frame. It travels through the scheduler as the frame's `tag`.
struct EgressTag {
    /// `TagAction.Kind` in bits 3-0; bits 4 and 5 are the scheduler's (`CongestionTag`); bit 6: the output port is mirrored; bit 7: the frame is to be flattened; the TCI in bits 23-8; in bits 31-24 the number of
    /// the set of mirrors that copy frames of the class.
    var rawValue: UInt32

    @inline(__always) @_noLocks
    init(rawValue: UInt32) { self.rawValue = rawValue }

    @inline(__always) @_noLocks
    init(_ action: TagAction) {
        rawValue = UInt32(action.kind.rawValue) | UInt32(action.tci) &<< 8
    }

    /// The frame must lie in one buffer of its own, because its link can send no other frames.
    @inline(__always) static var flatten: EgressTag { @_noLocks get { EgressTag(rawValue: 0x80) } }
    /// Mirrors copy what leaves by the frame's output port.
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
    @inline(__always) private var kind: UInt8 { @_noLocks get { UInt8(truncatingIfNeeded: rawValue & 0x0f) } }
    /// The frame is to be marked, as a queue was long.
    @inline(__always) var marksCongestion: Bool { @_noLocks get { rawValue & CongestionTag.marked != 0 } }
    @inline(__always) var pushes: Bool { @_noLocks get { kind == TagAction.Kind.push.rawValue } }
    @inline(__always) var pushesService: Bool { @_noLocks get { kind == TagAction.Kind.pushService.rawValue } }
    @inline(__always) var rewrites: Bool { @_noLocks get { kind == TagAction.Kind.rewrite.rawValue } }
    @inline(__always) var pops: Bool { @_noLocks get { kind == TagAction.Kind.pop.rawValue } }
    /// Whether bytes of the frame are written.
    @inline(__always) var writes: Bool { @_noLocks get { kind != 0 || marksCongestion } }
    @inline(__always) var flattens: Bool { @_noLocks get { rawValue & 0x80 != 0 } }
    /// Whether the frame is flattened or mirrored, which is rare.
    @inline(__always) var isSpecial: Bool { @_noLocks get { rawValue & 0xff00_00c0 != 0 } }
    /// The number of bytes by which the frame grows, modulo 2^32 if it shrinks. They are charged, because the frame leaves with its new tag.
    @inline(__always) var growth: UInt32 { @_noLocks get { pushes || pushesService ? 4 : pops ? 0 &- 4 : 0 } }
    @inline(__always) var tci: UInt16 { @_noLocks get { UInt16(truncatingIfNeeded: rawValue &>> 8) } }
}
