/// A link whose rate follows what another switch has just moved, in frames per second.
public struct ShapedLink: Equatable, Sendable {
    /// Of what the other moved.
    public var share: Double
    /// What classes were given their floors and ceilings by.
    public var nominal: Double

    public init(share: Double, nominal: Double) {
        self.share = share
        self.nominal = nominal
    }

    /// Between a rate that still guarantees all floors and one that all ceilings together exceed.
    public var least: Double { nominal / 2 }
    public var most: Double { nominal * 1.8 }

    public func rate(_ other: Double) -> Double { min(max(other * share, least), most) }

    /// For a shell whose RATE is what the other moved: sets `bits` to the link's rate in bit/s.
    public func command(bytes: Double) -> String {
        func bits(_ frames: Double) -> Int { Int(frames * bytes * 8) }
        return "bits=$((RATE * \(bits(share)))); [ $bits -ge \(bits(least)) ] || bits=\(bits(least)); [ $bits -le \(bits(most)) ] || bits=\(bits(most))"
    }
}
