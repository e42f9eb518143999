/// How a flow is paced: the time that each byte and each frame takes, in units of 2^-16 ns.
package struct Pace {
    package static var off: UInt32 { 0 }
    package static var paced: UInt32 { 1 }
    package static var unpaced: UInt32 { 2 }
    package var mode: UInt32
    /// Raised with every change, so that a slow flow does not wait for a time that was worked out for the old rate.
    package var generation: UInt32 = 1
    package var perByte: UInt64 = 0
    package var perFrame: UInt64 = 0

    package init(_ rate: Rate) {
        switch rate {
        case .maximum: mode = Self.unpaced
        case .bits(0), .frames(0): mode = Self.off
        case .bits(let bits):
            mode = Self.paced
            perByte = (8_000_000_000 << 16 + bits / 2) / bits
        case .frames(let frames):
            mode = Self.paced
            perFrame = (1_000_000_000 << 16 + frames / 2) / frames
        }
    }
}
