import ArgumentParser
import ControlAPI

/// How rates are shown, and in which order the objects that have them.
struct ShowingRates: ParsableArguments {
    enum Order: String, CaseIterable, ExpressibleByArgument { case name, rate, drops }

    @Option(help: "What rates count: payload (of TCP over IPv4), l2 (frames without FCS) or wire (with preamble, FCS and gap).")
    var layer = Layer.l2

    @Option(help: "Order: name, rate (both directions together) or drops; by default as configured.")
    var sort: Order?

    func sorted(_ ports: [PortStatus]) throws -> [PortStatus] {
        sorted(ports, name: \.name, rates: { [$0.rxRate, $0.txRate] }, drops: { $0.drops.values.reduce(0, &+) })
    }

    func sorted(_ guests: [GuestStatus]) throws -> [GuestStatus] {
        if sort == .drops { throw Failure("guests have no drops of their own: sluice class show and sluice port show count them") }
        return sorted(guests, name: \.name, rates: { [$0.inboundRate, $0.outboundRate] }, drops: { _ in 0 })
    }

    private func sorted<Object>(_ objects: [Object], name: (Object) -> String, rates: (Object) -> [Rate?], drops: (Object) -> UInt64) -> [Object] {
        func key(_ object: Object) -> UInt64 {
            switch sort {
            case .rate: rates(object).reduce(0) { $0 &+ ($1.map(layer.bits) ?? 0) }
            case .drops: drops(object)
            case .name, nil: 0
            }
        }
        return sort == nil ? objects : objects.sorted { (key($1), name($0)) < (key($0), name($1)) }
    }
}
