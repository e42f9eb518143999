/// How Enhanced Transmission Selection shares a link among traffic classes (IEEE 802.1Q-2014, 8.6.8.4 and D.2.9). Each list has eight items.
public struct ETSParameters: Equatable, Sendable {
    /// How a traffic class is chosen (table 8-5).
    public enum Algorithm: UInt8, Sendable {
        case strict = 0
        case creditBased = 1
        case ets = 2
        case vendor = 255
    }

    /// The traffic class of each priority.
    public private(set) var classes: [UInt8]
    /// The percentage of each traffic class in what strict classes leave; 0 for classes that are not `ets`.
    public private(set) var bandwidths: [UInt8]
    public private(set) var algorithms: [Algorithm]

    /// Nil if a list does not have eight items, a traffic class exceeds 7, or the percentages of the `ets` classes do not add up to 100. Percentages of other
    /// classes mean nothing, and become 0.
    public init?(classes: [UInt8], bandwidths: [UInt8], algorithms: [Algorithm]) {
        guard classes.count == 8, bandwidths.count == 8, algorithms.count == 8, classes.allSatisfy({ $0 < 8 }) else { return nil }
        self.classes = classes
        self.algorithms = algorithms
        self.bandwidths = zip(bandwidths, algorithms).map { $1 == .ets ? $0 : 0 }
        guard !algorithms.contains(.ets) || self.bandwidths.reduce(0, { $0 + Int($1) }) == 100 else { return nil }
    }

    /// Reads 4 octets of classes, 8 of percentages and 8 of algorithms; nil if they break a rule.
    init?(_ octets: Octets) {
        let algorithms = (12..<20).compactMap { Algorithm(rawValue: octets.byte($0)) }
        self.init(
            classes: (0..<8).map { octets.byte($0 / 2) >> ($0 % 2 == 0 ? 4 : 0) & 15 }, bandwidths: (4..<12).map { octets.byte($0) }, algorithms: algorithms)
    }

    var octets: [UInt8] {
        stride(from: 0, to: 8, by: 2).map { classes[$0] << 4 | classes[$0 + 1] } + bandwidths + algorithms.map(\.rawValue)
    }
}
