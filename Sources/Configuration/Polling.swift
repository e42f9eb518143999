/// What a poll loop does when there is nothing to do, in VPP's words.
public enum PollingMode: String, Equatable, Sendable, CaseIterable {
    /// It turns on: the least latency, for a whole core.
    case polling
    /// It turns on for a while, then sleeps until a frame, a class's due time or a change wakes it.
    case adaptive
    /// It sleeps as soon as one turn found nothing.
    case interrupt
}

/// What differs at one core from all others.
public struct CoreSettings: Equatable, Sendable {
    public var cpu: Int
    public var polling: PollingMode
    public init(cpu: Int, polling: PollingMode) { self.cpu = cpu; self.polling = polling }
}

extension DaemonSettings {
    /// The mode of the poll loop on a CPU.
    public func polling(ofCPU cpu: Int) -> PollingMode { cores.first { $0.cpu == cpu }?.polling ?? polling }

    /// These settings with what may change at run time as `other` has it: equal to `other` if no restart is needed.
    func changingInPlace(to other: DaemonSettings) -> DaemonSettings {
        var settings = self
        settings.polling = other.polling
        settings.cores = other.cores
        settings.wakeLatency = other.wakeLatency
        settings.balance = other.balance
        return settings
    }
}

extension Field<DaemonSettings> {
    /// `wake-latency: 10us`
    static var wakeLatency: Field {
        let usual = Field.delay("wake-latency", \.wakeLatency)
        return Field(
            key: usual.key, unset: usual.unset,
            read: { daemon, element, problems in
                usual.read(&daemon, element, &problems)
                guard let value = daemon.wakeLatency, value > 100_000 else { return }
                problems.add(element, "wake-latency is 0us to 100ms, such as 10us; or none")
            },
            write: usual.write)
    }

    /// `cores: [{cpu: 3, polling: polling}]`
    static var cores: Field {
        Field(
            key: "cores", shape: .list, unset: { $0.cores = [] },
            read: { daemon, element, problems in
                guard let items = problems.items(of: element, example: "[{cpu: 3, polling: polling}]") else { return }
                daemon.cores = items.compactMap { item in
                    var draft = (cpu: Int?.none, polling: PollingMode?.none)
                    let fields: [Field<(cpu: Int?, polling: PollingMode?)>] = [
                        Field<(cpu: Int?, polling: PollingMode?)>(key: "cpu", read: { $0.cpu = $2.integer($1, 0...4_095) }, write: { _ in nil }),
                        Field<(cpu: Int?, polling: PollingMode?)>(key: "polling", read: { $0.polling = $2.choice($1, PollingMode.self) }, write: { _ in nil }),
                    ]
                    let before = problems.count
                    problems.read(item, into: &draft, fields, of: "a core")
                    guard let cpu = draft.cpu, let polling = draft.polling else {
                        if problems.count == before { problems.add(item, "a core needs cpu and polling: write {cpu: 3, polling: polling}") }
                        return nil
                    }
                    return CoreSettings(cpu: cpu, polling: polling)
                }
            },
            write: { daemon in
                daemon.cores.isEmpty
                    ? nil : .list(daemon.cores.map { .map([("cpu", .number(Int64($0.cpu))), ("polling", .text($0.polling.rawValue))]) })
            })
    }
}

extension Editor {
    /// `core set 3 polling polling`, `core set all polling adaptive`. `default` takes a core's own mode away.
    mutating func core(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        guard verb == .set else { throw ConfigurationError("", "core has no verb '\(verb.rawValue)': write core set 3 polling adaptive") }
        let (name, rest) = try name(words, "core", example: "core set 3 polling adaptive, or core set all polling adaptive")
        let path = "core \(name)"
        guard name == "all" || Int(name) != nil else {
            throw ConfigurationError("", "'\(name)' is not a core: write a CPU's number, or all")
        }
        if name == "all", let key = rest.first, ["balance", "wake-latency"].contains(key), rest.count == 2 {
            return try read(rest, into: &model.daemon, fields.daemon.filter { $0.key == key }, path, of: "a core")
        }
        guard rest.first == "polling", rest.count == 2, let word = rest.last else {
            throw ConfigurationError(path, "a core has one key: write core set \(name) polling polling, adaptive or interrupt" + (name == "all" ? "; or core set all balance on, core set all wake-latency 10us" : ""))
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
