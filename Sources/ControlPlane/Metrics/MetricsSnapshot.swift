import ControlAPI
import Metrics

/// All that metrics tell, at one moment. It is put into text on another thread than the control thread.
package struct MetricsSnapshot: Sendable {
    package var daemon = StatusReply()
    package var stats = StatsReply()
    package var ports: [PortStatus] = []
    package var bridges: [BridgeStatus] = []
    package var groups: [GroupStatus] = []
    package var guests: [GuestStatus] = []
    /// Called on the other thread, as there may be many classes.
    package var classes: @Sendable () -> [ClassStatus] = { [] }
    package var protocols: [ProtocolStatus] = []
    package var filters: [FilterStatus] = []
    package var mirrors: [MirrorStatus] = []
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
        text.add(Subjects.guests, guests)
        text.add(Subjects.classes, classes())
        text.add(Subjects.protocols, protocols)
        text.add(Subjects.filters, filters)
        text.add(Subjects.mirrors, mirrors)
        text.add(Subjects.discovery, discovery)
        text.add(Subjects.dcb, dcb)
        text.add(Subjects.cores, cores)
        return text.finished()
    }
}

extension Engine {
    /// Reads the counters of everything, and nothing more, as clients of the control socket have to wait while this is done.
    func metrics() throws -> MetricsSnapshot {
        var snapshot = MetricsSnapshot()
        (snapshot.daemon, snapshot.stats) = (status(), stats())
        (snapshot.ports, snapshot.bridges) = (try ports(nil), try bridges(nil))
        (snapshot.groups, snapshot.guests) = (try groups(nil), try guests(nil))
        let classes = try classes(ClassParams())
        snapshot.classes = { classes.statuses() }
        (snapshot.protocols, snapshot.filters, snapshot.mirrors) = (try protocols(nil), try filters(nil), try mirrors(nil))
        (snapshot.discovery, snapshot.dcb, snapshot.cores) = (try lldp(nil), try dcb(nil), cores(listsStalls: false))
        return snapshot
    }
}
