import ArgumentParser
import ControlAPI

/// How rates are shown.
struct ShowingRates: ParsableArguments {
    @Option(help: "What rates count: payload (of TCP over IPv4), l2 (frames without FCS) or wire (with preamble, FCS and gap).")
    var layer = Layer.l2

    /// All of these together.
    func sum(_ rates: Rate?...) -> UInt64 { rates.reduce(0) { $0 &+ ($1.map(layer.bits) ?? 0) } }
}

/// In which order ports are shown.
struct SortingPorts: ParsableArguments {
    enum Order: String, CaseIterable, ExpressibleByArgument { case name, rate, drops }

    @Option(help: "Order: name, rate (both directions together) or drops; by default as configured.")
    var sort: Order?

    func sorted(_ ports: [PortStatus], _ showing: ShowingRates) -> [PortStatus] {
        func key(_ port: PortStatus) -> UInt64 {
            switch sort {
            case .rate: showing.sum(port.rxRate, port.txRate)
            case .drops: port.drops.values.reduce(0, &+)
            case .name, nil: 0
            }
        }
        return sort == nil ? ports : ports.sorted { (key($1), $0.name) < (key($0), $1.name) }
    }
}

/// In which order guests are shown. They have no drops of their own, which are counted by classes and ports.
struct SortingGuests: ParsableArguments {
    enum Order: String, CaseIterable, ExpressibleByArgument { case name, rate }

    @Option(help: "Order: name or rate (both directions together); by default as configured. Drops are the classes': sluice top --sort drops.")
    var sort: Order?

    func sorted(_ guests: [GuestStatus], _ showing: ShowingRates) -> [GuestStatus] {
        func key(_ guest: GuestStatus) -> UInt64 { sort == .rate ? showing.sum(guest.inboundRate, guest.outboundRate) : 0 }
        return sort == nil ? guests : guests.sorted { (key($1), $0.name) < (key($0), $1.name) }
    }
}
