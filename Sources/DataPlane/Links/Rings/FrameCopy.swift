import DPDKShim

/// Copies the bytes of a frame. The usual short frame takes four instructions, and no call.
@inline(__always) @_noLocks
func copyFrame(to: UnsafeMutableRawPointer, from: UnsafeRawPointer, _ count: Int) {
    if count &- 32 <= 32 && count >= 32 {
        let first = from.loadUnaligned(as: SIMD32<UInt8>.self)
        let last = from.loadUnaligned(fromByteOffset: count &- 32, as: SIMD32<UInt8>.self)
        to.storeBytes(of: first, as: SIMD32<UInt8>.self)
        to.storeBytes(of: last, toByteOffset: count &- 32, as: SIMD32<UInt8>.self)
    } else {
        sluice_copy(to, from, count)
    }
}

/// A place in a list of pieces, from which bytes are read or to which they are written in order.
struct PieceCursor {
    var piece: UnsafeMutablePointer<RingPiece>
    /// How far into the piece.
    var offset = 0
    let end: UnsafeMutablePointer<RingPiece>

    @inline(__always) @_noLocks
    init(_ scratch: RingScratch, count: Int) {
        piece = scratch.pieces
        end = scratch.pieces + count
    }

    /// The pieces in which a frame's rest still is; none: it is in its buffers.
    @inline(__always) @_noLocks
    init(of frame: Frame) {
        guard sluice_frame_is_scattered(frame), let list = sluice_frame_parts(frame) else {
            piece = UnsafeMutablePointer(bitPattern: MemoryLayout<RingPiece>.alignment).unsafelyUnwrapped
            end = piece
            return
        }
        piece = (UnsafeMutableRawPointer(mutating: list) + MemoryLayout<sluice_part_list>.size).assumingMemoryBound(to: RingPiece.self)
        end = piece + Int(list.pointee.count)
    }

    /// Copies bytes out of the pieces. There are that many.
    @inline(__always) @_noLocks
    mutating func read(to: UnsafeMutableRawPointer, _ count: Int) {
        var done = 0
        while done < count && piece < end {
            let part = min(count &- done, piece.pointee.count &- offset)
            sluice_copy(to + done, piece.pointee.bytes + offset, part)
            advance(part)
            done &+= part
        }
    }

    /// Copies bytes into the pieces. There is room for that many.
    @inline(__always) @_noLocks
    mutating func write(from: UnsafeRawPointer, _ count: Int) {
        var done = 0
        while done < count && piece < end {
            let part = min(count &- done, piece.pointee.count &- offset)
            sluice_copy(piece.pointee.bytes + offset, from + done, part)
            advance(part)
            done &+= part
        }
    }

    @inline(__always) @_noLocks
    private mutating func advance(_ bytes: Int) {
        offset &+= bytes
        if offset == piece.pointee.count {
            piece += 1
            offset = 0
        }
    }
}

/// Copies a frame out of pieces, behind the header of virtio-net, into a buffer and as many more as it needs.
/// - Parameters:
///   - frame: an empty buffer.
///   - room: the number of bytes that a buffer holds.
/// - Returns: false if the pool is empty. The buffer is as before then.
@inline(never) @_noLocks
func gather(_ frame: Frame, _ cursor: inout PieceCursor, _ length: Int, room: Int, _ pool: OpaquePointer) -> Bool {
    let first = min(length, room)
    cursor.read(to: sluice_frame_bytes(frame).unsafelyUnwrapped, first)
    sluice_frame_set_length(frame, UInt16(truncatingIfNeeded: first))
    var done = first
    var last = frame
    while done < length {
        let part = min(length &- done, room)
        guard let more = sluice_frame_allocate(pool, UInt16(truncatingIfNeeded: part)) else {
            sluice_frame_cut(frame)
            return false
        }
        cursor.read(to: sluice_frame_bytes(more).unsafelyUnwrapped, part)
        sluice_frame_append(frame, last, more)
        last = more
        done &+= part
    }
    return true
}

/// Copies a frame into pieces, behind the header of virtio-net.
@inline(never) @_noLocks
func scatter(_ frame: Frame, _ cursor: inout PieceCursor) {
    var segment: Frame? = frame
    while let present = segment {
        cursor.write(from: sluice_frame_bytes(present).unsafelyUnwrapped, Int(sluice_frame_contiguous(present)))
        segment = sluice_frame_next(present)
    }
    if sluice_frame_is_scattered(frame) {
        var rest = PieceCursor(of: frame)
        var left = Int(sluice_frame_length(frame)) &- Int(sluice_frame_contiguous(frame))
        while left > 0, rest.piece < rest.end {
            let count = min(left, rest.piece.pointee.count)
            cursor.write(from: rest.piece.pointee.bytes, count)
            rest.piece += 1
            left &-= count
        }
    } else if sluice_frame_is_partial(frame) {
        cursor.write(from: sluice_frame_rest(frame).unsafelyUnwrapped, Int(sluice_frame_length(frame)) &- Int(sluice_frame_contiguous(frame)))
    }
}
