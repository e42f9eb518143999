/// How a frame's protocol is known: byte tables from EtherType, ports, DSCP and PCP to a row number, 1 to 63; 0 is the default row.
///
/// A trivial handle on one block of 192.5 KiB; copies share it. One thread fills it before it is published to the lcores;
/// while they read it, it must not change (publish another one instead).
@frozen
public struct ProtocolTable: @unchecked Sendable {
    @usableFromInline let rows: UnsafeMutablePointer<UInt8>

    // Places of the tables within the block. DSCP and PCP have room for every octet; the row of "none" always is 0.
    @inlinable @inline(__always) static var tcpTable: Int { @_noLocks get { 0 } }
    @inlinable @inline(__always) static var udpTable: Int { @_noLocks get { 65_536 } }
    @inlinable @inline(__always) static var etherTypeTable: Int { @_noLocks get { 131_072 } }
    @inlinable @inline(__always) static var dscpTable: Int { @_noLocks get { 196_608 } }
    @inlinable @inline(__always) static var pcpTable: Int { @_noLocks get { 196_864 } }
    @inlinable @inline(__always) static var size: Int { @_noLocks get { 197_120 } }

    /// Rows besides the default one.
    @inlinable @inline(__always) public static var maximumRow: UInt8 { @_noLocks get { 63 } }
    /// The row of whatever no table knows.
    @inlinable @inline(__always) public static var defaultRow: UInt8 { @_noLocks get { 0 } }

    @usableFromInline init(rows: UnsafeMutablePointer<UInt8>) { self.rows = rows }

    /// A table in which everything falls to the default row.
    public static func create() -> ProtocolTable {
        let rows = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        rows.initialize(repeating: 0, count: size)
        return ProtocolTable(rows: rows)
    }

    /// Frees the block; no lcore may still read it.
    public func destroy() { rows.deallocate() }

    /// Takes `match` to `row`, in place of the row it had. Port 0, which is reserved (RFC 6335, 6), never matches. Traps if
    /// `row` exceeds `maximumRow`, or a DSCP 63, or a PCP 7. A range costs a look-up no more than one port.
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

    /// The row of `match` alone, without precedence; 0 if it has none. Of a range: of its first port.
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

    /// One way of knowing a protocol.
    public enum Match: Hashable, Sendable {
        /// Type behind the tags.
        case etherType(UInt16)
        /// Either port of a TCP segment.
        case tcp(UInt16)
        /// Either port of a UDP datagram.
        case udp(UInt16)
        /// Either port of a TCP segment is one of these.
        case tcpRange(ClosedRange<UInt16>)
        /// Either port of a UDP datagram is one of these.
        case udpRange(ClosedRange<UInt16>)
        case dscp(UInt8)
        /// PCP of the outermost tag the frame arrived with.
        case pcp(UInt8)
    }

    /// The frame's row, from the most to the least telling: destination port, source port, EtherType, DSCP, PCP, default.
    ///
    /// The destination port comes before the source port because a client's own port is drawn by chance and may be one of the
    /// table's, while the server's is meant. EtherType precedes DSCP and PCP because the latter two only tell what a sender
    /// wishes for.
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

    /// The row of a TCP or UDP frame with both ports as they lie in its header (`ParsePattern.ports`) that has the row `other` without them.
    @_noLocks @inlinable @inline(__always)
    public func identify(ports word: UInt32, ipProtocol: UInt8, otherwise other: UInt8) -> UInt8 {
        let both = UInt32(bigEndian: word)
        return identify(
            destinationPort: UInt16(truncatingIfNeeded: both), sourcePort: UInt16(truncatingIfNeeded: both &>> 16), ipProtocol: ipProtocol,
            otherwise: other)
    }

    @_noLocks @inlinable @inline(__always)
    func identify(destinationPort: UInt16, sourcePort: UInt16, ipProtocol: UInt8, otherwise other: UInt8) -> UInt8 {
        // TCP is 6, UDP 17: the lowest bit tells them apart. Frames of anything else have ports 0, which no row has.
        let ports = rows + Int(ipProtocol & 1) &* Self.udpTable
        let destination = ports[Int(destinationPort)], source = ports[Int(sourcePort)]
        if destination != 0 { return destination }
        return source != 0 ? source : other
    }
}
