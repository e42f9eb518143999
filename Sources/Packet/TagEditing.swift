/// Edits a frame's outermost tag in place. Each function states how many bytes must be accessible; the caller has to check that.
public enum TagEditing {
    /// Whether an incoming frame carries a priority tag (null VID) that must be removed: a bridge passes on the priority but never the tag (IEEE 802.1Q, 6.9.1:
    /// like an untagged frame, one with the null VID belongs to the port's own VLAN).
    @_noLocks @inlinable @inline(__always)
    public static func isPriorityTagged(_ record: UnsafePointer<FrameRecord>) -> Bool {
        record.pointee.tagCount != 0 && record.pointee.tci & 0x0fff == 0
    }

    /// Removes the outermost tag: moves the addresses 4 bytes up, so that the frame starts at `bytes + 4`, and adjusts `record`. `record.pcp` keeps the tag's
    /// priority, so that PCP rows of the protocol table still match.
    ///
    /// The caller has to move the start of the buffer's data by 4. `record.tagCount` must be at least 1, as set by `parse`.
    @_noLocks
    public static func stripPriorityTag(_ bytes: UnsafeMutableRawPointer, _ record: UnsafeMutablePointer<FrameRecord>) {
        removeTag(bytes)
        let left = record.pointee.tagCount &- 1
        record.pointee.tagCount = left
        record.pointee.tci = left == 0 ? 0 : UnsafeRawPointer(bytes).bigEndian16(HeaderSize.ethernet &+ HeaderSize.vlanTag)
        record.pointee.length &-= 4
        record.pointee.l3Offset &-= 4
        if record.pointee.l4Offset != 0 { record.pointee.l4Offset &-= 4 }
        record.pointee.flags.mark(.priorityTagStripped)
    }

    /// Moves both addresses 4 bytes up, over the outermost tag, so that the frame starts at `bytes + 4`. Needs 18 bytes.
    @_noLocks @inlinable @inline(__always)
    public static func removeTag(_ bytes: UnsafeMutableRawPointer) {
        let first = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        let second = bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        bytes.storeBytes(of: first, toByteOffset: 4, as: UInt64.self)
        bytes.storeBytes(of: second, toByteOffset: 12, as: UInt32.self)
    }

    /// Inserts a tag: moves both addresses of the frame at `bytes + 4` down to `bytes` and writes the TPID `type` (0x8100 or 0x88a8) and `tci` behind them.
    /// `bytes` is the frame's new start, 4 bytes of headroom before the old one; 16 bytes from there are written. The caller has to add 4 to the lengths.
    @_noLocks @inlinable @inline(__always)
    public static func pushTag(_ bytes: UnsafeMutableRawPointer, tci: UInt16, type: UInt16 = EtherType.vlan) {
        let first = bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self)
        let second = bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
        bytes.storeBytes(of: first, toByteOffset: 0, as: UInt64.self)
        bytes.storeBytes(of: second, toByteOffset: 8, as: UInt32.self)
        bytes.storeBytes(of: (UInt32(type) &<< 16 | UInt32(tci)).bigEndian, toByteOffset: 12, as: UInt32.self)
    }

    /// Replaces the outermost tag's TCI, whatever its TPID. Needs 16 bytes.
    @_noLocks @inlinable @inline(__always)
    public static func rewriteTCI(_ bytes: UnsafeMutableRawPointer, tci: UInt16) {
        bytes.storeBytes(of: tci.bigEndian, toByteOffset: HeaderSize.ethernet, as: UInt16.self)
    }

    /// Replaces the outermost tag's TPID. Needs 14 bytes.
    @_noLocks @inlinable @inline(__always)
    public static func rewriteType(_ bytes: UnsafeMutableRawPointer, _ type: UInt16) {
        bytes.storeBytes(of: type.bigEndian, toByteOffset: HeaderSize.ethernet - 2, as: UInt16.self)
    }

    /// Replaces the outermost tag's PCP (0 to 7) and nothing else. Needs 15 bytes.
    @_noLocks @inlinable @inline(__always)
    public static func rewritePCP(_ bytes: UnsafeMutableRawPointer, pcp: UInt8) {
        let octet = bytes.load(fromByteOffset: HeaderSize.ethernet, as: UInt8.self)
        bytes.storeBytes(of: octet & 0x1f | pcp &<< 5, toByteOffset: HeaderSize.ethernet, as: UInt8.self)
    }
}
