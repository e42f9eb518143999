/// What happens to a frame's outermost tag on its way out of a port.
///
/// IEEE 802.1Q: a priority-tagged frame carries a tag with the null VID (9.6, table 9-2), so that a frame that belongs to no VLAN can have a priority, too;
/// bridges take the priority from the PCP (6.9.3) and choose the traffic class by it (8.6.6).
@frozen
public struct TagAction: Equatable, Sendable {
    @frozen
    public enum Kind: UInt8, Sendable {
        /// The frame leaves as it is.
        case keep
        /// Insert a tag with TPID 0x8100 and `tci` behind the source address: the frame grows by 4 bytes.
        case push
        /// Replace the outermost tag's TCI by `tci` and keep its TPID.
        case rewrite
        /// Remove the outermost tag: the frame shrinks by 4 bytes.
        case pop
        /// Like `push`, but with the TPID of service tags, 0x88a8 (IEEE 802.1Q, table 9-1).
        case pushService
    }

    public var kind: Kind
    /// Tag control information to write; 0 for `keep` and `pop`.
    public var tci: UInt16

    @_noLocks @inlinable @inline(__always)
    public init(_ kind: Kind, tci: UInt16 = 0) {
        self.kind = kind
        self.tci = tci
    }

    /// Number of bytes by which the frame grows; negative if it shrinks.
    @inlinable @inline(__always) public var growth: Int {
        @_noLocks get {
            switch kind {
            case .keep, .rewrite: 0
            case .push, .pushService: HeaderSize.vlanTag
            case .pop: -HeaderSize.vlanTag
            }
        }
    }
}
