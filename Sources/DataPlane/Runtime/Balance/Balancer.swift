/// When queues move by themselves: an imbalance must be large, must last, and a move is followed by a pause in which its effect is seen.
package struct Balancer {
    /// A move is worth making that lowers the busier loop's load by this part of a core: asked for, and by itself.
    package static var leastGain: Double { 0.05 }
    package static var leastAutomaticGain: Double { 0.15 }
    /// Below this load of the busiest loop nothing need move by itself.
    package static var leastLoad: Double { 0.6 }
    /// Samples, about a second apart.
    package static var lasting: Int { 5 }
    package static var rest: Int { 30 }

    private var imbalanced = 0
    private var resting = 0

    package init() {}

    /// Told of each sample.
    /// - Parameters:
    ///   - load: of the busiest loop, 0 to 1.
    ///   - hasMoves: there are moves worth making.
    /// - Returns: whether to make the first of them now.
    package mutating func decides(load: Double, hasMoves: Bool) -> Bool {
        if resting > 0 {
            resting -= 1
            imbalanced = 0
            return false
        }
        imbalanced = load >= Self.leastLoad && hasMoves ? imbalanced + 1 : 0
        guard imbalanced >= Self.lasting else { return false }
        imbalanced = 0
        resting = Self.rest
        return true
    }
}
