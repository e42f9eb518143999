/// Maps a frame's EtherType, ports, DSCP and PCP to a row number that stands for its protocol: 1 to 63, or 0 for the default row.
///
/// A trivial handle on one block of 192.5 KiB; copies share it. One thread fills it before it is published to the lcores. While they read it, it must not
/// change: publish another one instead.
@frozen
public struct ProtocolTable: @unchecked Sendable {
    @usableFromInline let rows: UnsafeMutablePointer<UInt8>

    // Offsets of the tables within the block. The tables of DSCP and PCP have an entry for every octet; the entries of `noDSCP` and `noPCP` always are 0.
    @inlinable @inline(__always) static var tcpTable: Int { @_noLocks get { 0 } }
    @inlinable @inline(__always) static var udpTable: Int { @_noLocks get { 65_536 } }
    @inlinable @inline(__always) static var etherTypeTable: Int { @_noLocks get { 131_072 } }
    @inlinable @inline(__always) static var dscpTable: Int { @_noLocks get { 196_608 } }
    @inlinable @inline(__always) static var pcpTable: Int { @_noLocks get { 196_864 } }
    @inlinable @inline(__always) static var size: Int { @_noLocks get { 197_120 } }

    /// Highest row number.
    @inlinable @inline(__always) public static var maximumRow: UInt8 { @_noLocks get { 63 } }
    /// The row of frames that no table has an entry for.
    @inlinable @inline(__always) public static var defaultRow: UInt8 { @_noLocks get { 0 } }

    @usableFromInline init(rows: UnsafeMutablePointer<UInt8>) { self.rows = rows }

    /// Creates a table that maps everything to the default row.
    public static func create() -> ProtocolTable {
        let rows = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        rows.initialize(repeating: 0, count: size)
        return ProtocolTable(rows: rows)
    }

    /// Frees the block; no lcore may still read it.
    public func destroy() { rows.deallocate() }

    /// Maps `match` to `row`, replacing the row it had. Port 0, which is reserved (RFC 6335, 6), never matches. Traps if `row` exceeds `maximumRow`, a DSCP
    /// exceeds 63, or a PCP exceeds 7. Look-ups of a range cost no more than those of a single port.
    public func set(_ match: Match, row: UInt8) {
        precondition(row <= Self.maximumRow, "the protocol table has rows 0 to 63")
        switch match {
        case .tcp(let port): if port != 0 { rows[Self.tcpTable + Int(port)] = row }
        case .udp(let port): if port != 0 { rows[Self.udpTable + Int(port)] = row }
        case .tcpRange(let ports): for port in ports where port != 0 { rows[Self.tcpTable + Int(port)] = row }
        case .udpRange(let ports): for port in ports where port != 0 { rows[Self.udpTable + Int(port)] = row }
        case .etherType(let type): rows[Self.etherTypeTable + Int(type)] = row
        case .dscp(let dscp):
            precondition(dscp < 64, "a DSCP has 6 bits")
            rows[Self.dscpTable + Int(dscp)] = row
        case .pcp(let pcp):
            precondition(pcp < 8, "a PCP has 3 bits")
            rows[Self.pcpTable + Int(pcp)] = row
        }
    }

    /// The row of `match` alone, without regard to precedence; 0 if it has none. For a range this is the row of its first port.
    public func row(of match: Match) -> UInt8 {
        switch match {
        case .tcp(let port): rows[Self.tcpTable + Int(port)]
        case .udp(let port): rows[Self.udpTable + Int(port)]
        case .tcpRange(let ports): rows[Self.tcpTable + Int(ports.lowerBound)]
        case .udpRange(let ports): rows[Self.udpTable + Int(ports.lowerBound)]
        case .etherType(let type): rows[Self.etherTypeTable + Int(type)]
        case .dscp(let dscp): rows[Self.dscpTable + Int(dscp)]
        case .pcp(let pcp): rows[Self.pcpTable + Int(min(pcp, FrameRecord.noPCP))]
        }
    }

    /// A criterion by which frames of a protocol are recognised.
    public enum Match: Hashable, Sendable {
        /// EtherType behind the tags.
        case etherType(UInt16)
        /// Either port of a TCP segment.
        case tcp(UInt16)
        /// Either port of a UDP datagram.
        case udp(UInt16)
        /// Either port of a TCP segment is one of these.
        case tcpRange(ClosedRange<UInt16>)
        /// Either port of a UDP datagram is one of these.
        case udpRange(ClosedRange<UInt16>)
        /// Differentiated services code point, 0 to 63.
        case dscp(UInt8)
        /// Priority code point, 0 to 7, of the outermost tag that the frame arrived with.
        case pcp(UInt8)
    }

    /// The frame's row. The first of these that has a row decides: destination port, source port, EtherType, DSCP, PCP; otherwise it is the default row.
    ///
    /// The destination port comes before the source port because a client's own port is chosen arbitrarily and may happen to be in the table, while the
    /// server's is meant. EtherType precedes DSCP and PCP because these two only say how the sender wants the frame to be treated.
    @_noLocks @inlinable @inline(__always)
    public func identify(_ record: UnsafePointer<FrameRecord>) -> UInt8 {
        identify(
            destinationPort: record.pointee.destinationPort, sourcePort: record.pointee.sourcePort, ipProtocol: record.pointee.ipProtocol,
            otherwise: identifyWithoutPorts(record))
    }

    /// The row that a frame has if neither of its ports has one.
    @_noLocks @inlinable @inline(__always)
    public func identifyWithoutPorts(_ record: UnsafePointer<FrameRecord>) -> UInt8 {
        let type = rows[Self.etherTypeTable &+ Int(record.pointee.etherType)]
        if type != 0 { return type }
        let dscp = rows[Self.dscpTable &+ Int(record.pointee.dscp)]
        return dscp != 0 ? dscp : rows[Self.pcpTable &+ Int(record.pointee.pcp)]
    }

    /// The row of a TCP or UDP frame. `word` holds both ports in the frame's byte order (`ParsePattern.ports`); `other` is the row if neither port has one.
    @_noLocks @inlinable @inline(__always)
    public func identify(ports word: UInt32, ipProtocol: UInt8, otherwise other: UInt8) -> UInt8 {
        let both = UInt32(bigEndian: word)
        return identify(
            destinationPort: UInt16(truncatingIfNeeded: both), sourcePort: UInt16(truncatingIfNeeded: both &>> 16), ipProtocol: ipProtocol,
            otherwise: other)
    }

    @_noLocks @inlinable @inline(__always)
    func identify(destinationPort: UInt16, sourcePort: UInt16, ipProtocol: UInt8, otherwise other: UInt8) -> UInt8 {
        // TCP is 6 and UDP is 17, so the lowest bit tells them apart. Frames of other protocols have ports 0, for which no row can be set.
        let ports = rows + Int(ipProtocol & 1) &* Self.udpTable
        let destination = ports[Int(destinationPort)], source = ports[Int(sourcePort)]
        if destination != 0 { return destination }
        return source != 0 ? source : other
    }
}
