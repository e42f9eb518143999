import Configuration
import Scheduler

/// Ports that should be open and are not: told, and tried again.
extension DataPlane {
    /// A port of the model that could not be opened, or whose interface went away while it ran.
    struct LostPort {
        /// Still its own: its classes deliver there.
        var index: PortIndex
        var reason: String
        /// Since it was lost.
        var failures = 0
        /// `Runtime.now` at which it is tried again.
        var nextTry: Nanoseconds = 0
    }

    /// Ports of the model that are not there, and why. Every change tries to open them, and so does `tick`.
    public var lostPorts: [String: String] { lost.mapValues(\.reason) }

    /// What happened to ports since this was asked last, a sentence each.
    public func takeNotices() -> [String] {
        defer { notices = [] }
        return notices
    }

    func lose(_ name: String, _ index: PortIndex, _ reason: String) {
        if lost[name]?.reason != reason { notices.append(reason) }
        let failures = lost[name]?.failures ?? 0
        lost[name] = LostPort(index: index, reason: reason, failures: failures + 1, nextTry: runtime.now + Self.delay(after: failures))
    }

    /// Nanoseconds until a port is tried again: a second at first, twice as long after each failure, half a minute at most.
    static func delay(after failures: Int) -> Nanoseconds { min(1_000_000_000 << UInt64(min(failures, 5)), 30_000_000_000) }

    /// Takes away what serves an interface that is gone, so that it can be opened anew.
    func loseGonePorts() {
        let gone = ports.values.filter(\.link.isGone)
        guard !gone.isEmpty else { return }
        let reasons = gone.map { ($0.settings.name, $0.index, "port \($0.settings.name): \($0.link.condition)") }
        _ = withdraw(gone.map(\.settings.name))
        for (name, index, reason) in reasons { lose(name, index, reason) }
    }

    /// Tells of interfaces that were renamed under their ports, and of those that have their names again.
    func noteRenamedPorts() {
        for port in ports.values where port.link.isRenamed != port.wasRenamed {
            port.wasRenamed.toggle()
            notices.append("port \(port.settings.name): \(port.wasRenamed ? port.link.condition : "its interface \(port.settings.interfaceName) has its name again")")
        }
    }

    /// Ports of the model that should carry frames and cannot, and why: those that are not open, and those that something is wrong with though they are.
    public var failedPorts: [String] {
        let fine = ["up", "down", VhostLink.waiting]
        return lost.values.map(\.reason)
            + ports.values.filter { !fine.contains($0.condition) }.map { "port \($0.settings.name): \($0.condition)" }
    }

    /// Ports of a change whose interface has already the name that they are to go by.
    public func adoptedPorts(from old: Model, to new: Model) -> Set<String> {
        Set(PortChange(from: old, to: new).replaced.filter { ports[$0.old.name]?.link.adopts($0.new) ?? false }.map(\.new.name))
    }

    /// Tries lost ports whose time has come.
    func retryLostPorts() {
        let now = runtime.now
        let due = lost.filter { $0.value.nextTry <= now }.keys.sorted()
        let opened = due.filter(recover)
        if !opened.isEmpty { adoptRecovered() }
    }

    /// Closes a port that is not up, and opens it again at once.
    /// - Throws: why it could not be opened, or that there is nothing to do; tried again later then.
    public func resetPort(_ name: String) throws(DataPlaneError) {
        if let port = ports[name], port.shutUntil != nil {
            port.shutUntil = nil
            notices.append("port \(name) is open again")
            return publishShut()
        }
        if let port = ports[name] {
            guard port.link.condition != "up" else { throw DataPlaneError("port \(name) is up: there is nothing to reset") }
            let index = port.index
            _ = withdraw([name])
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
