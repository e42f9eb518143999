/// How traffic classes (IEEE 802.1Q-2014, 8.6.8) take the eight priorities that a scheduling tree knows. Strict classes come first, the one with the highest
/// number before the others, then the weighted ones.
public struct ETSPlan: Equatable, Sendable {
    /// A traffic class's percentage; nil: the class is strict.
    public typealias Weight = UInt8?

    /// The traffic class of each priority of frames (PCP), and the weight of each traffic class.
    public let classes: [UInt8]
    public let weights: [Weight]
    /// The traffic classes in use, in the order in which they take priorities of the tree.
    private let order: [UInt8]

    /// - Parameters:
    ///   - classes: the traffic class, 0 to 7, of each of the eight priorities of frames.
    ///   - weights: the weights of eight traffic classes.
    public init(classes: [UInt8], weights: [Weight]) {
        precondition(classes.count == 8 && weights.count == 8 && classes.allSatisfy { $0 < 8 }, "there are eight priorities and eight traffic classes")
        self.classes = classes
        self.weights = weights
        let used = Set(classes).sorted()
        order = used.filter { weights[Int($0)] == nil }.reversed() + used.filter { weights[Int($0)] != nil }
    }

    /// All frames are in one traffic class, which leaves a tree's priorities as they are.
    public static let plain = ETSPlan(classes: [UInt8](repeating: 0, count: 8), weights: [100] + [Weight](repeating: 0, count: 7))

    /// How many priorities of the tree each traffic class has, so that the priorities of its own leaves keep their order: eight where there is one class, four
    /// of two, two of three or four, and one of more.
    public var prioritiesPerClass: Int { 8 / order.count }

    /// The tree's priority of a leaf whose own priority is `priority` (0 to 7) and whose frames leave with the PCP `pcp`.
    public func priority(of priority: UInt8, pcp: UInt8) -> UInt8 {
        let rank = order.firstIndex(of: classes[Int(pcp & 7)]) ?? 0
        return UInt8(rank * prioritiesPerClass + Int(min(priority, 7)) * prioritiesPerClass / 8)
    }

    /// The traffic class of each of the tree's priorities. Priorities that no class has belong to the last one.
    public var classOfPriority: [UInt8] { (0..<8).map { order[min($0 / prioritiesPerClass, order.count - 1)] } }
}
