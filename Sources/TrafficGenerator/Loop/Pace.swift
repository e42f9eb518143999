/// How a flow is paced: 2^-16 ns a byte and a frame.
package struct Pace {
    package static var off: UInt32 { 0 }
    package static var paced: UInt32 { 1 }
    package static var unpaced: UInt32 { 2 }
    package var mode: UInt32
    /// Raised with each change, so that a slow flow does not sleep on.
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
