/// A set of VLAN identifiers, 1 to 4094 (IEEE 802.1Q, table 9-2: 0 stands for no VLAN, 4095 is reserved).
public struct VLANSet: Hashable, Sendable {
    public static let identifiers = 1...4_094
    /// The set as a bitmap: an identifier is bit `id % 64` of word `id / 64`.
    public private(set) var words = [UInt64](repeating: 0, count: 64)

    public init() {}

    /// - Parameter ids: identifiers within `identifiers`; others trap.
    public init(_ ids: some Sequence<Int>) { for id in ids { insert(id) } }

    public mutating func insert(_ id: Int) {
        precondition(Self.identifiers.contains(id), "a VLAN is 1 to 4094")
        words[id / 64] |= 1 << UInt64(id % 64)
    }

    public func contains(_ id: Int) -> Bool { Self.identifiers.contains(id) && words[id / 64] >> UInt64(id % 64) & 1 != 0 }

    public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
    public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
    /// The identifiers in ascending order.
    public var ids: [Int] { Self.identifiers.filter(contains) }

    /// The identifiers in ascending order, with consecutive ones merged into ranges.
    public var ranges: [ClosedRange<Int>] {
        var result: [ClosedRange<Int>] = []
        for id in ids {
            if let last = result.last, last.upperBound == id - 1 { result[result.count - 1] = last.lowerBound...id } else { result.append(id...id) }
        }
        return result
    }

    public func union(_ other: VLANSet) -> VLANSet {
        var result = self
        for index in words.indices { result.words[index] |= other.words[index] }
        return result
    }
}
