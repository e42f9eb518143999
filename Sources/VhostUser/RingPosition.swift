/// Who says where a ring goes on.
public enum PositionSource: Sendable {
    /// The frontend (SET_VRING_BASE), which knows it from an earlier connection, if at all: if that ended without GET_VRING_BASE, it is out of date.
    case earlier
    /// The frontend, which this connection has told where the ring was stopped.
    case frontend
    /// This connection, which has stopped the ring there, or begins with a new one.
    case connection
}

/// How far a ring has been served. All that the backend has taken from a ring it has also given back when the ring stands still.
public enum RingPosition: Sendable, Equatable {
    /// The index of available buffers from which the ring goes on, counted without end (virtio 1.2, 2.7.6).
    case split(next: UInt16)
    /// The places in the descriptor ring from which available buffers are taken and used ones written, each with its wrap counter (virtio 1.2, 2.8.1).
    case packed(next: UInt16, wrap: Bool, used: UInt16, usedWrap: Bool)

    /// Where a ring begins that nobody has used yet.
    public static func start(packed: Bool) -> Self { packed ? .packed(next: 0, wrap: true, used: 0, usedWrap: true) : .split(next: 0) }

    /// Reads the number of SET_VRING_BASE. Of a packed ring, bits 0 to 14 are the place of the next available descriptor and bit 15 is its wrap counter; the
    /// upper half is the same for used ones. Frontends that know of the lower half only (DPDK's virtio_user) leave the upper one 0: both are the same then,
    /// as they are whenever no buffer is under way.
    init(number: UInt32, packed: Bool) {
        guard packed else {
            self = .split(next: UInt16(truncatingIfNeeded: number))
            return
        }
        let next = UInt16(truncatingIfNeeded: number), upper = UInt16(truncatingIfNeeded: number >> 16)
        let used = upper == 0 ? next : upper
        self = .packed(next: next & 0x7fff, wrap: next >> 15 != 0, used: used & 0x7fff, usedWrap: used >> 15 != 0)
    }

    /// The number that GET_VRING_BASE tells.
    public var number: UInt32 {
        switch self {
        case .split(let next): UInt32(next)
        case .packed(let next, let wrap, let used, let usedWrap):
            UInt32(next & 0x7fff) | (wrap ? 1 << 15 : 0) | UInt32(used & 0x7fff) << 16 | (usedWrap ? 1 << 31 : 0)
        }
    }

    var isPacked: Bool { if case .packed = self { true } else { false } }

    /// Whether a ring of this size has the position.
    func fits(_ size: UInt16) -> Bool {
        switch self {
        case .split: true
        case .packed(let next, _, let used, _): next < size && used < size
        }
    }
}
