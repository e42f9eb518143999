import DPDKShim
import Packet

/// The memory of the worker's loop: ports, flows, templates and counters. It is freed with this object, which must outlive the worker.
final class TemplateStore {
    /// The most windows of time that are kept, and the number kept of a run without an end.
    static let mostBins = 360_000
    /// When a run without a duration ends, in nanoseconds: practically never, but low enough that times can still be added to it.
    static let noEnd = UInt64.max / 4

    let loop: UnsafeMutablePointer<LoopState>
    private var blocks: [UnsafeMutableRawPointer] = []

    /// - Parameters:
    ///   - hertz: the frequency of the time-stamp counter.
    ///   - keepsSlowFrames: whether slow frames are kept to be compared with the switch's stalls.
    init(_ scenario: Scenario, ports open: [(device: UInt16, queues: UInt16)], pool: OpaquePointer, hertz: UInt64, keepsSlowFrames: Bool) throws {
        let flows = Self.ordered(scenario)
        let streamCount = flows.reduce(0) { $0 + $1.plan.subflows * $1.plan.pairs }
        let templateCount = flows.reduce(0) { $0 + $1.plan.subflows * $1.plan.pairs * Set($1.plan.sizes).count }
        let run = scenario.duration.map { $0 + scenario.drain }
        let bins = run.map { min(Self.mostBins, Int($0 / scenario.bin) + 2) } ?? Self.mostBins
        var blocks: [UnsafeMutableRawPointer] = []
        func zeroed<Element>(_ type: Element.Type, _ count: Int) -> UnsafeMutablePointer<Element> {
            let size = max(1, count) * MemoryLayout<Element>.stride
            var block: UnsafeMutableRawPointer?
            // In a private mapping, windows of time that are never reached take no memory.
            block = mapZeroed(size)
            let pointer = block!
            blocks.append(pointer)
            lengths.append(size)
            return pointer.bindMemory(to: type, capacity: max(1, count))
        }
        var lengths: [Int] = []
        let portStates = zeroed(PortState.self, open.count)
        for (index, port) in open.enumerated() {
            portStates[index] = PortState(device: port.device, queues: port.queues)
            if scenario.learn { portStates[index].knownSince = 0 }
        }
        let flowStates = zeroed(FlowState.self, flows.count)
        let streams = zeroed(StreamState.self, streamCount)
        let shapes = zeroed(FrameShape.self, flows.count * FrameTemplate.mostDistinctSizes)
        let patterns = zeroed(UInt8.self, flows.count * 64)
        let prefixes = UnsafeMutableRawPointer(zeroed(UInt8.self, templateCount * FrameShape.prefix + 64))
        let scratchSize = 65_536
        let filler = zeroed(UInt8.self, scratchSize)
        for offset in 0..<scratchSize { filler[offset] = FrameTemplate.filler(offset) }
        var nextStream = 0, nextTemplate = 0
        var queueTurn = [Int](repeating: 0, count: open.count)
        for (index, flow) in flows.enumerated() {
            let plan = flow.plan
            let sizes = Array(Set(plan.sizes)).sorted()
            let queue = queueTurn[flow.source] % Int(open[flow.source].queues)
            queueTurn[flow.source] += 1
            let firstShape = index * FrameTemplate.mostDistinctSizes
            for (step, size) in plan.sizes.enumerated() { patterns[index * 64 + step] = UInt8(sizes.firstIndex(of: size) ?? 0) }
            flowStates[index] = FlowState(
                pace: Pace(plan.rate), source: Int32(flow.source), destination: Int32(flow.destination ?? -1), queue: UInt16(queue),
                sizeCount: UInt16(sizes.count), floods: flow.floods, trailer: 0, trailerLength: 0, firstStream: UInt32(nextStream),
                streamCount: UInt32(plan.subflows * plan.pairs), firstShape: firstShape, patternStart: index * 64,
                patternCount: plan.sizes.count, start: plan.start, stop: plan.stop ?? UInt64.max,
                bins: zeroed(FlowBin.self, bins), latency: zeroed(UInt64.self, LatencyBuckets.count))
            let lane = FrameLane(source: flow.source, destination: flow.destination ?? open.count)
            let pairs = (0..<plan.pairs).map { Self.addresses(flow, $0, scenario) }
            for subflow in 0..<plan.subflows {
                let templates = sizes.map {
                    FrameTemplate(plan, size: $0, source: pairs[0].source, destination: pairs[0].destination, subflow: subflow, lane: lane)
                }
                // For one sub-flow, the frames of all address pairs differ only in their addresses and VLANs, which no checksum covers.
                for (number, pair) in pairs.enumerated() {
                    streams[nextStream] = StreamState(flow: UInt32(index), firstTemplate: UInt32(nextTemplate))
                    nextStream += 1
                    for (step, template) in templates.enumerated() {
                        shapes[firstShape + step] = FrameShape(
                            size: UInt32(sizes[step]), tagLength: UInt32(template.tagLength), signatureOffset: UInt32(template.signatureOffset))
                        let kept = min(FrameShape.prefix, template.bytes.count)
                        let place = prefixes + nextTemplate * FrameShape.prefix
                        place.copyMemory(from: template.bytes, byteCount: kept)
                        Self.store(pair.destination, at: place)
                        Self.store(pair.source, at: place + 6)
                        if plan.vlans > 1 { Self.storeVLAN(plan.vlan(ofPair: number) ?? 0, at: place) }
                        nextTemplate += 1
                        let after = template.signatureOffset + Signature.size
                        if after < template.bytes.count {
                            flowStates[index].trailerLength = template.bytes.count - after
                            flowStates[index].trailer = template.bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: after, as: UInt64.self) }
                        }
                    }
                }
            }
            if portStates[flow.source].flowCount == 0 { portStates[flow.source].firstFlow = index }
            portStates[flow.source].flowCount += 1
        }
        let longest = scenario.flows.flatMap(\.sizes).max() ?? 60
        let slowCapacity = keepsSlowFrames ? SlowFrame.most : 0
        let slow = zeroed(SlowFrame.self, slowCapacity)
        // The pages are touched here, so that the worker does not have to touch them first while it measures.
        for index in 0..<slowCapacity { slow[index] = SlowFrame(sent: 1, latency: 1) }
        let changes = Self.steps(scenario, flows)
        let steps = zeroed(LoopStep.self, changes.count)
        for (index, change) in changes.enumerated() { steps[index] = change }
        let stage = SendStage(
            frames: zeroed(OpaquePointer?.self, SendStage.burst), streams: zeroed(UInt32.self, SendStage.burst),
            lengths: zeroed(UInt32.self, SendStage.burst), stock: zeroed(OpaquePointer?.self, SendStage.stockSize + SendStage.burst))
        let batch = zeroed(OpaquePointer?.self, SendStage.burst)
        let scratch = UnsafeMutableRawPointer(zeroed(UInt8.self, scratchSize))
        loop = zeroed(LoopState.self, 1)
        loop.initialize(
            to: LoopState(
                ports: portStates, portCount: open.count, flows: flowStates, flowCount: flows.count, streams: streams,
                streamCount: UInt32(streamCount), shapes: shapes, prefixes: prefixes, filler: UnsafeMutableRawPointer(filler), patterns: patterns,
                pool: pool, batch: batch, scratch: scratch, scratchSize: UInt32(scratchSize),
                clock: LoopClock(origin: sluice_cycles(), hertz: hertz), catchUp: scenario.catchUp, binWidth: scenario.bin,
                binCount: bins, timePerFrame: 250 + UInt64(longest) / 4,
                disturbedLatency: zeroed(UInt64.self, LatencyBuckets.count), slow: slow, slowCapacity: slowCapacity, steps: steps, stepCount: changes.count, sendUntil: scenario.duration ?? Self.noEnd, stop: 0, binEnd: scenario.bin, stage: stage))
        self.blocks = blocks
        self.lengths = lengths
        order = flows.map(\.place)
    }

    private let lengths: [Int]
    /// The index in the scenario of each flow of the loop, which has its flows sorted by source port.
    let order: [Int]

    deinit { for (block, length) in zip(blocks, lengths) { unmap(block, length) } }
}

/// A flow whose names have been resolved to indices and addresses.
struct ResolvedFlow {
    var plan: FlowPlan
    var place: Int
    var source: Int
    var destination: Int?
    var target: MACAddress
    /// Whether the destination is a group address, or one from which nobody here sends, so that frames to it are flooded.
    var floods: Bool
}

extension TemplateStore {
    /// The flows sorted by their source ports, those of one port in the scenario's order.
    static func ordered(_ scenario: Scenario) -> [ResolvedFlow] {
        func index(_ name: String) -> Int? { scenario.ports.firstIndex { $0.name == name } }
        let resolved = scenario.flows.enumerated().map { place, plan -> ResolvedFlow in
            let source = index(plan.from) ?? 0
            switch plan.to {
            case .port(let name):
                let port = index(name) ?? 0
                return ResolvedFlow(plan: plan, place: place, source: source, destination: port, target: scenario.ports[port].mac, floods: false)
            case .mac(let mac, let at):
                let owner = scenario.ports.firstIndex { $0.mac == mac }
                let announced = at != nil && scenario.flows.contains { $0.from == at && $0.announces(mac, plan.toMACs) }
                return ResolvedFlow(
                    plan: plan, place: place, source: source, destination: at.flatMap(index) ?? owner, target: mac,
                    floods: mac.isMulticast || ((owner == nil || plan.toMACs > 1) && !announced))
            }
        }
        return resolved.sorted { ($0.source, $0.place) < ($1.source, $1.place) }
    }

    /// The scenario's steps, as one change for each flow that they concern.
    static func steps(_ scenario: Scenario, _ flows: [ResolvedFlow]) -> [LoopStep] {
        scenario.steps.flatMap { step in
            let chosen = (try? scenario.select(step.flows, of: "a step")) ?? []
            return flows.indices.filter { chosen.contains(flows[$0].place) }.map { LoopStep(at: step.at, flow: $0, pace: Pace(step.rate)) }
        }
    }

    /// The addresses of the n-th pair.
    static func addresses(_ flow: ResolvedFlow, _ number: Int, _ scenario: Scenario) -> (source: MACAddress, destination: MACAddress) {
        let destination = MACAddress(value: flow.target.value + UInt64(number % flow.plan.toMACs))
        return (source(flow, number % flow.plan.macs, scenario), destination)
    }

    /// Writes an address in the byte order of a frame.
    static func store(_ address: MACAddress, at place: UnsafeMutableRawPointer) {
        for byte in 0..<6 { place.storeBytes(of: UInt8(truncatingIfNeeded: address.value >> UInt64(40 - 8 * byte)), toByteOffset: byte, as: UInt8.self) }
    }

    /// Writes the VLAN of a frame that has a tag.
    static func storeVLAN(_ vlan: UInt16, at frame: UnsafeMutableRawPointer) {
        let priority = frame.load(fromByteOffset: 14, as: UInt8.self) & 0xf0
        frame.storeBytes(of: priority | UInt8(vlan >> 8), toByteOffset: 14, as: UInt8.self)
        frame.storeBytes(of: UInt8(vlan & 0xff), toByteOffset: 15, as: UInt8.self)
    }

    /// The n-th source address: counted up from the flow's own address, or taken from a range in which no port's address lies.
    static func source(_ flow: ResolvedFlow, _ number: Int, _ scenario: Scenario) -> MACAddress {
        if let mac = flow.plan.mac { return MACAddress(value: mac.value + UInt64(number)) }
        if number == 0 { return scenario.ports[flow.source].mac }
        return MACAddress(value: 0x065c_0000_0000 | UInt64(flow.source) << 24 | UInt64(flow.place & 0xff) << 16 | UInt64(number & 0xffff))
    }
}

extension FlowPlan {
    /// Whether all `count` addresses from `first` upwards are among the flow's source addresses.
    func announces(_ first: MACAddress, _ count: Int) -> Bool {
        guard let mac else { return false }
        return mac.value <= first.value && first.value + UInt64(count) <= mac.value + UInt64(macs)
    }
}
