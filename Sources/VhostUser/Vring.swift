/// What the frontend has said about a ring.
struct Vring: Sendable {
    enum Event: Sendable {
        case unset
        /// "Bit 8 is the invalid FD flag": nobody waits or tells.
        case none
        case descriptor(Int32)

        var descriptor: Int32? { if case .descriptor(let number) = self { number } else { nil } }
    }

    enum Base: Sendable {
        /// As SET_VRING_BASE has it. Whether the ring is packed may not be known yet.
        case number(UInt32)
        case position(RingPosition)
    }

    var size: UInt16?
    var addresses: VringAddresses?
    var base: Base?
    /// Whether the frontend has been told where the ring was stopped.
    var isBaseKnown = false
    var kick: Event = .unset
    var call: Event = .unset
    var error: Event = .unset
    var isEnabled = false
    /// Whether the caller serves the ring: true from its start to its stop.
    var runs = false
    /// What was told last about why the ring does not run although everything was said about it.
    var told: String?

    var positionSource: PositionSource { if case .number = base { isBaseKnown ? .frontend : .earlier } else { .connection } }

    /// The number for GET_VRING_BASE.
    var baseNumber: UInt32 {
        switch base {
        case .number(let number): number
        case .position(let position): position.number
        case nil: 0
        }
    }

    func position(packed: Bool) -> RingPosition {
        switch base {
        case .number(let number): RingPosition(number: number, packed: packed)
        case .position(let position) where position.isPacked == packed: position
        // A driver that agrees on another layout begins with a new ring.
        case .position, nil: .start(packed: packed)
        }
    }
}
