import Packet

/// Decides which PCP frames leave physical ports with: each row of the protocol table has one, or leaves its frames alone.
///
/// A trivial handle on 64 bytes; copies share it. One thread fills it before it is published to the lcores. While they read it, it must not change: publish
/// another one instead.
@frozen
public struct PriorityTagger: @unchecked Sendable {
    @usableFromInline let priorities: UnsafeMutablePointer<UInt8>

    @usableFromInline init(priorities: UnsafeMutablePointer<UInt8>) { self.priorities = priorities }

    /// Stands in place of a PCP: frames of this row leave as they are, untagged or with the tag that they have.
    @inlinable @inline(__always) public static var leave: UInt8 { @_noLocks get { 0xff } }

    /// A tagger that leaves every frame as it is.
    public static func create() -> PriorityTagger {
        let raw = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
        let priorities = raw.bindMemory(to: UInt8.self, capacity: 64)
        priorities.initialize(repeating: leave, count: 64)
        return PriorityTagger(priorities: priorities)
    }

    /// Frees the table; no lcore may still read it.
    public func destroy() { UnsafeMutableRawPointer(priorities).deallocate() }

    /// Sets the PCP (0 to 7, or `leave`) of a row of the protocol table (0 to 63). Traps for other values.
    public func set(row: UInt8, pcp: UInt8) {
        precondition(row < 64, "the protocol table has rows 0 to 63")
        precondition(pcp < 8 || pcp == Self.leave, "a PCP is 0 to 7")
        priorities[Int(row)] = pcp
    }

    /// The PCP of `row`, or `leave`.
    @_noLocks @inlinable @inline(__always)
    public func pcp(row: UInt8) -> UInt8 { priorities[Int(row & 63)] }

    /// Decides what happens to the tag of an outgoing frame, from the record's `protocolID`, `tagCount` and `tci`.
    ///
    /// An untagged frame gets a priority tag (VID 0, DEI 0). In a tagged frame only the PCP of the outermost tag changes. VID and DEI stay (IEEE 802.1Q, 6.9.3:
    /// DEI marks frames that may be dropped first, which this switch does not decide).
    @_noLocks @inlinable @inline(__always)
    public func egress(_ record: UnsafePointer<FrameRecord>) -> TagAction {
        let pcp = priorities[Int(record.pointee.protocolID & 63)]
        if pcp == Self.leave { return TagAction(.keep) }
        let bits = UInt16(pcp) &<< 13
        if record.pointee.tagCount == 0 { return TagAction(.push, tci: bits) }
        let tci = record.pointee.tci & 0x1fff | bits
        return tci == record.pointee.tci ? TagAction(.keep) : TagAction(.rewrite, tci: tci)
    }
}
