/// What happens to a frame's outermost tag on its way out of a port.
///
/// IEEE 802.1Q: a priority-tagged frame carries a tag with the null VID (9.6, table 9-2), so that a frame of no VLAN has a
/// priority too; bridges take the priority out of the PCP (6.9.3) and choose the traffic class by it (8.6.6).
@frozen
public struct TagAction: Equatable, Sendable {
    @frozen
    public enum Kind: UInt8, Sendable {
        /// The frame leaves as it is.
        case keep
        /// Insert TPID 0x8100 and `tci` behind the source address: the frame gets 4 bytes longer.
        case push
        /// Replace the outermost tag's TCI by `tci`; its TPID stays.
        case rewrite
        /// Take the outermost tag out: the frame gets 4 bytes shorter.
        case pop
        /// As `push`, with the TPID of service tags, 0x88a8 (IEEE 802.1Q, table 9-1).
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

    /// Bytes the frame grows by.
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
