import DPDKShim
import Foundation

/// A run: open ports, a worker that sends and judges frames, and counters that can be read meanwhile. There can be one in a process, as DPDK starts only once.
///
/// All methods belong to the thread that made it, which is DPDK's main lcore.
public final class Generator {
    public let scenario: Scenario
    private let environment: Environment
    private let ports: [OpenPort]
    private let store: TemplateStore
    private let pool: OpaquePointer
    private let switchSocket: String?
    private var running = false
    private var previous: Snapshot

    /// Starts DPDK, opens the ports, and waits until all are connected.
    /// - Parameter interrupted: asked while waiting, whether to give up.
    /// - Throws: `ScenarioError` or `RunError`.
    public init(_ scenario: Scenario, _ options: RunOptions, interrupted: @escaping () -> Bool) throws {
        try scenario.check()
        if let flow = scenario.flows.first(where: { $0.segment != nil }) {
            throw ScenarioError("flow \(flow.name) has `segment`, which goes with `sluice-gen circulate` and its own rings only")
        }
        self.scenario = scenario
        switchSocket = options.switchSocket
        let longest = scenario.flows.flatMap(\.sizes).max() ?? 1_514
        // A buffer must also hold a tag, DPDK's headroom, and the copy of a template's beginning, which has a fixed length.
        let bufferSize = max(2_048, longest + 4) + Int(RTE_PKTMBUF_HEADROOM)
        let descriptors = scenario.ports.reduce(0) { $0 + 2 * $1.queues * $1.ring }
        let buffers = descriptors + 4_096
        let memory = buffers * (bufferSize + 512)
        environment = try Environment(options, memory: memory, pci: scenario.ports.compactMap(\.pciAddress))
        guard let pool = rte_pktmbuf_pool_create("sluice-gen", UInt32(buffers), 512, 0, UInt16(bufferSize), CInt(SOCKET_ID_ANY)) else {
            environment.close()
            throw RunError("no memory for \(buffers) frame buffers: \(reason(sluice_rte_errno()))")
        }
        self.pool = pool
        let deadline = ContinuousClock.now + .nanoseconds(Int64(scenario.connect))
        var open: [OpenPort] = []
        do {
            for (index, plan) in scenario.ports.enumerated() {
                open.append(
                    try OpenPort(plan, index: index, pool: pool, mtu: max(1_500, longest - 14), deadline: deadline, interrupted: interrupted))
            }
            try OpenPort.awaitLinks(open, deadline, interrupted)
            store = try TemplateStore(
                scenario, ports: open.map { ($0.device, $0.queues) }, pool: pool, hertz: environment.hertz, keepsSlowFrames: options.switchSocket != nil)
        } catch {
            for port in open { port.close() }
            environment.close()
            throw error
        }
        ports = open
        previous = Snapshot(time: 0, flows: [], ports: [])
    }

    /// How stalls affected the latencies that are counted in `counts`.
    private func stalls(_ counts: [UInt64]) -> StallReport {
        let loop = store.loop.pointee
        let disturbed = Array(UnsafeBufferPointer(start: loop.disturbedLatency, count: LatencyBuckets.count))
        var report = StallReport(loop.disturbance, elapsed: loop.now, counts: counts, disturbed: disturbed)
        guard let switchSocket else { return report }
        do {
            guard loop.slowCount <= loop.slowCapacity else { throw RunError("more than \(loop.slowCapacity) frames took over 20 us: let the run be shorter") }
            let known = try SwitchStalls(socket: switchSocket, clock: loop.clock, end: loop.now)
            let slow = UnsafeBufferPointer(start: loop.slow, count: loop.slowCount)
            report.add(known, slow, counts: counts, disturbed: disturbed)
        } catch { report.switchUnknown = "\(error)" }
        return report
    }

    /// Announces every source address from its port, three times, and discards the frames that arrive meanwhile.
    public func announce() { Announcer(scenario, ports).announce() }

    /// Starts the worker; the time of the run begins.
    public func start() throws {
        store.loop.pointee.clock.origin = sluice_cycles()
        let result = rte_eal_remote_launch(generatorWorker, store.loop, Environment.workerLcore)
        guard result == 0 else { throw RunError("the worker did not start: \(reason(result))") }
        running = true
    }

    /// Nanoseconds since the run started.
    public var elapsed: UInt64 { store.loop.pointee.clock.nanoseconds(sluice_cycles()) }

    /// Changes the rate of flows by their names; a name may end in `*`.
    public func setRate(_ names: [String], _ rate: Rate) throws(ScenarioError) {
        let chosen = Set(try scenario.select(names, of: "the command"))
        for (index, place) in store.order.enumerated() where chosen.contains(place) {
            let flow = store.loop.pointee.flows + index
            let pace = Pace(rate)
            flow.pointee.pace.perByte = pace.perByte
            flow.pointee.pace.perFrame = pace.perFrame
            flow.pointee.pace.mode = pace.mode
            flow.pointee.pace.generation &+= 1
        }
    }

    /// Ends sending now. Frames that are still on their way are counted.
    public func stopSending() {
        let now = elapsed
        if store.loop.pointee.sendUntil > now { store.loop.pointee.sendUntil = now }
    }

    /// When sending ends, or has ended, in nanoseconds since the start of the run.
    public var sendUntil: UInt64 { store.loop.pointee.sendUntil }

    /// Whether no frame can be on its way any more: all have arrived, none has come for 200 ms, or the drain time is over.
    public var isDrained: Bool {
        let loop = store.loop.pointee
        let now = elapsed
        guard now >= loop.sendUntil &+ 1_000_000 else { return false }
        if now >= loop.sendUntil &+ scenario.drain { return true }
        if now &- max(loop.lastArrival, loop.sendUntil) > 200_000_000 { return true }
        return (0..<loop.flowCount).allSatisfy {
            let flow = loop.flows[$0]
            return flow.destination >= 0 && flow.counters.receivedFrames &- flow.counters.duplicated == flow.counters.sentFrames
        }
    }

    /// The present counters, in the scenario's order.
    public func snapshot() -> Snapshot {
        let loop = store.loop.pointee
        var flows = [FlowCounters](repeating: FlowCounters(), count: loop.flowCount)
        for (index, place) in store.order.enumerated() { flows[place] = loop.flows[index].counters }
        let ports = (0..<loop.portCount).map { index in
            let port = loop.ports[index]
            return PortCounters(
                sentFrames: port.sentFrames, sentBytes: port.sentBytes, receivedFrames: port.receivedFrames,
                receivedBytes: port.receivedBytes, refusals: port.refusals, foreign: port.foreign, damaged: port.damaged)
        }
        return Snapshot(time: elapsed, flows: flows, ports: ports)
    }

    /// Stops the worker, and returns the report.
    public func finish() -> Report {
        stopSending()
        let sendingEnd = store.loop.pointee.sendUntil
        store.loop.pointee.stop = 1
        if running { _ = rte_eal_wait_lcore(Environment.workerLcore) }
        running = false
        let snapshot = snapshot()
        let loop = store.loop.pointee
        var records = [FlowRecord?](repeating: nil, count: loop.flowCount)
        var latencyCounts = [UInt64](repeating: 0, count: LatencyBuckets.count)
        for (index, place) in store.order.enumerated() {
            let flow = loop.flows[index]
            for bucket in 0..<LatencyBuckets.count { latencyCounts[bucket] += flow.latency[bucket] }
            let bins = Array(UnsafeBufferPointer(start: flow.bins, count: min(loop.bin + 1, loop.binCount)))
            records[place] = FlowRecord(
                plan: scenario.flows[place], tracked: flow.destination >= 0, counters: flow.counters, bins: bins,
                latency: LatencySummary(flow.counters, flow.latency))
        }
        return Report(
            scenario: scenario, sendingEnd: sendingEnd, snapshot: snapshot, records: records.compactMap { $0 }, latencyCounts: latencyCounts,
            starved: loop.starved, stalls: stalls(latencyCounts))
    }

    /// Closes the ports and removes all files. It must be the last call.
    public func close() {
        if running { _ = finish() }
        for port in ports { port.close() }
        rte_mempool_free(pool)
        environment.close()
    }
}
