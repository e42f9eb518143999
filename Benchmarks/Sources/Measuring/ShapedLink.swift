/// A link whose rate follows what another switch has just moved. Rates are in frames per second.
public struct ShapedLink: Equatable, Sendable {
    /// The link's rate as a share of what the other switch moved.
    public var share: Double
    /// The rate from which the floors and ceilings of the classes were computed.
    public var nominal: Double

    public init(share: Double, nominal: Double) {
        self.share = share
        self.nominal = nominal
    }

    /// The limits of the link's rate. The least rate still guarantees all floors; all ceilings together still exceed the greatest one.
    public var least: Double { nominal / 2 }
    public var most: Double { nominal * 1.8 }

    public func rate(_ other: Double) -> Double { min(max(other * share, least), most) }

    /// Shell code that sets `bits` to the link's rate in bit/s if RATE is what the other switch moved.
    public func command(bytes: Double) -> String {
        func bits(_ frames: Double) -> Int { Int(frames * bytes * 8) }
        return "bits=$((RATE * \(bits(share)))); [ $bits -ge \(bits(least)) ] || bits=\(bits(least)); [ $bits -le \(bits(most)) ] || bits=\(bits(most))"
    }
}
