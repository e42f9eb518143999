/// What a poll loop does when there is nothing to do, in VPP's terms.
public enum PollingMode: String, Equatable, Sendable, CaseIterable {
    /// The loop keeps polling: the least latency, at the price of a whole core.
    case polling
    /// The loop keeps polling for a while, then sleeps until a frame, the due time of a class or a change wakes it.
    case adaptive
    /// The loop sleeps as soon as one turn has found nothing to do.
    case interrupt
}

/// Settings of one core that differ from those of the others.
public struct CoreSettings: Equatable, Sendable {
    public var cpu: Int
    public var polling: PollingMode
    public init(cpu: Int, polling: PollingMode) { self.cpu = cpu; self.polling = polling }
}

extension DaemonSettings {
    /// The polling mode of the poll loop on a CPU.
    public func polling(ofCPU cpu: Int) -> PollingMode { cores.first { $0.cpu == cpu }?.polling ?? polling }

    /// These settings, with those that may change at run time taken from `other`. The result equals `other` if no restart is needed.
    func changingInPlace(to other: DaemonSettings) -> DaemonSettings {
        var settings = self
        settings.polling = other.polling
        settings.cores = other.cores
        settings.wakeLatency = other.wakeLatency
        settings.balance = other.balance
        settings.delay = other.delay
        settings.metrics = other.metrics
        settings.sflow = other.sflow
        return settings
    }
}

extension ValueKind<UInt64> {
    /// A wake latency, written such as `10us`.
    static var wakeLatency: Self {
        let range: ClosedRange<UInt64> = 0...100_000
        func fault(_ value: UInt64) -> String? { range.contains(value) ? nil : "wake-latency is 0us to 100ms, such as 10us; or none" }
        return ValueKind(
            takes: .quantity(.delay, range),
            read: { element, problems in
                guard let value = problems.quantity(element, .delay) else { return nil }
                guard let sentence = fault(value) else { return value }
                problems.add(element, sentence)
                return nil
            },
            write: { .text(Quantity.delay.format($0)) }, fault: fault)
    }
}

extension CoreSettings {
    private typealias Draft = (cpu: Int?, polling: PollingMode?)

    /// A core's settings, written such as `{cpu: 3, polling: polling}`.
    static var kind: ValueKind<CoreSettings> {
        let fields: [Field<Draft>] = [
            .optional("cpu", \.cpu, .cpu, help: "its number").lasting.required,
            .optional("polling", \.polling, .choice, help: "what its poll loop does when there is nothing to do").lasting.required,
        ]
        return MapKind(
            noun: "a core", empty: (nil, nil), fields: fields,
            value: { draft in draft.cpu.flatMap { cpu in draft.polling.map { CoreSettings(cpu: cpu, polling: $0) } } },
            draft: { ($0.cpu, $0.polling) }, missing: "a core needs cpu and polling: write {cpu: 3, polling: polling}"
        ).kind
    }
}

extension Editor {
    /// Carries out commands such as `core set 3 polling polling` and `core set all polling adaptive`. `default` removes a core's own mode.
    mutating func core(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        guard verb == .set else { throw ConfigurationError("", "core has no verb '\(verb.rawValue)': write core set 3 polling adaptive") }
        let (name, rest) = try name(words, "core", example: "core set 3 polling adaptive, or core set all polling adaptive")
        let path = "core \(name)"
        guard name == "all" || Int(name) != nil else {
            throw ConfigurationError("", "'\(name)' is not a core: write a CPU's number, or all")
        }
        if name == "all", let key = rest.first, ["balance", "delay", "wake-latency"].contains(key), rest.count == 2 {
            return try read(rest, into: &model.daemon, fields.daemon.filter { $0.key == key }, path, of: "a core")
        }
        if name != "all", let key = rest.first, ["balance", "delay", "wake-latency"].contains(key) {
            throw ConfigurationError(path, "\(key) is set for all cores together: write core set all \(key) \(key == "wake-latency" ? "10us" : "on")")
        }
        guard rest.first == "polling", rest.count == 2, let word = rest.last else {
            let others = name == "all" ? "; or core set all balance on, core set all delay on, core set all wake-latency 10us" : ""
            throw ConfigurationError(path, "a core has one key: write core set \(name) polling polling, adaptive or interrupt" + others)
        }
        let mode = PollingMode(rawValue: word)
        guard mode != nil || ["default", "none"].contains(word) else {
            throw ConfigurationError(path + ".polling", "'\(word)' is not \(PollingMode.allCases.map(\.rawValue).joined(separator: " or ")), or default")
        }
        guard let cpu = Int(name) else {
            model.daemon.polling = mode ?? DaemonSettings().polling
            model.daemon.cores = []
            return
        }
        model.daemon.cores.removeAll { $0.cpu == cpu }
        if let mode { model.daemon.cores.append(CoreSettings(cpu: cpu, polling: mode)) }
        model.daemon.cores.sort { $0.cpu < $1.cpu }
    }
}
