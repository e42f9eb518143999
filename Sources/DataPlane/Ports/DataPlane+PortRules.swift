import Configuration

/// What the loops are told about ports' rules.
extension DataPlane {
    /// - Parameter detours: the bridges in `Model.bridgesWithDetours`.
    func flags(of port: Port, detours: Set<String>) -> PortFlags {
        if port.shutUntil != nil { return port.hasAgent ? .shut | .hasAgent : .shut }
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
        mark(.trusts, port.settings.trust != .none)
        mark(.hasAgent, port.hasAgent)
        guard detours.contains(port.settings.bridge) else { return flags }
        if port.isPhysical {
            // With `passthru`, every frame that comes in there goes to one port, so nothing needs to be learned.
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

    /// The limits of each port, by `PortIndex`; empty if no port has any.
    func limits(of ports: [Port]) -> UnsafeMutableBufferPointer<PortLimits> {
        let limited = ports.filter { $0.limits != PortLimits() }
        if limited.isEmpty { return UnsafeMutableBufferPointer(start: nil, count: 0) }
        let result = UnsafeMutableBufferPointer<PortLimits>.allocate(capacity: maxPorts)
        result.initialize(repeating: PortLimits())
        for port in limited { result[Int(port.index)] = port.limits }
        return result
    }

    /// Forgets what was learned behind ports on which nothing is learned any more. It is called once the loops know that.
    /// - Parameter old: the model before the change.
    func forgetRules(since old: Model) {
        let was = Dictionary(old.ports.map { ($0.name, $0.rules) }) { first, _ in first }
        func learns(_ rules: PortRules) -> Bool { rules.learning && !rules.locked && rules.forward != .passthru }
        for port in ports.values where !learns(port.settings.rules) {
            guard let rules = was[port.settings.name], learns(rules) else { continue }
            bridges[port.settings.bridge]?.fdb.flush(port: port.index)
        }
    }

    // MARK: Ports that spanning tree's frames shut

    /// Shuts ports that have received a spanning tree frame although they are set to `guard`, and opens ports whose time is over.
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

    /// How long a port is shut, in nanoseconds: five minutes.
    static let shutTime: UInt64 = 300_000_000_000

    /// Makes the loops let nothing through ports that are shut, and use ports again that are no longer shut. The loops still receive frames on a port that is
    /// shut, and drop them: if they stayed in the ring, they would come in when the port is opened, and shut it again.
    func publishShut() {
        publish()
        // The flag may have been set again by the last burst of a port that is shut now.
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

    /// The condition of the backend, or why the port is shut.
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
