import LinkProtocols
import Packet
import Scheduler

/// What ports and their neighbours tell each other by LLDP and DCBX. Only the control thread uses it.
struct Discovery {
    /// The state machines of each port that has some, by its index.
    var links: [PortIndex: LinkDiscovery] = [:]
    /// The chassis ID that all ports tell: the lowest address that a port with an agent had when the first one came, preferably one of a device. It stays as long
    /// as the daemon runs, so that neighbours do not take the switch for another when that port goes.
    var chassis: MACAddress?
    /// What the published snapshots were made with, by port.
    private(set) var published: [PortIndex: DCBXParameters] = [:]
    /// When the snapshots were last exchanged because of what neighbours told.
    private(set) var publishedAt: Nanoseconds?

    /// What is in use as far as the operator knows, by port: from the configuration, or told since; the ports at which neighbours have changed that; and when
    /// that was told last.
    private var told: [PortIndex: DCBXParameters] = [:]
    private var changed: Set<PortIndex> = []
    private var toldAt: Nanoseconds?

    /// What is in use at each port that negotiates anything.
    private var present: [PortIndex: DCBXParameters] {
        links.compactMapValues { link in
            let used = link.dcbx.operational
            return used == DCBXParameters() ? nil : used
        }
    }

    /// Has the next snapshots made with what is in use now.
    mutating func publish() {
        published = present
        told = told.filter { changed.contains($0.key) }.merging(published.filter { !changed.contains($0.key) }) { $1 }
    }

    /// Whether what is in use has changed, and may be published: that is done once a second at most, so that a neighbour that tells something else in each
    /// frame does not keep the control thread busy.
    mutating func isDue(_ now: Nanoseconds) -> Bool {
        guard publishedAt.map({ now - $0 >= 1_000_000_000 }) ?? true else { return false }
        let used = present
        if used == published { return false }
        publishedAt = now
        for port in Set(used.keys).union(published.keys) where used[port] != published[port] { changed.insert(port) }
        return true
    }

    /// Sentences about what neighbours have changed at ports, if it is time for some: every ten seconds at most, so that a neighbour that tells something else
    /// in each frame does not fill the log.
    mutating func sentences(_ now: Nanoseconds) -> [(port: PortIndex, text: String)] {
        guard !changed.isEmpty, toldAt.map({ now - $0 >= 10_000_000_000 }) ?? true else { return [] }
        var all: [(port: PortIndex, text: String)] = []
        for port in changed.sorted() {
            let sentence = links[port]?.dcbx.sentence(from: told[port] ?? DCBXParameters(), to: published[port] ?? DCBXParameters())
            if let sentence { all.append((port, sentence)) }
        }
        (told, changed) = (published, [])
        if !all.isEmpty { toldAt = now }
        return all
    }

    /// When a state machine is due next; nil: none ever is.
    var nextDeadline: Nanoseconds? { links.values.compactMap(\.nextDeadline).min() }
}
