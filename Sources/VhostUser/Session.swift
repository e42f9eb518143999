/// The backend's side of one vhost-user connection to a network device: a state machine that does nothing by itself.
///
/// The caller gives it each message (`receive`), then does what `next` says until that returns nil. When the connection ends, it calls `end` and again does
/// what `next` says. Nothing that a frontend sends makes it trap.
///
/// Each descriptor that comes with a message is the session's until an action says that it is to be closed.
public struct Session: Sendable {
    public let offer: Offer
    var memory = MemoryTable()
    var log: LogRegion?
    var rings: [Vring]
    /// What the frontend agreed on; nil: it has not said so yet.
    public internal(set) var features: VirtioFeatures?
    public internal(set) var protocolFeatures: ProtocolFeatures = []
    public internal(set) var status: DeviceStatus = []
    /// Whether the last SET_FEATURES was refused.
    var hasRefusedFeatures = false
    /// The socket for requests to the frontend. Sluice makes none, but QEMU complains if it is closed.
    var backendRequests: Int32?
    /// Whether the session is at its end: all it does from then on is to close descriptors.
    public private(set) var isEnded = false

    /// What is left to do, the next step last.
    private var steps: [Step] = []
    /// The step that the caller is carrying out, as `failed` and `stopped` are about it.
    private var current: Step?
    /// Regions, by their `id`, and the log, for as long as the caller has them mapped.
    private var mapped: Set<Int> = []
    private var isLogMapped = false
    /// Why the message that is being handled is refused; nil: it is not.
    private var refusal: String?
    /// Why the ring that the message is about cannot run; nil: it can, or it is not the ring's turn.
    private var obstacle: String?

    public init(offer: Offer) {
        self.offer = offer
        rings = Array(repeating: Vring(), count: offer.queuePairs * 2)
    }

    /// Takes one whole message. All that `next` had to say about the one before must have been done.
    /// - Parameters:
    ///   - payload: as many bytes as the header announces.
    ///   - descriptors: those that came with the message, in their order.
    public mutating func receive(_ header: MessageHeader, payload: [UInt8], descriptors: [ReceivedDescriptor]) {
        var message = Message(header, payload, descriptors)
        var todo: [Step]
        if isEnded {
            todo = []
        } else if let fault = header.fault ?? (payload.count == header.payloadSize ? nil : "a message was cut short") {
            todo = [.end(fault)]
        } else {
            do throws(Refusal) {
                let request = try message.request()
                todo = try handle(request, &message)
                todo += [.settle(touched: message.touched), .answer(header)]
            } catch {
                todo = [.refuse(error.sentence), .answer(header)]
            }
        }
        // Whoever wanted one of its descriptors has taken it.
        todo.insert(contentsOf: message.descriptors.map { .close($0.number) }, at: 0)
        steps = todo.reversed() + steps
    }

    /// Ends the session: all rings are stopped, all memory is unmapped, all descriptors are closed.
    public mutating func end() { steps.insert(.end(nil), at: 0) }

    /// Tells how far a ring was served that was to be stopped.
    public mutating func stopped(_ ring: Int, at position: RingPosition) {
        guard case .stop(let stopped) = current, stopped.contains(ring) else { return }
        rings[ring].base = .position(position)
    }

    /// Tells that the memory of the last action could not be mapped.
    /// - Parameter sentence: why.
    public mutating func failed(_ sentence: String) {
        switch current {
        case .map(let id, let isTable):
            refusal = refusal ?? sentence
            mapped.remove(id)
            memory.regions.removeAll { $0.id == id }
            if isTable {
                // Half a table is none, as the frontend is told that it was refused.
                steps += memory.regions.filter { mapped.contains($0.id) }.map { .unmap($0.id) }
                memory.regions = []
            }
        case .mapLog:
            refusal = refusal ?? sentence
            isLogMapped = false
            log = nil
        default: break
        }
    }

    /// The next thing to do; nil: nothing, until the next message or the end.
    public mutating func next() -> Action? {
        while let step = steps.popLast() {
            current = step
            if let action = carryOut(step) { return action }
        }
        current = nil
        return nil
    }

    /// A running ring, and nothing else, may use memory: it is stopped before anything of it changes.
    func stopAll() -> [Step] {
        let running = rings.indices.filter { rings[$0].runs }
        return running.isEmpty ? [] : [.stop(running)]
    }

    func stop(_ ring: Int) -> [Step] { rings[ring].runs ? [.stop([ring])] : [] }

    /// One step on the way of a message. What it leads to is decided when its turn comes, as that depends on the steps before it.
    enum Step: Sendable {
        case stop([Int])
        /// The position that SET_VRING_BASE tells; nil: that of a new ring.
        case setBase(ring: Int, UInt32?)
        case map(id: Int, isTable: Bool)
        case unmap(Int)
        case mapLog
        case unmapLog
        case close(Int32)
        /// Start each ring that can run. `touched` is the ring that the message was about.
        case settle(touched: Int?)
        case refuse(String)
        case tellBase(ring: Int)
        case answer(MessageHeader)
        case act(Action)
        /// Give everything back; the sentence says why if it is this side that ends the session.
        case end(String?)
    }

    private mutating func carryOut(_ step: Step) -> Action? {
        switch step {
        case .stop(let stopped):
            for ring in stopped { rings[ring].runs = false }
            return .stop(stopped)
        case .setBase(let ring, let number): rings[ring].base = number.map { .number($0) }
        case .map(let id, _):
            // A region that is no longer in the table belongs to a table of which another region could not be mapped.
            guard let region = memory.regions.first(where: { $0.id == id }) else { return nil }
            mapped.insert(id)
            return .map(region)
        case .unmap(let id):
            if mapped.remove(id) != nil { return .unmap(id) }
        case .mapLog:
            guard let log else { return nil }
            isLogMapped = true
            return .mapLog(log)
        case .unmapLog:
            if isLogMapped {
                isLogMapped = false
                return .unmapLog
            }
        case .close(let number): return .close(number)
        case .settle(let touched): steps += settle(touched).reversed()
        case .refuse(let sentence): refusal = sentence
        case .tellBase(let ring):
            rings[ring].isBaseKnown = true
            var payload = PayloadWriter()
            payload.append(UInt32(truncatingIfNeeded: ring))
            payload.append(rings[ring].baseNumber)
            return .reply(MessageHeader.reply(to: .getVringBase, payload: payload.bytes))
        case .answer(let header): steps += answer(header).reversed()
        case .act(let action): return action
        case .end(let sentence): if !isEnded { steps = giveBack(because: sentence).reversed() }
        }
        return nil
    }

    /// Section "REPLY_ACK": who sets NEED_REPLY waits for 0 or for something else, whether or not that protocol feature was agreed on. Without the flag, all
    /// that can be done about a wrong message is to close the connection.
    private mutating func answer(_ header: MessageHeader) -> [Step] {
        defer { (refusal, obstacle) = (nil, nil) }
        let request = Request(rawValue: header.request)
        let hasOwnReply = request?.hasOwnReply ?? false
        if let refusal, hasOwnReply || !header.needsReply { return [.end(refusal)] }
        if hasOwnReply || !(header.needsReply || request == .setLogBase) { return [] }
        let note: [Step] = refusal.map { [.act(.note($0))] } ?? []
        return note + [.act(.reply(MessageHeader.acknowledgement(header.request, isRefused: refusal != nil || obstacle != nil)))]
    }

    private mutating func giveBack(because sentence: String?) -> [Step] {
        isEnded = true
        var last = stopAll()
        last += memory.regions.map { .unmap($0.id) }
        last.append(.unmapLog)
        for ring in rings.indices {
            for event in [rings[ring].kick, rings[ring].call, rings[ring].error] { last += close(event) }
            (rings[ring].kick, rings[ring].call, rings[ring].error) = (.unset, .unset, .unset)
        }
        if let number = backendRequests { last.append(.close(number)) }
        // Of all that was still to be done, only what gives something back is wanted.
        last += steps.reversed().filter { if case .close = $0 { true } else { false } }
        if let sentence { last.append(.act(.hangUp(sentence))) }
        (memory.regions, log, backendRequests) = ([], nil, nil)
        return last
    }

    func close(_ event: Vring.Event) -> [Step] { event.descriptor.map { [.close($0)] } ?? [] }

    /// Starts the rings that can run.
    private mutating func settle(_ touched: Int?) -> [Step] {
        var started: [Step] = []
        for ring in rings.indices where !rings[ring].runs {
            switch setup(ring) {
            case .incomplete: rings[ring].told = nil
            case .complete(let setup):
                rings[ring].runs = true
                rings[ring].told = nil
                started.append(.act(.start(setup)))
            case .wrong(let sentence):
                // The addresses are those that the guest's driver chose, so the connection stays and the other rings go on.
                if ring == touched { obstacle = sentence }
                if rings[ring].told != sentence { started.append(.act(.note(sentence))) }
                rings[ring].told = sentence
            }
        }
        return started
    }
}
