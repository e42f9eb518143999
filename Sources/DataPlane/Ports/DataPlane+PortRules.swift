import Configuration

/// What loops know of ports' rules.
extension DataPlane {
    /// - Parameter detours: `Model.bridgesWithDetours`.
    func flags(of port: Port, detours: Set<String>) -> PortFlags {
        if port.shutUntil != nil { return .shut }
        let rules = port.settings.rules
        var flags = PortFlags.none
        func mark(_ flag: PortFlags, _ isSet: Bool) { if isSet { flags = flags | flag } }
        mark(.isolated, rules.isolated)
        mark(.hairpin, rules.hairpin)
        mark(.noLearning, !rules.learning)
        mark(.noUnknown, !rules.flood)
        mark(.noMulticast, !rules.mcastFlood)
        mark(.noBroadcast, !rules.bcastFlood)
        mark(.locked, rules.locked)
        mark(.stormControl, rules.stormBroadcast != nil || rules.stormMulticast != nil || rules.stormUnknown != nil)
        mark(.addressLimit, rules.fdbLimit != nil)
        mark(.forwardsBPDUs, rules.bpdu == .forward)
        mark(.guardsBPDUs, rules.bpdu == .guard)
        guard detours.contains(port.settings.bridge) else { return flags }
        if port.isPhysical {
            // All that comes there is for the one port.
            mark(.noLearning, model.ports.contains { $0.bridge == port.settings.bridge && $0.rules.forward == .passthru })
            return flags | .wire
        }
        switch rules.forward {
        case .bridge: return flags | .bridged
        case .vepa: return flags | .vepa
        case .private: return flags | .secluded
        case .passthru: return flags | .passthru | .noLearning
        }
    }

    /// By `PortIndex`; empty if no port has any.
    func limits(of ports: [Port]) -> UnsafeMutableBufferPointer<PortLimits> {
        let limited = ports.filter { $0.limits != PortLimits() }
        if limited.isEmpty { return UnsafeMutableBufferPointer(start: nil, count: 0) }
        let result = UnsafeMutableBufferPointer<PortLimits>.allocate(capacity: maxPorts)
        result.initialize(repeating: PortLimits())
        for port in limited { result[Int(port.index)] = port.limits }
        return result
    }

    /// Forgets what was learned behind ports where nothing is to be learned any more, once loops know of it: what `old` is the model before.
    func forgetRules(since old: Model) {
        let was = Dictionary(old.ports.map { ($0.name, $0.rules) }) { first, _ in first }
        func learns(_ rules: PortRules) -> Bool { rules.learning && !rules.locked && rules.forward != .passthru }
        for port in ports.values where !learns(port.settings.rules) {
            guard let rules = was[port.settings.name], learns(rules) else { continue }
            bridges[port.settings.bridge]?.fdb.flush(port: port.index)
        }
    }

    // MARK: Ports that spanning tree's frames shut

    /// Shuts ports that had a frame they are to have none of, and opens those whose time has come.
    func followBPDUs() {
        var changed = false
        let now = runtime.now
        for port in ports.values {
            if let until = port.shutUntil {
                guard until <= now || port.settings.rules.bpdu != .guard else { continue }
                port.shutUntil = nil
                notices.append("port \(port.settings.name) is open again")
            } else {
                guard port.state.pointee.hadBPDU.load(ordering: .relaxed) else { continue }
                port.state.pointee.hadBPDU.store(false, ordering: .relaxed)
                guard port.settings.rules.bpdu == .guard else { continue }
                port.shutUntil = now + Self.shutTime
                notices.append("port \(port.settings.name): \(port.condition)")
            }
            changed = true
        }
        if changed { publishShut() }
    }

    /// Nanoseconds that a port is shut for: five minutes.
    static let shutTime: UInt64 = 300_000_000_000

    /// Has loops let nothing through by ports that are shut, and take up those that are no longer. What a port receives while it is shut is taken and dropped: it
    /// would come out later otherwise, and shut it again.
    func publishShut() {
        publish()
        // From the last burst of a port that is shut now.
        for port in ports.values where port.shutUntil != nil { port.state.pointee.hadBPDU.store(false, ordering: .relaxed) }
        followLinks()
    }
}

extension Port {
    var limits: PortLimits {
        let rules = settings.rules
        var limits = PortLimits()
        limits.broadcast = StormLimit(rules.stormBroadcast)
        limits.multicast = StormLimit(rules.stormMulticast)
        limits.unknown = StormLimit(rules.stormUnknown)
        if let most = rules.fdbLimit { limits.addresses = most }
        return limits
    }

    /// `PortLink.condition`, or why the port is shut.
    var condition: String {
        shutUntil == nil
            ? link.condition
            : """
                shut, because a spanning tree frame came in (bpdu: guard): whoever sent it is to have no switch there; it is opened again after five \
                minutes, or by sluice port reset \(settings.name)
                """
    }
}

extension StormLimit {
    init(_ rate: StormRate?) {
        switch rate {
        case .packets(let value): self.init(rate: value)
        case .bits(let value): self.init(rate: value, countsBits: true)
        case nil: self.init()
        }
    }
}
