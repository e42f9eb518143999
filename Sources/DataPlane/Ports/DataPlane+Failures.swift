import Configuration
import Scheduler

/// Ports that should be open and are not: they are reported, and tried again.
extension DataPlane {
    /// A port of the model that could not be opened, or whose interface went away while it was open.
    struct LostPort {
        /// The port keeps its index, as its classes deliver to it.
        var index: PortIndex
        var reason: String
        /// How many attempts have failed since the port was lost.
        var failures = 0
        /// When the port is tried again, as a value of `Runtime.now`.
        var nextTry: Nanoseconds = 0
    }

    /// The ports of the model that are not open, with the reasons. Every change tries to open them, and so does `tick`.
    public var lostPorts: [String: String] { lost.mapValues(\.reason) }

    /// What has happened to ports since the last call, as sentences.
    public func takeNotices() -> [String] {
        defer { notices = [] }
        return notices
    }

    func lose(_ name: String, _ index: PortIndex, _ reason: String) {
        if lost[name]?.reason != reason { notices.append(reason) }
        let failures = lost[name]?.failures ?? 0
        lost[name] = LostPort(index: index, reason: reason, failures: failures + 1, nextTry: runtime.now + Self.delay(after: failures))
    }

    /// Nanoseconds until a port is tried again: a second at first, twice as long after each failure, but half a minute at most.
    static func delay(after failures: Int) -> Nanoseconds { min(1_000_000_000 << UInt64(min(failures, 5)), 30_000_000_000) }

    /// Closes ports whose interface is gone, so that they can be opened anew.
    func loseGonePorts() {
        let gone = ports.values.filter(\.link.isGone)
        guard !gone.isEmpty else { return }
        let reasons = gone.map { ($0.settings.name, $0.index, "port \($0.settings.name): \($0.link.condition)") }
        _ = withdraw(gone.map(\.settings.name))
        for (name, index, reason) in reasons { lose(name, index, reason) }
    }

    /// Reports interfaces that were renamed while their ports were open, and those that have their names back.
    func noteRenamedPorts() {
        for port in ports.values where port.link.isRenamed != port.wasRenamed {
            port.wasRenamed.toggle()
            notices.append("port \(port.settings.name): \(port.wasRenamed ? port.link.condition : "its interface \(port.settings.kind.interfaceName) has its name again")")
        }
    }

    /// The ports of the model that should carry frames and cannot, with the reasons: ports that are not open, and open ports with something wrong.
    public var failedPorts: [String] { Self.failures(conditions) }

    /// The failed ones of ports whose conditions are known.
    public static func failures(_ conditions: [PortCondition]) -> [String] {
        conditions.compactMap { port in
            if port.isLost { return port.condition }
            return port.isWaiting || port.condition == "up" || port.condition == "down" ? nil : "port \(port.settings.name): \(port.condition)"
        }
    }

    /// The ports of a change whose interface already has the name that the port is to use from now on.
    public func adoptedPorts(from old: Model, to new: Model) -> Set<String> {
        Set(PortChange(from: old, to: new).replaced.filter { ports[$0.old.name]?.link.adopts($0.new) ?? false }.map(\.new.name))
    }

    /// Tries to open the lost ports that are due.
    func retryLostPorts() {
        let now = runtime.now
        let due = lost.filter { $0.value.nextTry <= now }.keys.sorted()
        let opened = due.filter(recover)
        if !opened.isEmpty { adoptRecovered() }
    }

    /// Closes a port that is not up, and opens it again at once.
    /// - Throws: why it could not be opened, in which case it is tried again later, or that there is nothing to reset.
    public func resetPort(_ name: String) throws(DataPlaneError) {
        if let port = ports[name], port.shutUntil != nil {
            port.shutUntil = nil
            notices.append("port \(name) is open again")
            return publishShut()
        }
        if let port = ports[name], port.link.endQuarantine() {
            notices.append("port \(name) is out of quarantine")
            return
        }
        if let port = ports[name] {
            guard port.link.condition != "up" else { throw DataPlaneError("port \(name) is up: there is nothing to reset") }
            let index = port.index
            _ = withdraw([name], closing: .reopened)
            lost[name] = LostPort(index: index, reason: "port \(name): it is being reset")
        }
        guard lost[name] != nil else { throw DataPlaneError("no port is called \(name)") }
        lost[name]?.failures = 0
        guard recover(name) else { throw DataPlaneError(lost[name]?.reason ?? "") }
        adoptRecovered()
    }

    private func recover(_ name: String) -> Bool {
        guard let port = lost[name], let settings = model.ports.first(where: { $0.name == name }) else { return false }
        do {
            ports[name] = try open(settings, port.index)
        } catch {
            lose(name, port.index, error.description)
            return false
        }
        lost[name] = nil
        notices.append("port \(name) is open again")
        return true
    }

    private func adoptRecovered() {
        publish()
        bindAddresses()
        pacePorts()
    }
}
