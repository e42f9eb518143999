/// Remembers the TCP or UDP ports of datagrams that arrive in fragments: only a datagram's first fragment carries the ports, and the later fragments must be
/// identified as the same protocol.
///
/// Each receive queue has a table of its own, which only the loop that polls the queue reads and writes. So the fragments that a guest sends, forged or not,
/// influence the identification of its own fragments only. The table holds 256 datagrams in sets of four; in a full set the entry that was seen longest ago is
/// replaced. The cost of a look-up is constant. A fragment that arrives before its datagram's first fragment, or after the datagram was forgotten, is
/// identified without ports.
///
/// Sources: RFC 791, 3.2 (addresses, protocol and identification tell datagrams apart); RFC 8200, 4.5 (addresses and identification).
public struct FragmentTable: @unchecked Sendable {
    private let entries: UnsafeMutablePointer<Entry>
    /// Drawn at random, so that no sender can choose datagrams that fall into the same set.
    private let secret: UInt64

    private struct Entry {
        /// Hash that stands for the datagram (`Fragment.datagram`); 0 if the entry is free.
        var datagram: UInt64
        /// Source and destination port, in the byte order of the header.
        var ports: UInt32
        /// Second in which the datagram's first fragment was seen.
        var seen: UInt32
    }

    private static var sets: UInt64 { @_noLocks get { 64 } }
    /// For how many seconds a datagram is remembered. RFC 791, 3.2 has receivers wait 15 seconds for the remaining fragments.
    public static var lifetime: UInt32 { @_noLocks get { 15 } }
    /// Size in bytes of the memory that a table needs: zeroed, and aligned to 64 bytes.
    public static var byteCount: Int { 64 * Int(sets) }

    /// - Parameter memory: `byteCount` zeroed bytes, aligned to 64, which the caller frees when the table is no longer used.
    public init(in memory: UnsafeMutableRawPointer, secret: UInt64 = .random(in: .min ... .max)) {
        entries = memory.bindMemory(to: Entry.self, capacity: 4 * Int(Self.sets))
        self.secret = secret | 1
    }

    /// The protocol table's row for a fragment whose record `parse` has just written: the row that the ports of its datagram's first fragment select.
    ///
    /// - Parameters:
    ///   - limit: number of bytes that may be read at `bytes`.
    ///   - seconds: the time in seconds, of any clock that never steps back.
    @_noLocks
    public func identify(
        _ bytes: UnsafeRawPointer, limit: Int, _ record: UnsafePointer<FrameRecord>, _ protocols: ProtocolTable, now seconds: UInt32
    ) -> UInt8 {
        let other = protocols.identifyWithoutPorts(record)
        let ipProtocol = record.pointee.ipProtocol
        guard ipProtocol == IPProtocol.tcp || ipProtocol == IPProtocol.udp, let fragment = Fragment(bytes, limit: limit, record, secret) else { return other }
        let place = place(of: fragment.datagram, now: seconds)
        if fragment.isFirst {
            // The first four octets of a TCP or UDP header are the ports.
            guard limit &- fragment.payload >= 4 else { return other }
            let ports = bytes.loadUnaligned(fromByteOffset: fragment.payload, as: UInt32.self)
            place.pointee = Entry(datagram: fragment.datagram, ports: ports, seen: seconds)
            return protocols.identify(ports: ports, ipProtocol: ipProtocol, otherwise: other)
        }
        guard place.pointee.datagram == fragment.datagram, isAlive(place, seconds) else { return other }
        return protocols.identify(ports: place.pointee.ports, ipProtocol: ipProtocol, otherwise: other)
    }

    /// The entry of `datagram` or, if it has none, the entry of its set that may be overwritten: a free one, or the one seen longest ago.
    @_noLocks
    private func place(of datagram: UInt64, now seconds: UInt32) -> UnsafeMutablePointer<Entry> {
        let set = entries + 4 * Int(truncatingIfNeeded: datagram &>> 32 & (Self.sets &- 1))
        var oldest = set, age: UInt32 = 0
        for index in 0..<4 {
            let entry = set + index
            if entry.pointee.datagram == datagram { return entry }
            let own = entry.pointee.datagram == 0 ? .max : seconds &- entry.pointee.seen
            if own >= age { (oldest, age) = (entry, own) }
        }
        return oldest
    }

    @_noLocks @inline(__always)
    private func isAlive(_ entry: UnsafeMutablePointer<Entry>, _ seconds: UInt32) -> Bool { seconds &- entry.pointee.seen <= Self.lifetime }

    /// What the headers of one fragment say.
    private struct Fragment {
        /// Hash of addresses, VLAN, protocol and identification; never 0.
        var datagram: UInt64
        var isFirst: Bool
        /// Offset of the datagram's payload in the frame: in the first fragment the TCP or UDP header begins there.
        var payload: Int

        /// `parse` must have marked the frame as a fragment. Nil if the readable bytes end before the headers do.
        @_noLocks
        init?(_ bytes: UnsafeRawPointer, limit: Int, _ record: UnsafePointer<FrameRecord>, _ secret: UInt64) {
            let start = Int(record.pointee.l3Offset)
            let vlan = UInt64(record.pointee.tci & 0xfff)
            let kind = UInt64(record.pointee.ipProtocol) | vlan &<< 8
            if record.pointee.flags.has(.ipv4) {
                guard limit &- start >= HeaderSize.ipv4 else { return nil }
                payload = start &+ Int(bytes.load(fromByteOffset: start, as: UInt8.self) & 0x0f) &* 4
                isFirst = bytes.bigEndian16(start &+ 6) & 0x1fff == 0
                let identification = UInt64(bytes.bigEndian16(start &+ 4))
                datagram = Self.mix(Self.mix(secret, bytes.bigEndian64(start &+ 12), secret), identification &<< 32 | kind, secret)
            } else {
                guard let header = Self.fragmentHeader(bytes, limit: limit, from: start) else { return nil }
                payload = header &+ 8
                isFirst = bytes.bigEndian16(header &+ 2) & 0xfff8 == 0
                var word = secret
                for index in 0..<4 { word = Self.mix(word, bytes.bigEndian64(start &+ 8 &+ 8 &* index), secret) }
                datagram = Self.mix(word, UInt64(bytes.bigEndian32(header &+ 4)) &<< 32 | kind, secret)
            }
            if datagram == 0 { datagram = 1 }
        }

        /// Multiplies by the secret, so that without it nobody can tell which inputs give the same hash.
        @_noLocks @inline(__always)
        private static func mix(_ word: UInt64, _ more: UInt64, _ secret: UInt64) -> UInt64 {
            ((word ^ more) &* secret).byteSwapped &* 0x9e37_79b9_7f4a_7c15 ^ more
        }

        /// Offset of an IPv6 datagram's fragment header; nil if it is not among the first `maximumExtensionHeaders` extension headers, which are all that
        /// `parse` follows.
        @_noLocks
        private static func fragmentHeader(_ bytes: UnsafeRawPointer, limit: Int, from start: Int) -> Int? {
            guard limit &- start >= HeaderSize.ipv6 else { return nil }
            var next = bytes.load(fromByteOffset: start &+ 6, as: UInt8.self)
            var offset = start &+ HeaderSize.ipv6
            for _ in 0..<maximumExtensionHeaders {
                guard limit &- offset >= 8 else { return nil }
                if next == IPProtocol.fragment { return offset }
                let units = Int(bytes.load(fromByteOffset: offset &+ 1, as: UInt8.self))
                let size = next == IPProtocol.authentication ? (units &+ 2) &* 4 : (units &+ 1) &* 8
                next = bytes.load(fromByteOffset: offset, as: UInt8.self)
                offset &+= size
            }
            return nil
        }
    }
}
