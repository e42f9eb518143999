import DPDKShim
import Foundation

/// Measures switches by frames that circulate through them: every frame that comes out of one port is sent again by the other. No frame is built or checked on
/// the way, so that the switch is the slower side. Several switches on the same CPUs take turns in slices of time, and the others are stopped meanwhile. If the
/// machine is faster at some times than at others, that affects all slices of a set alike.
///
/// There can be one in a process. It belongs to the thread that made it, which is DPDK's main lcore.
public final class Circulator {
    private let scenario: Scenario
    private let plan: CirculationPlan
    private let names: [String]
    private let held: HeldProcesses
    private let environment: Environment
    private let pool: OpaquePointer
    private var ports: [[CirculationPort]] = []
    private let lanes: LaneStore
    private var repeated = 0
    /// The switches through which any frame has come back.
    private var hasPassed: Set<Int> = []
    /// Frames per second of the latest slice that was kept.
    private var latestRate: Double?

    /// Opens the ports of all switches, makes the switches learn all addresses, and stops them. Without switches, the scenario's own ports are taken to belong
    /// to one switch, which is never stopped.
    /// - Parameter interrupted: asked while waiting, whether to give up.
    /// - Throws: `ScenarioError` or `RunError`.
    public init(
        _ scenario: Scenario, _ plan: CirculationPlan, _ switches: [CirculatedSwitch], _ options: RunOptions, interrupted: @escaping () -> Bool
    ) throws {
        try plan.check()
        try scenario.checkCirculation(switches)
        self.scenario = scenario
        self.plan = plan
        let names = switches.isEmpty ? ["the switch"] : switches.map(\.name)
        self.names = names
        held = try HeldProcesses(switches)
        let plans = switches.isEmpty ? [scenario.ports] : switches.map { one in
            zip(scenario.ports, one.sockets).map { port, socket in
                var port = port
                port.device = PortPlan.virtioUser + socket
                return port
            }
        }
        let longest = scenario.flows.flatMap(\.sizes).max() ?? 1_514
        // A buffer must also hold a tag and DPDK's headroom.
        let bufferSize = max(2_048, longest + 4) + Int(RTE_PKTMBUF_HEADROOM)
        let segment = scenario.flows.first?.segment
        // Frames that are left to be segmented are never in buffers of DPDK's.
        if segment != nil, plan.rings != .own || plans.joined().contains(where: { !$0.isVirtioUser }) {
            throw ScenarioError("flows with `segment` need vhost-user ports with rings of the generator's own (--rings own)")
        }
        let poolSize = segment == nil ? bufferSize : 2_048 + Int(RTE_PKTMBUF_HEADROOM)
        let windows = names.map(plan.window(of:))
        for (what, named) in [("window", Array(plan.windows.keys)), ("command", Array(plan.commands.keys))] {
            if let wrong = named.first(where: { !names.contains($0) }) { throw ScenarioError("there is a \(what) of \(wrong), which is no switch") }
        }
        func hasOwnRings(_ port: PortPlan) -> Bool { plan.rings == .own && port.isVirtioUser }
        let buffers = zip(plans, windows).reduce(4_096) { sum, own in own.0.reduce(sum) { $0 + (hasOwnRings($1) ? 0 : 2 * $1.ring + 2 * own.1) } }
        // All memory is taken now: memory that is added later is announced to every switch, and a switch that is stopped would not answer.
        let memory = buffers * (poolSize + 512) + plans.count * scenario.ports.count << 21
        environment = try Environment(options, memory: memory, pci: scenario.ports.compactMap { switches.isEmpty ? $0.pciAddress : nil })
        guard let pool = rte_pktmbuf_pool_create("sluice-gen", UInt32(buffers), 512, 0, UInt16(poolSize), CInt(SOCKET_ID_ANY)) else {
            environment.close()
            throw RunError("no memory for \(buffers) frame buffers: \(reason(sluice_rte_errno()))")
        }
        self.pool = pool
        let deadline = ContinuousClock.now + .nanoseconds(Int64(scenario.connect))
        var open: [[CirculationPort]] = []
        func named(_ number: Int, _ error: any Error) -> any Error { switches.isEmpty ? error : RunError("switch \(names[number]): \(error)") }
        do {
            for (number, own) in plans.enumerated() {
                open.append([])
                for (index, port) in own.enumerated() {
                    do {
                        if hasOwnRings(port), let path = port.socket {
                            open[number].append(.ownRings(try RingPort(
                                port, path: path, longest: bufferSize, segments: segment != nil, directory: options.hugeDirectory, deadline: deadline,
                                interrupted: interrupted)))
                        } else {
                            open[number].append(.device(try OpenPort(
                                port, index: number * own.count + index, pool: pool, mtu: max(1_500, longest - 14), deadline: deadline,
                                interrupted: interrupted)))
                        }
                    } catch { throw named(number, error) }
                }
            }
            for (number, own) in open.enumerated() {
                do { try OpenPort.awaitLinks(own.compactMap(\.openPort), deadline, interrupted) } catch { throw named(number, error) }
            }
            for index in names.indices { try held.hold(index) }
            for (index, own) in open.enumerated() {
                if interrupted() { throw RunError("interrupted while switches learned addresses") }
                try held.resume(index)
                Announcer(scenario, own.map(\.announcing)).announce()
                do { for port in own { try port.rings?.awaitTaken(deadline, interrupted) } } catch { throw named(index, error) }
                try held.hold(index)
            }
        } catch {
            held.release()
            for port in open.joined() { port.close() }
            environment.close()
            throw error
        }
        ports = open
        lanes = LaneStore(scenario, plan, ports: open, windows: windows, pool: pool, hertz: rte_get_tsc_hz())
    }

    /// Measures slice after slice. After a signal, it ends with what has been measured so far.
    public func run() throws -> CirculationReport {
        var slices = [[SliceFigures]](repeating: [], count: names.count)
        var complete = true
        measuring: for set in 0..<plan.settle + plan.sets {
            for index in names.indices {
                guard let figures = try leastDisturbed(index, attempts: set < plan.settle ? 1 : CirculationPlan.attempts) else {
                    complete = false
                    break measuring
                }
                if set >= plan.settle { slices[index].append(figures) }
            }
        }
        let astray = lanes.states.reduce(0) { sum, state in (0..<state.pointee.laneCount).reduce(sum) { $0 + state.pointee.lanes[$1].astray } }
        return CirculationReport(
            Array(zip(names, slices)), sliceSeconds: Double(plan.slice) / 1e9, repeated: repeated, astray: astray, complete: complete)
    }

    /// Measures a slice up to so many times, and returns the least disturbed measurement; nil: a signal came. There are at most as many repetitions altogether
    /// as there are slices.
    private func leastDisturbed(_ index: Int, attempts: Int) throws -> SliceFigures? {
        var best: SliceFigures?
        defer { latestRate = best?.framesPerSecond ?? latestRate }
        for attempt in 0..<attempts {
            guard let figures = try slice(index) else { return nil }
            if attempt > 0 { repeated += 1 }
            if figures.disturbed < best?.disturbed ?? .infinity { best = figures }
            if figures.disturbed <= plan.mostDisturbed || repeated >= plan.sets * names.count { break }
        }
        return best
    }

    private func slice(_ index: Int) throws -> SliceFigures? {
        let state = lanes.states[index]
        let lostBefore = lostFrames(state)
        try held.check(index)
        try held.resume(index)
        let told = try tell(index)
        let before = held.times(index), start = DispatchTime.now().uptimeNanoseconds
        let launched = rte_eal_remote_launch(circulationWorker, state, Environment.workerLcore)
        guard launched == 0 else { throw RunError("the worker did not start: \(reason(launched))") }
        var signalled = Signals.wait(nanoseconds: Int(plan.warmUp + plan.slice))
        while !signalled, rte_eal_get_lcore_state(Environment.workerLcore) != WAIT { signalled = Signals.wait(nanoseconds: 1_000_000) }
        if signalled { state.pointee.stop = 1 }
        _ = rte_eal_wait_lcore(Environment.workerLcore)
        let elapsed = DispatchTime.now().uptimeNanoseconds - start
        let waited = held.times(index).disturbance(since: before, elapsed: elapsed)
        try held.hold(index)
        if signalled { return nil }
        try held.check(index)
        let result = state.pointee
        guard result.starved == 0 else { throw RunError("no buffers left for frames; give the switch a smaller --window") }
        // A switch that others kept from running has a slice without frames, which is measured again. One that ran and passed none does not forward, unless it has
        // before: then it stood still, which is a result.
        if result.frames > 0 { hasPassed.insert(index) }
        guard hasPassed.contains(index) || waited > plan.mostDisturbed else {
            throw RunError("no frame came back through \(names[index]) in \(plan.slice / 1_000_000) ms; does it forward between these ports?")
        }
        let ticks = Double(max(1, result.ticks))
        // Frames that were given up in one slice may come back in the next, so the count may fall.
        let lost = max(lostFrames(state), lostBefore) - lostBefore
        var figures = SliceFigures(
            frames: result.frames, bytes: result.bytes, seconds: ticks / Double(rte_get_tsc_hz()), lost: lost,
            busy: 1 - Double(result.idle) / ticks, disturbed: max(waited, Double(result.gaps) / ticks))
        figures.told = told
        return figures
    }

    /// Runs the command that belongs to the switch.
    /// - Returns: the rate that the command was told; nil: none was run.
    private func tell(_ index: Int) throws -> Double? {
        guard let command = plan.commands[names[index]], let rate = latestRate else { return nil }
        setenv("RATE", String(Int(rate)), 1)
        let words = ["sh", "-c", command]
        var argv = words.map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var process: pid_t = 0, status: Int32 = 0
        guard posix_spawn(&process, "/bin/sh", nil, nil, &argv, environ) == 0, waitpid(process, &status, 0) == process, status == 0 else {
            throw RunError("the command ahead of a slice of \(names[index]) failed: \(command)")
        }
        return rate
    }

    private func lostFrames(_ state: UnsafeMutablePointer<CirculationState>) -> UInt64 {
        (0..<state.pointee.laneCount).reduce(0) { $0 + state.pointee.lanes[$1].lost }
    }

    /// Continues all switches, closes the ports, and removes all files. It must be the last call.
    public func close() {
        held.release()
        lanes.emptyHands()
        for port in ports.joined() { port.close() }
        rte_mempool_free(pool)
        environment.close()
    }
}
