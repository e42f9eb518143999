import DPDKShim
import Packet

/// The memory of all lanes of all switches. The lanes of different switches differ only in their devices and frames.
final class LaneStore {
    private(set) var states: [UnsafeMutablePointer<CirculationState>] = []
    private var blocks: [(UnsafeMutableRawPointer, Int)] = []

    /// - Parameters:
    ///   - ports: the ports of each switch, in the order of the scenario's.
    ///   - windows: the number of frames on their way in each direction, for each switch.
    init(_ scenario: Scenario, _ plan: CirculationPlan, ports: [[CirculationPort]], windows: [Int], pool: OpaquePointer, hertz: UInt64) {
        let flows = TemplateStore.ordered(scenario)
        // Flows are sorted by their source port, and each source port has one lane.
        let sources = flows.reduce(into: [Int]()) { if $0.last != $1.source { $0.append($1.source) } }
        let lanes = sources.map { source in lane(scenario, plan, flows.filter { $0.source == source }) }
        func ticks(_ nanoseconds: UInt64) -> UInt64 { UInt64(Double(nanoseconds) * Double(hertz) / 1e9) }
        for (own, window) in zip(ports, windows) {
            let memory = zeroed(Lane.self, lanes.count)
            for (index, shared) in lanes.enumerated() {
                var lane = shared
                let (input, output) = (own[Int(shared.input)], own[Int(shared.output)])
                (lane.input, lane.output) = (input.device, output.device)
                (lane.inputRing, lane.outputRing) = (input.rings?.receiving, output.rings?.sending)
                lane.window = window
                lane.held = zeroed(OpaquePointer?.self, Lane.roomForHeld(window))
                if let ring = lane.outputRing { fill(ring, &lane) }
                (memory + index).initialize(to: lane)
            }
            let state = zeroed(CirculationState.self, 1)
            state.initialize(
                to: CirculationState(
                    lanes: memory, laneCount: lanes.count, pool: pool, warmUp: ticks(plan.warmUp), slice: ticks(plan.slice),
                    longestTurn: ticks(50_000 * UInt64(max(2, lanes.count))), patience: ticks(20_000_000), words: zeroed(UInt64.self, CirculationState.burst)))
            states.append(state)
        }
    }

    /// Puts a frame into each buffer of a ring that carries frames to the switch. A buffer's frames always have the same size; sizes follow one another as the
    /// flow has them, but for the end of the ring.
    private func fill(_ ring: UnsafeMutablePointer<DriverRing>, _ lane: inout Lane) {
        lane.slotSizes = zeroed(UInt8.self, ring.pointee.size)
        for number in 0..<ring.pointee.size {
            let size = lane.pattern[number % lane.patternCount]
            let bytes = Int(lane.sizes[Int(size)])
            lane.slotSizes[number] = size
            ring.pointee.header(number).initializeMemory(as: UInt8.self, repeating: 0, count: DriverRing.headerLength)
            if lane.wishes != 0 {
                ring.pointee.header(number).storeBytes(of: lane.wishes, as: UInt64.self)
                ring.pointee.header(number).storeBytes(of: 16, toByteOffset: 8, as: UInt16.self) // the place of TCP's checksum
            }
            ring.pointee.frame(number).copyMemory(from: lane.bodies[Int(size)], byteCount: bytes)
            ring.setLength(number, bytes)
        }
    }

    /// What stands in front of a flow's frames if they are to be segmented (virtio 1.2, 5.1.6): VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, the
    /// length of the headers, the data of each segment, and where the checksum begins.
    private static func wishes(_ plan: FlowPlan) -> UInt64 {
        guard let segment = plan.segment else { return 0 }
        let start = UInt64(HeaderSize.ethernet + (plan.vlan != nil || plan.pcp != nil ? HeaderSize.vlanTag : 0) + 20)
        return 1 | 1 << 8 | (start + 20) << 16 | UInt64(segment) << 32 | start << 48
    }

    /// Frees the frames in hand.
    func emptyHands() {
        for state in states {
            for index in 0..<state.pointee.laneCount {
                let lane = state.pointee.lanes + index
                for place in 0..<lane.pointee.heldCount where lane.pointee.outputRing == nil { sluice_frame_free(lane.pointee.held[lane.pointee.heldFirst + place]) }
                (lane.pointee.heldFirst, lane.pointee.heldCount) = (0, 0)
            }
        }
    }

    deinit { for (block, size) in blocks { unmap(block, size) } }

    private func zeroed<Element>(_ type: Element.Type, _ count: Int) -> UnsafeMutablePointer<Element> {
        let size = max(1, count) * MemoryLayout<Element>.stride
        blocks.append((mapZeroed(size), size))
        return blocks[blocks.count - 1].0.bindMemory(to: type, capacity: max(1, count))
    }

    /// A lane that has the indices of its ports in place of devices, and no room for frames yet.
    private func lane(_ scenario: Scenario, _ plan: CirculationPlan, _ flows: [ResolvedFlow]) -> Lane {
        let first = flows[0], destination = first.destination ?? 0
        let way = FrameLane(source: first.source, destination: destination)
        let sizes = Array(Set(first.plan.sizes)).sorted()
        func template(_ flow: ResolvedFlow, _ size: Int, _ subflow: Int) -> [UInt8] {
            let (source, target) = TemplateStore.addresses(flow, 0, scenario)
            return FrameTemplate(flow.plan, size: size, source: source, destination: target, subflow: subflow, lane: way).bytes
        }
        let memory = zeroed(CirculatedFlow.self, flows.count)
        for (index, flow) in flows.enumerated() {
            let addresses = UnsafeMutableRawPointer(zeroed(UInt8.self, flow.plan.pairs * HeaderCycle.addressSize))
            for pair in 0..<flow.plan.pairs {
                let (source, target) = TemplateStore.addresses(flow, pair, scenario)
                TemplateStore.store(target, at: addresses + pair * HeaderCycle.addressSize)
                TemplateStore.store(source, at: addresses + pair * HeaderCycle.addressSize + 6)
                let behind = Array(template(flow, sizes[0], 0)[12..<HeaderCycle.addressSize])
                (addresses + pair * HeaderCycle.addressSize + 12).copyMemory(from: behind, byteCount: behind.count)
                if flow.plan.vlans > 1 { TemplateStore.storeVLAN(flow.plan.vlan(ofPair: pair) ?? 0, at: addresses + pair * HeaderCycle.addressSize) }
            }
            let headers = UnsafeMutableRawPointer(zeroed(UInt8.self, flow.plan.subflows * sizes.count * HeaderCycle.headerSize))
            for subflow in 0..<flow.plan.subflows {
                for (place, size) in sizes.enumerated() {
                    let bytes = Array(template(flow, size, subflow)[12..<12 + HeaderCycle.headerSize])
                    (headers + (subflow * sizes.count + place) * HeaderCycle.headerSize).copyMemory(from: bytes, byteCount: bytes.count)
                }
            }
            memory[index] = CirculatedFlow(addresses: addresses, addressCount: flow.plan.pairs, headers: headers, headerCount: flow.plan.subflows)
        }
        let lengths = zeroed(UInt32.self, sizes.count), bodies = zeroed(UnsafeMutableRawPointer.self, sizes.count)
        for (place, size) in sizes.enumerated() {
            let bytes = template(first, size, 0)
            let body = UnsafeMutableRawPointer(zeroed(UInt8.self, bytes.count))
            body.copyMemory(from: bytes, byteCount: bytes.count)
            lengths[place] = UInt32(bytes.count)
            (bodies + place).initialize(to: body)
        }
        let pattern = zeroed(UInt8.self, first.plan.sizes.count)
        for (step, size) in first.plan.sizes.enumerated() { pattern[step] = UInt8(sizes.firstIndex(of: size) ?? 0) }
        // The addresses of a flow count up from its first; the flows of a lane may have different ranges.
        let targets = flows.flatMap { [$0.target.value, $0.target.value + UInt64($0.plan.toMACs)] }
        let least = targets.min() ?? 0
        return Lane(
            input: UInt16(destination), output: UInt16(first.source), slotSizes: zeroed(UInt8.self, 1), wishes: Self.wishes(first.plan), window: plan.window,
            flows: memory, flowCount: flows.count,
            rewrites: flows.count > 1 || first.plan.pairs * first.plan.subflows > 1, sizes: lengths, sizeCount: sizes.count, bodies: bodies,
            pattern: pattern, patternCount: first.plan.sizes.count, target: least, targetCount: (targets.max() ?? 0) - least,
            held: zeroed(OpaquePointer?.self, 1))
    }
}
