import ControlAPI
import Metrics

/// All that metrics tell, at one moment. It is put into text on another thread than the control thread.
package struct MetricsSnapshot: Sendable {
    package var daemon = StatusReply()
    package var stats = StatsReply()
    /// But for their guests.
    package var ports: [PortStatus] = []
    package var bridges: [BridgeStatus] = []
    package var groups: [GroupStatus] = []
    /// This and `classes` are called on the other thread, as there may be many.
    package var guests: @Sendable () -> [GuestStatus] = { [] }
    package var classes: @Sendable () -> [ClassStatus] = { [] }
    package var protocols: [ProtocolStatus] = []
    package var filters: [FilterStatus] = []
    package var mirrors: [MirrorStatus] = []
    /// One, or none if nothing has ever been sampled.
    package var sflow: [SFlowStatus] = []
    package var discovery: [LLDPStatus] = []
    package var dcb: [DCBStatus] = []
    package var cores: [CoreStatus] = []

    package init() {}

    /// The metrics in OpenMetrics' text format.
    /// - Parameter capacity: how many bytes to make room for.
    package func text(capacity: Int = 0) -> [UInt8] {
        var text = OpenMetricsText(capacity: capacity)
        text.add(Subjects.daemon, [daemon])
        text.add(Subjects.stats, [stats])
        text.add(Subjects.ports, ports)
        text.add(Subjects.bridges, bridges)
        text.add(Subjects.groups, groups)
        text.add(Subjects.guests, guests())
        text.add(Subjects.classes, classes())
        text.add(Subjects.protocols, protocols)
        text.add(Subjects.filters, filters)
        text.add(Subjects.mirrors, mirrors)
        text.add(Subjects.sflow, sflow)
        text.add(Subjects.discovery, discovery)
        text.add(Subjects.dcb, dcb)
        text.add(Subjects.cores, cores)
        return text.finished()
    }
}

extension Engine {
    /// Reads the counters of everything, and nothing more, as clients of the control socket have to wait while this is done. Between two of these steps they
    /// have their turn, so the numbers of different objects may be some milliseconds apart.
    var metrics: [MetricsReading.Step] {
        [
            .init { [self] in $0.daemon = status() },
            .init { [self] in ($0.stats, $0.cores) = (stats(), cores(listsStalls: false)) },
            .init(others: { [self] in portMetrics }),
            .init { [self] in ($0.bridges, $0.groups) = (try bridges(nil), try groups(nil)) },
            .init { [self] snapshot in
                let guests = guests()
                snapshot.guests = { guests.statuses() }
            },
            .init { [self] snapshot in
                let classes = try classes(ClassParams())
                snapshot.classes = { classes.statuses() }
            },
            .init { [self] in ($0.protocols, $0.filters, $0.mirrors) = (try protocols(nil), try filters(nil), try mirrors(nil)) },
            .init { [self] in $0.sflow = [sflowStatus()].filter { $0.collector != nil || $0.datagrams != 0 } },
            .init { [self] in ($0.discovery, $0.dcb) = (try lldp(nil), try dcb(nil)) },
        ]
    }

    /// Reads some dozens of ports at a time. Those that have been removed by then are left out.
    private var portMetrics: [MetricsReading.Step] {
        let names = dataPlane.model.ports.map(\.name), atOnce = 64
        return stride(from: 0, to: names.count, by: atOnce).map { first in
            let some = Set(names[first..<min(first + atOnce, names.count)])
            return .init { [self] in $0.ports += statuses(of: dataPlane.model.ports.filter { some.contains($0.name) }) }
        }
    }
}
