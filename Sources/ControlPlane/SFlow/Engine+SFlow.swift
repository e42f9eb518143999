import Configuration
import ControlAPI
import DataPlane

/// What is told to a collector of sFlow follows the configuration.
struct SFlowService {
    fileprivate var settings: SFlowSettings?
    fileprivate var sampler: Sampler?
    fileprivate var exporter: SFlowExporter?
    /// Samples that found no room in the samplers before.
    fileprivate var noRoomBefore: UInt64 = 0
    fileprivate var seconds = 0

    func stop() { exporter?.stop() }
}

extension Engine {
    /// Samples and sends as the configuration that runs says.
    func followSFlow() {
        let wanted = dataPlane.model.daemon.sflow
        if wanted == sflow.settings { return }
        let before = sflow.sampler
        sflow.settings = wanted
        if let wanted {
            if before?.rate != wanted.sampling || before?.longest != wanted.header {
                sflow.sampler = dataPlane.beginSampling(rate: wanted.sampling, longest: wanted.header)
            }
        } else {
            dataPlane.endSampling()
            sflow.sampler = nil
        }
        if let before, before !== sflow.sampler { sflow.noRoomBefore += before.counts.lost }
        if sflow.exporter == nil { sflow.exporter = SFlowExporter(began: startInstant, desk: desk) }
        sflow.exporter?.adopt(wanted, sflow.sampler)
    }

    /// Sends the counters of those ports whose turn it is. It is called every second: the ports take their turns at different seconds, so that there is no
    /// burst of datagrams.
    func sendCounters() {
        guard let polling = sflow.settings?.polling, let exporter = sflow.exporter else { return }
        sflow.seconds = (sflow.seconds + 1) % polling
        let reports = dataPlane.interfaceIndices.filter { Int($0.index) % polling == sflow.seconds }.compactMap { dataPlane.interfaceReport($0.name) }
        if !reports.isEmpty { exporter.send(reports) }
    }

    /// What is sampled and sent.
    func sflowStatus() -> SFlowStatus {
        var status = SFlowStatus()
        let totals = sflow.exporter?.totals
        if let totals {
            (status.samples, status.counterSamples, status.datagrams) = (totals.samples, totals.counterSamples, totals.datagrams)
            (status.agent, status.problem) = (totals.agent, totals.problem)
            let noRoom = sflow.noRoomBefore + (sflow.sampler?.counts.lost ?? 0)
            status.lost = ["no_room": noRoom, "not_sent": totals.notSent, "refused": totals.refused].filter { $0.value != 0 }
        }
        guard let settings = sflow.settings, let sampler = sflow.sampler else { return status }
        status.collector = settings.collector.description
        (status.sampling, status.polling, status.header) = (settings.sampling, settings.polling, settings.header)
        for (name, index) in dataPlane.interfaceIndices {
            let counts = sampler.counts(of: index)
            var port = SFlowStatus.Port(port: name, ifIndex: Int(index))
            (port.frames, port.samples, port.noRoom) = (counts.pool, counts.taken, counts.lost)
            status.ports.append(port)
        }
        return status
    }
}
