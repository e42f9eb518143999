import ControlAPI
import DataPlane
import Metrics

/// All that is told as metrics: for every method that shows objects, what is counted of them. The numbers are those of the methods' replies.
package enum Subjects {
    package static let daemon = Subject<StatusReply>("status", [
        .counter("uptimeSeconds", "Seconds since the daemon started.") { $0.uptimeSeconds },
        .gauge("ports", "Ports that are configured.") { MetricValue($0.ports) },
        .gauge("portsUp", "Ports that carry frames.") { MetricValue($0.portsUp) },
        .gauge("guests", "Guests that are configured.") { MetricValue($0.guests) },
        .gauge("classes", "Traffic classes of all trees.") { MetricValue($0.classes) },
        .gauge("buffers", "Frame buffers that there are.") { MetricValue($0.buffers) },
        .gauge("buffersInUse", "Frame buffers that hold a frame, or that a port has for frames to come.") { MetricValue($0.buffersInUse) },
        .counter("changes", "Changes of the configuration since the daemon started.") { $0.changes },
        .counter("queueMoves", "Queues that balancing has moved from one core to another.") { $0.queueMoves },
    ]) { _ in [] }

    package static let stats = Subject<StatsReply>("stats", [
        .counter("received.frames", "Frames read from all ports.") { $0.received.frames },
        .counter("received.bytes", "Bytes of frames read from all ports, without FCS.") { $0.received.bytes },
        .counter("copied.frames", "Copies that flooding and mirrors made, beyond the first of each frame.") { $0.copied.frames },
        .counter("injected.frames", "Frames that the switch itself made.") { $0.injected.frames },
        .counter("delivered.frames", "Frames written to ports.") { $0.delivered.frames },
        .counter("delivered.bytes", "Bytes of frames written to ports, without FCS.") { $0.delivered.bytes },
        .gauge("queued.frames", "Frames that wait in classes or are on their way.") { .whole($0.queued.frames) },
        .gauge("queued.bytes", "Bytes of these frames.") { .whole($0.queued.bytes) },
        .counters("dropped", by: "reason", always: Set(DropReason.allCases.map(\.name)).sorted(), "Frames dropped at all ports, by reason.") { $0.dropped },
    ]) { _ in [] }

    package static let ports = Subject<PortStatus>("port", [
        .state("state", PortState.allCases.map(\.rawValue), "Whether the port carries frames.") { $0.state.rawValue },
        .gauge("queues", "Queue pairs in use.") { MetricValue($0.queues) },
        .gauge("learnedAddresses", "Addresses that are learned behind the port.") { MetricValue($0.learnedAddresses) },
        .counter("rx.frames", "Frames read from the port, including those that its link could not receive.") { $0.rx.frames },
        .counter("rx.bytes", "Bytes of frames read from the port, without FCS.") { $0.rx.bytes },
        .counter("tx.frames", "Frames written to the port.") { $0.tx.frames },
        .counter("tx.bytes", "Bytes of frames written to the port, without FCS.") { $0.tx.bytes },
        .gauge("rxRate.bits", "What was read from the port over the last second, in bit/s.") { $0.rxRate.map { .whole($0.bits) } },
        .gauge("rxRate.packets", "What was read from the port over the last second, in packets per second.") { $0.rxRate.map { .whole($0.packets) } },
        .gauge("txRate.bits", "What was written to the port over the last second, in bit/s.") { $0.txRate.map { .whole($0.bits) } },
        .gauge("txRate.packets", "What was written to the port over the last second, in packets per second.") { $0.txRate.map { .whole($0.packets) } },
        .counters("drops", by: "reason", "Frames dropped at the port, by reason.") { $0.drops },
    ], DataPlane.portCounters.map { row in .counter(row.name, row.help) { $0.count(row.name) } }) { [("port", $0.name), ("bridge", $0.bridge), ("type", $0.kind)] }

    package static let bridges = Subject<BridgeStatus>("bridge", [
        .gauge("fdbEntries", "Addresses in the forwarding database.") { MetricValue($0.fdbEntries) },
        .gauge("fdbSize", "The most addresses that it may have.") { MetricValue($0.fdbSize) },
        .counter("forwarded", "Frames forwarded to one port.") { $0.forwarded },
        .counters("drops", by: "reason", "Frames that the bridge received and gave to no port, by reason.") { $0.drops },
    ], DataPlane.bridgeCounters.map { row in .counter(row.name, row.help) { $0.count(row.name) } }) { [("bridge", $0.name)] }

    package static let groups = Subject<GroupStatus>("group", [
        .counter("inbound.frames", "Frames sent towards the group's guests.") { $0.inbound.frames },
        .counter("inbound.bytes", "Bytes sent towards the group's guests.") { $0.inbound.bytes },
        .counter("outbound.frames", "Frames sent from the group's guests.") { $0.outbound.frames },
        .counter("outbound.bytes", "Bytes sent from the group's guests.") { $0.outbound.bytes },
    ]) { [("group", $0.name), ("bridge", $0.bridge)] }

    package static let guests = Subject<GuestStatus>("guest", [
        .counter("inbound.frames", "Frames sent towards the guest, over all its classes.") { $0.inbound.frames },
        .counter("inbound.bytes", "Bytes sent towards the guest, over all its classes.") { $0.inbound.bytes },
        .counter("outbound.frames", "Frames sent from the guest, over all its classes.") { $0.outbound.frames },
        .counter("outbound.bytes", "Bytes sent from the guest, over all its classes.") { $0.outbound.bytes },
        .gauge("inboundRate.bits", "What was sent towards the guest over the last second, in bit/s.") { $0.inboundRate.map { .whole($0.bits) } },
        .gauge("inboundRate.packets", "What was sent towards the guest over the last second, in packets per second.") { $0.inboundRate.map { .whole($0.packets) } },
        .gauge("outboundRate.bits", "What was sent from the guest over the last second, in bit/s.") { $0.outboundRate.map { .whole($0.bits) } },
        .gauge("outboundRate.packets", "What was sent from the guest over the last second, in packets per second.") { $0.outboundRate.map { .whole($0.packets) } },
        .counter("inboundCycles", "Cycles that the poll loops spent on receiving frames towards the guest, over all its classes.") { $0.inboundCycles },
        .counter("outboundCycles", "Cycles that the poll loops spent on receiving frames from the guest, over all its classes.") { $0.outboundCycles },
        .delays("inboundDelay.nanoseconds", "How long frames towards the guest waited, over all its classes; only if that is counted and any has.") { $0.inboundDelay },
        .delays("outboundDelay.nanoseconds", "How long frames from the guest waited, over all its classes; only if that is counted and any has.") { $0.outboundDelay },
    ]) { [("guest", $0.name), ("port", $0.port), ("bridge", $0.bridge)] }

    package static let classes = Subject<ClassStatus>("class", [
        .gauge("floor", "The rate that the class has in any case, in bit/s.") { $0.floor.map { .whole($0) } },
        .gauge("ceiling", "The rate that the class never exceeds, in bit/s.") { $0.ceiling.map { .whole($0) } },
        .gauge("floorPackets", "The packets per second that the class has in any case.") { $0.floorPackets.map { .whole($0) } },
        .gauge("ceilingPackets", "The packets per second that the class never exceeds.") { $0.ceilingPackets.map { .whole($0) } },
        .counter("sent.frames", "Frames sent by the class and those below it.") { $0.sent.frames },
        .counter("sent.bytes", "Bytes sent by the class and those below it.") { $0.sent.bytes },
        .gauge("rate", "The class's rate over the last second, in bit/s.") { .whole($0.rate) },
        .gauge("packetRate", "The class's rate over the last second, in packets per second.") { .whole($0.packetRate) },
        .counter("dropped.frames", "Frames dropped from the queues of the class and those below it.") { $0.dropped.frames },
        .counters("drops", by: "reason", "The same frames by reason.") { $0.drops },
        .counter("marked", "Frames that left with a mark of congestion (ECN) because of the class's queue.") { $0.marked },
        .counter("cycles", "Cycles that the poll loops spent on receiving the class's frames.") { $0.cycles },
        .counter("overlimits", "How often the class had frames and had to wait.") { $0.overlimits },
        .counters("holds", by: "reason", "How often the class waited, by reason.") { $0.holds },
        .counter("lends", "Frames sent on the class's own tokens.") { $0.lends },
        .counter("borrows", "Frames sent on the tokens of classes above.") { $0.borrows },
        .counter("borrowedBytes", "Bytes sent on the tokens of classes above.") { $0.borrowedBytes },
        .gauge("backlog.frames", "Frames that wait.") { .whole($0.backlog.frames) },
        .gauge("backlog.bytes", "Bytes of these frames.") { .whole($0.backlog.bytes) },
        .delays("delay.nanoseconds", "How long frames of the class and those below it waited; only if that is counted and any has.") { $0.delay },
    ]) { item in
        // The root has no path, and nobody can name a class like this.
        var labels = [(name: "tree", value: item.tree), (name: "direction", value: item.direction), (name: "class", value: item.path.isEmpty ? "/" : item.path)]
        if let guest = item.guest { labels.append((name: "guest", value: guest)) }
        if let name = item.protocol { labels.append((name: "protocol", value: name)) }
        return labels
    }

    package static let protocols = Subject<ProtocolStatus>("protocol", [
        .counter("seen.frames", "Frames identified as the protocol's.") { $0.seen.frames },
        .counter("seen.bytes", "Bytes of these frames.") { $0.seen.bytes },
    ]) { [("protocol", $0.name)] }

    package static let filters = Subject<FilterStatus>("filter", [
        .counters("rules.hits", by: "rule", "Frames that a rule decided about; rules are numbered from 0 in the order in which they are tried.") { filter in
            Dictionary(uniqueKeysWithValues: filter.rules.enumerated().map { (String($0), $1.hits) })
        },
        .counter("defaultHits", "Frames that no rule matched.") { $0.defaultHits },
    ]) { [("filter", $0.name)] }

    package static let mirrors = Subject<MirrorStatus>("mirror", [
        .counter("copied.frames", "Copies that were queued for their port.") { $0.copied.frames },
        .counter("copied.bytes", "Bytes of these copies, with the headers of tunnels.") { $0.copied.bytes },
        .counters("drops", by: "reason", "Frames that should have been copied and were not, by reason.") { $0.drops },
    ]) { [("mirror", $0.name)] }

    package static let sflow = Subject<SFlowStatus>("sflow", [
        .counter("samples", "Samples of frames in datagrams that were sent.") { $0.samples },
        .counter("counterSamples", "Samples of counters in datagrams that were sent.") { $0.counterSamples },
        .counter("datagrams", "Datagrams that were sent.") { $0.datagrams },
        .counters("lost", by: "reason", "Samples that were lost, by reason.") { $0.lost },
    ]) { _ in [] }

    package static let discovery = Subject<LLDPStatus>("lldp", [
        .counter("counters.framesOut", "LLDP frames sent.") { $0.counters.framesOut },
        .counter("counters.framesIn", "LLDP frames received.") { $0.counters.framesIn },
        .counter("counters.framesDiscarded", "LLDP frames that were thrown away.") { $0.counters.framesDiscarded },
        .counter("counters.framesInErrors", "LLDP frames with errors.") { $0.counters.framesInErrors },
        .counter("counters.tlvsDiscarded", "TLVs that were thrown away.") { $0.counters.tlvsDiscarded },
        .counter("counters.tlvsUnrecognized", "TLVs that are not known.") { $0.counters.tlvsUnrecognized },
        .counter("counters.ageouts", "Neighbours that were forgotten as they were not heard again.") { $0.counters.ageouts },
        .counter("counters.lengthErrors", "Frames out of which TLVs were left because they were too long together.") { $0.counters.lengthErrors },
        .counter("counters.neighborsInserted", "Neighbours that came.") { $0.counters.neighborsInserted },
        .counter("counters.neighborsDeleted", "Neighbours that went.") { $0.counters.neighborsDeleted },
    ]) { [("port", $0.port)] }

    package static let dcb = Subject<DCBStatus>("dcb", [
        .total("pfc.received.frames", "Pause frames of the switch at the other end that were followed.") { $0.pfc.received.map { .whole($0.frames) } },
        .counters("pfc.received.pauses", by: "priority", "How often a priority was asked to pause.") { byPriority($0.pfc.received?.pauses) },
        .counters("pfc.received.pausedNanoseconds", by: "priority", "Nanoseconds for which a priority was paused.") { byPriority($0.pfc.received?.pausedNanoseconds) },
        .counters("pfc.received.storms", by: "priority", "How often a pause lasted too long and was ended.") { byPriority($0.pfc.received?.storms) },
        .total("pfc.sent.frames", "Pause frames that were sent.") { $0.pfc.sent.map { .whole($0.frames) } },
        .counters("pfc.sent.pauses", by: "priority", "How often the switch at the other end was asked to pause a priority.") { byPriority($0.pfc.sent?.pauses) },
        .counters("pfc.sent.pausedNanoseconds", by: "priority", "Nanoseconds for which it was asked to pause a priority.") { byPriority($0.pfc.sent?.pausedNanoseconds) },
        .total("pfc.sent.givenUp", "How often it was not asked to pause any longer for a queue that stood still.") { $0.pfc.sent.map { .whole($0.givenUp) } },
    ]) { [("port", $0.port)] }

    private static func byPriority(_ list: [UInt64]?) -> [String: UInt64] {
        Dictionary(uniqueKeysWithValues: (list ?? []).enumerated().map { (String($0), $1) })
    }

    package static let cores = Subject<CoreStatus>("core", [
        .gauge("busyPercent", "Share of the last second that the poll loop spent in turns with frames.") { .real($0.busyPercent) },
        .gauge("asleepPercent", "Share of the last second that the poll loop slept.") { .real($0.asleepPercent) },
        .gauge("framesPerSecond", "Frames per second, over the last second.") { .whole($0.framesPerSecond) },
        .gauge("cyclesPerFrame", "CPU cycles of a frame in turns with frames, over the last second.") { .real($0.cyclesPerFrame) },
        .counter("frames", "Frames that the poll loop has handled.") { $0.frames },
        .counter("turns", "Turns of the poll loop.") { $0.turns },
        .counter("idleTurns", "Turns that found nothing.") { $0.idleTurns },
        .counter("sleeps", "How often the poll loop slept.") { $0.sleeps },
        .counters("wakeups", by: "reason", "What ended its sleeps.") { $0.wakeups },
        .counter("stalls.count", "How often the poll loop lost its CPU.") { $0.stalls.count },
        .total("stalls.totalMicroseconds", "Microseconds for which it had lost its CPU.") { .real($0.stalls.totalMicroseconds) },
        .gauge("stalls.longestMicroseconds", "The longest of these times, in microseconds.") { .real($0.stalls.longestMicroseconds) },
        .total("stalls.waitedMicroseconds", "Microseconds for which, by the kernel's count, others ran while the loop was ready.") { $0.stalls.waitedMicroseconds.map { .real($0) } },
        .total("stalls.stolenMicroseconds", "Microseconds for which the hypervisor withheld the CPU.") { $0.stalls.stolenMicroseconds.map { .real($0) } },
    ]) { [("cpu", String($0.cpu))] }
}

extension Family {
    /// A histogram of delays with a bucket for every second power of two from 16 us to 4.3 s. They are ends of buckets in which the delays were counted.
    fileprivate static func delays(_ field: String, _ help: String, _ delay: @escaping @Sendable (Object) -> DelayStatus?) -> Family {
        let values = stride(from: UInt64(14), through: 32, by: 2).map { 1 << $0 - 1 as UInt64 }
        return .histogram(field, upTo: values, help) { object in
            guard let delay = delay(object), delay.waited > 0 else { return nil }
            return (delay.frames, values.map(delay.frames(upTo:)))
        }
    }
}
