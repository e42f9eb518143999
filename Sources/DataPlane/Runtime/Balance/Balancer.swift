/// Decides when queues move without being told to: an imbalance must be large and must last, and after each move there is a pause in which its effect shows.
package struct Balancer {
    /// A move must lower the load of the busier of its two loops by at least this part of a core to be worth making: the first value applies if somebody asked
    /// for the move, the second if nobody did.
    package static var leastGain: Double { 0.05 }
    package static var leastAutomaticGain: Double { 0.15 }
    /// The load of the busiest loop, as a part of a core, below which nothing moves without being told to.
    package static var leastLoad: Double { 0.6 }
    /// For how many samples an imbalance must last, and how many samples the pause after a move takes. Samples are about a second apart.
    package static var lasting: Int { 5 }
    package static var rest: Int { 30 }

    private var imbalanced = 0
    private var resting = 0

    package init() {}

    /// Takes one sample.
    /// - Parameters:
    ///   - load: the load of the busiest loop, 0 to 1.
    ///   - hasMoves: whether there are moves worth making.
    /// - Returns: whether to make the first of these moves now.
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
