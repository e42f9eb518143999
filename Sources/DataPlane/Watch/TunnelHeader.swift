import Configuration
import DPDKShim
import Packet

/// The headers in front of each copy that is sent to the end of a tunnel: Ethernet, IPv4 or IPv6, GRE, and for ERSPAN a header of its own. They are the same in
/// each packet except for lengths, checksums and sequence numbers.
struct TunnelHeader {
    /// The header; only the first `length` bytes are used.
    private var bytes: InlineArray<96, UInt8> = .init(repeating: 0)
    private(set) var length = 0
    /// The offset of the IP header.
    private var network = 0
    private var isIPv4: Bool
    let isERSPAN: Bool
    /// The number of bytes of the packets' own VLAN tag, which do not count towards the longest frame of a port.
    @inline(__always) var outerTag: UInt32 { @_noLocks get { UInt32(truncatingIfNeeded: network &- HeaderSize.ethernet) } }

    /// - Parameters:
    ///   - session: the ERSPAN session; nil for plain GRE.
    init(_ tunnel: MirrorTunnel, session: Int?) {
        isIPv4 = tunnel.remote.isIPv4
        isERSPAN = session != nil
        append(tunnel.mac.value, 6)
        append(tunnel.source.value, 6)
        if let vlan = tunnel.vlan { append(UInt64(EtherType.vlan) << 16 | UInt64(vlan), 4) }
        append(isIPv4 ? 0x0800 : 0x86dd, 2)
        network = length
        // The constants contain a TTL (hop limit) of 64 and IP protocol 47 (GRE).
        if isIPv4 {
            // The packets must not be fragmented: all have the identification 0, so a fragment could not be told from those of other packets (RFC 6864).
            append(0x4500_0000_0000_4000, 8)
            append(0x402f_0000, 4)
        } else {
            append(0x6000_0000_0000_2f40, 8)
        }
        for byte in tunnel.local.bytes + tunnel.remote.bytes { append(UInt64(byte), 1) }
        guard let session else {
            append(0x0000_6558, 4)
            return
        }
        // ERSPAN packets have a GRE sequence number (RFC 2890).
        append(0x1000_88be, 4)
        append(0, 4)
        append(0x1000_0000_0000_0000 | UInt64(session) << 32, 8)
    }

    private mutating func append(_ value: UInt64, _ count: Int) {
        for place in (0..<count).reversed() {
            bytes[length] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(place)))
            length += 1
        }
    }

    /// Writes the header in front of a copy.
    /// - Parameters:
    ///   - start: where the header is to begin.
    ///   - payload: the number of bytes of the copy.
    ///   - number: for ERSPAN, the sequence number of the packet.
    ///   - tci: for ERSPAN, the TCI of the copied frame's tag; nil if it has none.
    ///   - isCut: for ERSPAN, whether the copy is shorter than its frame.
    ///   - index: for ERSPAN, the index field of 20 bits.
    @inline(never) @_noLocks
    static func write(
        _ header: UnsafeMutablePointer<TunnelHeader>, at start: UnsafeMutableRawPointer, payload: UInt32, number: UInt32, tci: UInt16?, isCut: Bool, index: UInt32
    ) {
        let length = header.pointee.length, bytes = start.assumingMemoryBound(to: UInt8.self), network = header.pointee.network
        // The bytes are the first field of the struct, so the pointer to the struct points to them.
        sluice_copy(start, header, length)
        let behind = payload &+ UInt32(truncatingIfNeeded: length &- network)
        if header.pointee.isIPv4 {
            put(UInt16(truncatingIfNeeded: behind), bytes + network + 2)
            var sum: UInt32 = 0
            for place in 0..<10 { sum &+= UInt32(bytes[network &+ 2 &* place]) &<< 8 | UInt32(bytes[network &+ 2 &* place &+ 1]) }
            sum = sum & 0xffff &+ sum &>> 16
            sum = sum & 0xffff &+ sum &>> 16
            put(~UInt16(truncatingIfNeeded: sum), bytes + network + 10)
        } else {
            put(UInt16(truncatingIfNeeded: behind &- 40), bytes + network + 4)
        }
        guard header.pointee.isERSPAN else { return }
        let own = bytes + length - 12
        put(UInt16(truncatingIfNeeded: number &>> 16), own)
        put(UInt16(truncatingIfNeeded: number), own + 2)
        if let tci {
            // The field En of the ERSPAN header says that the tag is still in the copy.
            put(0x1000 | tci & 0xfff, own + 4)
            own[6] |= UInt8(truncatingIfNeeded: tci &>> 8) & 0xe0 | 0x18
        }
        if isCut { own[6] |= 0x04 }
        put(UInt16(truncatingIfNeeded: index &>> 16), own + 8)
        put(UInt16(truncatingIfNeeded: index), own + 10)
    }

    @inline(__always) @_noLocks
    private static func put(_ value: UInt16, _ place: UnsafeMutablePointer<UInt8>) {
        place[0] = UInt8(truncatingIfNeeded: value &>> 8)
        place[1] = UInt8(truncatingIfNeeded: value)
    }
}
