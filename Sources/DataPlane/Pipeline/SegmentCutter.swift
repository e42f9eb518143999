import DPDKShim
import Packet

/// Cuts a frame that its sender left to be segmented (TCP or UDP segmentation offload) into the frames that leave. Its bytes are read only, so it may be shared;
/// what is still in the sender's buffers is copied from there.
struct SegmentCutter {
    private let frame: Frame
    private let l3: Int
    private let l4: Int
    private let headers: Int
    private let size: Int
    private let data: Int
    private let isIPv6: Bool
    private let isUDP: Bool
    /// Where the next data is: in which part of the frame, and how far into it.
    private var part: Frame
    private var place: Int
    /// What is behind the last part of a frame that is not whole.
    private var rest: PieceCursor
    private var done = 0
    private var number = 0

    /// The most segments of a frame, which bounds the work that it makes.
    static var most: Int { @_noLocks get { Int(SLUICE_MOST_SEGMENTS) } }

    /// - Parameter frame: one that asks for segmentation, with all headers in its first part.
    @_noLocks
    init(_ frame: Frame) {
        self.frame = frame
        l3 = Int(sluice_frame_l2_length(frame))
        l4 = Int(sluice_frame_headers_length(frame))
        headers = l4 &+ Int(sluice_frame_l4_length(frame))
        size = Int(sluice_frame_segment_size(frame))
        data = Int(sluice_frame_length(frame)) &- headers
        isIPv6 = sluice_frame_flags(frame) & sluice_flag_tx_ipv6 != 0
        isUDP = sluice_frame_flags(frame) & sluice_flag_tx_udp_segments != 0
        part = frame
        place = headers
        rest = PieceCursor(of: frame)
    }

    /// The number of segments that are still to come.
    var left: Int { @_noLocks get { (data &- done &+ size &- 1) / size } }
    /// The length of the longest in bytes.
    var longest: UInt32 { @_noLocks get { UInt32(truncatingIfNeeded: headers &+ min(size, data)) } }
    /// By how many bytes all segments together are longer than the frame.
    var overhead: Int { @_noLocks get { (left &- 1) &* headers } }

    /// Makes the next segment, with a request to finish its checksum.
    /// - Returns: nil if there is none left; or no buffer for it, after which this must not be called again.
    @inline(never) @_noLocks
    mutating func next(_ pool: OpaquePointer) -> Frame? {
        let length = min(size, data &- done)
        guard length > 0 else { return nil }
        let room = Int(sluice_pool_room(pool))
        let first = min(headers &+ length, room)
        guard let segment = sluice_frame_allocate(pool, UInt16(truncatingIfNeeded: first)) else { return nil }
        let bytes = sluice_frame_bytes(segment).unsafelyUnwrapped
        sluice_copy(bytes, sluice_frame_bytes(frame), headers)
        read(to: bytes + headers, first &- headers)
        var left = headers &+ length &- first
        var last = segment
        while left > 0 {
            let count = min(left, room)
            guard let more = sluice_frame_allocate(pool, UInt16(truncatingIfNeeded: count)) else {
                sluice_frame_free(segment)
                return nil
            }
            read(to: sluice_frame_bytes(more).unsafelyUnwrapped, count)
            sluice_frame_append(segment, last, more)
            last = more
            left &-= count
        }
        if isUDP {
            UDPSegment.write(at: bytes, l3: l3, l4: l4, isIPv6: isIPv6, number: number, length: length)
        } else {
            TCPSegment.write(
                at: bytes, l3: l3, l4: l4, headers: headers, isIPv6: isIPv6, number: number, offset: done, length: length, isLast: done &+ length == data)
        }
        sluice_frame_request(
            segment, (isUDP ? sluice_flag_tx_udp_checksum : sluice_flag_tx_tcp_checksum) | (isIPv6 ? sluice_flag_tx_ipv6 : sluice_flag_tx_ipv4),
            UInt16(truncatingIfNeeded: l3), UInt16(truncatingIfNeeded: l4 &- l3))
        done &+= length
        number &+= 1
        return segment
    }

    /// Copies the next bytes of data, of which there are that many.
    @inline(__always) @_noLocks
    private mutating func read(to: UnsafeMutableRawPointer, _ count: Int) {
        var copied = 0
        while copied < count {
            let there = Int(sluice_frame_contiguous(part)) &- place
            if there == 0 {
                guard let next = sluice_frame_next(part) else { return rest.read(to: to + copied, count &- copied) }
                (part, place) = (next, 0)
                continue
            }
            let now = min(there, count &- copied)
            sluice_copy(to + copied, sluice_frame_bytes(part) + place, now)
            place &+= now
            copied &+= now
        }
    }
}

/// Whether a frame is to be cut into segments.
@inline(__always) @_noLocks
func isToBeSegmented(_ frame: Frame) -> Bool { sluice_frame_flags(frame) & sluice_flag_tx_segments != 0 }
