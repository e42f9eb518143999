import Configuration
import DCB
import LinkProtocols
import Packet
import Scheduler

/// How a physical port's tree shares its rate among traffic classes, and which leaf is in which: what DCBX has found, as the scheduler wants it.
struct TreeSharing: Equatable {
    let plan: ETSPlan
    /// The PCP with which frames of each protocol leave the port, and that of all others.
    let pcps: [String: UInt8]
    let standard: UInt8

    /// - Parameters:
    ///   - ets: nil: there are no traffic classes, but priorities can be paused.
    ///   - applications: the application priorities in use at the port.
    init(_ ets: ETSParameters?, _ applications: [ApplicationPriority], _ protocols: [ProtocolSettings]) {
        plan = ets.map { ets in
            // Whatever is not a percentage is served first, as Linux does (net/sched/sch_ets.c has strict bands and others).
            ETSPlan(classes: ets.classes, weights: zip(ets.algorithms, ets.bandwidths).map { $0 == .ets ? $1 : nil })
        } ?? .plain
        pcps = Dictionary(protocols.map { ($0.name, applications.priority(of: $0.matches) ?? UInt8($0.pcp)) }) { first, _ in first }
        standard = applications.standardPriority ?? 0
    }

    /// Gives a class the place that it has in a tree with traffic classes. What floors leave belongs to traffic classes, so `rest`, whose floor is just that,
    /// has none.
    func place(_ item: ClassDescription, _ parameters: inout Scheduler.ClassParameters) {
        if item.isRest, item.settings.floorIsRemainder, plan != .plain { parameters.floor = 0 }
        guard item.isLeaf else { return }
        let pcp = item.protocolName.flatMap { pcps[$0] } ?? standard
        parameters.priority = plan.priority(of: parameters.priority, pcp: pcp)
        parameters.output = shares.output(parameters.output, part: pcp)
    }

    var shares: LinkShares {
        var shares = LinkShares(
            classes: SIMD8(plan.classOfPriority), percents: SIMD8(plan.weights.map { $0 ?? 0 }), strict: 0, outputBits: UInt8(maxPorts.trailingZeroBitCount))
        for (index, weight) in plan.weights.enumerated() where weight == nil { shares.strict |= 1 << UInt8(index) }
        return shares
    }
}
