import DPDKShim
import Packet

/// The header that virtio-net puts before each frame (virtio 1.2, 5.1.6): 10 bytes, and in most rings 2 more, which say how many buffers the frame takes.
struct NetHeader {
    /// Bytes 0 to 7: flags, kind of segmentation, length of the headers, size of segments, start of the checksum.
    var first: UInt64 = 0
    /// Bytes 8 to 11: place of the checksum behind its start, number of buffers.
    var last: UInt32 = 0

    /// The checksum is to be finished by whoever needs it (VIRTIO_NET_HDR_F_NEEDS_CSUM).
    private static var needsChecksum: UInt64 { @_noLocks get { 1 } }
    /// The frame is to be cut into TCP segments over IPv4, or over IPv6 (VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6).
    private static var segmentsIPv4: UInt8 { @_noLocks get { 1 } }
    private static var segmentsIPv6: UInt8 { @_noLocks get { 4 } }
    /// The frame is to be cut into UDP datagrams over either (VIRTIO_NET_HDR_GSO_UDP_L4; virtio 1.3, 5.1.6).
    private static var segmentsUDP: UInt8 { @_noLocks get { 5 } }

    @inline(__always) @_noLocks
    init(_ first: UInt64 = 0) { self.first = first }

    /// Whether the sender wants nothing done.
    @inline(__always)
    var isPlain: Bool { @_noLocks get { first & 0xff01 == 0 } }
    /// Whether the sender wants the frame segmented, in whatever way.
    @inline(__always)
    var wantsSegments: Bool { @_noLocks get { kind != 0 } }
    @inline(__always)
    private var kind: UInt8 { @_noLocks get { UInt8(truncatingIfNeeded: first &>> 8) } }
    /// How many bytes of data each segment has; the last may have fewer.
    @inline(__always)
    private var segmentSize: Int { @_noLocks get { Int(UInt16(truncatingIfNeeded: first &>> 32)) } }
    @inline(__always)
    private var checksumStart: Int { @_noLocks get { Int(UInt16(truncatingIfNeeded: first &>> 48)) } }
    @inline(__always)
    private var checksumOffset: Int { @_noLocks get { Int(UInt16(truncatingIfNeeded: last)) } }

    @inline(__always) @_noLocks
    mutating func set(buffers: Int) { last = last & 0xffff | UInt32(truncatingIfNeeded: buffers) &<< 16 }

    /// The header for a frame that goes to a guest which finishes checksums itself.
    @inline(__always) @_noLocks
    init(for frame: Frame) { self = _slowPath(sluice_frame_flags(frame) & sluice_flag_tx_offload_mask != 0) ? Self.requests(of: frame) : Self() }

    /// The header that says what is requested of whoever sends the frame on.
    @inline(never) @_noLocks
    private static func requests(of frame: Frame) -> NetHeader {
        var wishes = NetHeader()
        let flags = sluice_frame_flags(frame)
        switch flags & sluice_flag_tx_l4_mask {
        case sluice_flag_tx_tcp_checksum: wishes.last = 16
        case sluice_flag_tx_udp_checksum: wishes.last = 6
        default: return wishes
        }
        let start = UInt64(sluice_frame_headers_length(frame))
        wishes.first = needsChecksum | start &<< 48
        if flags & sluice_flag_tx_segments != 0 {
            let kind = flags & sluice_flag_tx_udp_segments != 0 ? segmentsUDP : flags & sluice_flag_tx_ipv6 != 0 ? segmentsIPv6 : segmentsIPv4
            wishes.first |= UInt64(kind) &<< 8 | (start &+ UInt64(sluice_frame_l4_length(frame))) &<< 16 | UInt64(sluice_frame_segment_size(frame)) &<< 32
        }
        return wishes
    }

    /// Notes in the frame's buffer what its sender wants done. What no device can be asked to do is done at once.
    /// - Parameter segmentation: which frames the driver may leave to be segmented.
    /// - Returns: false if that cannot be done with this frame.
    @inline(never) @_noLocks
    func apply(to frame: Frame, _ segmentation: Segmentation) -> Bool {
        let start = checksumStart, field = start &+ checksumOffset
        guard field &+ 2 <= Int(sluice_frame_length(frame)) else { return false }
        let bytes = sluice_frame_bytes(frame).unsafelyUnwrapped
        let there = Int(sluice_frame_contiguous(frame))
        if there >= HeaderSize.ethernet &+ 20 {
            var l3 = HeaderSize.ethernet
            var type = bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self).bigEndian
            var tags = 0
            while tags < 2, type == EtherType.vlan || type == EtherType.serviceVLAN, there >= l3 &+ 24 {
                type = bytes.loadUnaligned(fromByteOffset: l3 &+ 2, as: UInt16.self).bigEndian
                l3 &+= HeaderSize.vlanTag
                tags &+= 1
            }
            let first = (bytes + l3).loadUnaligned(as: UInt8.self)
            var version: UInt64 = 0
            var transport: UInt8 = 0
            if type == EtherType.ipv4, first &>> 4 == 4, start == l3 &+ Int(first & 15) &* 4 {
                version = sluice_flag_tx_ipv4
                transport = (bytes + l3 + 9).loadUnaligned(as: UInt8.self)
            } else if type == EtherType.ipv6, first &>> 4 == 6, start == l3 &+ 40 {
                version = sluice_flag_tx_ipv6
                transport = (bytes + l3 + 6).loadUnaligned(as: UInt8.self)
            }
            if version != 0, start &- l3 >= 20 {
                if transport == 6, checksumOffset == 16 {
                    if kind != 0 {
                        guard kind == (version == sluice_flag_tx_ipv6 ? Self.segmentsIPv6 : Self.segmentsIPv4) else { return false }
                        return requestSegments(of: frame, version | sluice_flag_tx_tcp_segments | sluice_flag_tx_tcp_checksum, l3: l3, segmentation)
                    }
                    sluice_frame_request(frame, version | sluice_flag_tx_tcp_checksum, UInt16(l3), UInt16(start &- l3))
                    return true
                }
                if transport == 17, checksumOffset == 6 {
                    if kind != 0 {
                        guard kind == Self.segmentsUDP else { return false }
                        return requestSegments(of: frame, version | sluice_flag_tx_udp_segments | sluice_flag_tx_udp_checksum, l3: l3, segmentation)
                    }
                    sluice_frame_request(frame, version | sluice_flag_tx_udp_checksum, UInt16(l3), UInt16(start &- l3))
                    return true
                }
            }
        }
        if kind != 0 { return false }
        // Something else: the inner checksum of a tunnel, or one behind extension headers. It is a sum like all others.
        return sluice_frame_finish_checksum(frame, UInt32(start), UInt32(field)) == 0
    }

    /// Notes that a frame, whose TCP or UDP header begins at `checksumStart`, is to be cut into segments. The length of the headers is found in them, as what the
    /// driver says about it is a hint only (virtio 1.2, 5.1.6.2).
    /// - Parameter request: the flags that request it.
    @inline(never) @_noLocks
    private func requestSegments(of frame: Frame, _ request: UInt64, l3: Int, _ segmentation: Segmentation) -> Bool {
        let start = checksumStart, isUDP = request & sluice_flag_tx_udp_segments != 0
        let least = isUDP ? 8 : 20
        guard segmentation.has(request), first & Self.needsChecksum != 0, start &+ least <= Int(sluice_frame_contiguous(frame)) else { return false }
        let bytes = sluice_frame_bytes(frame).unsafelyUnwrapped
        let l4 = isUDP ? least : Int((bytes + start + 12).loadUnaligned(as: UInt8.self) &>> 4) &* 4
        let data = Int(sluice_frame_length(frame)) &- start &- l4
        // A fragment has no data of its own to be cut.
        if request & sluice_flag_tx_ipv6 == 0, UnsafeRawPointer(bytes).bigEndian16(l3 &+ 6) & 0x3fff != 0 { return false }
        guard l4 >= least, start &+ l4 <= Int(sluice_frame_contiguous(frame)), data >= 0, segmentSize != 0 else { return false }
        if data <= segmentSize {
            sluice_frame_request(frame, request & ~sluice_flag_tx_segments, UInt16(l3), UInt16(start &- l3))
            return true
        }
        guard data <= segmentSize &* SegmentCutter.most else { return false }
        sluice_frame_request_segments(frame, request, UInt16(l3), UInt16(start &- l3), UInt16(l4), UInt16(segmentSize))
        return true
    }
}
