/// Ports of the datagrams whose fragments pass: only the first fragment has them, and the others are to be identified as it was.
///
/// One for each receive queue, written and read by the loop that polls it; so what a guest sends, forged or not, has a bearing on its own fragments alone.
/// 256 datagrams at a time, in sets of four of which the one seen longest ago gives way; constant cost. A fragment that comes before the first of its
/// datagram, or when that has been forgotten, has no ports.
///
/// Sources: RFC 791, 3.2 (datagrams are told apart by addresses, protocol and identification); RFC 8200, 4.5 (by addresses and identification).
public struct FragmentTable: @unchecked Sendable {
    private let entries: UnsafeMutablePointer<Entry>
    /// Drawn at random, so that nobody outside can choose datagrams that share a set.
    private let secret: UInt64

    private struct Entry {
        /// 0: free.
        var datagram: UInt64
        /// As they lie in the header.
        var ports: UInt32
        var seen: UInt32
    }

    private static var sets: UInt64 { @_noLocks get { 64 } }
    /// Seconds for which a datagram is remembered; RFC 791, 3.2 has receivers wait as long for the rest.
    public static var lifetime: UInt32 { @_noLocks get { 15 } }
    /// Bytes of memory, zeroed, that a table needs, at a multiple of 64.
    public static var byteCount: Int { 64 * Int(sets) }

    /// - Parameter memory: `byteCount` zeroed bytes, which the caller frees.
    public init(in memory: UnsafeMutableRawPointer, secret: UInt64 = .random(in: .min ... .max)) {
        entries = memory.bindMemory(to: Entry.self, capacity: 4 * Int(Self.sets))
        self.secret = secret | 1
    }

    /// The row of a fragment, of which `parse` has just written the record: what the ports of its datagram's first fragment say.
    ///
    /// - Parameters:
    ///   - limit: bytes that may be read.
    ///   - seconds: of any clock that never steps back.
    @_noLocks
    public func identify(
        _ bytes: UnsafeRawPointer, limit: Int, _ record: UnsafePointer<FrameRecord>, _ protocols: ProtocolTable, now seconds: UInt32
    ) -> UInt8 {
        let other = protocols.identifyWithoutPorts(record)
        let ipProtocol = record.pointee.ipProtocol
        guard ipProtocol == IPProtocol.tcp || ipProtocol == IPProtocol.udp, let fragment = Fragment(bytes, limit: limit, record, secret) else { return other }
        let place = place(of: fragment.datagram, now: seconds)
        if fragment.isFirst {
            // Four octets of either header are ports.
            guard limit &- fragment.payload >= 4 else { return other }
            let ports = bytes.loadUnaligned(fromByteOffset: fragment.payload, as: UInt32.self)
            place.pointee = Entry(datagram: fragment.datagram, ports: ports, seen: seconds)
            return protocols.identify(ports: ports, ipProtocol: ipProtocol, otherwise: other)
        }
        guard place.pointee.datagram == fragment.datagram, isAlive(place, seconds) else { return other }
        return protocols.identify(ports: place.pointee.ports, ipProtocol: ipProtocol, otherwise: other)
    }

    /// The entry of a datagram, or the one that it may have.
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

    /// What a fragment's headers say.
    private struct Fragment {
        /// Of addresses, VLAN, protocol and identification; not 0.
        var datagram: UInt64
        var isFirst: Bool
        /// Where the datagram's own octets begin.
        var payload: Int

        /// nil: the headers end before that. `parse` has found the frame to be a fragment.
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

        /// Every bit of both depends on every other's, by way of the secret.
        @_noLocks @inline(__always)
        private static func mix(_ word: UInt64, _ more: UInt64, _ secret: UInt64) -> UInt64 {
            ((word ^ more) &* secret).byteSwapped &* 0x9e37_79b9_7f4a_7c15 ^ more
        }

        /// Where the fragment header of an IPv6 datagram is, behind no more extension headers than `parse` follows.
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
